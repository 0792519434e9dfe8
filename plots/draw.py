"""Draws the pictures of this folder anew, each with its CSV: `python plots/draw.py`. It takes a minute."""

from __future__ import annotations

import shlex
import sys
import tempfile
from pathlib import Path

from accelsim.cli import main

HERE = Path(__file__).resolve().parent
COMPARED = (
    "alexnet_grouped vgg16 resnet34_C densenet161 'mobilenet_v1_*_224' 'mobilenet_v1_1.00_*' conv_mobilenet_1.00_224 "
    "'squeezenet_*' 'shufflenet_*x_g3'"
)
RUN_KINDS = ("energy", "cycles", "utilization", "roofline", "timeline")
LIGHT = (
    "--network mobilenet_v1_1.00_224 --network squeezenet_v1.0 --network shufflenet_1.0x_g3 --network alexnet_grouped"
)


def draw(folder: Path) -> None:
    """All of them; runs and sweeps are kept in `folder`."""
    command(f"compare {COMPARED} --hw edge -o {HERE} --force")
    command(f"run shufflenet_1.0x_g3 edge -o {folder}/run")
    for kind in RUN_KINDS:
        command(f"plot {folder}/run --kind {kind} -o {HERE}/{kind}.svg --force")
    command(f"sweep {LIGHT} --hw edge --vary array.rows=8,16,32,64,128 -o {folder}/arrays")
    command(f"plot {folder}/arrays --kind array-size -o {HERE}/array-size.svg --force")
    shapes = "--vary array.rows=8,16,32,64 --vary array.cols=8,16,32,64"
    command(f"sweep --network shufflenet_1.0x_g3 --network squeezenet_v1.0 --hw edge {shapes} -o {folder}/shapes")
    command(f"plot {folder}/shapes --kind array-map -o {HERE}/array-map.svg --force")
    command(f"sweep {HERE}/buffers.yaml -o {folder}/buffers")
    command(f"plot {folder}/buffers --kind buffer-size -o {HERE}/buffer-size.svg --force")
    command(f"sweep --network 'shufflenet_*x_g3' --network 'mobilenet_v1_*_224' --hw edge -o {folder}/networks")
    command(f"plot {folder}/networks --kind energy -o {HERE}/networks-energy.svg --force")
    command(f"plot {folder}/networks --kind accuracy -o {HERE}/networks-accuracy.svg --force")


def command(line: str) -> None:
    """Run `accelsim LINE`; leave where it fails."""
    print(f"accelsim {line}", file=sys.stderr)
    code = main(shlex.split(line))
    if code:
        sys.exit(code)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        draw(Path(scratch))
