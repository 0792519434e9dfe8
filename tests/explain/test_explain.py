"""Do the terms of an explanation add up to the record, always?"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given

from accelsim.cli import main
from accelsim.config.machine import Machine
from accelsim.config.scheduling import Scheduling
from accelsim.errors import UserError
from accelsim.explain.columns import EXPLAINED, SUMMARY, UNIT
from accelsim.explain.counts import loaded_bytes
from accelsim.explain.evidence import Evidence
from accelsim.explain.explain import explanation
from accelsim.explain.plan import plan_dict
from accelsim.explain.terms import Term, printed_units
from accelsim.explain.text import explained
from accelsim.network.graph import Network
from accelsim.network.units import on_array
from accelsim.records import STALL_CAUSES
from accelsim.report.columns import COLUMNS
from accelsim.run.define import define_network
from accelsim.run.simulate import Played, load_both, load_network, play_network
from accelsim.version import __version__
from tests.strategies import any_machines, networks, schedulings

VALUE = {column.name: column.value for column in COLUMNS}
FAMILIES = [
    "alexnet_grouped", "vgg13", "resnet18", "resnext50_32x4d", "densenet121", "googlenet", "mobilenet_v1_0.25_128",
    "squeezenet_v1.0_complex_bypass", "squeezenet_v1.0_pruned_6bit", "shufflenet_0.5x_g3",
]  # fmt: skip


def faults(term: Term) -> Iterator[str]:
    """Terms whose parts do not add up to them, or whose factors do not multiply to them."""
    if term.parts:
        values = [part.value for part in term.parts]
        added = sum(values) if isinstance(term.value, int) else math.fsum(values)
        if added != term.value:
            yield f"{term.words}: {added} in parts, {term.value} in all"
    if term.factors and math.prod(number for number, _ in term.factors) != term.value:
        yield f"{term.words}: {term.factors} are not {term.value}"
    for part in term.parts:
        yield from faults(part)


def leaves(term: Term) -> Iterator[Term]:
    """The terms that have no parts."""
    if not term.parts:
        yield term
    for part in term.parts:
        yield from leaves(part)


TAKEN_OFF = ("less ", "its own streams within the clocks of", "overlap with other layers")


def check(played: Played) -> None:
    """Each column of each layer; and nothing but what is taken off is negative, such as halos or rests of bursts."""
    for number, record in enumerate(played.run.records):
        evidence = Evidence(played, number)
        for column, explain in EXPLAINED.items():
            term = explain(evidence)
            assert term.value == VALUE[column](record), f"{record.layer} {column}"
            assert list(faults(term)) == []
            waits = any(leaf.words.startswith("columns whose nonzero") for leaf in leaves(term))
            assert not waits or record.nonzero_weights < record.weights, "PEs are without work for no reason"
            assert all(leaf.value >= 0 or leaf.words.startswith(TAKEN_OFF) for leaf in leaves(term)), (column, term)
            if isinstance(term.value, int):
                assert sum(int(leaf.value) for leaf in leaves(term)) == term.value
                assert term.value == 0 or term.parts, f"{record.layer} {column}: nothing is said of it"


@given(networks(), any_machines(), schedulings())
def test_terms_add_up_to_the_record(network: Network, machine: Machine, scheduling: Scheduling) -> None:
    """Whole numbers exactly, energies as `fsum` rounds them, on random networks and machines."""
    try:
        played = play_network(load_network("shufflenet_g3")[0], network, machine, scheduling, keep_history=True)
    except UserError:
        assume(False)
        raise
    check(played)


@cache
def played_on(network: str, machine: str, *settings: str) -> Played:
    return play_network(*load_both(network, machine, list(enumerate(settings))), keep_history=True)


@pytest.mark.slow
@pytest.mark.parametrize(("network", "machine"), list(zip(FAMILIES, cycle(("cloud", "edge")))))
def test_terms_add_up_on_every_family(network: str, machine: str) -> None:
    """On a small image."""
    check(played_on(network, machine, "network.resolution=80"))


@pytest.mark.parametrize("machine", ["edge", pytest.param("gemmini_default", marks=pytest.mark.slow)])
def test_terms_add_up_on_the_main_network(machine: str) -> None:
    check(played_on("shufflenet_g3", machine))


@pytest.mark.slow
@pytest.mark.parametrize(
    "setting",
    [
        "",
        "array.dataflow=auto",
        "array.overlap=false scheduling.inferences=2",
        "array.timing=scalesim-v3 array.overlap=false",
        "dram=lpddr4-3200",
        "scheduling.objective=dram_bytes",
        "dma.map_codec.format=zero_run_length dma.map_codec.bytes_per_clock=8 network.map_zeros.share=0.7",
    ],
)
def test_terms_add_up_whatever_chooses_and_whatever_moves(setting: str) -> None:
    settings = list(enumerate(setting.split(), 1))
    check(play_network(*load_both("study_inception_reduced", "edge", settings), keep_history=True))


def test_every_cycle_byte_and_picojoule_column_is_explained() -> None:
    for column in COLUMNS:
        if column.unit in ("cycles", "PE x cycles", "DRAM clocks", "bytes", "pJ"):
            assert column.name in EXPLAINED


def printed_tree(lines: list[str]) -> list[tuple[int, Decimal]]:
    """(depth, number) of each line."""
    tree = []
    for line in lines:
        number, words = line.lstrip().split(" ", 1)
        tree.append(((len(words) - len(words.lstrip())) // 2, Decimal(number)))
    return tree


def check_printed(text: str) -> int:
    """That the numbers printed below each other number add up to it, digit by digit; how many were checked."""
    head, *lines = text.splitlines()
    tree = [(-1, Decimal(head.split(": ", 1)[1].split()[0])), *printed_tree(lines)]
    checked = 0
    for place, (depth, number) in enumerate(tree):
        below = []
        for inner, each in tree[place + 1 :]:
            if inner <= depth:
                break
            below.append((inner, each))
        if below:
            level = min(inner for inner, _ in below)
            assert sum(each for inner, each in below if inner == level) == number, text
            checked += 1
    return checked


def test_what_is_printed_adds_up_to_the_last_digit() -> None:
    played = played_on("shufflenet_g3", "edge")
    checked = 0
    for number in range(0, len(played.run.records), 7):
        evidence = Evidence(played, number)
        for column, explain in EXPLAINED.items():
            checked += check_printed(explained(column, UNIT[column], explain(evidence)))
    assert checked > 400


@pytest.mark.parametrize(
    ("value", "parts", "units", "shares"),
    [
        pytest.param(1.0, [1 / 3, 1 / 3, 1 / 3], 10, [4, 3, 3], id="thirds"),
        pytest.param(0.1, [0.06, 0.04], 1, [1, 0], id="the-nearer-one"),
        pytest.param(-0.1, [0.2, -0.3], -1, [2, -3], id="negative"),
        pytest.param(1e16, [1e16, 0.04], 10**17, [10**17, 0], id="lost-in-rounding"),
    ],
)
def test_rounding_is_shared_out(value: float, parts: list[float], units: int, shares: list[int]) -> None:
    assert printed_units(value, parts, 1) == (units, shares)


def test_the_plan_that_is_shown_is_the_one_that_ran() -> None:
    """And no other that is shown is better by more than what counts as equal."""
    played = played_on("shufflenet_g3", "edge")
    for number, node in enumerate(played.run.network.nodes):
        evidence = Evidence(played, number)
        shown = plan_dict(evidence)
        if evidence.plan is None or not on_array(node, evidence.machine) or evidence.fused:
            continue
        assert shown is not None
        chosen = shown["chosen"]
        assert chosen["order"] == list(evidence.plan.order)
        assert [chosen[key] for key in ("rows", "cols", "out_channels", "in_channels")] == [
            evidence.plan.rows, evidence.plan.cols, evidence.plan.out_channels, evidence.plan.in_channels,
        ]  # fmt: skip
        assert all(chosen["estimated_cycles"] <= 1.02 * each["estimated_cycles"] for each in shown["rejected"])


def test_rejected_plans_are_other_plans() -> None:
    """Three have tiles of other sizes, and none differs from another in loops of one iteration alone."""
    layers = [{"name": "a", "op": "conv", "kernel": 3, "pad": 1, "channels": 256}]
    size = {"height": 8, "width": 8, "channels": 128}
    network = define_network({"name": "one", "source": "made up", "input": size, "layers": layers})
    shown = plan_dict(Evidence(play_network(*load_both(network, "edge"), keep_history=True), 0))
    assert shown is not None
    plans = [shown["chosen"], *shown["rejected"]]
    sizes = [tuple(each[key] for key in ("rows", "cols", "out_channels", "in_channels")) for each in plans]
    assert len(set(sizes)) >= 4
    once = [{"groups", "map"} if (rows, cols) == (8, 8) else {"groups"} for rows, cols, *_ in sizes]
    orders = [tuple(loop for loop in each["order"] if loop not in of) for each, of in zip(plans, once, strict=True)]
    gathers = [each["order"][0] == "map" for each in plans]
    stays = [(each["ifmap_tiles"], each["weight_tiles"]) for each in plans]
    assert len(set(zip(sizes, orders, gathers, stays, strict=True))) == len(plans)


def test_a_plan_loads_a_tile_as_often_as_it_is_said_to() -> None:
    """Tiles that stay together are loaded once for all loops inside: 8 of the input, for 16 of output channels."""
    layers = [{"name": "a", "op": "conv", "kernel": 1, "channels": 512}]
    size = {"height": 14, "width": 14, "channels": 512}
    network = define_network({"name": "one", "source": "made up", "input": size, "layers": layers})
    buffers = (("activation", 16), ("weight", 8), ("accumulator", 8))
    sizes = (f"sram.{name}.capacity_bytes={kib << 10}" for name, kib in buffers)
    small = enumerate(["array.rows=16", "array.cols=16", *sizes])
    evidence = Evidence(play_network(*load_both(network, "edge", small), keep_history=True), 0)
    loaded = [part for operand in ("ifmap", "weight") for part in loaded_bytes(evidence, operand).parts]
    for operand, times in (("input", 1), ("a.weights", 7)):
        (term,) = (each for each in loaded if each.words == operand)
        assert term.note.endswith("loads each tile once" if times == 1 else f"loads each tile {times} times")
        assert term.value == times * term.parts[0].value


def said(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert main(argv) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_a_finished_run_is_explained_as_its_network_and_machine_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["study_inception_reduced", "edge", "--set", "array.rows=16"]
    said(capsys, "run", *arguments, "-o", str(tmp_path))
    for options in (["--layer", "conv5x5"], ["--layer", "reduce", "stall_store_cycles", "--json"]):
        assert said(capsys, "explain", str(tmp_path), *options) == said(capsys, "explain", *arguments, *options)
        assert said(capsys, "explain", str(tmp_path / "run.json"), *options)


def test_a_run_that_would_not_come_out_again_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Such as one of another model version."""
    said(capsys, "run", "study_inception_reduced", "edge", "-o", str(tmp_path))
    path = tmp_path / "run.json"
    document = json.loads(path.read_text())
    document["accelsim_version"] = "0.0.1"
    document["layers"][1]["counts"]["register_bytes"] += 1
    path.write_text(json.dumps(document))
    assert main(["explain", str(path), "--layer", "reduce"]) == 2
    expected = f"{path}:0: layers: expected what accelsim {__version__} simulates from its config"
    assert capsys.readouterr().err == f"{expected}, got other numbers for conv5x5, by accelsim 0.0.1\n"


def test_json_has_the_terms_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    parsed: dict[str, Any] = json.loads(said(capsys, "explain", "shufflenet_g3", "edge", "--layer", "fc", "--json"))
    record = next(each for each in played_on("shufflenet_g3", "edge").run.records if each.layer == "fc")
    assert list(parsed["columns"]) == list(SUMMARY)
    assert parsed["columns"]["energy_total_pj"]["value"] == record.energy.total_pj
    parts = parsed["columns"]["total_cycles"]["parts"]
    assert sum(part["value"] for part in parts) == record.total_cycles
    assert parsed["plan"]["chosen"]["estimated_cycles"] > 0
    assert len(parsed["plan"]["rejected"]) >= 2


def test_a_stall_is_told_by_what_was_waited_for() -> None:
    """The clocks of a cause in a layer are those of the record, whoever's command it was."""
    played = played_on("shufflenet_g3", "edge")
    for cause in STALL_CAUSES:
        found = sum(sum(each.high - each.low for each in Evidence(played, number).clocks if each.cause == cause)
                    for number in range(20))  # fmt: skip
        assert found == sum(record.stalls[cause] for record in played.run.records[:20])
    text = explanation(Evidence(played, 0), ["stall_dram_ifmap_cycles"])
    assert "DRAM: load of input" in text
