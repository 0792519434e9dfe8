"""Texts beside the points of a plot, so that they hide neither each other nor the points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import hypot
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

PagePoint = tuple[float, float]

FONT_POINTS, MARKER_POINTS = 7, 3
_DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))
_GAPS_POINTS = (5, 11, 19, 29, 42, 58, 78)
"""Places of a text, the best first: near its point, and right of it."""
_APART_POINTS = 1
"""Between the lines of two texts."""


class Bounds(NamedTuple):
    """A rectangle in points."""

    left: float
    bottom: float
    right: float
    top: float

    def overlap(self, other: Bounds) -> float:
        """The area that both cover."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.top, other.top) - max(self.bottom, other.bottom)
        return width * height if width > 0 and height > 0 else 0.0

    @property
    def area(self) -> float:
        return (self.right - self.left) * (self.top - self.bottom)

    def distance(self, x: float, y: float) -> float:
        """From a point to the nearest one in here."""
        return hypot(max(self.left - x, 0, x - self.right), max(self.bottom - y, 0, y - self.top))


def write_beside(
    axes: Axes,
    labels: Sequence[tuple[PagePoint, str]],
    points: Sequence[PagePoint] = (),
    *,
    only_where_free: bool = False,
) -> None:
    """Write each text near its point (in data coordinates), with a line to it where it is not next to it.

    The limits of the axes have to be final. Equal texts at one point are written once. points: others that no text may
    hide. only_where_free: texts without a free place are left out.
    """
    axes.autoscale_view()
    font, scale = FontProperties(size=FONT_POINTS), 72 / axes.figure.dpi
    frame = Bounds(*(extent * scale for extent in axes.bbox.extents))
    wanted = list(dict.fromkeys(labels))
    places = (axes.transData.transform([point for point, _ in wanted]) * scale).tolist()
    hidden = (axes.transData.transform(points) * scale).tolist() if points else []
    taken = [_box(x, y, MARKER_POINTS, MARKER_POINTS) for x, y in dict.fromkeys(map(tuple, (*places, *hidden)))]
    for (point, text), (x, y) in zip(wanted, places, strict=True):
        width, height, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
        others = [place for place in places if place != [x, y]]
        spots = [_box(x + right, y + up, width / 2, height / 2) for right, up in _offsets(width / 2, height / 2)]
        best = min(spots, key=lambda box: _harm(box, box.distance(x, y), taken, others, frame))
        if only_where_free and _harm(best, 0, taken, (), frame)[0]:
            continue
        taken.append(best._replace(bottom=best.bottom - _APART_POINTS, top=best.top + _APART_POINTS))
        line = {"arrowstyle": "-", "linewidth": 0.4, "shrinkA": 0, "shrinkB": 0}
        axes.annotate(
            text,
            point,
            ((best.left + best.right) / 2 - x, (best.bottom + best.top) / 2 - y),
            textcoords="offset points",
            ha="center",
            va="center",
            fontproperties=font,
            arrowprops=line if best.distance(x, y) > 1.01 * _GAPS_POINTS[0] else None,
        )


def merged(axes: Axes, labels: Sequence[tuple[PagePoint, str]]) -> list[tuple[PagePoint, str]]:
    """One text for points so near that they cover each other: that of the first, and how many more there are.

    The layout and limits of the axes have to be final.
    """
    axes.autoscale_view()
    found: dict[tuple[int, ...], list[tuple[PagePoint, str]]] = {}
    scale = 72 / axes.figure.dpi / (2 * MARKER_POINTS)
    for point, text in labels:
        near = tuple(round(pixel * scale) for pixel in axes.transData.transform(point).tolist())
        found.setdefault(near, []).append((point, text))
    return [(point, text + (f" and {len(more)} more" if more else "")) for (point, text), *more in found.values()]


def _offsets(half_width: float, half_height: float) -> Iterator[PagePoint]:
    """The places around its point that the middle of a text of this size may have."""
    for gap, (right, up) in product(_GAPS_POINTS, _DIRECTIONS):
        yield right * (half_width + gap), up * (half_height + gap)


def _box(x: float, y: float, half_width: float, half_height: float) -> Bounds:
    return Bounds(x - half_width, y - half_height, x + half_width, y + half_height)


def _harm(
    box: Bounds, own: float, taken: Sequence[Bounds], others: Sequence[PagePoint], frame: Bounds
) -> tuple[float, bool]:
    """The badness of a place: the area that is shared with what is there, or outside of the axes, up to rounding.

    Then whether a point is nearer to it than the one it belongs to, at distance `own`.
    """
    hidden = sum(map(box.overlap, taken)) + box.area - box.overlap(frame)
    return round(hidden, 6), any(box.distance(x, y) < own for x, y in others)
