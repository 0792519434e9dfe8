"""Schema of the compiler's options and of a mapping file, which holds them apart from any machine."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from accelsim.config.machine import Machine
from accelsim.config.plan import Plan
from accelsim.config.schema import Section

Objective = Literal["cycles", "energy", "edp", "dram_bytes"]
Arbitration = Literal["arrival", "program_order"]
ComputeAfter = Literal["loads", "first_block"]


class Scheduling(Section):
    """Options of the compiler: how layers are tiled, what stays on chip, and who goes first."""

    objective: Objective = Field(default="cycles", description="what tile sizes, loop order and dataflow keep small")
    arbitration: Arbitration = Field(default="arrival", description="order in which DRAM serves the DMA engines")
    slots: Annotated[int, Field(ge=1, le=64)] | None = Field(
        default=None,
        description="tile iterations on chip at once: the loads of one wait until that many before it are computed and "
        "stored; null: as many as there is space",
    )
    compute_after: ComputeAfter = Field(
        default="first_block",
        description="what the array waits for before a tile iteration begins: all its operands, or those that stay in "
        "its PEs alone, behind which the others may still come",
    )
    inferences: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=1, description="images, or batches, one after the other; weights that fit stay from one to the next"
    )
    keep_activations: Literal["auto", "never"] = Field(
        default="auto", description="whether maps may stay on chip from one layer to the next"
    )
    fusion: Literal["auto", "never"] = Field(
        default="auto",
        description="whether layers run depth-first, stripe by stripe, where feature maps may stay",
    )
    plan: Plan | None = Field(default=None, description="choices that are made already")


class Mapping(Section):
    """Options that put networks on a machine, in a file of its own. Its keys win over those of the machine's file."""

    description: str = Field("", description="a sentence for readers")
    scheduling: Scheduling = Field(Scheduling(), description="options of the compiler")


class Target(NamedTuple):
    """A machine, and the compiler's options for it."""

    machine: Machine
    scheduling: Scheduling = Scheduling()
