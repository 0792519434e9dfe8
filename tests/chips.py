"""Chips that were measured, beside what accelsim says: layers of TPU v3, whole networks on a DPU of a ZCU102.

`python -m tests.chips` plays them, in some seconds, and writes `tests/data/validation/chips.csv`, of which
docs/fidelity.md is made. Nothing is fitted, and much is not known of either: the page says what.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isqrt
from typing import Any, NamedTuple

from accelsim import define_network, simulate
from accelsim.records import LayerRecord
from tests.gemmini.measured import DATA, table

PLAYED = DATA / "chips.csv"
TPU_MHZ, DPU_MHZ = 940, 281
"""Clocks of TPU v3, and of the three cores on the ZCU102, of which one thread keeps one busy."""
WIDE = {"dma.bursts_per_clock": 1 << 16, "dma.max_outstanding_bursts": 1 << 16, "dma.setup_cycles": 0}
IDEAL = {"dram.bytes_per_clock": 1 << 20, "dram.latency_clocks": 0, **WIDE}
"""Memory that is never waited for."""
WHOLE = {"dram.bytes_per_clock": 900, "dma.bursts_per_clock": 16}
"""The memory of both cores of TPU v3, and an engine that can draw it."""
ONE_UNIT = {"array.cols": 128}


class Point(NamedTuple):
    """A measured time and ours, in microseconds.

    array, vector: what the array takes of ours, and the vector unit and the depthwise engine while it waits for them.
    Of TPU v3 alone: COCOSSim's time, and ours with memory that is never waited for, with that of both cores, and with
    one matrix unit.
    """

    chip: str
    what: str
    measured: float
    ours: float
    array: float
    vector: float
    peer: float | None = None
    ideal_memory: float | None = None
    whole_memory: float | None = None
    one_unit: float | None = None

    @property
    def error(self) -> float:
        """Ours over the measured one, less 1."""
        return self.ours / self.measured - 1

    @property
    def kind(self) -> str:
        """Kind of the measurement."""
        return self.what.split(" ")[0] if self.chip == "tpu_v3" else "network"


class Layers(NamedTuple):
    """Layers behind a map of rows, columns and channels."""

    rows: Sequence[Mapping[str, Any]]
    size: tuple[int, int, int]


def played() -> Iterator[Point]:
    """All points."""
    for row in table("tpu_v3.csv"):
        sizes = tuple(int(row[name]) for name in ("batch", "rows", "sum", "columns"))
        layers = TPU_V3.get(row["kind"], product)(*sizes)
        yield Point(
            "tpu_v3",
            f"{row['kind']} {' x '.join(str(size) for size in sizes if size > 1)}",
            float(row["microseconds"]),
            *_times(tpu_total(layers), TPU_MHZ),
            int(row["cocossim_cycles"]) / TPU_MHZ,
            *(tpu_total(layers, changed).total_cycles / TPU_MHZ for changed in (IDEAL, WHOLE, ONE_UNIT)),
        )
    for row in table("dpu_zcu102.csv"):
        times = _times(dpu_total(row["network"]), DPU_MHZ)
        yield Point("dpu_b4096", row["network"], 1e6 / float(row["frames_per_s"]), *times)


def _times(total: LayerRecord, mhz: float) -> tuple[float, float, float]:
    """Time of a run, of the array in it, and of vector unit and depthwise engine while the array waits for them."""
    vector = total.stalls["vector"] + total.stalls["depthwise"]
    return total.total_cycles / mhz, total.array_busy_cycles / mhz, vector / mhz


def product(batch: int, rows: int, inputs: int, outputs: int) -> Layers:
    """Products of rows x inputs x outputs: a pointwise convolution, several in groups."""
    conv = {"name": "conv", "op": "conv", "channels": batch * outputs, "kernel": 1, "groups": batch}
    return Layers([conv], (rows, 1, batch * inputs))


def softmax(batch: int, rows: int, _: int, columns: int) -> Layers:
    """Softmaxes over the columns of each row."""
    return Layers([{"name": "softmax", "op": "softmax", "groups": batch}], (rows, 1, batch * columns))


def block(_: int, pixels: int, depth: int, channels: int) -> Layers:
    """A norm, a 3x3 convolution with sums of this depth and an activation, twice, on a square map."""
    layers: list[dict[str, Any]] = []
    for number in (1, 2):
        layers += [
            {"name": f"norm{number}", "op": "layernorm"},
            {"name": f"conv{number}", "op": "conv", "channels": channels, "kernel": 3, "pad": 1},
            {"name": f"silu{number}", "op": "silu"},
        ]
    return Layers(layers, (isqrt(pixels), isqrt(pixels), depth // 9))


def attention(heads: int, tokens: int, inputs: int, width: int) -> Layers:
    """Queries, keys and values, attention in heads, and the projection behind it."""
    given = [{"name": each, "op": "matmul", "channels": width, "inputs": ["input"]} for each in ("q", "k", "v")]
    layers = [
        *given,
        {"name": "scores", "op": "product", "inputs": ["q", "k"], "groups": heads, "transposed": True},
        {"name": "weights", "op": "softmax", "groups": heads},
        {"name": "mixed", "op": "product", "inputs": ["weights", "v"], "groups": heads},
        {"name": "projection", "op": "matmul", "channels": width},
    ]
    return Layers(layers, (tokens, 1, inputs))


TPU_V3: dict[str, Callable[[int, int, int, int], Layers]] = {
    "softmax": softmax,
    "block": block,
    "self-attention": attention,
}
"""Kinds that are more than a product."""


def tpu_total(layers: Layers, settings: Mapping[str, object] | None = None) -> LayerRecord:
    """Layers on a core of TPU v3, with these settings."""
    given = dict(zip(("height", "width", "channels"), layers.size, strict=True))
    data = {"name": "point", "source": "COCOSSim", "input": given, "layers": list(layers.rows)}
    return simulate(define_network(data), DATA / "tpu_v3.yaml", settings).total


def dpu_total(network: str) -> LayerRecord:
    """An image on one core of the DPU."""
    return simulate(network, "dpu_b4096", {"array.clock_mhz": DPU_MHZ}).total


def read() -> list[Point]:
    """The points that were simulated."""
    return [
        Point(row.pop("chip"), row.pop("what"), **{name: float(time) for name, time in row.items() if time})
        for row in table(PLAYED.name)
    ]


def as_rows(points: Sequence[Point]) -> list[list[str]]:
    """Lines of the file, times to a tenth of a microsecond."""
    numbers = [["" if time is None else f"{time:.1f}" for time in point[2:]] for point in points]
    return [list(Point._fields), *([*point[:2], *times] for point, times in zip(points, numbers, strict=True))]


def write() -> None:
    """Play all and write the file."""
    rows = as_rows(list(played()))
    with PLAYED.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


if __name__ == "__main__":
    write()
