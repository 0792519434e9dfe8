"""Do PyTorch modules run through `torch.export`, with the names of their parts?

The library takes hundreds of megabytes, so most test runs have it not: a stand-in takes the calls, and gives what
torch 2.13 exported for the module of `NETWORK` (`data/torch/module.onnx`, its weights left out). Real ones are in
`test_torch.py`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import onnx
import pytest

import accelsim as sim

ROOT = Path(__file__).resolve().parents[2]
RECORDED = ROOT / "tests" / "data" / "torch" / "module.onnx"

NETWORK = """
class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x):
        return torch.relu(self.bn(self.conv(x))) + x

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.layer1 = nn.Sequential(Block(16), Block(16))
        self.head = nn.Linear(16, 10)

    def forward(self, x):
        return self.head(self.layer1(self.stem(x)).mean((2, 3)))
"""
LAYERS = [
    ("stem", "conv", "stem"),
    ("layer1.0.conv", "conv", "layer1.0"),
    ("layer1.0", "add", "layer1.0"),
    ("layer1.1.conv", "conv", "layer1.1"),
    ("layer1.1", "add", "layer1.1"),
    ("mean", "gap", "layer1.1"),
    ("head", "fc", "head"),
]
"""Names, operators and stages of `NETWORK`: batch norms and ReLUs are part of the layer before."""


class Stub:
    """A module as far as it is looked at: its parts, and whether they learn."""

    def __init__(self, *parts: Stub) -> None:
        self.parts, self.training = parts, True

    def modules(self) -> Iterator[Stub]:
        yield self
        for part in self.parts:
            yield from part.modules()

    def eval(self) -> None:
        for each in self.modules():
            each.training = False


Module = type("Module", (Stub,), {"__module__": "torch.nn.modules.module"})
Net = type("Net", (Module,), {})


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The stand-in, and what it is called with."""
    seen: dict[str, Any] = {}

    def export(module: Stub, inputs: tuple[Any, ...]) -> str:
        seen.update(inputs=inputs, training=[each.training for each in module.modules()])
        if inputs == ("odd",):
            raise RuntimeError("\n\nGiven groups=1, expected 3 channels\n  at line 1")
        return "program"

    def export_onnx(program: str, **options: Any) -> SimpleNamespace:
        seen.update(program=program, options=options)
        return SimpleNamespace(model_proto=onnx.load(RECORDED, load_external_data=False))

    _stand_in(monkeypatch, export, export_onnx)
    return seen


def _stand_in(monkeypatch: pytest.MonkeyPatch, export: Callable[..., Any], export_onnx: Callable[..., Any]) -> None:
    for name, function in (("torch.export", export), ("torch.onnx", export_onnx)):
        module = ModuleType(name)
        module.export = function  # type: ignore[attr-defined]  # a module made here
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setitem(sys.modules, "torch", ModuleType("torch"))


def test_a_module_runs_with_the_names_of_its_parts(calls: dict[str, Any]) -> None:
    """Layers, stages, MACs and weights of `NETWORK` on 32 x 32; batch norms and ReLUs are part of the layer before."""
    run = sim.simulate(Net(), "edge", example_input="a tensor")
    assert [(node.name, node.op.name, node.stage) for node in run.network.nodes] == LAYERS
    assert run.network.macs == 16 * 16 * 9 * (3 * 16 + 2 * 16 * 16) + 160
    assert run.network.weights == 9 * (3 * 16 + 2 * 16 * 16) + 160
    assert run.network.name == "Net"
    assert calls["inputs"] == ("a tensor",)
    assert calls["options"]["dynamo"] is True


def test_settings_and_several_inputs(calls: dict[str, Any]) -> None:
    run = sim.simulate(Net(), "edge", {"network.batch": 3}, example_input=("x", "y"))
    assert run.network.batch == 3
    assert calls["inputs"] == ("x", "y")


def test_a_module_is_as_it_was_afterwards(calls: dict[str, Any]) -> None:
    """It is exported as it infers; parts that learn do so again, and only those."""
    frozen = Stub()
    frozen.training = False
    module = Net(Stub(), frozen)
    sim.simulate(module, "edge", example_input="x")
    assert calls["training"] == [False, False, False]
    assert [each.training for each in module.modules()] == [True, True, False]


@pytest.mark.parametrize(
    ("example_input", "said"),
    [
        (None, "network:0: example_input: expected a tensor, or a tuple of them, beside a module, got none"),
        ("odd", "network:0: Net: expected a module that torch.export takes, got 'Given groups=1, expected 3 channels'"),
    ],
)
def test_modules_that_cannot_be_exported_are_refused(
    example_input: str | None, said: str, calls: dict[str, Any]
) -> None:
    module = Net()
    with pytest.raises(sim.UserError, match="expected") as caught:
        sim.simulate(module, "edge", example_input=example_input)
    assert [str(each) for each in caught.value.mistakes] == [said]
    assert module.training


def test_a_module_needs_its_library() -> None:
    """Without it, one line; and it is not imported for anything else."""
    code = (
        "import sys, accelsim as sim\n"
        "Module = type('Module', (), {'__module__': 'torch.nn.modules.module'})\n"
        "sim.simulate('mobilenet_v1_0.25_128', 'edge')\n"
        "assert 'torch' not in sys.modules\n"
        "sys.modules['torch'] = None\n"
        "try:\n    sim.simulate(Module(), 'edge', example_input=1)\nexcept sim.UserError as error:\n    print(error)\n"
    )
    line = [sys.executable, "-c", code]
    done = subprocess.run(line, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)}, check=True)
    assert (
        done.stdout == "arguments:0: network: expected torch, installed by `pip install 'accelsim[torch]'`, got none\n"
    )
