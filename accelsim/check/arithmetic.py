"""Integer arithmetic that stands for a network's: exact, and sensitive to every operand.

Results wrap to the width of the feature map, so that a missing, doubled or exchanged product is seen. Functions that
hardware approximates by tables (sigmoid, softmax, LRN, an unfolded batch norm) are stand-ins that read what the real
one reads: the check is about where data goes, not about how well a table fits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from accelsim.network.graph import Node

Values = NDArray[np.int64]

EXACT_BITS = 53
"""Sums of integers below 2**53 are exact in float64, where matrix products are quick."""


def wrap(values: Values, bits: int) -> Values:
    """The low `bits` as a two's-complement number."""
    above = 64 - bits
    return values << above >> above


def activate(values: Values, activation: str) -> Values:
    """ReLU and the like, before wrapping."""
    match activation:
        case "relu":
            return np.maximum(values, 0)
        case "relu6":
            return np.clip(values, 0, 6)
        case _:
            return values


def matmul(left: Values, right: Values, operand_bits: int) -> Values:
    """The exact product of (batches of) integer matrices whose operands together have `operand_bits` bits."""
    if operand_bits + int(left.shape[-1]).bit_length() < EXACT_BITS:
        return np.asarray(np.matmul(left.astype(np.float64), right.astype(np.float64)), dtype=np.int64)
    return np.asarray(np.matmul(left, right))


def softmax(values: Values, groups: int) -> Values:
    """Stands for a softmax: each element, and all channels of its group and pixel."""
    grouped = values.reshape(*values.shape[:-1], groups, -1)
    return np.asarray(3 * grouped + grouped.sum(axis=-1, keepdims=True)).reshape(values.shape)


def layer_norm(values: Values, groups: int, channels: Values) -> Values:
    """Stands for layer normalisation: each element, all channels of its group and pixel, and a factor of each
    channel's own."""
    grouped = values.reshape(*values.shape[:-1], groups, -1)
    whole = (3 * grouped - grouped.sum(axis=-1, keepdims=True)).reshape(values.shape)
    return np.asarray(whole * (2 * channels + 1))


def in_groups(values: Values, groups: int, function: Callable[..., Values]) -> Values:
    """A function along the channels of each group."""
    return np.asarray(function(values.reshape(*values.shape[:-1], groups, -1), axis=-1)).reshape(values.shape)


def lrn(values: Values, window: int) -> Values:
    """Stands for local response normalisation: each element, and `window` channels round it."""
    before, channels = window // 2, values.shape[-1]
    padded = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(before, window - 1 - before)])
    around = np.sum([padded[..., shift : shift + channels] for shift in range(window)], axis=0)
    return np.asarray(values + 5 * around)


def batch_norm(values: Values, channels: Values) -> Values:
    """Stands for an unfolded batch norm: a factor and an offset of each channel's own."""
    return values * (2 * channels + 1) + channels


ELEMENTS: dict[str, Callable[[Node, Sequence[Values], Values], Values]] = {
    "add": lambda _, maps, __: maps[0] + maps[1],
    "mul": lambda _, maps, __: maps[0] * maps[1],
    "scale": lambda _, maps, __: maps[0] * maps[1],
    "sigmoid": lambda _, maps, __: 3 * maps[0] + 1,
    "hardswish": lambda _, maps, __: 5 * maps[0] + 2,
    "gelu": lambda _, maps, __: 7 * maps[0] - 1,
    "relu": lambda _, maps, __: np.maximum(maps[0], 0),
    "prelu": lambda _, maps, channels: np.where(maps[0] < 0, maps[0] * (channels + 2), maps[0]),
    "tanh": lambda _, maps, __: 3 * maps[0] - 2,
    "hardsigmoid": lambda _, maps, __: 5 * maps[0] + 4,
    "silu": lambda _, maps, __: 7 * maps[0] + 3,
    "elu": lambda _, maps, __: 9 * maps[0] - 4,
    "function": lambda _, maps, __: 11 * maps[0] + 5,
    "step": lambda _, maps, __: np.abs(maps[0]) + 1,
    "sub": lambda _, maps, __: maps[0] - maps[1],
    "div": lambda _, maps, __: 3 * maps[0] - 5 * maps[1],
    "max": lambda _, maps, __: np.maximum(maps[0], maps[1]),
    "min": lambda _, maps, __: np.minimum(maps[0], maps[1]),
    "pow": lambda _, maps, __: 5 * maps[0] + 3 * maps[1],
    "compare": lambda _, maps, __: (maps[0] > maps[1]).astype(np.int64),
    "select": lambda _, maps, __: np.where(maps[0] > 0, maps[1], maps[2]),
    "softmax": lambda node, maps, _: softmax(maps[0], node.groups),
    "layernorm": lambda node, maps, channels: layer_norm(maps[0], node.groups, channels),
    "running_sum": lambda node, maps, _: in_groups(maps[0], node.groups, np.cumsum),
    "sort": lambda node, maps, _: -in_groups(-maps[0], node.groups, np.sort),
    "lrn": lambda node, maps, _: lrn(maps[0], node.channel_window),
    "bn": lambda _, maps, channels: batch_norm(maps[0], channels),
}
"""Element by element, by operator: from the maps where the outputs are, and the numbers of their channels."""

WINDOWS: dict[str, Callable[[Node, Iterable[Values]], Values]] = {
    "maxpool": lambda _, taps: reduce(np.maximum, taps),
    "avgpool": lambda node, taps: reduce(np.add, taps) // node.window.elements,
    "gap": lambda node, taps: FINISHED["gap"](node, reduce(np.add, taps)),
    "subsample_pad": lambda node, taps: filled_up(next(iter(taps)), node.output.channels),
}
"""From what lies under each position of a window, one after the other, by operator."""

MOVED: dict[str, Callable[[Node, Iterable[Values]], Values]] = {
    **dict.fromkeys(("crop", "join", "rearrange", "fold", "reduce_sum"), lambda _, taken: reduce(np.add, taken)),
    "reduce_max": lambda _, taken: reduce(np.maximum, taken),
    "resize": lambda _, taken: np.asarray(sum((2 * number + 1) * each for number, each in enumerate(taken))),
}
"""From all the elements that an output is made of (`accelsim.check.moves`), by operator."""

FINISHED: dict[str, Callable[[Node, Values], Values]] = {"gap": lambda node, sums: sums // node.window.elements}
"""From the sums of whole maps, by operator."""

FILL = {"maxpool": int(np.iinfo(np.int64).min)}
"""Value of padding where it is not 0."""


def filled_up(values: Values, channels: int) -> Values:
    """Zeros in the channels that are missing."""
    return np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, channels - values.shape[-1])])
