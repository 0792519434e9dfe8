"""Networks by variant name: the names the papers give, and any other width, resolution or group count of a family.

A family of names is one line in `PATTERNS`; `NAMES` lists those that `accelsim list networks` shows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

Parameters = dict[str, Any]

_SQUEEZENET = "Iandola et al., arXiv 1602.07360, Table 1; 227 x 227 as in the authors' Caffe files"
_SHUFFLENET = "Zhang et al., CVPR 2018 (arXiv 1707.01083), Table 1; stems from the authors' published code"
_RESNET = "He et al., CVPR 2016 (arXiv 1512.03385), Table 1"
_MOBILENET = "Howard et al., arXiv 1704.04861, Table 1; the stride of its last depthwise layer is 1, not 2 as printed"
_COMPARATOR = "Zhang et al., arXiv 1707.01083, section 4.2"

COMPARATORS: dict[tuple[str, str], Parameters] = {
    ("vgglike", "140"): {"channels": [25, 49, 98], "stem": 24},
    ("vgglike", "38"): {"channels": [12, 25, 50]},
    ("vgglike", "13"): {"channels": [6, 13, 25]},
    ("resnet", "140"): {"channels": [96, 188, 380], "stem": 24},
    ("resnet", "38"): {"channels": [48, 96, 192]},
    ("resnet", "13"): {"channels": [24, 48, 100]},
    ("resnext", "140"): {"channels": [96, 192, 360], "cardinality": [16, 16, 12], "stem": 24},
    ("resnext", "38"): {"channels": [48, 96, 192], "cardinality": [12, 16, 16]},
    ("resnext", "13"): {"channels": [24, 48, 96], "cardinality": [12, 12, 16]},
}
"""Widths in stages 2 to 4; a bottleneck that 16 groups do not divide has 12."""
_COMPARATOR_NOTE = {
    "140": "; channels derived from the 140 MFLOPs",
    "38": ": stage 4 outputs 50 (VGG-like) and 192 channels; the other widths derived from the 38 MFLOPs",
    "13": "; channels derived from the 13 MFLOPs",
}

SQUEEZENET_DENSITIES: dict[str, float] = {
    **{f"fire{number}_expand3x3": 0.33 for number in range(2, 8)},
    **{f"fire{number}_expand3x3": 0.3 for number in (8, 9)},
    **dict.fromkeys(("fire6_expand1x1", "fire7_squeeze1x1", "fire8_expand1x1", "fire9_squeeze1x1"), 0.5),
    "conv10": 0.2,
}
"""Table 1 of the SqueezeNet paper, which prints 33 % for fire8's 3x3 and counts the 77,581 parameters of 30 %."""

EFFICIENTNETS = ((1.0, 1.0), (1.0, 1.1), (1.1, 1.2), (1.2, 1.4), (1.4, 1.8))
"""Width and depth of B0 to B4, and of Lite0 to 4: the authors' code; the paper gives the rule of its section 3.3."""
EFFICIENTNET_RESOLUTIONS = {"b": (224, 240, 260, 300, 380), "lite": (224, 240, 260, 280, 300)}

REPVGG_WIDTHS = {
    "a0": (0.75, 0.75, 0.75, 2.5),
    "a1": (1.0, 1.0, 1.0, 2.5),
    "a2": (1.5, 1.5, 1.5, 2.75),
    "b0": (1.0, 1.0, 1.0, 2.5),
    "b1": (2.0, 2.0, 2.0, 4.0),
    "b2": (2.5, 2.5, 2.5, 5.0),
    "b3": (3.0, 3.0, 3.0, 5.0),
}
"""Ding et al., arXiv 2101.03697, Table 3: a of the first stages and b of the last."""
MOBILEONE_WIDTHS = (
    (0.75, 1.0, 1.0, 2.0),
    (1.5, 1.5, 2.0, 2.5),
    (1.5, 2.0, 2.5, 4.0),
    (2.0, 2.5, 3.0, 4.0),
    (3.0, 3.5, 3.5, 4.0),
)
"""Vasu et al., arXiv 2206.04040, Table 3."""
VIT_WIDTHS = {"tiny": 192, "small": 384, "base": 768}

PATTERNS: dict[str, Callable[..., Parameters]] = {
    r"alexnet_(ungrouped|grouped|owt)": lambda layout: {
        "family": "alexnet",
        "layout": layout,
        "resolution": 224 if layout == "owt" else 227,
        "source": "Krizhevsky, arXiv 1404.5997" if layout == "owt" else "Krizhevsky et al., NIPS 2012, section 3.5",
    },
    r"vgg(13|16|19)": lambda depth: {
        "family": "vgg",
        "depth": int(depth),
        "source": "Simonyan and Zisserman, ICLR 2015 (arXiv 1409.1556), Table 1",
    },
    r"resnet(18)": lambda depth: {"family": "resnet", "depth": int(depth), "source": _RESNET},
    r"resnet(34)_([ABC])": lambda depth, shortcut: {
        "family": "resnet",
        "depth": int(depth),
        "shortcut": shortcut,
        "source": f"{_RESNET}, shortcut option {shortcut}",
    },
    r"resnet(50|101|152)_v(1|1\.5)": lambda depth, version: {
        "family": "resnet",
        "depth": int(depth),
        "stride_in": "1x1" if version == "1" else "3x3",
        "source": _RESNET if version == "1" else f"{_RESNET}; stride in the 3x3 as in torchvision",
    },
    r"resnext(50)_(\d{1,9})x(\d{1,9})d": lambda depth, cardinality, width: {
        "family": "resnet",
        "depth": int(depth),
        "stride_in": "3x3",
        "cardinality": int(cardinality),
        "group_width": int(width),
        "source": "Xie et al., CVPR 2017 (arXiv 1611.05431), Table 1",
    },
    r"densenet(121|161|169|201)": lambda depth: {
        "family": "densenet",
        "depth": int(depth),
        "source": "Huang et al., CVPR 2017 (arXiv 1608.06993), Table 1; growth 48 for 161",
    },
    r"googlenet": lambda: {"family": "googlenet", "source": "Szegedy et al., CVPR 2015 (arXiv 1409.4842), Table 1"},
    r"(conv_mobilenet|mobilenet_v1(?:_shallow)?)_(\d\.\d{1,9})_(\d{1,9})": lambda kind, width, resolution: {
        "family": "mobilenet_v1",
        "width": float(width),
        "resolution": int(resolution),
        "shallow": kind.endswith("_shallow"),
        "separable": kind != "conv_mobilenet",
        "source": _MOBILENET,
    },
    r"mobilenet_v2_(\d\.\d{1,9})_(\d{1,9})": lambda width, resolution: {
        "family": "mobilenet_v2",
        "width": float(width),
        "resolution": int(resolution),
        "source": "Sandler et al., CVPR 2018 (arXiv 1801.04381), Table 2",
    },
    r"mobilenet_v3_(large|small)(_minimalistic)?_(\d\.\d{1,9})_(\d{1,9})": lambda size, plain, width, resolution: {
        "family": "mobilenet_v3",
        "size": size,
        "minimalistic": plain is not None,
        "width": float(width),
        "resolution": int(resolution),
        "source": f"Howard et al., ICCV 2019 (arXiv 1905.02244), Table {1 if size == 'large' else 2}",
    },
    r"mnasnet_(a1|b1)_(\d\.\d{1,9})_(\d{1,9})": lambda layout, width, resolution: {
        "family": "mnasnet",
        "layout": layout,
        "width": float(width),
        "resolution": int(resolution),
        "source": "Tan et al., CVPR 2019 (arXiv 1807.11626), Fig. 7; B1, the first convolution and the last 1x1 "
        "as in the authors' code",
    },
    r"efficientnet_(b|lite)([0-4])": lambda kind, number: {
        "family": "efficientnet",
        **dict(zip(("width", "depth"), EFFICIENTNETS[int(number)], strict=True)),
        "resolution": EFFICIENTNET_RESOLUTIONS[kind][int(number)],
        "lite": kind == "lite",
        "source": "Tan and Le, ICML 2019 (arXiv 1905.11946), Table 1; scaling and Lite as in the authors' code",
    },
    r"ghostnet_(\d\.\d{1,9})x": lambda width: {
        "family": "ghostnet",
        "width": float(width),
        "source": "Han et al., CVPR 2020 (arXiv 1911.11907), Table 1",
    },
    r"repvgg_(a0|a1|a2|b0|b1|b2|b3)(?:g(2|4))?": lambda size, groups: {
        "family": "repvgg",
        "depth": size[0],
        "widths": list(REPVGG_WIDTHS[size]),
        "groups": int(groups or 1),
        "source": "Ding et al., CVPR 2021 (arXiv 2101.03697), Table 2",
    },
    r"mobileone_s([0-4])": lambda size: {
        "family": "mobileone",
        "widths": list(MOBILEONE_WIDTHS[int(size)]),
        "se": size == "4",
        "source": "Vasu et al., CVPR 2023 (arXiv 2206.04040), Table 3",
    },
    r"mobilevit_(xxs|xs|s)": lambda size: {
        "family": "mobilevit",
        "size": size,
        "source": "Mehta and Rastegari, ICLR 2022 (arXiv 2110.02178), Table 4",
    },
    r"vit_(tiny|small|base)_(\d{1,3})_(\d{1,9})": lambda size, patch, resolution: {
        "family": "vit",
        "embedding": VIT_WIDTHS[size],
        "heads": VIT_WIDTHS[size] // 64,
        "patch": int(patch),
        "resolution": int(resolution),
        "source": "Dosovitskiy et al., ICLR 2021 (arXiv 2010.11929); sizes: Touvron et al., arXiv 2012.12877, Table 1",
    },
    r"shufflenet_v2_(\d\.\d{1,9})x": lambda width: {
        "family": "shufflenet_v2",
        "width": float(width),
        "source": "Ma et al., ECCV 2018 (arXiv 1807.11164), Table 5; 2x as in the authors' code",
    },
    r"squeezenet_v1\.1": lambda: {
        "family": "squeezenet",
        "version": "1.1",
        "source": "Iandola et al., arXiv 1602.07360; version 1.1 of the authors' Caffe files",
    },
    r"squeezenet_v1\.0(?:_(simple|complex)_bypass)?": lambda bypass: {
        "family": "squeezenet",
        "bypass": bypass or "none",
        "source": _SQUEEZENET,
    },
    r"squeezenet_v1\.0_pruned_6bit": lambda: {
        "family": "squeezenet",
        "quantize": {"weight_bits": 6},
        "prune": {"layers": dict(SQUEEZENET_DENSITIES), "format": "relative_index", "index_bits": 4},
        "source": f"{_SQUEEZENET}, its last columns; 30 % left in fire8's 3x3, as its count says, not the printed 33 %",
    },
    r"shufflenet_(\d\.\d{1,9})x_g([12348])(_noshuffle)?(_se)?": lambda width, groups, plain, se: {
        "family": "shufflenet_v1",
        "width": float(width),
        "groups": int(groups),
        "shuffle": plain is None,
        "se": se is not None,
        **({"channels": 144} if (float(width), groups) == (0.5, "4") else {}),
        "source": _SHUFFLENET,
    },
    r"shufflenet_(0\.5)x_shallow_g(3)": lambda width, groups: {
        "family": "shufflenet_v1",
        "width": float(width),
        "groups": int(groups),
        "shallow": True,
        "channels": 180,
        "stem": 12,
        "source": f"{_SHUFFLENET}; section 4.5: half of the units; channels derived from its 40 MFLOPs",
    },
    r"cmp_xceptionlike_(140|38|13)": lambda budget: {
        "family": "shufflenet_v1",
        "width": {"140": 1.0, "38": 0.5, "13": 0.25}[budget],
        "groups": 1,
        "source": f"{_COMPARATOR}: ShuffleNet with one group",
    },
    r"nasbench201_([0-4]{6})": lambda cell: {
        "family": "nasbench201",
        "cell": cell,
        "source": "Dong and Yang, ICLR 2020 (arXiv 2001.00326), section 2.1",
    },
    r"cmp_(vgglike|resnet|resnext)_(140|38|13)": lambda structure, budget: {
        "family": "shufflenet_comparator",
        "structure": structure,
        **COMPARATORS[structure, budget],
        "source": f"{_COMPARATOR}{_COMPARATOR_NOTE[budget]}",
    },
}


def variant(name: str) -> Parameters | None:
    """The parameters that a variant name stands for, or None where it is none."""
    for pattern, parameters in PATTERNS.items():
        match = re.fullmatch(pattern, name)
        if match:
            return {"name": name, **parameters(*match.groups())}
    return None


def _names() -> Iterator[str]:
    yield from ("alexnet_ungrouped", "alexnet_grouped", "alexnet_owt", "vgg13", "vgg16", "vgg19")
    yield from ("resnet18", "resnet34_A", "resnet34_B", "resnet34_C", "resnet50_v1", "resnet50_v1.5")
    yield from ("resnet101_v1", "resnet152_v1", "resnext50_32x4d")
    yield from ("densenet121", "densenet161", "densenet169", "densenet201", "googlenet")
    for width, resolution in product(("1.00", "0.75", "0.50", "0.25"), (224, 192, 160, 128)):
        yield f"mobilenet_v1_{width}_{resolution}"
    yield from ("mobilenet_v1_shallow_1.00_224", "conv_mobilenet_1.00_224")
    yield from ("squeezenet_v1.0", "squeezenet_v1.0_simple_bypass", "squeezenet_v1.0_complex_bypass")
    yield from ("squeezenet_v1.0_pruned_6bit", "squeezenet_v1.1")
    for width, groups in SHUFFLENETS:
        yield f"shufflenet_{width}x_g{groups}"
        if groups > 1:
            yield f"shufflenet_{width}x_g{groups}_noshuffle"
    yield from ("shufflenet_2.0x_g3_se", "shufflenet_0.5x_shallow_g3")
    for structure, budget in product(("vgglike", "resnet", "resnext", "xceptionlike"), (140, 38, 13)):
        yield f"cmp_{structure}_{budget}"
    yield from _names_after_the_lecture()


def _names_after_the_lecture() -> Iterator[str]:
    yield from (f"mobilenet_v2_{width}_224" for width in ("1.40", "1.00", "0.75", "0.50", "0.35"))
    yield from (f"mobilenet_v2_1.00_{resolution}" for resolution in (192, 160, 128, 96))
    for size in ("large", "small"):
        yield from (f"mobilenet_v3_{size}_{width}_224" for width in ("1.00", "0.75"))
        yield f"mobilenet_v3_{size}_minimalistic_1.00_224"
    yield from (f"shufflenet_v2_{width}x" for width in ("0.5", "1.0", "1.5", "2.0"))
    yield from ("mnasnet_a1_1.00_224", "mnasnet_b1_1.00_224")
    yield from (f"efficientnet_{kind}{number}" for kind, number in product(("b", "lite"), range(5)))
    yield from (f"ghostnet_{width}x" for width in ("0.5", "1.0", "1.3"))
    yield from (f"mobileone_s{size}" for size in range(5))
    yield from (f"repvgg_{size}" for size in ("a0", "a1", "a2", "b0", "b1", "b1g2", "b1g4"))
    yield from (f"mobilevit_{size}" for size in ("xxs", "xs", "s"))
    yield "nasbench201_333333"
    yield from ("vit_tiny_16_224", "vit_small_16_224")


SHUFFLENETS = (
    *product(("1.0",), (1, 2, 3, 4, 8)),
    *product(("0.5",), (1, 3, 4, 8)),
    *product(("0.25",), (1, 3, 8)),
    *product(("1.5",), (1, 3)),
    *product(("2.0",), (1, 2, 3, 4, 8)),
)
"""Widths and groups for which bottlenecks divide by the groups."""

NAMES: tuple[str, ...] = tuple(_names())
