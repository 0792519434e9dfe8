"""JSON Schemas of the files that users write, for editors that complete and check YAML."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any

from pydantic import Field, TypeAdapter

from accelsim.config.accuracy import AccuracyFile
from accelsim.config.area_table import AreaTable
from accelsim.config.dram import DramDevice
from accelsim.config.energy_table import EnergyTable
from accelsim.config.families import FAMILIES
from accelsim.config.kinds import KINDS
from accelsim.config.machine import Machine
from accelsim.config.quantities import DIMENSIONS
from accelsim.config.scheduling import Mapping, Scheduling
from accelsim.config.sweep import Sweep
from accelsim.config.workload import Workload

Schema = dict[str, Any]
_DIALECT = {"$schema": "https://json-schema.org/draft/2020-12/schema"}


def network_schema() -> Schema:
    """A network file: a list of rows, or a family and its parameters."""
    return _schema(reduce(or_, FAMILIES.values(), Workload))


class _MachineFile(Machine):
    """A whole accelerator, or what differs from one; the compiler's options for it, unless a mapping file has them."""

    extends: str | None = Field(None, description="file or shipped machine whose keys count where these are left out")
    scheduling: Scheduling = Field(Scheduling(), description="options of the compiler")


def machine_schema() -> Schema:
    """A machine file: the DRAM device, energy and area table may be names, or names with keys that differ.

    Nothing is required of it, as it may extend another.
    """
    schema = {**_schema(_MachineFile), "title": "Machine"}
    schema["required"] = []
    for section in ("Array", "Vector", "Buffer", "Accumulator", "Sram", "Dma"):
        schema["$defs"][section]["required"] = []
    for section in ("Array", "Depthwise", "Buffer", "Accumulator", "OutputPath", "Cache", "Dma"):
        _take_quantities(schema["$defs"][section])
    for section, name in ((kind.name, kind.named_by) for kind in KINDS.values() if kind.named_by):
        named = {"type": "object", "properties": {name: {"type": "string"}}, "required": [name]}
        whole = schema["properties"][section]
        about = {"description": whole.pop("description")}
        schema["properties"][section] = {"anyOf": [{"type": "string"}, named, whole], **about}
    return schema


def dram_schema() -> Schema:
    """A DRAM device file; the name of the device is that of the file."""
    schema = _schema(DramDevice)
    for device in ("IdealDevice", "CommandDevice"):
        _leave_out(schema["$defs"][device], "device")
    return schema


def energy_schema() -> Schema:
    """An energy table file; the name of the table is that of the file."""
    schema = _schema(EnergyTable)
    _leave_out(schema, "table")
    return schema


def area_schema() -> Schema:
    """An area table file; the name of the table is that of the file."""
    schema = _schema(AreaTable)
    _leave_out(schema, "table")
    return schema


def mapping_schema() -> Schema:
    """A mapping file."""
    return _schema(Mapping)


def sweep_schema() -> Schema:
    """A sweep file."""
    return _schema(Sweep)


def accuracy_schema() -> Schema:
    """The accuracies of networks, by the name of the network."""
    return _schema(AccuracyFile)


def _take_quantities(section: Schema) -> None:
    """Let quantities be written with their unit, under the whole key or one without it."""
    for key, each in list(section["properties"].items()):
        found = next(((own, ending) for own in DIMENSIONS for ending in own.endings if key.endswith(ending)), None)
        if found:
            dimension, ending = found
            words = {"type": "string", "description": dimension.example}
            about = {name: each[name] for name in ("description", "default") if name in each}
            section["properties"][key] = {"anyOf": [each, words], **about}
            section["properties"][key.removesuffix(ending)] = words
            section["required"] = [name for name in section.get("required", []) if name != key]


def _schema(of: Any) -> Schema:
    return {**_DIALECT, **TypeAdapter(of).json_schema()}


def _leave_out(schema: Schema, key: str) -> None:
    del schema["properties"][key]
    schema["required"].remove(key)
