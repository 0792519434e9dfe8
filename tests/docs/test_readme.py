"""Does what README.md and docs/ say work? Their console and Python blocks are run, their outputs and paths compared.

A line of a `console` block that starts with `$ accelsim` is a command; what follows is its output, `...` standing for
anything left out. The commands of a block run one after the other, in a folder of their own that has the shipped files.
A `yaml`, `csv` or `ini` block that begins with `# file: NAME` is that file for all commands of its page. `pycon` blocks
are doctests.
"""

from __future__ import annotations

import doctest
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from accelsim.cli import main, progress
from accelsim.errors import Mistake
from accelsim.run.simulate import load_network

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
PROMPT = "$ accelsim "
TUTORIALS = ("choosing.md", "start.md", "lecture.md", "sweeps.md")


def blocks(page: Path, language: str) -> Iterator[str]:
    """The fenced blocks of a page in this language."""
    for match in re.finditer(
        rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    ):
        yield match[1]


def sessions() -> Iterator[tuple[Path, list[tuple[str, str]]]]:
    """The page and (command line, output shown) of each console block."""
    for page in PAGES:
        for block in blocks(page, "console"):
            before, *shown = re.split(rf"^{re.escape(PROMPT)}", block, flags=re.MULTILINE)
            assert not before, f"{page.name}: a console block starts with `{PROMPT}`"
            parts = [command.partition("\n") for command in shown]
            yield page, [(line, output) for line, _, output in parts]


def has_mistake(output: str) -> bool:
    """True where a line of an output is a mistake."""
    return any(map(Mistake.read, output.splitlines()))


def files_shown(page: Path) -> Iterator[tuple[str, str]]:
    """(name, content) of the files that a page shows in whole."""
    for language in ("yaml", "csv", "ini"):
        for block in blocks(page, language):
            if named := re.match(r"# file: ([\w.]+)\n", block):
                yield named[1], block


def python_blocks() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for number, block in enumerate(blocks(page, "pycon")):
            yield f"{page.name}:{number}", block


@pytest.mark.parametrize(
    ("page", "session"),
    [
        pytest.param(page, session, id=session[0][0], marks=[pytest.mark.slow] * (page != README))
        for page, session in sessions()
    ],
)
def test_a_command_prints_what_is_shown(
    page: Path,
    session: list[tuple[str, str]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, content in files_shown(page):
        (tmp_path / name).write_text(content, encoding="utf-8")
    for name in ("workloads", "hwconfigs"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(progress, "monotonic", lambda: 0.0)  # how long a loaded machine takes is not shown
    for line, shown in session:
        main(shlex.split(line))
        captured = capsys.readouterr()
        printed = captured.out + captured.err
        checker = doctest.OutputChecker()
        example = doctest.Example(line, shown)
        assert checker.check_output(shown, printed, doctest.ELLIPSIS), checker.output_difference(
            example, printed, doctest.ELLIPSIS | doctest.REPORT_NDIFF
        )


@pytest.mark.slow
@pytest.mark.parametrize(("name", "block"), [pytest.param(*block, id=block[0]) for block in python_blocks()])
def test_python_gives_what_is_shown(name: str, block: str) -> None:
    parsed = doctest.DocTestParser().get_doctest(block, {}, name, None, None)
    report: list[str] = []
    results = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(parsed, out=report.append)
    assert results.attempted > 0
    assert not results.failed, "".join(report)


@pytest.mark.parametrize(
    "block",
    [pytest.param(block, id=page.stem) for page in PAGES for block in blocks(page, "yaml") if "\nlayers:" in block],
)
def test_a_network_that_is_shown_is_one(block: str, tmp_path: Path) -> None:
    (tmp_path / "shown.yaml").write_text(block, encoding="utf-8")
    assert load_network(str(tmp_path / "shown.yaml"))[1].nodes


def test_commands_of_a_tutorial_make_no_mistakes() -> None:
    """A mistake that is shown is what a command prints, and passes as such."""
    shown = [output for page, session in sessions() if page.name in TUTORIALS for _, output in session]
    assert shown
    assert not list(filter(has_mistake, shown))


def test_pages_have_blocks_to_run() -> None:
    assert list(sessions())
    assert list(python_blocks())


@pytest.mark.parametrize("mark", ["ci:main-job", "ci:tests"])
def test_a_command_that_ci_runs_is_one_line(mark: str) -> None:
    block = re.findall(
        rf"^<!-- {mark} -->\n```sh\n(.*?)^```$", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    assert len(block) == 1
    assert block[0].count("\n") == 1


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_named_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"`((?:accelsim|hwconfigs|workloads|tests|docs|\.ci)/[\w./]*)`", text)
    links = [str((page.parent / link).relative_to(ROOT)) for link in re.findall(r"\]\(([^):#]+)\)", text)]
    assert [path for path in (*named, *links) if not (ROOT / path).exists()] == []


def test_readme_stays_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) < 250
