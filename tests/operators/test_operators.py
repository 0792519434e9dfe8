"""Is every operator of the table whole: a shape rule, operations, arithmetic, a run that computes what it should?

Rows come from `ROWS` or from `examples`; an operator without one fails the first test.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.check.arithmetic import ELEMENTS, MOVED, WINDOWS
from accelsim.check.execute import check_network
from accelsim.check.moves import TAKEN
from accelsim.check.reference import MOVES, compute_directly
from accelsim.config.machine import Machine
from accelsim.errors import LoweringError
from accelsim.lowering.compile import lower
from accelsim.network.graph import Network
from accelsim.operators.access import Access
from accelsim.operators.table import OPERATORS, RunsOn
from tests.strategies import machine_of, machines, network_of

ROOT = Path(__file__).parents[2]
OTHER = {"name": "other", "op": "input"}

SIZE = (6, 4, 8)
"""Of the first input; `other` and `third` are given beside it, with sizes of their own."""

PARAMETERS: dict[str, dict[str, Any]] = {
    "conv": {"kernel": 3, "pad": 1, "channels": 6},
    "depthwise": {"kernel": 3, "stride": 2},
    "dense": {"channels": 5},
    "pool": {"kernel": 2, "stride": 2},
    "simple": {},
    "grouped": {"groups": 2},
    "product": {"groups": 2, "transposed": True},
    "lrn": {"size": 3},
    "shuffle": {"groups": 2},
    "slice": {"first": 3, "channels": 4},
    "subsample": {"stride": 2, "channels": 11},
    "crop": {"height": 4, "width": 5, "channels": 3, "first": [3, -1, 6], "step": [-1, 1, -2], "border": "edge"},
    "resize": {"height": 9, "width": 3, "mode": "linear"},
    "join": {"axis": "height"},
    "fold": {"kernel": 2, "stride": 1},
    "rearrange": {"split": [6, 4, 2, 4], "order": [2, 1, 0, 3], "height": 8, "width": 6, "channels": 4},
}
INPUTS = {"product": 2, "add": 2, "mul": 2, "scale": 2, "concat": 2, "join": 2, "select": 3} | dict.fromkeys(
    ("sub", "div", "max", "min", "pow", "compare"), 2
)
"""Of operators that read more than one map."""


def rows_of(name: str, others: list[tuple[int, int, int]]) -> list[dict[str, Any]]:
    """A layer of an operator behind the maps that it reads, each from a layer of its own."""
    given_maps = [
        {"name": f"other{number}", "op": "input", "height": height, "width": width, "channels": channels}
        for number, (height, width, channels) in enumerate(others)
    ]
    before = [
        {"name": f"before{number}", "op": "bn", "inputs": [source]}
        for number, source in enumerate(("input", *(row["name"] for row in given_maps)))
    ]
    layer = {"name": "layer", "op": name, "inputs": [row["name"] for row in before]}
    return [*given_maps, *before, {**layer, **PARAMETERS[OPERATORS[name].row]}]


def example(name: str) -> Network:
    """A network with one layer of an operator."""
    others = [(1, 1, SIZE[2]) if name == "scale" else SIZE] * (INPUTS.get(name, 1) - 1)
    return network_of(rows_of(name, others), SIZE, batch=2)


@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator_runs_and_computes_what_it_should(name: str) -> None:
    """Its output has the size of its rule, and the tile program's values are those of the direct computation."""
    network = example(name)
    node = network.nodes[-1]
    images = {
        key: np.ones((network.batch, shape.height, shape.width, shape.channels), dtype=np.int64)
        for key, shape in network.inputs.items()
    }
    weights = {
        each.name: np.ones(
            (each.groups, each.output.channels // each.groups, each.sizes[0].channels // each.groups,
             each.window.elements), dtype=np.int64,
        )
        for each in network.nodes
        if each.op.weighted
    }  # fmt: skip
    bits = dict.fromkeys((*images, *(each.name for each in network.nodes)), 8)
    found = compute_directly(network, images, weights, map_bits=bits, weight_bits=8)["layer"]
    assert found.shape == (network.batch, node.output.height, node.output.width, node.output.channels)
    for small in (600, 6000):
        machine = machine_of(array__rows=4, array__cols=4, sram__activation__capacity_bytes=small)
        assert check_network(network, machine) == []


@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator_has_operations_arithmetic_and_a_line_in_the_docs(name: str) -> None:
    operator, network = OPERATORS[name], example(name)
    semantics = [name in ELEMENTS, name in WINDOWS, name in MOVES, name in MOVED, operator.on_array]
    assert sum(semantics) == 1
    assert (name in MOVED) == (name in TAKEN)
    assert (name in MOVES) == (operator.unit is RunsOn.ADDRESS)
    if operator.unit is RunsOn.VECTOR:
        assert operator.operations_per_element(network.nodes[-1]) > 0
    keys = (ROOT / "docs" / "keys.md").read_text(encoding="utf-8")
    assert f"`{name}`" in keys
    assert operator.does
    assert len({each.does for each in OPERATORS.values()}) == len(OPERATORS)


@pytest.mark.parametrize("name", [name for name, operator in OPERATORS.items() if operator.access])
def test_what_an_operator_reads_is_within_what_it_says_at_most(name: str) -> None:
    """`Access.most` bounds `Access.reads` for boxes of every size, each at a multiple of its size."""
    network = example(name)
    node = network.nodes[-1]
    access = node.op.access
    assert isinstance(access, Access)
    output = (node.output.height, node.output.width, node.output.channels)
    for sizes in np.ndindex(*(extent for extent in output)):
        size = tuple(each + 1 for each in sizes)
        for corner in np.ndindex(*(-(-extent // each) for extent, each in zip(output, size, strict=True))):
            box = tuple(
                (at * each, min((at + 1) * each, extent)) for at, each, extent in zip(corner, size, output, strict=True)
            )
            for position in range(len(node.inputs)):
                read = access.reads(node, position, box)  # type: ignore[arg-type]  # three spans
                most = access.most(node, position, size)
                if read is not None:
                    assert all(stop - start <= each for (start, stop), each in zip(read, most, strict=True))


@st.composite
def moves(draw: st.DrawFn) -> Network:
    """A layer that picks, joins, folds, rearranges or repeats, and one behind it."""
    size = draw(st.integers(1, 7)), draw(st.integers(1, 6)), draw(st.integers(1, 8))
    row: dict[str, Any] = {"name": "layer"}
    given_maps: list[dict[str, Any]] = []
    op = draw(st.sampled_from(["crop", "resize", "join", "fold", "rearrange", "reduce_sum", "add", "select"]))
    row["op"] = op
    if op == "crop":
        row |= dict(zip(("height", "width", "channels"), (draw(st.integers(1, 6)) for _ in size), strict=True))
        row["first"] = [draw(st.integers(-2, extent)) for extent in size]
        row["step"] = [draw(st.sampled_from([1, 1, 2, -1])) for _ in size]
        row["border"] = draw(st.sampled_from(["zeros", "edge"]))
    elif op == "resize":
        row |= {"height": draw(st.integers(1, 9)), "width": draw(st.integers(1, 9))}
        row["mode"] = draw(st.sampled_from(["nearest", "linear", "cubic"]))
    elif op == "fold":
        size = (*size[:2], draw(st.integers(1, 3)) * 6)
        row |= {"kernel": [2, 3], "stride": [draw(st.integers(1, 3)), draw(st.integers(1, 3))]}
    elif op == "reduce_sum":
        row["groups"] = draw(st.sampled_from([each for each in range(1, size[2] + 1) if size[2] % each == 0]))
    elif op == "rearrange":
        size = draw(st.sampled_from([(4, 3, 6), (2, 6, 4), (6, 2, 8)]))
        row |= draw(_rearrangements(size))
    else:
        count = 2 if op != "select" else 3
        axis = draw(st.integers(0, 2))
        row |= {"axis": ("height", "width", "channels")[axis]} if op == "join" else {}
        sizes = [size]
        for _ in range(count - 1):
            other = list(size)
            if op == "join":
                other[axis] = draw(st.integers(1, 5))
            else:
                other = [draw(st.sampled_from([extent, 1])) for extent in size]
            sizes.append((other[0], other[1], other[2]))
        for number, each in enumerate(sizes[1:]):
            given_maps.append(
                {"name": f"o{number}", "op": "input", **dict(zip(("height", "width", "channels"), each, strict=True))}
            )
        row["inputs"] = ["first", *(each["name"] for each in given_maps)]
    rows = [*given_maps, {"name": "first", "op": "bn", "inputs": ["input"]}, row, {"name": "last", "op": "relu"}]
    if draw(st.booleans()):
        rows.append({"name": "again", "op": "concat", "inputs": ["layer", "last"]})
        rows.append({"name": "end", "op": "matmul", "channels": 3})
    return network_of(rows, size, batch=draw(st.sampled_from([1, 2])))


@st.composite
def _rearrangements(draw: st.DrawFn, size: tuple[int, int, int]) -> dict[str, Any]:
    split: list[int] = []
    for extent in size:
        parts = draw(st.sampled_from([each for each in range(1, extent + 1) if extent % each == 0]))
        split += [parts, extent // parts]
    order = draw(st.permutations(range(len(split))))
    cuts = sorted(draw(st.lists(st.integers(0, len(split)), min_size=2, max_size=2)))
    exchanged = [split[place] for place in order]
    extents = [
        int(np.prod(exchanged[low:high], dtype=int)) for low, high in zip((0, *cuts), (*cuts, len(split)), strict=True)
    ]
    return {"split": split, "order": order} | dict(zip(("height", "width", "channels"), extents, strict=True))


@given(network=moves(), machine=machines(array__activation_bits=8, sram__activation__capacity_bytes=1500))
def test_random_moves_compute_what_they_should(network: Network, machine: Machine) -> None:
    try:
        lower(network, machine)
    except LoweringError:
        return
    assert check_network(network, machine) == []
