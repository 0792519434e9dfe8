"""Areas by hand, at the points of CACTI and by the law of nodes, and what a run gets out of area and power."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import pytest

from accelsim.area.nodes import area_factor
from accelsim.area.registers import skew_register_bits
from accelsim.area.sizes import area_of, buffer_mm2, bytes_in_flight, function_mm2, interface_mm2, not_sized, pe_mm2
from accelsim.config.area_table import AreaTable
from accelsim.config.load import load_dram, load_machine, parse_overrides
from accelsim.config.machine import Machine
from accelsim.config.named import shipped
from accelsim.energy.peak import peak_counts, peak_power_w, peak_tops
from accelsim.energy.price import price
from accelsim.report.efficiency import COLUMNS, chip_lines
from accelsim.run.simulate import simulate
from tests.strategies import machine_of

MACROS = Path(__file__).parents[1] / "data" / "area" / "ihp_sg13g2_sram.csv"
BY_HAND: dict[str, Any] = {
    "table": "hand",
    "technology_nm": 45,
    "multiplier_8x8": {"area_um2": 400, "source": "test"},
    "adder_32": {"area_um2": 200, "source": "test"},
    "register_bit": {"area_um2": 5, "source": "test"},
    "cells": {"share": 0.5, "source": "test"},
    "sram": {"source": "test", "port_bytes": 4, "capacity_bytes": [1024, 4096], "area_mm2": [0.01, 0.02]},
    "dram_bit": {"area_um2": 50000, "source": "test"},
}


def sized(**changes: Any) -> Machine:
    """A machine with the areas above, and ways that do nothing unless `changes` have them."""
    return machine_of(**{"area": BY_HAND, "input_path": {}, "output_path": {}, **changes})


def test_areas_by_hand() -> None:
    """A PE: 400 + 200 + 69 bits x 5 = 945 um2 of cells in 1890. Triangles of 45, 120 and 120 bytes. A column's
    requantisation: 16 multipliers of 400, 4 adders of 200 and 32 + 4 x 64 bits x 5 = 8640 in 17280. A lane: 400 + 200 +
    48 x 5 = 840 in 1680, and 256 bytes for a function, a half of 1 KiB's 0.01 mm2 as the curve begins. Buffers of 4, 16
    and 64 KiB whose ports take 1, 4 and 16 memories of 4 KiB. 64 bursts of 64 bytes in flight of each of two engines, 4
    KiB, which a DRAM of 100 clocks and 64 bytes a clock has under way."""
    machine = sized(
        array__rows=10,
        array__cols=16,
        vector__lanes=100,
        sram__activation__capacity_bytes=4096,
        sram__activation__port_bytes_per_cycle=4,
        sram__weight__capacity_bytes=16384,
        sram__weight__port_bytes_per_cycle=16,
        sram__accumulator__capacity_bytes=65536,
        dram__bytes_per_clock=64,
        dram__latency_clocks=100,
    )
    area = area_of(machine)
    assert area is not None
    assert area.pe_mm2 == pytest.approx(0.3024)
    assert area.skew_mm2 == pytest.approx(285 * 8 * 5 / 0.5 / 1e6)
    assert area.vector_mm2 == pytest.approx(0.168 + 100 * 0.005)
    assert area.requantisation_mm2 == pytest.approx(0.27648)
    assert area.sram_mm2 == pytest.approx(21 * 0.02)
    assert area.dma_mm2 == pytest.approx(2 * 0.02)
    assert (area.way_mm2, area.depthwise_mm2, area.cache_mm2) == (0, 0, 0)
    assert area.total_mm2 == pytest.approx(0.3024 + 0.0228 + 0.668 + 0.27648 + 21 * 0.02 + 0.04)


def test_ways_by_hand() -> None:
    """A lane of 1680 um2 for each of 8 + 4 + 2 + 2 + 1 elements a cycle, the table of a function for each of 2, and a
    pool's buffer of 1 KiB, a memory wide; in the accumulator it takes no place of its own."""
    plain = sized()
    path = {"scale": 4, "function": 2, "add": 2, "max_pool": 1, "pool_buffer_bytes": 1024}
    machine = sized(input_path={"scale": 8}, output_path=path)
    within = sized(input_path={"scale": 8}, output_path={**path, "pool_in": "accumulator"})
    areas = [area_of(each) for each in (plain, machine, within)]
    assert all(areas)
    before, after, inside = (area for area in areas if area)
    assert after.way_mm2 == pytest.approx(17 * 0.00168 + 2 * 0.005)
    assert after.sram_mm2 - before.sram_mm2 == pytest.approx(0.01)
    assert inside == after._replace(sram_mm2=before.sram_mm2)


@pytest.mark.parametrize(("bits", "table_bytes"), [(4, 8), (8, 256), (16, 1024)])
def test_a_function_is_looked_up_among_all_values_or_512(bits: int, table_bytes: int) -> None:
    machine = sized(array__activation_bits=bits)
    assert machine.area is not None
    assert function_mm2(machine, machine.area) == pytest.approx(buffer_mm2(machine.area, table_bytes))


def test_caches_and_codecs_by_hand() -> None:
    """A cache of 4 KiB with lines of 64 bytes and 4 ways: a word of 4 bytes, and 64 tags of 4 bytes of which a set has
    16. A decoder of 2 bytes a clock in the engine that loads, and a codec of 1 in both: 4 x 3.5 MACs of 600 um2."""
    cache = {
        "name": "L1", "capacity_bytes": 4096, "ways": 4, "line_bytes": 64, "port_bytes_per_cycle": 4, "hit_clocks": 1,
        "misses_in_flight": 1,
    }  # fmt: skip
    codecs = {
        "dma__decoder": {"format": "huffman", "bytes_per_clock": 2},
        "dma__map_codec": {"format": "zero_run_length", "bytes_per_clock": 1},
    }
    before, after = area_of(sized()), area_of(sized(caches=[cache], **codecs))
    assert before is not None
    assert after is not None
    assert after.cache_mm2 == pytest.approx(0.02 + 4 * buffer_mm2(AreaTable.model_validate(BY_HAND), 64))
    assert after.dma_mm2 - before.dma_mm2 == pytest.approx(4 * 3.5 * 0.0012)


@pytest.mark.parametrize(
    ("latency_clocks", "asked", "in_flight"), [(0, 1 << 20, 1), (10, 1 << 20, 6), (10, 4, 4), (11, 1 << 20, 7)]
)
def test_an_ideal_dram_has_no_more_under_way_than_a_round_trip(latency_clocks: int, asked: int, in_flight: int) -> None:
    """Bursts of 16 bytes at 8 a clock: five in 10 clocks, and the one on the bus."""
    dram = {"dram__latency_clocks": latency_clocks, "dram__bytes_per_clock": 8, "dram__burst_bytes": 16}
    machine = sized(dma__max_outstanding_bursts=asked, **dram)
    assert bytes_in_flight(machine) == in_flight * 16


def test_wide_ports_take_memories_side_by_side() -> None:
    """By hand: 4 KiB are one memory up to 4 bytes, then as many as the port is wide, each of a part of the capacity."""
    table = AreaTable.model_validate(BY_HAND)
    assert [buffer_mm2(table, 4096, port) for port in (1, 4, 8, 16)] == pytest.approx([0.02, 0.02, 0.02 * 2**0.5, 0.04])
    shipped_table = table_of("scaled_22nm")
    assert buffer_mm2(shipped_table, 1 << 20, 128) == pytest.approx(buffer_mm2(shipped_table, 1 << 20))


def test_sums_as_narrow_as_maps_need_no_requantisation() -> None:
    area = area_of(sized(array__activation_bits=16, array__psum_bits=16))
    assert area is not None
    assert area.requantisation_mm2 == 0


@pytest.mark.parametrize(
    ("device", "bits"),
    [("lpddr4-3200-x32", 32), ("lpddr4-3200", 16), ("ddr4-2400-x8", 64), ("hbm2", None), ("ideal_lpddr4", None)],
)
def test_the_interface_of_the_dram_by_the_width_of_its_bus(device: str, bits: int | None) -> None:
    """Beside the area, at any node; a bus whose width is not known, or on an interposer, is named as without size."""
    for scaled in ({}, {"scaled_to_nm": 22}):
        machine = machine_of(area={**BY_HAND, **scaled}).model_copy(update={"dram": load_dram(device, [])})
        area = interface_mm2(machine)
        assert area == (None if bits is None else pytest.approx(bits * 0.05))
        assert ("I/O" in not_sized(machine)) == (bits is None)


@pytest.mark.parametrize(
    ("changes", "cells_um2"),
    [
        ({"array__weight_bits": 4}, 200 + 200 + 61 * 5),
        ({"array__psum_bits": 16}, 400 + 100 + 53 * 5),
        ({"array__dataflow": "os"}, 400 + 200 + 93 * 5),
        ({"array__overlap": False}, 400 + 200 + 61 * 5),
    ],
)
def test_a_pe_by_widths_and_dataflow(changes: dict[str, Any], cells_um2: float) -> None:
    machine = sized(**changes)
    assert machine.area is not None
    assert pe_mm2(machine, machine.area) == pytest.approx(cells_um2 / 0.5 / 1e6)


def test_areas_scale_to_a_node() -> None:
    """All parts by the law."""
    plain, scaled = area_of(sized()), area_of(sized(area={**BY_HAND, "scaled_to_nm": 22}))
    assert plain is not None
    assert scaled is not None
    assert tuple(scaled) == pytest.approx([part * area_factor(45, 22) for part in plain])


@pytest.mark.parametrize("node_nm", [65, 45, 32, 22])
def test_a_table_has_the_memories_of_ihp(node_nm: int) -> None:
    """The smallest macro of each capacity: with two ports up to 4 KiB; beyond, with one, times what a second port takes
    at 4 KiB; of 4 MiB 128 banks."""
    table, factor = table_of(f"scaled_{node_nm}nm"), area_factor(130, node_nm) / 1e6
    smallest = smallest_macros()
    second = smallest[2, 4096] / smallest[1, 4096]
    assert second == pytest.approx(1.884, abs=0.0005)
    for capacity in table.sram.capacity_bytes[:-1]:
        known = smallest[2, capacity] if capacity <= 4096 else second * smallest[1, capacity]
        assert buffer_mm2(table, capacity) == pytest.approx(known * factor, rel=1e-5)
    assert buffer_mm2(table, 4 << 20) == pytest.approx(128 * buffer_mm2(table, 32 << 10), rel=1e-5)
    assert buffer_mm2(table, 24 << 20) == pytest.approx(768 * buffer_mm2(table, 32 << 10), rel=1e-4)


def smallest_macros() -> dict[tuple[int, int], float]:
    """The least area in um2 by ports and capacity."""
    found: dict[tuple[int, int], float] = {}
    with MACROS.open(newline="") as file:
        for row in csv.DictReader(file):
            key = int(row["ports"]), int(row["capacity_bytes"])
            found[key] = min(found.get(key, float("inf")), float(row["width_um"]) * float(row["height_um"]))
    return found


def test_memories_of_ihp_are_those_of_cacti_where_its_cells_are_real() -> None:
    """32 KiB with one port: the law brings 130 nm to within 2 % of CACTI's 65 nm."""
    scaled = smallest_macros()[1, 32768] * area_factor(130, 65) / 1e6
    assert scaled == pytest.approx(0.221572, rel=0.02)


def table_of(name: str) -> AreaTable:
    """A shipped table, as a machine has it."""
    table = simulate("study_conv_separable", "edge", {"area.table": name}).machine.area
    assert table is not None
    return table


def test_logic_of_the_shipped_tables_is_that_of_40_nm_scaled() -> None:
    """Aladdin's 5.98 um2 a bit, 278 for 32-bit adder, 6351 / 16 for a multiplier."""
    for name in shipped("area"):
        table = table_of(name)
        factor = area_factor(40, table.technology_nm)
        assert table.register_bit.area_um2 == pytest.approx(5.981433 * factor, rel=1e-4)
        assert table.adder_32.area_um2 == pytest.approx(277.9792 * factor, rel=1e-4)
        assert table.multiplier_8x8.area_um2 == pytest.approx(6351.338 / 16 * factor, rel=1e-4)


def test_a_machine_without_an_area_table_has_no_area() -> None:
    """Its columns are empty, and its rates are there."""
    totals = simulate("study_conv_separable", load_machine("edge").model_copy(update={"area": None})).totals
    assert [name for name in EFFICIENCY if totals[name] is None] == [
        "area_mm2", "area_pe_mm2", "area_skew_mm2", "area_requantisation_mm2", "area_vector_mm2", "area_way_mm2",
        "area_depthwise_mm2", "area_sram_mm2", "area_cache_mm2", "area_dma_mm2", "area_io_mm2", "area_node_nm",
        "tops_per_mm2", "peak_tops_per_mm2",
    ]  # fmt: skip
    assert totals["not_sized"] == "all"


EFFICIENCY = [name for name, _, _ in COLUMNS]


def test_what_a_run_gets_out_of_area_and_power() -> None:
    """From its MACs, clocks and energy without DRAM; at its peak from 1024 MACs a nanosecond."""
    totals = simulate("study_conv_separable", "edge", {"energy.table": "cacti_22nm", "network.batch": 2}).totals
    seconds = totals["total_cycles"] / 1e9
    chip_joules = (totals["energy_total_pj"] - totals["energy_dram_pj"]) / 1e12
    operations = 2 * totals["macs"]
    assert totals["chip_power_mw"] == pytest.approx(1e3 * chip_joules / seconds)
    assert totals["tops"] == pytest.approx(operations / seconds / 1e12)
    assert totals["peak_tops"] == pytest.approx(2.048)
    assert totals["tops_per_w"] == pytest.approx(operations / chip_joules / 1e12)
    assert totals["tops_per_mm2"] == pytest.approx(totals["tops"] / totals["area_mm2"])
    assert totals["peak_tops_per_mm2"] == pytest.approx(2.048 / totals["area_mm2"])
    assert totals["inferences_per_j"] == pytest.approx(2 / chip_joules)
    assert totals["peak_inferences_per_j"] == pytest.approx(totals["peak_tops_per_w"] * 1e12 / (operations / 2))
    assert totals["peak_tops_per_w"] > totals["tops_per_w"]
    parts = ("pe", "skew", "requantisation", "vector", "way", "depthwise", "sram", "cache", "dma")
    assert totals["area_mm2"] == pytest.approx(sum(totals[f"area_{part}_mm2"] for part in parts))
    assert (totals["area_node_nm"], totals["energy_node_nm"], totals["not_sized"]) == (
        22,
        22,
        "control",
    )


EXPANDED, CHOSEN = "expansion of pruned weights", "choice of activations by weights that are left"


@pytest.mark.parametrize(
    ("settings", "parts"),
    [
        ({"sram.line_buffer": True}, ["line buffer of the array"]),
        ({"network.prune.density": 0.5}, [EXPANDED]),
        ({"network.prune": {"density": 0.5, "zeros": "gate"}}, [EXPANDED]),
        ({"network.prune": {"density": 0.5, "zeros": "skip"}}, [EXPANDED, CHOSEN]),
        ({"network.prune.density": 0.5, "network.compress": {}}, []),
    ],
)
def test_what_has_neither_price_nor_size_is_named_by_both(settings: dict[str, Any], parts: list[str]) -> None:
    """Weights that a decoder has expanded lie plain on chip."""
    totals = simulate("study_conv_separable", "edge", settings).totals
    assert totals["not_priced"] == ", ".join(parts)
    assert totals["not_sized"] == ", ".join(("control", *parts))
    machine = load_machine("edge").model_copy(update={"area": None})
    assert simulate("study_conv_separable", machine).totals["not_sized"] == "all"


def test_multipliers_of_either_sign_are_a_bit_wider() -> None:
    """By hand: 9 x 9 instead of 8 x 8 bits in each PE; nothing else changes."""
    signed, either = (
        load_machine("edge", parse_overrides([(0, f"array.operands={word}")])) for word in ("signed", "either")
    )
    before, after, table = area_of(signed), area_of(either), signed.area
    assert before is not None
    assert after is not None
    assert table is not None
    wider = 32 * 32 * 17 / 64 * table.multiplier_8x8.area_um2 / table.cells.share / 1e6
    assert after.pe_mm2 - before.pe_mm2 == pytest.approx(wider)
    assert after._replace(pe_mm2=0) == before._replace(pe_mm2=0)


@pytest.mark.parametrize(
    ("dataflow", "registers", "reads"),
    [("ws", 16 * (8 + 32), (2, 0, 8)), ("is", 16 * (8 + 32), (0, 2, 8)), ("os", 16 * (16 + 32), (2, 8, 0))],
)
def test_the_peak_by_hand(dataflow: str, registers: int, reads: tuple[int, int, int]) -> None:
    """2 rows and 8 columns of 8-bit operands: what hops and is latched, read and written in a clock. A byte passes a
    triangle in front of the rows; 28 one in front of the columns (OS) or behind them."""
    machine = machine_of(array__rows=2, array__cols=8, array__dataflow=dataflow)
    counts = peak_counts(machine)
    assert (counts.macs, counts.register_bytes) == (16, registers // 8 + 1 + 28)
    read = (counts.sram_read_ifmap_bytes, counts.sram_read_weight_bytes, counts.sram_write_ofmap_bytes)
    assert read == reads
    assert peak_tops(machine) == pytest.approx(0.032)
    assert peak_power_w(machine) == pytest.approx(price(counts, 1, machine).total_pj / 1000)


def test_a_table_with_a_crooked_curve_is_refused() -> None:
    for changes, words in (
        ({"capacity_bytes": [4096, 1024]}, "ascending capacity_bytes"),
        ({"area_mm2": [1.0]}, "as many area_mm2 as capacity_bytes"),
    ):
        with pytest.raises(ValueError, match=words):
            AreaTable.model_validate({**BY_HAND, "sram": {**BY_HAND["sram"], **changes}})


@pytest.mark.parametrize("place", ["array", "vector", "auto", "engine"])
def test_an_engine_that_lies_idle_is_named_with_the_cause(place: str) -> None:
    settings = ("depthwise.channels=8", f"array.depthwise_on={place}")
    *_, area, last = chip_lines(load_machine("edge", parse_overrides(list(enumerate(settings)))))
    if place in ("array", "vector"):
        assert last == f"the depthwise engine does nothing: array.depthwise_on is {place}"
    else:
        area = last
    assert re.fullmatch(r"\d\.\d+ mm2 at 22 nm and 4\.96 mm2 of I/O without control", area)


@pytest.mark.parametrize(
    ("dataflow", "bits"),
    [
        ("ws", 3 * 6 * 8 + 28 * (4 + 8)),
        ("is", 3 * 6 * 4 + 28 * (8 + 8)),
        ("os", 6 * 8 + 28 * (4 + 8)),
        ("auto", 3 * 6 * 8 + 28 * (8 + 8)),
    ],
)
def test_triangles_by_hand(dataflow: str, bits: int) -> None:
    """4 rows, which on WS and IS are 3 clocks apart, and 8 columns; weights of 4 bits, maps of 8."""
    machine = machine_of(
        array__rows=4, array__cols=8, array__mac_latency=3, array__weight_bits=4, array__dataflow=dataflow
    )
    assert skew_register_bits(machine.array) == bits
