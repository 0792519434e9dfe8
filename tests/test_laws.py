"""Do more resources never hurt, and does no objective beat another at its own game? By more than 1 %, that is."""

from __future__ import annotations

import pytest

from accelsim.config.scheduling import Objective
from accelsim.run.simulate import simulate

MOST = 1.01
NETWORKS = ("resnet18", "squeezenet_v1.0", "mobilenet_v1_0.50_160", "mobilenet_v2_0.50_160")
OBJECTIVES: tuple[Objective, ...] = ("cycles", "dram_bytes", "energy", "edp")


def measures(network: str, objective: Objective) -> dict[Objective, float]:
    """What each objective keeps small, of a run with one of them."""
    totals = simulate(network, "edge", {"scheduling.objective": objective}).totals
    cycles, energy = totals["total_cycles"], totals["energy_total_pj"]
    return {"cycles": cycles, "dram_bytes": totals["dram_burst_bytes"], "energy": energy, "edp": cycles * energy}


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
def test_no_objective_beats_another_at_its_own_game(network: str) -> None:
    found = {objective: measures(network, objective) for objective in OBJECTIVES}
    for objective in OBJECTIVES:
        assert found[objective][objective] <= MOST * min(each[objective] for each in found.values()), objective
