"""Rooflines: what a layer reaches, below what array, DRAM and SRAM allow (Williams et al., CACM 52(4), 2009)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from accelsim.config.machine import Machine
from accelsim.records import LayerRecord
from accelsim.report.columns import Value
from accelsim.report.figure import house_style, in_decades
from accelsim.report.palette import BLACK, MARKERS, SERIES
from accelsim.report.plots.drawing import Drawing, RunView, title_of
from accelsim.units import ceil_div

COLUMNS = ("layer", "op", "macs_per_clock", "macs_per_dram_byte", "macs_per_sram_byte")


def roofline(run: RunView) -> Drawing:
    """Layers with MACs: MACs a clock against MACs for each byte of DRAM, and of SRAM."""
    layers = [record for record in run.records if record.counts.macs and record.total_cycles]
    panels = (
        ("DRAM", dram_roof(run.machine), lambda record: record.counts.dram_burst_bytes),
        (
            "SRAM",
            Roof(sram_bytes_a_clock(run.machine), "ports"),
            lambda record: record.counts.sram_bytes,
        ),
    )
    rows: list[dict[str, Value | None]] = [
        {"layer": record.layer, "op": record.op, "macs_per_clock": _speed(record)} for record in layers
    ]
    with house_style():
        figure = Figure(figsize=(10.5, 4.6), layout="constrained")
        for axes, (memory, roof, moved) in zip(figure.subplots(1, 2, sharey=True), panels, strict=True):
            _panel(axes, layers, memory, roof, moved, run.total.pes)
            for row, record in zip(rows, layers, strict=True):
                row[f"macs_per_{memory.lower()}_byte"] = _intensity(record, moved)
        figure.axes[0].set_ylabel("speed (MACs a clock)")
        figure.suptitle(title_of(run, "Roofline"))
        handles, labels = figure.axes[1].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right upper", frameon=False)
    return Drawing(figure, rows, COLUMNS)


class Roof(NamedTuple):
    """Bytes that a memory moves in an array clock at most, and what keeps it from moving more."""

    bytes_a_clock: float
    bound_by: str


def dram_roof(machine: Machine) -> Roof:
    """The DRAM bus, or the engines that draw from it: bursts they issue, or have in flight over the latency."""
    dma, dram = machine.dma, machine.dram
    ratio = dram.clock_mhz / machine.array.clock_mhz
    bus = dram.bytes_per_clock * ratio
    bursts = (dma.engines_in + dma.engines_out) * dram.burst_bytes
    round_trip = dram.latency_clocks / ratio + dram.burst_bytes / bus
    roofs = (
        Roof(bus, "bus"),
        Roof(bursts * dma.bursts_per_clock, "bursts issued"),
        Roof(bursts * dma.max_outstanding_bursts / round_trip, "bursts in flight"),
    )
    return min(roofs, key=lambda roof: roof.bytes_a_clock)


def sram_bytes_a_clock(machine: Machine) -> float:
    """Bytes that the read and write ports of all buffers can move in an array clock."""
    sram, array = machine.sram, machine.array
    accumulator = sram.accumulator.port_bytes_per_cycle or array.cols * ceil_div(array.psum_bits, 8)
    return 2 * (sram.activation.port_bytes_per_cycle + sram.weight.port_bytes_per_cycle + accumulator)


def _panel(
    axes: Axes,
    layers: list[LayerRecord],
    memory: str,
    roof: Roof,
    moved: Callable[[LayerRecord], int],
    peak: int,
) -> None:
    points = [(record, _intensity(record, moved)) for record in layers]
    known = [intensity for _, intensity in points if intensity]
    ridge = peak / roof.bytes_a_clock
    low, high = min([*known, ridge]) / 2, max([*known, ridge]) * 2
    axes.plot(
        [low, ridge, high],
        [low * roof.bytes_a_clock, peak, peak],
        color=BLACK,
        linewidth=1,
        label="what array and memory allow",
    )
    kinds = dict.fromkeys(record.op for record in layers)
    for kind, colour, marker in zip(kinds, cycle(SERIES), cycle(MARKERS), strict=False):
        mine = [(intensity, _speed(record)) for record, intensity in points if record.op == kind and intensity]
        axes.plot(
            [x for x, _ in mine],
            [y for _, y in mine],
            label=kind,
            linestyle="none",
            marker=marker,
            markersize=5,
            color=colour,
            markeredgecolor="black",
            markeredgewidth=0.3,
        )
    in_decades(axes, "x", [low, high])
    in_decades(axes, "y", [low * roof.bytes_a_clock, peak, *map(_speed, layers)])
    axes.set_xlabel(f"intensity (MACs for each byte of {memory})")
    axes.set_title(
        f"{memory}: {roof.bytes_a_clock:.4g} bytes a clock ({roof.bound_by}); array: {peak} MACs a clock", fontsize=8
    )


def _speed(record: LayerRecord) -> float:
    return record.counts.macs / record.total_cycles


def _intensity(record: LayerRecord, moved: Callable[[LayerRecord], int]) -> float | None:
    """MACs for each byte; None where nothing moves."""
    amount = moved(record)
    return record.counts.macs / amount if amount else None
