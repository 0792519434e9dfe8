"""ViT and MobileViT."""

from __future__ import annotations

from accelsim.config.families import MobileViT, ViT
from accelsim.network.families.inverted import Inverted, inverted_residual
from accelsim.network.families.rows import RowData, activated, classifier, conv, row

MOBILEVIT_STAGES = {
    # inverted residuals: output channels of stages 1 to 5, expansion; width of the tokens in stages 3 to 5
    "xxs": ((16, 24, 48, 64, 80), 2, (64, 80, 96)),
    "xs": ((32, 48, 64, 80, 96), 4, (96, 120, 144)),
    "s": ((32, 64, 96, 128, 160), 4, (144, 192, 240)),
}
"""Mehta and Rastegari, arXiv 2110.02178, Table 4."""
MOBILEVIT_LAYERS = (2, 4, 3)
MOBILEVIT_HEADS, PATCH = 4, 2


def vit_rows(network: ViT) -> list[RowData]:
    """Dosovitskiy et al., arXiv 2010.11929, Fig. 1 and eq. 1 to 4, with the pre-norm encoder and class token.

    The scale of the scores is part of the product, biases of the layers with weights.
    """
    side, width = network.resolution // network.patch, network.embedding
    tokens = side * side + 1
    rows = [
        conv("embed", width, network.patch, stride=network.patch, pad=0, act="none"),
        row("rearrange", "tokens", split=[side, side, width], order=[0, 1, 2], height=side * side, width=1,
            channels=width),
        {"name": "class", "op": "input", "height": 1, "width": 1, "channels": width},
        row("join", "joined", "class", "tokens"),
        {"name": "position", "op": "input", "height": tokens, "width": 1, "channels": width},
        row("add", "positioned", "joined", "position"),
    ]  # fmt: skip
    source = "positioned"
    for number in range(1, network.depth + 1):
        name = f"e{number}"
        rows += _attention(name, source, width, network.heads)
        rows += _mlp(name, width, 4 * width, "gelu")
        source = f"{name}_out"
    return [
        *rows,
        row("layernorm", "norm"),
        row("crop", "head_class", height=1, width=1, channels=width),
        row("fc", "head", channels=network.classes),
        row("softmax", "softmax"),
    ]


def mobilevit_rows(network: MobileViT) -> list[RowData]:
    """Mehta and Rastegari, arXiv 2110.02178, Table 4 and Fig. 1b; patches of 2 x 2, 4 heads."""
    channels, expansion, token_widths = MOBILEVIT_STAGES[network.size]
    rows = activated(conv("stem", 16, 3, stride=2), "silu")
    inputs, side = 16, -(-network.resolution // 2)
    for stage, outputs in enumerate(channels, 1):
        for number in range(1, 4 if stage == 2 else 2):
            stride = 2 if stage > 1 and number == 1 else 1
            block = Inverted(f"s{stage}_{number}", 3, stride, expansion * inputs, outputs, "silu")
            rows += inverted_residual(block, rows[-1]["name"], inputs)
            inputs, side = outputs, -(-side // stride)
        if stage > 2:
            rows += _mobilevit_block(f"s{stage}", inputs, token_widths[stage - 3], MOBILEVIT_LAYERS[stage - 3], side,
                                     rows[-1]["name"])  # fmt: skip
    rows += activated(conv("last", 4 * inputs, 1), "silu")
    return [*rows, *classifier(network.classes)]


def _mobilevit_block(name: str, channels: int, width: int, layers: int, side: int, source: str) -> list[RowData]:
    """A convolution, transformer layers over the pixels of equal place in all patches, and the two maps joined."""
    rows = activated(conv(f"{name}_local", channels, 3, source), "silu")
    rows.append(conv(f"{name}_in", width, 1, act="none"))
    places, above = side // PATCH, f"{name}_in"
    for number in range(1, layers + 1):
        block = f"{name}_t{number}"
        rows += _patch_attention(block, above, width, places)
        rows += _mlp(block, width, 2 * width, "silu")
        above = f"{block}_out"
    rows += [row("layernorm", f"{name}_norm"), *activated(conv(f"{name}_proj", channels, 1), "silu")]
    joined = row("concat", f"{name}_cat", source, rows[-1]["name"])
    return [*rows, joined, *activated(conv(f"{name}_fuse", channels, 3), "silu")]


def _attention(name: str, source: str, width: int, heads: int) -> list[RowData]:
    """Normed queries, keys and values, softmax in heads, projection, and what it is added to."""
    return [
        *_queries(name, source, width),
        *_heads(name, f"{name}_q", f"{name}_k", f"{name}_v", heads),
        row("matmul", f"{name}_proj", channels=width),
        row("add", f"{name}_att", source, f"{name}_proj"),
    ]


def _queries(name: str, source: str, width: int) -> list[RowData]:
    qkv = f"{name}_qkv"
    return [
        row("layernorm", f"{name}_norm1", source),
        row("matmul", qkv, channels=3 * width),
        *(row("slice", f"{name}_{part}", qkv, channels=width, first=at * width) for at, part in enumerate("qkv")),
    ]


def _heads(name: str, queries: str, keys: str, values: str, heads: int) -> list[RowData]:
    return [
        row("product", f"{name}_scores", queries, keys, groups=heads, transposed=True),
        row("softmax", f"{name}_weights", groups=heads),
        row("product", f"{name}_mixed", f"{name}_weights", values, groups=heads),
    ]


def _patch_attention(name: str, source: str, width: int, places: int) -> list[RowData]:
    """Attention between pixels of equal place in their patches: each place has heads of its own.

    places: patches along a side.
    """
    heads, tokens = PATCH * PATCH * MOBILEVIT_HEADS, places * places
    apart = {"split": [places, PATCH, places, PATCH, width], "order": [0, 2, 1, 3, 4]}
    patches = {"height": tokens, "width": 1, "channels": PATCH * PATCH * width}
    moved = [row("rearrange", f"{name}_{part}p", f"{name}_{part}", **apart, **patches) for part in "qkv"]
    side = places * PATCH
    together = {"split": [places, places, PATCH, PATCH, width], "order": [0, 2, 1, 3, 4]}
    return [
        *_queries(name, source, width),
        *moved,
        *_heads(name, f"{name}_qp", f"{name}_kp", f"{name}_vp", heads),
        row("rearrange", f"{name}_pixels", **together, height=side, width=side, channels=width),
        row("matmul", f"{name}_proj", channels=width),
        row("add", f"{name}_att", source, f"{name}_proj"),
    ]


def _mlp(name: str, width: int, hidden: int, act: str) -> list[RowData]:
    return [
        row("layernorm", f"{name}_norm2"),
        row("matmul", f"{name}_fc1", channels=hidden),
        row(act, f"{name}_{act}"),
        row("matmul", f"{name}_fc2", channels=width),
        row("add", f"{name}_out", f"{name}_att", f"{name}_fc2"),
    ]
