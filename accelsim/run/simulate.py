"""The whole flow: configuration, network, program, machine, records."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from accelsim.config.load import parse_overrides
from accelsim.config.machine import Machine
from accelsim.config.scheduling import Scheduling
from accelsim.config.workload import NetworkFile
from accelsim.errors import ARGUMENTS, Mistake, Mistakes, UserError
from accelsim.importers import PLAIN, ModelOptions
from accelsim.lowering.compile import Lowered
from accelsim.machine.clock import Observer
from accelsim.machine.machine import Outcome
from accelsim.network.graph import Network
from accelsim.program.commands import Program
from accelsim.records import MOST_COUNTED, ActionCounts, combined
from accelsim.run.define import MachineLike, MappingLike, NetworkLike, load_network, load_target, plain
from accelsim.run.play import History, Performance, perform
from accelsim.run.result import Run


def simulate(
    network: NetworkLike | Any,
    machine: MachineLike,
    settings: Mapping[str, object] | None = None,
    observers: Iterable[Observer] = (),
    *,
    mapping: MappingLike | None = None,
    example_input: Any = None,
) -> Run:
    """Run a network on a machine, each a path, the name of a shipped file, or what `define_...` gave.

    network: a PyTorch module, too, with an `example_input`: a tensor, or a tuple of them. settings: keys of the
    configuration to change, such as `{"array.rows": 16}`; mapping: a mapping file, or what would stand in one.
    observers: get every event of the machine (`accelsim.machine.clock.Observer`).
    Raises UserError for what is wrong with files or settings, or where the machine is too small for a layer.
    """
    texts = [(0, f"{key}={_yaml(value)}") for key, value in (settings or {}).items()]
    options = PLAIN if example_input is None else ModelOptions(example_input=example_input)
    return run_network(*load_both(network, machine, texts, mapping=mapping, options=options), observers)


def _yaml(value: object) -> str:
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(plain(value), default=str)
    return str(value).lower() if isinstance(value, bool) else "null" if value is None else str(value)


def load_both(
    network: NetworkLike | Any,
    machine: MachineLike,
    settings: Iterable[tuple[int, str]] = (),
    *,
    mapping: MappingLike | None = None,
    options: ModelOptions = PLAIN,
) -> tuple[NetworkFile, Network, Machine, Scheduling]:
    """Both files with `(position, "key=value")` settings applied, checked.

    Raises UserError, with the mistakes of settings and files together.
    """
    mistakes = Mistakes()
    overrides = parse_overrides(settings, mistakes=mistakes)
    with mistakes:
        pair = load_network(network, overrides, options)
    with mistakes:
        target = load_target(machine, overrides, mapping)
    mistakes.raise_any()
    return *pair, *target


def run_network(
    workload: NetworkFile,
    network: Network,
    machine: Machine,
    scheduling: Scheduling = Scheduling(),
    observers: Iterable[Observer] = (),
) -> Run:
    """Lower, link, play, and put the records together. Raises UserError where a layer does not fit the machine."""
    return play_network(workload, network, machine, scheduling, observers).run


@dataclass(frozen=True, slots=True)
class Played:
    """A run and what led to it: the program, and what the machine made of it."""

    run: Run
    performance: Performance

    @property
    def lowered(self) -> Lowered:
        """Network as the compiler made it."""
        return self.performance.lowered

    @property
    def program(self) -> Program:
        """Program that was played."""
        return self.lowered.program

    @property
    def outcome(self) -> Outcome:
        """Outcome of the program on the machine."""
        return self.performance.outcome

    @property
    def moved(self) -> Sequence[ActionCounts]:
        """By DMA for each layer, by inference and layer as in the program."""
        return self.performance.moved

    @property
    def history(self) -> History:
        """Clocks of each command, if they were requested."""
        return self.performance.history


def play_network(
    workload: NetworkFile,
    network: Network,
    machine: Machine,
    scheduling: Scheduling = Scheduling(),
    observers: Iterable[Observer] = (),
    *,
    keep_history: bool = False,
) -> Played:
    """The run with what led to it. Raises UserError where a layer does not fit, or too much is counted."""
    done = perform(network, machine, scheduling, observers, keep_history=keep_history)
    total = combined(done.records, network.name, done.outcome.total_cycles)
    if total.largest_count > MOST_COUNTED:
        expected = f"one of which nothing is counted beyond {MOST_COUNTED}"
        raise UserError([Mistake(ARGUMENTS, 0, "network", expected, str(total.largest_count))])
    run = Run(workload, done.network, machine, scheduling, done.records, total, done.inference_ends)
    return Played(run, done)
