"""Rooflines: what a layer reaches, below what array, DRAM and SRAM allow (Williams et al., CACM 52(4), 2009)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, pairwise
from typing import NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from accelsim.config.machine import Machine
from accelsim.records import LayerRecord
from accelsim.report.beside import merged, write_beside
from accelsim.report.columns import Value
from accelsim.report.figure import house_style, in_decades, named
from accelsim.report.palette import BLACK, GREY, MARKERS, SERIES
from accelsim.report.plots.drawing import Drawing, RunView, title_of
from accelsim.report.quantities import digits, share_text
from accelsim.units import ceil_div

COLUMNS = ("layer", "op", "macs_per_clock", "macs_per_dram_byte", "macs_per_sram_byte")
COSTLIEST = 10
"""Layers that are named, by their clocks."""
_MOST_KINDS = 8
_WIDTH, _HEIGHT = 12.0, 5.2
_POINTS_OF_A_ROOF = 80


class Roof(NamedTuple):
    """Bytes that a memory moves in an array clock at most, and what keeps it from moving more."""

    bytes_a_clock: float
    bound_by: str


class MemoryRoofs(NamedTuple):
    """A memory, its roofs with the one that binds first, and the bytes that a layer moves through it."""

    name: str
    roofs: Sequence[Roof]
    moved: Callable[[LayerRecord], int]


def roofline(run: RunView) -> Drawing:
    """Layers with MACs: MACs a clock against MACs for each byte of DRAM, and of SRAM; the costliest have names."""
    layers = [record for record in run.records if record.counts.macs and record.total_cycles]
    sram = Roof(sram_bytes_a_clock(run.machine), "ports")
    memories = (
        MemoryRoofs("DRAM", dram_roofs(run.machine), lambda record: record.counts.dram_burst_bytes),
        MemoryRoofs("SRAM", [sram], lambda record: record.counts.sram_bytes),
    )
    costliest = sorted(layers, key=lambda record: -record.total_cycles)[:COSTLIEST]
    with house_style():
        figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
        panels = figure.subplots(1, 2, sharey=True)
        for axes, memory in zip(panels, memories, strict=True):
            _panel(axes, layers, memory, run.total.pes)
        panels[0].set_ylabel("speed (MACs per cycle)")
        figure.suptitle(title_of(run, "Roofline"))
        figure.legend(*_legend(panels[0], memories, costliest, run), loc="outside right upper", frameon=False)
        figure.draw_without_rendering()  # lays the panels out, so that names find their places
        for axes, memory in zip(panels, memories, strict=True):
            _name(axes, costliest, layers, memory.moved)
    return Drawing(figure, _rows(layers, memories), COLUMNS)


def _rows(layers: Sequence[LayerRecord], memories: Sequence[MemoryRoofs]) -> list[dict[str, Value | None]]:
    return [
        {
            "layer": record.layer,
            "op": record.op,
            "macs_per_clock": _speed(record),
            **{f"macs_per_{memory.name.lower()}_byte": _intensity(record, memory.moved) for memory in memories},
        }
        for record in layers
    ]


def dram_roofs(machine: Machine) -> list[Roof]:
    """The DRAM bus, and the engines that draw from it: bursts they issue, or have in flight over the latency.

    The one that binds, which is the lowest, stands first.
    """
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
    return sorted(roofs, key=lambda roof: roof.bytes_a_clock)


def sram_bytes_a_clock(machine: Machine) -> float:
    """Bytes that the read and write ports of all buffers can move in an array clock."""
    sram, array = machine.sram, machine.array
    accumulator = sram.accumulator.port_bytes_per_cycle or array.cols * ceil_div(array.psum_bits, 8)
    return 2 * (sram.activation.port_bytes_per_cycle + sram.weight.port_bytes_per_cycle + accumulator)


def _panel(axes: Axes, layers: Sequence[LayerRecord], memory: MemoryRoofs, peak: int) -> None:
    """The roofs, the one that binds solid and the others dashed, and the layers below them."""
    points = [(record, _intensity(record, memory.moved)) for record in layers]
    known = [intensity for _, intensity in points if intensity]
    binding = memory.roofs[0].bytes_a_clock
    ridge = peak / binding
    low, high = min([*known, ridge]) / 2, max([*known, ridge]) * 2
    axes.plot([low, ridge, high], [low * binding, peak, peak], color=BLACK, linewidth=1.5)
    for kind, colour, marker in _kinds(layers):
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
    for roof in memory.roofs[1:]:
        if (top := peak / roof.bytes_a_clock) > low:
            axes.plot([low, top], [low * roof.bytes_a_clock, peak], color=GREY, linewidth=0.8, linestyle="--")
    in_decades(axes, "x", [low, high])
    in_decades(axes, "y", [low * binding, peak, *map(_speed, layers)])
    axes.set_xlabel(f"intensity (MACs per byte of {memory.name})")
    axes.set_title(
        f"{memory.name}, its roof: {memory.roofs[0].bound_by}, {digits(binding)} bytes per cycle", fontsize=8
    )


def _kinds(layers: Sequence[LayerRecord]) -> list[tuple[str, str, str]]:
    """Kinds of operation, each with a colour and a marker."""
    kinds = dict.fromkeys(record.op for record in layers)
    return list(zip(kinds, cycle(SERIES), cycle(MARKERS), strict=False))


def _legend(
    axes: Axes, memories: Sequence[MemoryRoofs], costliest: Sequence[LayerRecord], run: RunView
) -> tuple[list[Artist], list[str]]:
    """Roofs, kinds of operation, and the costliest layers with their shares of the clocks."""
    blank = Line2D([], [], linestyle="none")
    binding = Line2D([], [], color=BLACK, linewidth=1.5)
    other = Line2D([], [], color=GREY, linewidth=0.8, linestyle="--")
    roofs = [(binding, f"roof that binds; array: {run.total.pes} MACs per cycle")]
    roofs += [
        (other, f"{memory.name} {roof.bound_by}, {digits(roof.bytes_a_clock)} bytes per cycle")
        for memory in memories
        for roof in memory.roofs[1:]
    ]
    kinds = zip(*named(*axes.get_legend_handles_labels(), _MOST_KINDS), strict=True)
    clocks = max(run.total.total_cycles, 1)
    names = [f"{record.layer}  {share_text(record.total_cycles / clocks)}" for record in costliest]
    entries = [*roofs, *kinds, (blank, "longest layers, share of the cycles:"), *((blank, name) for name in names)]
    return [handle for handle, _ in entries], [label for _, label in entries]


def _name(
    axes: Axes, costliest: Sequence[LayerRecord], layers: Sequence[LayerRecord], moved: Callable[[LayerRecord], int]
) -> None:
    """The costliest layers at their points, those at one point together, where there is room beside all points."""

    def placed(records: Sequence[LayerRecord]) -> list[tuple[tuple[float, float], str]]:
        known = ((record, _intensity(record, moved)) for record in records)
        return [((intensity, _speed(record)), record.layer) for record, intensity in known if intensity]

    points = [point for point, _ in placed(layers)]
    write_beside(axes, merged(axes, placed(costliest)), [*points, *_along(axes.lines[0])], only_where_free=True)


def _along(roof: Line2D) -> Iterator[tuple[float, float]]:
    """Points of a roof so close that no name stands on it."""
    xs, ys = (np.asarray(values, dtype=float).tolist() for values in roof.get_data())
    for (low, least), (high, most) in pairwise(zip(xs, ys, strict=True)):
        for step in range(_POINTS_OF_A_ROOF + 1):
            share = step / _POINTS_OF_A_ROOF
            yield low * (high / low) ** share, least * (most / least) ** share


def _speed(record: LayerRecord) -> float:
    return record.counts.macs / record.total_cycles


def _intensity(record: LayerRecord, moved: Callable[[LayerRecord], int]) -> float | None:
    """MACs for each byte; None where nothing moves."""
    amount = moved(record)
    return record.counts.macs / amount if amount else None
