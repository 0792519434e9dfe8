"""Clocks of a run if one resource never limited it: the whole run again on a machine with that resource ideal.

Each is what `accelsim run` prints with the settings that docs/whatif.md lists: plans, program and all are made anew for
that machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from accelsim.config.dram import IdealDevice
from accelsim.config.machine import Depthwise, Machine
from accelsim.records import LayerRecord
from accelsim.run.result import Run
from accelsim.run.simulate import run_network

IDEAL_PORT_BYTES = 1 << 20
IDEAL_LANES = 1 << 16
IDEAL_TAPS = 1 << 10
IDEAL_LINE_BYTES = 1 << 40
IDEAL_BYTES_PER_CLOCK = 1e9


def _dram(machine: Machine) -> Machine:
    """Any number of bursts in a clock, and no latency. The engines issue as many bursts a clock as before."""
    clock = machine.array.clock_mhz
    device = IdealDevice(
        kind="ideal",
        device=machine.dram.device,
        clock_mhz=clock,
        bytes_per_clock=IDEAL_BYTES_PER_CLOCK,
        latency_clocks=0,
        burst_bytes=machine.dram.burst_bytes,
    )
    energy = machine.energy.model_copy(update={"dram_by": "auto"})
    return machine.model_copy(update={"dram": device, "energy": energy})


def _sram_ports(machine: Machine) -> Machine:
    """Ports as wide as anything asks for."""
    sram = machine.sram
    port = {"port_bytes_per_cycle": IDEAL_PORT_BYTES}
    buffers = {name: getattr(sram, name).model_copy(update=port) for name in ("activation", "weight", "accumulator")}
    return machine.model_copy(update={"sram": sram.model_copy(update=buffers)})


def _vector_unit(machine: Machine) -> Machine:
    """Any number of lanes; the SRAM ports stay."""
    return machine.model_copy(update={"vector": machine.vector.model_copy(update={"lanes": IDEAL_LANES})})


def _depthwise(machine: Machine) -> Machine:
    """An engine for any number of channels, a window a clock; the SRAM ports stay."""
    engine = Depthwise(
        channels=IDEAL_LANES, taps_per_clock=IDEAL_TAPS, max_taps=IDEAL_TAPS, line_buffer_bytes=IDEAL_LINE_BYTES
    )
    array = machine.array.model_copy(update={"depthwise_on": "engine"})
    return machine.model_copy(update={"depthwise": engine, "array": array})


def _array_overlap(machine: Machine) -> Machine:
    """Loads and drains behind streams, which only the systolic timing of folds has."""
    overlapping = machine.array.model_copy(update={"overlap": True, "timing": "systolic"})
    return machine.model_copy(update={"array": overlapping})


IDEAL: Mapping[str, Callable[[Machine], Machine]] = {
    "dram": _dram,
    "sram_ports": _sram_ports,
    "vector_unit": _vector_unit,
    "depthwise": _depthwise,
    "array_overlap": _array_overlap,
}
"""The machine with each resource ideal, in the order of `WHAT_IFS` in accelsim/report/columns.py."""


def with_what_if(run: Run) -> Run:
    """The run with the clocks of its layers for each ideal resource. Raises UserError where a layer then does not fit.

    A machine that has the resource ideal already is not run again.
    """
    found: dict[str, tuple[int, ...]] = {}
    for name, ideal in IDEAL.items():
        machine = ideal(run.machine)
        records = run.records if machine == run.machine else _records(run, machine)
        found[name] = _cycles(records)
    return replace(run, ideal_cycles=found)


def _records(run: Run, machine: Machine) -> tuple[LayerRecord, ...]:
    return run_network(run.workload, run.network, machine, run.scheduling).records


def _cycles(records: tuple[LayerRecord, ...]) -> tuple[int, ...]:
    return tuple(record.total_cycles for record in records)
