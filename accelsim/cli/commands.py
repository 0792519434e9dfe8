"""What each command does. Imports of anything heavy stand inside the functions, so that `--help` is quick."""

from __future__ import annotations

import json
import sys
import textwrap
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelsim.cli.imports import model_options
from accelsim.cli.loudness import note
from accelsim.errors import Mistake, UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from accelsim.network.graph import Network
    from accelsim.report.compare import Row
    from accelsim.report.trace import Traced
    from accelsim.run.result import Run


def run(arguments: Namespace) -> int:
    """`accelsim run`."""
    from accelsim.run.simulate import load_both, play_network

    if arguments.trace_layers is not None and arguments.trace is None:
        raise UserError([Mistake("command-line", 0, "--trace-layers", "--trace beside it", "none")])
    settings = [*arguments.settings]
    if arguments.batch is not None:
        settings.append((0, f"network.batch={arguments.batch}"))
    workload, network, machine, scheduling = load_both(
        arguments.network,
        arguments.machine,
        settings,
        mapping=arguments.mapping,
        options=model_options(arguments),
    )
    played = play_network(workload, network, machine, scheduling, keep_history=arguments.trace is not None)
    result = played.run
    if arguments.trace is not None:
        from accelsim.report.trace import Traced

        traced = Traced(played.program.layers, played.history.linked, played.outcome, machine)
        _save_trace(traced, arguments)
    if arguments.what_if:
        from accelsim.run.what_if import with_what_if

        result = with_what_if(result)
    return _finish(result, arguments)


def _save_trace(traced: Traced, arguments: Namespace) -> None:
    from accelsim.report.export import save_files
    from accelsim.report.trace import chosen_layers, trace_text

    chosen = arguments.trace_layers
    layers = None if chosen is None else chosen_layers(chosen, traced.layers)
    path = Path(arguments.trace)
    save_files(path.parent, {path.name: trace_text(traced, layers)}, force=arguments.force)


def reprice(arguments: Namespace) -> int:
    """`accelsim reprice`."""
    from accelsim.run.reprice import read_run, reprice

    return _finish(reprice(read_run(arguments.finished), arguments.energy, "--energy"), arguments)


def _finish(result: Run, arguments: Namespace) -> int:
    """Save and print a run, as its arguments say."""
    from accelsim.report import text
    from accelsim.run.advice import advice

    if arguments.output is not None:
        result.save(arguments.output, force=arguments.force)
    found = advice(result)
    if arguments.json:
        _print_json({"totals": result.totals, "layers": result.rows, "warnings": [each._asdict() for each in found]})
        return 0
    if arguments.by is not None:
        print(text.shares(result.records, arguments.by), end="\n\n")
    elif not arguments.quiet:
        print(text.layer_table(result.records), end="\n\n")
        print(text.costliest(result.records), end="\n\n")
    print(text.summary(result.network.name, result.machine.name, result.total, result.totals))
    for each in result.workload.unmodelled:
        print(f"  not modelled, and in no figure: {each}")
    if found and not arguments.quiet:
        print("  worth a look:")
        print("\n".join(f"    {each.text}" for each in found))
    if result.ideal_cycles:
        print()
        print(text.what_if(result.rows, result.totals))
    return 0


def compare(arguments: Namespace) -> int:
    """`accelsim compare`."""
    from accelsim.cli.progress import progress
    from accelsim.report.compare import comparison, flipped, survival
    from accelsim.run import compare

    points = compare.load_points(arguments.networks, arguments.machines, arguments.settings, arguments.mapping)
    with progress(len(points)) as before:
        rows, flips, unsure, pairs = compare.compare(points, before)
    if arguments.output is not None:
        _save_comparison(rows, arguments)
    if arguments.json:
        found = [{"machine": machine, **flip._asdict()} for machine, each in flips.items() for flip in each]
        within = [each._asdict() for each in unsure]
        _print_json({"rows": rows, "energy_order_flips": found, "energy_order_unsure": within})
    else:
        print("\n".join([comparison(rows), *flipped(flips), *survival(pairs, unsure)]))
    return 0


def _save_comparison(rows: Sequence[Row], arguments: Namespace) -> None:
    """The rows, and a picture of those with an accuracy."""
    from accelsim.report.export import csv_text, save_files
    from accelsim.report.figure import FORMATS, drawn
    from accelsim.report.tradeoff import tradeoff

    known = [row for row in rows if row["top1_pct"] is not None]
    figure = tradeoff(known) if known else None
    pictures = {f"compare.{kind}": drawn(figure, kind) if figure else None for kind in FORMATS}
    save_files(Path(arguments.output), {**pictures, "compare.csv": csv_text(rows)}, force=arguments.force)
    unknown = dict.fromkeys(str(row["network"]) for row in rows if row["top1_pct"] is None)
    if unknown:
        which = f"a picture without {', '.join(unknown)}" if known else "no picture"
        note(f"{which}: no accuracy is known")


def gemm(arguments: Namespace) -> int:
    """`accelsim gemm`."""
    from accelsim import importers
    from accelsim.config.load import configured_target
    from accelsim.run.gemm import run_gemm

    target = configured_target(arguments.machine, arguments.settings, arguments.mapping, importers.read)
    found = run_gemm(arguments.m, arguments.k, arguments.n, arguments.groups, *target)
    _print_values(found, as_json=arguments.json)
    return 0


def dram(arguments: Namespace) -> int:
    """`accelsim dram`."""
    from accelsim.config.dram import CommandDevice
    from accelsim.config.load import load_dram
    from accelsim.machine.memory.dram.replay import play_trace
    from accelsim.machine.memory.dram.trace import read_trace

    device = load_dram(arguments.device, arguments.settings)
    if not isinstance(device, CommandDevice):
        raise UserError([Mistake("command-line", 0, "device", "a device with `kind: command`", repr(device.device))])
    directions, addresses = read_trace(arguments.trace)
    _print_values(play_trace(device, directions, addresses), as_json=arguments.json)
    return 0


def check(arguments: Namespace) -> int:
    """`accelsim check`."""
    from accelsim.check.execute import check_network
    from accelsim.run.simulate import load_both

    _, network, machine, scheduling = load_both(
        arguments.network, arguments.machine, arguments.settings, mapping=arguments.mapping
    )
    failures = check_network(network, machine, scheduling, seed=arguments.seed)
    for failure in failures:
        print(failure, file=sys.stderr)
    if failures:
        return 1
    print(f"{network.name} on {machine.name}: all {len(network.nodes)} layers as computed directly, bit for bit")
    return 0


def show(arguments: Namespace) -> int:
    """`accelsim show`."""
    from accelsim import importers
    from accelsim.config.load import configured_target, parse_overrides
    from accelsim.config.show import kind_of_file, target_to_yaml, to_yaml
    from accelsim.run.define import load_network

    if kind_of_file(arguments.name, importers.read) == "machines":
        if arguments.layers:
            raise UserError([Mistake("command-line", 0, "--layers", "a network", f"the machine {arguments.name}")])
        target = configured_target(arguments.name, arguments.settings, arguments.mapping, importers.read)
        print(target_to_yaml(target), end="")
        return 0
    if arguments.mapping is not None:
        raise UserError([Mistake("command-line", 0, "--mapping", "a machine", f"the network {arguments.name}")])
    overrides = parse_overrides(arguments.settings, ("network",))
    workload, network = load_network(arguments.name, overrides)
    if arguments.layers:
        _print_layers(network, as_csv=arguments.csv)
    else:
        print(to_yaml(workload), end="")
    return 0


def _print_layers(network: Network, *, as_csv: bool) -> None:
    from accelsim.report.export import csv_text
    from accelsim.report.layers import layer_table
    from accelsim.report.text import table

    rows = layer_table(network)
    if as_csv:
        print(csv_text(rows), end="")
    else:
        print(table(list(rows[0]) if rows else ["name"], [[str(value) for value in row.values()] for row in rows]))


def list_shipped(arguments: Namespace) -> int:
    """`accelsim list`."""
    from accelsim.config.load import FOLDERS, shipped
    from accelsim.config.show import described

    for kind in [arguments.kind] if arguments.kind else FOLDERS:
        if not arguments.kind:
            print(f"{kind}:")
        indent = "" if arguments.kind else "  "
        if kind == "networks":
            print(textwrap.indent(_network_list(), indent))
            continue
        for name in shipped(kind):
            print(f"{indent}{name.ljust(18)}  {described(kind, name)}".rstrip())
    return 0


def _network_list() -> str:
    """All networks, with what they cost and how accurate they are."""
    from accelsim.config.load import names
    from accelsim.report.text import table
    from accelsim.run.define import load_network

    rows = []
    for name in names("networks"):
        workload, network = load_network(name)
        accuracy = workload.accuracy
        known = [f"{accuracy.top1_pct:.1f}", f"  {accuracy.kind}; {accuracy.source}"] if accuracy else ["-", ""]
        size = network.stored_weight_bytes()
        rows.append([name, f"{network.macs / 1e6:.2f}", f"{network.nonzeros / 1e6:.3f}", f"{size / 1e6:.2f}", *known])
    return table(("network", "MMAC", "M weights", "MB", "top-1 %", "accuracy from"), rows, left=(0, 5))


def schema(arguments: Namespace) -> int:
    """`accelsim schema`."""
    from accelsim.config.json_schema import SCHEMAS

    _print_json(SCHEMAS[arguments.kind]())
    return 0


def columns(_: Namespace) -> int:
    """`accelsim columns`."""
    from accelsim.report import compare
    from accelsim.report.columns import COLUMNS, TOTALS, WHAT_IFS, speedup_column

    rows = [[column.name, column.unit, column.meaning] for column in COLUMNS]
    rows += [[name, unit, f"{meaning} (totals only)"] for name, unit, meaning in TOTALS]
    rows += [[speedup_column(name), "1", f"if {meaning} (with --what-if)"] for name, meaning in WHAT_IFS.items()]
    described = {row[0] for row in rows}
    rows += [
        [column.name, column.unit, f"{column.meaning} (compare only)"]
        for column in compare.COLUMNS
        if column.name not in described
    ]
    width = max(len(row[0]) for row in rows)
    unit_width = max(len(row[1]) for row in rows)
    print(f"{'column'.ljust(width)}  {'unit'.ljust(unit_width)}  meaning")
    for name, unit, meaning in rows:
        print(f"{name.ljust(width)}  {unit.ljust(unit_width)}  {meaning}")
    return 0


def _print_values(values: Mapping[str, int | float | str], *, as_json: bool) -> None:
    """Names and values, one a line."""
    if as_json:
        _print_json(values)
        return
    width = max(map(len, values))
    for name, value in values.items():
        print(f"{name.ljust(width)}  {value:.4f}" if isinstance(value, float) else f"{name.ljust(width)}  {value}")


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=1))
