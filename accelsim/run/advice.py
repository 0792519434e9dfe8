"""Advice on a run: what wastes most, what would help, and an estimate of how much.

Estimates are of the parts concerned, from the closed forms that plans are chosen with; what overlaps with other layers
is left out, so a rerun with the setting can come out better or worse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple

from accelsim.config.dram import CommandDevice
from accelsim.dataflows import DATAFLOWS, DataflowName
from accelsim.dataflows.work import array_work
from accelsim.errors import LoweringError
from accelsim.lowering.ir import NO_RESIDENTS, Layout, TilingContext
from accelsim.network.array import layer_product
from accelsim.network.graph import Node
from accelsim.network.ops import on_array, ops_per_element, vector_cycles
from accelsim.network.placement import engine_cycles
from accelsim.records import LayerRecord
from accelsim.run.result import Run
from accelsim.units import packed_bytes

LOW = 0.05
"""Utilization below which a layer is worth a look, if it has this share of the clocks, too."""
THRASHING = 0.1
"""Ratio of DRAM bursts that find another row open."""
AGAIN = 1.25
"""Times the least bytes that a layer can move, from which on larger buffers may be worth it."""
BATCH = 8
"""Times the batch that is tried where weights are waited for."""
CLEARLY = 0.8
"""Times the clocks of now, below which another dataflow or batch is named."""
MOST_IDLE = 3
"""Layers that are named one by one."""


class Advice(NamedTuple):
    """A piece of advice: kind, the layers it is about, and one line that says what would help and how much."""

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
        return ((node, record) for node, record in self.pairs if on_array(node, self.machine))

    @cached_property
    def layout(self) -> Layout:
        from accelsim.lowering.compile import layout_of

        return layout_of(self.run.network, self.machine)

    @cached_property
    def loaded_per_clock(self) -> float:
        """Bytes that the DMA engines load at most in an array clock: bus, issue, bursts in flight."""
        context = TilingContext.of(self.machine)
        return context.burst_bytes / context.dma_cycles(context.burst_bytes)

    def bytes_moved(self, node: Node, batch: int) -> float:
        """DRAM bytes of a layer, its input being on chip already where half of the buffer holds it."""
        source = node.inputs[0]
        size = packed_bytes(batch * node.sizes[0].elements, self.layout.by_name[source].tensor.bits)
        may_stay = self.run.scheduling.keep_activations == "auto"
        may_stay = may_stay and size <= self.machine.sram.activation.capacity_bytes // 2
        residents = {source: node.sizes[0].channels} if may_stay else NO_RESIDENTS
        from accelsim.lowering.compile import dram_bytes, layer_alone

        return dram_bytes(*layer_alone(node, self.machine, self.run.scheduling, batch, self.layout, residents))

    def on_chip(self, node: Node, batch: int) -> dict[DataflowName, int]:
        """Clocks of a layer's folds with each dataflow, as the SRAM ports let them, all data on chip."""
        product, array = layer_product(node, batch, self.machine)
        chains = {name: array_work(product, replace(array, dataflow=name)).chain for name in DATAFLOWS}
        overlap = self.machine.array.overlap
        return {
            name: chain.first.load + chain.end if overlap else chain.serial_cycles for name, chain in chains.items()
        }

    def on_chip_now(self, node: Node, batch: int) -> int:
        """Clocks with the machine's dataflow."""
        clocks, chosen = self.on_chip(node, batch), self.machine.array.dataflow
        return min(clocks.values()) if chosen == "auto" else clocks[chosen]


def _depthwise(looked: _Looked) -> Iterator[Advice]:
    """Depthwise layers on the array."""
    mine = [(node, record) for node, record in looked.on_array() if node.is_depthwise]
    taken = sum(record.total_cycles for _, record in mine)
    if taken < LOW * looked.cycles:
        return
    unit, instead = _instead(looked, [node for node, _ in mine])
    share = sum(record.array_macs for _, record in mine) / (looked.run.total.pes * taken)
    of_all = taken / looked.cycles
    use = _counted(len(mine), "depthwise layer", "use")
    what = f"{use} {share:.1%} of the array for {of_all:.1%} of the clocks"
    if instead < taken:
        helps = f"array.depthwise_on={unit} would take about {instead} clocks instead of {taken}"
    else:
        helps = (
            f"the vector unit would take {instead} clocks, not the {taken} of the array: more vector.lanes would help"
        )
    yield Advice("depthwise", tuple(node.name for node, _ in mine), f"{what}; {helps}")


def _instead(looked: _Looked, nodes: Sequence[Node]) -> tuple[str, int]:
    """The unit beside the array on which depthwise layers take the fewest clocks, and these."""
    machine, batch, bits = looked.machine, looked.run.network.batch, looked.machine.array.activation_bits
    clocks = {
        "vector": sum(
            vector_cycles(
                machine,
                batch * node.output.elements * ops_per_element(node),
                packed_bytes(batch * node.sizes[0].elements, bits),
                packed_bytes(batch * node.output.elements, bits),
            )
            for node in nodes
        )
    }
    if machine.depthwise is not None:
        with suppress(LoweringError):
            clocks["engine"] = sum(engine_cycles(node, batch, machine) for node in nodes)
    unit = min(clocks, key=lambda name: clocks[name])
    return unit, len(looked.run.inference_ends) * clocks[unit]


def _use(record: LayerRecord) -> float:
    """MACs of a layer over what the PEs could have done in its own clocks."""
    return record.array_macs / (record.pes * record.total_cycles) if record.total_cycles else 0.0


def _counted(count: int, what: str, does: str) -> str:
    return f"{count} {what}s {does}" if count > 1 else f"{count} {what} {does}s"


def _idle(looked: _Looked) -> Iterator[Advice]:
    """Other layers that leave the array idle: a batch shares weights, another dataflow fits the shape."""
    found = [
        (node, record)
        for node, record in looked.on_array()
        if not node.is_depthwise and _use(record) < LOW and record.total_cycles >= LOW * looked.cycles
    ]
    for node, record in sorted(found, key=lambda each: -each[1].total_cycles)[:MOST_IDLE]:
        share = record.total_cycles / looked.cycles
        what = f"{node.name} uses {_use(record):.1%} of the array for {share:.1%} of the clocks"
        yield Advice("idle", (node.name,), f"{what}; {_helps(looked, node, record)}")


def _helps(looked: _Looked, node: Node, record: LayerRecord) -> str:
    """Helps for a layer on the array."""
    stalls = record.stalls
    dram = record.dram_stall_cycles
    once = node.weights > 0 and node.output.height * node.output.width == 1  # no weight is used twice in an image
    if once and stalls["dram_weight"] > record.total_cycles / 4:
        return _batch_helps(looked, node, record)
    if dram > record.total_cycles / 2:
        return (
            f"it waits for DRAM in {dram} of its {record.total_cycles} clocks: larger buffers or a wider bus would help"
        )
    batch = looked.run.network.batch
    loading = node.stored_weight_bits(looked.machine.array.weight_bits) / 8 / looked.loaded_per_clock
    now = looked.on_chip_now(node, batch)
    clocks = {name: max(each, round(loading)) for name, each in looked.on_chip(node, batch).items()}
    best = min(clocks, key=clocks.__getitem__)
    if clocks[best] < CLEARLY * now:
        return f"array.dataflow={best} would take about {clocks[best]} clocks an inference instead of {now}"
    if once and looked.on_chip_now(node, BATCH * batch) < CLEARLY * BATCH * now:
        return _batch_helps(looked, node, record)
    if record.stretched_cycles > record.total_cycles / 2:
        return f"SRAM ports hold it up in {record.stretched_cycles} of its {record.total_cycles} clocks"
    return "no dataflow or batch would do much better: its shape fits an array of this size badly"


def _batch_helps(looked: _Looked, node: Node, record: LayerRecord) -> str:
    """Clocks of a larger batch: its loads or the array, whichever is longer."""
    run = looked.run
    each = record.total_cycles / len(run.inference_ends) / run.network.batch
    batch = BATCH * run.network.batch
    try:
        moving = looked.bytes_moved(node, batch) / looked.loaded_per_clock
    except LoweringError:
        return "its weights are used once an image, and a larger batch does not fit"
    image = max(moving, looked.on_chip_now(node, batch)) / batch
    return f"network.batch={batch} shares its weights: about {image:.0f} clocks an image instead of {each:.0f}"


def _buffers(looked: _Looked) -> Iterator[Advice]:
    """Layers that load the same again, as tiles in use and in flight have to be small."""
    found: list[tuple[float, str]] = []
    for node, record in looked.on_array():
        if record.dram_traffic_vs_bound < AGAIN or node.pruning is not None:
            continue
        saved = _saved_by_twice(node, looked)
        if 0 < saved <= record.counts.dram_burst_bytes:
            found.append((saved, node.name))
    saved = sum(each for each, _ in found)
    moved = looked.run.total.counts.dram_burst_bytes
    if not found or saved < LOW * moved:
        return
    names = tuple(name for _, name in sorted(found, reverse=True))
    again = _counted(len(found), "layer", "load")
    what = f"{again} the same again as two tiles have to fit, {names[0]} most of all"
    helps = f"buffers of twice the size would move about {saved / 2**20:.2f} MiB less, of {moved / 2**20:.2f}"
    yield Advice("buffers", names, f"{what}; {helps}")


def _saved_by_twice(node: Node, looked: _Looked) -> float:
    """DRAM bytes of a layer on its own, in all inferences, that buffers of twice the size would save."""
    from accelsim.lowering.compile import dram_bytes, layer_alone

    task, now = layer_alone(node, looked.machine, looked.run.scheduling, looked.run.network.batch, looked.layout)
    twice = replace(
        now,
        activation_bytes=2 * now.activation_bytes,
        weight_bytes=2 * now.weight_bytes,
        psum_bits_half=2 * now.psum_bits_half,
    )
    try:
        return len(looked.run.inference_ends) * (dram_bytes(task, now) - dram_bytes(task, twice))
    except LoweringError:
        return 0.0


def _rows(looked: _Looked) -> Iterator[Advice]:
    """DRAM rows that are closed for one another."""
    counts, device = looked.run.total.counts, looked.machine.dram
    bursts = counts.dram_row_accesses
    if not isinstance(device, CommandDevice) or not bursts or counts.dram_row_conflicts < THRASHING * bursts:
        return
    each = device.clocks("t_rp") + device.clocks("t_rcd")
    share = counts.dram_row_conflicts / bursts
    what = f"{share:.1%} of the DRAM bursts find another row of their bank open ({device.address_mapping})"
    helps = f"each costs up to tRP + tRCD = {each} DRAM clocks; another dram.address_mapping may keep rows open"
    yield Advice("rows", (), f"{what}; {helps}")


_LOOKS: tuple[Callable[[_Looked], Iterator[Advice]], ...] = (_depthwise, _idle, _buffers, _rows)
