"""Is a run that was priced again the run that would have been? And is a file that is no run refused?"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout, suppress
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.cli import main
from accelsim.config.named import shipped
from accelsim.config.run_file import MAX_RUN_BYTES
from accelsim.config.strict_yaml import KeyPath
from accelsim.errors import MAX_MISTAKES, UserError, shorten
from accelsim.machine.stalls import Cause
from accelsim.records import MEASURES, STALL_CAUSES
from accelsim.run.reprice import read_run, reprice
from accelsim.run.simulate import simulate
from accelsim.unit_kinds import kinds_for_pieces
from tests.commands import contents

ROOT = Path(__file__).parents[2]
GOOD = Path(__file__).parents[1] / "invalid" / "good"
TINY = (str(GOOD / "net.yaml"), str(GOOD / "machine.yaml"))
LINE = re.compile(r"[^\n]+:\d+: [^\n:]+: expected [^\n]+, got [^\n]+\n")


def ran(folder: Path, *argv: str) -> dict[str, bytes]:
    """The files that a command which must succeed writes."""
    assert main([*argv, "-o", str(folder)]) == 0
    return contents(folder)


@pytest.fixture(scope="module")
def shufflenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run."""
    folder = tmp_path_factory.mktemp("finished")
    ran(folder, "run", "shufflenet_g3", "edge")
    return folder


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `plan.yaml`, a plan, and of `finished`, the run with it: of plans that are equal in clocks, energy
    chooses."""
    folder = tmp_path_factory.mktemp("planned")
    with redirect_stdout(StringIO()) as printed:
        assert main(["show", "shufflenet_g3", "edge", "--mapping"]) == 0
    (folder / "plan.yaml").write_text(printed.getvalue())
    ran(folder / "finished", "run", "shufflenet_g3", "edge", "--mapping", str(folder / "plan.yaml"))
    return folder


@pytest.mark.parametrize("table", shipped("energy"))
def test_a_run_priced_again_is_the_run_with_that_table(
    table: str, planned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """To the byte, in files and on the screen, where `run` tries no changes."""
    given = ("--mapping", str(planned / "plan.yaml"), "--no-advice")
    simulated = ran(tmp_path / "simulated", "run", "shufflenet_g3", "edge", "--set", f"energy.table={table}", *given)
    printed = capsys.readouterr()
    assert ran(tmp_path / "repriced", "reprice", str(planned / "finished"), "--energy", table) == simulated
    assert capsys.readouterr() == printed


FIRE = "{name: c, op: conv, channels: 8, kernel: 3, pad: 1}, {name: d, op: dwconv, kernel: 3}, {name: s, op: softmax}"
NETWORKS = {
    "rows.yaml": f"name: rows\nsource: test\ninput: {{height: 9, width: 7, channels: 4}}\nlayers: [{FIRE}]\n",
    "pruned.yaml": f"name: pruned\nsource: test\ninput: {{height: 9, width: 7, channels: 4}}\nlayers: [{FIRE}]\n"
    "quantize: {weight_bits: 4, activation_bits: 6, psum_bits: 16}\nprune: {density: 0.3, zeros: skip}\n",
}


@pytest.mark.parametrize(
    ("network", "machine", "options"),
    [
        pytest.param("rows.yaml", "own.yaml", [], id="rows"),
        pytest.param("pruned.yaml", "own.yaml", ["array.depthwise_on=vector"], id="pruned"),
        pytest.param("pruned.yaml", "own.yaml", ["array.dataflow=os", "dram.burst_bytes=1"], id="os"),
        pytest.param("rows.yaml", "own.yaml", ["network.batch=3", "network.input.height=12"], id="overridden"),
        pytest.param("rows.yaml", "own.yaml", ["sram.accumulator.port_bytes_per_cycle=3"], id="narrow"),
        pytest.param("mobilenet_v1_0.25_128", "cloud", [], id="family"),
    ],
)
def test_whatever_was_run(
    network: str,
    machine: str,
    options: Sequence[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Rows, families, transforms and overrides are all in the file; what a machine says of energy itself gives way.

    With one plan: of plans that are equal in clocks, energy chooses.
    """
    monkeypatch.chdir(tmp_path)
    for name, text in NETWORKS.items():
        Path(name).write_text(text)
    own = "{table: han_2015, xnor: {energy_pj: 9}}"
    Path("own.yaml").write_text((GOOD / "machine.yaml").read_text().replace("{table: lecture_100x}", own))
    settings = [f"--set={option}" for option in options]
    assert main(["show", network, machine, *settings, "--mapping"]) == 0
    Path("plan.yaml").write_text(capsys.readouterr().out)
    command = ("run", network, machine, *settings, "--mapping", "plan.yaml")
    simulated = ran(Path("simulated"), *command, "--set", "energy.table=cacti_32nm")
    ran(Path("first"), *command, "--set", "energy.dram_byte.energy_pj=1")
    assert ran(Path("repriced"), "reprice", "first/run.json", "--energy", "cacti_32nm") == simulated


def test_a_table_of_ones_own(planned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its path from the working directory, as for `run`."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "hwconfigs" / "energy" / "han_2015.yaml", "mine.yaml")
    repriced = reprice(read_run(planned / "finished"), "mine.yaml")
    assert repriced.machine.energy.table == "mine"
    run = simulate("shufflenet_g3", "edge", {"energy.table": "mine.yaml"}, mapping=str(planned / "plan.yaml"))
    assert repriced.to_json() == run.to_json()


def test_a_run_read_back_is_the_run_that_was_written(shufflenet: Path) -> None:
    """Record by record, and to the byte."""
    run = simulate("shufflenet_g3", "edge")
    read = read_run(shufflenet)
    assert read.records == run.records
    assert (read.total, read.network, read.workload, read.machine) == (
        run.total,
        run.network,
        run.workload,
        run.machine,
    )
    assert read.to_json() == run.to_json() == (shufflenet / "run.json").read_text()


def test_the_order_of_what_a_layer_says_does_not_matter(shufflenet: Path, tmp_path: Path) -> None:
    document = json.loads((shufflenet / "run.json").read_text())
    document["layers"] = json.loads(json.dumps(document["layers"], sort_keys=True))
    (tmp_path / "run.json").write_text(json.dumps(document))
    assert read_run(tmp_path).to_json() == (shufflenet / "run.json").read_text()


def test_a_file_says_which_accelsim_simulated_it(shufflenet: Path, tmp_path: Path) -> None:
    """Pricing it again does not change that."""
    text = (shufflenet / "run.json").read_text()
    (tmp_path / "run.json").write_text(re.sub('"accelsim_version": "[^"]*"', '"accelsim_version": "0.0.7"', text))
    repriced = reprice(read_run(tmp_path), "han_2015")
    assert json.loads(repriced.to_json())["accelsim_version"] == "0.0.7"


def test_the_file_has_the_names_of_the_records(shufflenet: Path) -> None:
    """A layer a line, easy to compare."""
    text = (shufflenet / "run.json").read_text()
    document = json.loads(text)
    assert sorted(STALL_CAUSES) == sorted([*Cause, *(kind.name for kind in kinds_for_pieces())])
    for layer in document["layers"]:
        assert list(layer) == ["layer", "group", *MEASURES, "stalls", "savings", "counts"]
        assert f"  {json.dumps(layer)}" in text
    assert len(text) < 170_000


def test_nothing_is_simulated(shufflenet: Path) -> None:
    """The simulator is not even imported, and no advice is tried."""
    code = f"""
import sys
from accelsim.cli import main
assert main(["reprice", {str(shufflenet)!r}, "--energy", "han_2015"]) == 0
assert not {{"simpy", "pandas", "accelsim.lowering", "accelsim.machine", "accelsim.run.play"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)


def test_another_run_is_replaced_only_with_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The run that was read among them."""
    before = ran(tmp_path, "run", *TINY)
    again = ("reprice", str(tmp_path), "--energy", "han_2015", "-o", str(tmp_path))
    capsys.readouterr()
    assert main(again) == 2
    expected = f"command-line:0: -o: expected a folder without another run, or --force, got {tmp_path} with layers.csv,"
    assert capsys.readouterr() == ("", f"{expected} run.json\n")
    assert contents(tmp_path) == before
    assert main([*again, "--force"]) == 0
    assert json.loads((tmp_path / "run.json").read_text())["config"]["machine"]["energy"]["table"] == "han_2015"
    assert ran(tmp_path, "reprice", str(tmp_path), "--energy", "lecture_100x", "--force") == before


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A small finished run in the folder `run` of the working directory."""
    monkeypatch.chdir(tmp_path)
    ran(Path("run"), "run", *TINY)
    capsys.readouterr()
    return Path("run") / "run.json"


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """What is said of a command that must be refused: mistakes, a line each."""
    assert main(["reprice", *(argv or ("run", "--energy", "han_2015"))]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(f"({LINE.pattern})+", err)
    return err


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (
            ("nowhere", "--energy", "han_2015"),
            "nowhere:0: file: expected a readable file, got No such file or directory",
        ),
        ((".", "--energy", "han_2015"), "run.json:0: file: expected a readable file, got No such file or directory"),
        (("x" * 300, "--energy", "han_2015"), "x" * 300 + ":0: file: expected a readable file, got File name too long"),
        (
            ("run/layers.csv", "--energy", "han_2015"),
            "run/layers.csv:1: file: expected JSON, got an error (Expecting value)",
        ),
        (
            ("run", "--energy", "han_2016"),
            "command-line:0: --energy: expected a file or the name of a shipped energy table (did you mean han_2015?), "
            "got 'han_2016'",
        ),
        (
            ("run", "--energy", "run/run.json"),
            "run/run.json:1: add_32: expected a value, got nothing",
        ),
    ],
)
def test_arguments_that_name_nothing(
    argv: Sequence[str], expected: str, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(capsys, *argv).startswith(f"{expected}\n")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b"", "run/run.json:1: file: expected JSON, got an error (Expecting value)", id="empty"),
        pytest.param(b"\xff", "run/run.json:0: file: expected UTF-8 text, got other bytes", id="bytes"),
        pytest.param(b"[]", "run/run.json:1: file: expected an object, got a list", id="list"),
        pytest.param(
            b'{"a": 1,\n "a": 2}', "run/run.json:0: file: expected JSON of plain keys and numbers, got a key twice"
        ),
        pytest.param(
            b'{"a": NaN}', "run/run.json:0: file: expected JSON of plain keys and numbers, got the number NaN"
        ),
        pytest.param(
            b'{"\\u001b[2J": 1}',
            "run/run.json:0: file: expected JSON of plain keys and numbers, got the key '\\x1b[2J'",
        ),
        pytest.param(
            b"[" * 200_000,
            "run/run.json:0: file: expected JSON of plain keys and numbers, got values too deep in one another",
            id="deep",
        ),
        pytest.param(b"{}", "run/run.json:0: format: expected 6, got nothing"),
        pytest.param(b'{"format": 1}', "run/run.json:0: format: expected 6, got 1"),
        pytest.param(b'{"format": 6.0}', "run/run.json:0: format: expected 6, got 6.0"),
        pytest.param(b'{"format": true}', "run/run.json:0: format: expected 6, got true"),
        pytest.param(
            b" " * (MAX_RUN_BYTES + 1),
            f"run/run.json:0: file: expected at most {MAX_RUN_BYTES} bytes, got a larger file",
            id="large",
        ),
    ],
)
def test_files_that_are_no_run(
    content: bytes, expected: str, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finished.write_bytes(content)
    assert refused(capsys) == f"{expected}\n"


def test_a_number_without_end_is_refused(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finished.write_text('{"format": ' + "1" * 100_000 + "}")
    assert refused(capsys).startswith("run/run.json:0: file: expected JSON of plain keys and numbers, got ")


def put(document: Any, path: KeyPath, value: Any) -> None:
    for part in path[:-1]:
        document = document[part]
    document[path[-1]] = value


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (("layers",), [], "layers: expected 1 or more values, got 0"),
        (("layers",), {}, "layers: expected a list, got a mapping"),
        (("layers", 0), 5, "layers.0: expected a mapping such as {layer: ...}, got 5"),
        (("layers", 0, "layer"), "z", "layers.0.layer: expected 'a', got 'z'"),
        (("layers", 1, "counts", "macs"), -1, "layers.1.counts.macs: expected at least 0, got -1"),
        (("layers", 1, "counts", "macs"), 1.5, "layers.1.counts.macs: expected a whole number, got 1.5"),
        (("layers", 1, "counts", "macs"), True, "layers.1.counts.macs: expected a whole number, got true"),
        (("layers", 1, "counts", "macs"), 1 << 70, f"layers.1.counts.macs: expected at most {1 << 59}, got {1 << 70}"),
        (
            ("layers", 1, "counts", "mac"),
            1,
            "layers.1.counts.mac: expected a known key (did you mean macs?), got 'mac'",
        ),
        (("layers", 0, "stalls"), None, "layers.0.stalls: expected a mapping such as {fill_drain: ...}, got nothing"),
        (("layers", 0, "stalls", "store"), 10**9, "layers.0.total_cycles: expected SUM, got TOTAL"),
        (("layers", 0, "pes"), 1, "layers.0.pes: expected a known key, got 'pes'"),
        (
            ("accelsim_version",),
            "1\n2",
            "accelsim_version: expected a name of letters, digits and . _ + -, got '1\\n2'",
        ),
        (("totals",), None, "totals: expected a mapping, got nothing"),
        (("more",), 1, "more: expected a known key, got 'more'"),
        (("config",), [], "config: expected a mapping such as {network: ...}, got a list"),
        (("config_sha256",), "beef", "config_sha256: expected the SHA-256 of config, got 'beef'"),
        (("config", "machine", "array", "rows"), 5, "config_sha256: expected the SHA-256 of config, got KNOWN"),
    ],
)
def test_what_is_wrong_in_a_file(
    path: KeyPath, value: Any, expected: str, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Is named by its key; only the first of the layers that are wrong."""
    document = json.loads(finished.read_text())
    known = shorten(document["config_sha256"])
    total = document["layers"][0]["total_cycles"]
    more = 10**9 - document["layers"][0]["stalls"]["store"]
    put(document, path, value)
    finished.write_text(json.dumps(document))
    said = refused(capsys).removeprefix("run/run.json:0: ").removesuffix("\n")
    assert said == expected.replace("SUM", str(total + more)).replace("TOTAL", str(total)).replace("KNOWN", known)


def resealed(document: Any) -> Any:
    """With the hash of what its configuration is now."""
    from accelsim.config.resolved import config_hash

    return {**document, "config_sha256": config_hash(document["config"])}


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (("machine", "array", "rows"), 0, "config.machine.array.rows: expected more than 0, got 0"),
        (("machine", "sram", "accumulator", "capacity_bytes"), 1, "config.machine.sram.accumulator.capacity_bytes: "
         "expected at least 32 (a partial sum for each column, twice), got 1"),
        (("machine", "dram"), "ideal_lpddr4",
         "config.machine.dram: expected a mapping such as {device: ...}, got 'ideal_lpddr4'"),
        (("network", "layers", 0, "op"), "fly", "config.network.layers.0.op: expected one of "),
        (("network", "layers", 0, "inputs"), ["b"], "config.network.layers.0.inputs: expected "),
        (("network", "family"), "vggg", "config.network.family: expected one of "),
        (("network", "batch"), 0, "config.network.batch: expected more than 0, got 0"),
        (("network", "layers"), [], "config.network.layers: expected 1 or more values, got 0"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_its_configuration(
    path: KeyPath, value: Any, expected: str, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = json.loads(finished.read_text())
    put(document["config"], path, value)
    finished.write_text(json.dumps(resealed(document)))
    assert refused(capsys).startswith(f"run/run.json:0: {expected}")


def another_layer(document: Any) -> None:
    document["layers"].append(document["layers"][0])


def clocks_beyond_the_end(document: Any) -> None:
    """The clocks of a layer add up, those of the run do not."""
    document["layers"][0]["stalls"]["vector"] += 3
    document["layers"][0]["total_cycles"] += 3


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (another_layer, "layers: expected the 2 layers of the network, got 3"),
        (clocks_beyond_the_end, "layers: expected total_cycles that add up to the END of inference_ends, got MORE"),
    ],
)
def test_layers_that_are_not_those_of_the_network(
    change: Callable[[Any], None], expected: str, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = json.loads(finished.read_text())
    change(document)
    finished.write_text(json.dumps(document))
    end = document["inference_ends"][-1]
    expected = expected.replace("END", str(end)).replace("MORE", str(end + 3))
    assert refused(capsys) == f"run/run.json:0: {expected}\n"


@cache
def tiny_run() -> str:
    return simulate(*TINY).to_json()


def leaves(data: Any, path: KeyPath = ()) -> list[KeyPath]:
    """Where nested data has values without parts."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else None
    return [path] if items is None else [leaf for key, value in items for leaf in leaves(value, (*path, key))]


values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=200)
@given(st.data())
def test_any_value_anywhere_is_fine_or_the_users_mistake(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Also under a hash that fits: what is read can be priced, printed and written."""
    folder = tmp_path_factory.getbasetemp() / "fuzzed"
    document = json.loads(tiny_run())
    path = data.draw(st.sampled_from(leaves(document)))
    put(document, path[: data.draw(st.integers(1, len(path)))], data.draw(values))
    with suppress(TypeError, KeyError):
        document = resealed(document)
    folder.mkdir(exist_ok=True)
    (folder / "run.json").write_text(json.dumps(document))
    with suppress(UserError):
        read_run(folder)
        assert main(["reprice", str(folder), "--energy", "cacti_22nm", "-o", str(folder / "out"), "--force"]) == 0


@settings(max_examples=100)
@given(st.data())
def test_any_damage_to_a_file_is_the_users_mistake(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.json"
    text = tiny_run()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(start + 40, len(text))))
    path.write_text(
        text[:start] + data.draw(st.sampled_from(["", "{", "}", "]", ",", "1e999", '"', "-", "00"])) + text[end:]
    )
    with suppress(UserError):
        read_run(path)


def test_the_tables_are_as_the_documentation_has_them(shufflenet: Path) -> None:
    """Nominal ratio, ratio as spent, and what rests on assumptions."""
    page = (ROOT / "docs" / "machine.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|.*\| ([\d.]+) \| ([\d.]+) \| ([\d.]+) % \|$", page, re.MULTILINE)
    assert sorted(row[0] for row in rows) == shipped("energy")
    run = read_run(shufflenet)
    for name, *shown in rows:
        totals = reprice(run, name).totals
        ratios = (totals["nominal_dram_sram_energy_ratio"], totals["dram_sram_energy_ratio"])
        assert [float(text) for text in shown[:2]] == [round(ratio, 1) for ratio in ratios]
        assert float(shown[2]) == round(100 * totals["assumed_energy_share"], 1)


def test_the_page_has_the_keys_of_the_file_and_the_causes_of_stalls(shufflenet: Path) -> None:
    document = json.loads((shufflenet / "run.json").read_text())
    page = (ROOT / "docs" / "machine.md").read_text(encoding="utf-8")
    clocks, file = (page.partition(f"\n## {number}. ")[2].partition("\n## ")[0] for number in (8, 11))
    causes = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", clocks, re.MULTILINE)
    assert re.findall(r"`(\w+)`", " ".join(causes)) == list(STALL_CAUSES)
    assert f"| `format` | {document['format']}; " in file
    keys = re.findall(r"^\| `(\w+)` \|", file, re.MULTILINE)
    assert [key for key in keys if key != "doubled_cycles"] == list(document)


def test_of_many_mistakes_the_first_are_enough(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(finished.read_text())
    finished.write_text(json.dumps({**document, **dict.fromkeys(map(str, range(5000)))}))
    assert refused(capsys).count("\n") == MAX_MISTAKES
