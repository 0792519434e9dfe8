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
