"""Caches: `memory.py` puts them behind the memory port, above another memory; `kernel/` plays them."""
