"""The lecture's pictures as networks (`workloads/study_*.yaml`): what each shows, and that equal forms are equal."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import pytest

from accelsim.check.arithmetic import Values
from accelsim.check.execute import check_network
from accelsim.check.reference import compute_directly
from accelsim.cli import main
from accelsim.config.load import load_machine, parse_overrides
from accelsim.network.graph import INPUT, Network, Node
from accelsim.run.simulate import load_network, simulate


@cache
def network(name: str, *settings: str) -> Network:
    return load_network(name, parse_overrides(enumerate(settings)))[1]


def test_a_1x1_reduction_saves_clocks_and_bytes_too() -> None:
    """21 times fewer MACs; on `edge` more than 5 times fewer clocks, and fewer DRAM bytes."""
    direct, reduced = (simulate(f"study_inception_{kind}", "edge").totals for kind in ("direct", "reduced"))
    assert round(direct["macs"] / reduced["macs"], 1) == 21.4
    assert reduced["total_cycles"] < direct["total_cycles"] / 5
    assert reduced["dram_read_bytes"] < direct["dram_read_bytes"]


def test_pooling_late_costs_more_macs_with_the_same_weights() -> None:
    """SqueezeNet's third strategy buys accuracy with work, not with weights."""
    early, late = network("study_pool_early"), network("study_pool_late")
    assert (early.weights, round(late.macs / early.macs, 2)) == (late.weights, 3.25)


def test_a_resnext_block_has_about_the_macs_and_weights_of_a_resnet_block() -> None:
    """Xie et al., Fig. 1: "roughly the same complexity"."""
    plain, grouped = network("study_block_resnet"), network("study_block_resnext")
    assert grouped.macs / plain.macs == pytest.approx(1, abs=0.01)
    assert grouped.weights / plain.weights == pytest.approx(1, abs=0.01)


GROUPED = "study_block_resnext"
FORMS = [f"{GROUPED}_add", f"{GROUPED}_concat", GROUPED]
"""Xie et al., Fig. 3 a, b and c."""


@pytest.mark.parametrize("form", FORMS)
def test_the_forms_of_a_resnext_block_cost_the_same(form: str) -> None:
    """In MACs and weights; and each has its 32 paths, 3 times."""
    assert (network(form).macs, network(form).weights) == (network(GROUPED).macs, network(GROUPED).weights)
    spatial = [each for each in network(form).nodes if each.window.vertical.kernel == 3]
    assert sum(each.groups for each in spatial) == 3 * 32
    assert {each.sizes[0].channels // each.groups for each in spatial} == {4}


def small(form: str) -> Network:
    return network(form, "network.input.height=6", "network.input.width=5")


def weights_of(layer: Node, whole: dict[str, Values]) -> Values:
    """Those of a layer, or of one path of it, out of those of the grouped form."""
    block, path, name = re.fullmatch(r"(block\d)_(?:paths(\d+)_)?([abc])", layer.name).groups()
    weights = whole[f"{block}_{name}"]
    if path is None:
        return weights
    number = int(path) - 1
    mine = slice(4 * number, 4 * number + 4)
    return {"a": weights[:, mine], "b": weights[number : number + 1], "c": weights[:, :, mine]}[name]


def shape_of(layer: Node) -> tuple[int, ...]:
    """Groups, output channels, input channels, kernel positions."""
    inputs, outputs = layer.sizes[0].channels // layer.groups, layer.output.channels // layer.groups
    return layer.groups, outputs, inputs, layer.window.elements


def test_the_forms_of_a_resnext_block_compute_the_same() -> None:
    """One set of weights, cut into paths; 60 bits hold every sum."""
    random = np.random.default_rng(0)
    whole = {each.name: random.integers(-1, 2, shape_of(each)) for each in small(GROUPED).nodes if each.weights}
    image = random.integers(-128, 128, (1, 6, 5, 256))
    outputs = []
    for form in FORMS:
        weights = {each.name: weights_of(each, whole) for each in small(form).nodes if each.weights}
        bits = dict.fromkeys([INPUT, *(each.name for each in small(form).nodes)], 60)
        maps = compute_directly(small(form), {INPUT: image}, weights, map_bits=bits, weight_bits=2)
        assert max(int(np.abs(values).max()) for values in maps.values()) < 1 << 50
        outputs.append(maps[small(form).nodes[-1].name])
    assert np.unique(outputs[0]).size > 1000
    assert np.array_equal(outputs[0], outputs[2])
    assert np.array_equal(outputs[1], outputs[2])


@pytest.mark.parametrize("form", [GROUPED, *(pytest.param(each, marks=pytest.mark.slow) for each in FORMS[:2])])
def test_the_forms_of_a_resnext_block_run_right(form: str) -> None:
    """On `edge`, on a small image."""
    assert check_network(small(form), load_machine("edge")) == []


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_the_forms_of_a_resnext_block_run_right_in_many_tiles(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`accelsim check`, of maps of 16 KiB, two of which do not fit."""
    sizes = ("network.input.height=8", "network.input.width=8", "sram.activation.capacity_bytes=24576")
    assert main(["check", form, "edge", *(word for size in sizes for word in ("--set", size))]) == 0
    assert "bit for bit" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize(("adds", "least"), [(32, 1.5), (0, 2)])
def test_the_more_a_resnext_block_is_split_the_more_it_costs(adds: int, least: float) -> None:
    """Equal MACs and weights, but the paths read the map 32 times, and their sums go to DRAM and back; once more where
    each is a pass of its own, as each path's results then go there, too."""
    small_map = {"network.input.height": 14, "network.input.width": 14, "scheduling.keep_activations": "never"}
    small_map["output_path.add"] = adds
    runs = [simulate(form, "edge", small_map).totals for form in FORMS]
    for column in ("total_cycles", "dram_read_bytes", "energy_total_pj"):
        added, concatenated, grouped = (totals[column] for totals in runs)
        assert added > least * concatenated > 2 * least * grouped
