"""Output that several commands share. Heavy imports stand inside the functions."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelsim.cli.arguments import command_line
from accelsim.errors import UserError, visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from accelsim.run.advice import Advice
    from accelsim.run.depthwise import DepthwiseChoice
    from accelsim.run.hints import Hint
    from accelsim.run.result import Run


def finish(result: Run, arguments: Namespace, *, advises: bool = False) -> int:
    """Save and print a run, as its arguments say. advises: try changes that may pay, too, when the rest is printed."""
    if arguments.output is not None:
        result.save(arguments.output, force=arguments.force)
    asks = getattr(arguments, "what_if", None) == "depthwise"
    if arguments.json:
        _finish_json(result, advises=advises, asks=asks)
        return 0
    from accelsim.report import text

    _print_run(result, arguments)
    if advises:
        sys.stdout.flush()
        _print_advice(result)
    if result.doubled_cycles:
        print(f"\n{text.what_if(result.rows, result.totals)}")
    if asks:
        choices = _depthwise_choices(result)
        print(f"\n{text.depthwise([each._asdict() for each in choices])}")
    return 0


def _finish_json(result: Run, *, advises: bool, asks: bool) -> None:
    """Print a run as JSON. asks: with depthwise layers on other units."""
    lacks = result.left_out
    about: dict[str, Any] = {"complete": True} if lacks is None else {"complete": False, "left_out": lacks._asdict()}
    found, left = _advice(result) if advises else ([], [])
    about |= {"totals": result.totals, "layers": result.rows, "warnings": [each._asdict() for each in found]}
    about["not_tried"] = [each._asdict() for each in left]
    if asks:
        about["depthwise"] = [each._asdict() for each in _depthwise_choices(result)]
    print_json(about)


def _print_run(result: Run, arguments: Namespace) -> None:
    """Print the tables and the summary of a run."""
    from accelsim.importers import is_model
    from accelsim.report import text
    from accelsim.report.completeness import INCOMPLETE
    from accelsim.report.ports import overrun
    from accelsim.report.unused import unused

    lacks = result.left_out
    if lacks is not None:
        print(f"{INCOMPLETE}: {lacks}", end="\n\n")
    if arguments.by is not None:
        print(text.shares(result.records, arguments.by), end="\n\n")
    elif not arguments.quiet:
        print(text.layer_table(result.records), end="\n\n")
        print(text.costliest(result.records), end="\n\n")
    names = result.network.name, result.machine.name
    print(text.summary(*names, result.total, result.totals, complete=lacks is None))
    if is_model(getattr(arguments, "network", "")):
        print(f"  {result.workload.source}")
    for each in result.workload.unmodelled:
        print(f"  not modelled, and in no figure: {visible(each)}")
    for line in (*overrun(result.records, result.machine), *unused(result.workload, result.network, result.machine)):
        print(f"  {line}")


def _print_advice(result: Run) -> None:
    """Try changes that may pay; print those that do, those that were not tried, and what weights of one inference
    cost."""
    from accelsim.run.advice import left_text
    from accelsim.run.hints import afresh

    found, left = _advice(result)
    if found:
        print("  tried, and worth it:")
    for each in found:
        print(f"    {each.text}")
    for line in (left_text(left) if left else "", afresh(result)):
        if line:
            print(f"  {line}")


def _advice(result: Run) -> tuple[list[Advice], list[Hint]]:
    """Changes that pay, and those that were not tried."""
    from accelsim.run.advice import advice, choice

    tried, left = choice(result)
    return advice(result, tried), left


def _depthwise_choices(result: Run) -> list[DepthwiseChoice]:
    from accelsim.run.depthwise import depthwise_choices

    return depthwise_choices(result)


def picture_kind(output: str) -> str:
    """The format of a picture, by the name of its file. Raises UserError."""
    from accelsim.report.figure import KINDS

    kind = Path(output).suffix.removeprefix(".")
    if kind not in KINDS:
        expected = f"a file that ends in {', '.join(f'.{each}' for each in KINDS)}"
        raise UserError([command_line("-o", expected, repr(Path(output).name))])
    return kind


def print_values(values: Mapping[str, int | float | str], *, as_json: bool) -> None:
    """Names and values, one a line."""
    if as_json:
        print_json(values)
        return
    width = max(map(len, values))
    for name, value in values.items():
        print(f"{name.ljust(width)}  {value:.4f}" if isinstance(value, float) else f"{name.ljust(width)}  {value}")


def print_json(value: Any) -> None:
    """A value as JSON."""
    print(json.dumps(value, indent=1))
