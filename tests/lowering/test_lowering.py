"""Do tiles, folds and actions add up to the layer? Closed forms against plain loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.check.execute import check_network
from accelsim.config.plan import Plan
from accelsim.config.scheduling import Scheduling, Target
from accelsim.dataflows import DataflowName
from accelsim.dataflows.contract import ArrayShape, Gemm
from accelsim.dataflows.timing import Ratio
from accelsim.dataflows.work import ArrayContext, array_work
from accelsim.errors import LoweringError
from accelsim.lowering.allocate import Arena
from accelsim.lowering.compile import lower
from accelsim.lowering.ir import copied_channels
from accelsim.lowering.layout import lay_out
from accelsim.lowering.placement import progressions
from accelsim.network.graph import Network
from accelsim.program.commands import Compute, Store
from accelsim.program.tensors import Range, Tensor, descriptors, elements
from accelsim.run.simulate import load_network, run_network
from accelsim.unit_kinds import VECTOR
from tests.strategies import machine_of, network_of

quick = settings(max_examples=200)


def array_of(dataflow: DataflowName, rows: int, cols: int, **ports: int) -> ArrayContext:
    wide = 1 << 20
    return ArrayContext(
        dataflow=dataflow,
        shape=ArrayShape(rows, cols, 1),
        ifmap_bits=8,
        ofmap_bits=8,
        weight_bits=8,
        psum_bits=32,
        activation_port_bits=ports.get("activation", wide),
        weight_port_bits=ports.get("weight", wide),
        accumulator_port_bits=ports.get("accumulator", wide),
        stored_weights=Ratio(8, 1),
    )


def plain_counts(dataflow: str, gemm: Gemm, rows: int, cols: int) -> dict[str, int]:
    """Every fold, pack and operand looped over."""
    extents = {
        "ws": (gemm.k, gemm.n, gemm.m),
        "is": (gemm.k, gemm.m, gemm.n),
        "os": (gemm.m, gemm.n, gemm.k),
    }
    row_extent, col_extent, steps = extents[dataflow]
    fits = row_extent <= rows and col_extent <= cols
    pack = min(rows // row_extent, cols // col_extent, gemm.groups) if fits else 1
    names = (
        "folds",
        "weights",
        "psum_r",
        "psum_w",
        "out",
        "act_hops",
        "weight_hops",
        "psum_hops",
        "latched",
        "result_hops",
    )
    counts = dict.fromkeys(names, 0)
    for start in range(0, gemm.groups, pack):
        packed = min(pack, gemm.groups - start)
        for col in range(0, col_extent, cols):
            c = min(cols, col_extent - col)
            for row in range(0, row_extent, rows):
                r = min(rows, row_extent - row)
                counts["folds"] += 1
                for group in range(packed):
                    base = group * r
                    west = steps * sum(base + i for i in range(r))
                    north = sum(group * c + j for j in range(c))
                    south = sum(cols - 1 - group * c - j for j in range(c))
                    if dataflow == "os":
                        counts["weights"] += c * steps
                        counts["act_hops"] += r * steps * c + west
                        counts["weight_hops"] += c * steps * r + steps * north
                        counts["result_hops"] += r * south
                        counts["out"] += r * c
                        counts["latched"] += r * c * steps
                        counts["psum_hops"] += sum(c * (rows - base - i) for i in range(r))
                        continue
                    shifted_in = sum(c * (base + i + 1) for i in range(r))
                    counts["weights"] += r * c if dataflow == "ws" else r * steps
                    pinned, streamed = shifted_in + r * north, r * steps * c + west
                    counts["act_hops"] += streamed if dataflow == "ws" else pinned
                    counts["weight_hops"] += pinned if dataflow == "ws" else streamed
                    counts["psum_hops"] += c * steps * rows
                    counts["psum_r"] += c * steps * (row > 0)
                    last = row + rows >= row_extent
                    counts["psum_w"] += c * steps * (not last)
                    counts["out"] += c * steps * last
                    counts["result_hops"] += steps * south * last
    return counts


gemms = st.builds(Gemm, st.integers(1, 9), st.integers(1, 30), st.integers(1, 30), st.integers(1, 30))


@quick
@given(st.sampled_from(["ws", "is", "os"]), gemms, st.integers(1, 12), st.integers(1, 12))
def test_actions_of_a_product_equal_those_of_plain_loops(
    dataflow: DataflowName, gemm: Gemm, rows: int, cols: int
) -> None:
    """Reads, writes and hops, with packing and ragged folds."""
    work = array_work(gemm, array_of(dataflow, rows, cols))
    plain = plain_counts(dataflow, gemm, rows, cols)
    assert work.chain.count == plain["folds"]
    assert (work.weight_passes * gemm.groups * gemm.k * gemm.n, work.outputs) == (plain["weights"], plain["out"])
    assert (work.psum_reads, work.psum_writes) == (plain["psum_r"], plain["psum_w"])
    assert (work.moves.ifmap, work.moves.weight) == (plain["act_hops"], plain["weight_hops"])
    assert (work.moves.psum, work.moves.latched) == (plain["psum_hops"], plain["latched"])
    assert work.moves.result == plain["result_hops"]


def test_narrow_ports_stretch_streams_and_loads() -> None:
    """16x16 WS, one fold of 100 steps: 16 bytes a step through an 8-byte port take 200 clocks, a load of 256 bytes
    through a 4-byte port 64; an 8-byte write port takes the 16 results of a step in 2 clocks."""
    gemm = Gemm(1, 100, 16, 16)
    plain = array_work(gemm, array_of("ws", 16, 16)).chain.first
    assert (plain.load, plain.stream) == (16, 100)
    narrow = array_work(gemm, array_of("ws", 16, 16, activation=64, weight=32)).chain.first
    assert (narrow.load, narrow.stream, narrow.tail) == (64, 200, plain.tail)


def test_a_narrow_accumulator_port_stretches_sums_only() -> None:
    """A K of two folds: 16 partial sums of 4 bytes a step through a 32-byte port take 2 clocks a step."""
    array = array_of("ws", 16, 16, accumulator=256)
    assert array_work(Gemm(1, 100, 16, 16), array).chain.stream_cycles == 100
    assert array_work(Gemm(1, 100, 32, 16), array).chain.stream_cycles == 400


def test_a_line_buffer_reads_each_pixel_once() -> None:
    """With 9 kernel positions on one pixel, a ninth of the bytes go through the port."""
    array = array_of("ws", 9, 4, activation=8)
    gemm = Gemm(1, 90, 9, 4)
    assert array_work(gemm, array).chain.stream_cycles == 9 * 90
    assert array_work(gemm, array, reuse=Ratio(1, 9)).chain.stream_cycles == 4 * 90


def test_a_line_buffer_saves_sram_reads_of_the_run() -> None:
    """3x3 at stride 1 without padding over 10x10x4: 64 outputs read 9 pixels each, or 100 pixels once."""
    network = network_of([{"name": "c", "op": "conv", "kernel": 3, "channels": 8}], (10, 10, 4))
    workload = load_network("shufflenet_g3")[0]
    large = {"dram__bytes_per_clock": 4096, "dma__setup_cycles": 1000}
    without = run_network(workload, network, machine_of(**large)).totals["sram_read_ifmap_bytes"]
    once = run_network(workload, network, machine_of(**large, sram__line_buffer=True)).totals["sram_read_ifmap_bytes"]
    assert (without, once) == (64 * 9 * 4, 100 * 4)


def test_a_line_buffer_does_not_read_what_lies_between_windows() -> None:
    """Kernel 1x3, stride 2 down: only every other row of an 8x8x8 map is read, 256 elements of 512."""
    row = {"name": "c", "op": "conv", "kernel": [1, 3], "stride": [2, 1], "pad": [0, 1, 0, 1], "channels": 8}
    machine = machine_of(dram__bytes_per_clock=4096, dma__setup_cycles=1000, sram__line_buffer=True)
    run = run_network(load_network("shufflenet_g3")[0], network_of([row], (8, 8, 8)), machine)
    assert run.totals["sram_read_ifmap_bytes"] == 4 * 8 * 8


def test_a_line_buffer_serves_the_vector_unit_too() -> None:
    """A 3x3 max pool with a line buffer reads its 8x8x8 map once."""
    row = {"name": "p", "op": "maxpool", "kernel": 3, "pad": 1}
    machine = machine_of(dram__bytes_per_clock=4096, sram__line_buffer=True)
    run = run_network(load_network("shufflenet_g3")[0], network_of([row], (8, 8, 8)), machine)
    tiles = lower(network_of([row], (8, 8, 8)), machine).program.commands
    rows = sum(c.streamed[0].region[1].size for c in tiles if isinstance(c, Compute))
    assert run.totals["sram_read_ifmap_bytes"] == rows * 8 * 8


def test_a_map_added_to_itself_is_loaded_once() -> None:
    """Both operands are one tile."""
    network = network_of([{"name": "a", "op": "add", "inputs": ["input", "input"]}], (8, 8, 32))
    run = run_network(load_network("shufflenet_g3")[0], network, machine_of())
    assert run.totals["dram_read_bytes"] == 8 * 8 * 32


def test_input_channels_are_split_no_finer_than_the_rows_need() -> None:
    """3x3 over 512 channels on 256x256: 29 channels fill the rows; a tile of one channel would use 9 of them."""
    machine = machine_of(
        array__rows=256,
        array__cols=256,
        sram__weight__capacity_bytes=262144,
        sram__activation__capacity_bytes=1 << 24,
        sram__accumulator__capacity_bytes=1 << 22,
    )
    network = network_of([{"name": "c", "op": "conv", "kernel": 3, "pad": 1, "channels": 512}], (28, 28, 512))
    (plan,) = lower(network, machine).plans
    assert plan is not None
    assert plan.in_channels >= 28


def test_a_layer_of_too_many_pieces_is_refused() -> None:
    """Rather than simulated for hours."""
    network = network_of([{"name": "x", "op": "matmul", "channels": 512}], (512, 1, 512))
    machine = machine_of(sram__activation__capacity_bytes=16, sram__weight__capacity_bytes=16)
    with pytest.raises(LoweringError, match="pieces of tiles as small as fit"):
        lower(network, machine)


def brute_force(tensor: Tensor, region: tuple[Range, ...]) -> list[int]:
    """The byte addresses of a region, element by element."""
    index = np.arange(int(np.prod(tensor.dims))).reshape(tensor.dims)
    chosen = index[tuple(slice(*part) for part in region)].reshape(-1)
    return (tensor.address_bytes + chosen).tolist()


@st.composite
def regions(draw: st.DrawFn) -> tuple[Tensor, tuple[Range, ...]]:
    dims = tuple(draw(st.integers(1, size)) for size in (3, 6, 6, 24))
    bounds = []
    for axis, extent in enumerate(dims):
        start = draw(st.integers(0, extent - 1))
        stop = draw(st.integers(start + 1, extent))
        step = draw(st.integers(1, 4)) if axis == 3 else 1
        last = start + (stop - 1 - start) // step * step
        bounds.append(Range(start, last + 1, step))
    return Tensor("t", dims, 8, 64 * draw(st.integers(0, 3))), tuple(bounds)


@quick
@given(regions(), st.sampled_from([16, 64]))
def test_descriptors_cover_a_region_in_order(case: tuple[Tensor, tuple[Range, ...]], burst: int) -> None:
    """Every byte once, in the order of the elements; bursts as counted row by row."""
    tensor, region = case
    addresses, bursts = [], 0
    for part in descriptors(tensor, region):
        for row in range(part.rows):
            start, size = (part.address_bits + row * part.stride_bits) // 8, part.row_bits // 8
            addresses += range(start, start + size)
            bursts += (start + size - 1) // burst - start // burst + 1
    assert addresses == brute_force(tensor, region)
    assert sum(part.bursts(burst) for part in descriptors(tensor, region)) == bursts


def test_weights_lie_in_load_order_without_gaps() -> None:
    """Tiles of a tiled tensor, ragged ones too, follow one another."""
    tensor = Tensor("w", (3, 10, 7, 9), 8, 0, tile=(2, 4, 3, 9))
    reached = 0
    for group in range(0, 3, 2):
        for out in range(0, 10, 4):
            for inner in range(0, 7, 3):
                region = (
                    Range(group, min(group + 2, 3)),
                    Range(out, min(out + 4, 10)),
                    Range(inner, min(inner + 3, 7)),
                    Range(0, 9),
                )
                (part,) = descriptors(tensor, region)
                assert (part.address_bits, part.rows) == (8 * reached, 1)
                reached += elements(region)
    assert reached == 3 * 10 * 7 * 9


def test_a_part_of_a_weight_tile_is_refused() -> None:
    """Weights are loaded tile by tile."""
    tensor = Tensor("w", (1, 8, 8, 1), 8, 0, tile=(1, 4, 4, 1))
    with pytest.raises(ValueError, match="not a tile"):
        descriptors(tensor, (Range(0, 1), Range(1, 5), Range(0, 4), Range(0, 1)))


def test_progressions_of_a_shuffle() -> None:
    """All channels are one run, those of one group a stride apart."""
    network = network_of([{"name": "s", "op": "shuffle", "groups": 3}], (1, 1, 12))
    places = copied_channels(network.nodes[0], 0)
    assert progressions(tuple(sorted(places.tolist()))) == (Range(0, 12, 1),)
    assert progressions(tuple(sorted(places[4:8].tolist()))) == (Range(1, 11, 3),)


SHUFFLE: list[dict[str, Any]] = [
    {"name": "c", "op": "conv", "kernel": 1, "channels": 24, "groups": 3},
    {"name": "s", "op": "shuffle", "groups": 3},
    {"name": "p", "op": "relu"},
]


def copies_of(network: Network, *, scatter: bool) -> dict[str, tuple[str, ...]]:
    return lay_out(network, 8, scatter=scatter).copies


def test_a_shuffle_is_an_address_unless_the_dma_cannot_scatter() -> None:
    """Or somebody else reads the unshuffled map."""
    network = network_of(SHUFFLE, (6, 6, 6))
    assert copies_of(network, scatter=True) == {"s": ()}
    assert copies_of(network, scatter=False) == {"s": ("c",)}
    twice = network_of([*SHUFFLE, {"name": "a", "op": "add", "inputs": ["c", "p"]}], (6, 6, 6))
    assert copies_of(twice, scatter=True) == {"s": ("c",)}


def test_a_concat_is_an_address_for_each_input_that_lies_nowhere_else() -> None:
    """The network's input is copied, and so is a map to the second of two concats, the outermost being served first."""
    rows = [
        {"name": "a", "op": "relu", "inputs": ["input"]},
        {"name": "b", "op": "relu", "inputs": ["input"]},
        {"name": "x", "op": "concat", "inputs": ["a", "b"]},
        {"name": "y", "op": "concat", "inputs": ["x", "a", "input"]},
    ]
    assert copies_of(network_of(rows, (4, 4, 2)), scatter=True) == {"x": ("a",), "y": ("input",)}


def test_a_map_within_a_shuffled_concat_is_copied_if_another_layer_reads_it() -> None:
    """Its channels would lie apart; the one beside it, which only the concat reads, is written where it belongs."""
    two = [{"name": name, "op": "matmul", "inputs": ["input"], "channels": 4} for name in "ab"]
    joined = [{"name": "c", "op": "concat", "inputs": ["a", "b"]}, {"name": "s", "op": "shuffle", "groups": 2}]
    network = network_of([*two, *joined, {"name": "d", "op": "matmul", "inputs": ["a"], "channels": 4}], (4, 4, 3))
    assert lay_out(network, 8, scatter=True).copies == {"s": (), "c": ("a",)}
    assert check_network(network, machine_of()) == []


def test_a_slice_lies_within_its_input_and_moves_nothing() -> None:
    """Its readers load its channels, and of no others; a concat of slices copies them."""
    rows: list[dict[str, Any]] = [
        {"name": "a", "op": "matmul", "channels": 8},
        {"name": "s", "op": "slice", "first": 3, "channels": 4},
        {"name": "t", "op": "slice", "first": 1, "channels": 2},
        {"name": "b", "op": "matmul", "channels": 4},
        {"name": "c", "op": "concat", "inputs": ["s", "b"]},
    ]
    network = network_of(rows, (4, 4, 3), quantize={"layers": {"a": {"activation_bits": 4}}})
    maps = lay_out(network, 8, scatter=True)
    assert maps.by_name["t"].tensor is maps.by_name["a"].tensor
    assert maps.by_name["t"].channels.tolist() == [4, 5]
    assert maps.copies == {"s": (), "t": (), "c": ("s",)}
    for keep in ("auto", "never"):
        scheduling = Scheduling.model_validate({"keep_activations": keep})
        assert check_network(network, machine_of(), scheduling) == []
        lowered = lower(network, machine_of(), scheduling)
        assert not [command for command in lowered.program.commands if command.layer in (1, 2)]


def test_a_shuffle_whose_stored_tile_holds_all_channels_costs_nothing() -> None:
    """As many burst bytes as without it."""
    workload = load_network("shufflenet_g3")[0]
    target = Target(machine_of(output_path__scale=0), Scheduling(keep_activations="never"))
    plain = run_network(workload, network_of([SHUFFLE[0], SHUFFLE[2]], (6, 6, 6)), *target)
    mixed = run_network(workload, network_of(SHUFFLE, (6, 6, 6)), *target)
    assert mixed.totals["dram_write_burst_bytes"] == plain.totals["dram_write_burst_bytes"]
    assert mixed.records[1].total_cycles == 0


def test_a_shuffle_that_scatters_pays_a_burst_for_each_element() -> None:
    """Where the result tile holds one group only, its channels lie a stride apart."""
    small = {"sram__activation__capacity_bytes": 80, "sram__weight__capacity_bytes": 300}
    network = network_of([{**SHUFFLE[0], "channels": 96}, *SHUFFLE[1:]], (1, 1, 12))
    scheduling = Scheduling(keep_activations="never", plan=Plan(scatter=True))
    program = lower(network, machine_of(**small), scheduling).program
    stores = [command.tile for command in program.commands if isinstance(command, Store) and command.layer == 0]
    scattered = [tile for tile in stores if tile.region[3].step == 3]
    assert scattered
    for tile in scattered:
        assert sum(part.bursts(64) for part in tile.descriptors) == elements(tile.region)


def test_an_arena_goes_round_what_still_stands() -> None:
    """Places are taken in a circle, contiguous, never twice."""
    arena = Arena(100)
    assert [arena.take(40), arena.take(40), arena.take(40)] == [0, 40, None]
    arena.give(0, 40)
    assert arena.take(30) == 0
    arena.give(40, 40)
    assert arena.take(70) == 30


def test_results_take_two_places_in_turn() -> None:
    """One is filled while the other is stored, though that would be free again; else the next one below."""
    arena, room = Arena(100), (10, 100)
    found = []
    for _ in range(4):
        found.append(arena.take_top(20, room, 2))
        arena.give(found[-1], 20)
    assert found == [80, 60, 80, 60]
    assert [arena.take_top(20, room, 2) for _ in range(5)] == [80, 60, 40, 20, None]


def test_a_layer_that_does_not_fit_is_named() -> None:
    """Half of a buffer is the most a tile may take."""
    network = network_of([{"name": "wide", "op": "softmax"}], (1, 1, 4000))
    with pytest.raises(LoweringError, match="wide: its smallest tile"):
        lower(network, machine_of(sram__activation__capacity_bytes=6000))


def test_depthwise_on_ws_uses_nine_pes_a_channel() -> None:
    """32 // 9 = 3 groups share a fold: 27 PEs on a diagonal of 3 columns."""
    work = array_work(Gemm(60, 100, 9, 1), array_of("ws", 32, 32))
    assert work.chain.count == 20
    assert work.weight_passes == 1


def test_depthwise_on_the_vector_unit_takes_the_array_no_clock() -> None:
    """When the configuration says so."""
    network = network_of([{"name": "d", "op": "dwconv", "kernel": 3, "pad": 1}], (8, 8, 16))
    workload = load_network("shufflenet_g3")[0]
    run = run_network(workload, network, machine_of(array__depthwise_on="vector"))
    assert (run.total.stream_cycles, run.total.array_macs) == (0, 0)
    assert run.totals["macs"] == run.totals["vector_ops"] == 9 * 8 * 8 * 16
    commands = lower(network, machine_of(array__depthwise_on="vector")).program.commands
    assert {command.unit for command in commands if isinstance(command, Compute)} == {VECTOR}
