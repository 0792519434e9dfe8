"""Files: written whole or not at all, and never over another run unasked."""

from __future__ import annotations

import csv
import io
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from accelsim.errors import Mistake, UserError
from accelsim.report.columns import Value


def csv_text(rows: Sequence[Mapping[str, Value]]) -> str:
    """Rows as CSV, a header first. Numbers in full, lines ended by a line feed."""
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def save_files(folder: Path, files: Mapping[str, str], *, force: bool) -> None:
    """Write `files` (name to text) into `folder`, the last one last: where it stands, all stand.

    Raises UserError where the folder has other files of these names and `force` is not set, or can't be written.
    """
    try:
        others = [name for name, text in files.items() if _differs(folder / name, text)]
        if others and not force:
            expected = "a folder without another run, or --force"
            raise UserError([Mistake("command-line", 0, "-o", expected, f"{folder} with {', '.join(sorted(others))}")])
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            _replace(folder / name, text)
    except OSError as error:
        reason = error.strerror or "an error"
        raise UserError([Mistake("command-line", 0, "-o", "a folder that can be written", reason)]) from None


def _differs(path: Path, text: str) -> bool:
    return path.exists() and (not path.is_file() or path.read_bytes() != text.encode())


def _replace(path: Path, text: str) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
