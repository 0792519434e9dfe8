"""DOSA's mapping strings, and what the measured programs make of them.

A mapping reads from the outside in: `L3[WIO]` the loops over tiles, innermost last; then the factors of a tile in
scratchpad and accumulator (`L2[WI]`, `L1[O]`) and in the PEs (`L0[W]`), `X` those along the array. The programs take
of it what gemmini-rocc-tests, branch `dosa`, 959b23f, gemmini-data-collection/layers/extract_data_csv.py reads.
"""

from __future__ import annotations

from math import prod

from tests.gemmini.tiler import Layer, Tile

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


def mapped_tile(layer: Layer, mapping: str) -> Tile:
    """The tile of a mapping: rows are P of a product, columns P and rows Q of a convolution, whose maps are square."""
    levels = parsed(mapping)

    def factor(dimension: str, *names: str, along: bool | None = None) -> int:
        factors = [each for name in names for each in levels[name]]
        return prod(size for which, size, spatial in factors if which == dimension and along in (None, spatial))

    cols, rows = factor("P", "L1", "L0"), factor("Q", "L1", "L0")
    outputs = factor("K", "L1") * factor("K", "L2", along=True)
    inputs = factor("C", "L1")
    if layer.is_product:
        return Tile(blocks(cols), 1, blocks(outputs), 1, 1, blocks(inputs))
    return Tile(rows, cols, outputs, factor("S", "L1"), factor("R", "L1"), inputs)


def blocks(extent: int) -> int:
    """An extent of a product in whole blocks of the array, which the program cuts the rest of."""
    return max(16, extent // 16 * 16)


def loop_order(mapping: str) -> str:
    """Dimensions of the loops over tiles, innermost first."""
    named = "".join(dimension for dimension, _, _ in reversed(parsed(mapping)["L3"]))
    return named + "".join(dimension for dimension in DIMENSIONS if dimension not in named)
