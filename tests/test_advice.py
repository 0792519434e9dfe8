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
    """Within 2 %: pieces round up. Layers by themselves, whose clocks none of another's stand between."""
    alone: dict[str, object] = {"scheduling.fusion": "never"}
    run = simulate("mobilenet_v1_0.50_160", "edge", alone)
    one = found(run, "depthwise")
    assert one.layers == tuple(record.layer for record in run.records if record.op == "dwconv")
    assert one.text.startswith("13 depthwise layers use ")
    again = simulate("mobilenet_v1_0.50_160", "edge", {**alone, "array.depthwise_on": "vector"})
    taken = sum(again.records[place].vector_cycles for place in of(run, one.layers))
    assert number_behind(one.text, "would take about ") == pytest.approx(taken, rel=0.02)
    assert not [each for each in advice(again) if each.kind == "depthwise"]


def test_layers_that_take_turns_have_their_own_clocks() -> None:
    """The depthwise layers of MobileNet take as long fused with the ones behind them as by themselves, within 2 %, with
    a DRAM that no row misses hold up."""
    settings: dict[str, object] = {"dram.device": "ideal_lpddr4"}
    texts = [
        found(simulate("mobilenet_v1_0.50_160", "edge", {**settings, "scheduling.fusion": fusion}), "depthwise").text
        for fusion in ("auto", "never")
    ]
    fused, alone = (number_behind(text, "instead of ") for text in texts)
    assert fused == pytest.approx(alone, rel=0.02)


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


FAST_DRAM: dict[str, object] = {"dram.device": "ideal_lpddr4", "dram.bytes_per_clock": 1000}
TALL = {**FAST_DRAM, "array.rows": 1024, "array.cols": 4, "scheduling.fusion": "never"}
WIDE = {**FAST_DRAM, "array.rows": 256, "array.cols": 256}


def test_another_dataflow_takes_what_was_estimated() -> None:
    """On a tall array a fully connected layer loads a thousand rows to stream one image. Within 2 %."""
    run = simulate("mobilenet_v1_0.25_128", "edge", TALL)
    idle = {each.layers[0]: each.text for each in advice(run) if each.kind == "idle"}
    again = simulate("mobilenet_v1_0.25_128", "edge", {**TALL, "array.dataflow": "is"})
    for layer in ("fc", "pw14"):
        assert "array.dataflow=is would take about " in idle[layer]
        (place,) = of(run, (layer,))
        after, before = again.records[place].total_cycles, run.records[place].total_cycles
        assert number_behind(idle[layer], "would take about ") == pytest.approx(after, rel=0.02)
        assert number_behind(idle[layer], "instead of ") == pytest.approx(before, rel=0.02)


def test_a_dataflow_that_the_sram_ports_would_hold_up_is_not_named() -> None:
    """With sums in the PEs 1024 rows read 1024 bytes a clock, and the port passes 32: no quicker, as a rerun says."""
    run = simulate("study_conv_separable", "edge", TALL)
    (one,) = (each for each in advice(run) if each.layers == ("pw",))
    (record,) = (record for record in run.records if record.layer == "pw")
    assert one.text.endswith(
        f"; SRAM ports hold it up in {record.stretched_cycles} of its {record.total_cycles} clocks"
    )
    for dataflow in ("is", "os"):
        again = simulate("study_conv_separable", "edge", {**TALL, "array.dataflow": dataflow})
        assert again.total.total_cycles > 0.8 * run.total.total_cycles


def test_no_batch_is_named_where_weights_are_used_for_many_pixels() -> None:
    """Even if they are waited for: a rerun with 8 images takes more clocks an image, not fewer."""
    wide_ports: dict[str, object] = {
        f"sram.{name}.port_bytes_per_cycle": 4096 for name in ("activation", "weight", "accumulator")
    }
    settings = {**WIDE, **wide_ports}
    run = simulate("study_conv_separable", "edge", settings)
    (record,) = (record for record in run.records if record.layer == "pw")
    assert record.stalls["dram_weight"] > record.total_cycles / 4
    (text,) = (each.text for each in advice(run) if each.layers == ("pw",) and each.kind == "idle")
    assert "network.batch" not in text
    again = simulate("study_conv_separable", "edge", {**settings, "network.batch": 8})
    assert again.total.total_cycles > 8 * run.total.total_cycles


def test_one_layer_is_spoken_of_as_one() -> None:
    run = simulate("study_conv_separable", "edge", {"array.rows": 256, "array.cols": 256})
    assert found(run, "depthwise").text.startswith("1 depthwise layer uses ")
    assert found(run, "buffers").text.startswith("1 layer loads ")


def test_a_batch_is_named_where_the_array_loads_longer_than_it_streams() -> None:
    """A fully connected layer on an array of 256 x 256: loads take 256 clocks, the stream one an image. Within 10 %."""
    run = simulate("mobilenet_v1_0.25_128", "edge", WIDE)
    (one,) = (each for each in advice(run) if each.layers == ("fc",))
    again = simulate("mobilenet_v1_0.25_128", "edge", {**WIDE, "network.batch": 8})
    (place,) = of(run, one.layers)
    assert run.records[place].stalls["dram_weight"] < run.records[place].total_cycles / 4
    assert "network.batch=8" in one.text
    assert number_behind(one.text, "about ") == pytest.approx(again.records[place].total_cycles / 8, rel=0.1)


FAMILIES = (
    "alexnet_grouped", "vgg13", "resnet18", "resnext50_32x4d", "densenet121", "googlenet", "mobilenet_v1_0.25_128",
    "squeezenet_v1.0", "shufflenet_1.0x_g3", "cmp_xceptionlike_38",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("machine", ["edge", "gemmini"])
@pytest.mark.parametrize("name", FAMILIES)
def test_advice_for_every_family_comes_true(name: str, machine: str) -> None:
    """Vector unit within 2 %. Of a batch no more than 25 % over the estimate: what loads behind other layers is left
    out, and makes some of them better."""
    run = simulate(name, machine)
    for one in advice(run):
        places = of(run, one.layers)
        if one.kind == "depthwise":
            again = simulate(name, machine, {"array.depthwise_on": "vector"})
            taken = sum(again.records[place].vector_cycles for place in places)
            assert number_behind(one.text, "would take about ") == pytest.approx(taken, rel=0.02)
        elif "network.batch=8" in one.text:
            again = simulate(name, machine, {"network.batch": 8})
            taken = sum(again.records[place].total_cycles for place in places)
            assert taken / 8 < 1.25 * number_behind(one.text, "about ")
            assert taken / 8 < number_behind(one.text, "instead of ")


def test_it_stands_under_the_summary_and_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "shufflenet_0.25x_g3", "edge"]) == 0
    printed = capsys.readouterr().out
    run = simulate("shufflenet_0.25x_g3", "edge")
    assert printed.endswith("worth a look:\n" + "".join(f"    {each.text}\n" for each in advice(run)))
    assert main(["run", "shufflenet_0.25x_g3", "edge", "--json"]) == 0
    warnings = json.loads(capsys.readouterr().out)["warnings"]
    assert [each["text"] for each in warnings] == [each.text for each in advice(run)]
    assert set(warnings[0]) == {"kind", "layers", "text"}
