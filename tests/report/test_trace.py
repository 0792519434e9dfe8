"""Is a trace well-formed, and does it say what the records say?"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from accelsim.cli import main
from accelsim.errors import UserError
from accelsim.report import trace
from accelsim.report.trace import Traced, chosen_layers, trace_text
from accelsim.run.result import Run
from accelsim.run.simulate import load_both, play_network

DEVICES = ("ideal_lpddr4", "lpddr4-3200", "hbm2")
Event = dict[str, Any]


@pytest.fixture(scope="module", params=DEVICES)
def traced(request: pytest.FixtureRequest) -> tuple[Run, Traced]:
    settings = [(0, f"dram.device={request.param}"), (0, "scheduling.inferences=2")]
    workload, network, machine, scheduling = load_both("mobilenet_v1_0.25_128", "edge", settings)
    played = play_network(workload, network, machine, scheduling, keep_history=True)
    return played.run, Traced(played.program.layers, played.history.linked, played.outcome, machine)


def events(played: Traced, phase: str, **options: Any) -> list[Event]:
    document = json.loads(trace_text(played, **options))
    assert document["otherData"]["time"] == "1 us is 1 array clock"
    return [event for event in document["traceEvents"] if event["ph"] == phase]


def by_track(played: Traced) -> dict[str, list[Event]]:
    names = {event["tid"]: event["args"]["name"] for event in events(played, "M") if event["name"] == "thread_name"}
    tracks: dict[str, list[Event]] = {name: [] for name in names.values()}
    for event in events(played, "X"):
        tracks[names[event["tid"]]].append(event)
    return tracks


def test_slices_of_a_track_do_not_overlap(traced: tuple[Run, Traced]) -> None:
    run, played = traced
    buses = len(played.outcome.bus_spans())
    tracks = by_track(played)
    assert list(tracks) == ["DMA in", "array", "vector unit", "DMA out", *(f"DRAM bus {n}" for n in range(buses))]
    for slices in tracks.values():
        assert slices
        reached = 0.0
        for event in sorted(slices, key=lambda event: event["ts"]):
            assert event["ts"] >= reached - 1e-6
            assert event["dur"] > 0
            reached = event["ts"] + event["dur"]
        assert reached <= run.total.total_cycles


def test_slices_add_up_to_the_records(traced: tuple[Run, Traced]) -> None:
    """Streams layer by layer, vector work, bytes; of the buses the clocks in which the busiest moved something."""
    run, played = traced
    tracks = by_track(played)
    streams: dict[str, int] = defaultdict(int)
    for event in tracks["array"]:
        streams[event["args"]["layer"].partition("@")[0]] += event["dur"]
    assert streams == {record.layer: record.stream_cycles for record in run.records if record.stream_cycles}
    assert sum(event["dur"] for event in tracks["vector unit"]) == run.total.busy_cycles["vector"]
    counts = run.total.counts
    assert sum(event["args"]["bytes"] for event in tracks["DMA in"]) == counts.dram_read_bytes
    assert sum(event["args"]["bytes"] for event in tracks["DMA out"]) == counts.dram_write_bytes
    per_array_clock = played.machine.dram.clock_mhz / played.machine.array.clock_mhz
    busiest = max(
        sum(event["dur"] for event in slices) for name, slices in tracks.items() if name.startswith("DRAM bus")
    )
    pseudo = getattr(getattr(played.machine.dram, "organisation", None), "pseudo_channels", 1)
    assert busiest * per_array_clock <= played.outcome.dram_busy_clocks * (1 + 1e-9)
    assert busiest * per_array_clock * pseudo >= played.outcome.dram_busy_clocks * (1 - 1e-9)


def test_counters_are_sorted_and_stay_within_what_there_is(traced: tuple[Run, Traced]) -> None:
    """Buffers end empty, but for weights and maps that stay to the end; bandwidth adds up to the bursts."""
    run, played = traced
    counters: dict[str, list[Event]] = defaultdict(list)
    for event in events(played, "C"):
        counters[event["name"]].append(event)
    sram = played.machine.sram
    for name, capacity in (("activation", sram.activation.capacity_bytes), ("weight", sram.weight.capacity_bytes)):
        found = counters.pop(f"SRAM {name} (bytes)")
        assert [event["ts"] for event in found] == sorted(event["ts"] for event in found)
        assert all(0 <= event["args"]["value"] <= capacity for event in found)
        assert found[-1]["args"]["value"] == 0
    ((name, found),) = counters.items()
    assert name == "DRAM (bytes per cycle)"
    step = found[1]["ts"] - found[0]["ts"]
    moved = sum(event["args"]["value"] for event in found) * step
    served = run.total.counts.dram_burst_bytes
    assert served * 0.97 <= moved <= served * 1.03


def test_a_choice_of_layers(traced: tuple[Run, Traced]) -> None:
    _, played = traced
    layers = chosen_layers("conv1..pw2,fc", played.layers)
    assert layers == {"conv1", "dw2", "pw2", "fc"}
    assert {event["args"]["layer"] for event in events(played, "X", layers=layers) if event["args"]} == layers


def test_a_trace_is_bounded(traced: tuple[Run, Traced], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "MOST_EVENTS", 100)
    with pytest.raises(UserError, match="layers: expected a choice of layers with at most 100 events"):
        trace_text(traced[1])


@pytest.mark.slow
def test_the_command_writes_it_the_same_each_time(tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        assert main(["run", "mobilenet_v1_0.25_128", "edge", "--trace", str(tmp_path / name)]) == 0
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
