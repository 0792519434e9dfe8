"""Does a program flow through the machine? Memory is that of a window, work is in proportion to tiles and bursts."""

from __future__ import annotations

import gc
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import FrameType

import pytest

from accelsim.config.scheduling import Scheduling
from accelsim.lowering import prefetch
from accelsim.lowering.compile import lower
from accelsim.machine import accounting, queues
from accelsim.machine.clock import CommandEvent, Observer
from accelsim.machine.machine import link_for, play
from accelsim.program.commands import Compute, Tile
from accelsim.program.link import Linked, Moment, Task
from accelsim.records import LayerRecord
from accelsim.run.play import perform
from tests.strategies import machine_of, network_of

ROOT = Path(__file__).parents[2]
PEAK = """
import sys
from pathlib import Path
from accelsim.cli import main
assert main(sys.argv[1:]) == 0
print(int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024, file=sys.stderr)
"""
LARGEST = ["densenet201", "resnet152_v1", "vgg19"]
"""Networks with the most layers, commands and bursts."""


def peak_mib(*argv: str) -> float:
    """The most memory of a command, in MiB; ru_maxrss would be that of pytest, where it is more."""
    found = subprocess.run(
        [sys.executable, "-c", PEAK, *argv], cwd=ROOT, capture_output=True, text=True, check=True
    )  # fmt: skip
    return float(found.stderr.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("network", LARGEST)
def test_memory_of_a_network(network: str) -> None:
    assert peak_mib("run", network, "edge", "--quiet") <= 150


@pytest.mark.slow
def test_memory_of_a_large_batch() -> None:
    smaller = ("--set", "network.resolution=112")
    assert peak_mib("run", "resnet50_v1", "edge", "--quiet", "--batch", "64", *smaller) <= 250


@pytest.mark.slow
def test_memory_of_a_large_product() -> None:
    assert peak_mib("gemm", "4224", "2816", "6000", "edge") <= 250


def work_of(rows: int) -> tuple[int, int]:
    """Commands of a product of this many rows, and calls of functions of the package that playing them takes."""
    machine = machine_of(sram__activation__capacity_bytes=8192)
    row = {"name": "a", "op": "conv", "kernel": 1, "channels": 64}
    lowered = lower(network_of([row], (rows, 1, 64)), machine)
    count = 0

    def on_event(frame: FrameType, event: str, _: object) -> None:
        nonlocal count
        count += event == "call" and "accelsim" in frame.f_code.co_filename

    sys.setprofile(on_event)
    try:
        play(lowered.program, link_for(lowered.program, machine), machine)
    finally:
        sys.setprofile(None)
    return sum(1 for _ in lowered.program.commands), count


@pytest.mark.parametrize("decades", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_work_is_in_proportion_to_commands(decades: int) -> None:
    """Slope 1.0 within 0.05."""
    (few, first), (many, last) = work_of(1000), work_of(1000 * 10**decades)
    assert many > 9 * few
    assert math.log(last / first) / math.log(many / few) == pytest.approx(1.0, abs=0.05)


class Census:
    """Counts the commands, tiles and tasks that are alive, those before left out where they are frozen."""

    most = 0

    def happened(self, what: CommandEvent | Moment, linked: Linked, cycle: int) -> None:
        """See `Observer`."""
        if what is CommandEvent.BEGIN and linked.task.index % 4 == 0:
            alive = sum(isinstance(each, Compute | Tile | Task) for each in gc.get_objects())
            self.most = max(self.most, alive)


def played_relu(rows: int, *observers: Observer) -> LayerRecord:
    """A layer without weights or clocks of the array, a tile iteration a row."""
    machine = machine_of(sram__activation__capacity_bytes=256)
    network = network_of([{"name": "a", "op": "relu"}], (rows, 1, 64))
    (record,) = perform(network, machine, Scheduling(), observers).records
    return record


def test_memory_without_the_array_is_that_of_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four times the tiles take as much."""
    for module, name in ((queues, "WINDOW"), (queues, "CHUNK"), (prefetch, "WEIGHTS_AHEAD"), (accounting, "PATHS")):
        monkeypatch.setattr(module, name, 16)
    few, many = Census(), Census()
    gc.freeze()
    try:
        played_relu(50, few)
        played_relu(200, many)
    finally:
        gc.unfreeze()
    assert 50 < many.most <= 1.2 * few.most


@pytest.mark.parametrize("paths", [50, 100, 200])
def test_idle_clocks_counted_in_parts_have_the_same_causes(paths: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """All else is equal, and where two paths took as long, a part may go by the other one: 2 % of the clocks."""
    whole = played_relu(100)
    monkeypatch.setattr(accounting, "PATHS", paths)
    parts = played_relu(100)
    assert sum(parts.stalls.values()) == whole.total_cycles
    assert parts.stalls == pytest.approx(whole.stalls, abs=0.02 * whole.total_cycles)
    assert replace(parts, stalls=whole.stalls) == whole
