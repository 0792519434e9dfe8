"""Chips that were measured, as a section of docs/fidelity.md: points, their distribution, and ours taken apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from statistics import fmean

from accelsim.report.palette import BLUE
from tests.chips import TPU_MHZ, Point, read
from tests.distribution import Bars, Part, cells, counted, header
from tests.gemmini.measured import table
from tests.tables import lines

ABOUT = """
## Chips that were measured

Two chips of which little but a data sheet is public. Their machines say what is assumed; nothing is fitted.

- **TPU v3** (`tests/data/validation/tpu_v3.yaml`): all 24 points that COCOSSim published
  (github.com/mc186/cocossim, `ae_plots/plot.py` and `experiments.py`, Apache-2.0) with times on the chip, in 16 bits.
  Convolutions are the products that they are there. A block is a norm, a 3x3 convolution and an activation, twice.
  Softmaxes are taken to be those of attention, over as many columns as there are rows: their times say so. One that is
  larger than the chip's memory goes through DRAM here. Exponentials and norms take what
  [the model](machine.md#4-vector-unit) says. **Not known**: how a time was taken, and whether it holds the launch of a
  kernel. Nor are layout, tiles and fusions of XLA; the vector unit's operations; the real memory; how many units and
  cores were at work. Two units of one core are taken: three of the convolutions took less time than one unit needs at
  its peak.
  Three keys were set after a first look: the second unit, for that reason; eight bursts a cycle, without which the
  engine is slower than the memory; a port as wide as the vector unit.
- **DPU** (`dpu_b4096` at 281 MHz): frames a second of one thread on a ZCU102, of AMD's Vitis AI model zoo, which
  has three cores; one is busy. **Not known**: the host's part of a frame, which is in the
  measured time and larger the smaller the network; how a core shares DRAM; the compiler's tiles. How its array of
  8 x 16 x 16 is fed is not known either.
"""

APART = """
Taken apart: the mean distance on TPU v3, and in brackets the mean of signed errors. Other columns have other memory, or
one matrix unit. The last is COCOSSim (`ae_plots/results.txt`), the peer on the same rows.
"""

SAYS = """
- **Products** are the furthest off. Neither memory nor units explain them: they did {least:.0f} to {most:.0f} % of the
  MACs that both units can do. A launch in each time does not either, as attention of 8 x 64 x 160 x 64 took
  {attention} us. COCOSSim has them right with one unit. Its convolutions do up to {peer_macs:,.0f} MACs a cycle on that
  unit of 16,384.
- **The softmax of 4096 columns**, if its maps are as taken, moves {rate:.0f} GB/s in the measured time. No chip holds
  them, and a core has 450 here: it must have drawn memory of the other core, too. The machine was left as it was.
- **The DPU** took {longer} us longer. Waits for data are next to nothing here, so that the host, the
  compiler's plan or the feeding of the array is missing. We know no peer on these rows.
"""


def section() -> str:
    """The section."""
    points = read()
    tpu = [point for point in points if point.chip == "tpu_v3"]
    chips = dict.fromkeys(point.chip for point in points)
    means = ", ".join(f"{chip} {fmean(abs(each.error) for each in points if each.chip == chip):.0%}" for chip in chips)
    return "\n".join(
        (
            ABOUT,
            "Where our time goes: the array, the vector unit or the depthwise engine while it waits for them, and data "
            "that it waits for.\n",
            *lines(
                ("chip", "what", "measured, us", "here, us", "error", "array", "vector, depthwise", "data"),
                map(_line, points),
            ),
            f"\nMean distance: {means}. As a distribution, also in the [picture](#other-references) below:\n",
            *lines(
                ("what", *header()),
                ((f"{chip}, {kind}", *cells(counted(errors))) for (chip, kind), errors in by_kind(points).items()),
            ),
            APART,
            *lines(
                ("kind", "here", "ideal memory", "memory of both cores", "one matrix unit", "COCOSSim"), _apart(tpu)
            ),
            _says(points),
        )
    )


def by_kind(points: Sequence[Point]) -> dict[tuple[str, str], list[float]]:
    """Errors by chip and kind."""
    found: dict[tuple[str, str], list[float]] = {}
    for point in points:
        found.setdefault((point.chip, point.kind), []).append(point.error)
    return found


def _line(point: Point) -> tuple[str, ...]:
    data = point.ours - point.array - point.vector
    parts = (_us(part) for part in (point.array, point.vector, data))
    return (point.chip, point.what, _us(point.measured), _us(point.ours), f"{point.error:+.0%}", *parts)


def _us(time: float) -> str:
    return f"{time:.0f}" if time >= 10 else f"{time:.1f}"


def _apart(points: Sequence[Point]) -> Iterator[tuple[str, ...]]:
    for kind in (*dict.fromkeys(point.kind for point in points), "all"):
        some = [point for point in points if kind in (point.kind, "all")]
        yield kind, *(_distances(some, name) for name in ("ours", "ideal_memory", "whole_memory", "one_unit", "peer"))


def _distances(points: Sequence[Point], name: str) -> str:
    """Mean distance of a time from the measured one, and the mean of signed ones."""
    signed = [getattr(point, name) / point.measured - 1 for point in points]
    return f"{fmean(map(abs, signed)):.0%} ({fmean(signed):+.0%})"


def _says(points: Sequence[Point]) -> str:
    """Sentences that follow from the points."""
    rows = table("tpu_v3.csv")
    measured = [macs(row) / (TPU_MHZ * float(row["microseconds"])) for row in rows if row["kind"] == "product"]
    peers = [macs(row) / int(row["cocossim_cycles"]) for row in rows if row["kind"] == "convolution"]
    shares = [100 * each / (2 * 128 * 128) for each in measured]
    known = {point.what: point for point in points}
    softmax_bytes = 2 * 2 * 8 * 4096 * 4096
    longer = [f"{point.measured - point.ours:.0f}" for point in points if point.chip == "dpu_b4096"]
    return SAYS.format(
        least=min(shares),
        most=max(shares),
        attention=known["attention 8 x 64 x 160 x 64"].measured,
        peer_macs=max(peers),
        rate=softmax_bytes / known["softmax 8 x 4096 x 4096"].measured / 1000,
        longer=f"{', '.join(longer[:-1])} and {longer[-1]}",
    )


def macs(row: Mapping[str, str]) -> int:
    """MACs of a product."""
    return prod(int(row[name]) for name in ("batch", "rows", "sum", "columns"))


def part() -> Part:
    """The rows of the picture."""
    rows = [Bars(kind, chip, {BLUE: counted(errors)}) for (chip, kind), errors in by_kind(read()).items()]
    return Part("Times, against chips", {}, rows)
