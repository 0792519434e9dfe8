"""Difference of two runs by layer and cause, without remainder (docs/explain.md)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, reduce
from operator import add
from typing import Any

from accelsim.config.machine import Machine
from accelsim.energy.price import price
from accelsim.records import ENERGY_COMPONENTS, STALL_CAUSES, ActionCounts, LayerRecord
from accelsim.run.result import Run

TableCell = tuple[str, str]
"""A layer and a cause."""


@dataclass(frozen=True, slots=True)
class Change:
    """An amount in A and in B; where it is a count times a price, what the count alone and the price alone change.

    The rest, change of the count times change of the price, is `both`.
    """

    before: Fraction = Fraction()
    after: Fraction = Fraction()
    by_count: Fraction = Fraction()
    by_price: Fraction = Fraction()

    def __add__(self, other: Change) -> Change:
        return Change(
            self.before + other.before,
            self.after + other.after,
            self.by_count + other.by_count,
            self.by_price + other.by_price,
        )

    @property
    def change(self) -> Fraction:
        """B less A."""
        return self.after - self.before

    @property
    def both(self) -> Fraction:
        """Part that neither the count nor the price alone would change."""
        return self.change - self.by_count - self.by_price


PRICED = ("time", "energy")
"""Measures that are counts times prices: clocks by their length, actions by their energy."""


@dataclass(frozen=True)
class Waterfall:
    """One measure of both runs, and its changes by layer and cause, which add up to the difference.

    digits: behind the point, in print.
    """

    measure: str
    unit: str
    digits: int
    changes: Mapping[TableCell, Change]

    @cached_property
    def total(self) -> Change:
        """All of it."""
        return reduce(add, self.changes.values(), Change())

    @cached_property
    def by_cause(self) -> dict[str, Change]:
        """Changes of all layers."""
        return self._added(lambda cell: cell[1])

    @cached_property
    def by_layer(self) -> dict[str, Change]:
        """Changes by all causes."""
        return self._added(lambda cell: cell[0])

    @cached_property
    def has_prices(self) -> bool:
        """True where amounts are counts times prices that differ."""
        return self.measure in PRICED and any(each.by_price or each.both for each in self.changes.values())

    def causes_of(self, layer: str) -> dict[str, Change]:
        """Changes of one layer."""
        return self._by_layer_and_cause.get(layer, {})

    @cached_property
    def _by_layer_and_cause(self) -> dict[str, dict[str, Change]]:
        found: dict[str, dict[str, Change]] = {}
        for (layer, cause), change in self.changes.items():
            if change.change:
                found.setdefault(layer, {})[cause] = change
        return found

    def _added(self, key: Callable[[TableCell], str]) -> dict[str, Change]:
        found: dict[str, Change] = {}
        for cell, change in self.changes.items():
            found[key(cell)] = found.get(key(cell), Change()) + change
        return found


@dataclass(frozen=True, slots=True)
class Difference:
    """Two runs beside each other. in_both, only_a, only_b: names of layers; keys: configuration keys that differ."""

    a: Run
    b: Run
    in_both: tuple[str, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    keys: Mapping[str, tuple[Any, Any]]
    waterfalls: tuple[Waterfall, ...]


def difference(a: Run, b: Run) -> Difference:
    """Layers are matched by name."""
    first, second = ({record.layer: record for record in run.records} for run in (a, b))
    pairs = {name: (first.get(name), second.get(name)) for name in (*first, *second)}
    measures = [_cycles(pairs)]
    if a.machine.array.clock_mhz != b.machine.array.clock_mhz:
        measures.append(_time(pairs, a.machine, b.machine))
    measures += [_bytes("dram_burst_bytes", _dram, pairs), _bytes("sram_bytes", _sram, pairs)]
    measures.append(_energy(pairs, a.machine, b.machine))
    return Difference(
        a,
        b,
        tuple(name for name in first if name in second),
        tuple(name for name in first if name not in second),
        tuple(name for name in second if name not in first),
        differing_keys(a.config, b.config),
        tuple(measures),
    )


Pairs = Mapping[str, tuple[LayerRecord | None, LayerRecord | None]]
"""Records that both runs have of a layer, by its name."""


def _plain(pairs: Pairs, amounts: Callable[[LayerRecord], Mapping[str, int]]) -> dict[TableCell, Change]:
    changes: dict[TableCell, Change] = {}
    for name, (before, after) in pairs.items():
        for record, place in ((before, "before"), (after, "after")):
            for cause, amount in (amounts(record) if record else {}).items():
                changes[name, cause] = changes.get((name, cause), Change()) + Change(**{place: Fraction(amount)})
    return changes


def _clocks(record: LayerRecord) -> dict[str, int]:
    """The clocks of a layer by cause, without remainder."""
    plain = record.stream_cycles - record.stretched_cycles - record.bubble_cycles
    return {
        "streaming": plain,
        "sram_port": record.stretched_cycles,
        **{cause: record.stalls[cause] for cause in STALL_CAUSES},
        "fill_drain": record.stalls["fill_drain"] + record.bubble_cycles,
    }


def _cycles(pairs: Pairs) -> Waterfall:
    return Waterfall("cycles", "cycles", 0, _plain(pairs, _clocks))


def _time(pairs: Pairs, a: Machine, b: Machine) -> Waterfall:
    """Clocks times the length of a clock."""
    before_ns, after_ns = (1000 / Fraction(repr(machine.array.clock_mhz)) for machine in (a, b))
    changes = {
        cell: Change(
            change.before * before_ns,
            change.after * after_ns,
            change.change * before_ns,
            change.before * (after_ns - before_ns),
        )
        for cell, change in _plain(pairs, _clocks).items()
    }
    return Waterfall("time", "ns", _digits(changes.values()), changes)


def _bytes(measure: str, amounts: Callable[[LayerRecord], Mapping[str, int]], pairs: Pairs) -> Waterfall:
    return Waterfall(measure, "bytes", 0, _plain(pairs, amounts))


def _dram(record: LayerRecord) -> dict[str, int]:
    """Burst bytes by what was asked for, and the rest of bursts."""
    counts = record.counts
    asked = {
        "ifmap": counts.dram_read_ifmap_bytes,
        "weight": counts.dram_read_weight_bytes,
        "ofmap": counts.dram_write_ofmap_bytes,
    }
    return {**asked, "rest of bursts": counts.dram_burst_bytes - sum(asked.values())}


def _sram(record: LayerRecord) -> dict[str, int]:
    """Bytes read and written by operand."""
    return {
        name: getattr(record.counts, f"sram_read_{name}_bytes") + getattr(record.counts, f"sram_write_{name}_bytes")
        for name in ("ifmap", "weight", "psum", "ofmap", "line", "pool")
    }


def _energy(pairs: Pairs, a: Machine, b: Machine) -> Waterfall:
    """Counts of actions times prices, each taken from either run."""
    changes: dict[TableCell, Change] = {}
    for name, (before, after) in pairs.items():
        old, new = _priced(before, a), _priced(after, b)
        new_counts, new_prices = _priced(after, a), _priced(before, b)
        for key, cause in ENERGY_COMPONENTS.items():
            changes[name, cause] = Change(old[key], new[key], new_counts[key] - old[key], new_prices[key] - old[key])
    return Waterfall("energy", "uJ", _digits(changes.values()), changes)


def _digits(changes: Iterable[Change]) -> int:
    """Digits behind the point with which the larger sum has five that say something, six at most."""
    rows = list(changes)
    largest = max(sum(row.before for row in rows), sum(row.after for row in rows), Fraction(0))
    return max(0, min(6, 5 - len(str(int(largest))))) if largest >= 1 else 6


def _priced(record: LayerRecord | None, machine: Machine) -> dict[str, Fraction]:
    """Microjoules of a layer's actions as this machine prices them; of no layer, nothing."""
    if record is None:
        energy = price(ActionCounts(), 0, machine)
    else:
        energy = price(record.counts, record.total_cycles, machine, record.caches)
    return {key: Fraction(getattr(energy, f"{key}_pj")) / 10**6 for key in ENERGY_COMPONENTS}


def differing_keys(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Keys of two configurations with different values, None where there is none; sources and descriptions apart.

    Parts of lists are known by what they name: entries of a plan by their `match`, layers of a network by their name.
    """
    first, second = (dict(_flat(config)) for config in _with_plans_alike(a, b))
    keys = dict.fromkeys((*first, *second))
    return {key: (first.get(key), second.get(key)) for key in keys if first.get(key) != second.get(key)}


def _with_plans_alike(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Both configurations; a plan that only one of them has in a word, not key by key."""
    plans = [config.get("scheduling", {}).get("plan") for config in (a, b)]
    if (plans[0] is None) == (plans[1] is None):
        return a, b
    said = (None if plan is None else f"of {len(plan['layers'])} layers" for plan in plans)
    first, second = (
        {**each, "scheduling": {**each["scheduling"], "plan": word}} for each, word in zip((a, b), said, strict=True)
    )
    return first, second


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping | list):
        items = value.items() if isinstance(value, Mapping) else _known(value)
        for key, inner in items:
            if key not in ("sources", "source", "description", "expect", "accuracy"):
                yield from _flat(inner, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def _known(values: list[Any]) -> Iterator[tuple[str, Any]]:
    """The parts of a list by what they name, or else by their number."""
    seen = Counter[str]()
    for number, value in enumerate(values):
        name, inner = str(number), value
        match value:
            case {"match": str(name), **others}:
                inner = others if any(each is not None for each in others.values()) else {"match": name}
            case {"name": str(name)}:
                pass
            case [str(first), *_, str(last)]:
                name, inner = f"{first}..{last}", ", ".join(value)
        seen[name] += 1
        yield name if seen[name] == 1 else f"{name} ({seen[name]})", inner


NAMED_BY = {
    "network.": "network.name",
    "machine.dram.": "machine.dram.device",
    "machine.energy.": "machine.energy.table",
}
"""Parts of a configuration that a name stands for."""


def telling_keys(keys: Mapping[str, tuple[Any, Any]]) -> list[str]:
    """The keys that say how two configurations differ: of parts with different names these alone."""
    renamed = {part: name for part, name in NAMED_BY.items() if name in keys}
    return [key for key in keys if all(key == name or not key.startswith(part) for part, name in renamed.items())]
