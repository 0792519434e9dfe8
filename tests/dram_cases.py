"""Devices, traces and transfers that tests play, and how they play them: in plain Python or compiled."""

from __future__ import annotations

import csv
import importlib.util
import math
import random
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from accelsim.config.dram import TIMINGS, CommandDevice
from accelsim.config.load import load_dram
from accelsim.machine.memory import Memory as MemoryPort
from accelsim.machine.memory import Progress, Request
from accelsim.machine.memory.dram.address import Integers
from accelsim.machine.memory.dram.memory import CommandMemory, Dram
from accelsim.machine.memory.dram.replay import played
from accelsim.machine.requests import blocks_of
from accelsim.program.tensors import Descriptor
from tests.reference.dram_rules import Command, Sheet
from tests.strategies import COMMAND_DEVICES

DATA = Path(__file__).parent / "data" / "dram"
MAPPINGS = {"page": "row:bank:bankgroup:column", "bgil": "row:bank:column:bankgroup"}
GOLDEN_DEVICES = {
    "DDR4-2400_8Gb_x8": "ddr4-2400-x8",
    "LPDDR4-3200_8Gb_x16": "lpddr4-3200",
    "LPDDR5-6400_8Gb_x16": "lpddr5-6400",
}

Burst = tuple[str, int]


def device_of(name: str, *settings_: str) -> CommandDevice:
    device = load_dram(name, list(enumerate((f"dram.{setting}" for setting in settings_), 1)))
    assert isinstance(device, CommandDevice)
    return device


def sheet_of(device: CommandDevice, **more: int) -> Sheet:
    """The data sheet of a device, with some timings so much longer."""
    organisation = device.organisation
    times = {name: device.clocks(name) + more.get(name, 0) for name in TIMINGS}
    return Sheet(
        times=times,
        burst=organisation.burst_length // organisation.transfers_per_clock,
        groups=organisation.bank_groups,
        banks_per_group=organisation.banks_per_group,
        separate_data_buses=organisation.pseudo_channels > 1,
        separate_row_bus=device.command_bus.separate_row_bus,
        act_clocks=device.command_bus.act_clocks,
        access_clocks=device.command_bus.access_clocks,
    )


def _as_arrays(bursts: Iterable[Burst]) -> tuple[Integers, Integers]:
    directions, addresses = zip(*bursts, strict=True)
    writes = np.array([direction == "W" for direction in directions], dtype=np.int64)
    return writes, np.array(addresses, dtype=np.int64)


def memory_after(device: CommandDevice, bursts: Iterable[Burst], *, plain: bool = True) -> tuple[Dram, list[Command]]:
    """A DRAM that has played bursts, in plain Python or compiled, and its commands, channel after channel."""
    dram = played(Dram(device, plain=plain, bus_spans=True, logs=True), *_as_arrays(bursts))
    return dram, _commands(dram)


def _commands(dram: Dram) -> list[Command]:
    return [Command(*issued) for channel in dram.controller.channels for issued in channel.log]


def cycles(device: CommandDevice, bursts: Iterable[Burst]) -> int:
    return memory_after(device, bursts)[0].end


@cache
def golden_traces() -> tuple[ModuleType, dict[str, Any]]:
    spec = importlib.util.spec_from_file_location("traces", DATA / "traces.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module, module.all_traces()


def golden_bursts(trace: str, burst_bytes: int) -> list[Burst]:
    module, traces = golden_traces()
    bursts: list[Burst] = module.bursts(traces[trace], burst_bytes)
    return bursts


def goldens() -> list[dict[str, str]]:
    with (DATA / "golden_dram.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def golden_device(row: dict[str, str], *settings_: str) -> CommandDevice:
    name, mapping = row["device"].removeprefix("R_").rsplit("_", 1)
    return device_of(GOLDEN_DEVICES[name], f"address_mapping={MAPPINGS[mapping]}", *settings_)


ODD_MAPPINGS = ("row:rank:bank:column:bankgroup", "bank:row:bankgroup:column", "column:row:bank:bankgroup")


@st.composite
def anything(draw: st.DrawFn) -> tuple[CommandDevice, list[Burst]]:
    name = draw(st.sampled_from(COMMAND_DEVICES))
    mapping = draw(st.sampled_from([*sorted(MAPPINGS.values()), *ODD_MAPPINGS]))
    policy = draw(st.sampled_from(["open", "open", "open", "closed"]))
    entries = draw(st.sampled_from([32, 32, 8, 1]))
    ranks = 1 if name == "hbm2" else draw(st.sampled_from([1, 1, 2, 4]))
    parts = (f"scheduler.queue_entries={entries}", f"organisation.ranks={ranks}")
    refresh = draw(st.sampled_from([(), ("timing.t_refi_nck=3001",)]))
    device = device_of(name, f"address_mapping={mapping}", f"page_policy={policy}", *parts, *refresh)
    random_ = random.Random(draw(st.integers(0, 1 << 30)))
    kinds = draw(st.lists(st.sampled_from(["R", "W", "RW", "rows"]), min_size=1, max_size=6))
    bursts: list[Burst] = []
    for kind in kinds:
        start = random_.randrange(1 << 16) * 256
        length = random_.choice((3, 40, 300))
        step = 1 if kind != "rows" else random_.choice((2, 64, 512))
        for place in range(length):
            direction = random_.choice(kind) if kind == "RW" else "R" if kind == "rows" else kind
            bursts.append((direction, start + place * step * device.burst_bytes))
    return device, bursts


class Plan(NamedTuple):
    """Transfers of an engine: clocks between the issue of one and the beginning of the next, and its descriptors."""

    pause: int
    parts: tuple[Descriptor, ...]


Plans = tuple[list[Plan], list[Plan]]


def driven(
    device: CommandDevice, array_mhz: float, window: int, plans: Plans, *, plain: bool = True
) -> tuple[list[Progress], list[Command], CommandMemory]:
    """Reports of a DRAM to two engines that read and write, its commands, and the DRAM."""
    memory = CommandMemory(device, array_mhz, plain=plain, bus_spans=True, logs=True)
    reports = _drive(memory, window, plans)
    return reports, _commands(memory.dram), memory


def _drive(dram: MemoryPort, window: int, plans: Plans) -> list[Progress]:
    left = [list(plan) for plan in plans]
    begin: list[float] = [plan[0].pause if plan else math.inf for plan in plans]
    requesters = [dram.add_requester(window) for _ in plans]
    under_way, reports = 0, list[Progress]()
    while under_way or any(left):
        found = dram.advance(min(begin))
        for report in found:
            engine = report.requester
            if report.issued is not None and left[engine]:
                begin[engine] = report.issued + left[engine][0].pause
            under_way -= report.completion is not None
        reports += found
        if not found:
            engine = begin.index(min(begin))
            parts = left[engine].pop(0).parts
            dram.request(Request(requesters[engine], engine == 1, blocks_of(parts)), int(begin[engine]))
            begin[engine] = math.inf
            under_way += 1
    return reports


def random_engines(seed: int) -> tuple[CommandDevice, float, int, Plans]:
    """A device, the array's clock, a window, and transfers of all kinds."""
    random_ = random.Random(seed)
    mapping, channels = random_.choice(sorted(MAPPINGS.values())), random_.choice([1, 1, 1, 2])
    name = random_.choice(COMMAND_DEVICES)
    device = device_of(name, f"address_mapping={mapping}", f"organisation.channels={channels}")

    def part() -> Descriptor:
        rows = random_.choice((1, 1, 4, 20))
        bits = 8 * (random_.choice((1, 64, 512, 4096, 20000)) if rows < 20 else random_.choice((1, 64, 512)))
        stride = bits if random_.random() < 0.3 else bits * random_.choice((2, 5))
        return Descriptor(random_.randrange(1 << 20) * random_.choice((8, 512)), rows, bits, stride)

    def plan(least: int) -> list[Plan]:
        return [
            Plan(random_.choice((0, 1, 16, 3000)), tuple(part() for _ in range(random_.choice((1, 1, 2)))))
            for _ in range(random_.randrange(least, 6))
        ]

    return device, random_.choice((1000, 700, 200, 940, 2500)), random_.choice((64, 128, 32, 8, 1)), (plan(1), plan(0))
