"""`accelsim list`."""

from __future__ import annotations

import textwrap
from argparse import ArgumentParser, Namespace

from accelsim.cli.arguments import one_of
from accelsim.config.kinds import LISTED


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of `list`."""
    parser.add_argument(
        "kind", nargs="?", type=one_of("kind", list(LISTED)), help=f"only this kind: {', '.join(LISTED)}"
    )


def run(arguments: Namespace) -> int:
    """Carry it out; gives the exit code."""
    from accelsim.config.show import described
    from accelsim.report.tables import page_of, page_width

    for listed in [arguments.kind] if arguments.kind else LISTED:
        if not arguments.kind:
            print(f"{listed}:")
        indent = "" if arguments.kind else "  "
        if listed == "networks":
            with page_of(page_width() - len(indent)):
                print(textwrap.indent(_network_list(), indent))
            continue
        for path in LISTED[listed].files():
            line = f"{indent}{path.stem.ljust(18)}  {described(path)}".rstrip()
            print(textwrap.fill(line, page_width(), subsequent_indent=" " * (len(indent) + 20)))
    return 0


def _network_list() -> str:
    """All networks, with what they cost and how accurate they are."""
    from accelsim.config.named import names
    from accelsim.report.tables import fitted
    from accelsim.run.define import load_network

    rows = []
    for name in names("networks"):
        workload, network = load_network(name)
        accuracy = workload.accuracy
        known = [f"{accuracy.top1_pct:.1f}", f"  {accuracy.kind}; {accuracy.source}"] if accuracy else ["-", ""]
        size = network.stored_weight_bytes()
        rows.append([name, f"{network.macs / 1e6:.2f}", f"{network.weights / 1e6:.3f}", f"{size / 2**20:.2f}", *known])
    header = ("network", "MMAC", "M weights", "weights MiB", "top-1 %", "accuracy from")
    return fitted(header, rows, left=(0, 5), spare=("weights MiB", "M weights"))
