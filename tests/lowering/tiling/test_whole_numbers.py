"""Does the tiler count as with whole numbers of any size? Its arrays have 64 bits, and layers may be as large as files
allow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from random import Random
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from accelsim.config.machine import Machine
from accelsim.config.scheduling import Objective
from accelsim.errors import UserError
from accelsim.lowering.layout import lay_out
from accelsim.lowering.schedule.weights import no_resident_weights
from accelsim.lowering.tiling import played, space, vector
from accelsim.lowering.tiling.cache import TilingCache
from accelsim.lowering.tiling.candidates import Candidates, gathered
from accelsim.lowering.tiling.cost import Estimate
from accelsim.lowering.tiling.sizes import Blocks, SumTiles
from accelsim.network.graph import Network
from accelsim.network.units import on_array
from tests.strategies import machine_of, network_of

SIZES = (
    (space, ("blocks_of", "searched_blocks", "channel_tiles", "sum_tiles")),
    (vector, ("blocks_of", "searched_blocks")),
)
CASES, MOST_TILINGS = 100, 1500
PRUNED = {"density": 0.5, "format": "relative_index", "index_bits": 4, "zeros": "nothing"}


def whole(found: Any) -> Any:
    """The same with Python's integers in its arrays."""
    match found:
        case np.ndarray() if found.dtype == np.int64:
            return found.astype(object)
        case Blocks():
            return Blocks(*(whole(getattr(found, part.name)) for part in fields(found)))
        case Candidates():
            return Candidates(*(whole(getattr(found, part.name)) for part in fields(found)))
        case SumTiles():
            return SumTiles(found.taps, whole(found.ins), whole(found.number))
        case tuple():
            return tuple(map(whole, found))
    return found


def with_whole_numbers(sizes: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *given, **named: whole(sizes(*given, **named))


@contextmanager
def whole_numbers() -> Iterator[None]:
    """Sizes of tiles are Python's integers."""
    space._grids.cache_clear()
    with ExitStack() as stack:
        for module, names in SIZES:
            for name in names:
                stack.enter_context(patch.object(module, name, with_whole_numbers(getattr(module, name))))
        yield
    space._grids.cache_clear()


def size(random: Random, most: int) -> int:
    """Around a power of two."""
    return min(1 << most, max(1, (1 << random.randint(0, most)) + random.choice([0, 0, -1, 1])))


def layer(random: Random) -> Network:
    """A layer of any size, as far as files may have it."""
    row: dict[str, Any] = {"name": "a", "op": random.choice(["conv", "conv", "fc", "fc", "dwconv", "avgpool", "relu"])}
    if row["op"] in ("conv", "dwconv", "avgpool"):
        row["kernel"] = [random.choice([1, 2, 3, size(random, 10)]) for _ in "ab"]
        row["stride"] = [random.choice([1, 2, size(random, 20)]) for _ in "ab"]
        row["pad"] = [random.choice([0, 1, 1 << 12]) for _ in "abcd"]
    if row["op"] == "conv":
        row["dilation"] = [random.choice([1, 2, size(random, 18)]) for _ in "ab"]
    if row["op"] in ("conv", "fc"):
        groups = random.choice([1, 1, 2, size(random, 10)])
        row |= {"groups": groups, "channels": min(1 << 20, groups * size(random, 20))}
    keys = {"prune": PRUNED} if row["op"] in ("conv", "fc") and random.random() < 0.5 else {}
    extents = size(random, random.choice([8, 18])), size(random, 8), size(random, 20)
    try:
        return network_of([row], extents, size(random, 16), **keys)
    except UserError:
        return layer(random)


def machine(random: Random) -> Machine:
    """A machine of any size."""
    bits = random.choice([1, 8, 32])
    keys = {f"sram__{name}__capacity_bytes": size(random, 40) for name in ("activation", "weight")}
    try:
        return machine_of(
            array__rows=size(random, 16),
            array__cols=size(random, 16),
            array__dataflow=random.choice(["ws", "is", "os"]),
            array__activation_bits=bits,
            array__weight_bits=random.choice([bits, 8]),
            sram__accumulator__capacity_bytes=1 << 40,
            **keys,
        )
    except UserError:
        return machine(random)


def check(network: Network, chip: Machine, objective: Objective = "cycles") -> None:
    (node,) = network.nodes
    layout = lay_out(network, chip.array.activation_bits, scatter=True)
    cache = TilingCache(chip, network.batch, layout, objective, network.nodes)
    room, weights = chip.sram.activation.capacity_bytes, no_resident_weights(chip.sram.weight.capacity_bytes)
    task, context = cache.task(node, {}), cache.context(node, room, weights)
    if not on_array(node, chip):
        found = str(vector.plan_vector(node, task, context))
        with whole_numbers():
            assert str(vector.plan_vector(node, task, context)) == found
        return
    (dataflow,) = context.dataflows
    plans = gathered(space.searched(task, context, dataflow))
    if len(plans) > MOST_TILINGS:
        return
    with whole_numbers():
        exact = gathered(space.searched(task, context, dataflow))
    for part in fields(Blocks):
        assert getattr(plans.blocks, part.name).tolist() == getattr(exact.blocks, part.name).tolist()
    for part in fields(Candidates)[1:]:
        assert getattr(plans, part.name).tolist() == pytest.approx(getattr(exact, part.name).tolist())
    for averaged in (True, False) if len(plans) else ():
        played._works.cache_clear()
        one = Estimate(task, context, dataflow, plans, averaged=averaged)
        played._works.cache_clear()
        other = Estimate(task, context, dataflow, whole(plans), averaged=averaged)
        for name in ("burst_bytes", "cycles", "energy_pj"):
            assert getattr(one, name).astype(float) == pytest.approx(getattr(other, name).astype(float))


@pytest.mark.slow
def test_tilings_of_any_layer_are_counted_without_wrapping() -> None:
    random = Random(7)
    for _ in range(CASES):
        check(layer(random), machine(random))


@pytest.mark.parametrize(
    ("row", "extents", "keys", "objective"),
    [
        ({"op": "fc", "channels": 1 << 17}, (1, 1, 1 << 17), {"prune": PRUNED}, "cycles"),
        ({"op": "relu"}, (16, 16, 1 << 20), {"batch": 1 << 16}, "dram_bytes"),
    ],
)
def test_the_largest_layers_are_counted_without_wrapping(
    row: dict[str, Any], extents: tuple[int, int, int], keys: dict[str, Any], objective: Objective
) -> None:
    chip = machine_of(array__rows=1 << 16, array__cols=1 << 16, sram__accumulator__capacity_bytes=1 << 40)
    check(network_of([{"name": "a", **row}], extents, **keys), chip, objective)


def test_halos_beyond_what_a_plan_counts_are_refused() -> None:
    row = {"name": "a", "op": "conv", "channels": 4, "kernel": 2, "dilation": [1 << 17, 1 << 14]}
    with pytest.raises(
        UserError, match=r"layers\.0\.name: expected a layer whose tiles read at most 72057594037927936 el"
    ):
        network_of([row], (1 << 18, 1 << 15, 1), 64)
