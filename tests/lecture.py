"""docs/lecture.md: the lecture's tables, printed and counted, and what its networks cost."""

from __future__ import annotations

import csv
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from accelsim.run.reprice import reprice
from accelsim.run.simulate import simulate
from tests.network.test_lecture import (
    COMPARED,
    COSTS,
    CUT_OFF,
    MEBI,
    MEGA,
    MOBILENET,
    SQUEEZENET,
    Row,
    biases,
    in_table_5,
    macs,
    mobilenet_named,
    network,
    shufflenet_scaled,
    table,
    table_3,
)
from tests.tables import lines

SHUFFLENET = "shufflenet_1.0x_g3"
PLOTS = Path(__file__).resolve().parent.parent / "plots"
NETWORKS = ("alexnet_grouped", "vgg16", "resnet34_A", "densenet161", MOBILENET, "mobilenet_v1_0.50_224", SQUEEZENET)
NETWORKS += ("squeezenet_v1.0_pruned_6bit", SHUFFLENET, "shufflenet_0.50x_g3")


def page() -> str:
    """The text of the page: `lecture.md` beside this file with its tables filled in."""
    return (
        (Path(__file__).parent / "lecture.md").read_text(encoding="utf-8").format(**_tables(), **_texts(), **_figures())
    )


def thesis() -> ModuleType:
    """The script `plots/thesis.py`."""
    spec = importlib.util.spec_from_file_location("thesis", PLOTS / "thesis.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def thesis_lines() -> list[dict[str, str]]:
    """The lines of the CSV that it writes."""
    with (PLOTS / "thesis.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def _texts() -> dict[str, str]:
    """The texts that `plots/thesis.py` prints."""
    module, found = thesis(), thesis_lines()
    return {
        "capacities": module.text_of(module.findings(found)),
        "by_capacity": module.capacities_text(found),
        "order": module.order_text(found),
        "vgg_needs": next(map(module.need_text, (each for each in module.findings(found) if each.network == "vgg16"))),
        "spec": module.spec_text(),
    }


def _figures() -> dict[str, float]:
    """Figures within sentences: of the thesis as it is drawn, and of runs on `edge`."""
    lines = {(line["energy_table"], line["network"], int(line["on_chip_bytes"])): line for line in thesis_lines()}
    own, premise = thesis().TABLES

    def ratio(table: str, *, is_cheap: bool) -> float:
        heavy, light = (lines[table, name, 1 << 19] for name in ("vgg16", "mobilenet_v1_0.50_224"))
        energies = (
            float(line["energy_uj_per_image"]) / (float(line["energy_over_that_at_sram_price"]) if is_cheap else 1)
            for line in (heavy, light)
        )
        return next(energies) / next(energies)

    alone = simulate(SHUFFLENET, "edge").total.counts
    return {
        "more_macs": macs(SQUEEZENET) / macs(MOBILENET) - 1,
        "now_own": ratio(own, is_cheap=False),
        "cheap_own": ratio(own, is_cheap=True),
        "now_premise": ratio(premise, is_cheap=False),
        "cheap_premise": ratio(premise, is_cheap=True),
        "bytes_here": float(lines[own, SHUFFLENET, 1 << 19]["dram_mib_per_image"]),
        "bytes_edge": alone.dram_burst_bytes / MEBI,
    }


def _tables() -> dict[str, str]:
    counted = ("M MACs printed", "counted")
    weights = ("M weights printed", "counted")
    errors = ("top-1 error, %", *counted)
    costs = (
        "M MACs",
        "M weights",
        "M cycles",
        "DRAM, MiB",
        "energy, uJ",
        "of it DRAM, %",
        "at 100x, uJ",
        "of it DRAM, %",
    )
    tables = {
        "compared": (("network", "conv weights, M", "fc weights, M", "conv MACs, M", "fc MACs, M"), _compared()),
        "shares": (("layers", "MACs printed, %", "counted, %", "weights printed, %", "counted, %"), _shares()),
        "modifications": (("change", *counted, *weights), _modifications()),
        "widths": (("model", "top-1, %", *counted, *weights), _widths()),
        "bypasses": (("network", "top-1, %", "MiB printed", "counted"), _bypasses()),
        "groups": (("groups", *counted), _groups()),
        "structures": (("structure", *errors), _structures()),
        "against_mobilenet": (("network", *errors), _against_mobilenet()),
        "shuffles": (("scale", "groups", "error without, %", "with, %", "gain"), _shuffles()),
        "costs": (("network", *costs), _costs()),
    }
    return {name: "\n".join(lines(header, rows)) for name, (header, rows) in tables.items()}


def _beside(counted: float, printed: str, *, cut: bool = False) -> tuple[str, str]:
    """A printed figure, bold where it is wrong, and the counted one with as many decimals."""
    true = f"{counted:.{len(printed.partition('.')[2])}f}"
    return printed if printed == true or cut else f"**{printed}**", true


def _compared() -> Iterator[tuple[str, ...]]:
    for row in table("networks_comparison"):
        cells = []
        for column, count in COSTS.items():
            counted = count(COMPARED[row["network"]]) / MEGA
            printed, true = _beside(counted, row[column], cut=(row["network"], column) in CUT_OFF)
            cells.append(printed if printed == true else f"{printed} ({true})")
        yield row["network"], *cells


def _shares() -> Iterator[tuple[str, ...]]:
    kinds = {"Conv DW 3x3": "dwconv 3x3", "Fully Connected": "fc"}
    for row in table("mobilenet_table2_shares"):
        kind = kinds.get(row["layer_type"], row["layer_type"].lower())
        layers = [each for each in network(MOBILENET).nodes if each.kind == kind]
        share = 100 * sum(each.macs for each in layers) / macs(MOBILENET)
        weights = 100 * sum(each.weights for each in layers) / network(MOBILENET).weights
        yield row["layer_type"], *_beside(share, row["mult_adds_pct"]), *_beside(weights, row["params_pct"])


def _modifications() -> Iterator[tuple[str, ...]]:
    for row in table("mobilenet_table3_modifications"):
        cost, weights = table_3(row["modification"])
        printed = row["mult_adds_M_as_printed_in_lecture"]
        true = f"{cost / MEGA:.{len(row['mult_adds_M_paper'].partition('.')[2])}f}"
        yield (
            row["modification"],
            printed if printed == true else f"**{printed}**",
            true,
            *_beside(weights / MEGA, row["params_M_paper"]),
        )


def _widths() -> Iterator[tuple[str, ...]]:
    rows: dict[str, Row] = {mobilenet_named(row["model"]): row for row in table("mobilenet_tables4to7")}
    for name, row in rows.items():
        cost = macs(name, without_fc=name.startswith("conv_")) / MEGA
        printed = _beside(cost, row["mult_adds_M"], cut=row["model"] == "1.0 MobileNet-160")
        weights = _beside(network(name).weights / MEGA, row["params_M"])
        yield row["model"], row["imagenet_top1_acc_pct"], *printed, *weights


def _groups() -> Iterator[tuple[str, ...]]:
    for row in table("shufflenet_table1_complexity"):
        cost = macs(f"shufflenet_1.0x_g{row['groups']}", without_fc=True) / MEGA
        yield row["groups"], *_beside(cost, row["complexity_MFLOPs"])


def _bypasses() -> Iterator[tuple[str, ...]]:
    for row in table("squeezenet_table3_bypass"):
        kind = row["architecture"].rpartition("SqueezeNet")[2].removeprefix(" + ").lower().replace(" ", "_")
        name = f"{SQUEEZENET}_{kind}".removesuffix("_")
        size = 4 * (network(name).weights + biases(name)) / MEBI
        yield row["architecture"], row["top1_acc_pct"], *_beside(size, row["model_size_MB"])


def _structures() -> Iterator[tuple[str, ...]]:
    for row in table("shufflenet_table4_structures"):
        name = f"cmp_{row['structure'].lower().replace('-', '')}_{row['complexity_MFLOPs']}"
        if row["shufflenet_config"]:
            name = shufflenet_scaled(*row["shufflenet_config"].split("x g="))
        cost = _beside(macs(name, without_fc=True) / MEGA, row["complexity_MFLOPs"])
        yield f"{row['structure']} {row['shufflenet_config']}".strip(), row["cls_err_pct"] or "-", *cost


def _against_mobilenet() -> Iterator[tuple[str, ...]]:
    for row in table("shufflenet_table5_vs_mobilenet"):
        cost = _beside(macs(in_table_5(row["model"])) / MEGA, row["complexity_MFLOPs"])
        yield row["model"], row["cls_err_pct"], *cost


def _shuffles() -> Iterator[tuple[str, ...]]:
    for row in table("shufflenet_shuffle_ablation"):
        errors = row["err_no_shuffle_pct"], row["err_shuffle_pct"], row["delta_pct"]
        yield f"{row['scale']}x", row["groups"], *errors


def _costs() -> Iterator[tuple[str, ...]]:
    for name in NETWORKS:
        run = simulate(name, "edge")
        own, premise = run.totals, reprice(run, "lecture_100x").totals
        moved = own["dram_read_burst_bytes"] + own["dram_write_burst_bytes"]
        cells = [f"{own['macs'] / MEGA:.0f}", f"{own['weights'] / MEGA:.2f}", f"{own['total_cycles'] / MEGA:.2f}"]
        cells.append(f"{moved / 2**20:.1f}")
        for totals in (own, premise):
            cells += [f"{totals['energy_total_pj'] / MEGA:.0f}", f"{100 * totals['dram_energy_share']:.0f}"]
        yield f"`{name}`", *cells
