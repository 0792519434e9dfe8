"""`accelsim columns`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of `columns`."""


def run(_: Namespace) -> int:
    """Carry it out; gives the exit code."""
    from accelsim.report import compare
    from accelsim.report.columns import COLUMNS, TOTALS, WHAT_IFS, speedup_column

    rows = [[column.name, column.unit, column.meaning] for column in COLUMNS]
    rows += [[name, unit, f"{meaning} (totals only)"] for name, unit, meaning in TOTALS]
    rows += [[speedup_column(name), "1", f"if {meaning} (with --what-if)"] for name, meaning in WHAT_IFS.items()]
    described = {row[0] for row in rows}
    rows += [
        [column.name, column.unit, f"{column.meaning} (compare only)"]
        for column in compare.COLUMNS
        if column.name not in described
    ]
    width = max(len(row[0]) for row in rows)
    unit_width = max(len(row[1]) for row in rows)
    print(f"{'column'.ljust(width)}  {'unit'.ljust(unit_width)}  meaning")
    for name, unit, meaning in rows:
        print(f"{name.ljust(width)}  {unit.ljust(unit_width)}  {meaning}")
    return 0
