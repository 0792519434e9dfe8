"""Draws docs/dataflow_ws.svg and so on, one for each dataflow: `python docs/dataflows.py`.

Each shows a 4 x 4 array: what is stationary in the PEs, what rows and columns carry, which way operands and sums go.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from accelsim.dataflows import DATAFLOWS
from accelsim.dataflows.contract import Dataflow
from accelsim.report.figure import drawn, house_style
from accelsim.report.palette import BLUE, GREEN, VERMILLION

SIDE = 4
STATIONARY, STREAMED, SUMS = BLUE, VERMILLION, GREEN
DIGITS = "₀₁₂₃"
HERE = Path(__file__).parent


class Flow(NamedTuple):
    """What a dataflow does with the product A (M x K) * W (K x N)."""

    title: str
    stationary: str
    west: str
    north: str | None
    south: str
    rows: str
    columns: str


HELD = {"weight": ("weight", "w"), "ifmap": ("input", "a"), "psum": ("output", "Σ")}
LETTERS = {"ifmap": "A", "weight": "W"}


def flow_of(dataflow: Dataflow) -> Flow:
    """The words of a dataflow."""
    kind, stationary = HELD[dataflow.stationary]
    west, north = (LETTERS.get(dataflow.operand(side, dataflow.streamed)) for side in (dataflow.rows, dataflow.cols))
    steps, rows, columns = (each.upper() for each in (dataflow.streamed, dataflow.rows, dataflow.cols))
    return Flow(
        f"{kind}-stationary",
        stationary,
        f"{west}: T = {steps} steps" + ("" if north else f",\n{rows} down the rows"),
        f"{north}: T = {steps} steps" if north else None,
        "finished sums, drained" if north else "sums of A W",
        rows,
        columns,
    )


def picture(flow: Flow) -> Figure:
    """The array of one dataflow."""
    figure = Figure(figsize=(4.6, 4.4), layout="constrained")
    axes = figure.subplots()
    for row in range(SIDE):
        for column in range(SIDE):
            x, y = 1.5 * column, -1.5 * row
            _pe(axes, x, y, flow.stationary + DIGITS[row] + DIGITS[column])
            if column < SIDE - 1:
                _arrow(axes, (x + 1, y + 0.65), (x + 1.5, y + 0.65), STREAMED)
            if row < SIDE - 1:
                _arrow(axes, (x + 0.65, y), (x + 0.65, y - 0.5), SUMS if flow.north is None else STREAMED)
            if row < SIDE - 1 and flow.north:
                _arrow(axes, (x + 0.35, y), (x + 0.35, y - 0.5), SUMS, dashed=True)
    for place in range(SIDE):
        skew, south = 0.35 * place, 0.35 if flow.north else 0.65
        _arrow(axes, (-1.0 - skew, -1.5 * place + 0.65), (0, -1.5 * place + 0.65), STREAMED)
        _arrow(axes, (1.5 * place + south, -1.5 * SIDE + 1.5), (1.5 * place + south, -1.5 * SIDE + 0.6), SUMS)
        if flow.north:
            _arrow(axes, (1.5 * place + 0.65, 2.0 + skew), (1.5 * place + 0.65, 1), STREAMED)
        else:
            _arrow(axes, (1.5 * place + 0.65, 1.9), (1.5 * place + 0.65, 1), STATIONARY, dashed=True)
    middle = 0.75 * SIDE - 0.25
    axes.text(-2.3, 1.25 - 0.75 * SIDE, flow.west, rotation=90, ha="right", va="center", color=STREAMED)
    top = (flow.north, STREAMED, 3.2) if flow.north else ("loaded first, a row a clock", STATIONARY, 2.1)
    axes.text(middle, top[2], top[0], ha="center", va="bottom", color=top[1])
    axes.text(middle, 0.35 - 1.5 * SIDE, flow.south, ha="center", va="top", color=SUMS)
    axes.set_title(f"{flow.title}: rows carry {flow.rows}, columns carry {flow.columns}", fontsize=11)
    axes.set_xlim(-3.2, 1.5 * SIDE)
    axes.set_ylim(-1.5 * SIDE - 0.2, 3.9 if flow.north else 2.8)
    axes.set_aspect("equal")
    axes.set_axis_off()
    return figure


def _pe(axes: Axes, x: float, y: float, text: str) -> None:
    axes.add_patch(Rectangle((x, y), 1, 1, facecolor="#f4f6f8", edgecolor="#555555", linewidth=1))
    axes.text(x + 0.5, y + 0.42, text, ha="center", va="center", color=STATIONARY, fontsize=12)


def _arrow(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str, *, dashed: bool = False
) -> None:
    style = {"arrowstyle": "-|>", "color": colour, "shrinkA": 0, "shrinkB": 0, "linestyle": ":" if dashed else "-"}
    axes.annotate("", end, start, arrowprops=style)


if __name__ == "__main__":
    for name, dataflow in DATAFLOWS.items():
        with house_style():
            figure = picture(flow_of(dataflow))
        (HERE / f"dataflow_{name}.svg").write_bytes(drawn(figure, "svg"))
