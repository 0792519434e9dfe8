"""Sizes of what a machine is made of."""
