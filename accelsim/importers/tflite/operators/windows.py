"""Operators with a window that slides over rows and columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tflite

from accelsim.importers.tflite.operators.call import Call, activated, translates
from accelsim.importers.tflite.writer import TO_FIRST, TO_LAST

LAST_TO_FRONT = (3, 0, 1, 2)


def _padding(found: Any) -> str:
    return "SAME_UPPER" if found.Padding() == tflite.Padding.SAME else "VALID"


def _strides(found: Any) -> list[int]:
    return [found.StrideH(), found.StrideW()]


def _slid(call: Call, op: str, source: str, *others: str, **attributes: Any) -> str:
    """An operator with a window over a map whose channels are last."""
    write = call.write
    return write.transposed(write.add(op, write.transposed(source, TO_FIRST), *others, **attributes), TO_LAST)


def _bias(call: Call, place: int) -> tuple[str, ...]:
    return (call.value(place),) if call.given(place) else ()


@translates("CONV_2D")
def conv(call: Call) -> str:
    """Weights are (outputs, rows, columns, inputs of a group)."""
    groups = call.tensor(0).shape[3] // max(1, call.tensor(1).shape[3])
    return _convolved(call, call.options(tflite.Conv2DOptions), TO_FIRST, groups)


@translates("DEPTHWISE_CONV_2D")
def depthwise(call: Call) -> str:
    """Weights are (1, rows, columns, outputs)."""
    return _convolved(call, call.options(tflite.DepthwiseConv2DOptions), LAST_TO_FRONT, call.tensor(0).shape[3])


def _convolved(call: Call, found: Any, order: Sequence[int], groups: int) -> str:
    """A convolution with weights whose dimensions in this order are (outputs, inputs of a group, rows, columns)."""
    weights = call.write.transposed(call.value(1), order)
    made = _slid(
        call, "Conv", call.value(0), weights, *_bias(call, 2), group=groups, auto_pad=_padding(found),
        strides=_strides(found), dilations=[found.DilationHFactor(), found.DilationWFactor()],
    )  # fmt: skip
    return activated(call, made, found.FusedActivationFunction())


@translates("TRANSPOSE_CONV")
def transpose_conv(call: Call) -> str:
    """The shape of the output, weights (outputs, rows, columns, inputs), the map, and perhaps a bias."""
    found = call.options(tflite.TransposeConvOptions)
    weights = call.write.transposed(call.value(1), LAST_TO_FRONT)
    made = _slid(
        call, "ConvTranspose", call.value(2), weights, *_bias(call, 3), strides=_strides(found),
        auto_pad="SAME_UPPER", output_shape=list(call.result().shape[1:3]),
    )  # fmt: skip
    return activated(call, made, found.FusedActivationFunction())


@translates("MAX_POOL_2D", "AVERAGE_POOL_2D", "L2_POOL_2D")
def pool(call: Call) -> str:
    """A mean leaves padding out."""
    found = call.options(tflite.Pool2DOptions)
    op = {"MAX_POOL_2D": "MaxPool", "AVERAGE_POOL_2D": "AveragePool", "L2_POOL_2D": "LpPool"}[call.operator.name]
    made = _slid(
        call, op, call.value(0), kernel_shape=[found.FilterHeight(), found.FilterWidth()],
        strides=_strides(found), auto_pad=_padding(found),
    )  # fmt: skip
    return activated(call, made, found.FusedActivationFunction())


@translates("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")
def resize(call: Call) -> str:
    """To a height and width."""
    linear = call.operator.name == "RESIZE_BILINEAR"
    found = call.options(tflite.ResizeBilinearOptions if linear else tflite.ResizeNearestNeighborOptions)
    where = "align_corners" if found.AlignCorners() else "half_pixel" if found.HalfPixelCenters() else "asymmetric"
    shape = call.result().shape
    sizes = call.write.numbers([shape[0], shape[3], *shape[1:3]])
    more = {"mode": "linear"} if linear else {"mode": "nearest", "nearest_mode": "floor"}
    return _slid(call, "Resize", call.value(0), "", "", sizes, coordinate_transformation_mode=where, **more)


@translates("DEPTH_TO_SPACE", "SPACE_TO_DEPTH")
def blocks(call: Call) -> str:
    """Blocks of pixels and channels."""
    deep = call.operator.name == "SPACE_TO_DEPTH"
    size = call.options(tflite.SpaceToDepthOptions if deep else tflite.DepthToSpaceOptions).BlockSize()
    return _slid(call, "SpaceToDepth" if deep else "DepthToSpace", call.value(0), blocksize=size)


@translates("LOCAL_RESPONSE_NORMALIZATION")
def lrn(call: Call) -> str:
    """Over a radius of channels on either side."""
    radius = call.options(tflite.LocalResponseNormalizationOptions).Radius()
    return _slid(call, "LRN", call.value(0), size=2 * radius + 1)
