"""Models that would take time or memory out of proportion to their size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from accelsim.errors import UserError
from accelsim.importers.onnx import folding, read
from accelsim.importers.onnx.model import MAX_GRAPH_READS
from tests.commands import alarm
from tests.fuzz import bounded_memory
from tests.importers.onnx.test_onnx import network, node, saved

SECONDS = 10
FIRST = np.zeros((1, 8, 16, 16), np.float32)
NONE = np.zeros((0, 1 << 31), np.int64)


def refusal(path: Path, **options: Any) -> str:
    with pytest.raises(UserError) as caught, alarm(SECONDS, of_processor=True):
        read(path, "model.onnx", **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("taken", "constants"),
    [
        (node("Slice", "none start end axis", "c"), {"none": NONE, "start": [0], "end": [1 << 31], "axis": [1]}),
        (onnx.helper.make_node("Split", ["none"], ["c", "d"], axis=1), {"none": NONE}),
        (node("Tile", "one times", "c"), {"one": np.ones((1, 4096)), "times": [1 << 31, 0]}),
        (node("Trilu", "none", "c"), {"none": np.zeros((0, 1 << 20, 1 << 20), np.int64)}),
    ],
)
def test_constants_without_elements_take_no_memory(
    taken: onnx.NodeProto, constants: dict[str, Any], tmp_path: Path
) -> None:
    """However long the dimensions are that are not empty."""
    nodes = [taken, node("Size", "c", "size"), node("Cast", "size", "zero", to=1), node("Add", "x zero")]
    path = saved(tmp_path, nodes, constants=constants)
    with bounded_memory():
        assert [each.op.name for each in network(path).nodes] == ["bn"]


def test_constants_whose_shape_is_inferred_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes a process of its own."""
    monkeypatch.setattr(folding, "MOST_INFERRED", 3)
    made = [node("Celu", f"c{number}", f"c{number + 1}") for number in range(4)]
    path = saved(tmp_path, [*made, node("Add", "x c4")], constants={"c0": FIRST})
    assert refusal(path) == (
        "model.onnx:4: Celu 'Celu_c4': expected at most 3 constants whose shape ONNX has to infer, got more"
    )


def test_names_of_operators_fake_no_mistake(tmp_path: Path) -> None:
    """What is no plain name is quoted."""
    fake = "a: expected b, got c"
    path = saved(tmp_path, [node(fake, "x", "r", domain="d.e"), node("Relu", "r")])
    assert refusal(path) == (
        f"model.onnx:1: d.e.'{fake}' '{fake}_r': expected an operator that can be modelled (docs/onnx.md),"
        f" got 'd.e.{fake}'"
    )


def test_tensors_that_all_nodes_read_are_counted(tmp_path: Path) -> None:
    reads = ["x"] * (MAX_GRAPH_READS + 1)
    path = saved(tmp_path, [onnx.helper.make_node("Concat", reads, ["y"], axis=1)])
    assert refusal(path) == (
        f"model.onnx:0: graph: expected nodes that read at most {MAX_GRAPH_READS} tensors, got {MAX_GRAPH_READS + 1}"
    )


def test_what_many_left_out_nodes_give_lies_as_its_readers_want_it(tmp_path: Path) -> None:
    """Found for all of them at once: here each is read through thousands of others."""
    nodes, before = list[onnx.NodeProto](), "x"
    for number in range(3000):
        nodes += [node("Bernoulli", "x", f"l{number}"), node("Add", f"{before} l{number}", f"a{number}")]
        before = f"a{number}"
    path = saved(tmp_path, [*nodes, node("Conv", f"{before} w")], weights={"w": (4, 8, 1, 1)})
    with alarm(SECONDS, of_processor=True):
        found = network(path, allow_unmodelled=True)
    assert [each.name.partition("_")[0] for each in found.nodes] == [*["Add"] * 3000, "Conv"]
    assert found.macs == 16 * 16 * 8 * 4


def test_long_chains_of_pools_that_many_nodes_read(tmp_path: Path) -> None:
    """A ReLU behind a concatenation looks through some pools for another one, not through thousands."""
    pools = [
        node("MaxPool", f"p{number}", f"p{number + 1}", kernel_shape=[3, 3], pads=[1] * 4) for number in range(3000)
    ]
    behind = [
        each
        for number in range(1000)
        for each in (node("Concat", "p3000 p2999", f"c{number}", axis=1), node("Relu", f"c{number}", f"d{number}"))
    ]
    outputs = [f"d{number}" for number in range(1000)]
    path = saved(tmp_path, [node("Relu", "x", "p0"), *pools, *behind], outputs=outputs)
    with alarm(SECONDS, of_processor=True):
        assert len(network(path).nodes) == 1 + 3000 + 2 * 1000
