"""Convolutions, products and pools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import onnx

from accelsim.importers.onnx import Importing, UnmodelledError, Value
from accelsim.importers.onnx_heads import multiplied
from accelsim.importers.operators.node import (
    attributes,
    constants,
    image,
    inputs_of,
    ints,
    name_of,
    note_bits,
    operator,
    viewed,
)


@operator("Conv")
def conv(importing: Importing, node: onnx.NodeProto) -> list[Value]:
    """Any convolution over images or signals: grouped, depthwise, dilated, padded on each side or SAME.

    A signal (batch, channels, steps) is an image one pixel wide.
    """
    source, weights = inputs_of(importing, node)[:2]
    found = attributes(node)
    signal = len(weights.dims) == 3
    if signal:
        source, weights, found = _as_image(source), replace(weights, dims=(*weights.dims, 1)), _planar(found)
    pads = source.padded or (0, 0, 0, 0)
    height, width, channels = image(replace(source, padded=None))
    if weights.is_map or len(weights.dims) != 4:
        raise UnmodelledError("constant weights of four dimensions, or three", list(weights.dims))
    groups = found.get("group", 1)
    outputs, inputs, *kernel = weights.dims
    if list(found.get("kernel_shape", kernel)) != kernel or inputs * groups != channels or groups < 1:
        raise UnmodelledError(f"weights that fit {channels} channels", f"{list(weights.dims)} in {groups} groups")
    window = _window(found, kernel, (height, width), pads)
    size = (*_extents((height, width), window), outputs)
    more: dict[str, Any] = {**_written(window), "channels": outputs}
    kind = "conv"
    if groups == channels == outputs and groups > 1:
        kind = "dwconv"
        del more["channels"]
    elif groups > 1:
        more["groups"] = groups
    made = importing.add(name_of(node), kind, [source], size, **more)
    note_bits(importing, made, weight_bits=weights.bits)
    return [viewed(made, made.dims[:3]) if signal else made]


def _as_image(source: Value) -> Value:
    """A signal as an image one pixel wide. Raises UnmodelledError."""
    size = source.map_dims
    if size is None or source.padded or size[1] != 1 or source.dims[1:] != (size[2], size[0]):
        raise UnmodelledError("a map of (batch, channels, steps)", list(source.dims))
    return viewed(source, (*source.dims, 1))


def _planar(found: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of a window over steps as those of one over rows."""
    lists = {key: value for key, value in found.items() if isinstance(value, list)}
    added = {key: [*value, 1] for key, value in lists.items() if key != "pads"}
    if len(lists.get("pads", ())) == 2:
        added["pads"] = [lists["pads"][0], 0, lists["pads"][1], 0]
    return {**found, **added}


class _Window(dict[str, list[int]]):
    """kernel, stride and dilation as [height, width], pad as [top, left, bottom, right]."""


def _window(
    found: Mapping[str, Any], kernel: Sequence[int], size: tuple[int, int], before: tuple[int, int, int, int]
) -> _Window:
    """The window of a convolution or pool from its attributes, padding by a Pad included. Raises UnmodelledError."""
    kernel = ints(kernel, 2, 1, "kernel_shape")
    stride, dilation = ints(found.get("strides"), 2, 1, "strides"), ints(found.get("dilations"), 2, 1, "dilations")
    if 0 in (*kernel, *stride, *dilation):
        raise UnmodelledError("kernel, strides and dilations of at least 1", [kernel, stride, dilation])
    mode = found.get("auto_pad", b"NOTSET").decode("utf-8", "replace")
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        pads = [0, 0, 0, 0]
        for axis in (0, 1):
            reach = (kernel[axis] - 1) * dilation[axis] + 1
            missing = max(0, (-(-size[axis] // stride[axis]) - 1) * stride[axis] + reach - size[axis])
            less, more = missing // 2, missing - missing // 2
            pads[axis], pads[axis + 2] = (less, more) if mode == "SAME_UPPER" else (more, less)
    elif mode in ("NOTSET", "VALID", ""):
        pads = ints(None if mode == "VALID" else found.get("pads"), 4, 0, "pads")
    else:
        raise UnmodelledError("auto_pad of NOTSET, VALID, SAME_UPPER or SAME_LOWER", mode[:40])
    pads = [mine + other for mine, other in zip(pads, before, strict=True)]
    return _Window(kernel=kernel, stride=stride, dilation=dilation, pad=pads)


def _extents(size: tuple[int, int], window: _Window, *, ceil: bool = False) -> tuple[int, int]:
    """Height and width of what a window gives. Raises UnmodelledError."""
    found = []
    for axis in (0, 1):
        reach = (window["kernel"][axis] - 1) * window["dilation"][axis] + 1
        free = size[axis] + window["pad"][axis] + window["pad"][axis + 2] - reach
        if free < 0:
            raise UnmodelledError(f"a kernel that fits {size[0]} x {size[1]}", window["kernel"])
        steps = -(-free // window["stride"][axis]) if ceil else free // window["stride"][axis]
        # A window may not begin in the padding behind the map.
        if ceil and steps * window["stride"][axis] >= size[axis] + window["pad"][axis]:
            steps -= 1
        found.append(steps + 1)
    return found[0], found[1]


def _written(window: _Window) -> dict[str, Any]:
    """As rows have it: one number where all are equal, nothing where that is usual."""
    found: dict[str, Any] = {"kernel": _one(window["kernel"])}
    for key, usual in (("stride", 1), ("dilation", 1), ("pad", 0)):
        if _one(window[key]) != usual:
            found[key] = _one(window[key])
    return found


def _one(numbers: list[int]) -> int | list[int]:
    return numbers[0] if len(set(numbers)) == 1 else list(numbers)


@operator("Gemm")
def gemm(importing: Importing, node: onnx.NodeProto) -> list[Value]:
    """A fully connected layer."""
    source, weights = inputs_of(importing, node)[:2]
    found = attributes(node)
    if found.get("transA"):
        raise UnmodelledError("transA of 0", 1)
    dims = weights.dims if found.get("transB") else weights.dims[::-1]
    return [_dense(importing, node, source, weights, dims)]


@operator("MatMul")
def matmul(importing: Importing, node: onnx.NodeProto) -> list[Value]:
    """A product of a map with constant weights, for each image or each token, or of two maps, for each head."""
    source, weights = inputs_of(importing, node)[:2]
    if source.is_map and weights.is_map:
        return [multiplied(importing, name_of(node), source, weights)]
    if not source.is_map:
        raise UnmodelledError("a map times constant weights, or times a map", "weights times a map")
    return [_dense(importing, node, source, weights, weights.dims[::-1])]


def _dense(importing: Importing, node: onnx.NodeProto, source: Value, weights: Value, dims: tuple[int, ...]) -> Value:
    """dims: (outputs, inputs) of the weights."""
    if weights.is_map or len(dims) != 2 or source.dims[-1:] != dims[1:]:
        raise UnmodelledError("constant weights that fit the map", f"{list(weights.dims)} for {list(source.dims)}")
    assert source.map_dims is not None
    if source.is_vector and not source.shuffled:
        made = importing.add(name_of(node), "fc", [source], (1, 1, dims[0]), channels=dims[0])
        made = viewed(made, (importing.batch, dims[0]))
    elif source.is_tokens and not source.shuffled:
        height, width, _ = source.map_dims
        made = importing.add(name_of(node), "matmul", [source], (height, width, dims[0]), channels=dims[0])
        made = replace(made, dims=(importing.batch, height * width, dims[0]), by_token=True)
    else:
        raise UnmodelledError("a map of (batch, features) or (batch, tokens, features)", list(source.dims))
    note_bits(importing, made, weight_bits=weights.bits)
    return made


@operator("MaxPool", "AveragePool")
def pool(importing: Importing, node: onnx.NodeProto) -> list[Value]:
    """A pool; one whose window is the whole map is a global one."""
    source, found = inputs_of(importing, node)[0], attributes(node)
    signal = len(found.get("kernel_shape", ())) == 1
    if signal:
        source, found = _as_image(source), _planar(found)
    pads = source.padded or (0, 0, 0, 0)
    height, width, channels = image(replace(source, padded=None))
    window = _window(found, found.get("kernel_shape", []), (height, width), pads)
    average = node.op_type == "AveragePool"
    if average and window["kernel"] == [height, width] and not any(window["pad"]):
        made = importing.add(name_of(node), "gap", [source], (1, 1, channels))
        return [viewed(made, made.dims[:3]) if signal else made]
    if any(window["pad"][axis] >= window["kernel"][axis % 2] * window["dilation"][axis % 2] for axis in range(4)):
        raise UnmodelledError("padding smaller than the kernel", window["pad"])
    ceil = bool(found.get("ceil_mode"))
    size = (*_extents((height, width), window, ceil=ceil), channels)
    more = {"ceil": True} if ceil and size[:2] != _extents((height, width), window) else {}
    kind = "avgpool" if average else "maxpool"
    made = importing.add(name_of(node), kind, [source], size, **_written(window), **more)
    return [viewed(made, made.dims[:3]) if signal else made]


@operator("GlobalAveragePool")
def global_pool(importing: Importing, node: onnx.NodeProto) -> list[Value]:
    """The mean of each channel."""
    source = inputs_of(importing, node)[0]
    return [importing.add(name_of(node), "gap", [source], (1, 1, image(source)[2]))]


@operator("GlobalMaxPool")
def global_max_pool(importing: Importing, node: onnx.NodeProto) -> list[Value]:
    """The largest of each channel."""
    source = inputs_of(importing, node)[0]
    height, width, channels = image(source)
    return [importing.add(name_of(node), "maxpool", [source], (1, 1, channels), kernel=[height, width])]


@operator("ReduceMean")
def reduce_mean(importing: Importing, node: onnx.NodeProto) -> list[Value]:
    """The mean over height and width."""
    source, *axes = inputs_of(importing, node)
    found = attributes(node)
    wanted = constants(node, axes)[0].tolist() if axes else list(found.get("axes", []))
    *_, channels = image(source)
    if sorted(each % 4 for each in wanted if -4 <= each < 4) != [2, 3] or len(wanted) != 2:
        raise UnmodelledError("a mean over height and width", f"axes {wanted[:8]}")
    made = importing.add(name_of(node), "gap", [source], (1, 1, channels))
    return [made if found.get("keepdims", 1) else viewed(made, (importing.batch, channels))]
