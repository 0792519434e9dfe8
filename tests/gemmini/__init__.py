"""Gemmini as its public software drives it: tile sizes, DOSA's mappings, and the tile programs of both."""
