"""DRAM devices and traces from strangers: refused in a line, or played at a cost that follows the work."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.cli import main
from accelsim.config.dram import MAPPED, TIMINGS, CommandDevice, broken_rules
from accelsim.errors import DeadlockError
from accelsim.machine.memory import Block, Progress, Request
from accelsim.machine.memory.dram import kernels
from accelsim.machine.memory.dram.kernel.controller import SLICE
from accelsim.machine.memory.dram.memory import LAST_CLOCK, CommandMemory, Dram
from accelsim.machine.memory.dram.replay import played
from tests.commands import Alarm, alarm
from tests.dram_cases import Burst, device_of, memory_after

KERNELS = (True, False)
"""In plain Python, and compiled."""


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    assert main(words) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    return printed.err.splitlines()


@pytest.fixture
def trace(tmp_path: Path) -> str:
    path = tmp_path / "trace"
    path.write_text("R 0\nR 0x40000000\n")
    return str(path)


# Refused.


@pytest.mark.parametrize(
    ("setting", "key", "expected"),
    [
        (
            "timing.t_rp_nck=1e12",
            "timing",
            "t_refi above all other timings together, which take 1000000000650 DRAM clocks, got 9360 DRAM clocks",
        ),
        (
            "timing.t_refi_nck=1",
            "timing",
            "t_refi above all other timings together, which take 667 DRAM clocks, got 1 DRAM clocks",
        ),
        ("timing.t_refi_nck=1e12", "timing", "t_refi of at most 268435456 DRAM clocks, got 1000000000000 DRAM clocks"),
        ("organisation.banks_per_group=2048", "organisation.banks_per_group", "at most 64, got 2048"),
        ("organisation.ranks=1024", "organisation.ranks", "at most 64, got 1024"),
        ("organisation.bus_width_bits=4096", "organisation.bus_width_bits", "at most 1024, got 4096"),
        ("scheduler.write_low=-1", "scheduler.write_low", "at least 0, got -1"),
        ("clock_mhz=1e300", "clock_mhz", "at most 1e+15, got 1e+300"),
    ],
)
def test_ranges_are_checked_together(
    setting: str, key: str, expected: str, trace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = refused(capsys, "dram", "ddr4-2400-x8", trace, "--set", f"dram.{setting}")
    assert lines == [f"command-line:4: dram.{key}: expected {expected}"]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"banks_per_group": 64, "bank_groups": 64, "ranks": 2}, "at most 4096 banks in a channel, got 8192"),
        ({"rows": 1 << 20, "columns": 1 << 20, "bus_width_bits": 1024}, "at most 2^48 bytes in all, got"),
    ],
)
def test_sizes_are_checked_together(
    parts: dict[str, int], expected: str, trace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [word for key, value in parts.items() for word in ("--set", f"dram.organisation.{key}={value}")]
    (line,) = refused(capsys, "dram", "ddr4-2400-x8", trace, *words)
    assert line.partition(": ")[2].startswith(f"dram.organisation: expected {expected}")


@pytest.mark.parametrize(
    ("clock", "expected"),
    [
        ("1e-06", "within 1,000,000 times the DRAM's, which is 1600.0, got 1e-06"),
        (
            "1.2345678901234567",
            "fewer digits, or a simpler ratio to the DRAM's, which is 1600.0, got 1.2345678901234567",
        ),
    ],
)
def test_clocks_of_array_and_dram_are_checked_together(
    clock: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = refused(capsys, "gemm", "8", "8", "8", "edge", "--set", f"array.clock_mhz={clock}")
    assert lines == [f"command-line:6: array.clock_mhz: expected {expected}"]


def test_windows_are_bounded(capsys: pytest.CaptureFixture[str]) -> None:
    """A window is remembered burst by burst."""
    lines = refused(capsys, "gemm", "8", "8", "8", "edge", "--set", "dma.max_outstanding_bursts=1000000000000")
    assert lines == ["command-line:6: dma.max_outstanding_bursts: expected at most 1048576, got 1000000000000"]


# Addresses of a trace.


@pytest.mark.parametrize("address", ["140000000000000", "281474976710655", "0xffffffffffff", "0x00000000000f"])
def test_addresses_below_2_to_the_48_are_taken(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "trace"
    path.write_text(f"W {address}\n")
    assert main(["dram", "ddr4-2400-x8", str(path)]) == 0
    assert "writes                1\n" in capsys.readouterr().out


@pytest.mark.parametrize("address", ["281474976710656", "999999999999999", "1000000000000000", "0x1000000000000"])
def test_other_addresses_are_refused(address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "trace"
    path.write_text(f"W 0\n\nR {address}\n")
    lines = refused(capsys, "dram", "ddr4-2400-x8", str(path))
    expected = "R or W and an address below 2^48, such as R 0x1000"
    assert lines == [f"{path}:3: trace: expected {expected}, got 'R {address}'"]


# Cost follows the work.


@pytest.mark.parametrize("plain", KERNELS)
def test_reads_are_served_where_no_low_watermark_is_reached(plain: bool) -> None:
    """`write_low: 0` is a queue without writes."""
    device = device_of("ddr4-2400-x8", "scheduler.write_low=0")
    log = memory_after(device, [("W", 0), ("R", 64)], plain=plain)[1]
    assert [each.name for each in log] == ["ACT", "ACT", "WR", "RD"]


@pytest.mark.parametrize("plain", KERNELS)
def test_a_write_is_answered_with_its_command_where_the_device_says_so(plain: bool) -> None:
    """A clock behind WR; else when its data has passed: the write latency and the burst behind it."""
    ends = []
    for answer in ("data", "command"):
        device = device_of("ddr4-2400-x8", f"scheduler.write_answer={answer}")
        memory = CommandMemory(device, device.clock_mhz, plain=plain)
        memory.add_requester(1)
        memory.request(Request(0, True, (Block(0, 1, 64, 0),)), 0)
        told = [each for _ in range(2) for each in memory.advance(10_000)]
        ends += [each.completion.done for each in told if each.completion]
    assert ends[0] - ends[1] == device.clocks("t_cwl") + 4 - 1


def steps_of(dram: Dram) -> list[int]:
    """Slices of steps that a DRAM takes from now on, one number appended for each."""
    taken: list[int] = []
    advance = dram.controller.advance

    def counted(until: int) -> Any:
        taken.append(until)
        return advance(until)

    dram.controller = Counted(dram.controller, counted)  # type: ignore[assignment]  # in the place of a controller
    return taken


class Counted:
    """A controller whose slices are counted."""

    def __init__(self, controller: Any, advance: Any) -> None:
        self._controller, self.advance = controller, advance

    def __getattr__(self, name: str) -> Any:
        return getattr(self._controller, name)


@pytest.mark.parametrize("plain", KERNELS)
@pytest.mark.parametrize("setting", ["refresh=together", "refresh=staggered", "page_policy=closed"])
@pytest.mark.parametrize("channels", [1, 2])
def test_idle_time_costs_nothing(plain: bool, setting: str, channels: int) -> None:
    """2^40 clocks between two bursts are 141 million refreshes of each rank; of fewer all are played for the log."""
    device = device_of("ddr4-2400-x8", "organisation.ranks=4", setting, f"organisation.channels={channels}")

    def after(cycle: int, *, logs: bool) -> tuple[Any, Any, int]:
        memory = CommandMemory(device, 1000, plain=plain, logs=logs)
        memory.add_requester(8)
        slices = steps_of(memory.dram)
        reports = []
        for start in (0, cycle, cycle + 50_000):
            memory.request(Request(0, False, [Block(start % 4096 * 64, 3, 128, 1 << 20)]), start)
            while not reports or reports[-1].completion is None:
                reports += memory.advance(float("inf"))
            reports.append(reports[-1]._replace(completion=None))
        return reports, memory.counts(cycle), len(slices)

    few = 3_000_000
    assert after(few, logs=False)[:2] == after(few, logs=True)[:2]
    reports, counts, slices = after(1 << 40, logs=False)
    intervals = reports[-2].completion.done * 12 // 10 // 9360
    assert abs(counts.refreshes - 4 * channels * intervals) <= 4 * channels
    assert slices < 40


@pytest.mark.parametrize("plain", KERNELS)
@pytest.mark.parametrize(("writes", "reads", "first"), [(0, 2, "RD"), (3, 1, "RD"), (12, 1, "WR"), (2, 0, "WR")])
def test_an_idle_dram_serves_writes_first_where_many_come_at_once(
    plain: bool, writes: int, reads: int, first: str
) -> None:
    """It was their turn when no read was left: 12 are above the low mark of 32 x 0.2, 3 are not."""
    device = device_of("ddr4-2400-x8")
    assert (device.scheduler.queue_entries, device.scheduler.write_low) == (32, 0.2)
    memory = CommandMemory(device, 1000, plain=plain, logs=True)
    for number in range(writes + reads + 1):
        memory.add_requester(8)
        block = Block(number << 20, 1, 64, 0)
        memory.request(Request(number, 0 < number <= writes, [block]), 5000 if number else 0)
    while memory.advance(8000):
        pass
    log = memory.dram.controller.channels[0].log
    assert log is not None
    before, *accesses = (command for _, command, *_ in log if command in ("RD", "WR"))
    assert (before, accesses[0], len(accesses)) == ("RD", first, writes + reads)


@pytest.mark.parametrize("plain", KERNELS)
@pytest.mark.parametrize("channels", [2, 4])
def test_a_channel_is_idle_while_another_works(plain: bool, channels: int) -> None:
    """As long as the other one is full of bursts, or has the last ones, it is not known when this one gets some."""
    device = device_of("lpddr4-3200-x32", f"organisation.channels={channels}")
    stride = channels * 64
    blocks = [Block(0, 8000, 64, stride), Block(64, 20, 64, stride), Block(0, 8000, 64, stride), Block(64, 20, 64, 64)]

    def after(*, logs: bool) -> tuple[Any, Any]:
        memory = CommandMemory(device, 1000, plain=plain, logs=logs)
        memory.add_requester(64)
        reports, cycle = list[Progress](), 0
        for some in (blocks[:2], *([block] for block in blocks)):
            memory.request(Request(0, False, some), cycle)
            while not reports or reports[-1].completion is None:
                reports += memory.advance(float("inf"))
            cycle = reports[-1].completion.done
            reports.append(reports[-1]._replace(completion=None))
        return reports, memory.counts(cycle)

    assert after(logs=False) == after(logs=True)


@pytest.mark.parametrize("plain", KERNELS)
def test_a_requester_is_remembered_by_its_window(plain: bool) -> None:
    """And not by the bursts of a request: a block of 2^40 of them is begun as one of a few is."""
    memory = CommandMemory(device_of("lpddr4-3200"), 1000, plain=plain)
    memory.add_requester(64)
    memory.request(Request(0, True, [Block(0, 1 << 20, 1 << 25, 1 << 25)]), 0)
    assert memory.advance(1000) == []
    assert 0 < memory.counts(1000).writes < 1000


@pytest.mark.parametrize("plain", KERNELS)
def test_no_time_between_refreshes_is_a_standstill(plain: bool) -> None:
    """As a device can't be that was checked."""
    device = device_of("ddr4-2400-x8", "timing.t_refi_nck=1000")
    stuck = device.model_copy(update={"timing": {**device.timing, "t_refi_nck": 20}})
    with pytest.raises(DeadlockError) as caught:
        memory_after(stuck, [("R", 0), ("R", 1 << 20), ("W", 64)], plain=plain)
    assert str(caught.value).startswith("DRAM ddr4-2400-x8 stands still at its clock ")
    assert "reads and 1 writes of channel 0 wait for refreshes to end, which leave them no time" in str(caught.value)


def test_a_standstill_is_one_line(
    trace: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stands_still(*_: object) -> None:
        raise DeadlockError("dma_in waits for dma_out")

    monkeypatch.setattr("accelsim.machine.memory.dram.replay.play_trace", stands_still)
    expected = "command-line:0: machine: expected one that comes to an end, got dma_in waits for dma_out"
    assert refused(capsys, "dram", "ddr4-2400-x8", trace) == [expected]


@pytest.mark.parametrize("plain", KERNELS)
def test_clocks_end(plain: bool) -> None:
    memory = CommandMemory(device_of("ddr4-2400-x8"), 1200, plain=plain)
    memory.add_requester(1)
    with pytest.raises(DeadlockError, match="after the last that is played"):
        memory.request(Request(0, False, [Block(0, 1, 64, 0)]), LAST_CLOCK + 1)
    memory.request(Request(0, False, [Block(0, 1, 64, 0)]), LAST_CLOCK)
    with pytest.raises(DeadlockError, match=f"at its clock {LAST_CLOCK}, the last that is played"):
        memory.advance(float("inf"))


@pytest.mark.parametrize("plain", KERNELS)
def test_ctrl_c_is_heard_while_a_trace_is_played(plain: bool) -> None:
    """Between slices of steps: an alarm, set before, ends a trace in its midst."""

    dram = Dram(device_of("ddr4-2400-x8"), plain=plain)
    with pytest.raises(Alarm), alarm(0.02):
        played(dram, np.zeros(1 << 22, dtype=np.int64), np.arange(1 << 22) * 64)
    assert SLICE <= 1 << 14


# The compiled kernel takes what the plain one takes.


@st.composite
def strange_devices(draw: st.DrawFn) -> CommandDevice:
    """Devices that nobody builds, of every size and timing that is allowed."""

    def one_of(*values: int) -> int:
        return draw(st.sampled_from(values))

    pseudo_channels = one_of(1, 1, 2)
    words = list(MAPPED)
    draw(st.randoms(use_true_random=False)).shuffle(words)
    longest = draw(st.sampled_from([2, 30, 400]))
    timing = {f"{name}_nck": draw(st.integers(0, longest)) for name in TIMINGS if name != "t_aad"}
    timing["t_refi_nck"] = sum(timing.values()) + 65 + draw(st.sampled_from([0, 1, 3000]))
    data: dict[str, Any] = {
        "device": "strange",
        "kind": "command",
        "clock_mhz": draw(st.sampled_from([1.0, 1750.0, 933.333333])),
        "organisation": {
            "channels": one_of(1, 1, 2, 3),
            "ranks": 1 if pseudo_channels == 2 else one_of(1, 2, 5),
            "pseudo_channels": pseudo_channels,
            "bank_groups": one_of(1, 3, 4, 64),
            "banks_per_group": one_of(1, 2, 5, 32),
            "rows": one_of(1, 7, 100, 1 << 16),
            "columns": one_of(8, 24, 1024, 1 << 13),
            "bus_width_bits": one_of(8, 16, 1024),
            "burst_length": 8,
            "transfers_per_clock": one_of(1, 8),
        },
        "timing": timing,
        "command_bus": {
            "act_clocks": one_of(1, 4),
            "access_clocks": one_of(1, 4),
            "separate_row_bus": draw(st.booleans()),
        },
        "address_mapping": ":".join(words),
        "page_policy": draw(st.sampled_from(["open", "closed"])),
        "refresh": draw(st.sampled_from(["together", "staggered"])),
        "scheduler": {
            "queue_entries": one_of(1, 2, 8, 1024),
            "write_high": draw(st.sampled_from([0.01, 0.5, 1.0])),
            "write_low": draw(st.sampled_from([0.0, 0.005, 0.01])),
            "write_answer": draw(st.sampled_from(["data", "command"])),
        },
        "energy": dict.fromkeys(
            ("activate_pj", "read_pj", "write_pj", "refresh_pj", "active_mw", "precharged_mw"), 1.0
        ),
    }
    return CommandDevice.model_validate(data)


def bursts_for(seed: int) -> list[Burst]:
    random_ = random.Random(seed)
    bursts: list[Burst] = []
    for _ in range(random_.randrange(1, 5)):
        start = random_.randrange(1 << 48)
        step = random_.choice([1, 64, 4096, 1 << 30])
        kind = random_.choice(["R", "W", "RW"])
        length = random_.choice([1, 5, 60])
        bursts += [(random_.choice(kind), (start + place * step) % (1 << 48)) for place in range(length)]
    return bursts


def outcome(device: CommandDevice, bursts: list[Burst], *, plain: bool) -> object:
    try:
        dram, log = memory_after(device, bursts, plain=plain)
    except DeadlockError as error:
        return str(error)
    return dram.end, dram.counts(dram.end), log


@settings(max_examples=60)
@given(strange_devices(), st.integers(0, 1 << 30))
def test_kernels_take_the_same_devices(device: CommandDevice, seed: int) -> None:
    assert kernels.is_compiled()
    bursts = bursts_for(seed)
    if not list(broken_rules(device)):
        assert outcome(device, bursts, plain=False) == outcome(device, bursts, plain=True)


@pytest.mark.slow
@settings(max_examples=2000)
@given(strange_devices(), st.integers(0, 1 << 30))
def test_kernels_take_the_same_of_many_devices(device: CommandDevice, seed: int) -> None:
    test_kernels_take_the_same_devices.hypothesis.inner_test(device, seed)  # type: ignore[attr-defined]  # of `given`
