"""Do fused layers take turns, with the map between them on chip in stripes only, where that moves fewer bytes?"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from accelsim.check.execute import check_program
from accelsim.config.machine import Machine
from accelsim.config.scheduling import Scheduling
from accelsim.errors import LoweringError, UserError
from accelsim.lowering.compile import Lowered, lower
from accelsim.network.graph import Network
from accelsim.program.commands import Compute, Load, Store
from accelsim.program.link import link
from accelsim.run.simulate import load_network
from tests.played import dma_counts, tiles_on_chip
from tests.strategies import machine_of, machines, network_of, schedulings

MAP = 8 * 8 * 64
WEIGHTS = 64 * 64
ROW = 8 * 64
LARGE = 1 << 20


def convolution(name: str, kernel: int = 1, **keys: Any) -> dict[str, Any]:
    """Of 64 channels, that leaves the size of the map."""
    return {"name": name, "op": "conv", "kernel": kernel, "channels": 64, "pad": kernel // 2, **keys}


def lowered_with(
    rows: list[dict[str, Any]], maps: int, weights: int = LARGE, fusion: str = "auto", height: int = 8
) -> Lowered:
    sizes = {"sram__activation__capacity_bytes": maps, "sram__weight__capacity_bytes": weights}
    scheduling = Scheduling.model_validate({"fusion": fusion, "objective": "dram_bytes"})
    return lower(network_of(rows, (height, 8, 64)), machine_of(**sizes), scheduling)


def dram_bytes(lowered: Lowered) -> int:
    counts = dma_counts(lowered.program, 64)
    return sum(each.dram_read_bytes + each.dram_write_bytes for each in counts)


def order(lowered: Lowered) -> list[str]:
    """The layers of the computes."""
    program = lowered.program
    return [program.layers[command.layer] for command in program.commands if isinstance(command, Compute)]


@pytest.mark.parametrize(("kernel", "ring_rows"), [(1, 2), (3, 4)])
def test_two_layers_that_just_fit_are_fused_and_with_a_byte_less_are_not(kernel: int, ring_rows: int) -> None:
    """Bands of one row. In use and in flight: two of the input and two of the output. Of the map between, those that a
    row of the second layer reads (with a 3x3 kernel three) and the one that its next row reads besides."""
    least = (2 + 2 + ring_rows) * ROW
    rows = [convolution("a"), convolution("b", kernel)]
    compulsory = 2 * MAP + WEIGHTS + kernel * kernel * WEIGHTS
    assert dram_bytes(lowered_with(rows, least)) == compulsory
    for fusion, room in (("auto", least - 1), ("never", least)):
        assert dram_bytes(lowered_with(rows, room, fusion=fusion)) >= compulsory + 2 * MAP


def test_the_weights_of_both_have_to_fit() -> None:
    """They stay while the layers take turns."""
    rows = [convolution("a"), convolution("b")]
    assert dram_bytes(lowered_with(rows, 6 * ROW, 2 * WEIGHTS)) == 2 * MAP + 2 * WEIGHTS
    assert dram_bytes(lowered_with(rows, 6 * ROW, 2 * WEIGHTS - 1)) >= 4 * MAP + 2 * WEIGHTS


def test_bands_take_turns_one_ahead_and_the_map_between_takes_two_slots() -> None:
    """Eight stripes of a row each: a a b a b ... b, and of the map between two rows of SRAM in all."""
    lowered = lowered_with([convolution("a"), convolution("b")], 6 * ROW)
    assert order(lowered) == ["a", *["a", "b"] * 7, "b"]
    kept = {tile.address for tile in tiles_on_chip(lowered.program) if tile.resident}
    assert len(kept) == 2
    moved = {command.tile.tensor.name for command in lowered.program.commands if isinstance(command, (Load, Store))}
    assert "a" not in moved


def test_squeeze_and_both_expands_take_turns() -> None:
    """Both readers of a map that does not fit whole, behind one another; the concat of theirs is only addresses."""
    rows = [
        convolution("squeeze"),
        convolution("one", inputs=["squeeze"]),
        convolution("three", 3, inputs=["squeeze"]),
        {"name": "cat", "op": "concat", "inputs": ["one", "three"]},
    ]
    lowered = lowered_with(rows, (2 + 2 + 2 + 4) * ROW, height=16)
    assert order(lowered)[:6] == ["squeeze"] * 3 + ["one", "three", "squeeze"]
    assert dram_bytes(lowered) == 2 * MAP + 11 * WEIGHTS + 4 * MAP


def test_layers_are_fused_where_the_objective_allows_it() -> None:
    """In stripes of few rows these two move an eighth less and take a sixth more clocks."""
    network = network_of([{**convolution(name, 3), "channels": 32} for name in "ab"], (28, 28, 32))
    machine = machine_of(sram__activation__capacity_bytes=16 << 10)
    for objective, fused in (("cycles", set()), ("dram_bytes", {"a", "b"})):
        scheduling = Scheduling.model_validate({"objective": objective})
        assert lower(network, machine, scheduling).fused == fused
    choices = (scheduling.model_copy(update={"fusion": fusion}) for fusion in ("auto", "never"))
    moved = (dram_bytes(lower(network, machine, each)) for each in choices)
    assert next(moved) < 0.9 * next(moved)


def test_a_map_with_a_reader_elsewhere_is_not_fused() -> None:
    """The add reads it long after."""
    rows = [convolution("a"), convolution("b"), convolution("c"), {"name": "d", "op": "add", "inputs": ["a", "c"]}]
    lowered = lowered_with(rows, 6 * ROW)
    first = order(lowered)
    assert first.index("b") > max(place for place, name in enumerate(first) if name == "a")


@pytest.mark.parametrize(
    "name",
    [
        "mobilenet_v1_0.50_224",
        pytest.param("squeezenet_v1.0", marks=pytest.mark.slow),
        pytest.param("shufflenet_g3", marks=pytest.mark.slow),
    ],
)
def test_fusion_never_moves_more_bytes(name: str) -> None:
    """With an eighth of the buffers of `edge` and all of them; there MobileNet moves a third less."""
    network = load_network(name)[1]
    for share in (8, 1):
        sizes = {
            "sram__activation__capacity_bytes": (1 << 18) // share,
            "sram__weight__capacity_bytes": (1 << 17) // share,
        }
        choices = (Scheduling(), Scheduling(fusion="never"))
        auto, never = (dram_bytes(lower(network, machine_of(**sizes), each)) for each in choices)
        assert auto <= never
    assert name != "mobilenet_v1_0.50_224" or auto < 0.67 * never


@st.composite
def chains(draw: st.DrawFn) -> Network:
    """Two to five convolutions one after the other, some of them depthwise or with a second reader."""
    height, channels = draw(st.integers(8, 24)), draw(st.sampled_from([4, 8, 12]))
    rows: list[dict[str, Any]] = []
    for number in range(draw(st.integers(2, 5))):
        kernel = draw(st.sampled_from([1, 1, 3]))
        row: dict[str, Any] = {"name": f"l{number}", "kernel": kernel, "pad": draw(st.integers(0, kernel // 2))}
        row["stride"] = draw(st.sampled_from([1, 1, 2]))
        row |= {"op": "dwconv"} if draw(st.booleans()) else {"op": "conv", "channels": channels}
        rows.append(row)
    if draw(st.booleans()):
        rows += [convolution("one", inputs=["l0"]), convolution("three", 3, inputs=["l0"])]
        rows[-2:] = [{**row, "channels": channels} for row in rows[-2:]]
        rows.append({"name": "cat", "op": "concat", "inputs": ["one", "three"]})
        rows = [rows[0], *rows[-3:]]
    try:
        return network_of(rows, (height, 6, channels), batch=draw(st.sampled_from([1, 1, 2])))
    except UserError:
        assume(False)
        raise


small = machines(
    sram__weight__capacity_bytes=4000,
    sram__accumulator__capacity_bytes=8192,
    array__activation_bits=8,
    array__depthwise_on="array",
)
random_chains = settings(derandomize=True, deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))


@random_chains
@given(chains(), small, schedulings(keep_activations="auto", fusion="auto"), st.integers(200, 1200))
def test_fused_layers_compute_what_they_should_and_move_no_more(
    network: Network, machine: Machine, scheduling: Scheduling, room: int
) -> None:
    """Executed in the machine's order on poisoned memories; every MAC once; no more bytes than with `never`."""
    sram = machine.sram
    activation = sram.activation.model_copy(update={"capacity_bytes": room})
    machine = machine.model_copy(update={"sram": sram.model_copy(update={"activation": activation})})
    try:
        plain = lower(network, machine, scheduling.model_copy(update={"fusion": "never"}))
    except LoweringError:
        assume(False)
        raise
    fused = lower(network, machine, scheduling)
    assert check_program(machine, fused, link(fused.program), scheduling.arbitration) == []
    assert dram_bytes(fused) <= dram_bytes(plain)
