"""The schedule that a given plan asks for: layers that run depth-first together, and feature maps that stay on chip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import NamedTuple

from accelsim.config.plan import KeptMap, Plan
from accelsim.config.strict_yaml import KeyPath
from accelsim.errors import PlanError, PlanFaults, suggestion
from accelsim.lowering.rewrite import done_on_ways
from accelsim.lowering.schedule.groups import Groups, Span
from accelsim.lowering.schedule.residents import Resident
from accelsim.lowering.schedule.rings import makers
from accelsim.lowering.tiling.given import named_on_ways
from accelsim.network.graph import Network


class GivenGroup(NamedTuple):
    """A group that is given, and where."""

    span: Span
    path: KeyPath


class GivenMap(NamedTuple):
    """A feature map that stays, at an address or wherever there is room, and where the plan says so."""

    resident: Resident
    address: int | None
    path: KeyPath


@dataclass(frozen=True, slots=True)
class GivenSchedule:
    """Choices of the schedule that are made already.

    groups: by number of their first layer; keep: feature maps that stay whole, by name; parts: those of which the
    leading channels stay. taken: numbers of the layers that other groups leave alone; made: of those that make a
    feature map that stays whole.
    """

    groups: Mapping[int, GivenGroup]
    keep: Mapping[str, GivenMap]
    parts: tuple[GivenMap, ...]
    taken: frozenset[int]
    made: frozenset[int]

    def allows(self, span: Span) -> bool:
        """True for a group that leaves the given ones alone, and has no feature map inside that stays, or one of which
        a part does."""
        inside = {span.first + place for place in span.places if place not in span.leaving}
        return self.taken.isdisjoint(range(span.first, span.last + 1)) and self.made.isdisjoint(inside)

    def apart(self, found: Mapping[str, Resident]) -> dict[str, Resident]:
        """The feature maps that stay whole by the plan, and those that stay beside no part of one."""
        layers = {layer for part in self.parts for layer in part.resident.layers}
        return {name: each for name, each in found.items() if name in self.keep or layers.isdisjoint(each.layers)}


def given_schedule(plan: Plan | None, groups: Groups, found: Mapping[str, Resident]) -> GivenSchedule | PlanError:
    """The schedule of a plan; an error with all that is wrong. found: all feature maps that may stay."""
    if plan is None:
        return GivenSchedule({}, {}, (), frozenset(), frozenset())
    faults, given, kept = PlanFaults(), list[GivenGroup](), list[GivenMap]()
    for number, names in enumerate(plan.groups):
        with faults:
            given.append(_group(groups, names, ("groups", number)))
    for number, entry in enumerate(plan.keep):
        with faults:
            kept += _kept(groups.network, entry, ("keep", number), found)
    with faults:
        _refuse_inner(kept, given)
    with faults:
        grouped = _layers_once(given, groups)
    if faults.found:
        return faults.error
    whole = [each for each in kept if each.resident == found[each.resident.name]]
    parts = [each for each in kept if each.resident != found[each.resident.name]]
    return GivenSchedule(
        {each.span.first: each for each in given},
        {each.resident.name: each for each in whole},
        tuple(parts),
        grouped.union(*(each.resident.layers for each in parts)),
        frozenset(each.resident.first for each in whole),
    )


def _group(groups: Groups, names: Sequence[str], path: KeyPath) -> GivenGroup:
    """The group of these layers. Raises PlanError."""
    numbers = [_number(groups, name, (*path, place)) for place, name in enumerate(names)]
    between = [number for number in range(numbers[0], numbers[-1] + 1) if number not in numbers]
    if numbers != sorted(set(numbers)) or not all(groups.cache.is_idle(groups.nodes[each]) for each in between):
        expected = "layers that follow one another in the network, in its order, none left out that has commands"
        raise PlanError(path, expected, ", ".join(names))
    for place, number in enumerate(numbers):
        _refuse_unstriped(groups, number, (*path, place))
    places = tuple(number - numbers[0] for number in numbers)
    layers = [groups.known[number] for number in numbers]
    if not any(max(makers(layer, place)) >= 0 for layer, place in zip(layers, places, strict=True) if layer):
        raise PlanError(path, "layers of which one reads what another makes", ", ".join(names))
    weights = sum(layer.weight_bytes for layer in layers if layer)
    if weights > groups.weights.room:
        raise PlanError(path, f"weights of at most {groups.weights.room} bytes, the room of sram.weight", str(weights))
    return GivenGroup(groups.span(numbers[0], places), path)


def _number(groups: Groups, name: str, path: KeyPath) -> int:
    names = [node.name for node in groups.nodes]
    if name not in names:
        raise PlanError(path, f"a layer of {groups.network.name}{suggestion(name, names)}", name)
    return groups.numbers[name]


def _refuse_unstriped(groups: Groups, number: int, path: KeyPath) -> None:
    """Raises PlanError where a layer can't work on stripes, or not on those that are given."""
    node = groups.nodes[number]
    if groups.known[number] is None:
        got = f"{node.name} ({node.label})"
        if node.name in (ways := done_on_ways(groups.network)):
            got += f", which is done in {ways[node.name]}"
        raise PlanError(path, "a layer that can work on stripes of rows", got)
    given = groups.cache.given.get(node.name)
    wrong = groups.cache.unstriped(node, given.tile, groups.weights) if given is not None else ""
    if given is not None and wrong:
        most = f"fewer than {node.output.height} whole rows of one image with all channels"
        raise PlanError(given.path, f"a tile of {node.name} of {most}, as it is in a group", wrong)


def _layers_once(given: Sequence[GivenGroup], groups: Groups) -> frozenset[int]:
    """The layers of all groups. Raises PlanError where one is in two."""
    grouped = set[int]()
    for span, path in given:
        for place in span.places:
            if span.first + place in grouped:
                raise PlanError(path, "layers in one group each", groups.nodes[span.first + place].name)
            grouped.add(span.first + place)
    return frozenset(grouped)


def _kept(network: Network, entry: KeptMap, path: KeyPath, found: Mapping[str, Resident]) -> Iterator[GivenMap]:
    """The feature maps of an entry. Raises PlanError."""
    names = [name for name in found if fnmatchcase(name, entry.match)]
    if not names:
        expected = "a layer whose feature map later layers read, and that is no output, or a pattern of some"
        raise PlanError(
            (*path, "match"), expected + suggestion(entry.match, found), named_on_ways(entry.match, network)
        )
    if entry.address is not None and len(names) > 1:
        raise PlanError((*path, "address"), "one feature map at an address", f"{len(names)} by {entry.match}")
    for name in names:
        whole = found[name]
        channels = min(entry.channels or whole.channels, whole.channels)
        size = whole.size if channels == whole.channels else whole.size // whole.channels * channels
        yield GivenMap(replace(whole, size=size, channels=channels), entry.address, path)


def _refuse_inner(kept: Sequence[GivenMap], given: Sequence[GivenGroup]) -> None:
    """Raises PlanError for feature maps that are read inside of their group only, and for one that is kept twice."""
    names = set[str]()
    for resident, _, path in kept:
        if resident.name in names:
            raise PlanError(path, "each feature map once", resident.name)
        names.add(resident.name)
        for span, _ in given:
            if span.first <= resident.first <= span.last and resident.first - span.first not in span.leaving:
                expected = "a feature map that is read behind its group"
                raise PlanError(path, expected, f"{resident.name}, which only its group reads")
