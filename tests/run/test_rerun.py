"""Does a run come out of its own file again, and does what-if say what a rerun says?"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from accelsim.cli import main
from accelsim.records import RESOURCES
from accelsim.report.columns import WHAT_IFS, speedup_column
from accelsim.run.doubled import DOUBLED
from accelsim.run.reprice import read_run
from accelsim.run.result import Run
from accelsim.run.simulate import simulate
from accelsim.run.what_if import with_what_if
from accelsim.version import __version__

GOOD = Path(__file__).parents[1] / "invalid" / "good"
NET, MACHINE = str(GOOD / "net.yaml"), str(GOOD / "machine.yaml")
PORTS = {f"sram.{name}.port_bytes_per_cycle": 32 for name in ("activation", "weight")}
"""Those of `edge`, which otherwise follow its array."""
AS_SET: dict[str, dict[str, object]] = {
    "array_rows": {**PORTS, "array.rows": 64},
    "array_columns": {**PORTS, "array.cols": 64, "vector.lanes": 32, "sram.accumulator.capacity_bytes": 262144},
    "dram_bandwidth": {"dram.organisation.channels": 2},
    "dma_issue": {"dma.bursts_per_clock": 2},
    "dma_outstanding": {"dma.max_outstanding_bursts": 128},
    "dma_setup": {"dma.setup_cycles": 8},
    "sram_ports": {
        "sram.activation.port_bytes_per_cycle": 64,
        "sram.weight.port_bytes_per_cycle": 64,
        "sram.accumulator.port_bytes_per_cycle": 256,
    },
    "vector_lanes": {"vector.lanes": 64},
    "depthwise_channels": {},
    "output_path": {"output_path.scale": 64, "output_path.function": 64, "array.post_latency": 2},
    "caches": {},
    "host": {},
}
"""Twice of each resource as `--set` has it; `edge` has no depthwise engine, caches or host."""
FAMILIES = (
    "alexnet_grouped", "vgg13", "resnet18", "resnext50_32x4d", "densenet121", "googlenet", "mobilenet_v1_0.25_128",
    "squeezenet_v1.0", "shufflenet_1.0x_g3", "cmp_xceptionlike_38",
)  # fmt: skip
SMALL = {"network.resolution": 96}
"""What is held of all families is held on a small image."""
NARROW = ("mobilenet_v1_0.25_128", "squeezenet_v1.0", "shufflenet_0.25x_g3")
"""Families whose dozen reruns do not take minutes."""


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
    "more",
    [
        (),
        pytest.param(("--what-if",), marks=pytest.mark.slow),
        ("--set", "dram.device=lpddr4-3200"),
        ("--set", "energy.table=cacti_32nm"),
    ],
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
@pytest.mark.parametrize(("name", "machine"), list(zip(FAMILIES, cycle(("edge", "gemmini_default")))))
def test_every_family_comes_out_again(name: str, machine: str, tmp_path: Path) -> None:
    saved(tmp_path, name, machine, *(word for key, value in SMALL.items() for word in ("--set", f"{key}={value}")))
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
    assert first == f"tiny on tiny: 2 values differ, simulated by accelsim 0.0.9, now by {__version__}"
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
    expected = f"tiny on tiny: the same results, simulated by accelsim 0.0.9, now by {__version__}\n"
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
    other = doctored(path, lambda document: document["doubled_cycles"].update(luck=[1, 2]))
    capsys.readouterr()
    assert main(["rerun", str(other)]) == 2
    assert capsys.readouterr().err.startswith(f"{other}:0: doubled_cycles.luck: expected one of array_rows")


# What-if.


def checked(name: str, settings: dict[str, object]) -> Run:
    """A run on `edge` with its what-ifs, each compared with a run that was asked for by `--set`."""
    run = with_what_if(simulate(name, "edge", settings))
    for resource, more in AS_SET.items():
        again = simulate(name, "edge", {**settings, **more}) if more else run
        assert run.doubled_cycles[resource] == tuple(record.total_cycles for record in again.records), resource
        column = speedup_column(resource)
        assert run.totals[column] == run.total.total_cycles / again.total.total_cycles
        for row, record, other in zip(run.rows, run.records, again.records, strict=True):
            twice = other.total_cycles
            assert row[column] == (record.total_cycles / twice if twice else None)
    return run


def test_a_what_if_is_a_rerun() -> None:
    run = checked("study_conv_separable", {})
    assert list(run.doubled_cycles) == list(WHAT_IFS) == list(RESOURCES) == list(DOUBLED) == list(AS_SET)


@pytest.mark.slow
@pytest.mark.parametrize("name", NARROW)
def test_a_family_is_as_quick_as_its_rerun(name: str) -> None:
    checked(name, {"network.resolution": 64})


def test_a_resource_that_a_layer_does_not_use_changes_nothing() -> None:
    run = with_what_if(simulate("study_conv_standard", "edge"))
    assert run.totals["speedup_if_twice_vector_lanes"] == 1.0


def test_what_was_asked_for_is_kept_and_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(tmp_path, NET, MACHINE, "--what-if")
    printed = capsys.readouterr().out
    assert "speedup if twice" in printed
    run = read_run(path)
    header = (tmp_path / "layers.csv").read_text().splitlines()[0].split(",")
    assert header[-len(WHAT_IFS) :] == [speedup_column(name) for name in WHAT_IFS]
    assert json.loads(path.read_text())["totals"] == run.totals
