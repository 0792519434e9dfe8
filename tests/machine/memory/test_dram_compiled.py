"""Does the compiled kernel do, command by command, what the plain modules do, and does nothing depend on it?"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.cli import main
from accelsim.config.dram import CommandDevice
from accelsim.machine.memory.dram import kernels
from tests.dram_cases import (
    Burst,
    anything,
    device_of,
    driven,
    golden_bursts,
    golden_device,
    goldens,
    memory_after,
    random_engines,
    sheet_of,
)
from tests.reference.dram_rules import violations


def without_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "fastest", kernels.plain())


def test_it_was_compiled() -> None:
    """Where there is a C compiler, as wherever these tests run."""
    assert kernels.is_compiled()


@settings(max_examples=60)
@given(anything())
def test_traces_take_the_same_commands(case: tuple[CommandDevice, list[Burst]]) -> None:
    device, bursts = case
    plain, log = memory_after(device, bursts)
    kernel, kernel_log = memory_after(device, bursts, plain=False)
    assert kernel_log == log
    assert (kernel.end, kernel.counts(kernel.end)) == (plain.end, plain.counts(plain.end))
    assert kernel.bus_spans() == plain.bus_spans()
    assert violations(log, sheet_of(device)) == []


@settings(max_examples=60)
@given(st.integers(0, 1 << 30))
def test_engines_are_told_the_same(seed: int) -> None:
    device, array_mhz, window, plans = random_engines(seed)
    reports, log, plain = driven(device, array_mhz, window, plans)
    kernel_reports, kernel_log, kernel = driven(device, array_mhz, window, plans, plain=False)
    assert kernel_log == log
    assert kernel_reports == reports
    assert kernel.counts(10**9) == plain.counts(10**9)
    asked = [sum(part.bursts(device.burst_bytes) for each in plan for part in each.parts) for plan in plans]
    assert sum(asked) == sum(getattr(plain.counts(10**9), name) for name in ("reads", "writes", "forwarded"))
    if device.organisation.channels == 1:
        assert violations(log, sheet_of(device)) == []
    assert (kernel.bus_spans(), kernel.busy_clocks) == (plain.bus_spans(), plain.busy_clocks)


SHORTER = [row for row in goldens() if not row["trace"].endswith("4M")]
"""All but 4 MiB in a row, which are the same again and again."""


@pytest.mark.slow
@pytest.mark.parametrize("row", SHORTER, ids=lambda row: f"{row['device']}-{row['trace']}")
def test_golden_traces_take_the_same_commands(row: dict[str, str]) -> None:
    device = golden_device(row)
    bursts = golden_bursts(row["trace"], device.burst_bytes)
    assert memory_after(device, bursts, plain=False)[1] == memory_after(device, bursts)[1]


def test_a_long_trace_is_played_in_pieces() -> None:
    """Between which Ctrl-C is heard: rows of one bank, for more clocks than such a piece has."""
    device = device_of("ddr4-2400-x8", "timing.t_refi_nck=100000000", "timing.t_rfc_nck=1000")
    bursts = [("R", (place % 4096) << 17) for place in range(20_000)]
    kernel, log = memory_after(device, bursts, plain=False)
    assert kernel.end > 1 << 20
    assert log == memory_after(device, bursts)[1]


@pytest.mark.parametrize("name", ["lpddr4-3200-x32", "hbm2"])
def test_a_run_is_the_same_to_the_byte_without_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "shufflenet_g3", "edge", "--no-advice", "--set", f"dram.device={name}", "-o"]
    assert main([*words, str(tmp_path / "compiled")]) == 0
    without_kernel(monkeypatch)
    assert main([*words, str(tmp_path / "plain"), "--verbose"]) == 0
    assert "playing DRAM commands in plain Python" in capsys.readouterr().err
    written = sorted((tmp_path / "compiled").iterdir())
    assert [path.name for path in written] == sorted(path.name for path in (tmp_path / "plain").iterdir())
    for path in written:
        assert path.read_bytes() == (tmp_path / "plain" / path.name).read_bytes(), path.name


def test_a_trace_is_the_same_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = tmp_path / "trace"
    trace.write_text("".join(f"{'RW'[place % 7 == 0]} {place * 4160 % 900000}\n" for place in range(900)))
    printed = []
    for _ in range(2):
        assert main(["dram", "ddr4-2400-x8", str(trace), "--json"]) == 0
        printed.append(capsys.readouterr().out)
        without_kernel(monkeypatch)
    assert printed[0] == printed[1]
