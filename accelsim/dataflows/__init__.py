"""The dataflows of the PE array, by the names that `array.dataflow` may have."""

from typing import TYPE_CHECKING, Literal, TypeAlias

from accelsim.dataflows.contract import Dataflow
from accelsim.dataflows.input import INPUT_STATIONARY
from accelsim.dataflows.output import OUTPUT_STATIONARY
from accelsim.dataflows.weight import WEIGHT_STATIONARY

DATAFLOWS: dict[str, Dataflow] = {
    dataflow.name: dataflow for dataflow in (WEIGHT_STATIONARY, INPUT_STATIONARY, OUTPUT_STATIONARY)
}

if TYPE_CHECKING:
    DataflowName: TypeAlias = str
    DataflowChoice: TypeAlias = str
else:
    DataflowName = Literal[tuple(DATAFLOWS)]
    DataflowChoice = Literal[DataflowName, "auto"]

DEFAULT: DataflowName = WEIGHT_STATIONARY.name
"""Dataflow of an array or a plan for which none has been chosen."""
