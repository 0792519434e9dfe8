"""Convolutions and pools: whatever has a window that slides over rows and columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from accelsim.errors import shorten
from accelsim.importers.onnx.operators.node import Call, image_dims, listed, note_bits, operator, spatial
from accelsim.importers.onnx.tensors import Constant, FeatureMap, Tensor, UnmodelledError
from accelsim.operators import shapes
from accelsim.operators.shapes import Shape

MAX_SIDE = 1 << 20


@dataclass(frozen=True, slots=True)
class Sliding:
    """kernel, stride and dilation as (height, width), pad as (top, left, bottom, right)."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    pad: tuple[int, int, int, int]

    def extents(self, size: Sequence[int], *, ceil: bool = False) -> tuple[int, int]:
        """Height and width of what it gives. Raises UnmodelledError."""
        try:
            return shapes.outputs(Shape(size[0], size[1], 1), shapes.window_of(_keys(self)), ceil=ceil)
        except shapes.ShapeError:
            raise UnmodelledError(f"a kernel that fits {size[0]} x {size[1]}", list(self.kernel)) from None

    def reach(self, axis: int) -> int:
        """Elements from the first under it to the last."""
        return (self.kernel[axis] - 1) * self.dilation[axis] + 1


def sliding(call: Call, kernel: Sequence[int], source: FeatureMap) -> Sliding:
    """The window of a node, padding by a Pad in front included. Raises UnmodelledError."""
    signal = len(source.dims) == 3
    found = call.attributes
    sides = [_sizes(found.integers(name), 1, 1 + (not signal), name) for name in ("strides", "dilations")]
    kernel, stride, dilation = ((*each, 1)[:2] for each in (kernel, *sides))
    size = source.axes.extents[:2]
    mode = found.text("auto_pad", "NOTSET")
    pads = [0, 0, 0, 0]
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        around = (*source.pads[2:], (0, 0), (0, 0))
        size = (size[0] + sum(around[0]), size[1] + sum(around[1]))
        for axis in (0, 1):
            reach = (kernel[axis] - 1) * dilation[axis] + 1
            missing = max(0, (-(-size[axis] // stride[axis]) - 1) * stride[axis] + reach - size[axis])
            less, more = missing // 2, missing - missing // 2
            pads[axis], pads[axis + 2] = (less, more) if mode == "SAME_UPPER" else (more, less)
    elif mode in ("NOTSET", ""):
        given = _sizes(found.integers("pads"), 0, 2 * (1 + (not signal)), "pads")
        pads = [given[0], 0, given[1], 0] if signal else list(given)
    elif mode != "VALID":
        raise UnmodelledError("auto_pad of NOTSET, VALID, SAME_UPPER or SAME_LOWER", shorten(mode))
    for place, (before, behind) in enumerate(source.pads[2:]):
        pads[place] += before
        pads[place + 2] += behind
    if max(pads) > 1 << 12:
        raise UnmodelledError("padding of at most 4096", max(pads))
    top, left, bottom, right = pads
    return Sliding(_two(kernel), _two(stride), _two(dilation), (top, left, bottom, right))


def _two(values: Sequence[int]) -> tuple[int, int]:
    return values[0], values[1]


def _sizes(value: list[int] | None, least: int, count: int, what: str) -> list[int]:
    found = [least] * count if value is None else value
    if len(found) != count or not all(least <= each <= MAX_SIDE for each in found):
        raise UnmodelledError(f"{what}: {count} numbers from {least} on", found[:8])
    return found


@operator("Conv", "ConvInteger", "com.microsoft.FusedConv", "com.microsoft.NhwcFusedConv")
def conv(call: Call) -> list[Tensor]:
    """Any convolution over images or signals: grouped, depthwise, dilated, padded on each side or SAME.

    A signal (batch, channels, steps) is an image one pixel wide.
    """
    made = convolved(call, spatial(call), call.constant(1))
    activation = call.attributes.text("activation", "")
    if activation and made.row in call.importing.rows:
        if activation == "Relu":
            call.importing.rows[made.row]["activation"] = "relu"
        else:
            made = call.importing.made("function", made, "_activation")
    return [made]


def convolved(call: Call, source: FeatureMap, weights: Constant) -> FeatureMap:
    """The row of a convolution. Raises UnmodelledError."""
    if len(weights.shape) != len(source.dims):
        raise UnmodelledError(f"weights of {len(source.dims)} dimensions", list(weights.shape))
    groups = call.attributes.integer("group", 1)
    outputs, inputs, *kernel = weights.shape
    channels = source.axes.extents[2]
    given = call.attributes.integers("kernel_shape") or kernel
    if given != kernel or inputs * groups != channels or groups < 1 or outputs % groups or min(weights.shape) < 1:
        raise UnmodelledError(f"weights that fit {channels} channels", f"{list(weights.shape)} in {groups} groups")
    window = sliding(call, kernel, source)
    extents = (*window.extents(source.axes.extents), outputs)
    depthwise = groups == channels == outputs and groups > 1
    kind, more = ("dwconv", {}) if depthwise else ("conv", {"channels": outputs, "groups": groups})
    row = call.importing.row(kind, [source.row], extents, **listed(**_keys(window), **more))
    note_bits(call.importing, row, weight_bits=weights.bits)
    dims, axes = image_dims(call, source, extents)
    return FeatureMap(dims, row, axes, source.batch)


def _keys(window: Sliding) -> dict[str, list[int]]:
    return {
        "kernel": list(window.kernel), "stride": list(window.stride), "dilation": list(window.dilation),
        "pad": list(window.pad),
    }  # fmt: skip


@operator("ConvTranspose")
def conv_transpose(call: Call) -> list[Tensor]:
    """A product for each pixel that gives a patch of outputs, and the patches laid over each other and added up."""
    call = replace(call, inputs=(call.map(), *call.inputs[1:]))
    source, weights = spatial(call), call.constant(1)
    rank, groups, found = len(source.dims) - 2, call.attributes.integer("group", 1), call.attributes
    inputs, each, *kernel = (*weights.shape, 1)[:4] if rank == 1 else weights.shape
    channels = source.axes.extents[2]
    if (
        len(weights.shape) != rank + 2
        or inputs != channels
        or groups < 1
        or channels % groups
        or min(weights.shape) < 1
    ):
        raise UnmodelledError(f"weights that fit {channels} channels", f"{list(weights.shape)} in {groups} groups")
    stride, dilation = ((*_sizes(found.integers(key), 1, rank, key), 1)[:2] for key in ("strides", "dilations"))
    added = (*_sizes(found.integers("output_padding"), 0, rank, "output_padding"), 0)[:2]
    reach = [(size - 1) * step + 1 for size, step in zip(kernel, dilation, strict=True)]
    whole = [
        (size - 1) * step + far + more
        for size, step, far, more in zip(source.axes.extents, stride, reach, added, strict=False)
    ]
    pads = _cut_off(call, whole, source.axes.extents[:2], stride, rank)
    taps = prod(kernel)
    product = call.importing.row(
        "conv", [source.row], (*source.axes.extents[:2], each * groups * taps), "_product",
        **listed(kernel=1, channels=each * groups * taps, groups=groups),
    )  # fmt: skip
    note_bits(call.importing, product, weight_bits=weights.bits)
    extents = (whole[0] - pads[0] - pads[2], whole[1] - pads[1] - pads[3], each * groups)
    if min(extents) < 1 or min(pads) < 0:
        raise UnmodelledError("an output of at least one pixel", list(extents))
    more: dict[str, Any] = {"output_padding": list(added)} if any(added) else {}
    row = call.importing.row(
        "fold", [product], extents,
        **listed(kernel=list(kernel), stride=list(stride), dilation=list(dilation), pad=pads), **more,
    )  # fmt: skip
    dims, axes = image_dims(call, source, extents)
    return [FeatureMap(dims, row, axes, source.batch)]


def _cut_off(call: Call, whole: Sequence[int], size: Sequence[int], stride: Sequence[int], rank: int) -> list[int]:
    """Pixels that a transposed convolution leaves out on each side: (top, left, bottom, right)."""
    found, mode = call.attributes, call.attributes.text("auto_pad", "NOTSET")
    wanted = found.integers("output_shape")
    if wanted is None and mode in ("SAME_UPPER", "SAME_LOWER"):
        wanted = [extent * step for extent, step in zip(size, stride, strict=True)][:rank]
    if wanted is None:
        given = [0] * (2 * rank) if mode == "VALID" else _sizes(found.integers("pads"), 0, 2 * rank, "pads")
        return [given[0], 0, given[1], 0] if rank == 1 else list(given)
    if len(wanted) < rank:
        raise UnmodelledError(f"an output_shape of {rank} numbers", wanted[:8])
    over = [(*(full - each for full, each in zip(whole, wanted[-rank:], strict=False)), 0)[axis] for axis in (0, 1)]
    less = [each // 2 for each in over]
    more = [each - half for each, half in zip(over, less, strict=True)]
    return [*less, *more] if mode == "SAME_UPPER" else [*more, *less]


@operator("MaxPool", "AveragePool", "LpPool")
def pool(call: Call) -> list[Tensor]:
    """A pool; one whose window is the whole map is a global one, one of a single element is nothing."""
    if any(call.importing.readers.get(name, 0) for name in call.node.output[1:] if name):
        raise UnmodelledError("a pool without indices", "a second output that is read")
    source = spatial(call)
    kernel = call.attributes.integers("kernel_shape") or []
    if len(kernel) != len(source.dims) - 2 or min(kernel, default=0) < 1 or max(kernel) > MAX_SIDE:
        raise UnmodelledError(f"a kernel of {len(source.dims) - 2} numbers from 1 on", kernel[:8])
    return [pooled(call, source, sliding(call, kernel, source), average=call.op != "MaxPool")]


def pooled(call: Call, source: FeatureMap, window: Sliding, *, average: bool) -> FeatureMap:
    """The row of a pool. Raises UnmodelledError."""
    size, ceil = source.axes.extents, bool(call.attributes.integer("ceil_mode", 0))
    if window.kernel == (1, 1) and window.stride == (1, 1) and not any(window.pad):
        return source
    if average and window.kernel == size[:2] and not any(window.pad):
        return whole_pool(call, source, "gap")
    if any(window.pad[side] >= window.reach(side % 2) for side in range(4)):
        source, window = call.importing.padded(replace(source, pads=_all_pads(source, window))), _unpadded(window)
        size = source.axes.extents
    extents = (*window.extents(size, ceil=ceil), size[2])
    more: dict[str, Any] = {"ceil": True} if ceil and extents[:2] != window.extents(size) else {}
    kind = "avgpool" if average else "maxpool"
    row = call.importing.row(kind, [source.row], extents, **listed(**_keys(window)), **more)
    dims, axes = image_dims(call, source, extents)
    dims, axes = (dims[0], source.dims[1], *dims[2:]), replace(axes, channels=source.axes.channels)
    return FeatureMap(dims, row, axes, source.batch)


def _all_pads(source: FeatureMap, window: Sliding) -> tuple[tuple[int, int], ...]:
    both = ((window.pad[0], window.pad[2]), (window.pad[1], window.pad[3]))
    return ((0, 0), (0, 0), *both)[: len(source.dims)]


def _unpadded(window: Sliding) -> Sliding:
    return replace(window, pad=(0, 0, 0, 0))


def whole_pool(call: Call, source: FeatureMap, op: str) -> FeatureMap:
    """The mean, or largest, over all rows and columns."""
    height, width, channels = source.axes.extents
    keys = {} if op == "gap" else listed(kernel=[height, width])
    row = call.importing.row(op, [source.row], (1, 1, channels), **keys)
    dims = (source.dims[0], source.dims[1], *((),) * (len(source.dims) - 2))
    return FeatureMap(dims, row, replace(source.axes, rows=(), cols=()), source.batch)


@operator("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
def global_pool(call: Call) -> list[Tensor]:
    """The mean or largest of each channel."""
    call = replace(call, inputs=(call.map(),))
    return [whole_pool(call, spatial(call), "maxpool" if call.op == "GlobalMaxPool" else "gap")]


@operator("LRN", "recognised.LRN")
def lrn(call: Call) -> list[Tensor]:
    """Local response normalisation."""
    call = replace(call, inputs=(call.map(),))
    size = call.attributes.integer("size", 1)
    if not 1 <= size <= MAX_SIDE:
        raise UnmodelledError("a size from 1 on", size)
    return [call.importing.made("lrn", spatial(call), size=size)]
