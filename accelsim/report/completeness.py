"""Parts of an imported model that could not be modelled, which a run leaves out of all its figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

MULTIPLY = frozenset(
    {
        *("Conv", "ConvInteger", "ConvTranspose", "DeformConv", "Einsum", "Gemm", "MatMul", "MatMulInteger"),
        *(
            "QLinearConv",
            "QLinearMatMul",
            "LSTM",
            "GRU",
            "RNN",
            "Attention",
            "MultiHeadAttention",
            "Loop",
            "If",
            "Scan",
        ),
        *("CONV_2D", "DEPTHWISE_CONV_2D", "CONV_3D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "BATCH_MATMUL"),
        *("UNIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN"),
    }
)
"""Operators of ONNX and TFLite that multiply and accumulate, or may hold some that do."""


INCOMPLETE = "INCOMPLETE"
"""Mark of everything that is derived from a part of a model only."""


class LeftOut(NamedTuple):
    """Nodes that are left out. share: of all nodes; macs_share: of the MACs, None where it is not known; by_kind: their
    number by operator."""

    nodes: int
    share: float
    macs_share: float | None
    by_kind: dict[str, int]

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.by_kind.items())
        macs = "none of their MACs is known" if self.macs_share is None else f"{self.macs_share:.1%} of the MACs"
        return f"{self.nodes} nodes of the model ({self.share:.1%}), {macs}, are in no figure: {kinds}"


def left_out(unmodelled: Sequence[str], layers: int) -> LeftOut | None:
    """Nodes that a network of a number of layers lacks; None where it lacks none."""
    if not unmodelled:
        return None
    kinds = Counter(each.split()[0] for each in unmodelled)
    share = len(unmodelled) / (len(unmodelled) + layers)
    is_known = MULTIPLY.isdisjoint(kinds)
    return LeftOut(len(unmodelled), share, 0.0 if is_known else None, dict(kinds.most_common()))


def incomplete(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """A line for each network of some runs, by column, that lacks parts of its model."""
    lacking = {row["network"]: row["unmodelled"] for row in rows if row.get("unmodelled")}
    return [f"{INCOMPLETE}: {count} nodes of {name} are in no figure" for name, count in lacking.items()]
