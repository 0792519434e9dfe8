"""Files: written whole or not at all, and never over another run unasked."""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from accelsim.errors import Mistake, UserError
from accelsim.report.columns import Value


def csv_text(rows: Sequence[Mapping[str, Value | None]]) -> str:
    """Rows as CSV, a header first. Numbers in full, None as nothing, lines ended by a line feed."""
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def json_text(document: Mapping[str, Any], name: str, rows: Iterable[Mapping[str, Any]]) -> str:
    """A document as JSON with rows added under `name`: an entry a line, but a row a line."""
    head = json.dumps(document, indent=1, ensure_ascii=True).removesuffix("\n}")
    lines = ",\n".join(f"  {json.dumps(row, ensure_ascii=True)}" for row in rows)
    return f'{head},\n "{name}": [\n{lines}\n ]\n}}\n'


def save_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence[Value | None]]) -> None:
    """Write CSV as `csv_text` does, row by row. Raises UserError where it can't be written."""
    try:
        with _replaced(path) as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header)
            writer.writerows(rows)
    except OSError as error:
        raise _unwritable(error) from None


def save_files(folder: Path, files: Mapping[str, str | bytes | None], *, force: bool) -> None:
    """Write `files` (name to content; None: no such file) into `folder`, the last one last: where it stands, all stand.

    Raises UserError where the folder has other files of these names and `force` is not set, or can't be written.
    """
    try:
        contents = {name: text.encode() if isinstance(text, str) else text for name, text in files.items()}
        others = [name for name, content in contents.items() if _differs(folder / name, content)]
        if others and not force:
            expected = "a folder without another run, or --force"
            raise UserError([Mistake("command-line", 0, "-o", expected, f"{folder} with {', '.join(sorted(others))}")])
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            _replace(folder / name, content)
    except OSError as error:
        raise _unwritable(error) from None


def _unwritable(error: OSError) -> UserError:
    reason = error.strerror or "an error"
    return UserError([Mistake("command-line", 0, "-o", "a folder that can be written", reason)])


def _differs(path: Path, content: bytes | None) -> bool:
    return path.exists() and (not path.is_file() or path.read_bytes() != content)


def _replace(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink(missing_ok=True)
        return
    with _replaced(path) as file:
        file.buffer.write(content)


@contextmanager
def _replaced(path: Path) -> Iterator[TextIOWrapper]:
    """A file that stands in the place of another once it is whole."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            yield file
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
