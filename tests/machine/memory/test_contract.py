"""The memory port: one contract for every memory, and a port over a port that nobody notices."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.cli import main
from accelsim.config.load import load_dram
from accelsim.config.machine import Cache, Dma
from accelsim.machine import machine as machine_module
from accelsim.machine.memory import (
    Block,
    BusSpan,
    Completion,
    IdealMemory,
    Memory,
    Met,
    Progress,
    Reads,
    Request,
    memory_of,
)
from accelsim.machine.memory.cache.memory import CachedMemory
from accelsim.machine.memory.dram.memory import CommandMemory
from accelsim.machine.memory.dram.statistics import DramCounts
from accelsim.machine.requests import blocks_of
from accelsim.program.tensors import Descriptor, Range, Tensor, descriptors
from tests.dram_cases import device_of
from tests.strategies import COMMAND_DEVICES, machine_of


class PassThrough:
    """A port over a port that adds nothing: where a cache would stand."""

    def __init__(self, below: Memory) -> None:
        self.below = below
        self.number_below: list[int] = []

    @property
    def busy_clocks(self) -> int:
        return self.below.busy_clocks

    def add_requester(self, window: int, bursts_per_clock: int = 1) -> int:
        self.number_below.append(self.below.add_requester(window, bursts_per_clock))
        return len(self.number_below) - 1

    def request(self, request: Request, cycle: int) -> Completion | None:
        return self.below.request(request._replace(requester=self.number_below[request.requester]), cycle)

    def advance(self, cycle: float) -> Sequence[Progress]:
        return [each._replace(requester=self.number_below.index(each.requester)) for each in self.below.advance(cycle)]

    def met(self, requester: int) -> Met | None:
        return self.below.met(self.number_below[requester])

    def reads_below(self, begin: int, end: int) -> Reads | None:
        return self.below.reads_below(begin, end)

    def counts(self, cycle: int) -> DramCounts | None:
        return self.below.counts(cycle)

    def bus_spans(self) -> list[list[BusSpan]]:
        return self.below.bus_spans()


# The contract.

L1 = Cache(
    name="L1", capacity_bytes=1024, ways=2, line_bytes=64, port_bytes_per_cycle=16, hit_clocks=3, misses_in_flight=2
)
L2 = Cache(
    name="L2", capacity_bytes=8192, ways=2, line_bytes=128, port_bytes_per_cycle=16, hit_clocks=9, misses_in_flight=4
)
"""Small ones, that lose lines and write them back."""


def cached(*caches: Cache, plain: bool) -> CachedMemory:
    """Caches above a DRAM at command granularity."""
    below = CommandMemory(device_of("lpddr4-3200"), 1000, plain=plain, bus_spans=True)
    return CachedMemory(caches, Dma(request_bytes=64), below, plain=plain)


MEMORIES: dict[str, Callable[[], Memory]] = {
    "ideal": lambda: memory_of(load_dram("ideal_lpddr4", []), 1000, bus_spans=True),
    **{
        f"{'plain' if plain else 'fastest'} {name}": partial(
            CommandMemory, device_of(name), 1000, plain=plain, bus_spans=True
        )
        for plain in (True, False)
        for name in COMMAND_DEVICES
    },
    **{
        f"{'plain' if plain else 'fastest'} {' above '.join(each.name for each in caches)}": partial(
            cached, *caches, plain=plain
        )
        for plain in (True, False)
        for caches in ((L2,), (L1, L2))
    },
    "pass-through": lambda: PassThrough(memory_of(device_of("lpddr4-3200"), 1000, bus_spans=True)),
}


@st.composite
def plans(draw: st.DrawFn) -> list[list[tuple[int, list[Block]]]]:
    """For a requester that reads and one that writes: clocks between requests, and their blocks."""
    block = st.builds(
        lambda address, rows, row_bytes, gap: Block(address, rows, row_bytes, row_bytes + gap),
        st.integers(0, 1 << 20),
        st.integers(1, 9),
        st.sampled_from([1, 63, 64, 700]),
        st.sampled_from([0, 1, 64, 4096]),
    )
    request = st.tuples(st.sampled_from([0, 3, 500]), st.lists(block, min_size=1, max_size=3))
    return [draw(st.lists(request, max_size=4)) for _ in range(2)]


def played(
    memory: Memory, window: int, per_clock: int, plan: list[list[tuple[int, list[Block]]]]
) -> list[list[tuple[int, Completion]]]:
    """(cycle asked, completion) of the requests of each requester; checks that each is told in order and once."""
    asked: list[list[int]] = [[] for _ in plan]
    completed: list[list[Completion]] = [[] for _ in plan]
    numbers = [memory.add_requester(window, per_clock) for _ in plan]
    assert numbers == list(range(len(plan)))
    begin: list[float] = [requests[0][0] if requests else math.inf for requests in plan]

    def next_begins(who: int, issued: int) -> None:
        assert begin[who] == math.inf
        place = len(asked[who])
        if place < len(plan[who]):
            begin[who] = issued + plan[who][place][0]

    while sum(map(len, completed)) < sum(map(len, plan)):
        progress = memory.advance(min(begin))
        for each in progress:
            assert (each.issued is None) != (each.completion is None)
            if each.issued is not None:
                next_begins(each.requester, each.issued)
            if each.completion is not None:
                completed[each.requester].append(each.completion)
        if progress:
            continue
        who = begin.index(min(begin))
        cycle, begin[who] = int(begin[who]), math.inf
        asked[who].append(cycle)
        known = memory.request(Request(who, who == 1, plan[who][len(asked[who]) - 1][1]), cycle)
        if known is not None:
            completed[who].append(known)
            next_begins(who, known.issued)
    return [list(zip(*pair, strict=True)) for pair in zip(asked, completed, strict=True)]


@pytest.mark.parametrize("name", MEMORIES)
@given(plans(), st.sampled_from([1, 8, 64]), st.sampled_from([1, 1, 4]))
def test_every_memory_keeps_the_contract(
    name: str, plan: list[list[tuple[int, list[Block]]]], window: int, per_clock: int
) -> None:
    memory = MEMORIES[name]()
    for requests in played(memory, window, per_clock, plan):
        for cycle, completion in requests:
            assert cycle <= completion.issued
            assert cycle <= completion.sent <= completion.done
        assert all(one[1].done <= other[1].done for one, other in pairwise(requests))
        assert all(one[1].issued <= other[0] for one, other in pairwise(requests))
    spans = memory.bus_spans()
    assert all(one.end <= other.begin for bus in spans for one, other in pairwise(bus))
    assert memory.busy_clocks >= max((sum(span.end - span.begin for span in bus) for bus in spans), default=0)


@pytest.mark.parametrize("name", MEMORIES)
def test_nothing_depends_on_what_is_asked_for_later(name: str) -> None:
    """A request takes as long whatever comes after it was done."""
    first = [(0, [Block(0, 4, 700, 4096)])]
    alone, followed = (
        played(MEMORIES[name](), 64, 1, [[*first, *more], []])[0][0] for more in ([], [(5000, [Block(64, 1, 64, 0)])])
    )
    assert alone == followed


def drawn(memory: Memory, requesters: int, per_clock: int, bursts: int) -> list[int]:
    """When each of some requesters is done that read bursts of 32 bytes, each from a bank of its own."""
    numbers = [memory.add_requester(256, per_clock) for _ in range(requesters)]
    for each in numbers:
        assert memory.request(Request(each, False, [Block(each * ROW_BYTES, 1, 32 * bursts, 0)]), 0) is None
    ends: list[int] = []
    while len(ends) < requesters:
        ends += [each.completion.done for each in memory.advance(math.inf) if each.completion is not None]
    return ends


ROW_BYTES = 1 << 13
"""A row in all bank groups and pseudo channels of HBM2: 256 bursts."""


def hbm2(array_mhz: float, *, plain: bool) -> CommandMemory:
    return CommandMemory(device_of("hbm2"), array_mhz, plain=plain)


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize(
    ("requesters", "per_clock", "clocks"), [(1, 1, 256), (2, 1, 128), (4, 1, 64), (1, 2, 128), (1, 4, 64), (1, 8, 64)]
)
def test_bursts_a_clock_and_requesters_cap_what_a_dram_gives(
    requesters: int, per_clock: int, clocks: int, plain: bool
) -> None:
    """HBM2 at 1 GHz moves 4 bursts in each clock of an array at 250 MHz; rows are opened once, in some 10 clocks."""
    taken = max(drawn(hbm2(250, plain=plain), requesters, per_clock, 256 // requesters))
    assert clocks < taken <= clocks + 20


@pytest.mark.parametrize("plain", [True, False])
def test_requesters_share_a_dram_alike(plain: bool) -> None:
    """Four that ask for a burst a clock each: none waits for the end of another."""
    ends = drawn(hbm2(1000, plain=plain), 4, 1, 256)
    assert min(ends) > 0.85 * max(ends)
    assert max(ends) < 1100


def test_blocks_hold_the_rows_of_descriptors() -> None:
    """Packed rows that begin at different bits of a byte are blocks of their own; others stay together."""
    assert blocks_of([Descriptor(16, 3, 24, 40)]) == [Block(2, 3, 3, 5)]
    assert blocks_of([Descriptor(4, 2, 8, 12)]) == [Block(0, 1, 2, 0), Block(2, 1, 1, 0)]
    assert blocks_of([Descriptor(12, 1, 6, 0)]) == [Block(1, 1, 2, 0)]


def test_a_descriptor_may_end_with_its_row() -> None:
    """Of a map of 4x4 pixels of 8 bytes: two whole rows; one column. Of a matrix, whose rows are all in one."""
    tensor, matrix = Tensor("map", (1, 4, 4, 8), 8, 64), Tensor("matrix", (1, 4, 1, 8), 8, 64)
    rows = (Range(0, 1), Range(1, 3), Range(0, 4), Range(0, 8))
    assert descriptors(tensor, rows, by_pixel=True) == (Descriptor(768, 8, 64, 64),)
    assert descriptors(tensor, rows, by_pixel=True, by_row=True) == tuple(
        Descriptor(start, 4, 64, 64) for start in (768, 1024)
    )
    column = (Range(0, 1), Range(0, 4), Range(2, 3), Range(0, 8))
    assert descriptors(tensor, column, by_pixel=True) == (Descriptor(640, 4, 64, 256),)
    found = descriptors(tensor, column, by_pixel=True, by_row=True)
    assert [each[:3] for each in found] == [(640 + 256 * row, 1, 64) for row in range(4)]
    whole = (Range(0, 1), Range(0, 4), Range(0, 1), Range(0, 8))
    assert descriptors(matrix, whole, by_pixel=True, by_row=True) == (Descriptor(512, 4, 64, 64),)


# A port in between.


@pytest.mark.parametrize("machine", ["edge", "scalesim_default"])
def test_a_port_in_between_changes_nothing(machine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the byte, on a DRAM at command granularity and on an ideal one."""
    words = ("run", "mobilenet_v1_0.25_128", machine, "--quiet", "-o")
    assert main([*words, str(tmp_path / "direct")]) == 0
    monkeypatch.setattr(machine_module, "memory_of", lambda *given, **more: PassThrough(memory_of(*given, **more)))
    assert main([*words, str(tmp_path / "passed")]) == 0
    for name in ("run.json", "layers.csv"):
        assert (tmp_path / "direct" / name).read_bytes() == (tmp_path / "passed" / name).read_bytes()


# The ideal memory.

PLAIN: dict[str, Any] = {
    "dram__clock_mhz": 1000,
    "dram__bytes_per_clock": 64,
    "dram__latency_clocks": 10,
    "dram__burst_bytes": 64,
}
"""One burst an array clock, 10 clocks of latency."""


def served(*bursts: int, window: int = 1 << 20, per_clock: int = 1, **changes: Any) -> Completion:
    """The last of some requests of so many bursts, all asked for at clock 0."""
    machine = machine_of(**{**PLAIN, **changes})
    memory = IdealMemory(machine.dram, machine.array.clock_mhz)
    memory.add_requester(window, per_clock)
    return [memory.request(Request(0, False, [Block(0, 1, 64 * count, 0)]), 0) for count in bursts][-1]


def test_an_ideal_memory_moves_so_many_bytes_a_clock() -> None:
    """100 bursts of 64 bytes at 16 bytes a clock: 400 clocks, then the latency; the next request right behind."""
    assert served(100, dram__bytes_per_clock=16).sent == 400
    assert served(100, 1, dram__bytes_per_clock=16)[1:] == (404, 414)


def test_the_window_of_outstanding_bursts_caps_what_a_requester_draws() -> None:
    """Latency 10 + 1 clock of a burst: with 2 in flight, the last of 100 bursts is issued after 49 round trips of 11
    clocks and one more; its data is on the bus a clock later. 11 in flight are enough."""
    assert served(100, window=11).sent == 100
    assert served(100, window=2).sent == 49 * 11 + 1 + 1
    assert served(1, window=1).done == 1 + 10
    assert served(16, window=16, dram__bytes_per_clock=16).done == 64 + 10


def test_bursts_a_clock_cap_what_a_requester_draws() -> None:
    """A bus of four bursts a clock: at one a clock 100 bursts take 100 clocks, at four 25."""
    for per_clock, clocks in ((1, 100), (2, 50), (4, 25), (8, 25)):
        assert served(100, per_clock=per_clock, dram__bytes_per_clock=256).sent == clocks


def test_what_ends_at_a_dram_clock_is_seen_at_the_next_array_clock() -> None:
    """Array at 1000 MHz, DRAM at 1600 MHz: 8 bytes a clock, a burst is 8 DRAM clocks, 5 array clocks."""
    slow = {"dram__clock_mhz": 1600, "dram__bytes_per_clock": 8, "dram__latency_clocks": 0}
    assert served(1, **slow).sent == 5
    assert served(1, 2, **slow).sent == 15
    assert served(1, dram__clock_mhz=1600, dram__latency_clocks=1).done == 2
