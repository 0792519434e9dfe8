"""Slow and obvious models that the simulator must agree with, sharing no code with it."""
