"""A layer as the array finds it: its matrix product, the widths of its data and the ports it passes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from accelsim.config.machine import Array, InputPath, Machine, OutputPath
from accelsim.dataflows import DEFAULT
from accelsim.dataflows.contract import ArrayShape, Gemm, Passes
from accelsim.dataflows.timing import Ratio, slower
from accelsim.dataflows.work import NO_CLOCKS, ArrayContext, ArrayWork, requantised
from accelsim.network.geometry import layer_gemm
from accelsim.network.graph import Node, WeightKind
from accelsim.network.ops import decodes, dram_weight_bits, elements_per_clock
from accelsim.network.patches import patch_of
from accelsim.units import packed_bytes


def array_context(machine: Machine) -> ArrayContext:
    """The array of a machine, for layers whose data has the machine's widths; of `auto` with the default dataflow."""
    array, sram = machine.array, machine.sram
    return ArrayContext(
        dataflow=DEFAULT if array.dataflow == "auto" else array.dataflow,
        shape=ArrayShape(array.rows, array.cols, array.mac_latency, array.timing, passes_of(array)),
        ifmap_bits=array.activation_bits,
        ofmap_bits=array.activation_bits,
        weight_bits=array.weight_bits,
        psum_bits=array.psum_bits,
        activation_port_bits=8 * sram.activation.port_bytes_per_cycle,
        weight_port_bits=8 * sram.weight.port_bytes_per_cycle,
        accumulator_port_bits=_accumulator_port_bits(machine, array.psum_bits),
        stored_weights=Ratio(array.weight_bits, 1),
    )


def passes_of(array: Array) -> Passes | None:
    """The passes that folds of an array are streamed in, if any."""
    if array.passes is None:
        return None
    passes = array.passes
    return Passes(passes.longest, passes.shortest_clocks, passes.change_clocks, passes.in_flight, passes.leave_clocks)


def layer_context(array: ArrayContext, node: Node, machine: Machine, ifmap_bits: int, ofmap_bits: int) -> ArrayContext:
    """The same for a layer that has widths of its own, or pruned weights."""
    psum_bits = node.bits.psum or array.psum_bits
    weight_bits = node.bits.weight or array.weight_bits
    stored = Ratio(weight_bits, 1)
    if node.pruning is not None and node.compression is None:
        stored = Ratio(node.stored_weight_bits(array.weight_bits), node.weights)
    skips = node.pruning is not None and node.pruning.zeros == "skip"
    return replace(
        array,
        ifmap_bits=ifmap_bits,
        ofmap_bits=ofmap_bits,
        weight_bits=weight_bits,
        psum_bits=psum_bits,
        accumulator_port_bits=_accumulator_port_bits(machine, psum_bits),
        stored_weights=stored,
        skipped=Ratio(node.nonzeros, node.weights) if skips else None,
        way_in=_clocks_each(node.before, machine.input_path),
        way_out=_clocks_each(node.after, machine.output_path),
        pooled=_results_each(node),
        patch=patch_of(node, machine),
        dram_weights=Ratio(dram_weight_bits(node, machine), node.weights) if decodes(node, machine) else None,
    )


def _clocks_each(operators: Iterable[Node], path: InputPath | OutputPath) -> Ratio:
    """Clocks of the slowest of these operators for an element that comes on a way; behind a pool there are fewer."""
    slowest, whole = NO_CLOCKS, 1
    for node in operators:
        slowest = slower(slowest, Ratio(1, whole * elements_per_clock(path, node)))
        whole *= node.window.vertical.stride * node.window.horizontal.stride if node.op.slides else 1
    return slowest


def _results_each(node: Node) -> int:
    """Results that an output takes on their way, a few at the edges aside."""
    down, across = node.pooled
    return down.each * across.each


def layer_product(node: Node, batch: int, machine: Machine) -> tuple[Gemm, ArrayContext]:
    """The product of a layer, and the array as the layer finds it."""
    bits = machine.array.activation_bits
    array = layer_context(array_context(machine), node, machine, bits, bits)
    return layer_gemm(node, batch, array.patch), array


def mac_counts(node: Node, array: ArrayContext, macs: int, active: int) -> dict[str, int]:
    """Actions of multiply-accumulates and of their multipliers, adders or XNORs; active: MACs that take energy."""
    signs = node.weight_kind is not WeightKind.INTEGER
    return {
        "macs": macs,
        "active_macs": active,
        "multiplier_bit_products": 0 if signs else active * array.weight_bits * array.ifmap_bits,
        "adder_bits": active * array.psum_bits,
        "xnor_ops": active if signs and array.ifmap_bits == 1 else 0,
    }


def work_counts(
    done: ArrayWork, array: ArrayContext, read: int, weight_bytes: int, outputs: int, written: int
) -> dict[str, int]:
    """Actions of registers, SRAM ports and requantisation. read: ifmap elements; weight_bytes: of all weights; outputs:
    that leave the array, before they are pooled on their way; written: that are left of them."""
    return {
        "register_bytes": sum(map(packed_bytes, done.moves, array.move_bits())),
        "requantised_results": requantised(outputs, array.psum_bits, array.ofmap_bits),
        "sram_read_ifmap_bytes": packed_bytes(read, array.ifmap_bits),
        "sram_read_weight_bytes": done.weight_passes * weight_bytes,
        "sram_read_psum_bytes": packed_bytes(done.psum_reads, array.psum_bits),
        "sram_write_psum_bytes": packed_bytes(done.psum_writes, array.psum_bits),
        "sram_write_ofmap_bytes": packed_bytes(written, array.ofmap_bits),
    }


def _accumulator_port_bits(machine: Machine, psum_bits: int) -> int:
    port = machine.sram.accumulator.port_bytes_per_cycle
    return machine.array.cols * psum_bits if port is None else 8 * port
