"""DRAM at command granularity: is every timing kept, to the clock? Do cycles and energy agree with public simulators?

`tests/data/dram` has what Ramulator 2.1 and DRAMsim3 say about the traces that `traces.py` there makes; the rules in
`tests/reference/dram_rules.py` share no code with the simulator.
"""

from __future__ import annotations

import io
import json
import random
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.cli import main
from accelsim.config.dram import TIMINGS, CommandDevice
from accelsim.lowering.compile import lower
from accelsim.machine.machine import play
from accelsim.machine.memory.dram.address import AddressMap
from accelsim.machine.memory.dram.kernel.requester import Requester
from accelsim.machine.memory.dram.replay import play_trace
from accelsim.machine.memory.dram.statistics import DramCounts, energy_pj
from accelsim.machine.memory.port import Block
from accelsim.machine.requests import blocks_of
from accelsim.program.commands import Load, Store
from accelsim.program.link import link
from accelsim.program.tensors import Descriptor
from accelsim.run.simulate import load_network
from accelsim.units import clocks_of
from tests.dram_cases import (
    MAPPINGS,
    Burst,
    Plan,
    cycles,
    device_of,
    driven,
    golden_bursts,
    golden_device,
    goldens,
    memory_after,
    sheet_of,
)
from tests.reference.dram_rules import violations
from tests.strategies import COMMAND_DEVICES, machine_of


@cache
def played(name: str, mapping: str, trace: str) -> tuple[int, DramCounts]:
    device = device_of(name, f"address_mapping={mapping}")
    memory, _ = memory_after(device, golden_bursts(trace, device.burst_bytes), plain=False)
    return memory.end, memory.counts(memory.end)


def played_golden(row: dict[str, str]) -> tuple[CommandDevice, int, DramCounts]:
    device = golden_device(row)
    return device, *played(device.device, device.address_mapping, row["trace"])


def is_mixed(row: dict[str, str]) -> bool:
    return "0" not in (row["n_rd"], row["n_wr"])


def named(row: dict[str, str]) -> str:
    return f"{row['device']}-{row['trace']}"


RAMULATOR = [row for row in goldens() if row["sim"] == "Ramulator2.1"]
DRAMSIM3 = [row for row in goldens() if row["sim"] == "DRAMsim3"]
HARD = [row for row in goldens() if row["golden_class"] == "hard"]
ALONE = [row for row in goldens() if row["device"].startswith("LPDDR4")]
"""Rows that DRAMsim3 alone has."""
QUICK = ("seq_rd_64K", "tile_r256_s2K", "tile_r64_s8K")


# Goldens.


@pytest.mark.slow
@pytest.mark.parametrize("row", RAMULATOR, ids=named)
def test_cycles_and_commands_are_those_of_ramulator(row: dict[str, str]) -> None:
    """2 % is asked for where all bursts have one direction, 5 % where not; the policy is the same, and so is all."""
    _, end, counts = played_golden(row)
    assert (end, counts.activates, counts.refreshes) == (int(row["cycles"]), int(row["acts"]), int(row["refs"]))


@pytest.mark.parametrize("row", [row for row in RAMULATOR if row["trace"] in QUICK], ids=named)
def test_cycles_are_those_of_ramulator_on_short_traces(row: dict[str, str]) -> None:
    test_cycles_and_commands_are_those_of_ramulator(row)


@pytest.mark.slow
def test_cycles_agree_with_dramsim3_where_both_simulators_do() -> None:
    """Within 2 %, and 1 % on average."""
    errors = [played_golden(row)[1] / int(row["cycles"]) - 1 for row in HARD]
    assert len(errors) == 48
    assert max(map(abs, errors)) <= 0.02
    assert sum(map(abs, errors)) / len(errors) < 0.01


@pytest.mark.slow
def test_cycles_agree_with_dramsim3_where_it_is_alone() -> None:
    """LPDDR4: within 2 % in one direction, 5 % in both but where each read finds the row of a write."""
    assert len(ALONE) == 23
    for row in ALONE:
        error = abs(played_golden(row)[1] / int(row["cycles"]) - 1)
        limit = 0.17 if row["trace"] == "rw_b256_conf" else 0.05 if is_mixed(row) else 0.02
        assert error <= limit, row["trace"]


@pytest.mark.parametrize("row", DRAMSIM3, ids=named)
def test_energy_by_command_is_that_of_dramsim3(row: dict[str, str]) -> None:
    """From the counts of the golden: 0.1 %."""
    device = golden_device(row)
    numbers = {"reads": "rd_cmds", "writes": "wr_cmds", "activates": "acts", "refreshes": "refs"}
    nothing = dict.fromkeys(DramCounts.__dataclass_fields__, 0)
    counts = DramCounts(**nothing | {ours: int(row[theirs]) for ours, theirs in numbers.items()})
    found = energy_pj(device, counts)
    for command, column in {
        "activate": "E_act_pJ",
        "read": "E_rd_pJ",
        "write": "E_wr_pJ",
        "refresh": "E_ref_pJ",
    }.items():
        assert found[command] == pytest.approx(float(row[column]), rel=1e-3), command


@pytest.mark.slow
@pytest.mark.parametrize("row", [row for row in HARD if row in DRAMSIM3], ids=named)
def test_background_energy_is_that_of_dramsim3(row: dict[str, str]) -> None:
    """From the states of the banks that were played: 2 %."""
    device, _, counts = played_golden(row)
    assert energy_pj(device, counts)["background"] == pytest.approx(float(row["E_bg_pJ"]), rel=0.02)


# Timings, one by one.


def shuffled(device: CommandDevice, seed: int, count: int = 1500, rows: int = 3) -> list[Burst]:
    """Bursts to few rows of all banks, in both directions and in runs of different lengths."""
    random_ = random.Random(seed)
    span = rows * device.burst_bytes * (AddressMap.of(device).size // device.organisation.rows)
    bursts: list[Burst] = []
    while len(bursts) < count:
        address = random_.randrange(span) // device.burst_bytes * device.burst_bytes
        direction, length = random_.choice("RRW"), random_.choice((1, 1, 2, 5, 40))
        bursts += [(direction, (address + place * device.burst_bytes)) for place in range(length)]
    return bursts


BINDING: dict[str, tuple[str, tuple[str, ...]]] = {
    "t_rcd": ("ddr4-2400-x8", ()),
    "t_rcd_wr": ("hbm2", ()),
    "t_rp": ("ddr4-2400-x8", ("timing.t_rc_nck=1",)),
    "t_rp_all": ("lpddr5-6400", ("timing.t_rp_all_nck=400",)),
    "t_rp_refresh": ("ddr4-2400-x8", ("timing.t_rp_refresh_nck=200", "timing.t_refi_nck=1000")),
    "t_ras": ("ddr4-2400-x8", ()),
    "t_rc": ("ddr4-2400-x8", ("timing.t_rc_nck=80",)),
    "t_ccd_s": ("ddr4-2400-x8", ("timing.t_ccd_s_nck=5",)),
    "t_ccd_l": ("ddr4-2400-x8", ()),
    "t_ccd_l_wr": ("ddr5-4800", ()),
    "t_rrd_s": ("ddr4-2400-x16", ()),
    "t_rrd_l": ("ddr4-2400-x16", ("timing.t_rrd_l_nck=20",)),
    "t_faw": ("ddr4-2400-x8", ()),
    "t_rtp": ("ddr4-2400-x8", ()),
    "t_wr": ("ddr4-2400-x8", ()),
    "t_wtr_s": ("ddr4-2400-x8", ()),
    "t_wtr_l": ("ddr4-2400-x8", ()),
    "t_turn": ("ddr5-4800", ()),
    "t_rtrs": ("ddr4-2400-x8", ("organisation.ranks=2",)),
    "t_ppd": ("lpddr4-3200", ()),
    "t_rfc": ("ddr4-2400-x8", ("timing.t_refi_nck=2000",)),
}


@pytest.mark.parametrize("timing", BINDING)
def test_a_command_comes_as_soon_as_its_timing_allows_and_no_clock_sooner(timing: str) -> None:
    """With the timing one clock longer the same commands would be too early, and the memory's are not; those that come
    just in time, moved a clock ahead, are found too early."""
    name, with_ = BINDING[timing]
    device = device_of(name, *with_)
    bursts = shuffled(device, seed=1)
    _, log = memory_after(device, bursts)
    assert violations(log, sheet_of(device)) == []
    just_in_time = [text for text in violations(log, sheet_of(device, **{timing: 1})) if text.startswith(f"{timing}:")]
    assert just_in_time
    longer = device_of(name, *with_, f"timing.{timing}_nck={device.clocks(timing) + 1}")
    assert violations(memory_after(longer, bursts)[1], sheet_of(longer)) == []
    command = next(command for command in log if just_in_time[0].endswith(str(command)))
    ahead = [each._replace(clock=each.clock - 1) if each is command else each for each in log]
    assert any(text.startswith(f"{timing}:") for text in violations(ahead, sheet_of(device)))


def test_every_timing_has_a_boundary_test_or_one_of_its_own() -> None:
    elsewhere = {"t_cl", "t_cwl", "t_refi", "t_aad", "t_wckpst"}
    assert set(BINDING) | elsewhere == set(TIMINGS)


@pytest.mark.parametrize("mapping", MAPPINGS.values())
@pytest.mark.parametrize("name", COMMAND_DEVICES)
def test_no_device_does_anything_too_early(name: str, mapping: str) -> None:
    device = device_of(name, f"address_mapping={mapping}")
    for bursts in (shuffled(device, 2), shuffled(device, 3, rows=100), golden_bursts("seq_wr_64K", device.burst_bytes)):
        assert violations(memory_after(device, bursts)[1], sheet_of(device)) == []


def test_latency_is_the_first_timings_added_up() -> None:
    """ACT at clock 1, one after the burst was offered; RD and WR after tRCD; their data after tCL or tCWL."""
    device = device_of("ddr4-2400-x8")
    assert cycles(device, [("R", 0)]) == 1 + 17 + 17 + 4
    assert cycles(device, [("W", 0)]) == 1 + 17 + 12 + 4
    assert cycles(device_of("ddr4-2400-x8", "timing.t_cl_nck=20"), [("R", 0)]) == 1 + 17 + 20 + 4


def test_the_second_half_of_an_act_takes_the_first_free_clock() -> None:
    device = device_of("lpddr5-6400")
    _, log = memory_after(device, [("R", 0)])
    assert [(each.clock, each.name) for each in log] == [(1, "ACT"), (2, "ACT2"), (16, "CAS"), (17, "RD")]


def test_a_stopped_data_clock_takes_a_command_to_start() -> None:
    """It runs on for tWCKPST after data: a row that opens too late for that finds it stopped."""
    device = device_of("lpddr5-6400", "timing.t_wckpst_nck=1", "timing.t_rcd_nck=60")
    far = [("R", 0), ("R", 1 << 20)]
    late = [each.name for each in memory_after(device, far)[1]]
    assert late.count("CAS") == 2
    apart = [("R", row << 20) for row in range(40)]
    kept = device_of("lpddr5-6400", "timing.t_wckpst_nck=1000", "timing.t_rcd_nck=60")
    assert [each.name for each in memory_after(device, apart)[1]].count("CAS") > 30
    assert [each.name for each in memory_after(kept, apart)[1]].count("CAS") == 1


# Formulas.


def stream(count: int, step: int, direction: str = "R") -> list[Burst]:
    return [(direction, place * step) for place in range(count)]


NO_REFRESH = "timing.t_refi_nck=10000000"


def test_a_stream_over_bank_groups_takes_ccd_s_a_burst() -> None:
    device = device_of("ddr4-2400-x8", NO_REFRESH)
    assert cycles(device, stream(4000, 64)) - cycles(device, stream(2000, 64)) == pytest.approx(2000 * 4, rel=1e-3)


def test_a_stream_in_one_bank_group_takes_ccd_l_a_burst() -> None:
    device = device_of("ddr4-2400-x8", NO_REFRESH, "organisation.columns=131072")
    step = 64 * 4
    assert cycles(device, stream(4000, step)) - cycles(device, stream(2000, step)) == 2000 * 6


def test_random_rows_take_a_quarter_of_faw_each() -> None:
    """As no bank is busy for longer than the other activates take."""
    device = device_of("ddr4-2400-x8", NO_REFRESH, "timing.t_faw_nck=60")
    random_ = random.Random(7)
    bursts = [("R", random_.randrange(1 << 24) * 64) for _ in range(6000)]
    taken = cycles(device, bursts) - cycles(device, bursts[:2000])
    assert taken == pytest.approx(4000 * 60 / 4, rel=0.02)


def test_rows_of_one_bank_take_a_row_cycle_each() -> None:
    device = device_of("ddr4-2400-x8", NO_REFRESH, "timing.t_faw_nck=1")
    row = 64 * 128 * 4 * 4
    assert cycles(device, stream(400, row)) - cycles(device, stream(200, row)) == 200 * 56
    bank = 64 * 128 * 4
    turns = [("R", (place // 4) * row + (place % 4) * bank) for place in range(1600)]
    assert cycles(device, turns) - cycles(device, turns[:800]) == pytest.approx(800 * 56 / 4, rel=0.01)


def test_refresh_takes_its_share() -> None:
    """tRFC of every tREFI, and the row to be closed and opened again."""
    with_, without = device_of("ddr4-2400-x8"), device_of("ddr4-2400-x8", NO_REFRESH)
    bursts = stream(60000, 64)
    share = 1 - cycles(without, bursts) / cycles(with_, bursts)
    assert 420 / 9360 < share < (420 + 100) / 9360


def test_ranks_are_refreshed_together_or_one_after_another() -> None:
    both, apart = (
        [
            command
            for command in memory_after(device_of("ddr4-2400-x8", "organisation.ranks=2", refresh), stream(4000, 64))[1]
            if command.name == "REF"
        ]
        for refresh in ("refresh=together", "refresh=staggered")
    )
    assert [each.bank for each in both] == [0, 1]
    assert both[1].clock - both[0].clock < 30
    assert [each.bank for each in apart] == [0, 1, 0]
    assert apart[1].clock - apart[0].clock == pytest.approx(9360 / 2, abs=100)


def test_closed_pages_turn_conflicts_into_misses() -> None:
    """And leave a stream as it is."""
    random_ = random.Random(1)
    bursts = [("R", random_.randrange(1 << 24) * 64) for _ in range(500)]
    policies = ("page_policy=open", "page_policy=closed")
    one = "scheduler.queue_entries=1"
    open_, closed = (memory_after(device_of("ddr4-2400-x8", policy, one), bursts)[0].counts(0) for policy in policies)
    assert open_.row_conflicts > 400
    assert closed.row_conflicts < open_.row_conflicts / 2
    streams = [cycles(device_of("ddr4-2400-x8", policy), stream(4000, 64)) for policy in policies]
    assert streams[1] == pytest.approx(streams[0], rel=0.01)


def test_a_row_that_nobody_waits_for_is_closed_where_pages_are() -> None:
    device = device_of("ddr4-2400-x8", "page_policy=closed")
    log = memory_after(device, [("R", 0), ("R", 1 << 20)] * 40)[1]
    assert {"PRE"} < {each.name for each in log}
    assert violations(log, sheet_of(device)) == []


def test_more_channels_take_the_load_between_them() -> None:
    one, two = (device_of("ddr4-2400-x8", NO_REFRESH, f"organisation.channels={count}") for count in (1, 2))
    bursts = stream(8000, 64)
    assert cycles(two, bursts) == pytest.approx(cycles(one, bursts) / 2, rel=0.01)
    assert memory_after(two, bursts)[0].counts(0).reads == 8000


def test_a_waiting_write_answers_a_read_and_swallows_another_write() -> None:
    device = device_of("ddr4-2400-x8")
    blocking = [("R", row << 20) for row in range(1, 9)]
    memory, log = memory_after(device, [*blocking, ("W", 64), ("W", 64), ("R", 64)])
    assert memory.counts(memory.end).forwarded == 2
    assert [each.name for each in log if each.name in ("RD", "WR")].count("WR") == 1
    assert memory.counts(memory.end).reads == 8


def test_neighbouring_bursts_may_lie_in_different_rows() -> None:
    """Then each takes a row cycle of its bank, or its share of the activates."""
    device = device_of("ddr4-2400-x8", "address_mapping=column:bank:bankgroup:row", NO_REFRESH)
    bursts = stream(400, 64)
    memory, _ = memory_after(device, bursts)
    assert memory.counts(memory.end).row_hits == 0
    assert cycles(device, stream(400, 64)) - cycles(device, stream(200, 64)) == 200 * 56
    mixed = device_of("gddr6", "address_mapping=column:row:bank:bankgroup")
    assert violations(memory_after(mixed, bursts)[1], sheet_of(mixed)) == []


def test_addresses_beyond_the_last_row_wrap_around() -> None:
    device = device_of("ddr4-2400-x8")
    size = 1 << 33
    assert memory_after(device, [("R", 64)])[1] == memory_after(device, [("R", size + 64)])[1]


# The DMA engines.


def test_a_window_of_one_burst_makes_each_wait_for_the_one_before() -> None:
    """Round trip: a burst is seen a clock after it came, its data ends after tCL, and then the next is issued."""
    device = device_of("ddr4-2400-x8", NO_REFRESH, "organisation.columns=131072")
    trip, opened = 1 + 17 + 4, 17
    ends = {}
    for window in (1, 2):
        reports, _, _ = driven(device, 1200, window, ([Plan(0, (Descriptor(0, 1, 8 * 64 * 200, 0),))], []))
        served = reports[-1].completion
        assert served is not None
        ends[window] = served.done
    assert ends[1] == 200 * trip + 4 * opened
    assert ends[2] == pytest.approx(ends[1] / 2, rel=0.05)


def test_an_engine_issues_a_burst_each_array_clock() -> None:
    """Until the queue of 32 is full: so a transfer of 20 bursts is issued in 20 clocks, whatever DRAM does with it."""
    for clock in (1200, 600, 300):
        reports, _, _ = driven(device_of("ddr4-2400-x8"), clock, 64, ([Plan(5, (Descriptor(0, 20, 512, 512),))], []))
        assert [report.issued for report in reports if report.issued is not None] == [25]


def test_data_is_seen_at_the_next_array_clock() -> None:
    reports, _, _ = driven(device_of("ddr4-2400-x8"), 1000, 64, ([Plan(0, (Descriptor(0, 1, 512, 0),))], []))
    assert reports[-1].completion == (1, 33, 33)  # 39 clocks of 1200 MHz are 32.5 of 1000 MHz


def bursts_of(block: Block, size: int) -> list[int]:
    """The bursts of a block, as a requester makes them."""
    requester = Requester(0, 0, 1, (1, 1), 1, size)
    requester.map_by([0, 0, 0, 0], 1, [], [])
    requester.begin([0, *block], block.bursts(size), 0, 0)
    found = [requester.burst * size]
    for clock in range(1, block.bursts(size)):
        requester.entered(clock)
        found.append(requester.burst * size)
    return found


@given(
    st.integers(0, 5000), st.integers(1, 9), st.integers(1, 3000), st.integers(0, 4000), st.sampled_from([1, 32, 64])
)
def test_bursts_are_those_that_hold_the_rows(address: int, rows: int, bits: int, stride: int, size: int) -> None:
    blocks = blocks_of([Descriptor(address, rows, bits, stride)])
    found = [burst for block in blocks for burst in bursts_of(block, size)]
    wanted = []
    for row in range(rows):
        begin = address + row * stride
        wanted += sorted({bit // (8 * size) * size for bit in range(begin, begin + bits)})
    assert found == wanted
    assert len(found) == Descriptor(address, rows, bits, stride).bursts(size)
    assert len(found) == sum(block.bursts(size) for block in blocks)


@pytest.mark.parametrize("name", ["lpddr4-3200", "hbm2"])
def test_a_machine_counts_what_its_dram_did(name: str) -> None:
    _, network = load_network("mobilenet_v1_0.25_128")
    machine = machine_of(dram=device_of(name).model_dump(mode="json"))
    program = lower(network, machine).program
    counts = play(program, link(program), machine).dram_counts
    tiles = [command.tile for command in program.commands if isinstance(command, Load | Store)]
    bursts = sum(part.bursts(32) for tile in tiles for part in tile.descriptors)
    assert counts is not None
    assert counts.reads + counts.writes == bursts
    assert counts.row_hits > 0.8 * bursts
    assert counts.refreshes > 0


# Configuration.


@pytest.mark.parametrize(
    ("time_ns", "clock_mhz", "clocks"),
    [
        (350, 1200, 420),
        (14.16, 1200, 17),
        (12.5, 800, 10),
        (12.54, 800, 11),
        (12.53, 800, 10),
        (0, 800, 0),
        (0.1, 1e4, 1),
    ],
)
def test_times_become_clocks_by_jedecs_rule(time_ns: float, clock_mhz: float, clocks: int) -> None:
    """JESD79-4 section 13.5: rounded up, but for less than 2.6 % of a clock."""
    assert clocks_of(time_ns, clock_mhz) == clocks


def test_parts_of_an_address_are_as_the_mapping_says() -> None:
    device = device_of("ddr4-2400-x8", "organisation.channels=2", "address_mapping=row:bank:column:channel:bankgroup")
    places = AddressMap.of(device).places(np.array([0, 64, 256, 512, 512 * 128, 512 * 128 * 4, 512 * 128 * 4 + 64]))
    assert places.channel.tolist() == [0, 0, 1, 0, 0, 0, 0]
    assert places.bank.tolist() == [0, 4, 0, 0, 1, 0, 4]
    assert places.row.tolist() == [0, 0, 0, 0, 0, 1, 1]
    assert places.local.tolist() == [0, 1, 0, 4, 512, 2048, 2049]


@pytest.mark.parametrize("name", COMMAND_DEVICES)
def test_every_address_has_a_place_of_its_own(name: str) -> None:
    device = device_of(name, "organisation.rows=2", "organisation.channels=2")
    address_map = AddressMap.of(device)
    places = address_map.places(np.arange(address_map.size) * device.burst_bytes)
    assert len(set(zip(*(part.tolist() for part in (places.channel, places.local)), strict=True))) == len(places.row)


# The command.


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(words) == 0
    return capsys.readouterr().out


def test_the_command_plays_a_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = tmp_path / "trace.txt"
    trace.write_text("".join(f"R {hex(place * 64)}\n" if place % 2 else f"R {place * 64}\r\n" for place in range(1024)))
    found = json.loads(printed(capsys, "dram", "ddr4-2400-x8", str(trace), "--json"))
    assert found["cycles"] == 4131
    assert found["share_of_peak"] == pytest.approx(1024 * 4 / 4131)
    assert (found["row_hits"], found["row_misses"], found["row_conflicts"]) == (1016, 8, 0)
    assert found["energy_read_pj"] == pytest.approx(1024 * 2932.22)
    energies = [value for key, value in found.items() if key.startswith("energy_") and key != "energy_total_pj"]
    assert found["energy_total_pj"] == pytest.approx(sum(energies))
    mapping = ("--set", "dram.address_mapping=row:bank:bankgroup:column")
    page = json.loads(printed(capsys, "dram", "ddr4-2400-x8", str(trace), "--json", *mapping))
    assert page["cycles"] == 5365
    assert "cycles                4131\n" in printed(capsys, "dram", "ddr4-2400-x8", str(trace))


def test_a_trace_may_come_from_stdin(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(b"R 0x0\n\n W\t64"))
    monkeypatch.setattr("sys.stdin", stdin)
    assert json.loads(printed(capsys, "dram", "lpddr4-3200", "-", "--json"))["writes"] == 1


def test_what_is_printed_adds_up() -> None:
    device = device_of("lpddr4-3200")
    bursts = golden_bursts("triple_rand", device.burst_bytes)[:3000]
    found = play_trace(
        device, np.array([each[0] == "W" for each in bursts], dtype=np.int64), np.array([each[1] for each in bursts])
    )
    assert found["reads"] + found["writes"] + found["forwarded"] == 3000
    assert found["row_hits"] + found["row_misses"] + found["row_conflicts"] == found["reads"] + found["writes"]
    assert found["activates"] == found["row_misses"] + found["row_conflicts"]
    assert found["active_clocks"] <= found["cycles"]
