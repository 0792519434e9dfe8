"""The dataflows of the PE array: the names that `array.dataflow` may have, and each one's row."""

from typing import Literal

from accelsim.dataflows.contract import Dataflow
from accelsim.dataflows.input import INPUT_STATIONARY
from accelsim.dataflows.output import OUTPUT_STATIONARY
from accelsim.dataflows.weight import WEIGHT_STATIONARY

DataflowName = Literal["ws", "is", "os"]

DEFAULT: DataflowName = "ws"
"""Of an array or a plan for which none has been chosen."""

DATAFLOWS: dict[DataflowName, Dataflow] = {
    "ws": WEIGHT_STATIONARY,
    "is": INPUT_STATIONARY,
    "os": OUTPUT_STATIONARY,
}
