"""The least that DRAM has to move for a layer on its own, however it is tiled (docs/machine.md section 6)."""

from __future__ import annotations

from math import isqrt

from accelsim.config.machine import Machine
from accelsim.lowering.ir import Layout
from accelsim.network.graph import Node
from accelsim.network.ops import dram_weight_bits
from accelsim.program.tensors import Tensor
from accelsim.units import ceil_div, packed_bytes


def least_dram_bytes(node: Node, batch: int, layout: Layout, machine: Machine) -> int:
    """The larger of what has to pass once and what a chip of this capacity has to move again; 0 for mere addresses."""
    if node.op.is_address or node.absorbed:
        return 0
    once = _compulsory_bytes(node, batch, layout, machine)
    if node.op.weighted or (node.op.multiplies_maps and node.inputs[0] != node.inputs[1]):
        return max(once, _pebble_bytes(node, batch, layout, machine))
    return once


def _compulsory_bytes(node: Node, batch: int, layout: Layout, machine: Machine) -> int:
    """Inputs that are read, weights as stored, outputs; each once. Of inputs that are picked from, nothing is known."""
    total = _least_bytes(batch * node.output.elements, layout.by_name[node.name].tensor)
    if node.op.access_of(node) is not None:
        return total
    for name, size in dict(zip(node.inputs, node.sizes, strict=True)).items():
        if node.op.multiplies_maps or (name == node.shortcut and name not in node.inputs[:-1]):
            total += _least_bytes(batch * size.elements, layout.by_name[name].tensor)
            continue
        high = node.window.vertical.touched(0, node.array_output.height, size.height)
        pixels = high * node.window.horizontal.touched(0, node.array_output.width, size.width)
        total += _least_bytes(batch * pixels * size.channels, layout.by_name[name].tensor)
    return total + packed_bytes(dram_weight_bits(node, machine) if node.weights else 0, 1)


def _least_bytes(elements: int, tensor: Tensor) -> int:
    """Bytes of elements of a map, coded where it is, in rows of any length."""
    part, whole = _share(tensor)
    return packed_bytes(ceil_div(elements * tensor.bits * part, whole), 1)


def _share(tensor: Tensor) -> tuple[int, int]:
    """Least bits of long rows for a number of plain ones."""
    return (1, 1) if tensor.code is None else (tensor.code.part, tensor.code.whole)


def _pebble_bytes(node: Node, batch: int, layout: Layout, machine: Machine) -> int:
    """2 G sqrt(p_I p_F p_O / (R M)) - 2 M in bits, for G MACs on elements of p bits, of which an input meets R of a
    filter's weights, and M bits on chip (Chen et al., PASC 2022, arXiv 2204.08279; the form as recalled). At least 0.

    R is rounded up to whole kernel positions, and M is all that SRAM and PEs hold, so that the bound is safe.
    """
    vertical, horizontal = node.window.vertical, node.window.horizontal
    size, output = node.sizes[0], node.array_output
    positions = vertical.reads(0, output.height, size.height) * horizontal.reads(0, output.width, size.width)
    macs = batch * (node.macs if node.op.multiplies_maps else positions * (node.nonzeros // node.window.elements))
    meets = ceil_div(vertical.kernel, vertical.stride) * ceil_div(horizontal.kernel, horizontal.stride)
    maps = [layout.by_name[name].tensor for name in (node.inputs[0], node.name)]
    (part_in, whole_in), (part_out, whole_out) = map(_share, maps)
    widths = maps[0].bits * maps[1].bits * part_in * part_out
    right = layout.by_name[node.inputs[1]].tensor.bits if node.op.multiplies_maps else node.bits.weight
    widths *= right or machine.array.weight_bits
    capacity = _capacity_bits(machine)
    wholes = whole_in * whole_out
    return max(0, isqrt(4 * macs * macs * widths // (meets * capacity * wholes)) - 2 * capacity) // 8


def _capacity_bits(machine: Machine) -> int:
    """SRAM, and in each PE two stationary values or sums, a sum on its way and an operand on its way."""
    array = machine.array
    registers = 3 * max(array.psum_bits, array.weight_bits, array.activation_bits) + array.activation_bits
    return 8 * machine.sram.capacity_bytes + array.rows * array.cols * registers
