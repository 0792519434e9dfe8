"""A run as HTML for a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from accelsim.records import LayerRecord
from accelsim.report.text import LAYER_HEADER, layer_cells, summary


def run_html(
    name: str,
    machine: str,
    records: Sequence[LayerRecord],
    total: LayerRecord,
    totals: dict[str, Any],
    *,
    complete: bool = True,
) -> str:
    """The totals, and the layers folded away."""
    title, *lines = summary(name, machine, total, totals, complete=complete).splitlines()
    header = _row("th", LAYER_HEADER)
    rows = "".join(_row("td", layer_cells(record)) for record in records)
    return (
        f"<b>{escape(title)}</b><ul>{''.join(f'<li>{escape(line.strip())}</li>' for line in lines)}</ul>"
        f"<details><summary>{len(records)} layers</summary><table>{header}{rows}</table></details>"
    )


def _row(tag: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"
