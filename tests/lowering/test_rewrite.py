"""Operators on the ways to and from the array: what is done there, what it costs and where it is counted."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest

from accelsim.check.execute import check_network
from accelsim.config.load import load_machine
from accelsim.config.plan import Plan
from accelsim.config.scheduling import Scheduling
from accelsim.errors import UserError
from accelsim.lowering.compile import lower
from accelsim.lowering.rewrite import rewrite
from accelsim.network.graph import Network
from accelsim.network.stream import stream
from accelsim.program.commands import Buffer, Compute, Load, Program, Store, Tile, Work
from accelsim.program.folds import Fold, single
from accelsim.program.link import Moment, link
from accelsim.program.tensors import Range, Tensor
from accelsim.run.play import lower_or_refuse, perform
from accelsim.run.simulate import load_network
from accelsim.unit_kinds import ARRAY
from tests.played import dma_counts
from tests.strategies import machine_of, network_of

NO_WAYS = {"input_path__scale": 0, "output_path__scale": 0, "output_path__function": 0}
NORM = {"name": "norm", "op": "bn", "activation": "relu"}
OVERLAPPING = {"name": "pool", "op": "maxpool", "kernel": 3, "stride": 2, "pad": 1}
CONV = {"name": "conv", "op": "conv", "kernel": 3, "pad": 1, "channels": 64}


def network(*rows: dict[str, Any]) -> Network:
    """On a map of 8 x 8 pixels with 32 channels."""
    return network_of(list(rows), (8, 8, 32))


def absorbed(rows: list[dict[str, Any]], **ways: int) -> list[str]:
    """Layers that are done on a way, on a machine with all ways but for these."""
    nodes = rewrite(network(*rows), machine_of(**ways)).nodes
    return [node.name for node in nodes if node.absorbed]


@pytest.mark.parametrize("missing", [{}, {"input_path__scale": 0}])
def test_a_batch_norm_before_a_convolution_is_done_on_the_way_in(missing: dict[str, int]) -> None:
    """Unless the machine can't."""
    assert absorbed([NORM, CONV], **missing) == ([] if missing else ["norm"])


@pytest.mark.parametrize("missing", [{}, {"output_path__scale": 0}])
def test_a_batch_norm_behind_a_convolution_is_done_on_the_way_out(missing: dict[str, int]) -> None:
    """Once a result, and not on the way in of the next convolution, once for each time that an element is read."""
    rows = [CONV, NORM, {**CONV, "name": "next"}]
    nodes = {node.name: node for node in rewrite(network(*rows), machine_of(**missing)).nodes}
    assert nodes["norm"].absorbed
    assert [each.name for each in nodes["conv"].after] == ([] if missing else ["norm"])
    assert [each.name for each in nodes["next"].before] == (["norm"] if missing else [])
    assert nodes["next"].inputs == ("conv",)


def test_each_part_of_a_way_is_there_once() -> None:
    """A factor and a function go with the convolution, a second factor does not."""
    rows = [
        CONV,
        NORM,
        {"name": "silu", "op": "silu"},
        {"name": "again", "op": "bn"},
        {"name": "fc", "op": "fc", "channels": 4},
    ]
    assert absorbed(rows) == ["norm", "silu", "again"]
    assert absorbed(rows, input_path__scale=0) == ["norm", "silu"]


def test_what_is_read_otherwise_as_well_is_a_layer() -> None:
    """A result before its batch norm, and a batch norm that an add reads, too."""
    add = {"name": "sum", "op": "add", "inputs": ["conv", "norm"]}
    assert absorbed([CONV, NORM, add]) == []
    assert absorbed([NORM, {**CONV, "channels": 32}, {**add, "inputs": ["norm", "conv"]}]) == ["sum"]


def test_a_map_of_other_bits_is_a_layer_s_own() -> None:
    """Elements are as wide before a way as behind it."""
    keys = {"quantize": {"layers": {"norm": {"activation_bits": 4}}}}
    nodes = rewrite(network_of([CONV, NORM], (8, 8, 32), **keys), machine_of()).nodes
    assert not any(node.absorbed for node in nodes)


@pytest.mark.parametrize("rows", [[NORM, CONV], [CONV, NORM, {"name": "elu", "op": "elu"}]])
def test_values_are_those_of_a_direct_computation(rows: list[dict[str, Any]]) -> None:
    """Zeros of the padding are zeros behind a batch norm, too."""
    assert check_network(network(*rows), machine_of()) == []


def test_a_map_that_is_normalised_on_the_way_is_not_moved() -> None:
    """Neither stored nor loaded, where the buffer is too small for it to stay."""
    small = {"sram__activation__capacity_bytes": 1024}
    moved = [
        sum(each.dram_bytes for each in dma_counts(lower(network(CONV, NORM), machine_of(**small, **ways)).program, 64))
        for ways in ({}, NO_WAYS)
    ]
    assert moved[1] - moved[0] == 2 * 8 * 8 * 64


def test_operations_are_counted_for_each_element_that_passes() -> None:
    """Of a 1x1 convolution to 64 channels on 32 columns each element passes twice on its way in, each result once on
    its way out; a batch norm takes 2 operations, its ReLU another one. No clocks are the layer's."""
    behind = {"name": "behind", "op": "bn"}
    rows = [NORM, {**CONV, "kernel": 1, "pad": 0}, behind]
    records = {each.layer: each for each in perform(network(*rows), machine_of(), Scheduling()).records}
    assert records["norm"].counts.vector_ops == 3 * 2 * 8 * 8 * 32
    assert records["behind"].counts.vector_ops == 2 * 8 * 8 * 64
    assert records["conv"].counts.vector_ops == 0
    assert records["norm"].total_cycles == records["behind"].total_cycles == 0
    assert records["norm"].energy.vector_pj > 0


@pytest.mark.parametrize(
    ("way", "rows", "slower"), [("input_path__scale", [NORM, CONV], 4), ("output_path__scale", [CONV, NORM], 4)]
)
def test_a_slow_way_holds_up_the_array(way: str, rows: list[dict[str, Any]], slower: int) -> None:
    """A row of 32 elements takes four clocks at 8 a clock; on the way out only that of the last sums.

    In tiles of 32 channels, as the array is wide: narrower ones take as long, with fewer elements in a row.
    """
    whole = {"rows": 8, "columns": 8, "inputs": 32, "outputs": 32}
    tiled = Scheduling(plan=Plan.model_validate({"layers": [{"match": "conv", "tile": whole}]}))
    computes = [
        [
            each
            for each in lower(network(*rows), machine_of(**{way: width}), tiled).program.commands
            if isinstance(each, Compute)
        ]
        for width in (32, 8)
    ]
    streams = [[each.chain.stream_cycles for each in found if each.chain] for found in computes]
    stretched = [sum(each.stretched_cycles for each in found) for found in computes]
    assert stretched[0] == 0
    assert stretched[1] == sum(streams[1]) - sum(streams[0])
    folds = 9 if way.startswith("input") else 1
    assert stretched[1] == folds * 2 * (slower - 1) * 64


def test_a_slow_way_out_is_passed_once_a_result_in_the_estimate_too() -> None:
    """So that the tiles stay as wide as the array: their last sums wait, those that go on do not."""
    plans = [lower(network(CONV, NORM), machine_of(output_path__scale=width)).plans[0] for width in (32, 8)]
    assert plans[0] == plans[1]


POOL = {"name": "pool", "op": "maxpool", "kernel": 2, "stride": 2}
ADD = {"name": "sum", "op": "add", "inputs": ["conv", "first"], "activation": "relu"}
FIRST = {**CONV, "name": "first"}
LATE = {"name": "first", "op": "softmax", "inputs": ["before"]}


@pytest.mark.parametrize(
    ("changes", "rows", "added"),
    [
        ({}, [FIRST, CONV, ADD], True),
        ({}, [FIRST, CONV, {**ADD, "inputs": ["first", "conv"]}], True),
        ({"output_path__add": 0}, [FIRST, CONV, ADD], False),
        ({}, [FIRST, CONV, {**ADD, "op": "mul"}], False),
        ({}, [FIRST, CONV, {**ADD, "inputs": ["conv", "conv"]}], False),
        ({}, [{**FIRST, "name": "before"}, CONV | {"inputs": ["input"]}, LATE, ADD], False),
        ({}, [{"name": "first", "op": "fc", "channels": 64}, {**CONV, "inputs": ["input"]}, ADD], False),
        ({}, [FIRST, CONV, {**POOL, "kernel": 1, "stride": 1}, {**ADD, "inputs": ["pool", "first"]}], False),
    ],
)
def test_a_shortcut_is_added_on_the_way_out(changes: dict[str, int], rows: list[dict[str, Any]], added: bool) -> None:
    """Where the other map is as large and there before the convolution is done, which nobody else reads, and no pool
    is on the way; a factor of a map's own is none."""
    nodes = {node.name: node for node in rewrite(network(*rows), machine_of(**changes)).nodes}
    assert nodes["sum"].absorbed == added
    assert nodes["conv"].shortcut == ("first" if added else None)


def test_a_norm_that_is_added_too_is_no_way_in() -> None:
    """Its map has to be there for the sum."""
    rows = [NORM, {**CONV, "channels": 32}, {**ADD, "inputs": ["conv", "norm"]}]
    assert absorbed(rows) == ["sum"]


@pytest.mark.parametrize("dataflow", ["ws", "is", "os"])
def test_sums_on_the_way_out_are_those_of_a_direct_computation(dataflow: str) -> None:
    """In a cascade, in pieces that are loaded, and in pieces of a map whose sum takes its place; of a map added to what
    is made of it, and of one that lies in the same tensor."""
    again = {"name": "again", "op": "conv", "kernel": 3, "pad": 1, "channels": 64, "groups": 8}
    more = {"name": "more", "op": "add", "inputs": ["again", "sum"]}
    halves = [
        {"name": "left", "op": "slice", "channels": 32},
        {"name": "right", "op": "slice", "first": 32, "channels": 32},
    ]
    halves[1]["inputs"] = ["more"]
    both = [
        {**CONV, "name": "half", "inputs": ["left"], "channels": 32},
        {"name": "last", "op": "add", "inputs": ["half", "right"]},
    ]
    rows = [FIRST, CONV, ADD, again, more, *halves, *both]
    for room in (1 << 16, 10 << 10, 3 << 10):
        machine = machine_of(sram__activation__capacity_bytes=room, array__dataflow=dataflow)
        assert [node.name for node in rewrite(network(*rows), machine).nodes if node.absorbed] == [
            "sum",
            "more",
            "last",
        ]
        assert check_network(network(*rows), machine) == []


def test_a_shortcut_is_read_once_beside_the_results() -> None:
    """From SRAM as it is added, an operation each; from DRAM where the buffer is too small for it to stay. The results
    of the convolution alone are written and moved nowhere."""
    counts = []
    for ways in ({}, {"output_path__add": 0}):
        machine = machine_of(sram__activation__capacity_bytes=4 << 10, **ways)
        flat = {"kernel": 1, "pad": 0}
        rows = [CONV | flat, FIRST | {"inputs": ["input"], **flat}, {**ADD, "inputs": ["first", "conv"]}]
        records = {
            each.layer: each.counts
            for each in perform(network(*rows), machine, Scheduling(keep_activations="never")).records
        }
        counts.append(records)
    size = 8 * 8 * 64
    assert counts[0]["sum"].vector_ops == counts[0]["sum"].sram_read_ifmap_bytes == size
    assert counts[0]["sum"].dram_bytes == 0
    assert counts[0]["first"].sram_write_ofmap_bytes == counts[0]["first"].dram_write_ofmap_bytes == size
    moved = [sum(each.dram_bytes for each in records.values()) for records in counts]
    assert moved[1] - moved[0] == 2 * size


def test_a_slow_adder_holds_up_the_array() -> None:
    """Eight elements a clock are a fourth of the columns: the last sums wait, those that go on do not."""
    whole = {"rows": 8, "columns": 8, "inputs": 64, "outputs": 64}
    tiled = Scheduling(plan=Plan.model_validate({"layers": [{"match": "conv", "tile": whole}]}))
    streams = []
    for width in (32, 8):
        program = lower(network(FIRST, CONV, ADD), machine_of(output_path__add=width), tiled).program
        streams.append(
            [
                each.chain.stream_cycles
                for each in program.commands
                if isinstance(each, Compute) and each.chain and each.layer == 1
            ]
        )
    assert sum(streams[1]) - sum(streams[0]) == 2 * 3 * 64


def test_the_place_of_a_shortcut_is_free_once_the_sum_is_there() -> None:
    """Behind the array's own streams: what takes its place waits for the sums, which are done later."""
    maps = [Tensor(name, (1, 1, 1, 4), 8, 64 * place) for place, name in enumerate("xyz")]
    shortcut, result, next_one = (
        Tile(tensor, tensor.whole, Buffer.ACTIVATION, address=address)
        for tensor, address in zip(maps, (0, 4, 0), strict=True)
    )
    one = Range(0, 1)
    work, chain = Work(one, one, one, Range(0, 4), one), single(Fold(1, 1, 0, 1, 0))
    compute = Compute(
        0, ARRAY, work, (), (), (result,), (result,), chain=chain, added=(shortcut,), released=(shortcut,)
    )
    commands = [Load(0, shortcut), compute, Store(0, result), Load(0, next_one)]
    linked = list(islice(link(Program(("x",), (maps[0], maps[2]), commands, {Buffer.ACTIVATION: 8})), 4))
    assert linked[1].task.stream_waits == ((linked[0].task, Moment.DONE),)
    assert linked[3].task.begin_waits == ((linked[1].task, Moment.DONE),)


@pytest.mark.parametrize(
    ("changes", "keys", "pooled"),
    [
        ({}, {}, True),
        ({}, {"op": "avgpool"}, True),
        ({"output_path__max_pool": 0}, {}, False),
        ({}, {"kernel": 3}, False),
        ({}, {"pad": 1}, False),
        ({}, {"kernel": 3, "stride": 3}, False),
        ({"output_path__pool_buffer_bytes": 4 * 32}, {}, True),
        ({"output_path__pool_buffer_bytes": 4 * 32 - 1}, {}, False),
        ({"sram__activation__capacity_bytes": 2 * (4 * 8 * 32 + 4 * 64)}, {}, True),
        ({"sram__activation__capacity_bytes": 2 * (4 * 8 * 32 + 4 * 64) - 1}, {}, False),
    ],
)
def test_a_pool_that_takes_each_result_once_is_done_on_the_way_out(
    changes: dict[str, int], keys: dict[str, Any], pooled: bool
) -> None:
    """Where its buffer holds a row of 4 maxima in 32 columns, and the activation buffer two rows of outputs with the
    four rows of 8 x 32 that each needs."""
    assert absorbed([CONV, {**POOL, **keys}], **changes) == (["pool"] if pooled else [])


@pytest.mark.parametrize(
    ("op", "room", "kept"),
    [("maxpool", 1 << 16, 4 * 4 * 64), ("avgpool", 1 << 16, 2 * 4 * 4 * 64), ("maxpool", 6 << 10, 4 * 4 * 64)],
)
def test_each_row_of_a_window_but_the_first_goes_on_with_what_is_kept(op: str, room: int, kept: int) -> None:
    """4 x 4 outputs of 64 channels, of two rows each: a byte of a maximum, or two of a sum of 10 bit, once; in whatever
    pieces."""
    machine = machine_of(sram__activation__capacity_bytes=room)
    records = perform(network(CONV, {**POOL, "op": op}), machine, Scheduling()).records
    counts = {each.layer: each.counts for each in records}["pool"]
    assert (counts.sram_read_pool_bytes, counts.sram_write_pool_bytes) == (kept, kept)


@pytest.mark.parametrize("dataflow", ["ws", "is", "os"])
@pytest.mark.parametrize("op", ["maxpool", "avgpool"])
def test_pooled_values_are_those_of_a_direct_computation(op: str, dataflow: str) -> None:
    """Behind a batch norm and before another, in a cascade and in pieces of their own."""
    rows = [
        CONV,
        NORM,
        {**POOL, "op": op},
        {**CONV, "name": "next"},
        {**POOL, "name": "last"},
        {"name": "tanh", "op": "tanh"},
    ]
    for room in (1 << 16, 6 << 10):
        machine = machine_of(sram__activation__capacity_bytes=room, array__dataflow=dataflow)
        assert [node.name for node in rewrite(network(*rows), machine).nodes if node.absorbed] == [
            "norm", "pool", "last", "tanh",
        ]  # fmt: skip
        assert check_network(network(*rows), machine) == []


def test_a_pool_is_counted_once_for_each_result_and_stores_a_quarter() -> None:
    """Results that are pooled are not written to SRAM, nor are their maxima counted as writes of the array's."""
    records = {each.layer: each for each in perform(network(CONV, POOL), machine_of(), Scheduling()).records}
    assert records["pool"].counts.vector_ops == 4 * 4 * 4 * 64
    assert records["conv"].counts.sram_write_ofmap_bytes == records["conv"].counts.dram_write_ofmap_bytes == 4 * 4 * 64
    assert records["conv"].counts.macs == 8 * 8 * 9 * 32 * 64


@pytest.mark.parametrize(
    ("changes", "keys", "pooled"),
    [
        ({}, {}, True),
        ({}, {"pad": 0, "ceil": True}, True),
        ({}, {"pad": 0}, False),
        ({"output_path__pool_overlaps": False}, {}, False),
        ({"output_path__pool_buffer_bytes": 4 * (64 + 32)}, {}, True),
        ({"output_path__pool_buffer_bytes": 4 * (64 + 32) - 1}, {}, False),
        ({"sram__accumulator__capacity_bytes": 2 * 4 * 2 * 8 * 32}, {}, True),
        ({"sram__accumulator__capacity_bytes": 2 * 4 * 2 * 8 * 32 - 8}, {}, False),
    ],
)
def test_a_pool_whose_windows_overlap_is_done_on_the_way_out(
    changes: dict[str, Any], keys: dict[str, Any], pooled: bool
) -> None:
    """Where it takes all results, its buffer holds a row of 4 maxima that waits in 64 channels and one that begins in
    32, and half of the accumulator the 2 x 8 sums of a row in 32 columns."""
    assert absorbed([CONV, {**OVERLAPPING, **keys}], **changes) == (["pool"] if pooled else [])


def test_pools_whose_windows_overlap_share_the_buffer() -> None:
    """Each keeps its place for good: the second has none where the first one's row waits."""
    rows = [CONV, OVERLAPPING, {**CONV, "name": "next"}, {**OVERLAPPING, "name": "last"}]
    both = 4 * 64 + 2 * 64 + 2 * 32
    assert absorbed(rows, output_path__pool_buffer_bytes=both) == ["pool", "last"]
    assert absorbed(rows, output_path__pool_buffer_bytes=both - 1) == ["pool"]


@pytest.mark.parametrize("dataflow", ["ws", "is", "os"])
@pytest.mark.parametrize(("op", "pad"), [("maxpool", 0), ("maxpool", 1), ("avgpool", 1)])
def test_values_under_overlapping_windows_are_those_of_a_direct_computation(op: str, pad: int, dataflow: str) -> None:
    """In a cascade and in pieces of their own; rows wait for the next piece, and none is computed twice."""
    pool = {**OVERLAPPING, "op": op, "pad": pad, "ceil": pad == 0}
    rows = [CONV, NORM, pool, {**CONV, "name": "next"}, {**pool, "name": "last"}]
    for room in (1 << 16, 6 << 10):
        machine = machine_of(sram__activation__capacity_bytes=room, array__dataflow=dataflow)
        assert [node.name for node in rewrite(network(*rows), machine).nodes if node.absorbed] == [
            "norm", "pool", "last",
        ]  # fmt: skip
        assert check_network(network(*rows), machine) == []


@pytest.mark.parametrize("rows", [1, 2, 3, 4])
def test_a_tile_of_rows_computes_each_result_once(rows: int) -> None:
    """Two rows of results for each of outputs, and one more for the first; the input has the kernel's halo alone."""
    plan = Plan.model_validate({"layers": [{"match": "conv", "tile": {"rows": rows}}]})
    scheduling = Scheduling(keep_activations="never", plan=plan)
    pool = {**OVERLAPPING, "pad": 0, "ceil": True}
    (conv, _) = perform(network(CONV, pool), machine_of(), scheduling).records
    assert conv.counts.macs == 8 * 8 * 9 * 32 * 64
    tiles = [(max(0, 2 * first), min(8, 2 * min(first + rows, 4) + 2)) for first in range(0, 4, rows)]
    assert conv.counts.dram_read_ifmap_bytes == sum(stop - start for start, stop in tiles) * 8 * 32


@pytest.mark.parametrize(
    ("tile", "key"), [({"columns": 2}, "columns"), ({"images": 2, "rows": 2}, "rows"), ({"images": 2}, "")]
)
def test_a_plan_may_not_cut_the_rows_of_overlapping_windows(tile: dict[str, int], key: str) -> None:
    """Nor the rows of several images at once."""
    given = Scheduling(plan=Plan.model_validate({"layers": [{"match": "conv", "tile": tile}]}))
    pair = network_of([CONV, OVERLAPPING], (8, 8, 32), batch=2)
    if key:
        with pytest.raises(UserError, match=f"tile.{key}: expected all 4 of conv, behind which pool has windows that"):
            lower_or_refuse(pair, machine_of(), given)
    else:
        lower_or_refuse(pair, machine_of(), given)


def test_each_inference_has_the_same_on_its_ways() -> None:
    """Pools of as many as fill the buffer of what waits several times over."""
    _, network = load_network("squeezenet_v1.0")
    nodes = rewrite(stream(network, 9), load_machine("edge")).nodes
    ways = [[each.op.name for each in node.after] for node in nodes]
    first = ways[: len(network.nodes)]
    assert any("maxpool" in way for way in first)
    assert ways == 9 * first
