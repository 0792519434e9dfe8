"""Rows of the buffer that are made of what a load's requests bring: against registers, and by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.machine.memory import Block
from accelsim.machine.memory.cache.kernel.level import NEVER
from accelsim.machine.memory.cache.kernel.requester import Requester
from tests.machine.memory.test_cache import DMA, cached, served
from tests.reference.landing import Request, merged

BEAT = 16


def cut(address: int, width: int, row_bytes: int, most: int) -> list[tuple[Request, int, int]]:
    """The requests of a row of bytes, and of each the clocks held and late."""
    sizes = BEAT, most, NEVER, NEVER, NEVER, NEVER, row_bytes
    requester = Requester(0, (16, 16, 1, 0), sizes, 1, 1)
    requester.begin([address, 1, width, 0], 0, 0)
    found = []
    while requester.sending:
        shift = (requester.address + requester.taken) % requester.size
        wanted = min(requester.size - shift, requester.width - requester.taken)
        request = Request(requester.size, shift, wanted, requester.taken % row_bytes)
        found.append((request, requester.held, requester.late))
        requester.step()
    return found


@given(
    st.lists(st.tuples(st.integers(0, 200), st.integers(1, 150)), min_size=1, max_size=5),
    st.sampled_from([1, 4, 8, 12, 16, 32, 64]),
    st.sampled_from([16, 64, 128]),
)
def test_rows_are_made_as_registers_make_them(pieces: list[tuple[int, int]], row_bytes: int, most: int) -> None:
    """A request takes its beats and the clocks for which it holds the port; its last row comes a clock behind its last
    beat or, where rows take longer, later; earlier only where bytes at the end of the request are not wanted."""
    found = [each for address, width in pieces for each in cut(address, width, row_bytes, most)]
    clock = 0
    for (request, held, late), seen in zip(found, merged([each[0] for each in found], row_bytes, BEAT), strict=True):
        beats = request.size // BEAT
        assert seen.first_beat == clock
        assert max(seen.last_row, clock + beats) == clock + beats + late
        clock += beats + held


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize(
    ("row_bytes", "block", "more"),
    [
        (16, Block(0, 8, 64, 64), (0, 0)),  # four rows of four beats: as fast as they come
        (16, Block(0, 8, 16, 64), (0, 0)),
        (4, Block(0, 8, 16, 64), (3, 3)),  # four rows of a beat
        (16, Block(8, 8, 32, 64), (1, 0)),  # half of 64 bytes, the last row with the last beat: one clock more
        (16, Block(24, 8, 32, 64), (0, 0)),  # the last row behind the last beat
        (64, Block(8, 8, 48, 64), (0, 0)),
    ],
)
def test_rows_hold_up_the_requests_behind_them(
    row_bytes: int, block: Block, more: tuple[int, int], plain: bool
) -> None:
    """Eight requests that hit: seven wait so many clocks longer for the one before, the last one's row comes later."""
    held, late = more
    ends = []
    for row in (None, row_bytes):
        memory = cached(dma={**DMA, "landing_row_bytes": row}, plain=plain)
        served(memory, [block], 0)
        ends.append(served(memory, [block], 10_000)[0].done)
        stored = served(memory, [block], 20_000, write=True)[0].done
        assert stored == ends[0] + 10_000
    assert ends[1] - ends[0] == 7 * held + late
