"""A tensor of a model as a view of a feature map, followed through every reshape and transpose.

The extents of a map are products of factors, `Atom`s. A dimension of a tensor is a product of some of them, in any
order, so that another shape or another order of dimensions is another view: nothing is moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

MAX_KNOWN = 4096
"""Elements of a constant whose values are looked at."""

Values = np.ndarray[Any, Any]


class UnmodelledError(Exception):
    """A node that cannot be modelled: what was expected, and what it has instead."""

    def __init__(self, expected: str, got: object) -> None:
        super().__init__(expected, got)
        self.expected, self.got = expected, str(got)


@dataclass(frozen=True, slots=True, eq=False)
class Atom:
    """A factor of an extent, more than 1; itself and nothing else equals it."""

    extent: int


Dim = tuple[Atom, ...]


@dataclass(frozen=True, slots=True)
class Constant:
    """A tensor that does not depend on the inputs: its shape, and its values where they are few and known."""

    shape: tuple[int, ...]
    values: Values | None = None
    bits: int | None = None


@dataclass(frozen=True, slots=True)
class Axes:
    """The factors of a map's rows, columns and channels, outermost first."""

    rows: Dim
    cols: Dim
    channels: Dim

    @property
    def all(self) -> Dim:
        """All of them as they lie in memory."""
        return (*self.rows, *self.cols, *self.channels)

    @property
    def pixels(self) -> Dim:
        """Factors of rows and columns."""
        return (*self.rows, *self.cols)

    @property
    def extents(self) -> tuple[int, int, int]:
        """Height, width and channels."""
        return extent(self.rows), extent(self.cols), extent(self.channels)

    def swapped(self, parts: Mapping[Atom, Dim]) -> Axes:
        """With others in the place of some."""
        return Axes(*(swapped(each, parts) for each in (self.rows, self.cols, self.channels)))


@dataclass(frozen=True, slots=True)
class FeatureMap:
    """A tensor that a row of the network computes.

    dims: of the tensor, each as factors; axes: of the map. batch: stands for the images in `dims`, and is no factor of
    the map. repeated: factors that the map does not have, each of its elements being meant as often. pads: elements
    before and behind each dimension that are yet to be added, and what they are.
    """

    dims: tuple[Dim, ...]
    row: str
    axes: Axes
    batch: Atom | None = None
    repeated: frozenset[Atom] = frozenset()
    pads: tuple[tuple[int, int], ...] = ()
    border: str = "zeros"
    bits: int | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the tensor, padding included."""
        found = tuple(extent(dim) for dim in self.dims)
        if not self.pads:
            return found
        return tuple(size + before + behind for size, (before, behind) in zip(found, self.pads, strict=True))

    def swapped(self, parts: Mapping[Atom, Dim]) -> FeatureMap:
        """With factors in the place of others."""
        if not parts:
            return self
        dims = tuple(swapped(dim, parts) for dim in self.dims)
        repeated = frozenset(each for atom in self.repeated for each in parts.get(atom, (atom,)))
        return replace(self, dims=dims, axes=self.axes.swapped(parts), repeated=repeated)

    def without_batch(self, dim: Dim) -> Dim:
        """The factors of a dimension that the map has."""
        return tuple(atom for atom in dim if atom is not self.batch)


Tensor = Constant | FeatureMap


def extent(atoms: Iterable[Atom]) -> int:
    """Product of factors."""
    return prod(atom.extent for atom in atoms)


def fresh(size: int) -> Dim:
    """A factor of its own; none for 1."""
    return (Atom(size),) if size > 1 else ()


def with_dim(dims: tuple[Dim, ...], place: int, dim: Dim) -> tuple[Dim, ...]:
    """Dimensions with another one in a place."""
    return (*dims[:place], dim, *dims[place + 1 :])


def swapped(atoms: Dim, parts: Mapping[Atom, Dim]) -> Dim:
    """Factors with others in the place of some."""
    return tuple(each for atom in atoms for each in parts.get(atom, (atom,)))


def split_to(atoms: Sequence[Atom], shape: Sequence[int], whole: Atom | None) -> tuple[list[Dim], dict[Atom, Dim]]:
    """Dimensions of these sizes out of factors in order, and which of them had to be split, into what.

    whole: a factor that cannot be split. Raises ValueError where sizes cut a factor where it cannot be.
    """
    waiting, parts, dims = list(atoms), dict[Atom, Dim](), list[Dim]()
    origin = {atom: atom for atom in atoms}
    for size in shape:
        own: list[Atom] = []
        left = size
        while left > 1:
            if not waiting:
                raise ValueError
            atom = waiting.pop(0)
            if left % atom.extent == 0:
                own.append(atom)
                left //= atom.extent
                continue
            if atom.extent % left or atom is whole:
                raise ValueError
            outer, inner = Atom(left), Atom(atom.extent // left)
            source = origin.pop(atom)
            parts[source] = (*parts.get(source, ())[:-1], outer, inner)
            origin[inner] = source
            waiting.insert(0, inner)
            own.append(outer)
            left = 1
        dims.append(tuple(own))
    if waiting:
        raise ValueError
    return dims, parts


def aligned(first: Dim, second: Dim) -> tuple[dict[Atom, Dim], dict[Atom, Dim]] | None:
    """The splits with which two dimensions of one size have the same factors; None where there are none."""
    sizes = [1]
    for dim in (first, second):
        reached = 1
        for atom in reversed(dim):
            reached *= atom.extent
            sizes.append(reached)
    steps = sorted(set(sizes))
    if any(after % before for before, after in pairwise(steps)):
        return None
    shape = [after // before for before, after in pairwise(steps)][::-1]
    return split_to(first, shape, None)[1], split_to(second, shape, None)[1]
