"""Energy of an SRAM word by capacity and port width: interpolation between the points of an energy table.

Straight lines over logarithms of capacity, width and energy, so that what follows powers of them is met exactly. First
along the capacities of each width, then between the two nearest widths. Beyond the smallest and largest capacity a
curve goes on as it ended, at least flat and at most in proportion. A port wider than the widest takes as much a byte
as that one, a narrower one than the narrowest as much a word.
"""

from __future__ import annotations

from typing import NamedTuple

from accelsim.area.curves import interpolated
from accelsim.config.energy_table import PortCurve, SramWord
from accelsim.kept import kept


class WordEnergy(NamedTuple):
    """Energy of reading, and of writing, one word of a buffer."""

    read_pj: float
    write_pj: float


def word_energy(sram: SramWord, capacity_bytes: int, port_bytes: int) -> WordEnergy:
    """The energy of a word of `port_bytes` in a buffer of that capacity."""
    known, size = _known(sram), (capacity_bytes, port_bytes)
    if size not in known:
        known[size] = _interpolated(sram, *size)
    return known[size]


@kept
def _known(_: SramWord) -> dict[tuple[int, int], WordEnergy]:
    """Words of a table whose energy was asked for, by capacity and width of the port."""
    return {}


def _interpolated(sram: SramWord, capacity_bytes: int, port_bytes: int) -> WordEnergy:
    widths = [curve.port_bytes for curve in sram.curves]
    width = min(max(port_bytes, widths[0]), widths[-1])
    energies = [_at_capacity(curve, capacity_bytes) for curve in sram.curves]
    wider = max(port_bytes / widths[-1], 1.0)
    return WordEnergy(*(wider * interpolated(widths, column, width) for column in zip(*energies, strict=True)))


def _at_capacity(curve: PortCurve, capacity_bytes: int) -> WordEnergy:
    places = curve.capacity_bytes
    return WordEnergy(*(interpolated(places, pj, capacity_bytes) for pj in (curve.read_pj, curve.write_pj)))
