"""The mapped set: layers with a mapping each on arrays of 4x4 to 64x64, beside what accelsim plays of them.

`python -m tests.gemmini.mapped` plays a sample, each row behind the one before it and at all places where its arrays
can lie, half an hour for a hundred short ones, and writes `tests/data/validation/gemmini_mapped_played.csv` and
`gemmini_mapped_own.csv`, of which docs/fidelity.md is made.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Mapping, Sequence
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
HELD_BYTES = (512 << 10) + (4 << 20)
"""Bytes that the caches hold: of a layer with more, a run before it leaves nothing that counts."""
LONGEST = 4_000_000
"""Clocks that were measured of the rows that are played: about half of all."""
EVERY = 12
"""Of the rows that are not longer, one of so many is played, from each of these on."""
SAMPLES = (0, 6, 3)


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


def held(layer: Layer) -> int:
    """Bytes of a layer's maps and weights."""
    inputs = layer.inputs * layer.size * (1 if layer.is_product else layer.size)
    return inputs + layer.kernel**2 * layer.inputs * layer.outputs + layer.outputs * layer.rows * layer.cols


def runs(row: Mapped, before: Mapped | None) -> list[Run]:
    """A row behind what its program ran before: of the same layer, whose data is in the caches, the row itself; another
    layer with the default tiles. Nothing where that filled the caches."""
    assert row.side is not None
    run = Run(row.layer, mapped_tile(row.layer, row.mapping, row.side), loop_order(row.mapping))
    if before is None or held(before.layer) > HELD_BYTES:
        return [run]
    return [run if before.layer == row.layer else Run(before.layer, default_tile(before.layer), DEFAULT_ORDER), run]


def program_before(row: Mapped) -> Mapped | None:
    """The row that its program ran before: the one before it with the same array, product or not (`per_pe_dim`)."""
    alike = [
        each
        for each in mapped()[: row.number]
        if each.side == row.side and each.layer.is_product == row.layer.is_product
    ]
    return alike[-1] if alike else None


def played(row: Mapped, offset: int) -> int:
    """The clocks of a row whose arrays begin at an offset from a line."""
    assert row.side is not None
    machine = machine_of(row.side, is_product=row.layer.is_product)
    tiles = program(runs(row, program_before(row)), machine, offset)
    outcome = play(tiles, link_for(tiles, machine, SLOTS), machine)
    return clocks([account.end_cycle for account in outcome.layers])[-1]


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


class Unseen(NamedTuple):
    """A row of no sample: its distance from what was measured on average over the places, and that with its sign."""

    error: float
    signed: float


def rest() -> dict[int, Unseen]:
    """The rows of no sample that were played, by number."""
    if not REST.exists():
        return {}
    return {int(each["row"]): Unseen(float(each["error"]), float(each["signed"])) for each in table(REST.name)}


def play_rest() -> None:
    """Play the rows of no sample that the file lacks."""
    found, sampled = rest(), {row.number for row in sample()}
    for row in short():
        if row.number not in sampled and row.number not in found:
            each = PlayedRow(row, {offset: played(row, offset) for offset in offsets_of(row.layer)})
            found[row.number] = Unseen(each.error, each.signed)
            write_rest(found)


def write_rest(found: Mapping[int, Unseen]) -> None:
    """Write the file of the rows of no sample."""
    with REST.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["row", *Unseen._fields])
        writer.writerows([number, *(f"{share:.4f}" for share in each)] for number, each in sorted(found.items()))


def main(numbers: Sequence[str]) -> None:
    """Play the rows with these numbers, or those of the sample that the file lacks, then own plans of the first sample
    that the file of these lacks; or, of `rest`, the rows of no sample."""
    if list(numbers) == ["rest"]:
        play_rest()
        return
    rows = mapped()
    found = {each.row.number: each for each in (read() if PLAYED.exists() else ())}
    for row in [rows[int(number)] for number in numbers] or sample():
        known = found[row.number].by_offset if row.number in found and not numbers else {}
        missing = [offset for offset in offsets_of(row.layer) if offset not in known]
        if missing:
            found[row.number] = PlayedRow(row, known | {offset: played(row, offset) for offset in missing})
            write(found.values())
            sys.stdout.write(f"{row.number}: {found[row.number].signed:+.1%}\n")
            sys.stdout.flush()
    plans = own() if OWN.exists() else {}
    for row in [row for row in short()[SAMPLES[0] :: EVERY] if row.number not in plans and not numbers]:
        plans[row.number] = own_of(row)
        write_own(plans)


if __name__ == "__main__":
    main(sys.argv[1:])
