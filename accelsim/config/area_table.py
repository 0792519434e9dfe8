"""Schema of an area table: sizes of what a machine is made of, a source per row."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from accelsim.config.energy_table import NodeNm, SourceText
from accelsim.config.schema import Name, NonNegativeNumber, Positive, PositiveNumber, Section
from accelsim.errors import shorten


class Size(Section):
    """Area of one of these."""

    area_um2: NonNegativeNumber = Field(description="area of one")
    source: SourceText


class Share(Section):
    """Part of a whole."""

    share: Annotated[float, Field(gt=0, le=1)] = Field(description="part of the whole")
    source: SourceText


class SramArea(Section):
    """Area of an SRAM with a read and a write port, by capacity; between the points as accelsim/area/curves.py says."""

    source: SourceText
    port_bytes: Positive = Field(description="widest port of one; several lie side by side for a wider one")
    capacity_bytes: Annotated[list[Positive], Field(min_length=1, max_length=100)] = Field(description="ascending")
    area_mm2: Annotated[list[PositiveNumber], Field(max_length=100)] = Field(description="at each capacity")

    @model_validator(mode="after")
    def _is_a_curve(self) -> SramArea:
        if len(self.area_mm2) != len(self.capacity_bytes):
            raise ValueError(f"as many area_mm2 as capacity_bytes, got {len(self.area_mm2)}")
        if self.capacity_bytes != sorted(set(self.capacity_bytes)):
            raise ValueError(f"ascending capacity_bytes, got {shorten(self.capacity_bytes)}")
        return self


class AreaTable(Section):
    """Area of each part."""

    table: Name = Field(description="name of the table file")
    technology_nm: PositiveNumber = Field(description="technology node the numbers stand for")
    scaled_to_nm: NodeNm | None = Field(
        None, description="node that areas are scaled to, by Stillmaker and Baas; null: none"
    )
    multiplier_8x8: Size = Field(description="8 x 8 bit multiplier; other widths in proportion to the product of bits")
    adder_32: Size = Field(description="32-bit adder; other widths in proportion to the bits")
    register_bit: Size = Field(description="a flip-flop")
    cells: Share = Field(description="part of a block of logic that its cells fill")
    sram: SramArea = Field(description="a buffer that is read and written at once")
    dram_bit: Size = Field(description="interface of a bit of the DRAM's data bus, at any node")
