"""The fills of all pictures: eight colours at most in one, told apart by readers who do not see red and green apart.

Where a print has no colours, two fills of one picture differ by hatch or by lightness.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from accelsim.unit_kinds import kinds_for_pieces

BLUE, VERMILLION, GREEN, ORANGE = "#0072b2", "#d55e00", "#009e73", "#e69f00"
PURPLE, SKY_BLUE, BLACK, YELLOW = "#cc79a7", "#56b4e9", "#000000", "#f0e442"
SERIES = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY_BLUE, BLACK, YELLOW)
"""Okabe and Ito, Color Universal Design (2008), in the order in which series take them."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", "*")
"""Shapes to go with them; one more than there are colours, so that pairs repeat late."""

GREY, LIGHT_GREY = "#777777", "#d0d0d0"


class Fill(NamedTuple):
    """A colour, and the hatch over it in matplotlib's letters."""

    colour: str
    hatch: str = ""


COMPONENT_FILLS = {
    "MAC": Fill(GREEN),
    "register": Fill(YELLOW, ".."),
    "requantisation": Fill(PURPLE, "///"),
    "vector": Fill(PURPLE),
    "SRAM": Fill(SKY_BLUE, "///"),
    "caches": Fill(SKY_BLUE, "oo"),
    "wires": Fill(LIGHT_GREY),
    "DMA": Fill(BLUE),
    "clock": Fill(ORANGE),
    "control": Fill(ORANGE, "xxx"),
    "DRAM": Fill(VERMILLION, "\\\\\\"),
    "static": Fill(LIGHT_GREY, "|||"),
}
"""The components of energy, from the bottom of a bar to its top."""
_HATCHES = ("", "///", "...", "xxx", "|||", "---", "ooo", "+++")
"""Hatches of units that work on pieces, in their order."""
CLOCK_FILLS = {
    "streaming": Fill(GREEN),
    "MACs": Fill(GREEN),
    "mapping": Fill(LIGHT_GREY),
    "fill_drain": Fill(YELLOW, ".."),
    "sram_port": Fill(SKY_BLUE, "///"),
    "dram_ifmap": Fill(VERMILLION, "\\\\\\"),
    "dram_weight": Fill(VERMILLION, "xxx"),
    "store": Fill(BLUE),
    "cache": Fill(SKY_BLUE, "oo"),
    "dma_issue": Fill(BLUE, "---"),
    "dma_outstanding": Fill(BLUE, "|||"),
    "dma_setup": Fill(BLUE, "+++"),
    "host": Fill(BLACK, "xxx"),
    "latency": Fill(BLACK, ".."),
    **{kind.name: Fill(PURPLE, hatch) for kind, hatch in zip(kinds_for_pieces(), _HATCHES, strict=False)},
    "dependency": Fill(BLACK),
}
"""Fills of clocks, and of PE x clocks: the array works, waits for memories and engines, or for others."""
TYPE_FILLS = (
    Fill(BLUE),
    Fill(ORANGE, "///"),
    Fill(GREEN, "xxx"),
    Fill(YELLOW),
    Fill(VERMILLION, "\\\\\\"),
    Fill(SKY_BLUE, ".."),
    Fill(PURPLE, "|||"),
    Fill(LIGHT_GREY, "---"),
)
"""Types of layers, the one with most cycles first."""


def lightness(colour: str) -> float:
    """Luma of a colour such as #0072b2, 0 to 1 (Rec. 709 weights)."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255


def hatched(fill: Fill) -> dict[str, Any]:
    """Matplotlib's keywords for a fill, its hatch dark on light colours and light on dark ones."""
    line = "#666666" if lightness(fill.colour) > 0.7 else "#ffffff"
    return {"facecolor": fill.colour, "hatch": fill.hatch, "edgecolor": line, "linewidth": 0}
