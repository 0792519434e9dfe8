"""Schema of a DRAM device."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Protocol

from pydantic import AfterValidator, Field

from accelsim.config.energy_table import Range
from accelsim.config.schema import Count, Name, NonNegativeNumber, Positive, PositiveNumber, Section, has_key
from accelsim.config.strict_yaml import KeyPath
from accelsim.units import clocks_of

TIMINGS: dict[str, str] = {
    "t_rcd": "ACT to RD or WR",
    "t_rcd_wr": "ACT to WR",
    "t_rp": "PRE to ACT or REF",
    "t_rp_all": "PRE of all banks to ACT",
    "t_rp_refresh": "PRE of one bank to REF",
    "t_ras": "ACT to PRE",
    "t_rc": "ACT to ACT of a bank",
    "t_cl": "RD to its first data",
    "t_cwl": "WR to its first data",
    "t_ccd_s": "RD to RD and WR to WR in another bank group",
    "t_ccd_l": "RD to RD and WR to WR in the same bank group",
    "t_ccd_l_wr": "WR to WR in the same bank group",
    "t_rrd_s": "ACT to ACT in another bank group",
    "t_rrd_l": "ACT to ACT in the same bank group",
    "t_faw": "window of at most four ACT",
    "t_rtp": "RD to PRE",
    "t_wr": "end of written data to PRE",
    "t_wtr_s": "end of written data to RD in another bank group",
    "t_wtr_l": "end of written data to RD in the same bank group",
    "t_turn": "idle data bus from read to written data",
    "t_rtrs": "idle data bus from data of one rank to that of another",
    "t_ppd": "PRE to PRE",
    "t_rfc": "REF to ACT",
    "t_refi": "REF to REF, on average",
    "t_aad": "first to second command of an ACT in two commands, at most",
    "t_wckpst": "data clock runs on after data; once stopped, the next RD or WR takes a command to start it",
}
_ZERO_UNLESS_GIVEN = ("t_rtrs", "t_ppd", "t_aad", "t_wckpst")
_AS_ANOTHER = {"t_rcd_wr": "t_rcd", "t_rp_all": "t_rp", "t_rp_refresh": "t_rp", "t_ccd_l_wr": "t_ccd_l"}
MOST_BANKS = 4096
"""Banks of a channel, over all ranks."""
MOST_BYTES = 1 << 48
MOST_CLOCKS = 1 << 28
"""Clocks between refreshes; all other timings are shorter."""
MAPPED = ("row", "bank", "bankgroup", "column", "rank", "pseudochannel", "channel")


def _timing_key(key: str) -> str:
    name, _, unit = key.rpartition("_")
    if name not in TIMINGS or unit not in ("ns", "nck"):
        raise ValueError("a timing such as t_rcd_ns or t_rcd_nck")
    return key


def _each_once(timing: dict[str, float]) -> dict[str, float]:
    for name in TIMINGS:
        given = [unit for unit in ("ns", "nck") if f"{name}_{unit}" in timing]
        if len(given) == 2:
            raise ValueError(f"{name}_ns or {name}_nck, got both")
        if not given and name not in _ZERO_UNLESS_GIVEN and name not in _AS_ANOTHER:
            raise ValueError(f"{name}_ns or {name}_nck, got neither")
    return timing


def _mapping(text: str) -> str:
    words = text.split(":")
    if set(words) - set(MAPPED) or len(words) != len(set(words)) or {"row", "bank", "column"} - set(words):
        raise ValueError("row, bank, column and, where there are several, bankgroup, each once, from high to low bits")
    return text


def _ideal_key(key: str) -> str:
    if not has_key(IdealDevice, key):
        raise ValueError("a key of the DRAM device")
    return key


def _command_key(key: str) -> str:
    if key.startswith("timing."):
        _timing_key(key.removeprefix("timing."))
    elif not has_key(CommandDevice, key):
        raise ValueError("a key of the DRAM device")
    return key


class IdealDevice(Section):
    """`kind: ideal`: a fixed latency and a number of bytes a DRAM clock, whatever the addresses."""

    device: Name = Field(description="name of the device file")
    kind: Literal["ideal"] = Field(description="which model of DRAM timing")
    clock_mhz: PositiveNumber = Field(description="DRAM clock")
    bytes_per_clock: PositiveNumber = Field(description="data bus: bytes a DRAM clock, reads and writes together")
    latency_clocks: Count = Field(description="DRAM clocks from the end of a transfer on the bus to its data seen")
    burst_bytes: Positive = Field(description="bytes of a burst, the least that moves")
    first_address: Count | None = Field(default=None, description="byte address of the first tensor; null: 0")
    sources: dict[Annotated[str, AfterValidator(_ideal_key)], str] = Field(
        default_factory=dict, description="source of each number, by key"
    )

    @property
    def streamed_bytes_per_clock(self) -> float:
        """Bytes that it moves in a clock on average."""
        return self.bytes_per_clock

    @property
    def queue_bursts(self) -> None:
        """None: it takes all requests."""


Few = Annotated[int, Field(gt=0, le=64)]
Many = Annotated[int, Field(gt=0, le=1 << 20)]


class Organisation(Section):
    """Parts of a channel. A column is as many bits as the data bus is wide."""

    channels: Few = Field(1, description="independent channels")
    ranks: Few = Field(1, description="ranks of a channel")
    pseudo_channels: Annotated[int, Field(gt=0, le=2)] = Field(1, description="data buses of a channel of HBM")
    bank_groups: Few = Field(description="bank groups of a rank")
    banks_per_group: Few = Field(description="banks of a bank group")
    rows: Many = Field(description="rows of a bank")
    columns: Many = Field(description="columns of a row")
    bus_width_bits: Annotated[int, Field(ge=8, le=1024, multiple_of=8)] = Field(description="data bus of a channel")
    burst_length: Annotated[int, Field(gt=0, le=64)] = Field(description="transfers of a burst")
    transfers_per_clock: Annotated[int, Field(gt=0, le=16)] = Field(description="transfers in a DRAM clock")


class CommandBus(Section):
    """The bus that brings commands to the device."""

    act_clocks: Annotated[int, Field(gt=0, le=4)] = Field(
        default=1, description="DRAM clocks of an ACT on the command bus"
    )
    access_clocks: Annotated[int, Field(gt=0, le=4)] = Field(
        default=1, description="DRAM clocks of a RD or WR on the command bus"
    )
    separate_row_bus: bool = Field(default=False, description="ACT, PRE and REF have a command bus of their own")


class Scheduler(Section):
    """FR-FCFS with row-hit protection: two queues, of which one is served at a time."""

    queue_entries: Annotated[int, Field(gt=0, le=1024)] = Field(default=32, description="bursts that each queue holds")
    write_high: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.8, description="writes are served when more than this part of their queue is in use, or no read waits"
    )
    write_low: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.2, description="reads are served again when less than this part of the write queue is in use"
    )
    write_answer: Literal["data", "command"] = Field(
        default="data", description="whether a write is answered when its data has passed or with its command"
    )


class CommandCounts(Protocol):
    """Counts that commands are priced from; clocks are those of all ranks, with a row open and in all."""

    @property
    def activates(self) -> int: ...
    @property
    def reads(self) -> int: ...
    @property
    def writes(self) -> int: ...
    @property
    def refreshes(self) -> int: ...
    @property
    def active_clocks(self) -> int: ...
    @property
    def rank_clocks(self) -> int: ...


class CommandEnergy(Section):
    """Energy of each command and power in between, of a whole rank."""

    activate_pj: NonNegativeNumber = Field(description="ACT and the PRE that follows it")
    read_pj: NonNegativeNumber = Field(description="RD")
    write_pj: NonNegativeNumber = Field(description="WR")
    refresh_pj: NonNegativeNumber = Field(description="REF of all banks")
    active_mw: NonNegativeNumber = Field(description="while a row of the rank is open")
    precharged_mw: NonNegativeNumber = Field(description="while none is")
    range: Range | None = Field(None, description="uncertainty of all of them together; null: taken as exact")

    def parts_pj(self, done: CommandCounts, clock_mhz: float) -> dict[str, float]:
        """Energy by command, and of the time in between."""
        idle_clocks = done.rank_clocks - done.active_clocks
        background_mw_clocks = self.active_mw * done.active_clocks + self.precharged_mw * idle_clocks
        return {
            "activate": self.activate_pj * done.activates,
            "read": self.read_pj * done.reads,
            "write": self.write_pj * done.writes,
            "refresh": self.refresh_pj * done.refreshes,
            "background": background_mw_clocks * 1000 / clock_mhz,
        }


class CommandDevice(Section):
    """`kind: command`: banks and rows, and every command with its timings."""

    device: Name = Field(description="name of the device file")
    kind: Literal["command"] = Field(description="which model of DRAM timing")
    clock_mhz: PositiveNumber = Field(description="DRAM clock, that of the commands")
    first_address: Count | None = Field(default=None, description="byte address of the first tensor; null: 0")
    organisation: Organisation = Field(description="channels, banks and rows")
    timing: Annotated[
        dict[Annotated[str, AfterValidator(_timing_key)], NonNegativeNumber], AfterValidator(_each_once)
    ] = Field(description="each timing in ns or DRAM clocks, as the data sheet has it")
    command_bus: CommandBus = Field(CommandBus(), description="how commands reach the device")
    address_mapping: Annotated[str, AfterValidator(_mapping)] = Field(description="parts of an address, high to low")
    page_policy: Literal["open", "closed"] = Field(
        "open", description="closed: rows that no burst waits for are closed"
    )
    refresh: Literal["together", "staggered"] = Field("together", description="ranks all at once, or one after another")
    scheduler: Scheduler = Field(Scheduler(), description="queues of the controller")
    energy: CommandEnergy = Field(description="energy of each command, and power in between")
    sources: dict[Annotated[str, AfterValidator(_command_key)], str] = Field(
        default_factory=dict, description="source of each number, by key or section"
    )

    def clocks(self, name: str) -> int:
        """A timing of `TIMINGS` in clocks."""
        if f"{name}_nck" in self.timing:
            return int(self.timing[f"{name}_nck"])
        if f"{name}_ns" in self.timing:
            return clocks_of(self.timing[f"{name}_ns"], self.clock_mhz)
        return self.clocks(_AS_ANOTHER[name]) if name in _AS_ANOTHER else 0

    @property
    def burst_bytes(self) -> int:
        """Bytes of a burst."""
        return self.organisation.bus_width_bits // 8 * self.organisation.burst_length

    @property
    def burst_clocks(self) -> int:
        """Clocks that a burst takes on the data bus."""
        return self.organisation.burst_length // self.organisation.transfers_per_clock

    @property
    def bytes_per_clock(self) -> float:
        """Bytes that all data buses can move in a clock."""
        buses = self.organisation.channels * self.organisation.pseudo_channels
        return buses * self.burst_bytes / self.burst_clocks

    @property
    def streamed_bytes_per_clock(self) -> float:
        """Bytes that they move in a clock on average, refreshes included."""
        refresh = self.clocks("t_rp_refresh") + self.clocks("t_rfc")
        return self.bytes_per_clock * (1 - refresh / self.clocks("t_refi"))

    @property
    def queue_bursts(self) -> int:
        """Reads that wait in the queues of all channels at most."""
        return self.scheduler.queue_entries * self.organisation.channels * self.organisation.pseudo_channels

    @property
    def latency_clocks(self) -> int:
        """Clocks from ACT to data: what a single burst waits for."""
        return self.clocks("t_rcd") + self.clocks("t_cl")


DramDevice = Annotated[IdealDevice | CommandDevice, Field(discriminator="kind")]


def broken_rules(device: IdealDevice | CommandDevice) -> Iterator[tuple[KeyPath, str, str]]:
    """(key, expected, got) of values that are fine alone and not together."""
    if isinstance(device, IdealDevice):
        return
    parts, words = device.organisation, device.address_mapping.split(":")
    if parts.bank_groups > 1 and "bankgroup" not in words:
        yield ("address_mapping",), "bankgroup among the words, as there are several", repr(device.address_mapping)
    if parts.ranks > 1 and parts.pseudo_channels > 1:
        yield ("organisation", "ranks"), "1 where there are pseudo channels", str(parts.ranks)
    if parts.burst_length % parts.transfers_per_clock:
        expected = f"a multiple of transfers_per_clock, which is {parts.transfers_per_clock}"
        yield ("organisation", "burst_length"), expected, str(parts.burst_length)
    if parts.columns % parts.burst_length:
        expected = f"a multiple of burst_length, which is {parts.burst_length}"
        yield ("organisation", "columns"), expected, str(parts.columns)
    if device.scheduler.write_low > device.scheduler.write_high:
        yield (
            ("scheduler", "write_low"),
            f"at most write_high, {device.scheduler.write_high}",
            str(device.scheduler.write_low),
        )
    for key, value in device.timing.items():
        if key.endswith("_nck") and value != int(value):
            yield ("timing", key), "a whole number of DRAM clocks", str(value)
    yield from _broken_sizes(parts)
    yield from _broken_refresh(device)
    if min(device.clocks("t_rcd"), device.clocks("t_rcd_wr")) <= device.clocks("t_aad"):
        yield ("timing",), "t_rcd and t_rcd_wr above t_aad", "a row accessed before it is open"


def _broken_sizes(parts: Organisation) -> Iterator[tuple[KeyPath, str, str]]:
    banks = parts.ranks * parts.pseudo_channels * parts.bank_groups * parts.banks_per_group
    if banks > MOST_BANKS:
        yield ("organisation",), f"at most {MOST_BANKS} banks in a channel", str(banks)
    size = parts.channels * banks * parts.rows * parts.columns * parts.bus_width_bits // 8
    if size > MOST_BYTES:
        yield ("organisation",), "at most 2^48 bytes in all", str(size)


def _broken_refresh(device: CommandDevice) -> Iterator[tuple[KeyPath, str, str]]:
    """Time for work between refreshes, which is there where all other timings together are shorter."""
    interval = device.clocks("t_refi")
    names = {key.rpartition("_")[0] for key in device.timing} - {"t_refi"}
    others = sum(device.clocks(name) for name in names) + device.organisation.ranks
    if interval <= others:
        yield (
            ("timing",),
            f"t_refi above all other timings together, which take {others} DRAM clocks",
            f"{interval} DRAM clocks",
        )
    elif interval > MOST_CLOCKS:
        yield ("timing",), f"t_refi of at most {MOST_CLOCKS} DRAM clocks", f"{interval} DRAM clocks"
