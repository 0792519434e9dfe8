"""Compression that does nothing is said to."""

from __future__ import annotations

from typing import Any

import pytest

from accelsim import simulate
from accelsim.report.unused import unused

CODEC = {"dma.map_codec": {"format": "zero_run_length", "bytes_per_clock": 16}}
DECODER = {"dma.decoder": {"format": "any", "bytes_per_clock": 16}}
COMPRESSED, ZEROS = {"network.compress": {"ratio": 0.5}}, {"network.map_zeros": {"share": 0.75}}

NOTHING_LEFT = "network.compress does nothing: it has no ratio below 1, and no weights are pruned"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, []),
        (COMPRESSED, ["network.compress does nothing: the machine has no dma.decoder"]),
        (COMPRESSED | DECODER, []),
        (DECODER, ["dma.decoder does nothing: no weights are compressed (network.compress)"]),
        ({"network.compress": {}}, [NOTHING_LEFT]),
        ({"network.compress": {"ratio": 1}} | DECODER, [NOTHING_LEFT]),
        ({"network.compress": {}, "network.prune.density": 0.5} | DECODER, []),
        (ZEROS, ["network.map_zeros does nothing: the machine has no dma.map_codec"]),
        (ZEROS | CODEC, []),
        (
            CODEC | {"network.map_zeros": {"share": 0.5}},
            ["dma.map_codec does nothing: no map is shorter as runs of zeros, at most 50% are (network.map_zeros)"],
        ),
        (CODEC, ["dma.map_codec does nothing: no map is shorter as runs of zeros, at most 0% are (network.map_zeros)"]),
    ],
)
def test_compression_that_does_nothing_is_said_to(settings: dict[str, Any], said: list[str]) -> None:
    """Four pairs of 13 bits in a word of 64, of two values each, are as long as eight values of 8 bits."""
    run = simulate("study_conv_separable", "tiny", settings)
    assert list(unused(run.workload, run.network, run.machine)) == said
