"""Short forms of the rows that families are made of."""

from __future__ import annotations

from typing import Any

RowData = dict[str, Any]
"""A row as in a workload file."""


def row(op: str, name: str, *inputs: str, **keys: Any) -> RowData:
    """A row; without inputs it reads the row before."""
    return {"name": name, "op": op, **({"inputs": list(inputs)} if inputs else {}), **keys}


def conv(
    name: str, channels: int, kernel: int, *inputs: str, stride: int = 1, act: str = "relu", **keys: Any
) -> RowData:
    """A convolution that keeps the size of the map at stride 1, followed by a ReLU, unless it says otherwise."""
    keys.setdefault("pad", kernel // 2)
    return row("conv", name, *inputs, channels=channels, kernel=kernel, stride=stride, activation=act, **keys)


def pool(op: str, name: str, kernel: int, stride: int, *inputs: str, **keys: Any) -> RowData:
    """A pooling."""
    return row(op, name, *inputs, kernel=kernel, stride=stride, **keys)


def classifier(classes: int, *, softmax: bool = True) -> list[RowData]:
    """Global average pooling, a fully connected layer and a softmax."""
    rows = [row("gap", "gap"), row("fc", "fc", channels=classes)]
    return [*rows, row("softmax", "softmax")] if softmax else rows
