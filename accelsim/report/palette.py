"""The colours of all pictures: told apart by readers who do not see red and green apart."""

from __future__ import annotations

BLUE, VERMILLION, GREEN, ORANGE = "#0072b2", "#d55e00", "#009e73", "#e69f00"
PURPLE, SKY_BLUE, BLACK, YELLOW = "#cc79a7", "#56b4e9", "#000000", "#f0e442"
SERIES = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY_BLUE, BLACK, YELLOW)
"""Okabe and Ito, Color Universal Design (2008), in the order in which series take them."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", "p")
"""Shapes to go with them; one more than there are colours, so that pairs repeat late."""
