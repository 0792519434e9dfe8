"""The PE array as three chained servers: load port, stream edge, drain chain (docs/machine.md section 2).

Pure bookkeeping in array clocks, no SimPy: the array process asks when a chain of folds starts and ends, given when
its operands are on chip, and the pipeline remembers what the next chain has to wait for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from accelsim.program.folds import FoldChain


class Passage(NamedTuple):
    """Array clocks at which a chain passes through the array.

    load_begin: its first stationary load begins; start: its first stream begins; last_start: its last stream
    begins; stream_end: its last stream ends; end: its last output is out of the array.
    """

    load_begin: int
    start: int
    last_start: int
    stream_end: int
    end: int


@dataclass(slots=True)
class Pipeline:
    """State of the array between chains.

    Invariant: `load_free <= stream_free <= last_out` once a chain has passed.
    """

    overlap: bool
    load_free: int = field(default=0, init=False)
    stream_free: int = field(default=0, init=False)
    drained: int = field(default=0, init=False)
    last_out: int = field(default=0, init=False)

    def load_begin(self, stationary_ready: int) -> int:
        """The clock in which the next chain's first load begins."""
        return max(stationary_ready, self.load_free if self.overlap else self.last_out)

    def passage(self, chain: FoldChain, load_begin: int, operands_ready: int) -> Passage:
        """The passage of `chain`, if its first load begins at `load_begin` and its operands are on chip at
        `operands_ready`; the pipeline then stands behind it."""
        first = chain.first
        start = max(load_begin + first.load, operands_ready, self.stream_free)
        if first.drain:
            start = max(start, self.drained - first.stream)
        if self.overlap:
            last_start, end = start + chain.span, start + chain.end
        else:
            end = start - first.load + chain.serial_cycles
            last_start = end - chain.last.tail - chain.last.stream
        passed = Passage(load_begin, start, last_start, last_start + chain.last.stream, end)
        self._stand_behind(passed, chain)
        return passed

    def _stand_behind(self, passed: Passage, chain: FoldChain) -> None:
        self.load_free = passed.last_start
        self.stream_free = passed.stream_end
        if self.overlap and chain.last.drain:
            self.drained = passed.stream_end + chain.last.drain
        self.last_out = max(self.last_out, passed.end)
