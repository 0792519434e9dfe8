"""Bands of the output map: all weights pass for a band, whose tiles of the input map stay meanwhile, and then for the
next."""

from __future__ import annotations

import numpy as np

from accelsim.lowering.ir import LayerTask, TilingContext
from accelsim.lowering.tiling.candidates import WEIGHTS_OUTSIDE, Allowed, weight_set
from accelsim.lowering.tiling.footprint import layer_weight_bytes
from accelsim.lowering.tiling.sizes import Ints
from accelsim.units import ceil_div


def may_go_in_bands(task: LayerTask, context: TilingContext) -> bool:
    """True where it may pay to let all weights pass for each band of the map, as they do not fit at once, or is given;
    none of the map is on chip already."""
    all_fit = layer_weight_bytes(task, context) <= context.weight_bytes
    return task.loaded_inputs == task.size.channels and not (all_fit and context.given.ifmap_tiles is None)


def bands(context: TilingContext, allowed: Allowed, most: Ints) -> Ints:
    """Tiles of the input map of a band, of which at most some stay; 0 where the map goes in no bands. Bands are equal,
    and as few as can be."""
    if context.given.ifmap_tiles is not None:
        most = np.minimum(most, context.given.ifmap_tiles)
    count = allowed.blocks.count
    blocks = np.minimum(most // allowed.in_tiles, count)
    size = ceil_div(count, ceil_div(count, np.maximum(1, blocks)))
    inside = (allowed.order >= WEIGHTS_OUTSIDE) & (allowed.out_tiles > 1)
    stay = weight_set(allowed.order, allowed.group_tiles, allowed.out_tiles, allowed.in_tiles)
    useful = inside & (blocks > 1) & (size < count) & (allowed.weight_tiles >= stay)
    return np.where(useful, size * allowed.in_tiles, 0)
