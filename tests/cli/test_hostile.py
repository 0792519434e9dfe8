"""Files from strangers: nothing else is read, nothing hangs, nothing reaches the terminal or a spreadsheet raw."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from math import inf
from pathlib import Path
from resource import RLIMIT_FSIZE, getrlimit, setrlimit
from time import process_time, sleep

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from accelsim import UserError, define_network
from accelsim.cli import main
from accelsim.config import places
from accelsim.config.named import matching
from accelsim.config.scheduling import Scheduling
from accelsim.config.strict_json import parse_json
from accelsim.errors import MAX_MISTAKES, Mistake, nearest, shorten
from accelsim.importers.onnx import inference
from accelsim.lowering.tiling.footprint import windows
from accelsim.lowering.tiling.sizes import sizes_of
from accelsim.operators.shapes import Axis
from accelsim.report.export import csv_text
from accelsim.report.writing import locked
from accelsim.run import outlook
from accelsim.run.define import load_network, load_target
from accelsim.run.outlook import (
    announce_check,
    announce_comparison,
    announce_planning,
    announce_run,
    announce_sweep,
    duration,
)
from accelsim.run.play import lower_or_refuse
from tests.commands import contents, heeds_interrupts, refused

HERE = Path(__file__).parents[1]
GOOD = HERE / "invalid" / "good"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a machine and a network."""
    for path in GOOD.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def naming(device: str) -> str:
    return (GOOD / "machine.yaml").read_text().replace("ideal_lpddr4", device)


ELSEWHERE = "a file below the folder of this one, or --allow-path, or the name of a shipped DRAM device"


def test_files_elsewhere_behind_a_link(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A link below the folder does not make what it leads to part of it."""
    (folder / "own").mkdir()
    (folder / "secret.yaml").write_text("kind: secret")
    (folder / "own" / "link.yaml").symlink_to("../secret.yaml")
    (folder / "own" / "machine.yaml").write_text(naming("link.yaml"))
    err = refused(["show", "own/machine.yaml"], capsys)
    assert err == f"own/machine.yaml:9: dram.device: expected {ELSEWHERE}, got 'link.yaml'\n"


def test_files_elsewhere_that_the_user_allows(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "own").mkdir()
    assert main(["show", "edge"]) == 0
    (folder / "part.yaml").write_text(
        "kind: ideal\nclock_mhz: 1\nbytes_per_clock: 1\nlatency_clocks: 0\nburst_bytes: 1"
    )
    (folder / "own" / "machine.yaml").write_text(naming("../part.yaml"))
    assert main(["show", "own/machine.yaml", "--allow-path", "."]) == 0
    capsys.readouterr()
    assert "--allow-path" in refused(["show", "own/machine.yaml"], capsys)


@pytest.mark.parametrize("name", ["fifo", "/dev/zero", "."])
def test_files_that_are_no_regular_ones(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo("fifo")
    kind = {"fifo": "a FIFO", "/dev/zero": "a device"}.get(name)
    if kind:
        assert refused(["reprice", name, "--energy", "edge"], capsys) == (
            f"{name}:0: file: expected a regular file, got {kind}\n"
        )
    (folder / "machine.yaml").write_text(naming(name))
    for argv in (["run", name, "edge"], ["run", "net.yaml", name], ["run", "net.yaml", "machine.yaml"]):
        assert "expected a file" in refused(argv, capsys)
    assert "expected a trace file" in refused(["dram", "ddr4-2400-x8", name], capsys)


def test_patterns_that_look_everywhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "MOST_VISITED", 10)
    for name in "abc":
        (folder / name).mkdir()
    with pytest.raises(UserError, match="a pattern for which no more than 10 files are looked at"):
        matching("*/../*/../*/../*.toml", "networks")
    assert matching("n*.yaml", "networks") == ["net.yaml"]
    with pytest.raises(UserError, match="a pattern that matches files"):
        matching("\0/*", "networks")


def test_text_in_mistakes_is_on_one_line_and_plain() -> None:
    line = str(Mistake("a\nb", 1, "k\x1b[31m\u202e", "x" * 1000, shorten("\ud800" * 1000)))
    assert line.startswith("a b:1: k\\x1b[31m\\u202e: expected xxxx")
    assert line.isprintable()
    assert len(line) < 600


def test_numbers_too_long_to_be_written() -> None:
    with pytest.raises(UserError, match="got a number of 33220 bits"):
        define_network({"name": 10**10000})


def test_text_with_control_characters_from_python_and_json() -> None:
    with pytest.raises(UserError, match=r"network:0: layers\.0\.name: expected text without .*, got U\+001B"):
        define_network({"layers": [{"name": "\x1b"}]})
    for text in (r"\ud800", r"\u001b"):
        with pytest.raises(UserError, match=r"x:0: file: expected JSON of plain keys and numbers, got text with U\+"):
            parse_json(f'{{"a": ["{text}"]}}'.encode(), "x")


def test_mistakes_without_end() -> None:
    error = UserError(Mistake("x", number, "k", "a", "b") for number in range(5000))
    assert len(str(error).splitlines()) == MAX_MISTAKES
    assert str(error).endswith("x:0: file: expected at most 1000 mistakes, got 5000")


def model_with(operator: str, name: str, size: int) -> bytes:
    """A model of one node that is none of ONNX, between two that are, whose output is as large as it says."""
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node(operator, ["a"], ["b"], name=name),
        helper.make_node("Relu", ["b"], ["y"]),
    ]
    sizes = {"x": (1, 4, 8, 8), "b": (1, 1, size), "a": None, "y": None}
    values = {key: helper.make_tensor_value_info(key, TensorProto.FLOAT, size) for key, size in sizes.items()}
    graph = helper.make_graph(nodes, "g", [values["x"]], [values["a"], values["y"]], value_info=[values["b"]])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]).SerializeToString()


@pytest.mark.parametrize(
    ("operator", "kinds"),
    [("Foo\x1b[31m bar", "1 Foo\\x1b[31m_bar, 1 Relu"), ("\x1b", "1 \\x1b, 1 Relu"), (" ", "1 node, 1 Relu")],
)
def test_operators_that_are_left_out_are_said_in_plain_words(
    operator: str, kinds: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On the terminal, and in a network file that is read again."""
    (folder / "model.onnx").write_bytes(model_with(operator, "n\x1b\n", 1 << 62))
    assert main(["show", "model.onnx", "--layers", "--allow-unmodelled"]) == 0
    said = "INCOMPLETE: 2 nodes of the model (66.7%), 0.0% of the MACs, are in no figure: "
    assert capsys.readouterr().out.splitlines()[0] == said + kinds
    assert main(["import", "model.onnx", "--allow-unmodelled", "-o", "model.yaml"]) == 0
    assert main(["show", "model.yaml", "--layers"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == said + kinds


def test_inference_that_ends_its_process(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """ONNX aborts where a map that is cut has fewer than no elements; nothing is known of sizes then."""
    value, node = helper.make_tensor_value_info, helper.make_node
    nodes = [
        node("Relu", ["x"], ["a"]),
        node("Foo", ["a"], ["b"]),
        node("Slice", ["b", "first", "last", "first"], ["y"]),
    ]
    numbers = [
        numpy_helper.from_array(np.array([number], np.int64), name) for name, number in (("first", 0), ("last", 3))
    ]
    maps = [value("b", TensorProto.FLOAT, (-5, 4, 8, 8)), *(value(name, TensorProto.FLOAT, None) for name in "ay")]
    inputs = [value("x", TensorProto.FLOAT, (1, 4, 8, 8))]
    graph = helper.make_graph(nodes, "g", inputs, maps[1:], numbers, value_info=maps[:1])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    assert main(["show", "model.onnx", "--layers", "--allow-unmodelled"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(
        "INCOMPLETE: 2 nodes of the model (66.7%), 0.0% of the MACs, are in no figure: 1 Foo, 1 Slice\n"
    )
    assert err == ""


@pytest.mark.parametrize("ends", ["abort", pytest.param("spin", marks=pytest.mark.slow), "fill", "fail"])
def test_what_is_inferred_apart_may_end_in_any_way(ends: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "MOST_S", 1)

    def infer() -> int:
        while ends == "spin":
            pass
        return {"abort": os.abort, "fill": lambda: len(bytes(1 << 33)), "fail": lambda: 1 // 0}[ends]()

    assert inference.apart(infer) is None
    assert inference.apart(lambda: {"a": [1]}) == {"a": [1]}


def test_texts_of_blanks_are_none(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "net.yaml").write_text((folder / "net.yaml").read_text() + 'unmodelled: [" "]\n')
    assert refused(["show", "net.yaml", "--layers"], capsys).endswith("unmodelled.0: expected some text, got ' '\n")


@pytest.mark.parametrize("mark", ["\u061c", "\u202e", "\u2067"])
def test_marks_that_turn_text_round_are_refused(mark: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "net.yaml").write_text((folder / "net.yaml").read_text() + f'unmodelled: ["a{mark}b"]\n')
    expected = f"unmodelled.0: expected text without control characters, got U+{ord(mark):04X}\n"
    assert refused(["run", "net.yaml", "machine.yaml"], capsys).endswith(expected)


def test_breaks_of_lines_in_texts_are_printed_as_blanks(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "net.yaml").write_text((folder / "net.yaml").read_text() + 'unmodelled: ["a\\rb\\Nc\\Ld\\ne"]\n')
    assert main(["run", "net.yaml", "machine.yaml", "--quiet"]) == 0
    assert "\n  not modelled, and in no figure: a b c d e\n" in capsys.readouterr().out


def test_accuracies_of_more_cells_than_headings(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file may be YAML and CSV at once."""
    (folder / "both.yaml").write_text("network,a: 1\ntop1_pct: 2,3,4,5\n")
    assert "both.yaml:2: networks.'top1_pct: 2'.more: expected a known key" in refused(["show", "both.yaml"], capsys)


TINY = ("run", "net.yaml", "machine.yaml", "--quiet")


@pytest.mark.parametrize("broken", range(5))
def test_writing_never_mixes_two_runs(
    broken: int, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wherever the moving of files breaks off, those of one run stand there."""
    other = [*TINY, "--set", "array.rows=2", "-o", "out", "--force"]
    assert main([*TINY, "-o", "out"]) == 0
    before = contents(folder / "out")
    left = [broken]

    def failing(move: Callable[[Path, Path], None]) -> Callable[[Path, Path], None]:
        def moved(source: Path, target: Path) -> None:
            left[0] -= 1
            if left[0] == -1:
                raise OSError(28, "No space left on device")
            move(source, target)

        return moved

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", failing(os.replace))
        patch.setattr(os, "rename", failing(os.rename))
        assert main(other) == (2 if broken < 4 else 0)
    after = contents(folder / "out")
    assert after == before if broken < 4 else after.keys() == before.keys()


@pytest.mark.parametrize("room", [0, 1000, 10_000])
def test_writing_where_files_have_no_room(room: int, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The system stops a file at any byte, as a full disk does."""
    assert main([*TINY, "-o", "out"]) == 0
    before, limits = contents(folder / "out"), getrlimit(RLIMIT_FSIZE)
    capsys.readouterr()
    setrlimit(RLIMIT_FSIZE, (room, limits[1]))
    try:
        err = refused([*TINY, "--set", "array.rows=2", "-o", "out", "--force"], capsys)
    finally:
        setrlimit(RLIMIT_FSIZE, limits)
    assert err == "command-line:0: -o: expected a folder that can be written, got File too large\n"
    assert contents(folder / "out") == before


def test_writing_beside_another_process(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("accelsim.report.writing.PATIENCE_SECONDS", 0.1)
    (folder / "out").mkdir()
    with locked(folder / "out"):
        expected = "command-line:0: -o: expected a folder that no other process writes to, got out\n"
        assert refused([*TINY, "-o", "out"], capsys) == expected
    assert main([*TINY, "-o", "out"]) == 0


def test_writing_in_place_of_a_huge_file_does_not_read_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "out").mkdir()
    with (folder / "out" / "run.json").open("wb") as file:
        file.truncate(1 << 40)
    assert "out with run.json" in refused([*TINY, "-o", "out"], capsys)
    assert main([*TINY, "-o", "out", "--force"]) == 0
    assert (folder / "out" / "run.json").stat().st_size < 1 << 20


@pytest.mark.parametrize(("name", "kind"), [("fifo", "a FIFO"), ("null", "a device"), ("own", "a folder")])
@pytest.mark.parametrize("option", [[], ["--force"]])
def test_writing_never_replaces_what_is_no_regular_file(
    name: str, kind: str, option: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who may write to /dev would have no /dev/null any more."""
    (folder / "own").mkdir()
    os.mkfifo("fifo")
    (folder / "null").symlink_to("/dev/null")
    (folder / "one.csv").write_text("Layer, M, N, K,\na, 2, 2, 2,\n")
    before = os.lstat(name)
    for argv in ([*TINY, "--no-advice", "--trace", name], ["import", "one.csv", "-o", name]):
        expected = f"command-line:0: -o: expected a folder that can be written, got {kind} in the place of a file\n"
        assert refused([*argv, *option], capsys) == expected
    assert (os.lstat(name).st_ino, os.lstat(name).st_mode) == (before.st_ino, before.st_mode)


@pytest.mark.parametrize("length", [250, 300])
def test_writing_names_as_long_as_the_system_takes(
    length: int, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*TINY, "-o", "out"]) == 0
    capsys.readouterr()
    name = f"{'n' * (length - 5)}.html"
    if length > 255:
        expected = "command-line:0: -o: expected a folder that can be written, got File name too long\n"
        assert refused(["report", "out", "-o", name], capsys) == expected
    else:
        assert main(["report", "out", "-o", name]) == 0


def test_writing_respects_the_umask(folder: Path) -> None:
    before = os.umask(0o077)
    try:
        assert main([*TINY, "-o", "out"]) == 0
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (folder / "out").iterdir()} == {0o600}


@pytest.mark.parametrize("value", ["=cmd|' /C calc'!A0", "+1+1", "-1-1", "@SUM(A1)"])
def test_cells_that_a_spreadsheet_would_compute(value: str) -> None:
    assert csv_text([{"a": value, "b": "-1.5e3", "c": -1}]) == f'a,b,c\n"\'{value}",-1.5e3,-1\n'.replace('"', "")


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A command line as a shell runs it; `accelsim` is this one."""
    line = command.replace("accelsim", f"{sys.executable} -m accelsim", 1)
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, cwd=folder, env=environment)


@pytest.mark.parametrize("streams", ["2>/dev/full", "2>&-", ">&-", "<&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_or_full(streams: str, folder: Path) -> None:
    """The exit code is the same, and no traceback is said; files get what belongs to them."""
    fine = shell(f"accelsim run net.yaml machine.yaml -o out {streams}", folder)
    assert (fine.returncode, fine.stderr) == (0, "")
    assert (folder / "out" / "run.json").read_text().startswith("{")
    mistake = shell(f"accelsim run none.yaml machine.yaml {streams}", folder)
    assert mistake.returncode == 2
    assert mistake.stdout == ""
    assert "Traceback" not in mistake.stderr


def test_streams_that_are_full_of_results(folder: Path) -> None:
    found = shell("accelsim run net.yaml machine.yaml >/dev/full", folder)
    expected = "command-line:0: output: expected room to write, got No space left on device\n"
    assert (found.returncode, found.stderr) == (2, expected)


def test_streams_that_know_no_such_characters(folder: Path) -> None:
    """Names of files may be no text at all."""
    found = shell("PYTHONIOENCODING=ascii accelsim import $'\\xff.csv'; exit $?", folder)
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr == "\\udcff.csv:0: file: expected a readable file, got No such file or directory\n"


def test_an_interrupt_says_nothing_but_that(folder: Path) -> None:
    command = [sys.executable, "-m", "accelsim", "run", "resnet152_v1", "cloud", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, preexec_fn=heeds_interrupts
    ) as process:
        sleep(1.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert (process.returncode, out, err) == (130, b"", b"interrupted\n")


@given(*[st.integers(1, 6)] * 3, st.integers(0, 5), st.integers(0, 3), st.integers(1, 4), st.integers(1, 12))
def test_what_a_window_touches_is_counted_without_listing_it(
    kernel: int, stride: int, dilation: int, pad: int, start: int, outputs: int, extent: int
) -> None:
    axis, stop = Axis(kernel, stride, dilation, pad), start + outputs
    reads = {place * stride - pad + tap * dilation for place in range(start, stop) for tap in range(kernel)}
    assert axis.touched(start, stop, extent) == len(reads & set(range(extent)))
    taken = [axis.taken(place, min(place + 2, stop), extent) for place in range(0, stop, 2)]
    assert windows(axis, stop, 2, extent) == [high - low for low, high in taken]


def test_windows_as_large_as_maps_are() -> None:
    assert Axis(1 << 16).touched(0, (1 << 16) + 1, 1 << 17) == 1 << 17


# Time and memory.


def large(extent: int, channels: int = 1, layers: int = 1) -> str:
    rows = ", ".join(f"{{name: a{number}, op: relu}}" for number in range(layers))
    size = f"{{height: {extent}, width: {extent}, channels: {channels}}}"
    return f"name: r\nsource: x\ninput: {size}\nlayers: [{rows}]\n"


def test_a_comparison_of_minutes_is_announced(caplog: pytest.LogCaptureFixture) -> None:
    """One network after the other, by their layers."""
    caplog.set_level("WARNING", logger="accelsim")
    network = load_network("densenet121")[1]
    announce_comparison([network])
    announce_comparison([network] * 100)
    assert [record.message for record in caplog.records] == ["100 networks take about 4 minutes"]


def test_plans_and_sweeps_of_minutes_are_announced(caplog: pytest.LogCaptureFixture) -> None:
    """A network alone by its layers; points by those of some of their networks."""
    caplog.set_level("WARNING", logger="accelsim")
    network = load_network("densenet121")[1]
    for times in (1, 100):
        announce_planning(replace(network, nodes=network.nodes * times))
        announce_sweep(50 * times, [(network, 2), (network, 1)])
    assert caplog.messages == [
        "50 points take about 2 minutes of processor time",
        "to plan densenet121 takes about 4 minutes at most",
        "5000 points take about 3 hours of processor time",
    ]


def test_a_sweep_says_how_long_it_takes(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(outlook, "NODE_S", 20)
    argv = ["sweep", "--network", "net.yaml", "--hw", "machine.yaml", "--vary", "array.rows=2,4", "--jobs", "1"]
    assert main([*argv, "-o", "out"]) == 0
    assert capsys.readouterr().err == "2 points take about 80 seconds of processor time\n"
    assert main([*argv, "-o", "out"]) == 0
    assert capsys.readouterr().err == ""


def test_memory_of_a_long_layer_beside_the_array_is_announced_or_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A convolution keeps the layers around it apart; what is not loaded again takes none."""
    layers = [
        {"name": "a", "op": "relu"},
        {"name": "b", "op": "conv", "channels": 4, "kernel": 1},
        {"name": "c", "op": "relu"},
    ]
    document = {"name": "apart", "source": "made for this", "input": {"height": 64, "width": 64, "channels": 4}}
    (folder / "apart.yaml").write_text(yaml.safe_dump({**document, "layers": layers}))
    monkeypatch.setattr(outlook, "_memory_bytes", lambda: 1 << 40)
    monkeypatch.setattr(outlook, "_APART_BYTES", 1 << 30)
    assert main(["run", "apart.yaml", "machine.yaml", "--no-advice"]) == 0
    said = re.fullmatch(r"to simulate apart takes about (\d+)\.0 GiB of memory\n", capsys.readouterr().err)
    assert said
    monkeypatch.setattr(outlook, "_memory_bytes", lambda: (int(said[1]) << 30) - 1)
    assert main(["run", "apart.yaml", "machine.yaml", "--no-advice"]) == 2
    assert ": network: expected one that is simulated in the " in capsys.readouterr().err
    (folder / "apart.yaml").write_text(yaml.safe_dump({**document, "layers": layers[:1]}))
    assert main(["run", "apart.yaml", "machine.yaml", "--no-advice"]) == 0
    assert capsys.readouterr().err == ""


def test_memory_of_a_trace_is_announced_or_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["run", "net.yaml", "machine.yaml", "--no-advice", "--trace", "out.json"]
    monkeypatch.setattr(outlook, "_memory_bytes", lambda: 1 << 40)
    monkeypatch.setattr(outlook, "_KEPT_BYTES", 1 << 30)
    assert main(argv) == 0
    assert re.fullmatch(r"to keep all that happens in tiny takes about \d+\.0 GiB of memory\n", capsys.readouterr().err)
    monkeypatch.setattr(outlook, "_KEPT_BYTES", 1 << 40)
    expected = (
        "command-line:0: network: expected one that is traced or explained in the 1024.0 GiB of this machine, got"
    )
    assert refused([*argv, "--force"], capsys).startswith(expected)
    assert main(list(TINY)) == 0


@pytest.mark.parametrize(("extent", "words"), [(8, ""), (1 << 15, "minutes"), (1 << 16, "minutes")])
def test_a_run_of_minutes_is_announced(
    extent: int, words: str, folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("WARNING", logger="accelsim")
    monkeypatch.setattr(outlook, "_memory_bytes", lambda: inf)
    (folder / "large.yaml").write_text(large(extent))
    machine = load_target("machine.yaml").machine
    announce_run(lower_or_refuse(load_network("large.yaml")[1], machine), machine, 1)
    assert words in caplog.text
    assert bool(words) == bool(caplog.text)


def test_a_run_of_weeks_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "large.yaml").write_text(large(1 << 16, 16, 40))
    err = refused(["run", "large.yaml", "machine.yaml"], capsys)
    expected = "command-line:0: network: expected one that is simulated within 7 days, got about 2.7e+09 tile"
    assert err.startswith(expected)
    assert re.search(r"DRAM bursts, about \d\d days\n$", err)


def test_a_check_that_needs_more_memory_than_there_is_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlook.os, "sysconf", {"SC_PHYS_PAGES": 1 << 20, "SC_PAGE_SIZE": 1 << 12}.__getitem__)
    (folder / "large.yaml").write_text(large(1 << 16))
    assert refused(["check", "large.yaml", "machine.yaml"], capsys) == (
        "command-line:0: network: expected one that is checked in the 4.0 GiB of this machine, got about 256 GiB\n"
    )


def test_a_check_keeps_the_buffers_of_the_machine(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A cell of two bytes for each of theirs."""
    argv = ["check", "net.yaml", "machine.yaml", "--set", f"sram.weight.capacity_bytes={1 << 40}"]
    expected = r"command-line:0: network: expected one that is checked in the .* of this machine, got about 2,048 GiB\n"
    assert re.fullmatch(expected, refused(argv, capsys))


@pytest.mark.parametrize(("kernel", "seconds"), [(1 << 13, 4), (1 << 16, 264)])
def test_a_check_of_minutes_is_announced(kernel: int, seconds: int, folder: Path) -> None:
    """By the kernel positions of all tiles, which a run does not go through."""
    text = f"layers: [{{name: a, op: conv, kernel: [{kernel}, 1], channels: 1}}]\n"
    size = f"{{height: {2 * kernel}, width: 1, channels: 1}}"
    (folder / "tall.yaml").write_text(f"name: tall\nsource: x\ninput: {size}\n{text}")
    lowered = lower_or_refuse(load_network("tall.yaml")[1], load_target("machine.yaml").machine)
    assert outlook.check_seconds(lowered) == pytest.approx(seconds, rel=0.1, abs=1)


def test_a_check_goes_on_where_the_system_does_not_tell_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(outlook.os, "sysconf")
    announce_check(load_network("vgg16")[1], load_target("edge").machine, 1 << 20)


def test_a_check_of_gigabytes_is_announced(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("WARNING", logger="accelsim")
    network = load_network("vgg16")[1]
    announce_check(network, load_target("edge").machine, 1)
    assert caplog.messages == ["to check vgg16 takes about 4.6 GiB of memory"]


@pytest.mark.parametrize(
    ("seconds", "words"), [(70, "70 seconds"), (100, "2 minutes"), (5400, "2 hours"), (1e6, "12 days")]
)
def test_times_are_said_in_units_that_people_use(seconds: float, words: str) -> None:
    assert duration(seconds) == f"about {words}"


LONG = "1" + "0" * 400


@pytest.mark.parametrize(
    ("argv", "key", "expected"),
    [
        (["pareto", LONG, "--minimize", "macs,latency_ms"], "DIR", "a folder with a sweep (sweep.sqlite)"),
        (["explain", LONG, "--plans"], "arguments", "HW, or a finished run in the place of NETWORK"),
    ],
)
def test_names_longer_than_a_file_has_name_no_file(
    argv: list[str], key: str, expected: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(argv, capsys).startswith(f"command-line:0: {key}: expected {expected}, got ")
    for command in (["report", LONG, "-o", "x.html"], ["plot", LONG, "--kind", "energy", "-o", "x.svg"]):
        assert refused(command, capsys).endswith(":0: file: expected a readable file, got File name too long\n")


def test_words_of_megabytes_are_compared_with_known_ones_at_once() -> None:
    begin = process_time()
    assert nearest("a" * 1_500_000, [f"network_{number}" for number in range(500)]) is None
    assert process_time() - begin < 0.5


def test_a_file_without_a_name_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        refused(["diff", " ", " "], capsys) == "'':0: file: expected a readable file, got No such file or directory\n"
    )


# Counts.


WIDE = ["array.rows=65536", "array.cols=65536", "sram.accumulator.capacity_bytes=1000000"]


def settings_of(*texts: str) -> list[str]:
    return [word for text in texts for word in ("--set", text)]


def test_a_run_that_counts_beyond_64_bits_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """PEs times clocks: the machine would wait 2^40 clocks for each descriptor."""
    err = refused([*TINY, *settings_of(*WIDE, f"dma.setup_cycles={1 << 40}")], capsys)
    expected = f"one of which nothing is counted beyond {1 << 59}"
    assert err.startswith(f"command-line:0: network: expected {expected}, got 141670997")


def test_a_run_of_more_clocks_than_any_setting_has_is_read_again(folder: Path) -> None:
    assert main([*TINY, *settings_of(f"dma.setup_cycles={1 << 40}"), "-o", "out"]) == 0
    assert main(["rerun", "out"]) == 0


def test_activations_alone_are_listed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "relu.yaml").write_text(large(8))
    assert main(["show", "relu.yaml", "--layers", "--csv"]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("a0,a0,relu,8,8,1,")


def test_long_extents_are_cut_into_some_numbers_of_parts_and_others_into_each() -> None:
    for extent in (1, 7, 1000, 1 << 16):
        counts = {-(-extent // size) for size in range(1, extent + 1)}
        assert {-(-extent // size) for size in sizes_of(extent)} == counts
    sizes = sizes_of(1 << 20)
    assert (sizes[0], sizes[-1]) == (1 << 20, 1)
    assert len(sizes) < 500


def test_plans_of_huge_maps_are_found_at_once(folder: Path) -> None:
    """Also where the fewest bytes are wanted, for which all tiles of a layer are looked at."""
    (folder / "large.yaml").write_text(large(1 << 18).replace(f"width: {1 << 18}", f"width: {1 << 12}"))
    machine = load_target("machine.yaml").machine
    begin = process_time()
    lower_or_refuse(load_network("large.yaml")[1], machine, Scheduling(objective="dram_bytes"))
    assert process_time() - begin < 5
