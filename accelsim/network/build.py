"""From the rows of a workload file to a network graph, with every shape worked out and checked."""

from __future__ import annotations

from dataclasses import fields
from math import prod
from typing import Any

from accelsim.config import workload as rows
from accelsim.config.strict_yaml import Document
from accelsim.errors import Mistake, UserError, suggestion
from accelsim.network.families import expand
from accelsim.network.graph import INPUT, Network, Node
from accelsim.network.transforms import TransformError, transformed
from accelsim.operators.form import Form
from accelsim.operators.shapes import Shape, ShapeError, only
from accelsim.operators.table import OPERATORS

MAX_NODES = 20_000
MAX_ELEMENTS = 1 << 36
MAX_STEPS = 1 << 50
"""MACs of a layer, or elements under its windows, over a batch: what a plan counts then stays below 2^63."""
MOST_READ = 1 << 56
"""Elements that the tiles of a layer read together, over a batch, whatever their size: `_most_read`."""

SE_REDUCTION = 16
"""Hu et al., CVPR 2018, section 6.4; the ShuffleNet paper names no other."""


def build(network_file: rows.NetworkFile, document: Document) -> Network:
    """The network of a network file.

    Raises UserError: unknown inputs, shapes or transforms that do not fit, or totals other than `expect` says.
    """
    workload = expand(network_file, document)
    size = workload.input
    side = workload.resolution
    builder = Builder(Shape(side or size.height, side or size.width, size.channels), workload.batch)
    mistakes: list[Mistake] = []
    if builder.shapes[INPUT].elements > MAX_ELEMENTS:
        found = str(builder.shapes[INPUT].elements)
        raise UserError([document.mistake(("input",), f"at most {MAX_ELEMENTS} elements", found)])
    for index, row in enumerate(workload.layers):
        try:
            if isinstance(row, rows.InputRow):
                builder.input(row)
            else:
                builder.add_row(row)
        except ShapeError as error:
            place = ("layers", index) if workload is network_file else ("family", row.name)
            mistakes.append(document.mistake((*place, *error.path), error.expected, error.got))
            builder.stand_in(row, error.output)
    if not mistakes and not builder.nodes:
        mistakes.append(document.mistake(("layers",), "a layer that reads the input", "inputs alone"))
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

    def __init__(self, size: Shape, batch: int) -> None:
        self.batch = batch
        self.inputs: dict[str, Shape] = {INPUT: size}
        self.shapes: dict[str, Shape] = dict(self.inputs)
        self.unknown: set[str] = set()
        self.nodes: list[Node] = []
        self.weights: dict[str, int] = {}
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
            case rows.ShuffleNetUnitRow():
                shufflenet_units(self, row, inputs)
            case rows.BlockRow() | rows.PathsRow():
                self.repeat(row, inputs)
            case _:
                parameters = row.model_dump(exclude={"name", "op", "inputs", "stage"})
                self.add(row.op, row.name, *inputs, **parameters)

    def input(self, row: rows.InputRow) -> None:
        """A further input, as the network's input is. Raises ShapeError."""
        shape = Shape(row.height, row.width, row.channels)
        if row.name in self.shapes:
            raise ShapeError("name", "a name of its own", repr(row.name), shape)
        if shape.elements > MAX_ELEMENTS:
            raise ShapeError("height", f"maps of at most {MAX_ELEMENTS} elements", shape.elements)
        self.inputs[row.name] = self.shapes[row.name] = shape
        self.last = row.name

    def repeat(self, row: rows.BlockRow | rows.PathsRow, inputs: tuple[str, ...]) -> None:
        """Rows more than once. Raises ShapeError."""
        if len(self.nodes) + row.times * len(row.layers) + _joins(row) > MAX_NODES:
            raise ShapeError("times", f"at most {MAX_NODES} layers", "more")
        only([self.shapes[name] for name in inputs])
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
                ends = [self.add("add", name, *ends)]
        if row.join == "concat":
            self.add("concat", row.name, *ends)

    def repetition(self, row: rows.BlockRow | rows.PathsRow, number: int, above: str) -> str:
        """The rows once, with names of their own; the map that leaves them. Raises ShapeError."""
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

    def add(
        self, op: str, name: str, *inputs: str, activation: str = "none", weights: str | None = None, **parameters: Any
    ) -> str:
        """Add a node and return the name of its map. parameters: of a row of this operator. Raises ShapeError."""
        operator = OPERATORS[op]
        form = operator.rule([self.shapes[source] for source in inputs], {"activation": activation, **parameters})
        if name in self.shapes:
            raise ShapeError("name", "a name of its own", repr(name), form.output)
        if len(self.nodes) >= MAX_NODES:
            raise ShapeError("repeat", f"at most {MAX_NODES} layers", "more")
        if form.output.elements > MAX_ELEMENTS:
            raise ShapeError("name", f"maps of at most {MAX_ELEMENTS} elements", form.output.elements)
        found = {each.name: getattr(form, each.name) for each in fields(Form)}
        found["label"] = form.label or operator.name
        stage = self.stage or name.split("_")[0]
        node = Node(name, operator, stage, inputs, activation, again=weights or "", **found)
        steps = max(node.macs, node.window.elements * node.output.elements) * self.batch
        if steps > MAX_STEPS:
            raise ShapeError("name", f"a layer of at most {MAX_STEPS} MACs or window elements", steps, form.output)
        if self.batch * _most_read(node) > MOST_READ:
            got = f"up to {self.batch * _most_read(node)}"
            raise ShapeError("name", f"a layer whose tiles read at most {MOST_READ} elements", got, form.output)
        self.nodes.append(node)
        if node.again and self.weights.get(node.again) != node.weights:
            raise ShapeError("weights", f"an earlier layer with {node.weights} weights", repr(weights), form.output)
        self.weights[name] = node.weights
        self.shapes[name] = form.output
        self.last = name
        return name


def _most_read(node: Node) -> int:
    """A bound on the elements of an image that tiles of any size read together, halos as often as they are read, and
    parts of the kernel apart."""
    size, output, window = node.sizes[0], node.output, node.window
    axes = (window.vertical, output.height, size.height), (window.horizontal, output.width, size.width)
    return size.channels * prod(
        axis.kernel * (outputs + (outputs - 1) * axis.stride) + outputs * min(extent, axis.reach(1))
        for axis, outputs, extent in axes
    )


def _joins(row: rows.BlockRow | rows.PathsRow) -> int:
    """Layers that bring the repetitions together."""
    if isinstance(row, rows.BlockRow):
        return 0
    return row.times - 1 if row.join == "add" else 1


def shufflenet_units(builder: Builder, row: rows.ShuffleNetUnitRow, inputs: tuple[str, ...]) -> None:
    """ShuffleNet v1 units (Zhang et al., CVPR 2018, Fig. 2b and 2c): the bottleneck has a quarter of the channels, a
    ReLU follows the first group convolution and the add or concat, none the depthwise one. Raises ShapeError."""
    only([builder.shapes[name] for name in inputs])
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
    spatial: dict[str, Any] = {"kernel": 3, "stride": row.stride, "pad": 1}
    bottleneck = row.channels // 4
    entry_groups = row.groups if row.group_entry else 1
    entry: dict[str, Any] = {"channels": bottleneck, "groups": entry_groups, "activation": "relu"}
    tensor = builder.add("conv", f"{name}_gc1", source, **entry)
    if row.shuffle and row.groups > 1:
        tensor = builder.add("shuffle", f"{name}_shuf", tensor, groups=row.groups)
    tensor = builder.add("conv", f"{name}_dw", tensor, channels=bottleneck, groups=bottleneck, **spatial)
    ends_in_concat = row.stride == 2
    activation = "relu" if ends_in_concat else "none"
    tensor = builder.add("conv", f"{name}_gc2", tensor, channels=branch, groups=row.groups, activation=activation)
    if ends_in_concat:
        pooled = builder.add("avgpool", f"{name}_avg", source, **spatial)
        tensor = builder.add("concat", f"{name}_cat", pooled, tensor)
    if row.se:
        tensor = _squeeze_and_excite(builder, f"{name}_se", tensor)
    return tensor if ends_in_concat else builder.add("add", f"{name}_add", source, tensor, activation="relu")


def _squeeze_and_excite(builder: Builder, name: str, source: str) -> str:
    """Hu et al., CVPR 2018: each channel times a factor that depends on the mean of all."""
    channels = builder.shapes[source].channels
    tensor = builder.add("gap", f"{name}_gap", source)
    reduced = max(1, channels // SE_REDUCTION)
    tensor = builder.add("fc", f"{name}_fc1", tensor, channels=reduced, activation="relu")
    tensor = builder.add("fc", f"{name}_fc2", tensor, channels=channels)
    tensor = builder.add("sigmoid", f"{name}_sigmoid", tensor)
    return builder.add("scale", f"{name}_mul", source, tensor)
