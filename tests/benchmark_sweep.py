"""Speed of sweeps.

    python tests/benchmark_sweep.py              1,000 points: 16 MobileNets x 63 machines, and what they take
    python tests/benchmark_sweep.py --pairs 5    one worker beside two, interleaved, start-up excluded
    python tests/benchmark_sweep.py --memory     peak memory of the parent and of a worker for more and more points

All on `edge`, varied. On a shared machine the smallest times say most.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter

from accelsim.sweeps.spec import Wanted, inline_sweep
from accelsim.sweeps.sweep import run_sweep
from accelsim.sweeps.work import COLUMN_NAMES, Finished, PointTask
from accelsim.sweeps.workers import cores, on_processes

ROOT = Path(__file__).resolve().parent.parent
NETWORKS, MACHINE = "mobilenet_v1_[01].[0-9]*", "edge"
KIB = (64, 128, 256, 512, 1024, 2048, 4096)
AXES = (
    "array.rows=16,32,64",
    "array.dataflow=ws,os,is",
    f"sram.activation.capacity_bytes={','.join(str(size << 10) for size in KIB)}",
)
"""16 networks x 63 machines = 1,008 points."""
PAIR_AXES = ("array.rows=16,32", "array.dataflow=ws,os", "dma.setup_cycles=4,8,16,32,64,128")


def wanted(networks: str, axes: Sequence[str]) -> Wanted:
    return inline_sweep([networks], [MACHINE], [(0, axis) for axis in axes], [])


def thousand(jobs: int) -> None:
    """The whole command, as a user would wait for it."""
    argv = ["sweep", "--network", NETWORKS, "--hw", MACHINE, *(word for axis in AXES for word in ("--vary", axis))]
    with tempfile.TemporaryDirectory() as folder:
        begin = perf_counter()
        line = [sys.executable, "-m", "accelsim", *argv, "-o", folder, "--jobs", str(jobs)]
        said = subprocess.run(line, cwd=ROOT, check=True, capture_output=True, text=True).stdout
        seconds = perf_counter() - begin
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        print(said.partition(";")[0])
        cpu, peak = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
        print(f"{jobs} workers: {seconds:.1f} s, CPU {cpu:.1f} s; peak memory of the largest process {peak:.0f} MiB")
        print(f"load average of the machine: {os.getloadavg()[0]:.1f}")


def seconds_of(jobs: int) -> float:
    """Seconds a point, from when each worker has done two to the end."""
    finished: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        sweep = wanted("mobilenet_v1_0.25_128", PAIR_AXES)
        run_sweep(sweep, Path(folder), lambda tasks: on_processes(tasks, jobs), lambda _: lambda: note(finished))
    started = finished[2 * jobs - 1]
    return (finished[-1] - started) / (len(finished) - 2 * jobs)


def note(times: list[float]) -> None:
    times.append(perf_counter())


def pairs(repeat: int) -> None:
    """One worker, two, one, two ..."""
    times = [(seconds_of(1), seconds_of(2)) for _ in range(repeat)]
    ratios = [one / two for one, two in times]
    for (one, two), ratio in zip(times, ratios, strict=True):
        print(f"one worker {one * 1e3:.0f} ms a point, two {two * 1e3:.0f} ms: {ratio:.2f}x")
    print(f"median {median(ratios):.2f}x [{min(ratios):.2f}..{max(ratios):.2f}], load average {os.getloadavg()[0]:.1f}")


def memory(counts: Sequence[int]) -> None:
    """Sweeps of different machines, the simulation itself left out for the parent."""
    for count in counts:
        line = [sys.executable, "-m", "tests.benchmark_sweep", "--points", str(count)]
        print(subprocess.run(line, cwd=ROOT, check=True, capture_output=True, text=True).stdout, end="")


def memory_of(count: int) -> None:
    """Peak memory of a process that plans, keeps and exports this number of points with results made up."""

    def made_up(tasks: Iterator[PointTask]) -> Iterator[Finished]:
        return (Finished(task.sha256, "done", None, dict.fromkeys(COLUMN_NAMES, 1)) for task in tasks)

    axis = f"dma.setup_cycles={','.join(map(str, range(count)))}"
    with tempfile.TemporaryDirectory() as folder:
        run_sweep(wanted("mobilenet_v1_0.25_128", [axis]), Path(folder), made_up, lambda _: lambda: None)
    print(f"{count:7} points: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


def main() -> None:
    """Parse the command line and measure."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=cores(), help="workers of the 1,000 points (one for each core)")
    parser.add_argument("--pairs", type=int, help="number of pairs of one worker and two")
    parser.add_argument("--memory", action="store_true", help="peak memory")
    parser.add_argument("--points", type=int, help="measure it once, in this process")
    arguments = parser.parse_args()
    if arguments.points is not None:
        memory_of(arguments.points)
    elif arguments.memory:
        memory((1000, 10_000, 20_000))
    elif arguments.pairs is not None:
        pairs(arguments.pairs)
    else:
        thousand(arguments.jobs)


if __name__ == "__main__":
    main()
