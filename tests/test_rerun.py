"""Does a run come out of its own file again, and does what-if say what a rerun says?"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from accelsim.cli import main
from accelsim.report.columns import WHAT_IFS, speedup_column
from accelsim.run.reprice import read_run
from accelsim.run.result import Run
from accelsim.run.simulate import simulate
from accelsim.run.what_if import IDEAL, with_what_if

GOOD = Path(__file__).parent / "invalid" / "good"
NET, MACHINE = str(GOOD / "net.yaml"), str(GOOD / "machine.yaml")
WIDE = 1 << 20
AS_SET: dict[str, dict[str, object]] = {
    "dram": {
        "dram.kind": "ideal",
        "dram.bytes_per_clock": 1e9,
        "dram.latency_clocks": 0,
    },
    "sram_ports": {f"sram.{name}.port_bytes_per_cycle": WIDE for name in ("activation", "weight", "accumulator")},
    "vector_unit": {"vector.lanes": 65536},
    "depthwise": {
        "array.depthwise_on": "engine",
        "depthwise.channels": 65536,
        "depthwise.taps_per_clock": 1024,
        "depthwise.max_taps": 1024,
        "depthwise.line_buffer_bytes": 1 << 40,
    },
    "array_overlap": {"array.overlap": True},
}
"""Each ideal resource as `--set` has it; see `another_dram`."""
FAMILIES = (
    "alexnet_grouped", "vgg13", "resnet18", "resnext50_32x4d", "densenet121", "googlenet", "mobilenet_v1_0.25_128",
    "squeezenet_v1.0", "shufflenet_1.0x_g3", "cmp_xceptionlike_38",
)  # fmt: skip


def saved(folder: Path, *argv: str) -> Path:
    assert main(["run", *argv, "-o", str(folder)]) == 0
    return folder / "run.json"


def doctored(path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    document = json.loads(path.read_text())
    change(document)
    other = path.parent / "other.json"
    other.write_text(json.dumps(document))
    return other


# Reruns.


@pytest.mark.parametrize(
    "more", [(), ("--what-if",), ("--set", "dram.device=lpddr4-3200"), ("--set", "energy.table=cacti_32nm")]
)
def test_a_run_comes_out_of_its_file_to_the_byte(
    more: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = saved(tmp_path / "a", "mobilenet_v1_0.25_128", "edge", *more)
    capsys.readouterr()
    assert main(["rerun", str(path), "-o", str(tmp_path / "b")]) == 0
    assert capsys.readouterr().out == "mobilenet_v1_0.25_128 on edge: the same, to the byte\n"
    for name in ("run.json", "layers.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("machine", ["edge", "gemmini"])
@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_comes_out_again(name: str, machine: str, tmp_path: Path) -> None:
    saved(tmp_path, name, machine)
    assert main(["rerun", str(tmp_path)]) == 0


def test_values_that_differ_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Here because somebody else's model, or hand, made the file."""

    def change(document: dict[str, Any]) -> None:
        document["accelsim_version"] = "0.0.9"
        layer = document["layers"][0]
        layer["vector_cycles"] += 5
        layer["latency_cycles"] += 5

    path = saved(tmp_path / "a", NET, MACHINE)
    kept = json.loads(path.read_text())["layers"][0]
    other = doctored(path, change)
    capsys.readouterr()
    assert main(["rerun", str(other)]) == 1
    first, header, *rows = capsys.readouterr().out.splitlines()
    assert first == "tiny on tiny: 2 values differ, simulated by accelsim 0.0.9, now by 0.1.0"
    assert header.split() == ["where", "value", "then", "now"]
    latency, vector = kept["latency_cycles"], kept["vector_cycles"]
    assert [row.split() for row in rows] == [
        ["a", "latency_cycles", str(latency + 5), str(latency)],
        ["a", "vector_cycles", str(vector + 5), str(vector)],
    ]


def test_another_version_alone_is_no_difference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(tmp_path / "a", NET, MACHINE)
    other = doctored(path, lambda document: document.update(accelsim_version="0.0.9"))
    capsys.readouterr()
    assert main(["rerun", str(other)]) == 0
    expected = "tiny on tiny: the same results, simulated by accelsim 0.0.9, now by 0.1.0\n"
    assert capsys.readouterr().out == expected


def test_other_bytes_are_not_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file whose lines were ended otherwise has the same results, and not the same bytes."""
    path = saved(tmp_path / "a", NET, MACHINE)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    capsys.readouterr()
    assert main(["rerun", str(path)]) == 0
    assert capsys.readouterr().out == "tiny on tiny: the same results, though the file has other bytes\n"


@pytest.mark.skipif(os.name == "nt", reason="pipes have no name")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert main(["rerun", str(pipe)]) == 2
    assert capsys.readouterr().err == f"{pipe}:0: file: expected a regular file, got a FIFO\n"


def test_a_file_that_names_no_resource_we_know_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(tmp_path / "a", NET, MACHINE, "--what-if")
    other = doctored(path, lambda document: document["ideal_cycles"].update(luck=[1, 2]))
    capsys.readouterr()
    assert main(["rerun", str(other)]) == 2
    assert capsys.readouterr().err.startswith(f"{other}:0: ideal_cycles.luck: expected one of dram, sram_ports")


# What-if.


def checked(name: str, machine: str, **settings: object) -> Run:
    """A run with its what-ifs, each compared with a run that was asked for by `--set`."""
    base = {key.replace("__", "."): value for key, value in settings.items()}
    run = with_what_if(simulate(name, machine, base))
    for resource, more in AS_SET.items():
        again = simulate(name, machine, {**base, **another_dram(run, resource), **more})
        assert run.ideal_cycles[resource] == tuple(record.total_cycles for record in again.records), resource
        column = speedup_column(resource)
        assert run.totals[column] == run.total.total_cycles / again.total.total_cycles
        for row, record, other in zip(run.rows, run.records, again.records, strict=True):
            ideal = other.total_cycles
            assert row[column] == (record.total_cycles / ideal if ideal else None)
    return run


def another_dram(run: Run, resource: str) -> dict[str, object]:
    """Settings of an ideal DRAM that go before those of `AS_SET`."""
    if resource != "dram":
        return {}
    settings: dict[str, object] = {"dram.clock_mhz": run.machine.array.clock_mhz}
    if run.machine.dram.kind == "command":
        settings |= {"dram.device": "ideal_lpddr4", "dram.burst_bytes": run.machine.dram.burst_bytes}
    return settings


def test_a_what_if_is_a_rerun() -> None:
    run = checked("mobilenet_v1_0.25_128", "edge", array__overlap=False)
    assert list(run.ideal_cycles) == list(WHAT_IFS) == list(IDEAL)
    assert run.totals["speedup_if_ideal_array_overlap"] > 1.05
    assert run.totals["speedup_if_ideal_dram"] > 1


@pytest.mark.slow
@pytest.mark.parametrize("machine", ["edge", "gemmini"])
@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_is_as_quick_as_its_rerun(name: str, machine: str) -> None:
    checked(name, machine)


def test_a_dram_at_command_granularity_becomes_ideal_too() -> None:
    """As another device does, with bursts of the same length."""
    commands = {"dram.device": "lpddr4-3200", "energy.dram_by": "command"}
    run = with_what_if(simulate("mobilenet_v1_0.25_128", "edge", commands))
    again = simulate("mobilenet_v1_0.25_128", "edge", {**another_dram(run, "dram"), **AS_SET["dram"]})
    assert run.ideal_cycles["dram"] == tuple(record.total_cycles for record in again.records)
    assert again.total.total_cycles < run.total.total_cycles


def test_folds_as_scalesim_counts_them_overlap_as_those_of_registers_do() -> None:
    """That timing is refused together with overlap."""
    serial: dict[str, object] = {"array.timing": "scalesim-v3", "array.overlap": False}
    run = with_what_if(simulate("mobilenet_v1_0.25_128", "edge", serial))
    again = simulate("mobilenet_v1_0.25_128", "edge", {"array.timing": "systolic", "array.overlap": True})
    assert run.ideal_cycles["array_overlap"] == tuple(record.total_cycles for record in again.records)


def test_a_resource_that_is_ideal_already_changes_nothing() -> None:
    """The array of `edge` overlaps, and a convolution has nothing for the vector unit."""
    run = with_what_if(simulate("study_conv_standard", "edge"))
    (cycles,) = run.ideal_cycles["array_overlap"]
    assert cycles == run.total.total_cycles
    assert run.totals["speedup_if_ideal_vector_unit"] == 1.0


def test_what_was_asked_for_is_kept_and_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(tmp_path, NET, MACHINE, "--what-if")
    printed = capsys.readouterr().out
    assert "speedup if ideal  cycles" in printed
    run = read_run(path)
    header = (tmp_path / "layers.csv").read_text().splitlines()[0].split(",")
    assert header[-4:] == [speedup_column(name) for name in WHAT_IFS]
    assert json.loads(path.read_text())["totals"] == run.totals
