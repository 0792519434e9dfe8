"""Do the parts of a difference add up to it, whatever differs?"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from functools import cache
from math import isclose
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given

from accelsim.cli import main
from accelsim.config.machine import Machine
from accelsim.config.scheduling import Scheduling
from accelsim.errors import UserError
from accelsim.explain.diff import Change, Difference, Waterfall, difference, differing_keys
from accelsim.explain.diff_text import MOST_LAYERS, difference_dict, difference_text, layer_rows, rows_of
from accelsim.explain.picture import picture
from accelsim.network.graph import Network
from accelsim.report.figure import KINDS
from accelsim.run.reprice import read_run, reprice
from accelsim.run.result import Run
from accelsim.run.simulate import load_network, run_network, simulate
from accelsim.version import __version__
from tests.report.plots.test_plots import assert_legible
from tests.strategies import any_machines, networks, schedulings

SMALL, OTHER = "study_inception_reduced", "study_inception_direct"


@cache
def ran(network: str, machine: str = "edge", *settings: str) -> Run:
    return simulate(network, machine, dict(setting.split("=") for setting in settings))


LECTURE = "energy.table=lecture_100x"
"""Whose prices depend on no size of the machine."""

SMALL_MAP = ("network.input.height=14", "network.input.width=14")

PAIRS = {
    "machines": lambda: (ran("shufflenet_g3"), ran("shufflenet_g3", "cloud")),
    "networks": lambda: (ran("shufflenet_g3"), ran("mobilenet_v1_0.25_128")),
    "tables": lambda: (ran("shufflenet_g3"), reprice(ran("shufflenet_g3"), "cacti_32nm")),
    "keys": lambda: (ran(SMALL, "edge", LECTURE), ran(SMALL, "edge", LECTURE, "array.dataflow=os")),
    "dram": lambda: (
        ran(SMALL),
        ran(SMALL, "edge", "dram.device=lpddr4-3200", "energy.dram_by=command", "dram.organisation.channels=1"),
    ),
    "engine": lambda: (
        ran("study_conv_separable", "edge", *SMALL_MAP),
        ran("study_conv_separable", "edge", *SMALL_MAP, "depthwise.channels=8", "array.depthwise_on=engine"),
    ),
    "everything": lambda: (ran(SMALL), ran(OTHER, "gemmini_default", "energy.table=horowitz_45nm")),
    "nothing": lambda: (ran(SMALL), ran(SMALL)),
}


@pytest.fixture(params=PAIRS)
def found(request: pytest.FixtureRequest) -> Difference:
    return difference(*PAIRS[request.param]())


def recorded(run: Run, measure: str) -> Fraction:
    """What the totals of a run say."""
    totals = run.totals
    match measure:
        case "cycles":
            return Fraction(totals["total_cycles"])
        case "time":
            return totals["total_cycles"] * 1000 / Fraction(repr(run.machine.array.clock_mhz))
        case "dram_burst_bytes":
            return Fraction(totals["dram_read_burst_bytes"] + totals["dram_write_burst_bytes"])
        case "sram_bytes":
            return Fraction(totals["sram_read_bytes"] + totals["sram_write_bytes"])
        case _:
            return Fraction(totals["energy_total_pj"]) / 10**6


def check(found: Difference) -> None:
    """Parts add up to the difference of the records: whole numbers exactly, energies up to the rounding of floats."""
    for waterfall in found.waterfalls:
        before, after = (recorded(run, waterfall.measure) for run in (found.a, found.b))
        if waterfall.measure == "energy":
            assert isclose(waterfall.total.before, before, rel_tol=1e-12)
            assert isclose(waterfall.total.after, after, rel_tol=1e-12)
        else:
            assert (waterfall.total.before, waterfall.total.after) == (before, after)
        for parts in (waterfall.by_cause, waterfall.by_layer):
            assert sum(each.change for each in parts.values()) == waterfall.total.change
        for name, each in waterfall.by_layer.items():
            assert sum(part.change for part in waterfall.causes_of(name).values()) == each.change
        assert_printed(waterfall)
    for run, place in ((found.a, "before"), (found.b, "after")):
        for record in run.records:
            assert getattr(found.waterfalls[0].by_layer[record.layer], place) == record.total_cycles


def assert_printed(waterfall: Waterfall) -> None:
    """In units of the last digit everything adds up across and down."""
    for changes in (waterfall.by_cause, waterfall.by_layer):
        *rows, total = rows_of(waterfall, changes)
        assert abs(total.before - waterfall.total.before * 10**waterfall.digits) <= Fraction(1, 2)
        for place in ("before", "after", "change"):
            assert sum(getattr(row, place) for row in rows) == getattr(total, place)
        for row in (*rows, total):
            assert sum(row.effects) == row.change or not row.effects
    *shown, total = layer_rows(waterfall)
    assert len(shown) <= MOST_LAYERS + 1
    assert sum(row.change for row in shown) == total.change


def test_parts_add_up_to_the_difference(found: Difference) -> None:
    check(found)


@pytest.mark.slow
@given(networks(), any_machines(), networks(), any_machines(), schedulings())
def test_parts_add_up_whatever_ran(
    one: Network, machine: Machine, other: Network, another: Machine, scheduling: Scheduling
) -> None:
    workload, _ = load_network("shufflenet_g3")
    try:
        runs = run_network(workload, one, machine), run_network(workload, other, another, scheduling)
    except UserError:
        assume(False)
        raise
    check(difference(*runs))


def numbers(text: str) -> Iterator[list[list[str]]]:
    """The tables of changes of a text, as cells."""
    for block in text.split("\n\n"):
        lines = block.splitlines()
        start = next((place for place, line in enumerate(lines) if line.startswith(("cause ", "layer "))), None)
        if start is not None:
            count = lines[start].split().index("change")
            yield [line.replace(" others", "_others").replace("in all", "in_all").replace("rest of bursts", "rest")
                   .split()[: count + 1] for line in lines[start + 1 :]]  # fmt: skip


def test_what_is_printed_adds_up_to_the_last_digit(found: Difference) -> None:
    tables = list(numbers(difference_text(found)))
    for rows in tables:
        *parts, total = ([Decimal(cell) for cell in row[1:]] for row in rows)
        assert [sum(column) for column in zip(*parts, strict=True)] == total
        for before, after, *effects, change in (*parts, total):
            assert after - before == change
            assert not effects or sum(effects) == change
    changed = [each for each in found.waterfalls if any(change.change for change in each.changes.values())]
    assert len(tables) == 2 * len(changed)


def test_the_same_run_twice_differs_in_nothing() -> None:
    found = difference(ran(SMALL), ran(SMALL))
    assert found.keys == {}
    assert all(waterfall.total.change == 0 for waterfall in found.waterfalls)
    assert difference_text(found).endswith(", 0.000 (+0.0%)")


def test_another_table_changes_prices_alone() -> None:
    """So the effect of counts, and of both, is nothing, and that of prices what pricing again gives."""
    found = difference(*PAIRS["tables"]())
    energy = found.waterfalls[-1]
    assert all(each.by_count == each.both == 0 for each in energy.changes.values())
    assert energy.total.by_price == energy.total.change != 0
    assert [waterfall.total.change for waterfall in found.waterfalls[:-1]] == [0] * (len(found.waterfalls) - 1)


def test_another_dataflow_changes_counts_alone() -> None:
    energy = difference(*PAIRS["keys"]()).waterfalls[-1]
    assert not energy.has_prices
    assert energy.total.by_count == energy.total.change != 0


def test_a_count_times_a_price_by_hand() -> None:
    """10 actions of 2 pJ against 13 of 3: 6 by count, 10 by price, 3 by both, which is 19 in all."""
    change = Change(Fraction(20), Fraction(39), Fraction(3 * 2), Fraction(10 * 1))
    assert (change.change, change.both) == (19, 3)


def test_layers_are_matched_by_name() -> None:
    found = difference(ran(SMALL), ran(OTHER))
    assert found.in_both == ("conv5x5",)
    assert (found.only_a, found.only_b) == (("reduce",), ())
    text = difference_text(found)
    assert "only in A: reduce\n" in text
    cycles = found.waterfalls[0]
    assert cycles.by_layer["reduce"].after == 0
    assert cycles.by_layer["reduce"].before == ran(SMALL).records[0].total_cycles


def test_keys_that_differ_are_named_but_not_where_numbers_are_from() -> None:
    a, b = ran(SMALL).config, ran(SMALL, "edge", "array.dataflow=os").config
    assert differing_keys(a, b) == {"machine.array.dataflow": ("ws", "os")}
    assert not any("source" in key for key in difference(*PAIRS["everything"]()).keys)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[str, str]:
    a, b = tmp_path / "a", tmp_path / "b"
    ran(SMALL).save(a)
    ran(OTHER, "gemmini_default", "energy.table=horowitz_45nm").save(b)
    return str(a), str(b)


def test_another_version_is_said(folders: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(folders[1]) / "run.json"
    path.write_text(path.read_text().replace(f'"accelsim_version": "{__version__}"', '"accelsim_version": "0.0.9"'))
    assert main(["diff", *folders]) == 0
    assert f"A is of accelsim {__version__}, B of 0.0.9: the model may differ\n" in capsys.readouterr().out


def test_json_says_the_same(folders: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", *folders, "--json"]) == 0
    parsed: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert parsed == difference_dict(difference(*map(read_run, folders)))
    for measure in parsed["measures"]:
        for rows in (measure["by_cause"], measure["by_layer"]):
            added = sum(Decimal(repr(row["change"])) for row in rows)
            assert added == Decimal(repr(measure["total"]["change"]))


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_drawn_with_its_rows_beside(
    kind: str, folders: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same twice."""
    output = tmp_path / f"diff.{kind}"
    assert main(["diff", *folders, "-o", str(output)]) == 0
    first = output.read_bytes()
    assert main(["diff", *folders, "-o", str(output)]) == 0
    assert output.read_bytes() == first
    with output.with_suffix(".csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["by"] for row in rows} == {"cause", "layer"}
    for measure in {row["measure"] for row in rows}:
        for by in ("cause", "layer"):
            *parts, total = (Decimal(row["change"]) for row in rows if (row["measure"], row["by"]) == (measure, by))
            assert sum(parts) == total


def test_bars_of_a_picture_end_at_the_difference(found: Difference) -> None:
    """Each panel's last bar is as long as the bars before it add up to; texts say what bars are, and can be read."""
    drawing = picture(found)
    for axes in drawing.figure.axes:
        *bars, whole = axes.patches
        assert isclose(sum(bar.get_width() for bar in bars), whole.get_width(), rel_tol=1e-9, abs_tol=1e-6)
        unit = axes.get_xlabel().removeprefix("change (").removesuffix(")")
        assert all(text.get_text().endswith(unit) or " " in unit for text in axes.texts)
        assert len(axes.texts) == len(axes.patches)
        assert axes.get_ylabel() in ("cause", "layer")
    assert_legible(drawing)


def test_entries_of_plans_are_known_by_what_they_name() -> None:
    """One that is left out is one key, and a whole plan against none too."""
    layers = [{"match": name, "tile": {"rows": 4}, "order": None} for name in ("a", "b", "b")]
    keep = [{"match": name, "address": None} for name in "ab"]
    plan = {"layers": layers, "groups": [["a", "b"]], "keep": keep}
    other = {"layers": layers[1:], "groups": [["a", "b", "c"]], "keep": [keep[1]]}
    a, b, free = ({"scheduling": {"plan": each}} for each in (plan, other, None))
    assert differing_keys(a, b) == {
        "scheduling.plan.layers.a.tile.rows": (4, None),
        "scheduling.plan.groups.a..b": ("a, b", None),
        "scheduling.plan.groups.a..c": (None, "a, b, c"),
        "scheduling.plan.keep.a.match": ("a", None),
    }
    assert differing_keys(free, a) == {"scheduling.plan": (None, "of 3 layers")}
