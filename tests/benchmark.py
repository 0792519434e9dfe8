"""Speed of accelsim.

    python tests/benchmark.py                      the main job: whole command, phases, events, growth with the batch
    python tests/benchmark.py --scalesim PYTHON    MobileNet v1 beside SCALE-Sim 3.0.0 (some minutes)

PYTHON is the interpreter of an environment with `pip install scalesim==3.0.0 'numpy<2.4'`. Each figure is the median
of --repeat fresh processes, its smallest and largest value in brackets; phases are CPU time. On a shared machine the
smallest values say most.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any
from unittest.mock import patch

ROOT = Path(__file__).resolve().parent.parent
NETWORK, MACHINE = "workloads/shufflenet_g3.yaml", "hwconfigs/edge.yaml"
BATCHES = (1, 2, 4, 8)
PHASES = ("import", "config", "lower", "emit", "link", "play")

SCALESIM_MACHINE = "hwconfigs/scalesim_default.yaml"
SCALESIM_PROGRAM = """
import sys
from scalesim.scale_sim import scalesim
config, topology, folder = sys.argv[1:]
scalesim(save_disk_space=True, verbose=False, config=config, topology=topology, layout=topology).run_scale(folder)
"""
SCALESIM_CONFIG = """\
[general]
run_name = mobilenet
[architecture_presets]
ArrayHeight = 32
ArrayWidth = 32
ifmapsramszkB = 64
filtersramszkB = 64
ofmapsramszkB = 64
IfmapOffset = 0
FilterOffset = 10000000
OfmapOffset = 20000000
Dataflow = ws
Bandwidth = 10
ReadRequestBuffer = 32
WriteRequestBuffer = 32
[layout]
IfmapCustomLayout = False
IfmapSRAMBankBandwidth = 10
IfmapSRAMBankNum = 10
IfmapSRAMBankPort = 2
FilterCustomLayout = False
FilterSRAMBankBandwidth = 10
FilterSRAMBankNum = 10
FilterSRAMBankPort = 2
[sparsity]
SparsitySupport = False
[run_presets]
InterfaceBandwidth = CALC
UseRamulatorTrace = False
"""


@dataclass(frozen=True, slots=True)
class Usage:
    """Time and memory of a process, from its start to its end."""

    wall_s: float
    cpu_s: float
    peak_mib: float


def usage_of(command: Sequence[str]) -> Usage:
    """Run a command in the checkout, its output thrown away."""
    begin = perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall_s = perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{shlex.join(command)}: exit code {process.returncode}")
    return Usage(wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def accelsim_command(network: str, machine: str) -> list[str]:
    return [sys.executable, "-m", "accelsim", "run", network, machine]


def spread(values: Sequence[float], form: str = ".3f") -> str:
    """Median, smallest and largest."""
    return f"{median(values):{form}} [{min(values):{form}}..{max(values):{form}}]"


def whole_command(command: Sequence[str], repeat: int) -> list[Usage]:
    """So many runs of a command, after one that leaves compiled modules and a warm file cache."""
    usage_of(command)
    return [usage_of(command) for _ in range(repeat)]


def phases(network_file: str) -> dict[str, float]:
    """CPU seconds of each phase of a run in this process, its tile commands, and the events of playing them."""
    marks = [process_time()]

    def timed(action: Callable[..., Any], *arguments: Any) -> Any:
        result = action(*arguments)
        marks.append(process_time())
        return result

    simulate, lower, link, play = timed(_import)
    _, network, machine, scheduling = timed(simulate.load_both, network_file, MACHINE)
    program = timed(lower, network, machine, scheduling).program
    settled = replace(program, commands=timed(tuple, program.commands))
    linked = timed(list, link(settled))
    timed(play, settled, linked, machine)
    seconds = (after - before for before, after in pairwise(marks))
    commands, events = len(linked), count_events(lambda: play(program, link(program), machine))
    return {**dict(zip(PHASES, seconds, strict=True)), "commands": commands, "events": events}


def _import() -> tuple[Any, ...]:
    from accelsim.lowering.compile import lower
    from accelsim.machine.machine import play
    from accelsim.program.link import link
    from accelsim.report import text  # noqa: F401 (part of what the command imports)
    from accelsim.run import simulate

    return simulate, lower, link, play


def count_events(action: Callable[[], object]) -> int:
    """SimPy events processed meanwhile."""
    import simpy

    plain, count = simpy.Environment.step, 0

    def counting(environment: simpy.Environment) -> None:
        nonlocal count
        count += 1
        plain(environment)

    with patch.object(simpy.Environment, "step", counting):
        action()
    return count


def phases_in_processes(batch: int, repeat: int) -> list[dict[str, float]]:
    """`phases` of the main job with this number of images, in a fresh process each: nothing is cached."""
    with tempfile.TemporaryDirectory() as folder:
        network = Path(folder, "network.yaml")
        network.write_text((ROOT / NETWORK).read_text(encoding="utf-8") + f"batch: {batch}\n", encoding="utf-8")
        command = [sys.executable, "-m", "tests.benchmark", "--phases", str(network)]
        return [json.loads(subprocess.check_output(command, cwd=ROOT)) for _ in range(repeat)]


def main_job(repeat: int, batches: Sequence[int]) -> None:
    """The main job: what a user waits for, and where it goes."""
    command = accelsim_command(NETWORK, MACHINE)
    runs, unadvised = (whole_command(each, repeat) for each in (command, [*command, "--no-advice"]))
    for label, found in (("whole command", runs), ("  without advice", unadvised)):
        seconds = [run.wall_s for run in found], [run.cpu_s for run in found]
        print(f"{label.ljust(16)} {spread(seconds[0])} s, CPU {spread(seconds[1])} s")
    print(f"peak memory      {spread([run.peak_mib for run in runs], '.1f')} MiB")
    by_batch = {batch: phases_in_processes(batch, repeat) for batch in batches}
    for phase in PHASES:
        print(f"  {phase.ljust(14)} {spread([run[phase] for run in by_batch[1]])} s CPU")
    base, first = by_batch[1], by_batch[1][0]
    per_command = [run["play"] / run["commands"] * 1e6 for run in base]
    print(f"tile commands    {first['commands']}")
    print(f"  to play one    {spread(per_command, '.1f')} us")
    print(f"  events of one  {first['events'] / first['commands']:.2f}")
    print("growth with the batch")
    print("  batch  commands  play us/command  lower to play us/command  events/command")
    for batch, found in by_batch.items():
        commands = found[0]["commands"]
        play_us = [run["play"] / commands * 1e6 for run in found]
        all_us = [(run["lower"] + run["emit"] + run["link"] + run["play"]) / commands * 1e6 for run in found]
        events = f"{found[0]['events'] / commands:.2f}"
        print(f"  {batch:5}  {commands:8}  {spread(play_us, '.1f'):>15}  {spread(all_us, '.1f'):>26}  {events:>14}")


@dataclass(frozen=True, slots=True)
class Layer:
    """A convolution of MobileNet v1: square, padded by 1 if the kernel is 3."""

    name: str
    kernel: int
    stride: int
    in_channels: int
    out_channels: int
    out_size: int
    depthwise: bool = False

    def workload_row(self) -> str:
        """The layer in a workload file."""
        shape = "" if self.depthwise else f", channels: {self.out_channels}"
        op, pad = "dwconv" if self.depthwise else "conv", self.kernel // 2
        return f"- {{name: {self.name}, op: {op}, kernel: {self.kernel}, stride: {self.stride}, pad: {pad}{shape}}}"

    def scalesim_row(self) -> str:
        """The layer in a SCALE-Sim topology: padded beforehand, a depthwise layer as one filter over all channels."""
        size = (self.out_size - 1) * self.stride + self.kernel
        filters = 1 if self.depthwise else self.out_channels
        fields = (self.name, size, size, self.kernel, self.kernel, self.in_channels, filters, self.stride)
        return ",".join(map(str, fields)) + ","


def mobilenet() -> Iterator[Layer]:
    """MobileNet v1, 224 x 224 (Howard et al. 2017, Table 1), the classifier as a 1x1 convolution."""
    size, channels = 112, 32
    yield Layer("conv1", 3, 2, 3, channels, size)
    blocks = [(1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512), *[(1, 512)] * 5, (2, 1024), (1, 1024)]
    for number, (stride, out_channels) in enumerate(blocks, 2):
        size //= stride
        yield Layer(f"dw{number}", 3, stride, channels, channels, size, depthwise=True)
        yield Layer(f"pw{number}", 1, 1, channels, out_channels, size)
        channels = out_channels
    yield Layer("fc", 1, 1, channels, 1000, 1)


def beside_scalesim(python: str, repeat: int) -> None:
    """The layers of MobileNet v1 in both simulators, a whole process each; SCALE-Sim once, and without traces."""
    layers = list(mobilenet())
    rows = [layer.workload_row() for layer in layers]
    rows.insert(-1, "- {name: gap, op: gap}")
    header = ["name: mobilenet_v1", "source: Howard et al. 2017", "input: {height: 224, width: 224, channels: 3}"]
    columns = "Layer name,IFMAP Height,IFMAP Width,Filter Height,Filter Width,Channels,Num Filter,Strides,"
    with tempfile.TemporaryDirectory() as folder:
        network, config, topology = (Path(folder, name) for name in ("network.yaml", "scale.cfg", "topology.csv"))
        network.write_text("\n".join([*header, "layers:", *rows]) + "\n", encoding="utf-8")
        config.write_text(SCALESIM_CONFIG, encoding="utf-8")
        topology.write_text("\n".join([columns, *(layer.scalesim_row() for layer in layers)]) + "\n", encoding="utf-8")
        ours = whole_command(accelsim_command(str(network), SCALESIM_MACHINE), repeat)
        _print_usage(f"accelsim, {len(rows)} layers", ours)
        theirs = usage_of([python, "-c", SCALESIM_PROGRAM, str(config), str(topology), folder])
        _print_usage(f"SCALE-Sim, {len(layers)} layers", [theirs])
    wall, cpu, memory = (
        getattr(theirs, name) / median(getattr(run, name) for run in ours) for name in ("wall_s", "cpu_s", "peak_mib")
    )
    print(f"SCALE-Sim takes  {wall:.0f}x the time, {cpu:.0f}x the CPU time, {memory:.1f}x the memory")


def _print_usage(name: str, runs: Sequence[Usage]) -> None:
    wall, cpu = spread([run.wall_s for run in runs]), spread([run.cpu_s for run in runs])
    print(f"{name.ljust(22)} {wall} s, CPU {cpu} s, {spread([run.peak_mib for run in runs], '.0f')} MiB")


def main() -> None:
    """Parse the command line and measure."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5, help="processes a figure is the median of (5)")
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES, help="1 and others to compare (1 2 4 8)")
    parser.add_argument("--scalesim", metavar="PYTHON", help="compare with the SCALE-Sim of this interpreter")
    parser.add_argument("--phases", metavar="NETWORK", help="measure it once, in this process, and print JSON")
    arguments = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # with it, every process compiles the package anew
    if arguments.phases is not None:
        print(json.dumps(phases(arguments.phases)))
    elif arguments.scalesim is not None:
        beside_scalesim(arguments.scalesim, arguments.repeat)
    else:
        main_job(arguments.repeat, arguments.batches)


if __name__ == "__main__":
    main()
