"""What is worth a look in a run: what wastes most, what would help, and an estimate of how much.

Estimates are of the parts concerned, from the closed forms that plans are chosen with; what overlaps with other layers
is left out, so a rerun with the setting can come out better or worse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple

from accelsim.config.dram import CommandDevice
from accelsim.errors import LoweringError
from accelsim.lowering.array_alone import alone_on_array
from accelsim.lowering.dataflows import DATAFLOWS, DataflowName
from accelsim.lowering.placement import Maps, place_maps
from accelsim.lowering.search import convolution_bytes
from accelsim.lowering.tiling import LayerShape, Limits
from accelsim.lowering.vector_work import on_vector_unit, ops_per_element, vector_cycles
from accelsim.network.graph import Node
from accelsim.records import LayerRecord
from accelsim.run.result import Run
from accelsim.units import packed_bytes

LOW = 0.05
"""Utilization below which a layer is worth a look, if it has this share of the clocks, too."""
THRASHING = 0.1
"""Share of DRAM bursts that find another row open."""
AGAIN = 1.25
"""Times the least bytes that a layer can move, from which on larger buffers may be worth it."""
BATCH = 8
"""Times the batch that is tried where weights are waited for."""
MOST_IDLE = 3
"""Layers that are named one by one."""


class Advice(NamedTuple):
    """What is worth a look: kind, the layers it is about, and one line that says what would help and how much."""

    kind: str
    layers: tuple[str, ...]
    text: str


def advice(run: Run) -> list[Advice]:
    """All that is worth a look in a run, the same for the same run."""
    return [found for look in _LOOKS for found in look(_Looked(run))]


class _Looked:
    """A run whose layers go with their nodes."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.machine = run.machine
        self.pairs: list[tuple[Node, LayerRecord]] = list(zip(run.network.nodes, run.records, strict=True))
        self.cycles = max(run.total.total_cycles, 1)

    def on_array(self) -> Iterator[tuple[Node, LayerRecord]]:
        """The layers that ran on the array."""
        return ((node, record) for node, record in self.pairs if not on_vector_unit(node, self.machine))

    @cached_property
    def maps(self) -> Maps:
        return place_maps(self.run.network, self.machine.array.activation_bits, scatter=self.machine.dma.scatter)

    @property
    def dataflows(self) -> Iterable[DataflowName]:
        """Those that the machine chooses from."""
        chosen = self.machine.array.dataflow
        return DATAFLOWS if chosen == "auto" else (chosen,)

    def alone(self, node: Node, dataflow: DataflowName, batch: int) -> int:
        """Clocks of a layer's folds, all data on chip."""
        array = self.machine.array.model_copy(update={"dataflow": dataflow})
        return alone_on_array(node, batch, self.machine.model_copy(update={"array": array}))


def _depthwise(looked: _Looked) -> Iterator[Advice]:
    """Depthwise layers on the array."""
    mine = [(node, record) for node, record in looked.on_array() if node.is_depthwise]
    taken = sum(record.total_cycles for _, record in mine)
    if taken < LOW * looked.cycles:
        return
    inferences, machine = len(looked.run.inference_ends), looked.machine
    batch, bits = looked.run.network.batch, machine.array.activation_bits
    instead = inferences * sum(
        vector_cycles(
            machine,
            batch * node.output.elements * ops_per_element(node),
            packed_bytes(batch * node.sizes[0].elements, bits),
            packed_bytes(batch * node.output.elements, bits),
        )
        for node, _ in mine
    )
    share = sum(record.array_macs for _, record in mine) / (looked.run.total.pes * taken)
    of_all = taken / looked.cycles
    what = f"{_layers(len(mine), 'depthwise layer')} use {share:.1%} of the array for {of_all:.1%} of the clocks"
    if instead < taken:
        helps = f"array.depthwise_on=vector would take about {instead} clocks instead of {taken}"
    else:
        helps = (
            f"the vector unit would take {instead} clocks, not the {taken} of the array: more vector.lanes would help"
        )
    yield Advice("depthwise", tuple(node.name for node, _ in mine), f"{what}; {helps}")


def _layers(count: int, what: str) -> str:
    return f"{count} {what}{'s' if count > 1 else ''}"


def _idle(looked: _Looked) -> Iterator[Advice]:
    """Other layers that leave the array idle: a batch shares weights, another dataflow fits the shape."""
    found = [
        (node, record)
        for node, record in looked.on_array()
        if not node.is_depthwise and record.utilization < LOW and record.total_cycles >= LOW * looked.cycles
    ]
    for node, record in sorted(found, key=lambda each: -each[1].total_cycles)[:MOST_IDLE]:
        share = record.total_cycles / looked.cycles
        what = f"{node.name} uses {record.utilization:.1%} of the array for {share:.1%} of the clocks"
        yield Advice("idle", (node.name,), f"{what}; {_helps(looked, node, record)}")


def _helps(looked: _Looked, node: Node, record: LayerRecord) -> str:
    """What would help a layer on the array."""
    stalls, machine, run = record.stalls, looked.machine, looked.run
    each = record.total_cycles / len(run.inference_ends) / run.network.batch
    dram = stalls["dram_ifmap"] + stalls["dram_weight"] + stalls["store"]
    if stalls["dram_weight"] > record.total_cycles / 4:
        batch = BATCH * run.network.batch
        bits = batch * (node.sizes[0].elements + node.output.elements) * machine.array.activation_bits
        bits += node.stored_weight_bits(machine.array.weight_bits)
        alone = min(looked.alone(node, name, batch) for name in looked.dataflows)
        image = max(bits / 8 / Limits.of(machine).bytes_per_cycle, alone) / batch
        return f"network.batch={batch} shares its weights: about {image:.0f} clocks an image instead of {each:.0f}"
    if dram > record.total_cycles / 2:
        return (
            f"it waits for DRAM in {dram} of its {record.total_cycles} clocks: larger buffers or a wider bus would help"
        )
    clocks = {name: looked.alone(node, name, run.network.batch) for name in DATAFLOWS}
    best, now = min(clocks, key=clocks.__getitem__), min(clocks[name] for name in looked.dataflows)
    if clocks[best] < 0.8 * now:
        return f"array.dataflow={best} would stream for about {clocks[best]} clocks instead of {now}"
    return "no dataflow would stream for less: its shape fits an array of this size badly"


def _buffers(looked: _Looked) -> Iterator[Advice]:
    """Layers that load the same again, as tiles in use and in flight have to be small."""
    found: list[tuple[float, str]] = []
    limits = Limits.of(looked.machine)
    for node, record in looked.on_array():
        if record.dram_traffic_vs_bound < AGAIN or node.pruning is not None:
            continue
        saved = _saved_by_twice(node, looked, limits)
        if 0 < saved <= record.counts.dram_burst_bytes:
            found.append((saved, node.name))
    saved = sum(each for each, _ in found)
    moved = looked.run.total.counts.dram_burst_bytes
    if saved < LOW * moved:
        return
    names = tuple(name for _, name in sorted(found, reverse=True))
    what = f"{_layers(len(found), 'layer')} load the same again as two tiles have to fit, {names[0]} most of all"
    helps = f"buffers of twice the size would move about {saved / 2**20:.2f} MiB less, of {moved / 2**20:.2f}"
    yield Advice("buffers", names, f"{what}; {helps}")


def _saved_by_twice(node: Node, looked: _Looked, limits: Limits) -> float:
    """DRAM bytes of a layer on its own, in all inferences, that buffers of twice the size would save."""
    machine = looked.machine
    ifmap, ofmap = (looked.maps.by_name[name].tensor.bits for name in (node.inputs[0], node.name))
    now = replace(limits, array=limits.array.for_layer(node, machine, ifmap, ofmap))
    twice = replace(
        now,
        activation_bytes=2 * now.activation_bytes,
        weight_bytes=2 * now.weight_bytes,
        psum_bits_half=2 * now.psum_bits_half,
    )
    shape = LayerShape.of(node, looked.run.network.batch, looked.maps)
    try:
        return len(looked.run.inference_ends) * (convolution_bytes(shape, now) - convolution_bytes(shape, twice))
    except LoweringError:
        return 0.0


def _rows(looked: _Looked) -> Iterator[Advice]:
    """DRAM rows that are closed for one another."""
    counts, device = looked.run.total.counts, looked.machine.dram
    bursts = counts.dram_row_hits + counts.dram_row_misses + counts.dram_row_conflicts
    if not isinstance(device, CommandDevice) or not bursts or counts.dram_row_conflicts < THRASHING * bursts:
        return
    each = device.clocks("t_rp") + device.clocks("t_rcd")
    share = counts.dram_row_conflicts / bursts
    what = f"{share:.1%} of the DRAM bursts find another row of their bank open ({device.address_mapping})"
    helps = f"each costs up to tRP + tRCD = {each} DRAM clocks; another dram.address_mapping may keep rows open"
    yield Advice("rows", (), f"{what}; {helps}")


_LOOKS: tuple[Callable[[_Looked], Iterator[Advice]], ...] = (_depthwise, _idle, _buffers, _rows)
