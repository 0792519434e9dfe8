"""Trust in a chip: errors against the nearest chip that was measured, by class, for docs/fidelity.md."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from statistics import fmean

from tests import chips, silicon
from tests.gemmini import mapped
from tests.gemmini.errors import errors, summary
from tests.gemmini.measured import read
from tests.tables import lines

ABOUT = """
## How far to trust a chip

Take the class that is nearest to your chip. Errors are those of accelsim; a minus says that it gives less than was
measured. *No evidence* says that we know no figure to compare with.

{table}

- **A chip such as `edge`** was never measured. Its nearest evidence is Gemmini for cycles, if its DMA and its tiles
  are as described, and SNCPU for power. Where the tiles and the host of a chip are not known, accelsim is mostly too
  quick: on {quick} of {points} points of TPU v3 and the DPU.
- **DRAM bytes** are counted for the plan that is simulated, and `accelsim check` executes that plan. No chip publishes
  bytes to compare with.
- **DRAM cycles** equal Ramulator's on DDR4 and LPDDR5. The LPDDR4 of `edge` is compared with DRAMsim3 alone
  ([validation](validation.md)).
- **Comparisons** are surer than figures. Gemmini's layers by cycles, with its default tiles, come out in nearly the
  right order (rank correlation {rank:.2f} over all); among the alike layers of BERT they do not ({alike:.2f}).
- **Energy** has a range beside it ([energy](energy.md#how-far-to-trust-it)). The area of a run has none, and comes out
  too small; `recommend` also judges a budget by how much larger chips are.
"""

HEADER = ("class of chip", "nearest evidence", "cycles", "power", "area")
NOTHING = "no evidence"


def spread(signed: Iterable[float]) -> str:
    """Mean distance and range of errors; a minus is less here than measured."""
    found = list(signed)
    least, most = min(found), max(found)
    if len(found) == 1:
        return f"{least:+.0%}"
    return f"{fmean(map(abs, found)):.0%} off on average, {least:+.0%} to {most:+.0%}"


def rows() -> Iterator[tuple[str, ...]]:
    """A line for each class of chip."""
    default, dosa = ([each.signed for each in errors(read(), mapped=kind)] for kind in (False, True))
    others = [row.signed for row in (*mapped.read(), *mapped.rest().values())]
    points = chips.read()
    yield (
        "systolic array, 16x16, its programs known",
        f"Gemmini in RTL, {len(default)} layers, default tiles; DOSA's mappings",
        f"{spread(default)}; {spread(dosa)}",
        NOTHING,
        _silicon("area of Gemmini", "area of these three"),
    )
    yield (
        "systolic array of 4x4 to 64x64, its programs known",
        f"Gemmini in RTL, {len(others)} layers",
        spread(others),
        NOTHING,
        NOTHING,
    )
    yield (
        "systolic array of 256x256 for a data centre",
        "TPU v1, paper",
        "shares of cycles alone: [validation](validation.md)",
        _silicon("power of TPU v1"),
        _silicon("area of TPU v1", "area of both"),
    )
    yield _measured("two systolic arrays of 128x128, HBM; tiles and launch not known", "tpu_v3", "TPU v3", points)
    yield _measured("DPU with a depthwise engine; host in the measured time", "dpu_b4096", "DPU B4096", points)
    yield (
        "row-stationary array with scratchpads",
        "Eyeriss, paper: its own counts priced",
        "not simulated",
        _silicon("power of Eyeriss, "),
        _silicon("area of Eyeriss"),
    )
    yield ("edge NPU in 65 nm", "SNCPU, paper", NOTHING, _silicon("power of SNCPU"), NOTHING)


@cache
def _errors() -> dict[str, float]:
    return {row.what: row.error for row in silicon.compared()}


def _measured(name: str, chip: str, words: str, points: Sequence[chips.Point]) -> tuple[str, ...]:
    found = [point.error for point in points if point.chip == chip]
    return name, f"{words}, {len(found)} times on the chip", spread(found), NOTHING, NOTHING


def _silicon(begin: str, *totals: str) -> str:
    """Errors of power or area of what begins so, those of totals named apart."""
    found = _errors()
    parts = [error for what, error in found.items() if what.startswith(begin) and what not in totals]
    whole = [f"together {found[each]:+.0%}" for each in totals]
    return "; ".join((spread(parts), *whole))


def section() -> str:
    """The table and what follows from it."""
    errors_of_chips = [point.error for point in chips.read()]
    found = errors(read(), mapped=False)
    return ABOUT.format(
        table="\n".join(lines(HEADER, rows())),
        quick=sum(error < 0 for error in errors_of_chips),
        points=len(errors_of_chips),
        rank=summary(found).rank,
        alike=summary([each for each in found if each.row.program[0] == "bert"]).rank,
    )
