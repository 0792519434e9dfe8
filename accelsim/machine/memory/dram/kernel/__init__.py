"""The memory controller of a DRAM, in a form that runs as it stands and that compiles.

`banks.py` (what is allowed when), `queues.py` (FR-FCFS and page policy), `channel.py` (commands and refresh),
`requester.py` (who sends bursts), `lines.py` (what caches ask for) and `controller.py` (all of them) are plain Python:
integers, and arrays of them.
`types.pxd` says which of them are C integers; where there is a C compiler, `build_hook.py` makes one compiled module of
these files, which does the same some fifty times as quickly.
"""

LAYOUT = 4
"""Number of the classes of the kernel and what they take: a compiled kernel that has another is not used."""
