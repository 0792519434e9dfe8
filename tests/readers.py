"""A good file for each reader, how it is changed at random, and the commands that read it."""

from __future__ import annotations

import json
import shutil
from contextlib import redirect_stdout
from pathlib import Path
from typing import NamedTuple

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from accelsim.cli import main
from tests.changes import (
    Change,
    changed_bytes,
    changed_json,
    changed_line,
    changed_onnx,
    changed_store,
    changed_table,
    changed_words,
    changed_yaml,
)
from tests.tflite_files import INT8, SAME, Lite

HERE = Path(__file__).parent
GOOD = HERE / "invalid" / "good"
SHIPPED = HERE.parent / "hwconfigs"


class Reader(NamedTuple):
    """A file, how it is changed, and commands that read it; none: it is a command line itself."""

    file: str
    change: Change
    commands: tuple[tuple[str, ...], ...]


RUN = ("run", "net.yaml", "machine.yaml")
MEANS = ("pareto", "points", "--mean", "--minimize")
SELDOM_DRAWN = 3
"""Turns of the other commands for each picture, which takes as long as all of them."""
READERS = {
    "machine": Reader("machine.yaml", changed_yaml, (("show", "machine.yaml"), RUN)),
    "heir": Reader("heir.yaml", changed_yaml, (("show", "heir.yaml"), ("run", "net.yaml", "heir.yaml"))),
    "caches": Reader("cached.yaml", changed_yaml, (("show", "cached.yaml"), ("run", "net.yaml", "cached.yaml"))),
    "parts": Reader("parts.yaml", changed_yaml, (("show", "parts.yaml"), ("run", "rows.yaml", "parts.yaml"))),
    "network": Reader("net.yaml", changed_yaml, (("show", "net.yaml", "--layers"), RUN)),
    "layers": Reader("rows.yaml", changed_yaml, (("show", "rows.yaml"), ("show", "rows.yaml", "--layers"))),
    "mapping": Reader("mapping.yaml", changed_yaml, ((*RUN, "--mapping", "mapping.yaml"),)),
    "plan": Reader("plan.yaml", changed_yaml, (("run", "rows.yaml", "machine.yaml", "--mapping", "plan.yaml"),)),
    "energy": Reader("energy.yaml", changed_yaml, (("run", "net.yaml", "priced.yaml"),)),
    "area": Reader("area.yaml", changed_yaml, (("run", "net.yaml", "sized.yaml"),)),
    "device": Reader("device.yaml", changed_yaml, (("run", "net.yaml", "driven.yaml"),)),
    "trace": Reader("trace.txt", changed_bytes, (("dram", "lpddr4-3200", "trace.txt"),)),
    "topology": Reader("topology.csv", changed_table, (("show", "topology.csv", "--layers"),)),
    "mappings": Reader(
        "mappings.csv",
        changed_table,
        (
            ("show", "mappings.csv", "--layers"),
            ("import", "mappings.csv", "--mapping"),
            ("import", "mappings.csv", "--mapping", "--allow-unmodelled"),
        ),
    ),
    "configuration": Reader("scale.cfg", changed_bytes, (("show", "scale.cfg"), ("import", "scale.cfg"))),
    "onnx": Reader(
        "model.onnx",
        changed_onnx,
        (("show", "model.onnx", "--layers"), ("import", "model.onnx"), ("import", "model.onnx", "--allow-unmodelled")),
    ),
    "operators": Reader(
        "moved.onnx",
        changed_onnx,
        (("show", "moved.onnx", "--layers"), ("import", "moved.onnx", "--allow-unmodelled"), ("import", "moved.onnx")),
    ),
    "tflite": Reader(
        "model.tflite",
        changed_words,
        (("show", "model.tflite", "--layers"), ("import", "model.tflite", "--allow-unmodelled")),
    ),
    "run": Reader(
        "run.json",
        changed_json,
        (
            *SELDOM_DRAWN
            * (
                ("reprice", "run.json", "--energy", "lecture_100x"),
                ("report", "run.json", "-o", "page.html", "--force"),
                ("diff", "run.json", "good.json"),
                ("explain", "run.json", "--plans"),
                ("rerun", "run.json"),
            ),
            ("plot", "run.json", "--kind", "energy", "-o", "plot.svg", "--force"),
        ),
    ),
    "store": Reader(
        "points/sweep.sqlite",
        changed_store,
        (
            *SELDOM_DRAWN
            * (
                ("pareto", "points", "--minimize", "total_cycles,energy_total_pj"),
                (*MEANS, "total_cycles,sram_read_bytes", "--where", "total_cycles <= 9000"),
                ("report", "points", "-o", "p.html", "--force"),
            ),
            ("plot", "points", "--kind", "energy", "-o", "plot.svg", "--force"),
        ),
    ),
    "recommendation": Reader(
        "points/recommendation.json", changed_json, (("report", "points", "-o", "p.html", "--force"),)
    ),
    "sweep": Reader("spec.yaml", changed_yaml, (("sweep", "spec.yaml", "-o", "swept", "--force"),)),
    "recommend": Reader(
        "choice.yaml",
        changed_yaml,
        (("recommend", "choice.yaml", "--objective", "edp", "--trials", "2", "--quiet", "-o", "tried"),),
    ),
    "arguments": Reader("lines.json", changed_line, ()),
}

ROWS = """\
name: rows
source: made up
input: {height: 12, width: 12, channels: 6}
layers:
- {name: a, op: conv, kernel: 3, stride: 2, pad: 1, channels: 12}
- {name: b, op: block, times: 2, layers: [{name: d, op: dwconv, kernel: 3, pad: 1}, {name: e, op: relu}]}
- {name: g, op: conv, kernel: 1, channels: 12, groups: 2}
- {name: j, op: add, inputs: [g, a]}
- {name: s, op: shuffle, groups: 3}
- {name: f, op: fc, channels: 5}
"""
HEIR = """\
extends: machine.yaml
description: a machine with units
array: {rows: 8, clock: 0.2 GHz}
sram:
  weight: {capacity: 8 KiB, port: 1.6 GB/s}
  line_buffer: true
dma: {engines_in: 2}
dram: {device: ideal_lpddr4, bytes_per_clock: 12.8 GB/s}
scheduling: {objective: edp}
sources: {array.rows: assumed}
"""
CACHED = """\
extends: machine.yaml
dma: {request_bytes: 16, requests_in_flight: 4, descriptors_in_flight: 2, descriptor_rows: 16, load_row_bytes: 64}
dram: ddr4-2400-x8
caches:
- {name: L2, capacity: 4 KiB, ways: 4, line_bytes: 64, port_bytes_per_cycle: 16, hit_clocks: 14, misses_in_flight: 10,
   replacement: random, writes: back, write_port: separate}
- {name: LLC, capacity_bytes: 16384, ways: 8, line_bytes: 128, port_bytes_per_cycle: 8, hit_clocks: 24, fill_clocks: 17,
   request_clocks: 9, misses_in_flight: 8, writes: through}
"""
PARTS = """\
extends: machine.yaml
depthwise: {channels: 4, taps_per_clock: 3, max_taps: 9, line_buffer_bytes: 1024}
host: {tile_clocks: 9}
array: {depthwise_on: auto, operands: either, post_latency: 2}
sram: {unified: true, accumulator: {capacity: 4 KiB, fill: dma}}
input_path: {scale: 4}
output_path: {scale: 4, function: 4, add: 4, max_pool: 4, avg_pool: 4, pool_buffer_bytes: 512, pool_overlaps: true}
dma:
  decoder: {format: huffman, bytes_per_clock: 8}
  map_codec: {format: zero_run_length, run_bits: 4, word_bits: 32, bytes_per_clock: 8}
area: scaled_22nm
scheduling: {fusion: auto, keep_activations: auto, inferences: 2, slots: 2}
"""
MAPPINGS = """\
name, C, K, N, P, Q, R, S, stride_h, stride_w, mapping
a, 16, 32, 1, 7, 7, 3, 3, 1, 1, L3[WIO] K2 S3 - L2[WI] N1 K16X - L1[O] R3 C16 Q7 P7 - L0[W] N1
b, 64, 8, 1, 12, 1, 1, 1, 1, 1, L3[WIO] P3 C2 - L2[WI] N1 K8X - L1[O] P4 C16X - L0[W] C2
"""
MAPPING = """\
scheduling:
  objective: energy
  fusion: auto
  inferences: 2
  plan:
    layers:
    - match: "*"
      dataflow: ws
      tile: {rows: 4, columns: 4, outputs: 4}
      order: [map, groups, outputs, inputs]
      results: apart
"""
SCALE = """\
[general]
run_name = small
[architecture_presets]
ArrayHeight: 8
ArrayWidth: 8
IfmapSramSzkB: 16
FilterSramSzkB: 16
OfmapSramSzkB: 16
IfmapOffset: 0
FilterOffset: 10000000
OfmapOffset: 20000000
Bandwidth : 10
Dataflow : ws
MemoryBanks: 1
[run_presets]
InterfaceBandwidth: CALC
"""
TOPOLOGY = """\
Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,
Conv1, 16, 16, 3, 3, 3, 8, 2,
Conv2, 7, 7, 1, 1, 8, 16, 1,
"""
SPEC = """\
networks: [net.yaml]
machines: [machine.yaml, "h*.yaml"]
mapping: mapping.yaml
grid: {array.rows: [2, 4], network.prune: [null, {density: 0.5}], dram.device: [ideal_lpddr4]}
zipped: [{array.cols: [4, 8], sram.weight.capacity: [4 KiB, 8 KiB]}]
listed: [{vector.lanes: 4}, {dma.max_outstanding_bursts: 8, array.overlap: false}]
where: [array.rows * array.cols <= 512, sram.accumulator.capacity_bytes >= 8 * array.cols and array.clock_mhz < 2000]
"""
CHOICE = """\
networks: [net.yaml]
machines: [machine.yaml]
grid: {array.rows: [2, 4], array.dataflow: [ws, os]}
where: [array.rows * array.cols <= 512]
"""
RECOMMENDATION = {"format": 1, "lines": ["edge: least edp"], "points": [1], "budgets": ["area_mm2 <= 4"]}
LINES = (
    ("help", "settings"),
    ("list", "networks"),
    ("schema", "machine"),
    ("show", "shufflenet_0.50x_g3"),
    ("show", "resnext50_32x4d", "--layers"),
    ("show", "mobilenet_v1_0.25_128", "--set", "network.prune.density=0.5"),
    ("show", "machine.yaml", "--set", "array.rows=8", "--set", "sram.weight.capacity=8 KiB"),
    ("show", "net.yaml", "machine.yaml", "--mapping"),
    (*RUN, "--by", "type", "--set", "network.prune.density=0.5", "--set", "array.clock=1 GHz"),
    (*RUN, "--set", "dram.device=ddr4-2400-x8", "--set", "dma.setup_cycles=16"),
    ("check", "net.yaml", "machine.yaml", "--set", "scheduling.fusion=never"),
    ("explain", "net.yaml", "machine.yaml", "--layer", "a", "total_cycles"),
    ("explain", "run.json", "--layer", "a", "energy_total_pj", "--json"),
    ("compare", "net.yaml", "rows.yaml", "--hw", "machine.yaml", "--json"),
    ("dram", "lpddr4-3200", "trace.txt", "--set", "dram.timing.t_rp_ns=18"),
    ("pareto", "points", "--minimize", "total_cycles,energy_total_pj", "--where", "total_cycles <= 1e9"),
    ("pareto", "points", "--mean", "--minimize", "total_cycles,latency_ms", "--weight", "tiny=3"),
    ("import", "topology.csv"),
    ("diff", "run.json", "good.json"),
)  # fmt: skip


def good_files(folder: Path) -> None:
    """Write one good file for each reader into the working directory."""
    machine = (GOOD / "machine.yaml").read_text()
    texts = {
        "net.yaml": (GOOD / "net.yaml").read_text(),
        "machine.yaml": machine,
        "heir.yaml": HEIR,
        "cached.yaml": CACHED,
        "parts.yaml": PARTS,
        "rows.yaml": ROWS,
        "mapping.yaml": MAPPING,
        "priced.yaml": machine.replace("lecture_100x", "energy.yaml"),
        "sized.yaml": f"{machine}area: area.yaml\n",
        "driven.yaml": machine.replace("ideal_lpddr4", "device.yaml"),
        "energy.yaml": (SHIPPED / "energy" / "horowitz_45nm.yaml").read_text(),
        "area.yaml": (SHIPPED / "area" / "scaled_22nm.yaml").read_text(),
        "device.yaml": (SHIPPED / "dram" / "lpddr4-3200.yaml").read_text(),
        "trace.txt": "".join(f"{'RW'[number % 3 == 0]} 0x{number * 64:x}\n" for number in range(40)),
        "topology.csv": TOPOLOGY,
        "mappings.csv": MAPPINGS,
        "scale.cfg": SCALE,
        "spec.yaml": SPEC,
        "choice.yaml": CHOICE,
        "lines.json": json.dumps(LINES),
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    with (folder / "plan.yaml").open("w") as file, redirect_stdout(file):
        assert main(["show", "rows.yaml", "machine.yaml", "--mapping"]) == 0
    (folder / "model.onnx").write_bytes(onnx_model())
    (folder / "moved.onnx").write_bytes(moved_model())
    (folder / "model.tflite").write_bytes(tflite_model())
    assert main([*RUN, "-o", "out", "--quiet"]) == 0
    for name in ("run.json", "good.json"):
        shutil.copy(folder / "out" / "run.json", folder / name)
    argv = ["sweep", "--network", "net.yaml", "--hw", "machine.yaml", "--vary", "array.rows=2,4", "--jobs", "1"]
    assert main([*argv, "-o", "points"]) == 0
    (folder / "points" / "recommendation.json").write_text(json.dumps(RECOMMENDATION))


def onnx_model() -> bytes:
    """A model with windows, shape arithmetic, constants, joins and products."""
    node = helper.make_node
    numbers = {
        "axes": [2, 3],
        "sizes": [1, -1],
        "zero": [0],
        "two": [2],
        "minus": [-1],
        "one": [1],
        "end": [40],
        "pads": [0, 0, 1, 1, 0, 0, 1, 1],
    }
    constants = [numpy_helper.from_array(np.array(each, dtype=np.int64), name) for name, each in numbers.items()]
    shapes = {"w1": (8, 3, 3, 3), "w2": (8, 1, 3, 3), "w3": (4, 32), "scale": (8,)}
    weights = [numpy_helper.from_array(np.zeros(shape, np.float32), name) for name, shape in shapes.items()]
    nodes = [
        node("Conv", ["x", "w1"], ["a"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        node("BatchNormalization", ["a", *["scale"] * 4], ["b"], epsilon=1e-5),
        node("Clip", ["b"], ["c"]),
        node("Pad", ["c", "pads"], ["d"], mode="constant"),
        node("Conv", ["d", "w2"], ["e"], group=8),
        node("Split", ["e"], ["f", "g"], axis=1, num_outputs=2),
        node("Relu", ["f"], ["h"]),
        node("Concat", ["h", "g"], ["i"], axis=1),
        node("Add", ["i", "c"], ["j"]),
        node("MaxPool", ["j"], ["k"], kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
        node("Shape", ["k"], ["l"]),
        node("Gather", ["l", "zero"], ["m"], axis=0),
        node("Concat", ["m", "minus"], ["n"], axis=0),
        node("Reshape", ["k", "n"], ["o"]),
        node("Slice", ["o", "zero", "end", "one"], ["p"]),
        node("Transpose", ["k"], ["q"], perm=[0, 2, 3, 1]),
        node("ReduceMean", ["k", "axes"], ["r"], keepdims=1),
        node("Flatten", ["r"], ["s"], axis=1),
        node("Gemm", ["p", "w3"], ["y"], transB=1, alpha=1.0),
    ]  # fmt: skip
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("y", "q", "s")]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, [*constants, *weights])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]).SerializeToString()


def moved_model() -> bytes:
    """A model whose operators pick, order, count and join, by numbers that are known."""
    node = helper.make_node
    numbers = {
        "rows": [[0], [2]],
        "picked": [[[[0, 1], [1, 0]]]],
        "sizes": [1, 4, 4, 4],
        "halves": [2, 2],
        "one": [1],
        "two": [2],
        "first": [0],
        "most": [3],
        "flags": [0, 1],
        "depth": [4],
        "ends": [0, 1],
    }  # fmt: skip
    constants = [numpy_helper.from_array(np.array(each, dtype=np.int64), name) for name, each in numbers.items()]
    constants.append(numpy_helper.from_array(np.zeros((4, 8), np.float32), "table"))
    nodes = [
        node("Resize", ["x", "", "", "sizes"], ["a"], mode="nearest", coordinate_transformation_mode="asymmetric"),
        node("Split", ["a", "halves"], ["b", "c"], axis=1),
        node("Einsum", ["b"], ["d"], equation="nchw->nhwc"),
        node("Transpose", ["d"], ["e"], perm=[0, 3, 1, 2]),
        node("CumSum", ["e", "most"], ["f"]),
        node("TopK", ["f", "two"], ["g", "h"], axis=3),
        node("GatherElements", ["c", "picked"], ["i"], axis=2),
        node("DepthToSpace", ["a"], ["j"], blocksize=2),
        node("SpaceToDepth", ["j"], ["k"], blocksize=2),
        node("SplitToSequence", ["k", "halves"], ["l"], axis=1),
        node("SequenceAt", ["l", "first0"], ["m"]),
        node("Trilu", ["m"], ["n"], upper=1),
        node("OneHot", ["flags", "depth0", "ends"], ["o"], axis=-1),
        node("Cast", ["o"], ["p"], to=TensorProto.FLOAT),
        node("MatMul", ["p", "table"], ["q"]),
        node("ReduceMax", ["n", "one"], ["r"], keepdims=1),
        node("ConstantOfShape", ["sizes"], ["s"]),
        node("Add", ["a", "s"], ["t"]),
        node("GatherND", ["t", "first2"], ["u"]),
        node("InstanceNormalization", ["t", "scale", "scale"], ["v"]),
        node("LRN", ["v"], ["w"], size=3),
        node("HardSwish", ["w"], ["y"]),
    ]  # fmt: skip
    constants += [
        numpy_helper.from_array(np.array(0, dtype=np.int64), "first0"),
        numpy_helper.from_array(np.array(4, dtype=np.int64), "depth0"),
        numpy_helper.from_array(np.array([[0]], dtype=np.int64), "first2"),
        numpy_helper.from_array(np.ones(4, np.float32), "scale"),
    ]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "gijqruy"]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4, 2, 2])]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]).SerializeToString()


def tflite_model() -> bytes:
    """A model with windows, a join, a mean, a reshape and a product."""
    lite = Lite(INT8)
    first = lite.tensor("input", 1, 8, 8, 3)
    window = {"StrideH": 2, "StrideW": 2, "Padding": SAME}
    weights = lite.tensor("w", 8, 3, 3, 3, channels=8)
    conv = lite.add("CONV_2D", [first, weights], lite.tensor("a", 1, 4, 4, 8), options="Conv2D", **window)
    deep = lite.tensor("v", 1, 3, 3, 8, channels=8)
    same = {"StrideH": 1, "StrideW": 1, "Padding": SAME}
    dw = lite.add("DEPTHWISE_CONV_2D", [conv, deep], lite.tensor("b", 1, 4, 4, 8), options="DepthwiseConv2D", **same)
    add = lite.add("ADD", [conv, dw], lite.tensor("c", 1, 4, 4, 8), options="Add")
    both = lite.add("CONCATENATION", [add, dw], lite.tensor("d", 1, 4, 4, 16), options="Concatenation", Axis=3)
    mean = lite.add("MEAN", [both, lite.numbers(1, 2)], lite.tensor("e", 1, 1, 1, 16), options="Reducer", KeepDims=True)
    flat = lite.add("RESHAPE", [mean, lite.numbers(1, 16)], lite.tensor("f", 1, 16))
    product = lite.tensor("u", 4, 16, channels=4)
    last = lite.add("FULLY_CONNECTED", [flat, product, -1], lite.tensor("y", 1, 4), options="FullyConnected")
    return lite.bytes([first], [last])
