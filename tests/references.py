"""References other than Gemmini and measured chips, as a section of docs/fidelity.md, and its picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import prod
from statistics import fmean
from typing import Any

from accelsim.records import LayerRecord
from accelsim.report.palette import BLACK, BLUE, ORANGE
from tests import distribution, folds_apart, measured_chips, traces
from tests.dataflows import test_fold_timing
from tests.distribution import Bars, Part, cells, counted
from tests.tables import lines
from tests.traces import Trace
from tests.validation import mlps

ABOUT = """
## Other references

What else cycles were compared with; their sources are in [validation](validation.md). `python -m tests.traces`
simulates the DRAM traces in some seconds. All else is computed when `python -m tests.pages` writes this page. The
picture has SCALE-Sim's layers to the register. It leaves out references all of whose rows are equal: arrays at
register level, Ramulator, SCALE-Sim with its own timing.

![errors by reference and kind](references.svg)

### Arrays at register level

- **Compared**: sequences of folds on arrays of 2x2 to 8x8 (`tests/reference/systolic.py`). Each operand moves from
  register to register, and the product is computed. The reference searches for the earliest schedule by itself, or is
  given ours. Then one fold that begins a cycle earlier must collide. `turned` is the dataflow that
  [extending](extend.md) adds.
- **Errors**: none. All of these cases of `tests/dataflows/test_fold_timing.py` are equal to the cycle.
- **Assumed**: that an array is made as these are ([the model](machine.md#2-fold-timing)).
- **Outside**: all but the array and its ports to SRAM. Gemmini's passes are held to its RTL alone, above.
- **Peers**: SCALE-Sim's count of such folds is [below](#scale-sim).
"""

DRAM = """
### Ramulator 2 and DRAMsim3

- **Compared**: cycles from the first request to the last data, of {traces} traces like those of DMA engines
  (`tests/data/dram/traces.py`), on DDR4 with two orders of addresses.
- **Errors**: all {ramulator} rows of Ramulator are equal, and so are their activates and refreshes. DRAMsim3's distance
  on DDR4 is {peers:.1%} on average and {peers_most:.1%} at most; that is how far the peers are from each other. On
  LPDDR4 it is {lpddr:.1%} on average and {lpddr_most:.1%} at most.
"""

DRAM_APART = """
- **Taken apart**: timings of devices are the same in all three, policies are not. Behind its queue of 32, DRAMsim3 has
  a queue of 8 commands for each bank, which it looks through as well. We have the queue of 32 alone, as Ramulator. With
  {deeper} entries, as many as DRAMsim3 has for one bank, we are {lpddr_deeper:.1%} off on average and
  {lpddr_deeper_most:.1%} at most on LPDDR4 (the last two columns). On DDR4 that is all of the distance of traces in
  sequence and more than half of the largest, but not that of a layer's operands, which is not explained. Activates and
  turnarounds are ours over DRAMsim3's.
- **The largest on LPDDR4** is `{trace}`: reads and writes of 256 bytes in turn, each write to another row of the bank
  that is read. We open {acts} rows and turn the bus {turns} times, DRAMsim3 {their_acts} and {their_turns}. With
  writes to another bank the turns are {skew_turns} and {their_skew_turns}, and {skew:+.1%} is left: most of it is rows.
  With {deeper} entries it is {deeper_error:+.1%}, and {deeper_turns} turns.

"""

DRAM_REST = """
- **Public and assumed**: devices are those of data sheets, as both simulators have them. The policy is Ramulator's; it
  is assumed for all machines.
- **Outside**: policies of real controllers, self-refresh and temperature.
"""

SCALESIM = """
### SCALE-Sim

- **Compared**: `compute_cycles` of {rows} layers, counted by SCALE-Sim 3.0.0 (some products by 2.0.2): AlexNet on
  32x32, MobileNet on 16x16, and products, most of them of random sizes. It has a depthwise layer as a product of one
  column, or as one for a channel.
- **Errors**: none with its timing (`array.timing=scalesim-v3`). The table has how many more cycles registers take than
  it counts, in percent of its count.
"""

SCALESIM_APART = """
- **Taken apart**, exactly, in percent of its count: registers neither load rows that are not used nor wait for columns
  that are not. Results that stay in the array take cycles to drain, which SCALE-Sim leaves out. It gives the number of
  the last cycle, counted from 0. [Its page](scalesim.md#its-cycles) has the formulas.

"""

SCALESIM_REST = """
- **Assumed**: nothing; layers and arrays are given.
- **Outside**: its memory, which differs by design ([its page](scalesim.md#its-memory)). Channels of a depthwise layer
  that share a fold here are outside of this table, too, as each row is one product.
"""

TPU = """
### TPU v1

- **Compared**: shares of cycles of two MLPs, from counters of the chip (Jouppi et al., ISCA 2017, Table 3). Four
  figures of them are in [validation](validation.md); with so few there is no distribution.
- **Taken apart**, in percent of all cycles:
"""

TPU_REST = """
- **What differs**: DRAM is busy in {busy} of our cycles, so that our time is that of the weights. The host and the
  control between layers are not modelled; the paper's non-matrix cycles have them. On MLP1 our tiles are smaller than
  the array, which streams longer with {used:.0%} of its PEs: it would wait for weights otherwise, so that this costs
  nothing. That is why it waits less than in the paper.
- **Public and assumed**: counters, array, buffers and bandwidth are public. Layers are assumed to be square, with the
  published number of weights; the batch is recalled.
- **Peers**: the paper's own model of the chip is 8 % off its counters on average (Table 7, recalled); it is not public.
"""


def section() -> str:
    """The section."""
    played = traces.read()
    by_hand = ("dataflow", "searched", "given", "by hand", "not equal")
    parts = (
        ABOUT,
        "\n",
        _table(by_hand, ((name, *map(str, counts), "0") for name, counts in cases().items())),
        _dram(played),
        _scalesim(),
        _tpu(),
    )
    return "".join(parts)


def _table(header: tuple[str, ...], rows: Iterable[Iterable[str]]) -> str:
    return "\n".join(lines(header, rows)) + "\n"


def picture() -> str:
    """Bars by reference and kind, as SVG."""
    peers = [trace for trace in traces.read() if trace.simulator == "DRAMsim3"]
    dram = _bars(peers, dict.fromkeys(traces.KINDS.values()), lambda trace: trace.device, DEVICES)
    scalesim = _bars(list(folds_apart.layers()), folds_apart.KINDS.values(), lambda row: row.dataflow, FLOWS)
    parts = [
        Part("Cycles, against DRAMsim3", DEVICES, dram),
        Part("Cycles, against SCALE-Sim", FLOWS, scalesim),
        measured_chips.part(),
    ]
    return distribution.picture(parts, "error of cycles or times here against theirs; numbers on bars: rows")


DEVICES = {"ddr4-2400-x8": BLUE, "lpddr4-3200": ORANGE}
FLOWS = {"ws": BLUE, "is": ORANGE, "os": BLACK}
"""Colours of devices and dataflows."""


def _bars(
    rows: Sequence[Any], kinds: Iterable[str], series: Callable[[Any], str], colours: Mapping[str, str]
) -> list[Bars]:
    """A row of bars for each kind, in a colour for each series."""
    return [
        Bars(
            name,
            f"{sum(row.kind == name for row in rows)} rows",
            {
                colour: counted(row.error for row in rows if (row.kind, series(row)) == (name, each))
                for each, colour in colours.items()
            },
        )
        for name in kinds
    ]


HOW = ("searched", "predicted", "by_hand")
"""Ways in which tests of fold timing find a schedule, by their names."""


def cases() -> dict[str, list[int]]:
    """Cases of the tests of fold timing by dataflow: searched, predicted and counted by hand."""
    found: Counter[tuple[str, str]] = Counter()
    for name, test in vars(test_fold_timing).items():
        grids = [mark.args for mark in getattr(test, "pytestmark", ()) if mark.name == "parametrize"]
        how = next((how for how in HOW if how in name), None)
        if how and grids:
            for dataflow, count in _cases(grids).items():
                found[dataflow, how] += count
    return {name: [found[name, how] for how in HOW] for name in test_fold_timing.FLOWS}


def _cases(grids: Sequence[tuple[Any, ...]]) -> Counter[str]:
    """Cases of a test by dataflow: the product of its grids."""
    with_dataflow = next(grid for grid in grids if "dataflow" in grid[0])
    others = prod(len(grid[1]) for grid in grids if grid is not with_dataflow)
    values = [getattr(case, "values", case) for case in with_dataflow[1]]
    return Counter({name: others * count for name, count in Counter(map(_dataflow, values)).items()})


def _dataflow(values: str | tuple[Any, ...]) -> str:
    """The dataflow of a case, alone or before others."""
    return values if isinstance(values, str) else str(values[0])


def _dram(played: Sequence[Trace]) -> str:
    """DRAM: the distribution, and the peers' difference taken apart."""
    ramulator = [trace for trace in played if trace.simulator != "DRAMsim3"]
    ddr4, lpddr4 = (
        [each for each in played if each.simulator == "DRAMsim3" and each.device == name] for name in DEVICES
    )
    deeper = [abs(trace.deeper_error) for trace in lpddr4]
    worst = max(lpddr4, key=lambda trace: abs(trace.error))
    skewed = next(trace for trace in lpddr4 if trace.trace == worst.trace.replace("conf", "skew"))
    ddr4_errors, lpddr4_errors = ([abs(trace.error) for trace in some] for some in (ddr4, lpddr4))
    return "".join(
        (
            DRAM.format(
                traces=len({trace.trace for trace in played}),
                ramulator=len(ramulator),
                peers=fmean(ddr4_errors),
                peers_most=max(ddr4_errors),
                lpddr=fmean(lpddr4_errors),
                lpddr_most=max(lpddr4_errors),
            ),
            "\n",
            _table(("kind of trace, against DRAMsim3", "device", *distribution.header()), _dram_rows(played)),
            DRAM_APART.format(
                deeper=traces.DEEPER,
                lpddr_deeper=fmean(deeper),
                lpddr_deeper_most=max(deeper),
                trace=worst.trace,
                acts=worst.our_activates,
                their_acts=worst.activates,
                turns=worst.our_turnarounds,
                their_turns=worst.turnarounds,
                skew=skewed.error,
                skew_turns=skewed.our_turnarounds,
                their_skew_turns=skewed.turnarounds,
                deeper_error=worst.deeper_error,
                deeper_turns=worst.deeper_turnarounds,
            ),
            _table(
                (
                    "kind of trace",
                    "device",
                    "mean",
                    "largest",
                    "activates",
                    "turnarounds",
                    *(f"{each}, {traces.DEEPER} entries" for each in ("mean", "largest")),
                ),
                _dram_apart(played),
            ),
            DRAM_REST,
        )
    )


def _alike(played: Sequence[Trace]) -> Iterator[tuple[str, str, list[Trace]]]:
    """DRAMsim3's traces of one kind and device."""
    for kind in dict.fromkeys(traces.KINDS.values()):
        for device in DEVICES:
            wanted = ("DRAMsim3", kind, device)
            yield kind, device, [each for each in played if (each.simulator, each.kind, each.device) == wanted]


def _dram_rows(played: Sequence[Trace]) -> Iterator[tuple[str, ...]]:
    for device in dict.fromkeys(trace.device for trace in played if trace.simulator != "DRAMsim3"):
        some = [trace.error for trace in played if (trace.device, trace.simulator) == (device, "Ramulator2.1")]
        yield "all, against Ramulator", device, *cells(counted(some))
    for kind, device, some in _alike(played):
        yield kind, device, *cells(counted(trace.error for trace in some))


def _dram_apart(played: Sequence[Trace]) -> Iterator[tuple[str, ...]]:
    for kind, device, some in _alike(played):
        errors, deeper = ([abs(getattr(trace, name)) for trace in some] for name in ("error", "deeper_error"))
        activates = sum(trace.our_activates for trace in some) / sum(trace.activates for trace in some) - 1
        theirs, ours = (sum(getattr(trace, f"{whose}turnarounds") for trace in some) for whose in ("", "our_"))
        turns = f"{ours / theirs - 1:+.0%}" if theirs else ""
        shares = (f"{each:.1%}" for each in (fmean(errors), max(errors)))
        yield kind, device, *shares, f"{activates:+.1%}", turns, f"{fmean(deeper):.1%}", f"{max(deeper):.1%}"


def _scalesim() -> str:
    """SCALE-Sim: the distribution, and the difference taken apart."""
    found: dict[tuple[str, str], list[folds_apart.Layer]] = {}
    for layer in folds_apart.layers():
        found.setdefault((layer.kind, layer.dataflow), []).append(layer)
    rows = [((kind, flow), found[kind, flow]) for kind in folds_apart.KINDS.values() for flow in FLOWS]
    apart = ("kind of layer", "dataflow", "mean", *folds_apart.PARTS)
    return "".join(
        (
            SCALESIM.format(rows=sum(map(len, found.values()))),
            "\n",
            _table(
                ("kind of layer", "dataflow", *distribution.header()),
                ((*key, *cells(counted(layer.error for layer in some))) for key, some in rows),
            ),
            SCALESIM_APART,
            _table(apart, ((*key, *folds_apart.means(some)) for key, some in rows)),
            SCALESIM_REST,
        )
    )


MLP_SHARES = {
    "the array streams": ("array_active_cycles_pct", ("streaming",)),
    "it waits for weights": ("weight_stall_cycles_pct", ("dram_weight",)),
    "weights are shifted in; here, the array fills and drains": ("weight_shift_cycles_pct", ("fill_drain",)),
    "no matrix is at work; here, maps, results, setup and latency": ("non_matrix_cycles_pct", ()),
}
"""Shares that are all cycles: the paper's counter, and our causes; none: all the rest."""


def _tpu() -> str:
    """TPU v1: shares of cycles."""
    header = ["cycles in which", *(f"{mlp.name}, {whose}" for mlp in mlps() for whose in ("paper", "here"))]
    shares = [_shares(mlp.run.total) for mlp in mlps()]
    rows = []
    for number, (name, (counter, _)) in enumerate(MLP_SHARES.items()):
        pairs = (
            (f"{mlp.counters[counter]} %", f"{here[number]:.1%}") for mlp, here in zip(mlps(), shares, strict=True)
        )
        rows.append((name, *(cell for pair in pairs for cell in pair)))
    busy = [f"{mlp.run.total.busy_cycles['dma_in'] / mlp.run.total.total_cycles:.0%}" for mlp in mlps()]
    last = mlps()[-1].run.total
    used = last.array_macs / (last.pes * last.streaming_cycles)
    return f"{TPU}\n{_table(tuple(header), rows)}{TPU_REST.format(busy=' and '.join(busy), used=used)}"


def _shares(total: LayerRecord) -> list[float]:
    """Shares of cycles, as `MLP_SHARES` has them."""
    clocks = {"streaming": total.streaming_cycles, **total.lost_cycles}
    known = [sum(clocks[cause] for cause in causes) for _, causes in MLP_SHARES.values() if causes]
    return [part / total.total_cycles for part in (*known, total.total_cycles - sum(known))]
