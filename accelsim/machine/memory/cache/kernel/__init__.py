"""Caches above a memory and the DMA requests that meet in them, in a form that runs as it stands and that compiles.

`level.py` (the lines of a cache and its misses in flight), `requester.py` (who sends requests), `below.py` (what is
asked of the memory below) and `hierarchy.py` (all of them) are plain Python: integers, and arrays of them. `types.pxd`
says which of them are C integers; where there is a C compiler, `build_hook.py` makes one compiled module of these
files, which calls that of the DRAM in C.
"""

LAYOUT = 8
"""Number of the classes of the kernel and what they take: a compiled kernel that has another is not used."""
