"""Every command, picture and format on every shape of run and sweep: none is an accident."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from accelsim.cli import main
from accelsim.report.figure import KINDS
from accelsim.report.plots import RUN_PLOTS, SWEEP_PLOTS
from accelsim.sweeps.work import work

GOOD = Path(__file__).parents[2] / "invalid" / "good"
TABLE = "eyeriss_normalized"


def network(*rows: str) -> str:
    size = "input: {height: 8, width: 8, channels: 4}"
    return "\n".join(("name: shape", "source: made up", size, "layers:", *(f"  - {{{row}}}" for row in rows)))


CONV, RELU = "name: a, op: conv, kernel: 1, channels: 8", "name: r, op: relu"
FILES = {
    "array.yaml": network(CONV),
    "vector.yaml": network(RELU),
    "nothing.yaml": network("name: s, op: slice, channels: 2"),
    "both.yaml": network(CONV, RELU, "name: d, op: dwconv, kernel: 3, pad: 1", "name: f, op: fc, channels: 4"),
    "large.yaml": network("name: a, op: maxpool, kernel: 64").replace("8, width: 8", "64, width: 64"),
    "table.csv": "Layer, M, N, K,\nfirst, 8, 4, 16,\nsecond, 1, 1, 1,\n",
}
RUNS: dict[str, list[str]] = {
    "usual": ["both.yaml", "machine.yaml"],
    "one-layer": ["array.yaml", "machine.yaml"],
    "no-array-layer": ["vector.yaml", "machine.yaml"],
    "no-traffic": ["nothing.yaml", "machine.yaml"],
    "what-if": ["both.yaml", "machine.yaml", "--what-if"],
    "what-if-of-nothing": ["nothing.yaml", "machine.yaml", "--what-if"],
    "images": ["both.yaml", "machine.yaml", "--set", "scheduling.inferences=3", "--set", "network.batch=2"],
    "commands": ["both.yaml", "edge"],
    "imported": ["table.csv", "machine.yaml"],
}
QUICKEST = "one-layer", "no-array-layer", "no-traffic", "what-if"
"""Shapes of runs that are not left to the slow tests."""
SWEEPS: dict[str, list[str]] = {
    "of-one": ["--network", "array.yaml"],
    "of-nothing": ["--network", "nothing.yaml", "--vary", "array.rows=2,4"],
    "with-failures": ["--network", "array.yaml", "--network", "large.yaml", "--vary", "array.rows=2,4"],
    "of-failures": ["--network", "large.yaml"],
    "with-accuracy": ["--network", "cmp_resnet_13", "--vary", "sram.weight.capacity_bytes=4096,8192"],
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with networks and a machine."""
    folder = tmp_path_factory.mktemp("matrix")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    shutil.copy(GOOD / "machine.yaml", folder)
    return folder


@pytest.fixture
def made(place: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Gives the folder of a run or sweep by name, which is made when it is first asked for."""
    monkeypatch.chdir(place)
    monkeypatch.setattr("accelsim.sweeps.workers.on_processes", lambda tasks, *_, **__: (work(task) for task in tasks))

    def make(name: str) -> str:
        output = f"out-{name}"
        if not (place / output).exists():
            if name in RUNS:
                assert main(["run", *RUNS[name], "-o", output, "--quiet"]) == 0
            else:
                assert main(["sweep", *SWEEPS[name], "--hw", "machine.yaml", "-o", output]) in (0, 1)
        return output

    return make


def fine(*argv: str) -> None:
    assert main(list(argv)) == 0


each_run = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name not in QUICKEST)) for name in RUNS]
)


@each_run
def test_each_command_on_each_run(name: str, made: Callable[[str], str], capsys: pytest.CaptureFixture[str]) -> None:
    output, spec = made(name), RUNS[name]
    layer = csv_rows(Path(output) / "layers.csv")[0]["layer"]
    settings = [word for word in spec[2:] if word != "--what-if"]
    for options in ([], ["--json"], ["--by", "type"], ["--by", "stage"], ["--by", "layer"], ["--trace", "t.json"]):
        fine("run", *spec, *options, *(["--force"] if "--trace" in options else []))
    for command in (["rerun", output], ["reprice", output, "--energy", TABLE, "--json"], ["diff", output, output]):
        fine(*command)
    fine("reprice", output, "--energy", TABLE, "-o", f"{output}-again", "--force")
    fine("diff", output, f"{output}-again", "--json")
    fine("report", output, made("usual"), "-o", "page.html", "--force")
    fine("explain", output, "--layer", layer)
    fine("explain", *spec[:2], *settings, "--layer", layer, "total_cycles", "energy_total_pj", "--json")
    fine("check", *spec[:2], *settings)
    fine("show", spec[0], "--layers", "--csv")
    fine("compare", spec[0], "array.yaml", "--hw", spec[1], *settings, "-o", f"{output}-compared", "--force")
    assert capsys.readouterr().err.count("Traceback") == 0


def csv_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@each_run
@pytest.mark.parametrize("kind", RUN_PLOTS)
def test_each_picture_of_each_run(name: str, kind: str, made: Callable[[str], str]) -> None:
    for form in KINDS if kind == "cycles" else KINDS[:1]:
        fine("plot", made(name), "--kind", kind, "-o", f"picture.{form}", "--force")
        assert Path(f"picture.{form}").stat().st_size > 100
    assert Path("picture.csv").read_text().count("\n") >= 1


@each_run
def test_each_picture_of_a_difference(name: str, made: Callable[[str], str]) -> None:
    for form in KINDS if name == "usual" else KINDS[:1]:
        fine("diff", made("usual"), made(name), "-o", f"difference.{form}", "--force")


@pytest.mark.parametrize("name", SWEEPS)
def test_each_command_on_each_sweep(name: str, made: Callable[[str], str], capsys: pytest.CaptureFixture[str]) -> None:
    """Where there is nothing to show, that is a mistake and said on one line."""
    output = made(name)
    fine("report", output, made("usual"), "-o", "page.html", "--force")
    capsys.readouterr()
    commands = [["pareto", output, "--minimize", "total_cycles,energy_total_pj", "-o", f"{output}-front", "--force"]]
    commands += [["plot", output, "--kind", kind, "-o", "sweep.svg", "--force"] for kind in SWEEP_PLOTS]
    for command in commands:
        code = main(command)
        _, err = capsys.readouterr()
        assert code == 0 or (code == 2 and err.count("\n") == 1 and "expected" in err)
        assert code == 0 or name in ("of-failures", "of-one", "of-nothing") or "--kind" in command
