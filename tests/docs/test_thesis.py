"""Does the page of the lecture say what `plots/thesis.py` prints, and is its CSV what the model computes now?"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from accelsim.run.simulate import simulate
from tests import lecture

ROOT = Path(__file__).resolve().parents[2]
CHECKED = (
    ("shufflenet_1.0x_g3", 1 << 19, "cacti_22nm"),
    ("squeezenet_v1.0_pruned_6bit", 1 << 22, "lecture_100x"),
    ("mobilenet_v1_0.50_224", 1 << 21, "lecture_100x"),
)


@pytest.fixture(scope="module")
def thesis() -> ModuleType:
    return lecture.thesis()


@pytest.fixture(scope="module")
def lines() -> list[dict[str, str]]:
    return lecture.thesis_lines()


def test_all_points_are_there(thesis: ModuleType, lines: list[dict[str, str]]) -> None:
    assert [(line["energy_table"], line["network"], int(line["on_chip_bytes"])) for line in lines] == [
        (table, name, size) for table in thesis.TABLES for name in thesis.NETWORKS for size in thesis.CAPACITIES
    ]


def test_the_lecture_has_the_tables_that_are_printed(thesis: ModuleType, lines: list[dict[str, str]]) -> None:
    page = (ROOT / "docs" / "lecture.md").read_text(encoding="utf-8")
    assert thesis.text_of(thesis.findings(lines)) in page
    assert thesis.capacities_text(lines) in page
    assert thesis.order_text(lines) in page


@pytest.mark.slow
@pytest.mark.parametrize(("name", "size", "table"), CHECKED)
def test_the_points_are_what_is_computed(
    name: str, size: int, table: str, thesis: ModuleType, lines: list[dict[str, str]]
) -> None:
    """Some of them, as a run of its own; if not: `python plots/thesis.py` draws it anew."""
    (line,) = (
        each
        for each in lines
        if (each["energy_table"], each["network"], int(each["on_chip_bytes"])) == (table, name, size)
    )
    shares = {"activation": 3 * size // 8, "weight": 3 * size // 8, "accumulator": size // 4}
    settings: dict[str, object] = {f"sram.{buffer}.capacity_bytes": part for buffer, part in shares.items()}
    run = simulate(name, "edge", {**settings, "scheduling.inferences": thesis.IMAGES, "energy.table": table})
    assert float(line["dram_energy_share"]) == pytest.approx(run.totals["dram_energy_share"])
    assert float(line["energy_dram_uj_per_image"]) == pytest.approx(run.total.energy.dram_pj / thesis.IMAGES / 1e6)
    assert float(line["interval_ms"]) == run.totals["interval_ms"]


def test_the_findings_are_those_the_lecture_draws(thesis: ModuleType, lines: list[dict[str, str]]) -> None:
    """All but AlexNet, and by the lecture's premise VGG, fit an FPGA."""
    beyond: dict[str, set[str]] = {table: set() for table in thesis.TABLES}
    for each in thesis.findings(lines):
        if each.capacity is None or each.capacity >= thesis.FPGA_BYTES:
            beyond[each.table].add(each.network)
    assert beyond == {"cacti_22nm": {"alexnet_grouped"}, "lecture_100x": {"alexnet_grouped", "vgg16"}}


def test_the_findings_begin_with_what_networks_need(thesis: ModuleType, lines: list[dict[str, str]]) -> None:
    """Capacity and energy there are those of a point, and from there on DRAM is below half."""
    found = thesis.findings(lines)
    text = " ".join(thesis.text_of(found).split())
    assert text.startswith(f"by {thesis.TABLES[0]} networks need, and an image takes there: ")
    points = {(each["energy_table"], each["network"], int(each["on_chip_bytes"])): each for each in lines}
    for each in found:
        shares = [float(points[each.table, each.network, size]["dram_energy_share"]) for size in thesis.CAPACITIES]
        heavy = [size for size, share in zip(thesis.CAPACITIES, shares, strict=True) if share >= 0.5]
        lighter = [size for size in thesis.CAPACITIES if size > max(heavy, default=0)]
        assert each.capacity == (lighter[0] if lighter else None)
        if each.capacity is not None:
            there = float(points[each.table, each.network, each.capacity]["energy_uj_per_image"])
            assert each.energy_uj == there
            assert f"{each.network} {thesis.need_text(each)}, {there:.0f} uJ" in text


def test_both_tables_have_one_order_at_the_capacity_of_the_machine(
    thesis: ModuleType, lines: list[dict[str, str]]
) -> None:
    own, premise = (thesis.ranked(lines, table, thesis.COMPARED_BYTES) for table in thesis.TABLES)
    assert thesis.turned(own, premise) == []


def test_the_places_that_rest_on_dear_dram(thesis: ModuleType, lines: list[dict[str, str]]) -> None:
    """As the page of the lecture names them, at the capacity of `edge`."""
    rest = {
        ("resnet34_A", "alexnet_grouped"),
        ("squeezenet_v1.0", "mobilenet_v1_1.00_224"),
        ("squeezenet_v1.0_pruned_6bit", "mobilenet_v1_1.00_224"),
    }
    more = {thesis.TABLES[0]: {("mobilenet_v1_0.50_224", "shufflenet_1.0x_g3")}, thesis.TABLES[1]: set()}
    for table in thesis.TABLES:
        dear = thesis.ranked(lines, table, thesis.COMPARED_BYTES)
        ratios = {
            line["network"]: float(line["energy_over_that_at_sram_price"])
            for line in lines
            if (line["energy_table"], int(line["on_chip_bytes"])) == (table, thesis.COMPARED_BYTES)
        }
        cheap = {name: energy / ratios[name] for name, energy in dear.items()}
        assert set(thesis.turned(dear, cheap)) == rest | more[table]
