"""Random machines and networks, small enough to execute and odd enough to break things."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from accelsim.config.load import load_dram, load_machine, parse_overrides
from accelsim.config.machine import Machine
from accelsim.config.named import shipped
from accelsim.config.scheduling import Scheduling
from accelsim.config.schema import validate
from accelsim.config.strict_yaml import Document, Origin
from accelsim.config.workload import Workload
from accelsim.network.build import build
from accelsim.network.graph import Network

COMMAND_DEVICES = [name for name in shipped("dram") if not name.startswith("ideal_")]
BASE = load_machine("edge", parse_overrides([(0, "dram.device=ideal_lpddr4")])).model_dump(mode="json")


def machine_of(**changes: Any) -> Machine:
    """`edge` with an ideal DRAM, and keys such as `array__rows` changed."""
    data = {key: dict(value) if isinstance(value, dict) else value for key, value in BASE.items()}
    data["sram"] = {key: dict(value) if isinstance(value, dict) else value for key, value in data["sram"].items()}
    data["input_path"], data["output_path"] = dict(data["input_path"]), dict(data["output_path"])
    data["sources"] = {}
    for path, value in changes.items():
        *sections, key = path.split("__")
        section = data
        for name in sections:
            section = section[name]
        section[key] = value
    return validate(Machine, Document(data, {(): Origin("test", 0)}))


def workload_of(rows: list[dict[str, Any]], size: tuple[int, int, int], batch: int = 1, **keys: Any) -> Workload:
    """A network file of these rows, with further keys."""
    height, width, channels = size
    data = {
        "name": "random",
        "source": "test",
        "batch": batch,
        "input": {"height": height, "width": width, "channels": channels},
        "layers": rows,
        **keys,
    }
    return validate(Workload, Document(data, {(): Origin("test", 0)}))


def built(workload: Workload) -> Network:
    """The network of a network file."""
    return build(workload, Document(workload.model_dump(), {(): Origin("test", 0)}))


def network_of(rows: list[dict[str, Any]], size: tuple[int, int, int], batch: int = 1, **keys: Any) -> Network:
    """A network from rows as in a workload file, with further keys of it."""
    return built(workload_of(rows, size, batch, **keys))


MAP_CODEC = {"format": "zero_run_length", "run_bits": 4, "word_bits": 32, "bytes_per_clock": 3}


@st.composite
def machines(draw: st.DrawFn, **fixed: Any) -> Machine:
    """Arrays of up to 12 x 12 with little SRAM, narrow ports and odd clocks."""
    bits = draw(st.sampled_from([8, 8, 8, 16, 4, 6]))
    cols = draw(st.integers(1, 12))
    engine = draw(st.one_of(st.none(), _engines()))
    dataflow = fixed.get("array__dataflow") or draw(st.sampled_from(["ws", "is", "os", "auto"]))
    packings = ["diagonal", "patches"] if dataflow == "ws" else ["diagonal"]
    choices = {
        "array__depthwise_packing": draw(st.sampled_from(packings)),
        "array__rows": draw(st.integers(1, 12)),
        "array__cols": cols,
        "array__dataflow": dataflow,
        "array__overlap": draw(st.booleans()),
        "array__mac_latency": draw(st.integers(1, 4)),
        "array__post_latency": draw(st.integers(0, 5)),
        "array__activation_bits": bits,
        "array__weight_bits": draw(st.sampled_from([bits, 8, 2])),
        "array__depthwise_on": draw(st.sampled_from(["array", "vector", "auto", *(["engine"] if engine else [])])),
        "depthwise": engine,
        "array__clock_mhz": draw(st.sampled_from([1000, 700, 333.3])),
        "vector__lanes": draw(st.integers(1, 16)),
        "sram__activation__capacity_bytes": draw(st.integers(200, 6000)),
        "sram__activation__port_bytes_per_cycle": draw(st.integers(1, 16)),
        "sram__weight__capacity_bytes": draw(st.integers(100, 3000)),
        "sram__weight__port_bytes_per_cycle": draw(st.integers(1, 16)),
        "sram__accumulator__capacity_bytes": 8 * cols * draw(st.integers(1, 40)),
        "sram__line_buffer": draw(st.booleans()),
        "input_path__scale": draw(st.sampled_from([0, 1, 16])),
        "output_path__scale": draw(st.sampled_from([0, 1, 16])),
        "output_path__function": draw(st.sampled_from([0, 1, 16])),
        "output_path__add": draw(st.sampled_from([0, 1, 16])),
        "output_path__max_pool": draw(st.sampled_from([0, 1, 16])),
        "output_path__avg_pool": draw(st.sampled_from([0, 1, 16])),
        "output_path__pool_buffer_bytes": draw(st.sampled_from([0, 64, 16384])),
        "output_path__pool_overlaps": draw(st.booleans()),
        "dma__setup_cycles": draw(st.integers(0, 20)),
        "dma__max_outstanding_bursts": draw(st.integers(1, 16)),
        "dma__scatter": draw(st.booleans()),
        "dma__decoder": draw(st.sampled_from([None, {"format": "any", "bytes_per_clock": 3}])),
        "dma__map_codec": draw(st.sampled_from([None, None, MAP_CODEC])),
        "dram__bytes_per_clock": draw(st.sampled_from([0.3, 1, 5, 64])),
        "dram__latency_clocks": draw(st.integers(0, 60)),
        "dram__burst_bytes": draw(st.sampled_from([1, 16, 64])),
    }
    return machine_of(**{**choices, **fixed})


@st.composite
def _engines(draw: st.DrawFn) -> dict[str, int]:
    """Depthwise engines that any window of `_windows` fits, with rows for one output at least."""
    channels = draw(st.integers(1, 9))
    rows = 6 * 7 * channels * 2
    line_bytes = draw(st.integers(rows, 2 * rows))
    taps = draw(st.integers(1, 10))
    return {"channels": channels, "taps_per_clock": taps, "max_taps": 28, "line_buffer_bytes": line_bytes}


@st.composite
def schedulings(draw: st.DrawFn, **fixed: Any) -> Scheduling:
    """Options of the compiler."""
    choices = {
        "objective": draw(st.sampled_from(["cycles", "cycles", "energy", "edp", "dram_bytes"])),
        "arbitration": draw(st.sampled_from(["arrival", "program_order"])),
        "inferences": draw(st.sampled_from([1, 1, 1, 2, 3])),
        "keep_activations": draw(st.sampled_from(["auto", "auto", "never"])),
        "fusion": draw(st.sampled_from(["auto", "auto", "never"])),
    }
    return Scheduling(**{**choices, **fixed})


@st.composite
def any_machines(draw: st.DrawFn, **fixed: Any) -> Machine:
    """Machines as of `machines`, in one of four cases with a DRAM at command granularity."""
    machine = draw(machines(**fixed))
    if draw(st.integers(0, 3)):
        return machine
    channels = draw(st.sampled_from([1, 1, 1, 2]))
    device = load_dram(draw(st.sampled_from(COMMAND_DEVICES)), [(1, f"dram.organisation.channels={channels}")])
    return machine.model_copy(update={"dram": device})


def _divisors(number: int) -> list[int]:
    return [divisor for divisor in range(1, number + 1) if number % divisor == 0]


def networks() -> st.SearchStrategy[Network]:
    """The networks of `workloads`."""
    return workloads().map(built)


@st.composite
def workloads(draw: st.DrawFn, most: int = 7, extent: int = 10) -> Workload:
    """Graphs of one to `most` layers of every kind, tensors with several consumers among them; half of them shrunk."""
    size = (draw(st.integers(1, extent)), draw(st.integers(1, extent)), draw(st.integers(1, extent + 2)))
    shapes = {"input": size}
    rows: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, most))):
        found = draw(_residual(f"l{number}", shapes) if draw(st.integers(0, 3)) == 0 else _single(f"l{number}", shapes))
        rows += [row for row, _ in found]
        shapes |= {row["name"]: shape for row, shape in found}
    written = {row["name"] for row in rows if row["op"] != "slice"} | {"input"}
    keys = draw(_data_transforms(sorted(written))) if draw(st.booleans()) else {}
    return workload_of(rows, size, batch=draw(st.sampled_from([1, 1, 2, 3])), **keys)


@st.composite
def attentions(draw: st.DrawFn) -> Network:
    """Attention over the pixels of a map or between two, in heads, parts of it in a concat; half of them shrunk."""
    size = (draw(st.integers(1, 5)), draw(st.integers(1, 4)), draw(st.integers(1, 6)))
    heads = draw(st.integers(1, 4))
    depth, values = heads * draw(st.integers(1, 5)), heads * draw(st.integers(1, 5))
    rows: list[dict[str, Any]] = [{"name": "x", "op": "matmul", "channels": draw(st.integers(1, 6))}]
    source = "x"
    if draw(st.booleans()):
        rows.append({"name": "pool", "op": "maxpool", "kernel": 1, "stride": [draw(st.integers(1, 2)), 1]})
        source = draw(st.sampled_from(["pool", "input"]))
    rows += [
        {"name": "q", "op": "matmul", "inputs": ["x"], "channels": depth},
        {"name": "k", "op": "matmul", "inputs": [source], "channels": depth},
        {"name": "v", "op": "matmul", "inputs": [source], "channels": values},
    ]
    if draw(st.booleans()):
        rows[-3:] = [
            {"name": "qkv", "op": "matmul", "inputs": ["x"], "channels": 2 * depth + values},
            {"name": "q", "op": "slice", "inputs": ["qkv"], "channels": depth},
            {"name": "k", "op": "slice", "inputs": ["qkv"], "first": depth, "channels": depth},
            {"name": "v", "op": "slice", "inputs": ["qkv"], "first": 2 * depth, "channels": values},
        ]
    if draw(st.booleans()):
        rows.append({"name": "kv", "op": "concat", "inputs": ["k", "v"]})
    rows += [
        {"name": "scores", "op": "product", "inputs": ["q", "k"], "groups": heads, "transposed": True},
        {"name": "shares", "op": "softmax", "inputs": ["scores"], "groups": heads},
        {"name": "heads", "op": "product", "inputs": ["shares", "v"], "groups": heads},
        {"name": "out", "op": "matmul", "inputs": ["heads"], "channels": draw(st.integers(1, 6))},
    ]
    keys = draw(_data_transforms([row["name"] for row in rows if row["op"] != "slice"])) if draw(st.booleans()) else {}
    return network_of(rows, size, batch=draw(st.sampled_from([1, 1, 2, 3])), **keys)


@st.composite
def _data_transforms(draw: st.DrawFn, names: list[str]) -> Any:
    """Quantized, binarized and pruned in any combination; a map may have bits of its own."""
    bits = st.sampled_from([None, 1, 2, 3, 4, 6, 8, 16])
    chosen: dict[str, Any] = {}
    if draw(st.booleans()):
        own = {draw(st.sampled_from(names)): {"activation_bits": draw(bits)}} if draw(st.booleans()) else {}
        widths = {"weight_bits": draw(bits), "activation_bits": draw(bits)}
        chosen["quantize"] = {**widths, "psum_bits": draw(st.sampled_from([None, 16, 32])), "layers": own}
    if draw(st.booleans()):
        chosen["binarize"] = {"weights": draw(st.sampled_from(["binary", "ternary"])), "keep_ends": draw(st.booleans())}
    if draw(st.booleans()):
        chosen["prune"] = {
            "density": draw(st.sampled_from([0.01, 0.2, 0.33, 0.9])),
            "format": draw(st.sampled_from(["relative_index", "bitmap"])),
            "index_bits": draw(st.integers(1, 8)),
            "zeros": draw(st.sampled_from(["nothing", "gate", "skip"])),
        }
    if draw(st.booleans()):
        chosen["compress"] = draw(st.sampled_from([{}, {"ratio": 0.3}, {"ratio": 0.9}]))
    if draw(st.booleans()):
        written = [name for name in names if name != "input"]
        chosen["map_zeros"] = {"layers": {name: draw(st.sampled_from([0, 0.7, 0.95])) for name in written}}
    return chosen


@st.composite
def _single(draw: st.DrawFn, name: str, shapes: dict[str, tuple[int, int, int]]) -> Any:
    return [draw(_row(name, shapes))]


@st.composite
def _residual(draw: st.DrawFn, name: str, shapes: dict[str, tuple[int, int, int]]) -> Any:
    """A convolution whose results another map is added to, the convolution's own input among them."""
    height, width, channels = shape = shapes[draw(st.sampled_from(sorted(shapes)))]
    source = draw(st.sampled_from(sorted(other for other, each in shapes.items() if each[:2] == (height, width))))
    shortcut = draw(st.sampled_from(sorted(other for other, each in shapes.items() if each == shape)))
    kernel = draw(st.sampled_from([1, 3]))
    conv = {"name": f"{name}_conv", "op": "conv", "inputs": [source], "kernel": kernel, "pad": kernel // 2}
    groups = draw(st.sampled_from([each for each in _divisors(channels) if shapes[source][2] % each == 0]))
    conv |= {"channels": channels, "groups": groups}
    inputs = draw(st.permutations([f"{name}_conv", shortcut]))
    return [(conv, shape), ({"name": f"{name}_add", "op": "add", "inputs": inputs}, shape)]


@st.composite
def _row(draw: st.DrawFn, name: str, shapes: dict[str, tuple[int, int, int]]) -> Any:
    source = draw(st.sampled_from(sorted(shapes)))
    height, width, channels = shapes[source]
    same = sorted(other for other, shape in shapes.items() if shape == shapes[source])
    flat = sorted(other for other, shape in shapes.items() if shape[:2] == (height, width))
    factors = sorted(other for other, shape in shapes.items() if shape == (1, 1, channels))
    kinds = ["conv", "conv", "conv", "dwconv", "fc", "matmul", "maxpool", "avgpool", "gap", "add", "concat", "shuffle"]
    kinds += ["slice", "sigmoid", "softmax", "lrn", "bn", "relu"] + (["scale", "scale"] if factors else [])
    products = _products(shapes, source)
    kinds += ["product", "product"] if products else []
    op = draw(st.sampled_from(kinds))
    row: dict[str, Any] = {"name": name, "op": op, "inputs": [source]}
    shape = (height, width, channels)
    if op in ("conv", "dwconv", "maxpool", "avgpool"):
        window, out = draw(_windows(height, width, dilated=op == "conv"))
        row.update(window)
        shape = (*out, channels)
    if op in ("conv", "matmul", "fc"):
        groups = draw(st.sampled_from(_divisors(channels)))
        row |= {"groups": groups, "channels": groups * draw(st.integers(1, 8))}
        row["activation"] = draw(st.sampled_from(["none", "relu", "relu6"]))
        shape = (*((1, 1) if op == "fc" else shape[:2]), row["channels"])
    elif op == "gap":
        shape = (1, 1, channels)
    elif op == "add":
        row |= {"inputs": [source, draw(st.sampled_from(same))], "activation": draw(st.sampled_from(["none", "relu"]))}
    elif op == "concat":
        others = draw(st.lists(st.sampled_from(flat), min_size=1, max_size=2))
        row["inputs"] = [source, *others]
        shape = (height, width, sum(shapes[other][2] for other in row["inputs"]))
    elif op in ("shuffle", "softmax"):
        row["groups"] = draw(st.sampled_from(_divisors(channels)))
    elif op in ("product", "slice"):
        keys, out = draw(st.sampled_from(products) if op == "product" else _slices(channels))
        row |= keys
        shape = (height, width, out)
    elif op == "scale":
        row["inputs"] = [source, draw(st.sampled_from(factors))]
    elif op == "lrn":
        row["size"] = draw(st.integers(1, 5))
    return row, shape


@st.composite
def _slices(draw: st.DrawFn, channels: int) -> Any:
    """Keys of a slice, and its channels."""
    first = draw(st.integers(0, channels - 1))
    keys = {"first": first, "channels": draw(st.integers(1, channels - first))}
    return keys, keys["channels"]


def _products(shapes: dict[str, tuple[int, int, int]], left: str) -> list[tuple[dict[str, Any], int]]:
    """Rows of all products that a map can be the left one of, and their channels."""
    channels = shapes[left][2]
    found: list[tuple[dict[str, Any], int]] = []
    for right, (height, width, others) in sorted(shapes.items()):
        tokens = height * width
        for groups in _divisors(channels):
            inputs = {"inputs": [left, right], "groups": groups}
            if others == channels and groups * tokens <= 100:
                found.append(({**inputs, "transposed": True}, groups * tokens))
            if channels == groups * tokens and others % groups == 0:
                found.append((inputs, others))
    return found


@st.composite
def _windows(draw: st.DrawFn, height: int, width: int, *, dilated: bool) -> Any:
    """Kernel, stride, padding and dilation that give at least one output, and the size of the output."""
    fields: dict[str, list[int]] = {"kernel": [], "stride": [], "dilation": []}
    pads, out = [], []
    for extent in (height, width):
        kernel = draw(st.integers(1, min(4, extent)))
        room = (extent - 1) // (kernel - 1) if kernel > 1 else 1
        dilation = draw(st.integers(1, min(2, room))) if dilated and room else 1
        stride = draw(st.integers(1, 3))
        before, after = (draw(st.integers(0, min(2, kernel))) for _ in range(2))
        for key, value in (("kernel", kernel), ("stride", stride), ("dilation", dilation)):
            fields[key].append(value)
        pads.append((before, after))
        out.append((extent + before + after - (kernel - 1) * dilation - 1) // stride + 1)
    (top, bottom), (left, right) = pads
    return {**fields, "pad": [top, left, bottom, right]}, tuple(out)
