"""`accelsim columns`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from textwrap import fill


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of `columns`."""


def run(_: Namespace) -> int:
    """Carry it out; gives the exit code."""
    from accelsim.report import compare
    from accelsim.report.columns import COLUMNS, TOTALS, WHAT_IFS, speedup_column
    from accelsim.report.tables import page_width

    rows = [[column.name, column.unit, column.meaning] for column in COLUMNS]
    rows += [[name, unit, f"{meaning} (totals only)"] for name, unit, meaning in TOTALS]
    rows += [[speedup_column(name), "1", f"if {meaning} (with --what-if)"] for name, meaning in WHAT_IFS.items()]
    described = {row[0] for row in rows}
    rows += [
        [column.name, column.unit, f"{column.meaning} (compare only)"]
        for column in compare.COLUMNS
        if column.name not in described
    ]
    for name, unit, meaning in rows:
        print(f"{name} ({unit})" if unit else name)
        print(fill(meaning, page_width(), initial_indent="    ", subsequent_indent="    "))
    return 0
