"""What is measured and not simulated, in numbers, and what models of others say of the same rows: docs/fidelity.md."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from statistics import fmean

from tests.gemmini.errors import Error, errors
from tests.gemmini.mapping import mapped_tile
from tests.gemmini.measured import Measured, measured, read, table
from tests.gemmini.tiler import Layer

NARROW = 64
"""Output channels of a tile that is narrow, at most."""
PES, BUS_BYTES = 256, 16
"""Of Gemmini's array and of its way to memory."""


def more(rows: Iterable[Error]) -> list[float]:
    """By how much more was measured than is simulated, as shares of the latter, the least first."""
    return sorted(each.measured / each.clocks - 1 for each in rows)


def narrow_products() -> list[float]:
    """Products that were run with tiles of few output channels by DOSA's mappings."""
    rows = [each for each in errors(read(), mapped=True) if each.row.layer.is_product]
    return more(each for each in rows if mapped_tile(each.row.layer, each.row.mapping).outputs <= NARROW)


def places() -> float:
    """The most that the place of the arrays makes of a row."""
    rows = [list(group) for _, group in groupby(read(), lambda each: each.row.number)]
    cycles = [[one.default_clocks for one in row] for row in rows] + [
        [one.mapped_clocks for one in row] for row in rows
    ]
    return max(max(each) / min(each) - 1 for each in cycles)


def analytical() -> float:
    """How far the Timeloop-style model of DOSA's authors is from its mappings, on average over all rows."""
    rows = table("gemmini_firesim.csv")
    return fmean(abs(float(row["analytical_cycles"]) / float(row["rtl_cycles_dosa_mapping"]) - 1) for row in rows)


def roofline() -> float:
    """How far MACs or bytes at their peaks, whichever take longer, are from the default tiles, at the best scale."""
    pairs = [(_at_peak(row), row.default_clocks) for row in measured()]
    return min(fmean(abs(scale * ours / theirs - 1) for ours, theirs in pairs) for scale in _scales(pairs))


def _scales(pairs: Iterable[tuple[float, float]]) -> Iterator[float]:
    """Scales at which a row is met: the best one is among them, as the sum of distances is linear between them."""
    yield from (theirs / ours for ours, theirs in pairs)


def _at_peak(row: Measured) -> float:
    layer = row.layer
    return max(_macs(layer) / PES, _bytes(layer) / BUS_BYTES)


def _macs(layer: Layer) -> int:
    return layer.inputs * layer.outputs * layer.rows * layer.cols * layer.kernel**2


def _bytes(layer: Layer) -> int:
    """Bytes of the maps and the weights, each once."""
    ifmap = layer.inputs * layer.size * (1 if layer.is_product else layer.cols * layer.stride)
    return ifmap + layer.inputs * layer.outputs * layer.kernel**2 + layer.outputs * layer.rows * layer.cols
