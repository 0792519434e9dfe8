"""Are machines that are written in a few lines what they say? Bases, quantities, derived values and their origins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from accelsim import define_machine
from accelsim.cli import main
from accelsim.config.kinds import data_root
from accelsim.config.load import load_machine, load_target, parse_overrides
from accelsim.config.machine import Machine
from accelsim.config.named import shipped
from accelsim.config.resolved import as_config
from accelsim.config.strict_yaml import read
from accelsim.energy.peak import peak_power_w
from accelsim.errors import UserError

TEN_LINES = """name: mine
array: {rows: 16, cols: 64, dataflow: ws, clock: 800 MHz}
sram:
  activation: {capacity: 1 MiB}
  weight: {capacity: 256 KiB}
dram: lpddr4-3200
energy: lecture_100x
"""
ONE_CACHE = """extends: gemmini
caches:
  - {name: L2, capacity: 512 KiB, ways: 8, line_bytes: 64, port: 16 GB/s, hit_clocks: 14, misses_in_flight: 9}
"""


def machine(folder: Path, text: str, *settings: str) -> Machine:
    """The machine of a file with this text and settings."""
    path = folder / "machine.yaml"
    path.write_text(text, encoding="utf-8")
    return load_machine(str(path), parse_overrides(enumerate(settings)))


def refused(folder: Path, text: str, *settings: str) -> list[str]:
    """The mistakes of such a file, without its folder."""
    with pytest.raises(UserError) as error:
        machine(folder, text, *settings)
    return [str(mistake).replace(f"{folder}/", "") for mistake in error.value.mistakes]


def test_ten_lines_are_a_whole_machine(tmp_path: Path) -> None:
    found = machine(tmp_path, TEN_LINES)
    assert (found.array.clock_mhz, found.sram.activation.capacity_bytes) == (800, 1 << 20)
    assert found.vector.lanes == 64
    assert found.sram.activation.port_bytes_per_cycle == found.sram.weight.port_bytes_per_cycle == 64
    assert found.sram.accumulator.capacity_bytes == 1024 * 64 * 4
    assert len(TEN_LINES.splitlines()) <= 10


@pytest.mark.parametrize(
    ("settings", "port", "lanes", "sums"),
    [
        (("array.rows=128",), 128, 64, 1 << 18),
        (("array.cols=8",), 16, 8, 1 << 15),
        (("array.cols=8", "vector.lanes=32"), 16, 32, 1 << 15),
        (("array.activation_bits=4", "array.psum_bits=20"), 32, 64, 1024 * 64 * 3),
    ],
)
def test_what_is_left_out_follows_the_array_unless_it_is_written(
    settings: tuple[str, ...], port: int, lanes: int, sums: int, tmp_path: Path
) -> None:
    found = machine(tmp_path, TEN_LINES, *settings)
    assert found.sram.activation.port_bytes_per_cycle == port
    assert (found.vector.lanes, found.sram.accumulator.capacity_bytes) == (lanes, sums)


def test_edge_is_balanced_at_any_size() -> None:
    found = load_machine("edge", parse_overrides(enumerate(["array.rows=64", "array.cols=16"])))
    assert (found.vector.lanes, found.sram.weight.port_bytes_per_cycle) == (16, 64)


def test_a_base_is_a_shipped_name_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("extends: edge\narray: {rows: 8}\ndram: ideal_lpddr4\n")
    found = machine(tmp_path, "extends: base.yaml\narray: {cols: 8}\ndram: {latency_clocks: 10}\n")
    assert (found.name, found.array.rows, found.array.cols) == ("machine", 8, 8)
    assert (found.dram.device, found.dram.model_dump()["latency_clocks"]) == ("ideal_lpddr4", 10)
    edge = as_config(load_machine("edge"))
    assert as_config(machine(tmp_path, "extends: edge\n")) == {**edge, "name": "machine", "description": ""}


def test_a_file_that_is_named_replaces_what_the_base_has(tmp_path: Path) -> None:
    found = machine(tmp_path, "extends: edge\ndram: ideal_hbm2\nenergy: {table: horowitz_45nm}\n")
    assert (found.dram.device, found.dram.kind, found.energy.table) == ("ideal_hbm2", "ideal", "horowitz_45nm")
    assert as_config(found)["dram"] == as_config(load_machine("cloud"))["dram"]


def test_a_timing_in_another_unit_replaces_that_of_the_base(tmp_path: Path) -> None:
    timing = as_config(machine(tmp_path, "extends: edge\ndram: {timing: {t_rcd_nck: 30}}\n"))["dram"]["timing"]
    assert timing["t_rcd_nck"] == 30
    assert "t_rcd_ns" not in timing


def test_compiler_options_come_from_the_base_too(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("extends: edge\nscheduling: {fusion: never, inferences: 3}\n")
    path = tmp_path / "machine.yaml"
    path.write_text("extends: base.yaml\nscheduling: {inferences: 2}\n")
    scheduling = load_target(str(path)).scheduling
    assert (scheduling.fusion, scheduling.inferences) == ("never", 2)


def test_sources_of_replaced_values_are_not_taken(tmp_path: Path) -> None:
    sources = machine(tmp_path, "extends: edge\narray: {weight_bits: 4}\n").sources
    assert "array.weight_bits" not in sources
    assert "array.psum_bits" in sources


def test_nothing_is_taken_of_a_list_that_is_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Caches are a list: neither origins nor sources of the base's speak of the file's own."""
    path = tmp_path / "mine.yaml"
    path.write_text(ONE_CACHE)
    assert not [key for key in load_machine(str(path)).sources if key.startswith("caches")]
    assert main(["show", str(path)]) == 0
    lines = {line.split(":")[0].strip(): line.partition("  # ")[2] for line in capsys.readouterr().out.splitlines()}
    assert (lines["replacement"], lines["ways"]) == ("default", f"{path}:3")


def test_from_python() -> None:
    target = define_machine({"name": "mine", "extends": "edge", "array": {"rows": 8, "clock": "500 MHz"}})
    assert (target.machine.array.rows, target.machine.array.clock_mhz) == (8, 500)
    with pytest.raises(UserError, match=r"machine:0: name: expected a value, got nothing"):
        define_machine({"extends": "edge"})


def test_bases_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("extends: machine.yaml\n")
    wrong = "other.yaml:1: extends: expected a machine that does not extend this one in turn, got machine.yaml"
    assert refused(tmp_path, "extends: other.yaml\n") == [wrong]


def test_long_chains_are_refused(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"{number}.yaml").write_text(f"extends: {number + 1}.yaml\n")
    (tmp_path / "20.yaml").write_text("extends: edge\n")
    assert refused(tmp_path, "extends: 0.yaml\n") == [
        "14.yaml:1: extends: expected a chain of at most 16 files, got a longer one"
    ]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("extends: edgy\n", "a file or the name of a shipped machine (did you mean edge?), got 'edgy'"),
        ("extends: ../edge\n", "a file below the folder of this one or an allowed one, or the name of a shipped "
                               "machine (did you mean edge?), got '../edge'"),
        ("extends: [edge]\n", "a machine file or the name of a shipped one, got a list"),
    ],
)  # fmt: skip
def test_what_is_no_base_is_refused(text: str, mistake: str, tmp_path: Path) -> None:
    assert refused(tmp_path, text) == [f"machine.yaml:1: extends: expected {mistake}"]


def test_a_mistake_in_a_base_is_named_there(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("extends: edge\narray:\n  rows: 0\n")
    assert refused(tmp_path, "extends: base.yaml\n") == ["base.yaml:3: array.rows: expected more than 0, got 0"]
    assert machine(tmp_path, "extends: base.yaml\narray: {rows: 4}\n").array.rows == 4


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("sram.weight.capacity_bytes", "256 KiB", 1 << 18),
        ("sram.weight.capacity_bytes", "256KiB", 1 << 18),
        ("sram.weight.capacity", "0.5 MiB", 1 << 19),
        ("sram.weight.capacity", "256 kB", 256_000),
        ("array.clock", "1.2 GHz", 1200),
        ("array.clock_mhz", "32768 Hz", 0.032768),
        ("dram.clock", "800 MHz", 800),
        ("dram.timing.t_rcd_ns", "18000 ps", 18),
        ("dram.energy.active_mw", "3.2 W", 3200),
        ("sram.activation.port", "32 GB/s", 32),
        ("dma.max_outstanding_bursts", "8", 8),
    ],
)
def test_quantities_are_plain_numbers_under_whole_keys(key: str, text: str, value: float, tmp_path: Path) -> None:
    found: Any = as_config(machine(tmp_path, "extends: edge\ndram: lpddr4-3200\n", f"{key}={text}"))
    *sections, last = key.split(".")
    for part in sections:
        found = found[part]
    whole = [name for name in found if name == last or name.startswith(f"{last}_")]
    assert [found[name] for name in whole] == [value]


def test_a_rate_is_bytes_in_the_clock_of_its_section(tmp_path: Path) -> None:
    found = machine(tmp_path, "extends: edge\ndram: {device: ideal_lpddr4, bytes_per_clock: 12.8 GB/s}\n")
    assert as_config(found)["dram"]["bytes_per_clock"] == 8
    slow = machine(tmp_path, "extends: edge\narray: {clock: 500 MHz}\nsram: {weight: {port: 8 GB/s}}\n")
    assert slow.sram.weight.port_bytes_per_cycle == 16
    cached = machine(tmp_path, ONE_CACHE)
    assert cached.caches is not None
    assert (cached.caches[0].capacity_bytes, cached.caches[0].port_bytes_per_cycle) == (1 << 19, 16)


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("array: {clock: 1 KiB}", "array.clock: expected a frequency such as 1 GHz, got '1 KiB'"),
        ("array: {clock_mhz: 1 kB}", "array.clock_mhz: expected a frequency such as 1 GHz, got '1 kB'"),
        ("sram: {weight: {capacity: 8 KB}}",
         "sram.weight.capacity: expected a size such as 256 KiB or 256 kB, got '8 KB'"),
        ("sram: {weight: {capacity: 1.5 B}}", "sram.weight.capacity_bytes: expected a whole number, got 1.5"),
        ("sram: {weight: {capacity: 1 B, capacity_bytes: 1}}",
         "sram.weight.capacity: expected capacity_bytes or capacity, got both"),
        ("sram: {weight: {port: 1.5 GB/s}}",
         "sram.weight.port_bytes_per_cycle: expected a whole number, got 1.5"),
        ("dram: {device: ideal_16b, bytes_per_clock: 12 GHz}",
         "dram.bytes_per_clock: expected a rate such as 12.8 GB/s, got '12 GHz'"),
        ("sram: {weight: {capacity: 64}}", "sram.weight.capacity: expected a known key (did you mean capacity_bytes?), "
                                           "got 'capacity'"),
    ],
)  # fmt: skip
def test_quantities_that_are_none_are_refused(text: str, mistake: str, tmp_path: Path) -> None:
    assert refused(tmp_path, f"extends: edge\n{text}\n") == [f"machine.yaml:2: {mistake}"]


CLOCK = parse_overrides([(1, "array.clock=2 GHz")])


def test_show_says_where_each_value_is_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("extends: edge\narray: {rows: 16}\n")
    assert main(["show", str(path), "--set", "array.clock=2 GHz"]) == 0
    text = capsys.readouterr().out
    lines = {line.split(":")[0].strip(): line.partition("  # ")[2] for line in reversed(text.splitlines())}
    assert [line for line in text.splitlines() if line.startswith("# derived: ")][:2] == [
        f"# derived: {2 * 16 * 32 * 2 / 1e3:.3g} TOPS at most, at {peak_power_w(load_machine(str(path), CLOCK)):.3g} W "
        "without DRAM",
        "# derived: DRAM moves 12.8 GB/s at most, 6.4 bytes a cycle",
    ]
    assert lines["name"] == "derived: name of the file"
    assert lines["rows"] == f"{path}:2"
    assert lines["clock_mhz"] == "set"
    assert lines["cols"] == "hwconfigs/edge.yaml:9"
    assert lines["timing"] == "default"
    assert lines["vector"] == "derived: array.cols"
    path.write_text(text)
    assert main(["show", str(path)]) == 0
    again = capsys.readouterr().out
    assert [line.partition("  # ")[0].rstrip() for line in again.splitlines()] == [
        line.partition("  # ")[0].rstrip() for line in text.splitlines()
    ]


@pytest.mark.parametrize("name", shipped("machines"))
def test_each_number_of_a_shipped_machine_has_a_source(name: str) -> None:
    written = read(data_root() / "hwconfigs" / f"{name}.yaml", name).data
    covered = {key.split(".")[0] for key in written["sources"]}
    assert {"array", "sram", "vector", "dma"} & set(written) <= covered
