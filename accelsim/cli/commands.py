"""What each command does. Imports of anything heavy stand inside the functions, so that `--help` is quick."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from typing import Any

from accelsim.errors import Mistake, UserError


def run(arguments: Namespace) -> int:
    """`accelsim run`."""
    from accelsim.config.load import parse_overrides
    from accelsim.report import text
    from accelsim.report.columns import layer_rows
    from accelsim.run.simulate import load_both, run_network

    workload, network, machine = load_both(
        arguments.network, arguments.machine, parse_overrides(arguments.settings)
    )
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
    from accelsim.config.load import parse_overrides
    from accelsim.run.gemm import run_gemm

    found = run_gemm(
        arguments.m, arguments.k, arguments.n, arguments.groups, arguments.machine,
        parse_overrides(arguments.settings),
    )  # fmt: skip
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
    from accelsim.config.load import parse_overrides
    from accelsim.run.simulate import load_both

    _, network, machine = load_both(arguments.network, arguments.machine, parse_overrides(arguments.settings))
    failures = check_network(network, machine, seed=arguments.seed)
    for failure in failures:
        print(failure, file=sys.stderr)
    if failures:
        return 1
    print(f"{network.name} on {machine.name}: all {len(network.nodes)} layers as computed directly, bit for bit")
    return 0


def show(arguments: Namespace) -> int:
    """`accelsim show`."""
    from accelsim.config.load import load_machine, load_workload, parse_overrides
    from accelsim.config.show import kind_of_file, to_yaml

    overrides = parse_overrides(arguments.settings)
    if kind_of_file(arguments.name) == "machines":
        print(to_yaml(load_machine(arguments.name, overrides)), end="")
    else:
        print(to_yaml(load_workload(arguments.name, overrides)[0]), end="")
    return 0


def list_shipped(arguments: Namespace) -> int:
    """`accelsim list`."""
    from accelsim.config.load import FOLDERS, shipped
    from accelsim.config.show import described

    for kind in [arguments.kind] if arguments.kind else FOLDERS:
        if not arguments.kind:
            print(f"{kind}:")
        indent = "" if arguments.kind else "  "
        for name in shipped(kind):
            print(f"{indent}{name.ljust(18)}  {described(kind, name)}".rstrip())
    return 0


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
