"""The tiling of one layer: the space of tilings, their footprint, traffic and cost, and the search."""
