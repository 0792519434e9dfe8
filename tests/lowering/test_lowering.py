"""Do the programs of single layers read, write and refuse what they should?"""

from __future__ import annotations

import pytest

from accelsim.errors import LoweringError
from accelsim.lowering.compile import lower
from accelsim.program.commands import Compute
from accelsim.run.simulate import load_network, run_network
from accelsim.unit_kinds import VECTOR
from tests.strategies import machine_of, network_of


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


def test_a_layer_that_does_not_fit_is_named() -> None:
    """Half of a buffer is the most a tile may take."""
    network = network_of([{"name": "wide", "op": "softmax"}], (1, 1, 4000))
    with pytest.raises(LoweringError, match="wide: its smallest tile"):
        lower(network, machine_of(sram__activation__capacity_bytes=6000))


def test_depthwise_on_the_vector_unit_takes_the_array_no_clock() -> None:
    """When the configuration says so."""
    network = network_of([{"name": "d", "op": "dwconv", "kernel": 3, "pad": 1}], (8, 8, 16))
    workload = load_network("shufflenet_g3")[0]
    run = run_network(workload, network, machine_of(array__depthwise_on="vector"))
    assert (run.total.stream_cycles, run.total.array_macs) == (0, 0)
    assert run.totals["macs"] == run.totals["vector_ops"] == 9 * 8 * 8 * 16
    commands = lower(network, machine_of(array__depthwise_on="vector")).program.commands
    assert {command.unit for command in commands if isinstance(command, Compute)} == {VECTOR}
