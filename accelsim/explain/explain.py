"""One layer's numbers taken apart, from a network and a machine or from a finished run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from accelsim.errors import ARGUMENTS, Mistake, Mistakes, UserError, suggestion
from accelsim.explain.columns import EXPLAINED, SUMMARY, UNIT
from accelsim.explain.evidence import Evidence
from accelsim.explain.plan import plan_dict, plan_text
from accelsim.explain.text import explained
from accelsim.importers import PLAIN, ModelOptions
from accelsim.report.finished import run_title
from accelsim.run.reprice import read_run
from accelsim.run.simulate import load_both, play_network


def evidence_of(
    network: str,
    machine: str,
    layer: str,
    columns: Iterable[str] = (),
    settings: Iterable[tuple[int, str]] = (),
    mapping: str | None = None,
    options: ModelOptions = PLAIN,
) -> Evidence:
    """Simulate a network on a machine and look at one layer.

    Raises UserError, also where a column can't be explained.
    """
    mistakes = Mistakes()
    with mistakes:
        _check_columns(columns)
    with mistakes:
        loaded = load_both(network, machine, settings, mapping=mapping, options=options)
        number = _number_of(layer, [node.name for node in loaded[1].nodes])
    mistakes.raise_any()
    return Evidence(play_network(*loaded, keep_history=True), number)


def evidence_of_run(finished: str, layer: str, columns: Iterable[str] = ()) -> Evidence:
    """Simulate a finished run again, which has to give the same, and look at one layer.

    Raises UserError, also where a column can't be explained.
    """
    mistakes = Mistakes()
    with mistakes:
        _check_columns(columns)
    with mistakes:
        run = read_run(finished)
        number = _number_of(layer, [node.name for node in run.network.nodes])
    mistakes.raise_any()
    played = play_network(run.workload, run.network, run.machine, run.scheduling, keep_history=True)
    for before, again in zip(run.records, played.run.records, strict=True):
        if before != again:
            expected = f"what accelsim {played.run.version} simulates from its config"
            got = f"other numbers for {before.layer}, by accelsim {run.version}"
            raise UserError([Mistake(finished, 0, "layers", expected, got)])
    return Evidence(played, number)


def _number_of(layer: str, names: Sequence[str]) -> int:
    if layer not in names:
        expected = f"a layer of the network{suggestion(layer, names)}"
        raise UserError([Mistake(ARGUMENTS, 0, "layer", expected, repr(layer))])
    return names.index(layer)


def _check_columns(columns: Iterable[str]) -> None:
    """Raises UserError where a column is none that can be explained."""
    unknown = [column for column in columns if column not in EXPLAINED]
    if unknown:
        expected = "a column of clocks, bytes, actions or energy"
        raise UserError(
            Mistake(ARGUMENTS, 0, "column", expected + suggestion(column, EXPLAINED), repr(column))
            for column in unknown
        )


def explanation(evidence: Evidence, columns: Sequence[str]) -> str:
    """The columns as text; without any, the plan of the layer and the columns of `SUMMARY`."""
    run = evidence.played.run
    parts = [f"{evidence.node.name} ({evidence.node.label}) of {run_title(run)}"]
    if not columns:
        parts.append(plan_text(evidence))
    parts += [explained(column, UNIT[column], EXPLAINED[column](evidence)) for column in columns or SUMMARY]
    return "\n\n".join(parts)


def explanation_dict(evidence: Evidence, columns: Sequence[str]) -> dict[str, Any]:
    """The same for JSON, and always with the plan."""
    run = evidence.played.run
    terms = {column: EXPLAINED[column](evidence).as_dict() for column in columns or SUMMARY}
    return {
        "network": run.network.name,
        "machine": run.machine.name,
        "layer": evidence.node.name,
        "plan": plan_dict(evidence),
        "columns": terms,
    }
