"""Do the sums that pages write out, the figures drawn by hand and the cases worked by hand hold?"""

from __future__ import annotations

import csv
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from accelsim.config.load import load_machine
from accelsim.config.scheduling import Scheduling
from accelsim.lowering.compile import lower
from accelsim.operators.table import LRN_OPS_BESIDE_WINDOW, OPERATORS
from tests import larger_buffers
from tests.docs.test_commands import TEXTS
from tests.docs.test_readme import ROOT
from tests.lowering.schedule.test_schedule import MAP, ROW, SIZE, TWO, WEIGHTS, WIDE, dram_bytes, lowered_with
from tests.strategies import machine_of, network_of

SUM = re.compile(r"(?<![\w.*+/-])([0-9(][0-9 .*+/()-]*[*+/-] ?[0-9 .*+/()-]*[0-9)]) = ([0-9]+(?:\.[0-9]+)?)")
"""Such as `32 + 4*100 + 62 = 494`, on one line or two."""


def page(name: str) -> str:
    """The words of a page, lines joined."""
    return " ".join((ROOT / "docs" / name).read_text(encoding="utf-8").split())


def text_of(name: str) -> str:
    """A page with its lines."""
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_sums_come_out(path: Path) -> None:
    found = SUM.findall(" ".join(path.read_text(encoding="utf-8").split()))
    assert [(left, right) for left, right in found if eval(left) != float(right)] == []


def test_there_are_sums() -> None:
    assert sum(len(SUM.findall(" ".join(path.read_text(encoding="utf-8").split()))) for path in TEXTS) >= 20


def test_the_folds_of_a_cycle_are_drawn_where_they_are() -> None:
    """docs/cycle.md: a load, four streams of 100 cycles, a drain."""
    array, pixels, folds = load_machine("edge").array, 100, 4
    text = (ROOT / "docs" / "cycle.md").read_text(encoding="utf-8")
    (drawn,) = re.findall(r"^cycle +([\d ]+)$", text, re.MULTILINE)
    starts = [array.rows + pixels * fold for fold in range(folds + 1)]
    drain = array.rows + array.cols - 2
    assert [int(number) for number in drawn.split()] == [0, *starts, starts[-1] + drain]
    assert f"[  {drain}  ]" in text
    assert "array_cycles           494" in text
    assert starts[-1] + drain == 494


def test_a_full_round_trip_of_edge() -> None:
    """docs/dram.md: what is in flight, and the round trip that it fills."""
    machine = load_machine("edge")
    flying = machine.dma.max_outstanding_bursts * machine.dram.burst_bytes
    gigabytes = machine.dram.bytes_per_clock * machine.dram.clock_mhz / 1e3
    text = page("dram.md")
    assert (
        f"`edge` has {machine.dma.max_outstanding_bursts} bursts of {machine.dram.burst_bytes} bytes in flight" in text
    )
    assert f"{flying} bytes in each round trip" in text
    assert (
        f"With a round trip of {flying / gigabytes:.0f} ns that is all of the {gigabytes:.1f} bytes a nanosecond"
        in text
    )


def test_what_commands_of_the_dram_cost_is_what_the_runs_show() -> None:
    """docs/machine.md, section 6: the share of the cycles that a device without rows and refresh saves."""
    shown = page("machine.md").partition("take 1 % of the cycles, as a device without them shows:")[2]
    whole, ideal = (int(cycles) for cycles in re.findall(r"(\d+) cycles =", shown)[:2])
    assert f"{1 - ideal / whole:.0%}" == "1%"


def test_a_pointwise_layer_of_the_plan_does_not_fit() -> None:
    """docs/plan.md: 98 KiB of either map, 256 KiB of weights."""
    text = page("plan.md")
    assert "196 pixels, 512 input and 512 output channels, a byte each" in text
    assert f"The map in and the map out have {196 * 512 >> 10} KiB each, the weights {512 * 512 >> 10} KiB" in text
    assert f"With {load_machine('edge').sram.weight.capacity_bytes >> 10} KiB for weights" in text


def test_a_map_that_stays_in_part_moves_what_is_said() -> None:
    """docs/plan.md: an 8x8 map on 128 and then on 64 channels."""
    network, text = network_of(WIDE, SIZE), page("plan.md")
    for room, words in ((4000, "move {} bytes with 4000 bytes"), (6000, "(for `objective: energy`): {} bytes")):
        machine = machine_of(sram__activation__capacity_bytes=room, dram__burst_bytes=64)
        moved = dram_bytes(lower(network, machine, Scheduling(fusion="never", objective="energy")))
        assert words.format(moved) in text


def test_the_smallest_buffer_for_a_group_is_the_one_that_is_said() -> None:
    """docs/plan.md: and a byte less of maps or of weights sends the map between out and in."""
    text = page("plan.md")
    assert f"rows of {ROW} bytes. Two coming in, two between and two going out are {6 * ROW}" in text
    assert f"and {2 * WEIGHTS} bytes for both layers' weights, `objective: dram_bytes` moves" in text
    least = dram_bytes(lowered_with(TWO, 6 * ROW, 2 * WEIGHTS))
    assert f"moves {least} bytes, the compulsory ones" in text
    assert least == 2 * MAP + 2 * WEIGHTS
    for maps, weights in ((6 * ROW - 1, 2 * WEIGHTS), (6 * ROW, 2 * WEIGHTS - 1)):
        assert dram_bytes(lowered_with(TWO, maps, weights)) >= least + 2 * MAP


@pytest.mark.slow
def test_so_many_steps_to_a_larger_buffer_are_slower() -> None:
    """docs/sweeps.md; `python -m tests.larger_buffers` prints the sentence anew."""
    assert larger_buffers.sentence() in page("sweeps.md")


def test_operations_of_the_vector_unit_are_those_of_the_table() -> None:
    """docs/machine.md, section 4."""
    found = dict(re.findall(r"^\| ([^|]+) \| (\d)(?: \(assumed\))? \|$", text_of("machine.md"), re.MULTILINE))
    said = {
        "add (its activation included), mul, scale, relu": ("add", "mul", "scale", "relu"),
        "batch norm that could not be folded": ("bn",),
        "sigmoid, hard swish": ("sigmoid", "hardswish"),
        "softmax, GELU, layer normalisation": ("softmax", "gelu", "layernorm"),
        "copy of a concat's or shuffle's input": ("concat", "shuffle"),
    }
    assert found == {row: str(OPERATORS[names[0]].operations) for row, names in said.items()}
    for names in said.values():
        assert len({OPERATORS[name].operations for name in names}) == 1
    assert f"channels of its window + {LRN_OPS_BESIDE_WINDOW} (assumed)" in text_of("machine.md")


def test_products_of_layers_are_those_of_the_page() -> None:
    """docs/cycle.md: M, K and N of three kinds of convolution and of a fully connected layer."""
    rows = re.findall(r"^\| (?:3x3|pointwise|depthwise|fully).*\|$", text_of("cycle.md"), re.MULTILINE)
    cells = [row.strip("| ").split(" | ")[-3:] for row in rows]
    shown = [[int(cell.partition(",")[0].rpartition("=")[2]) for cell in row] for row in cells]
    size = (14, 14, 64)
    layers: list[tuple[dict[str, Any], tuple[int, int, int]]] = [
        ({"op": "conv", "kernel": 3, "pad": 1, "channels": 128}, size),
        ({"op": "conv", "kernel": 1, "channels": 128}, size),
        ({"op": "dwconv", "kernel": 3, "pad": 1}, size),
        ({"op": "fc", "channels": 1000}, (1, 1, 4096)),
    ]
    for (row, input_size), (m, k, n) in zip(layers, shown, strict=True):
        node = network_of([{"name": "layer", **row}], input_size).nodes[-1]
        groups = 64 if row["op"] == "dwconv" else 1
        assert node.macs == m * k * n * groups
        assert node.weights == k * n * groups


def test_shapes_of_shipped_machines_are_those_of_their_files() -> None:
    """docs/machines.md: of those whose row has their shape and clock."""
    rows = re.findall(r"^\| `(\w+)` \| .*?(\d+) x (\d+) at (\d+) ([GM])Hz", text_of("machines.md"), re.MULTILINE)
    assert [name for name, *_ in rows] == ["edge", "edge_tpu", "sncpu", "tiny"]
    for name, height, width, clock, prefix in rows:
        machine = load_machine(name)
        assert (machine.array.rows, machine.array.cols) == (int(height), int(width))
        assert machine.array.clock_mhz == int(clock) * {"G": 1000, "M": 1}[prefix]


def test_no_step_to_the_next_capacity_is_worse() -> None:
    """docs/lecture.md, of each network by each table: nothing rises by more than 1 %."""
    assert "No step to the next capacity moves 1 % more bytes or takes 1 % more cycles" in page("lecture.md")
    with (ROOT / "plots" / "thesis.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    steps = [
        (before, after)
        for before, after in pairwise(lines)
        if (before["energy_table"], before["network"]) == (after["energy_table"], after["network"])
    ]
    assert len(steps) == 2 * 81
    for before, after in steps:
        assert int(before["on_chip_bytes"]) < int(after["on_chip_bytes"])
        for measure in ("dram_mib_per_image", "interval_ms"):
            assert float(after[measure]) <= 1.01 * float(before[measure]), (before["network"], after["on_chip_bytes"])
