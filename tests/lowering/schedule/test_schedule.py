"""Do layers run depth-first and feature maps stay on chip where that helps, and is what they compute right?"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, product
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from accelsim.check.execute import check_program
from accelsim.config.load import parse_overrides
from accelsim.config.machine import Machine
from accelsim.config.scheduling import Scheduling
from accelsim.errors import LoweringError, ProgramError, UserError
from accelsim.lowering.allocate import Place, address_in, free, largest_free
from accelsim.lowering.compile import Lowered, lower
from accelsim.lowering.ir import NO_RESIDENTS, ResidentChannels
from accelsim.lowering.layout import lay_out, layout_of
from accelsim.lowering.schedule.effort import Effort, Pace, elapsed
from accelsim.lowering.schedule.group import Group
from accelsim.lowering.schedule.groups import Groups, Span
from accelsim.lowering.schedule.partial import plan_partial_residents
from accelsim.lowering.schedule.plan import plan_schedule
from accelsim.lowering.schedule.residents import Cost, Residency, Resident, candidates, readers_of
from accelsim.lowering.schedule.search import ScheduleSearch
from accelsim.lowering.schedule.states import BEAM, Beam, State, StateKey, Step, Way
from accelsim.lowering.schedule.weights import no_resident_weights
from accelsim.lowering.tiling.cache import TilingCache
from accelsim.network.graph import Network, Node
from accelsim.program.commands import Buffer, Compute, Load, Store
from accelsim.program.link import link
from accelsim.run.simulate import load_network, simulate
from tests.played import dma_counts, lowered_or_skip, settled, tiles_on_chip
from tests.strategies import machine_of, machines, network_of, networks, schedulings

MAP = 8 * 8 * 64
WEIGHTS = 64 * 64
ROW = 8 * 64
LARGE = 1 << 20
SIZE = (8, 8, 64)


def convolution(name: str, kernel: int = 1, **keys: Any) -> dict[str, Any]:
    """Of 64 channels, that leaves the size of the map."""
    return {"name": name, "op": "conv", "kernel": kernel, "channels": 64, "pad": kernel // 2, **keys}


TWO = [convolution("a"), convolution("b")]
BLOCK = [*TWO, convolution("c"), {"name": "add", "op": "add", "inputs": ["a", "c"]}]


def lowered_with(
    rows: list[dict[str, Any]], maps: int, weights: int = LARGE, height: int = 8, **options: Any
) -> Lowered:
    sizes = {"sram__activation__capacity_bytes": maps, "sram__weight__capacity_bytes": weights}
    scheduling = Scheduling.model_validate({"objective": "dram_bytes", **options})
    return lower(network_of(rows, (height, 8, 64)), machine_of(**sizes), scheduling)


def dram_bytes(lowered: Lowered) -> int:
    counts = dma_counts(lowered.program, 64)
    return sum(each.dram_read_bytes + each.dram_write_bytes for each in counts)


def order(lowered: Lowered) -> list[str]:
    """The layers of the computes."""
    program = lowered.program
    return [program.layers[command.layer] for command in program.commands if isinstance(command, Compute)]


def kept(lowered: Lowered) -> set[str]:
    """Layers of whose results some stay."""
    program = lowered.program
    computes = [command for command in program.commands if isinstance(command, Compute)]
    return {program.layers[each.layer] for each in computes for tile in each.results if tile.resident}


def moved(lowered: Lowered) -> set[str]:
    """Tensors that are loaded or stored."""
    return {each.tile.tensor.name for each in lowered.program.commands if isinstance(each, (Load, Store))}


@pytest.mark.parametrize(("kernel", "stripes"), [(1, (2, 2, 2)), (3, (3, 4, 2))])
def test_two_layers_that_just_fit_run_depth_first_and_with_a_byte_less_do_not(
    kernel: int, stripes: tuple[int, ...]
) -> None:
    """Stripes of a row. Of the input those of a step and one that is loaded meanwhile (for a 3x3 kernel the first step
    makes two stripes), of the map between those that a row of the second layer reads and one that is made meanwhile, of
    the output one that is made and one that is stored."""
    least = sum(stripes) * ROW
    rows = [convolution("a"), convolution("b", kernel)]
    compulsory = 4 * MAP + WEIGHTS + kernel * kernel * WEIGHTS
    assert dram_bytes(lowered_with(rows, least, height=16)) == compulsory
    for fusion, room in (("auto", least - 1), ("never", least)):
        assert dram_bytes(lowered_with(rows, room, height=16, fusion=fusion)) >= compulsory + 4 * MAP


def test_the_weights_of_both_have_to_fit() -> None:
    """They stay while the cascade runs."""
    assert dram_bytes(lowered_with(TWO, 6 * ROW, 2 * WEIGHTS)) == 2 * MAP + 2 * WEIGHTS
    assert dram_bytes(lowered_with(TWO, 6 * ROW, 2 * WEIGHTS - 1)) >= 4 * MAP + 2 * WEIGHTS


def test_stripes_run_one_ahead_and_the_map_between_takes_two_slots() -> None:
    """Eight stripes of a row each: a a b a b ... b, and of the map between two rows of SRAM in all."""
    lowered = lowered_with(TWO, 6 * ROW)
    assert order(lowered) == ["a", *["a", "b"] * 7, "b"]
    assert len({tile.address for tile in tiles_on_chip(lowered.program) if tile.resident}) == 2
    assert "a" not in moved(lowered)


def test_squeeze_and_both_expands_run_together_and_load_nothing_twice() -> None:
    """Both readers of a map that does not fit whole; the concat of theirs is only addresses."""
    rows = [
        convolution("squeeze"),
        convolution("one", inputs=["squeeze"]),
        convolution("three", 3, inputs=["squeeze"]),
        {"name": "cat", "op": "concat", "inputs": ["one", "three"]},
    ]
    lowered = lowered_with(rows, (3 + 4 + 2 + 2) * ROW, height=16)
    assert dram_bytes(lowered) == 2 * MAP + 11 * WEIGHTS + 4 * MAP
    assert "squeeze" not in moved(lowered)


def test_a_shortcut_is_loaded_once_for_all_its_readers() -> None:
    """The input of a residual block, read by its first layer and by its add, in one cascade with both."""
    rows = [
        convolution("a"),
        convolution("b"),
        {"name": "add", "op": "add", "inputs": ["input", "b"]},
    ]
    lowered = lowered_with(rows, 12 * ROW, height=64)
    assert dram_bytes(lowered) == 2 * 8 * MAP + 2 * WEIGHTS


def test_a_map_that_others_read_too_is_stored_and_read_on_chip_as_well() -> None:
    """In DenseNet the layer behind reads it in the same cascade, later ones from DRAM."""
    lowered = lower(load_network("densenet121")[1], machine_of())
    stored = (each.tile for each in lowered.program.commands if isinstance(each, Store))
    assert any(tile.read_on_chip for tile in stored)


def test_a_resident_is_neither_stored_nor_loaded() -> None:
    """With room for the map and for tiles beside it; a buffer smaller than the map sends it through DRAM."""
    for room, names in ((2 * MAP, {"a"}), (MAP - 1, set())):
        lowered = lowered_with(TWO, room, fusion="never")
        assert kept(lowered) == names
        assert ("a" in moved(lowered)) == (not names)


def test_the_whole_network_on_chip_moves_input_weights_and_output_only() -> None:
    """With room for everything: the compulsory bytes."""
    lowered = lowered_with(BLOCK, 1 << 20)
    assert dram_bytes(lowered) == 2 * MAP + 3 * WEIGHTS


def test_shortcuts_are_candidates_past_the_layers_between() -> None:
    """`a` is read by `b` and by the add behind it; the add is the network's output."""
    network = network_of(BLOCK, SIZE)
    found = {each.name: each for each in candidates(network, lay_out(network, 8, scatter=True))}
    assert found["a"] == Resident("a", 0, 3, MAP, 64)
    assert found["b"] == Resident("b", 1, 2, MAP, 64)
    assert "add" not in found


def test_readers_are_found_through_concats_and_shuffles() -> None:
    """And the map of a concat that is the network's output has to be stored."""
    rows = [
        convolution("a"),
        convolution("b", inputs=["input"]),
        {"name": "cat", "op": "concat", "inputs": ["a", "b"]},
        {"name": "mix", "op": "shuffle", "groups": 4},
        convolution("c"),
    ]
    network = network_of(rows, SIZE)
    layout = lay_out(network, 8, scatter=True)
    assert readers_of(network, layout, "a") == readers_of(network, layout, "b") == ["c"]
    shorter = network_of(rows[:-1], SIZE)
    assert readers_of(shorter, lay_out(shorter, 8, scatter=True), "a") == []


def test_part_of_a_concat_stays() -> None:
    """Room for one of two maps: the consumer reads one from SRAM, and loads the channels of the other."""
    rows = [
        convolution("a"),
        convolution("b", inputs=["input"]),
        {"name": "cat", "op": "concat", "inputs": ["a", "b"]},
        convolution("c"),
    ]
    network, machine = network_of(rows, SIZE), machine_of(sram__activation__capacity_bytes=2 * MAP - 1)
    lowered = lower(network, machine, Scheduling(fusion="never"))
    assert len(kept(lowered)) == 1
    assert check_program(machine, lowered, link(lowered.program)) == []


def test_never_is_never() -> None:
    """Every map goes through DRAM."""
    never = Scheduling(keep_activations="never")
    assert kept(lower(load_network("shufflenet_g3")[1], machine_of(), never)) == set()


def test_two_maps_in_one_place_are_seen() -> None:
    """A program in which the second map lies where the first still stands is no program."""
    lowered, _ = settled(lowered_with(BLOCK, 1 << 20, fusion="never"))
    residents = [tile for tile in tiles_on_chip(lowered.program) if tile.resident]
    first, second = (next(tile for tile in residents if tile.tensor.name == name) for name in "ab")
    second.address = first.address
    with pytest.raises(ProgramError, match="still to be read"):
        list(link(lowered.program))


def test_free_pieces_are_those_beside_places() -> None:
    """Two places in 100 bytes."""
    taken = Place(60, 70, 1, "b", 9), Place(0, 20, 0, "a", 9)
    assert free(taken, 100) == ((20, 60), (70, 100))
    assert largest_free(taken, 100) == (20, 60)
    assert free((Place(0, 100, 0, "a", 9),), 100) == ((0, 0),)


def test_what_stays_longer_is_placed_as_if_the_others_were_gone() -> None:
    """At the end of a free piece that is the buffer's: the other one would be beside a place that is free before."""
    pieces = [(0, 90)]
    assert address_in(pieces, 20, pieces) == 70
    assert address_in(pieces, 20, [(0, 100)]) == 0
    assert address_in(pieces, 20, [(0, 100)], 30) == 30
    assert address_in(pieces, 91, [(0, 100)]) is None


def blocks(count: int) -> list[dict[str, Any]]:
    """Residual blocks one behind the other, each a 3x3 convolution, another and an add."""
    rows, above = [convolution("x", 3)], "x"
    for number in range(count):
        a, b, total = (f"{name}{number}" for name in ("a", "b", "sum"))
        rows += [convolution(a, inputs=[above]), convolution(b, 3)]
        rows.append({"name": total, "op": "add", "inputs": [b, above]})
        above = total
    return rows


def in_place(lowered: Lowered) -> list[tuple[str, str]]:
    """Residents, and those whose place they take while their last readers still read them."""
    residency = lowered.residency
    found = [(residency.stays[name], low) for name, low in residency.addresses.items()]
    return [
        (one.name, other.name)
        for one, low in found
        for other, start in found
        if other.first < one.first <= other.last and low < start + other.size and start < low + one.size
    ]


def lowered_blocks() -> Lowered:
    """Three of them on 16 rows, in a buffer that holds a map and 22 rows, and weights of one."""
    return lowered_with(blocks(3), 2 * MAP + 22 * ROW, 45_000, height=16)


def test_a_sum_takes_the_place_of_its_shortcut() -> None:
    """Stripe by stripe: two maps are on chip at once that together are larger than the buffer."""
    lowered = lowered_blocks()
    assert in_place(lowered) == [("b1", "b0")]
    assert {each for each in moved(lowered) if not each.endswith(".weights")} == {"input", "b2"}
    machine = machine_of(sram__activation__capacity_bytes=2 * MAP + 22 * ROW, sram__weight__capacity_bytes=45_000)
    assert check_program(machine, lowered, link(lowered.program)) == []


def test_nearer_it_would_overwrite_what_is_still_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """By two of its stripes: one is read while it is written, one keeps both apart."""
    ahead = Groups.ahead

    def nearer(groups: Groups, span: Span, group: Group, made: int, old: int, rows: int) -> int:
        return ahead(groups, span, group, made, old, rows) - 2 * ROW * group.members[group.places.index(made)].rows

    monkeypatch.setattr(Groups, "ahead", nearer)
    lowered = lowered_blocks()
    assert in_place(lowered)
    with pytest.raises(LoweringError):
        list(link(lowered.program))


@pytest.mark.parametrize("network", ["shufflenet_0.25x_g3", "densenet121", "mobilenet_v3_small_minimalistic_1.00_224"])
@pytest.mark.parametrize("batch", [1, 3])
def test_rings_take_no_more_than_what_is_known_sooner(network: str, batch: int) -> None:
    """Of groups in stripes of 1, 3 and all rows, whatever is resident."""
    machine = machine_of()
    nodes = replace(load_network(network)[1], batch=batch)
    cache = TilingCache(machine, batch, lay_out(nodes, 8, scatter=True), nodes=nodes.nodes)
    groups = Groups(nodes, cache, no_resident_weights(machine.sram.weight.capacity_bytes))
    found = 0
    for first in range(0, len(nodes.nodes), 5):
        for span, rows in product(groups.spans(first), (1, 3, 64)):
            group = groups.group(span, rows)
            for residents in (frozenset[int](), span.touched) if group else ():
                assert group.ring_bytes(residents) <= group.most_ring_bytes(residents)
                found += 1
    assert found > 50


def test_weights_are_loaded_while_the_step_before_computes() -> None:
    """As many as DRAM is idle before, and as the buffer has room for."""
    context = TilingCache(machine_of(), 1, lay_out(network_of(TWO, SIZE), 8, scatter=True)).base
    full = context.dma_cycles(1280)
    step = Effort(full + 400, 400, full, 1280, 1280, 1280)
    for idle, held, hidden in (
        (0, 0, 0),
        (full / 2, 0, 0.5),
        (9 * full, 0, 1),
        (9 * full, 1360, 0.5),
        (9 * full, 2000, 0),
    ):
        cycles, after = elapsed(Pace(idle, held), step, 2000, context)
        assert cycles == pytest.approx(400 + full * (1 - hidden))
        assert after == (pytest.approx(400), 1280)


def test_pruned_weights_before_a_cascade_have_room() -> None:
    """Of several tiles, each with its share of the values that are left."""
    sizes = {f"sram__{name}__capacity_bytes": 3 << 15 for name in ("activation", "weight")}
    machine = machine_of(**sizes, sram__accumulator__capacity_bytes=1 << 16)
    lowered = lower(load_network("squeezenet_v1.0_pruned_6bit")[1], machine, Scheduling(inferences=2))
    assert any(isinstance(command, Load) for command in lowered.program.commands)


@pytest.mark.parametrize("bits", [5, 7])
def test_maps_of_fewer_bits_move_fewer_bytes(bits: int) -> None:
    """Whether their pixels fill bytes or not, they run in groups as those of eight do."""
    found = [
        simulate("squeezenet_v1.1", "edge", {"network.quantize.activation_bits": each}).totals["dram_burst_bytes"]
        for each in (bits, 8)
    ]
    assert found[0] < found[1]


def test_weights_before_a_cascade_leave_its_place_alone() -> None:
    """Of MobileNet with a weight buffer of 512 KiB: tiles of the layer before lie beside the weights of a cascade,
    wherever its own, or half of the buffer, fit there, so that these can be loaded while it computes."""
    network = load_network("mobilenet_v1_1.00_224")[1]
    lowered = lower(network, machine_of(sram__weight__capacity_bytes=1 << 19))
    places: dict[int, list[tuple[int, int]]] = {}
    for command in lowered.program.commands:
        if isinstance(command, Load) and command.tile.buffer is Buffer.WEIGHT:
            tile = command.tile
            places.setdefault(command.layer, []).append((tile.address, tile.address + tile.place_bytes))
    beside = 0
    for cascade in lowered.residency.cascades:
        weights = [piece for layer in cascade.layers for piece in places.get(layer, ())]
        before = next((layer for layer in range(cascade.layers[0] - 1, -1, -1) if layer in places), None)
        if before is not None and weights:
            low, high = min(low for low, _ in weights), max(high for _, high in weights)
            room = (1 << 19) - (high - low)
            if min(sum(high - low for low, high in places[before]), 1 << 18) <= room:
                assert all(stop <= low or high <= start for start, stop in places[before])
                beside += 1
    assert beside


@given(networks(), machines(array__depthwise_on="array"), schedulings(keep_activations="auto"))
def test_residents_at_the_same_time_have_places_of_their_own(
    network: Network, machine: Machine, scheduling: Scheduling
) -> None:
    """And the rooms of layers, and rings of cascades, are free of residents meanwhile."""
    capacity = machine.sram.activation.capacity_bytes
    layout = layout_of(network, machine)
    cache = TilingCache(machine, network.batch, layout, scheduling.objective, network.nodes)
    weights = no_resident_weights(machine.sram.weight.capacity_bytes)
    found = list(candidates(network, layout))
    planned = plan_schedule(network, cache, weights, found, scheduling)
    assume(not isinstance(planned, LoweringError))
    assert isinstance(planned, Residency)
    places = [(planned.stays[name], low) for name, low in planned.addresses.items()]
    for (one, low), (other, start) in combinations(places, 2):
        step = {each.span for each in planned.cascades for layer in (one.last, other.first) if layer in each.span}
        in_place = one.last <= other.last and len(step) == 1 and one.last in next(iter(step))
        if one.first <= other.last and other.first <= one.last and not in_place:
            assert low + one.size <= start or start + other.size <= low
    for resident, low in places:
        assert 0 <= low <= capacity - resident.size
        for layer in resident.layers:
            bottom, top = planned.rooms[layer]
            working = not (network.nodes[layer].op.is_address and not layout.copies[network.nodes[layer].name])
            assert not working or top <= low or low + resident.size <= bottom
    for cascade in planned.cascades:
        rings = sorted((*cascade.rings.values(), *cascade.inputs.values()))
        ends = [ring.address + ring.slots * ring.slot_bytes for ring in rings]
        assert all(end <= ring.address for end, ring in zip(ends, rings[1:], strict=False))
        assert not rings or (cascade.room[0] <= rings[0].address and ends[-1] <= cascade.room[1])


def small_machines() -> st.SearchStrategy[Machine]:
    """Bits of maps fill bytes or not."""
    return st.sampled_from([8, 4, 5]).flatmap(
        lambda bits: machines(
            sram__weight__capacity_bytes=4000,
            sram__accumulator__capacity_bytes=8192,
            array__activation_bits=bits,
        )
    )


@st.composite
def chains(draw: st.DrawFn) -> Network:
    """Two to six layers one after the other, or a layer with two readers, their concat and a shortcut."""
    height, channels = draw(st.integers(8, 24)), draw(st.sampled_from([4, 8, 12]))
    rows: list[dict[str, Any]] = []
    for number in range(draw(st.integers(2, 6))):
        kernel = draw(st.sampled_from([1, 1, 3]))
        row: dict[str, Any] = {"name": f"l{number}", "kernel": kernel, "pad": draw(st.integers(0, kernel // 2))}
        row["stride"] = draw(st.sampled_from([1, 1, 2]))
        kind = draw(st.sampled_from(["conv", "conv", "dwconv", "maxpool", "relu"]))
        row = {"name": f"l{number}", "op": "relu"} if kind == "relu" else {**row, "op": kind}
        row |= {"channels": channels} if kind == "conv" else {}
        rows.append(row)
    if draw(st.booleans()):
        rows += [
            {"name": "one", "op": "conv", "kernel": 1, "channels": channels, "inputs": ["l0"]},
            {"name": "three", "op": "conv", "kernel": 3, "pad": 1, "channels": channels, "inputs": ["l0"]},
            {"name": "cat", "op": "concat", "inputs": ["one", "three"]},
            {"name": "last", "op": "conv", "kernel": 1, "channels": channels},
            {"name": "add", "op": "add", "inputs": ["last", "l0" if channels == draw(st.just(channels)) else "last"]},
        ]
        rows = [rows[0], *rows[-5:]]
    try:
        return network_of(rows, (height, 6, channels), batch=draw(st.sampled_from([1, 1, 2, 5])))
    except UserError:
        assume(False)
        raise


@pytest.mark.slow
@given(chains(), small_machines(), schedulings(keep_activations="auto", fusion="auto"), st.integers(200, 2400))
def test_cascades_compute_what_they_should(
    network: Network, machine: Machine, scheduling: Scheduling, room: int
) -> None:
    """Executed in the machine's order on poisoned memories; every MAC once."""
    sram = machine.sram
    activation = sram.activation.model_copy(update={"capacity_bytes": room})
    machine = machine.model_copy(update={"sram": sram.model_copy(update={"activation": activation})})
    lowered = lowered_or_skip(network, machine, scheduling)
    assert check_program(machine, lowered, link(lowered.program), scheduling.arbitration) == []


@pytest.mark.slow
def test_layers_may_be_images_ahead() -> None:
    """Twelve layers of three stripes each: the first is four images ahead of the last."""
    network, machine = load_network("shufflenet_0.25x_g1", parse_overrides([(0, "network.batch=7")]))[1], machine_of()
    machine = machine.model_copy(update={"array": machine.array.model_copy(update={"rows": 16})})
    lowered = lower(network, machine)
    assert any(len(cascade) > 8 for cascade in cascades_of(lowered))
    assert list(link(lowered.program))


def cascades_of(lowered: Lowered) -> list[list[str]]:
    """Names of layers that are in cascades, those next to each other together."""
    found: list[list[str]] = [[]]
    for node, group in zip(lowered.network.nodes, lowered.groups, strict=True):
        if group and not node.op.is_address:
            found[-1].append(node.name)
        elif not node.op.is_address:
            found.append([])
    return [each for each in found if each]


@pytest.mark.slow
def test_some_of_those_random_chains_are_cascades() -> None:
    """The test above would say nothing of them otherwise."""
    found: list[bool] = []

    @settings(database=None)
    @given(chains(), st.integers(400, 2400))
    def each(network: Network, room: int) -> None:
        machine = machine_of(sram__activation__capacity_bytes=room, sram__weight__capacity_bytes=8000)
        try:
            found.append(any(lower(network, machine, Scheduling(objective="dram_bytes")).groups))
        except LoweringError:
            return

    each()
    assert sum(found) >= len(found) / 4


@pytest.mark.slow
@given(networks(), machines(), schedulings(objective="dram_bytes"))
def test_residents_and_cascades_never_move_more_where_bytes_are_the_objective(
    network: Network, machine: Machine, scheduling: Scheduling
) -> None:
    """Within the rounding of packed rows, by which tiles of another height may take a little more."""
    never, auto = (
        lowered_or_skip(network, machine, scheduling.model_copy(update={"keep_activations": keep}))
        for keep in ("never", "auto")
    )
    assert dram_bytes(auto) <= 1.01 * dram_bytes(never) + 64


def checked_ways(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The scores of all ways that are worked out from now on, none of them below the least that was said of it, but for
    a byte of rounding."""
    scores, entered = list[float](), ScheduleSearch._entered

    def checked(search: ScheduleSearch, way: Way, step: Step) -> tuple[StateKey, State]:
        scores.append(search._behind(way.state, step.effort)[0])
        byte = search.costs.value(1 / search.groups.cache.base.bytes_per_cycle, 1)
        assert way.least <= scores[-1] * (1 + 1e-9) + byte
        return entered(search, way, step)

    monkeypatch.setattr(ScheduleSearch, "_entered", checked)
    return scores


@pytest.mark.parametrize("network", ["shufflenet_1.0x_g3", "squeezenet_v1.1", "mobilenet_v2_0.50_160"])
def test_no_way_costs_less_than_the_least(network: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By which those that can't be better are left out."""
    scores = checked_ways(monkeypatch)
    lower(load_network(network)[1], machine_of())
    assert len(scores) > 100


KEYS = st.tuples(st.sampled_from([(), ("a",), ("b",), ("a", "b"), ("c",)]), st.integers(0, 4))


@given(st.lists(st.tuples(KEYS, st.floats(1, 100), st.floats(0, 1)), max_size=40, unique_by=lambda each: each[1]))
def test_ways_left_out_lead_to_no_state_that_goes_on(drawn: list[tuple[StateKey, float, float]]) -> None:
    """The same states go on as if all ways were worked out, in the order of their least scores."""
    saves = {"a": 40.0, "b": 20.0, "c": 20.0}
    start = State(0.0, 0.0, 0.0, (), Pace(0.0, 0), None, None)
    tried, every = (Beam(lambda key: sum(saves[name] for name in key[0])) for _ in range(2))
    for least, key, score in sorted((share * score, key, score) for key, score, share in drawn):
        state = start._replace(score=score)
        every.enter(key, state)
        if tried.is_open(Way(least, start, 1, key, lambda: None)):
            tried.enter(key, state)
    assert {each.score for each in tried.going_on()} == {each.score for each in every.going_on()}
    assert len(tried.going_on()) <= BEAM


@pytest.mark.slow
def test_no_way_of_any_network_costs_less_than_the_least(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor by any objective."""
    scores = checked_ways(monkeypatch)

    @settings(database=None, max_examples=25)
    @given(networks(), machines(), schedulings())
    def each(network: Network, machine: Machine, scheduling: Scheduling) -> None:
        lowered_or_skip(network, machine, scheduling)

    each()
    assert scores


def partial(network: Network, room: int, cost: Any) -> Residency:
    layout = lay_out(network, 8, scatter=True)
    nothing = Residency({}, {}, ((0, room),) * len(network.nodes))
    found = candidates(network, layout)
    return plan_partial_residents(network.nodes, nothing, found, layout, 64, cost)


WIDE = [{**convolution("a"), "channels": 128}, convolution("b")]
PIXELS = 8 * 8


def test_the_largest_part_that_fits_stays_and_one_byte_less_sends_it_out() -> None:
    """A map of 8 x 8 x 128 bytes, bursts of 64, and layers that cost a byte for each channel they move, in whatever
    room: half of the map takes 4096 bytes, which is 15/16 of 4369.07."""
    network = network_of(WIDE, SIZE)

    def cost(node: Node, room: int, residents: ResidentChannels) -> Cost:
        return Cost(sum(128 - residents.get(name, 0) for name in (node.name, *node.inputs)), 1)

    assert partial(network, 4369, cost).channels == NO_RESIDENTS
    planned = partial(network, 4370, cost)
    assert planned.stays == {"a": Resident("a", 0, 1, PIXELS * 64, 64)}
    assert planned.rooms == ((0, 4370 - PIXELS * 64),) * 2


def test_a_part_stays_only_if_the_objective_is_no_worse() -> None:
    """Two layers that take 50 each, and with part of the map between on chip 50, or a bit more."""
    network = network_of(WIDE, SIZE)
    for score, names in ((50.0, {"a"}), (50.1, set())):

        def cost(node: Node, room: int, residents: ResidentChannels, score: float = score) -> Cost:
            return Cost(2 - len(residents), score if residents else 50)

        assert partial(network, 5000, cost).stays.keys() == names


@pytest.mark.parametrize(
    ("channels", "burst_bytes", "names"), [(128, 64, {"a"}), (96, 64, set()), (96, 32, {"a"}), (128, 128, set())]
)
def test_only_whole_bursts_of_each_pixel_stay(channels: int, burst_bytes: int, names: set[str]) -> None:
    """Of 96 channels, or in bursts of 128 bytes, the rest of a pixel would take as many bursts as all of it."""
    network = network_of([{**WIDE[0], "channels": channels}, WIDE[1]], SIZE)
    machine = machine_of(sram__activation__capacity_bytes=6000, dram__burst_bytes=burst_bytes)
    lowered = lower(network, machine, Scheduling(fusion="never", objective="energy"))
    assert kept(lowered) == names
    assert check_program(machine, lowered, link(lowered.program)) == []


def test_weights_that_fit_are_loaded_once_for_all_inferences() -> None:
    """Two layers of 4096 weights each, three images: with room for both, or less."""
    network = network_of(TWO, SIZE)
    loads = []
    for room in (8192, 8191, 2048):
        machine = machine_of(sram__weight__capacity_bytes=room)
        lowered = lower(network, machine, Scheduling(inferences=3))
        counts = dma_counts(lowered.program, 64)
        loads.append(sum(each.dram_read_weight_bytes for each in counts))
        assert check_program(machine, lowered, link(lowered.program)) == []
    assert loads[0] == 8192
    assert min(loads[1:]) > 8192


@pytest.mark.slow
def test_later_inferences_take_no_longer_and_add_up() -> None:
    """The first one waits for its weights; the ends are those of the clocks, the energy is that of all images."""
    once = simulate("mobilenet_v1_0.25_128", "edge", {"sram.weight.capacity_bytes": 1 << 20}).totals
    settings = {"sram.weight.capacity_bytes": 1 << 20, "scheduling.inferences": 4}
    run = simulate("mobilenet_v1_0.25_128", "edge", settings)
    totals = run.totals
    assert list(run.inference_ends) == sorted(run.inference_ends)
    assert totals["total_cycles"] == run.inference_ends[-1] == sum(run.layers["total_cycles"])
    assert totals["interval_ms"] < totals["first_inference_ms"] <= once["latency_ms"] * 1.02
    assert totals["macs"] == 4 * once["macs"]
    assert totals["dram_read_weight_bytes"] == once["weights"]
    assert totals["energy_per_inference_pj"] == pytest.approx(totals["energy_total_pj"] / 4)
    assert totals["energy_per_inference_pj"] < once["energy_per_inference_pj"]


PLANNER = {
    "mobilenet_v1_1.00_224": (4.56e6, 1.34e6),
    "shufflenet_1.0x_g3": (2.56e6, 0.45e6),
    "squeezenet_v1.0": (2.15e6, 0.90e6),
    "resnet34_A": (22.1e6, 4.11e6),
    "densenet121": (11.7e6, 2.95e6),
}
"""DRAM bytes in whole bursts and clocks that a simple independent planner needs on `edge` (within 5 %)."""


@pytest.mark.parametrize("name", [*list(PLANNER)[:-1], pytest.param("densenet121", marks=pytest.mark.slow)])
def test_schedules_are_as_good_as_those_of_an_independent_planner(name: str) -> None:
    """At most a tenth more bytes and a twentieth more clocks."""
    moved, cycles = PLANNER[name]
    run = simulate(name, "edge")
    assert run.total.counts.dram_burst_bytes <= 1.10 * moved
    assert run.total.total_cycles <= 1.05 * cycles
