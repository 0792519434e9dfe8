"""Does Python give what the command line gives, and is what is written in Python checked as files are?"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

import accelsim as sim
from accelsim.cli import main
from accelsim.config.load import data_root
from tests.notebook import NOTEBOOK, page, without_pictures

ROOT = Path(__file__).resolve().parents[2]
GOOD = ROOT / "tests" / "invalid" / "good"
NETWORK: dict[str, Any] = yaml.safe_load((GOOD / "net.yaml").read_text())
MACHINE: dict[str, Any] = yaml.safe_load((GOOD / "machine.yaml").read_text())


def test_every_public_name_is_there() -> None:
    assert dir(sim) == sim.__all__
    assert all(getattr(sim, name) for name in sim.__all__)
    with pytest.raises(AttributeError):
        sim.nothing  # noqa: B018 (looking is the test)


def test_what_is_defined_runs_as_its_file_does() -> None:
    from_files = sim.simulate(GOOD / "net.yaml", GOOD / "machine.yaml", {"array.rows": 2, "network.batch": 3})
    network, machine = sim.define_network(NETWORK), sim.define_machine(MACHINE)
    defined = sim.simulate(network, machine, {"array.rows": 2, "network.batch": 3})
    assert defined.to_json() == from_files.to_json()
    assert machine.machine.array.rows == 4


@pytest.mark.parametrize("name", ["shufflenet_g3", "mobilenet_v1_0.25_128"])
def test_a_network_of_any_kind_can_be_defined(name: str) -> None:
    run = sim.simulate(name, "edge")
    assert sim.simulate(sim.define_network(run.config["network"]), "edge").records == run.records


def test_tuples_and_paths_are_as_good_as_lists_and_text() -> None:
    layers = tuple({**layer, "kernel": (3, 3)} if layer["op"] == "conv" else layer for layer in NETWORK["layers"])
    assert sim.simulate(sim.define_network({**NETWORK, "layers": layers}), GOOD / "machine.yaml").totals["macs"] > 0
    device = data_root() / "hwconfigs" / "dram" / "ideal_hbm2.yaml"
    assert sim.define_machine({**MACHINE, "dram": {"device": device}}).machine.dram.device == "ideal_hbm2"


def test_a_mapping_is_what_its_file_is(tmp_path: Path) -> None:
    """And so are its parts as settings; what is neither a path nor a mapping is the user's mistake."""
    mapping: dict[str, Any] = {"scheduling": {"plan": {"layers": [{"match": "a", "tile": {"rows": 2}}]}}}
    (tmp_path / "map.yaml").write_text(yaml.safe_dump(mapping))
    files = GOOD / "net.yaml", GOOD / "machine.yaml"
    from_file = sim.simulate(*files, mapping=tmp_path / "map.yaml").to_json()
    assert sim.simulate(*files, mapping=mapping).to_json() == from_file
    assert sim.simulate(*files, {"scheduling.plan": mapping["scheduling"]["plan"]}).to_json() == from_file
    assert sim.simulate(*files).to_json() != from_file
    mapping["scheduling"]["plan"]["layers"].append({"match": "c"})
    with pytest.raises(sim.UserError, match=r"^mapping:0: scheduling.plan.layers.1.match: expected a layer of tiny"):
        sim.simulate(*files, mapping=mapping)
    with pytest.raises(sim.UserError, match=r"^arguments:0: mapping: expected a path, or a mapping of keys, got 5"):
        sim.simulate(*files, mapping=5)  # type: ignore[arg-type]
    with pytest.raises(sim.UserError, match=r"^sweep:0: mapping: expected text, got a mapping"):
        sim.sweep(str(files[0]), str(files[1]), mapping=mapping)  # type: ignore[arg-type]


def test_all_mistakes_are_named_at_once() -> None:
    wrong = {**MACHINE, "array": {"rowz": 4, "cols": 0}, "dram": "ideal_hbm3", 5: 6}
    with pytest.raises(sim.UserError) as raised:
        sim.define_machine(wrong)
    assert str(raised.value).splitlines() == [
        "machine:0: 5: expected a key that is text, got 5",
        "machine:0: array.clock_mhz: expected a value, got nothing",
        "machine:0: array.cols: expected more than 0, got 0",
        "machine:0: array.dataflow: expected a value, got nothing",
        "machine:0: array.rowz: expected a known key (did you mean rows?), got 'rowz'",
        "machine:0: dram.device: expected a file or the name of a shipped DRAM device (did you mean ideal_hbm2?), "
        "got 'ideal_hbm3'",
    ]
    with pytest.raises(sim.UserError, match=r"network:0: layers\.0\.kernel: expected a window within"):
        sim.define_network({**NETWORK, "layers": [{"name": "a", "op": "conv", "kernel": 11, "channels": 1}]})


def test_a_sweep_is_the_frame_of_its_csv(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = GOOD / "net.yaml", GOOD / "machine.yaml"
    found = sim.sweep(*files, {"array.rows": [2, 4], "array.cols": [2, 4]}, where=["array.rows >= array.cols"])
    line = ["sweep", "--network", str(files[0]), "--hw", str(files[1]), "--vary", "array.rows=2,4"]
    line += ["--vary", "array.cols=2,4", "--where", "array.rows >= array.cols", "-o", str(tmp_path), "--jobs", "1"]
    assert main(line) == 0
    saved = pd.read_csv(tmp_path / "results.csv")
    assert list(found.columns) == list(saved.columns)
    assert list(zip(found["array.rows"], found["array.cols"], strict=True)) == [(2, 2), (4, 2), (4, 4)]
    pd.testing.assert_frame_equal(found.dropna(axis=1), saved.dropna(axis=1), check_dtype=False)


def test_a_sweep_is_kept_and_its_failures_are_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network, machine = GOOD / "net.yaml", GOOD / "machine.yaml"
    vary = {"sram.activation.capacity_bytes": [8, 4096]}
    first = sim.sweep([network], [machine], vary, folder=tmp_path)
    assert list(first["error"].isna()) == [False, True]
    monkeypatch.setattr("accelsim.sweeps.frame.work", None)
    pd.testing.assert_frame_equal(sim.sweep([network], [machine], vary, folder=tmp_path), first)
    with pytest.raises(sim.UserError, match="or `force`"):
        sim.sweep([network], [machine], {"array.rows": [2]}, folder=tmp_path)


def test_mistakes_of_a_sweep_are_named_before_it_runs() -> None:
    with pytest.raises(sim.UserError, match=r"sweep:0: grid\.array\.rows: expected a list, got 'text'"):
        sim.sweep("shufflenet_g3", "edge", {"array.rows": "text"})


class Tables(HTMLParser):
    """The text of a page, and whether its tags match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_a_run_shows_itself_in_a_notebook() -> None:
    """With all that is text escaped, and nothing that depends on when and where."""
    run = sim.simulate(GOOD / "net.yaml", GOOD / "machine.yaml")
    page = Tables(run._repr_html_())
    assert page.open == []
    assert page.words[0] == "tiny on tiny"
    assert {"2 layers", "a", "gap"} <= set(page.words)
    odd = replace(run, network=replace(run.network, name="<script>"))
    assert "<script>" not in odd._repr_html_()


def test_a_run_shows_itself_at_a_prompt() -> None:
    run = sim.simulate(GOOD / "net.yaml", GOOD / "machine.yaml")
    assert re.fullmatch(r"<tiny on tiny: \d+ cycles, \d+\.\d uJ>", repr(run))


@pytest.mark.slow
def test_the_example_notebook_shows_what_it_gives() -> None:
    """From top to bottom: a run, a picture and frames. If not: `python -m tests.pages` writes it anew."""
    saved = NOTEBOOK.read_text(encoding="utf-8")
    assert without_pictures(page()) == without_pictures(saved)


def test_the_example_notebook_has_its_outputs() -> None:
    saved = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    outputs = [output for cell in saved["cells"] for output in cell.get("outputs", ())]
    kinds = [set(output.get("data", ())) for output in outputs]
    assert sum("text/html" in kind for kind in kinds) >= 4
    assert any("image/png" in kind for kind in kinds)
    assert not any(output["output_type"] in ("error", "stream") for output in outputs)
    assert not re.search(r"/(home|root|tmp|work)/", NOTEBOOK.read_text(encoding="utf-8"))
