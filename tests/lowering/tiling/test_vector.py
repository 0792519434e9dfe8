"""Do global pools load their maps once, part by part, and are their sums whole?"""

from __future__ import annotations

from typing import Any

import pytest

from accelsim.check.execute import check_network
from accelsim.config.machine import Machine
from accelsim.config.plan import Plan
from accelsim.config.scheduling import Scheduling
from accelsim.errors import UserError
from accelsim.lowering.compile import lower, written
from accelsim.machine.accounting import LayerAccount
from accelsim.machine.machine import play
from accelsim.network.graph import Network
from accelsim.program.commands import Compute
from accelsim.program.link import link
from tests.strategies import machine_of, network_of

HALF = 1 << 12
SIDE, CHANNELS = 32, 48
SUM_BYTES = 4


def pooled(height: int = SIDE, width: int = SIDE, channels: int = CHANNELS, batch: int = 1) -> Network:
    """A global pool of a map that is as it comes from DRAM."""
    return network_of([{"name": "pool", "op": "gap"}], (height, width, channels), batch=batch)


def small(**changed: Any) -> Machine:
    """A machine whose activation buffer holds a sixth of the map."""
    return machine_of(**{"sram__activation__capacity_bytes": 2 * HALF, **changed})


def account(network: Network, machine: Machine, plan: dict[str, Any] | None = None) -> LayerAccount:
    """Of the pool."""
    program = lower(network, machine, scheduling(plan)).program
    (found,) = play(program, link(program), machine).layers
    return found


def scheduling(plan: dict[str, Any] | None) -> Scheduling:
    return Scheduling(plan=Plan.model_validate(plan) if plan else None)


def parts(network: Network, machine: Machine, plan: dict[str, Any] | None = None) -> list[int | None]:
    """Pixels of each part; None for a piece that is a whole map."""
    commands = lower(network, machine, scheduling(plan)).program.commands
    works = [command.work for command in commands if isinstance(command, Compute)]
    return [work.taps.size if work.taps else None for work in works]


def test_a_map_that_does_not_fit_is_loaded_once() -> None:
    """It was loaded three channels at a time, in bursts that hold 48."""
    moved = account(pooled(), small()).moved
    assert moved.dram_read_burst_bytes == SIDE * SIDE * CHANNELS


def test_a_part_has_whole_rows_of_all_channels_and_fits_twice() -> None:
    sizes = parts(pooled(), small())
    assert sum(size or 0 for size in sizes) == SIDE * SIDE
    assert {size for size in sizes[:-1] if size} == {2 * SIDE}
    assert 2 * SIDE * CHANNELS <= HALF < 3 * SIDE * CHANNELS


def test_a_map_that_fits_has_four_parts() -> None:
    assert parts(pooled(8, 8, 16), machine_of()) == [2 * 8] * 4
    assert parts(pooled(1, 8, 16), machine_of()) == [None]


def test_a_row_that_does_not_fit_is_cut() -> None:
    sizes = parts(pooled(2, 512, 16), small())
    assert set(sizes) == {128}
    assert len(sizes) * 128 == 2 * 512


def test_sums_pass_the_accumulator_between_parts() -> None:
    counts, whole = (account(pooled(), machine).counts for machine in (small(), machine_of()))
    number = len(parts(pooled(), small()))
    between = (number - 1) * CHANNELS * SUM_BYTES
    assert (counts.sram_read_psum_bytes, counts.sram_write_psum_bytes) == (between, between)
    assert counts.vector_ops == whole.vector_ops == SIDE * SIDE * CHANNELS
    assert counts.sram_read_ifmap_bytes == whole.sram_read_ifmap_bytes == SIDE * SIDE * CHANNELS
    assert counts.sram_write_ofmap_bytes == CHANNELS


def test_sums_that_do_not_fit_come_some_channels_at_a_time() -> None:
    machine = small(sram__accumulator__capacity_bytes=CHANNELS * SUM_BYTES)
    assert set(parts(pooled(), machine)) == {None}
    assert check_network(pooled(), machine) == []


@pytest.mark.parametrize(("height", "width", "channels", "batch"), [(7, 5, 3, 1), (9, 1, 130, 2), (1, 1, 8, 3)])
@pytest.mark.parametrize("bits", [4, 8])
def test_parts_add_up_to_the_mean(height: int, width: int, channels: int, batch: int, bits: int) -> None:
    network = pooled(height, width, channels, batch)
    assert check_network(network, machine_of(array__activation_bits=bits)) == []
    assert check_network(network, small(array__activation_bits=bits, sram__activation__capacity_bytes=512)) == []


def test_parts_are_given_and_written() -> None:
    plan = {"layers": [{"match": "pool", "tile": {"kernel": SIDE}}]}
    assert parts(pooled(), small(), plan) == [SIDE] * SIDE
    lowered = lower(pooled(), small(), scheduling(plan))
    (layer,) = written(lowered, 1)["layers"]
    assert layer["tile"]["kernel"] == SIDE
    assert parts(pooled(), small(), {"layers": [layer]}) == [SIDE] * SIDE


@pytest.mark.parametrize(
    ("kernel", "accumulator", "reason"),
    [
        (SIDE - 1, 1 << 14, "rows of the 32 x 32 kernel of pool or an equal part of each"),
        (3 * SIDE, 1 << 14, f"{3 * SIDE * CHANNELS + CHANNELS} bytes where half of sram.activation has {HALF}"),
        (SIDE, CHANNELS * SUM_BYTES, f"{CHANNELS * SUM_BYTES} bytes where half of sram.accumulator has 96"),
    ],
)
def test_a_part_that_can_not_be_is_refused(kernel: int, accumulator: int, reason: str) -> None:
    plan = {"layers": [{"match": "pool", "tile": {"kernel": kernel}}]}
    machine = small(sram__accumulator__capacity_bytes=accumulator)
    with pytest.raises(UserError, match=r"scheduling\.plan\.layers\.0") as raised:
        check_network(pooled(), machine, scheduling(plan))
    assert reason in str(raised.value)
