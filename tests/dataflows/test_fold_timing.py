"""The closed form of fold timing against arrays simulated register by register (docs/machine.md sections 2 and 3).

Two ways to the same number:

- *searched*: the reference finds the earliest legal schedule by itself, by trying clocks from the earliest on and
  having each rejected until one is not; the closed form must end when it does, and begin every chain when it does;
- *predicted*: the start clock of every fold comes from `Pipeline`; the reference must play them without a collision, to
  the right product and to the same last clock.

Either way the whole schedule with one load or one stream a clock earlier, chosen at random, must be rejected.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from accelsim.dataflows import DATAFLOWS
from accelsim.dataflows.contract import ArrayShape, Dataflow, FoldShape, Gemm
from accelsim.dataflows.folding import array_cycles, chain_of, fold_sequence
from accelsim.dataflows.output import OutputStationary
from accelsim.dataflows.timing import Ports, Ratio, fold_of
from accelsim.machine.pipeline import Passage, Pipeline
from accelsim.program.folds import Fold as FoldTiming
from accelsim.program.folds import FoldChain, single
from tests.reference import systolic
from tests.reference.systolic import (
    WIDE,
    CollisionError,
    Fold,
    FoldClocks,
    Roles,
    SystolicArray,
    array_of,
    cut,
    earliest_schedule,
    play,
    split_steps,
)

FLOWS: dict[str, Dataflow] = {
    **DATAFLOWS,
    "turned": OutputStationary("turned", rows="n", cols="m", streamed="k"),
}
"""The registered dataflows, and the one that docs/extend.md adds."""

STAYING_SUMS = [name for name, dataflow in FLOWS.items() if dataflow.sums_stay]

machines = pytest.mark.parametrize(
    ("dataflow", "overlap", "mac_latency"),
    [
        pytest.param(
            dataflow, overlap, mac_latency, id=f"{dataflow}-{'overlap' if overlap else 'serial'}-L{mac_latency}"
        )
        for dataflow in FLOWS
        for overlap in (False, True)
        for mac_latency in range(1, 6)
    ],
)


@dataclass(frozen=True)
class Chain:
    """Folds that become ready together, and what the simulator takes them for."""

    folds: tuple[Fold, ...]
    timing: FoldChain
    stationary_ready_cycle: int = 0
    operands_ready_cycle: int = 0


@dataclass(frozen=True)
class Case:
    """Chains through one array, and the flat result of them all."""

    dataflow: str
    overlap: bool
    array: ArrayShape
    chains: tuple[Chain, ...]
    result: np.ndarray
    ports: systolic.Ports = systolic.ALL_WIDE

    @property
    def folds(self) -> list[Fold]:
        return [fold for chain in self.chains for fold in chain.folds]

    def reference(self) -> SystolicArray:
        array = self.array
        roles = roles_of(FLOWS[self.dataflow])
        return array_of(roles, array.rows, array.cols, array.mac_latency, self.overlap, self.folds, self.ports)


def roles_of(dataflow: Dataflow) -> Roles:
    """What the reference is told of a dataflow."""
    return Roles(dataflow.rows, dataflow.cols, dataflow.streamed)


def timing_of(case: Case, fold: Fold) -> FoldTiming:
    """What the simulator takes one fold of the reference for."""
    pes = int(fold.at_work.sum())
    shape = FoldShape(fold.rows, fold.cols, fold.steps, packed=1, pes=pes, last_k=not fold.steps_after)
    dataflow = FLOWS[case.dataflow]
    return fold_of(dataflow, shape, case.array, ports_of(dataflow, case.ports))


def ports_of(dataflow: Dataflow, ports: systolic.Ports) -> Ports:
    """The ports of the reference as the simulator knows them, by what passes and not by where."""
    edges = {dataflow.operand(dataflow.rows, dataflow.streamed): Ratio(*ports.west)}
    edges[dataflow.operand(dataflow.cols, dataflow.streamed)] = Ratio(*ports.north)
    wide = Ratio(*WIDE)
    return Ports(edges.get("ifmap", wide), edges.get("weight", wide), Ratio(*ports.results), wide, wide)


def passages(pipeline: Pipeline, chains: Sequence[Chain]) -> Iterator[Passage]:
    """The chains through `pipeline`, each as soon as it lets them."""
    for chain in chains:
        load_begin = pipeline.load_begin(chain.stationary_ready_cycle)
        yield pipeline.passage(chain.timing, load_begin, chain.operands_ready_cycle)


def predicted_schedule(case: Case) -> list[FoldClocks]:
    """The start clocks of a `Pipeline` that takes every fold as a chain of its own."""
    alone = [
        replace(chain, folds=(fold,), timing=single(timing_of(case, fold)))
        for chain in case.chains
        for fold in chain.folds
    ]
    return [FoldClocks(passed.load_begin, passed.start) for passed in passages(Pipeline(case.overlap), alone)]


def assert_chains_pass_as_predicted(case: Case, schedule: Sequence[FoldClocks], played: SystolicArray) -> None:
    """The product is right, and each chain, taken as a whole, begins and ends in the clocks that `Pipeline` gives."""
    np.testing.assert_array_equal(played.result, case.result)
    pipeline, last = Pipeline(case.overlap), -1
    for chain, passed in zip(case.chains, passages(pipeline, case.chains), strict=True):
        first, last = last + 1, last + len(chain.folds)
        assert passed.start == schedule[first].stream
        assert passed.last_start == schedule[last].stream
        assert passed.stream_end == schedule[last].stream + chain.timing.last.stream
        if not FLOWS[case.dataflow].sums_stay:
            assert passed.load_begin == schedule[first].load
        if not chain.folds[-1].steps_after:
            assert passed.end == played.left_cycle[first : last + 1].max()
    assert pipeline.last_out == played.left_cycle.max()


def assert_rejected(case: Case, schedule: Sequence[FoldClocks], fold: int, part: str) -> None:
    """The load or the stream of a fold cannot begin one clock earlier."""
    earlier = list(schedule)
    earlier[fold] = earlier[fold]._replace(**{part: getattr(earlier[fold], part) - 1})
    with pytest.raises(CollisionError):
        play(case.reference(), earlier)


def parts(case: Case) -> tuple[str, ...]:
    return ("stream",) if FLOWS[case.dataflow].sums_stay else ("load", "stream")


def check(case: Case, schedule: Sequence[FoldClocks], rng: np.random.Generator) -> SystolicArray:
    """The schedule is legal, as predicted, and cannot be earlier."""
    played = play(case.reference(), schedule)
    assert_chains_pass_as_predicted(case, schedule, played)
    assert_rejected(case, schedule, int(rng.integers(len(schedule))), rng.choice(parts(case)))
    return played


def check_searched(case: Case, rng: np.random.Generator) -> SystolicArray:
    """The earliest schedule there is begins and ends as predicted."""
    return check(case, earliest_schedule(case.reference()), rng)


def check_predicted(case: Case, rng: np.random.Generator) -> SystolicArray:
    """The predicted schedule is legal and earliest."""
    return check(case, predicted_schedule(case), rng)


def random_array(rng: np.random.Generator, mac_latency: int, largest: int = 8) -> ArrayShape:
    return ArrayShape(int(rng.integers(2, largest + 1)), int(rng.integers(2, largest + 1)), mac_latency)


SHAPES = ("one group", "one step", "packed groups", "large groups")


def random_gemm(rng: np.random.Generator, dataflow: str, array: ArrayShape, shape: str, tiles: int = 3) -> Gemm:
    """A product of up to `tiles` x `tiles` folds of up to 7 * `tiles` steps; several groups where `shape` says so."""
    groups = 1
    rows, cols = int(rng.integers(1, tiles * array.rows + 1)), int(rng.integers(1, tiles * array.cols + 1))
    steps = 1 if shape == "one step" else int(rng.integers(1, 7 * tiles + 1))
    if shape == "packed groups":
        groups = int(rng.integers(2, 8))
        rows, cols = int(rng.integers(1, array.rows // 2 + 1)), int(rng.integers(1, array.cols // 2 + 1))
    if shape == "large groups":
        groups = 2
        rows, cols = array.rows + int(rng.integers(0, 3)), int(rng.integers(1, array.cols + 3))
    roles = FLOWS[dataflow]
    return Gemm(groups=groups, **{roles.rows: rows, roles.cols: cols, roles.streamed: steps})


def random_case(
    rng: np.random.Generator,
    dataflow: str,
    overlap: bool,
    array: ArrayShape,
    gemms: Sequence[Gemm],
    late: int = 0,
    ports: systolic.Ports = systolic.ALL_WIDE,
) -> Case:
    """Random operands for `gemms`, one chain each, ready at random up to `late` clocks after the one before."""
    chains, results, base, ready = [], [], 0, 0
    widths = ports_of(FLOWS[dataflow], ports)
    for gemm in gemms:
        a = rng.integers(-99, 100, (gemm.groups, gemm.m, gemm.k))
        w = rng.integers(-99, 100, (gemm.groups, gemm.k, gemm.n))
        ready += int(rng.integers(late + 1))
        stationary_ready, operands_ready = (ready + int(rng.integers(late + 1)) for _ in range(2))
        stationary_ready *= not FLOWS[dataflow].sums_stay
        folds = tuple(
            replace(fold, stationary_ready_cycle=stationary_ready, operands_ready_cycle=operands_ready)
            for fold in cut(roles_of(FLOWS[dataflow]), a, w, array.rows, array.cols, base)
        )
        sequence = fold_sequence(FLOWS[dataflow], gemm, array)
        timing = chain_of(sequence, lambda shape: fold_of(FLOWS[dataflow], shape, array, widths))
        chains.append(Chain(folds, timing, stationary_ready, operands_ready))
        results.append((a @ w).ravel())
        base += results[-1].size
    return Case(dataflow, overlap, array, tuple(chains), np.concatenate(results), ports)


def random_sequence(
    rng: np.random.Generator, dataflow: str, overlap: bool, mac_latency: int, count: int, late: int
) -> Case:
    """`count` products of different shapes one after the other."""
    array = random_array(rng, mac_latency, largest=6)
    gemms = [random_gemm(rng, dataflow, array, str(rng.choice(SHAPES)), tiles=2) for _ in range(count)]
    return random_case(rng, dataflow, overlap, array, gemms, late)


def split_case(case: Case, rng: np.random.Generator, cut_probability: float = 0.3) -> Case:
    """The same with K cut at random: each piece of a sum arrives as a chain of its own."""
    chains: list[Chain] = []
    for chain in case.chains:
        for fold in chain.folds:
            cuts = np.flatnonzero(rng.random(fold.steps - 1) < cut_probability) + 1
            pieces = split_steps(fold, np.diff([0, *cuts, fold.steps]).tolist())
            chains += [replace(chain, folds=(piece,), timing=single(timing_of(case, piece))) for piece in pieces]
    return replace(case, chains=tuple(chains))


@pytest.mark.parametrize(
    ("dataflow", "mac_latency", "gemm", "serial_cycles", "overlap_cycles"),
    [
        # One full fold of a 2 x 3 array, four steps: 2 to load, then the last step's last product is made
        # 3 + 1 + 2 clocks after the first, in a clock of its own.
        ("ws", 1, Gemm(1, m=4, k=2, n=3), 9, 9),
        ("is", 1, Gemm(1, m=3, k=2, n=4), 9, 9),
        # Each of the two rows takes two clocks more.
        ("ws", 3, Gemm(1, m=4, k=2, n=3), 13, 13),
        # The last product is in after 4 + 1 + 2 clocks, two rows drain in two.
        ("os", 1, Gemm(1, m=2, k=4, n=3), 9, 9),
        ("os", 3, Gemm(1, m=2, k=4, n=3), 11, 11),
        # Two folds: the second streams right behind the first, whose load it followed.
        ("ws", 1, Gemm(1, m=4, k=4, n=3), 18, 13),
        # One step each: the second fold waits for its load, or for the drain chain.
        ("ws", 1, Gemm(1, m=1, k=4, n=3), 12, 8),
        ("os", 1, Gemm(1, m=4, k=1, n=3), 12, 8),
    ],
)
def test_counted_by_hand(dataflow: str, mac_latency: int, gemm: Gemm, serial_cycles: int, overlap_cycles: int) -> None:
    """Products small enough to count on paper, on 2 x 3 PEs."""
    array = ArrayShape(2, 3, mac_latency)
    for overlap, cycles in (False, serial_cycles), (True, overlap_cycles):
        rng = np.random.default_rng(0)
        case = random_case(rng, dataflow, overlap, array, [gemm])
        assert check_searched(case, rng).left_cycle.max() == cycles
        assert array_cycles(FLOWS[dataflow], gemm, array, overlap=overlap) == cycles


@machines
@pytest.mark.parametrize("shape", SHAPES)
def test_searched_gemm(dataflow: str, overlap: bool, mac_latency: int, shape: str) -> None:
    """`array_cycles` is the clock count of the earliest schedule (searched)."""
    rng = np.random.default_rng([mac_latency, SHAPES.index(shape), 1])
    array = random_array(rng, mac_latency, largest=6)
    gemm = random_gemm(rng, dataflow, array, shape, tiles=2)
    played = check_searched(random_case(rng, dataflow, overlap, array, [gemm]), rng)
    assert played.left_cycle.max() == array_cycles(FLOWS[dataflow], gemm, array, overlap=overlap)


@machines
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(2))
def test_predicted_gemm(dataflow: str, overlap: bool, mac_latency: int, shape: str, seed: int) -> None:
    """`array_cycles` is the clock count of a legal schedule, of which no fold can be earlier (predicted)."""
    rng = np.random.default_rng([seed, mac_latency, SHAPES.index(shape), 2])
    array = random_array(rng, mac_latency)
    gemm = random_gemm(rng, dataflow, array, shape)
    played = check_predicted(random_case(rng, dataflow, overlap, array, [gemm]), rng)
    assert played.left_cycle.max() == array_cycles(FLOWS[dataflow], gemm, array, overlap=overlap)


@machines
@pytest.mark.parametrize("late", [0, 20])
def test_searched_sequence(dataflow: str, overlap: bool, mac_latency: int, late: int) -> None:
    """Chains of different streams, with data on chip or late, follow each other as closely as they can (searched)."""
    rng = np.random.default_rng([mac_latency, late, 3])
    check_searched(random_sequence(rng, dataflow, overlap, mac_latency, count=2, late=late), rng)


@machines
@pytest.mark.parametrize("late", [0, 20])
@pytest.mark.parametrize("seed", range(2))
def test_predicted_sequence(dataflow: str, overlap: bool, mac_latency: int, late: int, seed: int) -> None:
    """Longer sequences of chains, with data on chip or late (predicted)."""
    rng = np.random.default_rng([seed, mac_latency, late, 4])
    check_predicted(random_sequence(rng, dataflow, overlap, mac_latency, count=5, late=late), rng)


def random_k_split(rng: np.random.Generator, dataflow: str, overlap: bool, mac_latency: int, late: int) -> Case:
    array = random_array(rng, mac_latency, largest=6)
    shapes = ("one group", "one step", "one group", "packed groups")
    gemms = [random_gemm(rng, dataflow, array, shape, tiles=1) for shape in shapes]
    return split_case(random_case(rng, dataflow, overlap, array, gemms, late), rng)


def test_only_the_last_piece_of_a_sum_waits_for_the_drain_chain() -> None:
    """With four rows, one-step sums latch four clocks apart: the first of two pieces need not wait for that."""
    rng = np.random.default_rng(0)
    gemms = [Gemm(1, m=4, k=1, n=1), Gemm(1, m=4, k=2, n=1)]
    whole = random_case(rng, "os", True, ArrayShape(4, 1), gemms)
    case = split_case(whole, rng, cut_probability=1.0)
    assert [clocks.stream for clocks in earliest_schedule(case.reference())] == [0, 1, 4]
    assert [passed.start for passed in passages(Pipeline(overlap=True), case.chains)] == [0, 1, 4]


@pytest.mark.parametrize("dataflow", STAYING_SUMS)
@pytest.mark.parametrize("overlap", [False, True])
@pytest.mark.parametrize("mac_latency", range(1, 6))
@pytest.mark.parametrize("late", [0, 20])
def test_searched_k_split(dataflow: str, overlap: bool, mac_latency: int, late: int) -> None:
    """Pieces of K whose sums stay in the accumulators follow without a drain; only the last one needs it (searched)."""
    rng = np.random.default_rng([mac_latency, late, 5])
    check_searched(random_k_split(rng, dataflow, overlap, mac_latency, late), rng)


@pytest.mark.parametrize("dataflow", STAYING_SUMS)
@pytest.mark.parametrize("overlap", [False, True])
@pytest.mark.parametrize("mac_latency", range(1, 6))
@pytest.mark.parametrize("seed", range(4))
def test_predicted_k_split(dataflow: str, overlap: bool, mac_latency: int, seed: int) -> None:
    """The same, with longer sequences (predicted)."""
    rng = np.random.default_rng([seed, mac_latency, 6])
    check_predicted(random_k_split(rng, dataflow, overlap, mac_latency, late=10 * seed), rng)


def random_ports(rng: np.random.Generator, array: ArrayShape) -> systolic.Ports:
    """Each port from an element in several clocks to as wide as can be, in widths that are no whole elements."""
    elements = rng.choice([0.4, 1, 1.7, 0.6 * array.cols, array.cols, 0], 3)
    return systolic.Ports(*((8, round(8 * each)) if each else WIDE for each in elements))


def random_case_behind_ports(
    rng: np.random.Generator, dataflow: str, overlap: bool, mac_latency: int, count: int
) -> Case:
    array = random_array(rng, mac_latency, largest=6)
    gemms = [random_gemm(rng, dataflow, array, str(rng.choice(SHAPES)), tiles=2) for _ in range(count)]
    return random_case(rng, dataflow, overlap, array, gemms, late=10, ports=random_ports(rng, array))


@pytest.mark.parametrize("dataflow", STAYING_SUMS)
@pytest.mark.parametrize(
    ("port_bits", "last", "left"),
    [
        # 2 x 3 sums after two steps, latched in clock 3: the rows leave in clocks 3 and 4, and two clocks later from
        # the third column.
        (24, 6, [0, 2]),
        # A row takes two clocks, so a fold's rows two each: the next latches four clocks later.
        (12, 8, [0, 4]),
        # Six sums through a port of five bits a clock: 48 bits take ten clocks.
        (5, 14, [0, 10]),
    ],
)
def test_results_through_a_write_port_counted_by_hand(
    dataflow: str, port_bits: int, last: int, left: list[int]
) -> None:
    """Two folds of two steps on 2 x 3 PEs, results of 8 bits."""
    rows, cols = FLOWS[dataflow].rows, FLOWS[dataflow].cols
    gemm = Gemm(1, **{rows: 4, cols: 3, "k": 2})
    ports = systolic.Ports(results=(8, port_bits))
    rng = np.random.default_rng(0)
    case = random_case(rng, dataflow, True, ArrayShape(2, 3), [gemm], ports=ports)
    schedule = earliest_schedule(case.reference())
    assert [clocks.stream for clocks in schedule] == left
    assert list(check(case, schedule, rng).left_cycle) == [last + 1 + begin for begin in left]


@pytest.mark.parametrize("dataflow", STAYING_SUMS)
@pytest.mark.parametrize("overlap", [False, True])
@pytest.mark.parametrize("mac_latency", range(1, 4))
@pytest.mark.parametrize("seed", range(4))
def test_searched_behind_ports(dataflow: str, overlap: bool, mac_latency: int, seed: int) -> None:
    """Operands come, and results leave, as read and write ports let them (searched)."""
    rng = np.random.default_rng([seed, mac_latency, 7])
    check_searched(random_case_behind_ports(rng, dataflow, overlap, mac_latency, count=2), rng)


@pytest.mark.parametrize("dataflow", STAYING_SUMS)
@pytest.mark.parametrize("overlap", [False, True])
@pytest.mark.parametrize("mac_latency", range(1, 4))
@pytest.mark.parametrize("seed", range(8))
def test_predicted_behind_ports(dataflow: str, overlap: bool, mac_latency: int, seed: int) -> None:
    """The same, with longer sequences, and sums cut along K (predicted)."""
    rng = np.random.default_rng([seed, mac_latency, 8])
    case = random_case_behind_ports(rng, dataflow, overlap, mac_latency, count=4)
    check_predicted(split_case(case, rng) if seed % 2 else case, rng)
