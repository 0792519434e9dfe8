"""Prose of the pages, its sentences, their lengths, and what the linter finds.

`python -m tests.words [FOLDER]` prints them by page, of this checkout or of another one.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
GENERATED = {"keys.md", "columns.md"}
UNASKED = ("typography.", "annotations.", "lexical_illusions", "misc.phrasal_adjectives.ly")
"""Checks of proselint that are left out: of typography, and those that trip over sizes and terms of the field."""


def pages_of(root: Path) -> list[Path]:
    """The pages of a checkout that somebody wrote."""
    others = (path for path in root.glob("*.md") if path.name != "CHANGELOG.md")
    return sorted([*others, *(path for path in (root / "docs").glob("*.md") if path.name not in GENERATED)])


PAGES = pages_of(ROOT)


def prose(page: Path) -> str:
    """Paragraphs and list items of a page, without code, tables, headings and markup."""
    text = re.sub(r"^(```|~~~).*?^\1[^\n]*$", "\n", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    lines = [line for line in text.splitlines() if not re.match(r"\s*(\||#|<|!\[|\$\$)", line)]
    text = "\n".join("\n" + line if re.match(r"\s*([-*]|\d+\.) ", line) else line for line in lines)
    text = re.sub(r"!?\[([^]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"`[^`]*`", "X", text)
    return re.sub(r"[*_]{1,2}([^*_\n]+)[*_]{1,2}", r"\1", text)


def sentences(page: Path) -> Iterator[str]:
    """Sentences of the prose, in order."""
    for paragraph in re.split(r"\n\s*\n", prose(page)):
        whole = " ".join(paragraph.split())
        for sentence in re.split(r"(?<=[.!?:])\s+(?=[A-Z0-9\"])", whole):
            if len(sentence.split()) > 2:
                yield sentence


def lengths(page: Path) -> list[int]:
    """Words of each sentence."""
    return [len(sentence.split()) for sentence in sentences(page)]


def linted(pages: Sequence[Path]) -> list[str]:
    """The checks of proselint that the prose of these pages does not pass, once for each place."""
    with tempfile.TemporaryDirectory() as folder:
        for page in pages:
            Path(folder, page.name).write_text(prose(page), encoding="utf-8")
        command = [sys.executable, "-m", "proselint", "check", *(page.name for page in pages)]
        found = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if found.returncode not in (0, 1):
        raise RuntimeError(found.stderr)
    return re.findall(r"^\S+?:\d+:\d+: (\S+): .*$", found.stdout, re.MULTILINE)


def main(root: Path) -> None:
    """Print the sentences of each page by their number and length, and what the linter finds in all."""
    everything: list[int] = []
    pages = pages_of(root)
    for page in pages:
        found = lengths(page)
        everything += found
        print(f"{page.name:20} {len(found):4} sentences, median {median(found or [0]):g}, longest {max(found or [0])}")
    print(f"{'all':20} {len(everything):4} sentences, median {median(everything):g}, longest {max(everything)}")
    unmet = [name for name in linted(pages) if not name.startswith(UNASKED)]
    print(f"the linter finds {len(unmet)}: {', '.join(sorted(set(unmet))) or 'nothing'}")


if __name__ == "__main__":
    main(Path(*sys.argv[1:2]) if sys.argv[1:] else ROOT)
