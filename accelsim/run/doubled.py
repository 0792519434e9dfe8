"""Machines with one resource twice as good, and what that makes of the folds of a layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from accelsim.config.dram import IdealDevice
from accelsim.config.machine import Cache, Machine
from accelsim.config.schema import Section
from accelsim.dataflows import DataflowName
from accelsim.dataflows.work import array_work
from accelsim.lowering.compile import Lowered
from accelsim.machine.doubling import SAME, Clocks
from accelsim.network.array import layer_product
from accelsim.network.graph import Node
from accelsim.network.units import on_array
from accelsim.program.folds import cycles_of
from accelsim.records import RESOURCES
from accelsim.units import ceil_div, packed_bytes


def _changed(machine: Machine, section: str, **keys: object) -> Machine:
    part: Section = getattr(machine, section)
    return machine.model_copy(update={section: part.model_copy(update=keys)})


def _array_columns(machine: Machine) -> Machine:
    """With the partial sums that belong to them."""
    accumulator = machine.sram.accumulator
    larger = accumulator.model_copy(update={"capacity_bytes": 2 * accumulator.capacity_bytes})
    return _changed(_changed(machine, "sram", accumulator=larger), "array", cols=2 * machine.array.cols)


def _dram_bandwidth(machine: Machine) -> Machine:
    dram = machine.dram
    if isinstance(dram, IdealDevice):
        return _changed(machine, "dram", bytes_per_clock=2 * dram.bytes_per_clock)
    channels = 2 * dram.organisation.channels
    return _changed(machine, "dram", organisation=dram.organisation.model_copy(update={"channels": channels}))


def _key(section: str, key: str, change: Callable[[int], int]) -> Callable[[Machine], Machine]:
    return lambda machine: _changed(machine, section, **{key: change(getattr(getattr(machine, section), key))})


def _twice(number: int) -> int:
    return 2 * number


def _half(number: int) -> int:
    return number // 2


def _sram_ports(machine: Machine) -> Machine:
    sram, array = machine.sram, machine.array
    now = sram.accumulator.port_bytes_per_cycle or packed_bytes(array.cols, array.psum_bits)
    wider = {
        name: getattr(sram, name).model_copy(update={"port_bytes_per_cycle": 2 * width})
        for name, width in (
            ("activation", sram.activation.port_bytes_per_cycle),
            ("weight", sram.weight.port_bytes_per_cycle),
            ("accumulator", now),
        )
    }
    return _changed(machine, "sram", **wider)


def _depthwise_channels(machine: Machine) -> Machine:
    engine = machine.depthwise
    if engine is None:
        return machine
    return _changed(machine, "depthwise", channels=2 * engine.channels, line_buffer_bytes=2 * engine.line_buffer_bytes)


def _output_path(machine: Machine) -> Machine:
    path = machine.output_path
    quicker = _changed(machine, "output_path", scale=2 * path.scale, function=2 * path.function)
    return _changed(quicker, "array", post_latency=machine.array.post_latency // 2)


def _dma_outstanding(machine: Machine) -> Machine:
    requests = machine.dma.requests_in_flight
    more = {"requests_in_flight": 2 * requests} if requests else {}
    return _changed(machine, "dma", max_outstanding_bursts=2 * machine.dma.max_outstanding_bursts, **more)


def _caches(machine: Machine) -> Machine:
    return machine.model_copy(update={"caches": machine.caches and [_quicker(cache) for cache in machine.caches]})


def _quicker(cache: Cache) -> Cache:
    halved = [name for name in ("hit_clocks", "request_clocks", "fill_clocks", "miss_clocks") if getattr(cache, name)]
    doubled = ("port_bytes_per_cycle", "misses_in_flight")
    clocks = {name: getattr(cache, name) // 2 for name in halved}
    return cache.model_copy(update=clocks | {name: 2 * getattr(cache, name) for name in doubled})


def _host(machine: Machine) -> Machine:
    if machine.host is None:
        return machine
    return _changed(machine, "host", tile_clocks=ceil_div(machine.host.tile_clocks, 2))


DOUBLED: Mapping[str, Callable[[Machine], Machine]] = {
    "array_rows": _key("array", "rows", _twice),
    "array_columns": _array_columns,
    "dram_bandwidth": _dram_bandwidth,
    "dma_issue": _key("dma", "bursts_per_clock", _twice),
    "dma_outstanding": _dma_outstanding,
    "dma_setup": _key("dma", "setup_cycles", _half),
    "sram_ports": _sram_ports,
    "vector_lanes": _key("vector", "lanes", _twice),
    "depthwise_channels": _depthwise_channels,
    "output_path": _output_path,
    "caches": _caches,
    "host": _host,
}
"""The machine with each of `RESOURCES` twice as good."""
_OF_FOLDS = ("array_rows", "array_columns", "sram_ports", "output_path")


def chain_ratios(lowered: Lowered, machine: Machine) -> list[Clocks]:
    """Clocks of the folds of each layer of the program with each resource doubled, over those now; all data on chip."""
    doubled = {name: DOUBLED[name](machine) for name in _OF_FOLDS}
    layers = len(lowered.groups)
    nodes = zip(lowered.network.nodes[:layers], lowered.plans[:layers], strict=True)
    ratios = [
        SAME
        if plan is None or not on_array(node, machine)
        else _ratios(node, lowered.network.batch, machine, doubled, plan.dataflow)
        for node, plan in nodes
    ]
    return ratios * lowered.network.inferences


def _ratios(node: Node, batch: int, machine: Machine, doubled: Mapping[str, Machine], dataflow: DataflowName) -> Clocks:
    now = fold_cycles(node, batch, machine, dataflow)
    ratios = {name: fold_cycles(node, batch, each, dataflow) / now for name, each in doubled.items()}
    return *(ratios.get(name, 1.0) for name in RESOURCES), 1.0


def fold_cycles(node: Node, batch: int, machine: Machine, dataflow: DataflowName) -> int:
    """Clocks of the folds of a layer on the array, as the SRAM ports let them, all data on chip."""
    product, array = layer_product(node, batch, machine)
    chain = array_work(product, replace(array, dataflow=dataflow)).chain
    return cycles_of(chain, overlap=machine.array.overlap)
