"""Records of a run: integer counts of actions, cycles and their causes, and energy. Each field is listed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from functools import reduce
from math import fsum
from operator import add, attrgetter
from typing import Any

from accelsim.unit_kinds import kinds_for_pieces, kinds_for_transfers


@dataclass(frozen=True, slots=True)
class ActionCounts:
    """Number of times that each action happened. Integers; energy is these times a table.

    macs: every multiply-accumulate, zeros of the padding included; active_macs: those that are not clock-gated;
    multiplier_bit_products: weight bits x ifmap bits of those that multiply; adder_bits: bits of their sums; xnor_ops:
    those that multiply two signs; register_bytes: bytes moved one PE on, or one register on at the edges of
    the array or in the depthwise engine; requantised_results: sums that are scaled and rounded to the width of maps;
    coded_bytes: plain bytes that decoders and codecs of DMA engines pass. Bytes read and written are the requested
    ones; burst bytes are what DRAM moved for them. Commands and clocks are those of a DRAM at command granularity.
    """

    macs: int = 0
    active_macs: int = 0
    multiplier_bit_products: int = 0
    adder_bits: int = 0
    xnor_ops: int = 0
    register_bytes: int = 0
    requantised_results: int = 0
    vector_ops: int = 0
    sram_read_ifmap_bytes: int = 0
    sram_read_weight_bytes: int = 0
    sram_read_psum_bytes: int = 0
    sram_read_ofmap_bytes: int = 0
    sram_read_line_bytes: int = 0
    sram_read_pool_bytes: int = 0
    sram_write_ifmap_bytes: int = 0
    sram_write_weight_bytes: int = 0
    sram_write_psum_bytes: int = 0
    sram_write_ofmap_bytes: int = 0
    sram_write_line_bytes: int = 0
    sram_write_pool_bytes: int = 0
    dram_read_ifmap_bytes: int = 0
    dram_read_weight_bytes: int = 0
    dram_write_ofmap_bytes: int = 0
    dram_read_burst_bytes: int = 0
    dram_write_burst_bytes: int = 0
    dma_descriptors: int = 0
    coded_bytes: int = 0
    dram_read_commands: int = 0
    dram_write_commands: int = 0
    dram_activates: int = 0
    dram_refreshes: int = 0
    dram_turnarounds: int = 0
    dram_row_hits: int = 0
    dram_row_misses: int = 0
    dram_row_conflicts: int = 0
    dram_active_clocks: int = 0
    dram_rank_clocks: int = 0

    def __add__(self, other: ActionCounts) -> ActionCounts:
        return ActionCounts(*map(add, _amounts(self), _amounts(other)))

    def times(self, number: int) -> ActionCounts:
        """These actions a number of times."""
        return ActionCounts(*[number * each for each in _amounts(self)]) if number > 1 else self

    @property
    def sram_read_bytes(self) -> int:
        """Bytes read from all SRAM buffers."""
        return sum(_SRAM_READS(self))

    @property
    def sram_write_bytes(self) -> int:
        """Bytes written to all SRAM buffers."""
        return sum(_SRAM_WRITES(self))

    @property
    def dram_read_bytes(self) -> int:
        """Bytes that loads requested."""
        return self.dram_read_ifmap_bytes + self.dram_read_weight_bytes

    @property
    def dram_write_bytes(self) -> int:
        """Bytes that stores requested."""
        return self.dram_write_ofmap_bytes

    @property
    def sram_bytes(self) -> int:
        """Bytes read from and written to all SRAM buffers."""
        return self.sram_read_bytes + self.sram_write_bytes

    @property
    def dram_bytes(self) -> int:
        """Bytes that DMA requested."""
        return self.dram_read_bytes + self.dram_write_bytes

    @property
    def dram_row_accesses(self) -> int:
        """Bursts of a DRAM at command granularity: hits, misses and conflicts of its rows."""
        return self.dram_row_hits + self.dram_row_misses + self.dram_row_conflicts

    @property
    def dram_burst_bytes(self) -> int:
        """Bytes that DRAM moved."""
        return self.dram_read_burst_bytes + self.dram_write_burst_bytes

    @property
    def burst_efficiency(self) -> float:
        """Bytes that DMA requested over those that DRAM moved; 1 where nothing moved."""
        return self.dram_bytes / self.dram_burst_bytes if self.dram_burst_bytes else 1.0


COUNT_NAMES = tuple(part.name for part in fields(ActionCounts))
_amounts = attrgetter(*COUNT_NAMES)
MOST_COUNTED = 1 << 59
"""The most that a run counts of anything, so that columns, which are sums of a few counts, fit in 64 bits."""
_SRAM_READS = attrgetter(*(name for name in COUNT_NAMES if name.startswith("sram_read_")))
_SRAM_WRITES = attrgetter(*(name for name in COUNT_NAMES if name.startswith("sram_write_")))


def _component(label: str) -> Any:
    """A part of the total, and what it is called in tables and pictures."""
    return field(metadata={"label": label})


@dataclass(frozen=True, slots=True)
class Energy:
    """Picojoules by component.

    low_pj, high_pj: all components with every price at the lower and at the upper end of its range; dram_penalty_pj:
    the part of dram_pj that SRAM accesses would not have cost; assumed_pj: the part of all that rests on numbers that
    are assumed or unverified.
    """

    low_pj: float
    high_pj: float
    dram_penalty_pj: float
    assumed_pj: float
    mac_pj: float = _component("MAC")
    register_pj: float = _component("register")
    requantisation_pj: float = _component("requantisation")
    vector_pj: float = _component("vector")
    sram_pj: float = _component("SRAM")
    cache_pj: float = _component("caches")
    wire_pj: float = _component("wires")
    dma_pj: float = _component("DMA")
    clock_pj: float = _component("clock")
    control_pj: float = _component("control")
    dram_pj: float = _component("DRAM")
    static_pj: float = _component("static")

    @property
    def total_pj(self) -> float:
        """The components together."""
        return fsum(_COMPONENTS(self))

    @property
    def on_chip_pj(self) -> float:
        """The components together without DRAM."""
        return fsum(amount for name, amount in zip(ENERGY_COMPONENTS, _COMPONENTS(self), strict=True) if name != "dram")


_ENERGY_NAMES = tuple(part.name for part in fields(Energy))
ENERGY_COMPONENTS = {part.name.removesuffix("_pj"): part.metadata["label"] for part in fields(Energy) if part.metadata}
"""Components of `Energy`, which add up to its total, and their labels."""
_COMPONENTS = attrgetter(*(f"{name}_pj" for name in ENERGY_COMPONENTS))


@dataclass(frozen=True, slots=True)
class LayerRecord:
    """A layer, or (from `combined`) several together.

    group: name of the layers that it runs depth-first with, or none. total_cycles: the clocks of the run that are given
    to it, each to one layer; latency_cycles: from its first command to its last; stream_cycles: those in which the
    array streams for it, of which stretched_cycles because of SRAM ports and bubble_cycles between folds; stalls: those
    in which the array is idle and its next stream waits for it, by cause. So total = stream + stalls. busy_cycles:
    clocks of units of each other kind, by its name, whatever the array does. savings: clocks that twice as much of
    each resource would take off total_cycles, tiles and schedule as they are; below 0 where it would add some.
    pes: PEs of the array; array_macs: MACs done on it; array_clocks: its clocks if all data were on chip.
    dram_bound_bytes: the least that DRAM has to move for the layer on its own.
    """

    layer: str
    op: str
    kind: str
    stage: str
    group: str
    weights: int
    nonzero_weights: int
    dram_bound_bytes: int
    counts: ActionCounts
    energy: Energy
    pes: int
    array_macs: int
    array_clocks: int
    total_cycles: int
    latency_cycles: int
    stream_cycles: int
    stretched_cycles: int
    bubble_cycles: int
    busy_cycles: dict[str, int]
    stalls: dict[str, int]
    savings: dict[str, int]
    caches: dict[str, int] = field(default_factory=dict)

    @property
    def measures(self) -> dict[str, int]:
        """Its integers beside counts and stalls, by `MEASURES`."""
        busy = {f"{name}_cycles": cycles for name, cycles in self.busy_cycles.items()}
        return {name: busy[name] if name in busy else getattr(self, name) for name in MEASURES}

    @property
    def array_busy_cycles(self) -> int:
        """Clocks in which the array streams for this layer, or loads and drains with nothing else to wait for."""
        return self.stream_cycles + self.stalls["fill_drain"]

    @property
    def utilization(self) -> float:
        """MACs on the array over what its PEs could have done in total_cycles, 0 to 1."""
        return self.array_macs / (self.pes * self.total_cycles) if self.total_cycles else 0.0

    @property
    def dram_traffic_vs_bound(self) -> float:
        """Bytes that DRAM moved over the least; 0 where nothing has to move."""
        return self.counts.dram_burst_bytes / self.dram_bound_bytes if self.dram_bound_bytes else 0.0

    @property
    def streaming_cycles(self) -> int:
        """Clocks in which the array streams, but for bubbles between folds and those that SRAM ports lengthen."""
        return self.stream_cycles - self.stretched_cycles - self.bubble_cycles

    @property
    def lost_cycles(self) -> dict[str, int]:
        """All other clocks by cause, bubbles as part of `fill_drain`; with streaming_cycles they are total_cycles."""
        waits = {cause: cycles for cause, cycles in self.stalls.items() if cause != "fill_drain"}
        bubbles = self.bubble_cycles + self.stalls["fill_drain"]
        return {"fill_drain": bubbles, "sram_port": self.stretched_cycles, **waits}

    @property
    def lost(self) -> dict[str, int]:
        """PE-cycles that were no MACs, by cause; with the MACs they add up to PEs x total_cycles exactly."""
        mapping = self.pes * self.streaming_cycles - self.array_macs
        return {"mapping": mapping, **{cause: self.pes * clocks for cause, clocks in self.lost_cycles.items()}}

    @property
    def largest_count(self) -> int:
        """The largest of all numbers of clocks, PE-cycles and actions."""
        own: tuple[int, ...] = tuple(getattr(self, name) for name in _INTEGERS)
        counts: tuple[int, ...] = _amounts(self.counts)
        return max(self.pes * self.total_cycles, *own, *self.busy_cycles.values(), *counts)


_TEXTS = tuple(part.name for part in fields(LayerRecord) if part.type == "str")
_INTEGERS = tuple(part.name for part in fields(LayerRecord) if part.type == "int")
_SUMMED = tuple(name for name in _INTEGERS if name not in ("pes", "latency_cycles"))
BUSY = tuple(kind.name for kind in (*kinds_for_pieces(), *kinds_for_transfers()))
"""Kinds of units beside the array, of which it is counted for how long they work."""
MEASURES = (
    *("dram_bound_bytes", "total_cycles", "latency_cycles", "stream_cycles", "stretched_cycles", "bubble_cycles"),
    *(f"{name}_cycles" for name in BUSY),
)
"""Integers of a layer beside its counts and stalls."""
STALL_CAUSES = (
    *("fill_drain", "dram_ifmap", "dram_weight", "store", "cache", "dma_issue", "dma_outstanding", "dma_setup", "host"),
    *("latency", *(kind.name for kind in kinds_for_pieces()), "dependency"),
)
RESOURCES = (
    *("array_rows", "array_columns", "dram_bandwidth", "dma_issue", "dma_outstanding", "dma_setup", "sram_ports"),
    *("vector_lanes", "depthwise_channels", "output_path", "caches", "host"),
)
"""Resources of a machine that may be twice as good."""


def combined(records: Sequence[LayerRecord], name: str, latency_cycles: int) -> LayerRecord:
    """The sum of layers, their energies included; `latency_cycles` is from first command to last."""
    sums: dict[str, Any] = {name: sum(getattr(record, name) for record in records) for name in _SUMMED}
    texts: dict[str, Any] = dict.fromkeys(_TEXTS, "") | {"layer": name}
    return replace(
        records[0],
        **texts,
        **sums,
        latency_cycles=latency_cycles,
        counts=total_counts(records),
        energy=total_energy(records),
        busy_cycles={name: sum(record.busy_cycles[name] for record in records) for name in BUSY},
        stalls={cause: sum(record.stalls[cause] for record in records) for cause in STALL_CAUSES},
        savings={resource: sum(record.savings[resource] for record in records) for resource in RESOURCES},
        caches={name: sum(record.caches[name] for record in records) for name in records[0].caches},
    )


def total_counts(records: Sequence[LayerRecord]) -> ActionCounts:
    """The actions of layers together."""
    return reduce(add, (record.counts for record in records), ActionCounts())


def total_energy(records: Sequence[LayerRecord]) -> Energy:
    """The energy of layers together, component by component."""
    return Energy(*(fsum(getattr(record.energy, name) for record in records) for name in _ENERGY_NAMES))
