"""Speed of DRAM devices that are simulated to the command.

    python tests/benchmark_dram.py [--plain] [--bursts N] [--repeat N] [DEVICE ...]

By the compiled kernel or in plain Python: millions of bursts a second for a stream, a mixed and a random trace, and the
simulation phase (emit, link and play) of MobileNet v1 on `edge` with an ideal and a command-level LPDDR4. CPU time of
one process: the best of --repeat (5), the worst in brackets. Beside each figure stands how many steps of a bare Python
loop one burst takes, which holds on any machine.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import process_time

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from accelsim.config.dram import CommandDevice
from accelsim.config.load import load_dram
from accelsim.lowering.compile import lower
from accelsim.machine.machine import play
from accelsim.machine.memory.dram import kernels
from accelsim.machine.memory.dram.replay import play_trace
from accelsim.program.link import link
from accelsim.run.simulate import load_both

DEVICES = ("ddr4-2400-x8", "lpddr4-3200", "lpddr4-3200-x32", "hbm2")
RUN = 64
"""Bursts of the mixed trace before it turns from reads to writes or back."""


def seconds(work: Callable[[], object], repeat: int) -> tuple[float, float]:
    """CPU time at best and at worst."""
    taken = []
    for _ in range(repeat):
        begin = process_time()
        work()
        taken.append(process_time() - begin)
    return min(taken), max(taken)


def bare_loop() -> int:
    """A million steps that add and look up."""
    table, total = list(range(64)), 0
    for step in range(1_000_000):
        total = (total + table[step & 63]) & 1023
    return total


def traces(burst_bytes: int, bursts: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """(1 for each write, byte addresses) by name."""
    random_ = np.random.default_rng(1)
    places = np.arange(bursts)
    writes = places // RUN % 2
    reads = np.zeros(bursts, dtype=np.int64)
    mixed = places // (2 * RUN) * RUN + places % RUN + writes * (1 << 22)
    return {
        "stream": (reads, places * burst_bytes),
        "mixed": (writes, mixed * burst_bytes),
        "random": (reads, random_.integers(0, 1 << 24, bursts) * burst_bytes),
    }


def of_devices(names: Sequence[str], bursts: int, repeat: int) -> None:
    """Bursts a second of each device and trace."""
    step = seconds(bare_loop, repeat)[0] / 1e6
    print(f"a step of the bare loop: {step * 1e9:.0f} ns")
    for name in names:
        device = load_dram(name, [])
        assert isinstance(device, CommandDevice)
        for kind, trace in traces(device.burst_bytes, bursts).items():
            best, worst = seconds(lambda device=device, trace=trace: play_trace(device, *trace), repeat)
            speed = f"{bursts / best / 1e6:.2f} M bursts/s [{bursts / worst / 1e6:.2f}]"
            print(f"{name:16} {kind:7} {speed}, {best / bursts / step:.0f} steps each")


def of_runs(repeat: int) -> None:
    """Simulation of MobileNet v1 with each memory."""
    for name in ("ideal_lpddr4", "lpddr4-3200-x32", "lpddr4-3200"):
        _, network, machine, _ = load_both("mobilenet_v1_1.00_224", "edge", [(0, f"dram.device={name}")])
        program = lower(network, machine).program
        best, worst = seconds(lambda program=program, machine=machine: play(program, link(program), machine), repeat)
        print(f"MobileNet v1 on edge, {name}: emit, link and play {best:.3f} s [{worst:.3f}]")


def main() -> None:
    """Parse the command line and print all figures."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("devices", metavar="DEVICE", nargs="*", default=DEVICES, help="names of DRAM devices")
    parser.add_argument("--plain", action="store_true", help="the kernel in plain Python")
    parser.add_argument("--bursts", type=int, default=200_000, help="bursts of a trace (200,000)")
    parser.add_argument("--repeat", type=int, default=5, help="runs a figure is the best of (5)")
    arguments = parser.parse_args()
    if arguments.plain:
        kernels.fastest = kernels.plain()
    print("compiled" if kernels.is_compiled() else "plain Python")
    of_devices(arguments.devices, arguments.bursts, arguments.repeat)
    of_runs(arguments.repeat)


if __name__ == "__main__":
    main()
