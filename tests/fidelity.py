"""Gemmini's layers in FireSim, beside what accelsim simulates of the same programs: docs/fidelity.md.

`python -m tests.pages` writes the page and its picture anew from `tests/data/validation/*.csv`, which
`python -m tests.fidelity` simulates; parts of it are `python -m tests.gemmini.measured`, `.apart`, `.mapped`,
`python -m tests.chips` and `python -m tests.traces`.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import fmean, geometric_mean, median

from accelsim.report.palette import BLUE
from tests import chips, measured_chips, references, tables, traces, trust
from tests.distribution import Bars, Part, cells, counted, header
from tests.distribution import picture as bars
from tests.gemmini import apart, mapped, outside
from tests.gemmini import measured as gemmini
from tests.gemmini.apart import APART, MAPPED_ALONE, PLANS
from tests.gemmini.errors import Error, Summary, at_best_places, errors, summary
from tests.gemmini.measured import measured, offsets_of, read, table
from tests.gemmini.programs import CONVOLUTION_HOST, PRODUCT_HOST
from tests.gemmini.tiler import Layer, layers_of
from tests.validation import rank_correlation

ABOUT = """# Fidelity

How far off is a simulated cycle? This page takes apart what accelsim says of a chip whose RTL anybody can run: Gemmini,
16x16, weight-stationary, as DOSA (Hong et al., MICRO 2023) measured it in FireSim with two tilings of each layer. The
whole system counts: its DMA, an L2 of 512 KiB, FireSim's last-level cache and DDR3, and the core that issues the tiles.
`python -m tests.gemmini.measured` simulates the programs of those measurements, `python -m tests.gemmini.apart` the
same with mechanisms left out. `python -m tests.gemmini.mapped` does layers on other arrays, `python -m tests.chips`
chips that were measured, `python -m tests.traces` traces of DRAM.
`python -m tests.fidelity` does all of that in an hour or two, and `python -m tests.pages` writes this page of what they
found. [Other references](#other-references) for cycles are at the end; powers and areas are in
[validation](validation.md).
"""

COMPARED = """
## What is compared

- **The machine** is `gemmini` (`hwconfigs/gemmini.yaml`); every number names the file and line of public source that it
  is from, or says `assumed`. Nothing was fitted to a row, a program or a workload. One assumed number was counted again
  after a first look, the way behind L2: its first count had the states of the last-level cache alone and not its buses.
  U-Net's layer of 1024 channels, far too slow at first, led back to the sources of that cache and the DRAM. A read that
  misses takes 2 cycles and its line 16, not those of a hit and 17. A line is one column access. U-Net's first layer, a
  third too quick, led there again, and to the source of L2. A miss is over when its line has come and the line that
  left for it is below. Until then, a read of its set stalls all reads of the last-level cache. Products on other
  arrays, a quarter too quick, led to the sources of the host, of Gemmini's loads and once more of L2. A hit there takes
  12 cycles, which were assumed to be 14. A load is over 6 cycles behind its last byte. Reads and writes share a
  pipeline. A line takes any way of its set, even if others are empty. They led there a third time, as those of small
  arrays still were too quick: to where a load's beats become rows of the scratchpad, and to how long a pass stays.
  Products with tiles of one row, a quarter too slow, led to what makes room for the next request and the next
  descriptor: any that is over, not the one that began first.
- **The programs** are those of the measurements. They have the tiles of Gemmini's own tiler, which
  `tests/gemmini/tiler.py` gives for all 71 shapes as its C source does, or those of DOSA's mappings, in the order of
  their loops. One layer runs
  after the other on the same static arrays, first with one tiling and then the other, so that caches stay warm. Layers
  between those that are known are simulated as well.
- **Where the arrays lie** is not known: they are static and the linker decides. Each row is simulated at every place of
  a line that is possible (eight, four for products), and its error is the average of those distances. Of the arrays of
  a program the one that is declared last comes first, as in what GCC 12.2 makes of it.
- **Even kernels** make maps that are one larger than the tables say, as the programs pad both sides by half of a kernel
  and count with that. It was found in 2x2 convolutions that took longer than simulated.
- **The host's search** for tiles is inside the measured default column: its cycles, from an instruction count of the
  public source, are added. Of two layers that we counted ourselves, they are 29 % more than ours.
- **The host's tiles.** We compiled the program (GCC 12.2, the flags of its Makefile) and gave each instruction the
  cycles that it takes on Rocket, by its source: multipliers, loads, branches that are predicted, fetches. A tile of a
  convolution takes {tile} cycles, {moves} more where it has other pixels than the one before, and one of a product
  {product}. Where sums begin and end, {begins} and {ends} are added ({product_begins} and {product_ends}). Where loops
  within begin anew, {loop} are added for one of them and {loops} for each further one ({product_loop} and
  {product_loops}). {first} and {product_first} pass before the first tile. That is within 2.5 % of the count on
  average, as a test holds. The count that has the search is within 7 % for convolutions; for products it has no call
  of the function that issues a tile.
"""

OUTSIDE = """
## What is outside

- **Ports of scratchpad banks.** A bank has one port, and writes go first, so that a product whose blocks are computed
  as they come waits for those of its tile that still come. Where a compute waits for loads, the weights behind it are
  not shifted in beside it but after it. Of {products} products with mappings of at most {narrow} output channels a
  tile, {slower} were measured to take {product_least:.0f} to {product_most:.0f} % more than is simulated. Accelsim
  knows no banks ([machine](machine.md#10-what-is-not-modelled)).
- **Translation, instruction fetch and the core's own data** in the same caches; the reservation station.
- **Buffers and crossings below L2** are cycles of a miss there (24), so that it holds its place for all of them. In
  hardware most of them pass before it has a place.
- **The one queue of FASED's DRAM**: reads and writes have two here, of which one is served at a time.
- **Assumed**: cycles of a miss in L2 on the way to what is below (24), and half of the scratchpad for either operand in
  own plans. So are an address of 0x80000000 for the first of the static arrays, and that the compiler of the
  measurements put them in the order in which ours does.

Peers on the same rows: the Timeloop-style model of DOSA's authors misses their mappings by {analytical:.1f} % on
average. MACs / {pes} or bytes / {bus}, whichever is more, misses the default tiles by {roofline:.0f} % at its best
scale.
"""


def _outside() -> str:
    products, slower = outside.narrow_products(), [each for each in outside.narrow_products() if each > 0.05]
    return OUTSIDE.format(
        products=len(products),
        slower=len(slower),
        narrow=outside.NARROW,
        analytical=100 * outside.analytical(),
        roofline=100 * outside.roofline(),
        pes=outside.PES,
        bus=outside.BUS_BYTES,
        product_least=100 * slower[0],
        product_most=100 * slower[-1],
    )


def page() -> str:
    """The text of docs/fidelity.md."""
    found = [errors(read(), mapped=mapped) for mapped in (False, True)]
    parts = (
        ABOUT,
        trust.section(),
        COMPARED.format(
            **CONVOLUTION_HOST._asdict(),
            **{f"product_{name}": clocks for name, clocks in PRODUCT_HOST._asdict().items()},
            product=PRODUCT_HOST.tile,
        ),
        _summaries(found),
        _distribution(),
        _apart(),
        _plans(),
        _mapped(),
        _outside(),
        measured_chips.section(),
        references.section(),
    )
    return "".join(parts)


KINDS = ("default tiles", "DOSA's mappings")


def _summaries(found: Sequence[Sequence[Error]]) -> str:
    best = at_best_places(read())
    hindsight = [errors(best, mapped=is_mapped) for is_mapped in (False, True)]
    lines = [
        f"\n## Errors\n\n{len(found[0])} of {len(measured())} rows are simulated, each at all places. The largest "
        "error is that of the cycles averaged over the places. All rows of a program have one place, which is not "
        "known: the lines *in hindsight* take for each program the one at which its rows are nearest to what was "
        "measured. They say how much of the error is the place, and nothing else is made of them.\n",
        "| rows | tiles | mean | median | largest | rank correlation |",
        "|---|---|---|---|---|---|",
    ]
    for name, some in (("all", found), ("all in hindsight", hindsight)):
        lines += [_line(name, kind, summary(rows)) for kind, rows in zip(KINDS, some, strict=True)]
    for workload in dict.fromkeys(row.row.program[0] for row in found[0]):
        for kind, rows in zip(KINDS, found, strict=True):
            lines.append(_line(workload, kind, summary([row for row in rows if row.row.program[0] == workload])))
    return "\n".join(lines) + "\n"


def _line(name: str, kind: str, found: Summary) -> str:
    shares = " | ".join(f"{share:.1%}" for share in (found.mean, found.median, found.largest))
    return f"| {name}, {found.rows} | {kind} | {shares} | {found.rank:.3f} |"


def kind_of(layer: Layer) -> str:
    """Kind of a layer."""
    return "product" if layer.is_product else f"{layer.kernel}x{layer.kernel} convolution"


def _distribution() -> str:
    """Counts of rows by their error and kind of layer: a table and bars."""
    found = (
        "\n## As a distribution\n\nRows by how far the cycles at the average offset are from those measured; other "
        "arrays are the [mapped set](#layers-on-other-arrays).\n\n![errors by kind of layer](fidelity.svg)\n"
    )
    rows = ((*kind, *cells(counts)) for kind, counts in distribution())
    return "\n".join((found, *tables.lines(("kind of layer", "tiles", *header()), rows))) + "\n"


def distribution() -> Iterator[tuple[tuple[str, str], list[int]]]:
    """Rows in each bar, by kind of layer and of tiles."""
    found: dict[tuple[str, str], list[float]] = {}
    for tiles, is_mapped in zip(KINDS, (False, True), strict=True):
        for row in errors(read(), mapped=is_mapped):
            found.setdefault((kind_of(row.row.layer), tiles), []).append(row.signed)
    for played in mapped.read():
        found.setdefault((kind_of(played.row.layer), "other arrays"), []).append(played.signed)
    kinds = list(dict.fromkeys(kind for kind, _ in found))
    for key, signed in sorted(found.items(), key=lambda each: kinds.index(each[0][0])):
        yield key, counted(signed)


def _apart() -> str:
    with APART.open(newline="") as file:
        rows = list(csv.DictReader(file))
    lines = [
        "\n## Taken apart\n",
        "Mean and median error of rows of ResNet-50 and RetinaNet with a mechanism left out. The static arrays begin "
        "8 bytes behind the start of a cache line.\n",
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
    own = dict(zip(layers_of(rows), (int(row["own_clocks"]) for row in rows), strict=True))
    default = [int(row["own_clocks"]) / int(row["default_clocks"]) for row in rows]
    layer_of = {row.number: row.layer for row in measured()}
    dosa = [own[layer_of[int(row["row"])]] / int(row["mapped_clocks"]) for row in table(MAPPED_ALONE.name)]
    lines = [
        "\n## Own plans\n",
        "Cycles of accelsim's own plans on the same machine over those of the measured tiles, simulated: what the tool "
        "is for. Tiles of the default tiler take at most 256 KiB and 64 KiB, own plans what it has. Own plans are "
        "simulated alone on cold caches, as default tiles and DOSA's mappings are here; the mapped set below has warm "
        "ones where they hold its data. DOSA chose its mappings by a search of hardware and mappings together, for the "
        "product of energy and delay; own plans are for cycles.\n",
        "| beside | rows | geometric mean | least | most | own plan is quicker |",
        "|---|---|---|---|---|---|",
        _ratios("default tiles of ResNet-50 and RetinaNet", default),
        _ratios("DOSA's mappings of these layers", dosa),
    ]
    plans = mapped.own()
    own_of_mapped = [plans[row.row.number] / row.clocks for row in mapped.read() if row.row.number in plans]
    lines += [_ratios("the first sample of the mapped set below", own_of_mapped)] if own_of_mapped else []
    return "\n".join(lines) + "\n"


def _ratios(name: str, ratios: Sequence[float]) -> str:
    quicker = sum(ratio < 1 for ratio in ratios)
    return (
        f"| {name} | {len(ratios)} | {geometric_mean(ratios):.2f} | {min(ratios):.2f} | {max(ratios):.2f} | {quicker} |"
    )


def _mapped() -> str:
    """Rows of the mapped set by what they are."""
    rows, played, others = mapped.mapped(), mapped.read(), mapped.rest()
    sides = Counter(row.side for row in rows)
    known = ", ".join(f"{count} on {side}x{side}" for side, count in sorted(sides.items()) if side)
    short = sum(row.measured <= mapped.LONGEST for row in rows)
    lines = [
        "\n## Layers on other arrays\n",
        f"DOSA's training data: {len(rows)} rows with a mapping each; the file says an array of 128x128 throughout. "
        "The harness that measured them (`gemmini_data_collection.py` of gemmini-rocc-tests, branch `dosa`, 959b23f, "
        "`per_pe_dim`) took each mapping to the smallest array that holds its spatial factors. It left out those that "
        "would not fill it though their tile could, and makes square maps of P alone. "
        f"{sum(sides.values()) - sides[None]} rows pass that rule, which confirms their arrays: {known}. What follows "
        "the array's side in Gemmini's sources follows it here: passes, descriptors, stores, rows of the scratchpad. "
        "An array's program runs its rows in the order of the table, as the harness does, each once: the table has no "
        "cycles of default tiles. So the function that issues tiles is called in one place, and the compiler knows the "
        "array's side there: a tile takes the cycles that it takes on 16x16. At first, we took the code of two calls, "
        "12 cycles more a tile of a product. A program is simulated as a whole, so that a row finds in the caches what "
        f"all before it left there. Of rows that take more than {mapped.LONGEST / 1e6:.0f} M cycles, one a layer is in "
        "it, with the default tiles. It was simulated behind the one row before it at first. So the first row of a "
        "layer had from DRAM what layers long before it had left in the last-level cache, and came out up to twice "
        "too slow. "
        "Static arrays of products are aligned to a row of the array. The header that says so is the one that the "
        "generator writes for that array. One for 16x16 would not do for larger ones, where loads have more rows than "
        "it allows, against what the RTL asserts (`LoadController.scala`, line 136). So they can lie at 16 places of a "
        "line on 4x4, and at one on 64x64. We took them to have four on all at first. Not known: where the arrays "
        "of a program lie, and which rows between these were held back from us. It is not known either whether a tile "
        "of a product counts blocks of 16, as the published program does, on arrays of another size.\n",
        f"All {short} rows of at most {mapped.LONGEST / 1e6:.0f} M cycles are simulated. Of these, {len(played)} are "
        f"samples of each {mapped.EVERY}th from {_firsts()} on. After all of them were looked at, the sources were "
        "read again. A descriptor ends with its row of a map, and descriptors of zeros take their turn. The first "
        "outputs of a layer are filled with zeros as well. The host knows the array, as said above. They were read "
        "again for loads, passes and zeros. A load makes a row of the scratchpad a cycle: arrays of 4x4 and 8x8 "
        "load no more than 4 and 8 bytes a cycle, and some requests wait a cycle for the one before. Of passes of "
        "different lengths the long ones do not hold up the short ones. Zeros of sums that begin behind sums that go "
        "on share their half of the accumulator, and take turns with their computes. U-Net's rows above were not "
        "looked at for that, nor at more than one place until all of it was done. "
        f"The {len(others)} other rows were simulated once after that, and were 10.2 % off on average and 7.7 % in the "
        "middle, where the samples were 8.2 and 6.0 %. They have been looked at since: products on 32x32 were 28 % "
        "too slow. That led to the sources for what makes room for the next load, to caches that are kept through a "
        "program, and to places of arrays, as said above. So no row is left that was not looked at. Each "
        "is simulated at all places of a line that its arrays can have, and its error is the average "
        "distance, as above. At the worst place, a convolution takes up to "
        f"{_spread(played, is_product=False):.0%} more cycles than at the best, and a product "
        f"{_spread(played, is_product=True):.0%}; of the rows above it is {outside.places():.0%}. All rows of a "
        "program have one place, which is not known. Lines by place say how much of the error that may be; none was "
        "chosen.\n",
        "| rows | | mean | median | largest | within 10% | rank correlation |",
        "|---|---|---|---|---|---|---|",
        _mapped_line("all of the samples", played),
        _distance_line("other rows", rows, others),
        _distance_line("both", rows, others | _as_distances(played)),
        *(_mapped_line(f"sample {number + 1}", some) for number, some in enumerate(_samples(played))),
        *(_mapped_line(name, some) for name, some in _by_place(played)),
    ]
    kinds: dict[str, list[mapped.PlayedRow]] = {}
    for row in played:
        kinds.setdefault(kind_of(row.row.layer), []).append(row)
    lines += [_mapped_line(kind, some) for kind, some in sorted(kinds.items()) if len(some) > 1]
    for side in sorted({row.row.side or 0 for row in played}):
        lines.append(_mapped_line(f"{side}x{side}", [row for row in played if row.row.side == side]))
    return "\n".join(lines) + "\n"


def _firsts() -> str:
    """Places of the samples' first rows."""
    *some, last = (f"the {first + 1}th" if first else "the first" for first in mapped.SAMPLES)
    return f"{', '.join(some)} and {last}"


def _samples(played: Sequence[mapped.PlayedRow]) -> Iterator[list[mapped.PlayedRow]]:
    """Rows by sample."""
    for first in mapped.SAMPLES:
        numbers = {row.number for row in mapped.short()[first :: mapped.EVERY]}
        yield [row for row in played if row.row.number in numbers]


def _spread(played: Sequence[mapped.PlayedRow], *, is_product: bool) -> float:
    """The most that the place of its arrays makes of a row."""
    rows = [row.by_offset.values() for row in played if row.row.layer.is_product == is_product]
    return max(max(clocks) / min(clocks) - 1 for clocks in rows)


def _by_place(played: Sequence[mapped.PlayedRow]) -> Iterator[tuple[str, list[mapped.PlayedRow]]]:
    """Convolutions, and as if their arrays lay at every second of the places that they can have; products, and as if
    theirs lay on lines."""
    convolutions = [row for row in played if not row.row.layer.is_product]
    yield "convolutions", convolutions
    for first in (0, 1):
        places = offsets_of(convolutions[0].row.layer)[first::2]
        yield f"convolutions, {', '.join(map(str, places))} bytes behind a line's start", _at(convolutions, places)
    products = [row for row in played if row.row.layer.is_product]
    yield "products", products
    yield "products, on lines", _at(products, [0])


def _at(rows: Sequence[mapped.PlayedRow], places: Sequence[int]) -> list[mapped.PlayedRow]:
    """Rows as if their arrays could lie at these places alone."""
    return [row._replace(by_offset={place: row.by_offset[place] for place in places}) for row in rows]


def _as_distances(played: Sequence[mapped.PlayedRow]) -> dict[int, mapped.Distance]:
    return {each.row.number: mapped.Distance(each.error, each.signed) for each in played}


def _distance_line(name: str, rows: Sequence[mapped.Mapped], found: dict[int, mapped.Distance]) -> str:
    """Rows of which the distances alone are kept."""
    measured = [rows[number].measured for number in found]
    clocks = [each * (1 + distance.signed) for each, distance in zip(measured, found.values(), strict=True)]
    return _distances(name, [distance.error for distance in found.values()], rank_correlation(clocks, measured))


def _mapped_line(name: str, rows: Sequence[mapped.PlayedRow]) -> str:
    rank = rank_correlation([row.clocks for row in rows], [row.row.measured for row in rows])
    return _distances(name, [row.error for row in rows], rank)


def _distances(name: str, shares: Sequence[float], rank: float) -> str:
    within = sum(share <= 0.1 for share in shares)
    parts = f"{fmean(shares):.1%} | {median(shares):.1%} | {max(shares):.1%}"
    return f"| {name} | {len(shares)} | {parts} | {within} | {rank:.3f} |"


def picture() -> str:
    """Bars of the distribution, as SVG: a row of bars for each kind of layer and tiles."""
    rows = [Bars(*kind, {BLUE: counts}) for kind, counts in distribution()]
    return bars([Part("", {}, rows)], "error of cycles here against those measured; numbers on bars: rows")


def simulate() -> None:
    """Make all files of the page anew."""
    gemmini.main(())
    apart.write()
    for file in (mapped.PLAYED, mapped.REST, mapped.OWN):
        file.unlink(missing_ok=True)
    mapped.main(())
    chips.write()
    traces.write()


if __name__ == "__main__":
    simulate()
