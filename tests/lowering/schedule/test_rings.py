"""Are rings as large as the rows that stay in them? Worked out by hand for groups of two layers."""

from __future__ import annotations

import pytest

from accelsim.lowering.schedule.rings import FAR, Fmap, Input, RingLayer, RingSize, Source, leaves, makers, striping
from accelsim.lowering.schedule.stripes import Member, Read
from accelsim.operators.shapes import Axis
from accelsim.program.tensors import Range
from accelsim.unit_kinds import ARRAY

FMAP = Fmap(height=16, width=8, channels=4, bits=8, tensor_channels=4)
ROW = 8 * 4
THREE = Axis(kernel=3, pad=1, pad_end=1)


def layer(distance: int, readers: tuple[int, ...]) -> RingLayer:
    """A 3x3 convolution of the map at a distance."""
    read = Input((Source(distance, 4, (Range(0, 4),)),), distance, Range(0, 4), FMAP, THREE)
    return RingLayer(0, ARRAY, 100, FMAP, (read,), readers)


PAIR = layer(-FAR, (1,)), layer(-1, ())


def test_layers_read_those_of_their_group() -> None:
    assert striping((0, 1), PAIR, 1).members((2, 1)) == (Member(2, 16, ()), Member(1, 16, (Read(0, THREE, 16),)))


def test_a_map_inside_holds_its_halo_and_the_next_stripe() -> None:
    """Stripes of a row: three rows are read while a fourth is made. The input has a place for each as well."""
    rings = striping((0, 1), PAIR, 1).rings((1, 1))
    assert rings.internal == {0: RingSize(4, ROW)}
    assert rings.inputs[-FAR].ring(4) == RingSize(rings.inputs[-FAR].slots, ROW)
    assert rings.inputs[-FAR].slots >= 3
    assert set(rings.outputs) == {1}


@pytest.mark.parametrize("rows", [1, 2, 4, 8])
def test_higher_stripes_take_larger_slots(rows: int) -> None:
    """Packed, and no ring holds more than the map."""
    rings = striping((0, 1), PAIR, 1).rings((rows, rows))
    assert rings.internal[0].slot_bytes == rings.outputs[1].slot_bytes == rows * ROW
    assert rings.internal[0].bytes <= (16 // rows) * rows * ROW


def test_a_map_leaves_where_it_is_read_behind_the_group_or_by_nobody() -> None:
    inside, last = PAIR
    assert not leaves(inside, 0, 1)
    assert leaves(inside, 0, 0)
    assert leaves(last, 1, 1)
    assert makers(last, 1) == [0]
    assert makers(inside, 0) == [-FAR]


def test_rows_that_are_no_whole_bytes_are_rounded_up_for_each_channel() -> None:
    """3 pixels of 4 bits, 12 bits a row: a channel of one row may begin and end within a byte."""
    odd = Fmap(height=4, width=3, channels=2, bits=4, tensor_channels=2)
    assert not odd.has_whole_rows
    assert odd.slot_bytes(1, 2) == -(-(12 + 8) * 2 // 8)
    assert FMAP.slot_bytes(2, 4) == 2 * ROW == 2 * FMAP.row_bytes
