"""Does the table of plans say what was compiled and simulated?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from accelsim.cli import main
from accelsim.config.families import nasbench_inputs
from accelsim.explain.plans import plans, plans_text
from accelsim.run.simulate import load_both, load_network, play_network
from tests.commands import refused

NET, MACHINE = (str(Path(__file__).parents[1] / "invalid" / "good" / f"{name}.yaml") for name in ("net", "machine"))


def test_a_row_is_what_was_compiled_and_simulated() -> None:
    played = play_network(*load_both("cmp_resnet_13", "edge"))
    rows = {row["layer"]: row for row in plans(played)}
    for layer, record in zip(played.lowered.layers, played.run.records, strict=False):
        if layer is None:
            assert record.layer not in rows
            continue
        row = rows[record.layer]
        assert (row["rows"], row["columns"], row["outputs"]) == (
            layer.plan.rows,
            layer.plan.cols,
            layer.plan.out_channels,
        )
        assert (row["group"] or "", row["total_cycles"]) == (record.group, record.total_cycles)
        assert (row["dram_burst_bytes"], row["dram_bound_bytes"]) == (
            record.counts.dram_burst_bytes,
            record.dram_bound_bytes,
        )
        assert (row["estimated_cycles"] is None) == bool(record.group or not layer.on_array)
    text = plans_text(played).splitlines()
    assert len(text) >= len(rows) + 2
    assert all(len(line) <= 140 for line in text)


def test_it_is_printed_as_text_and_json_of_files_and_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", NET, MACHINE, "-o", str(tmp_path), "-q"]) == 0
    capsys.readouterr()
    printed = []
    for argv in ([NET, MACHINE, "--plans"], [str(tmp_path), "--plans"]):
        assert main(["explain", *argv]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    assert main(["explain", NET, MACHINE, "--plans", "--json"]) == 0
    names = [row["layer"] for row in json.loads(capsys.readouterr().out)]
    assert [line.split()[0] for line in printed[0].splitlines()[2 : 2 + len(names)]] == names


def test_operators_on_ways_stand_below_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    """Each of one inference, once, though two are compiled, and in its order."""
    settings = ("--set", "output_path.add=32", "--set", "scheduling.inferences=2")
    assert main(["explain", "study_block_resnet", "edge", "--plans", *settings]) == 0
    text = capsys.readouterr().out
    assert text.split("operators that another layer does on the way of its data:\n")[1].splitlines() == [
        f"  block{number}_add (add): the output path of block{number}_c" for number in (1, 2, 3)
    ]


def test_a_layer_or_the_plans(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in ([], ["--plans", "--layer", "conv"]):
        assert "expected --layer or --plans" in refused(["explain", NET, MACHINE, *argv], capsys)


@pytest.mark.parametrize(
    ("cell", "macs", "weights"), [("333333", 220_119_680, 1_524_272), ("000100", 7_783_040, 72_752)]
)
def test_cells_of_nas_bench_201(cell: str, macs: int, weights: int) -> None:
    """All 3x3: 220.12 MFLOPs, as NATS-Bench (arXiv 2009.00437) has it; skip alone: stem, blocks, classes."""
    _, network = load_network(f"nasbench201_{cell}")
    assert (network.macs, network.weights) == (macs, weights)


@pytest.mark.parametrize(
    ("cell", "nodes"),
    [("300000", []), ("030000", []), ("000300", [3]), ("303003", [1, 2, 3]), ("330030", [1, 3]), ("330300", [3])],
)
def test_operations_that_reach_no_output_are_left_out(cell: str, nodes: list[int]) -> None:
    assert [node for node in nasbench_inputs(cell) if 3 in nasbench_inputs(cell)] == nodes
