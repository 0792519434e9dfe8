"""Is the estimate of when commands end what one bus and one unit take, one after the other?"""

from __future__ import annotations

from accelsim.lowering.ir import TilingContext
from accelsim.lowering.right_map import RightMap
from accelsim.lowering.timeline import Timeline
from accelsim.program.commands import Buffer, Compute, Tile, Work
from accelsim.program.tensors import Range, Tensor
from accelsim.unit_kinds import VECTOR
from tests.strategies import machine_of, network_of

WHOLE = Range(0, 1), Range(0, 8), Range(0, 8), Range(0, 64)
TENSOR = Tensor("map", (1, 8, 8, 64), 8, 0)


def tile() -> Tile:
    return Tile(TENSOR, WHOLE, Buffer.ACTIVATION)


def compute(source: Tile, result: Tile, clocks: int) -> Compute:
    work = Work(*WHOLE, Range(0, 1))
    return Compute(0, VECTOR, work, (), (source,), (result,), (result,), released=(source,), unit_cycles=clocks)


def test_a_compute_begins_with_its_data_and_its_store_takes_the_bus() -> None:
    """A load, then a compute of 1000 clocks, then its store; the next compute waits for its own load alone."""
    timeline = Timeline(TilingContext.of(machine_of()))
    source, result = tile(), tile()
    moved = timeline.transfer((source,))
    timeline.load((source,))
    assert timeline.bus == moved
    timeline.compute(compute(source, result, 1000))
    assert (timeline.emitted, timeline.bus) == (moved + 1000, moved + 1000 + moved)
    assert source not in timeline.there


def test_the_bus_is_idle_for_loads_that_end_before_the_computes() -> None:
    """For a tile, while 10,000 clocks are computed; not for one in the 10 of a short one."""
    timeline = Timeline(TilingContext.of(machine_of()))
    source = tile()
    timeline.load((source,))
    assert timeline.is_idle_for((tile(),), [compute(source, tile(), 10_000)])
    assert not timeline.is_idle_for((tile(),), [compute(source, tile(), 10)])


def test_the_right_map_of_a_product_lies_along_outputs_or_inputs() -> None:
    """As it is transposed or not."""
    for transposed, loop in ((True, "outputs"), (False, "inputs")):
        row = {"name": "p", "op": "product", "inputs": ["input", "input"], "transposed": transposed}
        (node,) = network_of([row], (8, 8, 64)).nodes
        assert RightMap.of(node, TENSOR) == RightMap(64, 64, loop)  # type: ignore[arg-type]
