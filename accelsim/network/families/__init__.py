"""Network families: parameters in, rows of a workload file out.

A family is a function in a file of its own and a line in `ROWS`; its parameters are a model in
`accelsim.config.families`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from accelsim.config.schema import derived
from accelsim.config.strict_yaml import Document
from accelsim.config.workload import NetworkFile, Workload
from accelsim.network.families.alexnet import alexnet_rows
from accelsim.network.families.comparators import comparator_rows
from accelsim.network.families.densenet import densenet_rows
from accelsim.network.families.efficientnet import efficientnet_rows, mnasnet_rows
from accelsim.network.families.ghostnet import ghostnet_rows
from accelsim.network.families.googlenet import googlenet_rows
from accelsim.network.families.mobilenet import mobilenet_rows, mobilenet_v2_rows, mobilenet_v3_rows
from accelsim.network.families.nasbench import nasbench_rows
from accelsim.network.families.reparameterized import mobileone_rows, repvgg_rows
from accelsim.network.families.resnet import resnet_rows
from accelsim.network.families.rows import RowData
from accelsim.network.families.shufflenet import shufflenet_rows, shufflenet_v2_rows
from accelsim.network.families.squeezenet import squeezenet_rows
from accelsim.network.families.transformers import mobilevit_rows, vit_rows
from accelsim.network.families.vgg import vgg_rows

ROWS: dict[str, Callable[[Any], list[RowData]]] = {
    "alexnet": alexnet_rows,
    "vgg": vgg_rows,
    "resnet": resnet_rows,
    "densenet": densenet_rows,
    "googlenet": googlenet_rows,
    "mobilenet_v1": mobilenet_rows,
    "mobilenet_v2": mobilenet_v2_rows,
    "mobilenet_v3": mobilenet_v3_rows,
    "mnasnet": mnasnet_rows,
    "efficientnet": efficientnet_rows,
    "squeezenet": squeezenet_rows,
    "shufflenet_v1": shufflenet_rows,
    "shufflenet_v2": shufflenet_v2_rows,
    "shufflenet_comparator": comparator_rows,
    "ghostnet": ghostnet_rows,
    "repvgg": repvgg_rows,
    "mobileone": mobileone_rows,
    "mobilevit": mobilevit_rows,
    "vit": vit_rows,
    "nasbench201": nasbench_rows,
}


SIZES = (
    "width", "widths", "cardinality", "group_width", "groups", "channels", "stem", "compression", "s1x1", "e1x1",
    "e3x3", "patch", "embedding", "heads", "depth",
)  # fmt: skip
"""Parameters that say how large layers are, and last how many there are."""


def expand(network: NetworkFile, document: Document) -> Workload:
    """A network as rows: as they are, or those of its family. The ways to shrink it are not applied.

    Raises UserError, at the document's own keys, where parameters give rows that no network has.
    """
    if isinstance(network, Workload):
        return network
    parameters: Any = network
    size = parameters.resolution
    return derived(
        Workload,
        {
            "name": network.name,
            "source": network.source,
            "batch": network.batch,
            "expect": network.expect,
            "input": {"height": size, "width": size, "channels": 3},
            "layers": ROWS[parameters.family](parameters),
        },
        document,
        SIZES,
    )
