"""A plugin of pytest that registers a kind of unit, as a row of `accelsim/unit_kinds.py` would: before all else, as
columns and causes of stalls follow from the rows."""

from accelsim.unit_kinds import UNIT_KINDS, UnitKind

ADDER = UnitKind("adder", "adder", executes="pieces", instances="dma.engines_in")
"""Of which there are as many as engines for loads, in want of a key of its own."""

UNIT_KINDS |= {ADDER.name: ADDER}
