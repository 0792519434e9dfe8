"""Tables of layers and mappings of DOSA: as network, as mapping file, and what is wrong with them."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.cli import main
from accelsim.config.load import configured_workload, load_machine, load_mapping
from accelsim.errors import UserError
from accelsim.importers import dosa
from accelsim.lowering.compile import lower
from accelsim.lowering.tiling.candidates import ORDERS
from accelsim.network.build import build
from tests.gemmini.mapping import loop_order, mapped_tile
from tests.gemmini.measured import DATA, table
from tests.gemmini.tiler import layers_of

HEADINGS = "C,K,N,P,Q,R,S,stride_h,stride_w,mapping"
LAYER = "256,256,1,7,7,3,3,1,1"
MAPPING = "L3[WIO] K2 S3 - L2[WI] N1 K16X - L1[O] K8 R3 C16 Q7 P7 C16X - L0[W] N1"


def lines_of(*rows: str) -> list[str]:
    return [HEADINGS, *rows]


def entry_of(layer: str, mapping: str) -> dict[str, object]:
    document = dosa.mapping(lines_of(f"{layer},{mapping}"), "table", "t.csv")
    (entry,) = document.data["scheduling"]["plan"]["layers"]
    return dict(entry)


def test_a_mapping_is_a_tile_and_an_order_of_loops() -> None:
    """`X` lies along the array; `L3` alone orders loops; part of a kernel is whole rows, or part of one."""
    assert entry_of(LAYER, MAPPING) == {
        "match": "line2",
        "tile": {"images": 1, "rows": 7, "columns": 7, "outputs": 128, "inputs": 256, "kernel": 3},
        "order": ["groups", "map", "outputs", "inputs"],
        "results": "apart",
    }
    product = entry_of("3072,768,1,128,1,1,1,1,1", "L3[WIO] C4 K48 - L2[WI] N1 K16X - L1[O] C48 P16 C16X - L0[W] P8")
    assert product["tile"] == {"images": 1, "rows": 128, "columns": 1, "outputs": 16, "inputs": 768}
    assert product["order"] == ["groups", "map", "inputs", "outputs"]
    weights_outside = "L3[WIO] K2 Q7 - L2[WI] K16X - L1[O] K8 S3 R3 C16 C16X - L0[W] P7"
    assert entry_of(LAYER, weights_outside)["order"] == ["groups", "outputs", "map", "inputs"]


@pytest.mark.parametrize("name", ["gemmini_firesim", "gemmini_mapped"])
def test_all_published_rows_are_read(name: str) -> None:
    """Those that a plan can say have the tiles and loops of the programs that were measured; the others one line each,
    and their layers are there."""
    lines = (DATA / f"{name}.csv").read_text(encoding="utf-8").splitlines()
    rows = table(f"{name}.csv")
    key = "mapping" if "mapping" in rows[0] else "dosa_mapping"
    entries = dosa.mapping(lines, name, name, allow_unmodelled=True).data["scheduling"]["plan"]["layers"]
    assert len(entries) == {"gemmini_firesim": 100, "gemmini_mapped": 444}[name]
    layers = list(layers_of(rows))
    for entry in entries:
        place = int(entry["match"].removeprefix("line")) - 2
        layer, text, tile = layers[place], rows[place][key], entry["tile"]
        if not layer.is_product:
            wanted = mapped_tile(layer, text)
            assert (tile["rows"], tile["columns"], tile["outputs"], tile["inputs"]) == (*wanted[:3], wanted.inputs)
            assert tile.get("kernel", layer.kernel**2) == wanted.kernel_rows * wanted.kernel_cols
        outermost = loop_order(text)[::-1]
        loops = [dosa.LOOPS[which] for which in outermost if f" {which}" in text.split(" - ")[0]]
        assert [loop for loop in entry["order"] if loop in loops] == list(dict.fromkeys(loops)), text
    with pytest.raises(UserError) as raised:
        dosa.mapping(lines, name, name)
    assert all("\n" not in str(mistake) and mistake.key == "mapping" for mistake in raised.value.mistakes)


def test_orders_are_those_of_plans() -> None:
    assert {("groups", *order) for order in dosa.ORDERS} <= set(ORDERS)


def test_a_network_has_the_maps_of_its_table() -> None:
    """Even kernels and strides, too: half of the kernel lies before the map."""
    rows = ["8,16,1,56,28,3,5,2,1", "8,16,1,6,6,2,2,1,1", "8,16,1,5,5,1,1,2,2", "32,16,1,9,1,1,1,1,1"]
    document = dosa.network(lines_of(*(f"{row},-" for row in rows)), "table", "t.csv")
    network = build(*configured_workload(document))
    found = {node.name: (node.output.height, node.output.width, node.output.channels) for node in network.nodes}
    assert [found[f"line{number}"] for number in range(2, 6)] == [(28, 56, 16), (6, 6, 16), (5, 5, 16), (9, 1, 16)]


def test_other_headings_of_the_same() -> None:
    """As the tool's own files have them, whatever stands beside."""
    own = (
        "target.cycle," + ",".join(f"prob.{name}" for name in dosa.SIZES) + ",prob.Hstride,prob.Wstride,mapping.mapping"
    )
    assert dosa.is_table([own])
    document = dosa.mapping([own, f"7.0,{LAYER},{MAPPING}"], "table", "t.csv")
    assert document.data["scheduling"]["plan"]["layers"][0]["tile"]["outputs"] == 128
    assert not dosa.is_table(["Layer name, IFMAP Height, IFMAP Width"])


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (f"{LAYER}", "t.csv:2: row: expected 10 values, as there are headings, got 9"),
        (f"0{LAYER[3:]},{MAPPING}", "t.csv:2: C: expected a whole number from 1 to"),
        (f"{LAYER},", "t.csv:2: mapping: expected L3[...] and its loops, as C4 or K16X, got ''"),
        (f"{LAYER},{MAPPING[:-1]}", "t.csv:2: mapping: expected L0[...] and its loops"),
        (f"{LAYER},{MAPPING.replace('S3', 'Z3')}", "t.csv:2: mapping: expected L3[...] and its loops"),
        (f"{LAYER},{MAPPING.replace('K8', 'K4')}", "t.csv:2: mapping: expected factors of K that make 256, got 128"),
        (f"{LAYER},{MAPPING.replace('K2 S3', 'K2 R3').replace('R3 C16', 'S3 C16')}", "got 3 x 1 positions"),
        (f"{LAYER},{'L3[WIO] ' + 'K1 ' * 400}", "t.csv:2: mapping: expected L3, L2, L1, L0 with ' - ' between"),
        (f"{LAYER},{MAPPING.replace('K2 S3', 'S3 K2 P7').replace('P7 C16X', 'C16X')}", "sums not outermost of three"),
    ],
)
def test_mistakes_have_a_line_each(row: str, told: str) -> None:
    with pytest.raises(UserError) as raised:
        dosa.mapping(lines_of(row), "table", "t.csv")
    (mistake,) = raised.value.mistakes
    assert told in str(mistake)


@settings(max_examples=200)
@given(st.lists(st.text("LCKNPQRS0123[]WIOXY -,.\n", max_size=80), max_size=4))
def test_whatever_stands_there_is_read_or_refused(rows: list[str]) -> None:
    for read in (dosa.mapping, dosa.network):
        with contextlib.suppress(UserError):
            read(lines_of(*rows), "table", "t.csv")


def test_long_tables_are_refused() -> None:
    lines = lines_of(*[f"{LAYER},{MAPPING}"] * (dosa.MOST_ENTRIES + 1))
    with pytest.raises(UserError, match="at most 4096 rows"):
        dosa.mapping(lines, "table", "t.csv")


def test_a_table_runs_with_its_mappings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As a new user does it: the table as the network, its mappings in a file beside; the plan is carried out."""
    path, mapping = tmp_path / "t.csv", tmp_path / "t.yaml"
    path.write_text("\n".join(lines_of(f"{LAYER},{MAPPING}")), encoding="utf-8")
    assert main(["import", str(path), "--mapping", "-o", str(mapping)]) == 0
    assert main(["import", str(path)]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["layers"][0]["name"] == "line2"
    network = build(*configured_workload(dosa.network(lines_of(f"{LAYER},{MAPPING}"), "t", "t.csv")))
    scheduling = load_mapping(str(mapping)).scheduling
    plans = [layer.plan for layer in lower(network, load_machine("gemmini"), scheduling).layers if layer]
    assert [(plan.rows, plan.cols, plan.out_channels, plan.in_channels, plan.taps) for plan in plans] == [
        (7, 7, 128, 256, 3)
    ]
    assert main(["import", str(tmp_path / "t.yaml"), "--mapping"]) == 2


def test_a_mapping_whose_sums_do_not_fit_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Line 97 of Gemmini's table: 28 x 28 x 720 sums of 4 bytes wait, where half of the accumulator has 2 MiB."""
    row = table("gemmini_firesim.csv")[95]
    path, mapping = tmp_path / "row.csv", tmp_path / "row.yaml"
    text = ",".join([row["dosa_mapping"] if name == "mapping" else row[name] for name in HEADINGS.split(",")])
    path.write_text(f"{HEADINGS}\n{text}\n", encoding="utf-8")
    assert main(["import", str(path), "--mapping", "-o", str(mapping)]) == 0
    assert main(["run", str(path), "gemmini", "--mapping", str(mapping), "--quiet"]) == 2
    assert "got 2257920 bytes of partial sums" in capsys.readouterr().err
