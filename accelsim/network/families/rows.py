"""Short forms of the rows that families are made of."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, get_args

from accelsim.config.workload import Activation

RowData = dict[str, Any]
"""A row as in a workload file."""

FUSED = get_args(Activation)
"""Activations that are part of a layer; others are a layer of their own."""


def row(op: str, name: str, *inputs: str, **keys: Any) -> RowData:
    """A row; without inputs it reads the row before."""
    return {"name": name, "op": op, **({"inputs": list(inputs)} if inputs else {}), **keys}


def conv(
    name: str, channels: int, kernel: int, *inputs: str, stride: int = 1, act: str = "relu", **keys: Any
) -> RowData:
    """A convolution that keeps the size of the map at stride 1, followed by a ReLU, unless it says otherwise."""
    keys.setdefault("pad", kernel // 2)
    return row("conv", name, *inputs, channels=channels, kernel=kernel, stride=stride, activation=act, **keys)


def depthwise(name: str, kernel: int, *inputs: str, stride: int = 1, act: str = "relu") -> RowData:
    """A depthwise convolution that keeps the size of the map at stride 1."""
    return row("dwconv", name, *inputs, kernel=kernel, stride=stride, pad=kernel // 2, activation=act)


def activated(layer: RowData, act: str) -> list[RowData]:
    """A layer with weights and its activation, which is a row of its own where a layer can't absorb it."""
    if act in FUSED:
        return [{**layer, "activation": act}]
    return [{**layer, "activation": "none"}, row(act, f"{layer['name']}_{act}")]


def pool(op: str, name: str, kernel: int, stride: int, *inputs: str, **keys: Any) -> RowData:
    """A pooling."""
    return row(op, name, *inputs, kernel=kernel, stride=stride, **keys)


def squeeze_and_excite(
    name: str, source: str, channels: int, squeezed: int, act: str = "relu", gate: str = "sigmoid"
) -> list[RowData]:
    """Hu et al., CVPR 2018, Fig. 2: each of the channels times a factor that depends on the mean of all."""
    return [
        row("gap", f"{name}_gap", source),
        *activated(row("fc", f"{name}_reduce", channels=squeezed), act),
        row("fc", f"{name}_expand", channels=channels),
        row(gate, f"{name}_gate"),
        row("scale", name, source, f"{name}_gate"),
    ]


def classifier(classes: int, *hidden: RowData) -> list[RowData]:
    """Global average pooling, hidden layers if any, a fully connected layer and a softmax."""
    return [row("gap", "gap"), *hidden, row("fc", "fc", channels=classes), row("softmax", "softmax")]


def divisible(channels: int | Fraction, by: int = 8) -> int:
    """The nearest multiple of `by` that takes no more than a tenth of the channels away.

    The rule of the authors' code for MobileNet v2 and most networks after it.
    """
    near = max(by, int(channels + by // 2) // by * by)
    return near + by if near < Fraction(9, 10) * channels else near
