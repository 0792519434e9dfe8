"""From networks to tile programs: mapping, tiling, placement, order."""
