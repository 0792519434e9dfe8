"""Errors as a distribution: how many lie between which bounds, as rows of a table and as bars of a picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from math import inf
from typing import NamedTuple

EDGES = (-inf, -0.2, -0.1, -0.05, -0.02, 0.02, 0.05, 0.1, 0.2, inf)
"""Bounds of the bars, as shares."""
STEP, HEIGHT, TALLEST, LEFT = 60, 58, 34, 230
"""Sizes of a picture: pixels between bounds, of a row and of its highest bar, and where bars begin."""
WIDTH = LEFT + STEP * (len(EDGES) - 1) + 20


class Bars(NamedTuple):
    """A row of a picture: what it is of, in one line or two, and how many lie between the bounds, by colour."""

    name: str
    more: str
    counts: Mapping[str, Sequence[int]]


class Part(NamedTuple):
    """Rows of a picture, and what their colours are."""

    title: str
    colours: Mapping[str, str]
    rows: Sequence[Bars]


def counted(errors: Iterable[float]) -> list[int]:
    """Counts of the signed errors between the bounds."""
    found = list(errors)
    return [sum(low <= error < high for error in found) for low, high in pairwise(EDGES)]


def header() -> list[str]:
    """Names of the columns."""
    between = [f"{low:+.0%} to {high:+.0%}" for low, high in pairwise(EDGES[1:-1])]
    return [f"below {EDGES[1]:+.0%}", *between, f"above {EDGES[-2]:+.0%}"]


def cells(counts: Iterable[int]) -> list[str]:
    """Cells of a row of a table."""
    return [str(count or "") for count in counts]


def picture(parts: Sequence[Part], note: str) -> str:
    """Bars as SVG, row after row; the highest of a row has the full height."""
    place, drawn = 0, list[str]()
    for part in parts:
        if part.title:
            place += 36
            drawn += _legend(part, place)
        for row in part.rows:
            place += HEIGHT
            drawn += _row(row, place)
        place += 16
        drawn += (
            f'<text x="{LEFT + STEP * bar}" y="{place}" text-anchor="middle">{edge:+.0%}</text>'
            for bar, edge in enumerate(EDGES[1:-1], 1)
        )
    drawn.append(f'<text x="{LEFT}" y="{place + 18}" fill="#666">{note}</text></svg>')
    opened = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{place + 26}" '
        'font-family="sans-serif" font-size="13">'
    )
    return "\n".join((opened, '<rect width="100%" height="100%" fill="white"/>', *drawn)) + "\n"


def _legend(part: Part, place: int) -> Iterator[str]:
    """Title of a part and its colours."""
    yield f'<text x="8" y="{place - 4}" font-weight="bold">{part.title}</text>'
    for number, (name, colour) in enumerate(part.colours.items()):
        x = LEFT + 2 * STEP * number
        yield f'<rect x="{x}" y="{place - 14}" width="11" height="11" fill="{colour}"/>'
        yield f'<text x="{x + 16}" y="{place - 4}">{name}</text>'


def _row(row: Bars, base: int) -> Iterator[str]:
    """A row of bars that stand on `base`."""
    yield f'<text x="8" y="{base - 22}">{row.name}</text><text x="8" y="{base - 7}" fill="#666">{row.more}</text>'
    most = max(max(counts) for counts in row.counts.values())
    wide = (STEP - 8) // len(row.counts)
    for number, (colour, counts) in enumerate(row.counts.items()):
        for bar, count in enumerate(counts):
            x, top = LEFT + STEP * bar + 4 + wide * number, base - round(TALLEST * count / most)
            if count:
                yield f'<rect x="{x}" y="{top}" width="{wide}" height="{base - top}" fill="{colour}"/>'
                yield f'<text x="{x + wide / 2:g}" y="{top - 4}" font-size="11" text-anchor="middle">{count}</text>'
    yield f'<line x1="{LEFT}" x2="{WIDTH - 20}" y1="{base}" y2="{base}" stroke="#999"/>'
