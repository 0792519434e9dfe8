"""Prose of the pages, its sentences and their lengths: `python -m tests.words` prints them by page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
GENERATED = {"keys.md", "columns.md"}
PAGES = sorted(
    [
        *(path for path in ROOT.glob("*.md") if path.name != "CHANGELOG.md"),
        *(path for path in (ROOT / "docs").glob("*.md") if path.name not in GENERATED),
    ]
)


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


if __name__ == "__main__":
    everything: list[int] = []
    for each in PAGES:
        found = lengths(each)
        everything += found
        print(f"{each.name:20} {len(found):4} sentences, median {median(found or [0]):g}, longest {max(found or [0])}")
    print(f"{'all':20} {len(everything):4} sentences, median {median(everything):g}, longest {max(everything)}")
