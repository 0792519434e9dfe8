"""Do networks count what their papers say? And are wrong shapes refused?"""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from accelsim.errors import UserError
from accelsim.network import build
from accelsim.network.graph import Network
from accelsim.operators.shapes import Axis, Shape
from accelsim.run.simulate import load_network
from tests.strategies import network_of

GOLDENS = Path(__file__).parents[1] / "data" / "networks"
MAC_LAYERS = ("conv", "gconv", "dwconv", "fc")


def golden_rows(name: str) -> list[dict[str, str]]:
    with (GOLDENS / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def shufflenet() -> Network:
    return load_network("shufflenet_g3")[1]


def test_shufflenet_equals_its_golden_table_row_by_row(shufflenet: Network) -> None:
    """Type, shapes, kernel, stride, groups, MACs, weights, inputs and activation of each of the 87 layers in front
    of the softmax."""
    rows = golden_rows("shufflenet_1.0x_g3")
    *layers, softmax = shufflenet.nodes
    assert softmax.label == "softmax"
    for row, node in zip(rows, layers, strict=True):
        size = node.sizes[0]
        assert (row["name"], row["type"]) == (node.name, node.label)
        assert [int(row[key]) for key in ("in_h", "in_w")] == [size.height, size.width]
        output = node.output
        assert [int(row[key]) for key in ("out_h", "out_w", "out_c")] == [output.height, output.width, output.channels]
        assert sum(each.elements for each in node.sizes) == int(row["ifmap_elems"])
        assert (int(row["macs"]), int(row["params"])) == (node.macs, node.weights)
        assert row["inputs"].split(";") == list(node.inputs)
        assert (row["act"] or "none") == node.activation
        if node.label in MAC_LAYERS:
            assert int(row["kh"]) == (1 if node.label == "fc" else node.window.vertical.kernel)
            assert (int(row["stride"]), int(row["groups"])) == (node.window.vertical.stride, node.groups)


def test_shufflenet_by_the_paper_is_that_of_its_family(shufflenet: Network) -> None:
    """So that both names give the same clocks."""
    assert replace(shufflenet, source="") == replace(load_network("shufflenet_1.0x_g3")[1], source="")


def test_shufflenet_is_the_papers_137_mflops_without_its_fc(shufflenet: Network) -> None:
    """Table 1 of the paper counts the convolutions only."""
    (fc,) = (node for node in shufflenet.nodes if node.label == "fc")
    assert round((shufflenet.macs - fc.macs) / 1e6) == 137
    assert shufflenet.macs - fc.macs == 136_500_672


@pytest.mark.parametrize(
    ("axis", "outputs", "extent", "reads"),
    [
        (Axis(kernel=3, stride=1, pad=1), (0, 5), 5, 13),
        (Axis(kernel=3, stride=2, pad=1), (0, 3), 5, 7),
        (Axis(kernel=3, stride=1, dilation=2), (0, 1), 5, 3),
        (Axis(kernel=1, stride=1, pad=1), (0, 7), 5, 5),
        (Axis(kernel=5, stride=1, pad=4), (0, 2), 3, 3),
    ],
)
def test_reads_under_the_kernel_leave_padding_out(
    axis: Axis, outputs: tuple[int, int], extent: int, reads: int
) -> None:
    """By hand, and against a plain count."""
    assert axis.reads(*outputs, extent) == reads
    counted = sum(
        0 <= output * axis.stride - axis.pad + tap * axis.dilation < extent
        for output in range(*outputs)
        for tap in range(axis.kernel)
    )
    assert counted == reads


def test_a_tensor_may_have_several_consumers() -> None:
    """A residual: the same map goes to a convolution and to the add."""
    rows = [
        {"name": "a", "op": "conv", "kernel": 1, "channels": 4},
        {"name": "b", "op": "conv", "kernel": 3, "pad": 1, "channels": 4},
        {"name": "c", "op": "add", "inputs": ["a", "b"], "activation": "relu"},
    ]
    network = network_of(rows, (5, 5, 3))
    assert [node.name for node in network.consumers["a"]] == ["b", "c"]


def test_a_block_repeats_its_rows() -> None:
    """Names of its rows are local to each repetition; `above` is what enters it."""
    inner = [
        {"name": "a", "op": "conv", "kernel": 3, "pad": 1, "channels": 3},
        {"name": "b", "op": "conv", "kernel": 1, "channels": 3, "inputs": ["a"]},
        {"name": "add", "op": "add", "inputs": ["above", "b"]},
    ]
    network = network_of([{"name": "r", "op": "block", "times": 2, "layers": inner}], (5, 5, 3))
    assert [(node.name, node.inputs) for node in network.nodes] == [
        ("r1_a", ("input",)),
        ("r1_b", ("r1_a",)),
        ("r1_add", ("input", "r1_b")),
        ("r2_a", ("r1_add",)),
        ("r2_b", ("r2_a",)),
        ("r2_add", ("r1_add", "r2_b")),
    ]


PATH = [
    {"name": "a", "op": "conv", "kernel": 1, "channels": 3},
    {"name": "b", "op": "conv", "kernel": 3, "pad": 1, "channels": 3},
]


def inputs_of(network: Network) -> dict[str, tuple[str, ...]]:
    """What each node reads, in order of execution."""
    return {node.name: node.inputs for node in network.nodes}


def test_paths_that_are_added_up() -> None:
    """Each reads the map that enters; a chain of adds, the last of which has the name of the row."""
    rows = [
        {"name": "stem", "op": "conv", "kernel": 1, "channels": 3},
        {"name": "p", "op": "paths", "times": 3, "join": "add", "layers": PATH},
        {"name": "sum", "op": "add", "inputs": ["p", "stem"]},
    ]
    assert list(inputs_of(network_of(rows, (5, 5, 3))).items())[1:] == [
        ("p1_a", ("stem",)),
        ("p1_b", ("p1_a",)),
        ("p2_a", ("stem",)),
        ("p2_b", ("p2_a",)),
        ("p_sum2", ("p1_b", "p2_b")),
        ("p3_a", ("stem",)),
        ("p3_b", ("p3_a",)),
        ("p", ("p_sum2", "p3_b")),
        ("sum", ("p", "stem")),
    ]


def test_paths_that_are_concatenated() -> None:
    """In their order; the row behind reads the concatenation, which is in the stage of its row."""
    path = [PATH[0], {**PATH[1], "stage": "own"}]
    rows = [
        {"name": "p", "op": "paths", "times": 3, "join": "concat", "stage": "s", "layers": path},
        {"name": "after", "op": "gap"},
    ]
    network = network_of(rows, (5, 5, 3))
    assert inputs_of(network) == {
        "p1_a": ("input",),
        "p1_b": ("p1_a",),
        "p2_a": ("input",),
        "p2_b": ("p2_a",),
        "p3_a": ("input",),
        "p3_b": ("p3_a",),
        "p": ("p1_b", "p2_b", "p3_b"),
        "after": ("p",),
    }
    assert network.nodes[-2].output == Shape(5, 5, 9)
    assert [node.stage for node in network.nodes] == ["s", "own"] * 3 + ["s", "after"]


def test_paths_in_a_block_and_blocks_in_a_path() -> None:
    """Names and `above` are those of the innermost; a path's result is that of its block's last repetition."""
    twice = {"name": "b", "op": "block", "times": 2, "layers": [{"name": "c", "op": "relu"}]}
    paths = {"name": "p", "op": "paths", "times": 2, "join": "add", "layers": [twice]}
    rows = [
        {
            "name": "r",
            "op": "block",
            "times": 2,
            "layers": [paths, {"name": "add", "op": "add", "inputs": ["p", "above"]}],
        }
    ]
    network = network_of(rows, (5, 5, 3))
    assert inputs_of(network) == {
        "r1_p1_b1_c": ("input",),
        "r1_p1_b2_c": ("r1_p1_b1_c",),
        "r1_p2_b1_c": ("input",),
        "r1_p2_b2_c": ("r1_p2_b1_c",),
        "r1_p": ("r1_p1_b2_c", "r1_p2_b2_c"),
        "r1_add": ("r1_p", "input"),
        "r2_p1_b1_c": ("r1_add",),
        "r2_p1_b2_c": ("r2_p1_b1_c",),
        "r2_p2_b1_c": ("r1_add",),
        "r2_p2_b2_c": ("r2_p2_b1_c",),
        "r2_p": ("r2_p1_b2_c", "r2_p2_b2_c"),
        "r2_add": ("r2_p", "r1_add"),
    }
    assert {node.stage for node in network.nodes} == {"r"}


@pytest.mark.parametrize(
    ("kind", "times", "layers"),
    [({"op": "block"}, 5, 10), ({"op": "paths", "join": "add"}, 3, 8), ({"op": "paths", "join": "concat"}, 4, 9)],
)
def test_repetitions_are_bounded(
    kind: dict[str, str], times: int, layers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Joins count too; what is shown is where the number of repetitions stands."""
    monkeypatch.setattr(build, "MAX_NODES", 10)
    row = {"name": "r", **kind, "layers": PATH}
    assert len(network_of([{**row, "times": times}], (5, 5, 3)).nodes) == layers
    with pytest.raises(UserError, match=r"layers\.0\.times: expected at most 10 layers, got more"):
        network_of([{**row, "times": times + 1}], (5, 5, 3))


def test_a_mistake_in_a_block_is_shown_where_it_is() -> None:
    """Down to the row of the block and its key."""
    inner = [{"name": "a", "op": "conv", "kernel": 9, "channels": 3}]
    with pytest.raises(UserError) as caught:
        network_of([{"name": "r", "op": "block", "times": 2, "layers": inner}], (5, 5, 3))
    assert [mistake.key for mistake in caught.value.mistakes] == ["layers.0.layers.0.kernel"]


def test_ceil_keeps_a_partial_window_but_none_that_starts_behind_the_map() -> None:
    """112 -> 56 by a 3x3 window of stride 2 without padding needs the partial one."""
    row = {"name": "p", "op": "maxpool", "kernel": 3, "stride": 2, "ceil": True}
    assert network_of([row], (112, 112, 4)).nodes[0].output.height == 56
    row = {"name": "p", "op": "maxpool", "kernel": 1, "stride": 3, "ceil": True}
    assert network_of([row], (5, 5, 4)).nodes[0].output.height == 2


def test_all_mistakes_of_a_network_are_reported_at_once() -> None:
    """A wrong layer does not hide the next one, which is checked against what the wrong one would have given."""
    rows = [
        {"name": "a", "op": "conv", "kernel": 1, "channels": 4, "groups": 2},
        {"name": "b", "op": "conv", "kernel": 1, "channels": 4, "groups": 3},
        {"name": "c", "op": "add", "inputs": ["a", "nothing"]},
    ]
    with pytest.raises(UserError) as caught:
        network_of(rows, (5, 5, 3))
    assert [mistake.key for mistake in caught.value.mistakes] == [
        "layers.0.groups",
        "layers.1.groups",
        "layers.2.inputs",
    ]


def test_a_network_of_inputs_alone_is_refused() -> None:
    with pytest.raises(UserError, match="layers: expected a layer that reads the input, got inputs alone"):
        network_of([{"name": "a", "op": "input", "height": 2, "width": 2, "channels": 2}], (4, 4, 4))
