"""Is a given plan carried out as it stands, and refused where it can't be?"""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.check.execute import check_network
from accelsim.config.plan import Order, Plan
from accelsim.config.scheduling import Scheduling
from accelsim.config.show import data_to_yaml
from accelsim.errors import LoweringError, PlanError, UserError
from accelsim.lowering.compile import Lowered, lower, written
from accelsim.lowering.ir import Tiling, tile_counts
from accelsim.lowering.tiling.candidates import ORDERS
from accelsim.program.commands import Load, Store
from accelsim.program.tensors import descriptors
from accelsim.run.simulate import load_both, simulate
from accelsim.run.written import mapping_of
from tests.played import lowered_or_skip
from tests.strategies import BASE, attentions, machine_of, machines, network_of, networks, schedulings

CONVOLUTIONS = [
    {"name": "a", "op": "conv", "kernel": 3, "pad": 1, "channels": 24},
    {"name": "b", "op": "conv", "kernel": 3, "pad": 1, "channels": 24, "groups": 4},
    {"name": "pool", "op": "maxpool", "kernel": 3, "stride": 2},
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
    given = {"match": "a", "tile": SIZES, "order": list(ORDERS[3]), "results": "apart", "dataflow": "ws"}
    assert tiling("a", {**given, "stay": {"weights": 1}}) == Tiling(2, 5, 10, 1, 7, 9, ORDERS[3], "ws", gathers=False)
    assert tiling("a", {**given, "stay": {"weights": 8}}).weight_tiles == 8


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("part", [{"inputs": 8, "kernel": 9}, {"inputs": 8, "kernel": 3}])
def test_weights_lie_in_the_order_in_which_they_are_loaded(order: Order, part: dict[str, int]) -> None:
    """Whatever loop is outermost, with a kernel in parts, too: one tile behind the other, without gaps."""
    tile = {"rows": 3, "columns": 10, "images": 1, "outputs": 8, **part}
    given = scheduling({"match": "a", "tile": tile, "order": list(order), "dataflow": "ws"}, **ALONE)
    lowered = lower(NETWORK, machine_of(), given)
    tiles = dict.fromkeys(
        command.tile.region
        for command in lowered.program.commands
        if isinstance(command, Load) and command.tile.tensor.name == "a.weights"
    )
    (tensor,) = (layer.weights for layer in lowered.layers if layer and layer.weights and layer.node.name == "a")
    lie = [descriptors(tensor, region)[0] for region in tiles]
    assert [each.address_bits - lie[0].address_bits for each in lie] == [
        *accumulate((each.row_bits for each in lie[:-1]), initial=0)
    ]
    assert len(lie) == 3 * 2 * 9 // part["kernel"]


def test_parts_of_a_kernel_can_be_given() -> None:
    """Rows of it, or an equal part of each; all else is refused."""
    assert tiling("a", {"match": "a", "tile": {"kernel": 3}}).taps == 3
    assert tiling("a", {"match": "a", "tile": {"kernel": 100}}).taps is None
    with pytest.raises(
        UserError,
        match=r"kernel: expected one of 9, 6, 3, 1, rows of the 3 x 3 kernel of a or an equal part of each, got 5",
    ):
        check_network(NETWORK, machine_of(), scheduling({"match": "a", "tile": {"kernel": 5}}))


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
        (
            {"match": "a", "dataflow": "os"},
            "dataflow: expected ws, as array.dataflow has it (array.dataflow=auto has all), got os",
        ),
        (
            {"match": "p*", "dataflow": "ws"},
            "dataflow: expected a layer on the array, got pool, which does not run there",
        ),
        (
            {"match": "pool", "tile": {"inputs": 3}},
            "tile.inputs: expected a layer on the array, got pool, which does not run there",
        ),
        (
            {"match": "b", "tile": {"groups": 2, "outputs": 3}},
            "tile.outputs: expected all 6 of b, as its tile has 2 groups, got 3",
        ),
        (
            {"match": "a", "order": ["inputs", "map", "groups", "outputs"]},
            "order: expected groups outside of outputs and inputs, and inputs inside of map or of outputs, got inputs, "
            "map, outputs in a (loops of one iteration left out)",
        ),
        (
            {"match": "b", "order": ["map", "groups", "outputs", "inputs"], "results": "apart"},
            "order: expected groups outside of outputs and inputs, and inputs inside of map or of outputs, with groups "
            "outermost, as results have it, got map, groups, outputs, inputs in b (loops of one iteration left out)",
        ),
        (
            {"match": "pool", "results": "apart"},
            "results: expected a layer on the array, got pool, which does not run there",
        ),
    ],
)
def test_a_plan_that_contradicts_is_refused(entry: dict[str, Any], mistake: str) -> None:
    with pytest.raises(UserError) as raised:
        check_network(NETWORK, machine_of(), scheduling({"match": "a"}, entry))
    assert str(raised.value) == f"arguments:0: scheduling.plan.layers.1.{mistake}"


def test_loops_of_one_iteration_may_stand_anywhere() -> None:
    """Where the layer has one, or its tile all of it; the order is then that known one which is the same."""
    wide = {"match": "a", "order": ["outputs", "map", "inputs", "groups"]}
    assert tiling("a", wide).order == ("groups", "outputs", "map", "inputs")
    deep = {"match": "a", "order": ["inputs", "groups", "map", "outputs"], "tile": {"inputs": 16, "kernel": 9}}
    assert tiling("a", deep).order == ORDERS[0]


@pytest.mark.parametrize("order", [None, ["map", "outputs", "inputs", "groups"]])
@pytest.mark.parametrize("results", ["together", "apart"])
def test_when_results_leave_is_a_choice_of_its_own(order: list[str] | None, results: str) -> None:
    """The same loops over the tiles of a layer of one group: three stores for each piece of the map, or one of all
    channels; a plan that does not say leaves it to the compiler."""
    given = {"match": "a", "tile": {"rows": 4, "outputs": 8}, "results": results, "order": order}
    options = scheduling({key: value for key, value in given.items() if value is not None}, **ALONE)
    lowered = lower(NETWORK, machine_of(), options)
    layer = lowered.layers[0]
    assert layer is not None
    assert layer.plan.results == results
    pieces = 2 * 12 * 10 // (layer.plan.images * layer.plan.rows * layer.plan.cols)
    stores = sum(isinstance(command, Store) and command.layer == 0 for command in lowered.program.commands)
    assert stores == pieces * (1 if results == "together" else 3)
    assert check_network(NETWORK, machine_of(), options) == []


@pytest.mark.parametrize("stay", [1, 2, 4])
def test_weights_that_do_not_all_stay_are_loaded_for_each_piece_of_the_map(stay: int) -> None:
    """With the weights outside of the map and the sums inside of it; fewer than all are one."""
    order = ["groups", "outputs", "map", "inputs"]
    given = {"match": "a", "tile": {"rows": 4, "inputs": 4, "outputs": 8, "kernel": 9}, "order": order}
    options = scheduling({**given, "stay": {"weights": stay}}, **ALONE)
    assert check_network(NETWORK, machine_of(), options) == []
    lowered = lower(NETWORK, machine_of(), options)
    (found,) = (layer.plan for layer in lowered.layers if layer and layer.node.name == "a")
    assert found.order == tuple(order)
    assert found.weight_tiles == (4 if stay == 4 else 1)


PART = {"rows": 6, "columns": 10, "outputs": 24, "inputs": 4}


@pytest.mark.parametrize(
    ("entry", "machine", "reason"),
    [
        (
            {"tile": PART, "order": list(ORDERS[1])},
            {"sram__accumulator": {**BASE["sram"]["accumulator"], "capacity_bytes": 8192}},
            "5760 bytes of partial sums that wait while loop inputs goes on where half of sram.accumulator has 4096",
        ),
        (
            {"tile": {**PART, "inputs": 16, "kernel": 9}, "order": list(ORDERS[1])},
            {"sram__accumulator": {**BASE["sram"]["accumulator"], "capacity_bytes": 8192}},
            "5760 bytes of partial sums of a fold where half of sram.accumulator has 4096",
        ),
        (
            {"tile": PART, "dataflow": "os", "order": list(ORDERS[0])},
            {"array__dataflow": "auto"},
            "60 x 24 sums of a tile by os where 32 x 32 PEs hold them while loop inputs goes on",
        ),
        (
            {"tile": {**PART, "rows": 1, "outputs": 12}, "dataflow": "os", "order": list(ORDERS[1])},
            {"array__dataflow": "auto"},
            "loop outputs inside of inputs while the PEs hold the sums by os",
        ),
        (
            {"tile": {"rows": 12, "columns": 10, "inputs": 16}},
            {"sram__activation": {**BASE["sram"]["activation"], "capacity_bytes": 2048}},
            "feature maps where sram.activation has 2048 for them",
        ),
    ],
)
def test_the_reason_is_what_stands_in_the_way(entry: dict[str, Any], machine: dict[str, Any], reason: str) -> None:
    with pytest.raises(PlanError, match=reason):
        lower(NETWORK, machine_of(**machine), scheduling({"match": "a", **entry}, **ALONE))


def test_a_tile_that_does_not_fit_is_refused_with_its_line(tmp_path: Path) -> None:
    mapping = tmp_path / "plan.yaml"
    mapping.write_text(
        "scheduling:\n  plan:\n    layers:\n    - {match: '*', dataflow: ws}\n"
        "    - {match: conv10, tile: {rows: 13, columns: 13, outputs: 1000, inputs: 512}}\n"
    )
    with pytest.raises(UserError) as raised:
        simulate("squeezenet_v1.0", "edge", {"scheduling.keep_activations": "never"}, mapping=mapping)
    assert str(raised.value) == (
        f"{mapping}:5: scheduling.plan.layers.1: expected a tile of conv10 that fits, got "
        "512000 bytes where sram.weight has 131072 for it"
    )


sizes = st.dictionaries(st.sampled_from(sorted(SIZES)), st.integers(1, 9), max_size=6)


@pytest.mark.slow
@settings(max_examples=60)
@given(
    networks(),
    machines(),
    st.integers(0, 6),
    sizes,
    st.sampled_from([None, *ORDERS]),
    st.sampled_from([None, "together", "apart"]),
    st.booleans(),
)
def test_any_given_tile_is_carried_out_or_refused(
    network: Any, machine: Any, number: int, tile: dict[str, int], order: Any, results: str | None, alone: bool
) -> None:
    """With the right results: functionally checked."""
    node = network.nodes[number % len(network.nodes)]
    entry = {"match": node.name, "tile": tile, "order": list(order) if order else None, "results": results}
    options = scheduling(entry, **(ALONE if alone else {}))
    try:
        lowered = lower(network, machine, options)
        defects = check_network(network, machine, options)
    except (LoweringError, UserError):
        return
    assert defects == []
    layer = next((layer for layer in lowered.layers if layer and layer.node is node), None)
    if layer is None:
        return
    found = layer.plan
    most = {"rows": node.output.height, "columns": node.output.width, "images": network.batch}
    names = {"rows": "rows", "columns": "cols", "images": "images"}
    if node.op.multiplies_maps:
        most["images"] = 1
    for key in tile.keys() & names.keys():
        assert getattr(found, names[key]) == min(tile[key], most[key])
    if layer.on_array:
        several = {loop for loop, count in tile_counts(layer.task, found).items() if count > 1}
        orders = [[loop for loop in each if loop in several] for each in (found.order, order or found.order)]
        assert orders[0] == orders[1]
        assert found.results == (results or found.results)


def given_again(lowered: Lowered, batch: int, options: Scheduling) -> Scheduling:
    """The options with the plan of a program, as a mapping file has them."""
    text = data_to_yaml({"plan": written(lowered, batch), "fusion": "never", "keep_activations": "never"})
    given = Scheduling.model_validate(yaml.safe_load(text))
    return options.model_copy(update={name: getattr(given, name) for name in given.model_fields_set})


@pytest.mark.slow
@settings(max_examples=80)
@given(networks() | attentions(), machines(), schedulings())
def test_a_written_plan_is_the_plan(network: Any, machine: Any, options: Scheduling) -> None:
    """Tilings, residents and their addresses, groups and their rings."""
    lowered = lowered_or_skip(network, machine, options)
    again = lower(network, machine, given_again(lowered, network.batch, options))
    assert again.plans == lowered.plans
    assert again.residency == lowered.residency
    assert again.weights == lowered.weights


def played_again(network: str, machine: str, folder: Path, changed: dict[str, object]) -> None:
    texts = [(0, f"{key}={value}") for key, value in changed.items()]
    mapping = folder / "plan.yaml"
    mapping.write_text(data_to_yaml(mapping_of(*load_both(network, machine, texts)[1:])), encoding="utf-8")
    chip = {key: value for key, value in changed.items() if not key.startswith("scheduling.")}
    first, again = simulate(network, machine, changed), simulate(network, machine, chip, mapping=mapping)
    assert again.layers.equals(first.layers)
    assert again.totals == first.totals


SMALL = {"network.resolution": 96}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "machine", "changed"),
    [
        ("alexnet_ungrouped", "edge", SMALL),
        ("vgg16", "edge", SMALL),
        ("resnet18", "gemmini_default", SMALL),
        ("densenet121", "edge", SMALL),
        ("googlenet", "edge", {"array.dataflow": "auto", **SMALL}),
        ("mobilenet_v1_0.25_128", "edge", {"array.depthwise_on": "vector"}),
        ("mobilenet_v2_0.35_96", "edge", {}),
        ("squeezenet_v1.0_pruned_6bit", "edge", {}),
        ("shufflenet_0.25x_g3", "edge", {"scheduling.inferences": 3}),
        ("shufflenet_0.25x_g3", "cloud", {"network.batch": 3}),
        ("vit_tiny_16_224", "tpu_v1", {"scheduling.objective": "dram_bytes"}),
    ],
)
def test_a_family_is_played_again(network: str, machine: str, changed: dict[str, object], tmp_path: Path) -> None:
    """With the same layers and totals, from the file that `show` writes."""
    played_again(network, machine, tmp_path, changed)


def test_a_network_is_played_again(tmp_path: Path) -> None:
    played_again("shufflenet_0.25x_g3", "edge", tmp_path, {"network.resolution": 64})


CHAIN = [
    {"name": name, "op": "conv", "kernel": 1, "channels": 64, "activation": "none"} for name in ("a", "b", "c", "d")
]
LINE = network_of(CHAIN, (8, 8, 64))


def given_plan(options: dict[str, Any] | None = None, **plan: Any) -> Lowered:
    free = {"keep_activations": "never", "fusion": "never", **(options or {})}
    return lower(LINE, machine_of(), Scheduling(**free, plan=Plan.model_validate(plan)))


def test_groups_are_those_that_are_given() -> None:
    lowered = given_plan(groups=[["b", "c"]], layers=[{"match": "b", "tile": {"rows": 3}}])
    (cascade,) = lowered.residency.cascades
    assert cascade.layers == (1, 2)
    assert cascade.members[0].rows == 3
    assert lowered.groups == ("", "b..c", "b..c", "")


def test_feature_maps_stay_where_they_are_given() -> None:
    lowered = given_plan(keep=[{"match": "a", "address": 64}, {"match": "b"}])
    assert set(lowered.residency.stays) == {"a", "b"}
    assert lowered.residency.addresses["a"] == 64


def test_a_part_stays_that_is_given() -> None:
    rows = [{**row, "channels": 128} for row in CHAIN]
    plan = Plan.model_validate({"keep": [{"match": "b", "channels": 64}]})
    options = Scheduling(keep_activations="never", plan=plan)
    residency = lower(network_of(rows, (8, 8, 64)), machine_of(), options).residency
    assert {name: each.channels for name, each in residency.stays.items()} == {"b": 64}


FREE = {"keep_activations": "auto", "fusion": "auto"}
WIDE = network_of([{**row, "channels": 128} for row in CHAIN], (40, 40, 64))


def test_what_stays_by_the_plan_is_inside_of_no_group_of_the_planners() -> None:
    """One that stays whole, at its address, and one that stays in part: the planner's groups leave both alone."""
    plans = ({"match": "b", "address": 640}, {"match": "b", "channels": 64})
    whole, part = (Scheduling(plan=Plan.model_validate({"keep": [keep]})) for keep in plans)
    assert lower(WIDE, machine_of(), Scheduling()).residency.cascades
    assert lower(WIDE, machine_of(), whole).residency.addresses["b"] == 640
    assert lower(WIDE, machine_of(), part).residency.stays["b"].channels == 64


def test_residents_of_the_planner_give_way_to_what_is_given() -> None:
    """Those beside a part that is to stay, which are parts then or none; others are as they were."""
    rows = [{**row, "channels": 128} for row in CHAIN]
    longer = network_of([{**row, "name": f"{row['name']}{again}"} for again in range(2) for row in rows], (40, 40, 128))
    assert lower(longer, machine_of(), Scheduling()).residency.stays["a0"].channels == 128
    part = Scheduling(plan=Plan.model_validate({"keep": [{"match": "b0", "channels": 64}]}))
    stays = lower(longer, machine_of(), part).residency.stays
    assert stays["b0"].channels == 64
    assert "a0" not in stays or stays["a0"].channels < 128
    assert 128 in {each.channels for each in stays.values()}


def test_two_feature_maps_at_one_address_are_refused_whatever_the_planner_may_do() -> None:
    keep = [{"match": "a", "address": 0}, {"match": "b", "address": 64}]
    with pytest.raises(LoweringError, match=r"expected room for the 4096 bytes of b in .* at 64, got a from 0 to 4096"):
        given_plan(FREE, keep=keep)


@pytest.mark.parametrize("match", ["a", "*"])
def test_a_feature_map_that_outgrows_its_place_is_refused(match: str) -> None:
    """And not left to DRAM: tiles of one element of four bits take a byte each."""
    tile = {"match": "a", "tile": {"outputs": 1, "rows": 1, "columns": 1}, "order": list(ORDERS[2])}
    plan = Plan.model_validate({"keep": [{"match": match}], "layers": [tile]})
    with pytest.raises(PlanError, match="expected tiles of a that fit its place, each rounded up to bytes"):
        lower(LINE, machine_of(array__activation_bits=4), Scheduling(**ALONE, fusion="never", plan=plan))


def test_what_the_plan_leaves_open_is_the_planners() -> None:
    assert (
        given_plan(FREE, groups=[["c", "d"]]).residency.stays.keys()
        > given_plan(groups=[["c", "d"]]).residency.stays.keys()
    )


@pytest.mark.parametrize(
    ("plan", "path", "mistake"),
    [
        ({"groups": [["a", "x"]]}, "groups.0.1", "a layer of random, got x"),
        (
            {"groups": [["a", "c"]]},
            "groups.0",
            "layers that follow one another in the network, in its order, none left out that has commands, got a, c",
        ),
        ({"groups": [["a", "b"], ["b", "c"]]}, "groups.1", "layers in one group each, got b"),
        (
            {"groups": [["a", "b"]], "layers": [{"match": "b", "tile": {"outputs": 3}}]},
            "layers.0",
            "a tile of b of fewer than 8 whole rows of one image with all channels, as it is in a group, got outputs: "
            "3",
        ),
        (
            {"groups": [["a", "b"]], "keep": [{"match": "a"}]},
            "keep.0",
            "a feature map that is read behind its group, got a, which only its group reads",
        ),
        (
            {"keep": [{"match": "d"}]},
            "keep.0.match",
            "a layer whose feature map later layers read, and that is no output, or a pattern of some, got d",
        ),
        (
            {"keep": [{"match": "a"}, {"match": "[ab]"}]},
            "keep.1",
            "each feature map once, got a",
        ),
        (
            {"keep": [{"match": "a", "address": 300000}]},
            "keep.0",
            "room for the 4096 bytes of a in sram.activation at 300000, got 262144 bytes",
        ),
        (
            {"keep": [{"match": "a", "channels": 40}]},
            "keep.0.channels",
            "a multiple of 64 channels of a map that has its tensor alone and that no group touches, got 40 of a",
        ),
        (
            {"keep_weights": ["a"]},
            "keep_weights.0",
            "more inferences than one, for weights to stay between them, got a",
        ),
    ],
)
def test_a_schedule_that_contradicts_is_refused(plan: dict[str, Any], path: str, mistake: str) -> None:
    with pytest.raises(UserError) as raised:
        check_network(LINE, machine_of(), Scheduling(keep_activations="never", plan=Plan.model_validate(plan)))
    assert str(raised.value) == f"arguments:0: scheduling.plan.{path}: expected {mistake}"
