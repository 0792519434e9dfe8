"""Schema of an energy table: actions times energy, a source per row."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from accelsim.config.schema import Name, NonNegativeNumber, Positive, PositiveNumber, Section
from accelsim.errors import shorten

SourceText = Annotated[str, Field(min_length=1, max_length=1000)]
_ASSUMED = re.compile(r"\s*(assumed|unverified)\b", re.IGNORECASE)


def is_assumed(source: str) -> bool:
    """Whether a source begins with the word `assumed`, or `unverified` (from memory): there is nothing to look up."""
    return _ASSUMED.match(source) is not None


class Action(Section):
    """Energy of one action."""

    energy_pj: NonNegativeNumber
    source: SourceText


class StaticPower(Section):
    """Leakage of the chip, in proportion to its SRAM."""

    power_mw_per_kib: NonNegativeNumber
    source: SourceText


class PortCurve(Section):
    """Energy of a word against capacity, for one width of the port."""

    port_bytes: Positive
    capacity_bytes: Annotated[list[Positive], Field(min_length=1, max_length=100)] = Field(description="ascending")
    read_pj: Annotated[list[PositiveNumber], Field(max_length=100)] = Field(description="at each capacity")
    write_pj: Annotated[list[PositiveNumber], Field(max_length=100)] = Field(description="at each capacity")

    @model_validator(mode="after")
    def _is_a_curve(self) -> PortCurve:
        lengths = [len(self.capacity_bytes), len(self.read_pj), len(self.write_pj)]
        if len(set(lengths)) > 1:
            raise ValueError(f"as many read_pj and write_pj as capacity_bytes, got {', '.join(map(str, lengths))}")
        if self.capacity_bytes != sorted(set(self.capacity_bytes)):
            raise ValueError(f"ascending capacity_bytes, got {shorten(self.capacity_bytes)}")
        return self


class SramWord(Section):
    """Energy of a word of a buffer's port, by capacity and width of the port (accelsim/energy/sram.py)."""

    source: SourceText
    curves: Annotated[list[PortCurve], Field(min_length=1, max_length=100)] = Field(description="by ascending width")

    @model_validator(mode="after")
    def _ascends(self) -> SramWord:
        widths = [curve.port_bytes for curve in self.curves]
        if widths != sorted(set(widths)):
            raise ValueError(f"curves of ascending port_bytes, got {shorten(widths)}")
        return self


class EnergyTable(Section):
    """Energy per action."""

    table: Name = Field(description="name of the table file")
    technology_nm: PositiveNumber = Field(description="technology node the numbers stand for")
    multiply_8x8: Action = Field(description="8 x 8 bit multiply; other widths in proportion to the product of bits")
    add_32: Action = Field(description="32-bit accumulate; other widths in proportion to the bits")
    xnor: Action = Field(description="product of two signs")
    register_byte: Action = Field(description="a byte moved one PE on")
    vector_op: Action = Field(description="an operation of the vector unit")
    sram_byte: Action = Field(description="a byte of the SRAM that DRAM is compared with, and of any if no sram_word")
    sram_word: SramWord | None = Field(None, description="a word of a buffer, by capacity and width; null: sram_byte")
    dram_byte: Action = Field(description="a byte of a DRAM burst")
    dram_by: Literal["byte", "command"] = Field(
        "byte", description="what DRAM is priced by: dram_byte, or the commands of a device of kind command"
    )
    static: StaticPower = Field(description="static power, over wall time")
