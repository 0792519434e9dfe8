"""Changes that a run suggests, each with what it is about and an estimate of the clocks it saves: the ones to try."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from accelsim.config.derived import following
from accelsim.config.dram import CommandDevice
from accelsim.config.machine import Machine, inconsistencies
from accelsim.dataflows import DATAFLOWS, DataflowName
from accelsim.network.graph import Node
from accelsim.network.ops import dram_weight_bits, ops_per_element, vector_cycles
from accelsim.network.units import on_array
from accelsim.records import LayerRecord
from accelsim.run.doubled import DOUBLED, fold_cycles
from accelsim.run.result import Run
from accelsim.unit_kinds import DMA_IN, VECTOR
from accelsim.units import packed_bytes

SettingValue = str | int | bool
WORTH = 0.02
"""Share of the clocks, or of the energy, that a change has to save."""
BATCHES = 8, 4, 2
"""Times the batch that are tried where weights are waited for, the first for which there is time."""
AGAIN = 1.25
"""Times the least bytes that layers can move, from which on larger buffers may be worth it."""
SHREDDED = 0.8
"""Burst efficiency below which stores that scatter may be what shreds the bursts."""
THRASHING = 0.1
"""Ratio of DRAM bursts that find another row open."""
IDLE = 0.9
"""Times the clocks of a smaller array, from which on the larger one is hardly used."""
BESIDE = 1 / 3
"""Share of the work of a vector unit that other units do not wait for."""
IN_STRIPES = 0.75
"""Share of what patches save in whole maps that they save in stripes and tiles, whose edges cut them."""
AHEAD = 0.25
"""Share of the clocks in which the array waits for weights that loading further ahead may save."""


class Hint(NamedTuple):
    """A change to try. kind; layers it is about; settings by key; why, in words; saves: estimated share of the clocks;
    costs: what it costs elsewhere, in words."""

    kind: str
    layers: tuple[str, ...]
    settings: Mapping[str, SettingValue]
    why: str
    saves: float
    costs: str = ""


def hints(run: Run) -> list[Hint]:
    """Changes that may pay, the most promising first; the same for the same run."""
    looked = _Looked(run)
    found = [hint for look in _LOOKS for hint in look(looked)]
    return sorted((hint for hint in found if hint.saves > WORTH), key=lambda hint: -hint.saves)


def afresh(run: Run) -> str:
    """A line on weights that would fit their buffer and that a run of one inference loads; none where they do not, or
    are a small part of what is moved."""
    counts, room = run.total.counts, run.machine.sram.weight.capacity_bytes
    loaded = counts.dram_read_weight_bytes
    if len(run.inference_ends) > 1 or not WORTH * counts.dram_burst_bytes < loaded <= room:
        return ""
    return (
        f"one inference loads all weights, {loaded / 2**20:.2f} MiB, though they fit their buffer: of several, as with "
        "scheduling.inferences=8, those after the first find them there"
    )


class _Looked:
    """A run whose layers go with their nodes."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.machine = run.machine
        self.pairs: list[tuple[Node, LayerRecord]] = list(zip(run.network.nodes, run.records, strict=True))
        self.cycles = max(run.total.total_cycles, 1)

    @cached_property
    def on_array(self) -> list[tuple[Node, LayerRecord]]:
        """The layers that ran on the array."""
        return [(node, record) for node, record in self.pairs if on_array(node, self.machine)]

    def folds(self, dataflow: DataflowName, machine: Machine) -> int:
        """Clocks of the folds of all layers with a dataflow, as the SRAM ports let them, all data on chip."""
        batch = self.run.network.batch
        total = sum(fold_cycles(node, batch, machine, dataflow) for node, _ in self.on_array)
        return total * len(self.run.inference_ends)

    def weight_loads(self) -> Iterator[tuple[LayerRecord, float]]:
        """Layers on the array that have weights, and the times that these are loaded."""
        for node, record in self.on_array:
            if node.weights:
                once = packed_bytes(dram_weight_bits(node, self.machine), 1)
                yield record, record.counts.dram_read_weight_bytes / once

    @property
    def streaming(self) -> int:
        """Clocks in which the array streams."""
        return self.run.total.stream_cycles

    def sized(self, key: str, size: int) -> dict[str, SettingValue]:
        """Settings of an array with other rows or columns, and what follows it."""
        return {f"array.{key}": size, **following(self.machine, {key: size})}


def _depthwise(looked: _Looked) -> Iterator[Hint]:
    """Depthwise layers on the array: in patches there, on the vector unit, or an engine of their own."""
    mine = [(node, record) for node, record in looked.on_array if node.is_depthwise]
    taken = sum(record.stream_cycles for _, record in mine)
    if not taken:
        return
    layers = tuple(node.name for node, _ in mine)
    share = sum(record.array_macs for _, record in mine) / (looked.run.total.pes * taken)
    why = f"depthwise layers stream {taken / looked.cycles:.1%} of the cycles and use {share:.1%} of the array"
    yield from _in_patches(layers, why, taken, looked)
    yield Hint("depthwise", layers, {"array.depthwise_on": "vector"}, why, _beside(taken, looked, mine) / looked.cycles)
    if looked.machine.depthwise is not None:
        yield Hint("depthwise", layers, {"array.depthwise_on": "engine"}, why, taken / looked.cycles)
    else:
        settings: dict[str, SettingValue] = {
            "depthwise.channels": looked.machine.array.cols,
            "array.depthwise_on": "engine",
        }
        yield Hint("depthwise", layers, settings, why, 0.8 * taken / looked.cycles, "another unit")


def _in_patches(layers: tuple[str, ...], why: str, taken: int, looked: _Looked) -> Iterator[Hint]:
    """Neighbouring outputs of a channel in columns side by side, where the array can have them so."""
    machine = looked.machine
    patches = machine.model_copy(update={"array": machine.array.model_copy(update={"depthwise_packing": "patches"})})
    if patches == machine or machine.array.dataflow == "auto" or list(inconsistencies(patches)):
        return
    batch, nodes = looked.run.network.batch, [node for node, _ in looked.on_array if node.name in layers]
    now, then = (
        sum(fold_cycles(node, batch, each, machine.array.dataflow) for node in nodes) for each in (machine, patches)
    )
    saves = IN_STRIPES * (1 - then / now) * taken / looked.cycles
    yield Hint("depthwise", layers, {"array.depthwise_packing": "patches"}, why, saves)


def _beside(taken: int, looked: _Looked, mine: Sequence[tuple[Node, LayerRecord]]) -> float:
    """Clocks that the vector unit, which idles, saves by these layers: between one after the other, and at the same
    time as all else."""
    vector = sum(_on_vector_unit(node, looked) for node, _ in mine) * len(looked.run.inference_ends)
    at_once = looked.cycles - max(looked.cycles - taken, looked.run.total.busy_cycles[VECTOR.name] + vector)
    return BESIDE * at_once + (1 - BESIDE) * (taken - vector)


def _on_vector_unit(node: Node, looked: _Looked) -> int:
    batch, bits = looked.run.network.batch, looked.machine.array.activation_bits
    return vector_cycles(
        looked.machine,
        batch * node.output.elements * ops_per_element(node),
        packed_bytes(batch * node.sizes[0].elements, bits),
        packed_bytes(batch * node.output.elements, bits),
    )


def _batch(looked: _Looked) -> Iterator[Hint]:
    """Layers that use no weight twice in an image."""
    mine = [
        (node, record)
        for node, record in looked.on_array
        if node.weights and node.output.height * node.output.width == 1
    ]
    taken = sum(record.total_cycles for _, record in mine)
    if not taken:
        return
    moved = sum(record.counts.dram_read_weight_bytes for _, record in mine)
    why = f"layers that use a weight once an image take {taken / looked.cycles:.1%} of the cycles and load"
    why += f" {moved / 2**20:.2f} MiB of weights"
    for times in BATCHES:
        batch, saves = times * looked.run.network.batch, (1 - 1 / times) * taken / looked.cycles
        costs = f"{batch} images have to be there at once, and are done together"
        yield Hint("batch", tuple(node.name for node, _ in mine), {"network.batch": batch}, why, saves, costs)


def _dataflow(looked: _Looked) -> Iterator[Hint]:
    """Another dataflow, whose folds suit the shapes better."""
    now = looked.machine.array.dataflow
    if now == "auto" or not looked.on_array:
        return
    clocks = {name: looked.folds(name, looked.machine) for name in DATAFLOWS}
    best = min(clocks, key=lambda name: clocks[name])
    if best != now:
        why = f"folds of all layers take {clocks[best]} cycles with it, all data on chip, and {clocks[now]} now"
        saves = (1 - clocks[best] / clocks[now]) * looked.streaming / looked.cycles
        yield Hint("dataflow", (), {"array.dataflow": best}, why, saves)


def _resources(looked: _Looked) -> Iterator[Hint]:
    """Twice of what the run is bound by."""
    for name, saved in looked.run.total.savings.items():
        settings = _doubled(name, looked) if saved > WORTH * looked.cycles else {}
        if settings:
            held = max(looked.run.records, key=lambda record: record.savings[name])
            yield Hint("resource", (held.layer,), settings, f"{held.layer} gains most", saved / looked.cycles)


def _doubled(name: str, looked: _Looked) -> dict[str, SettingValue]:
    """Settings of the machine with a resource doubled, and what then follows its array; none where no keys say it."""
    machine = looked.machine
    changes = dict(_differences(machine.model_dump(), DOUBLED[name](machine).model_dump()))
    sizes = {key: 2 * getattr(machine.array, key) for key in ("rows", "cols") if f"array.{key}" in changes}
    return {**changes, **following(machine, sizes)}


def _differences(
    before: Mapping[str, Any], after: Mapping[str, Any], path: str = ""
) -> Iterator[tuple[str, SettingValue]]:
    """Keys with other values; none inside lists."""
    for key, value in after.items():
        if value != before[key] and isinstance(value, dict):
            yield from _differences(before[key], value, f"{path}{key}.")
        elif value != before[key] and not isinstance(value, list):
            yield f"{path}{key}", value


def _buffers(looked: _Looked) -> Iterator[Hint]:
    """Maps that a larger buffer would keep, and weights that are loaded again."""
    bits = looked.machine.array.activation_bits
    capacity = looked.machine.sram.activation.capacity_bytes
    loaded = [
        (record.counts.dram_read_ifmap_bytes, node, packed_bytes(node.sizes[0].elements, bits))
        for node, record in looked.pairs
        if node.inputs[0] not in looked.run.network.inputs and record.counts.dram_read_ifmap_bytes
    ]
    kept = [each for each in loaded if capacity // 2 < each[2] <= 2 * capacity]
    moved = max(looked.run.total.counts.dram_burst_bytes, 1)
    if kept:
        _, node, size = max(kept, key=lambda each: each[0])
        why = f"the map {node.inputs[0]}, which {node.name} reads, has {size / 1024:.0f} KiB and goes through DRAM"
        saves = sum(each[0] for each in kept) / moved / 2
        yield Hint("buffers", (node.name,), {"sram.activation.capacity_bytes": 2 * capacity}, why, saves)


def _weights(looked: _Looked) -> Iterator[Hint]:
    """Weights that are loaded again, and weights that are waited for while the engines that load them idle."""
    settings = {"sram.weight.capacity_bytes": 2 * looked.machine.sram.weight.capacity_bytes}
    again = [(record, times) for record, times in looked.weight_loads() if times > AGAIN]
    moved = max(looked.run.total.counts.dram_burst_bytes, 1)
    if again:
        most, times = max(again, key=lambda each: each[0].counts.dram_read_weight_bytes)
        twice = sum(record.counts.dram_read_weight_bytes for record, _ in again) / 2
        why = f"{most.layer} loads its weights {times:.1f} times"
        yield Hint("weights", (most.layer,), settings, why, twice / moved / 2)
    waits = looked.run.total.stalls["dram_weight"] / looked.cycles
    busy = looked.run.total.busy_cycles[DMA_IN.name] / looked.cycles / looked.machine.dma.engines_in
    most = max(looked.run.records, key=lambda record: record.stalls["dram_weight"])
    if busy < 1 - waits:
        why = (
            f"the array waits for weights in {waits:.1%} of the cycles, most for {most.layer}, while engines that load"
        )
        why += f" are busy in {busy:.1%}"
        yield Hint("ahead", (most.layer,), settings, why, AHEAD * waits)


def _scatter(looked: _Looked) -> Iterator[Hint]:
    """Stores that scatter channels in pieces shorter than bursts."""
    found = [
        record
        for _, record in looked.pairs
        if record.counts.dram_write_ofmap_bytes < SHREDDED * record.counts.dram_write_burst_bytes
    ]
    shuffles = any(node.op.is_address for node in looked.run.network.nodes)
    if not found or not shuffles or not looked.machine.dma.scatter:
        return
    counts, held_up = looked.run.total.counts, 2 * looked.run.total.savings["dram_bandwidth"] / looked.cycles
    worst = max(found, key=lambda record: record.counts.dram_write_burst_bytes)
    used = worst.counts.dram_write_ofmap_bytes / worst.counts.dram_write_burst_bytes
    why = f"stores of {worst.layer} scatter channels and fill {used:.0%} of their bursts"
    saves = (1 - counts.burst_efficiency) * min(1.0, held_up)
    yield Hint("scatter", (worst.layer,), {"dma.scatter": False}, why, saves)


def _rows(looked: _Looked) -> Iterator[Hint]:
    """DRAM rows that are closed for one another."""
    counts, device = looked.run.total.counts, looked.machine.dram
    if not isinstance(device, CommandDevice) or counts.dram_row_conflicts < THRASHING * counts.dram_row_accesses:
        return
    words = device.address_mapping.split(":")
    order = ("row", "rank", "bank", "column", "bankgroup", "pseudochannel", "channel")
    mapping = ":".join(sorted(words, key=order.index))
    share = counts.dram_row_conflicts / counts.dram_row_accesses
    if mapping != device.address_mapping:
        why = f"{share:.1%} of the DRAM bursts find another row of their bank open ({device.address_mapping})"
        yield Hint("rows", (), {"dram.address_mapping": mapping}, why, share)


def _smaller(looked: _Looked) -> Iterator[Hint]:
    """An array too large for its tiles: half of it takes about as long, and less energy and room."""
    array = looked.machine.array
    dataflow = array.dataflow
    if dataflow == "auto" or not looked.on_array:
        return
    now = looked.folds(dataflow, looked.machine)
    for key, size in (("rows", array.rows), ("cols", array.cols)):
        if size % 2 == 0:
            half = looked.machine.model_copy(update={"array": array.model_copy(update={key: size // 2})})
            clocks = looked.folds(dataflow, half)
            if IDLE * clocks < now:
                why = f"folds of all layers take {clocks} cycles on half of it, all data on chip, and {now} now"
                saves = max(WORTH + 1e-6, 1 - clocks / now)
                yield Hint("size", (), looked.sized(key, size // 2), why, saves)


_LOOKS: tuple[Callable[[_Looked], Iterator[Hint]], ...] = (
    *(_depthwise, _batch, _dataflow, _resources, _buffers, _weights, _scatter, _rows, _smaller),
)
