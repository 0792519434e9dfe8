"""Regions of a tensor, found by what they may have in common with another one."""

from __future__ import annotations

from collections.abc import Hashable
from itertools import product
from math import prod
from typing import Generic, TypeVar

from accelsim.program.tensors import Range, Region

Key = TypeVar("Key", bound=Hashable)
GridExtents = tuple[int, ...]
GridCell = tuple[int, ...]


class Cells(Generic[Key]):
    """Regions by key. Those that may meet another one are found without a look at all of them.

    Regions of about the same extents, up to powers of two, lie on a grid of cells of these extents: each in two cells
    along a dimension at most.
    """

    def __init__(self) -> None:
        self._grids: dict[GridExtents, _GridRegions[Key]] = {}
        self._places: dict[Key, tuple[_GridRegions[Key], tuple[GridCell, ...]]] = {}

    def add(self, key: Key, region: Region) -> None:
        """Keep a region."""
        extents = _rounded(region)
        grid = self._grids.setdefault(extents, _GridRegions(extents))
        grid.regions[key] = region
        cells = tuple(product(*grid.spans(region)))
        self._places[key] = grid, cells
        for cell in cells:
            grid.cells.setdefault(cell, {})[key] = region

    def remove(self, key: Key) -> None:
        """Forget a region that is kept."""
        grid, cells = self._places.pop(key)
        del grid.regions[key]
        for cell in cells:
            del grid.cells[cell][key]
            if not grid.cells[cell]:
                del grid.cells[cell]

    def near(self, region: Region) -> dict[Key, Region]:
        """Regions that lie in the same cells as this one: all that meet it, and others."""
        found: dict[Key, Region] = {}
        for grid in self._grids.values():
            if grid.regions:
                grid.add_near(region, found)
        return found


class _GridRegions(Generic[Key]):
    """Regions of a grid: by key, and by key for each cell."""

    def __init__(self, extents: GridExtents) -> None:
        self.extents = extents
        self.regions: dict[Key, Region] = {}
        self.cells: dict[GridCell, dict[Key, Region]] = {}

    def spans(self, region: Region) -> list[range]:
        """Numbers of the cells of a region, along each dimension."""
        return [
            range(start // size, max(start, stop - 1) // size + 1)
            for (start, stop, _), size in zip(region, self.extents, strict=True)
        ]

    def add_near(self, region: Region, found: dict[Key, Region]) -> None:
        """Add the regions in the cells of one."""
        spans = self.spans(region)
        if prod(map(len, spans)) >= len(self.regions):
            found.update(self.regions)
            return
        for cell in product(*spans):
            found.update(self.cells.get(cell, ()))


def _rounded(region: Region) -> GridExtents:
    return tuple(map(_power_of_two, region))


def _power_of_two(part: Range) -> int:
    """The least one that is no smaller than an extent."""
    return 1 << max(0, part.stop - part.start - 1).bit_length()
