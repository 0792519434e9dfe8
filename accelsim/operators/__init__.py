"""The operators of a network: one row for each in `table`, over shapes, windows and rearrangements."""
