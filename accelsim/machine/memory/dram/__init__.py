"""DRAM at command granularity.

Each decision stands apart: `address.py` (mapping), `timing.py`, `policy.py`, `kernel/` (what is done when),
`memory.py` (behind the memory port), `statistics.py` (counts and energy), `trace.py` and `replay.py` (traces).
"""
