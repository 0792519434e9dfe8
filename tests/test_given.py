"""Is a given plan carried out as it stands, and refused where it can't be?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.check.execute import check_network
from accelsim.config.plan import Plan
from accelsim.config.scheduling import Scheduling
from accelsim.errors import LoweringError, UserError
from accelsim.lowering.compile import lower
from accelsim.lowering.ir import Tiling
from accelsim.lowering.tiling.space import ORDERS
from accelsim.network.ops import on_vector_unit
from accelsim.run.simulate import simulate
from tests.strategies import machine_of, machines, network_of, networks

CONVOLUTIONS = [
    {"name": "a", "op": "conv", "kernel": 3, "pad": 1, "channels": 24},
    {"name": "b", "op": "conv", "kernel": 3, "pad": 1, "channels": 24, "groups": 4},
    {"name": "pool", "op": "maxpool", "kernel": 2, "stride": 2},
]
NETWORK = network_of(CONVOLUTIONS, (12, 10, 16), batch=2)
ALONE = {"keep_activations": "never"}


def scheduling(*layers: dict[str, Any], **options: Any) -> Scheduling:
    return Scheduling(**options, plan=Plan.model_validate({"layers": list(layers)}))


def tiling(name: str, *layers: dict[str, Any], **machine: Any) -> Tiling:
    lowered = lower(NETWORK, machine_of(**machine), scheduling(*layers, **ALONE))
    (found,) = (layer.plan for layer in lowered.layers if layer and layer.node.name == name)
    return found


SIZES = {"images": 2, "rows": 5, "columns": 10, "groups": 1, "outputs": 7, "inputs": 9}


def test_a_tile_is_as_it_is_given() -> None:
    """Sizes too that the search would not try."""
    found = tiling("a", {"match": "a", "tile": SIZES, "order": list(ORDERS[3]), "dataflow": "ws"})
    assert found == Tiling(2, 5, 10, 1, 7, 9, ORDERS[3], "ws")


def test_what_is_left_open_is_chosen() -> None:
    free = tiling("a")
    assert tiling("a", {"match": "a"}) == free == tiling("a", {"match": "*", "dataflow": "ws"})
    rows = tiling("a", {"match": "a", "tile": {"rows": 5}})
    assert rows.rows == 5
    assert rows.out_channels == 24


def test_the_last_entry_to_have_a_key_wins() -> None:
    every = {"match": "*", "tile": {"rows": 4, "outputs": 1000}}
    found = {name: tiling(name, every, {"match": "[bc]", "tile": {"rows": 3}}) for name in ("a", "b", "pool")}
    assert {name: each.rows for name, each in found.items()} == {"a": 4, "b": 3, "pool": 4}
    assert found["a"].out_channels == 24


def test_each_dataflow_of_a_free_array_can_be_given() -> None:
    for dataflow in ("ws", "is", "os"):
        assert tiling("a", {"match": "a", "dataflow": dataflow}, array__dataflow="auto").dataflow == dataflow


@pytest.mark.parametrize(
    ("entry", "mistake"),
    [
        ({"match": "c"}, "match: expected a layer of random that has tiles, or a pattern of some, got c"),
        ({"match": "a", "dataflow": "os"}, "dataflow: expected ws, as array.dataflow has it, got os"),
        (
            {"match": "p*", "dataflow": "ws"},
            "dataflow: expected a layer on the array, got pool, which runs on the vector unit",
        ),
        (
            {"match": "pool", "tile": {"inputs": 3}},
            "tile.inputs: expected a layer on the array, got pool, which runs on the vector unit",
        ),
        (
            {"match": "b", "tile": {"groups": 2, "outputs": 3}},
            "tile.outputs: expected all 6 of b, as its tile has 2 groups, got 3",
        ),
        (
            {"match": "a", "order": ["inputs", "map", "groups", "outputs"]},
            "order: expected one of map, groups, outputs, inputs; map, groups, inputs, outputs; groups, map, outputs, "
            "inputs; groups, map, inputs, outputs; groups, outputs, inputs, map (others move no less), got inputs, "
            "map, groups, outputs",
        ),
    ],
)
def test_a_plan_that_contradicts_is_refused(entry: dict[str, Any], mistake: str) -> None:
    with pytest.raises(UserError) as raised:
        check_network(NETWORK, machine_of(), scheduling({"match": "a"}, entry))
    assert str(raised.value) == f"arguments:0: scheduling.plan.layers.1.{mistake}"


def test_a_tile_that_does_not_fit_is_refused_with_its_line(tmp_path: Path) -> None:
    mapping = tmp_path / "plan.yaml"
    mapping.write_text(
        "scheduling:\n  plan:\n    layers:\n    - {match: '*', dataflow: ws}\n"
        "    - {match: conv10, tile: {rows: 13, columns: 13, outputs: 1000, inputs: 512}}\n"
    )
    with pytest.raises(UserError) as raised:
        simulate("squeezenet_v1.0", "edge", {"scheduling.keep_activations": "never"}, mapping=mapping)
    assert str(raised.value) == (
        f"{mapping}:5: scheduling.plan.layers.1: expected a tile of conv10 that fits its buffers, got "
        "512000 bytes where sram.weight has 131072 for it"
    )


sizes = st.dictionaries(st.sampled_from(sorted(SIZES)), st.integers(1, 9), max_size=6)


@pytest.mark.slow
@settings(derandomize=True, deadline=None, max_examples=100)
@given(networks(), machines(), st.integers(0, 6), sizes, st.sampled_from([None, *ORDERS]), st.booleans())
def test_any_given_tile_is_carried_out_or_refused(
    network: Any, machine: Any, number: int, tile: dict[str, int], order: Any, alone: bool
) -> None:
    """With the right results: functionally checked."""
    node = network.nodes[number % len(network.nodes)]
    entry = {"match": node.name, "tile": tile, "order": list(order) if order else None}
    options = scheduling(entry, **(ALONE if alone else {}))
    try:
        lowered = lower(network, machine, options)
        defects = check_network(network, machine, options)
    except (LoweringError, UserError):
        return
    assert defects == []
    found = next((layer.plan for layer in lowered.layers if layer and layer.node is node), None)
    if found is None:
        return
    most = {"rows": node.output.height, "columns": node.output.width, "images": network.batch}
    names = {"rows": "rows", "columns": "cols", "images": "images"}
    if node.op.multiplies_maps:
        most["images"] = 1
    for key in tile.keys() & names.keys():
        assert getattr(found, names[key]) == min(tile[key], most[key])
    if not on_vector_unit(node, machine) and order:
        assert found.order == order
