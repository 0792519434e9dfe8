"""Does each change that is advised come out as it says when a user makes it, and are those that do not pay left out?"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from itertools import cycle
from typing import Any

import pytest

from accelsim.cli import main
from accelsim.config.derived import following
from accelsim.config.load import load_machine
from accelsim.records import RESOURCES
from accelsim.run.advice import SECONDS, TIMES, Advice, _seconds, advice, changed, choice, left_text
from accelsim.run.define import define_network
from accelsim.run.doubled import DOUBLED
from accelsim.run.hints import WORTH, Hint, _doubled, _Looked, afresh, hints
from accelsim.run.result import Run
from accelsim.run.simulate import simulate


def hint(run: Run, kind: str) -> Hint:
    return next(each for each in hints(run) if each.kind == kind)


@cache
def mobilenet() -> Run:
    return simulate("mobilenet_v1_0.25_128", "edge")


def kinds(run: Run) -> set[str]:
    return {each.kind for each in hints(run)}


def check(run: Run, network: str, machine: str, settings: dict[str, Any]) -> list[Advice]:
    """Each is a run with its settings, and pays."""
    found = advice(run, choice(run).tried)
    for one in found:
        again = simulate(network, machine, {**settings, **one.settings})
        images = again.network.batch * len(again.inference_ends)
        assert one.cycles_after == again.total.total_cycles / images
        assert one.energy_after_pj == pytest.approx(again.total.energy.total_pj / images)
        assert one.saves > WORTH
        assert one.cycles_after < 0.98 * one.cycles_before or one.energy_after_pj < 0.98 * one.energy_before_pj
        changes = f"{one.cycles_after / one.cycles_before - 1:+.1%}", f"energy {_change(one):+.1%}"
        assert all(each in one.text for each in changes)
    assert [each.saves for each in found] == sorted((each.saves for each in found), reverse=True)
    return found


def _change(one: Advice) -> float:
    return one.energy_after_pj / one.energy_before_pj - 1


def test_advice_is_what_a_run_with_it_gives() -> None:
    found = check(mobilenet(), "mobilenet_v1_0.25_128", "edge", {})
    assert {"depthwise.channels", "array.depthwise_on"} in [set(each.settings) for each in found]


FAMILIES = (
    "alexnet_grouped", "vgg13", "resnet18", "resnext50_32x4d", "densenet121", "googlenet", "mobilenet_v1_0.25_128",
    "squeezenet_v1.0", "shufflenet_1.0x_g3", "cmp_xceptionlike_38",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("name", "machine"), list(zip(FAMILIES, cycle(("edge", "gemmini_default")))))
def test_advice_for_every_family_comes_true(name: str, machine: str) -> None:
    """On a small image."""
    settings = {"network.resolution": 96}
    check(simulate(name, machine, settings), name, machine, settings)


def test_what_does_not_pay_is_not_advised() -> None:
    """Depthwise layers on a vector unit that is slower than the array."""
    slow = {"vector.lanes": 2}
    run = simulate("study_conv_separable", "edge", slow)
    assert not [each for each in advice(run, choice(run).tried) if each.settings == {"array.depthwise_on": "vector"}]


def test_a_machine_that_fits_gets_no_advice_but_more_of_the_same() -> None:
    room = {f"sram.{name}.capacity_bytes": 8 << 20 for name in ("activation", "weight", "accumulator")}
    assert kinds(simulate("study_conv_standard", "edge", room)) <= {"resource"}


def test_weights_that_wait_for_a_batch() -> None:
    one = hint(mobilenet(), "batch")
    assert one.layers == ("fc",)
    assert one.settings == {"network.batch": 8}


def test_one_batch_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The largest for which there is time."""
    run = mobilenet()
    monkeypatch.setattr("accelsim.run.advice.hints", lambda run: [each for each in hints(run) if each.kind == "batch"])
    for seconds, batch in ((0.7, 2), (1.0, 4), (9.0, 8)):
        monkeypatch.setattr("accelsim.run.advice.SECONDS", seconds)
        assert [each.settings for each in choice(run).tried] == [{"network.batch": batch}]
        assert not choice(run).left


def test_what_there_was_no_time_for_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each set of keys once, the most promising first, and in all no other than are tried with time enough."""
    run, few = mobilenet(), choice(mobilenet())
    text = left_text(few.left)
    first = " ".join(f"{key}={value}" for key, value in few.left[0].settings.items())
    assert text.startswith(f"not tried, for lack of time, with cycles by estimate: {first} (-")
    assert [each.saves for each in few.left] == sorted((each.saves for each in few.left), reverse=True)
    assert text.endswith(f"; {len(few.left) - 3} more")
    monkeypatch.setattr("accelsim.run.advice.SECONDS", 99.0)
    assert choice(run).left == []
    keys = [set(each.settings) for each in (*few.tried, *few.left)]
    assert sorted(map(sorted, keys)) == sorted(sorted(each.settings) for each in choice(run).tried)


def test_tries_take_a_second_or_in_times_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """By their counts, so that the same are tried everywhere, the most promising first."""
    run = mobilenet()
    own = _seconds(run, 1)
    for seconds, most in ((SECONDS, SECONDS), (0.01, TIMES * own)):
        monkeypatch.setattr("accelsim.run.advice.SECONDS", seconds)
        found = choice(run).tried
        spent = sum(_seconds(run, int(each.settings.get("network.batch", 1)), each.saves) for each in found)
        assert most - own < spent <= most
        assert [each.saves for each in found] == sorted((each.saves for each in found), reverse=True)


def test_depthwise_layers_beside_the_others_on_a_vector_unit_that_idles() -> None:
    """The unit takes nearly as long as the array, but while that does something else."""
    run = mobilenet()
    one = next(each for each in hints(run) if each.settings == {"array.depthwise_on": "vector"})
    again = simulate("mobilenet_v1_0.25_128", "edge", one.settings)
    saved = 1 - again.total.total_cycles / run.total.total_cycles
    assert 0.5 * saved < one.saves < 2 * saved


@pytest.mark.parametrize("machine", ["edge", "dpu_b4096", "gemmini", "scalesim_default"])
def test_twice_of_a_resource_is_said_by_keys(machine: str) -> None:
    """All but what a list of caches says; the machine of its settings is the one that what-ifs try, with what follows
    its array."""
    run = replace(mobilenet(), machine=load_machine(machine))
    for name in (name for name in RESOURCES if name != "caches"):
        settings, better = _doubled(name, _Looked(run)), DOUBLED[name](run.machine)
        follows = following(run.machine, {"rows": better.array.rows, "cols": better.array.cols})
        assert changed(run.machine, settings) == changed(better, follows)
        assert bool(settings) == (better != run.machine)


def test_what_follows_the_array_follows_it_in_advice() -> None:
    """Ports, lanes and accumulator as a file that leaves them out has them; widths of its own stay."""
    machine = load_machine("edge")
    assert following(machine, {"rows": 64}) == {
        f"sram.{buffer}.port_bytes_per_cycle": 64 for buffer in ("activation", "weight")
    }
    narrow = changed(machine, {"sram.activation.port_bytes_per_cycle": 16})
    settings = _doubled("array_columns", _Looked(replace(mobilenet(), machine=narrow)))
    assert settings["vector.lanes"] == settings["sram.weight.port_bytes_per_cycle"] == 64
    assert "sram.activation.port_bytes_per_cycle" not in settings


def test_weights_of_one_inference() -> None:
    """Where they fit their buffer a second inference loads none."""
    room = {"sram.weight.capacity_bytes": 1 << 20}
    run = simulate("mobilenet_v1_0.25_128", "edge", room)
    two = simulate("mobilenet_v1_0.25_128", "edge", {**room, "scheduling.inferences": 2})
    assert "one inference loads all weights, 0.44 MiB, though they fit" in afresh(run)
    assert two.total.counts.dram_read_weight_bytes == run.total.counts.dram_read_weight_bytes
    assert not afresh(two)
    assert not afresh(mobilenet())


def test_a_buffer_that_nearly_keeps_a_map_names_it() -> None:
    small = {"sram.activation.capacity_bytes": 64 << 10}
    one = hint(simulate("study_conv_separable", "edge", small), "buffers")
    assert one.settings == {"sram.activation.capacity_bytes": 128 << 10}
    assert re.match(r"the map \w+, which \w+ reads, has \d+ KiB and goes through DRAM", one.why)


def test_weights_that_are_waited_for_while_the_bus_idles() -> None:
    run = simulate("mobilenet_v1_0.25_128", "edge", {"sram.weight.capacity_bytes": 16 << 10})
    one = hint(run, "ahead")
    assert one.settings == {"sram.weight.capacity_bytes": 32 << 10}
    assert "while engines that load are busy in" in one.why


@pytest.mark.slow
def test_a_mapping_that_closes_rows() -> None:
    device = {"dram.device": "lpddr4-3200"}
    bad = simulate("shufflenet_0.25x_g3", "edge", {**device, "dram.address_mapping": "column:bank:bankgroup:row"})
    assert hint(bad, "rows").settings == {"dram.address_mapping": "row:bank:column:bankgroup"}
    assert "rows" not in kinds(simulate("shufflenet_0.25x_g3", "edge", device))


@pytest.mark.parametrize("bits", [4, 8, 16])
def test_weights_that_are_loaded_once_are_not_loaded_again(bits: int) -> None:
    assert "weights" not in kinds(simulate("study_conv_standard", "edge", {"array.weight_bits": bits}))


def test_maps_of_a_product_are_no_weights_that_are_loaded_again() -> None:
    tokens = {"height": 256, "width": 1, "channels": 64}
    layers = [{"name": "scores", "op": "product", "inputs": ["input", "input"], "transposed": True}]
    network = define_network({"name": "scores", "source": "here", "input": tokens, "layers": layers})
    assert "weights" not in kinds(simulate(network, "edge"))


def test_stores_that_scatter() -> None:
    """Channels of a shuffle go one by one to where they belong, a byte of each burst."""
    run = simulate(
        "shufflenet_0.25x_g3", "edge", {"scheduling.keep_activations": "never", "scheduling.fusion": "never"}
    )
    one = hint(run, "scatter")
    assert one.settings == {"dma.scatter": False}
    assert "scatter channels and fill" in one.why


def test_an_array_that_is_too_large_for_its_tiles() -> None:
    """No layer has more than 256 channels, and most have far fewer."""
    run = simulate("mobilenet_v1_0.25_128", "edge", {"array.rows": 256, "array.cols": 256})
    assert hint(run, "size").settings["array.rows"] == 128


def test_another_dataflow_for_a_wide_array() -> None:
    """A depthwise layer has few rows of weights; pixels fill the columns."""
    wide = {"array.rows": 32, "array.cols": 512}
    assert hint(simulate("mobilenet_v1_0.25_128", "edge", wide), "dataflow").settings == {"array.dataflow": "is"}


def test_it_stands_under_the_summary_and_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["run", "study_conv_separable", "edge"]
    run = simulate(*argv[1:])
    found = advice(run, choice(run).tried)
    assert found
    assert main(argv) == 0
    assert "worth it:\n" + "".join(f"    {each.text}\n" for each in found) in capsys.readouterr().out
    assert main([*argv, "--json"]) == 0
    warnings = json.loads(capsys.readouterr().out)["warnings"]
    assert [each["text"] for each in warnings] == [each.text for each in found]
    assert set(warnings[0]) == set(Advice._fields)
    assert main([*argv, "--no-advice"]) == 0
    assert "worth it" not in capsys.readouterr().out
