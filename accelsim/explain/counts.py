"""The bytes and other actions of a layer in terms (docs/machine.md sections 5 to 7)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np

from accelsim.dataflows.work import ONE_OUTPUT, ArrayContext
from accelsim.explain.evidence import Evidence
from accelsim.explain.terms import Term, alike, total
from accelsim.lowering.ir import IFMAP_LOOPS, WEIGHT_LOOPS, loads_each, loop_turns
from accelsim.network.geometry import pixels_under, work_block
from accelsim.network.units import on_array
from accelsim.program.commands import Buffer, Compute, Tile
from accelsim.program.tensors import Region, Tensor, elements
from accelsim.program.tensors import descriptors as plain_descriptors
from accelsim.records import ActionCounts
from accelsim.run.play import to_share
from accelsim.units import packed_bytes

LOADED = {"ifmap": "feature maps loaded", "weight": "weights loaded"}


def loaded_bytes(evidence: Evidence, operand: str) -> Term:
    """Bytes that loads of an operand ask for: what is needed once, halos, and what is loaded again."""
    buffer = Buffer.WEIGHT if operand == "weight" else Buffer.ACTIVATION
    by_tensor: dict[Tensor, list[Tile]] = {}
    for tile in evidence.loads:
        if tile.buffer is buffer:
            by_tensor.setdefault(tile.tensor, []).append(tile)
    note = _turns(evidence, operand) if by_tensor else ""
    return total(LOADED[operand], (_loaded(tensor, tiles, note) for tensor, tiles in by_tensor.items()))


def _turns(evidence: Evidence, operand: str) -> str:
    """Times that the plan loads each tile of an operand, in words."""
    if evidence.plan is None or evidence.task is None or not on_array(evidence.node, evidence.machine):
        return ""
    plan = evidence.plan
    turns = loop_turns(evidence.task[0], plan)
    outer_to_inner = ", ".join(f"{loop} {times}" for loop, times in turns.items())
    set_of = (WEIGHT_LOOPS, plan.weight_tiles) if operand == "weight" else (IFMAP_LOOPS, plan.ifmap_tiles)
    times = loads_each(turns, *set_of)
    often = "once" if times == 1 else f"{times} times"
    return f"loops, outermost first: {outer_to_inner}; so the plan loads each tile {often}"


def _loaded(tensor: Tensor, tiles: Sequence[Tile], note: str) -> Term:
    tiles_by_region = {tile.region: tile for tile in tiles}
    requested = {region: requested_bytes(tile) for region, tile in tiles_by_region.items()}
    times = Counter(tile.region for tile in tiles)
    distinct = sum(requested.values())
    once = distinct if tensor.tile is not None else packed_bytes(_covered(list(requested)), tensor.bits)
    again = sum((times[region] - 1) * amount for region, amount in requested.items())
    more = again // distinct if len(set(times.values())) == 1 else 0
    plain = sum(map(_plain_bytes, tiles_by_region.values())) if tensor.code else distinct
    parts = (
        Term("what is needed of it, once", once, note=f"in {len(requested)} tiles"),
        Term("halos and rounding of rows: what neighbouring tiles both load", plain - once),
        *([Term("less by runs of zeros", distinct - plain)] if tensor.code else []),
        Term("the same tiles again", again, factors=((more, "more times"), (distinct, "bytes")) if more else ()),
    )
    return total(f"{tensor.name}", parts, note)


def _covered(regions: Sequence[Region]) -> int:
    """Elements that regions have together, each counted once."""
    *dims, channels = zip(*regions, strict=True)
    edges = [np.unique([edge for part in parts for edge in (part.start, part.stop)]) for parts in dims]
    width = max(part.stop for part in channels)
    grid = np.zeros((*(len(each) - 1 for each in edges), width), dtype=np.bool_)
    for *parts, last in regions:
        spans = (np.searchsorted(each, part[:2]) for each, part in zip(edges, parts, strict=True))
        grid[(*(slice(*span) for span in spans), slice(*last))] = True
    sizes = [np.diff(each) for each in edges]
    volumes = sizes[0][:, None, None] * sizes[1][None, :, None] * sizes[2][None, None, :]
    return int((grid.sum(axis=3) * volumes).sum())


def requested_bytes(tile: Tile) -> int:
    """Bytes that a transfer of a tile asks for."""
    return sum(part.requested_bytes for part in tile.descriptors)


def _plain_bytes(tile: Tile) -> int:
    """Bytes that a transfer would ask for if its tensor were not coded."""
    return sum(part.requested_bytes for part in plain_descriptors(tile.tensor, tile.region))


def stored_bytes(evidence: Evidence) -> Term:
    """Bytes that stores ask for: each result once."""
    by_tensor = ((f"{tile.tensor.name}", requested_bytes(tile), "") for tile in evidence.stores)
    return total("results stored", alike(by_tensor, "tiles", "bytes"))


def read_bytes(evidence: Evidence) -> Term:
    """Bytes that loads ask for."""
    return total("dram_read_bytes", (loaded_bytes(evidence, "ifmap"), loaded_bytes(evidence, "weight")))


def write_bytes(evidence: Evidence) -> Term:
    """Bytes that stores ask for, of all operands; there is one."""
    return total("dram_write_bytes", (stored_bytes(evidence),))


def burst_bytes(evidence: Evidence, *, write: bool) -> Term:
    """Requested bytes, and the rest of the bursts that they are in."""
    size = evidence.machine.dram.burst_bytes
    tiles = evidence.stores if write else evidence.loads
    bursts = sum(part.bursts(size) for tile in tiles for part in tile.descriptors)
    asked = [stored_bytes(evidence)] if write else [loaded_bytes(evidence, name) for name in LOADED]
    name = f"dram_{'write' if write else 'read'}_burst_bytes"
    moved = bursts * size
    words = f"the rest of {bursts} bursts of {size} bytes, of which rows of descriptors fill a part"
    if evidence.machine.caches is not None:
        moved, words = getattr(evidence.record.counts, name), "lines of caches beyond that, less what these hold"
    return total(name, (*asked, Term(words, moved - sum(int(each.value) for each in asked))))


def all_burst_bytes(evidence: Evidence) -> Term:
    """Bytes moved by DRAM, in read and write bursts."""
    return total("dram_burst_bytes", (burst_bytes(evidence, write=False), burst_bytes(evidence, write=True)))


def descriptors(evidence: Evidence) -> Term:
    """Descriptors of all transfers."""
    made = [("loads", len(tile.descriptors), "") for tile in evidence.loads]
    made += [("stores", len(tile.descriptors), "") for tile in evidence.stores]
    return total("dma_descriptors", alike(made, "transfers", "descriptors"))


def coded_bytes(evidence: Evidence) -> Term:
    """Bytes of tiles that are coded on their way, as they are on chip."""
    tiles = (
        tile for tile in (*evidence.loads, *evidence.stores) if tile.tensor.decoded or tile.tensor.code is not None
    )
    return total("coded_bytes", alike(((tile.tensor.name, tile.bytes, "") for tile in tiles), "tiles", "bytes"))


WORDS = {
    "macs": "multiply-accumulates",
    "active_macs": "multiply-accumulates that take energy",
    "register_bytes": "registers of the PEs and of the triangles at the array's edges",
    "requantised_results": "results scaled and rounded to the width of maps",
    "vector_ops": "operations of the vector unit",
    "sram_read_line_bytes": "pixels read from the line buffer",
    "sram_write_line_bytes": "pixels written to the line buffer",
    "sram_read_pool_bytes": "maxima or sums of a pool read back",
    "sram_write_pool_bytes": "maxima or sums of a pool kept",
    "sram_read_ifmap_bytes": "maps read by array or vector unit",
    "sram_read_weight_bytes": "weights read by array or vector unit",
    "sram_read_psum_bytes": "partial sums read back",
    "sram_write_psum_bytes": "partial sums written",
    "sram_write_ofmap_bytes": "results written by array or vector unit",
}


WAY_WORDS = "done in pieces of other layers, on the way of their data to or from the array"

MOVES = ("moves of maps", "moves of weights", "moves of sums", "sums latched where they stay", "moves of results")
"""Registers that are written, in the order of `Moves`."""


def of_pieces(evidence: Evidence, name: str) -> Term:
    """Pieces times what each of them takes of an action."""
    unit = "bytes" if name.endswith("bytes") else "each"
    amounts = [
        (WORDS.get(name, name), getattr(compute.actions, name), _derived(evidence, compute, compute.actions, name))
        for compute in evidence.computes
    ]
    amounts += [(WAY_WORDS, getattr(actions, name), "") for actions in evidence.beside if getattr(actions, name)]
    return total(name, alike(amounts, "pieces", unit))


def _derived(evidence: Evidence, compute: Compute, counts: ActionCounts, name: str) -> str:
    """The amount of a piece on the array, derived again from its matrix product."""
    if not compute.unit.folds or not getattr(counts, name):
        return ""
    (gemm, array, reuse), done = evidence.product(compute), evidence.array_work(compute)
    match name:
        case "sram_read_ifmap_bytes":
            pixels = pixels_under(evidence.lowered_node, compute.work, array.patch)
            under = gemm.groups * compute.work.reduction.size * pixels
            part = f" x {reuse.part}/{reuse.whole} by the line buffer" if reuse.part != reuse.whole else ""
            bits, text = done.ifmap_passes * under * reuse.part // reuse.whole, f"{done.ifmap_passes} column tiles x "
            text += f"{under} elements under {_window(array)}{part} x {array.ifmap_bits} bits"
            return _agreed(packed_bytes(bits, array.ifmap_bits), counts.sram_read_ifmap_bytes, text)
        case "sram_read_psum_bytes" | "sram_write_psum_bytes":
            sums = done.psum_reads if "read" in name else done.psum_writes
            text = f"{sums} sums of {array.psum_bits} bits"
            return _agreed(packed_bytes(sums, array.psum_bits), getattr(counts, name), text)
        case "sram_write_ofmap_bytes":
            made = elements(work_block(evidence.lowered_node, compute.work)) * compute.work.channels.size
            outputs = min(done.outputs, made)
            work = compute.work
            left = outputs * elements((work.images, work.rows, work.cols)) // (made // work.channels.size)
            text = f"{left} results of {array.ofmap_bits} bits"
            text += f", the pool of {outputs}" if left != outputs else ""
            written = packed_bytes(left, array.ofmap_bits)
            return _agreed(written, counts.sram_write_ofmap_bytes, text)
        case "sram_read_weight_bytes":
            tile = counts.sram_read_weight_bytes // done.weight_passes
            return f"{done.weight_passes} passes over a tile of {tile} bytes"
        case "register_bytes":
            moved = list(zip(MOVES, done.moves, array.move_bits(), strict=True))
            text = ", ".join(f"{count} {what} of {bits} bits" for what, count, bits in moved if count)
            return _agreed(sum(packed_bytes(*each) for _, *each in moved), counts.register_bytes, text)
        case _:
            return ""


def _window(array: ArrayContext) -> str:
    """The window under which pixels are read."""
    return "the kernel" if array.patch == ONE_OUTPUT else f"patches of {array.patch.rows} x {array.patch.cols} outputs"


def _agreed(derived: int, counted: int, text: str) -> str:
    """Terms of a number, which have to add up to it."""
    assert derived == counted, f"{text} are {derived}, and {counted} were counted"
    return text


def of_sram(evidence: Evidence, direction: str) -> Term:
    """Bytes read from, or written to, all buffers."""
    names = ("ifmap", "weight", "psum", "ofmap", "line", "pool")
    parts = (of_operand(evidence, f"sram_{direction}_{name}_bytes") for name in names)
    return total(f"sram_{direction}_bytes", parts)


def of_operand(evidence: Evidence, name: str) -> Term:
    """SRAM bytes of one operand, by array and vector unit or, on their way from and to DRAM, by DMA."""
    match name:
        case "sram_write_ifmap_bytes" | "sram_write_weight_bytes":
            operand = name.split("_")[2]
            buffer = Buffer.WEIGHT if operand == "weight" else Buffer.ACTIVATION
            tiles = [tile for tile in evidence.loads if tile.buffer is buffer]
            if any(map(_is_coded, tiles)):
                return _on_chip(name, tiles, "decoded on its way")
            parts = (loaded_bytes(evidence, operand),)
        case "sram_read_ofmap_bytes" if any(map(_is_coded, evidence.stores)):
            return _on_chip(name, evidence.stores, "encoded on its way")
        case "sram_read_ofmap_bytes":
            parts = (stored_bytes(evidence),)
        case _:
            return of_pieces(evidence, name)
    return Term(name, parts[0].value, parts if parts[0].value else ())


def _is_coded(tile: Tile) -> bool:
    return tile.tensor.decoded or tile.tensor.code is not None


def _on_chip(name: str, tiles: Sequence[Tile], words: str) -> Term:
    """Bytes of tiles in SRAM, of which some lie otherwise in DRAM."""
    own = ((tile.tensor.name, on_chip_bytes(tile), words if _is_coded(tile) else "") for tile in tiles)
    return total(name, alike(own, "tiles", "bytes"))


def on_chip_bytes(tile: Tile) -> int:
    """Bytes that a transfer of a tile writes to SRAM or reads from it."""
    return tile.bytes if _is_coded(tile) else requested_bytes(tile)


def shared(evidence: Evidence, name: str) -> Term:
    """The layer's share of what a DRAM at command granularity did in the whole run."""
    played = evidence.played
    done = played.outcome.dram_counts
    if done is None:
        return Term(name, 0)
    cycles = [account.total_cycles for account in played.outcome.layers]
    amount, weights = to_share(played.moved, done, cycles)[name]
    whole = sum(weights) or 1
    reached = np.cumsum([0, *weights]).tolist()
    return total(name, _shares(evidence, amount, reached, whole, name))


def _shares(evidence: Evidence, amount: int, reached: Sequence[int], whole: int, name: str) -> Iterator[Term]:
    by = "clocks" if name in ("dram_refreshes", "dram_active_clocks", "dram_rank_clocks") else "burst bytes"
    for layer, end in product(evidence.layers, (1, 0)):
        share = amount * reached[layer + end] // whole
        words = "its end" if end else "less that before it"
        note = f"{amount} in the run x {reached[layer + end]} of {whole} {by}, rounded down"
        yield Term(f"share of the run until {words}" if end else words, share if end else -share, note=note)
