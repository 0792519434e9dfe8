"""Parts that transforms have in common: new nodes for old ones, and the layers that a section names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from accelsim.config.strict_yaml import KeyPath
from accelsim.errors import suggestion
from accelsim.network.graph import Network, Node
from accelsim.operators.shapes import Shape

Wrong = tuple[KeyPath, str, str]
"""(key, expected, got)"""


class TransformError(Exception):
    """A section that does not fit the network."""

    def __init__(self, wrong: Sequence[Wrong]) -> None:
        super().__init__(wrong)
        self.wrong = tuple(wrong)


def rewrite(network: Network, step: Callable[[Node, Node], Sequence[Node]]) -> Network:
    """Replace each node by one or more, the last of which gives its map.

    step: from a node as it was, and as it reads what its inputs have become, to the new nodes.
    """
    shapes: dict[str, Shape] = dict(network.inputs)
    names = {name: name for name in network.inputs}
    nodes: list[Node] = []
    for node in network.nodes:
        inputs = tuple(names[name] for name in node.inputs)
        made = step(node, replace(node, inputs=inputs, sizes=tuple(shapes[name] for name in inputs)))
        names[node.name] = made[-1].name
        shapes.update((each.name, each.output) for each in made)
        nodes.extend(made)
    return replace(network, nodes=tuple(nodes))


def with_weights(network: Network) -> list[str]:
    """Names of the layers that have weights, in order."""
    return [node.name for node in network.nodes if node.op.weighted]


def unknown_layers(names: Iterable[str], known: Sequence[str], what: str) -> list[Wrong]:
    """Mistakes at names under `layers` that are not among the known ones."""
    return [
        (("layers", name), f"the name of a layer {what}{suggestion(name, known)}", repr(name))
        for name in names
        if name not in known
    ]
