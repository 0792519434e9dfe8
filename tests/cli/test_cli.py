"""What the commands print, write and leave alone."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from accelsim.cli import main
from accelsim.cli.overview import COMMANDS, KEYS, TOPICS, WELCOME, overview
from accelsim.cli.parser import parser_of
from accelsim.config import variants
from accelsim.config.kinds import KINDS, LISTED
from accelsim.config.named import shipped
from accelsim.records import ENERGY_COMPONENTS
from accelsim.report import compare
from accelsim.report.columns import COLUMNS, TOTALS, WHAT_IFS, speedup_column
from tests.commands import contents
from tests.readers import good_files

ROOT = Path(__file__).parents[2]
GOOD = Path(__file__).parents[1] / "invalid" / "good"
TINY = (str(GOOD / "net.yaml"), str(GOOD / "machine.yaml"))

LAYER_NAMES = {"layer", "op"}
COUNT_NAMES = {"macs", "weights", "total_cycles", "array_busy_cycles"}
COUNT_NAMES |= {"dram_read_bytes", "dram_write_bytes", "sram_read_bytes", "sram_write_bytes"}
COMPONENTS = tuple(ENERGY_COMPONENTS)
ENERGY_NAMES = {f"energy_{component}_pj" for component in COMPONENTS} | {"energy_total_pj", "dram_penalty_pj"}
NAMES = COUNT_NAMES | ENERGY_NAMES | {"utilization"}


def said(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """What a command line that must succeed prints."""
    capsys.readouterr()
    assert main(argv) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def process(*argv: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """A real `python -m accelsim`."""
    return python("-m", "accelsim", *argv, cwd=cwd, **environment)


def python(*argv: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    everything = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run([sys.executable, *argv], cwd=cwd, env=everything, capture_output=True, text=True, check=True)


@pytest.fixture(scope="module")
def shufflenet() -> dict[str, Any]:
    """`run shufflenet_g3 edge --json`, from a real process."""
    parsed: dict[str, Any] = json.loads(process("run", "shufflenet_g3", "edge", "--json").stdout)
    return parsed


def test_run_prints_a_line_for_each_layer_the_costliest_five_and_the_totals(
    capsys: pytest.CaptureFixture[str], shufflenet: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    table, costliest, totals = said(capsys, "run", "shufflenet_g3", "edge").split("\n\n")
    names = [row["layer"] for row in shufflenet["layers"]]
    listed = [line.lstrip("/|\\ ").split()[:2] for line in table.splitlines()]
    assert [name for name, op in listed if op != "group"] == ["layer", *names]
    groups = dict.fromkeys(row["group"] for row in shufflenet["layers"] if row["group"])
    assert [name for name, op in listed if op == "group"] == list(groups)

    title, header, *lines = costliest.splitlines()
    assert (title, header.split()) == ("costliest layers, by energy", table.splitlines()[0].split())
    ranked = sorted(shufflenet["layers"], key=lambda row: -row["energy_total_pj"])
    assert [line.split()[0] for line in lines] == [row["layer"] for row in ranked[:5]]
    assert all(re.sub(" +", " ", line) in re.sub(" +", " ", table) for line in lines)

    assert totals.startswith("shufflenet_1.0x_g3 on edge\n")
    assert f"  {shufflenet['totals']['total_cycles']} cycles = " in totals


def test_json_has_the_promised_names(shufflenet: dict[str, Any]) -> None:
    """In totals and layers alike; `layer` and `op` only where there is a layer."""
    assert set(shufflenet) == {"complete", "totals", "layers", "warnings", "not_tried"}
    assert set(shufflenet["totals"]) >= NAMES
    assert not LAYER_NAMES & set(shufflenet["totals"])
    for row in shufflenet["layers"]:
        assert set(row) >= NAMES | LAYER_NAMES
        assert row.keys() == shufflenet["layers"][0].keys()


def test_json_has_numbers_of_the_right_kind(shufflenet: dict[str, Any]) -> None:
    for row in (shufflenet["totals"], *shufflenet["layers"]):
        assert all(type(row[name]) is int and row[name] >= 0 for name in COUNT_NAMES)
        assert all(type(row[name]) is float and math.isfinite(row[name]) for name in NAMES - COUNT_NAMES)
        assert all(row[name] >= 0 for name in ENERGY_NAMES)


def test_integer_columns_of_the_layers_sum_to_the_totals(shufflenet: dict[str, Any]) -> None:
    """All but latency_cycles, because layers overlap."""
    totals, layers = shufflenet["totals"], shufflenet["layers"]
    integers = {name for name, value in totals.items() if type(value) is int}
    integers -= {"latency_cycles", "inferences", "images"}
    assert integers >= COUNT_NAMES
    assert {name: sum(row[name] for row in layers) for name in integers} == {name: totals[name] for name in integers}


def test_energy_components_sum_to_the_total(shufflenet: dict[str, Any]) -> None:
    """In each layer and in the whole run; and so do the layers, but for rounding."""
    totals, layers = shufflenet["totals"], shufflenet["layers"]
    for row in (totals, *layers):
        assert row["energy_total_pj"] == math.fsum(row[f"energy_{component}_pj"] for component in COMPONENTS)
        assert row["dram_penalty_pj"] <= row["energy_dram_pj"]
    for name in ENERGY_NAMES:
        assert math.isclose(math.fsum(row[name] for row in layers), totals[name], rel_tol=1e-12)


def test_columns_describes_every_column(capsys: pytest.CaptureFixture[str], shufflenet: dict[str, Any]) -> None:
    """In the order in which they come, with a meaning each."""
    lines = said(capsys, "columns").splitlines()
    assert max(map(len, lines)) <= 80
    described = [line.split()[0] for line in lines if not line.startswith(" ")]
    assert described[: len(COLUMNS)] == list(shufflenet["layers"][0])
    compared = {column.name for column in compare.COLUMNS} | {speedup_column(name) for name in WHAT_IFS}
    assert set(described) == set(shufflenet["layers"][0]) | set(shufflenet["totals"]) | compared
    assert len(described) == len(set(described))
    assert described[: len(COLUMNS) + len(TOTALS)] == [
        *(column.name for column in COLUMNS),
        *(name for name, _, _ in TOTALS),
    ]
    assert not any(one[0] != " " and other[0] != " " for one, other in pairwise(lines))


@pytest.mark.parametrize("by", ["type", "stage", "layer"])
def test_shares_sum_to_a_hundred_percent(by: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Up to the rounding of what is printed; the layers to 88."""
    shares, totals = said(capsys, "run", "shufflenet_g3", "edge", "--by", by).split("\n\n")
    header, *lines = shares.splitlines()
    assert header.split() == [by, "layers", "MACs", "weights", "cycles", "energy", "DRAM", "bytes", "bursts"]
    assert totals.startswith("shufflenet_1.0x_g3 on edge\n")
    assert sum(int(re.split(" {2,}", line)[1]) for line in lines) == 88
    percents = [[float(share[:-1]) for share in re.split(" {2,}", line)[2:-1]] for line in lines]
    for column in zip(*percents, strict=True):
        assert math.isclose(sum(column), 100, abs_tol=0.005 * len(lines))


def test_a_share_of_nothing_is_no_percentage(capsys: pytest.CaptureFixture[str]) -> None:
    """A table in which nothing costs anything is a table like any other."""
    free = [f"--set=energy.{row}.energy_pj=0" for row in ("add_32", "multiply_8x8", "register_byte", "vector_op")]
    free += ["--set=energy.sram_byte.energy_pj=0", "--set=energy.dram_byte.energy_pj=0"]
    free += ["--set=energy.static.power_mw_per_kib=0"]
    line = said(capsys, "run", *TINY, *free, "--by", "type").splitlines()[1]
    assert line.split()[-3] == "-"
    assert "0.0 uJ" in said(capsys, "run", *TINY, *free)


def test_output_folder_gets_run_json_and_layers_csv(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The folder is made; the CSV has what `--json` has, numbers in full."""
    folder = tmp_path / "new" / "folder"
    printed = json.loads(said(capsys, "run", *TINY, "-o", str(folder), "--json"))
    assert sorted(path.name for path in folder.iterdir()) == ["layers.csv", "run.json"]

    saved = json.loads((folder / "run.json").read_text())
    assert saved["format"] == 6
    assert saved["totals"] == printed["totals"]
    assert set(saved["config"]) == {"network", "machine", "scheduling"}
    assert [row["layer"] for row in saved["layers"]] == ["a", "b"]
    for name in COUNT_NAMES & set(saved["layers"][0]["counts"]):
        assert sum(row["counts"][name] for row in saved["layers"]) == printed["totals"][name]

    rows = list(csv.DictReader(io.StringIO((folder / "layers.csv").read_text())))
    assert rows == [{name: str(value) for name, value in row.items()} for row in printed["layers"]]


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
def test_a_command_starts_no_threads() -> None:
    """Those that NumPy starts for matrix products wait actively: a tenth of the CPU time of a short command."""
    program = """
import os, sys
os.environ.pop("OPENBLAS_NUM_THREADS", None)
from accelsim.__main__ import start
start()
import numpy
print(len(os.listdir("/proc/self/task")), file=sys.stderr)
"""
    done = python("-c", program, "run", "shufflenet_g3", "edge", "--no-advice")
    assert done.stderr.split()[-1] == "1"


def test_the_same_run_writes_the_same_bytes(tmp_path: Path) -> None:
    """From another working directory, with another hash seed, locale and time zone, twice into the same folder."""
    surroundings: Sequence[dict[str, str]] = (
        {"PYTHONHASHSEED": "1"},
        {"PYTHONHASHSEED": "2", "TZ": "Asia/Tokyo", "LC_ALL": "C"},
    )
    written = []
    for number, environment in enumerate(surroundings):
        cwd = tmp_path / str(number)
        cwd.mkdir()
        process("run", "shufflenet_g3", "edge", "-o", "out", cwd=cwd, **environment)
        written.append(contents(cwd / "out"))
    assert written[0] == written[1]
    process("run", "shufflenet_g3", "edge", "-o", "1/out", cwd=tmp_path)
    assert contents(tmp_path / "1" / "out") == written[0]


def test_results_say_nothing_about_place_time_and_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No absolute path, no host name, no date."""
    for where in ("socket.gethostname", "platform.node", "getpass.getuser"):
        monkeypatch.setattr(where, lambda: "this-very-host")
    said(capsys, "run", *TINY, "-o", str(tmp_path))
    text = "".join(path.read_text() for path in tmp_path.iterdir())
    assert "this-very-host" not in text
    assert str(ROOT) not in text
    assert str(tmp_path) not in text
    assert '"/' not in text
    assert not re.search(r"\b20\d\d-\d\d-\d\d\b|\d\d:\d\d:\d\d", text)


def test_another_run_is_replaced_only_with_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both files; and what else is in the folder stays."""
    (tmp_path / "notes.txt").write_text("mine")
    said(capsys, "run", *TINY, "-o", str(tmp_path))
    first = contents(tmp_path)
    other = ("run", *TINY, "--set", "array.rows=2", "-o", str(tmp_path))
    assert main(other) == 2
    assert contents(tmp_path) == first
    said(capsys, *other, "--force")
    assert (contents(tmp_path)["notes.txt"], sorted(contents(tmp_path))) == (b"mine", sorted(first))
    assert json.loads((tmp_path / "run.json").read_text())["config"]["machine"]["array"]["rows"] == 2
    assert all(contents(tmp_path)[name] != first[name] for name in ("run.json", "layers.csv"))


@pytest.mark.parametrize("written", [0, 1])
def test_a_write_that_fails_leaves_nothing_half_written(
    written: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No file in part, no file without the others and no temporary file."""
    finish = [os.replace] * written

    def replace(source: str, target: str) -> None:
        if not finish:
            raise OSError(28, "No space left on device")
        finish.pop()(source, target)

    monkeypatch.setattr(os, "replace", replace)
    assert main(["run", *TINY, "-o", str(tmp_path)]) == 2
    expected = "command-line:0: -o: expected a folder that can be written, got No space left on device\n"
    assert capsys.readouterr() == ("", expected)
    assert contents(tmp_path) == {}


def test_an_interrupted_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said(capsys, "run", *TINY, "-o", str(tmp_path))
    before = contents(tmp_path)
    monkeypatch.setattr(os, "replace", interrupt)
    assert main(["run", *TINY, "--set", "array.rows=2", "-o", str(tmp_path), "--force"]) == 130
    assert contents(tmp_path) == before


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_results_are_printed_before_changes_are_tried(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accelsim.run.advice.advice", interrupt)
    assert main(["run", *TINY]) == 130
    assert "inferences/s" in capsys.readouterr().out


def test_ctrl_c_ends_with_130_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("accelsim.run.simulate.play_network", interrupt)
    assert main(["run", *TINY]) == 130
    assert capsys.readouterr() == ("", "interrupted\n")


GEMM_NAMES = ["array_cycles", "total_cycles", "macs", "array_utilization", "utilization"]
GEMM_NAMES += ["dram_read_bytes", "dram_write_bytes", "dram_burst_bytes", "dram_burst_efficiency", "energy_total_pj"]


def gemm(capsys: pytest.CaptureFixture[str], *argv: str) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(said(capsys, "gemm", *argv, "--json"))
    return parsed


def test_gemm_prints_the_same_with_and_without_json(capsys: pytest.CaptureFixture[str]) -> None:
    found = gemm(capsys, "64", "64", "64", "edge")
    assert list(found) == GEMM_NAMES
    lines = dict(line.split() for line in said(capsys, "gemm", "64", "64", "64", "edge").splitlines())
    assert list(lines) == GEMM_NAMES
    assert all(math.isclose(float(lines[name]), value, abs_tol=5e-5) for name, value in found.items())


def test_gemm_on_the_array_alone_is_the_closed_form(capsys: pytest.CaptureFixture[str]) -> None:
    """4 folds of 32 + 32 rows, columns and 64 steps, serial: each 2R + C + T - 2 (Samajdar et al., ISPASS 2020)."""
    found = gemm(capsys, "64", "64", "64", "edge", "--set", "array.overlap=false")
    assert found["array_cycles"] == 4 * (2 * 32 + 32 + 64 - 2)
    assert found["macs"] == 64**3
    assert found["array_utilization"] == 64**3 / (found["array_cycles"] * 32 * 32)
    assert found["total_cycles"] > found["array_cycles"]


def test_gemm_groups_are_independent_products(capsys: pytest.CaptureFixture[str]) -> None:
    """Three 16 x 16 products are two packs of a 32 x 32 array's diagonal, and move three times the bytes of one."""
    serial = ("--set", "array.overlap=false")
    one, three = (gemm(capsys, "64", "16", "16", "edge", "--groups", groups, *serial) for groups in ("1", "3"))
    assert three["macs"] == 3 * one["macs"]
    assert three["array_cycles"] == (32 + 64 + 32 + 32 - 2) + (16 + 64 + 32 + 16 - 2)
    assert three["dram_read_bytes"] + three["dram_write_bytes"] == 3 * (
        one["dram_read_bytes"] + one["dram_write_bytes"]
    )


def test_list_names_what_is_shipped(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """With a description each; of one kind, or of all under their headings."""
    monkeypatch.setenv("COLUMNS", "400")
    everything = said(capsys, "list")
    for kind in LISTED:
        lines = said(capsys, "list", kind).splitlines()
        names = [line.split()[0] for line in lines]
        assert names == (["network", *shipped(kind), *variants.NAMES] if kind == "networks" else shipped(kind))
        assert all(len(line.split()) > 1 for line in lines)
        assert f"{kind}:\n" + "".join(f"  {line}\n" for line in lines) in everything


@pytest.mark.parametrize(
    "argv", [[], ["run"], ["compare"], ["reprice"], ["gemm"], ["check"], ["show"], ["list"], ["columns"]]
)
def test_every_command_has_help(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*argv, "--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(" ".join(["usage: accelsim", *argv]))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_can_be_typed(name: str) -> None:
    program, command, *words = shlex.split(COMMANDS[name].example)
    assert (program, command) == ("accelsim", name)
    parser_of(name).read(words)


def examples() -> list[str]:
    """Command lines of the overview and the topics; those of files and folders of the user's own stand last."""
    topics = [line.strip() for text in TOPICS.values() for line in text.splitlines() if line.startswith("  accelsim ")]
    lines = [entry.example for entry in COMMANDS.values()] + [line.partition("   ")[0] for line in topics]
    return sorted(dict.fromkeys(lines), key=lambda line: (" -o out" not in line, line.startswith("accelsim pareto")))


@pytest.mark.slow
def test_every_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder that has the files and runs that they name."""
    monkeypatch.chdir(tmp_path)
    good_files(tmp_path)
    for folder in ("out", "a", "b"):
        assert main(["run", "net.yaml", "edge", "-o", folder, "--force"]) == 0
    spec = "networks: [net.yaml]\nmachines: [edge]\ngrid: {array.rows: [16, 32]}\n"
    (tmp_path / "spec.yaml").write_text(spec, encoding="utf-8")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "network.yaml").write_bytes((tmp_path / "net.yaml").read_bytes())
    (tmp_path / "mine" / "machine.yaml").write_bytes((tmp_path / "machine.yaml").read_bytes())
    shutil.rmtree("points")
    for line in examples():
        words = shlex.split(line)[1:]
        force = ["--force"] if words[0] == "run" and "-o" in words else []
        output = ["-o", "chosen"] if words[0] == "recommend" else []
        quick = ["--no-advice"] if words[0] == "run" else []
        code: object
        try:
            code = main([*words, *force, *output, *quick])
        except SystemExit as ended:
            code = ended.code
        assert code == 0, line


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_has_its_example_on_one_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "help", name).splitlines()[-1] == f"example: {COMMANDS[name].example}"


@pytest.mark.parametrize("kind", KEYS)
def test_the_topic_on_keys_has_those_of_each_file(kind: str) -> None:
    whole = {"network": "Workload", "dram": "CommandDevice"}
    schema = KINDS[kind].json_schema()
    found = schema["$defs"][whole[kind]] if kind in whole else schema
    assert sorted(KEYS[kind].split()) == sorted(found["properties"])
    assert all(key in TOPICS["keys"] for key in KEYS[kind].split())


def test_every_command_is_in_the_overview(capsys: pytest.CaptureFixture[str]) -> None:
    files = {path.stem for path in (ROOT / "accelsim" / "cli" / "commands").glob("[!_]*.py")}
    assert {"import_file" if name == "import" else name for name in COMMANDS} == files
    with pytest.raises(SystemExit):
        main(["--help"])
    out = capsys.readouterr().out
    assert all(f"{entry.purpose}\n" in out and f"{entry.example}\n" in out for entry in COMMANDS.values())
    assert said(capsys, "help") == overview()


def test_help_on_a_topic_or_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    for topic, text in TOPICS.items():
        assert said(capsys, "help", topic) == text
    assert said(capsys, "help", "gemm").startswith("usage: accelsim gemm ")


def test_without_words_it_says_how_to_begin(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 0
    assert capsys.readouterr().out == WELCOME


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert re.fullmatch(r"accelsim \d+\.\d+\.\d+\S*\n", capsys.readouterr().out)


HEAVY = {"numpy", "pandas", "matplotlib", "simpy", "pydantic", "yaml"}


@pytest.mark.parametrize(
    ("argv", "forbidden"),
    [
        pytest.param(["--help"], HEAVY, id="help"),
        pytest.param(["run", "--help"], HEAVY, id="run-help"),
        pytest.param(["run", *TINY], {"pandas", "matplotlib"}, id="run"),
        pytest.param(["compare", TINY[0], "--hw", TINY[1]], {"pandas", "matplotlib"}, id="compare"),
    ],
)
def test_nothing_heavy_is_imported_before_it_is_needed(argv: list[str], forbidden: set[str]) -> None:
    """`--help` is quick, and a run waits for no plotting library."""
    code = f"""
import contextlib, sys
import accelsim
print("imported:", *sys.modules)
from accelsim.cli import main
with contextlib.suppress(SystemExit):
    main({argv})
print("imported:", *sys.modules)
"""
    after_import, after_main = (
        set(line.split()) for line in python("-c", code).stdout.splitlines() if line.startswith("imported: ")
    )
    assert not HEAVY & after_import
    assert not forbidden & after_main


def test_a_network_and_a_machine_in_each_others_place(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "edge", "squeezenet_v1.0"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.rpartition("got ")[2] for line in lines] == [
        "'squeezenet_v1.0', which is a network: NETWORK stands before HW",
        "'edge', which is a machine: NETWORK stands before HW",
    ]


@pytest.mark.skipif(os.name != "posix", reason="needs a shell and /dev")
@pytest.mark.parametrize(
    ("redirected", "code", "err"),
    [
        pytest.param("| head -1 > /dev/null", 0, "", id="head"),
        pytest.param(">&-", 0, "", id="closed"),
        pytest.param("> /dev/full", 2, "output: expected room to write, got No space left on device", id="full-disk"),
    ],
)
@pytest.mark.parametrize("words", ["columns", "--help", "run --help", "--version"])
def test_output_that_nobody_can_take(words: str, redirected: str, code: int, err: str) -> None:
    """The reader of a pipe may stop reading: that is no error. A full disk is one."""
    line = f"set -o pipefail; '{sys.executable}' -m accelsim {words} {redirected}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", line], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, err and f"command-line:0: {err}\n")


def test_a_pipe_that_was_closed_before() -> None:
    """Not even what is left in the buffer at the end makes a sound."""
    reader, writer = os.pipe()
    os.close(reader)
    line = [sys.executable, "-m", "accelsim", "list"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(line, env=environment, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_plan_of_a_batch_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """By `show` and `explain`, as with the setting that it is short for."""
    good = Path(__file__).parents[1] / "invalid" / "good"
    files = str(good / "net.yaml"), str(good / "machine.yaml")
    shown = said(capsys, "show", *files, "--mapping", "--batch", "4")
    assert re.search(r"^ *images: 4$", shown, re.MULTILINE)
    assert shown == said(capsys, "show", *files, "--mapping", "--set", "network.batch=4")
    plans = said(capsys, "explain", *files, "--plans", "--batch", "4")
    assert plans == said(capsys, "explain", *files, "--plans", "--set", "network.batch=4")
    assert plans != said(capsys, "explain", *files, "--plans")
