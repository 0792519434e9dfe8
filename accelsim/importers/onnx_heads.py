"""Attention in ONNX models: features of tokens split into heads, and products of two maps, head by head."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any, NamedTuple

from accelsim.importers.onnx import Importing, UnmodelledError, Value


class Heads(NamedTuple):
    """How the features of tokens are split; turned: whether the features of a head are outside of the tokens."""

    groups: int
    turned: bool


def heads_of(value: Value) -> Heads | None:
    """The heads of a tensor whose last two dimensions are tokens and the features of a head, in either order."""
    if value.map_dims is None or value.shuffled or value.padded or value.parts:
        return None
    if value.heads is not None:
        return Heads(value.heads, value.turned)
    whole = value.dims[-2:] == (value.pixels, value.map_dims[2])
    return Heads(1, turned=False) if whole and (value.by_token or value.pixels == 1) else None


def heads_transposed(value: Value, order: list[int]) -> Value | None:
    """A tensor split into heads, joined again, or with tokens and features exchanged; None where it is neither."""
    if value.map_dims is None or value.shuffled or value.padded or not (value.by_token or value.pixels == 1):
        return None
    if value.parts:
        raise UnmodelledError("a part of the features, before it is transposed", order)
    dims = tuple(value.dims[place] for place in order)
    heads = heads_of(value)
    if heads is None:
        split = len(order) == 4 and value.dims[1] == value.pixels and prod(value.dims[2:]) == value.map_dims[2]
        if split and order in ([0, 2, 1, 3], [0, 2, 3, 1]):
            return replace(value, dims=dims, by_token=True, heads=value.dims[2], turned=order[2] == 3)
        split = len(order) == 5 and value.dims[1] == value.pixels and prod(value.dims[2:]) == value.map_dims[2]
        if split and order == [2, 0, 3, 1, 4]:
            return replace(value, dims=dims, by_token=True, heads=value.dims[3], parts=value.dims[2])
        return None
    rank = len(order)
    if order == [*range(rank - 2), rank - 1, rank - 2]:
        return replace(value, dims=dims, by_token=True, heads=heads.groups, turned=not heads.turned)
    if rank == 4 and dims[1] == value.pixels and order == ([0, 3, 1, 2] if heads.turned else [0, 2, 1, 3]):
        return replace(value, dims=dims, by_token=True, heads=None, turned=False)
    return None


def heads_reshaped(value: Value, dims: tuple[int, ...]) -> Value:
    """Batch and heads as one dimension, or apart again; any shape where there is but one head.

    Raises UnmodelledError.
    """
    if value.parts:
        raise UnmodelledError("a part of the features, before it has another shape", list(dims))
    if dims[-2:] == value.dims[-2:]:
        return replace(value, dims=dims)
    if value.heads == 1 or value.pixels == 1:
        if not value.turned:
            return replace(value, dims=dims, heads=None)
        if value.map_dims is not None and dims[1:] == (value.map_dims[2], *value.map_dims[:2]):
            return replace(value, dims=dims, heads=None, turned=False, by_token=False)
    raise UnmodelledError("a shape that leaves tokens and the features of each head", list(dims))


def multiplied(importing: Importing, name: str, left: Value, right: Value) -> Value:
    """The product of two maps. Raises UnmodelledError where they are no tokens that are split into as many heads."""
    first, second = heads_of(left), heads_of(right)
    if first is None or second is None or left.map_dims is None:
        expected = "products of maps of (batch, heads, tokens, features)"
        raise UnmodelledError(expected, f"{list(left.dims)} by {list(right.dims)}")
    if first.turned or first.groups != second.groups or left.dims[:-2] != right.dims[:-2]:
        got = f"{list(left.dims)} by {list(right.dims)}" if not first.turned else "features by tokens on the left"
        raise UnmodelledError("two maps of as many heads, tokens by features on the left", got)
    if left.dims[-1] != right.dims[-2] or prod(left.dims[:-2]) != importing.batch * first.groups:
        raise UnmodelledError("maps that fit each other", f"{list(left.dims)} by {list(right.dims)}")
    height, width, _ = left.map_dims
    outputs = right.dims[-1]
    more: dict[str, Any] = {"groups": first.groups} if first.groups > 1 else {}
    more |= {"transposed": True} if second.turned else {}
    made = importing.add(name, "product", [left, right], (height, width, first.groups * outputs), **more)
    return replace(made, dims=(*left.dims[:-1], outputs), by_token=True, heads=left.heads)
