"""Do Computes come layer after layer, those of a cascade stripe by stripe, and again in the next pass?"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any

import pytest

from accelsim.lowering.schedule.stripes import in_order
from accelsim.program.commands import Compute
from tests.lowering.emit.emitted import added, convolution, emitted
from tests.strategies import network_of

ROWS = [convolution("a"), convolution("b", 3), added("sum", "b", "a"), convolution("c")]
SMALL = {"sram__activation__capacity_bytes": 1000}


def test_layers_come_one_after_the_other() -> None:
    """A slice is addresses only and has no Compute."""
    rows = [convolution("a"), {"name": "part", "op": "slice", "channels": 4}, convolution("b"), convolution("c")]
    found = emitted(network_of(rows, (8, 8, 8)), {"layers": [{"match": "*", "tile": {"rows": 3}}]})
    assert found.names == [name for name in "abc" for _ in range(3)]
    assert [
        name for name, layer in zip(found.lowered.program.layers, found.lowered.layers, strict=True) if not layer
    ] == ["part"]


def test_rows_that_two_layers_share_run_one_ahead() -> None:
    """Rows of four: while b works on one, a makes the next; c comes behind the cascade."""
    network = network_of([convolution(name) for name in "abc"], (4, 8, 8))
    found = emitted(network, {"groups": [["a", "b"]]}, sram__activation__capacity_bytes=500)
    assert [(name, len(list(same))) for name, same in groupby(found.names)][-1][0] == "c"
    assert "".join(found.names).rstrip("c") == "aabababb"


def test_stripes_of_a_cascade_come_in_its_order() -> None:
    """Two images, of which the second begins before the last layer is done with the first."""
    found = emitted(network_of(ROWS, (8, 8, 8), batch=2), {"groups": [["a", "b", "sum"]]}, **SMALL)
    (cascade,) = found.lowered.residency.cascades
    expected = [
        (cascade.layers[number], stripe // member.stripes, stripe % member.stripes * member.rows)
        for number, stripe in in_order(cascade.members, 2)
        for member in [cascade.members[number]]
    ]
    came = [(each.layer, each.work.images.start, each.work.rows.start) for each in found.computes if each.layer < 3]
    assert came == expected
    assert came.index((0, 1, 0)) < came.index((2, 0, 7))


def contents(computes: Iterable[Compute]) -> list[Any]:
    """All that Computes say, tiles by what they are."""
    return [
        [
            [(each.tensor, each.region, each.address, each.place_bytes, each.resident) for each in tiles]
            for tiles in (compute.stationary, compute.streamed, compute.results, compute.complete, compute.released)
        ]
        + [compute.layer, compute.unit, compute.work, compute.actions, compute.chain, compute.unread, compute.slots]
        for compute in computes
    ]


@pytest.mark.parametrize(
    "plan", [{"groups": [["a", "b", "sum"]]}, {"keep": [{"match": "a"}]}], ids=["a cascade", "a resident"]
)
def test_a_second_pass_is_equal_with_tiles_of_its_own(plan: dict[str, Any]) -> None:
    """What the first pass read is not what the second still has to."""
    found = emitted(network_of(ROWS, (8, 8, 8)), plan, sram__activation__capacity_bytes=2000)
    again = tuple(found.stream)
    assert contents(again) == contents(found.computes)
    assert not {id(tile) for each in again for tile in each.reads} & {id(tile) for tile in found.spans()}
