"""Depthwise layers on each unit that can do them: the whole run again, plans and all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from accelsim.area.sizes import area_of
from accelsim.config.machine import Machine, inconsistencies
from accelsim.errors import UserError
from accelsim.network.placement import unplaced
from accelsim.records import LayerRecord, combined
from accelsim.run.advice import changed
from accelsim.run.hints import SettingValue
from accelsim.run.play import perform
from accelsim.run.result import Run

PLACES: Mapping[str, Mapping[str, SettingValue]] = {
    "array, diagonal": {"array.depthwise_on": "array", "array.depthwise_packing": "diagonal"},
    "array, patches": {"array.depthwise_on": "array", "array.depthwise_packing": "patches"},
    "vector unit": {"array.depthwise_on": "vector"},
    "engine": {"array.depthwise_on": "engine"},
    "auto": {"array.depthwise_on": "auto"},
}
"""Settings that send depthwise layers to a unit, by the name of the choice."""


class DepthwiseChoice(NamedTuple):
    """A run with the depthwise layers on a unit: settings by key, clocks of these layers, and clocks and picojoules of
    the run, an image each; square millimetres of the chip, where they are known. None where a layer does not fit."""

    name: str
    settings: Mapping[str, SettingValue]
    depthwise_cycles: float | None
    cycles: float | None
    energy_pj: float | None
    area_mm2: float | None


def depthwise_choices(run: Run) -> list[DepthwiseChoice]:
    """All choices that the machine can have, the run as it is first; none for a network without depthwise layers.

    A machine without an engine is given one with as many channels as its array has columns.
    """
    if not any(node.is_depthwise for node in run.network.nodes):
        return []
    return [_choice(run, "as it is", {}, run.machine, run.records), *_others(run)]


def _others(run: Run) -> Iterator[DepthwiseChoice]:
    channels: dict[str, SettingValue] = {} if run.machine.depthwise else {"depthwise.channels": run.machine.array.cols}
    for name, place in PLACES.items():
        settings = {**channels, **place} if name in ("engine", "auto") else place
        machine = changed(run.machine, settings)
        if machine != run.machine and not list(inconsistencies(machine)):
            yield _choice(run, name, settings, machine, _records(run, machine))


def _records(run: Run, machine: Machine) -> tuple[LayerRecord, ...] | None:
    try:
        return perform(unplaced(run.network), machine, run.scheduling, saves=False).records
    except UserError:
        return None


def _choice(
    run: Run,
    name: str,
    settings: Mapping[str, SettingValue],
    machine: Machine,
    records: tuple[LayerRecord, ...] | None,
) -> DepthwiseChoice:
    area, images = area_of(machine), run.network.batch * len(run.inference_ends)
    size = area.total_mm2 if area else None
    if records is None:
        return DepthwiseChoice(name, settings, None, None, None, size)
    nodes = zip(run.network.nodes, records, strict=True)
    own = sum(record.total_cycles for node, record in nodes if node.is_depthwise)
    total = combined(records, run.network.name, sum(record.total_cycles for record in records))
    measures = own / images, total.total_cycles / images, total.energy.total_pj / images
    return DepthwiseChoice(name, settings, *measures, size)
