"""Lines come the same to caches that ask a DRAM's own kernel, in C, and to those that ask its port."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.config.machine import Cache, Dma
from accelsim.errors import DeadlockError
from accelsim.machine.memory import Block, Memory, Request
from accelsim.machine.memory.cache import kernels
from accelsim.machine.memory.cache.memory import CachedMemory
from accelsim.machine.memory.dram.memory import CommandMemory
from tests.dram_cases import device_of
from tests.machine.memory.test_cache import LEVEL, PLANS, served
from tests.machine.memory.test_contract import PassThrough

DEVICES = ("ddr4-2400-x8", "lpddr4-3200", "hbm2", "ddr3-fased")


def above(below: Memory, caches: list[dict[str, Any]], dma: dict[str, Any], *, plain: bool) -> CachedMemory:
    """Caches above a memory."""
    memory = CachedMemory([Cache(**each) for each in caches], Dma(**dma), below, plain=plain)
    memory.add_requester(16)
    memory.add_requester(16)
    return memory


def finish(memory: CachedMemory) -> None:
    """Let all come that was asked for."""
    while memory.advance(math.inf):
        pass


def told(memory: CachedMemory, plan: list[tuple[bool, list[Block], int]]) -> list[Any]:
    """All that two requesters are told, how long the memory below was read for that, and what it did in all."""
    found: list[Any] = []
    cycle = 0
    try:
        for write, blocks, wait in plan:
            completion, met = served(memory, blocks, cycle, write=write)
            found.append((completion, met, memory.reads_below(cycle, completion.done)))
            cycle = completion.done + wait
        found.append((memory.counts(1 << 40), memory.busy_clocks))
    except DeadlockError as error:
        found.append(str(error))
    return found


SMALL = [{**LEVEL, "capacity_bytes": 1024}, {**LEVEL, "name": "LLC", "line_bytes": 128, "misses_in_flight": 2}]


@pytest.mark.parametrize("plain", [True, False])
@settings(max_examples=100)
@given(PLANS, st.sampled_from(DEVICES), st.sampled_from([1000, 333.3, 2400]), st.sampled_from(["back", "through"]))
def test_lines_come_as_through_the_port(
    plain: bool, plan: list[tuple[bool, list[Block], int]], name: str, array_mhz: float, writes: str
) -> None:
    caches = [{**each, "writes": writes} for each in SMALL], {"request_bytes": 64, "requests_in_flight": 5}
    direct, passed = (CommandMemory(device_of(name), array_mhz, plain=plain) for _ in range(2))
    outcomes = [told(above(below, *caches, plain=plain), plan) for below in (direct, PassThrough(passed))]
    assert outcomes[0] == outcomes[1]


def test_a_kernel_is_called_by_one_of_its_form_alone() -> None:
    """The compiled DRAM by compiled caches, the plain one by plain caches; else its port is."""
    for compiled in (True, False):
        memory = CommandMemory(device_of("ddr4-2400-x8"), 1000, plain=not compiled)
        for kernel in (kernels.fastest, kernels.plain):
            is_own = kernel.lines_of(memory, memory.lines) is memory.lines
            assert is_own == (compiled == (kernel is kernels.fastest))


@pytest.mark.parametrize("plain", [True, False])
def test_a_dram_that_stands_still_below_caches_says_so(plain: bool) -> None:
    device = device_of("ddr4-2400-x8", "timing.t_refi_nck=1000")
    stuck = device.model_copy(update={"timing": {**device.timing, "t_refi_nck": 20}})
    memory = above(CommandMemory(stuck, 1000, plain=plain), [LEVEL], {"request_bytes": 64}, plain=plain)
    memory.request(Request(0, False, [Block(0, 64, 64, 1 << 20)]), 0)
    with pytest.raises(DeadlockError, match="DRAM ddr4-2400-x8 stands still at its clock "):
        finish(memory)
