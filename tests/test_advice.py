"""Are the layers that are worth a look the right ones, and do the estimates come true when the advice is taken?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from accelsim.cli import main
from accelsim.run.advice import Advice, advice
from accelsim.run.result import Run
from accelsim.run.simulate import simulate

GOOD = Path(__file__).parent / "invalid" / "good"


def found(run: Run, kind: str) -> Advice:
    (one,) = (each for each in advice(run) if each.kind == kind)
    return one


def number_behind(text: str, words: str) -> float:
    return float(text.partition(words)[2].split()[0].strip(",;"))


def of(run: Run, layers: tuple[str, ...]) -> list[int]:
    return [place for place, record in enumerate(run.records) if record.layer in layers]


def test_depthwise_layers_on_the_vector_unit_take_what_was_estimated() -> None:
    """Within 2 %: pieces round up."""
    run = simulate("mobilenet_v1_0.50_160", "edge")
    one = found(run, "depthwise")
    assert one.layers == tuple(record.layer for record in run.records if record.op == "dwconv")
    assert one.text.startswith("13 depthwise layers use ")
    again = simulate("mobilenet_v1_0.50_160", "edge", {"array.depthwise_on": "vector"})
    taken = sum(again.records[place].vector_cycles for place in of(run, one.layers))
    assert number_behind(one.text, "would take about ") == pytest.approx(taken, rel=0.02)
    assert not [each for each in advice(again) if each.kind == "depthwise"]


@pytest.mark.parametrize("name", ["mobilenet_v1_1.00_224", "alexnet_grouped"])
def test_a_batch_shares_the_weights_as_estimated(name: str) -> None:
    """Within 10 %: what overlaps with the layers around is left out of the estimate."""
    run = simulate(name, "edge")
    idle = [each for each in advice(run) if each.kind == "idle"]
    assert idle
    again = simulate(name, "edge", {"network.batch": 8})
    for one in idle:
        (place,) = of(run, one.layers)
        assert "network.batch=8" in one.text
        assert number_behind(one.text, "about ") == pytest.approx(again.records[place].total_cycles / 8, rel=0.1)


def test_buffers_of_twice_the_size_save_what_was_estimated() -> None:
    """Within 10 %, where all maps go through DRAM: bursts in full."""
    settings: dict[str, object] = {"scheduling.keep_activations": "never"}
    run = simulate("vgg16", "gemmini", settings)
    one = found(run, "buffers")
    sizes = {"activation": 393216, "weight": 131072, "accumulator": 131072}
    twice = {f"sram.{name}.capacity_bytes": size for name, size in sizes.items()}
    again = simulate("vgg16", "gemmini", {**settings, **twice})
    saved = sum(moved(run, place) - moved(again, place) for place in of(run, one.layers))
    assert number_behind(one.text, "would move about ") == pytest.approx(saved / 2**20, rel=0.1)


def moved(run: Run, place: int) -> int:
    return run.records[place].counts.dram_burst_bytes


def test_a_mapping_that_closes_rows_is_named() -> None:
    """And one that keeps them open is not, and takes fewer clocks."""
    device = {"dram.device": "lpddr4-3200"}
    bad = simulate("shufflenet_0.25x_g3", "edge", {**device, "dram.address_mapping": "column:bank:bankgroup:row"})
    good = simulate("shufflenet_0.25x_g3", "edge", device)
    one = found(bad, "rows")
    counts = bad.total.counts
    bursts = counts.dram_row_hits + counts.dram_row_misses + counts.dram_row_conflicts
    assert one.text.startswith(f"{counts.dram_row_conflicts / bursts:.1%} of the DRAM bursts find another row")
    each = number_behind(one.text, "tRP + tRCD = ")
    assert each == 2 * 29
    assert not [advised for advised in advice(good) if advised.kind == "rows"]
    assert bad.total.total_cycles > 1.2 * good.total.total_cycles


def test_a_machine_that_fits_gets_no_advice() -> None:
    room = {f"sram.{name}.capacity_bytes": 8 << 20 for name in ("activation", "weight", "accumulator")}
    assert advice(simulate("study_conv_standard", "edge", room)) == []


def test_another_dataflow_is_named_where_it_streams_for_less() -> None:
    """A product with a short sum and many columns leaves most rows of a weight-stationary array unused."""
    run = simulate("study_inception_direct", "edge", {"array.rows": 1024, "array.cols": 4})
    texts = [each.text for each in advice(run)]
    assert all("array.dataflow=" in text or "no dataflow" in text or "waits for DRAM" in text for text in texts)


def test_it_stands_under_the_summary_and_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "shufflenet_0.25x_g3", "edge"]) == 0
    printed = capsys.readouterr().out
    run = simulate("shufflenet_0.25x_g3", "edge")
    assert printed.endswith("worth a look:\n" + "".join(f"    {each.text}\n" for each in advice(run)))
    assert main(["run", "shufflenet_0.25x_g3", "edge", "--json"]) == 0
    warnings = json.loads(capsys.readouterr().out)["warnings"]
    assert [each["text"] for each in warnings] == [each.text for each in advice(run)]
    assert set(warnings[0]) == {"kind", "layers", "text"}
