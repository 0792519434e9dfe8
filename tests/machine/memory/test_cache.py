"""Caches behind the memory port: lines, ports, misses in flight, DMA requests, and the compiled kernel."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.cli import main
from accelsim.config.load import load_dram
from accelsim.config.machine import Cache, Dma, inconsistencies
from accelsim.config.scheduling import Scheduling
from accelsim.config.strict_yaml import dotted
from accelsim.errors import DeadlockError, Mistake, UserError
from accelsim.machine.memory import Block, Completion, Met, Request, memory_of
from accelsim.machine.memory.cache import kernels
from accelsim.machine.memory.cache.memory import CachedMemory
from accelsim.machine.memory.port import LAST_CLOCK
from accelsim.records import STALL_CAUSES
from accelsim.report.columns import bound_by
from accelsim.run.doubled import DOUBLED
from accelsim.run.play import perform
from tests.commands import Alarm, alarm
from tests.dram_cases import device_of
from tests.strategies import machine_of, network_of

LEVEL: dict[str, Any] = {
    "name": "L2",
    "capacity_bytes": 4096,
    "ways": 4,
    "line_bytes": 64,
    "port_bytes_per_cycle": 16,
    "hit_clocks": 10,
    "misses_in_flight": 4,
}
DMA: dict[str, Any] = {"request_bytes": 64, "requests_in_flight": 16}
LATENCY = 100
"""Clocks of the ideal memory below, which moves a line of 64 bytes in 4."""


def cached(
    *levels: dict[str, Any], dma: dict[str, Any] = DMA, device: str = "ideal_16b", plain: bool = False
) -> CachedMemory:
    """Caches that differ from `LEVEL` so, above a memory."""
    caches = [Cache(**{**LEVEL, **each}) for each in levels or ({},)]
    below = memory_of(load_dram(device, []) if device.startswith("ideal") else device_of(device), 1000)
    memory = CachedMemory(caches, Dma(**dma), below, plain=plain)
    memory.add_requester(16)
    memory.add_requester(16)
    return memory


def served(memory: CachedMemory, blocks: Sequence[Block], cycle: int, *, write: bool = False) -> tuple[Completion, Met]:
    """When a transfer was served, and what it met."""
    who = int(write)
    memory.request(Request(who, write, blocks), cycle)
    found: Completion | None = None
    issued = False
    while found is None or not issued:
        for each in memory.advance(math.inf):
            if each.requester == who:
                issued = issued or each.issued is not None
                found = each.completion or found
    return found, memory.met(who)


def lines(first: int, count: int) -> list[Block]:
    """Neighbouring lines of 64 bytes."""
    return [Block(64 * first, 1, 64 * count, 0)]


def met(memory: CachedMemory, blocks: Sequence[Block], cycle: int = 0, *, write: bool = False) -> tuple[int, int, int]:
    """Hits, misses and lines written back in the highest cache."""
    return served(memory, blocks, cycle, write=write)[1].caches[0]


@pytest.mark.parametrize("plain", [True, False])
def test_a_line_is_fetched_once(plain: bool) -> None:
    memory = cached(plain=plain)
    assert met(memory, lines(0, 8)) == (0, 8, 0)
    assert met(memory, lines(0, 8), 10_000) == (8, 0, 0)


def test_a_hit_takes_its_clocks_and_a_miss_those_of_what_is_below() -> None:
    """A hit: 10 clocks and 4 of the port. A miss: 10, then 4 on the bus, the latency, and 4 of the port."""
    memory = cached()
    assert served(memory, lines(0, 1), 0)[0].done == 10 + 4 + LATENCY + 4
    assert served(memory, lines(0, 1), 1000)[0].done == 1000 + 10 + 4


def test_a_full_set_loses_the_line_that_was_used_longest_ago() -> None:
    """16 sets of 4 lines: lines 0, 16, 32, 48 and 64 share one."""
    memory = cached()
    for place, number in enumerate((0, 16, 32, 48, 0, 64)):
        served(memory, lines(number, 1), 1000 * place)
    assert met(memory, lines(0, 1), 10_000) == (1, 0, 0)
    assert met(memory, lines(16, 1), 11_000) == (0, 1, 0)


def test_random_replacement_keeps_some_of_what_lru_loses() -> None:
    """Going round five lines of a set of four."""
    hits = {}
    for replacement in ("lru", "random"):
        memory = cached({"replacement": replacement})
        rounds = [
            met(memory, lines(16 * number, 1), 1000 * (5 * turn + number)) for turn in range(20) for number in range(5)
        ]
        hits[replacement] = sum(each[0] for each in rounds)
    assert hits["lru"] == 0
    assert 20 < hits["random"] < 80


@pytest.mark.parametrize("plain", [True, False])
def test_any_way_is_taken_even_where_others_are_empty(plain: bool) -> None:
    """512 sets of 8, as many lines in each. The first one stays with (7/8)^7 = 39 %, if 7 others take any way."""
    stays = {}
    for replacement in ("random", "any_way"):
        memory = cached({"replacement": replacement, "ways": 8, "capacity_bytes": 1 << 18}, plain=plain)
        met(memory, lines(0, 4096))
        stays[replacement] = met(memory, lines(0, 512), 1_000_000)[0]
    assert stays["random"] == 512
    assert stays["any_way"] == pytest.approx(512 * (7 / 8) ** 7, rel=0.15)


def test_written_lines_are_written_back_when_they_leave() -> None:
    memory = cached()
    assert met(memory, lines(0, 1), write=True) == (0, 1, 0)
    for place, number in enumerate((16, 32, 48)):
        served(memory, lines(number, 1), 1000 * (place + 1))
    counts = served(memory, lines(64, 1), 5000)[1]
    assert counts.caches[0] == (0, 1, 1)
    assert (counts.dram_read_bytes, counts.dram_write_bytes) == (64, 64)


def test_part_of_a_line_is_fetched_before_it_is_written_and_a_whole_one_is_not() -> None:
    memory = cached()
    assert served(memory, [Block(0, 1, 16, 0)], 0, write=True)[1].dram_read_bytes == 64
    assert served(memory, lines(8, 1), 1000, write=True)[1].dram_read_bytes == 0


def test_writes_pass_through_where_the_cache_says_so() -> None:
    memory = cached({"writes": "through"})
    counts = served(memory, [Block(0, 1, 16, 0)], 0, write=True)[1]
    assert (counts.dram_read_bytes, counts.dram_write_bytes) == (0, 64)


@pytest.mark.parametrize(("misses", "clocks"), [(1, 8 * 114), (4, 2 * 126)])
def test_misses_in_flight_cap_what_is_fetched(misses: int, clocks: int) -> None:
    """Eight lines of sets of their own, each 10 + 4 + 100 clocks; four at once share the bus of 4 clocks a line."""
    done = served(cached({"misses_in_flight": misses}), lines(0, 8), 0)[0].done
    assert clocks - 16 <= done <= clocks + 16


def test_the_least_clocks_between_requests_bind_hits() -> None:
    memory = cached({"request_clocks": 9})
    served(memory, lines(0, 16), 0)
    assert served(memory, lines(0, 16), 10_000)[0].done == 10_000 + 15 * 9 + 10 + 4


def test_a_miss_takes_the_port_for_its_line_where_it_does() -> None:
    """The second request waits for the first one's line to pass."""
    ends = [served(cached({"fill_clocks": clocks}), lines(0, 2), 0)[0].done for clocks in (0, 50)]
    assert ends[1] == ends[0] + 50


def test_a_read_that_misses_holds_the_port_for_its_own_clocks() -> None:
    """Two misses, the second 40 clocks behind the first as hits are, or when the bus below is free; hits as ever."""
    for more, clocks in (({}, 40), ({"miss_clocks": 2}, 4)):
        memory = cached({"request_clocks": 40, **more})
        assert served(memory, lines(0, 2), 0)[0].done == clocks + 10 + 4 + LATENCY + 4
        assert served(memory, lines(0, 2), 10_000)[0].done == 10_000 + 40 + 10 + 4


def test_a_write_that_misses_brings_its_bytes() -> None:
    """So it holds the port as one that hits does."""
    ends = [
        served(cached({"request_clocks": 40, **more}), [Block(0, 2, 16, 64)], 0, write=True)[0].done
        for more in ({}, {"miss_clocks": 2})
    ]
    assert ends[0] == ends[1]


def test_a_store_waits_for_the_blocks_of_a_row() -> None:
    """Four rows of 64 bytes: each is on the port for 4 clocks; of 16 bytes a clock, three more come before the next."""
    ends = []
    for block in (None, 64, 16):
        memory = cached(dma={**DMA, "store_row_bytes": 64, "store_block_bytes": block})
        served(memory, [Block(0, 4, 64, 64)], 0, write=True)
        ends.append(served(memory, [Block(0, 4, 64, 64)], 10_000, write=True)[0].done)
        loaded = served(memory, [Block(0, 4, 64, 64)], 20_000)[0].done
        assert loaded == 20_000 + 3 * 4 + 10 + 4
    assert [end - ends[0] for end in ends] == [0, 0, 3 * 3]


@pytest.mark.parametrize("plain", [True, False])
def test_a_line_that_leaves_holds_the_place_of_its_miss_until_it_is_below(plain: bool) -> None:
    """One miss at once. The line comes 10 + 4 + 100 clocks behind its request. A line that leaves passes the bus behind
    that request, 4 clocks, and is there after the latency: so much later does the next miss begin."""
    ends = []
    for write in (False, True):
        memory = cached({"misses_in_flight": 1}, plain=plain)
        for place, number in enumerate((0, 16, 32, 48)):
            served(memory, lines(number, 1), 1000 * place, write=write)
        ends.append(served(memory, lines(64, 2), 5000)[0].done - 5000)
    fill = 10 + 4 + LATENCY
    assert ends == [2 * fill + 4, 2 * fill + 4 + 4]


@pytest.mark.parametrize("plain", [True, False])
def test_a_line_that_leaves_for_a_cache_below_holds_it_too(plain: bool) -> None:
    """Below, the line that leaves takes the port behind the one that comes, 4 clocks, and ends as a hit."""
    ends = []
    for write in (False, True):
        memory = cached({"misses_in_flight": 1}, {"name": "LLC", "capacity_bytes": 1 << 16}, plain=plain)
        for number in (64, 65):
            served(memory, lines(number, 1), 100 * number)
        for place, number in enumerate((0, 16, 32, 48)):
            served(memory, lines(number, 1), 10_000 + 1000 * place, write=write)
        for place, number in enumerate((1, 17, 33, 49)):
            served(memory, lines(number, 1), 20_000 + 1000 * place)
        ends.append(served(memory, lines(64, 2), 30_000)[0].done - 30_000)
    fill = 10 + 10 + 4
    assert ends == [2 * fill + 4, 2 * fill + 4 + 4]


@pytest.mark.parametrize("plain", [True, False])
def test_hits_wait_where_all_misses_are_under_way(plain: bool) -> None:
    """Line 8, which misses, before line 0, which hits: 10 + 4 clocks after that miss, or behind it on the port."""
    for misses, ends in ((1, 10 + 4 + LATENCY + 10 + 4), (2, 10 + 4 + LATENCY + 4)):
        memory = cached({"misses_in_flight": misses}, plain=plain)
        served(memory, lines(0, 1), 0)
        assert served(memory, [*lines(8, 1), *lines(0, 1)], 1000)[0].done == 1000 + ends


@pytest.mark.parametrize("plain", [True, False])
def test_a_request_that_waits_for_a_miss_of_its_set_stalls_those_behind_it_where_it_does(plain: bool) -> None:
    """Two requests to line 0 and one to line 1. The second of them is a hit behind the first, 10 + 1 clocks, and the
    last to end; or the third misses a clock behind that, when the first has ended."""
    fill = 10 + 4 + LATENCY
    for same_set, end in (("waits", fill + 10 + 1), ("stalls", fill + 1 + fill + 4)):
        memory = cached({"same_set": same_set}, plain=plain)
        assert served(memory, [Block(0, 2, 16, 16), Block(64, 1, 64, 0)], 0)[0].done == end


def test_reads_wait_for_writes_only_where_they_share_a_port() -> None:
    for port, waits in (("shared", True), ("separate", False)):
        memory = cached({"write_port": port, "request_clocks": 40})
        for first in (0, 8):
            served(memory, lines(first, 1), 1000 * first)
        memory.request(Request(1, True, lines(0, 1)), 20_000)
        done = served(memory, lines(8, 1), 20_001)[0].done
        assert done == (20_040 if waits else 20_001) + 14


def test_rows_are_cut_into_aligned_powers_of_two() -> None:
    """64 bytes at offset 8: 56 and 8; 16 at offset 8: one of 32 that holds both halves."""
    memory = cached()
    assert sum(met(memory, [Block(8, 1, 64, 0)])) == 2
    assert sum(met(memory, [Block(4096 + 8, 1, 16, 0)], 5000)) == 1
    assert sum(met(memory, [Block(8192 + 56, 1, 16, 0)], 9000)) == 2


def test_descriptors_in_flight_cap_small_rows() -> None:
    """A hit of one beat takes 11 clocks. Of 8 descriptors of 4 rows the third begins when the first is done: two of
    them every 14 clocks, though 16 requests may be in flight."""
    blocks = [Block(0, 32, 16, 16)]
    ends = []
    for descriptors in (None, 2):
        memory = cached(dma={**DMA, "descriptor_rows": 4, "descriptors_in_flight": descriptors})
        served(memory, blocks, 0)
        ends.append(served(memory, blocks, 10_000)[0].done)
    assert ends == [10_000 + 31 + 11, 10_000 + 3 * 14 + 7 + 11]


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("device", ["ideal_16b", "ddr4-2400-x8"])
@pytest.mark.parametrize("few", [{"requests_in_flight": 2}, {"descriptors_in_flight": 2, "descriptor_rows": 1}])
def test_whichever_is_over_first_makes_room(few: dict[str, int], device: str, plain: bool) -> None:
    """Behind line 8, which misses, lines 0 and 1 hit one after the other with two in flight, and the miss ends last."""
    ends = []
    for dma in (DMA, {**DMA, **few}):
        memory = cached(dma=dma, device=device, plain=plain)
        served(memory, lines(0, 2), 0)
        ends.append(served(memory, [*lines(8, 1), *lines(0, 1), *lines(1, 1)], 10_000)[0].done)
    assert ends[0] == ends[1]


@pytest.mark.parametrize("plain", [True, False])
def test_a_load_lands_behind_its_last_byte_and_a_store_does_not(plain: bool) -> None:
    """As above, but of each descriptor the place is free, and of the transfer the end is, 5 clocks later."""
    blocks = [Block(0, 32, 16, 16)]
    dma = {**DMA, "descriptor_rows": 4, "descriptors_in_flight": 2, "landing_cycles": 5}
    memory = cached(dma=dma, plain=plain)
    served(memory, blocks, 0)
    assert served(memory, blocks, 10_000)[0].done == 10_000 + 3 * (14 + 5) + 7 + 11 + 5
    assert served(memory, blocks, 20_000, write=True)[0].done == 20_000 + 3 * 14 + 7 + 11


def test_descriptors_that_end_with_their_row_wait_more_often() -> None:
    """Of a map of 6x6, 36 rows of 16 bytes are three descriptors of 16 rows, or six of 6, one at a time: three more
    misses that are waited for on the way in, and three on the way out."""
    cycles = []
    for within in (None, "row"):
        sizes = {"dma__request_bytes": 64, "dma__descriptor_rows": 16, "dma__load_row_bytes": 64}
        machine = machine_of(caches=[LEVEL], dma__descriptors_in_flight=1, dma__descriptor_within=within, **sizes)
        network = network_of([{"op": "conv", "name": "conv", "channels": 16, "kernel": 1}], (6, 6, 16))
        cycles.append(perform(network, machine, Scheduling()).outcome.total_cycles)
    assert 6 * LATENCY < cycles[1] - cycles[0] < 6 * 1.2 * LATENCY


def test_two_caches_count_apart() -> None:
    """Two lines of 64 share one of 128 below."""
    memory = cached({}, {"name": "LLC", "capacity_bytes": 1 << 16, "line_bytes": 128})
    counts = served(memory, lines(0, 8), 0)[1]
    assert counts.caches == ((0, 8, 0), (4, 4, 0))
    assert counts.dram_read_bytes == 512


# The kernel.

BLOCKS = st.builds(
    lambda address, rows, row_bytes, gap: Block(address, rows, row_bytes, row_bytes + gap),
    st.integers(0, 1 << 14),
    st.integers(1, 20),
    st.sampled_from([1, 16, 48, 64, 200]),
    st.sampled_from([0, 16, 1000]),
)
PLANS = st.lists(st.tuples(st.booleans(), st.lists(BLOCKS, min_size=1, max_size=3), st.integers(0, 300)), max_size=6)


def played(
    plan: list[tuple[bool, list[Block], int]], device: str, replacement: str, below: dict[str, Any], plain: bool
) -> list[Any]:
    """Transfers of two requesters, all that they are told and met."""
    memory = cached(
        {"replacement": replacement, "capacity_bytes": 1024},
        {"name": "LLC", "capacity_bytes": 4096, "line_bytes": 128, "fill_clocks": 8, "misses_in_flight": 2, **below},
        dma={**DMA, "requests_in_flight": 5, "descriptors_in_flight": 2, "descriptor_rows": 8, "landing_cycles": 3},
        device=device,
        plain=plain,
    )
    found: list[Any] = []
    cycle = 0
    for write, blocks, wait in plan:
        completion, counts = served(memory, blocks, cycle, write=write)
        found.append((completion, counts))
        cycle = completion.done + wait
    return found


@pytest.mark.parametrize("device", ["ideal_16b", "ddr4-2400-x8"])
@settings(max_examples=40)
@given(PLANS, st.sampled_from(["lru", "random", "any_way"]), st.sampled_from(["waits", "stalls"]))
def test_the_compiled_kernel_does_what_the_plain_one_does(
    device: str, plan: list[tuple[bool, list[Block], int]], replacement: str, same_set: str
) -> None:
    found = [played(plan, device, replacement, {"same_set": same_set}, plain) for plain in (True, False)]
    assert found[0] == found[1]
    assert all(one[0].done <= other[0].issued for one, other in pairwise(found[0]))


@pytest.mark.parametrize("plain", [True, False])
def test_ctrl_c_is_heard_while_all_hit(plain: bool) -> None:
    """Between slices of clocks: nothing is asked of the memory below, and nothing told, for 2^30 requests."""
    memory = cached(plain=plain)
    served(memory, lines(0, 1), 0)
    begin = process_time()
    with pytest.raises(Alarm), alarm(0.02):
        served(memory, [Block(0, 1 << 30, 64, 0)], 1000)
    assert process_time() - begin < 0.5


def test_it_was_compiled() -> None:
    """Where there is a C compiler, as wherever these tests run."""
    assert kernels.fastest is not kernels.plain


# The keys.


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dma__request_bytes": 64}, "dma.request_bytes: expected null, as the machine has no caches, got 64"),
        ({"caches": [{**LEVEL, "line_bytes": 48}]}, "caches.0.line_bytes: expected a power of two"),
        ({"caches": [{**LEVEL, "capacity_bytes": 4000}]}, "caches.0.capacity_bytes: expected a multiple of 256"),
        (
            {"caches": [{**LEVEL, "line_bytes": 128}, {**LEVEL, "line_bytes": 64}]},
            "caches.1.line_bytes: expected at least 128, a line of the cache above, got 64",
        ),
        ({"caches": [{**LEVEL, "colour": 1}]}, "caches.0.colour"),
        ({"caches": []}, "caches"),
        ({"array__dataflow": "os", "array__passes": {"longest": 16}}, "array.passes: expected null"),
    ],
)
def test_what_contradicts_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError) as error:
        checked(changes)
    assert any(words in str(each) for each in error.value.mistakes)


def checked(changes: dict[str, Any]) -> None:
    """Make a machine and hold its values against each other. Raises UserError."""
    machine = machine_of(**changes)
    mistakes = [Mistake("test", 0, dotted(key), expected, got) for key, expected, got in inconsistencies(machine)]
    if mistakes:
        raise UserError(mistakes)


# Whole runs.


def test_a_network_meets_its_caches() -> None:
    """36 lines each of a map, weights and results: the second layer finds its map where the first has written it."""
    machine = machine_of(caches=[{**LEVEL, "capacity_bytes": 1 << 20}])
    rows = [{"op": "conv", "name": f"conv{number}", "channels": 16, "kernel": 3, "pad": 1} for number in (1, 2)]
    network = network_of(rows, (12, 12, 16))
    performance = perform(network, machine, Scheduling(keep_activations="never", fusion="never"))
    first, second = (record.caches for record in performance.records)
    assert (first["L2_misses"], second["L2_misses"]) == (108, 72)
    assert second["L2_hits"] >= 36
    assert 64 * 108 <= sum(record.counts.dram_read_burst_bytes for record in performance.records) <= 64 * 180


def test_clocks_in_which_the_memory_below_is_read_are_counted_once() -> None:
    """Four misses at once of a line each: from the first request below to the last answer; then four hits."""
    memory = cached()
    done, _ = served(memory, lines(0, 4), 0)
    found = memory.reads_below(0, done.sent)
    assert found.lines == 4
    assert LATENCY + 4 <= found.clocks < done.sent - LEVEL["hit_clocks"] + 1
    hits, _ = served(memory, lines(0, 4), 1000)
    assert memory.reads_below(1000, hits.sent) == (0, 0)


@pytest.mark.parametrize(
    ("below", "cause"), [({"capacity_bytes": 1 << 20, "hit_clocks": 500}, "cache"), ({"capacity_bytes": 64}, "dram")]
)
def test_the_array_waits_for_caches_or_for_the_dram_below(below: dict[str, Any], cause: str) -> None:
    """Weights of five inferences: from a slow cache that has them after the first, or past one line that is no help.
    Clocks by cause sum to the run, and caches twice as good help where they are the cause."""
    level = {**LEVEL, "ways": 1, **below}
    machine = machine_of(sram__weight__capacity_bytes=4096, caches=[level])
    rows = [{"op": "conv", "name": f"conv{number}", "channels": 128, "kernel": 1} for number in (1, 2)]
    network, scheduling = network_of(rows, (2, 2, 128)), Scheduling(fusion="never", inferences=5)
    performance = perform(network, machine, scheduling)
    stalls = {name: sum(record.stalls[name] for record in performance.records) for name in STALL_CAUSES}
    streams = sum(record.stream_cycles for record in performance.records)
    assert streams + sum(stalls.values()) == performance.outcome.total_cycles
    assert (stalls["cache"] > stalls["dram_ifmap"] + stalls["dram_weight"]) == (cause == "cache")
    quicker = perform(network, DOUBLED["caches"](machine), scheduling).outcome.total_cycles
    if cause == "cache":
        saved = performance.outcome.total_cycles - quicker
        replayed = sum(record.savings["caches"] for record in performance.records)
        assert 0.6 * saved < replayed < 1.1 * saved
        assert all(bound_by(record) == "caches" for record in performance.records)


MACHINE = """
extends: edge
dma: {request_bytes: 64, requests_in_flight: 16, descriptors_in_flight: 2, descriptor_rows: 16, load_row_bytes: 64}
caches:
- {name: L2, capacity: 64 KiB, ways: 8, line_bytes: 64, port_bytes_per_cycle: 16, hit_clocks: 14, misses_in_flight: 10}
dram: ideal_16b
"""
NETWORK = """
name: small
source: test
input: {height: 12, width: 12, channels: 16}
layers:
- {name: conv1, op: conv, channels: 16, kernel: 3, pad: 1}
- {name: conv2, op: conv, channels: 16, kernel: 3, pad: 1}
"""


def test_caches_are_told_explained_and_run_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the totals and tables, in the terms of DRAM bytes, on the page, and to the byte from the file of the run."""
    for name, text in (("cached.yaml", MACHINE), ("small.yaml", NETWORK)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    files, run = [str(tmp_path / name) for name in ("small.yaml", "cached.yaml")], str(tmp_path / "run")
    assert main(["run", *files, "-o", run, "--set", "dram.first_address=8"]) == 0
    assert "cache L2: " in capsys.readouterr().out
    layer = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))["layers"][0]
    assert layer["caches"]["L2_misses"] > 0
    assert "L2_write_backs" in (tmp_path / "run" / "layers.csv").read_text(encoding="utf-8")
    words = ["--layer", "conv1", "dram_read_burst_bytes", "--set", "dram.first_address=8"]
    assert main(["explain", *files, *words]) == 0
    assert "lines of caches beyond that" in capsys.readouterr().out
    assert main(["report", run, "-o", str(tmp_path / "page.html")]) == 0
    assert "L2 hits of a cache" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert main(["rerun", run]) == 0


# Ranges.


POWERS = st.sampled_from([1, 2, 16, 64, 1 << 12, 1 << 20])
CACHE_CLOCKS = st.sampled_from([0, 1, 7, 1 << 20])
FEW = st.sampled_from([1, 2, 5, 64])


@st.composite
def strange_caches(draw: st.DrawFn) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Caches that nobody builds, and how requests reach them, of every size and clock that is allowed."""
    request = draw(POWERS)
    levels, least = [], request
    for number in range(draw(st.integers(1, 3))):
        least = max(least, draw(POWERS))
        ways = draw(FEW)
        level = {"name": f"C{number}", "line_bytes": least, "ways": ways, "misses_in_flight": draw(FEW)}
        level |= {name: draw(CACHE_CLOCKS) for name in ("hit_clocks", "request_clocks", "fill_clocks")}
        level |= {"miss_clocks": draw(st.sampled_from([None, 0, 2, 1 << 20]))}
        level |= {
            "capacity_bytes": ways * least * draw(st.sampled_from([1, 2, 3])),
            "port_bytes_per_cycle": draw(POWERS),
        }
        level |= {
            "replacement": draw(st.sampled_from(["lru", "random", "any_way"])),
            "writes": draw(st.sampled_from(["back", "through"])),
            "same_set": draw(st.sampled_from(["waits", "stalls"])),
        }
        levels.append(level | {"write_port": draw(st.sampled_from(["shared", "separate"]))})
    dma = {"request_bytes": request, "requests_in_flight": draw(st.sampled_from([1, 3, 1 << 12]))}
    dma |= {
        name: draw(st.sampled_from([None, 1, 5]))
        for name in ("descriptors_in_flight", "descriptor_rows", "landing_cycles")
    }
    rows = ("load_row_bytes", "store_row_bytes", "store_block_bytes", "landing_row_bytes")
    dma |= {name: draw(st.sampled_from([None, 1, 48])) for name in rows}
    return levels, dma


def outcome(
    caches: tuple[list[dict[str, Any]], dict[str, Any]], plan: Sequence[tuple[bool, list[Block], int]], *, plain: bool
) -> list[Any]:
    """What two requesters are told, up to where the clocks end."""
    memory = cached(*caches[0], dma=caches[1], plain=plain)
    found: list[Any] = []
    cycle = 0
    try:
        for write, blocks, wait in plan:
            found.append(served(memory, blocks, cycle, write=write))
            cycle = found[-1][0].done + wait
    except DeadlockError as error:
        found.append(str(error))
    return found


WAITS = st.sampled_from([0, 1, 300, 1 << 40, 1 << 59, LAST_CLOCK])
FAR = st.builds(
    lambda address, rows, row_bytes, gap: Block(address, rows, row_bytes, row_bytes + gap),
    st.sampled_from([0, 1, 1000, (1 << 48) - 4096, 1 << 54]),
    st.integers(1, 6),
    st.sampled_from([1, 16, 48, 200]),
    st.sampled_from([0, 16, 1 << 30]),
)
FAR_PLANS = st.lists(st.tuples(st.booleans(), st.lists(FAR, min_size=1, max_size=3), WAITS), max_size=6)


@given(strange_caches(), FAR_PLANS)
def test_kernels_take_the_same_caches(
    caches: tuple[list[dict[str, Any]], dict[str, Any]], plan: list[tuple[bool, list[Block], int]]
) -> None:
    assert outcome(caches, plan, plain=False) == outcome(caches, plan, plain=True)


@pytest.mark.slow
@settings(max_examples=600)
@given(strange_caches(), FAR_PLANS)
def test_kernels_take_the_same_of_many_caches(
    caches: tuple[list[dict[str, Any]], dict[str, Any]], plan: list[tuple[bool, list[Block], int]]
) -> None:
    assert outcome(caches, plan, plain=False) == outcome(caches, plan, plain=True)


@pytest.mark.parametrize("plain", [True, False])
def test_clocks_of_caches_end(plain: bool) -> None:
    memory = cached(plain=plain)
    with pytest.raises(DeadlockError, match="a cache goes on at clock "):
        memory.request(Request(0, False, lines(0, 1)), LAST_CLOCK + 1)
    memory.request(Request(0, False, lines(0, 1)), LAST_CLOCK)
    with pytest.raises(DeadlockError, match="after the last that is played"):
        memory.advance(math.inf)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"caches": [{**LEVEL, "line_bytes": 1, "capacity_bytes": 1 << 24}]},
            "caches.0.capacity_bytes: expected at most 4194304 lines of 1 bytes, got 16777216",
        ),
        ({"caches": [{**LEVEL, "hit_clocks": 1 << 21}]}, "caches.0.hit_clocks: expected at most 1048576, got 2097152"),
        (
            {"caches": [LEVEL], "dma__max_outstanding_bursts": 5000},
            "dma.max_outstanding_bursts: expected at most 4096 where there are caches, or requests_in_flight, got 5000",
        ),
        (
            {"dma__engines_in": 63, "dma__max_outstanding_bursts": 1 << 20},
            "dma.max_outstanding_bursts: expected at most 4194304 in flight of 64 engines, got 1048576",
        ),
    ],
)
def test_what_is_remembered_is_bounded(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError) as error:
        checked(changes)
    assert [str(each).partition(": ")[2] for each in error.value.mistakes] == [words]
