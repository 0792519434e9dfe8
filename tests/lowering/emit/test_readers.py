"""Who still reads a tile that stays on chip, counted without a look at each of the tiles that may."""

from __future__ import annotations

from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from accelsim.config.load import load_machine
from accelsim.config.scheduling import Scheduling
from accelsim.lowering.compile import lower
from accelsim.lowering.emit.iterations import cuts, ranges_overlap
from accelsim.lowering.emit.readers import SAME, AxisReader
from accelsim.lowering.tiling import cache
from accelsim.lowering.tiling.vector import plan_vector
from accelsim.operators.shapes import Axis, Pooled
from accelsim.program.tensors import Range
from tests.strategies import network_of

AXES = st.builds(
    Axis, *(st.integers(1, 4) for _ in ("kernel", "stride", "dilation")), *(st.integers(0, 3) for _ in ("pad", "end"))
)


@given(AXES | st.just(SAME), st.integers(1, 20), st.integers(1, 20), st.integers(1, 20), st.data())
def test_reads_are_those_of_each_tile(axis: Axis, extent: int, outputs: int, size: int, data: st.DataObject) -> None:
    """Results pooled on their way included, in windows that overlap or not."""
    each, lead = data.draw(st.integers(1, 3)), data.draw(st.integers(0, 2))
    pooled = Pooled(data.draw(st.integers((outputs - 1) * each + lead + 1, outputs * each + lead)), each, lead)
    start = data.draw(st.integers(0, extent - 1))
    part = Range(start, data.draw(st.integers(start + 1, extent)))
    results = (pooled.results(tile.start, tile.stop) for tile in cuts(outputs, size))
    windows = (Range(*axis.taken(*found, extent)) for found in results)
    expected = sum(ranges_overlap(part, window) for window in windows)
    assert AxisReader(axis, extent, outputs, size, pooled).reads_of(part) == expected


def planned(inferences: int) -> int:
    """How often a vector layer with a long map is planned."""
    network = network_of([{"name": "a", "op": "maxpool", "kernel": [3, 1], "stride": [2, 1]}], (1 << 20, 1, 1))
    with patch.object(cache, "plan_vector", wraps=plan_vector) as found:
        lowered = lower(network, load_machine("edge"), Scheduling(inferences=inferences, objective="dram_bytes"))
    assert len(lowered.layers) == inferences
    return found.call_count


def test_inferences_share_the_plans_of_vector_layers() -> None:
    assert planned(5) == planned(2)
