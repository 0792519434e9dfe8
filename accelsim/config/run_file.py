"""Schema of run.json, the file that a finished run leaves (docs/machine.md section 11)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, create_model

from accelsim.config.schema import Name, Section
from accelsim.records import COUNT_NAMES, MEASURES, MOST_COUNTED, RESOURCES, STALL_CAUSES

MAX_RUN_BYTES = 32 << 20
_AMOUNT = Annotated[int, Field(ge=0, le=MOST_COUNTED)]
_DIFFERENCE = Annotated[int, Field(ge=-MOST_COUNTED, le=MOST_COUNTED)]


class Config(Section):
    """The resolved configuration; each part is read by a schema of its own."""

    network: dict[str, Any]
    machine: dict[str, Any]
    scheduling: dict[str, Any]


class RunFile(Section):
    """A whole file. `totals` are for other readers: they follow from the rest."""

    format: int
    accelsim_version: Name
    config_sha256: str
    config: Config
    totals: dict[str, Any]
    doubled_cycles: dict[str, list[_AMOUNT]] = Field(default_factory=dict, description="by resource, of each layer")
    inference_ends: Annotated[list[_AMOUNT], Field(min_length=1, max_length=1000)]
    layers: Annotated[list[Any], Field(min_length=1)] = Field(description="each a `Layer`")


def _mapping(name: str, kinds: dict[str, Any]) -> type[Section]:
    """A mapping with just these keys, all of which must be there."""
    fields: dict[str, Any] = {key: (kind, ...) for key, kind in kinds.items()}
    return create_model(name, __base__=Section, **fields)


_Layer = _mapping(
    "Layer",
    {
        "layer": str,
        "group": str,
        **dict.fromkeys(MEASURES, _AMOUNT),
        "stalls": _mapping("Stalls", dict.fromkeys(STALL_CAUSES, _AMOUNT)),
        "savings": _mapping("Savings", dict.fromkeys(RESOURCES, _DIFFERENCE)),
        "counts": _mapping("Counts", dict.fromkeys(COUNT_NAMES, _AMOUNT)),
    },
)
Layer = create_model("Layer", __base__=_Layer, caches=(dict[str, _AMOUNT], {}))
"""A layer: its name, its clocks, and how often each action happened, all by the names of `LayerRecord`."""
