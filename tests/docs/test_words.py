"""Do the pages keep to the style of words in CONTRIBUTING.md?"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest

from tests.words import PAGES, lengths, prose, sentences

MEDIAN, LONGEST = 22, 45
"""Words of a sentence."""
AVOIDED = {
    r"\bplay(s|ed)\b": "simulates",
    r"\btells?,? (layer|how|what|why)": "reports",
    r"\brests? on assumptions": "is assumed",
    r"\bthan which\b": "a relative clause that is read once",
    r"\bas spent\b": "as moved",
    r"\b(very|really|quite|simply|obviously|of course)\b": "nothing",
    r"\bin order to\b": "to",
    r"\butiliz(e|es|ed) the\b": "use",
}
"""Words to avoid, and better ones."""
PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@PAGE
def test_sentences_are_short(page: Path) -> None:
    found = lengths(page)
    assert median(found or [0]) <= MEDIAN
    assert [sentence for sentence in sentences(page) if len(sentence.split()) > LONGEST] == []


@PAGE
def test_words_to_avoid(page: Path) -> None:
    text = " ".join(prose(page).split())
    assert [(found[0], better) for words, better in AVOIDED.items() if (found := re.search(words, text))] == []


UNASKED = ("typography.", "annotations.", "lexical_illusions", "misc.phrasal_adjectives.ly")
"""Checks of proselint that are left out: of typography, and those that trip over sizes and terms of the field."""


def test_the_linter_finds_nothing(tmp_path: Path) -> None:
    for page in PAGES:
        (tmp_path / page.name).write_text(prose(page), encoding="utf-8")
    command = [sys.executable, "-m", "proselint", "check", *(page.name for page in PAGES)]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert found.returncode in (0, 1), found.stderr
    lines = re.findall(r"^\S+?:\d+:\d+: (\S+): .*$", found.stdout, re.MULTILINE)
    assert lines, "it finds what is left out"
    assert [line for line in lines if not line.startswith(UNASKED)] == []
