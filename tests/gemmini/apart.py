"""The error taken apart: rows of two programs with one mechanism of the machine left out at a time, and own plans.

`python -m tests.gemmini.apart` plays them, a few minutes, and writes `tests/data/validation/gemmini_apart.csv` and
`gemmini_plans.csv` and `gemmini_mapped_alone.csv`, of which docs/fidelity.md is made.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from accelsim.config.load import load_dram, load_machine
from accelsim.config.machine import CACHE_KEYS, Machine
from accelsim.config.scheduling import Scheduling
from accelsim.config.schema import validate
from accelsim.config.strict_yaml import Document, Origin
from accelsim.config.workload import Workload
from accelsim.machine.machine import link_for, play
from accelsim.network.build import build
from accelsim.run.simulate import run_network
from tests.gemmini.errors import errors, summary
from tests.gemmini.measured import (
    DATA,
    DEFAULT_ORDER,
    Measured,
    Played,
    hosts,
    machine_for,
    mapped_run,
    measured,
    played,
    programs,
)
from tests.gemmini.programs import SLOTS, Run, as_run, program
from tests.gemmini.tiler import Layer, default_tile

PROGRAMS = (("resnet50", "512", "130048"), ("retinanet", "784", "267264"))
OFFSET = 8
APART, PLANS = DATA / "gemmini_apart.csv", DATA / "gemmini_plans.csv"
MAPPED_ALONE = DATA / "gemmini_mapped_alone.csv"
"""DOSA's mappings of the layers that have own plans, each played alone."""
Change = Callable[[Machine], Machine]


def changed(machine: Machine, section: str, **keys: Any) -> Machine:
    """A machine with keys of a section replaced."""
    part = getattr(machine, section).model_copy(update=keys)
    return machine.model_copy(update={section: part})


def with_cache(machine: Machine, place: int, **keys: Any) -> Machine:
    """A machine with keys of a cache replaced."""
    caches = list(machine.caches or ())
    caches[place] = caches[place].model_copy(update=keys)
    return machine.model_copy(update={"caches": caches})


def ideal_memory(machine: Machine) -> Machine:
    """No caches, and 16 bytes a clock after 100."""
    machine = changed(machine, "dma", **dict.fromkeys(CACHE_KEYS))
    return machine.model_copy(update={"caches": None, "dram": load_dram("ideal_16b")})


CHANGES: dict[str, Change] = {
    "all mechanisms": lambda machine: machine,
    "ideal memory instead of caches and DRAM": ideal_memory,
    "no L2": lambda machine: machine.model_copy(update={"caches": (machine.caches or [])[1:]}),
    "no last-level cache": lambda machine: machine.model_copy(update={"caches": (machine.caches or [])[:1]}),
    "last-level cache without service time": lambda machine: with_cache(machine, 1, request_clocks=1, fill_clocks=0),
    "any number of requests and descriptors in flight": lambda machine: changed(
        machine, "dma", requests_in_flight=256, descriptors_in_flight=256
    ),
    "any number of misses in flight": lambda machine: with_cache(machine, 0, misses_in_flight=64),
    "stores of 64 channels": lambda machine: changed(machine, "dma", store_row_bytes=64),
    "folds of registers alone": lambda machine: changed(machine, "array", passes=None),
}
"""What is left out of the machine, by name."""


def variants(rows: Sequence[Measured]) -> Iterator[tuple[str, list[Played]]]:
    """The rows played with each mechanism left out."""
    for name, change in CHANGES.items():
        yield name, list(played(rows, OFFSET, change=change))
    yield "arrays on lines", list(played(rows, 0))
    yield "caches cold", [each for row in rows for each in played([row], OFFSET, alone=True)]
    found = list(played(rows, OFFSET))
    search = hosts()
    yield (
        "no search of the host",
        [each._replace(default_clocks=each.default_clocks - search[each.row.layer].search) for each in found],
    )
    yield "no zeros by the DMA", list(played(rows, OFFSET, zeros=False))
    yield "no slots", list(played(rows, OFFSET, scheduling=Scheduling()))


def write() -> None:
    """Play all and write both files."""
    by_name: dict[str, list[Played]] = {}
    for key, rows in programs().items():
        if key in PROGRAMS:
            for name, found in variants(rows):
                by_name.setdefault(name, []).extend(found)
    with APART.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["left_out", "default_mean", "default_median", "mapped_mean", "mapped_median"])
        for name, found in by_name.items():
            parts = [summary(errors(found, mapped=mapped)) for mapped in (False, True)]
            writer.writerow([name, *(f"{share:.4f}" for part in parts for share in part[1:3])])
    with PLANS.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["C", "K", "P", "Q", "R", "stride", "default_clocks", "own_clocks"])
        for layer in dict.fromkeys(row.layer for key in PROGRAMS for row in programs()[key]):
            writer.writerow([*layer, default_clocks(layer), own_clocks(layer, load_machine("gemmini"))])

    with MAPPED_ALONE.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["row", "mapped_clocks"])
        planned = {row.layer for key in PROGRAMS for row in programs()[key]}
        writer.writerows([row.number, mapped_clocks(row)] for row in measured() if row.layer in planned)


def mapped_clocks(row: Measured) -> int:
    """Clocks of a row with DOSA's mapping, on cold caches."""
    layer = as_run(row.layer)
    machine = machine_for(layer)
    run = Run(layer, default_tile(layer), DEFAULT_ORDER)
    tiles = program([mapped_run(run, row.mapping)], machine, 0)
    return play(tiles, link_for(tiles, machine, SLOTS), machine).total_cycles


def default_clocks(layer: Layer) -> int:
    """Clocks of a layer with Gemmini's default tiles, on cold caches, the host's search left out."""
    machine = load_machine("gemmini")
    tiles = program([Run(layer, default_tile(layer), DEFAULT_ORDER)], machine, 0)
    return play(tiles, link_for(tiles, machine, SLOTS), machine).total_cycles


def own_clocks(layer: Layer, machine: Machine) -> int:
    """Clocks of a layer as accelsim plans it for a machine, with two slots, on cold caches."""
    conv = {"name": "conv", "op": "conv", "channels": layer.outputs, "kernel": layer.kernel, "stride": layer.stride}
    width = 1 if layer.is_product else layer.size
    size = {"height": layer.size, "width": width, "channels": layer.inputs}
    data = {
        "name": "layer",
        "source": "DOSA",
        "batch": 1,
        "input": size,
        "layers": [{**conv, "pad": layer.kernel // 2}],
    }
    document = Document(data, {(): Origin("fidelity", 0)})
    workload = validate(Workload, document)
    run = run_network(workload, build(workload, document), machine, SLOTS)
    return run.total.total_cycles


if __name__ == "__main__":
    write()
