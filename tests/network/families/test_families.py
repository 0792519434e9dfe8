"""Do the networks of the lecture count what their papers say, by every name they go by?"""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest

from accelsim.cli import main
from accelsim.config.accuracy import add_published
from accelsim.config.load import data_root, parse_overrides
from accelsim.config.named import names
from accelsim.config.strict_yaml import Document, Origin
from accelsim.config.variants import NAMES
from accelsim.config.workload import Accuracy
from accelsim.lowering.compile import lower
from accelsim.network.graph import Network
from accelsim.program.commands import Compute
from accelsim.report.layers import layer_table
from accelsim.run.simulate import load_both, load_network, simulate

GOLDENS = Path(__file__).parents[2] / "data" / "networks"
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
    assert list(rows[0]) == ["name", "stage", *COLUMNS]
    assert [[row[key] for key in COLUMNS] for row in rows] == [
        [row[key] for key in COLUMNS] for row in golden("mobilenet_v1_1.00_224")
    ]


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
    assert rows.nodes == family.nodes


PUBLISHED = list(csv.DictReader((data_root() / "workloads" / "accuracy.csv").read_text(encoding="utf-8").splitlines()))


def accuracy(name: str, *settings: str) -> Accuracy | None:
    return load_network(name, parse_overrides(enumerate(settings, 1)))[0].accuracy


def test_a_variant_carries_its_published_accuracy() -> None:
    """Each line belongs to a network that is listed; it is a percentage, with a source."""
    for line in PUBLISHED:
        assert line["network"] in NAMES
        top1_pct, top5_pct = float(line["top1_pct"]), float(line["top5_pct"]) if line["top5_pct"] else None
        assert 30 < top1_pct < (top5_pct or 100) <= 100
        found = accuracy(line["network"])
        assert found == Accuracy(top1_pct=top1_pct, top5_pct=top5_pct, kind=line["kind"], source=line["source"])


def test_no_other_network_does() -> None:
    """But for the short name of one that does."""
    known = {name for name in names("networks") if accuracy(name)}
    assert known == {line["network"] for line in PUBLISHED} | {"shufflenet_g3"}
    assert accuracy("shufflenet_g3") == accuracy("shufflenet_1.0x_g3")


def test_an_accuracy_is_that_of_one_network() -> None:
    """Whatever is changed but the batch makes it another one, and drops the accuracy as it does what is expected."""
    for name, change in (("mobilenet_v1_1.00_224", "network.width=0.9"), ("shufflenet_g3", "network.input.height=192")):
        assert accuracy(name, "network.batch=8") == accuracy(name)
        assert accuracy(name, "network.batch=8", change) is None
        assert accuracy(name, "network.accuracy=null") is None


def test_an_accuracy_can_be_set() -> None:
    """A key of it, or a whole one for a network that was changed."""
    name, own = "vgg16", ("network.accuracy.top1_pct=60.5", "network.accuracy.kind=mine", "network.accuracy.source=me")
    published, changed = accuracy(name), accuracy(name, own[0])
    assert published is not None
    assert changed == published.model_copy(update={"top1_pct": 60.5}) != published == accuracy(name)
    assert accuracy(name, "network.resolution=128", *own) == Accuracy(top1_pct=60.5, kind="mine", source="me")


def test_a_file_has_no_accuracy_but_its_own(tmp_path: Path) -> None:
    """Not even one that has the name and the parameters of a network whose accuracy is published."""
    path = tmp_path / "vgg16"
    path.write_text("name: vgg16\nsource: mine\nfamily: vgg\n")
    assert accuracy(str(path)) is None
    path.write_text(path.read_text() + "accuracy: {top1_pct: 1, kind: guess, source: me}\n")
    assert accuracy(str(path)) == Accuracy(top1_pct=1, kind="guess", source="me")


def test_an_accuracy_that_is_none_is_placed_at_its_line(tmp_path: Path) -> None:
    (tmp_path / "accuracy.csv").write_text("network,top1_pct,top5_pct,kind,source\na,1,,guess,me\nb,70 %,,guess,me\n")
    document = Document({"name": "b"}, {(): Origin("b", 0)})
    add_published(document, tmp_path)
    mistake = document.mistake(("accuracy", "top1_pct"), "a number", "")
    assert (mistake.file, mistake.line) == (f"{tmp_path.name}/accuracy.csv", 3)


def test_list_shows_what_networks_cost_and_how_accurate_they_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """MACs, weights, mebibytes, top-1 and where it is from."""
    monkeypatch.setenv("COLUMNS", "400")
    main(["list", "networks"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(names("networks"))
    (line,) = (line for line in lines if line.startswith("mobilenet_v1_1.00_224 "))
    assert line.split()[1:5] == ["568.74", "4.209", "4.01", "70.6"]
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
    """`accelsim check`, bit for bit, on the edge machine, on a small image."""
    assert main(["check", name, "edge", "--set", "network.resolution=67"]) == 0
    assert "bit for bit" in capsys.readouterr().out


DIFFERENT = {re.sub(r"_(224|192|160|128|96)$", "", name): name for name in NAMES}.values()
"""Variants that are others on an image of one size."""


@pytest.mark.slow
@pytest.mark.parametrize("name", DIFFERENT)
def test_every_variant_is_a_program_with_all_its_macs(name: str) -> None:
    """For `edge`, of a small image; that one of each family is played, too, `test_rerun.py` and the gallery see to."""
    size = 67 if name.startswith("alexnet") else 64
    _, network, machine, scheduling = load_both(name, "edge", [(0, f"network.resolution={size}")])
    commands = lower(network, machine, scheduling).program.commands
    computes = [command for command in commands if isinstance(command, Compute)]
    beside = (actions for compute in computes for _, actions in compute.beside)
    assert sum(actions.macs for actions in (*(each.actions for each in computes), *beside)) == network.macs
