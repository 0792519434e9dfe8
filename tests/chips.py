"""Chips that were measured, beside what accelsim says: layers of TPU v3, whole networks on a DPU of a ZCU102.

`python -m tests.chips` plays them, some seconds each, and writes `tests/data/validation/chips.csv`, of which
docs/fidelity.md is made. Nothing is fitted, and much is not known of either: the page says what.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isqrt
from typing import Any, NamedTuple

from accelsim import simulate
from accelsim.config.load import load_machine
from accelsim.config.schema import validate
from accelsim.config.strict_yaml import Document, Origin
from accelsim.config.workload import Workload
from accelsim.network.build import build
from accelsim.run.simulate import run_network
from tests.gemmini.measured import DATA, table

PLAYED = DATA / "chips.csv"
DPU_MHZ = 281
"""Clock of the three cores on the ZCU102, of which one thread keeps one busy."""


class Point(NamedTuple):
    """A measured time and ours, in microseconds."""

    chip: str
    what: str
    measured: float
    ours: float

    @property
    def error(self) -> float:
        """Ours over the measured one, less 1."""
        return self.ours / self.measured - 1


def played() -> Iterator[Point]:
    """All points."""
    for row in table("tpu_v3.csv"):
        sizes = tuple(int(row[name]) for name in ("batch", "rows", "sum", "columns"))
        what = f"{row['kind']} {' x '.join(str(size) for size in sizes if size > 1)}"
        yield Point("tpu_v3", what, float(row["microseconds"]), TPU_V3.get(row["kind"], product_us)(*sizes))
    for row in table("dpu_zcu102.csv"):
        yield Point("dpu_b4096", row["network"], 1e6 / float(row["frames_per_s"]), dpu_us(row["network"]))


def product_us(batch: int, rows: int, inputs: int, outputs: int) -> float:
    """Time of products of rows x inputs x outputs on a core of TPU v3: a pointwise convolution, several in groups."""
    conv = {"name": "conv", "op": "conv", "channels": batch * outputs, "kernel": 1, "groups": batch}
    return tpu_us([conv], (rows, 1, batch * inputs))


def softmax_us(batch: int, rows: int, _: int, columns: int) -> float:
    """Time of softmaxes over the columns of each row."""
    return tpu_us([{"name": "softmax", "op": "softmax", "groups": batch}], (rows, 1, batch * columns))


def block_us(_: int, pixels: int, depth: int, channels: int) -> float:
    """Time of a norm, a 3x3 convolution with sums of this depth and an activation, twice, on a square map."""
    layers: list[dict[str, Any]] = []
    for number in (1, 2):
        layers += [
            {"name": f"norm{number}", "op": "layernorm"},
            {"name": f"conv{number}", "op": "conv", "channels": channels, "kernel": 3, "pad": 1},
            {"name": f"silu{number}", "op": "silu"},
        ]
    return tpu_us(layers, (isqrt(pixels), isqrt(pixels), depth // 9))


def attention_us(heads: int, tokens: int, inputs: int, width: int) -> float:
    """Time of queries, keys and values, attention in heads, and the projection behind it."""
    given = [{"name": each, "op": "matmul", "channels": width, "inputs": ["input"]} for each in ("q", "k", "v")]
    layers = [
        *given,
        {"name": "scores", "op": "product", "inputs": ["q", "k"], "groups": heads, "transposed": True},
        {"name": "weights", "op": "softmax", "groups": heads},
        {"name": "mixed", "op": "product", "inputs": ["weights", "v"], "groups": heads},
        {"name": "projection", "op": "matmul", "channels": width},
    ]
    return tpu_us(layers, (tokens, 1, inputs))


TPU_V3: dict[str, Callable[[int, int, int, int], float]] = {
    "softmax": softmax_us,
    "block": block_us,
    "self-attention": attention_us,
}
"""What is more than a product."""


def tpu_us(layers: Sequence[Mapping[str, Any]], size: tuple[int, int, int]) -> float:
    """Time of layers behind a map of rows, columns and channels on a core of TPU v3."""
    given = dict(zip(("height", "width", "channels"), size, strict=True))
    data = {"name": "point", "source": "COCOSSim", "batch": 1, "input": given, "layers": list(layers)}
    document = Document(data, {(): Origin("chips", 0)})
    workload = validate(Workload, document)
    machine = load_machine(str(DATA / "tpu_v3.yaml"))
    return run_network(workload, build(workload, document), machine).total.total_cycles / machine.array.clock_mhz


def dpu_us(network: str) -> float:
    """Time of an image on one core of the DPU."""
    run = simulate(network, "dpu_b4096", {"array.clock_mhz": DPU_MHZ})
    return run.total.total_cycles / DPU_MHZ


def read() -> list[Point]:
    """What was played."""
    return [Point(row["chip"], row["what"], float(row["measured_us"]), float(row["us"])) for row in table(PLAYED.name)]


def write() -> None:
    """Play all and write the file."""
    points = list(played())
    with PLAYED.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["chip", "what", "measured_us", "us"])
        for point in points:
            writer.writerow([point.chip, point.what, f"{point.measured:.1f}", f"{point.ours:.1f}"])


if __name__ == "__main__":
    write()
