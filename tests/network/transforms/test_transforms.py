"""Do the ways to shrink a network do what their papers say, to weights, traffic, clocks and energy?"""

from __future__ import annotations

import csv
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from accelsim.cli import main
from accelsim.config.load import load_energy_table, parse_overrides
from accelsim.config.plan import Plan
from accelsim.config.scheduling import Scheduling
from accelsim.dataflows import DataflowName
from accelsim.dataflows.contract import Gemm
from accelsim.dataflows.timing import Ratio
from accelsim.dataflows.work import array_work, fullest
from accelsim.network.array import array_context
from accelsim.network.graph import Network, Node, WeightKind
from accelsim.report.layers import layer_table
from accelsim.run.result import Run
from accelsim.run.simulate import load_network, run_network, simulate
from tests.strategies import machine_of, network_of

GOLDEN = Path(__file__).parents[2] / "data" / "networks" / "squeezenet_v1.0_pruned_6bit.csv"
CONV: dict[str, Any] = {"name": "conv", "op": "conv", "kernel": 3, "pad": 1, "channels": 64}
POINTWISE: dict[str, Any] = {"name": "conv", "op": "conv", "kernel": 1, "channels": 64}
SIZE = (14, 14, 64)
PRICED = {"energy": load_energy_table("lecture_100x").model_dump(mode="json")}
"""Keys of a machine with round prices."""
WIDE_PORTS = {
    "sram__activation__port_bytes_per_cycle": 1 << 12,
    "sram__weight__port_bytes_per_cycle": 1 << 12,
    "dram__bytes_per_clock": 4096,
}


def network(name: str, *settings: str) -> Network:
    return load_network(name, parse_overrides(enumerate(settings)))[1]


def run_of(
    rows: list[dict[str, Any]],
    size: tuple[int, int, int],
    *,
    machine: dict[str, Any],
    scheduling: Scheduling = Scheduling(),
    **keys: Any,
) -> Run:
    return run_network(
        load_network("shufflenet_g3")[0], network_of(rows, size, **keys), machine_of(**machine), scheduling
    )


def by_name(network: Network) -> dict[str, Node]:
    return {node.name: node for node in network.nodes}


# --- pruning


def test_pruned_squeezenet_equals_its_golden_row_by_row() -> None:
    """Density, bits, nonzeros, parameters with biases and effective MACs; fire8's 3x3 with the density of its count."""
    columns = ("density_count", "bits", "nnz_weights", "params_after_pruning", "effective_macs")
    table = layer_table(network("squeezenet_v1.0_pruned_6bit"))
    with GOLDEN.open(newline="") as file:
        golden = list(csv.DictReader(file))
    assert [[str(row[key]) for key in columns] for row in table] == [[row[key] for key in columns] for row in golden]


def test_the_lectures_parameters_and_megabytes() -> None:
    """421,098 with biases: 0.316 MB at 6 bits without an index, 0.526 MB with 4 bits more for each; "< 0.5 MB" is the
    first. Ours stores what was not pruned without an index, and neither counts biases."""
    pruned = network("squeezenet_v1.0_pruned_6bit")
    parameters = sum(int(row["params_after_pruning"] or 0) for row in layer_table(pruned))
    assert parameters == 421_098
    assert round(parameters * 6 / 8 / 1e6, 3) == 0.316 < 0.5 < round(parameters * 10 / 8 / 1e6, 3) == 0.526
    dense = sum(-(-node.weights * 6 // 8) for node in pruned.nodes if node.pruning is None)
    sparse = [node for node in pruned.nodes if node.pruning is not None]
    assert dense + sum(node.nonzeros * 10 / 8 for node in sparse) <= pruned.stored_weight_bytes() < 0.526e6
    as_printed = network("squeezenet_v1.0_pruned_6bit", "network.prune.layers.fire8_expand3x3=0.33")
    assert as_printed.nonzeros - pruned.nonzeros == 48_661 - 44_237


@pytest.mark.parametrize(
    ("format_", "bits"),
    [("bitmap", 36_864 + 8 * 3_687), ("relative_index", 12 * (3_687 + 839))],
)
def test_stored_bits_by_hand(format_: str, bits: int) -> None:
    """36,864 weights, a tenth of them left, 8 bits each: a bit for every position; or 4 bits beside each value, and
    fillers where more than 15 zeros lie between: 0.9^16 / (1 - 0.9^16) = 0.22744 of a filler for each value."""
    pruned = network_of([CONV], SIZE, prune={"density": 0.1, "format": format_})
    assert pruned.nodes[0].weights == 36_864
    assert pruned.nodes[0].nonzeros == 3_687
    assert pruned.nodes[0].stored_weight_bits(8) == bits


def test_fillers_are_as_many_as_random_zeros_need() -> None:
    """Against an actual random layer: walk its values, and store a zero wherever 2^index_bits positions go by."""
    for density, index_bits in ((0.1, 4), (0.05, 3), (0.3, 2)):
        nonzero = np.random.default_rng(1).random(400_000) < density
        distances = np.diff(np.flatnonzero(nonzero), prepend=-1)
        fillers = int(((distances - 1) // (1 << index_bits)).sum())
        node = network_of([CONV], SIZE, prune={"density": density, "index_bits": index_bits}).nodes[0]
        expected = node.stored_weight_bits(8) / (8 + index_bits) / node.nonzeros - 1
        assert expected == pytest.approx(fillers / nonzero.sum(), rel=0.02)


@pytest.mark.parametrize("zeros", ["nothing", "gate", "skip"])
def test_what_zeros_save(zeros: str) -> None:
    """Nothing but bytes; or the energy of their MACs; or their MACs and clocks too. Sums are whole in each tile: the
    fullest of 32 columns has more than 64 of 256 nonzeros, which is three folds of rows instead of eight."""
    size, whole = (14, 14, 256), Plan.model_validate({"layers": [{"match": "conv", "tile": {"inputs": 256}}]})
    given = Scheduling(plan=whole)
    dense = run_of([POINTWISE], size, machine=WIDE_PORTS, scheduling=given).totals
    prune = {"density": 0.25, "zeros": zeros}
    pruned = run_of([POINTWISE], size, machine=WIDE_PORTS, scheduling=given, prune=prune).totals
    assert pruned["weights"] == dense["weights"] == 16_384
    assert pruned["nonzero_weights"] == 4_096
    assert (pruned["macs"] == dense["macs"]) == (zeros != "skip")
    assert pruned["active_macs"] == dense["active_macs"] // (1 if zeros == "nothing" else 4)
    assert (pruned["energy_mac_pj"] == dense["energy_mac_pj"]) == (zeros == "nothing")
    assert (pruned["array_busy_cycles"] < 0.5 * dense["array_busy_cycles"]) == (zeros == "skip")
    if zeros == "skip":
        assert pruned["macs"] == 196 * 4_096
        assert 8 * pruned["stream_cycles"] == 3 * dense["stream_cycles"]


def test_skipping_waits_for_the_fullest_column() -> None:
    """The expected maximum of c binomials, against plain sums of exact fractions; one column is just the mean."""
    for length, density, columns in ((9, Fraction(1, 3), 1), (36, Fraction(1, 4), 8), (20, Fraction(9, 10), 32)):
        chances = [comb(length, k) * density**k * (1 - density) ** (length - k) for k in range(length + 1)]
        below = [sum(chances[: k + 1]) for k in range(length + 1)]
        at_most = [chance**columns for chance in below]
        mean = sum(k * (now - before) for k, (before, now) in enumerate(pairwise([Fraction(0), *at_most])))
        share = Ratio(density.numerator, density.denominator)
        assert fullest(length, share, columns) == -(-mean.numerator // mean.denominator)
    assert fullest(36, Ratio(1, 4), 1) == 9 < fullest(36, Ratio(1, 4), 32) < 36
    assert fullest(36, Ratio(1, 1), 32) == 36


@pytest.mark.parametrize("dataflow", ["ws", "is", "os"])
def test_a_fuller_layer_never_takes_fewer_clocks(dataflow: DataflowName) -> None:
    """Folds of a sum of 576 on the array of `edge`, from nearly empty to dense; the dense one is the plain product."""
    wide = machine_of(array__dataflow=dataflow, **WIDE_PORTS)
    array, gemm = array_context(wide), Gemm(1, 196, 576, 64)
    cycles = [
        array_work(gemm, replace(array, skipped=Ratio(density, 100))).chain.serial_cycles
        for density in (1, 5, 10, 30, 50, 80, 95, 99, 100)
    ]
    assert cycles == sorted(cycles)
    assert cycles[0] < cycles[-1] / 4
    assert cycles[-1] == array_work(gemm, array).chain.serial_cycles


def test_what_is_skipped_must_still_come_through_the_ports() -> None:
    """Half as many steps, each with the activations of twice as many: on a port of a byte a row, no clock is saved."""
    array, gemm = array_context(machine_of()), Gemm(1, 196, 576, 64)
    half = array_work(gemm, replace(array, skipped=Ratio(1, 2), stored_weights=Ratio(1, 1)))
    assert half.chain.stream_cycles == pytest.approx(array_work(gemm, array).chain.stream_cycles, rel=0.02)
    assert half.unstretched_cycles < 0.7 * half.chain.stream_cycles


def test_pruned_weights_are_read_as_they_are_stored() -> None:
    """256 x 64, a quarter left: 4,096 values of 12 bits and 42 fillers, from DRAM and from SRAM."""
    fc = {"name": "fc", "op": "fc", "channels": 64}
    totals = run_of([fc], (1, 1, 256), machine={}, prune={"density": 0.25}).totals
    assert totals["dram_read_weight_bytes"] == pytest.approx((4_096 + 42) * 12 / 8, abs=8)
    assert totals["sram_read_weight_bytes"] == totals["sram_write_weight_bytes"] == totals["dram_read_weight_bytes"]


# --- quantization and signs


def test_traffic_scales_with_the_bits() -> None:
    """8 to 4 to 2 bits: weights and maps take so much less of DRAM and SRAM."""
    runs = [
        run_of([POINTWISE], SIZE, machine=PRICED, quantize={"weight_bits": bits, "activation_bits": bits}).totals
        for bits in (8, 4, 2)
    ]
    for key in ("dram_read_weight_bytes", "dram_read_ifmap_bytes", "dram_write_ofmap_bytes", "sram_read_ifmap_bytes"):
        assert runs[0][key] == 2 * runs[1][key] == 4 * runs[2][key]
    energy = [run["energy_mac_pj"] / run["active_macs"] for run in runs]
    assert energy == pytest.approx([0.2 / factor + 0.1 for factor in (1, 4, 16)])


def test_six_bit_weights_are_packed() -> None:
    """4,096 weights of 6 bits are 3,072 bytes."""
    totals = run_of([POINTWISE], SIZE, machine={}, quantize={"weight_bits": 6}).totals
    assert totals["dram_read_weight_bytes"] == 3_072
    assert totals["dram_write_ofmap_bytes"] == 14 * 14 * 64


def test_bits_of_single_layers() -> None:
    """`input` is the input map; a layer reads what the one before it writes."""
    rows = [{**POINTWISE, "name": "a"}, {**POINTWISE, "name": "b"}]
    quantize = {"layers": {"input": {"activation_bits": 16}, "a": {"activation_bits": 4, "weight_bits": 2}}}
    run = run_of(rows, SIZE, machine={}, scheduling=Scheduling(keep_activations="never"), quantize=quantize)
    first, second = run.records
    assert first.counts.dram_read_ifmap_bytes == 2 * 14 * 14 * 64
    assert first.counts.dram_write_ofmap_bytes == second.counts.dram_read_ifmap_bytes == 14 * 14 * 64 // 2
    assert first.counts.multiplier_bit_products == first.counts.active_macs * 16 * 2
    assert second.counts.multiplier_bit_products == second.counts.active_macs * 4 * 8


def test_a_narrower_sum_halves_what_the_accumulator_moves() -> None:
    """A K of several folds at 16 bits a sum."""
    wide, narrow = (run_of([CONV], SIZE, machine={}, quantize={"psum_bits": bits}).totals for bits in (32, 16))
    assert wide["sram_write_psum_bytes"] == 2 * narrow["sram_write_psum_bytes"] > 0
    assert wide["adder_bits"] == 2 * narrow["adder_bits"]


def test_maps_of_unequal_bits_are_copied_into_a_concat() -> None:
    """An address can't change the width of what lies there; equal widths are free as ever."""
    rows = [
        {"name": "a", "op": "conv", "kernel": 1, "channels": 8},
        {"name": "b", "op": "conv", "kernel": 1, "channels": 8, "inputs": ["input"]},
        {"name": "cat", "op": "concat", "inputs": ["a", "b"]},
    ]
    equal = run_of(rows, (8, 8, 8), machine={}, quantize={"activation_bits": 4})
    assert equal.records[2].counts.dram_write_ofmap_bytes == 0
    unequal = run_of(rows, (8, 8, 8), machine={}, quantize={"layers": {"a": {"activation_bits": 4}}})
    assert unequal.records[2].counts.dram_write_ofmap_bytes == 8 * 8 * 8


def test_binary_and_ternary_weights_add_and_the_ends_stay() -> None:
    """1 and 2 bits, no multiplier; with maps of one bit an XNOR."""
    for kind, bits in (("binary", 1), ("ternary", 2)):
        nodes = by_name(network("alexnet_grouped", f"network.binarize.weights={kind}"))
        weighted = [node for node in nodes.values() if node.op.weighted]
        assert [node.weight_kind for node in (weighted[0], weighted[-1])] == [WeightKind.INTEGER] * 2
        assert all(node.weight_kind == kind and node.bits.weight == bits for node in weighted[1:-1])
    keys = {"binarize": {"weights": "binary", "keep_ends": False}}
    signs = run_of([POINTWISE], SIZE, machine=PRICED, **keys).totals
    assert signs["dram_read_weight_bytes"] == 4_096 // 8
    assert signs["energy_mac_pj"] == pytest.approx(0.1 * signs["active_macs"])
    assert (signs["multiplier_bit_products"], signs["xnor_ops"]) == (0, 0)
    both = run_of([POINTWISE], SIZE, machine=PRICED, **keys, quantize={"activation_bits": 1}).totals
    assert both["xnor_ops"] == both["active_macs"]
    assert both["energy_mac_pj"] == pytest.approx((0.1 + 0.2 / 64) * both["active_macs"])


# --- shapes


def test_depthwise_separable_replacement_follows_the_law() -> None:
    """CostOf over that of the full convolution: 1/N + 1/k^2, for MACs and for weights."""
    for kernel, channels in ((3, 64), (5, 32), (3, 512)):
        row = {**CONV, "kernel": kernel, "pad": kernel // 2, "channels": channels}
        full = network_of([row], SIZE)
        cheap = network_of([row], SIZE, factorize={"kernels": "separable"})
        law = Fraction(1, channels) + Fraction(1, kernel * kernel)
        assert Fraction(cheap.macs, full.macs) == Fraction(cheap.weights, full.weights) == law
        assert [node.label for node in cheap.nodes] == ["dwconv", "conv"]


def test_conv_mobilenet_made_separable_is_mobilenet() -> None:
    """Table 4 of MobileNet's paper, by transform: its first layer is no pair there, so it is left out."""
    made = network("conv_mobilenet_1.00_224", "network.factorize.kernels=separable",
                   "network.factorize.layers.conv1.kernels=none")  # fmt: skip
    real = network("mobilenet_v1_1.00_224")
    assert (made.macs, made.weights) == (real.macs, real.weights)
    assert [(node.label, node.output) for node in made.nodes] == [(node.label, node.output) for node in real.nodes]


def test_low_rank_of_a_fully_connected_layer() -> None:
    """K x N as K x r and r x N: AlexNet's 9216 x 4096 with a quarter of 4096 in between."""
    made = network("alexnet_ungrouped", "network.factorize.dense=low_rank", "network.factorize.rank=0.25")
    nodes = by_name(made)
    first, second = (node for name, node in nodes.items() if name.startswith("fc6"))
    assert (first.weights, second.weights) == (9216 * 1024, 1024 * 4096)
    assert (first.activation, second.activation) == ("none", "relu")
    assert made.nodes[-1].inputs[0] in nodes


def test_spatial_and_channel_factors() -> None:
    """7x7 as 7x1 and 1x7, or to half of the channels and 1x1: weights and shapes by hand, the stride kept."""
    row = {**CONV, "kernel": 7, "pad": 3, "stride": 2, "channels": 96}
    spatial = network_of([row], SIZE, factorize={"kernels": "spatial"}).nodes
    assert [node.weights for node in spatial] == [64 * 7 * 32, 32 * 7 * 96]
    assert [(node.output.height, node.output.width) for node in spatial] == [(7, 14), (7, 7)]
    channel = network_of([row], SIZE, factorize={"kernels": "channel", "rank": 0.25}).nodes
    assert [node.weights for node in channel] == [64 * 49 * 16, 16 * 96]
    assert [(node.output.height, node.output.width) for node in channel] == [(7, 7), (7, 7)]


def test_grouped_layers_are_factorized_group_by_group() -> None:
    """1x1 with 4 groups: 4 groups of 16 x 8 and 8 x 24."""
    row = {"name": "g", "op": "conv", "kernel": 1, "channels": 96, "groups": 4}
    first, second = network_of([row], SIZE, factorize={"dense": "low_rank"}).nodes
    assert (first.groups, second.groups) == (4, 4)
    assert (first.weights, second.weights) == (4 * 16 * 8, 4 * 8 * 24)


@pytest.mark.parametrize("name", ["vgg16", "resnet50_v1", "resnext50_32x4d", "densenet121", "googlenet"])
def test_width_scales_any_network(name: str) -> None:
    """About alpha^2 of the MACs, channels divisible by the groups, classes kept."""
    half = network(name, "network.width=0.5")
    assert half.macs / network(name).macs == pytest.approx(0.25, abs=0.02)
    assert half.nodes[-1].output.channels == 1000
    for node in half.nodes:
        assert node.sizes[0].channels % node.groups == node.output.channels % node.groups == 0


def test_mobilenet_and_shufflenet_scale_as_their_papers_say() -> None:
    """Not once more by the general rule; a decimal width is taken as it is written."""
    assert network("mobilenet_v1_0.50_160").macs == network("mobilenet_v1_1.00_160", "network.width=0.5").macs
    assert network("shufflenet_0.5x_g3").macs == network("shufflenet_1.0x_g3", "network.width=0.5").macs
    assert by_name(network("mobilenet_v1_0.29_224"))["pw2"].output.channels == 18
    rows = [{**CONV, "name": "a", "channels": 100}, CONV]
    assert network_of(rows, SIZE, width=0.29).nodes[0].output.channels == 29


def test_resolution_of_a_network_of_rows() -> None:
    """A square input of another size; what the file expects of its own size is not held against it."""
    assert network("shufflenet_g3", "network.resolution=112").input.height == 112
    assert network("shufflenet_g3", "network.resolution=224").macs == network("shufflenet_g3").macs


def test_transforms_compose() -> None:
    """Thinner, factorized, narrow, ternary and pruned at once, and it runs."""
    settings = {
        "network.width": 0.5,
        "network.factorize.kernels": "separable",
        "network.quantize.weight_bits": 6,
        "network.binarize.weights": "ternary",
        "network.prune.density": 0.5,
        "network.resolution": 64,
    }
    totals = simulate("vgg16", "edge", settings).totals
    assert totals["nonzero_weights"] == pytest.approx(totals["weights"] / 2, abs=40)
    assert totals["multiplier_bit_products"] > 0


def test_every_wrong_name_is_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Layers that are not there or have no weights, sections that ask for nothing."""
    wrong = ["--set=network.quantize.layers.pool1.weight_bits=4", "--set=network.quantize.layers.conf1_1.weight_bits=4"]
    wrong += ["--set=network.prune.layers.pool1=0.5"]
    assert main(["show", "vgg16", "--layers", *wrong]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "command-line:4: network.quantize.layers.pool1.weight_bits: expected a layer with weights, got 'pool1'",
        "command-line:5: network.quantize.layers.conf1_1: expected the name of a layer or input "
        "(did you mean conv1_1?), got 'conf1_1'",
        "command-line:6: network.prune.layers.pool1: expected the name of a layer with weights, got 'pool1'",
    ]
    assert main(["show", "vgg16", "--layers", "--set=network.factorize.rank=0.5"]) == 2
    assert "network.factorize: expected dense or kernels, got neither" in capsys.readouterr().err
