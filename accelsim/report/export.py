"""Files: written whole or not at all, and never over another run unasked."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from accelsim.errors import ARGUMENTS, Mistake, UserError
from accelsim.report.columns import Value
from accelsim.report.writing import aside, changed, locked, move_in, refuse_special

_FORMULA = tuple("=+-@\t\r")
"""First characters of what spreadsheets compute."""
_NUMBER = re.compile(r"[-+]?[0-9.]+([eE][-+]?[0-9]+)?")


def csv_text(rows: Sequence[Mapping[str, Value | None]], columns: Sequence[str] = ()) -> str:
    """Rows as CSV, a header first. Numbers in full, None as nothing, lines ended by a line feed.

    columns: the header where there is no row. No text is what a spreadsheet would take for a formula.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    header = list(rows[0]) if rows else list(columns)
    writer.writerow(header)
    writer.writerows([_cell(row[name]) for name in header] for row in rows)
    return out.getvalue()


def _cell(value: Value | None) -> Value | None:
    """A value, an apostrophe before a text that spreadsheets would compute."""
    if isinstance(value, str) and value.startswith(_FORMULA) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value


def json_text(document: Mapping[str, Any], name: str, rows: Iterable[Mapping[str, Any]]) -> str:
    """A document as JSON with rows added under `name`: an entry a line, but a row a line."""
    head = json.dumps(document, indent=1, ensure_ascii=True).removesuffix("\n}")
    lines = ",\n".join(f"  {json.dumps(row, ensure_ascii=True)}" for row in rows)
    return f'{head},\n "{name}": [\n{lines}\n ]\n}}\n'


def save_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence[Value | None]]) -> None:
    """Write CSV as `csv_text` does, row by row. Raises UserError where it can't be written."""
    try:
        with aside(path.parent) as place:
            with (place / path.name).open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(header)
                writer.writerows(map(_cell, row) for row in rows)
            move_in([path.name], place, path.parent)
    except OSError as error:
        raise _unwritable(error) from None


def save_files(folder: Path, files: Mapping[str, str | bytes | None], *, force: bool) -> None:
    """Write `files` (name to content; None: no such file) into `folder`, the last one last: where it stands, all stand.

    Raises UserError where the folder has other files of these names and `force` is not set, or can't be written.
    """
    contents = {name: _bytes(content) for name, content in files.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder):
            refuse_special(contents, folder)
            others = changed(contents, folder)
            existing = sorted(name for name in others if os.path.lexists(folder / name))
            if existing and not force:
                expected = "a folder without another run, or `force`"
                raise UserError([Mistake(ARGUMENTS, 0, "folder", expected, f"{folder} with {', '.join(existing)}")])
            _write({name: contents[name] for name in others}, folder)
    except BlockingIOError:
        expected = "a folder that no other process writes to"
        raise UserError([Mistake(ARGUMENTS, 0, "folder", expected, str(folder))]) from None
    except OSError as error:
        raise _unwritable(error) from None
    except ValueError:
        raise UserError([Mistake(ARGUMENTS, 0, "folder", "a folder", "no name of one")]) from None


def _bytes(content: str | bytes | None) -> bytes | None:
    return content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content


def _write(contents: Mapping[str, bytes | None], folder: Path) -> None:
    if not contents:
        return
    with aside(folder) as place:
        for name, content in contents.items():
            if content is not None:
                (place / name).write_bytes(content)
        move_in(list(contents), place, folder)


def _unwritable(error: OSError) -> UserError:
    reason = error.strerror or "an error"
    return UserError([Mistake(ARGUMENTS, 0, "folder", "a folder that can be written", reason)])
