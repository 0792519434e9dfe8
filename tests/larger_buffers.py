"""Share of larger buffers that are slower, for docs/sweeps.md: `python -m tests.larger_buffers` prints the sentence."""

from __future__ import annotations

from itertools import pairwise, product

from accelsim.run.play import perform
from accelsim.run.simulate import load_both

NETWORKS = ("mobilenet_v1_0.50_160", "shufflenet_0.5x_g3", "squeezenet_v1.1")
MAPS, WEIGHTS = (64, 128, 256, 512), (64, 256)
"""KiB of the buffers of `edge`."""


def cycles() -> dict[tuple[str, int, int], int]:
    """Cycles by network and KiB for maps and for weights."""
    return {each: cycles_of(*each) for each in product(NETWORKS, MAPS, WEIGHTS)}


def cycles_of(network: str, maps: int, weights: int) -> int:
    sizes = (f"sram.activation.capacity_bytes={maps << 10}", f"sram.weight.capacity_bytes={weights << 10}")
    return perform(*load_both(network, "edge", list(enumerate(sizes)))[1:], saves=False).outcome.total_cycles


def steps() -> list[float]:
    """The change by each step to the next size of one buffer, as a share of the cycles; less is quicker."""
    found = cycles()
    larger = {MAPS: dict(pairwise(MAPS)), WEIGHTS: dict(pairwise(WEIGHTS))}
    pairs = [
        ((network, maps, weights), after)
        for network, maps, weights in found
        for after in (
            (network, larger[MAPS].get(maps, 0), weights),
            (network, maps, larger[WEIGHTS].get(weights, 0)),
        )
        if after in found
    ]
    return [found[after] / found[before] - 1 for before, after in pairs]


def sentence() -> str:
    """The words of the page."""
    changes = steps()
    slower = sum(change > 0 for change in changes)
    were = "was slower, by" if slower == 1 else "were slower, the worst by"
    return (
        f"Of {len(changes)} steps to a larger buffer ({len(NETWORKS)} networks on `edge`, {MAPS[0]} to {MAPS[-1]} KiB "
        f"for maps, {WEIGHTS[0]} to {WEIGHTS[-1]} KiB for weights), {slower} {were} {max(changes):.1%}."
    ).replace("%", " %")


if __name__ == "__main__":
    print(sentence())
