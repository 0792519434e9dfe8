"""Are shuffles, concats and slices addresses wherever they can be?"""

from __future__ import annotations

from typing import Any

from accelsim.check.execute import check_network
from accelsim.config.plan import Plan
from accelsim.config.scheduling import Scheduling, Target
from accelsim.lowering.compile import lower
from accelsim.lowering.ir import copied_channels
from accelsim.lowering.layout import lay_out
from accelsim.lowering.placement import progressions
from accelsim.network.graph import Network
from accelsim.program.commands import Store
from accelsim.program.tensors import Range, elements
from accelsim.run.simulate import load_network, run_network
from tests.strategies import machine_of, network_of


def test_progressions_of_a_shuffle() -> None:
    """All channels are one run, those of one group a stride apart."""
    network = network_of([{"name": "s", "op": "shuffle", "groups": 3}], (1, 1, 12))
    places = copied_channels(network.nodes[0], 0)
    assert progressions(tuple(sorted(places.tolist()))) == (Range(0, 12, 1),)
    assert progressions(tuple(sorted(places[4:8].tolist()))) == (Range(1, 11, 3),)


SHUFFLE: list[dict[str, Any]] = [
    {"name": "c", "op": "conv", "kernel": 1, "channels": 24, "groups": 3},
    {"name": "s", "op": "shuffle", "groups": 3},
    {"name": "p", "op": "relu"},
]


def copies_of(network: Network, *, scatter: bool) -> dict[str, tuple[str, ...]]:
    return lay_out(network, 8, scatter=scatter).copies


def test_a_shuffle_is_an_address_unless_the_dma_cannot_scatter() -> None:
    """Or somebody else reads the unshuffled map."""
    network = network_of(SHUFFLE, (6, 6, 6))
    assert copies_of(network, scatter=True) == {"s": ()}
    assert copies_of(network, scatter=False) == {"s": ("c",)}
    twice = network_of([*SHUFFLE, {"name": "a", "op": "add", "inputs": ["c", "p"]}], (6, 6, 6))
    assert copies_of(twice, scatter=True) == {"s": ("c",)}


def test_a_concat_is_an_address_for_each_input_that_lies_nowhere_else() -> None:
    """The network's input is copied, and so is a map to the second of two concats, the outermost being served first."""
    rows = [
        {"name": "a", "op": "relu", "inputs": ["input"]},
        {"name": "b", "op": "relu", "inputs": ["input"]},
        {"name": "x", "op": "concat", "inputs": ["a", "b"]},
        {"name": "y", "op": "concat", "inputs": ["x", "a", "input"]},
    ]
    assert copies_of(network_of(rows, (4, 4, 2)), scatter=True) == {"x": ("a",), "y": ("input",)}


def test_a_map_within_a_shuffled_concat_is_copied_if_another_layer_reads_it() -> None:
    """Its channels would lie apart; the one beside it, which only the concat reads, is written where it belongs."""
    two = [{"name": name, "op": "matmul", "inputs": ["input"], "channels": 4} for name in "ab"]
    joined = [{"name": "c", "op": "concat", "inputs": ["a", "b"]}, {"name": "s", "op": "shuffle", "groups": 2}]
    network = network_of([*two, *joined, {"name": "d", "op": "matmul", "inputs": ["a"], "channels": 4}], (4, 4, 3))
    assert lay_out(network, 8, scatter=True).copies == {"s": (), "c": ("a",)}
    assert check_network(network, machine_of()) == []


def test_a_slice_lies_within_its_input_and_moves_nothing() -> None:
    """Its readers load its channels, and of no others; a concat of slices copies them."""
    rows: list[dict[str, Any]] = [
        {"name": "a", "op": "matmul", "channels": 8},
        {"name": "s", "op": "slice", "first": 3, "channels": 4},
        {"name": "t", "op": "slice", "first": 1, "channels": 2},
        {"name": "b", "op": "matmul", "channels": 4},
        {"name": "c", "op": "concat", "inputs": ["s", "b"]},
    ]
    network = network_of(rows, (4, 4, 3), quantize={"layers": {"a": {"activation_bits": 4}}})
    maps = lay_out(network, 8, scatter=True)
    assert maps.by_name["t"].tensor is maps.by_name["a"].tensor
    assert maps.by_name["t"].channels.tolist() == [4, 5]
    assert maps.copies == {"s": (), "t": (), "c": ("s",)}
    for keep in ("auto", "never"):
        scheduling = Scheduling.model_validate({"keep_activations": keep})
        assert check_network(network, machine_of(), scheduling) == []
        lowered = lower(network, machine_of(), scheduling)
        assert not [command for command in lowered.program.commands if command.layer in (1, 2)]


def test_a_shuffle_whose_stored_tile_holds_all_channels_costs_nothing() -> None:
    """As many burst bytes as without it."""
    workload = load_network("shufflenet_g3")[0]
    target = Target(machine_of(output_path__scale=0), Scheduling(keep_activations="never"))
    plain = run_network(workload, network_of([SHUFFLE[0], SHUFFLE[2]], (6, 6, 6)), *target)
    mixed = run_network(workload, network_of(SHUFFLE, (6, 6, 6)), *target)
    assert mixed.totals["dram_write_burst_bytes"] == plain.totals["dram_write_burst_bytes"]
    assert mixed.records[1].total_cycles == 0


def test_a_shuffle_that_scatters_pays_a_burst_for_each_element() -> None:
    """Where the result tile holds one group only, its channels lie a stride apart."""
    small = {"sram__activation__capacity_bytes": 80, "sram__weight__capacity_bytes": 300}
    network = network_of([{**SHUFFLE[0], "channels": 96}, *SHUFFLE[1:]], (1, 1, 12))
    scheduling = Scheduling(keep_activations="never", plan=Plan(scatter=True))
    program = lower(network, machine_of(**small), scheduling).program
    stores = [command.tile for command in program.commands if isinstance(command, Store) and command.layer == 0]
    scattered = [tile for tile in stores if tile.region[3].step == 3]
    assert scattered
    for tile in scattered:
        assert sum(part.bursts(64) for part in tile.descriptors) == elements(tile.region)
