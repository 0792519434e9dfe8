"""Tables as text, as wide as they need or as the page is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from textwrap import fill

PAGE = 80
"""Letters of a line where nothing says otherwise."""
_WIDTH: ContextVar[int] = ContextVar("width of the page", default=PAGE)
_LEAST, _GAP, _CUT = 16, "  ", ".."
"""Letters of a column of texts, what stands between columns, and in the middle of a shortened text."""


@contextmanager
def page_of(width: int) -> Iterator[None]:
    """Inside, tables are fitted to lines of this many characters."""
    token = _WIDTH.set(width)
    try:
        yield
    finally:
        _WIDTH.reset(token)


def page_width() -> int:
    """Letters of a line."""
    return _WIDTH.get()


def table(header: Sequence[str], rows: Iterable[Sequence[str]], left: Collection[int] = (0,)) -> str:
    """Columns as wide as they need; those in `left` to the left, the others to the right."""
    lines = [list(header), *map(list, rows)]
    widths = _widths(lines)
    return "\n".join(
        _GAP.join(
            cell.ljust(width) if position in left else cell.rjust(width)
            for position, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def fitted(
    header: Sequence[str], rows: Iterable[Sequence[str]], left: Collection[int] = (0,), spare: Sequence[str] = ()
) -> str:
    """A table that is no wider than the page, if it can be.

    spare: columns that are left out where it would be, the first ones first; a line below says which. Texts in columns
    to the left are shortened in their middle where that is not enough.
    """
    lines = [list(header), *map(list, rows)]
    wide, gone = _wide(lines), list[str]()
    for name in spare:
        if name in lines[0] and _least(lines, left) > page_width():
            place = lines[0].index(name)
            gone.append(name)
            left = [each - (each > place) for each in left if each != place]
            lines = [line[:place] + line[place + 1 :] for line in lines]
    _shorten(lines, left)
    text = table(lines[0], lines[1:], left)
    return f"{text}\n{_remedy(gone, wide)}" if gone else text


def _remedy(gone: Sequence[str], wide: int) -> str:
    """Columns that are left out, and what shows them."""
    text = f"(no room for {', '.join(gone)}; COLUMNS={wide} shows all)"
    return fill(text, max(page_width(), 1), subsequent_indent=" ", break_on_hyphens=False)


def _widths(lines: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*lines, strict=True)]


def _wide(lines: Sequence[Sequence[str]]) -> int:
    return sum(_widths(lines)) + len(_GAP) * (len(lines[0]) - 1)


def _least(lines: Sequence[Sequence[str]], left: Collection[int]) -> int:
    """Letters of a line with all texts but those of the first column as short as can be."""
    widths = _widths(lines)
    return _wide(lines) - sum(max(0, widths[place] - _LEAST) for place in left if place)


def _shorten(lines: list[list[str]], left: Collection[int]) -> None:
    """Shorten the texts of the columns to the left, the last one first, until lines fit."""
    for place in sorted(left, reverse=True):
        over = _wide(lines) - page_width()
        if over <= 0:
            return
        width = max(_LEAST, _widths(lines)[place] - over)
        for line in lines:
            line[place] = shortened(line[place], width)


def shortened(text: str, width: int) -> str:
    """A text of at most this many characters, without its middle where it has more."""
    if len(text) <= width:
        return text
    kept = width - len(_CUT)
    return text[: kept - kept // 2] + _CUT + text[len(text) - kept // 2 :]
