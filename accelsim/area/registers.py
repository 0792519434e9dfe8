"""Register bits of a machine, as its configuration implies them (docs/machine.md section 7)."""

from __future__ import annotations

from accelsim.config.machine import Array, Depthwise, Machine
from accelsim.dataflows import DATAFLOWS
from accelsim.dataflows.contract import Dataflow, skewed
from accelsim.kept import kept

SCALE_BITS = 32
"""Bits of the fixed-point factor that a sum is scaled by (Jacob et al., CVPR 2018, section 2.2)."""

CONTROL_BITS = 13
"""Bits of control that go from PE to PE with the data, those of Gemmini for any array: dataflow, propagate, 5 of shift,
3 of an id, last and valid (Mesh.scala at 012bfae), and what propagate was (PE.scala at 0888fb7)."""


def pe_register_bits(array: Array) -> int:
    """Bits of a PE: a register for each operand and sum, a second one for what `overlap` exchanges behind a stream,
    the operands in the multiplier's stages, and control. A PE for `dataflow: auto` has what any dataflow needs."""
    widths = _widths(array)
    twice = {dataflow.stationary for dataflow in _dataflows(array)} if array.overlap else set()
    stages = (array.mac_latency - 1) * (array.weight_bits + array.activation_bits)
    return sum(widths.values()) + sum(widths[operand] for operand in twice) + stages + CONTROL_BITS


def skew_register_bits(array: Array) -> int:
    """Bits of the triangles at the array's edges: before rows and columns, and behind the requantisation of columns.
    With `dataflow: auto` each is as deep and wide as any dataflow needs."""
    widths, dataflows = _widths(array), _dataflows(array)
    west = max(widths[dataflow.west] * dataflow.row_delay(array.mac_latency) for dataflow in dataflows)
    north = max(widths[dataflow.north] for dataflow in dataflows)
    before: int = skewed(array.rows * west, array.rows)
    above_and_below: int = skewed(array.cols * (north + array.activation_bits), array.cols)
    return before + above_and_below


def _widths(array: Array) -> dict[str, int]:
    """Bits of a value of each operand."""
    return {"ifmap": array.activation_bits, "weight": array.weight_bits, "psum": array.psum_bits}


def _dataflows(array: Array) -> tuple[Dataflow, ...]:
    """The dataflows that the array is made for."""
    return tuple(DATAFLOWS.values()) if array.dataflow == "auto" else (DATAFLOWS[array.dataflow],)


def requantiser_register_bits(array: Array) -> int:
    """Bits of a column's requantisation: its factor, and a product behind each cycle; 0 where sums are as narrow as
    maps."""
    if array.psum_bits <= array.activation_bits:
        return 0
    return SCALE_BITS + array.post_latency * (array.psum_bits + SCALE_BITS)


def lane_register_bits(array: Array) -> int:
    """Bits of a lane of the vector unit, or of a way's element: two operands and a sum."""
    return 2 * array.activation_bits + array.psum_bits


def way_elements(machine: Machine) -> int:
    """Elements a cycle of all parts of the ways to and from the array."""
    before, after = machine.input_path, machine.output_path
    return before.scale + after.scale + after.function + after.add + after.max_pool + after.avg_pool


def channel_register_bits(engine: Depthwise, array: Array) -> int:
    """Bits of a channel of the depthwise engine: a window of pixels, its weights twice, the stages of the multipliers,
    their products, a register behind each adder of the tree, and a sum."""
    operands = array.activation_bits + array.weight_bits
    window = engine.max_taps * (array.activation_bits + 2 * array.weight_bits)
    products = (array.mac_latency * engine.taps_per_clock + engine.taps_per_clock - 1) * operands
    return window + products + array.psum_bits


@kept
def register_bits(machine: Machine) -> int:
    """Bits of all PEs, triangles, requantisers, lanes, ways and channels of a depthwise engine."""
    array, engine = machine.array, machine.depthwise
    bits = array.rows * array.cols * pe_register_bits(array) + skew_register_bits(array)
    bits += array.cols * requantiser_register_bits(array)
    bits += (machine.vector.lanes + way_elements(machine)) * lane_register_bits(array)
    return bits + (engine.channels * channel_register_bits(engine, array) if engine else 0)
