"""A model on its way to the rows of a network: maps are brought into the order that a row wants."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from accelsim.errors import shorten
from accelsim.importers.onnx.tensors import (
    Atom,
    Axes,
    Constant,
    Dim,
    FeatureMap,
    Tensor,
    UnmodelledError,
    extent,
    fresh,
)
from accelsim.operators.table import OPERATORS

MAX_ROWS = 20_000
AT_ONCE = 2
"""Dimensions that are padded together, each an axis of the map, with the rest of it in the third."""
MAX_ELEMENTS = 1 << 36


@dataclass(slots=True)
class Importing:
    """Rows so far, and the tensors that they compute.

    batch: the factor that stands for the images, where there are several. values: tensors by name; lists: of
    tensors, by name; rows: of the network, by name; readers: how many nodes, and outputs of the graph, read a
    value; bits: of weights and maps, by row; unmodelled: nodes that were left out; moved: maps that were brought
    into another order, by their row and that order; latest: the tensor that a row gives, last of all that are views
    of it; extents: of the map of a row; read: rows that others read; numbers: of rows of one name; concats: rows by
    what they put side by side; wanted, stage: of the row that is being made; channels_first: whether what reads a
    tensor has its channels as the second dimension; before: the row in front of each; inferred: constants whose shape
    ONNX was asked for.
    """

    batch: Atom | None
    opset: int
    values: dict[str, Tensor] = field(default_factory=dict)
    lists: dict[str, Sequence[Tensor]] = field(default_factory=dict)
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    readers: dict[str, int] = field(default_factory=dict)
    bits: dict[str, dict[str, int]] = field(default_factory=dict)
    unmodelled: list[str] = field(default_factory=list)
    moved: dict[tuple[str, Axes], str] = field(default_factory=dict)
    latest: dict[str, str] = field(default_factory=dict)
    extents: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)
    numbers: dict[str, int] = field(default_factory=dict)
    concats: dict[tuple[str, ...], str] = field(default_factory=dict)
    wanted: str = "layer"
    stage: str = ""
    channels_first: Mapping[str, bool] = field(default_factory=dict)
    before: dict[str, str] = field(default_factory=dict)
    inferred: int = 0

    @property
    def images(self) -> int:
        """In a batch."""
        return self.batch.extent if self.batch else 1

    @property
    def batch_dim(self) -> Dim:
        """The dimension of the images."""
        return (self.batch,) if self.batch else ()

    def value(self, name: str) -> Tensor:
        """Raises UnmodelledError where nothing has computed it."""
        if name not in self.values:
            raise UnmodelledError("inputs that an earlier node, an initializer or the graph gives", shorten(name))
        return self.values[name]

    def row(self, op: str, sources: Sequence[str], extents: tuple[int, int, int], suffix: str = "", **keys: Any) -> str:
        """Add a row; its name. extents: of its map. Raises UnmodelledError where there are too many, or too large."""
        if extents[0] * extents[1] * extents[2] > MAX_ELEMENTS or len(self.rows) >= MAX_ROWS:
            raise UnmodelledError(f"maps of at most {MAX_ELEMENTS} elements in at most {MAX_ROWS} rows", list(extents))
        name = self.own_name(self.wanted + suffix)
        row: dict[str, Any] = {"name": name, "op": op}
        before = next(reversed(self.rows), "input")
        if list(sources) != [before] and op != "input":
            row["inputs"] = list(sources)
        if self.stage and op != "input":
            row["stage"] = self.stage
        self.rows[name] = {**row, **keys}
        self.before[name] = before
        self.extents[name] = extents
        self.read.update(sources)
        return name

    def grown(self, sources: list[str]) -> list[str]:
        """Maps to be put side by side, the first of them perhaps as a concatenation that is there: a map that grows."""
        for count in range(len(sources) - 1, 1, -1):
            before = self.concats.get(tuple(sources[:count]))
            if before is not None:
                name = self.latest.get(before, "")
                self.readers[name] = self.readers.get(name, 0) + 1
                return [before, *sources[count:]]
        return sources

    def own_name(self, wanted: str) -> str:
        """A name like this one that no row has."""
        plain = re.sub(r"[^A-Za-z0-9_.+-]+", "_", wanted).strip("_.+-")[-80:].strip("_.+-") or "layer"
        name, number = plain, self.numbers.get(plain, 1)
        while name in self.rows or name in ("input", "above"):
            number += 1
            name = f"{plain}_{number}"
        self.numbers[plain] = number
        return name

    def inputs_of(self, row: dict[str, Any]) -> list[str]:
        """The maps that a row reads."""
        return list(row["inputs"]) if "inputs" in row else [self.before[row["name"]]]

    def ordered(self, source: FeatureMap, rows: Dim, cols: Dim, channels: Dim) -> FeatureMap:
        """The tensor on a map of this order, elements being moved where it lies in another. Raises UnmodelledError."""
        wanted = Axes(rows, cols, channels)
        if source.pads:
            source = self.padded(source)
        if wanted == source.axes:
            return source
        if source.repeated & set(wanted.all):
            source = self.expanded(source, [atom for atom in wanted.all if atom in source.repeated])
        if set(wanted.all) != set(source.axes.all):
            raise UnmodelledError("a map whose dimensions are images, or parts of it", list(source.shape))
        if wanted == source.axes:
            return source
        key = (source.row, wanted)
        if key not in self.moved:
            self.moved[key] = self._rearranged(source, wanted)
        return replace(source, row=self.moved[key], axes=wanted)

    def _rearranged(self, source: FeatureMap, wanted: Axes) -> str:
        shuffle = _shuffled(source.axes, wanted)
        if shuffle:
            return self.row("shuffle", [source.row], wanted.extents, "_shuffled", groups=shuffle)
        places = {atom: place for place, atom in enumerate(source.axes.all)}
        height, width, channels = wanted.extents
        return self.row(
            "rearrange", [source.row], wanted.extents, "_moved",
            split=[atom.extent for atom in source.axes.all] or [1],
            order=[places[atom] for atom in wanted.all] or [0],
            height=height, width=width, channels=channels,
        )  # fmt: skip

    def expanded(self, source: FeatureMap, atoms: Sequence[Atom]) -> FeatureMap:
        """With elements that were only meant to be repeated in memory as often."""
        times = extent(atoms)
        height, width, channels = source.axes.extents
        if times > 4096:
            raise UnmodelledError("a map that is repeated at most 4096 times", times)
        row = self.row("concat", [source.row] * times, (height, width, times * channels), "_repeated")
        axes = Axes(source.axes.rows, source.axes.cols, (*atoms, *source.axes.channels))
        return replace(source, row=row, axes=axes, repeated=source.repeated - set(atoms))

    def padded(self, source: FeatureMap) -> FeatureMap:
        """With the padding that is yet to be added, or what is to be cut off. Raises UnmodelledError."""
        pads, plain = source.pads, replace(source, pads=())
        padded = [place for place, pad in enumerate(pads) if any(pad)]
        if len(padded) > AT_ONCE:
            now, later = (
                tuple(pad if (place in padded[:AT_ONCE]) is which else (0, 0) for place, pad in enumerate(pads))
                for which in (True, False)
            )
            return self.padded(replace(self.padded(replace(source, pads=now)), pads=later, border=source.border))
        dims = [dim for dim, pad in zip(plain.dims, pads, strict=True) if any(pad)]
        if any(plain.batch in dim or plain.repeated & set(dim) for dim in dims if plain.batch):
            raise UnmodelledError("padding of a map, not of the images", list(pads))
        plain = self.one_each(plain, dims)
        first, extents, axes = (
            [0, 0, 0],
            list(plain.axes.extents),
            [plain.axes.rows, plain.axes.cols, plain.axes.channels],
        )
        found = list(plain.dims)
        for place, (before, behind) in enumerate(pads):
            if not (before or behind):
                continue
            axis = next((each for each in range(3) if axes[each] == plain.dims[place] and axes[each]), None)
            if axis is None:
                axis = next(each for each in range(3) if not axes[each])
            first[axis], extents[axis] = -before, extents[axis] + before + behind
            axes[axis] = found[place] = fresh(extents[axis])
        height, width, channels = extents
        row = self.row(
            "crop", [plain.row], (height, width, channels), "_padded",
            height=height, width=width, channels=channels, first=first, border=source.border,
        )  # fmt: skip
        return replace(plain, row=row, dims=tuple(found), axes=Axes(*axes))

    def one_each(self, source: FeatureMap, dims: Sequence[Dim]) -> FeatureMap:
        """On a map with an axis for each of these dimensions and nothing else in it; the rest in another axis.

        Raises UnmodelledError where they are more than three.
        """
        axes = [source.axes.rows, source.axes.cols, source.axes.channels]
        wanted = [dim for dim in dims if dim]
        if all(dim in axes for dim in wanted):
            empty = sum(not axis for axis in axes)
            if empty >= len(dims) - len(wanted):
                return source
        rest = tuple(atom for atom in source.axes.all if all(atom not in dim for dim in wanted))
        if len(dims) + bool(rest) > 3:
            raise UnmodelledError("at most three dimensions at once, or two beside others", list(source.shape))
        if rest:
            rows, cols = (*wanted, (), ())[:2]
            return self.ordered(source, rows, cols, rest)
        rows, cols, channels = (*wanted, (), (), ())[:3]
        return self.ordered(source, rows, cols, channels)

    def made(self, op: str, source: FeatureMap, suffix: str = "", **keys: Any) -> FeatureMap:
        """A row whose map has the size of the one that it reads."""
        return replace(source, row=self.row(op, [source.row], source.axes.extents, suffix, **keys), bits=None)

    def given(self, value: Constant, dims: tuple[Dim, ...], axes: Axes, suffix: str = "_constant") -> FeatureMap:
        """A constant that is read from DRAM as a map is, in any order."""
        height, width, channels = axes.extents
        row = self.row("input", (), axes.extents, suffix, height=height, width=width, channels=channels)
        return FeatureMap(dims, row, axes, self.batch, bits=value.bits)

    def absorbs(self, source: FeatureMap, what: str, reads: str) -> dict[str, Any] | None:
        """The row of a map where that can take something in, the map being read under this name alone."""
        row = self.rows.get(source.row)
        if (
            row is None
            or "activation" in row
            or source.pads
            or source.row in self.read
            or what not in _absorbed(row["op"])
        ):
            return None
        return row if self.readers.get(reads, 0) == 1 else None


def _absorbed(op: str) -> frozenset[str]:
    return OPERATORS[op].absorbs if op in OPERATORS else frozenset()


def _shuffled(before: Axes, after: Axes) -> int | None:
    """Groups of a channel shuffle that leads from one order to another; None where none does."""
    if (before.rows, before.cols) != (after.rows, after.cols) or set(before.channels) != set(after.channels):
        return None
    for cut in range(1, len(before.channels)):
        if (*before.channels[cut:], *before.channels[:cut]) == after.channels:
            return extent(before.channels[:cut])
    return None
