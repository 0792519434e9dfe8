"""A plugin of pytest that registers dataflows, each as its place in `DATAFLOWS` would."""

from accelsim.dataflows import DATAFLOWS
from accelsim.dataflows.moving_sums import MovingSums
from accelsim.dataflows.output import OutputStationary

NEW = (
    OutputStationary("new_sums_stay", rows="n", cols="m", streamed="k"),
    MovingSums("new_sums_move", rows="k", cols="m", streamed="n"),
)

DATAFLOWS |= {dataflow.name: dataflow for dataflow in NEW}
