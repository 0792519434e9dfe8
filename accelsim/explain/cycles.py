"""The clocks of a layer in terms (docs/machine.md sections 2, 4 and 8)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from accelsim.dataflows.contract import FoldShape
from accelsim.dataflows.folding import chain_of, flattened
from accelsim.dataflows.timing import TIMINGS, fold_of
from accelsim.dataflows.work import ONE_OUTPUT
from accelsim.explain.evidence import Evidence
from accelsim.explain.terms import Term, alike, total
from accelsim.machine.stalls import PathPhase, Segment
from accelsim.network.depthwise import EnginePiece, depthwise_work
from accelsim.network.units import on_array
from accelsim.program.commands import Compute, Load
from accelsim.program.folds import bubble_cycles
from accelsim.records import STALL_CAUSES
from accelsim.report.columns import COLUMNS, WHAT_IFS
from accelsim.run.alone import folds_alone
from accelsim.unit_kinds import DEPTHWISE, VECTOR, UnitKind
from accelsim.units import ceil_div

STALL_WORDS = {
    column.name.removeprefix("stall_").removesuffix("_cycles"): column.meaning
    for column in COLUMNS
    if column.name.startswith("stall_")
} | {"fill_drain": "the array's own loads, drains and tails"}
"""Words for what the array waits for, by cause."""


def total_cycles(evidence: Evidence) -> Term:
    """Own streams, and idle clocks of the array by cause."""
    stalls = (stall_cycles(evidence, cause) for cause in STALL_CAUSES)
    note = "cycles of the run in which the array streams for it, or is idle while its next stream waits"
    return total("total_cycles", (stream_cycles(evidence), *stalls), note)


def stream_cycles(evidence: Evidence) -> Term:
    """Folds times clocks, what SRAM ports add, and what is between folds."""
    return total("streams of its folds", (*_folds(evidence), *_bubbles(evidence)))


def _folds(evidence: Evidence) -> Iterator[Term]:
    yield from _streams((times, shape) for times, shape, _, _ in evidence.folds())
    longer: Counter[tuple[int, int, int, int]] = Counter()
    for times, shape, fold, steps in evidence.folds():
        if fold.stream > steps:
            longer[shape.rows, shape.cols, steps, fold.stream] += times
    for (rows, cols, steps, stream), times in longer.items():
        words = f"SRAM ports: folds of {rows} x {cols} PEs take {stream} cycles for {steps}"
        yield Term(words, times * (stream - steps), factors=((times, "folds"), (stream - steps, "cycles")))


def _streams(folds: Iterable[tuple[int, FoldShape]]) -> Iterator[Term]:
    """Folds times clocks, SRAM ports ignored."""
    found: Counter[tuple[int, int, int]] = Counter()
    for times, shape in folds:
        found[shape.rows, shape.cols, shape.steps] += times
    for (rows, cols, steps), times in found.items():
        yield Term(f"folds of {rows} x {cols} PEs", times * steps, factors=((times, "folds"), (steps, "cycles")))


def _bubbles(evidence: Evidence) -> list[Term]:
    overlaps = evidence.machine.array.overlap
    words = "between folds: loads or drains longer than the streams they hide behind"
    words = words if overlaps else "between folds: loads and tails, as folds do not overlap"
    between = (
        (words, bubble_cycles(compute.chain, overlap=overlaps), "")
        for compute in evidence.computes
        if compute.chain is not None
    )
    return alike(between, "pieces", "cycles")


def stall_cycles(evidence: Evidence, cause: str) -> Term:
    """Idle clocks of the array with one cause, by what was on the path."""
    waits: dict[str, list[int]] = {}
    for segment in evidence.clocks:
        if segment.cause == cause:
            waits.setdefault(_on_the_path(evidence, segment), []).append(segment.high - segment.low)
    parts = (
        Term(words, sum(clocks), note=f"in {len(clocks)} waits" if len(clocks) > 1 else "")
        for words, clocks in waits.items()
    )
    return total(STALL_WORDS[cause], parts, _rows(evidence) if cause in ("dram_ifmap", "dram_weight", "store") else "")


def _rows(evidence: Evidence) -> str:
    """Hits, misses and conflicts of the rows of a DRAM at command granularity."""
    if evidence.played.outcome.dram_counts is None:
        return ""
    counts = evidence.record.counts
    hits, misses, conflicts = counts.dram_row_hits, counts.dram_row_misses, counts.dram_row_conflicts
    return f"its bursts, by share of the run: {hits} row hits, {misses} row misses, {conflicts} row conflicts"


def _on_the_path(evidence: Evidence, segment: Segment) -> str:
    """Waits of the array: what went on, of which command, of which layer."""
    if segment.command < 0:
        return str(PathPhase.NONE)
    program = evidence.played.program
    command = evidence.command_of(segment)
    layer = "" if command.layer in evidence.layers else f" for {program.layers[command.layer]}"
    if isinstance(command, Compute):
        return f"{segment.phase}{layer}"
    verb = "load" if isinstance(command, Load) else "store"
    return f"{segment.phase}: {verb} of {command.tile.tensor.name}{layer}"


def latency_cycles(evidence: Evidence) -> Term:
    """From the first command to the last, inference by inference."""
    parts = []
    for layer in evidence.layers:
        mine = [task for command, task in evidence.commands if command.layer == layer]
        if mine:
            first, last = min(task.begin for task in mine), max(task.done for task in mine)
            parts.append(Term("its last command is done at clock", last))
            parts.append(Term("less the clock at which its first begins", -first))
    return total("latency_cycles", parts)


def array_busy_cycles(evidence: Evidence) -> Term:
    """Streams, and what fills and drains the array."""
    return total("array_busy_cycles", (stream_cycles(evidence), stall_cycles(evidence, "fill_drain")))


def array_cycles(evidence: Evidence) -> Term:
    """First load, streams, what is between them, and the way out; or all folds one after the other."""
    node, machine = evidence.node, evidence.machine
    if not on_array(node, machine):
        return Term("array_cycles", 0)
    dataflow, array, sequence = folds_alone(node, evidence.played.run.network.batch, machine)
    chain = chain_of(sequence, lambda shape: fold_of(dataflow, shape, array))
    between = bubble_cycles(chain, overlap=machine.array.overlap)
    last = chain.end - chain.stream_cycles - between if machine.array.overlap else chain.last.tail
    clocks = [
        Term("the first load", chain.first.load),
        *_streams(flattened(sequence)),
        Term("between folds: loads, drains or tails that do not hide behind streams", between),
        Term("until the last output is out of the array", last),
        Term("less the cycles that SCALE-Sim does not count", -node.groups * TIMINGS[array.timing].uncounted),
    ]
    images = len(evidence.played.run.inference_ends)
    note = f"{dataflow.name}, all data on chip" + (f"; {images} inferences, each the same" if images > 1 else "")
    return total("array_cycles", clocks * images, note)


def dma_cycles(evidence: Evidence, unit: UnitKind) -> Term:
    """Descriptors of its transfers, and the issue of their bursts."""
    mine = [(command, task) for command, task in evidence.commands if task.role.unit is unit]
    setup = evidence.machine.dma.setup_cycles
    parts = sum(len(command.tile.descriptors) for command, _ in mine if not isinstance(command, Compute))
    words = "bursts issued, no more in flight than may be, and turns waited for under program_order"
    issue = sum(task.free - task.begin for _, task in mine) - parts * setup
    setting_up = Term("descriptors set up", parts * setup, factors=((parts, "descriptors"), (setup, "cycles")))
    return total(f"{unit.name}_cycles", (setting_up, Term(words, issue)))


def piece_cycles(evidence: Evidence, unit: UnitKind) -> Term:
    """Pieces times clocks, of a unit that works on them."""
    note = _NOTES.get(unit)
    amounts = [
        (f"pieces on the {unit.title}", compute.unit_cycles, note(evidence, compute) if note else "")
        for compute in evidence.computes
        if compute.unit is unit
    ]
    return total(f"{unit.name}_cycles", alike(amounts, "pieces", "cycles"))


def _vector_note(evidence: Evidence, compute: Compute) -> str:
    machine, counts = evidence.machine, compute.actions
    lanes, port = machine.vector.lanes, machine.sram.activation.port_bytes_per_cycle
    read, written = counts.sram_read_ifmap_bytes, counts.sram_write_ofmap_bytes
    clocks = {
        f"{counts.vector_ops} operations / {lanes} lanes": ceil_div(counts.vector_ops, lanes),
        f"{read} bytes read / {port}": ceil_div(read, port),
        f"{written} bytes written / {port}": ceil_div(written, port),
    }
    return f"the longest of {', '.join(f'{words} = {count}' for words, count in clocks.items())}"


def _engine_note(evidence: Evidence, compute: Compute) -> str:
    machine, task = evidence.machine, evidence.task
    assert task is not None
    assert machine.depthwise is not None
    weight_bits = 8 * compute.actions.sram_read_weight_bytes
    done = depthwise_work(EnginePiece(evidence.node, compute.work, task[1].array, weight_bits), machine)
    passes = ceil_div(compute.work.channels.size, machine.depthwise.channels)
    return (
        f"{passes} x {machine.depthwise.channels} channels, each {done.positions} positions of the padded map and "
        f"{done.outputs} outputs in {done.steps} steps, or what the SRAM ports take; the first weights before"
    )


_NOTES: dict[UnitKind, Callable[[Evidence, Compute], str]] = {VECTOR: _vector_note, DEPTHWISE: _engine_note}
"""Source of the clocks of a piece, where more is to be said than their number."""


def saved_cycles(evidence: Evidence, resource: str) -> Term:
    """Clocks now, less those of the replay with a resource twice as good."""
    now, saved = evidence.record.total_cycles, evidence.record.savings[resource]
    less = Term(f"less those that the replay gives it if {WHAT_IFS[resource]}", saved - now)
    return total(f"saved_by_twice_{resource}_cycles", (Term("its cycles", now), less))


def lost_pe_cycles(evidence: Evidence, cause: str) -> Term:
    """PEs times the clocks lost to a cause; PEs that folds leave idle for `mapping`."""
    name = f"lost_{cause}_pe_cycles"
    match cause:
        case "mapping":
            return total(name, _idle_pes(evidence))
        case "sram_port":
            clocks = [term for term in _folds(evidence) if term.words.startswith("SRAM ports")]
        case "fill_drain":
            clocks = [*_bubbles(evidence), stall_cycles(evidence, "fill_drain")]
        case _:
            clocks = [stall_cycles(evidence, cause)]
    pes = evidence.record.pes
    return total(
        name,
        (Term(term.words, pes * int(term.value), factors=((pes, "PEs"), (term.value, "cycles"))) for term in clocks),
    )


def _idle_pes(evidence: Evidence) -> Iterator[Term]:
    pes, record = evidence.record.pes, evidence.record
    idle: Counter[tuple[int, int, int, int]] = Counter()
    for times, shape, _, steps in evidence.folds():
        idle[shape.rows, shape.cols, shape.packed, steps] += times
    at_work = 0
    for (rows, cols, packed, steps), times in idle.items():
        busy = rows * cols // packed
        at_work += times * steps * busy
        words = f"folds of {rows} x {cols} PEs" + (f", {packed} groups block-diagonally" if packed > 1 else "")
        factors = ((times, "folds"), (steps, "cycles"), (pes - busy, "PEs without work"))
        yield Term(words, times * steps * (pes - busy), factors=factors)
    yield Term(_at_work_for_nothing(evidence), at_work - record.array_macs)


def _at_work_for_nothing(evidence: Evidence) -> str:
    patch = evidence.task[1].array.patch if evidence.task else ONE_OUTPUT
    if patch == ONE_OUTPUT:
        return "columns whose nonzero weights are fewer than the fullest's"
    return f"PEs with a zero beside the taps of an output, in patches of {patch.rows} x {patch.cols}"
