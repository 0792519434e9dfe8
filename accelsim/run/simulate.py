"""The whole flow: configuration, network, program, machine, records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike, fspath

from accelsim.config.load import Override, load_machine, load_workload, parse_overrides
from accelsim.config.machine import Machine
from accelsim.config.workload import NetworkFile
from accelsim.energy.price import price
from accelsim.errors import LoweringError, Mistake, Mistakes, UserError
from accelsim.lowering.lower import Lowered, lower
from accelsim.lowering.vector_work import on_vector_unit
from accelsim.machine.machine import Observer, Timeline, play
from accelsim.machine.stalls import LayerTime, layer_times
from accelsim.network.build import build
from accelsim.network.graph import Network
from accelsim.program.commands import Buffer, Compute, Program, Store, Unit
from accelsim.program.link import link
from accelsim.records import ActionCounts, LayerRecord, combined, total_counts
from accelsim.run.result import Run


def simulate(
    network: str | PathLike[str],
    machine: str | PathLike[str],
    settings: Mapping[str, object] | None = None,
    observers: Iterable[Observer] = (),
) -> Run:
    """Run a network on a machine, each a path or the name of a shipped file.

    settings: keys of the configuration to change, such as `{"array.rows": 16}`.
    Raises UserError for what is wrong with files or settings, or where the machine is too small for a layer.
    """
    texts = [(0, f"{key}={_yaml(value)}") for key, value in (settings or {}).items()]
    workload, graph, built = load_both(fspath(network), fspath(machine), texts)
    return run_network(workload, graph, built, observers)


def _yaml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else "null" if value is None else str(value)


def load_both(
    network: str, machine: str, settings: Iterable[tuple[int, str]] = ()
) -> tuple[NetworkFile, Network, Machine]:
    """Both files with `(position, "key=value")` settings applied, checked.

    Raises UserError, with the mistakes of settings and files together.
    """
    mistakes = Mistakes()
    overrides = parse_overrides(settings, mistakes=mistakes)
    with mistakes:
        pair = load_network(network, overrides)
    with mistakes:
        loaded = load_machine(machine, overrides)
    mistakes.raise_any()
    return *pair, loaded


def load_network(network: str, overrides: Sequence[Override] = ()) -> tuple[NetworkFile, Network]:
    """A network file as written and as a graph. What it expects is checked unless layers or input were overridden.

    Raises UserError.
    """
    workload, document = load_workload(network, overrides)
    return workload, build(workload, document)


def lower_or_refuse(network: Network, machine: Machine) -> Lowered:
    """The tile program. Raises UserError where a layer does not fit the machine."""
    try:
        return lower(network, machine)
    except LoweringError as error:
        layer, _, reason = str(error).partition(": ")
        raise UserError([Mistake(machine.name, 0, "sram", f"room for layer {layer}", f"none: {reason}")]) from None


def run_network(workload: NetworkFile, network: Network, machine: Machine, observers: Iterable[Observer] = ()) -> Run:
    """Lower, link, play, and put the records together. Raises UserError where a layer does not fit the machine."""
    lowered = lower_or_refuse(network, machine)
    program = lowered.program
    waits = link(program)
    moved = dma_counts(program, machine.dram.burst_bytes)
    timeline = play(program, waits, machine, observers)
    times = layer_times(program, waits, timeline)
    records = tuple(_records(network, machine, lowered, times, moved))
    return Run(workload, network, machine, records, _total(network, machine, records, timeline))


def _records(
    network: Network, machine: Machine, lowered: Lowered, times: Sequence[LayerTime], moved: Sequence[ActionCounts]
) -> Iterable[LayerRecord]:
    bubbles = _bubbles(lowered.program, machine)
    for index, node in enumerate(network.nodes):
        time, counts = times[index], lowered.counts[index] + moved[index]
        yield LayerRecord(
            layer=node.name,
            op=node.label,
            kind=node.kind,
            stage=node.stage,
            weights=node.weights,
            counts=counts,
            energy=price(counts, time.total_cycles, machine),
            pes=machine.array.rows * machine.array.cols,
            array_macs=0 if on_vector_unit(node, machine) else counts.macs,
            total_cycles=time.total_cycles,
            latency_cycles=time.latency_cycles,
            stream_cycles=time.stream_cycles,
            stretched_cycles=lowered.stretched_cycles[index],
            bubble_cycles=bubbles[index],
            overlap_cycles=time.overlap_cycles,
            vector_cycles=time.occupied[Unit.VECTOR],
            stalls={cause.value: cycles for cause, cycles in time.stalls.items()},
        )


def _total(network: Network, machine: Machine, records: Sequence[LayerRecord], timeline: Timeline) -> LayerRecord:
    cycles = timeline.total_cycles
    return combined(records, network.name, price(total_counts(records), cycles, machine), cycles)


def _bubbles(program: Program, machine: Machine) -> list[int]:
    """Clocks between the streams of one command's folds, by layer."""
    bubbles = [0] * len(program.layers)
    for command in program.commands:
        if isinstance(command, Compute) and command.chain is not None:
            chain = command.chain
            span = chain.span + chain.last.stream
            if not machine.array.overlap:
                span = chain.serial_cycles - chain.first.load - chain.last.tail
            bubbles[command.layer] += span - chain.stream_cycles
    return bubbles


def dma_counts(program: Program, burst_bytes: int) -> list[ActionCounts]:
    """What the DMA engines moved for each layer, in DRAM and in SRAM."""
    counts = [ActionCounts()] * len(program.layers)
    for command in program.commands:
        if isinstance(command, Compute):
            continue
        tile = command.tile
        parts = tile.descriptors
        requested = sum(part.requested_bytes for part in parts)
        bursts = sum(part.bursts(burst_bytes) for part in parts) * burst_bytes
        counts[command.layer] += _moved(command.tile.buffer, isinstance(command, Store), requested, bursts, len(parts))
    return counts


def _moved(buffer: Buffer, store: bool, requested: int, bursts: int, parts: int) -> ActionCounts:
    if store:
        return ActionCounts(
            sram_read_ofmap_bytes=requested,
            dram_write_ofmap_bytes=requested,
            dram_write_burst_bytes=bursts,
            dma_descriptors=parts,
        )
    if buffer is Buffer.WEIGHT:
        return ActionCounts(
            sram_write_weight_bytes=requested,
            dram_read_weight_bytes=requested,
            dram_read_burst_bytes=bursts,
            dma_descriptors=parts,
        )
    return ActionCounts(
        sram_write_ifmap_bytes=requested,
        dram_read_ifmap_bytes=requested,
        dram_read_burst_bytes=bursts,
        dma_descriptors=parts,
    )
