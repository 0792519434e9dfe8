"""The schedule of all layers: cascades, resident feature maps and resident weights."""
