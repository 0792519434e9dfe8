"""Power and area that chips were published with, beside what tables and machines here say; nothing is fitted.

Eyeriss has scratchpads in its PEs and a dataflow that no machine here has, so that its own counts are priced: those of
Tables V and VI of Chen et al., JSSC 52(1), 2017. A MAC reads a map, a weight and a sum and writes a sum; where the map
is zero it reads no more than that. What 16 bits of a scratchpad, of the network between PEs and of the buffer cost in
MACs is published for its process apart from the chip (`eyeriss_normalized`); a MAC, the clock, control and leakage have
the prices of `cacti_65nm`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from accelsim.area.registers import pe_register_bits
from accelsim.area.sizes import Area, area_of, buffer_mm2, buffers, node_factor
from accelsim.config.area_table import AreaTable
from accelsim.config.load import load_energy_table, load_machine, parse_overrides
from accelsim.config.machine import Machine
from accelsim.energy.peak import peak_power_w, peak_tops
from accelsim.energy.price import price
from accelsim.records import ActionCounts

DATA = Path(__file__).parent / "data" / "validation"
EYERISS, EYERISS_LAYERS = DATA / "eyeriss_v1.csv", DATA / "eyeriss_v1_components.csv"
CORE_MM2, PES, CLOCK_MHZ = 12.25, 168, 200.0
SPAD_MACS = 1
"""Cost of 16 bits of a scratchpad in MACs: Eyeriss, ISCA 2016, Table IV, as nn_dataflow has it."""
SPAD_BITS = (12 + 24) * 16
"""Spads of maps and sums in a PE, which are registers; that of weights is an SRAM."""
READ_PORT = 1 + (38.1 * (1 / 4 + 1 / 16) + 27.2 / 16) / 49.0
"""Size of a bit of a register file over its flip-flop: two levels of multiplexers of four to read it, a clock gate for
16 bits. Cells of IHP SG13G2 (liberty at 5cccb16): mux4 38.1, lgcp 27.2, dfrbpq 49.0 um2."""
FIFO_BITS = 4 * 2 * 16
"""FIFOs of a PE for maps, weights, and sums in and out (JSSC, the PE's figure); two deep, the least with which a
handshake passes a value a clock."""

PRICED = ("multiply_8x8", "add_32", "dma_byte", "clock_bit", "control_clock")


class Compared(NamedTuple):
    """A published number and ours, in one unit; limit: what they may be apart, as a share, or from 1 on as a factor."""

    what: str
    source: str
    unit: str
    theirs: float
    ours: float
    limit: float

    @property
    def error(self) -> float:
        """Ours over theirs, less 1."""
        return self.ours / self.theirs - 1

    @property
    def is_met(self) -> bool:
        """True where they are no further apart than wanted."""
        ratio = self.ours / self.theirs
        return abs(self.error) <= self.limit if self.limit < 1 else 1 / self.limit <= ratio <= self.limit

    @property
    def verdict(self) -> str:
        """The limit in words, and whether it is missed."""
        limit = f"{100 * self.limit:.0f} %" if self.limit < 1 else f"a factor of {self.limit:g}"
        return f"within {limit}" if self.is_met else f"missed: within {limit} was wanted"


class Silicon(NamedTuple):
    """A chip's own counts of a network, from a table of its paper."""

    network: str
    power_mw: float
    latency_ms: float
    macs: float
    active_macs: float
    buffer_bytes: float
    dram_bytes: float


def compared() -> Iterator[Compared]:
    """All rows."""
    for chip in eyeriss_runs():
        yield eyeriss_power(chip)
    yield from eyeriss_components()
    yield from tpu_powers()
    yield from sncpu_powers()
    yield from areas()


def eyeriss_runs() -> list[Silicon]:
    """Zeros of maps are gated: neither multiplied nor is their weight read."""
    with EYERISS.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        Silicon(
            row["network"],
            float(row["power_mw"]),
            float(row["latency_ms"]),
            float(row["macs_m"]) * 1e6,
            float(row["macs_m"]) * 1e6 * (1 - float(row["ifmap_zeros_pct"]) / 100),
            float(row["buffer_mb"]) * 1e6,
            float(row["dram_mb"]) * 1e6,
        )
        for row in rows
    ]


def eyeriss_components_mw(chip: Silicon) -> dict[str, float]:
    """Milliwatts by component: counts of the chip times prices."""
    table, relative = load_energy_table("cacti_65nm"), load_energy_table("eyeriss_normalized")
    leakage, network = table.logic_leakage, relative.noc_byte
    assert network is not None
    assert leakage is not None
    clocks = chip.latency_ms * 1e3 * CLOCK_MHZ
    each = {row: getattr(table, row).energy_pj for row in PRICED}
    mac = 4 * each["multiply_8x8"] + each["add_32"]
    picojoules = {
        "ALUs": chip.active_macs * mac,
        "spads": (3 * chip.active_macs + chip.macs) * SPAD_MACS * mac,
        "buffer": chip.buffer_bytes * relative.sram_byte.energy_pj * mac,
        "network": chip.buffer_bytes * network.energy_pj * mac,
        "DMA": chip.dram_bytes * each["dma_byte"],
        "clock": PES * (SPAD_BITS + FIFO_BITS + pe_registers()) * clocks * each["clock_bit"],
        "control": clocks * each["control_clock"],
    }
    powers = {name: energy / chip.latency_ms / 1e6 for name, energy in picojoules.items()}
    return {**powers, "leakage": leakage.power_mw_per_mm2 * logic_mm2() + 181.5 * table.static.power_mw_per_kib}


def pe_registers() -> int:
    """Two operands and a sum of 16 bit, and the operands again in the second stage of the multiplier."""
    return 5 * 16


def logic_mm2() -> float:
    """A third of the core: storage takes the rest."""
    return CORE_MM2 / 3


def eyeriss_power(chip: Silicon) -> Compared:
    ours = sum(eyeriss_components_mw(chip).values())
    source = "Chen et al., JSSC 2017, Tables V and VI"
    return Compared(f"power of Eyeriss, its own counts of {chip.network}", source, "mW", chip.power_mw, ours, 0.3)


def eyeriss_components() -> Iterator[Compared]:
    """Components that the paper's Figure 16 has numbers of, in the two layers that it has.

    Each takes its share of the chip's power in that layer. Counts of the buffer are not known layer by layer.
    """
    source = "Chen et al., JSSC 2017, Figure 16 and Table V"
    with EYERISS_LAYERS.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        power, milliseconds, macs = float(row["power_mw"]), float(row["processing_ms"]), float(row["macs_m"]) * 1e6
        active = macs * (1 - float(row["ifmap_zeros_pct"]) / 100)
        ours = eyeriss_components_mw(Silicon(row["layer"], power, milliseconds, macs, active, 0, 0))
        for name, key in (("ALUs", "alu_pct"), ("spads", "spad_pct"), ("clock", "clock_pct")):
            theirs = power * float(row[key]) / 100
            yield Compared(f"power of Eyeriss's {name}, {row['layer']} of AlexNet", source, "mW", theirs, ours[name], 2)


TPU_MM2 = 331
"""Size of its die at most."""
TPU_SOURCE = "Jouppi et al., ISCA 2017, Table 2"


def machine_with(name: str, *settings: str) -> Machine:
    """A shipped machine with settings."""
    return load_machine(name, parse_overrides([(0, each) for each in settings]))


def tpu_powers() -> Iterator[Compared]:
    """Idle, and with CNN0's share of active clocks (78.2 %), every PE at work in them."""
    machine = machine_with("tpu_v1", "energy.table=cacti_28nm_hp")
    idle_w = price(ActionCounts(), 1, machine).on_chip_pj * machine.array.clock_mhz / 1e6
    busy_w = idle_w + 0.782 * (peak_power_w(machine) - idle_w)
    yield Compared("power of TPU v1, idle", TPU_SOURCE, "W", 28, idle_w, 0.3)
    yield Compared("power of TPU v1, busy as CNN0 is", TPU_SOURCE, "W", 40, busy_w, 0.3)
    yield Compared(
        "TOPS/W of TPU v1, CNN0", "Jouppi et al., ISCA 2017, Tables 2 and 3", "TOPS/W", 86 / 40, 86 / busy_w, 0.3
    )


SNCPU_GOPS, SNCPU_W = 0.655 * 116, 0.116
"""Throughput and power in DNN mode at 1.0 V and 400 MHz."""


def sncpu_powers() -> Iterator[Compared]:
    """A systolic NPU of 2022 at its nominal voltage, at the rate that was measured."""
    machine, source = machine_with("sncpu"), "Ju and Gu, JSSC 2023, V-B: 1.0 V, 400 MHz"
    idle_w = price(ActionCounts(), 1, machine).on_chip_pj * machine.array.clock_mhz / 1e6
    busy_w = idle_w + SNCPU_GOPS / 1e3 / peak_tops(machine) * (peak_power_w(machine) - idle_w)
    yield Compared("power of SNCPU, an edge NPU of 2022, DNN mode", source, "mW", 1e3 * SNCPU_W, 1e3 * busy_w, 0.3)
    yield Compared("TOPS/W of SNCPU", source, "TOPS/W", 0.655, SNCPU_GOPS / 1e3 / busy_w, 0.3)


def areas() -> Iterator[Compared]:
    """Blocks that papers have, and their sum."""
    dac = "Genc et al., DAC 2021, area breakdown in 22 nm"
    area, machine = sized("gemmini_default")
    yield Compared("area of Gemmini's array", dac, "mm2", 0.116, area.pe_mm2, 0.4)
    yield Compared("area of Gemmini's scratchpad", dac, "mm2", 0.544, scratchpad_mm2(machine), 0.4)
    yield Compared("area of Gemmini's accumulator", dac, "mm2", 0.146, accumulator_mm2(machine), 0.4)
    yield Compared("area of these three", dac, "mm2", 0.806, area.pe_mm2 + area.sram_mm2, 0.4)
    isca = "Jouppi et al., ISCA 2017, Figure 2: shares of at most 331 mm2"
    area, machine = sized("tpu_v1")
    yield Compared("area of TPU v1's unified buffer", isca, "mm2", 0.29 * TPU_MM2, unified_mm2(machine), 0.4)
    yield Compared("area of TPU v1's accumulators", isca, "mm2", 0.06 * TPU_MM2, accumulator_mm2(machine), 0.4)
    yield Compared("area of TPU v1's matrix unit", isca, "mm2", 0.24 * TPU_MM2, area.pe_mm2, 0.4)
    yield Compared("area of TPU v1's data buffers", isca, "mm2", 0.37 * TPU_MM2, area.sram_mm2, 0.4)
    yield Compared("area of TPU v1's compute", isca, "mm2", 0.30 * TPU_MM2, area.logic_mm2, 0.4)
    yield Compared("area of both", isca, "mm2", 0.67 * TPU_MM2, area.sram_mm2 + area.logic_mm2, 0.4)
    jssc = "Chen et al., JSSC 2017, section VI"
    table = eyeriss_areas()
    macs = PES * (4 * table.multiplier_8x8.area_um2 + table.adder_32.area_um2) / table.cells.share / 1e6
    buffer = buffer_mm2(table, 108 << 10)
    yield Compared("area of Eyeriss's multipliers and adders", jssc, "mm2", 0.074 * CORE_MM2, macs, 0.4)
    yield Compared("area of Eyeriss's spads", jssc, "mm2", 2 / 3 * 2.5 / 3.5 * CORE_MM2, spads_mm2(table), 0.4)
    yield Compared("area of Eyeriss's global buffer", jssc, "mm2", 2 / 3 / 3.5 * CORE_MM2, buffer, 0.4)


def spads_mm2(table: AreaTable) -> float:
    """An SRAM of 224 words of 16 bit in each PE, and the register files of maps and sums."""
    registers = READ_PORT * SPAD_BITS * table.register_bit.area_um2 / table.cells.share / 1e6
    return PES * (buffer_mm2(table, 224 * 2) + registers)


def sized(name: str) -> tuple[Area, Machine]:
    machine = machine_with(name)
    area = area_of(machine)
    assert area is not None
    return area, machine


def pe_cells(machine: Machine) -> dict[str, float]:
    """Shares of a PE's cells."""
    array, table = machine.array, machine.area
    assert table is not None
    cells = {
        "multipliers": table.multiplier_8x8.area_um2 * (9 * 9) / 64,
        "adders": table.adder_32.area_um2 * array.psum_bits / 32,
        "registers": table.register_bit.area_um2 * pe_register_bits(array),
    }
    return {name: area / sum(cells.values()) for name, area in cells.items()}


def accumulating_mm2() -> float:
    """Adders behind the accumulators of TPU v1, one for each column, which have no size in its area."""
    _, machine = sized("tpu_v1")
    array, table = machine.array, machine.area
    assert table is not None
    adders_um2 = array.cols * table.adder_32.area_um2 * array.psum_bits / 32
    return adders_um2 * node_factor(table) / table.cells.share / 1e6


def scratchpad_mm2(machine: Machine) -> float:
    """Both parts of what is one memory there."""
    assert machine.area is not None
    return sum(buffer_mm2(machine.area, *memory) for memory in buffers(machine)[:2])


def accumulator_mm2(machine: Machine) -> float:
    assert machine.area is not None
    return buffer_mm2(machine.area, *buffers(machine)[2]) * node_factor(machine.area)


def unified_mm2(machine: Machine) -> float:
    """The activation buffer."""
    assert machine.area is not None
    return buffer_mm2(machine.area, *buffers(machine)[0]) * node_factor(machine.area)


def eyeriss_areas() -> AreaTable:
    machine = machine_with("gemmini_default", "area.table=scaled_65nm")
    assert machine.area is not None
    return machine.area
