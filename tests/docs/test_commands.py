"""Is every command, link and figure of the pages held by something, also outside of console blocks?

Options of commands in `sh` blocks and in sentences exist; the commands of the lecture are carried out. Links with an
anchor name a heading that is there.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from accelsim.cli import main
from accelsim.cli.overview import COMMANDS, TOPICS
from accelsim.cli.parser import parse
from accelsim.config.load import load_machine
from accelsim.config.named import names
from accelsim.run.simulate import simulate
from tests.docs.test_readme import PAGES, README, ROOT, blocks, files_shown

LECTURE = ROOT / "docs" / "lecture.md"
TEXTS = sorted(path for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")) if path.name != "CHANGELOG.md")
LISTED = ("networks", "machines", "dram", "energy", "area")


def shell_lines(page: Path) -> Iterator[str]:
    """The lines of its `sh` blocks, without comments."""
    for block in blocks(page, "sh"):
        yield from (line.partition(" #")[0].strip() for line in block.splitlines())


def named_in_sentences(page: Path) -> Iterator[str]:
    """Commands between backquotes that leave nothing out."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    for code in re.findall(r"`(accelsim [^`]+)`", text):
        line = " ".join(code.split())
        if "..." not in line and "TOPIC" not in line:
            yield line


def commands() -> Iterator[tuple[str, str]]:
    """(page, command line) of all of them."""
    for page in TEXTS:
        for line in (*shell_lines(page), *named_in_sentences(page)):
            for part in re.split(r" && | \| ", line):
                if part.startswith("accelsim "):
                    yield page.name, part


@pytest.mark.parametrize(("page", "line"), [pytest.param(*each, id=each[1]) for each in sorted(set(commands()))])
def test_a_command_has_these_arguments(page: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """All of them, or at least those that the sentence is about."""
    words = shlex.split(line)[1:]
    if words[0].startswith("-") or len(words) == 1:
        assert words[0] in (*COMMANDS, "--help", "--version"), page
        return
    options = [word.partition("=")[0] for word in words if word.startswith("-")]
    with pytest.raises(SystemExit) as left:
        parse([words[0], "--help"])
    assert left.value.code == 0
    known = set(re.findall(r"(?<![\w-])--?\w[\w-]*", capsys.readouterr().out))
    assert [option for option in options if option not in known] == [], page
    if words[0] == "help":
        assert set(words[1:]) <= {*COMMANDS, *TOPICS}
    if words[0] == "list":
        assert set(words[1:]) <= set(LISTED)


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.name)
def test_scripts_and_modules_that_are_named_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    modules = [name for name in re.findall(r"python3? -m\s+([\w.]+)", text) if name.startswith("tests")]
    scripts = re.findall(r"python3?\s+((?:plots|tests)/[\w/]+\.py)", text)
    assert [name for name in modules if find_spec(name) is None] == []
    assert [path for path in scripts if not (ROOT / path).exists()] == []
    for block in blocks(page, "python"):
        compile(block, page.name, "exec")


def slug(heading: str) -> str:
    """The anchor of a heading, as GitHub and the site have it."""
    return re.sub(r"[^\w\- ]", "", re.sub(r"`|\[([^]]*)\]\([^)]*\)", r"\1", heading).strip().lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return {slug(heading) for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}


@pytest.mark.parametrize("page", [*TEXTS, ROOT / "CHANGELOG.md"], ids=lambda page: page.name)
def test_a_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    lost = []
    for link in re.findall(r"\]\(([^)\s:]+)\)", page.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(link)
    assert lost == []


@pytest.mark.slow
def test_the_commands_of_the_lecture_do_what_they_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of them, its sweep with one network; that it is the sweep of the picture, tests/lecture.py sees to."""
    for name, content in files_shown(LECTURE):
        (tmp_path / name).write_text(re.sub(r"networks: .*", "networks: [squeezenet_v1.0]", content))
    monkeypatch.chdir(tmp_path)
    lines = [line for line in shell_lines(LECTURE) if line]
    assert len(lines) == 11
    for line in lines:
        assert main(shlex.split(line)[1:]) == 0, line
        assert "plot" in line or capsys.readouterr().out


def test_the_start_of_a_checkout_is_that_of_the_readme() -> None:
    """What CI runs of README.md makes the environment that docs/start.md makes."""
    start = [line for line in shell_lines(ROOT / "docs" / "start.md") if line]
    assert start[0].replace("pip install .", "pip install --quiet .") in "\n".join(shell_lines(README))


def test_the_model_names_the_table_of_each_machine() -> None:
    """docs/machine.md, section 7."""
    text = (ROOT / "docs" / "machine.md").read_text(encoding="utf-8").partition("### The table of a machine")[2]
    rows = re.findall(r"^\| `(\w+)` \| (`.*) \|$", text.partition("\n###")[0], re.MULTILINE)
    said = {machine: table for table, machines in rows for machine in re.findall(r"`(\w+)`", machines)}
    files = {
        name: yaml.safe_load((ROOT / "hwconfigs" / f"{name}.yaml").read_text())["energy"] for name in names("machines")
    }
    assert said == {name: energy if isinstance(energy, str) else energy["table"] for name, energy in files.items()}
    assert [name for name in said if load_machine(name).energy.scaled_to is not None] == ["ethos_u65"]


def test_what_a_row_costs_is_in_the_sheet_of_the_device() -> None:
    """docs/dram.md."""
    text = (ROOT / "docs" / "dram.md").read_text(encoding="utf-8")
    timing = yaml.safe_load((ROOT / "hwconfigs" / "dram" / "lpddr4-3200.yaml").read_text())["timing"]
    activate, precharge = timing["t_rcd_ns"], timing["t_rp_ns"]
    assert f"| activate, read | {activate} ns more |" in text
    assert f"| precharge, activate, read | {activate + precharge} ns more |" in text


def test_pages_are_looked_at() -> None:
    assert len(set(commands())) > 40
    assert set(PAGES) <= set(TEXTS)


def test_the_readme_counts_the_models_that_are_held() -> None:
    models = (ROOT / "tests" / "data" / "onnx" / "models.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert f"exact MACs and weights of {len(models)} public models" in README.read_text(encoding="utf-8")


def test_the_readme_says_of_depthwise_layers_and_stalls_what_the_run_does() -> None:
    """The sentences below its first output."""
    text = " ".join(README.read_text(encoding="utf-8").split())
    run = simulate("shufflenet_g3", "edge")
    depthwise = [record for record in run.records if record.kind.startswith("dwconv")]
    macs, clocks = (
        sum(amounts) for amounts in zip(*((each.counts.macs, each.total_cycles) for each in depthwise), strict=True)
    )
    streams = sum(each.stream_cycles for each in depthwise)
    assert f"have {macs / run.total.counts.macs:.0%}".replace("%", " %") in text
    assert f"use {macs / streams / run.total.pes:.1%}".replace("%", " %") in text
    assert "take a third of the time" in text
    assert clocks / run.total.total_cycles == pytest.approx(1 / 3, abs=0.04)
    stalls = {name: amount for name, amount in run.total.lost.items() if name != "mapping"}
    assert "half of them wait for weights" in text
    assert stalls["dram_weight"] / sum(stalls.values()) == pytest.approx(0.5, abs=0.05)
