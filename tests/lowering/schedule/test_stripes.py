"""Do the layers of a cascade find the rows they read, in rings of the slots that were reckoned, and in no fewer?"""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.lowering.schedule.stripes import (
    Member,
    Read,
    in_order,
    next_step,
    ring_slots,
    rows_from,
    rows_until,
    stripe_counts,
)
from accelsim.operators.shapes import Axis

ONE = Axis()
THREE = Axis(kernel=3, pad=1)


def test_two_layers_of_single_rows_run_one_ahead() -> None:
    """a a b a b ... b: while b works on a row, a makes the next; two slots hold them."""
    members = (Member(1, 4, ()), Member(1, 4, (Read(0, ONE, 4),)))
    assert list(in_order(members, 1)) == [(0, 0), (0, 1), (1, 0), (0, 2), (1, 1), (0, 3), (1, 2), (1, 3)]
    made, read = stripe_counts(members, 1)
    assert ring_slots(made, rows_from(members[1], members[1].reads[0], read, 1)) == 2


@pytest.mark.parametrize("rows", [1, 2, 4])
def test_a_halo_stays_in_the_ring(rows: int) -> None:
    """A 3x3 window reads its own stripe and one on each side; while it does, the next one is made."""
    members = (Member(rows, 16, ()), Member(rows, 16, (Read(0, THREE, 16),)))
    made, read = stripe_counts(members, 1)
    assert ring_slots(made, rows_from(members[1], members[1].reads[0], read, rows)) == 4


@st.composite
def cascades(draw: st.DrawFn) -> tuple[tuple[Member, ...], int]:
    """Chains with shortcuts: each layer reads the one before, some an earlier one of the same height as well."""
    height = draw(st.integers(2, 20))
    members = [Member(draw(st.integers(1, height)), height, ())]
    for number in range(1, draw(st.integers(2, 6))):
        before = members[-1].height
        kernel = draw(st.integers(1, min(5, before)))
        window = Axis(kernel, draw(st.integers(1, 3)), 1, draw(st.integers(0, kernel - 1)), 0)
        height = max(1, (before + window.pad - kernel) // window.stride + 1)
        reads = [Read(number - 1, window, before)]
        same = [place for place, member in enumerate(members[:-1]) if member.height == height]
        if same and draw(st.booleans()):
            reads.append(Read(draw(st.sampled_from(same)), ONE, height))
        members.append(Member(draw(st.integers(1, height)), height, tuple(reads)))
    return tuple(members), draw(st.integers(1, 3))


def rows_read(member: Member, read: Read, stripe: int) -> range:
    """Rows of an input that a stripe reads, by the window itself."""
    start = stripe % member.stripes * member.rows
    return range(*read.window.taken(start, min(start + member.rows, member.height), read.height))


@given(cascades())
def test_every_row_is_in_its_ring_when_it_is_read(drawn: tuple[tuple[Member, ...], int]) -> None:
    """Played stripe by stripe: a stripe takes slot number modulo slots, which must hold nothing that is still to be
    read; and each layer makes all its stripes in order."""
    members, batch = drawn
    counts = stripe_counts(members, batch)
    slots = [
        max(
            (
                ring_slots(counts[number], rows_from(reader, read, counts[other], member.rows))
                for other, reader in enumerate(members)
                for read in reader.reads
                if read.producer == number
            ),
            default=1,
        )
        for number, member in enumerate(members)
    ]
    rings: list[dict[int, int]] = [{} for _ in members]
    done = [0] * len(members)
    for number, stripe in in_order(members, batch):
        member = members[number]
        assert stripe == done[number]
        for read in member.reads:
            source = members[read.producer]
            for row in rows_read(member, read, stripe):
                wanted = stripe // member.stripes * source.stripes + row // source.rows
                assert rings[read.producer][wanted % slots[read.producer]] == wanted
        rings[number][stripe % slots[number]] = stripe
        done[number] += 1
    assert done == [batch * member.stripes for member in members]


@given(cascades(), st.integers(1, 6))
def test_closed_forms_agree_with_windows(drawn: tuple[tuple[Member, ...], int], rows: int) -> None:
    """Stripes of an input that are needed until, and from, some stripe of its reader on."""
    members, batch = drawn
    for counts, member in zip(stripe_counts(members, batch), members, strict=True):
        for read in member.reads:
            each = -(-read.height // rows)
            until, since = rows_until(member, read, counts, rows), rows_from(member, read, counts, rows)
            for count, high, low in zip(counts.tolist(), until.tolist(), since.tolist(), strict=True):
                if count:
                    last = rows_read(member, read, count - 1)
                    image = (count - 1) // member.stripes
                    assert high == image * each + -(-last.stop // rows)
                if count < batch * member.stripes:
                    first = rows_read(member, read, count)
                    assert low == count // member.stripes * each + first.start // rows
            assert all(before <= after for before, after in pairwise(until.tolist()))
            assert next_step(counts).tolist() == [*counts.tolist()[1:], counts.tolist()[-1]]
