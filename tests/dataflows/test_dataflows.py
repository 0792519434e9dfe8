"""The contract of a dataflow, over all that are registered and the one that docs/extend.md adds.

Clocks are held against arrays of registers in `test_fold_timing.py`; here are reads, moves, ports, estimate and the
whole machine.
"""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import accelsim
from accelsim.check.execute import check_network
from accelsim.dataflows import DATAFLOWS
from accelsim.dataflows.average import AVERAGE, EqualExtents, array_clocks, array_moves, layer_folds
from accelsim.dataflows.contract import ArrayShape, Dataflow, Dimension, FoldShape, Gemm
from accelsim.dataflows.folding import flattened, fold_sequence
from accelsim.dataflows.moving_sums import MovingSums
from accelsim.dataflows.timing import EXACT, Ports, Ratio, fold_of
from accelsim.dataflows.work import ArrayContext, array_work
from accelsim.lowering.compile import lower
from accelsim.run.gemm import run_gemm
from tests.dataflows.test_fold_timing import FLOWS, SHAPES, check_predicted, random_array, random_case, random_gemm
from tests.reference.systolic import SystolicArray
from tests.strategies import machine_of, network_of

flows = pytest.mark.parametrize("name", FLOWS)


@pytest.fixture(autouse=True)
def all_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The dataflow of docs/extend.md is one of the machine's."""
    for name, dataflow in FLOWS.items():
        monkeypatch.setitem(DATAFLOWS, name, dataflow)


def test_rows_of_the_registry_go_by_their_names() -> None:
    """A name gives the dataflow that has it, and all K, M and N something to do."""
    for name, dataflow in DATAFLOWS.items():
        assert dataflow.name == name
        assert {dataflow.rows, dataflow.cols, dataflow.streamed} == {"m", "k", "n"}


def context(name: str, array: ArrayShape, **changes: Any) -> ArrayContext:
    """An array with 8-bit operands, 32-bit sums, and ports as wide as can be but for those in `changes`, in bits."""
    wide = 1 << 20
    plain = ArrayContext(name, array, 8, 8, 8, 32, wide, wide, wide, Ratio(8, 1))
    return replace(plain, **changes)


def edges(dataflow: Dataflow) -> dict[str, str]:
    """The edge of the reference at which each operand enters."""
    north = dataflow.operand(dataflow.cols, dataflow.streamed if dataflow.sums_stay else dataflow.rows)
    return {dataflow.operand(dataflow.rows, dataflow.streamed): "west", north: "north"}


def played(name: str, gemm: Gemm, array: ArrayShape, rng: np.random.Generator) -> SystolicArray:
    """The array of registers after a product."""
    return check_predicted(random_case(rng, name, True, array, [gemm]), rng)


@flows
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(6))
def test_reads_and_moves_are_those_of_an_array_of_registers(name: str, shape: str, seed: int) -> None:
    """Operands read at each edge, results that leave, registers written with operands, sums and results, additions."""
    rng = np.random.default_rng([seed, SHAPES.index(shape), 10])
    array = random_array(rng, mac_latency=1 + seed % 3)
    gemm = random_gemm(rng, name, array, shape)
    reference, work, at = played(name, gemm, array, rng), array_work(gemm, context(name, array)), edges(FLOWS[name])
    reads = {
        "ifmap": work.ifmap_passes * gemm.groups * gemm.m * gemm.k,
        "weight": work.weight_passes * gemm.groups * gemm.k * gemm.n,
    }
    assert reads == {operand: reference.reads[edge] for operand, edge in at.items()}
    moves = work.moves._asdict()
    assert {operand: moves[operand] for operand in at} == {
        operand: reference.moves[edge] for operand, edge in at.items()
    }
    others = (moves["psum"], moves["latched"], moves["result"])
    assert others == tuple(reference.moves[what] for what in ("sum", "latched", "result"))
    assert work.outputs == gemm.groups * gemm.m * gemm.n


@flows
@pytest.mark.parametrize("shape", SHAPES)
def test_ports_pass_what_is_read_and_what_leaves(name: str, shape: str) -> None:
    """Over all folds of a product, each operand as often as it is read, and each result once."""
    rng = np.random.default_rng([SHAPES.index(shape), 11])
    array = random_array(rng, mac_latency=1)
    gemm = random_gemm(rng, name, array, shape)
    passed: Counter[str] = Counter()
    for times, fold in flattened(fold_sequence(FLOWS[name], gemm, array)):
        for phase in FLOWS[name].phases(fold, array)[:3]:
            passed.update({port: times * count for port, count in phase._asdict().items()})
    work = array_work(gemm, context(name, array))
    assert passed["ifmap"] == work.ifmap_passes * gemm.groups * gemm.m * gemm.k
    assert passed["weight"] == work.weight_passes * gemm.groups * gemm.k * gemm.n
    assert passed["ofmap"] == work.outputs == gemm.groups * gemm.m * gemm.n
    assert (passed["psum_read"], passed["psum_write"]) == (work.psum_reads, work.psum_writes)
    assert work.psum_reads == work.psum_writes


@flows
def test_a_narrow_port_takes_the_clocks_of_all_that_passes_it(name: str) -> None:
    """A port of an element a clock, for one operand or the results: as many clocks as elements, and at most those that
    the array takes without it."""
    array, gemm, byte = ArrayShape(16, 16), Gemm(1, m=64, k=64, n=64), 1 << 20
    plain = context(name, array)
    wide = array_work(gemm, plain)
    narrow = {
        "weight": (array_work(gemm, replace(plain, stored_weights=Ratio(byte))), wide.weight_passes * 64 * 64),
        "ifmap": (array_work(gemm, replace(plain, ifmap_bits=byte)), wide.ifmap_passes * 64 * 64),
        "ofmap": (array_work(gemm, replace(plain, ofmap_bits=byte)), 64 * 64),
    }
    for operand, (work, elements) in narrow.items():
        clocks = work.chain.first.load + work.chain.end
        assert elements <= clocks <= elements + wide.chain.first.load + wide.chain.end, operand


def test_rows_and_columns_exchanged() -> None:
    """m = n = 64 on 16 x 16: weights and maps are both read for each of four tiles of the other's dimension. m = 64 and
    n = 4: a fold's columns take 16 elements of the map a step, 100 steps, in four folds, one byte a clock."""
    array = ArrayShape(16, 16)
    work = array_work(Gemm(1, m=64, k=100, n=64), context("turned", array))
    assert (work.ifmap_passes, work.weight_passes) == (4, 4)
    narrow = context("turned", array, ifmap_bits=8 << 17)
    assert array_work(Gemm(1, m=64, k=100, n=4), narrow).chain.stream_cycles == 4 * 16 * 100


@pytest.mark.parametrize("seed", range(20))
def test_exchanging_rows_and_columns_is_exchanging_the_operands(seed: int) -> None:
    """A W with M along the columns takes as long and moves as much as W^T A^T with M along the rows."""
    rng = np.random.default_rng([seed, 12])
    array = random_array(rng, mac_latency=1)
    gemm = random_gemm(rng, "turned", array, str(rng.choice(SHAPES)))
    turned = array_work(gemm, context("turned", array, ifmap_bits=4, activation_port_bits=24, weight_port_bits=40))
    other = array_work(
        replace(gemm, m=gemm.n, n=gemm.m),
        context("os", array, weight_bits=4, stored_weights=Ratio(4), weight_port_bits=24, activation_port_bits=40),
    )
    assert (turned.ifmap_passes, turned.weight_passes) == (other.weight_passes, other.ifmap_passes)
    assert (turned.moves.psum, turned.moves.latched) == (other.moves.psum, other.moves.latched)
    assert turned.chain.stream_cycles == other.chain.stream_cycles


def test_sums_that_move_east_are_refused() -> None:
    """Rows and columns of a dataflow whose sums move cannot be exchanged: they would leave at the side."""
    with pytest.raises(ValueError, match="weird: rows carry k, as sums move down the columns; got n"):
        MovingSums("weird", rows="n", cols="k", streamed="m")


@flows
@pytest.mark.parametrize("seed", range(10))
def test_numbers_and_arrays_of_numbers_are_one(name: str, seed: int) -> None:
    """Phases, moves and clocks of folds, one by one and all at once."""
    rng = np.random.default_rng([seed, 13])
    array, dataflow = random_array(rng, mac_latency=2), FLOWS[name]
    sizes = [rng.integers(1, limit + 1, 50) for limit in (array.rows, array.cols, 30)]
    first, last = bool(seed % 2), bool(seed // 2 % 2)
    each = [
        FoldShape(r, c, t, 1, r * c, first, last) for r, c, t in zip(*(part.tolist() for part in sizes), strict=True)
    ]
    rows, cols, steps = sizes
    at_once = FoldShape(rows, cols, steps, 1, rows * cols, first, last)
    moves = dataflow.moves(at_once, array)
    ports = Ports(*(Ratio(8, int(width)) for width in rng.integers(1, 200, 5)))
    exact = fold_of(dataflow, at_once, array, ports, EXACT._replace(larger=np.maximum))
    average = fold_of(dataflow, at_once, array, ports, AVERAGE)
    for number, shape in enumerate(each):
        assert tuple(int(np.broadcast_to(part, 50)[number]) for part in moves) == dataflow.moves(shape, array)
        alone = fold_of(dataflow, shape, array, ports)
        for field in ("load", "stream", "drain", "tail", "skew"):
            assert np.broadcast_to(getattr(exact, field), 50)[number] == getattr(alone, field)
            assert 0 <= getattr(alone, field) - np.broadcast_to(getattr(average, field), 50)[number] < 1


@flows
@pytest.mark.parametrize("averaged", [True, False])
@pytest.mark.parametrize(
    ("tiles", "port_bits"), [((1, 1, 1), 32), ((4, 1, 2), 32), ((1, 3, 1), 4096), ((2, 3, 5), 4096)]
)
def test_the_estimate_is_what_the_array_does_where_all_folds_are_alike(
    name: str, tiles: tuple[int, int, int], port_bits: int, averaged: bool
) -> None:
    """Whole folds, in pieces along each dimension: the clocks from a fold to the next, all over, and moves."""
    dataflow, shape = FLOWS[name], ArrayShape(8, 16)
    array = context(name, shape, activation_port_bits=port_bits, weight_port_bits=port_bits)
    sizes: dict[Dimension, int] = {"m": 32, "k": 8, "n": 48}
    cuts = {
        dimension: [EqualExtents(np.array([size]), np.array([count]))]
        for (dimension, size), count in zip(sizes.items(), tiles, strict=True)
    }
    one = [EqualExtents(np.array([1]), np.array([1]))]
    folds = layer_folds(dataflow, cuts, one, shape, averaged=averaged)
    clocks, moves, (m, k, n) = 0, Counter[str](), tiles
    for piece in range(k):
        work = array_work(Gemm(1, **sizes), array, first=piece == 0, last=piece == k - 1)
        fold = work.chain.first
        clocks += m * n * work.chain.count * max(fold.load, fold.stream, 0 if k > 1 else fold.drain)
        moves.update({what: m * n * count for what, count in work.moves._asdict().items()})
    assert array_clocks(dataflow, folds, array.ports(Ratio(), Ratio(8)), shape, overlap=True).folds == clocks
    assert array_moves(dataflow, folds, shape)._asdict() == {what: [count] for what, count in moves.items()}


@flows
def test_the_machine_plays_it(name: str) -> None:
    """Each layer of a small network gives the numbers of a direct computation, K split and groups packed included."""
    machine = machine_of(sram__weight__capacity_bytes=512, sram__activation__capacity_bytes=2048)
    machine = machine.model_copy(update={"array": machine.array.model_copy(update={"dataflow": name})})
    rows: list[dict[str, Any]] = [
        {"name": "wide", "op": "conv", "kernel": 3, "pad": 1, "channels": 40},
        {"name": "grouped", "op": "conv", "kernel": 3, "pad": 1, "channels": 16, "groups": 4},
        {"name": "depthwise", "op": "dwconv", "kernel": 3, "pad": 1},
    ]
    network = network_of(rows, (10, 10, 12))
    plans = lower(network, machine).plans
    assert {plan.dataflow for plan in plans if plan} == {name}
    assert check_network(network, machine) == []


def test_results_pass_the_write_port_in_every_dataflow() -> None:
    """131072 result bytes through a port of two bytes a clock take 65536 clocks at least, in whichever order."""
    machine = machine_of()
    for name in FLOWS:
        array = machine.array.model_copy(update={"dataflow": name})
        activation = machine.sram.activation.model_copy(update={"port_bytes_per_cycle": 2})
        sram = machine.sram.model_copy(update={"activation": activation})
        run = run_gemm(4096, 8, 32, 1, machine.model_copy(update={"array": array, "sram": sram}))
        assert int(run["total_cycles"]) >= 65536


def test_no_file_but_its_own_knows_the_name_of_a_dataflow() -> None:
    """Names stand in `accelsim/dataflows` only, and where SCALE-Sim's own words are read."""
    package = Path(accelsim.__file__).parent
    for path in sorted(package.rglob("*.py")):
        if path.parent == package / "dataflows" or path == package / "importers" / "scalesim" / "configuration.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert not (isinstance(node, ast.Constant) and node.value in DATAFLOWS), f"{path}:{node.lineno}"
