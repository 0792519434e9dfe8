"""The ways to shrink a network: each a function from a network and its section of the file to another network.

A transform is a function in a file here and a line in `TRANSFORMS`; its keys are in `accelsim.config.transforms`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from accelsim.config.families import SCALES_ITSELF
from accelsim.config.workload import NetworkFile
from accelsim.network.graph import Network
from accelsim.network.transforms.data import binarized, compressed, pruned, quantized, with_map_zeros
from accelsim.network.transforms.factorize import factorized
from accelsim.network.transforms.rewrite import TransformError, Wrong
from accelsim.network.transforms.width import widened

__all__ = ["TransformError", "transformed"]

TRANSFORMS: dict[str, Callable[[Network, Any], Network]] = {
    "width": widened,
    "factorize": factorized,
    "quantize": quantized,
    "binarize": binarized,
    "prune": pruned,
    "compress": compressed,
    "map_zeros": with_map_zeros,
}
"""By key of the network file, in the order in which they are applied."""


def transformed(network: Network, file: NetworkFile) -> Network:
    """The network with all that its file asks for.

    Raises TransformError; what follows a change of layers that failed is not looked at.
    """
    wrong: list[Wrong] = []
    for key, transform in TRANSFORMS.items():
        section = getattr(file, key)
        if section is None or (key == "width" and isinstance(file, SCALES_ITSELF)):
            continue
        try:
            network = transform(network, section)
        except TransformError as error:
            wrong += [((key, *path), expected, got) for path, expected, got in error.wrong]
            if key in ("width", "factorize"):
                break
    if wrong:
        raise TransformError(wrong)
    return network
