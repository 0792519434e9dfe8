"""The style of all pictures, and pictures as bytes: the same for the same input, whatever a user's own settings are.

- Text has 8 points, names of layers and points 6.5; no text covers another or is cut.
- An axis has its quantity and, in parentheses, a unit in which its numbers stay below 1,000
  (`accelsim.report.quantities`). It begins at 0, or is in decades where its values span more than one.
- A legend stands right of the figure and names at most what fits there; the CSV beside the picture has the rest.
- Colours mean something, eight at most in a picture, with hatches for readers without them (`accelsim.report.palette`).
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from accelsim.report.completeness import INCOMPLETE

FORMATS = ("svg", "png")
PNG_DPI = 120
_METADATA: dict[str, dict[str, str | None]] = {
    "svg": {"Date": None, "Creator": "accelsim"},
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": "accelsim", "Producer": None},
}
SMALL = 6.5
"""Points of the names of layers and of points."""
MOST_INCHES = 18.0
"""Width of a picture beyond which what it shows is put together."""
KINDS = tuple(_METADATA)
"""Formats that a picture can be drawn in."""


@contextmanager
def house_style() -> Iterator[None]:
    """Settings inside which pictures look the same everywhere."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rc("font", **{"size": 8, "sans-serif": ["DejaVu Sans"]})
        matplotlib.rc("axes", grid=True, axisbelow=True)
        matplotlib.rc("grid", alpha=0.3)
        matplotlib.rc("hatch", linewidth=0.5)
        matplotlib.rc("text", parse_math=False)
        matplotlib.rc("svg", fonttype="none", hashsalt="accelsim")
        yield


def mark_incomplete(figure: Figure) -> None:
    """Say before the title of a picture that networks in it lack parts of their models."""
    title = next(text for text in figure.texts if text.get_text() == figure.get_suptitle())
    title.set_text(f"{INCOMPLETE}: {title.get_text()}")


def in_decades(axes: Axes, which: Literal["x", "y"], values: Sequence[float]) -> None:
    """Make an axis logarithmic where its values span more than a decade, its numbers as people write them."""
    least, most = min(values), max(values)
    if most > 10 * least > 0:
        axes.set(**{f"{which}scale": "log"})
        axis = axes.xaxis if which == "x" else axes.yaxis
        ratio = most / least
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if ratio < 100 else (1, 3) if ratio < 1000 else (1,)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_locator(NullLocator())


def named(handles: Sequence[Artist], names: Sequence[str], most: int) -> tuple[list[Artist], list[str]]:
    """Handles and names of a legend: the first ones, and in words how many more there are."""
    if len(names) <= most:
        return list(handles), list(names)
    kept = most - 1
    blank = Line2D([], [], linestyle="none")
    return [*handles[:kept], blank], [*names[:kept], f"and {len(names) - kept} more: see the CSV"]


def drawn(figure: Figure, kind: str) -> bytes:
    """The figure as a file of one of `KINDS`."""
    out = io.BytesIO()
    with house_style():
        figure.savefig(out, format=kind, dpi=PNG_DPI, metadata=_METADATA[kind])
    return out.getvalue()
