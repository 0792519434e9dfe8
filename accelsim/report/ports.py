"""Ports of SRAM buffers that units share: what all of them together ask of a port, over what it can pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from accelsim.config.machine import Machine
from accelsim.records import LayerRecord
from accelsim.report.groups import group_total, grouped
from accelsim.unit_kinds import kinds_for_pieces

PORTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "activation buffer's read port": ("activation", ("sram_read_ifmap_bytes", "sram_read_ofmap_bytes")),
    "activation buffer's write port": ("activation", ("sram_write_ifmap_bytes", "sram_write_ofmap_bytes")),
    "weight buffer's read port": ("weight", ("sram_read_weight_bytes",)),
    "weight buffer's write port": ("weight", ("sram_write_weight_bytes",)),
}
"""Ports, each with its buffer and the counts of bytes that pass it."""


class Demand(NamedTuple):
    """Bytes that are asked of a port over those that it passes meanwhile, in the layer or group where they are most;
    longer: clocks by which all that ask for more would be longer with one port for all units, over those of the run."""

    port: str
    layer: str
    share: float
    longer: float

    def __str__(self) -> str:
        return (
            f"units ask the {self.port} for up to {self.share:.0%} of what it passes ({self.layer}); each has it to"
            f" itself here, and with one for all the run would take {self.longer:.1%} more cycles or so"
        )


def overrun(records: Sequence[LayerRecord], machine: Machine) -> list[Demand]:
    """The ports of which more is asked than they pass, as if each unit had one of its own."""
    clocks = sum(record.total_cycles for record in records) or 1
    found = []
    for port in PORTS:
        asked = _asked(port, records, machine)
        share, layer = max(((each.needs / each.clocks, each.layer) for each in asked if each.clocks), default=(0.0, ""))
        longer = sum(max(0.0, each.needs - each.clocks) for each in asked)
        found.append(Demand(port, layer, share, longer / clocks))
    return [demand for demand in found if round(100 * demand.share) > 100]


class _Asked(NamedTuple):
    """A layer or group, the clocks that a port needs for all that passes it, and its own."""

    layer: str
    needs: float
    clocks: int


def _asked(port: str, records: Sequence[LayerRecord], machine: Machine) -> list[_Asked]:
    """Each layer that runs alone and each group. Its clocks: those of the run that are given to it, or in which its
    busiest unit works if they are more; layers without any work beside the one before them."""
    buffer, names = PORTS[port]
    width = getattr(machine.sram, buffer).port_bytes_per_cycle
    found: list[_Asked] = []
    for group in grouped(records):
        record = group_total(group) if group[0].group else group[0]
        busy = (record.busy_cycles[kind.name] for kind in kinds_for_pieces())
        clocks = max(record.total_cycles, record.stream_cycles, *busy)
        asked = _Asked(record.layer, sum(getattr(record.counts, name) for name in names) / width, clocks)
        if clocks or not found:
            found.append(asked)
        else:
            found[-1] = found[-1]._replace(needs=found[-1].needs + asked.needs)
    return found
