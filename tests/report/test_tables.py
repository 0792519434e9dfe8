"""Do tables fit the page, and say what they leave out?"""

from __future__ import annotations

import sys

import pytest

from accelsim.cli import main
from accelsim.report.tables import fitted, page_of, shortened, table

HEADER = ("layer", "cycles", "bytes")
ROWS = [["a_long_name_of_a_layer", "1", "20"], ["b", "100", "3"]]


def test_a_table_that_fits_is_whole() -> None:
    with page_of(80):
        assert fitted(HEADER, ROWS, spare=("bytes",)) == table(HEADER, ROWS)


def test_columns_are_left_out_in_their_order() -> None:
    """And a line says which, those that the table has not aside."""
    with page_of(31):
        found = fitted(HEADER, ROWS, spare=("none", "bytes", "cycles")).splitlines()
    assert found[0].split() == ["layer", "cycles"]
    wide = max(map(len, table(HEADER, ROWS).splitlines()))
    assert " ".join(found[-2:]) == f"(no room for bytes; COLUMNS={wide}  shows all)"
    with page_of(wide):
        assert fitted(HEADER, ROWS, spare=("none", "bytes", "cycles")) == table(HEADER, ROWS)
    assert max(map(len, found[:-1])) <= 31


def test_names_are_shortened_in_their_middle() -> None:
    with page_of(30):
        found = fitted(HEADER, ROWS).splitlines()
    assert found[1].startswith("a_long_..a_layer ")
    assert shortened("abcdefgh", 6) == "ab..gh"
    assert shortened("abcdef", 6) == "abcdef"


@pytest.mark.parametrize("columns", [80, 140])
@pytest.mark.parametrize("command", ["run cmp_resnet_13 edge", "explain cmp_resnet_13 edge --plans", "list networks"])
def test_tables_use_the_page(
    command: str, columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """COLUMNS, or 80 in a pipe; with more, more columns are there."""
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(command.split()) == 0
    lines = capsys.readouterr().out.splitlines()
    head = next(place for place, line in enumerate(lines) if line.split()[0] in ("layer", "network"))
    rows = lines[head : lines.index("", head) if "" in lines[head:] else None]
    assert max(map(len, rows)) <= columns
    assert len(lines[head]) > 0.6 * min(columns, 120)


def test_a_pipe_gets_eighty_letters(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert not sys.stdout.isatty()
    assert main(["list", "networks"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) == 80
