"""The plan that the compiler makes for a network on a machine, as a mapping file."""

from __future__ import annotations

from typing import Any

from accelsim.config.machine import Machine
from accelsim.config.resolved import as_config
from accelsim.config.scheduling import Scheduling
from accelsim.lowering.compile import written
from accelsim.network.graph import Network
from accelsim.run.play import lower_or_refuse


def mapping_of(network: Network, machine: Machine, scheduling: Scheduling = Scheduling()) -> dict[str, Any]:
    """A mapping file, as plain data, in which every choice of the plan is given and none is left.

    Raises UserError where a layer does not fit the machine.
    """
    plan = written(lower_or_refuse(network, machine, scheduling), network.batch)
    options = {**as_config(scheduling), "keep_activations": "never", "fusion": "never", "plan": plan}
    return {"description": f"{network.name} on {machine.name}", "scheduling": options}
