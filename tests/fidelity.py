"""What Gemmini's layers took in FireSim, beside what accelsim simulates of the same programs: docs/fidelity.md.

`python -m tests.pages` writes the page and its picture anew from `tests/data/validation/gemmini_*.csv`, which
`python -m tests.gemmini.measured` and `python -m tests.gemmini.apart` play.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import geometric_mean

from tests.gemmini.apart import APART, PLANS
from tests.gemmini.errors import Error, Summary, errors, summary
from tests.gemmini.measured import ALONE, measured, read

ABOUT = """# Fidelity

How far off is a simulated clock? This page takes apart what accelsim says of a chip whose RTL anybody can run: Gemmini,
16x16, weight-stationary, as DOSA (Hong et al., MICRO 2023) measured it in FireSim with two tilings of each layer. The
whole system counts: its DMA, an L2 of 512 KiB, FireSim's last-level cache and DDR3, and the core that issues the tiles.
`python -m tests.gemmini.measured` simulates the programs of those measurements and `python -m tests.gemmini.apart` the
same with mechanisms left out; `python -m tests.pages` writes this page of what they found. What other references say
(RTL arrays, Ramulator, DRAMsim3, SCALE-Sim, TPU v1, powers and areas) is in [validation](validation.md).

## What is compared

- **The machine** is `gemmini` (`hwconfigs/gemmini.yaml`); every number names the file and line of public source that it
  is from, or says `assumed`. Nothing was fitted to a row, a program or a workload. One assumed number was counted again
  after a first look: the way behind L2, of which the states of the last-level cache alone (2 clocks) had been taken and
  not its buses (24 with them); that moved the mean errors by less than one point.
- **The programs** are those of the measurements: the tiles of Gemmini's own tiler, which `tests/gemmini/tiler.py` gives
  for all 71 shapes as its C source does, and those of DOSA's mappings, in the order of their loops. One layer runs
  after the other on the same static arrays, first with one tiling and then the other, so that caches stay warm. Layers
  between those that are known are simulated as well. U-Net's maps are larger than all caches, so its layers are
  simulated alone.
- **Where the arrays lie** is not known: they are static and the linker decides. Each row is simulated at every place of
  a line that is possible (eight, four for products), and its error is the average of those distances.
- **The host's search** for tiles is inside the measured default column: its clocks, from an instruction count of the
  public source, are added.
"""

OUTSIDE = """
## What is outside

- **Ports of scratchpad banks.** A bank has one port, so that a product whose blocks are computed as they come loads and
  computes in turn where its loads are the longer part. Products with mappings of narrow tiles were measured to take 13
  to 27 % more than is simulated. Accelsim knows no banks ([machine](machine.md#10-what-is-not-modelled)).
- **Translation, instruction fetch and the core's own data** in the same caches; the reservation station.
- **Assumed**: clocks of a hit in L2 (14) and behind it (24), half of the scratchpad for either operand in own plans,
  the order of the static arrays, an address of 0x80000000 for the first.
- **The mapped set** of 982 rows is not simulated: its arrays are not confirmed row by row.

Peers on the same rows: a Timeloop-style analytical model misses DOSA's mappings by 26.1 % on average, max(MACs / 256,
bytes / 16) the default tiles by 37 % at its best scale.
"""


def page() -> str:
    """The text of docs/fidelity.md."""
    found = [errors(read(), mapped=mapped) for mapped in (False, True)]
    return "".join([ABOUT, _summaries(found), _distribution(found), _apart(), _plans(), OUTSIDE])


KINDS = ("default tiles", "DOSA's mappings")


def _summaries(found: Sequence[Sequence[Error]]) -> str:
    whole = [[row for row in rows if row.row.program[0] not in ALONE] for rows in found]
    lines = [
        f"\n## Errors\n\n{len(whole[0])} of {len(measured())} rows are simulated at all offsets. Of U-Net's 42, "
        f"whose layers take up to a minute each, {len(found[0]) - len(whole[0])} are simulated, at one offset "
        "that may not be theirs; they are counted apart. The largest error is that of the clocks averaged over the "
        "offsets.\n",
        "| rows | tiles | mean | median | largest | rank correlation |",
        "|---|---|---|---|---|---|",
    ]
    for kind, rows in zip(KINDS, whole, strict=True):
        lines.append(_line("all but U-Net", kind, summary(rows)))
    for workload in dict.fromkeys(row.row.program[0] for row in found[0]):
        for kind, rows in zip(KINDS, found, strict=True):
            lines.append(_line(workload, kind, summary([row for row in rows if row.row.program[0] == workload])))
    return "\n".join(lines) + "\n"


def _line(name: str, kind: str, found: Summary) -> str:
    shares = " | ".join(f"{share:.1%}" for share in (found.mean, found.median, found.largest))
    return f"| {name}, {found.rows} | {kind} | {shares} | {found.rank:.3f} |"


EDGES = (-1.0, -0.2, -0.1, -0.05, -0.02, 0.02, 0.05, 0.1, 0.2, 1.0)
"""Bounds of the bars of the distribution, as shares."""


def kind_of(error: Error) -> str:
    """What a layer is, for the distribution."""
    layer = error.row.layer
    return "product" if layer.is_product else f"{layer.kernel}x{layer.kernel} convolution"


def _distribution(found: Sequence[Sequence[Error]]) -> str:
    """How many rows are how far off, by kind of layer: a table and bars."""
    header = [f"{low:+.0%} to {high:+.0%}" for low, high in pairwise(EDGES)]
    header[0], header[-1] = f"below {EDGES[1]:+.0%}", f"above {EDGES[-2]:+.0%}"
    lines = [
        "\n## As a distribution\n\nRows by how far the clocks at the average offset are from those measured.\n",
        "![errors by kind of layer](fidelity.svg)\n",
        f"| kind of layer | tiles | {' | '.join(header)} |",
        "|---" * (len(header) + 2) + "|",
    ]
    for kind, counts in distribution(found):
        lines.append(f"| {' | '.join(kind)} | {' | '.join(str(count or '') for count in counts)} |")
    return "\n".join(lines) + "\n"


def distribution(found: Sequence[Sequence[Error]]) -> Iterator[tuple[tuple[str, str], list[int]]]:
    """Rows in each bar, by kind of layer and of tiles."""
    for kind in dict.fromkeys(kind_of(error) for error in found[0]):
        for tiles, rows in zip(KINDS, found, strict=True):
            signed = [row.signed for row in rows if kind_of(row) == kind]
            counts = [sum(low <= share < high for share in signed) for low, high in pairwise(EDGES)]
            yield (kind, tiles), counts


def _apart() -> str:
    with APART.open(newline="") as file:
        rows = list(csv.DictReader(file))
    lines = [
        "\n## Taken apart\n",
        "Mean and median error of rows of ResNet-50 and RetinaNet with a mechanism left out, arrays 8 bytes off.\n",
        "| left out | default tiles | DOSA's mappings |",
        "|---|---|---|",
    ]
    for row in rows:
        pairs = (
            f"{float(row[f'{kind}_mean']):.1%} / {float(row[f'{kind}_median']):.1%}" for kind in ("default", "mapped")
        )
        lines.append(f"| {row['left_out'] if row is not rows[0] else 'nothing'} | {' | '.join(pairs)} |")
    return "\n".join(lines) + "\n"


def _plans() -> str:
    with PLANS.open(newline="") as file:
        rows = list(csv.DictReader(file))
    ratios = [int(row["own_clocks"]) / int(row["default_clocks"]) for row in rows]
    better = sum(ratio < 1 for ratio in ratios)
    return (
        "\n## Own plans\n\n"
        f"Of {len(rows)} layers, simulated alone on cold caches, accelsim's own plans on the same machine take "
        f"{geometric_mean(ratios):.2f} of the clocks of the default tiles (geometric mean; {min(ratios):.2f} to "
        f"{max(ratios):.2f}, less in {better}). Tiles of the default tiler take at most 256 KiB and 64 KiB, own plans "
        "what the chip has. That is what the tool is for.\n"
    )


def picture() -> str:
    """Bars of the distribution, as SVG: a row of bars for each kind of layer and tiles."""
    rows = list(distribution([errors(read(), mapped=mapped) for mapped in (False, True)]))
    step, height, left = 60, 70, 230
    width = left + step * (len(EDGES) - 1) + 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height * len(rows) + 40}" '
        'font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for place, ((kind, tiles), counts) in enumerate(rows):
        base, most = height * (place + 1), max(counts)
        parts.append(f'<text x="8" y="{base - 25}">{kind}</text><text x="8" y="{base - 10}" fill="#666">{tiles}</text>')
        for bar, count in enumerate(counts):
            tall = round(45 * count / most)
            x = left + step * bar
            parts.append(f'<rect x="{x + 4}" y="{base - tall}" width="{step - 8}" height="{tall}" fill="#4477aa"/>')
            if count:
                parts.append(f'<text x="{x + step / 2}" y="{base - tall - 4}" text-anchor="middle">{count}</text>')
        parts.append(f'<line x1="{left}" x2="{width - 20}" y1="{base}" y2="{base}" stroke="#999"/>')
    for bar, edge in enumerate(EDGES[1:-1]):
        x = left + step * (bar + 1)
        parts.append(f'<text x="{x}" y="{height * len(rows) + 16}" text-anchor="middle">{edge:+.0%}</text>')
    parts.append(
        f'<text x="{left}" y="{height * len(rows) + 34}" fill="#666">clocks here against those measured</text></svg>'
    )
    return "\n".join(parts) + "\n"
