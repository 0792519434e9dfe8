"""The rows that FireSim measured, as the programs ran them, beside what accelsim plays of the same programs.

`python -m tests.gemmini.measured` plays all of them at all offsets, half an hour on a core, and writes
`tests/data/validation/gemmini_played.csv`; with names of workloads those. docs/fidelity.md is made of that file, and a
slow test plays some of it again.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from accelsim.config.load import load_machine
from accelsim.config.machine import Machine
from accelsim.config.scheduling import Scheduling
from accelsim.machine.machine import link_for, play
from tests.gemmini.mapping import loop_order, mapped_tile
from tests.gemmini.programs import SLOTS, Run, as_run, clocks, program
from tests.gemmini.tiler import Layer, default_tile, layers_of

DATA = Path(__file__).parents[1] / "data" / "validation"
PLAYED = DATA / "gemmini_played.csv"
DEFAULT_ORDER = "CRSKPQN"
"""Loops over the tiles of `tiled_conv_auto` and `tiled_matmul_auto`, innermost first (gemmini.h, line 2899)."""
WORKLOADS = {"bert": range(5), "resnet50": range(5, 29), "retinanet": range(29, 48), "unet": range(48, 71)}
"""Shapes of the table of the host's clocks by workload, in the order of the programs."""


class Host(NamedTuple):
    """Clocks of the core for the tile search of a layer, and for each tile."""

    search: int
    tile: int


class Measured(NamedTuple):
    """A row: its number, its program (a workload under a mapper's hardware), layer, mapping and clocks."""

    number: int
    program: tuple[str, str, str]
    layer: Layer
    mapping: str
    default_clocks: float
    mapped_clocks: float


class Played(NamedTuple):
    """A row's clocks with the default tiles, the search of the host included, and with its mapping."""

    row: Measured
    offset: int
    default_clocks: int
    mapped_clocks: int


def table(name: str) -> list[dict[str, str]]:
    """Rows of a file of `tests/data/validation`."""
    with (DATA / name).open(newline="") as file:
        return list(csv.DictReader(file))


def hosts() -> dict[Layer, Host]:
    """Clocks of the host by layer, in the order of the programs."""
    rows = table("gemmini_host.csv")
    return {
        layer: Host(int(row["host_search_clocks"]), int(row["host_tile_clocks"]))
        for layer, row in zip(layers_of(rows), rows, strict=True)
    }


def measured() -> list[Measured]:
    """All rows."""
    rows, shapes = table("gemmini_firesim.csv"), list(hosts())
    return [
        Measured(
            number,
            (workload_of(shapes.index(layer)), row["accumulator_rows"], row["scratchpad_bytes"]),
            layer,
            row["dosa_mapping"],
            float(row["rtl_cycles_default_tiler"]),
            float(row["rtl_cycles_dosa_mapping"]),
        )
        for number, (row, layer) in enumerate(zip(rows, layers_of(rows), strict=True))
    ]


def workload_of(place: int) -> str:
    """The workload of a shape of the host's table."""
    return next(name for name, places in WORKLOADS.items() if place in places)


def programs() -> dict[tuple[str, str, str], list[Measured]]:
    """Rows by program, in order."""
    return {key: list(rows) for key, rows in groupby(measured(), lambda row: row.program)}


def offsets_of(layer: Layer) -> range:
    """Where static arrays of a layer's program can lie in a line (matmul_tilings.c line 47: row_align(1))."""
    return range(0, 64, 16 if layer.is_product else 8)


def machine_for(layer: Layer) -> Machine:
    """The machine; results of products leave in rows of 64 channels."""
    machine = load_machine("gemmini")
    if not layer.is_product:
        return machine
    return machine.model_copy(update={"dma": machine.dma.model_copy(update={"store_row_bytes": 64})})


def played(
    rows: Sequence[Measured],
    offset: int,
    *,
    alone: bool = False,
    change: Callable[[Machine], Machine] = lambda machine: machine,
    scheduling: Scheduling = SLOTS,
    zeros: bool = True,
) -> Iterator[Played]:
    """The rows of a program, with all layers that it ran between them: with the default tiles, then as mapped.

    Of a layer whose mapping is not known the default tiles run twice. alone: without those; change: of the machine;
    scheduling: slots of tiles; zeros: whether the DMA writes them.
    """
    host, known = hosts(), {row.layer: row for row in rows}
    shapes = [layer for place, layer in enumerate(host) if place in WORKLOADS[rows[0].program[0]]]
    if alone:
        shapes = [row.layer for row in rows]
    runs: list[Run] = []
    for layer in shapes:
        ran = as_run(layer)
        default = Run(ran, default_tile(ran), DEFAULT_ORDER)
        mapping = known[layer].mapping if layer in known else None
        mapped = default if mapping is None else mapped_run(default, mapping)
        runs += [default, mapped]
    machine = change(machine_for(shapes[0]))
    tiles = program(runs, machine, offset, zeros=zeros)
    outcome = play(tiles, link_for(tiles, machine, scheduling), machine)
    taken = clocks([account.end_cycle for account in outcome.layers])
    for place, layer in enumerate(shapes):
        if layer in known:
            yield Played(known[layer], offset, taken[2 * place] + host[layer].search, taken[2 * place + 1])


def mapped_run(run: Run, mapping: str) -> Run:
    """A layer run with a mapping."""
    return run._replace(tile=mapped_tile(run.layer, mapping), order=loop_order(mapping))


def write(rows: Sequence[Played]) -> None:
    """Write the file that the page of errors is made of, by row and offset."""
    with PLAYED.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["row", "offset", "default_clocks", "mapped_clocks"])
        for each in sorted(rows, key=lambda one: (one.row.number, one.offset)):
            writer.writerow([each.row.number, each.offset, each.default_clocks, each.mapped_clocks])


def read() -> list[Played]:
    """What was played, by row and offset."""
    rows = measured()
    return [
        Played(rows[int(row["row"])], int(row["offset"]), int(row["default_clocks"]), int(row["mapped_clocks"]))
        for row in table("gemmini_played.csv")
    ]


def main(arguments: Sequence[str]) -> None:
    """Play programs whose workload is named, or all, and put them into the file."""
    found = {(each.row.number, each.offset): each for each in (read() if PLAYED.exists() else ())}
    for key, rows in programs().items():
        if arguments and key[0] not in arguments:
            continue
        for offset in offsets_of(rows[0].layer):
            found.update({(each.row.number, offset): each for each in played(rows, offset)})
            write(list(found.values()))
            sys.stdout.write(f"{' '.join(key)} at {offset}, {len(found)} played\n")


if __name__ == "__main__":
    main(sys.argv[1:])
