"""A network lowered, linked and played: the records of its layers, and what led to them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import reduce
from itertools import accumulate, pairwise, starmap
from operator import add

from accelsim.config.machine import Machine
from accelsim.config.scheduling import Scheduling
from accelsim.dataflows import DATAFLOWS
from accelsim.errors import LoweringError, Mistake, PlanError, UserError
from accelsim.lowering.compile import Lowered, lower, lowered_or_error
from accelsim.machine.accounting import LayerAccount
from accelsim.machine.clock import Observer
from accelsim.machine.doubling import Clocks
from accelsim.machine.machine import Outcome, link_for, play
from accelsim.machine.memory import CacheCounts
from accelsim.machine.memory.dram.statistics import DramCounts
from accelsim.machine.stalls import Segment
from accelsim.network.graph import Network
from accelsim.network.placement import placed
from accelsim.program.link import Linked
from accelsim.records import BUSY, RESOURCES, STALL_CAUSES, ActionCounts, LayerRecord
from accelsim.run.doubled import chain_ratios
from accelsim.run.outlook import announce_history, announce_planning, announce_run
from accelsim.run.record import layer_record
from accelsim.unit_kinds import UNIT_KINDS

LOGGER = logging.getLogger("accelsim")


@dataclass(slots=True)
class History:
    """All of a run that is otherwise forgotten as the clock passes.

    linked: commands in order, with when each was where; segments: what went on in the clocks of the run, in order.
    """

    linked: list[Linked] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)

    def keeping(self, linked: Iterable[Linked]) -> Iterator[Linked]:
        """The commands of a stream, each kept."""
        for each in linked:
            self.linked.append(each)
            yield each

    def on_segment(self, segment: Segment) -> None:
        """Keep a segment."""
        self.segments.append(segment)


@dataclass(frozen=True, slots=True)
class Performance:
    """A network that was played, and what led to its records.

    network: with the units of its layers; moved: by DMA for each layer, by inference and layer as in the program;
    history: if it was requested.
    """

    network: Network
    lowered: Lowered
    outcome: Outcome
    moved: Sequence[ActionCounts]
    history: History
    records: tuple[LayerRecord, ...]
    inference_ends: tuple[int, ...]


def perform(
    network: Network,
    machine: Machine,
    scheduling: Scheduling,
    observers: Iterable[Observer] = (),
    *,
    keep_history: bool = False,
    saves: bool = True,
) -> Performance:
    """Lower, link and play, and put the records together; without `saves` nothing is known of what twice a resource
    saves, which takes less time. Raises UserError where a layer does not fit the machine."""
    LOGGER.info(f"tiling {len(network.nodes)} layers of {network.name} for {machine.name}")
    announce_planning(network)
    network = placed(network, machine, scheduling.objective)
    lowered = lower_or_refuse(network, machine, scheduling)
    announce_run(lowered, machine, scheduling.inferences)
    if keep_history:
        announce_history(lowered)
    LOGGER.info(f"playing {len(lowered.program.layers)} layers")
    history = History()
    with refusing(machine, scheduling):
        chains = chain_ratios(lowered, machine) if saves else ()
        outcome = _play(lowered, machine, scheduling, observers, history if keep_history else None, chains)
    LOGGER.info(f"pricing {outcome.total_cycles} cycles")
    moved = [account.moved for account in outcome.layers]
    if outcome.dram_counts is not None:
        moved = with_commands(moved, outcome.dram_counts, [account.total_cycles for account in outcome.layers])
    records = tuple(_records(network, machine, scheduling.inferences, lowered, outcome.layers, moved))
    return Performance(
        network,
        lowered,
        outcome,
        moved,
        history,
        records,
        _ends(outcome.layers, len(outcome.layers) // scheduling.inferences),
    )


def lower_or_refuse(network: Network, machine: Machine, scheduling: Scheduling = Scheduling()) -> Lowered:
    """The tile program, of several the quickest. Raises UserError where a layer does not fit the machine."""
    with refusing(machine, scheduling):
        first, *others = _choices(network, machine, scheduling)
        if not others:
            return first
        return min((first, *others), key=lambda each: _play(each, machine, scheduling).total_cycles)


@contextmanager
def refusing(machine: Machine, scheduling: Scheduling) -> Iterator[None]:
    """A layer that does not fit the machine is the user's mistake, and so is a plan that does not."""
    try:
        yield
    except PlanError as error:
        assert scheduling.plan is not None
        raise UserError(starmap(scheduling.plan.mistake, error.faults)) from None
    except LoweringError as error:
        layer, _, reason = str(error).partition(": ")
        raise UserError([Mistake(machine.name, 0, "sram", f"room for layer {layer}", f"none: {reason}")]) from None


def _choices(network: Network, machine: Machine, scheduling: Scheduling) -> Iterator[Lowered]:
    """The program; where the dataflow of each layer is free and clocks are the objective, also those with one dataflow
    for all of them that fit.

    Raises LoweringError.
    """
    yield lower(network, machine, scheduling)
    if machine.array.dataflow == "auto" and scheduling.objective == "cycles":
        for name in DATAFLOWS:
            fixed = machine.model_copy(update={"array": machine.array.model_copy(update={"dataflow": name})})
            found = lowered_or_error(network, fixed, scheduling)
            if isinstance(found, Lowered):
                yield found


def _play(
    lowered: Lowered,
    machine: Machine,
    scheduling: Scheduling,
    observers: Iterable[Observer] = (),
    history: History | None = None,
    chains: Sequence[Clocks] = (),
) -> Outcome:
    program, arbitration = lowered.program, scheduling.arbitration
    linked = link_for(program, machine, scheduling)
    if history is None:
        return play(program, linked, machine, observers, arbitration, chains=chains)
    kept, on_segment = history.keeping(linked), history.on_segment
    return play(program, kept, machine, observers, arbitration, on_segment, chains, bus_spans=True)


def _ends(accounts: Sequence[LayerAccount], layers: int) -> tuple[int, ...]:
    """Array clocks at which the inferences were done, of `layers` layers each, all blocks of the batch counted."""
    ends = list(accumulate((account.end_cycle for account in accounts), max))
    return tuple(ends[layers - 1 :: layers])


def _records(
    network: Network,
    machine: Machine,
    inferences: int,
    lowered: Lowered,
    accounts: Sequence[LayerAccount],
    moved: Sequence[ActionCounts],
) -> Iterable[LayerRecord]:
    """A record for each layer of the network, all its inferences added up."""
    layers = len(network.nodes)
    for number, node in enumerate(network.nodes):
        mine = range(number, len(accounts), layers)
        own = [accounts[index] for index in mine]
        measures = {
            "total_cycles": sum(account.total_cycles for account in own),
            "latency_cycles": sum(account.latency_cycles for account in own),
            "stream_cycles": sum(account.stream_cycles for account in own),
            "stretched_cycles": sum(account.stretched_cycles for account in own),
            "bubble_cycles": sum(account.bubble_cycles for account in own),
            **{f"{name}_cycles": sum(account.occupied[UNIT_KINDS[name]] for account in own) for name in BUSY},
            "dram_bound_bytes": inferences * lowered.least_dram_bytes[number],
        }
        counts = reduce(add, (accounts[index].counts + moved[index] for index in mine))
        stalls = {cause: sum(account.stalls[cause] for account in own) for cause in STALL_CAUSES}
        *doubled, now = map(sum, zip(*(account.doubled for account in own), strict=True))
        savings = {name: round(now - each) for name, each in zip(RESOURCES, doubled, strict=True)}
        group = lowered.groups[number]
        more = savings, _met(machine, own)
        yield layer_record(node, network.batch, machine, inferences, group, counts, measures, stalls, *more)


def _met(machine: Machine, accounts: Sequence[LayerAccount]) -> dict[str, int]:
    """Hits, misses and lines written back of each cache of a machine."""
    return {
        f"{cache.name}_{what}": sum(getattr(account.caches[place], what) for account in accounts if account.caches)
        for place, cache in enumerate(machine.caches or ())
        for what in CacheCounts._fields
    }


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
    """Work of the DRAM in the whole run, and by what it is shared out among the layers."""
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
