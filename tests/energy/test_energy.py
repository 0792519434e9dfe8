"""Is energy counts times table, SRAM what CACTI says and DRAM what the table says, and what of it is assumed?"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from math import sqrt
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
import yaml

from accelsim.area.nodes import area_factor, energy_factor
from accelsim.area.registers import pe_register_bits
from accelsim.area.sizes import area_of
from accelsim.cli import main
from accelsim.config.dram import CommandDevice
from accelsim.config.energy_table import EnergyTable, PortCurve, Range, SramWord, is_assumed
from accelsim.config.load import load_dram, load_energy_table, load_machine, parse_overrides
from accelsim.config.machine import Machine
from accelsim.config.named import shipped
from accelsim.energy.price import OPTIONAL_ROWS, nominal_ratio, not_priced, price, static_mw
from accelsim.energy.ranking import EnergyByRow, Flip, Unsure, energies, energy_by_row, flips, unsure
from accelsim.energy.sram import WordEnergy, word_energy
from accelsim.records import COUNT_NAMES, ENERGY_COMPONENTS, ActionCounts, total_energy
from accelsim.report.columns import dram_sram_ratio
from accelsim.run.simulate import load_network, run_network, simulate
from tests.strategies import machine_of, network_of

TABLES = shipped("energy")
LECTURE = {"energy.table": "lecture_100x"}
CACTI = {"cacti_65nm": 65, "cacti_45nm": 45, "cacti_32nm": 32, "cacti_22nm": 22}
POINTS = Path(__file__).parents[1] / "data" / "energy" / "cacti.csv"


def table_of(name: str) -> EnergyTable:
    return load_energy_table(name)


def edge_with(table: str, **changes: Any) -> Machine:
    return machine_of(energy=table_of(table).model_dump(mode="json"), **changes)


def lecture(**changes: Any) -> Machine:
    """The machine with the table of round prices that can be added up by hand."""
    return edge_with("lecture_100x", **changes)


def shipped_edge_with(table: str) -> Machine:
    """The machine with a DRAM at command granularity, and a depthwise engine."""
    settings = parse_overrides([(0, "depthwise.channels=8")])
    return load_machine("edge", settings).model_copy(update={"energy": table_of(table)})


def test_a_hand_priced_list_of_actions() -> None:
    """1000 MACs at 0.3 pJ, 100 bytes moved at 0.072, 10 vector operations at 0.3, 8 SRAM bytes at 1.25, 64 DRAM bytes
    at 125 pJ; 0.14784 mW of leakage (512 KiB and the pool's 16 at 0.28 uW) over 1000 clocks of 1 ns."""
    counts = ActionCounts(
        multiplier_bit_products=1000 * 8 * 8,
        adder_bits=1000 * 32,
        register_bytes=100,
        vector_ops=10,
        sram_read_ifmap_bytes=5,
        sram_write_psum_bytes=3,
        dram_read_burst_bytes=64,
    )
    energy = price(counts, 1000, lecture())
    assert energy.mac_pj == pytest.approx(300)
    assert energy.register_pj == pytest.approx(7.2)
    assert energy.vector_pj == pytest.approx(3)
    assert energy.sram_pj == 10
    assert energy.dram_pj == 8000
    assert static_mw(lecture()) == pytest.approx(528 * 0.00028)
    assert energy.static_pj == pytest.approx(0.14784 * 1000)
    assert energy.dram_penalty_pj == 64 * (125 - 1.25)
    assert energy.total_pj == pytest.approx(300 + 7.2 + 3 + 10 + 8000 + 147.84)


def test_requantisation_by_hand() -> None:
    """10 sums of 32 bit times 32 bit: 16 multiplies of 8 x 8 bit each, and two adds of 64 bit."""
    energy = price(ActionCounts(requantised_results=10), 0, lecture())
    assert energy.requantisation_pj == pytest.approx(10 * (16 * 0.2 + 2 * 2 * 0.1))
    narrow = price(ActionCounts(requantised_results=1), 0, lecture(array__psum_bits=16))
    assert narrow.requantisation_pj == pytest.approx(8 * 0.2 + 2 * 1.5 * 0.1)


@pytest.mark.parametrize("place", ["array", "vector", "engine"])
def test_each_result_of_products_is_requantised_once(place: str) -> None:
    """On whatever unit, before a pool on its way; sums that are as narrow as maps are not."""
    rows = [
        {"name": "a", "op": "conv", "kernel": 3, "pad": 1, "channels": 8},
        {"name": "b", "op": "dwconv", "kernel": 3, "pad": 1},
        {"name": "c", "op": "conv", "kernel": 1, "channels": 4},
        {"name": "p", "op": "maxpool", "kernel": 2, "stride": 2},
    ]
    keys = (f"array.depthwise_on={place}", "depthwise.channels=8")
    wide, narrow = (
        load_machine("edge", parse_overrides(list(enumerate([*keys, *more]))))
        for more in ((), ("array.activation_bits=16", "array.psum_bits=16"))
    )
    workload, network = load_network("shufflenet_g3")[0], network_of(rows, (8, 8, 8))
    records = run_network(workload, network, wide).records
    assert [record.counts.requantised_results for record in records] == [512, 512, 256, 0]
    assert run_network(workload, network, narrow).total.counts.requantised_results == 0


def test_a_dram_access_costs_a_hundred_sram_accesses_by_the_lecture() -> None:
    """Its premise, in its table and in the records of a run."""
    table = table_of("lecture_100x")
    assert table.dram_byte.energy_pj == 100 * table.sram_byte.energy_pj
    totals = simulate("shufflenet_g3", "edge", LECTURE).totals
    sram = totals["energy_sram_pj"] / (totals["sram_read_bytes"] + totals["sram_write_bytes"])
    dram = totals["energy_dram_pj"] / (totals["dram_read_burst_bytes"] + totals["dram_write_burst_bytes"])
    assert dram / sram == pytest.approx(100)


def test_narrower_operands_multiply_for_less() -> None:
    """The multiplier in proportion to the product of the widths, the adder to its own."""
    rows = [{"name": "fc", "op": "fc", "channels": 3}]
    narrow = lecture(array__weight_bits=4, array__activation_bits=2, array__psum_bits=16)
    run = run_network(load_network("shufflenet_g3")[0], network_of(rows, (1, 1, 5)), narrow)
    assert run.totals["energy_mac_pj"] == pytest.approx(15 * (0.2 * 8 / 64 + 0.1 / 2))


def test_zeros_of_the_padding_take_their_clock_and_no_energy() -> None:
    """ShuffleNet pads its 3x3 convolutions: fewer active MACs than MACs."""
    totals = simulate("shufflenet_g3", "edge", LECTURE).totals
    assert totals["active_macs"] < totals["macs"]
    assert totals["energy_mac_pj"] == pytest.approx(0.3 * totals["active_macs"])


BY_COMMAND = ("dram_read_commands", "dram_write_commands", "dram_activates", "dram_refreshes", "dram_active_clocks",
              "dram_rank_clocks")  # fmt: skip

FREE = {
    "macs": "priced as the bits that multiply and add, and as XNORs",
    "active_macs": "the same",
    "dram_read_ifmap_bytes": "priced as whole bursts",
    "dram_read_weight_bytes": "priced as whole bursts",
    "dram_write_ofmap_bytes": "priced as whole bursts",
    "dram_turnarounds": "idle clocks of the bus, which are background",
    **{name: "priced as activates and accesses" for name in COUNT_NAMES if name.startswith("dram_row_")},
}


CODECS = (
    ("dma.decoder.format=any dma.decoder.bytes_per_clock=4", "weight decoder"),
    ("dma.map_codec.format=zero_run_length dma.map_codec.bytes_per_clock=4", "map codec"),
)
"""Settings of units that share a row, which physical tables have."""


def is_free(name: str, table: EnergyTable) -> bool:
    """Whether a count has no price in a table, which then names it."""
    if name in BY_COMMAND:
        return table.dram_by == "byte"
    if name == "dma_descriptors" and table.dma_descriptor is None:
        assert "DMA descriptors" in not_priced(machine_of(energy=table.model_dump(mode="json")))
        return True
    if name == "coded_bytes" and table.codec_byte is None:
        return True
    return name in FREE


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("name", COUNT_NAMES)
def test_every_action_has_its_price_in_every_table(name: str, table: str) -> None:
    """A new count is priced, or said to be free here; and the more of it, the more it takes."""
    machine = shipped_edge_with(table)
    once, often = (price(ActionCounts(**{name: count}), 0, machine).total_pj for count in (1, 10_000))
    assert (once, often) == (0, 0) if is_free(name, machine.energy) else 0 < once < often


@pytest.mark.parametrize("table", TABLES)
def test_what_a_table_lacks_is_named_and_nothing_else(table: str) -> None:
    """Each row that some table has: this one has it, or says that it is not priced."""
    machine = load_machine("edge").model_copy(update={"energy": table_of(table)})
    lacks = {words for row, words in OPTIONAL_ROWS.items() if getattr(machine.energy, row) is None}
    if machine.energy.noc_byte is not None:
        lacks.remove("wires")
    assert set(not_priced(machine)) == lacks


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(("unit", "words"), CODECS)
def test_a_codec_has_its_price_in_physical_tables_and_is_named_by_others(unit: str, words: str, table: str) -> None:
    machine = load_machine("edge", parse_overrides([(0, each) for each in unit.split()]))
    machine = machine.model_copy(update={"energy": table_of(table)})
    assert (words in not_priced(machine)) == (not table.startswith("cacti_"))


@pytest.mark.parametrize("table", TABLES)
def test_time_has_its_price_in_every_table(table: str) -> None:
    assert price(ActionCounts(), 1, edge_with(table)).total_pj > 0


def test_each_shipped_machine_has_a_table_of_physical_prices() -> None:
    """One with words of SRAM by capacity, at the node of its areas or scaled to it; the lecture's premise is none."""
    for name in shipped("machines"):
        machine = load_machine(name)
        assert machine.energy.sram_word is not None, name
        assert machine.energy.table != "lecture_100x"


def rows_of(table: EnergyTable) -> list[str]:
    """The sources of a table."""
    return [row["source"] for row in table.model_dump(exclude_none=True).values() if isinstance(row, dict)]


def rows_in_file(name: str) -> dict[str, dict[str, Any]]:
    """Those of a shipped table that have a source, as they stand there."""
    file = Path(__file__).parents[2] / "hwconfigs" / "energy" / f"{name}.yaml"
    rows = yaml.safe_load(file.read_text(encoding="utf-8"))
    return {key: row for key, row in rows.items() if isinstance(row, dict) and "source" in row}


@pytest.mark.parametrize("table", TABLES)
def test_sram_that_dram_is_compared_with_is_one_that_the_table_has(table: str) -> None:
    """Where words are known, the reference is a 64-bit read from 32 KiB."""
    read = table_of(table)
    if read.sram_word is not None:
        assert word_energy(read.sram_word, 32 << 10, 8).read_pj == pytest.approx(read.sram_byte.energy_pj * 8, 1e-8)


def test_nominal_ratios() -> None:
    """As the sources have it: the lecture's 100, Han's 640 / 5, Eyeriss's 200 / 6, Horowitz's 1300 / 20 of 64 bit."""
    ratios = {
        "lecture_100x": 100,
        "han_2015": 128,
        "eyeriss_normalized": 200 / 6,
        "horowitz_45nm": 65,
        "cacti_65nm": 8 * 113.4 / 24.0051,
        "cacti_45nm": 8 * 64 / 13.203,
        "cacti_32nm": 8 * 64 / 7.5109,
        "cacti_28nm_hp": 113.4 / table_of("cacti_28nm_hp").sram_byte.energy_pj,
        "cacti_22nm": 8 * 64 / 3.467,
        "cacti_16nm": 31.8 / table_of("cacti_16nm").sram_byte.energy_pj,
    }
    assert {name: nominal_ratio(table_of(name)) for name in ratios} == pytest.approx(ratios)
    assert nominal_ratio(machine_of(energy__sram_byte={"energy_pj": 0, "source": "test"}).energy) == 0


@pytest.mark.parametrize("name", TABLES)
def test_a_byte_of_dram_costs_more_than_one_of_sram(name: str) -> None:
    """By the ratio of the two rows in the file."""
    rows = rows_in_file(name)
    ratio = nominal_ratio(table_of(name))
    assert ratio == pytest.approx(rows["dram_byte"]["energy_pj"] / rows["sram_byte"]["energy_pj"])
    assert ratio > 1


def test_a_normalized_mac_is_one() -> None:
    """16 x 16 bit and a sum of 32."""
    energy = price(ActionCounts(multiplier_bit_products=256, adder_bits=32), 0, edge_with("eyeriss_normalized"))
    assert energy.mac_pj == pytest.approx(1)


def cacti_points(cell: str, node_nm: int) -> list[tuple[int, int, WordEnergy]]:
    """(capacity, port bytes, energy of a word) as CACTI computed it."""
    with POINTS.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["cell"] == cell and row["node_nm"] == str(node_nm)]
    return [
        (int(row["size_bytes"]), int(row["width_bits"]) // 8, WordEnergy(float(row["read_pJ"]), float(row["write_pJ"])))
        for row in rows
    ]


@pytest.mark.parametrize(("table", "node_nm"), CACTI.items())
def test_a_cacti_table_has_the_points_of_cacti(table: str, node_nm: int) -> None:
    """All of them, and its energies at them to the last digit."""
    sram = table_of(table).sram_word
    assert sram is not None
    points = cacti_points("itrs-lstp", node_nm)
    assert sum(len(curve.capacity_bytes) for curve in sram.curves) == len(points) == 18
    assert {(capacity, port): word_energy(sram, capacity, port) for capacity, port, _ in points} == {
        (capacity, port): energy for capacity, port, energy in points
    }


def errors_beside_the_tables_points(node_nm: int) -> dict[tuple[int, int], tuple[float, float]]:
    """How far off reads and writes are at those points of CACTI's high-performance cells, by capacity and port, that
    the tables do not have, on curves through those that they have."""
    points = {(capacity, port): energy for capacity, port, energy in cacti_points("itrs-hp", node_nm)}
    curves = []
    for port in (2, 8, 32):
        reads, writes = map(list, zip(*(points[capacity, port] for capacity in CAPACITIES), strict=True))
        curves.append(PortCurve(port_bytes=port, capacity_bytes=CAPACITIES, read_pj=reads, write_pj=writes))
    sram = SramWord(source="test", curves=curves)
    errors = {}
    for (capacity, port), energy in points.items():
        if capacity >= 8 << 10 and not (port in (2, 8, 32) and capacity in CAPACITIES):
            found = word_energy(sram, capacity, port)
            errors[capacity, port] = (
                abs(found.read_pj / energy.read_pj - 1),
                abs(found.write_pj / energy.write_pj - 1),
            )
    return errors


CAPACITIES = [8 << 10, 32 << 10, 128 << 10, 512 << 10, 1 << 20, 4 << 20]


@pytest.mark.parametrize("node_nm", CACTI.values())
@pytest.mark.parametrize("kind", [0, 1], ids=["reads", "writes"])
def test_interpolation_between_the_points_is_as_good_as_said(node_nm: int, kind: int) -> None:
    """docs/machine.md: within 10 % in the mean and a third at most."""
    errors = [both[kind] for (_, port), both in errors_beside_the_tables_points(node_nm).items() if 2 <= port <= 32]
    assert len(errors) == 22
    assert mean(errors) < 0.1
    assert max(errors) < 1 / 3


def test_wider_ports_are_as_far_off_as_said() -> None:
    """docs/machine.md: a port of 64 bytes by 21 % in the mean and 75 % at most."""
    found = [errors_beside_the_tables_points(node_nm) for node_nm in CACTI.values()]
    errors = [error for each in found for (_, port), both in each.items() if port == 64 for error in both]
    assert len(errors) == 40
    assert mean(errors) < 0.21
    assert max(errors) == pytest.approx(0.75, abs=0.005)


SMALL = SramWord(
    source="test",
    curves=[
        PortCurve(port_bytes=2, capacity_bytes=[1000, 4000], read_pj=[1, 2], write_pj=[3, 3]),
        PortCurve(port_bytes=8, capacity_bytes=[1000, 4000, 16000], read_pj=[4, 8, 8], write_pj=[12, 12, 48]),
    ],
)


@pytest.mark.parametrize(
    ("capacity", "port", "read_pj", "write_pj"),
    [
        pytest.param(1000, 2, 1, 3, id="a point"),
        pytest.param(2000, 2, sqrt(2), 3, id="between capacities, the square root of the ratio"),
        pytest.param(1000, 4, 2, 6, id="between widths"),
        pytest.param(2000, 4, 2 * sqrt(2), 6, id="between both"),
        pytest.param(8000, 8, 8, 24, id="in the second stretch"),
        pytest.param(16000, 2, 4, 3, id="above the capacities of this width, as the curve ended"),
        pytest.param(64000, 8, 8, 48 * 4, id="far above: at least flat, at most in proportion"),
        pytest.param(250, 8, 2, 12, id="below"),
        pytest.param(1000, 1, 1, 3, id="a narrow port pays for a word"),
        pytest.param(1000, 24, 12, 36, id="a wide port pays by the byte"),
    ],
)
def test_energy_of_a_word(capacity: int, port: int, read_pj: float, write_pj: float) -> None:
    assert word_energy(SMALL, capacity, port) == pytest.approx((read_pj, write_pj))


def test_beyond_its_ends_a_curve_is_at_least_flat_and_at_most_in_proportion() -> None:
    """Reads rise with the square of the capacity, writes fall; no capacity is too large for either."""
    steep = PortCurve(port_bytes=1, capacity_bytes=[10, 20], read_pj=[1, 4], write_pj=[4, 1])
    sram = SramWord(source="test", curves=[steep])
    assert word_energy(sram, 40, 1) == pytest.approx((8, 1))
    assert word_energy(sram, 5, 1) == pytest.approx((0.5, 4))
    cliff = PortCurve(port_bytes=1, capacity_bytes=[1, 2], read_pj=[1e-6, 1e15], write_pj=[1e15, 1e-6])
    far = word_energy(SramWord(source="test", curves=[cliff]), 1 << 40, 1 << 40)
    assert far == pytest.approx((2.0**79 * 1e15, 2.0**40 * 1e-6))


def test_one_point_is_enough() -> None:
    sram = SramWord(source="test", curves=[PortCurve(port_bytes=4, capacity_bytes=[1024], read_pj=[3], write_pj=[5])])
    assert word_energy(sram, 1 << 40, 8) == (6, 10)


def test_sram_is_priced_by_words_of_each_buffer() -> None:
    """A part of a word is one, of all that a buffer's port passed in one direction; the accumulator's port is 32 sums
    of 4 bytes wide, four times as much as the widest in the table. All buffers have 128 KiB."""
    machine = edge_with("cacti_45nm", sram__activation__capacity_bytes=128 << 10)
    read, write = 64.5544, 125.311
    for counts, energy in (
        (ActionCounts(sram_read_ifmap_bytes=1), read),
        (ActionCounts(sram_read_ifmap_bytes=31, sram_read_ofmap_bytes=1), read),
        (ActionCounts(sram_read_ifmap_bytes=32, sram_read_ofmap_bytes=1), 2 * read),
        (ActionCounts(sram_write_ifmap_bytes=32, sram_write_ofmap_bytes=33), 3 * write),
        (ActionCounts(sram_read_weight_bytes=64, sram_write_weight_bytes=1), 2 * read + write),
        (ActionCounts(sram_read_psum_bytes=129), 2 * 4 * read),
        (ActionCounts(sram_write_psum_bytes=128), 4 * write),
    ):
        assert price(counts, 0, machine).sram_pj == pytest.approx(energy)
    narrow = edge_with("cacti_45nm", sram__accumulator__port_bytes_per_cycle=8)
    assert price(ActionCounts(sram_read_psum_bytes=9), 0, narrow).sram_pj == pytest.approx(2 * 27.4615)


def test_caches_are_priced_as_srams_of_their_capacity() -> None:
    """Two caches of 128 KiB and ports of 32 bytes: what DMA asks for passes the first, a miss fills its line from the
    second, a line that leaves is written there; they leak with their tags. The tags of a set of 8 lines, 4 bytes each,
    are a word of 32 bytes in 8 KiB: each request reads one, each miss writes one."""
    sizes = {"capacity_bytes": 128 << 10, "ways": 8, "line_bytes": 64, "port_bytes_per_cycle": 32}
    cache = {**sizes, "hit_clocks": 1, "misses_in_flight": 1}
    caches = [{"name": name, **cache} for name in ("L1", "L2")]
    bare = edge_with("cacti_45nm")
    machine = edge_with("cacti_45nm", caches=caches)
    read, write = 64.5544, 125.311
    counts = ActionCounts(dram_read_weight_bytes=320, dram_write_ofmap_bytes=64)
    met = {"L1_hits": 1, "L1_misses": 5, "L1_write_backs": 2, "L2_hits": 6, "L2_misses": 1, "L2_write_backs": 0}
    first, second = (10 + 4) * read + (2 + 10) * write, 10 * read + (4 + 2) * write
    tags = (6 + 7) * 11.484 + (5 + 1) * 26.4102
    assert price(counts, 0, machine, met).cache_pj == pytest.approx(first + second + tags)
    assert price(counts, 0, machine).cache_pj == 0
    assert static_mw(machine) - static_mw(bare) == pytest.approx((256 + 16) * machine.energy.static.power_mw_per_kib)
    by_bytes = price(counts, 0, edge_with("han_2015", caches=caches), met)
    assert by_bytes.cache_pj == pytest.approx((14 + 12 + 10 + 6 + 13 + 6) * 32 * load_machine_energy("han_2015"))


def load_machine_energy(table: str) -> float:
    """Price of an SRAM byte of a table."""
    return edge_with(table).energy.sram_byte.energy_pj


def test_the_true_ratio_is_energy_spent_over_bytes_moved() -> None:
    """By layer and in total; 0 for what moves nothing. Buffers are larger and wider than the reference."""
    run = simulate("shufflenet_g3", "edge", {"energy.table": "cacti_45nm", "energy.dram_by": "byte"})
    rows = [run.totals, *run.layers.to_dict("records")]
    assert rows[0]["nominal_dram_sram_energy_ratio"] == pytest.approx(64 / 1.650375)
    assert 0 < rows[0]["dram_sram_energy_ratio"] < rows[0]["nominal_dram_sram_energy_ratio"]
    for row in rows:
        bursts = row["dram_read_burst_bytes"] + row["dram_write_burst_bytes"]
        if bursts:
            sram = row["energy_sram_pj"] / (row["sram_read_bytes"] + row["sram_write_bytes"])
            assert row["dram_sram_energy_ratio"] == pytest.approx(row["energy_dram_pj"] / bursts / sram)
        else:
            assert row["dram_sram_energy_ratio"] == 0
    assert not all(row["dram_sram_energy_ratio"] for row in rows)


def test_the_ratio_of_nothing_is_none() -> None:
    """Without SRAM that costs anything there is no ratio either."""
    free = simulate("shufflenet_g3", "edge", {**LECTURE, "energy.sram_byte.energy_pj": 0})
    assert {dram_sram_ratio(record) for record in (*free.records, free.total)} == {0}


def test_how_much_rests_on_assumptions() -> None:
    """10 vector operations at 0.3 pJ are assumed and 8 SRAM bytes at 1.25 are not; nor XNORs, if there are none."""
    counts = ActionCounts(vector_ops=10, sram_read_ifmap_bytes=8)
    assert price(counts, 0, lecture()).assumed_pj == pytest.approx(3)
    unverified = lecture(energy__sram_byte={"energy_pj": 1, "source": "unverified: a talk"})
    assert price(counts, 0, unverified).assumed_pj == pytest.approx(3 + 8)
    sourced = lecture(energy__vector_op={"energy_pj": 1, "source": "a paper"})
    assert price(counts, 0, sourced).assumed_pj == 0
    words = edge_with("cacti_45nm")
    assert price(ActionCounts(sram_read_weight_bytes=1), 0, words).assumed_pj == 0


def test_the_share_that_rests_on_assumptions_is_in_the_totals() -> None:
    """0 where all is sourced, 1 where nothing is, and in a layer of one kind what it is by hand."""
    rows = [{"name": "relu", "op": "relu"}]
    workload = load_network("shufflenet_g3")[0]

    def share(**changes: Any) -> float:
        totals = run_network(workload, network_of(rows, (4, 4, 8)), lecture(**changes)).totals
        assert totals["vector_ops"] == 128
        assert totals["sram_read_bytes"] + totals["sram_write_bytes"] == 4 * 128
        found: float = totals["assumed_energy_share"]
        return found

    none = {"energy_pj": 0, "source": "test"}
    still: dict[str, Any] = {"energy__static": {"power_mw_per_kib": 0, "source": "test"}, "energy__dram_byte": none}
    assert share(**still) == pytest.approx(128 * 0.3 / (128 * 0.3 + 512 * 1.25))
    assert share(**still, energy__vector_op=none) == 0
    assert share(**still, energy__vector_op=none, energy__sram_byte=none) == 0
    assert share(**still, energy__sram_byte={"energy_pj": 1, "source": "assumed"}) == 1


@pytest.mark.parametrize("source", ["assumed", "assumed: x", "unverified, from memory", "Assumed.", " assumed"])
def test_what_says_that_it_is_assumed(source: str) -> None:
    assert is_assumed(source)


@pytest.mark.parametrize("source", ["a paper", "not assumed", "unverifiedly", "assumedly"])
def test_what_does_not(source: str) -> None:
    assert not is_assumed(source)


@pytest.mark.parametrize("name", TABLES)
def test_what_the_tables_say_of_themselves(name: str) -> None:
    """As many rows are assumed as say so in the file."""
    said = [key for key, row in rows_in_file(name).items() if row["source"].startswith(("assumed", "unverified"))]
    assert sum(map(is_assumed, rows_of(table_of(name)))) == len(said)


def test_how_much_the_tables_assume() -> None:
    """XNORs and vector operations are assumed everywhere; where all is relative to a MAC, MACs and registers too."""
    assumed = {
        "lecture_100x": 2,
        "horowitz_45nm": 2,
        "han_2015": 3,
        "eyeriss_normalized": 5,
        "cacti_65nm": 11,
        "cacti_45nm": 8,
        "cacti_32nm": 11,
        "cacti_28nm_hp": 14,
        "cacti_22nm": 11,
        "cacti_16nm": 14,
    }
    assert {name: sum(map(is_assumed, rows_of(table_of(name)))) for name in assumed} == assumed


def test_layers_add_up_where_words_are_rounded_up() -> None:
    """The total is the sum of its layers, not priced anew."""
    run = simulate("shufflenet_g3", "edge", {"energy.table": "cacti_45nm"})
    assert run.total.energy == total_energy(run.records)
    assert run.total.energy.sram_pj == pytest.approx(sum(record.energy.sram_pj for record in run.records))


def test_a_ranking_that_flips() -> None:
    """A layer that works much on few bytes takes less energy than one that moves many only where DRAM is dear."""
    machine = lecture()
    rows: dict[str, Sequence[dict[str, Any]]] = {
        "busy": [{"name": "a", "op": "conv", "kernel": 3, "pad": 1, "channels": 16}],
        "moving": [{"name": "a", "op": "relu"}],
    }
    sizes = {"busy": (16, 16, 16), "moving": (32, 32, 16)}
    workload = load_network("shufflenet_g3")[0]
    runs = {
        name: (run_network(workload, network_of(list(rows[name]), sizes[name]), machine).records, machine)
        for name in rows
    }
    cheap = lecture(energy__dram_byte={"energy_pj": 1, "source": "test"}).energy.model_copy(update={"table": "cheap"})
    tables = [machine.energy, cheap, table_of("han_2015")]
    by_table = energies(runs, tables)
    assert by_table["lecture_100x"]["busy"] == pytest.approx(total_energy(runs["busy"][0]).total_pj)
    assert list(flips(by_table)) == [Flip("busy", "moving", "lecture_100x", "cheap")]


def test_which_order_flips() -> None:
    """Equal energies have no order; each pair is compared with the first table that orders it."""
    assert list(flips({"t": {"a": 1, "b": 2}, "u": {"a": 3, "b": 4}})) == []
    assert list(flips({"t": {"a": 2, "b": 1}, "u": {"a": 1, "b": 1}, "v": {"a": 1, "b": 2}})) == [
        Flip("b", "a", "t", "v")
    ]
    three = {"t": {"a": 1, "b": 1, "c": 3}, "u": {"a": 1, "b": 2, "c": 0}, "v": {"a": 2, "b": 1, "c": 3}}
    assert list(flips(three)) == [Flip("a", "b", "u", "v"), Flip("a", "c", "t", "u"), Flip("b", "c", "t", "u")]
    again = {"t": {"a": 1, "b": 2}, "u": {"a": 2, "b": 1}, "v": {"a": 2, "b": 1}, "w": {"a": 1, "b": 2}}
    assert list(flips(again)) == [Flip("a", "b", "t", "u"), Flip("a", "b", "t", "v")]
    assert list(flips({})) == []


def test_which_orders_survive_the_ranges_of_prices() -> None:
    """By hand. a takes 10 of SRAM and 2 of DRAM, b 4 of SRAM and 10 of DRAM: a leads by 2. With SRAM at 1.5 and DRAM
    at 0.5 a takes 16 and b 11, so it may lose by 6 x 1.5 - 8 x 0.5 = 5. c takes twice as much as b of either, whatever
    the prices; d has a table of its own, which may be cheap while a's is dear."""
    sram, dram = Range(low=0.5, high=1.5, source="test"), Range(low=0.5, high=1, source="test")
    a = {("t", "sram"): (10.0, sram), ("t", "dram"): (2.0, dram)}
    b = {("t", "sram"): (4.0, sram), ("t", "dram"): (10.0, dram)}
    c = {("t", "sram"): (8.0, sram), ("t", "dram"): (20.0, dram)}
    d = {("u", "sram"): (14.0, sram)}
    assert list(unsure({"a": a, "b": b})) == [Unsure("a", "b", 2, 5)]
    assert list(unsure({"b": b, "c": c})) == []
    assert list(unsure({"d": d, "a": a})) == [Unsure("a", "d", 2, 10 * 1.5 + 2 - 14 * 0.5)]
    assert list(unsure({"a": a, "same": a})) == []
    exact: EnergyByRow = {("t", "sram"): (12.5, None)}
    assert list(unsure({"a": a, "exact": exact})) == [Unsure("a", "exact", 0.5, 2.5 * -0.5 + 2)]


def test_energy_by_row_adds_up() -> None:
    """To the total of a run, each row with its range; DRAM by its device."""
    run = simulate("study_conv_separable", "edge", {"network.batch": 2, "energy.table": "cacti_22nm"})
    rows = energy_by_row(run.records, run.machine, images=2)
    assert sum(energy for energy, _ in rows.values()) == pytest.approx(run.total.energy.total_pj / 2)
    assert ("lpddr4-3200-x32", "dram") in rows
    assert all(limits is not None for _, limits in rows.values())


def test_a_total_lies_between_the_ends_of_its_prices() -> None:
    """By hand: 10 vector operations at 0.3 pJ within 0.7 and 3 times that, 8 SRAM bytes of exactly 1.25 pJ."""
    energy = price(ActionCounts(vector_ops=10, sram_read_ifmap_bytes=8), 0, lecture())
    assert (energy.low_pj, energy.total_pj, energy.high_pj) == pytest.approx((12.1, 13, 19))


def test_time_and_what_passes_are_priced_by_hand() -> None:
    """16x16 PEs of 8 x 2 + 8 + 32 bits, as WS overlaps, and 13 of control, 3 triangles of 120 bytes, 16 lanes of 48,
    192 elements of the ways of 48, and 16 columns of a factor and 4 products of 64: 35136 bits, 100 clocks at 2 fJ; the
    sequencer at 5 pJ; 2 descriptors of 16 bytes read and latched; 64 bytes latched twice at 0.072. 3 bytes over the
    network that the table of Eyeriss has, at 1; those that a load writes come by DMA."""
    machine = edge_with("cacti_45nm", array__rows=16, array__cols=16, vector__lanes=16)
    counts = ActionCounts(
        dma_descriptors=2, dram_read_burst_bytes=64, sram_write_ofmap_bytes=3, sram_write_ifmap_bytes=9
    )
    energy = price(counts, 100, machine)
    assert energy.clock_pj == pytest.approx((256 * 69 + 3 * 120 * 8 + 16 * 48 + 192 * 48 + 16 * 288) * 100 * 0.002)
    assert energy.control_pj == 500
    assert energy.dma_pj == pytest.approx(2 * 16 * (13.203 / 8 + 0.072) + 64 * 0.144)
    assert price(counts, 0, edge_with("eyeriss_normalized")).wire_pj == 3
    assert price(ActionCounts(coded_bytes=100), 0, machine).dma_pj == pytest.approx(100 * 3.5 * (0.2 + 0.1))


def test_wires_and_logic_are_priced_by_their_size() -> None:
    """A map byte, a weight byte and a result over half the side of the chip, at 0.96 pJ a mm; partial sums, and what
    DMA loads, are not carried. Logic leaks 8.6 mW a mm2. Neither is known without an area table."""
    machine = edge_with("cacti_45nm").model_copy(update={"area": load_machine("edge").area})
    area = area_of(machine)
    assert area is not None
    counts = ActionCounts(
        sram_read_ifmap_bytes=1,
        sram_read_weight_bytes=1,
        sram_write_ofmap_bytes=1,
        sram_read_psum_bytes=5,
        sram_write_psum_bytes=5,
        sram_write_ifmap_bytes=5,
        sram_read_ofmap_bytes=5,
    )
    energy = price(counts, 1, machine)
    assert energy.wire_pj == pytest.approx(3 * 0.96 * sqrt(area.total_mm2) / 2)
    assert energy.static_pj == pytest.approx(0.14784 + 8.6 * area.logic_mm2)
    assert not_priced(machine) == ()
    unsized = machine.model_copy(update={"area": None})
    assert (price(counts, 0, unsized).wire_pj, price(counts, 1, unsized).static_pj) == (0, pytest.approx(0.14784))
    assert not_priced(unsized) == ("wires", "leakage of logic")


@pytest.mark.parametrize(
    ("changes", "bits"),
    [
        ({}, 16 + 8 + 32),
        ({"array__overlap": False}, 8 + 8 + 32),
        ({"array__dataflow": "is"}, 8 + 16 + 32),
        ({"array__dataflow": "os"}, 8 + 8 + 64),
        ({"array__dataflow": "auto"}, 16 + 16 + 64),
        ({"array__mac_latency": 3, "array__weight_bits": 4}, 8 + 8 + 32 + 2 * 12),
    ],
)
def test_registers_of_a_pe(changes: dict[str, Any], bits: int) -> None:
    """A register for each operand and the sum, a second of what is exchanged behind a stream, stages of the MAC, and 13
    bits of control."""
    assert pe_register_bits(machine_of(**changes).array) == bits + 13


def test_an_accumulator_costs_its_register() -> None:
    """A product of 32 x 64 x 32 on 32 x 32 PEs. OS: a map and a weight hop at each MAC and the sum is latched, 6 bytes,
    and 32 x 32 sums drain 16.5 rows on average; WS: a map hops and a sum of 4 bytes moves on, and each weight, of 32
    MACs, is shifted in over 16.5 rows. A value passes 15.5 registers of a triangle: each map and weight, of 32 MACs,
    and each result, a byte of 64. So quick a DRAM makes a single tile of it."""
    per_mac = {}
    for dataflow in ("ws", "os"):
        rows = [{"name": "a", "op": "conv", "kernel": 1, "channels": 32}]
        machine = machine_of(array__dataflow=dataflow, dram__bytes_per_clock=4096)
        totals = run_network(load_network("shufflenet_g3")[0], network_of(rows, (4, 8, 64)), machine).totals
        per_mac[dataflow] = totals["register_bytes"] / totals["macs"]
    triangles = 15.5 * (2 / 32 + 1 / 64)
    assert per_mac["os"] == pytest.approx(6 + 4 * 16.5 / 64 + triangles)
    assert per_mac["ws"] == pytest.approx(5 + 16.5 / 32 + triangles)


def test_every_price_has_its_range() -> None:
    """Of every shipped table and DRAM device; the lecture's premise is taken at its word."""
    for name in TABLES:
        rows = table_of(name).model_dump(exclude_none=True, exclude={"scaled_to"})
        exact = {row for row, value in rows.items() if isinstance(value, dict) and "range" not in value}
        assert exact == ({"sram_byte", "dram_byte"} if name == "lecture_100x" else set())
    devices = [load_dram(name, []) for name in shipped("dram")]
    assert all(device.energy.range for device in devices if isinstance(device, CommandDevice))


@pytest.mark.parametrize("name", [name for name in TABLES if name.startswith("cacti")])
def test_tables_of_cacti_price_all_there_is(name: str) -> None:
    """Codecs and caches too; but not the core that issues tiles, which is named."""
    codecs = {
        "decoder": {"format": "any", "bytes_per_clock": 1},
        "map_codec": {"format": "zero_run_length", "bytes_per_clock": 1},
    }
    machine = edge_with(name, dma=codecs)
    assert not_priced(machine.model_copy(update={"area": load_machine("edge").area})) == ()
    assert not_priced(load_machine("gemmini")) == ("host",)
    line_buffer = load_machine("edge", parse_overrides([(0, "sram.line_buffer=true")]))
    assert not_priced(line_buffer) == ("line buffer of the array",)


def test_what_a_table_does_not_price_is_named() -> None:
    """In the totals of a run, and not as zeros without a word."""
    said = simulate("study_conv_separable", "edge", LECTURE).totals["not_priced"]
    assert said.split(", ") == [
        "wires",
        "DMA descriptors",
        "DMA engines",
        "clock tree",
        "control",
        "DRAM interface of the chip",
        "leakage of logic",
    ]


SCALED = {"node_nm": 22, "supply_v": 0.8, "process": "hp", "source": "test"}


def test_prices_scale_to_a_node() -> None:
    """All of the chip by the law, wires by the square of the voltage alone, neither DRAM nor leakage; the reference of
    the DRAM penalty with them."""
    table = table_of("cacti_45nm").model_dump(mode="json")
    area = load_machine("edge").area
    plain, scaled = (
        machine_of(energy=each).model_copy(update={"area": area}) for each in (table, {**table, "scaled_to": SCALED})
    )
    plain, scaled = (each.model_copy(update={"caches": load_machine("gemmini").caches}) for each in (plain, scaled))
    counts, factor = ActionCounts(**dict.fromkeys(COUNT_NAMES, 1000)), energy_factor(45, 0.9, 22, 0.8, "hp")
    before, after = (price(counts, 100, machine, {"L2_misses": 1000}) for machine in (plain, scaled))
    others = {"dram": 1.0, "static": 1.0, "wire": (0.8 / 0.9) ** 2}
    for name in ENERGY_COMPONENTS:
        ratio = others.get(name, factor)
        assert getattr(after, f"{name}_pj") == pytest.approx(getattr(before, f"{name}_pj") * ratio)
        assert getattr(before, f"{name}_pj") > 0
    assert after.dram_penalty_pj == pytest.approx(after.dram_pj - 2000 * 1.650375 * factor)
    assert nominal_ratio(scaled.energy) == pytest.approx(nominal_ratio(plain.energy) / factor)


@pytest.mark.parametrize(
    ("nodes", "factor"),
    [
        pytest.param((45, 0.9, 45, 0.9, "hp"), 1, id="none"),
        pytest.param((45, 0.9, 32, 0.9, "hp"), 0.457137 / 0.69885, id="45 to 32"),
        pytest.param((45, 0.9, 7, 0.7, "hp"), 0.047815 / 0.69885, id="45 to 7"),
        pytest.param((65, 1.0, 45, 0.9, "lp"), 0.84433 / 1.332, id="65 to 45, low power"),
        pytest.param((45, 0.9, 45, 1.1, "hp"), 1.04391 / 0.69885, id="voltage alone"),
    ],
)
def test_the_law_of_nodes(nodes: tuple[float, float, float, float, Any], factor: float) -> None:
    """By hand from the paper's coefficients: energy is a V^2 + b V + c."""
    assert energy_factor(*nodes) == pytest.approx(factor, rel=1e-4)


def test_the_law_between_its_nodes() -> None:
    """At a node of the paper it is the paper's; between two it lies between them, and areas as well."""
    factors = [energy_factor(45, 0.9, node, 0.9, "hp") for node in (45, 40, 32, 28, 22, 20, 16)]
    assert factors == sorted(factors, reverse=True)
    assert factors[4] == pytest.approx(0.339, abs=0.0005)
    assert (area_factor(45, 32), area_factor(32, 16)) == pytest.approx((0.46, 0.19 / 0.46))
    assert 0.21 < area_factor(45, 22) < area_factor(45, 28) < 0.46


def test_logic_of_the_shipped_tables_is_that_of_45_nm_scaled() -> None:
    """To the three digits that they say of themselves."""
    base = table_of("cacti_45nm")
    for name in ("cacti_65nm", "cacti_32nm", "cacti_28nm_hp", "cacti_22nm", "cacti_16nm"):
        table = table_of(name)
        assert table.supply_v is not None
        factor = energy_factor(45, 0.9, table.technology_nm, table.supply_v, "hp")
        for row in ("multiply_8x8", "add_32", "register_byte", "codec_byte", "clock_bit", "control_clock"):
            ratio = getattr(table, row).energy_pj / getattr(base, row).energy_pj
            assert ratio == pytest.approx(factor, abs=0.0006)


def test_a_table_without_a_voltage_cannot_be_scaled(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    table = (Path(__file__).parents[2] / "hwconfigs" / "energy" / "lecture_100x.yaml").read_text(encoding="utf-8")
    mine = tmp_path / "mine.yaml"
    mine.write_text(table.replace("supply_v: 0.9\n", ""), encoding="utf-8")
    keys = {"table": mine, "scaled_to.node_nm": 22, "scaled_to.supply_v": 0.8, "scaled_to.source": "test"}
    settings = (f"--set=energy.{key}={value}" for key, value in keys.items())
    assert main(["run", "study_conv_separable", "edge", *settings]) == 2
    said = capsys.readouterr().err
    assert "energy.scaled_to: expected null, as the energy table has no supply_v, got" in said


def test_ends_of_a_total_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    """By the parts that it has, each with the factor of its range."""
    layer = simulate("study_conv_separable", "edge", {"energy.table": "cacti_22nm"}).records[0]
    settings = ("--set", "energy.table=cacti_22nm")
    assert main(["explain", "study_conv_separable", "edge", "--layer", layer.layer, "energy_high_pj", *settings]) == 0
    said = capsys.readouterr().out
    assert f"energy_high_pj: {layer.energy.high_pj:.4f} pJ" in said
    assert "pJ x 1.1; source: assumed: IDD values of data sheets are maxima" in said
