"""Inverted residuals: the block of MobileNet v2 and v3, MnasNet and EfficientNet."""

from __future__ import annotations

from dataclasses import dataclass

from accelsim.network.families.rows import RowData, activated, conv, depthwise, row, squeeze_and_excite


@dataclass(frozen=True, slots=True)
class Inverted:
    """A block: kernel and stride of its depthwise layer, channels between and behind, activation of both wide layers.

    squeezed: channels in the middle of squeeze-and-excitation, 0 for none; squeeze_act, gate: its two functions.
    """

    name: str
    kernel: int
    stride: int
    expanded: int
    outputs: int
    act: str
    squeezed: int = 0
    squeeze_act: str = "relu"
    gate: str = "sigmoid"


def inverted_residual(block: Inverted, source: str, inputs: int) -> list[RowData]:
    """Sandler et al., arXiv 1801.04381, Fig. 4d: expanded by 1x1, filtered depthwise, projected by 1x1 without
    activation, and added where shapes allow; nothing is expanded where the channels stay."""
    name = block.name
    rows: list[RowData] = []
    if block.expanded != inputs:
        rows += activated(conv(f"{name}_expand", block.expanded, 1, source), block.act)
    above = rows[-1]["name"] if rows else source
    rows += activated(depthwise(f"{name}_dw", block.kernel, above, stride=block.stride), block.act)
    if block.squeezed:
        filtered = rows[-1]["name"]
        functions = (block.squeeze_act, block.gate)
        rows += squeeze_and_excite(f"{name}_se", filtered, block.expanded, block.squeezed, *functions)
    rows.append(conv(f"{name}_project", block.outputs, 1, act="none"))
    if block.stride == 1 and inputs == block.outputs:
        rows.append(row("add", f"{name}_add", source, f"{name}_project"))
    return rows


def inverted_residuals(blocks: list[Inverted], source: str, inputs: int) -> list[RowData]:
    """Blocks one behind the other."""
    rows: list[RowData] = []
    for block in blocks:
        rows += inverted_residual(block, source, inputs)
        source, inputs = rows[-1]["name"], block.outputs
    return rows
