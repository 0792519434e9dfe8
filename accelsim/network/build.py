"""From the rows of a workload file to a network graph, with every shape worked out and checked."""

from __future__ import annotations

from accelsim.config import workload as rows
from accelsim.config.strict_yaml import Document
from accelsim.errors import Mistake, UserError, suggestion
from accelsim.network.families import expand
from accelsim.network.graph import INPUT, Axis, Network, Node, Op, Shape, Window
from accelsim.network.shapes import ShapeError, concatenated, equal_sizes, multiplied, outputs, scaled
from accelsim.network.transforms import TransformError, transformed

MAX_NODES = 100_000
MAX_ELEMENTS = 1 << 36

SE_REDUCTION = 16
"""Hu et al., CVPR 2018, section 6.4; the ShuffleNet paper names no other."""


def build(network_file: rows.NetworkFile, document: Document) -> Network:
    """The network of a network file.

    Raises UserError: unknown inputs, shapes or transforms that do not fit, or totals other than `expect` says.
    """
    workload = expand(network_file)
    size = workload.input
    side = workload.resolution
    builder = Builder(Shape(side or size.height, side or size.width, size.channels))
    mistakes: list[Mistake] = []
    if builder.shapes[INPUT].elements > MAX_ELEMENTS:
        found = str(builder.shapes[INPUT].elements)
        raise UserError([document.mistake(("input",), f"at most {MAX_ELEMENTS} elements", found)])
    for index, row in enumerate(workload.layers):
        try:
            if isinstance(row, rows.InputRow):
                builder.given(row)
            else:
                builder.add_row(row)
        except ShapeError as error:
            place = ("layers", index) if workload is network_file else ("family", row.name)
            mistakes.append(document.mistake((*place, *error.path), error.expected, error.got))
            builder.stand_in(row, error.output)
    if mistakes:
        raise UserError(mistakes)
    network = Network(workload.name, workload.source, workload.batch, builder.inputs, tuple(builder.nodes))
    try:
        network = transformed(network, network_file)
    except TransformError as error:
        raise UserError([document.mistake(*wrong) for wrong in error.wrong]) from None
    if workload.expect is not None:
        for key, counted, said in (
            ("macs", network.macs, workload.expect.macs),
            ("weights", network.weights, workload.expect.weights),
        ):
            if counted != said:
                mistakes.append(document.mistake(("expect", key), f"{counted}, what the layers add up to", str(said)))
    if mistakes:
        raise UserError(mistakes)
    return network


class Builder:
    """Adds nodes one after the other; `last` is the tensor a row reads when it does not say."""

    def __init__(self, size: Shape) -> None:
        self.inputs: dict[str, Shape] = {INPUT: size}
        self.shapes: dict[str, Shape] = dict(self.inputs)
        self.unknown: set[str] = set()
        self.nodes: list[Node] = []
        self.last = INPUT
        self.stage: str | None = None

    def stand_in(self, row: rows.InputRow | rows.AnyRow, output: Shape | None) -> None:
        """Let rows after a wrong one be checked too; what reads a map of unknown size is not."""
        if output is None or isinstance(row, rows.ShuffleNetUnitRow | rows.RepeatedRow):
            self.unknown.add(row.name)
        else:
            self.shapes[row.name] = output
        self.last = row.name

    def add_row(self, row: rows.AnyRow) -> None:
        """Add the node or nodes of a row. Raises ShapeError."""
        inputs = tuple(row.inputs) if row.inputs is not None else (self.last,)
        for name in inputs:
            if name not in self.shapes and name not in self.unknown:
                known = suggestion(name, self.shapes)
                raise ShapeError("inputs", f"names of earlier layers{known}", repr(name))
        if self.unknown.intersection(inputs):
            self.stand_in(row, None)
            return
        self.stage = row.stage
        match row:
            case rows.ConvRow():
                self.conv(row.name, inputs, row.channels, _window(row), row.groups, row.activation)
            case rows.DepthwiseRow():
                channels = self.shapes[inputs[0]].channels
                self.conv(row.name, inputs, channels, _window(row), channels, row.activation)
            case rows.DenseRow():
                self.dense(row, inputs)
            case rows.PoolRow():
                self.pool(row.name, inputs, Op(row.op), _window(row), ceil=row.ceil)
            case rows.SimpleRow():
                self.simple(row.name, inputs, Op(row.op), row.activation)
            case rows.LrnRow():
                self.add(Op.LRN, row.name, inputs, self.only(inputs), channel_window=row.size)
            case rows.ShuffleRow() | rows.SoftmaxRow() | rows.ProductRow():
                self.grouped(row, inputs)
            case rows.SubsampleRow() | rows.SliceRow():
                self.part(row, inputs)
            case rows.ShuffleNetUnitRow():
                shufflenet_units(self, row, inputs)
            case rows.BlockRow() | rows.PathsRow():
                self.repeat(row, inputs)

    def given(self, row: rows.InputRow) -> None:
        """A map that is given, as the network's input is. Raises ShapeError."""
        shape = Shape(row.height, row.width, row.channels)
        if row.name in self.shapes:
            raise ShapeError("name", "a name of its own", repr(row.name), shape)
        if shape.elements > MAX_ELEMENTS:
            raise ShapeError("height", f"maps of at most {MAX_ELEMENTS} elements", shape.elements)
        self.inputs[row.name] = self.shapes[row.name] = shape
        self.last = row.name

    def repeat(self, row: rows.BlockRow | rows.PathsRow, inputs: tuple[str, ...]) -> None:
        """Rows more than once. Raises ShapeError."""
        self.only(inputs)
        if isinstance(row, rows.BlockRow):
            self.block(row, inputs[0])
        else:
            self.paths(row, inputs[0])

    def block(self, row: rows.BlockRow, above: str) -> None:
        """Repetitions one behind the other. Raises ShapeError."""
        for number in range(1, row.times + 1):
            above = self.repetition(row, number, above)
            if above in self.unknown:
                break

    def paths(self, row: rows.PathsRow, above: str) -> None:
        """Repetitions side by side; a sum grows with each, so that few maps wait for it. Raises ShapeError."""
        ends: list[str] = []
        for number in range(1, row.times + 1):
            ends.append(self.repetition(row, number, above))
            if self.last in self.unknown:
                self.stand_in(row, None)
                return
            self.stage = row.stage or row.name
            if row.join == "add" and number > 1:
                name = row.name if number == row.times else f"{row.name}_sum{number}"
                ends = [self.simple(name, tuple(ends), Op.ADD)]
        if row.join == "concat":
            self.simple(row.name, tuple(ends), Op.CONCAT)

    def repetition(self, row: rows.BlockRow | rows.PathsRow, number: int, above: str) -> str:
        """The rows once, with names of their own; the map that leaves them. Raises ShapeError."""
        joins = 1 if row.op == "paths" else 0
        if len(self.nodes) + len(row.layers) + joins > MAX_NODES:
            raise ShapeError("times", f"at most {MAX_NODES} layers", "more")
        names = {each.name: f"{row.name}{number}_{each.name}" for each in row.layers} | {"above": above}
        for position, each in enumerate(row.layers):
            wanted = each.inputs if each.inputs is not None else ["above"] if position == 0 else None
            renamed = {
                "name": names[each.name],
                "inputs": None if wanted is None else [names.get(name, name) for name in wanted],
                "stage": each.stage or row.stage or row.name,
            }
            try:
                self.add_row(each.model_copy(update=renamed))
            except ShapeError as error:
                error.path = ("layers", position, *error.path)
                raise
        return self.last

    def only(self, inputs: tuple[str, ...]) -> Shape:
        """The shape of the one input. Raises ShapeError."""
        if len(inputs) != 1:
            raise ShapeError("inputs", "one input", len(inputs))
        return self.shapes[inputs[0]]

    def add(
        self,
        op: Op,
        name: str,
        inputs: tuple[str, ...],
        output: Shape,
        *,
        label: str | None = None,
        window: Window | None = None,
        groups: int = 1,
        activation: str = "none",
        channel_window: int = 1,
        transposed: bool = False,
        first_channel: int = 0,
    ) -> str:
        """Add a node and return the name of its tensor. Raises ShapeError."""
        if name in self.shapes:
            raise ShapeError("name", "a name of its own", repr(name), output)
        if len(self.nodes) >= MAX_NODES:
            raise ShapeError("repeat", f"at most {MAX_NODES} layers", "more")
        if output.elements > MAX_ELEMENTS:
            raise ShapeError("name", f"maps of at most {MAX_ELEMENTS} elements", output.elements)
        sizes = tuple(self.shapes[source] for source in inputs)
        stage = self.stage or name.split("_")[0]
        node = Node(
            name, op, label or op.value, stage, inputs, sizes, output, window or Window(), groups, activation,
            channel_window, transposed, first_channel,
        )  # fmt: skip
        self.nodes.append(node)
        self.shapes[name] = output
        self.last = name
        return name

    def conv(
        self,
        name: str,
        inputs: tuple[str, ...],
        channels: int,
        window: Window,
        groups: int = 1,
        activation: str = "none",
        label: str | None = None,
    ) -> str:
        """A convolution. Raises ShapeError."""
        size = self.only(inputs)
        output = Shape(*outputs(size, window), channels)
        if size.channels % groups or channels % groups:
            raise ShapeError("groups", f"a divisor of {size.channels} and {channels} channels", groups, output)
        depthwise = groups > 1 and groups == size.channels == channels
        label = label or ("dwconv" if depthwise else "gconv" if groups > 1 else "conv")
        return self.add(Op.CONV, name, inputs, output, label=label, window=window, groups=groups, activation=activation)

    def dense(self, row: rows.DenseRow, inputs: tuple[str, ...]) -> str:
        """A matrix product with weights. Raises ShapeError."""
        size = self.only(inputs)
        whole = Window(Axis(kernel=size.height), Axis(kernel=size.width)) if row.op == "fc" else Window()
        return self.conv(row.name, inputs, row.channels, whole, row.groups, row.activation, label=row.op)

    def pool(self, name: str, inputs: tuple[str, ...], op: Op, window: Window, *, ceil: bool = False) -> str:
        """A pooling. Raises ShapeError."""
        size = self.only(inputs)
        output = Shape(*outputs(size, window, ceil=ceil), size.channels)
        return self.add(op, name, inputs, output, window=window)

    def shuffle(self, name: str, inputs: tuple[str, ...], groups: int) -> str:
        """A channel shuffle. Raises ShapeError."""
        size = self.only(inputs)
        if size.channels % groups:
            raise ShapeError("groups", f"a divisor of {size.channels} channels", groups, size)
        return self.add(Op.SHUFFLE, name, inputs, size, groups=groups)

    def grouped(self, row: rows.ShuffleRow | rows.SoftmaxRow | rows.ProductRow, inputs: tuple[str, ...]) -> str:
        """A shuffle, softmax or product of maps, by groups of channels. Raises ShapeError."""
        if isinstance(row, rows.ShuffleRow):
            return self.shuffle(row.name, inputs, row.groups)
        if isinstance(row, rows.SoftmaxRow):
            size = self.only(inputs)
            if size.channels % row.groups:
                raise ShapeError("groups", f"a divisor of {size.channels} channels", row.groups, size)
            return self.add(Op.SOFTMAX, row.name, inputs, size, groups=row.groups)
        output = multiplied([self.shapes[source] for source in inputs], row.groups, transposed=row.transposed)
        return self.add(
            Op.PRODUCT, row.name, inputs, output,
            groups=row.groups, activation=row.activation, transposed=row.transposed,
        )  # fmt: skip

    def part(self, row: rows.SubsampleRow | rows.SliceRow, inputs: tuple[str, ...]) -> str:
        """Some channels, or every `stride`-th pixel with zeros in the channels that the input does not have.

        Raises ShapeError.
        """
        size = self.only(inputs)
        if isinstance(row, rows.SliceRow):
            output = Shape(size.height, size.width, row.channels)
            if row.first + row.channels > size.channels:
                expected = f"at most {size.channels}, those of the input, from the first one on"
                raise ShapeError("channels", expected, row.first + row.channels, output)
            return self.add(Op.SLICE, row.name, inputs, output, first_channel=row.first)
        if row.channels < size.channels:
            raise ShapeError("channels", f"at least the {size.channels} of the input", row.channels)
        step = Axis(stride=row.stride)
        output = Shape(*outputs(size, Window(step, step)), row.channels)
        return self.add(Op.SUBSAMPLE_PAD, row.name, inputs, output, window=Window(step, step))

    def simple(self, name: str, inputs: tuple[str, ...], op: Op, activation: str = "none") -> str:
        """An operation without parameters. Raises ShapeError."""
        sizes = [self.shapes[source] for source in inputs]
        if op is Op.CONCAT and activation != "none":
            raise ShapeError("activation", "none: a concat is only addresses", activation)
        match op:
            case Op.ADD | Op.MUL:
                output = equal_sizes(sizes)
            case Op.CONCAT:
                output = concatenated(sizes)
            case Op.SCALE:
                output = scaled(sizes)
            case Op.GLOBAL_POOL:
                output = Shape(1, 1, self.only(inputs).channels)
            case _:
                output = self.only(inputs)
        window = Window()
        if op is Op.GLOBAL_POOL:
            window = Window(Axis(kernel=sizes[0].height), Axis(kernel=sizes[0].width))
        return self.add(op, name, inputs, output, window=window, activation=activation)


def _window(row: rows.Windowed) -> Window:
    kernel, stride, dilation = (_pair(value) for value in (row.kernel, row.stride, row.dilation))
    top, left, bottom, right = row.pad if isinstance(row.pad, list) else (row.pad,) * 4
    return Window(
        Axis(kernel[0], stride[0], dilation[0], top, bottom),
        Axis(kernel[1], stride[1], dilation[1], left, right),
    )


def _pair(value: int | list[int]) -> tuple[int, int]:
    return (value[0], value[1]) if isinstance(value, list) else (value, value)


def shufflenet_units(builder: Builder, row: rows.ShuffleNetUnitRow, inputs: tuple[str, ...]) -> None:
    """ShuffleNet v1 units (Zhang et al., CVPR 2018, Fig. 2b and 2c): the bottleneck has a quarter of the channels, a
    ReLU follows the first group convolution and the add or concat, none the depthwise one. Raises ShapeError."""
    builder.only(inputs)
    source = inputs[0]
    for number in range(row.first, row.first + row.repeat):
        source = _shufflenet_unit(builder, row, f"{row.name}_u{number}", source)


def _shufflenet_unit(builder: Builder, row: rows.ShuffleNetUnitRow, name: str, source: str) -> str:
    size = builder.shapes[source]
    if row.stride == 1 and size.channels != row.channels:
        raise ShapeError("channels", f"{size.channels}, those of the input, at stride 1", row.channels)
    branch = row.channels - size.channels if row.stride == 2 else row.channels
    if row.channels % (4 * row.groups) or branch <= 0:
        raise ShapeError("channels", f"more than {size.channels}, divisible by 4 x {row.groups} groups", row.channels)
    step = Axis(kernel=3, stride=row.stride, pad=1, pad_end=1)
    pointwise, spatial = Window(), Window(step, step)
    bottleneck = row.channels // 4
    entry_groups = row.groups if row.group_entry else 1
    tensor = builder.conv(f"{name}_gc1", (source,), bottleneck, pointwise, entry_groups, "relu")
    if row.shuffle and row.groups > 1:
        tensor = builder.shuffle(f"{name}_shuf", (tensor,), row.groups)
    tensor = builder.conv(f"{name}_dw", (tensor,), bottleneck, spatial, bottleneck)
    ends_in_concat = row.stride == 2
    activation = "relu" if ends_in_concat else "none"
    tensor = builder.conv(f"{name}_gc2", (tensor,), branch, pointwise, row.groups, activation)
    if ends_in_concat:
        pooled = builder.pool(f"{name}_avg", (source,), Op.AVG_POOL, spatial)
        tensor = builder.simple(f"{name}_cat", (pooled, tensor), Op.CONCAT)
    if row.se:
        tensor = _squeeze_and_excite(builder, f"{name}_se", tensor)
    return tensor if ends_in_concat else builder.simple(f"{name}_add", (source, tensor), Op.ADD, "relu")


def _squeeze_and_excite(builder: Builder, name: str, source: str) -> str:
    """Hu et al., CVPR 2018: each channel times a factor that depends on the mean of all."""
    channels = builder.shapes[source].channels
    tensor = builder.simple(f"{name}_gap", (source,), Op.GLOBAL_POOL)
    reduced = max(1, channels // SE_REDUCTION)
    tensor = builder.conv(f"{name}_fc1", (tensor,), reduced, Window(), activation="relu", label="fc")
    tensor = builder.conv(f"{name}_fc2", (tensor,), channels, Window(), label="fc")
    tensor = builder.simple(f"{name}_sigmoid", (tensor,), Op.SIGMOID)
    return builder.simple(f"{name}_mul", (source, tensor), Op.SCALE)
