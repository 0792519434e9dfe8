"""Schema of a DRAM device."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from accelsim.config.schema import Count, Name, Positive, PositiveNumber, Section, has_key


def _source_key(key: str) -> str:
    if not has_key(DramDevice, key):
        raise ValueError("a key of the DRAM device")
    return key


class DramDevice(Section):
    """`kind: ideal`: a fixed latency and so many bytes a clock, whatever the addresses."""

    device: Name = Field(description="name of the device file")
    kind: Literal["ideal"] = Field(description="which model of DRAM timing")
    clock_mhz: PositiveNumber = Field(description="DRAM clock")
    bytes_per_clock: PositiveNumber = Field(description="data bus: bytes a DRAM clock, reads and writes together")
    latency_clocks: Count = Field(description="DRAM clocks from the end of a transfer on the bus to its data seen")
    burst_bytes: Positive = Field(description="bytes of a burst, the least that moves")
    sources: dict[Annotated[str, AfterValidator(_source_key)], str] = Field(
        default_factory=dict, description="source of each number, by key"
    )
