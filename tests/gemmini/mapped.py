"""The mapped set: layers with a mapping each on arrays of 4x4 to 64x64, beside what accelsim plays of them.

`python -m tests.gemmini.mapped` plays a sample, each row alone, a minute or two for a hundred short ones, and writes
`tests/data/validation/gemmini_mapped_played.csv`, of which docs/fidelity.md is made.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from accelsim.config.load import load_machine
from accelsim.config.machine import Machine
from accelsim.machine.machine import link_for, play
from tests.gemmini.apart import own_clocks
from tests.gemmini.mapping import loop_order, mapped_tile, side_of
from tests.gemmini.measured import DATA, offsets_of, table
from tests.gemmini.programs import SLOTS, Run, as_run, clocks, program
from tests.gemmini.tiler import Layer, layers_of

PLAYED = DATA / "gemmini_mapped_played.csv"
IN_FLIGHT = 16
"""Requests of a DMA engine in flight, of which the descriptors in flight follow (LoadController.scala line 84)."""
HELD_BYTES = (512 << 10) + (4 << 20)
"""Bytes that the caches hold: of a layer with more, a run before it leaves nothing that counts."""
LONGEST = 4_000_000
"""Clocks that were measured of the rows that are played: about half of all."""
EVERY = 12
"""Of the rows that are not longer, one of so many is played."""


class Mapped(NamedTuple):
    """A row: its number, layer, mapping, clocks measured, and the side of its array, None where that is not clear."""

    number: int
    layer: Layer
    mapping: str
    measured: float
    side: int | None


class PlayedRow(NamedTuple):
    """A row, its clocks here, and those of accelsim's own plan on the same machine, 0 where there is none."""

    row: Mapped
    clocks: int
    own_clocks: int = 0


def mapped() -> list[Mapped]:
    """All rows."""
    rows = table("gemmini_mapped.csv")
    return [
        Mapped(number, as_run(layer), row["mapping"], float(row["rtl_cycles"]), side_of(row["mapping"]))
        for number, (row, layer) in enumerate(zip(rows, layers_of(rows), strict=True))
    ]


def sample() -> list[Mapped]:
    """Every so many of the rows that do not take too long and whose array is known, in order."""
    return [row for row in mapped() if row.side is not None and row.measured <= LONGEST][::EVERY]


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


def held(layer: Layer) -> int:
    """Bytes of a layer's maps and weights."""
    inputs = layer.inputs * layer.size * (1 if layer.is_product else layer.size)
    return inputs + layer.kernel**2 * layer.inputs * layer.outputs + layer.outputs * layer.rows * layer.cols


def played(row: Mapped) -> PlayedRow:
    """The clocks of a row, the second time that it runs where its data stays in the caches.

    Arrays lie at the second of the places that they can have, 8 bytes behind a line's begin, or 16 of products.
    """
    assert row.side is not None
    machine = machine_of(row.side, is_product=row.layer.is_product)
    run = Run(row.layer, mapped_tile(row.layer, row.mapping, row.side), loop_order(row.mapping))
    tiles = program([run] * (2 if held(row.layer) <= HELD_BYTES else 1), machine, offsets_of(row.layer)[1])
    outcome = play(tiles, link_for(tiles, machine, SLOTS), machine)
    return PlayedRow(row, clocks([account.end_cycle for account in outcome.layers])[-1])


def with_own(found: PlayedRow) -> PlayedRow:
    """The row with the clocks of its own plan."""
    assert found.row.side is not None
    machine = machine_of(found.row.side, is_product=found.row.layer.is_product)
    return found._replace(own_clocks=own_clocks(found.row.layer, machine))


def write(rows: Iterable[PlayedRow]) -> None:
    """Write the file of what was played."""
    with PLAYED.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["row", "clocks", "own_clocks"])
        for each in sorted(rows, key=lambda one: one.row.number):
            writer.writerow([each.row.number, each.clocks, each.own_clocks])


def read() -> list[PlayedRow]:
    """What was played."""
    rows = mapped()
    return [
        PlayedRow(rows[int(each["row"])], int(each["clocks"]), int(each["own_clocks"])) for each in table(PLAYED.name)
    ]


def main(numbers: Sequence[str]) -> None:
    """Play the rows with these numbers, or those of the sample that the file lacks, then own plans of all in it."""
    rows = mapped()
    found = {each.row.number: each for each in (read() if PLAYED.exists() else ())}
    for row in [rows[int(number)] for number in numbers] or [row for row in sample() if row.number not in found]:
        found[row.number] = played(row)
        write(found.values())
        sys.stdout.write(f"{row.number}: {found[row.number].clocks / row.measured - 1:+.1%}, {len(found)} played\n")
    for number, each in found.items():
        found[number] = each if each.own_clocks else with_own(each)
        write(found.values())


if __name__ == "__main__":
    main(sys.argv[1:])
