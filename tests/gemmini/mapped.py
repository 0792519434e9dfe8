"""The mapped set: layers with a mapping each on arrays of 4x4 to 64x64, beside what accelsim plays of them.

`python -m tests.gemmini.mapped` plays the programs that measured them, row behind row and at all places where their
arrays can lie, in an hour, and writes `tests/data/validation/gemmini_mapped_played.csv`, `gemmini_mapped_rest.csv`
and `gemmini_mapped_own.csv`, of which docs/fidelity.md is made.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from accelsim.config.load import load_machine
from accelsim.config.machine import Machine
from accelsim.machine.machine import link_for, play
from tests.gemmini.apart import own_clocks
from tests.gemmini.mapping import loop_order, mapped_tile, side_of
from tests.gemmini.measured import DATA, DEFAULT_ORDER, offsets_of, table
from tests.gemmini.programs import SLOTS, Run, as_run, clocks, program
from tests.gemmini.tiler import Layer, default_tile, layers_of

PLAYED, OWN = DATA / "gemmini_mapped_played.csv", DATA / "gemmini_mapped_own.csv"
REST = DATA / "gemmini_mapped_rest.csv"
IN_FLIGHT = 16
"""Requests of a DMA engine in flight, of which the descriptors in flight follow (LoadController.scala line 84)."""
LONGEST = 4_000_000
"""Clocks that were measured of the rows that are played: about half of all."""
EVERY = 12
"""Of the rows that are not longer, one of so many is in a sample, from each of these on."""
SAMPLES = (0, 6, 3)
LINE_BYTES = 64
"""Of L2."""


class Mapped(NamedTuple):
    """A row: its number, layer, mapping, clocks measured, and the side of its array, None where that is not clear."""

    number: int
    layer: Layer
    mapping: str
    measured: float
    side: int | None


class PlayedRow(NamedTuple):
    """A row and its clocks here by where its arrays lie."""

    row: Mapped
    by_offset: dict[int, int]

    @property
    def clocks(self) -> float:
        """On average over the places."""
        return fmean(self.by_offset.values())

    @property
    def signed(self) -> float:
        """How much more the average is than what was measured, as a share of it."""
        return self.clocks / self.row.measured - 1

    @property
    def error(self) -> float:
        """Distance from what was measured on average over the places, as a share of it."""
        return fmean(abs(clocks / self.row.measured - 1) for clocks in self.by_offset.values())


def mapped() -> list[Mapped]:
    """All rows."""
    rows = table("gemmini_mapped.csv")
    return [
        Mapped(number, as_run(layer), row["mapping"], float(row["rtl_cycles"]), side_of(row["mapping"]))
        for number, (row, layer) in enumerate(zip(rows, layers_of(rows), strict=True))
    ]


def short() -> list[Mapped]:
    """Rows that do not take too long and whose array is known, in order."""
    return [row for row in mapped() if row.side is not None and row.measured <= LONGEST]


def sample() -> list[Mapped]:
    """Every so many of those, one sample after the other."""
    return [row for first in SAMPLES for row in short()[first::EVERY]]


def machine_of(side: int, *, is_product: bool) -> Machine:
    """`gemmini` with another array: what follows its side in the sources does here, and so rows of the scratchpad.

    Results of products leave in rows of 64 bytes, those of convolutions by as many channels as the array has columns.
    """
    machine = load_machine("gemmini")
    assert machine.array.passes is not None
    passes = machine.array.passes.model_copy(update={"longest": side, "change_clocks": side})
    array = machine.array.model_copy(update={"rows": side, "cols": side, "passes": passes})
    stores = 64 if is_product else side
    sizes = {
        "descriptor_rows": side,
        "descriptors_in_flight": IN_FLIGHT // side + 1,
        "store_row_bytes": stores,
        "store_block_bytes": side,
        "landing_row_bytes": side,
    }
    port = {"port_bytes_per_cycle": side}
    buffers = {name: getattr(machine.sram, name).model_copy(update=port) for name in ("activation", "weight")}
    return machine.model_copy(
        update={
            "array": array,
            "dma": machine.dma.model_copy(update=sizes),
            "sram": machine.sram.model_copy(update=buffers),
            "vector": machine.vector.model_copy(update={"lanes": side}),
        }
    )


def programs() -> list[list[Mapped]]:
    """The rows of each program in order, to the last that is played: those of an array, products or not."""
    known = [row for row in mapped() if row.side is not None]
    keys = sorted({(row.side or 0, row.layer.is_product) for row in known})
    found = [[row for row in known if (row.side, row.layer.is_product) == key] for key in keys]
    return [rows[: 1 + max(place for place, row in enumerate(rows) if row.measured <= LONGEST)] for rows in found]


def runs(rows: Sequence[Mapped]) -> Iterator[tuple[Mapped, Run]]:
    """What a program runs, so that a row finds in the caches what all before it left.

    Rows that take too long are left out. The first of those that follow another layer has the default tiles, which
    bring the same data.
    """
    before: Layer | None = None
    for row in rows:
        assert row.side is not None
        if row.measured <= LONGEST:
            yield row, Run(row.layer, mapped_tile(row.layer, row.mapping, row.side), loop_order(row.mapping))
        elif row.layer != before:
            yield row, Run(row.layer, default_tile(row.layer), DEFAULT_ORDER)
        before = row.layer


def places_of(row: Mapped) -> range:
    """Where static arrays of a row's program can lie in a line.

    Those of products are aligned to a row of the array (matmul_tilings.c line 53: row_align(1)). The header that says
    so is the generator's, written for the array at hand (gemmini-dosa@67ca2f9, Controller.scala line 30 and
    GemminiConfigs.scala lines 337 and 404): with another, loads could have more rows than it allows, against what
    LoadController.scala asserts in line 136 (gemmini.h line 767).
    """
    assert row.side is not None
    return range(0, LINE_BYTES, row.side) if row.layer.is_product else offsets_of(row.layer)


def played(rows: Sequence[Mapped], offset: int) -> dict[int, int]:
    """The clocks by number of the rows of a program whose arrays begin at an offset from a line."""
    first = rows[0]
    assert first.side is not None
    machine = machine_of(first.side, is_product=first.layer.is_product)
    running = list(runs(rows))
    tiles = program([run for _, run in running], machine, offset)
    outcome = play(tiles, link_for(tiles, machine, SLOTS), machine)
    taken = clocks([account.end_cycle for account in outcome.layers])
    return {row.number: each for (row, _), each in zip(running, taken, strict=True) if row.measured <= LONGEST}


def own_of(row: Mapped) -> int:
    """The clocks of accelsim's own plan on the same machine."""
    assert row.side is not None
    return own_clocks(row.layer, machine_of(row.side, is_product=row.layer.is_product))


def write(rows: Iterable[PlayedRow]) -> None:
    """Write the file of what was played."""
    with PLAYED.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["row", "offset", "clocks"])
        for each in sorted(rows, key=lambda one: one.row.number):
            writer.writerows([each.row.number, *pair] for pair in sorted(each.by_offset.items()))


def read() -> list[PlayedRow]:
    """What was played."""
    rows, found = mapped(), dict[int, dict[int, int]]()
    for each in table(PLAYED.name):
        found.setdefault(int(each["row"]), {})[int(each["offset"])] = int(each["clocks"])
    return [PlayedRow(rows[number], by_offset) for number, by_offset in found.items()]


def own() -> dict[int, int]:
    """Clocks of own plans by row."""
    return {int(each["row"]): int(each["own_clocks"]) for each in table(OWN.name)}


def write_own(found: dict[int, int]) -> None:
    """Write the file of own plans."""
    with OWN.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["row", "own_clocks"])
        writer.writerows(sorted(found.items()))


class Distance(NamedTuple):
    """Distance of a row from what was measured on average over the places, and that with its sign."""

    error: float
    signed: float


def rest() -> dict[int, Distance]:
    """The rows of no sample that were played, by number."""
    if not REST.exists():
        return {}
    return {int(each["row"]): Distance(float(each["error"]), float(each["signed"])) for each in table(REST.name)}


def write_rest(found: Mapping[int, Distance]) -> None:
    """Write the file of the rows of no sample."""
    with REST.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["row", *Distance._fields])
        writer.writerows([number, *(f"{share:.4f}" for share in each)] for number, each in sorted(found.items()))


def main(sides: Sequence[str]) -> None:
    """Play the programs of arrays with these sides, or those that have rows which the files lack, then own plans of the
    first sample that the file of these lacks."""
    sampled = {row.number for row in sample()}
    found = {each.row.number: each for each in (read() if PLAYED.exists() else ())}
    others = rest()
    for rows in programs():
        numbers = {row.number for row in rows if row.measured <= LONGEST}
        if str(rows[0].side) not in sides if sides else numbers <= found.keys() | others.keys():
            continue
        by_place = {offset: played(rows, offset) for offset in places_of(rows[0])}
        for row in rows:
            if row.number in numbers:
                each = PlayedRow(row, {offset: taken[row.number] for offset, taken in by_place.items()})
                if row.number in sampled:
                    found[row.number] = each
                else:
                    others[row.number] = Distance(each.error, each.signed)
                sys.stdout.write(f"{row.number}: {each.signed:+.1%}\n")
        write(found.values())
        write_rest(others)
    plans = own() if OWN.exists() else {}
    for row in [row for row in short()[SAMPLES[0] :: EVERY] if row.number not in plans and not sides]:
        plans[row.number] = own_of(row)
        write_own(plans)


if __name__ == "__main__":
    main(sys.argv[1:])
