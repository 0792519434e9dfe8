"""Schema of an energy table: actions times energy, a source per row."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from accelsim.config.schema import Name, NonNegativeNumber, PositiveNumber, Section

SourceText = Annotated[str, Field(min_length=1, max_length=1000)]


class Action(Section):
    """Energy of one action."""

    energy_pj: NonNegativeNumber
    source: SourceText


class StaticPower(Section):
    """Leakage of the chip, in proportion to its SRAM."""

    power_mw_per_kib: NonNegativeNumber
    source: SourceText


class EnergyTable(Section):
    """Energy per action; the SRAM row is also the reference for what DRAM costs more."""

    table: Name = Field(description="name of the table file")
    technology_nm: PositiveNumber = Field(description="technology node the numbers stand for")
    multiply_8x8: Action = Field(description="8 x 8 bit multiply; other widths in proportion to the product of bits")
    add_32: Action = Field(description="32-bit accumulate; other widths in proportion to the bits")
    register_byte: Action = Field(description="a byte moved one PE on")
    vector_op: Action = Field(description="an operation of the vector unit")
    sram_byte: Action = Field(description="a byte read from or written to SRAM")
    dram_byte: Action = Field(description="a byte of a DRAM burst")
    static: StaticPower = Field(description="static power, over wall time")
