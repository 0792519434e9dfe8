"""Does the tiler find what can be found? Against a search that tries everything and shares no code with it."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.check.execute import check_network
from accelsim.config.dram import CommandDevice
from accelsim.config.load import load_machine, parse_overrides
from accelsim.config.machine import Machine
from accelsim.config.named import shipped
from accelsim.config.scheduling import Scheduling
from accelsim.energy.price import price
from accelsim.lowering.compile import estimate, lower
from accelsim.lowering.ir import LayerTask, TilingContext
from accelsim.lowering.layout import lay_out
from accelsim.lowering.prices import Prices
from accelsim.lowering.tiling import search
from accelsim.lowering.tiling.bound import least_dram_bytes
from accelsim.lowering.tiling.candidates import gathered, joined
from accelsim.lowering.tiling.nearby import beside, near
from accelsim.lowering.tiling.space import searched
from accelsim.lowering.tiling.traffic import traffic
from accelsim.records import ActionCounts
from accelsim.run.gemm import run_gemm
from accelsim.run.play import perform
from accelsim.run.simulate import load_both, load_network, run_network
from tests.played import dma_counts
from tests.reference.tiles import Buffers, Layer, every_walk, least_traffic
from tests.strategies import machine_of, network_of

LAYERS = {
    "alexnet conv1": Layer(227, 227, 3, 96, kernel=11, stride=4),
    "alexnet conv2, 2 groups": Layer(27, 27, 48, 128, groups=2, kernel=5, pad=2),
    "alexnet fc6": Layer(1, 1, 9216, 4096),
    "vgg conv3_1": Layer(56, 56, 128, 256, kernel=3, pad=1),
    "vgg conv4_2": Layer(28, 28, 512, 512, kernel=3, pad=1),
    "resnet conv1": Layer(224, 224, 3, 64, kernel=7, stride=2, pad=3),
    "resnet conv5 projection": Layer(14, 14, 256, 512, stride=2),
    "googlenet 5x5": Layer(14, 14, 32, 128, kernel=5, pad=2),
    "mobilenet dw, stride 2": Layer(112, 112, 1, 1, groups=64, kernel=3, stride=2, pad=1),
    "mobilenet pw": Layer(14, 14, 512, 512),
    "shufflenet gconv": Layer(28, 28, 80, 20, groups=3),
    "shufflenet dw": Layer(28, 28, 1, 1, groups=60, kernel=3, pad=1),
}
CAPACITIES = [1 << power for power in range(13, 23)]


FEW_BYTES = Scheduling(objective="dram_bytes")


def machine_with(capacity: int, **changes: Any) -> Machine:
    """`edge` with buffers of this size each."""
    sizes = {f"sram__{name}__capacity_bytes": capacity for name in ("activation", "weight", "accumulator")}
    return machine_of(**{**sizes, "dram__burst_bytes": 1, **changes})


def row_of(layer: Layer) -> dict[str, Any]:
    return {
        "name": "c",
        "op": "conv",
        "channels": layer.groups * layer.outputs,
        "groups": layer.groups,
        "kernel": layer.kernel,
        "stride": layer.stride,
        "pad": layer.pad,
    }


def bytes_of(layer: Layer, machine: Machine) -> int:
    """What the program of a layer asks DRAM for."""
    network = network_of([row_of(layer)], (layer.height, layer.width, layer.groups * layer.inputs))
    (counts,) = dma_counts(lower(network, machine, FEW_BYTES).program, machine.dram.burst_bytes)
    return counts.dram_read_bytes + counts.dram_write_bytes


def planned_bytes(layer: Layer, machine: Machine) -> int:
    """As `bytes_of`, by the closed form that `test_traffic.py` holds to the program."""
    network = network_of([row_of(layer)], (layer.height, layer.width, layer.groups * layer.inputs))
    maps = lay_out(network, machine.array.activation_bits, scatter=True)
    shape, limits = LayerTask.of(network.nodes[0], 1, maps), TilingContext.of(machine, "dram_bytes")
    return traffic(shape, estimate(shape, limits).tiling, limits.array).bytes


def buffers_of(machine: Machine) -> Buffers:
    sram = machine.sram
    sums = sram.accumulator.capacity_bytes // 4
    return Buffers(
        sram.activation.capacity_bytes, sram.weight.capacity_bytes, sums, machine.array.rows, machine.array.cols
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYERS)
def test_traffic_is_the_least_there_is(name: str) -> None:
    """Small and large buffers, none of them a power of two."""
    for capacity in (10_000, 300_000):
        machine = machine_with(capacity)
        assert bytes_of(LAYERS[name], machine) <= 1.01 * least_traffic(LAYERS[name], buffers_of(machine))


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("objective", ["cycles", "dram_bytes"])
def test_a_plan_fits_the_buffer_that_it_needs_and_none_smaller(name: str, objective: str) -> None:
    """To the byte, with its maps in DRAM or on chip: in between, no other plan has to be looked for."""
    layer = LAYERS[name]
    network = network_of([row_of(layer)], (layer.height, layer.width, layer.groups * layer.inputs))
    machine = machine_with(1 << 17)
    whole = LayerTask.of(network.nodes[0], 1, lay_out(network, 8, scatter=True))
    parts = replace(whole, loaded=max(1, whole.loaded // 2), stored=max(1, whole.stored // 2))
    for shape in (whole, replace(whole, loaded=0), replace(whole, stored=0), parts):
        limits = TilingContext.of(machine, objective)
        best = estimate(shape, limits)
        assert best.activation_bytes <= limits.activation_bytes
        for room, there in ((best.activation_bytes, True), (best.activation_bytes - 1, False)):
            limits = replace(limits, activation_bytes=room)
            tried = near(shape, limits, best.tiling), beside(shape, limits, [best.tiling])
            plans = joined([gathered(searched(shape, limits, "ws")), *tried])
            as_large = np.flatnonzero(plans.activation_bytes == best.activation_bytes).tolist()
            assert (best.tiling in (plans.plan(index, "ws", shape.taps) for index in as_large)) == there


small = st.builds(
    Layer,
    height=st.integers(1, 4),
    width=st.integers(1, 4),
    inputs=st.integers(1, 4),
    outputs=st.integers(1, 4),
    groups=st.sampled_from([1, 1, 2, 3]),
    kernel=st.integers(1, 2),
    stride=st.integers(1, 2),
).filter(lambda layer: min(layer.height, layer.width) >= layer.kernel)


@given(small, st.integers(4, 90), st.integers(4, 60), st.integers(2, 60))
def test_no_tile_sizes_in_no_order_move_less(layer: Layer, activation: int, weight: int, sums: int) -> None:
    """Layers so small that every step of every plan with two places a tile is walked: none moves less.

    The tiler also knows tiles that have one place, sets that stay and parts of kernels, and may move less yet.
    """
    machine = machine_of(
        dram__burst_bytes=1,
        array__rows=4,
        array__cols=1 + sums % 3,
        sram__activation__capacity_bytes=activation,
        sram__weight__capacity_bytes=weight,
        sram__accumulator__capacity_bytes=4 * (6 + sums),
    )
    walked = min(every_walk(layer, buffers_of(machine)), default=None)
    if walked is not None:
        assert least_traffic(layer, buffers_of(machine)) == walked
        assert bytes_of(layer, machine) <= walked


def lecture_layers() -> dict[tuple[Any, ...], Layer]:
    """Different convolutions of the lecture's networks."""
    names = (
        "alexnet_grouped vgg16 resnet34_A resnet50_v1 resnext50_32x4d densenet121 googlenet mobilenet_v1_1.00_224"
        " mobilenet_v1_0.50_160 squeezenet_v1.0 shufflenet_1.0x_g3 shufflenet_1.0x_g8"
    )
    found: dict[tuple[Any, ...], Layer] = {}
    for name in names.split():
        for node in load_network(name)[1].nodes:
            axis = node.window.vertical
            if node.op.name == "conv" and node.window.horizontal == axis and axis.pad == axis.pad_end:
                size, groups = node.sizes[0], node.groups
                channels = size.channels // groups, node.output.channels // groups
                layer = Layer(size.height, size.width, *channels, groups, axis.kernel, axis.stride, axis.pad)
                found[name, node.label, layer] = layer
    return found


@pytest.mark.slow
def test_traffic_is_the_least_there_is_for_every_kind_of_layer() -> None:
    """Every sixth of the lecture's different layers, 8 KiB to 4 MiB; and more SRAM never means more bytes."""
    layers = list(lecture_layers().values())[::6]
    assert len(layers) >= 40
    for layer in layers:
        before = None
        for capacity in CAPACITIES:
            machine = machine_with(capacity)
            asked = planned_bytes(layer, machine)
            assert asked <= 1.01 * least_traffic(layer, buffers_of(machine)), (layer, capacity)
            assert before is None or asked <= before, (layer, capacity)
            before = asked


def test_a_pool_loads_no_row_twice_if_fewer_channels_avoid_it() -> None:
    """3x3 at stride 2 over 112x112x64: 8 KiB hold no row of all channels, but strips of some."""
    row = {"name": "p", "op": "maxpool", "kernel": 3, "stride": 2, "pad": 1}
    network = network_of([row], (112, 112, 64))
    asked = []
    for capacity in CAPACITIES:
        (counts,) = dma_counts(lower(network, machine_with(capacity), FEW_BYTES).program, 64)
        asked.append(counts.dram_read_bytes)
    assert asked == sorted(asked, reverse=True)
    assert asked[0] < 1.1 * 112 * 112 * 64
    assert asked[-1] == 112 * 112 * 64


@pytest.mark.slow
@given(
    st.sampled_from(sorted(LAYERS)),
    st.integers(1 << 13, 1 << 19),
    st.integers(1 << 13, 1 << 19),
    st.integers(1 << 13, 1 << 19),
    st.sampled_from(["activation", "weight", "accumulator"]),
    st.integers(1, 1 << 16),
    st.sampled_from([8, 6]),
)
def test_more_sram_never_means_more_bytes(
    name: str, activation: int, weight: int, accumulator: int, buffer: str, more: int, weight_bits: int
) -> None:
    """Of any buffer, by any amount, packed weights too."""
    sizes = {"activation": activation, "weight": weight, "accumulator": accumulator}
    asked = []
    for given_sizes in (sizes, {**sizes, buffer: sizes[buffer] + more}):
        keys = {f"sram__{each}__capacity_bytes": size for each, size in given_sizes.items()}
        asked.append(planned_bytes(LAYERS[name], machine_with(1 << 13, array__weight_bits=weight_bits, **keys)))
    assert asked[1] <= asked[0]


FIXED = ("ws", "is", "os")


def cycles_of(network: str, machine: str, dataflow: str, *more: str) -> int:
    settings = [(0, f"array.dataflow={dataflow}"), (0, "scheduling.arbitration=program_order"), *((0, m) for m in more)]
    _, *target = load_both(network, machine, settings)
    return perform(*target, saves=False).outcome.total_cycles


def check_auto(network: str, machine: str, *more: str) -> None:
    best = min(cycles_of(network, machine, dataflow, *more) for dataflow in FIXED)
    assert cycles_of(network, machine, "auto", *more) <= 1.01 * best


def test_auto_is_no_slower_than_the_best_dataflow() -> None:
    """Within 1 %, on ideal DRAM in program order."""
    check_auto("study_conv_separable", "cloud")


AUTO = [
    *product(
        ("mobilenet_v1_0.25_128", "squeezenet_v1.1"),
        ("edge", "gemmini_default", "tpu_v1", "cloud", "scalesim_default", "dpu_b4096"),
    ),
    *product(("resnet18",), ("edge", "gemmini_default", "dpu_b4096")),
    *product(("shufflenet_0.25x_g3",), ("tpu_v1", "cloud", "scalesim_default")),
]


@pytest.mark.slow
@pytest.mark.parametrize(("network", "machine"), AUTO)
def test_auto_is_no_slower_than_the_best_dataflow_on_any_machine(network: str, machine: str) -> None:
    """As above, on a small image."""
    check_auto(network, machine, "network.resolution=64")


def test_auto_gives_each_layer_a_dataflow_of_its_own() -> None:
    """Depthwise layers pack better with their inputs in the PEs; the program is right with both."""
    rows: list[dict[str, Any]] = [
        {"name": "a", "op": "dwconv", "kernel": 3, "pad": 1},
        {"name": "b", "op": "conv", "kernel": 1, "channels": 64},
    ]
    machine = machine_of(array__dataflow="auto", dram__bytes_per_clock=64, dma__setup_cycles=0)
    network = network_of(rows, (8, 8, 64))
    first, second = (plan.dataflow for plan in lower(network, machine).plans if plan)
    assert first == "is" != second
    assert check_network(network, machine) == []


def test_the_best_dataflow_of_a_product_has_a_name() -> None:
    """`accelsim gemm` with auto: the array alone is as quick as with the best of the three."""
    found = run_gemm(3, 640, 64, 1, machine_of(array__dataflow="auto"))
    alone = {name: run_gemm(3, 640, 64, 1, machine_of(array__dataflow=name))["array_cycles"] for name in FIXED}
    assert found["array_cycles"] == min(alone.values())
    assert alone[str(found["array_dataflow"])] == found["array_cycles"]


def test_tiles_of_weights_leave_time_for_what_is_in_the_way_of_their_loads() -> None:
    """A pointwise layer of 14x14x512 on 16x16 PEs with buffers of 16, 8 and 8 KiB: 2.0 MB and about 201,000 cycles are
    possible. Of tilings that are alike by estimate, one with two tiles in flight takes 231,657."""
    sizes = {"activation": 16, "weight": 8, "accumulator": 8}
    buffers = [f"sram.{name}.capacity_bytes={size << 10}" for name, size in sizes.items()]
    machine = load_machine("edge", parse_overrides(enumerate(["array.rows=16", "array.cols=16", *buffers])))
    network = network_of([row_of(Layer(14, 14, 512, 512))], (14, 14, 512))
    (record,) = perform(network, machine, Scheduling()).records
    assert record.total_cycles <= 1.05 * 201_000
    assert record.counts.dram_burst_bytes <= 1.1 * 2_000_000


def test_the_bound_by_hand() -> None:
    """A 3x3 convolution, stride 1, of 16x16x64 to as much on a chip of 2 KiB, elements of one byte.

    Compulsory: 16384 + 36864 + 16384 bytes. MACs beside the padding: 46 x 46 x 64 x 64 = 8,667,136. On chip: 3 x 512
    bytes of SRAM, and 4 PEs of 3 x 4 + 1 bytes: 1588. 2 x 8667136 / sqrt(9 x 1588) - 2 x 1588 = 141,821 bytes.
    """
    sizes = {f"sram__{name}__capacity_bytes": 512 for name in ("activation", "weight", "accumulator")}
    row = {"name": "c", "op": "conv", "kernel": 3, "pad": 1, "channels": 64}
    network = network_of([row], (16, 16, 64))
    small = machine_of(array__rows=2, array__cols=2, **sizes)
    maps = lay_out(network, 8, scatter=True)
    assert least_dram_bytes(network.nodes[0], 1, maps, small) == 141_821
    assert least_dram_bytes(network.nodes[0], 1, maps, machine_of()) == 16384 + 36864 + 16384
    run = run_network(load_network("shufflenet_g3")[0], network, small)
    assert run.totals["dram_traffic_vs_bound"] == pytest.approx(run.totals["dram_burst_bytes"] / 141_821)


def test_a_stride_reads_no_more_than_it_touches() -> None:
    """1x1 at stride 2 touches a quarter of the pixels; an explicit address moves nothing."""
    rows: list[dict[str, Any]] = [
        {"name": "p", "op": "conv", "kernel": 1, "stride": 2, "channels": 8},
        {"name": "s", "op": "shuffle", "groups": 2},
    ]
    network = network_of(rows, (8, 8, 4))
    maps = lay_out(network, 8, scatter=True)
    assert [least_dram_bytes(node, 1, maps, machine_of()) for node in network.nodes] == [4 * 4 * (4 + 8) + 32, 0]


@pytest.mark.slow
def test_no_plan_moves_less_than_the_bound() -> None:
    """All layers of the reference search, with buffers of many sizes."""
    for layer in LAYERS.values():
        network = network_of([row_of(layer)], (layer.height, layer.width, layer.groups * layer.inputs))
        maps = lay_out(network, 8, scatter=True)
        for capacity in CAPACITIES:
            machine = machine_with(capacity)
            bound = least_dram_bytes(network.nodes[0], 1, maps, machine)
            assert bound <= planned_bytes(layer, machine)


@pytest.mark.parametrize("table", shipped("energy"))
def test_a_plan_is_priced_by_the_byte_as_a_run_is(table: str) -> None:
    """Of whole words and bursts, by every table: 64 words with their wires, 100 bursts with their DMA."""
    machine = load_machine("edge", parse_overrides([(0, f"energy.table={table}")]))
    prices = Prices.of(machine)
    counts = ActionCounts(sram_read_ifmap_bytes=64 * 32, dram_read_burst_bytes=100 * 64, dram_read_commands=100)
    read = price(counts, 0, machine)
    assert prices.ifmap_byte * 64 * 32 == pytest.approx(read.sram_pj + read.wire_pj)
    assert prices.dram_byte * 100 * 64 == pytest.approx(read.dram_pj + read.dma_pj)


def test_a_plan_is_priced_by_commands_where_a_run_is() -> None:
    """A byte is its share of a RD; free, it would be moved for nothing."""
    settings = ("dram.device=ddr4-2400-x8", "energy.dram_by=command")
    machine = load_machine("edge", parse_overrides(enumerate(settings)))
    assert isinstance(machine.dram, CommandDevice)
    interface, dma = machine.energy.dram_interface_byte, machine.energy.dma_byte
    assert interface is not None
    assert dma is not None
    expected = machine.dram.energy.read_pj / 64 + interface.energy_pj + dma.energy_pj
    assert Prices.of(machine).dram_byte == pytest.approx(expected)
    assert machine.dram.energy.read_pj > 0


def forget_tilings() -> None:
    for known in (search.planned, search._quickest, search.stripes):
        known.cache_clear()


def test_with_other_prices_tilings_are_not_searched_anew() -> None:
    """Where clocks are the objective, energy only breaks ties in the same shortlist: the result is that of a search."""
    network = load_network("shufflenet_0.25x_g3")[1]
    tables = ("cacti_22nm", "horowitz_45nm")
    first, second = (load_machine("edge", parse_overrides([(0, f"energy.table={table}")])) for table in tables)
    forget_tilings()
    lower(network, first)
    misses = search._quickest.cache_info().misses, search.stripes.cache_info().misses
    after = lower(network, second)
    assert (search._quickest.cache_info().misses, search.stripes.cache_info().misses) == misses
    forget_tilings()
    afresh = lower(network, second)
    assert (after.plans, after.residency) == (afresh.plans, afresh.residency)
