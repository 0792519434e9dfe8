"""Are folds and actions of a product those of plain loops?"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.dataflows import DataflowName
from accelsim.dataflows.contract import ArrayShape, Gemm
from accelsim.dataflows.timing import Ratio
from accelsim.dataflows.work import ArrayContext, array_work

quick = settings(max_examples=200)


def array_of(dataflow: DataflowName, rows: int, cols: int, **ports: int) -> ArrayContext:
    wide = 1 << 20
    return ArrayContext(
        dataflow=dataflow,
        shape=ArrayShape(rows, cols, 1),
        ifmap_bits=8,
        ofmap_bits=8,
        weight_bits=8,
        psum_bits=32,
        activation_port_bits=ports.get("activation", wide),
        weight_port_bits=ports.get("weight", wide),
        accumulator_port_bits=ports.get("accumulator", wide),
        stored_weights=Ratio(8, 1),
    )


def plain_counts(dataflow: str, gemm: Gemm, rows: int, cols: int) -> dict[str, int]:
    """Every fold, pack and operand looped over."""
    extents = {
        "ws": (gemm.k, gemm.n, gemm.m),
        "is": (gemm.k, gemm.m, gemm.n),
        "os": (gemm.m, gemm.n, gemm.k),
    }
    row_extent, col_extent, steps = extents[dataflow]
    fits = row_extent <= rows and col_extent <= cols
    pack = min(rows // row_extent, cols // col_extent, gemm.groups) if fits else 1
    names = (
        "folds",
        "weights",
        "psum_r",
        "psum_w",
        "out",
        "act_hops",
        "weight_hops",
        "psum_hops",
        "latched",
        "result_hops",
    )
    counts = dict.fromkeys(names, 0)
    for start in range(0, gemm.groups, pack):
        packed = min(pack, gemm.groups - start)
        for col in range(0, col_extent, cols):
            c = min(cols, col_extent - col)
            for row in range(0, row_extent, rows):
                r = min(rows, row_extent - row)
                counts["folds"] += 1
                for group in range(packed):
                    base = group * r
                    west = steps * sum(base + i for i in range(r))
                    north = sum(group * c + j for j in range(c))
                    south = sum(cols - 1 - group * c - j for j in range(c))
                    if dataflow == "os":
                        counts["weights"] += c * steps
                        counts["act_hops"] += r * steps * c + west
                        counts["weight_hops"] += c * steps * r + steps * north
                        counts["result_hops"] += r * south
                        counts["out"] += r * c
                        counts["latched"] += r * c * steps
                        counts["psum_hops"] += sum(c * (rows - base - i) for i in range(r))
                        continue
                    shifted_in = sum(c * (base + i + 1) for i in range(r))
                    counts["weights"] += r * c if dataflow == "ws" else r * steps
                    stationary, streamed = shifted_in + r * north, r * steps * c + west
                    counts["act_hops"] += streamed if dataflow == "ws" else stationary
                    counts["weight_hops"] += stationary if dataflow == "ws" else streamed
                    counts["psum_hops"] += c * steps * rows
                    counts["psum_r"] += c * steps * (row > 0)
                    last = row + rows >= row_extent
                    counts["psum_w"] += c * steps * (not last)
                    counts["out"] += c * steps * last
                    counts["result_hops"] += steps * south * last
    return counts


gemms = st.builds(Gemm, st.integers(1, 9), st.integers(1, 30), st.integers(1, 30), st.integers(1, 30))


@quick
@given(st.sampled_from(["ws", "is", "os"]), gemms, st.integers(1, 12), st.integers(1, 12))
def test_actions_of_a_product_equal_those_of_plain_loops(
    dataflow: DataflowName, gemm: Gemm, rows: int, cols: int
) -> None:
    """Reads, writes and hops, with packing and ragged folds."""
    work = array_work(gemm, array_of(dataflow, rows, cols))
    plain = plain_counts(dataflow, gemm, rows, cols)
    assert work.chain.count == plain["folds"]
    assert (work.weight_passes * gemm.groups * gemm.k * gemm.n, work.outputs) == (plain["weights"], plain["out"])
    assert (work.psum_reads, work.psum_writes) == (plain["psum_r"], plain["psum_w"])
    assert (work.moves.ifmap, work.moves.weight) == (plain["act_hops"], plain["weight_hops"])
    assert (work.moves.psum, work.moves.latched) == (plain["psum_hops"], plain["latched"])
    assert work.moves.result == plain["result_hops"]


def test_narrow_ports_stretch_streams_and_loads() -> None:
    """16x16 WS, one fold of 100 steps: 16 bytes a step through an 8-byte port take 200 clocks, a load of 256 bytes
    through a 4-byte port 64; an 8-byte write port takes the 16 results of a step in 2 clocks."""
    gemm = Gemm(1, 100, 16, 16)
    plain = array_work(gemm, array_of("ws", 16, 16)).chain.first
    assert (plain.load, plain.stream) == (16, 100)
    narrow = array_work(gemm, array_of("ws", 16, 16, activation=64, weight=32)).chain.first
    assert (narrow.load, narrow.stream, narrow.tail) == (64, 200, plain.tail)


def test_a_narrow_accumulator_port_stretches_sums_only() -> None:
    """A K of two folds: 16 partial sums of 4 bytes a step through a 32-byte port take 2 clocks a step."""
    array = array_of("ws", 16, 16, accumulator=256)
    assert array_work(Gemm(1, 100, 16, 16), array).chain.stream_cycles == 100
    assert array_work(Gemm(1, 100, 32, 16), array).chain.stream_cycles == 400


def test_a_line_buffer_reads_each_pixel_once() -> None:
    """With 9 kernel positions on one pixel, a ninth of the bytes go through the port."""
    array = array_of("ws", 9, 4, activation=8)
    gemm = Gemm(1, 90, 9, 4)
    assert array_work(gemm, array).chain.stream_cycles == 9 * 90
    assert array_work(gemm, array, reuse=Ratio(1, 9)).chain.stream_cycles == 4 * 90


def test_depthwise_on_ws_uses_nine_pes_a_channel() -> None:
    """32 // 9 = 3 groups share a fold: 27 PEs on a diagonal of 3 columns."""
    work = array_work(Gemm(60, 100, 9, 1), array_of("ws", 32, 32))
    assert work.chain.count == 20
    assert work.weight_passes == 1
