"""Does `--what-if depthwise` say what a run with its settings says, for every unit that the machine can have?"""

from __future__ import annotations

import json
from typing import Any

import pytest

from accelsim.area.sizes import area_of
from accelsim.cli import main
from accelsim.run.depthwise import PLACES, depthwise_choices
from accelsim.run.simulate import simulate

NET = "study_conv_separable"
ENGINE = {"network.batch": 2, "depthwise.channels": 8, "array.depthwise_on": "auto"}


@pytest.mark.parametrize("settings", [{}, pytest.param(ENGINE, marks=pytest.mark.slow)])
def test_each_choice_is_a_run_with_its_settings(settings: dict[str, Any]) -> None:
    """Those of a machine without an engine have one of its own; that which the run has already is left out."""
    run = simulate(NET, "edge", settings)
    images = run.network.batch
    first, *others = depthwise_choices(run)
    assert first.cycles == run.total.total_cycles / images
    missing = "auto" if settings else "array, diagonal"
    assert [each.name for each in others] == [name for name in PLACES if name != missing]
    for each in others:
        again = simulate(NET, "edge", {**settings, **each.settings})
        own = sum(record.total_cycles for record in again.records if "dw" in record.layer)
        area = area_of(again.machine)
        assert area is not None
        assert (each.cycles, each.depthwise_cycles) == (again.total.total_cycles / images, own / images)
        assert each.energy_pj == pytest.approx(again.total.energy.total_pj / images)
        assert each.area_mm2 == area.total_mm2


def test_patches_are_left_out_where_the_array_has_none() -> None:
    run = simulate(NET, "edge", {"array.dataflow": "os"})
    assert "array, patches" not in [each.name for each in depthwise_choices(run)]


def test_a_unit_that_has_no_room_is_said_so(capsys: pytest.CaptureFixture[str]) -> None:
    """A line buffer of one byte."""
    line = ("--set", "depthwise.channels=8", "--set", "depthwise.line_buffer_bytes=1")
    assert main(["run", NET, "edge", "--quiet", "--what-if", "depthwise", *line]) == 0
    engine = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("engine"))
    assert "does not fit" in engine


def test_it_is_printed_and_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", NET, "edge", "--no-advice", "--json", "--what-if", "depthwise"]) == 0
    found = json.loads(capsys.readouterr().out)["depthwise"]
    assert [each["name"] for each in found] == ["as it is", *(name for name in PLACES if name != "array, diagonal")]
    assert main(["run", "study_conv_standard", "edge", "--quiet", "--what-if", "depthwise"]) == 0
    assert capsys.readouterr().out.endswith("no depthwise layers\n")
    assert main(["run", NET, "edge", "--what-if", "dephtwise"]) == 2
    assert "--what-if: expected one of resources, depthwise (did you mean depthwise?)" in capsys.readouterr().err
