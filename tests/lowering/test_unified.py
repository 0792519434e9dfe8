"""Is a unified memory split as suits a network, priced as one, and no worse than fixed buffers of its size?"""

from __future__ import annotations

from typing import Any

import pytest

from accelsim.area.sizes import area_of
from accelsim.config.machine import Machine
from accelsim.config.plan import Plan
from accelsim.config.scheduling import Scheduling
from accelsim.energy.price import price
from accelsim.errors import PlanError
from accelsim.lowering.compile import Lowered, lower, written
from accelsim.program.commands import Buffer
from accelsim.records import ActionCounts
from accelsim.run.simulate import load_both, simulate
from tests.strategies import machine_of, network_of

TOTAL = 1 << 16
WEIGHTS = network_of([{"name": name, "op": "conv", "kernel": 1, "channels": 128} for name in "abc"], (4, 4, 128))
MAPS = network_of([{"name": name, "op": "conv", "kernel": 1, "channels": 32} for name in "abc"], (32, 32, 32))


def machine(**keys: Any) -> Machine:
    """Of 64 KiB in two halves."""
    half = {"sram__activation__capacity_bytes": TOTAL // 2, "sram__weight__capacity_bytes": TOTAL // 2}
    return machine_of(**half, sram__unified=True, **keys)


def activation_bytes(lowered: Lowered) -> int:
    assert sum(lowered.program.capacities.values()) == TOTAL
    return lowered.program.capacities[Buffer.ACTIVATION]


def test_the_split_follows_the_network() -> None:
    """Room for a feature map that stays between layers, or for weights that stay between inferences."""
    maps = activation_bytes(lower(MAPS, machine(), Scheduling(fusion="never")))
    weights = activation_bytes(lower(WEIGHTS, machine(), Scheduling(fusion="never", inferences=4)))
    assert maps > TOTAL // 2 > weights


def test_a_split_can_be_given_and_is_written() -> None:
    lowered = lower(MAPS, machine(), Scheduling(plan=Plan.model_validate({"activation_bytes": 20000})))
    assert activation_bytes(lowered) == 20000
    assert written(lowered, 1)["activation_bytes"] == 20000


@pytest.mark.parametrize(("unified", "size"), [(False, 100), (True, TOTAL)])
def test_a_split_that_does_not_fit_is_refused(unified: bool, size: int) -> None:
    chip = machine() if unified else machine_of()
    with pytest.raises(PlanError) as raised:
        lower(MAPS, chip, Scheduling(plan=Plan.model_validate({"activation_bytes": size})))
    assert [fault.path for fault in raised.value.faults] == [("activation_bytes",)]


def test_one_memory_is_priced_and_sized_as_one() -> None:
    """A word of a larger memory costs more, one memory takes less area than two of half its size."""
    table = load_both("shufflenet_0.25x_g3", "edge", [(0, "energy=cacti_22nm")])[2].energy
    chips = [machine_of(sram__unified=unified).model_copy(update={"energy": table}) for unified in (True, False)]
    counts = ActionCounts(sram_read_weight_bytes=1 << 20)
    one, two = (price(counts, 0, chip).total_pj for chip in chips)
    assert one > two
    areas = [area_of(chip) for chip in chips]
    assert areas[0] is not None
    assert areas[1] is not None
    assert areas[0].sram_mm2 != areas[1].sram_mm2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["shufflenet_0.50x_g3", "squeezenet_v1.0", "resnet18"])
def test_a_unified_memory_is_no_worse_than_fixed_buffers(name: str) -> None:
    fixed, unified = (simulate(name, "edge", {"sram.unified": each}).totals for each in (False, True))
    for column in ("total_cycles", "dram_burst_bytes"):
        assert unified[column] <= 1.01 * fixed[column]
