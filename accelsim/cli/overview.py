"""All commands in groups with an example each, and topics that belong to no command."""

from __future__ import annotations

from textwrap import fill
from typing import NamedTuple


class Entry(NamedTuple):
    """Purpose of a command, and a command line that shows it."""

    purpose: str
    example: str


GROUPS: dict[str, dict[str, Entry]] = {
    "simulate": {
        "run": Entry("simulate a network on a machine, layer by layer", "accelsim run shufflenet_g3 edge"),
        "gemm": Entry("simulate one matrix product", "accelsim gemm 100 64 64 edge"),
        "check": Entry("execute the tile programs on numbers and compare", "accelsim check shufflenet_g3 edge"),
        "dram": Entry("simulate a trace of bursts on a DRAM device", "accelsim dram lpddr4-3200 trace.txt"),
        "rerun": Entry("simulate a finished run again from its file", "accelsim rerun out/run.json"),
    },
    "compare": {
        "compare": Entry(
            "accuracy and cost of networks side by side", "accelsim compare shufflenet_g3 squeezenet_v1.1 --hw edge"
        ),
        "reprice": Entry(
            "price a finished run by another energy table", "accelsim reprice out/run.json --energy han_2015"
        ),
        "diff": Entry("show why one run costs more than another", "accelsim diff a/run.json b/run.json"),
    },
    "explain": {
        "explain": Entry(
            "show a number of a layer as a sum of terms", "accelsim explain shufflenet_g3 edge --layer fc"
        ),
        "plot": Entry("draw a run or a sweep", "accelsim plot out/run.json --kind energy -o energy.svg"),
        "report": Entry("write one HTML page for runs and sweeps", "accelsim report out -o report.html"),
    },
    "explore": {
        "sweep": Entry(
            "simulate networks on machines whose keys vary",
            "accelsim sweep --network shufflenet_g3 --hw edge --vary array.rows=8,16,32 -o points",
        ),
        "pareto": Entry(
            "list the points of a sweep that no other point beats",
            "accelsim pareto points --minimize latency_ms,energy_total_pj",
        ),
        "recommend": Entry(
            "search for the best machine under a budget",
            "accelsim recommend spec.yaml --objective energy --budget 'area_mm2 <= 4' -o points",
        ),
    },
    "convert": {
        "import": Entry("write another tool's file as YAML", "accelsim import model.onnx -o model.yaml"),
        "schema": Entry("print a JSON Schema for editors", "accelsim schema machine"),
    },
    "look up": {
        "show": Entry("print a resolved network, machine or table", "accelsim show edge"),
        "list": Entry("list what is shipped", "accelsim list networks"),
        "columns": Entry("describe the result columns", "accelsim columns"),
        "help": Entry("explain a command or a topic", "accelsim help settings"),
    },
}
"""Commands by what people do with them; each is in the module of its name in `accelsim.cli.commands`."""

COMMANDS = {name: entry for group in GROUPS.values() for name, entry in group.items()}

WELCOME = """\
accelsim simulates a neural network on a systolic-array accelerator and reports cycles, stalls, bytes and energy.

  accelsim run shufflenet_g3 edge     simulate a shipped network on a shipped machine
  accelsim list                       list the shipped networks, machines, devices and tables
  accelsim show edge                  print a machine, as a start for your own
  accelsim --help                     list all commands, with an example each
"""

KEYS = {
    "machine": (
        "extends name description array vector depthwise sram input_path output_path dma host caches dram energy area"
        " sources scheduling"
    ),
    "network": (
        "name description source batch expect accuracy width factorize quantize binarize prune compress map_zeros"
        " unmodelled resolution input layers"
    ),
    "mapping": "description scheduling",
    "sweep": "networks machines grid zipped listed mapping where",
    "energy": (
        "technology_nm supply_v scaled_to multiply_8x8 add_32 xnor register_byte vector_op sram_byte sram_word"
        " wire_byte_mm noc_byte dma_descriptor dma_byte codec_byte clock_bit control_clock dram_byte dram_by"
        " dram_interface_byte static logic_leakage"
    ),
    "dram": (
        "kind clock_mhz first_address organisation timing command_bus address_mapping page_policy refresh scheduler"
        " energy sources"
    ),
    "area": "technology_nm scaled_to_nm multiplier_8x8 adder_32 register_bit cells sram dram_bit",
}
"""Keys of each kind of file, in the order in which one writes them."""


def _keys() -> str:
    """Text of the topic `keys`."""
    about = "Keys of each kind of file; docs/keys.md and `accelsim schema KIND` describe them and those below them.\n"
    wrapped = (fill(keys, 100, initial_indent=f"  {kind:9}", subsequent_indent=" " * 11) for kind, keys in KEYS.items())
    example = "\n  accelsim show edge                  a file with all its keys, and where each value is from\n"
    return "\n".join((about, *wrapped, example))


TOPICS = {
    "names": """\
Networks, machines, DRAM devices and energy tables go by a name or a path.

  accelsim list networks              names of networks; widths, resolutions and group counts may be others
  accelsim run mobilenet_v1_0.35_160 edge
  accelsim run mine/network.yaml mine/machine.yaml
  accelsim run model.onnx edge        needs `pip install 'accelsim[onnx]'`
""",
    "settings": """\
`--set KEY=VALUE` changes a key for one run and may be repeated. `accelsim show NAME` prints all keys.

  accelsim run shufflenet_g3 edge --set array.rows=16 --set array.cols=16
  accelsim run shufflenet_g3 edge --set energy.table=horowitz_45nm
  accelsim run shufflenet_g3 edge --set scheduling.objective=dram_bytes
  accelsim run shufflenet_g3 edge --set network.batch=8
""",
    "keys": _keys(),
    "results": """\
Tables go to standard output. `-o DIR` writes `layers.csv` and `run.json`, which holds the whole configuration.

  accelsim run shufflenet_g3 edge -o out
  accelsim rerun out/run.json         simulate it again: the same, to the byte
  accelsim run shufflenet_g3 edge --json
  accelsim columns                    describe each column
""",
    "exit-codes": """\
0    the command did what it says
1    a check, a rerun or a point of a sweep failed
2    a mistake in files or arguments; one line each: `file:line: key: expected ..., got ...`
130  interrupted; everything that was finished is kept
""",
}
"""Texts of `accelsim help TOPIC`."""


def overview() -> str:
    """All commands by group, with their examples, and the topics."""
    parts = []
    for group, commands in GROUPS.items():
        lines = [f"  {name:10} {entry.purpose}\n  {'':10}   {entry.example}\n" for name, entry in commands.items()]
        parts.append(f"{group}:\n{''.join(lines)}")
    parts.append(f"topics of `accelsim help TOPIC`: {', '.join(TOPICS)}\n")
    return "\n".join(parts)
