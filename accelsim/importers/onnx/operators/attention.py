"""Attention as one node, and products that onnxruntime's optimiser writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from accelsim.importers.onnx.operators.elementwise import combined
from accelsim.importers.onnx.operators.node import Call, operator
from accelsim.importers.onnx.operators.parts import taken_part
from accelsim.importers.onnx.operators.products import matrix_product, turned, two_maps, with_weights
from accelsim.importers.onnx.operators.reductions import over
from accelsim.importers.onnx.operators.views import reshaped
from accelsim.importers.onnx.tensors import Constant, FeatureMap, Tensor, UnmodelledError


@operator("com.microsoft.FusedMatMul")
def fused_matmul(call: Call) -> list[Tensor]:
    """A product, either tensor perhaps turned."""
    left, right = call.tensor(0), call.tensor(1)
    left = turned(left) if call.attributes.integer("transA", 0) else left
    right = turned(right) if call.attributes.integer("transB", 0) else right
    return [matrix_product(call, left, right)]


@operator("com.microsoft.MatMulNBits")
def matmul_of_few_bits(call: Call) -> list[Tensor]:
    """A product with weights of a few bits, packed in blocks."""
    found = call.attributes
    inputs, outputs = found.integer("K", 0), found.integer("N", 0)
    source, bits = call.map(), found.integer("bits", 4)
    if min(inputs, outputs) < 1 or source.shape[-1:] != (inputs,) or not 1 <= bits <= 32:
        raise UnmodelledError(f"weights that fit {list(source.shape)}", [inputs, outputs, bits])
    return [with_weights(call, source, Constant((inputs, outputs), None, bits))]


def _in_heads(call: Call, source: FeatureMap, heads: int) -> FeatureMap:
    """(batch, tokens, features) as (batch, heads, tokens, features of a head). Raises UnmodelledError."""
    if len(source.dims) == 4:
        return source
    if len(source.dims) != 3 or heads < 1 or source.shape[2] % heads:
        raise UnmodelledError("features that divide into heads", f"{heads} heads of {list(source.shape)}")
    images, tokens, features = source.shape
    apart = reshaped(call, source, (images, tokens, heads, features // heads))
    return replace(apart, dims=tuple(apart.dims[place] for place in (0, 2, 1, 3)))


def _attended(call: Call, parts: Sequence[FeatureMap], mask: Tensor | None) -> FeatureMap:
    """Queries, keys and values in heads. Raises UnmodelledError."""
    queries, keys, values = parts
    turned_keys = turned(keys)
    assert isinstance(turned_keys, FeatureMap)
    scores = two_maps(call, queries, turned_keys)
    if mask is not None and len(mask.shape) > 2:
        scores = combined(call, "add", [scores, mask])
    shares = over(call, scores, scores.dims[-1], "softmax")
    made = two_maps(call, shares, values)
    joined = replace(made, dims=tuple(made.dims[place] for place in (0, 2, 1, 3)))
    images, tokens, heads, features = joined.shape
    return reshaped(call, joined, (images, tokens, heads * features))


@operator("com.microsoft.Attention")
def attention(call: Call) -> list[Tensor]:
    """A product for queries, keys and values, and attention in heads."""
    heads = call.attributes.integer("num_heads", 1)
    whole = with_weights(call, call.map(), call.constant(1))
    size = whole.shape[-1] // 3
    sizes = call.attributes.integers("qkv_hidden_sizes") or [size, size, size]
    if len(sizes) != 3 or sum(sizes) != whole.shape[-1]:
        raise UnmodelledError(f"three parts of {whole.shape[-1]}", sizes[:8])
    starts = (0, sizes[0], sizes[0] + sizes[1])
    last = len(whole.dims) - 1
    parts = [
        taken_part(call, whole, last, range(start, start + each)) for start, each in zip(starts, sizes, strict=True)
    ]
    return [_attended(call, [_in_heads(call, each, heads) for each in parts], call.optional(5))]


@operator("com.microsoft.MultiHeadAttention", "Attention")
def given_heads(call: Call) -> list[Tensor]:
    """Attention over queries, keys and values."""
    heads = call.attributes.integer("num_heads", call.attributes.integer("q_num_heads", 1))
    own = call.attributes.integer("kv_num_heads", heads)
    parts = [_in_heads(call, call.map(place), heads if place == 0 else own) for place in range(3)]
    parts[1:] = [_for_each(call, each, parts[0].shape[1]) for each in parts[1:]]
    made = _attended(call, parts, call.optional(3) if call.op == "Attention" else call.optional(5))
    if len(call.map().dims) == 4:
        return [_in_heads(call, made, heads)]
    return [made]


def _for_each(call: Call, source: FeatureMap, heads: int) -> FeatureMap:
    """Keys or values that several heads share, for each of them."""
    images, own, tokens, features = source.shape
    if own == heads or heads % own:
        return source
    from accelsim.importers.onnx.operators.products import repeated_as
    from accelsim.importers.onnx.tensors import fresh

    apart = replace(source, dims=(*source.dims[:2], (), *source.dims[2:]))
    shared = repeated_as(apart, 2, fresh(heads // own), source.batch)
    return reshaped(call, shared, (images, heads, tokens, features))
