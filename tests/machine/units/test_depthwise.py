"""The depthwise engine against one register by register, in clocks, values and actions; and as a unit of a machine."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.check.execute import check_network
from accelsim.config.load import load_energy_table
from accelsim.config.scheduling import Scheduling
from accelsim.dataflows.work import Patch
from accelsim.errors import LoweringError, UserError
from accelsim.lowering.compile import lower
from accelsim.network.array import layer_product
from accelsim.network.depthwise import EnginePiece, depthwise_work, engine_counts, tail_cycles
from accelsim.network.graph import Network
from accelsim.program.commands import Compute, Work
from accelsim.program.tensors import Range
from accelsim.run.alone import alone_on_array
from accelsim.run.define import load_network
from accelsim.run.simulate import run_network, simulate
from accelsim.unit_kinds import ARRAY, DEPTHWISE, VECTOR, UnitKind
from tests.reference import depthwise as reference
from tests.reference import systolic
from tests.strategies import machine_of, network_of

WORKLOAD = load_network("shufflenet_g3")[0]
ENGINE = {"channels": 4, "taps_per_clock": 3, "max_taps": 64, "line_buffer_bytes": 1024}


def of_size(height: int, width: int, channels: int, batch: int = 1, **row: object) -> Network:
    """A network of one depthwise layer."""
    return network_of([{"name": "d", "op": "dwconv", **row}], (height, width, channels), batch)


@st.composite
def pieces(draw: st.DrawFn) -> tuple[Network, Work, dict[str, int], int]:
    """A layer, some of its outputs, an engine, and clocks of a multiplier."""
    kernel = [draw(st.integers(1, 4)), draw(st.integers(1, 4))]
    pads = [draw(st.integers(0, 2)) for _ in range(4)]
    size = [draw(st.integers(reach, reach + 3)) for reach in kernel]
    channels, batch = draw(st.integers(2, 6)), draw(st.integers(1, 2))
    row = {"kernel": kernel, "stride": [draw(st.integers(1, 3)), draw(st.integers(1, 3))], "pad": pads}
    network = of_size(*size, channels, batch, **row)
    node = network.nodes[0]
    engine = {"channels": draw(st.integers(1, 5)), "taps_per_clock": draw(st.integers(1, 17)), "max_taps": 64}
    widest = draw(st.integers(kernel[1], kernel[1] + 6))
    engine["line_buffer_bytes"] = engine["channels"] * max(1, kernel[0] - 1) * widest
    block = []
    for extent in (batch, node.output.height, node.output.width, channels):
        start = draw(st.integers(0, extent - 1))
        block.append(Range(start, draw(st.integers(start + 1, extent))))
    return network, Work(*block, Range(0, 1)), engine, draw(st.integers(1, 3))


def passes_of(network: Network, work: Work, engine: dict[str, int], port_bytes: int) -> list[reference.Pass]:
    """The same outputs for the reference, on random integers."""
    random, node = np.random.default_rng(0), network.nodes[0]
    vertical, horizontal = node.window.vertical, node.window.horizontal
    size = (work.images.size, node.sizes[0].height, node.sizes[0].width, work.channels.size)
    images = random.integers(-9, 9, size)
    weights = random.integers(-9, 9, (node.window.elements, work.channels.size))
    rows = reference.Axis(
        vertical.kernel, vertical.stride, 1, work.rows.start * vertical.stride - vertical.pad, work.rows.size
    )
    width = engine["line_buffer_bytes"] // (engine["channels"] * max(1, vertical.kernel - 1))
    most = (width - horizontal.kernel) // horizontal.stride + 1 if vertical.kernel > 1 else work.cols.size
    cols = [
        reference.Axis(
            horizontal.kernel,
            horizontal.stride,
            1,
            start * horizontal.stride - horizontal.pad,
            min(most, work.cols.stop - start),
        )
        for start in range(work.cols.start, work.cols.stop, most)
    ]
    found = []
    for start in range(0, work.channels.size, engine["channels"]):
        mine = slice(start, min(start + engine["channels"], work.channels.size))
        part = weights[:, mine]
        found.append(reference.Pass(images[..., mine], part, rows, cols, -(-part.size // port_bytes)))
    return found


def check_piece(piece: tuple[Network, Work, dict[str, int], int], port_bytes: int) -> None:
    """No tolerance: last output, every value, every read and every register written."""
    network, work, engine, stages = piece
    machine = machine_of(
        depthwise=engine,
        array__mac_latency=stages,
        sram__activation__port_bytes_per_cycle=1 << 20,
        sram__weight__port_bytes_per_cycle=port_bytes,
    )
    node = network.nodes[0]
    array = layer_product(node, 1, machine)[1]
    mine = EnginePiece(node, work, array, 8 * node.window.elements * work.channels.size)
    done = depthwise_work(mine, machine)
    passes = passes_of(network, work, engine, port_bytes)
    registers = reference.Engine(engine["taps_per_clock"], stages)
    assert registers.play(passes) == done.cycles + tail_cycles(machine)
    for output, wanted in zip(registers.outputs, reference.expected(passes), strict=True):
        assert np.array_equal(output, wanted)
    counts = engine_counts(mine, done)
    assert counts.sram_read_ifmap_bytes == registers.reads
    assert counts.sram_read_line_bytes == registers.line_reads
    assert counts.sram_write_line_bytes == registers.line_writes
    assert counts.sram_write_ofmap_bytes == sum(value.size for value in registers.outputs)
    moved = registers.window_moves + 2 * registers.adder_moves + 4 * registers.sum_moves
    assert counts.register_bytes == moved


@settings(max_examples=8)
@given(pieces(), st.integers(1, 8))
def test_clocks_values_and_actions_are_those_of_the_registers(
    piece: tuple[Network, Work, dict[str, int], int], port_bytes: int
) -> None:
    """Random windows, strips, passes, steps and ports."""
    check_piece(piece, port_bytes)


@pytest.mark.slow
@settings(max_examples=300)
@given(pieces(), st.integers(1, 8))
def test_more_pieces_register_by_register(piece: tuple[Network, Work, dict[str, int], int], port_bytes: int) -> None:
    """The same for many."""
    check_piece(piece, port_bytes)


def test_clocks_by_hand() -> None:
    """3x3 over 8x8 padded to 10x10, 16 channels four at a time, nine taps on three multipliers: four passes of 100
    positions and two more steps for each of 64 outputs, behind 36 weights on a port of 32 bytes."""
    machine = machine_of(depthwise=ENGINE, array__depthwise_on="engine")
    node = of_size(8, 8, 16, kernel=3, pad=1).nodes[0]
    whole = Work(Range(0, 1), Range(0, 8), Range(0, 8), Range(0, 16), Range(0, 1))
    piece = EnginePiece(node, whole, layer_product(node, 1, machine)[1], 8 * 9 * 16)
    assert depthwise_work(piece, machine) == (100, 64, 7 * 8 + 6 * 8 + 8 + 8, 64, 3, 2 + 4 * (100 + 2 * 64))
    assert tail_cycles(machine) == 1 + 2 + 1


def test_a_narrow_port_lengthens_the_stream() -> None:
    """Four channels a clock through a port of one byte."""
    node = of_size(8, 8, 4, kernel=3, pad=1).nodes[0]
    machine = machine_of(depthwise={**ENGINE, "taps_per_clock": 9}, sram__activation__port_bytes_per_cycle=1)
    whole = Work(Range(0, 1), Range(0, 8), Range(0, 8), Range(0, 4), Range(0, 1))
    piece = EnginePiece(node, whole, layer_product(node, 1, machine)[1], 8 * 9 * 4)
    assert depthwise_work(piece, machine).cycles == 2 + 4 * 64


def test_a_window_that_does_not_fit_is_named() -> None:
    """Neither the registers nor the line buffer."""
    wide, high = (
        (of_size(9, 90, 4, kernel=9), {"max_taps": 80}),
        (of_size(9, 90, 4, kernel=9), {"line_buffer_bytes": 9}),
    )
    for (network, sizes), word in zip((wide, high), ("max_taps", "line_buffer_bytes"), strict=True):
        machine = machine_of(depthwise={**ENGINE, "max_taps": 99, **sizes}, array__depthwise_on="engine")
        with pytest.raises(LoweringError, match=f"d: .*depthwise.{word}"):
            lower(network, machine)


def test_the_engine_takes_the_array_no_clock() -> None:
    """Its commands are its own, and stalls are counted as the engine's."""
    network = of_size(8, 8, 16, kernel=3, pad=1)
    machine = machine_of(depthwise=ENGINE, array__depthwise_on="engine")
    run = run_network(WORKLOAD, network, machine)
    assert (run.total.stream_cycles, run.total.array_macs, run.total.busy_cycles["vector"]) == (0, 0, 0)
    assert run.total.busy_cycles["depthwise"] > 0
    assert run.total.stalls["depthwise"] > 0
    assert run.totals["macs"] == 9 * 8 * 8 * 16
    units = {command.unit for command in lower(network, machine).program.commands if isinstance(command, Compute)}
    assert units == {DEPTHWISE}


def test_auto_takes_the_unit_that_suits_the_objective() -> None:
    """A large window does not fit the engine; a small one is quickest there, else on vector unit or array."""
    small, large = {"name": "a", "op": "dwconv", "kernel": 3, "pad": 1}, {"name": "b", "op": "dwconv", "kernel": 7}
    network = network_of([small, large], (12, 12, 32))
    engine = {**ENGINE, "channels": 32, "taps_per_clock": 9, "max_taps": 25, "line_buffer_bytes": 4096}
    for section, lanes, wanted in (
        (engine, 8, [DEPTHWISE, ARRAY]),
        (None, 8, [ARRAY, ARRAY]),
        (None, 1024, [VECTOR, VECTOR]),
    ):
        machine = machine_of(
            depthwise=section,
            array__depthwise_on="auto",
            vector__lanes=lanes,
            sram__activation__port_bytes_per_cycle=1024,
        )
        assert [node.unit for node in lower(network, machine).network.nodes] == wanted
    assert check_network(network, machine_of(depthwise=engine, array__depthwise_on="auto"), Scheduling()) == []


@pytest.mark.parametrize(("objective", "wanted"), [("energy", DEPTHWISE), ("cycles", VECTOR)])
def test_auto_is_the_best_of_all_units(objective: Any, wanted: UnitKind) -> None:
    """By the whole run, its maps on chip, on a machine whose engine is slow and takes little, with a table in which
    time costs next to nothing."""
    energy = load_energy_table("lecture_100x").model_dump(mode="json")
    rows = [
        {"name": "before", "op": "conv", "kernel": 1, "channels": 32},
        {"name": "d", "op": "dwconv", "kernel": 3, "pad": 1},
        {"name": "behind", "op": "conv", "kernel": 1, "channels": 32},
    ]
    network, workload, scheduling = network_of(rows, (12, 12, 32)), WORKLOAD, Scheduling(objective=objective)
    found = {}
    for unit in ("array", "vector", "engine", "auto"):
        machine = machine_of(depthwise={**ENGINE, "line_buffer_bytes": 4096}, array__depthwise_on=unit, energy=energy)
        total = run_network(workload, network, machine, scheduling).total
        found[unit] = total.energy.total_pj if objective == "energy" else total.total_cycles
    assert lower(network, machine, scheduling).network.nodes[1].unit is wanted
    assert found.pop("auto") == min(found.values())


@pytest.mark.parametrize(("lanes", "wanted"), [(16, ARRAY), (32, VECTOR)])
def test_auto_knows_that_a_line_buffer_spares_the_port_of_every_unit(lanes: int, wanted: UnitKind) -> None:
    """Through a narrow port, which the array would need nine times as long without the line buffer."""
    network = network_of([{"name": "d", "op": "dwconv", "kernel": 3, "pad": 1}], (12, 12, 32))
    sram = {"sram__line_buffer": True, "sram__activation__port_bytes_per_cycle": 8}
    found = {}
    for unit in ("array", "vector", "auto"):
        machine = machine_of(array__depthwise_on=unit, vector__lanes=lanes, **sram)
        found[unit] = run_network(WORKLOAD, network, machine, Scheduling()).total.total_cycles
    assert lower(network, machine).network.nodes[0].unit is wanted
    assert found.pop("auto") == min(found.values())


def test_without_an_engine_no_layer_can_go_there() -> None:
    """One line, with the key."""
    with pytest.raises(UserError, match="depthwise_on: expected array, vector or auto"):
        simulate("shufflenet_g3", "edge", {"array.depthwise_on": "engine"})


def patched(padded: Any, weights: Any, patch: Patch, stride: int) -> tuple[Any, Any, Any, Any]:
    """A depthwise layer of one image in patches: streamed pixels (channels x steps x pixels), what stays (channels x
    pixels x outputs), the outputs wanted (channels x steps x outputs) straight from the definition, and which of them
    the layer has."""
    channels, height, width = padded.shape
    kernel = weights.shape[1]
    out = (height - kernel) // stride + 1, (width - kernel) // stride + 1
    reach = (patch.rows - 1) * stride + kernel, (patch.cols - 1) * stride + kernel
    stays = np.zeros((channels, *reach, patch.rows, patch.cols), dtype=np.int64)
    for row, col in np.ndindex(patch.rows, patch.cols):
        stays[:, row * stride : row * stride + kernel, col * stride : col * stride + kernel, row, col] = weights
    steps = [(row, col) for row in range(0, out[0], patch.rows) for col in range(0, out[1], patch.cols)]
    streamed = np.zeros((channels, len(steps), *reach), dtype=np.int64)
    wanted = np.zeros((channels, len(steps), patch.rows, patch.cols), dtype=np.int64)
    exists = np.zeros(wanted.shape, dtype=np.bool_)
    for step, (row, col) in enumerate(steps):
        part = padded[:, row * stride : row * stride + reach[0], col * stride : col * stride + reach[1]]
        streamed[:, step, : part.shape[1], : part.shape[2]] = part
        for down, across in np.ndindex(min(patch.rows, out[0] - row), min(patch.cols, out[1] - col)):
            top, left = (row + down) * stride, (col + across) * stride
            window = padded[:, top : top + kernel, left : left + kernel]
            wanted[:, step, down, across] = (window * weights).sum(axis=(1, 2))
            exists[:, step, down, across] = True
    return (
        streamed.reshape(channels, len(steps), -1),
        stays.reshape(channels, reach[0] * reach[1], patch.outputs),
        wanted.reshape(channels, len(steps), patch.outputs),
        exists.reshape(channels, len(steps), patch.outputs),
    )


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("rows", "cols"), [(16, 8), (25, 4), (32, 32), (9, 9)])
def test_patches_on_the_array_register_by_register(rows: int, cols: int, stride: int) -> None:
    """The product that is folded is that of the layer, and its clocks are the array's to the clock."""
    machine = machine_of(array__rows=rows, array__cols=cols, array__depthwise_packing="patches")
    node = of_size(7, 8, 5, kernel=3, pad=1, stride=stride).nodes[0]
    product, context = layer_product(node, 1, machine)
    random, patch = np.random.default_rng(1), context.patch
    padded = np.zeros((5, 9, 10), dtype=np.int64)
    padded[:, 1:-1, 1:-1] = random.integers(-9, 9, (5, 7, 8))
    weights = random.integers(-9, 9, (5, 3, 3))
    streamed, stays, wanted, exists = patched(padded, weights, patch, stride)
    assert (product.groups, product.m, product.k, product.n) == (5, *streamed.shape[1:], patch.outputs)
    weights_stay = systolic.Roles(rows="k", cols="n", streamed="m")
    folds = list(systolic.cut(weights_stay, streamed, stays, rows, cols))
    array = systolic.array_of(weights_stay, rows, cols, 1, overlap=True, folds=folds)
    played = systolic.play(array, systolic.earliest_schedule(array.fork()))
    assert np.array_equal(played.result.reshape(wanted.shape)[exists], wanted[exists])
    assert played.left_cycle.max() == alone_on_array(node, 1, machine)


def test_patches_take_fewer_clocks_and_give_the_same_numbers() -> None:
    """Up to a quarter of the streams on 32 x 32: 3 x 4 outputs of the 5 x 6 pixels under them take 30 x 12 PEs."""
    network = of_size(24, 24, 32, kernel=3, pad=1)
    found = {}
    for packing in ("diagonal", "patches"):
        machine = machine_of(array__depthwise_packing=packing)
        found[packing] = run_network(WORKLOAD, network, machine)
        assert check_network(network, machine, Scheduling()) == []
    plain, packed = found["diagonal"].total, found["patches"].total
    assert layer_product(network.nodes[0], 1, machine)[1].patch.outputs == 12
    assert packed.stream_cycles < plain.stream_cycles / 3
    same = ("macs", "active_macs", "multiplier_bit_products", "sram_write_ofmap_bytes")
    assert all(getattr(plain.counts, name) == getattr(packed.counts, name) for name in same)
    assert packed.counts.sram_read_ifmap_bytes < plain.counts.sram_read_ifmap_bytes / 3
