"""Numbers of a run taken apart: why one is what it is, and why two differ."""
