"""The whole flow: configuration, network, program, machine, records."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate, pairwise
from operator import add
from os import PathLike

from accelsim.config.load import parse_overrides
from accelsim.config.machine import Machine
from accelsim.config.scheduling import Scheduling
from accelsim.config.workload import NetworkFile
from accelsim.dataflows.contract import DATAFLOWS
from accelsim.errors import LoweringError, Mistake, Mistakes, UserError
from accelsim.importers import PLAIN, ModelOptions
from accelsim.lowering.compile import Lowered, lower
from accelsim.machine.machine import Observer, Timeline, play
from accelsim.machine.memory.dram.statistics import DramCounts
from accelsim.machine.stalls import Cause, LayerTime, layer_times
from accelsim.network.graph import Network
from accelsim.program.commands import Buffer, Compute, Program, Store, Unit
from accelsim.program.folds import FoldChain
from accelsim.program.link import Waits, link
from accelsim.records import ActionCounts, LayerRecord, combined
from accelsim.run.define import MachineLike, NetworkLike, load_network, load_target
from accelsim.run.record import layer_record
from accelsim.run.result import Run

LOGGER = logging.getLogger("accelsim")


def simulate(
    network: NetworkLike,
    machine: MachineLike,
    settings: Mapping[str, object] | None = None,
    observers: Iterable[Observer] = (),
    *,
    mapping: str | PathLike[str] | None = None,
) -> Run:
    """Run a network on a machine, each a path, the name of a shipped file, or what `define_...` gave.

    settings: keys of the configuration to change, such as `{"array.rows": 16}`; mapping: a mapping file.
    Raises UserError for what is wrong with files or settings, or where the machine is too small for a layer.
    """
    texts = [(0, f"{key}={_yaml(value)}") for key, value in (settings or {}).items()]
    return run_network(*load_both(network, machine, texts, mapping=mapping), observers)


def _yaml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else "null" if value is None else str(value)


def load_both(
    network: NetworkLike,
    machine: MachineLike,
    settings: Iterable[tuple[int, str]] = (),
    *,
    mapping: str | PathLike[str] | None = None,
    options: ModelOptions = PLAIN,
) -> tuple[NetworkFile, Network, Machine, Scheduling]:
    """Both files with `(position, "key=value")` settings applied, checked.

    Raises UserError, with the mistakes of settings and files together.
    """
    mistakes = Mistakes()
    overrides = parse_overrides(settings, mistakes=mistakes)
    with mistakes:
        pair = load_network(network, overrides, options)
    with mistakes:
        target = load_target(machine, overrides, mapping)
    mistakes.raise_any()
    return *pair, *target


def lower_or_refuse(network: Network, machine: Machine, scheduling: Scheduling = Scheduling()) -> Lowered:
    """The tile program. Raises UserError where a layer does not fit the machine."""
    try:
        lowering = _quickest if machine.array.dataflow == "auto" else lower
        return lowering(network, machine, scheduling)
    except LoweringError as error:
        layer, _, reason = str(error).partition(": ")
        raise UserError([Mistake(machine.name, 0, "sram", f"room for layer {layer}", f"none: {reason}")]) from None


def _quickest(network: Network, machine: Machine, scheduling: Scheduling) -> Lowered:
    """With a dataflow for each layer; where clocks are the objective and that is quicker, with one for all of them.

    Raises LoweringError.
    """
    choices = [lower(network, machine, scheduling)]
    if scheduling.objective != "cycles":
        return choices[0]
    for name in DATAFLOWS:
        fixed = machine.model_copy(update={"array": machine.array.model_copy(update={"dataflow": name})})
        with suppress(LoweringError):
            choices.append(lower(network, fixed, scheduling))

    def cycles(lowered: Lowered) -> int:
        program = lowered.program
        return play(program, link(program), machine, arbitration=scheduling.arbitration).total_cycles

    return min(choices, key=cycles)


def run_network(
    workload: NetworkFile,
    network: Network,
    machine: Machine,
    scheduling: Scheduling = Scheduling(),
    observers: Iterable[Observer] = (),
) -> Run:
    """Lower, link, play, and put the records together. Raises UserError where a layer does not fit the machine."""
    return play_network(workload, network, machine, scheduling, observers).run


def run_and_timeline(
    workload: NetworkFile,
    network: Network,
    machine: Machine,
    scheduling: Scheduling = Scheduling(),
    *,
    bus_spans: bool = False,
) -> tuple[Run, Program, Timeline]:
    """The run, the program that was played, and when each of its commands was where. Raises UserError."""
    played = play_network(workload, network, machine, scheduling, bus_spans=bus_spans)
    return played.run, played.program, played.timeline


@dataclass(frozen=True, slots=True)
class Played:
    """A run and what led to it: its tile program, what each command waited for, and when it was where.

    moved: what DMA did for each layer, by inference and layer as in the program.
    """

    run: Run
    lowered: Lowered
    waits: Sequence[Waits]
    timeline: Timeline
    moved: Sequence[ActionCounts]

    @property
    def program(self) -> Program:
        """What was played."""
        return self.lowered.program


def play_network(
    workload: NetworkFile,
    network: Network,
    machine: Machine,
    scheduling: Scheduling = Scheduling(),
    observers: Iterable[Observer] = (),
    *,
    bus_spans: bool = False,
) -> Played:
    """The run with what led to it. Raises UserError where a layer does not fit the machine."""
    LOGGER.info(f"tiling {len(network.nodes)} layers of {network.name} for {machine.name}")
    lowered = lower_or_refuse(network, machine, scheduling)
    program = lowered.program
    LOGGER.info(f"playing {len(program.commands)} tile commands")
    waits = link(program)
    moved = dma_counts(program, machine.dram.burst_bytes)
    timeline = play(program, waits, machine, observers, scheduling.arbitration, bus_spans=bus_spans)
    LOGGER.info(f"pricing {timeline.total_cycles} cycles")
    times = layer_times(program, waits, timeline)
    if timeline.dram_counts is not None:
        moved = with_commands(moved, timeline.dram_counts, [time.total_cycles for time in times])
    records = tuple(_records(network, machine, lowered, times, moved))
    total = combined(records, network.name, timeline.total_cycles)
    run = Run(workload, network, machine, scheduling, records, total, _ends(times, len(network.nodes)))
    return Played(run, lowered, waits, timeline, moved)


def _ends(times: Sequence[LayerTime], layers: int) -> tuple[int, ...]:
    """Array clocks at which the inferences were done, of so many layers each."""
    ends = list(accumulate(time.total_cycles for time in times))
    return tuple(ends[layers - 1 :: layers])


def _records(
    network: Network, machine: Machine, lowered: Lowered, times: Sequence[LayerTime], moved: Sequence[ActionCounts]
) -> Iterable[LayerRecord]:
    """A record for each layer of the network, all its inferences added up."""
    bubbles = _bubbles(lowered.program, machine)
    worked = lowered.counts
    layers = len(network.nodes)
    for number, node in enumerate(network.nodes):
        mine = range(number, len(times), layers)
        measures = {
            "total_cycles": sum(times[index].total_cycles for index in mine),
            "latency_cycles": sum(times[index].latency_cycles for index in mine),
            "stream_cycles": sum(times[index].stream_cycles for index in mine),
            "stretched_cycles": sum(lowered.stretched_cycles[index] for index in mine),
            "bubble_cycles": sum(bubbles[index] for index in mine),
            "overlap_cycles": sum(times[index].overlap_cycles for index in mine),
            "vector_cycles": sum(times[index].occupied[Unit.VECTOR] for index in mine),
            "dram_bound_bytes": len(mine) * lowered.least_dram_bytes[number],
        }
        counts = reduce(add, (worked[index] + moved[index] for index in mine))
        stalls = {cause.value: sum(times[index].stalls[cause] for index in mine) for cause in Cause}
        yield layer_record(node, network.batch, machine, len(mine), counts, measures, stalls)


def _bubbles(program: Program, machine: Machine) -> list[int]:
    """Clocks between the streams of one command's folds, by layer."""
    bubbles = [0] * len(program.layers)
    for command in program.commands:
        if isinstance(command, Compute) and command.chain is not None:
            bubbles[command.layer] += bubble_cycles(command.chain, overlap=machine.array.overlap)
    return bubbles


def bubble_cycles(chain: FoldChain, *, overlap: bool) -> int:
    """Clocks between the streams of a chain's folds."""
    span = chain.span + chain.last.stream
    if not overlap:
        span = chain.serial_cycles - chain.first.load - chain.last.tail
    return span - chain.stream_cycles


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


def with_commands(moved: Sequence[ActionCounts], done: DramCounts, cycles: Sequence[int]) -> list[ActionCounts]:
    """The counts of the layers with what the DRAM did for them.

    It knows that of the whole run only: accesses and rows are shared out by the bursts of a layer, refreshes and the
    clocks of the ranks by its array clocks, so that layers add up to the run.
    """
    shares = {name: _shared(*each) for name, each in to_share(moved, done, cycles).items()}
    names, columns = list(shares), list(shares.values())
    return [
        counts + ActionCounts(**dict(zip(names, row, strict=True)))
        for counts, row in zip(moved, zip(*columns, strict=True), strict=True)
    ]


def to_share(
    moved: Sequence[ActionCounts], done: DramCounts, cycles: Sequence[int]
) -> dict[str, tuple[int, Sequence[int]]]:
    """What the DRAM did in the whole run, and by what it is shared out among the layers."""
    loads = [each.dram_read_burst_bytes for each in moved]
    stores = [each.dram_write_burst_bytes for each in moved]
    both = [each.dram_burst_bytes for each in moved]
    return {
        "dram_read_commands": (done.reads, loads),
        "dram_write_commands": (done.writes, stores),
        "dram_activates": (done.activates, both),
        "dram_turnarounds": (done.turnarounds, both),
        "dram_row_hits": (done.row_hits, both),
        "dram_row_misses": (done.row_misses, both),
        "dram_row_conflicts": (done.row_conflicts, both),
        "dram_refreshes": (done.refreshes, cycles),
        "dram_active_clocks": (done.active_clocks, cycles),
        "dram_rank_clocks": (done.rank_clocks, cycles),
    }


def _shared(total: int, weights: Sequence[int]) -> list[int]:
    """A whole number in proportion to weights, as whole numbers that add up to it."""
    whole = sum(weights) or 1
    reached = [total * weight // whole for weight in accumulate(weights, initial=0)]
    return [after - before for before, after in pairwise(reached)]


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
