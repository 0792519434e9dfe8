"""The colours of all pictures: told apart by readers who do not see red and green apart."""

from __future__ import annotations

BLUE, VERMILLION, GREEN, ORANGE = "#0072b2", "#d55e00", "#009e73", "#e69f00"
PURPLE, SKY_BLUE, BLACK, YELLOW = "#cc79a7", "#56b4e9", "#000000", "#f0e442"
SERIES = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY_BLUE, BLACK, YELLOW)
"""Okabe and Ito, Color Universal Design (2008), in the order in which series take them."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", "*")
"""Shapes to go with them; one more than there are colours, so that pairs repeat late."""

GREY, LIGHT_GREY = "#777777", "#d0d0d0"
COMPONENT_COLOURS = {
    "MAC": GREEN,
    "register": YELLOW,
    "vector": PURPLE,
    "SRAM": SKY_BLUE,
    "wires": LIGHT_GREY,
    "DMA": BLUE,
    "clock": ORANGE,
    "control": BLACK,
    "DRAM": VERMILLION,
    "static": GREY,
}
"""The components of energy, from the bottom of a bar to its top."""
CLOCK_COLOURS = {
    "streaming": GREEN,
    "MACs": GREEN,
    "mapping": LIGHT_GREY,
    "fill_drain": YELLOW,
    "sram_port": SKY_BLUE,
    "dram_ifmap": VERMILLION,
    "dram_weight": ORANGE,
    "store": BLUE,
    "dma_issue": SKY_BLUE,
    "dma_outstanding": SKY_BLUE,
    "dma_setup": LIGHT_GREY,
    "latency": GREY,
    "vector": PURPLE,
    "depthwise": "#8c510a",
    "dependency": BLACK,
}
"""What becomes of clocks, and of PE x clocks."""
