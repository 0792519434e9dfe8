"""Pages of the documentation that are computed: `python -m tests.pages` writes them anew.

`tests/docs/test_pages.py` holds each to what is computed, so they cannot go stale. Computed passages of other pages
(`tests/passages.py`) are written anew, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from accelsim.report import compare
from accelsim.report.columns import COLUMNS, TOTALS
from tests import fidelity, keys, layouts, lecture, notebook, passages, references, validation
from tests.tables import lines

FOLDER = Path(__file__).resolve().parent.parent / "docs"

_ABOUT_COLUMNS = """# Columns

What result columns mean, as `accelsim columns` prints it. Layers have those of the first table, in `layers.csv`,
`--json` and frames; whole runs have all that are not marked *layers*, and those of the second.
"""


def columns() -> str:
    """docs/columns.md."""
    layers = [
        (f"`{column.name}`", column.unit, column.meaning + (" *(layers)*" if column.of_layers_only else ""))
        for column in COLUMNS
    ]
    totals = [(f"`{name}`", unit, meaning) for name, unit, meaning in TOTALS]
    known = {column.name for column in COLUMNS} | {name for name, _, _ in TOTALS}
    others = [(f"`{each.name}`", each.unit, each.meaning) for each in compare.COLUMNS if each.name not in known]
    header = ("column", "unit", "meaning")
    return "\n".join(
        (
            _ABOUT_COLUMNS,
            _table(header, layers),
            "## Of a whole run\n",
            _table(header, totals),
            "## Of `accelsim compare`\n",
            _table(header, others),
        )
    )


_ABOUT_OPERATORS = f"""# Operators of ONNX by layout

Each operator of ONNX {layouts.OPSET}, tried on one map of each layout: `yes` where it is modelled, with the shape that
ONNX infers; the dimensions or forms alone that are, counted from that of the images, where not all are; `-` where ONNX
has no such operator. Maps whose channels are last stand behind a `Transpose` where an operator wants them second. The
rows that they become are in [ONNX and PyTorch](onnx.md#what-is-modelled).
"""


def operators() -> str:
    """docs/operators.md."""
    shapes = [f"{name} {list(shape)}" for name, shape in layouts.LAYOUTS.items()]
    return f"{_ABOUT_OPERATORS}\n{_table(('operators', *shapes), layouts.rows())}"


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    return "\n".join(lines(tuple(header), rows)) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "keys.md": keys.page,
    "columns.md": columns,
    "validation.md": validation.page,
    "lecture.md": lecture.page,
    "operators.md": operators,
    "fidelity.md": fidelity.page,
    "fidelity.svg": fidelity.picture,
    "references.svg": references.picture,
}
"""The text of each computed page."""


if __name__ == "__main__":
    for name, text in {**PAGES, "example.ipynb": notebook.page}.items():
        (FOLDER / name).write_text(text(), encoding="utf-8")
    for page in passages.PAGES:
        page.write_text(passages.renewed(page), encoding="utf-8")
