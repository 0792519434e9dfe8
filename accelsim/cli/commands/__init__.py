"""A file for each command: its arguments and what it does. Heavy imports stand inside the functions."""
