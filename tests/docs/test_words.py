"""Do pages and docstrings keep to the style of words in CONTRIBUTING.md?"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

from accelsim.cli.overview import COMMANDS
from accelsim.cli.parser import parser_of
from accelsim.report import columns, compare
from tests.pages import FOLDER as DOCS
from tests.words import GENERATED, PAGES, ROOT, UNASKED, lengths, linted, prose, sentences

MEDIAN, LONGEST = 20, 35
"""Words of a sentence."""
AVOIDED = {
    r"\bplay(s|ed)\b": "simulates",
    r"\btells?,? (layer|how|what|why)": "reports",
    r"\brests? on assumptions": "is assumed",
    r"\bthan which\b": "a relative clause that is read once",
    r"\bas spent\b": "as moved",
    r"\b(very|really|quite|simply|obviously|of course)\b": "nothing",
    r"\bin order to\b": "to",
    r"\b(un)?pinned\b": "stationary in PEs, resident in SRAM, fixed in a file",
    r"\butiliz(e|es|ed) the\b": "use",
}
"""Words to avoid, and better ones."""
CLOCKS = r"(?<!DRAM )\bclocks\b(?! of the array)"
"""Those that are cycles."""
OPENINGS = {
    "What", "Whatever", "Whether", "Where", "Wherever", "When", "Whenever", "While", "Which", "Who", "Whose", "Why",
    "How", "That", "Those", "Of", "As", "If", "Once",
}  # fmt: skip
"""Words that no docstring opens with: it opens with a noun phrase or a verb."""
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


def test_help_and_columns_keep_to_the_sheet() -> None:
    """Words to avoid; and an array's clock is a cycle, other than those of DRAM."""
    described = (*compare.COLUMNS, *columns.COLUMNS)
    texts = {each.name: f"{each.meaning} ({each.unit})" for each in described}
    texts |= {name: f"{meaning} ({unit})" for name, unit, meaning in columns.TOTALS}
    helped = {name: " ".join(parser_of(name).format_help().split()) for name in COMMANDS}
    avoided = [(name, words) for name, text in (texts | helped).items() for words in AVOIDED if re.search(words, text)]
    assert avoided == []
    assert [
        name for name, text in texts.items() if re.search(rf"{CLOCKS}|\bclock\b(?! (tree|of the array))", text)
    ] == []


@pytest.mark.parametrize("page", [*PAGES, *(DOCS / name for name in sorted(GENERATED))], ids=lambda page: page.name)
def test_time_is_in_cycles(page: Path) -> None:
    """Tables included; where a clock is meant, it is that of the DRAM, of the array, or of a chip."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    text = " ".join(re.sub(r"`[^`]*`", "X", text).split())
    assert re.findall(rf".{{,40}}(?:{CLOCKS}|\ba clock\b(?! of the array)).{{,40}}", text) == []


def test_the_linter_finds_nothing() -> None:
    found = linted(PAGES)
    assert found, "it finds what is left out"
    assert [name for name in found if not name.startswith(UNASKED)] == []


def docstrings() -> Iterator[tuple[Path, str]]:
    """Docstrings of the package and of what the tests share, of constants and types too, each on one line."""
    shared = (path for path in (ROOT / "tests").glob("*.py") if not path.name.startswith("test_"))
    for path in sorted([*(ROOT / "accelsim").rglob("*.py"), *shared, *(ROOT / "tests" / "reference").glob("*.py")]):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Expr(ast.Constant(str(text))):
                    yield path, " ".join(text.split())


def test_docstrings_open_with_a_noun_phrase_or_a_verb() -> None:
    """In plain words of the field."""
    found = [*docstrings()]
    assert len(found) > 2000
    assert [(path, text) for path, text in found if re.split(r"\W", text, maxsplit=1)[0] in OPENINGS] == []
    assert [(path, text) for path, text in found if re.search("so many|the same with|[Pp]inned", text)] == []
