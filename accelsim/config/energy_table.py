"""Schema of an energy table: actions times energy, a source per row."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from accelsim.config.schema import Name, NonNegativeNumber, Positive, PositiveNumber, Section
from accelsim.errors import shorten

SourceText = Annotated[
    str, Field(min_length=1, max_length=1000, description="where the number is from; `assumed: ...` where it is ours")
]
NodeNm = Annotated[float, Field(ge=7, le=130, allow_inf_nan=False)]
"""Technology nodes between which the scaling of accelsim/area/nodes.py holds."""
Volts = Annotated[float, Field(ge=0.5, le=1.3, allow_inf_nan=False)]
_ASSUMED = re.compile(r"\s*(assumed|unverified)\b", re.IGNORECASE)


def is_assumed(source: str) -> bool:
    """True where a source begins with the word `assumed`, or `unverified` (from memory): nothing to look up."""
    return _ASSUMED.match(source) is not None


class Range(Section):
    """Uncertainty of a price, which lies between `low` and `high` times what the table says."""

    low: Annotated[float, Field(ge=0, le=1)] = Field(description="least price, over the table's")
    high: Annotated[float, Field(ge=1, le=1000, allow_inf_nan=False)] = Field(
        description="highest price, over the table's"
    )
    source: SourceText


class Action(Section):
    """Energy of one action."""

    energy_pj: NonNegativeNumber = Field(description="energy of one")
    source: SourceText
    range: Range | None = Field(None, description="uncertainty; null: the price is taken as exact")


class StaticPower(Section):
    """Leakage of the SRAM, in proportion to its capacity."""

    power_mw_per_kib: NonNegativeNumber = Field(description="power of a KiB")
    source: SourceText
    range: Range | None = Field(None, description="uncertainty; null: the price is taken as exact")


class LogicLeakage(Section):
    """Leakage of logic, in proportion to its area."""

    power_mw_per_mm2: NonNegativeNumber = Field(description="power of a square millimetre of cells")
    source: SourceText
    range: Range | None = Field(None, description="uncertainty; null: the power is taken as exact")


class PortCurve(Section):
    """Energy of a word against capacity, for one width of the port."""

    port_bytes: Positive = Field(description="width of the port, a word")
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
    range: Range | None = Field(None, description="uncertainty; null: the price is taken as exact")
    curves: Annotated[list[PortCurve], Field(min_length=1, max_length=100)] = Field(description="by ascending width")

    @model_validator(mode="after")
    def _ascends(self) -> SramWord:
        widths = [curve.port_bytes for curve in self.curves]
        if widths != sorted(set(widths)):
            raise ValueError(f"curves of ascending port_bytes, got {shorten(widths)}")
        return self


Process = Literal["hp", "lp"]
"""High performance or low power; at 65 nm and above the paper of `accelsim.area.nodes` has one process."""


class Node(Section):
    """Technology that prices of logic and SRAM are scaled to (accelsim/area/nodes.py)."""

    node_nm: NodeNm = Field(description="technology node")
    supply_v: Volts = Field(description="supply voltage")
    process: Process = Field("hp", description="high performance or low power; alike at 65 nm and above")
    source: SourceText


class EnergyTable(Section):
    """Energy per action, and power over time. A row that is null has no price: totals name it as not priced."""

    table: Name = Field(description="name of the table file")
    technology_nm: PositiveNumber = Field(description="technology node the numbers stand for")
    supply_v: Volts | None = Field(None, description="supply voltage the numbers stand for")
    scaled_to: Node | None = Field(
        None, description="node that all but DRAM and leakage are scaled to, by Stillmaker and Baas; null: none"
    )
    multiply_8x8: Action = Field(description="8 x 8 bit multiply; other widths in proportion to the product of bits")
    add_32: Action = Field(description="32-bit accumulate; other widths in proportion to the bits")
    xnor: Action = Field(description="product of two signs")
    register_byte: Action = Field(description="a byte latched by a register of a PE: moved one PE on, or accumulated")
    vector_op: Action = Field(description="an operation of the vector unit")
    sram_byte: Action = Field(description="a byte of the SRAM that DRAM is compared with, and of any if no sram_word")
    sram_word: SramWord | None = Field(None, description="a word of a buffer, by capacity and width; null: sram_byte")
    wire_byte_mm: Action | None = Field(
        None, description="a byte over a millimetre, from or to a buffer; needs an area table"
    )
    noc_byte: Action | None = Field(None, description="on-chip network: a byte from or to a buffer, but DMA's")
    dma_descriptor: Action | None = Field(None, description="a descriptor fetched and set up")
    dma_byte: Action | None = Field(None, description="a byte of a DRAM burst through a DMA engine")
    codec_byte: Action | None = Field(
        None, description="a plain byte through a decoder of weights or a codec of maps, either way"
    )
    clock_bit: Action | None = Field(None, description="clock tree: a cycle of a register bit, gated or not")
    control_clock: Action | None = Field(None, description="sequencers: a cycle")
    dram_byte: Action = Field(description="a byte of a DRAM burst")
    dram_by: Literal["auto", "byte", "command"] = Field(
        "auto",
        description="what DRAM is priced by: dram_byte, or the commands of a device of kind command; auto: commands "
        "where the device has them",
    )
    dram_interface_byte: Action | None = Field(None, description="a byte of a DRAM burst through the chip's PHY")
    static: StaticPower = Field(description="leakage of the SRAM, over wall time")
    logic_leakage: LogicLeakage | None = Field(
        None, description="leakage of PEs and vector unit, over wall time; needs an area table"
    )
