"""Several inferences of one network, one after the other."""

from __future__ import annotations

from dataclasses import replace

from accelsim.network.graph import Network, Node
from accelsim.operators.shapes import Shape


def stream(network: Network, inferences: int) -> Network:
    """The network several times over, each with inputs of its own and all with the same weights."""
    nodes: list[Node] = []
    inputs: dict[str, Shape] = {}
    for number in range(1, inferences + 1):
        names = {name: numbered(name, number) for name in (*network.inputs, *(node.name for node in network.nodes))}
        inputs |= {names[name]: shape for name, shape in network.inputs.items()}
        nodes += [
            replace(
                node,
                name=names[node.name],
                inputs=tuple(names[name] for name in node.inputs),
                weights_of=node.name if number > 1 else "",
            )
            for node in network.nodes
        ]
    return replace(network, nodes=tuple(nodes), inputs=inputs, inferences=inferences)


def numbered(name: str, number: int) -> str:
    """Name of a map in inference `number`, counted from 1."""
    return name if number == 1 else f"{name}@{number}"
