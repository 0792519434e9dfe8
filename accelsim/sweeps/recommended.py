"""A recommendation in five lines: the machine, its cost, its budgets, its neighbours, and what limits it next."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from accelsim.area.sizes import CHIPS_OVER_MODEL
from accelsim.config.constraint import Constraint
from accelsim.config.strict_yaml import dotted
from accelsim.records import ENERGY_COMPONENTS, STALL_CAUSES
from accelsim.report.columns import LEAST_SAVING, UNITS, WHAT_IFS
from accelsim.report.completeness import incomplete
from accelsim.report.naming import in_shapes, short_name
from accelsim.report.quantities import amount_text, digits, share_text, si_text
from accelsim.sweeps.front import nearest_to_breaking, outside
from accelsim.sweeps.judged import OBJECTIVES, Aim, Judged
from accelsim.sweeps.recommend import Recommendation

MOST_NEIGHBOURS = 6
"""Neighbours that are named, the nearest in cost first."""
PLAN_NOISE = 0.02
"""Share of the cost below which machines tie: plans are searched for, so that a larger buffer may be slower, by how
much and how often docs/sweeps.md says."""
_RANGED = ("average_power_mw", "energy_total_pj", "energy_per_inference_pj", "energy_per_image_pj")
"""Columns that are as uncertain as prices are."""

_PartsOf = Callable[[Mapping[str, Any]], Iterator[tuple[str, float]]]


def lacking(found: Recommendation) -> list[str]:
    """Lines on networks that lack parts of their models."""
    return incomplete({"network": name, **values} for name, values in found.best.values.items())


def recommendation_lines(found: Recommendation, aim: Aim) -> list[str]:
    """The five lines."""
    return [
        _machine(found, aim),
        _costs(found.best, aim),
        _budgets(found.best, aim),
        _neighbours(found, aim),
        f"next bottleneck: {_next(found, aim)}",
    ]


def _machine(found: Recommendation, aim: Aim) -> str:
    settings = in_shapes(found.space.settings(found.best.candidate))
    words = (found.space.machine(found.best.candidate), *(f"{key}={value}" for key, value in settings.items()))
    unfit = f"; {found.unfit} outside the budgets were not simulated" if found.unfit else ""
    return f"{' '.join(words)}: least {aim.objective} of {found.tried} of {found.space.size} machines tried{unfit}"


def _cost_text(cost: float, aim: Aim) -> str:
    match aim.objective:
        case "latency":
            return si_text(cost / 1e3, "s")
        case "energy":
            return si_text(cost / 1e12, "J")
        case _:
            return f"{digits(cost / 1e6)} uJ ms"


def _costs(best: Judged, aim: Aim) -> str:
    of = OBJECTIVES[aim.objective]
    each = ", ".join(f"{name} {_cost_text(of(values), aim)}" for name, values in best.values.items())
    if len(best.values) == 1:
        return f"{aim.objective} {each.partition(' ')[2]} an inference"
    mean = "weighted geometric mean" if aim.weights else "geometric mean"
    return f"{aim.objective} {_cost_text(best.cost, aim)}, {mean} of {each}"


def _budgets(best: Judged, aim: Aim) -> str:
    if not aim.budgets:
        return "no budgets"
    return "keeps " + "; ".join(f"{budget.text} ({_kept(best, budget)})" for budget in aim.budgets)


def _kept(best: Judged, budget: Constraint) -> str:
    """The values of its columns where they are nearest to breaking it, their ranges, and whether it holds at the upper
    ends."""
    amounts = ", ".join(_amount(best, budget, column) for column in sorted(budget.keys))
    at_most = [_at_upper_end(values) for values in best.values.values()]
    return f"{amounts}{'; not at the upper end' if any(outside(values, [budget]) for values in at_most) else ''}"


def _amount(best: Judged, budget: Constraint, column: str) -> str:
    values = nearest_to_breaking(budget, column, best.values.values())
    text = amount_text(values[column], UNITS.get(column, ""))
    ends = [each[column] for each in (_at_lower_end(values), _at_upper_end(values))]
    if ends[0] == ends[1]:
        return text
    low, high = (amount_text(end, UNITS.get(column, "")) for end in ends)
    return f"{text}, {low} to {high} {'as chips are larger' if column == 'area_mm2' else 'by the ranges of prices'}"


def _at_upper_end(values: Mapping[str, Any]) -> dict[str, Any]:
    return _at_end(values, values["energy_high_pj"], CHIPS_OVER_MODEL[1])


def _at_lower_end(values: Mapping[str, Any]) -> dict[str, Any]:
    return _at_end(values, values["energy_low_pj"], CHIPS_OVER_MODEL[0])


def _at_end(values: Mapping[str, Any], energy_pj: float | None, chips: float) -> dict[str, Any]:
    """The values with every price, and the area, at an end of its range."""
    price = energy_pj / values["energy_total_pj"] if energy_pj and values["energy_total_pj"] else 1.0
    area = {"area_mm2": values["area_mm2"] * chips} if values["area_mm2"] is not None else {}
    return {**values, **{name: values[name] * price for name in _RANGED}, **area}


def _neighbours(found: Recommendation, aim: Aim) -> str:
    """Words against each neighbour: what it costs more and why, or the budget that it breaks."""
    nearest = sorted(found.neighbours, key=lambda each: (each[1].broken is not None, each[1].cost))
    shown = [f"{_step(found, place, judged)} {_against(found, judged, aim)}" for place, judged in nearest]
    more = [f"{len(shown) - MOST_NEIGHBOURS} more"] if len(shown) > MOST_NEIGHBOURS else []
    unknown = [f"{found.unknown} not tried, for lack of trials"] if found.unknown else []
    words = [*shown[:MOST_NEIGHBOURS], *more, *unknown]
    return f"neighbours: {'; '.join(words)}" if words else "no neighbours"


def _step(found: Recommendation, place: int, judged: Judged) -> str:
    if place == 0:
        return found.space.machine(judged.candidate)
    choice = found.space.wanted.axes[place - 1][judged.candidate[place]]
    return short_name({dotted(each.path): each.value for each in choice})


def _against(found: Recommendation, other: Judged, aim: Aim) -> str:
    best = found.best
    if other.broken is not None:
        return f"is {other.broken}"
    more = other.cost / best.cost - 1 if best.cost else 0.0
    if more <= PLAN_NOISE:
        return f"ties ({', '.join([_change(aim.objective, more), *_area_change(best, other)])})"
    reasons = ", ".join(
        _change_and_cause(found, other, *each) for each in (("latency", _clocks), ("energy", _energies))
    )
    return f"{_change(aim.objective, more)}: {reasons}" if aim.objective == "edp" else reasons


def _change(name: str, more: float) -> str:
    return f"same {name}" if round(more, 3) == 0 else f"{100 * more:+.1f} % {name}"


def _area_change(best: Judged, other: Judged) -> Iterator[str]:
    """The change of the area, where both have one and it is another."""
    areas = [next(iter(each.values.values()))["area_mm2"] for each in (best, other)]
    if all(areas) and areas[0] != areas[1]:
        yield _change("area", areas[1] / areas[0] - 1)


def _change_and_cause(found: Recommendation, other: Judged, objective: str, parts_of: _PartsOf) -> str:
    """The change of a mean cost; where it grows, by what part."""
    more = _growth(found, other, objective)
    parts = [_parts(each, parts_of) for each in (found.best, other)]
    return _change(objective, more) + (_grown(*parts) if round(more, 3) > 0 else "")


def _growth(found: Recommendation, other: Judged, objective: str) -> float:
    before, after = (each.mean(objective, found.weights) for each in (found.best, other))
    return after / before - 1 if before else 0.0


def _grown(before: Mapping[str, float], after: Mapping[str, float]) -> str:
    """The part that grows most, in parentheses."""
    name, growth = max(((name, after[name] - before[name]) for name in before), key=lambda each: each[1])
    return f" ({name})" if growth > 0 else ""


def _parts(judged: Judged, parts_of: _PartsOf) -> dict[str, float]:
    """Parts of a cost, over all networks, in units that compare between machines."""
    found: dict[str, float] = {}
    for values in judged.values.values():
        for name, part in parts_of(values):
            found[name] = found.get(name, 0.0) + part
    return found


def _clocks(values: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Milliseconds by cause; those in which the array streams by what would shorten them most."""
    per_cycle = values["latency_ms"] / max(values["total_cycles"], 1)
    streaming = values["total_cycles"] - sum(values[f"stall_{cause}_cycles"] for cause in STALL_CAUSES)
    folds = {side: values[f"saved_by_twice_array_{side}_cycles"] for side in ("rows", "columns")}
    side = max(folds, key=folds.__getitem__)
    for each in folds:
        yield f"array {each}", streaming * per_cycle if each == side else 0.0
    for cause in STALL_CAUSES:
        yield cause.replace("_", " "), values[f"stall_{cause}_cycles"] * per_cycle


def _energies(values: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for component, label in ENERGY_COMPONENTS.items():
        yield label, values[f"energy_{component}_pj"]


def _next(found: Recommendation, aim: Aim) -> str:
    """The resource of which twice as much would save most of the clocks; of energy its dearest component."""
    if aim.objective == "energy":
        parts = _parts(found.best, _energies)
        whole, name = sum(parts.values()), max(parts, key=parts.__getitem__)
        return f"{name}, {share_text(parts[name] / whole)} of the energy" if whole else "none: nothing takes energy"
    saved = {name: _saved(found.best, name) for name in WHAT_IFS}
    name = max(saved, key=lambda resource: sum(saved[resource].values()))
    if max(saved[name].values()) < LEAST_SAVING:
        return f"none: twice of anything saves less than {share_text(LEAST_SAVING)} of the cycles"
    each = ", ".join(f"{share_text(share)} of {network}'s" for network, share in saved[name].items())
    return f"{name.replace('_', ' ')}; if {WHAT_IFS[name]}, it would save {each} cycles"


def _saved(judged: Judged, resource: str) -> dict[str, float]:
    """The share of each network's clocks that twice a resource saves."""
    column = f"saved_by_twice_{resource}_cycles"
    return {name: values[column] / max(values["total_cycles"], 1) for name, values in judged.values.items()}
