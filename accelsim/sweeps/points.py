"""The points of a sweep, each a resolved network, machine and scheduling."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from accelsim.config.constraint import MACHINE_COLUMNS
from accelsim.config.load import Override, apply_overrides
from accelsim.config.resolved import as_config, canonical, sha256
from accelsim.config.strict_yaml import Document, Origin, dotted
from accelsim.errors import ARGUMENTS, MAX_MISTAKES, Mistake, UserError
from accelsim.report.efficiency import of_the_chip
from accelsim.run.define import load_network, load_target
from accelsim.sweeps.selection import selected
from accelsim.sweeps.spec import Wanted
from accelsim.sweeps.work import target_of

MOST_KEPT = 4096
"""Resolved networks and machines that are kept for points to come."""
MOST_REFUSED = 100
"""Networks and machines that are refused before no more are read: each may be a long file."""


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
        """Digest of the resolved configuration, the `config_sha256` of the point's `run.json`."""
        return sha256(_joined({**self.network.parts, **self.machine.parts}))


def _joined(parts: Mapping[str, str]) -> str:
    """Parts joined as `canonical` writes them."""
    return "{" + ",".join(f'"{key}":{parts[key]}' for key in sorted(parts)) + "}"


class _Resolved(NamedTuple):
    """A half, or what is wrong with it and as what it was asked for: constraints may leave it out."""

    half: Half | None
    mistakes: tuple[Mistake, ...]
    asked: Mapping[str, Any]


@dataclass
class Points:
    """The points of a sweep, resolved anew each time they are gone through: they are never all held at once."""

    wanted: Wanted
    _resolved: dict[str, _Resolved] = field(default_factory=dict)
    _unchanged: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Point]:
        """In their order: networks, machines, then axes, the last of them fastest.

        Raises UserError behind the last point, with the mistakes of all of them, or of the first
        where many are wrong; or if there is none.
        """
        mistakes: set[Mistake] = set()
        refused: set[tuple[Mistake, ...]] = set()
        empty, wrong = True, 0
        for network, machine, overrides in selected(self.wanted, self._value, mistakes):
            left = self._half(network, overrides, self._network)
            right = self._half(machine, overrides, self._target)
            empty = False
            mistakes.update(left.mistakes, right.mistakes)
            refused.update(each.mistakes for each in (left, right) if not each.half)
            wrong += not (left.half and right.half)
            if left.half and right.half:
                yield Point(left.half, right.half, {dotted(each.path): each.value for each in overrides})
            if wrong > MAX_MISTAKES:
                mistakes.add(Mistake(ARGUMENTS, 0, "points", f"at most {MAX_MISTAKES} that are wrong", "more"))
            if len(refused) > MOST_REFUSED:
                expected = f"at most {MOST_REFUSED} wrong networks and machines"
                mistakes.add(Mistake(ARGUMENTS, 0, "points", expected, "more"))
                break
            if max(wrong, len(mistakes)) > MAX_MISTAKES:
                break
        if empty and not mistakes:
            expected = "constraints that hold for some combination"
            mistakes = {replace(place, expected=expected) for _, place in self.wanted.constraints}
        if mistakes:
            raise UserError(mistakes)

    @property
    def _network(self) -> _Loader:
        options = self.wanted.options
        return _Loader(lambda name, overrides: as_config(load_network(name, overrides, options)[0]), ("network",))

    @property
    def _target(self) -> _Loader:
        """A machine with its scheduling, as one file would have them."""

        def load(name: str, overrides: Sequence[Override]) -> dict[str, Any]:
            target = load_target(name, overrides, self.wanted.mapping)
            return {**as_config(target.machine), "scheduling": as_config(target.scheduling)}

        return _Loader(load, ())

    def _half(self, name: str, overrides: Sequence[Override], kind: _Loader) -> _Resolved:
        ours = [override for override in overrides if (override.path[0] == "network") == bool(kind.root)]
        key = repr((kind.root, name, ours))
        if key not in self._resolved:
            if len(self._resolved) >= MOST_KEPT:
                self._resolved.clear()
            self._resolved[key] = self._resolve(name, ours, kind)
        return self._resolved[key]

    def _resolve(self, name: str, overrides: Sequence[Override], kind: _Loader) -> _Resolved:
        try:
            config = kind.load(name, overrides)
        except UserError as error:
            return _Resolved(None, error.mistakes, self._as_asked(name, overrides, kind) if overrides else {})
        parts = {key: canonical(part) for key, part in _split(config, kind.root).items()}
        return _Resolved(Half(config["name"], parts, sha256(_joined(parts))), (), {})

    def _as_asked(self, name: str, overrides: Sequence[Override], kind: _Loader) -> dict[str, Any]:
        """The configuration with the overrides written in, as far as that goes; nothing if it is wrong without them."""
        key = repr((kind.root, name))
        if key not in self._unchanged:
            try:
                self._unchanged[key] = kind.load(name, ())
            except UserError:
                self._unchanged[key] = {}
        if not self._unchanged[key]:
            return {}
        document = Document(deepcopy(self._unchanged[key]), {(): Origin(name, 0)})
        apply_overrides(document, overrides, kind.root)
        return document.data

    def _value(self, key: str, name: str, overrides: Sequence[Override]) -> Any:
        """Value of a network or machine under a key, or in a column; of one that is wrong, the requested one."""
        path = key.split(".")
        kind = self._network if path[0] == "network" else self._target
        half, _, asked = self._half(name, overrides, kind)
        if half is None:
            return None if key in MACHINE_COLUMNS else _under(asked, path[len(kind.root) :])
        if key in MACHINE_COLUMNS:
            return of_the_chip(target_of(half.text).machine)[key]
        if path[0] in half.parts:
            return _under(json.loads(half.parts[path[0]]), path[1:])
        return _under(json.loads(half.parts["machine"]), path)


_LoadFile = Callable[[str, Sequence[Override]], dict[str, Any]]


class _Loader(NamedTuple):
    """The function that loads a half, and the root of its keys."""

    load: _LoadFile
    root: tuple[str, ...]


def _split(config: dict[str, Any], root: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """A half by keys of a run's configuration."""
    if root:
        return {"network": config}
    machine = {key: value for key, value in config.items() if key != "scheduling"}
    return {"machine": machine, "scheduling": config["scheduling"]}


def _under(config: Any, path: Sequence[str]) -> Any:
    for part in path:
        config = config.get(part) if isinstance(config, dict) else None
    return config
