"""What each command does. Imports of anything heavy stand inside the functions, so that `--help` is quick."""

from __future__ import annotations

import json
import sys
import textwrap
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from accelsim.errors import Mistake, UserError

if TYPE_CHECKING:
    from accelsim.network.graph import Network


def run(arguments: Namespace) -> int:
    """`accelsim run`."""
    from accelsim.report import text
    from accelsim.report.columns import layer_rows
    from accelsim.run.simulate import load_both, run_network

    workload, network, machine = load_both(arguments.network, arguments.machine, arguments.settings)
    result = run_network(workload, network, machine)
    if arguments.output is not None:
        result.save(arguments.output, force=arguments.force)
    if arguments.json:
        _print_json({"totals": result.totals, "layers": layer_rows(result.records)})
        return 0
    if arguments.by is not None:
        print(text.shares(result.records, arguments.by))
    else:
        print(text.layer_table(result.records))
        print()
        print(text.costliest(result.records))
    print()
    print(text.summary(network.name, machine.name, result.total, result.totals))
    return 0


def gemm(arguments: Namespace) -> int:
    """`accelsim gemm`."""
    from accelsim.config.load import configured_machine
    from accelsim.run.gemm import run_gemm

    machine = configured_machine(arguments.machine, arguments.settings)
    found = run_gemm(arguments.m, arguments.k, arguments.n, arguments.groups, machine)
    if arguments.json:
        _print_json(found)
    else:
        width = max(map(len, found))
        for name, value in found.items():
            print(f"{name.ljust(width)}  {value:.4f}" if isinstance(value, float) else f"{name.ljust(width)}  {value}")
    return 0


def check(arguments: Namespace) -> int:
    """`accelsim check`."""
    from accelsim.check.execute import check_network
    from accelsim.run.simulate import load_both

    _, network, machine = load_both(arguments.network, arguments.machine, arguments.settings)
    failures = check_network(network, machine, seed=arguments.seed)
    for failure in failures:
        print(failure, file=sys.stderr)
    if failures:
        return 1
    print(f"{network.name} on {machine.name}: all {len(network.nodes)} layers as computed directly, bit for bit")
    return 0


def show(arguments: Namespace) -> int:
    """`accelsim show`."""
    from accelsim.config.load import configured_machine, parse_overrides
    from accelsim.config.show import kind_of_file, to_yaml
    from accelsim.run.simulate import load_network

    if kind_of_file(arguments.name) == "machines":
        if arguments.layers:
            raise UserError([Mistake("command-line", 0, "--layers", "a network", f"the machine {arguments.name}")])
        print(to_yaml(configured_machine(arguments.name, arguments.settings)), end="")
        return 0
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
    from accelsim.config.accuracy import published
    from accelsim.config.load import FOLDERS, data_root, shipped
    from accelsim.config.variants import NAMES
    from accelsim.report.text import table
    from accelsim.run.simulate import load_network
    from accelsim.units import packed_bytes

    accuracies = published(data_root() / FOLDERS["networks"])
    rows = []
    for name in (*shipped("networks"), *NAMES):
        _, network = load_network(name)
        accuracy = accuracies.get(network.name)
        known = [f"{accuracy.top1_pct:.1f}", f"  {accuracy.kind}; {accuracy.source}"] if accuracy else ["-", ""]
        size = packed_bytes(network.weights, 8)
        rows.append([name, f"{network.macs / 1e6:.2f}", f"{network.weights / 1e6:.3f}", f"{size / 1e6:.2f}", *known])
    return table(("network", "MMAC", "M weights", "MB (int8)", "top-1 %", "accuracy from"), rows, left=(0, 5))


def columns(_: Namespace) -> int:
    """`accelsim columns`."""
    from accelsim.report.columns import COLUMNS, TOTALS

    rows = [[column.name, column.unit, column.meaning] for column in COLUMNS]
    rows += [[name, unit, f"{meaning} (totals only)"] for name, unit, meaning in TOTALS]
    width = max(len(row[0]) for row in rows)
    unit_width = max(len(row[1]) for row in rows)
    print(f"{'column'.ljust(width)}  {'unit'.ljust(unit_width)}  meaning")
    for name, unit, meaning in rows:
        print(f"{name.ljust(width)}  {unit.ljust(unit_width)}  {meaning}")
    return 0


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=1))
