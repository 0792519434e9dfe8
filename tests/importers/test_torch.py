"""Do real PyTorch modules run, with the MACs that PyTorch itself counts?

`test_pytorch.py` has the calls alone, for every test run; these need torch: `nox -s torch`, or `pytest -m torch` where
it is installed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import accelsim as sim
from tests.importers.test_pytorch import LAYERS, NETWORK

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("default")]


def modules() -> dict[str, tuple[Any, Any]]:
    """Modules by name, each with an input: what networks are made of."""
    import torch
    from torch import nn

    return {
        "block": (nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Hardswish()), (2, 3, 16, 16)),
        "depthwise": (nn.Conv2d(8, 8, 3, groups=8), (1, 8, 16, 16)),
        "signal": (nn.Sequential(nn.Conv1d(3, 8, 5, stride=2), nn.ReLU(), nn.MaxPool1d(2)), (1, 3, 64)),
        "upsampled": (
            nn.Sequential(nn.Upsample(scale_factor=2), nn.ConvTranspose2d(3, 4, 4, 2, 1), nn.PixelShuffle(2)),
            (1, 3, 8, 8),
        ),
        "recurrent": (nn.GRU(32, 48, batch_first=True, bidirectional=True), (1, 4, 32)),
        "tokens": (nn.Sequential(nn.LayerNorm(32), nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 32)), (1, 12, 32)),
    } | {"embedded": (nn.Sequential(nn.Embedding(50, 32), nn.Linear(32, 16)), torch.zeros(1, 12, dtype=torch.int64))}


NAMES = ("block", "depthwise", "signal", "upsampled", "recurrent", "tokens", "embedded")


def counted(module: Any, example: Any) -> int:
    """MACs by PyTorch's own counter."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(example)
    return int(counter.get_total_flops()) // 2


@pytest.mark.parametrize("name", NAMES)
def test_a_real_module_has_the_macs_that_torch_counts(name: str) -> None:
    import torch

    module, given = modules()[name]
    example = torch.zeros(given) if isinstance(given, tuple) else given
    network = sim.simulate(module.eval(), "edge", example_input=example).network
    assert network.macs * network.batch == counted(module, example) > 0


def test_the_recorded_export_is_what_torch_gives() -> None:
    """Names, stages and layers of the module that `test_pytorch.py` has the export of."""
    import torch
    from torch import nn

    found: dict[str, Callable[[], Any]] = {"nn": nn, "torch": torch}
    exec(NETWORK, found)
    module = found["Net"]()
    run = sim.simulate(module, "edge", example_input=torch.zeros(1, 3, 32, 32))
    assert [(node.name, node.op.name, node.stage) for node in run.network.nodes] == LAYERS
    assert module.training


def test_a_module_that_torch_cannot_export_is_refused_in_one_line() -> None:
    import torch
    from torch import nn

    with pytest.raises(sim.UserError) as caught:
        sim.simulate(nn.Conv2d(3, 8, 3), "edge", example_input=torch.zeros(1, 4, 8, 8))
    (mistake,) = caught.value.mistakes
    assert str(mistake).startswith("network:0: Conv2d: expected a module that torch.export takes, got ")
