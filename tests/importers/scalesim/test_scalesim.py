"""Are SCALE-Sim's files read as SCALE-Sim means them, and are its cycles its cycles?"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import accelsim as sim
from accelsim.cli import main
from accelsim.config.load import configured_workload, load_machine, resolved_target
from accelsim.config.strict_yaml import parse
from accelsim.dataflows import DATAFLOWS
from accelsim.dataflows.contract import ArrayShape, Gemm
from accelsim.dataflows.folding import array_cycles
from accelsim.errors import UserError
from accelsim.importers import read
from accelsim.importers.scalesim.configuration import machine
from accelsim.importers.scalesim.topology import CONV, network
from accelsim.network.build import build
from accelsim.report.scalesim import reports
from accelsim.run.simulate import load_both, load_network, play_network

ROOT = Path(__file__).resolve().parents[3]
GOLDENS = list(
    csv.DictReader((ROOT / "tests/data/scalesim/golden_scalesim.csv").read_text(encoding="utf-8").splitlines())
)
CONV_HEADINGS = ",".join(("Layer name", *CONV))

CFG = """[general]
run_name = scale_example_run_32x32_ws
[architecture_presets]
ArrayHeight:    {rows}
ArrayWidth:     {cols}
IfmapSramSzkB:   64
FilterSramSzkB:  64
OfmapSramSzkB:   64
IfmapOffset:    0
FilterOffset:   10000000
OfmapOffset:    20000000
Bandwidth : 10
Dataflow : {dataflow}
MemoryBanks:   1
[layout]
IfmapCustomLayout: False
[sparsity]
SparsitySupport : false
[run_presets]
InterfaceBandwidth: CALC
UseRamulatorTrace: False
"""


def topology(folder: Path, *lines: str, headings: str = CONV_HEADINGS) -> str:
    path = folder / "topo.csv"
    path.write_text("\n".join((headings, *lines)), encoding="utf-8")
    return str(path)


def configuration(folder: Path, rows: object = 32, cols: object = 32, dataflow: str = "ws") -> str:
    path = folder / "scale.cfg"
    path.write_text(CFG.format(rows=rows, cols=cols, dataflow=dataflow), encoding="utf-8")
    return str(path)


def layers(folder: Path, *lines: str, headings: str = CONV_HEADINGS) -> list[Any]:
    return list(load_network(topology(folder, *lines, headings=headings))[1].nodes)


def test_every_golden_row_has_its_compute_cycles() -> None:
    assert len(GOLDENS) == 336
    for row in GOLDENS:
        m, k, n, rows, cols = (int(row[name]) for name in ("M", "K", "N", "rows", "cols"))
        array = ArrayShape(rows, cols, timing="scalesim-v3")
        found = array_cycles(DATAFLOWS[row["dataflow"]], Gemm(1, m, k, n), array, overlap=False)
        assert found == int(row["compute_cycles"]), row


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_a_run_of_its_files_has_its_compute_cycles(dataflow: str, tmp_path: Path) -> None:
    """From CSV and .cfg to the column, for all small products on one array."""
    wanted = ("random", dataflow, "16", "16")
    rows = [row for row in GOLDENS if (row["network"], row["dataflow"], row["rows"], row["cols"]) == wanted]
    assert len(rows) > 10
    lines = [f"{row['layer']}, {row['M']}, {row['N']}, {row['K']}," for row in rows]
    files = topology(tmp_path, *lines, headings="Layer, M, N, K,"), configuration(tmp_path, 16, 16, dataflow)
    run = sim.simulate(*files, {"array.timing": "scalesim-v3"})
    assert list(run.layers["array_cycles"]) == [int(row["compute_cycles"]) for row in rows]
    assert run.totals["array_cycles"] == sum(run.layers["array_cycles"])


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_reports_have_its_words_and_its_mapping(
    dataflow: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its titles; words of SRAM and shares of the array as it counted them. What is stationary is read again for each
    tile, of which it has none.

    Output-stationary results are M x N words here, without the R + C for each fold that are a defect of its own.
    """
    wanted = ("random", dataflow, "16", "16")
    rows = [row for row in GOLDENS if (row["network"], row["dataflow"], row["rows"], row["cols"]) == wanted]
    lines = [f"{row['layer']}, {row['M']}, {row['N']}, {row['K']}," for row in rows]
    topology(tmp_path, *lines, headings="Layer, M, N, K,")
    configuration(tmp_path, 16, 16, dataflow)
    monkeypatch.chdir(tmp_path)
    settings = ["--set", "array.timing=scalesim-v3", "--set", "sram.activation.capacity_bytes=1048576"]
    assert main(["run", "topo.csv", "scale.cfg", *settings, "-o", "out", "--scalesim-reports", "-q"]) == 0
    capsys.readouterr()
    compute, bandwidth, detailed = (read_report(tmp_path / "out" / f"{name}_REPORT.csv") for name in REPORTS)
    assert len(compute) == len(bandwidth) == len(detailed) == len(rows) > 10
    for row, shares, rates, words in zip(rows, compute, bandwidth, detailed, strict=True):
        sums = int(row["M"]) * int(row["N"]) if dataflow == "os" else int(row["sram_ofmap_writes"])
        assert shares["Mapping Efficiency %"] == pytest.approx(float(row["mapping_eff"]), abs=1e-6)
        assert words["SRAM OFMAP Writes"] == sums
        for title, theirs, operand in (("IFMAP", "ifmap", "ifmap"), ("Filter", "filter", "weight")):
            found, counted = words[f"SRAM {title} Reads"], int(row[f"sram_{theirs}_reads"])
            assert found >= counted if DATAFLOWS[dataflow].stationary == operand else found == counted
        total = shares["Total Cycles"]
        assert shares["Total Cycles (incl. prefetch)"] >= total >= shares["Stall Cycles"]
        assert rates["Avg IFMAP SRAM BW"] * total == pytest.approx(words["SRAM IFMAP Reads"])
        clocks = words["DRAM OFMAP Stop Cycle"] - words["DRAM OFMAP Start Cycle"] + 1
        assert rates["Avg OFMAP DRAM BW"] * clocks == pytest.approx(words["DRAM OFMAP Writes"])
        assert (
            words["DRAM Filter Start Cycle"] <= 0 <= words["SRAM IFMAP Start Cycle"] <= words["SRAM IFMAP Stop Cycle"]
        )


REPORTS = {
    "COMPUTE": "LayerID, Total Cycles (incl. prefetch), Total Cycles, Stall Cycles, Overall Util %, "
    "Mapping Efficiency %, Compute Util %,",
    "BANDWIDTH": "LayerID, Avg IFMAP SRAM BW, Avg FILTER SRAM BW, Avg OFMAP SRAM BW, Avg IFMAP DRAM BW, "
    "Avg FILTER DRAM BW, Avg OFMAP DRAM BW,",
    "DETAILED_ACCESS": "LayerID, SRAM IFMAP Start Cycle, SRAM IFMAP Stop Cycle, SRAM IFMAP Reads, "
    "SRAM Filter Start Cycle, SRAM Filter Stop Cycle, SRAM Filter Reads, "
    "SRAM OFMAP Start Cycle, SRAM OFMAP Stop Cycle, SRAM OFMAP Writes, "
    "DRAM IFMAP Start Cycle, DRAM IFMAP Stop Cycle, DRAM IFMAP Reads, "
    "DRAM Filter Start Cycle, DRAM Filter Stop Cycle, DRAM Filter Reads, "
    "DRAM OFMAP Start Cycle, DRAM OFMAP Stop Cycle, DRAM OFMAP Writes,",
}
"""Titles as in SCALE-Sim's own references, test/general/golden_trace_user_ws at 1d62b68."""


def read_report(path: Path) -> list[dict[str, float]]:
    titles, *lines = path.read_text(encoding="utf-8").splitlines()
    assert titles == REPORTS[path.name.removesuffix("_REPORT.csv")]
    names = titles.removesuffix(",").split(", ")
    rows = [dict(zip(names, map(float, line.removesuffix(",").split(", ")), strict=True)) for line in lines]
    assert [row["LayerID"] for row in rows] == list(range(len(rows)))
    return rows


def test_reports_of_any_network_add_up(tmp_path: Path) -> None:
    """All its inferences; layers that are addresses, or have neither weights nor DRAM, have zeros there."""
    rows = [
        {"name": "a", "op": "conv", "kernel": 3, "pad": 1, "channels": 8},
        {"name": "b", "op": "maxpool", "kernel": 2, "stride": 2},
        {"name": "c", "op": "slice", "channels": 4},
        {"name": "d", "op": "fc", "channels": 10},
    ]
    small = {"name": "small", "source": "mine", "input": {"height": 8, "width": 8, "channels": 4}, "layers": rows}
    given_both = load_both(sim.define_network(small), "edge", [(0, "scheduling.inferences=2")])
    played = play_network(*given_both, keep_history=True)
    path = tmp_path / "DETAILED_ACCESS_REPORT.csv"
    path.write_text(reports(played.run.records, played.history.linked, played.run.machine)[path.name])
    detailed = read_report(path)
    wanted = [record.counts.dram_read_ifmap_bytes for record in played.run.records]
    assert [row["DRAM IFMAP Reads"] for row in detailed] == wanted
    assert any(row["SRAM Filter Reads"] == row["SRAM Filter Stop Cycle"] == 0 for row in detailed)


def test_reports_need_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "vgg16", "edge", "--scalesim-reports"]) == 2
    assert capsys.readouterr().err == "command-line:0: --scalesim-reports: expected -o DIR beside it, got none\n"


def test_a_convolution_has_the_cycles_of_its_own_reference(tmp_path: Path) -> None:
    """AlexNet's first layer as in SCALE-Sim's repository at 1d62b68, test/general/golden_trace_calc: no stalls."""
    files = topology(tmp_path, "Conv1,  224, 224,    11, 11,    3,      96,     4,"), configuration(tmp_path)
    assert sim.simulate(*files, {"array.timing": "scalesim-v3"}).totals["array_cycles"] == 112283


def test_groups_are_layers_of_their_own(tmp_path: Path) -> None:
    """A layer with DP in its name has the cycles of its channels, one after the other."""
    files = topology(tmp_path, "Conv_DP, 16, 16, 3, 3, 8, 1, 1,"), configuration(tmp_path)
    assert load_network(files[0])[1].nodes[0].is_depthwise
    run = sim.simulate(*files, {"array.timing": "scalesim-v3"})
    assert run.totals["array_cycles"] == 8 * (2 * 32 + 32 + 14 * 14 - 2 - 1)


def test_zeros_shorten_the_sums_alike_in_all_columns(tmp_path: Path) -> None:
    """1:4 of K = 128 leaves one fold of 32 rows; a random array's fullest column has more."""
    files = topology(tmp_path, "a, 50, 32, 128, 1:4", headings="Layer,M,N,K,Sparsity"), configuration(tmp_path)
    theirs = sim.simulate(*files, {"array.timing": "scalesim-v3"}).totals["array_cycles"]
    assert theirs == 2 * 32 + 32 + 50 - 2 - 1
    assert sim.simulate(*files).totals["array_cycles"] > theirs


def test_a_last_block_that_is_not_full_keeps_what_it_has(tmp_path: Path) -> None:
    """Three rows in a block of eight keep all of the four that may stay: 5 x 3 folds of 2 x 2 + 4 + 1 - 2, ragged ones
    as full, less one for counting from 0."""
    topo = topology(tmp_path, "L, 4, 6, 3, 1, 1, 9, 4, 4:8,", headings=f"{CONV_HEADINGS},Sparsity")
    run = sim.simulate(topo, configuration(tmp_path, 2, 4), {"array.timing": "scalesim-v3"})
    assert run.records[0].nonzero_weights == run.records[0].weights == 27
    assert run.records[0].array_clocks == 71


def test_a_window_over_whole_rows_is_the_product_that_it_is(tmp_path: Path) -> None:
    """32 x 1025 by 1025 x 64, as a convolution over rows of a map and as M, N, K, costs the same."""
    target = configuration(tmp_path)
    (tmp_path / "conv").mkdir()
    conv = sim.simulate(topology(tmp_path / "conv", "G, 32, 1025, 1, 1025, 1, 64, 1,"), target)
    product = sim.simulate(topology(tmp_path, "G, 32, 64, 1025,", headings="Layer, M, N, K,"), target)
    assert conv.records[0].total_cycles == product.records[0].total_cycles
    assert conv.records[0].counts == product.records[0].counts
    assert conv.records[0].energy == product.records[0].energy


@pytest.mark.parametrize(
    ("convolution", "product"),
    [
        ("14, 28, 1, 1, 64, 100, 1", "392, 100, 64"),
        ("7, 7, 7, 7, 64, 100, 1", "1, 100, 3136"),
        ("32, 5, 1, 5, 3, 64, 1", "32, 64, 15"),
        ("1, 57, 1, 1, 1, 500, 1", "57, 500, 1"),
    ],
)
@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_a_convolution_and_the_product_that_it_is_cost_the_same(
    convolution: str, product: str, dataflow: str, tmp_path: Path
) -> None:
    target = configuration(tmp_path, 8, 16, dataflow)
    (tmp_path / "conv").mkdir()
    first = sim.simulate(topology(tmp_path / "conv", f"G, {convolution},"), target).records[0]
    other = sim.simulate(topology(tmp_path, f"G, {product},", headings="Layer, M, N, K,"), target).records[0]
    assert (first.total_cycles, first.counts, first.energy) == (other.total_cycles, other.counts, other.energy)


def test_bandwidth_is_a_bus_and_no_burst(tmp_path: Path) -> None:
    """A wider one is no slower, and a word takes the same energy; all that moves are words."""
    files = topology(tmp_path, "Conv, 30, 30, 3, 3, 20, 33, 1,"), configuration(tmp_path)
    cfg = Path(files[1])
    text = cfg.read_text().replace("CALC", "USER")
    costs = []
    for bandwidth in (10, 100, 1000, 1 << 20):
        cfg.write_text(text.replace("Bandwidth : 10", f"Bandwidth : {bandwidth}"))
        record = sim.simulate(*files).records[0]
        assert record.counts.dram_burst_bytes == record.counts.dram_bytes
        costs.append((record.total_cycles, record.energy.dram_pj / record.counts.dram_bytes))
    assert [cycles for cycles, _ in costs] == sorted((cycles for cycles, _ in costs), reverse=True)
    assert len({energy for _, energy in costs}) == 1


OWN_FILES = {
    "titles": ("{conv},", "", "AlphaGoZero,", "a, 8, 8, 3, 3, 4, 8, 2,", "b, 8, 8, 3, 3, 4, 8, 2,"),
    "tabs": ("{tabs}\t ", "a\t8\t8\t3\t3\t4\t8\t2\t", "b\t8\t8\t3\t3\t4\t8\t2\t"),
    "notes": ("{conv},,,Eh,Ew", ",,,", "a,8,8,3,3,4,8,2,,,3,3", "b,8,8,3,3,4,8,2,,,3,3"),
    "batch": ("{conv}, Batch Size,", "a, 8, 8, 3, 3, 4, 8, 2, 1,", "b, 8, 8, 3, 3, 4, 8, 2,"),
    "strides": ("{two},", "a, 8, 8, 3, 3, 4, 8, 2, 2,", "b, 8, 8, 3, 3, 4, 8, 2, 2,"),
    "longer": ("{conv},", "a, 8, 8, 3, 3, 4, 8, 2, 2,", "b, 8, 8, 3, 3, 4, 8, 2,"),
}


@pytest.mark.parametrize("kind", OWN_FILES)
def test_files_as_it_ships_them_are_read(kind: str, tmp_path: Path) -> None:
    """With titles, tabs, columns of notes, a batch size, two strides, or a row that has two under one title."""
    names = {
        "conv": CONV_HEADINGS,
        "tabs": CONV_HEADINGS.replace(",", "\t "),
        "two": CONV_HEADINGS.replace("Strides", "Stride height, Stride width"),
    }
    headings, *rows = (line.format(**names) for line in OWN_FILES[kind])
    plain = layers(tmp_path, *(f"{name}, 8, 8, 3, 3, 4, 8, 2" for name in "ab"))
    assert layers(tmp_path, *rows, headings=headings) == plain


def test_two_strides_and_a_batch(tmp_path: Path) -> None:
    topo = topology(
        tmp_path, "a, 8, 9, 3, 3, 4, 8, 1, 2, 3", headings=f"{CONV_HEADINGS[:-7]}Stride height,Stride width,batch size"
    )
    found = load_network(topo)[1]
    assert (found.batch, found.nodes[0].output.height, found.nodes[0].output.width) == (3, 6, 4)


@pytest.mark.parametrize(
    ("headings", "rows", "said"),
    [
        (
            "Batch Size",
            ["a, 8, 8, 3, 3, 4, 8, 2, 1", "b, 8, 8, 3, 3, 4, 8, 2, 4"],
            "topo.csv:3: Batch Size: expected 1, as the rows before have, got 4",
        ),
        (
            "Sparsity,Sparsity",
            [],
            "topo.csv:1: column 10: expected no column behind Strides but Sparsity and Batch Size, got 'Sparsity'",
        ),
        ("Sparsity", ["a, 8, 8, 3, 3"], "topo.csv:2: row: expected 8 values, as there are headings, got 5"),
    ],
)
def test_other_headings_and_batches_are_refused(headings: str, rows: list[str], said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        layers(tmp_path, *rows, headings=f"{CONV_HEADINGS},{headings}")
    assert str(caught.value.mistakes[0]).endswith(said)


def test_its_default_configuration_is_our_scalesim_default(tmp_path: Path) -> None:
    ours, theirs = load_machine("scalesim_default"), load_machine(configuration(tmp_path), (), read)
    for section in ("array", "vector", "sram", "dma", "energy"):
        assert getattr(ours, section) == getattr(theirs, section)
    names = {"device", "sources"}
    assert ours.dram.model_dump(exclude=names) == theirs.dram.model_dump(exclude=names)


def test_bandwidth_is_the_users_where_it_is_to_be(tmp_path: Path) -> None:
    path = Path(configuration(tmp_path))
    path.write_text(path.read_text().replace("CALC", "user").replace("Bandwidth : 10", "Bandwidth : 20, 20,20"))
    assert load_machine(str(path), (), read).dram.bytes_per_clock == 20


def test_a_comma_at_the_end_changes_nothing(tmp_path: Path) -> None:
    rows = ["a, 8, 8, 3, 3, 4, 8, 1", "b, 9, 7, 1, 3, 2, 5, 2"]
    with_commas = layers(tmp_path, *(f"{row} , " for row in rows), "", ",,,,", headings=CONV_HEADINGS + ",")
    assert layers(tmp_path, *rows) == with_commas
    assert [(node.name, node.output.height, node.output.width) for node in with_commas] == [("a", 6, 6), ("b", 5, 3)]


def test_a_window_that_juts_out_counts(tmp_path: Path) -> None:
    """SCALE-Sim has ceil((224 - 11) / 4) + 1 = 55 outputs a side."""
    (node,) = layers(tmp_path, "Conv1, 224, 224, 11, 11, 3, 96, 4,")
    assert (node.output.height, node.output.width, node.macs) == (55, 55, 55 * 55 * 11 * 11 * 3 * 96)


def test_layers_are_independent(tmp_path: Path) -> None:
    """Each reads an input of its own, whatever the layer before it gives."""
    found = load_network(topology(tmp_path, "a, 8, 8, 3, 3, 4, 8, 1", "b, 6, 6, 3, 3, 8, 8, 1"))[1]
    assert [node.inputs for node in found.nodes] == [("input",), ("b_in",)]
    assert not any(found.consumers[node.name] for node in found.nodes)


def test_names_become_ours(tmp_path: Path) -> None:
    rows = [f"{name}, 1, 2, 3" for name in ("Test 1", "Embedding/Pooling", "Test_1", "1", "input")]
    found = layers(tmp_path, *rows, headings="Layer Name, M, N, K,")
    assert [node.name for node in found] == ["Test_1", "Embedding_Pooling", "Test_1_2", "1", "input_2"]


def test_rows_that_are_too_many_for_one_column_of_pixels(tmp_path: Path) -> None:
    (node,) = layers(tmp_path, "a, 4186116, 64, 9", headings="Layer,M,N,K")
    assert node.sizes[0].elements == 4186116 * 9
    assert node.macs == 4186116 * 64 * 9


def test_what_is_imported_runs_as_the_file_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    topology(tmp_path, "a, 9, 8, 3, 3, 4, 8, 2, 2:4", "b, 6, 6, 3, 1, 8, 8, 1", headings=CONV_HEADINGS + ",Sparsity")
    configuration(tmp_path, 8, 4, "os")
    for name, saved in (("topo.csv", "net.yaml"), ("scale.cfg", "machine.yaml")):
        assert main(["import", name, "-o", saved]) == 0
        assert main(["import", name, "-o", saved]) == 0
        assert main(["import", name]) == 0
        assert capsys.readouterr().out == (tmp_path / saved).read_text()
    printed = []
    for files in (("topo.csv", "scale.cfg"), ("net.yaml", "machine.yaml")):
        assert main(["run", *files, "--json"]) == 0
        printed.append(json.loads(capsys.readouterr().out))
    assert printed[0] == printed[1]
    assert main(["check", "topo.csv", "scale.cfg"]) == 0
    assert main(["show", "topo.csv"]) == 0
    assert main(["show", "scale.cfg"]) == 0


def test_import_replaces_nothing_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    configuration(tmp_path)
    (tmp_path / "mine.yaml").write_text("precious")
    assert main(["import", "scale.cfg", "-o", "mine.yaml"]) == 2
    assert (
        capsys.readouterr().err
        == "command-line:0: -o: expected a folder without another run, or --force, got . with mine.yaml\n"
    )
    assert (tmp_path / "mine.yaml").read_text() == "precious"
    assert main(["import", "scale.cfg", "-o", "mine.yaml", "--force"]) == 0


HOSTILE: dict[str, bytes] = {
    "truncated.csv": f"{CONV_HEADINGS}\nConv1, 224, 2".encode(),
    "truncated.cfg": CFG.format(rows=8, cols=8, dataflow="ws").partition("[run_presets]")[0].encode(),
    "huge.csv": f"{CONV_HEADINGS}\na, {'9' * 10**6}, 8, 3, 3, 4, 8, 1".encode(),
    "huge_map.csv": f"{CONV_HEADINGS}\na, 1048576, 1048576, 1, 1, 1, 1, 1".encode(),
    "huge_layer.csv": f"{CONV_HEADINGS}\na, 9999, 9999, 1, 1, 1048576, 1048576, 1".encode(),
    "huge.cfg": CFG.format(rows="9" * 10**6, cols=1, dataflow="ws").encode(),
    "path.csv": f"{CONV_HEADINGS}\n/etc/passwd, 8, 8, 3, 3, 4, 8, 1".encode(),
    "escape.csv": f"{CONV_HEADINGS}\na\x1b[2J, 8, 8, 3, 3, 4, 8, 1".encode(),
    "binary.csv": bytes(range(256)) * 4096,
    "zeros.cfg": bytes(1 << 20),
    "columns.csv": b"Layer," + b"M," * 10**6,
    "values.csv": f"{CONV_HEADINGS}\na{', 1' * 10**6}".encode(),
    "layers.csv": f"{CONV_HEADINGS}\n".encode() + b"a,8,8,3,3,4,8,1\n" * 200_000,
    "large.csv": b"," * (5 << 20),
    "one_line.cfg": b"[" * (1 << 20),
    "empty.csv": b"",
}
"""Files by name, each with one thing that must be refused."""

_WATCH = """
import resource, sys, time
from pathlib import Path
from accelsim.cli import main
for name in sys.argv[1:]:
    begin = time.process_time()
    argv = ["run", "net.yaml", name] if name.endswith("cfg") else ["run", name, "machine.yaml"]
    print(main(argv), time.process_time() - begin, flush=True)
status = Path("/proc/self/status")  # what getrusage says begins with the peak of the process that forked this one
known = dict(line.split(":") for line in status.read_text().splitlines()) if status.exists() else {}
print(known.get("VmHWM", f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} kB").split()[0])
"""


def test_hostile_files_are_refused_in_one_line_quickly_and_in_little_memory(tmp_path: Path) -> None:
    for good in (ROOT / "tests/invalid/good").iterdir():
        (tmp_path / good.name).write_bytes(good.read_bytes())
    for name, content in HOSTILE.items():
        (tmp_path / name).write_bytes(content)
    line = [sys.executable, "-c", _WATCH, *HOSTILE]
    done = subprocess.run(line, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True)
    *cases, peak = done.stdout.splitlines()
    for name, case in zip(HOSTILE, cases, strict=True):
        code, seconds = case.split()
        assert (code, float(seconds) < 2) == ("2", True), name
    messages = done.stderr.splitlines()
    assert [message.partition(":")[0] for message in messages] == list(HOSTILE)
    assert all(len(message) < 500 and message.isprintable() for message in messages)
    assert int(peak) < 300 * 1024


WORDS = ["", "1", "8", "227", "a", "b", "DP", "-1", "1:2", "0:0", "9" * 30, "1e3", "é", "\x00", "#", '"', "Sparsity"]
CELLS = st.sampled_from(WORDS) | st.text(max_size=5)
SIZES = st.integers(0, 1 << 21).map(str) | st.integers(1, 9).map(str)


def mostly(good: str, *others: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """This text nine times out of ten."""
    return st.integers(0, 9).flatmap(lambda roll: st.one_of(*others) if roll == 0 else st.just(good))


def line_like(good: str) -> st.SearchStrategy[str]:
    """A line of a topology, some of whose cells may be others."""
    return st.tuples(*(mostly(cell, CELLS, SIZES) for cell in good.split(","))).map(",".join)


LINES = [CONV_HEADINGS + ",Sparsity,", "a,8,8,3,3,4,8,1,1:2", "b_DP,9,7,3,3,4,2,2,"]
TOPOLOGIES = st.tuples(*map(line_like, LINES)) | st.tuples(*map(line_like, ["Layer,M,N,K", "a,1,2,3", "a,4,5,6"]))


def is_taken_or_refused(take: Callable[[], object]) -> None:
    """Nothing but UserError comes out, with messages of one line each."""
    try:
        take()
    except UserError as refusal:
        mistakes = refusal.mistakes
        assert mistakes
        assert all("\n" not in str(mistake) for mistake in mistakes)


@settings(max_examples=400)
@given(TOPOLOGIES | st.lists(st.lists(CELLS, max_size=10).map(",".join) | st.text(max_size=60), max_size=4))
def test_any_topology_is_taken_or_refused(lines: Sequence[str]) -> None:
    is_taken_or_refused(lambda: build(*configured_workload(network(lines, "fuzz", "fuzz.csv"))))


def configuration_like() -> Iterator[st.SearchStrategy[str]]:
    """The lines of a .cfg, some of whose values may be others."""
    for line in CFG.format(rows=32, cols=32, dataflow="ws").splitlines():
        key = line.partition(":")[0]
        yield mostly(line, (CELLS | SIZES).map(lambda cell, key=key: f"{key}:{cell}"), st.text(max_size=40))


@settings(max_examples=400)
@given(st.tuples(*configuration_like()) | st.lists(st.text(max_size=40), max_size=9))
def test_any_configuration_is_taken_or_refused(lines: Sequence[str]) -> None:
    is_taken_or_refused(lambda: resolved_target(machine(lines, "fuzz.cfg"), (), Path()))


YAML_PIECES = st.sampled_from(
    [
        *(
            "a: ",
            "- ",
            "{",
            "}",
            "[",
            "]",
            "\n",
            "  ",
            "&a ",
            "*a",
            "!!python/object:os.system ",
            "<<: ",
            "1e400",
            "010",
        ),
        *("'", '"', "#", "|", ">", "? ", "---\n", "\t", "\x00", "layers:\n", "op: conv", "null", "%YAML 1.2\n", ","),
    ]
)


@settings(max_examples=500)
@given(st.lists(YAML_PIECES | st.text(max_size=4), max_size=20).map("".join) | st.text(max_size=80) | st.binary())
def test_any_yaml_is_taken_or_refused(text: str | bytes) -> None:
    is_taken_or_refused(lambda: configured_workload(parse(text, "fuzz.yaml")))
