"""Layers as streams of Compute commands."""
