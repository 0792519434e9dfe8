"""Executes tile programs on numbers and compares them with a direct computation."""
