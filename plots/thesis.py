"""The lecture's thesis as an experiment: small networks win because their weights and maps stay on chip.

    .venv/bin/python plots/thesis.py

Energy of one image by component, against on-chip capacity from 64 KiB to 16 MiB, for heavy and light networks on
`edge`, by its own energy table and by the lecture's. Writes thesis.svg, thesis.png and thesis.csv beside this file and
prints which capacity each network needs, what energy it takes there, and the order of the networks by capacity, as
docs/lecture.md has it. On two cores it takes about three minutes.
"""

from __future__ import annotations

import tempfile
import textwrap
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from accelsim.config.load import load_energy_table, load_machine
from accelsim.energy.price import price
from accelsim.records import COUNT_NAMES, ENERGY_COMPONENTS, ActionCounts
from accelsim.report.export import csv_text
from accelsim.report.figure import drawn, house_style
from accelsim.report.palette import COMPONENT_FILLS, hatched
from accelsim.report.plots import SweepPoint
from accelsim.report.quantities import axis_unit, bytes_text
from accelsim.report.text import table
from accelsim.sweeps.drawn import drawn_points
from accelsim.sweeps.spec import read_sweep
from accelsim.sweeps.sweep import run_sweep
from accelsim.sweeps.workers import cores, on_processes

HERE = Path(__file__).resolve().parent
NETWORKS = (
    "alexnet_grouped", "vgg16", "resnet34_A", "densenet161", "mobilenet_v1_1.00_224", "mobilenet_v1_0.50_224",
    "squeezenet_v1.0", "squeezenet_v1.0_pruned_6bit", "shufflenet_1.0x_g3",
)  # fmt: skip
MIB = 1 << 20
TABLES = ("cacti_22nm", "lecture_100x")
"""The table of `edge`, for its node, and the lecture's premise."""
IMAGES = 4
"""Images in a row: weights that fit are loaded once for all of them."""
FPGA_BYTES = 10 * MIB
"""The lecture: FPGAs have less than 10 MB on chip."""
COMPARED_BYTES = 1 << 19
"""On-chip capacity at which networks are compared in both ways: that of `edge`."""
COMPARED = (COMPARED_BYTES, MIB, 2 * MIB, FPGA_BYTES)
"""On-chip capacities under which networks are put in order."""
CAPACITIES = sorted((*(1 << power for power in range(16, 25)), FPGA_BYTES))
SPEC = """networks: [{networks}]
machines: [edge]
grid: {{scheduling.inferences: [{images}]}}
zipped:
  - sram.activation.capacity_bytes: {half}
    sram.weight.capacity_bytes: {half}
    sram.accumulator.capacity_bytes: {rest}
"""


Row = dict[str, str | int | float | None]


class Finding(NamedTuple):
    """What a network does by a table, an image each.

    capacity: what it needs: from there on DRAM takes less than half of the energy. energy_uj: what it takes there.
    least_uj, least_at: the least energy of all capacities, and the capacity that it takes.
    """

    table: str
    network: str
    capacity: int | None
    energy_uj: float | None
    least_uj: float
    least_at: int
    share_at_least: float
    share_at_most: float
    penalty_at_least: float
    penalty_at_most: float


def capacity_of(point: SweepPoint) -> int:
    """All on-chip SRAM, in bytes."""
    return sum(point.machine_config["sram"][name]["capacity_bytes"] for name in ("activation", "weight", "accumulator"))


def spec_text() -> str:
    """The sweep behind the picture: three eighths for maps, as much for weights, a quarter for sums."""
    half = [3 * size // 8 for size in CAPACITIES]
    return SPEC.format(networks=", ".join(NETWORKS), images=IMAGES, half=half, rest=[size // 4 for size in CAPACITIES])


def simulated() -> dict[str, list[SweepPoint]]:
    """The points of each network, by capacity."""
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder) / "thesis.yaml"
        spec.write_text(spec_text(), encoding="utf-8")
        run_sweep(
            read_sweep(str(spec)), Path(folder), lambda tasks: on_processes(tasks, cores()), lambda _: lambda: None
        )
        points = drawn_points(Path(folder))
    found: dict[str, list[SweepPoint]] = {name: [] for name in NETWORKS}
    for point in sorted(points, key=capacity_of):
        found[point.network].append(point)
    return found


def prices(point: SweepPoint, table: str) -> dict[str, float]:
    """Picojoules of a point by a table: by component, in all, and what DRAM costs more than SRAM would have.

    Plans have clocks as their objective and depend on no price, so that the counts of one run serve every table.
    """
    names = [*(f"{part}_pj" for part in ENERGY_COMPONENTS), "total_pj"]
    if table == TABLES[0]:
        amounts = [point.values[f"energy_{name}"] for name in names]
        return dict(zip((*names, "dram_penalty_pj"), (*amounts, point.values["dram_penalty_pj"]), strict=True))
    sizes = point.machine_config["sram"]
    sram = {name: {"capacity_bytes": sizes[name]["capacity_bytes"]} for name in ("activation", "weight", "accumulator")}
    machine = load_machine("edge")
    buffers = {name: getattr(machine.sram, name).model_copy(update=size) for name, size in sram.items()}
    changed = {"energy": load_energy_table(table), "sram": machine.sram.model_copy(update=buffers)}
    counts = ActionCounts(**{name: point.values[name] for name in COUNT_NAMES})
    energy = price(counts, point.values["total_cycles"], machine.model_copy(update=changed))
    return {name: getattr(energy, name) for name in (*names, "dram_penalty_pj")}


def picojoules(point: SweepPoint, component: str) -> float:
    """Energy of one image that a component takes by the table of `edge`."""
    return float(point.values[f"energy_{component}_pj"] / point.values["inferences"])


def rows(found: Mapping[str, Sequence[SweepPoint]]) -> list[Row]:
    """What the picture shows, and more."""
    return [row_of(table, name, point) for table in TABLES for name, points in found.items() for point in points]


def row_of(table: str, name: str, point: SweepPoint) -> Row:
    """A line of thesis.csv."""
    values, energy = point.values, prices(point, table)
    without = energy["total_pj"] - energy["dram_penalty_pj"]
    return {
        "energy_table": table,
        "network": name,
        "on_chip_bytes": capacity_of(point),
        **{f"energy_{part}_uj_per_image": energy[f"{part}_pj"] / IMAGES / 1e6 for part in ENERGY_COMPONENTS},
        "energy_uj_per_image": energy["total_pj"] / IMAGES / 1e6,
        "dram_mib_per_image": (values["dram_read_bytes"] + values["dram_write_bytes"]) / IMAGES / MIB,
        "dram_energy_share": energy["dram_pj"] / energy["total_pj"],
        "energy_over_that_at_sram_price": energy["total_pj"] / without,
        "interval_ms": values["interval_ms"],
    }


def findings(lines: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """What each network does by each table, from the lines of thesis.csv."""
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for line in lines:
        groups.setdefault((str(line["energy_table"]), str(line["network"])), []).append(line)
    return [_finding(*names, group) for names, group in groups.items()]


def _finding(table: str, network: str, lines: Sequence[Mapping[str, Any]]) -> Finding:
    shares = [float(line["dram_energy_share"]) for line in lines]
    dear = [float(line["energy_over_that_at_sram_price"]) for line in lines]
    energies = {int(line["on_chip_bytes"]): float(line["energy_uj_per_image"]) for line in lines}
    needed = next((size for place, size in enumerate(energies) if max(shares[place:]) < 0.5), None)
    there = None if needed is None else energies[needed]
    least_at = min(energies, key=energies.__getitem__)
    ends = (min(shares), max(shares), min(dear), max(dear))
    return Finding(table, network, needed, there, energies[least_at], least_at, *ends)


def figure_of(found: dict[str, list[SweepPoint]]) -> Figure:
    """A panel for each network."""
    with house_style():
        figure = Figure(figsize=(12, 9), layout="constrained")
        for axes, (name, points) in zip(figure.subplots(3, 3).flat, found.items(), strict=True):
            _panel(axes, name, points)
        for axes in figure.axes[-3:]:
            axes.set_xlabel("on-chip SRAM")
        for axes in figure.axes[::3]:
            axes.set_ylabel("energy per image")
        figure.suptitle("Energy of an image by component, against on-chip capacity")
        named = {
            label: handle
            for axes in figure.axes
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        figure.legend(named.values(), named.keys(), loc="outside right upper", frameon=False)
    return figure


def _panel(axes: Axes, name: str, points: Sequence[SweepPoint]) -> None:
    places = range(len(points))
    bottom = [0.0] * len(points)
    per, unit = axis_unit(max(point.values["energy_total_pj"] / point.values["inferences"] for point in points), "pJ")
    for component, label in ENERGY_COMPONENTS.items():
        amounts = [picojoules(point, component) / per for point in points]
        if any(amounts):
            axes.bar(places, amounts, 0.85, bottom=bottom, label=label, **hatched(COMPONENT_FILLS[label]))
        bottom = [low + amount for low, amount in zip(bottom, amounts, strict=True)]
    axes.set_xticks(list(places), [bytes_text(capacity_of(point)) for point in points], rotation=45)
    axes.grid(visible=False, axis="x")
    at = CAPACITIES.index(FPGA_BYTES) - 0.5
    axes.axvline(at, color="black", linestyle="--", linewidth=0.8, label="FPGA: 10 MB (the lecture)")
    (found,) = findings([row_of(TABLES[0], name, point) for point in points])
    if found.capacity is not None:
        axes.axvline(
            CAPACITIES.index(found.capacity) - 0.5,
            color="black",
            linestyle=":",
            linewidth=1,
            label="DRAM below half from here",
        )
    axes.set_ylim(0, 1.05 * max(bottom))
    axes.set_title(f"{name} ({unit})")


def text_of(findings: Sequence[Finding]) -> str:
    """The findings: what networks need and take there in a sentence for each energy table, and a table of the rest."""
    header = ("network", "needs", "uJ there", "least uJ", "with", "DRAM's share", "energy over that at SRAM's price")
    tables = dict.fromkeys(each.table for each in findings)
    parts = [needs_text([each for each in findings if each.table == name]) for name in tables]
    for name in tables:
        cells = [
            [
                each.network,
                need_text(each),
                "-" if each.energy_uj is None else f"{each.energy_uj:.0f}",
                f"{each.least_uj:.0f}",
                bytes_text(each.least_at),
                f"{each.share_at_most:.0%} to {each.share_at_least:.0%}",
                f"{each.penalty_at_most:.1f}x to {each.penalty_at_least:.1f}x",
            ]
            for each in findings
            if each.table == name
        ]
        parts.append(f"by {name}\n{table(header, cells)}")
    return "\n".join(parts)


def need_text(finding: Finding) -> str:
    """The capacity that a network needs."""
    return f"more than {bytes_text(CAPACITIES[-1])}" if finding.capacity is None else bytes_text(finding.capacity)


def needs_text(findings: Sequence[Finding]) -> str:
    """The capacity that each network needs by one table, and what an image takes there; those that need least first."""
    ordered = sorted(findings, key=lambda each: (each.capacity or 2 * CAPACITIES[-1], each.energy_uj or each.least_uj))
    parts = [f"{each.network} {need_text(each)}, {_there(each)}" for each in ordered]
    text = f"by {ordered[0].table} networks need, and an image takes there: {'; '.join(parts)}"
    return textwrap.fill(text, 118, break_on_hyphens=False)


def _there(finding: Finding) -> str:
    if finding.energy_uj is None:
        return f"at best {finding.least_uj:.0f} uJ with {bytes_text(finding.least_at)}"
    return f"{finding.energy_uj:.0f} uJ"


def ranked(lines: Sequence[Mapping[str, Any]], table: str, capacity: int) -> dict[str, float]:
    """Microjoules of an image by network, the least first."""
    mine = (line for line in lines if (line["energy_table"], int(line["on_chip_bytes"])) == (table, capacity))
    energies = {str(line["network"]): float(line["energy_uj_per_image"]) for line in mine}
    return {name: energies[name] for name in sorted(energies, key=energies.__getitem__)}


def turned(one: Mapping[str, float], other: Mapping[str, float]) -> list[tuple[str, str]]:
    """The pairs in the order of the one that have the opposite order in the other."""
    return [(first, second) for first, second in combinations(one, 2) if other[first] > other[second]]


CONCLUSIONS = ("on chip", f"least uJ by {TABLES[0]}", "then", "then", f"least uJ by {TABLES[1]}", "pairs in one order")


def conclusions(lines: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """For each capacity the networks that take least, and whether the order survives the other energy table."""
    found = []
    for capacity in COMPARED:
        own, premise = (ranked(lines, table, capacity) for table in TABLES)
        named = [f"{name} {energy:.0f}" for name, energy in own.items()]
        least = min(premise, key=premise.__getitem__)
        pairs, other = len(own) * (len(own) - 1) // 2, turned(own, premise)
        kept = f"{pairs - len(other)} of {pairs}" if other else f"all {pairs}"
        found.append([bytes_text(capacity), *named[:3], f"{least} {premise[least]:.0f}", kept])
    return found


def capacities_text(lines: Sequence[Mapping[str, Any]]) -> str:
    """Energies and places of the networks under each capacity that is compared, by both tables."""
    header = ("network", *(cell for size in COMPARED for cell in (f"{bytes_text(size)} uJ", "place")))
    parts = [table(CONCLUSIONS, conclusions(lines))]
    for name in TABLES:
        orders = [ranked(lines, name, size) for size in COMPARED]
        cells = [
            [network, *(cell for order in orders for cell in (f"{order[network]:.0f}", place_of(network, order)))]
            for network in NETWORKS
        ]
        parts.append(f"by {name}\n{table(header, cells)}")
    return "\n".join(parts)


def place_of(network: str, order: Mapping[str, float]) -> str:
    """Its place, from 1 on."""
    return str(list(order).index(network) + 1)


def order_text(lines: Sequence[Mapping[str, Any]]) -> str:
    """The networks side by side by both tables at the capacity of `edge`: energy, place, and what is left of it with
    DRAM at the price of SRAM, which is how much of a network's lead rests on DRAM being dear."""
    cells: dict[str, list[str]] = {}
    header = ["network"]
    for name in dict.fromkeys(str(line["energy_table"]) for line in lines):
        mine = [line for line in lines if line["energy_table"] == name and int(line["on_chip_bytes"]) == COMPARED_BYTES]
        header += [f"{name} uJ", "place", "DRAM as dear as SRAM", "place"]
        totals = {str(line["network"]): float(line["energy_uj_per_image"]) for line in mine}
        cheap = {
            str(line["network"]): totals[str(line["network"])] / float(line["energy_over_that_at_sram_price"])
            for line in mine
        }
        for network, total in totals.items():
            places = (sorted(each, key=each.__getitem__).index(network) + 1 for each in (totals, cheap))
            first, second = map(str, places)
            cells.setdefault(network, [network]).extend((f"{total:.0f}", first, f"{cheap[network]:.0f}", second))
    return table(tuple(header), list(cells.values()))


def main() -> None:
    """Simulate, draw, print."""
    found = simulated()
    figure = figure_of(found)
    for kind in ("svg", "png"):
        (HERE / f"thesis.{kind}").write_bytes(drawn(figure, kind))
    lines = rows(found)
    (HERE / "thesis.csv").write_text(csv_text(lines), encoding="utf-8")
    print(text_of(findings(lines)))
    print()
    print(capacities_text(lines))
    print()
    print(order_text(lines))


if __name__ == "__main__":
    main()
