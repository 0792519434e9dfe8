"""Measurements and counts of others, beside what accelsim says: the table of docs/validation.md.

`python -m tests.pages` writes that page anew, `tests/docs/test_pages.py` holds it to what is computed here.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import groupby
from pathlib import Path
from statistics import fmean, geometric_mean
from typing import NamedTuple

from accelsim.config.load import load_machine
from accelsim.config.machine import MapCodec
from accelsim.config.schema import validate
from accelsim.config.strict_yaml import Document, Origin
from accelsim.config.workload import Workload
from accelsim.dataflows import DATAFLOWS
from accelsim.dataflows.contract import ArrayShape, Gemm
from accelsim.dataflows.folding import array_cycles
from accelsim.dataflows.timing import TimingName
from accelsim.machine.memory.dram.statistics import energy_pj
from accelsim.network.build import build
from accelsim.network.map_code import row_code
from accelsim.run.result import Run
from accelsim.run.simulate import load_network, run_network
from tests import silicon
from tests.importers.scalesim import test_scalesim
from tests.machine.memory import test_dram

DATA = Path(__file__).parent / "data" / "validation"

ABOUT = """# Validation

What others measured, simulated or counted, and what accelsim says of the same. `python -m tests.pages` writes this page
anew; a test compares it with what is computed, so it cannot go stale. For power and area the wanted bound stands behind
the error; *missed* says that the error is larger.

- **Exact by proof.** Fold timing equals register-level arrays, to the cycle, on all cases that
  `tests/dataflows/test_fold_timing.py` has: every operand moves from register to register and the real product is
  computed. Tile programs are executed on numbers and equal a direct computation (`accelsim check`).
- **DRAM.** Device timings and traces are those of `tests/data/dram`; nothing was fitted to them. Two devices are held
  to Ramulator 2, command for command. LPDDR4, the DRAM of `edge`, is compared with DRAMsim3 alone, which schedules
  each bank by itself; its largest error is on a trace in which each read finds the row of a write.
  [Fidelity](fidelity.md#ramulator-2-and-dramsim3) has all traces by kind, and what takes the two simulators apart.
- **Gemmini.** RTL cycles of 120 layers with two tilers of their own. Here accelsim uses its own tiler on the plain
  `gemmini_default`, whose path to DRAM is ideal and assumed. The ratio to the better of the two is that of systems.
  With the programs that were measured, on the system that they were measured on: [fidelity](fidelity.md).
- **TPU v1.** Its MLPs are not published. These are square layers with the paper's number of layers and of weights and
  its batch, recalled from its Table 1. The paper's figures have host and control in them, which are not modelled.
- **Power of chips.** Prices are those of the shipped tables; no scale is fitted, so that a miss is a miss.
- **Power of Eyeriss.** It has a row-stationary dataflow and scratchpads, which accelsim does not have, so its own
  counts are priced. A MAC, clock, control and leakage cost what `cacti_65nm` says. Scratchpads, network and buffer cost
  what they do in MACs of its process, as published apart from the chip. Its paper has numbers of ALUs, spads and clock
  in two layers, post-layout (Figure 16, read from a public transcription). Of buffer and network it says only that,
  with the spads, they take up to 45 % of the power; here the three take {shares}. CONV1 reads the image, which is taken
  to have no zeros. PE control is not priced.
- **Power of TPU v1.** It is priced by `cacti_28nm_hp`, whose logic leaks as CACTI's transistors of high performance do.
  What it lacks when idle is I/O and the leakage of what has no size. Its paper has no power by component.
- **Power of Gemmini.** We could read none in watts. The chip that has one publishes it with its cores and its other
  accelerators, 106.1 GOPS/W at a voltage that we do not know (ESSCIRC 2021, 22 nm). Synthesis in 7 nm is published as
  shares of area and power (arXiv 2302.14017, section 3.4). So there is no row.
- **An edge NPU of the 2020s.** SNCPU is a systolic array in 65 nm at 1.0 V, so that nothing is scaled. Ours is its DNN
  mode alone; the chip has CPU logic beside it that is gated, for which its paper names 15 %. Its 1.8 TOPS/W at 0.5 V
  are left out: the law of voltages turns at 0.59 V in this node. Others publish neither the voltage of their figure nor
  the sizes of all buffers where we could read it: Samsung's (ISSCC 2021, 13.6 TOPS/W, 5 nm), MediaTek's (ISSCC 2020,
  3.4 in 7 nm) and DIANA's digital core (JSSC 2023, 14 in 22 nm).
- **Area of chips.** Logic is that of a 40 nm library, memories are those that IHP's open 130 nm process compiles; both
  are scaled by one law. Their small memories pay for periphery, as Eyeriss's spads of 448 bytes do; its spads of 24 and
  48 bytes are register files, which have multiplexers and clock gates beside their flip-flops.
- **Area of TPU v1.** Shares of its die are those of its Figure 2, of 331 mm2, which is an upper bound. All blocks
  come out too small: single ones by {blocks}, its compute as a whole by {compute}. A die a quarter smaller would
  explain most of it. A PE is {pe} um2, of which cells fill 70 %, where the plot has {theirs} at most. Multipliers take
  {multipliers} of the cells (9 x 9 bits, for signed and unsigned operands), adders {adders}, registers {registers}.
  The same sizes give Gemmini's array {gemmini} and Eyeriss's multipliers and adders {eyeriss}; in the plot of TPU v1
  its cells would fill {fill}. Systolic data setup, the registers that skew operands and results, takes {skew} of the
  die; the plot does not show it, so that it is in the compute alone. 6 % of the die are the activation unit. Here that
  is requantisation, lanes, functions and pools: {unit} of it.
- **Assumed and left out of TPU v1.** Control goes from PE to PE with the data. TPU v1's is not published; a PE has the
  13 bits of Gemmini's here. The compute lacks {gap} mm2. Two of its parts are known to have no size. An adder of each
  column adds to the accumulators: {adders_mm2} mm2. A patent shows pools and normalisation with registers and memories
  of their own (US 10192162), and not how large they are.
- **Not compared.** Eyeriss's cycles: accelsim has no row-stationary dataflow.
"""


STORAGE = ("spads", "buffer", "network")
"""Components of Eyeriss of which its paper has the sum."""


class Row(NamedTuple):
    """A line of the table, as printed."""

    what: str
    source: str
    theirs: str
    ours: str
    error: str


def rows() -> Iterator[Row]:
    """All lines, in their order."""
    yield from counted()
    yield from ramulator()
    yield from dramsim3()
    yield from scalesim()
    yield from gemmini()
    yield from tpu()
    yield from chips()


def percent(ours: float, theirs: float) -> str:
    return f"{100 * (ours / theirs - 1):+.2f} %"


# Counts.

MOBILENET = "Howard et al., arXiv 1704.04861"
SHUFFLENET = "Zhang et al., arXiv 1707.01083"
RESNET = "He et al., arXiv 1512.03385"
COUNTS = (
    ("mobilenet_v1_1.00_224", f"{MOBILENET}, Table 4", 569e6, 4.2e6),
    ("conv_mobilenet_1.00_224", f"{MOBILENET}, Table 4", 4866e6, 29.3e6),
    ("mobilenet_v1_shallow_1.00_224", f"{MOBILENET}, Table 5", 307e6, 2.9e6),
    ("shufflenet_2.0x_g3", f"{SHUFFLENET}, Table 5", 524e6, None),
    ("shufflenet_1.5x_g3", f"{SHUFFLENET}, Table 5", 292e6, None),
    ("shufflenet_2.0x_g3_se", f"{SHUFFLENET}, Table 5", 527e6, None),
    ("resnet34_A", f"{RESNET}, Table 1", 3.6e9, None),
    ("squeezenet_v1.0", "Iandola et al., arXiv 1602.07360, Table 1, without biases", None, 1248424 - 3976),
    ("squeezenet_v1.0_pruned_6bit", "Iandola et al., Table 1, without biases", None, 421098 - 3976),
)
"""(network, source, MACs, weights that are left)"""


def counted() -> Iterator[Row]:
    for name, source, macs, weights in COUNTS:
        network = load_network(name)[1]
        for what, theirs, ours in (("MACs", macs, network.macs), ("weights", weights, network.nonzeros)):
            if theirs is not None:
                yield Row(f"{what} of `{name}`", source, f"{theirs:,.0f}", f"{ours:,}", percent(ours, theirs))


# DRAM.


def ramulator() -> Iterator[Row]:
    """Clocks of traces, device by device."""
    for device, group in groupby(sorted(test_dram.RAMULATOR, key=device_name), device_name):
        errors = [error_of(row) for row in group]
        yield Row(
            f"DRAM clocks of {len(errors)} traces, {device}",
            "Ramulator 2.1 at c5b1c3a",
            "",
            "",
            f"at most {100 * max(errors):.2f} %",
        )


def dramsim3() -> Iterator[Row]:
    errors = [error_of(row) for row in test_dram.HARD]
    devices = ", ".join(sorted({device_name(row) for row in test_dram.HARD}))
    yield Row(
        f"DRAM clocks, {len(errors)} traces of {devices} on which two simulators agree",
        "Ramulator 2.1; DRAMsim3 at 2981759",
        "",
        "",
        f"at most {100 * max(errors):.2f} %, {100 * fmean(errors):.2f} % in the mean",
    )
    alone = [error_of(row) for row in test_dram.ALONE]
    yield Row(
        f"DRAM clocks, {len(alone)} traces of {', '.join({device_name(row) for row in test_dram.ALONE})}",
        "DRAMsim3 at 2981759",
        "",
        "",
        f"at most {100 * max(alone):.2f} %, {100 * fmean(alone):.2f} % in the mean",
    )
    energies = []
    for row in test_dram.HARD:
        if row in test_dram.DRAMSIM3:
            device, _, counts = test_dram.played_golden(row)
            energies.append(abs(energy_pj(device, counts)["background"] / float(row["E_bg_pJ"]) - 1))
    yield Row(
        f"background energy of {len(energies)} traces, from the banks' states",
        "DRAMsim3 at 2981759",
        "",
        "",
        f"at most {100 * max(energies):.2f} %",
    )


def device_name(row: dict[str, str]) -> str:
    return test_dram.golden_device(row).device


def error_of(row: dict[str, str]) -> float:
    return abs(test_dram.played_golden(row)[1] / int(row["cycles"]) - 1)


# Machines.


def scalesim() -> Iterator[Row]:
    """Clocks of the array alone, counted as SCALE-Sim does and as registers do."""
    for words, timing in (("as SCALE-Sim counts", "scalesim-v3"), ("to the register", "systolic")):
        errors = [abs(clocks_alone(row, timing) / int(row["compute_cycles"]) - 1) for row in test_scalesim.GOLDENS]
        yield Row(
            f"compute_cycles of {len(errors)} layers, {words}",
            "SCALE-Sim 3.0.0",
            "",
            "",
            f"at most {100 * max(errors):.2f} %, {100 * fmean(errors):.2f} % in the mean",
        )


def clocks_alone(row: Mapping[str, str], timing: TimingName) -> int:
    m, k, n, array_rows, array_cols = (int(row[name]) for name in ("M", "K", "N", "rows", "cols"))
    (dataflow,) = (each for name, each in DATAFLOWS.items() if name == row["dataflow"])
    return array_cycles(dataflow, Gemm(1, m, k, n), ArrayShape(array_rows, array_cols, timing=timing), overlap=False)


def run_of(layers: Sequence[dict[str, object]], size: Sequence[int], batch: int, machine: str) -> Run:
    """Layers on an input of height, width and channels."""
    data = {
        "name": "validation",
        "source": "assumed",
        "batch": batch,
        "input": dict(zip(("height", "width", "channels"), size, strict=True)),
        "layers": list(layers),
    }
    document = Document(data, {(): Origin("validation", 0)})
    workload = validate(Workload, document)
    return run_network(workload, build(workload, document), load_machine(machine))


def gemmini() -> Iterator[Row]:
    with (DATA / "gemmini_firesim.csv").open(newline="") as file:
        measured = list(csv.DictReader(file))
    ours = [gemmini_cycles(row) for row in measured]
    default = [float(row["rtl_cycles_default_tiler"]) for row in measured]
    best = [min(float(row["rtl_cycles_dosa_mapping"]), each) for row, each in zip(measured, default, strict=True)]
    source = "FireSim, Hong et al., MICRO 2023"
    for what, theirs in (("its default tiler", default), ("the better of its two tilers", best)):
        ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
        yield Row(
            f"cycles of {len(ratios)} layers on Gemmini, {what}",
            source,
            "1, as the unit",
            f"{geometric_mean(ratios):.2f} times theirs, geometric mean",
            f"{100 * (geometric_mean(ratios) - 1):+.0f} %; rank correlation {rank_correlation(ours, theirs):.3f}",
        )


known_cycles: dict[tuple[int, ...], int] = {}


def gemmini_cycles(row: dict[str, str]) -> int:
    layer = tuple(int(row[key]) for key in ("C", "K", "N", "P", "Q", "R", "S", "stride_h", "stride_w"))
    if layer not in known_cycles:
        ins, outs, batch, high, wide, tall, broad, down, right = layer
        conv = {"name": "conv", "op": "conv", "kernel": [tall, broad], "stride": [down, right], "channels": outs}
        size = ((high - 1) * down + tall, (wide - 1) * right + broad, ins)
        known_cycles[layer] = run_of([conv], size, batch, "gemmini_default").total.total_cycles
    return known_cycles[layer]


def rank_correlation(left: Sequence[float], right: Sequence[float]) -> float:
    """Spearman's, ties in the order they stand."""
    ranks = [sorted(range(len(values)), key=values.__getitem__) for values in (left, right)]
    places = [{index: place for place, index in enumerate(order)} for order in ranks]
    count = len(left)
    apart = sum((places[0][index] - places[1][index]) ** 2 for index in range(count))
    return 1 - 6 * apart / (count * (count**2 - 1))


class Mlp(NamedTuple):
    """An MLP on TPU v1: its name, counters of the paper in percent, and our run."""

    name: str
    counters: Mapping[str, float]
    run: Run


@cache
def mlps() -> list[Mlp]:
    """The two MLPs: layers, side of a square layer, batch."""
    with (DATA / "tpu_v1_table3.csv").open(newline="") as file:
        measured = list(csv.DictReader(file))
    found = []
    for name, layers, side, batch in (("MLP0", 5, 2000, 200), ("MLP1", 4, 1118, 168)):
        block = {"name": "fc", "op": "fc", "channels": side, "activation": "relu"}
        run = run_of([{**block, "name": f"fc{number}"} for number in range(layers)], (1, 1, side), batch, "tpu_v1")
        found.append(Mlp(name, {row["metric"]: float(row[name]) for row in measured}, run))
    return found


def tpu() -> Iterator[Row]:
    for name, counters, run in mlps():
        waits = run.total.stalls["dram_weight"] / run.total.total_cycles
        for what, metric, ours in (
            ("useful share of the MACs", "useful_MACs_in_64K_matrix_pct_peak", run.total.utilization),
            ("share of cycles that wait for weights", "weight_stall_cycles_pct", waits),
        ):
            theirs = counters[metric]
            error = f"{100 * ours - theirs:+.1f} points"
            yield Row(
                f"{what}, {name} on TPU v1", "Jouppi et al., ISCA 2017, Table 3", f"{theirs} %", f"{ours:.1%}", error
            )


def run_lengths() -> Iterator[Row]:
    """Bytes of maps that runs of zeros save, by the zeros of the layer's input."""
    code = row_code(0.776, 16, MapCodec(format="zero_run_length", bytes_per_clock=2))
    assert code is not None
    saved = 100 * (1 - code.part / code.whole)
    source = "Chen et al., JSSC 2017, IV-B and Table V: 77.6 % of its input are zeros"
    what = "bytes of maps saved by runs of zeros, CONV5 of AlexNet on Eyeriss"
    yield Row(what, source, "nearly 75 %", f"{saved:.1f} %", f"{saved - 75:+.1f} points")


def chips() -> Iterator[Row]:
    """Power and area of chips."""
    yield from run_lengths()
    for row in silicon.compared():
        shown = (f"{value:.3g} {row.unit}" for value in (row.theirs, row.ours))
        yield Row(row.what, row.source, *shown, f"{100 * row.error:+.0f} %, {row.verdict}")


def page() -> str:
    """The text of docs/validation.md."""
    lines = [f"| {' | '.join(row)} |" for row in (Row("what", "source", "theirs", "ours", "error"), *rows())]
    lines.insert(1, "|---|---|---|---|---|")
    return about() + "\n" + "\n".join(lines) + "\n"


def about() -> str:
    """The text above the table."""
    areas = {each.what: each.error for each in silicon.areas()}
    blocks = sorted(-areas[f"area of TPU v1's {name}"] for name in ("unified buffer", "accumulators", "matrix unit"))
    compute, (area, machine) = -100 * areas["area of TPU v1's compute"], silicon.sized("tpu_v1")
    unit = (area.logic_mm2 - area.pe_mm2 - area.skew_mm2) / (0.06 * silicon.TPU_MM2)
    gemmini, eyeriss = areas["area of Gemmini's array"], areas["area of Eyeriss's multipliers and adders"]
    theirs, pes = 0.3 * silicon.TPU_MM2, machine.array.rows * machine.array.cols
    pe_um2, plot_um2 = (1e6 * mm2 / pes for mm2 in (area.pe_mm2, 0.24 * silicon.TPU_MM2))
    cells, table = silicon.pe_cells(machine), machine.area
    assert table is not None
    chips = {chip.network: silicon.eyeriss_components_mw(chip) for chip in silicon.eyeriss_runs()}
    shares = {name: sum(each[part] for part in STORAGE) / sum(each.values()) for name, each in chips.items()}
    return ABOUT.format(
        shares=" and ".join(f"{share:.0%} ({name})" for name, share in shares.items()).replace("%", " %"),
        blocks=f"{100 * blocks[0]:.0f} to {100 * blocks[-1]:.0f} %",
        compute=f"{compute:.0f} %",
        unit=f"{100 * unit:.0f} %",
        pe=f"{pe_um2:.0f}",
        theirs=f"{plot_um2:.0f}",
        gemmini=f"{gemmini:+.0%}".replace("%", " %"),
        eyeriss=f"{eyeriss:+.0%}".replace("%", " %"),
        fill=f"{100 * table.cells.share * pe_um2 / plot_um2:.0f} %",
        gap=f"{theirs - area.logic_mm2:.0f}",
        adders_mm2=f"{silicon.accumulating_mm2():.2f}",
        skew=f"{100 * area.skew_mm2 / silicon.TPU_MM2:.1f} %",
        **{name: f"{100 * share:.0f} %" for name, share in cells.items()},
    )
