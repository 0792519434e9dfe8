"""Does a layer's matrix product have all that the array makes, also where results are pooled on their way?"""

from __future__ import annotations

import pytest

from accelsim.lowering.rewrite import rewrite
from accelsim.network.geometry import gemm_of, layer_gemm, whole_layer
from accelsim.run.define import load_network
from tests.strategies import machine_of


def test_a_pool_on_the_way_leaves_the_product_its_results() -> None:
    """ShuffleNet's first layer: 112 x 112 results, of which 56 x 56 are left."""
    network = rewrite(load_network("shufflenet_1.0x_g3")[1], machine_of())
    first = network.nodes[0]
    assert first.pool is not None
    assert (first.output.height, layer_gemm(first, 1).m) == (56, 112 * 112)


@pytest.mark.parametrize("name", ["shufflenet_1.0x_g3", "mobilenet_v1_0.25_128", "resnet18"])
def test_a_layer_is_all_of_its_parts(name: str) -> None:
    """Of each layer with weights, whatever is done on its way."""
    network = rewrite(load_network(name)[1], machine_of())
    weighted = [node for node in network.nodes if node.op.weighted and not node.absorbed]
    assert weighted
    for node in weighted:
        assert layer_gemm(node, 3) == gemm_of(node, whole_layer(node, 3))
