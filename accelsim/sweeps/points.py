"""The points of a sweep, each a resolved network, machine and scheduling."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import product
from typing import Any, NamedTuple

from accelsim.config.constraint import exactly
from accelsim.config.load import Override, apply_overrides
from accelsim.config.strict_yaml import Document, Origin, dotted, kind_of
from accelsim.errors import Mistake, UserError
from accelsim.run.define import load_network, load_target
from accelsim.run.result import as_config, canonical, sha256
from accelsim.sweeps.spec import Wanted

_MOST_KEPT = 4096
"""Resolved networks and machines that are kept for points to come."""


class Half(NamedTuple):
    """The network of a point, or its machine and scheduling.

    parts: their resolved configurations as JSON, by key of a run's configuration; sha256: that of `text`.
    """

    name: str
    parts: Mapping[str, str]
    sha256: str

    @property
    def text(self) -> str:
        """The parts as one JSON object."""
        return _joined(self.parts)


class Point(NamedTuple):
    """One run of a sweep, and the settings that make it another than the others."""

    network: Half
    machine: Half
    settings: dict[str, Any]

    @property
    def sha256(self) -> str:
        """That of the resolved configuration, the `config_sha256` of the point's `run.json`."""
        return sha256(_joined({**self.network.parts, **self.machine.parts}))


def _joined(parts: Mapping[str, str]) -> str:
    """As `canonical` writes it."""
    return "{" + ",".join(f'"{key}":{parts[key]}' for key in sorted(parts)) + "}"


class _Resolved(NamedTuple):
    """A half, or what is wrong with it; and what it has under the keys that constraints read."""

    half: Half | None
    mistakes: tuple[Mistake, ...]
    values: Mapping[str, Any]


@dataclass
class Points:
    """The points of a sweep, resolved anew each time they are gone through: they are never all held at once."""

    wanted: Wanted
    _resolved: dict[str, _Resolved] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Point]:
        """In their order: networks, machines, then axes, the last of them fastest.

        Raises UserError behind the last point, with the mistakes of all of them, or if there is none.
        """
        mistakes: set[Mistake] = set()
        empty = True
        for network, machine, overrides in self._combinations():
            of_network = [override for override in overrides if override.path[0] == "network"]
            of_machine = [override for override in overrides if override.path[0] != "network"]
            left = self._half(network, of_network, _network_config, ("network",))
            right = self._half(machine, of_machine, self._target_config, ())
            if not self._holds({**left.values, **right.values}, mistakes):
                continue
            empty = False
            mistakes.update(left.mistakes, right.mistakes)
            if left.half and right.half:
                yield Point(left.half, right.half, {dotted(each.path): each.value for each in overrides})
        if empty and not mistakes:
            expected = "constraints that hold for some combination"
            mistakes = {replace(place, expected=expected) for _, place in self.wanted.constraints}
        if mistakes:
            raise UserError(mistakes)

    def _combinations(self) -> Iterator[tuple[str, str, list[Override]]]:
        for network in self.wanted.networks:
            for machine in self.wanted.machines:
                for choices in product(*self.wanted.axes):
                    yield network, machine, [override for choice in choices for override in choice]

    def _target_config(self, name: str, overrides: Sequence[Override]) -> dict[str, Any]:
        """A machine with its scheduling, as one file would have them."""
        target = load_target(name, overrides, self.wanted.mapping)
        return {**as_config(target.machine), "scheduling": as_config(target.scheduling)}

    def _half(self, name: str, overrides: Sequence[Override], load: _Load, root: tuple[str, ...]) -> _Resolved:
        key = repr((root, name, overrides))
        if key not in self._resolved:
            if len(self._resolved) >= _MOST_KEPT:
                self._resolved.clear()
            self._resolved[key] = self._resolve(name, overrides, load, root)
        return self._resolved[key]

    def _resolve(self, name: str, overrides: Sequence[Override], load: _Load, root: tuple[str, ...]) -> _Resolved:
        """Of a half that is wrong, constraints see what was asked for: they may leave it out."""
        mistakes: tuple[Mistake, ...] = ()
        try:
            config = load(name, overrides)
            parts = {key: canonical(part) for key, part in _split(config, root).items()}
            half = Half(config["name"], parts, sha256(_joined(parts)))
        except UserError as error:
            half, mistakes = None, error.mistakes
            config = _as_asked(name, overrides, load, root)
        keys = {key for constraint, _ in self.wanted.constraints for key in constraint.keys}
        ours = [key for key in keys if (key.split(".")[0] == "network") == bool(root)]
        return _Resolved(half, mistakes, {key: _under(config, key.split(".")[len(root) :]) for key in ours})

    def _holds(self, values: Mapping[str, Any], mistakes: set[Mistake]) -> bool:
        """Whether all constraints do; those that can't be decided are mistakes."""

        def number(key: str) -> Fraction:
            value = values[key]
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError(f"keys with numbers, and {key} has {kind_of(value)}")
            return exactly(value)

        for constraint, place in self.wanted.constraints:
            try:
                if not constraint.holds(number):
                    return False
            except ValueError as error:
                mistakes.add(replace(place, expected=str(error)))
        return True


_Load = Callable[[str, Sequence[Override]], dict[str, Any]]


def _network_config(name: str, overrides: Sequence[Override]) -> dict[str, Any]:
    return as_config(load_network(name, overrides)[0])


def _split(config: dict[str, Any], root: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """A half by keys of a run's configuration."""
    if root:
        return {"network": config}
    machine = {key: value for key, value in config.items() if key != "scheduling"}
    return {"machine": machine, "scheduling": config["scheduling"]}


def _as_asked(name: str, overrides: Sequence[Override], load: _Load, root: tuple[str, ...]) -> dict[str, Any]:
    """The configuration with the overrides written in, as far as that goes; nothing if it is wrong without them."""
    try:
        document = Document(deepcopy(load(name, ())), {(): Origin(name, 0)})
    except UserError:
        return {}
    apply_overrides(document, overrides, root)
    return document.data


def _under(config: Any, path: Sequence[str]) -> Any:
    for part in path:
        config = config.get(part) if isinstance(config, dict) else None
    return config
