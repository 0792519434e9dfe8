"""`accelsim dram`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from accelsim.cli.arguments import add_settings
from accelsim.cli.output import print_values
from accelsim.errors import Mistake, UserError

DESCRIPTION = (
    "Play a trace on a DRAM device, each burst as soon as the queues take it. Cycles are DRAM clocks "
    "from the first burst offered to the end of the last data."
)


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of `dram`."""
    parser.add_argument("device", metavar="DEVICE", help="device file, or name of a shipped one")
    parser.add_argument(
        "trace", metavar="TRACE", help="lines such as `R 0x1000` or `W 4160`, one burst each; - for stdin"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    add_settings(parser)


def run(arguments: Namespace) -> int:
    """Carry it out; gives the exit code."""
    from accelsim.config.dram import CommandDevice
    from accelsim.config.load import load_dram
    from accelsim.machine.memory.dram.replay import play_trace
    from accelsim.machine.memory.dram.trace import read_trace

    device = load_dram(arguments.device, arguments.settings)
    if not isinstance(device, CommandDevice):
        raise UserError([Mistake("command-line", 0, "device", "a device with `kind: command`", repr(device.device))])
    directions, addresses = read_trace(arguments.trace)
    print_values(play_trace(device, directions, addresses), as_json=arguments.json)
    return 0
