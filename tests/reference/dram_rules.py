"""Rules of a DRAM's data sheet, written down apart from the simulator: slow and obvious.

A log of commands is looked through pair by pair. Times of a data sheet run from the last clock of a command to the last
of the next; data is looked at as the clocks in which it is on the bus.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

CLOSED = -1


class Command(NamedTuple):
    """A command of the simulator's log; bank is a rank for PREA and REF."""

    clock: int
    name: str
    bank: int
    row: int


@dataclass(frozen=True)
class Sheet:
    """A data sheet in clocks."""

    times: Mapping[str, int]
    burst: int
    groups: int
    banks_per_group: int
    separate_data_buses: bool = False
    separate_row_bus: bool = False
    act_clocks: int = 1
    access_clocks: int = 1

    def clocks_of(self, name: str) -> int:
        """On the command bus."""
        return {"ACT": self.act_clocks, "RD": self.access_clocks, "WR": self.access_clocks}.get(name, 1)

    def rank(self, command: Command) -> int:
        if command.name in ("PREA", "REF"):
            return command.bank
        return command.bank // (self.groups * self.banks_per_group)

    def group(self, command: Command) -> int:
        return command.bank // self.banks_per_group


class Rule(NamedTuple):
    """`second` comes no earlier than `clocks` after `first`, where both are in the same `where`."""

    name: str
    first: str
    second: str
    where: str
    clocks: int


def rules(sheet: Sheet) -> list[Rule]:
    """All rules between two commands."""
    t, burst = sheet.times, sheet.burst
    read_data, written = t["t_cl"] + burst, t["t_cwl"] + burst
    return [
        Rule("t_rcd", "ACT", "RD", "bank", t["t_rcd"]),
        Rule("t_rcd_wr", "ACT", "WR", "bank", t["t_rcd_wr"]),
        Rule("t_ras", "ACT", "PRE", "bank", t["t_ras"]),
        Rule("t_ras", "ACT", "PREA", "rank", t["t_ras"]),
        Rule("t_rc", "ACT", "ACT", "bank", t["t_rc"]),
        Rule("t_rc", "ACT", "REF", "rank", t["t_rc"]),
        Rule("t_rp", "PRE", "ACT", "bank", t["t_rp"]),
        Rule("t_rp_all", "PREA", "ACT", "rank", t["t_rp_all"]),
        Rule("t_rp", "PREA", "REF", "rank", t["t_rp"]),
        Rule("t_rp_refresh", "PRE", "REF", "rank", t["t_rp_refresh"]),
        Rule("t_rrd_s", "ACT", "ACT", "rank", t["t_rrd_s"]),
        Rule("t_rrd_l", "ACT", "ACT", "group", t["t_rrd_l"]),
        Rule("t_ccd_s", "RD", "RD", "rank", t["t_ccd_s"]),
        Rule("t_ccd_s", "WR", "WR", "rank", t["t_ccd_s"]),
        Rule("t_ccd_l", "RD", "RD", "group", t["t_ccd_l"]),
        Rule("t_ccd_l_wr", "WR", "WR", "group", t["t_ccd_l_wr"]),
        Rule("t_rtp", "RD", "PRE", "bank", t["t_rtp"]),
        Rule("t_rtp", "RD", "PREA", "rank", t["t_rtp"]),
        Rule("t_wr", "WR", "PRE", "bank", written + t["t_wr"]),
        Rule("t_wr", "WR", "PREA", "rank", written + t["t_wr"]),
        Rule("t_wtr_s", "WR", "RD", "rank", written + t["t_wtr_s"]),
        Rule("t_wtr_l", "WR", "RD", "group", written + t["t_wtr_l"]),
        Rule("t_turn", "RD", "WR", "rank", read_data + t["t_turn"] - t["t_cwl"]),
        Rule("t_ppd", "PRE", "PRE", "rank", t["t_ppd"]),
        Rule("t_ppd", "PRE", "PREA", "rank", t["t_ppd"]),
        Rule("t_rfc", "REF", "ACT", "rank", t["t_rfc"]),
        Rule("t_rfc", "REF", "REF", "rank", t["t_rfc"]),
    ]


def violations(log: Sequence[Command], sheet: Sheet) -> list[str]:
    """Everything that the log does too early, or to a bank in the wrong state."""
    log = sorted(log, key=lambda command: command.clock)
    return [
        *_pairs(log, sheet),
        *_four_acts(log, sheet),
        *_states(log, sheet),
        *_command_bus(log, sheet),
        *_data_bus(log, sheet),
        *_refreshes(log, sheet),
        *_halves(log, sheet),
        *_data_clock(log, sheet),
    ]


def _pairs(log: Sequence[Command], sheet: Sheet) -> Iterator[str]:
    place = {"bank": lambda command: command.bank, "group": sheet.group, "rank": sheet.rank}
    for rule in rules(sheet):
        seen: dict[int, int] = {}
        for command in log:
            end = command.clock + sheet.clocks_of(command.name) - 1
            where = place[rule.where](command)
            if command.name == rule.second and where in seen and end < seen[where] + rule.clocks:
                yield f"{rule.name}: {rule.first} at {seen[where]}, {command}"
            if command.name == rule.first:
                seen[where] = end


def _four_acts(log: Sequence[Command], sheet: Sheet) -> Iterator[str]:
    acts: dict[int, list[int]] = {}
    for command in log:
        if command.name == "ACT":
            times = acts.setdefault(sheet.rank(command), [])
            if len(times) >= 4 and command.clock < times[-4] + sheet.times["t_faw"]:
                yield f"t_faw: {times[-4]}, {command}"
            times.append(command.clock)


def _states(log: Sequence[Command], sheet: Sheet) -> Iterator[str]:
    rows: dict[int, int] = {}
    per_rank = sheet.groups * sheet.banks_per_group
    for command in log:
        row = rows.get(command.bank, CLOSED)
        if command.name == "ACT":
            if row != CLOSED:
                yield f"open: {command}"
            rows[command.bank] = command.row
        elif command.name in ("RD", "WR") and row != command.row:
            yield f"row {row}: {command}"
        elif command.name == "PRE":
            rows[command.bank] = CLOSED
        elif command.name == "PREA":
            rows |= dict.fromkeys(range(command.bank * per_rank, (command.bank + 1) * per_rank), CLOSED)
        elif command.name == "REF":
            banks = range(command.bank * per_rank, (command.bank + 1) * per_rank)
            if any(rows.get(bank, CLOSED) != CLOSED for bank in banks):
                yield f"open: {command}"


def _command_bus(log: Sequence[Command], sheet: Sheet) -> Iterator[str]:
    free: dict[bool, int] = {}
    for command in log:
        bus = sheet.separate_row_bus and command.name in ("RD", "WR")
        if command.clock < free.get(bus, 0):
            yield f"command bus: {command}"
        free[bus] = command.clock + sheet.clocks_of(command.name)


def _data_bus(log: Sequence[Command], sheet: Sheet) -> Iterator[str]:
    """Bursts do not overlap, and there is a gap between those of two ranks."""
    bursts: dict[int, list[tuple[int, Command]]] = {}
    for command in log:
        if command.name in ("RD", "WR"):
            begin = command.clock + sheet.times["t_cl" if command.name == "RD" else "t_cwl"]
            bursts.setdefault(sheet.rank(command) if sheet.separate_data_buses else 0, []).append((begin, command))
    for bus in bursts.values():
        bus.sort()
        for (first, one), (second, other) in pairwise(bus):
            changes = sheet.rank(one) != sheet.rank(other) and not one.name == other.name == "WR"
            if second < first + sheet.burst + (sheet.times["t_rtrs"] if changes else 0):
                yield f"{'t_rtrs' if changes else 'data bus'}: {one}, {other}"


def _refreshes(log: Sequence[Command], sheet: Sheet) -> Iterator[str]:
    """None is an interval late."""
    last: dict[int, int] = {}
    for command in log:
        rank = sheet.rank(command)
        if command.clock > last.get(rank, 0) + 2 * sheet.times["t_refi"]:
            yield f"t_refi: {command}"
        if command.name == "REF":
            last[rank] = command.clock


def _halves(log: Sequence[Command], sheet: Sheet) -> Iterator[str]:
    """Faults of ACTs in two halves: the second follows in time and no other ACT comes between."""
    half: Command | None = None
    for command in log if sheet.times["t_aad"] else ():
        if command.name == "ACT2":
            if half is None or half.bank != command.bank or command.clock > half.clock + sheet.times["t_aad"]:
                yield f"t_aad: {half}, {command}"
            half = None
        elif half is not None and (command.name == "ACT" or command.bank == half.bank):
            yield f"half open: {half}, {command}"
        if command.name == "ACT":
            half = command


def _data_clock(log: Sequence[Command], sheet: Sheet) -> Iterator[str]:
    """Faults of a data clock that stops: a CAS right before a burst starts it."""
    runs, started = 0, -1
    for command in log if sheet.times["t_wckpst"] else ():
        if command.name == "CAS":
            started = command.clock
        elif command.name in ("RD", "WR"):
            if command.clock >= runs and started != command.clock - 1:
                yield f"t_wckpst: {command}"
            latency = sheet.times["t_cl" if command.name == "RD" else "t_cwl"]
            runs = command.clock + latency + sheet.burst + sheet.times["t_wckpst"]
