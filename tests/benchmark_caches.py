"""Speed of requests through caches and the DRAM below them.

    python tests/benchmark_caches.py [--plain] [--requests N] [--repeat N] [MACHINE ...]

Millions of requests a second of the DMA to the caches of a machine (gemmini), by the compiled kernels or in plain
Python: bytes that the highest cache holds, bytes that only the lowest holds, a stream that none has seen, read or
written, and three that miss all caches with every request: one in each line of the lowest cache, one in each row of
DRAM, and at random places, each a block of its own. CPU time of one process, without Python's collector of cycles as in
a run: the best of --repeat (5), the worst in brackets. Beside each figure stand how many steps of a bare Python loop
one request takes, which holds on any machine, and how many miss each cache.
"""

from __future__ import annotations

import argparse
import gc
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from accelsim.config.load import load_machine
from accelsim.config.machine import Machine
from accelsim.machine.memory import Block, Memory, Met, Request, behind_caches, memory_of
from accelsim.machine.memory.cache import kernels as caches
from accelsim.machine.memory.dram import kernels as dram
from tests.benchmark_dram import bare_loop, seconds

FIRST = 1 << 24
"""Address of what is not in a cache yet."""
ROW = 1 << 13
"""Bytes of a row of the DRAM, about."""


def blocks_of(machine: Machine, requests: int) -> dict[str, tuple[bool, list[Block]]]:
    """Transfers by name: true for one that writes, and its blocks, each a request or neighbouring ones."""
    assert machine.caches is not None
    highest, lowest = machine.caches[0], machine.caches[-1]
    size = machine.dma.request_bytes or highest.line_bytes

    def again(capacity: int) -> list[Block]:
        return [Block(0, 1, capacity, 0)] * max(1, requests * size // capacity)

    places = np.random.default_rng(1).permutation(1 << 22)[:requests] * lowest.line_bytes
    return {
        "highest": (False, again(highest.capacity_bytes // 16)),
        "lowest": (False, again(lowest.capacity_bytes // 4)),
        "stream": (False, [Block(FIRST, 1, requests * size, 0)]),
        "written": (True, [Block(FIRST, 1, requests * size, 0)]),
        "lines": (False, [Block(FIRST, requests, size, lowest.line_bytes)]),
        "rows": (False, [Block(FIRST, requests, size, ROW + lowest.line_bytes)]),
        "random": (False, [Block(FIRST + place, 1, size, 0) for place in places.tolist()]),
    }


def passed(memory: Memory, write: bool, blocks: Sequence[Block], cycle: int) -> int:
    """The clock at which a transfer has passed the memory."""
    memory.request(Request(int(write), write, blocks), cycle)
    while True:
        for progress in memory.advance(math.inf):
            if progress.completion is not None:
                return progress.completion.done


def measured(machine: Machine, write: bool, blocks: Sequence[Block], repeat: int) -> tuple[Met, float, float]:
    """The hits and misses of a transfer behind one of its first bytes, and CPU time at best and at worst."""
    first = blocks[:1] if blocks[0].address < FIRST else [Block(0, 1, 64, 0)]
    taken: list[float] = []
    for _ in range(repeat):
        memory = behind_caches(memory_of(machine.dram, machine.array.clock_mhz), machine)
        for _ in range(2):
            memory.add_requester(machine.dma.max_outstanding_bursts, machine.dma.bursts_per_clock)
        done = passed(memory, False, first, 0)
        memory.met(0)
        taken += seconds(lambda memory=memory, done=done: passed(memory, write, blocks, done), 1)
        met = memory.met(int(write))
    assert met is not None
    return met, min(taken), max(taken)


def main() -> None:
    """Parse the command line and print all figures."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("machines", metavar="MACHINE", nargs="*", default=["gemmini"], help="machines that have caches")
    parser.add_argument("--plain", action="store_true", help="the kernels in plain Python")
    parser.add_argument("--requests", type=int, default=200_000, help="requests of a transfer (200,000)")
    parser.add_argument("--repeat", type=int, default=5, help="transfers a figure is the best of (5)")
    arguments = parser.parse_args()
    if arguments.plain:
        dram.fastest, caches.fastest = dram.plain(), caches.plain
    print("plain Python" if caches.fastest is caches.plain else "compiled")
    step = seconds(bare_loop, arguments.repeat)[0] / 1e6
    print(f"a step of the bare loop: {step * 1e9:.0f} ns")
    gc.disable()
    for name in arguments.machines:
        machine = load_machine(name)
        for kind, (write, blocks) in blocks_of(machine, arguments.requests).items():
            met, best, worst = measured(machine, write, blocks, arguments.repeat)
            requests = met.caches[0].hits + met.caches[0].misses
            speed = f"{requests / best / 1e6:.2f} M requests/s [{requests / worst / 1e6:.2f}]"
            missed = ", ".join(f"{each.misses / requests:.0%}" for each in met.caches)
            print(f"{name:16} {kind:7} {speed}, {best / requests / step:.0f} steps each, missed {missed}")


if __name__ == "__main__":
    main()
