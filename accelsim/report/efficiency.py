"""Efficiency of a run by area and power of its chip, and that of its peak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from accelsim.area.sizes import Area, area_of, interface_mm2, node_nm, not_sized
from accelsim.config.machine import Machine
from accelsim.energy.peak import peak_power_w, peak_tops
from accelsim.records import LayerRecord

COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("area_mm2", "mm2", "sum of the parts without I/O; empty without an area table"),
    ("area_pe_mm2", "mm2", "PEs: multipliers, adders, registers"),
    ("area_skew_mm2", "mm2", "registers that let operands in askew at the array's edges and line results up again"),
    ("area_requantisation_mm2", "mm2", "multipliers, adders and registers that scale a result of each column a cycle"),
    ("area_vector_mm2", "mm2", "lanes of the vector unit, each with the table of a function"),
    ("area_way_mm2", "mm2", "input and output path: a lane for each element a cycle of a part, tables of functions"),
    ("area_depthwise_mm2", "mm2", "depthwise engine without its line buffer"),
    ("area_sram_mm2", "mm2", "SRAM buffers with line and pool buffer, each with a read and a write port, in banks"),
    ("area_cache_mm2", "mm2", "data and tags of caches"),
    ("area_dma_mm2", "mm2", "buffers of the DMA engines for bursts in flight, decoders, codecs"),
    (
        "area_io_mm2",
        "mm2",
        "interface of the DRAM's data bus, beside area_mm2; empty where the device does not say how wide that is",
    ),
    ("area_node_nm", "nm", "technology node of the areas"),
    ("not_sized", "", "parts of the chip that have no size"),
    ("energy_node_nm", "nm", "technology node of the prices of the chip"),
    ("chip_power_mw", "mW", "energy without DRAM / latency_ms"),
    ("tops", "10^12/s", "two operations for each MAC / latency_ms"),
    ("peak_tops", "10^12/s", "the same with a MAC in every PE and cycle"),
    ("tops_per_w", "10^12/J", "tops / chip_power_mw"),
    ("peak_tops_per_w", "10^12/J", "peak_tops / power of the chip at that rate, all data in its buffers"),
    ("tops_per_mm2", "10^12/s/mm2", "tops / area_mm2"),
    ("peak_tops_per_mm2", "10^12/s/mm2", "peak_tops / area_mm2"),
    ("inferences_per_j", "1/J", "images / energy without DRAM"),
    ("peak_inferences_per_j", "1/J", "peak_tops_per_w / operations of an image"),
)
"""(name, unit, meaning), in the order of `efficiency`."""


def efficiency(
    total: LayerRecord, images: int, machine: Machine, unsized: Sequence[str]
) -> dict[str, float | str | None]:
    """The values of `COLUMNS`, by name. images: of the whole run; unsized: parts that its network needs, without a
    size."""
    seconds = total.total_cycles / machine.array.clock_mhz / 1e6
    operations, joules = 2 * total.counts.macs, total.energy.on_chip_pj / 1e12
    chip = of_the_chip(machine)
    tops, area, peak_per_joule = _ratio(operations, seconds) / 1e12, chip["area_mm2"], chip["peak_tops_per_w"]
    assert isinstance(peak_per_joule, float)
    found = {
        **chip,
        "not_sized": ", ".join((str(chip["not_sized"]), *unsized)) if area else chip["not_sized"],
        "chip_power_mw": _ratio(joules, seconds) * 1e3,
        "tops": tops,
        "tops_per_w": _ratio(operations, joules) / 1e12,
        "tops_per_mm2": _ratio(tops, area) if isinstance(area, float) else None,
        "inferences_per_j": _ratio(images, joules),
        "peak_inferences_per_j": _ratio(peak_per_joule * 1e12 * images, operations),
    }
    return {name: found[name] for name, _, _ in COLUMNS}


def of_the_chip(machine: Machine) -> dict[str, float | str | None]:
    """Values of `COLUMNS` that are a machine's whatever it runs."""
    peak, area, node = peak_tops(machine), area_of(machine), machine.energy.scaled_to
    return {
        **_areas(area, machine),
        "energy_node_nm": node.node_nm if node else machine.energy.technology_nm,
        "peak_tops": peak,
        "peak_tops_per_w": _ratio(peak, peak_power_w(machine)),
        "peak_tops_per_mm2": _ratio(peak, area.total_mm2) if area else None,
    }


def chip_lines(machine: Machine) -> list[str]:
    """The most that a machine can do, its area, and parts that lie idle, in words."""
    chip, dram, array = of_the_chip(machine), machine.dram, machine.array
    gigabytes = dram.bytes_per_clock * dram.clock_mhz / 1e3
    return [
        f"{chip['peak_tops']:.3g} TOPS at most, at {peak_power_w(machine):.3g} W without DRAM",
        f"DRAM moves {gigabytes:.3g} GB/s at most, {1e3 * gigabytes / array.clock_mhz:.3g} bytes a cycle",
        area_words(chip) if chip["area_mm2"] else "no area: the machine names no area table",
        *(
            [f"the depthwise engine does nothing: array.depthwise_on is {array.depthwise_on}"]
            if _is_idle(machine)
            else []
        ),
    ]


def area_words(chip: Mapping[str, Any]) -> str:
    """Area with its node, the interface beside it, and what has no size. chip: values of `COLUMNS`."""
    beside = f" and {chip['area_io_mm2']:.3g} mm2 of I/O" if chip["area_io_mm2"] else ""
    return f"{chip['area_mm2']:.3g} mm2 at {chip['area_node_nm']:g} nm{beside} without {chip['not_sized']}"


def _is_idle(machine: Machine) -> bool:
    return machine.depthwise is not None and machine.array.depthwise_on in ("array", "vector")


def _areas(area: Area | None, machine: Machine) -> dict[str, float | str | None]:
    parts = area._asdict() if area else dict.fromkeys(Area._fields)
    return {
        "area_mm2": area.total_mm2 if area else None,
        **{f"area_{name}": size for name, size in parts.items()},
        "area_io_mm2": interface_mm2(machine),
        "area_node_nm": node_nm(machine.area) if machine.area else None,
        "not_sized": ", ".join(not_sized(machine)) if area else "all",
    }


def _ratio(amount: float, by: float) -> float:
    return amount / by if by else 0.0
