"""Kinds of units of a machine, a row each: what compiler, machine and reports ask of one (docs/extend.md).

How many clocks a unit takes is not here. A Compute brings its own, which `accelsim.network.units` works out; those of a
transfer are the memory's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, eq=False)
class UnitKind:
    """A kind of unit; there is one of each, also in another process.

    name: of its instance, with a number behind it where a machine has several; `NAME_cycles` are the clocks in which
    they work. title: in tables and pictures. executes: `load` or `store`, transfers of tiles; `folds`, Computes with a
    chain of folds, or `pieces`, those with clocks of their own. instances: key of a machine file that holds their
    number, or that is null where there is none; empty where there always is one. busy: meaning of `NAME_cycles`, where
    it is not that the unit works.
    """

    name: str
    title: str
    executes: Literal["load", "store", "folds", "pieces"]
    instances: str = ""
    busy: str = ""

    def __reduce__(self) -> tuple[object, ...]:
        return kind_named, (self.name,)

    @property
    def moves_tiles(self) -> bool:
        """True where it executes Loads or Stores."""
        return self.executes in ("load", "store")

    @property
    def stores(self) -> bool:
        """True where it executes Stores."""
        return self.executes == "store"

    @property
    def folds(self) -> bool:
        """True where it executes chains of folds."""
        return self.executes == "folds"

    @property
    def command(self) -> str:
        """Name of its commands."""
        return self.executes if self.moves_tiles else "compute"


DMA_IN = UnitKind(
    "dma_in",
    "DMA in",
    executes="load",
    instances="dma.engines_in",
    busy="DMA engines for loads set up, issue, or wait with all bursts in flight; summed over engines",
)
ARRAY = UnitKind("array", "array", executes="folds")
VECTOR = UnitKind("vector", "vector unit", executes="pieces")
DEPTHWISE = UnitKind("depthwise", "depthwise engine", executes="pieces", instances="depthwise")
DMA_OUT = UnitKind(
    "dma_out",
    "DMA out",
    executes="store",
    instances="dma.engines_out",
    busy="the same of the DMA engines for stores",
)

UNIT_KINDS: dict[str, UnitKind] = {kind.name: kind for kind in (DMA_IN, ARRAY, VECTOR, DEPTHWISE, DMA_OUT)}
"""All kinds, by name, in the order in which timelines show them."""


def kind_named(name: str) -> UnitKind:
    """The kind of a name."""
    return UNIT_KINDS[name]


def kinds_for_pieces() -> tuple[UnitKind, ...]:
    """The kinds that work on pieces; the array may wait for each."""
    return tuple(kind for kind in UNIT_KINDS.values() if kind.executes == "pieces")


def kinds_for_transfers() -> tuple[UnitKind, ...]:
    """The kinds that move tiles."""
    return tuple(kind for kind in UNIT_KINDS.values() if kind.moves_tiles)


def title_of_unit(name: str) -> str:
    """An instance of a unit, as pictures and tracks name it."""
    if name in UNIT_KINDS:
        return UNIT_KINDS[name].title
    kind, _, number = name.rpartition("_")
    return f"{UNIT_KINDS[kind].title} {number}"
