"""Advice on a run: changes that were tried, each a run of the whole network, and what they save and cost.

The most promising changes are tried first, as many as a second of work allows; those that save more than 2 % of the
clocks, or of the energy with no more clocks, are given, the best first. Those for which there was no time are named.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from accelsim.area.sizes import area_of
from accelsim.config.machine import Depthwise, Machine
from accelsim.dataflows import DATAFLOWS
from accelsim.errors import UserError
from accelsim.lowering.compile import block_choices
from accelsim.network.placement import unplaced
from accelsim.records import LayerRecord, combined
from accelsim.report.ports import overrun
from accelsim.run.hints import WORTH, Hint, SettingValue, hints
from accelsim.run.outlook import NODE_S
from accelsim.run.play import perform
from accelsim.run.result import Run

LOGGER = logging.getLogger("accelsim")
SECONDS, TIMES = 1.0, 1
"""Work of all tries together, or in times that of the run, if that is more."""
MOST_LEFT = 3
"""Changes that are named where there was no time for them."""
DESCRIPTOR_SECONDS = 0.00016
"""Rough work of making and playing a transfer with what goes with it: measured on `edge`."""


class Advice(NamedTuple):
    """A change that was tried: kind, layers it is about, settings by key, one line that says what it saves and costs,
    and clocks and picojoules an image before and after."""

    kind: str
    layers: tuple[str, ...]
    settings: Mapping[str, SettingValue]
    text: str
    cycles_before: float
    cycles_after: float
    energy_before_pj: float
    energy_after_pj: float

    @property
    def saves(self) -> float:
        """The share of the clocks that it saves, or of the energy if that is more and no clocks are lost."""
        cycles = 1 - self.cycles_after / self.cycles_before if self.cycles_before else 0.0
        energy = 1 - self.energy_after_pj / self.energy_before_pj if self.energy_before_pj else 0.0
        return max(cycles, energy) if cycles >= -WORTH / 2 else cycles


def advice(run: Run, tried: Iterable[Hint]) -> list[Advice]:
    """Changes that pay, of those that are tried, the best first; the same for the same run."""
    found = [each for each in (_tried(run, hint) for hint in tried) if each is not None and each.saves > WORTH]
    return sorted(found, key=lambda each: -each.saves)


class HintChoice(NamedTuple):
    """Hints that are tried, and those for which there is no time, the most promising first."""

    tried: list[Hint]
    left: list[Hint]


def choice(run: Run) -> HintChoice:
    """The most promising hints, as long as there is time for them; of those that set the same keys only one."""
    found, time = HintChoice([], []), max(SECONDS, TIMES * _seconds(run, run.network.batch))
    for hint in hints(run):
        batch = int(hint.settings.get("network.batch", run.network.batch))
        work = _seconds(run, batch, hint.saves)
        if any(each.settings.keys() == hint.settings.keys() for each in found.tried):
            continue
        if work <= time:
            time -= work
            found.tried.append(hint)
        else:
            found.left.append(hint)
    return HintChoice(found.tried, list(_without_those_of(found.tried, found.left)))


def _without_those_of(tried: Sequence[Hint], left: Sequence[Hint]) -> Iterator[Hint]:
    """Hints with other keys than those that are tried, the first of each."""
    seen = [each.settings.keys() for each in tried]
    for hint in left:
        if hint.settings.keys() not in seen:
            seen.append(hint.settings.keys())
            yield hint


def left_text(left: Sequence[Hint]) -> str:
    """One line that names the most promising changes that were not tried."""
    named = "; ".join(f"{_settings(each)} ({-each.saves:+.1%})" for each in left[:MOST_LEFT])
    more = f"; {len(left) - MOST_LEFT} more" if len(left) > MOST_LEFT else ""
    return f"not tried, for lack of time, with cycles by estimate: {named}{more}"


def changed(machine: Machine, settings: Mapping[str, SettingValue]) -> Machine:
    """The machine with keys set, each by its dotted path."""
    for key, value in settings.items():
        machine = _set(machine, key.split("."), value)
    return machine


def _set(section: Any, path: list[str], value: SettingValue) -> Any:
    key, *rest = path
    inner = getattr(section, key)
    if not rest:
        return section.model_copy(update={key: value})
    if inner is None:
        assert key == "depthwise"
        return section.model_copy(update={key: Depthwise.model_validate({rest[0]: value})})
    return section.model_copy(update={key: _set(inner, rest, value)})


def _seconds(run: Run, batch: int, saves: float = 0.0) -> float:
    """Rough work of the run with another batch, and a share of the clocks saved: by counts and not by a clock, so that
    the same hints are tried everywhere."""
    choices = len(DATAFLOWS) + 1 if run.machine.array.dataflow == "auto" else 1
    planned = block_choices(batch) * NODE_S * len(run.network.nodes)
    times = batch / run.network.batch
    longer = (1 + times * (1 - saves)) / 2 if times > 1 else 1.0
    return choices * (planned + DESCRIPTOR_SECONDS * longer * run.total.counts.dma_descriptors)


def _tried(run: Run, hint: Hint) -> Advice | None:
    """The whole network with a change; None where a layer then does not fit."""
    LOGGER.info(f"trying {_settings(hint)}")
    settings = dict(hint.settings)
    batch = int(settings.pop("network.batch", run.network.batch))
    machine, network = changed(run.machine, settings), replace(unplaced(run.network), batch=batch)
    try:
        done = perform(network, machine, run.scheduling, saves=False)
    except UserError:
        return None
    inferences = len(run.inference_ends)
    before, after = run.network.batch * inferences, batch * inferences
    total = combined(done.records, network.name, done.outcome.total_cycles)
    measures = (
        run.total.total_cycles / before,
        total.total_cycles / after,
        run.total.energy.total_pj / before,
        total.energy.total_pj / after,
    )
    costs = [*_area(run.machine, machine), *_shared_ports(run, done.records, machine)]
    return Advice(hint.kind, hint.layers, hint.settings, _text(costs, hint, measures), *measures)


def _text(elsewhere: Sequence[str], hint: Hint, measures: tuple[float, float, float, float]) -> str:
    """Settings, what came of them, what they cost, and why they were tried."""
    clocks, clocks_then, energy, energy_then = measures
    gain = f"{clocks_then:.0f} cycles an image instead of {clocks:.0f} ({_percent(clocks_then, clocks)})"
    costs = [f"energy {_percent(energy_then, energy)}", *elsewhere, *([hint.costs] if hint.costs else [])]
    return f"{_settings(hint)}: {gain}, {'; '.join((*costs, hint.why))}"


def _shared_ports(run: Run, records: Sequence[LayerRecord], machine: Machine) -> list[str]:
    """Clocks that units would wait for one another at a port, where these are more than before."""
    now, then = (
        max((demand.longer for demand in overrun(each, target)), default=0.0)
        for each, target in ((run.records, run.machine), (records, machine))
    )
    return [f"{then:+.1%} cycles or so if units share SRAM ports"] if then - now > WORTH else []


def _settings(hint: Hint) -> str:
    return " ".join(f"{key}={_value(value)}" for key, value in hint.settings.items())


def _area(before: Machine, after: Machine) -> list[str]:
    now, then = area_of(before), area_of(after)
    if now is None or then is None or now == then:
        return []
    return [f"area {_percent(then.total_mm2, now.total_mm2)}"]


def _percent(then: float, now: float) -> str:
    return f"{then / now - 1:+.1%}" if now else "as before"


def _value(value: SettingValue) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
