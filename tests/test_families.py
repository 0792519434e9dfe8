"""Do the networks of the lecture count what their papers say, by every name they go by?"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from accelsim.cli import main
from accelsim.config.accuracy import published
from accelsim.config.load import data_root, shipped
from accelsim.config.variants import NAMES
from accelsim.network.graph import Network
from accelsim.report.layers import layer_table
from accelsim.run.simulate import load_network, simulate

GOLDENS = Path(__file__).parent / "data" / "networks"
COLUMNS = [
    "type",
    "in_h",
    "in_w",
    "in_c",
    "out_h",
    "out_w",
    "out_c",
    "kh",
    "kw",
    "stride",
    "pad",
    "groups",
    "macs",
    "params",
]


def network(name: str) -> Network:
    return load_network(name)[1]


def millions(name: str, *, without_fc: bool = False) -> float:
    nodes = network(name).nodes
    return sum(node.macs for node in nodes if not (without_fc and node.label == "fc")) / 1e6


def golden(name: str) -> list[dict[str, str]]:
    with (GOLDENS / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", sorted(path.stem for path in GOLDENS.glob("*.csv")))
def test_a_variant_equals_its_golden_table_row_by_row(name: str) -> None:
    """Type, shapes, kernel, stride, padding, groups, MACs and weights of every layer, in order."""
    table = layer_table(network(name))
    assert [[str(row[key]) for key in COLUMNS] for row in table] == [
        [row[key] for key in COLUMNS] for row in golden(name)
    ]


def test_the_layer_table_is_printed_with_the_columns_of_the_goldens(capsys: pytest.CaptureFixture[str]) -> None:
    """`accelsim show NAME --layers --csv`."""
    assert main(["show", "mobilenet_v1_1.00_224", "--layers", "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert list(rows[0]) == ["name", *COLUMNS]
    assert [[row[key] for key in COLUMNS] for row in rows] == [
        [row[key] for key in COLUMNS] for row in golden("mobilenet_v1_1.00_224")
    ]


@pytest.mark.parametrize(
    ("name", "weights", "macs"),
    [
        ("alexnet_ungrouped", 3_745_824 + 58_621_952, 1076.63 + 58.62),
        ("alexnet_grouped", 2_332_704 + 58_621_952, 665.78 + 58.62),
        ("resnet34_A", 21_095_616 + 512_000, 3643.98 + 0.512),
        ("densenet161", 26_252_064 + 2_208_000, 7725.7 + 2.208),
        ("mobilenet_v1_1.00_224", 3_185_088 + 1_024_000, 568.74),
        ("mobilenet_v1_0.25_224", 470_072 - 5_472 - 1_000, 41.03),
        ("squeezenet_v1.0_complex_bypass", 1_248_424 - 3_976 + 341_248 - 1_280, 1183.95),
    ],
)
def test_published_weights_and_macs(name: str, weights: int, macs: float) -> None:
    """Counted layer by layer elsewhere; biases and batch norms, where the source counts them, taken off."""
    assert network(name).macs / 1e6 == pytest.approx(macs, abs=0.011)
    assert network(name).weights == pytest.approx(weights, abs=0)


@pytest.mark.parametrize(("groups", "mflops"), [(1, 143), (2, 140), (3, 137), (4, 133), (8, 137)])
def test_shufflenet_table_1_counts_convolutions_only(groups: int, mflops: int) -> None:
    """All five figures of the paper, rounded."""
    assert round(millions(f"shufflenet_1.0x_g{groups}", without_fc=True)) == mflops


@pytest.mark.parametrize(
    ("name", "mflops"), [("shufflenet_2.0x_g3", 524), ("shufflenet_1.5x_g3", 292), ("shufflenet_2.0x_g3_se", 527)]
)
def test_shufflenet_table_5_counts_the_fc_too(name: str, mflops: int) -> None:
    """Against MobileNet, whose 569 M include it."""
    assert round(millions(name)) == mflops


@pytest.mark.parametrize(
    ("name", "mult_adds", "tolerance"),
    [
        ("conv_mobilenet_1.00_224", 4866, 1.5),
        ("mobilenet_v1_1.00_224", 569, 1),
        ("mobilenet_v1_0.75_224", 325, 1),
        ("mobilenet_v1_shallow_1.00_224", 307, 1),
        ("mobilenet_v1_0.50_224", 149, 1),
        ("mobilenet_v1_0.25_224", 41, 1),
        ("mobilenet_v1_1.00_192", 418, 1),
        ("mobilenet_v1_1.00_160", 290, 1),
        ("mobilenet_v1_1.00_128", 186, 1),
    ],
)
def test_mobilenet_tables_4_to_7(name: str, mult_adds: float, tolerance: float) -> None:
    """Million mult-adds of the paper; 4866 leaves out the fc (1.02 M)."""
    assert millions(name) == pytest.approx(mult_adds, abs=tolerance)


def test_mobilenet_table_2_with_its_erratum() -> None:
    """Shares of mult-adds: 94.86 % in 1x1, 3.06 % depthwise, 0.18 % fc; the 3x3 convolution has 1.91 %, not 1.19."""
    nodes = network("mobilenet_v1_1.00_224").nodes
    total = sum(node.macs for node in nodes)
    shares: dict[str, float] = {}
    for node in nodes:
        shares[node.kind] = shares.get(node.kind, 0) + 100 * node.macs / total
    assert {kind: round(share, 2) for kind, share in shares.items() if share} == {
        "conv 1x1": 94.86,
        "dwconv 3x3": 3.06,
        "conv 3x3": 1.91,
        "fc": 0.18,
    }


def test_squeezenet_has_48_8_times_fewer_parameters_than_alexnet() -> None:
    """The title says 50x: 60.95 M over 1.248 M with the biases of SqueezeNet."""
    biases = sum(node.output.channels for node in network("squeezenet_v1.0").nodes if node.weights)
    assert network("squeezenet_v1.0").weights + biases == 1_248_424
    assert pytest.approx(48.8, abs=0.05) == 60_954_656 / 1_248_424
    assert network("alexnet_grouped").weights == 60_954_656


@pytest.mark.parametrize("budget", [140, 38, 13])
@pytest.mark.parametrize("structure", ["vgglike", "resnet", "resnext", "xceptionlike"])
def test_comparators_meet_the_budget_of_their_class(structure: str, budget: int) -> None:
    """Within 5 %: class labels of the ShuffleNet paper; widths beyond those it names are derived from them."""
    assert millions(f"cmp_{structure}_{budget}", without_fc=True) == pytest.approx(budget, rel=0.05)


def test_width_scales_pointwise_cost_by_its_square_and_resolution_by_its_own() -> None:
    """Howard et al., section 3.3 and 3.4: about alpha^2, and rho^2, of the cost."""
    full = millions("mobilenet_v1_1.00_224", without_fc=True)
    assert millions("mobilenet_v1_0.50_224", without_fc=True) / full == pytest.approx(0.25, abs=0.02)
    assert millions("mobilenet_v1_1.00_160", without_fc=True) / full == pytest.approx((160 / 224) ** 2, abs=0.001)


def test_any_width_and_resolution_goes_by_name() -> None:
    """Not only those of the paper."""
    assert network("mobilenet_v1_0.35_96").input.height == 96
    assert network("mobilenet_v1_0.35_96").nodes[0].output.channels == 11


def test_parameters_of_a_family_can_be_set() -> None:
    """Any of them, as a key below `network`."""
    plain = simulate("mobilenet_v1_0.25_128", "edge")
    narrow = simulate("mobilenet_v1_0.25_128", "edge", {"network.width": 0.125})
    assert narrow.totals["macs"] < plain.totals["macs"] / 2


def test_the_short_name_of_shufflenet_is_the_variant() -> None:
    """`shufflenet_g3`, written as rows, and `shufflenet_1.0x_g3`, made by the family."""
    rows, family = network("shufflenet_g3"), network("shufflenet_1.0x_g3")
    assert rows.nodes == family.nodes[: len(rows.nodes)]
    assert [node.label for node in family.nodes[len(rows.nodes) :]] == ["softmax"]


def test_accuracies_belong_to_networks_that_exist() -> None:
    """And are percentages with a source."""
    for name, accuracy in published(data_root() / "workloads").items():
        assert name in NAMES
        assert 30 < accuracy.top1_pct < (accuracy.top5_pct or 100) <= 100
        assert accuracy.source
        assert accuracy.kind


def test_list_shows_what_networks_cost_and_how_accurate_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """MACs, weights, megabytes, top-1 and where it is from."""
    main(["list", "networks"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(shipped("networks")) + len(NAMES)
    (line,) = (line for line in lines if line.startswith("mobilenet_v1_1.00_224 "))
    assert line.split()[1:5] == ["568.74", "4.209", "4.21", "70.6"]
    assert "arXiv 1704.04861" in line


@pytest.mark.parametrize(
    "name",
    [
        "alexnet_grouped",
        "vgg13",
        "resnet34_A",
        "resnext50_32x4d",
        "densenet121",
        "googlenet",
        "mobilenet_v1_0.25_128",
        "squeezenet_v1.0_complex_bypass",
        "shufflenet_2.0x_g3_se",
        "cmp_resnext_13",
    ],
)
@pytest.mark.slow
def test_one_of_each_family_computes_what_it_should(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`accelsim check`, bit for bit, on the edge machine."""
    settings = [] if name not in ("vgg13", "densenet121", "googlenet") else ["--set", "network.resolution=64"]
    assert main(["check", name, "edge", *settings]) == 0
    assert "bit for bit" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_variant_runs_end_to_end(name: str) -> None:
    """On `edge`, with all its MACs."""
    assert simulate(name, "edge").totals["macs"] == network(name).macs


def test_a_separable_convolution_costs_one_over_n_and_k_squared() -> None:
    """Howard et al., section 3.1: 1/512 + 1/9 of the full convolution, in MACs and, but for rounding, in weights."""
    full, separable = network("study_conv_standard"), network("study_conv_separable")
    assert separable.macs * 512 * 9 == full.macs * (9 + 512)
    assert separable.weights * 512 * 9 == full.weights * (9 + 512)


def test_the_inception_branch_of_the_lecture() -> None:
    """112.9 M MACs directly, 5.3 M behind a 1x1 reduction: 21 times fewer, and fewer cycles and DRAM bytes too."""
    direct, reduced = (simulate(f"study_inception_{kind}", "edge").totals for kind in ("direct", "reduced"))
    assert (round(direct["macs"] / 1e6, 1), round(reduced["macs"] / 1e6, 1)) == (112.9, 5.3)
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
