"""A recommendation in five lines: the machine, its cost, its budgets, its neighbours, and what limits it next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from accelsim.config.strict_yaml import dotted
from accelsim.records import ENERGY_COMPONENTS, STALL_CAUSES
from accelsim.report.columns import COLUMNS, LEAST_SAVING, TOTALS, WHAT_IFS
from accelsim.report.completeness import incomplete
from accelsim.report.naming import in_shapes, short_name
from accelsim.report.quantities import amount_text, digits, share_text, si_text
from accelsim.sweeps.recommend import OBJECTIVES, Aim, Judged, Recommendation

MOST_NEIGHBOURS = 6
"""Neighbours that are named, the nearest in cost first."""
_UNITS = {**{column.name: column.unit for column in COLUMNS}, **{name: unit for name, unit, _ in TOTALS}}


def recommendation_text(found: Recommendation, aim: Aim) -> str:
    """The five lines, and before them networks that lack parts of their models."""
    return "\n".join(
        (
            *incomplete({"network": name, **values} for name, values in found.best.values.items()),
            _machine(found, aim),
            f"  {_costs(found.best, aim)}",
            f"  {_budgets(found.best, aim)}",
            f"  {_neighbours(found, aim)}",
            f"  next bottleneck: {_next(found, aim)}",
        )
    )


def _machine(found: Recommendation, aim: Aim) -> str:
    settings = in_shapes(found.space.settings(found.best.candidate))
    words = (found.space.machine(found.best.candidate), *(f"{key}={value}" for key, value in settings.items()))
    return f"{' '.join(words)}: least {aim.objective} of {found.tried} of {found.space.size} machines tried"


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
    return "keeps " + "; ".join(f"{budget.text} ({_most(best, sorted(budget.keys))})" for budget in aim.budgets)


def _most(judged: Judged, columns: Sequence[str]) -> str:
    """The largest values of columns over the networks."""
    return ", ".join(
        amount_text(max(values[column] for values in judged.values.values()), _UNITS.get(column, ""))
        for column in columns
    )


def _neighbours(found: Recommendation, aim: Aim) -> str:
    """Words against each neighbour: its cost, and what most of that is, or the budget that it breaks."""
    if not found.neighbours:
        return "no neighbours"
    nearest = sorted(found.neighbours, key=lambda each: (each[1].broken is not None, each[1].cost))
    shown = [f"{_step(found, place, judged)} {_against(found.best, judged, aim)}" for place, judged in nearest]
    more = f"; {len(shown) - MOST_NEIGHBOURS} more" if len(shown) > MOST_NEIGHBOURS else ""
    return f"neighbours: {'; '.join(shown[:MOST_NEIGHBOURS])}{more}"


def _step(found: Recommendation, place: int, judged: Judged) -> str:
    if place == 0:
        return found.space.machine(judged.candidate)
    choice = found.space.wanted.axes[place - 1][judged.candidate[place]]
    return short_name({dotted(each.path): each.value for each in choice})


def _against(best: Judged, other: Judged, aim: Aim) -> str:
    if other.broken is not None:
        return f"is {other.broken}"
    more = other.cost / best.cost - 1 if best.cost else 0.0
    if round(more, 3) == 0:
        return f"has the same {aim.objective}"
    mostly = _mostly(best, other, aim)
    return f"+{share_text(more)}{f' ({mostly})' if mostly else ''}"


def _mostly(best: Judged, other: Judged, aim: Aim) -> str | None:
    """The part of the cost that grows most."""
    before, after = _parts(best, aim), _parts(other, aim)
    name, growth = max(((name, after[name] - before[name]) for name in before), key=lambda each: each[1])
    return name if growth > 0 else None


def _parts(judged: Judged, aim: Aim) -> dict[str, float]:
    """Parts of the cost, over all networks, in units that compare between machines."""
    found: dict[str, float] = {}
    for values in judged.values.values():
        for name, part in _parts_of(values, aim):
            found[name] = found.get(name, 0.0) + part
    return found


def _parts_of(values: Mapping[str, Any], aim: Aim) -> Iterator[tuple[str, float]]:
    if aim.objective == "latency":
        per_cycle = values["latency_ms"] / max(values["total_cycles"], 1)
        yield "streaming", _streaming(values) * per_cycle
        for cause in STALL_CAUSES:
            yield cause, values[f"stall_{cause}_cycles"] * per_cycle
    else:
        for component, label in ENERGY_COMPONENTS.items():
            yield label, values[f"energy_{component}_pj"]


def _streaming(values: Mapping[str, Any]) -> float:
    return float(values["total_cycles"] - sum(values[f"stall_{cause}_cycles"] for cause in STALL_CAUSES))


def _next(found: Recommendation, aim: Aim) -> str:
    """The resource of which twice as much would save most of the clocks; of energy its dearest component."""
    if aim.objective == "energy":
        parts = _parts(found.best, aim)
        name = max(parts, key=parts.__getitem__)
        return f"{name}, {share_text(parts[name] / sum(parts.values()))} of the energy"
    saved = {name: _saved(found.best, name) for name in WHAT_IFS}
    name = max(saved, key=lambda resource: sum(saved[resource].values()))
    if max(saved[name].values()) < LEAST_SAVING:
        return f"none: twice of anything saves less than {share_text(LEAST_SAVING)} of the clocks"
    each = ", ".join(f"{share_text(share)} of {network}'s" for network, share in saved[name].items())
    return f"{name.replace('_', ' ')}; if {WHAT_IFS[name]}, it would save {each} clocks"


def _saved(judged: Judged, resource: str) -> dict[str, float]:
    """The share of each network's clocks that twice a resource saves."""
    column = f"saved_by_twice_{resource}_cycles"
    return {name: values[column] / max(values["total_cycles"], 1) for name, values in judged.values.items()}
