"""DOSA's mapping strings, and what the measured programs make of them.

A mapping reads from the outside in: `L3[WIO]` the loops over tiles, innermost last; then the factors of a tile in
scratchpad and accumulator (`L2[WI]`, `L1[O]`) and in the PEs (`L0[W]`), `X` those along the array. The programs take
of it what gemmini-rocc-tests, branch `dosa`, 959b23f, gemmini-data-collection/layers/extract_data_csv.py reads.
"""

from __future__ import annotations

from math import prod

from tests.gemmini.tiler import DIM, Layer, Tile

DIMENSIONS = "CRSKPQN"
"""Loops of a program that the mapping does not name, innermost first."""

Factors = dict[str, list[tuple[str, int, bool]]]


def parsed(mapping: str) -> Factors:
    """By level: (dimension, factor, whether it lies along the array), outermost first."""
    found: Factors = {}
    for level in mapping.split(" - "):
        name, *words = level.split()
        found[name[:2]] = [(word[0], int(word[1:].rstrip("X")), word.endswith("X")) for word in words]
    return found


SIDES = (2, 4, 8, 16, 32, 64, 128)
"""Rows, and columns, of the arrays that mappings were measured on."""


def side_of(mapping: str) -> int | None:
    """Rows, and columns, of the array that the harness took a mapping to, or None where it took it to none.

    The smallest that holds its spatial channels (gemmini_data_collection.py of the harness, per_pe_dim); a mapping that
    leaves half of that empty while its tile has more channels was not run.
    """
    levels = parsed(mapping)
    inputs, outputs = _size(levels["L1"], "C", along=True), _size(levels["L2"], "K", along=True)
    side = next((side for side in SIDES if max(inputs, outputs) <= side), None)
    if side is None:
        return None
    whole = _size(levels["L1"], "C"), _size(levels["L1"], "K") * outputs
    pairs = zip((inputs, outputs), whole, strict=True)
    return None if any(spatial <= side // 2 and size > spatial for spatial, size in pairs) else side


def _size(factors: list[tuple[str, int, bool]], dimension: str, *, along: bool | None = None) -> int:
    """Product of the factors of a dimension, of those along the array alone, or of the others."""
    return prod(size for which, size, spatial in factors if which == dimension and along in (None, spatial))


def mapped_tile(layer: Layer, mapping: str, side: int = DIM) -> Tile:
    """The tile of a mapping: rows are P of a product, columns P and rows Q of a convolution, whose maps are square.

    side: rows, and columns, of the array.
    """
    levels = parsed(mapping)

    def factor(dimension: str, *names: str, along: bool | None = None) -> int:
        return _size([each for name in names for each in levels[name]], dimension, along=along)

    cols, rows = factor("P", "L1", "L0"), factor("Q", "L1", "L0")
    outputs = factor("K", "L1") * factor("K", "L2", along=True)
    inputs = factor("C", "L1")
    if layer.is_product:
        return Tile(*(blocks(extent, side) if extent else 1 for extent in (cols, 0, outputs, 0, 0, inputs)))
    return Tile(rows, cols, outputs, factor("S", "L1"), factor("R", "L1"), inputs)


def blocks(extent: int, side: int) -> int:
    """An extent of a product in whole blocks, counted as on an array of 16, each as large as the array at hand."""
    return max(1, extent // DIM) * side


def loop_order(mapping: str) -> str:
    """Dimensions of the loops over tiles, innermost first."""
    named = "".join(dimension for dimension, _, _ in reversed(parsed(mapping)["L3"]))
    return named + "".join(dimension for dimension in DIMENSIONS if dimension not in named)
