"""Layers that run depth-first together, and their totals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from accelsim.records import LayerRecord, combined

GROUP_OP = "group"
"""Kind of operation of layers that run depth-first together."""


def grouped(records: Sequence[LayerRecord]) -> list[list[LayerRecord]]:
    """Neighbours of one group together, every other layer by itself."""
    keyed = groupby(enumerate(records), lambda each: each[1].group or each[0])
    return [[record for _, record in members] for _, members in keyed]


def group_total(group: Sequence[LayerRecord]) -> LayerRecord:
    """The layers of a group together; the longest of their latencies stands for that of all."""
    latency = max(record.latency_cycles for record in group)
    return replace(combined(group, group[0].group, latency), op=GROUP_OP, group=group[0].group)


def group_totals(records: Sequence[LayerRecord]) -> list[LayerRecord]:
    """The totals of each group."""
    return [group_total(group) for group in grouped(records) if group[0].group]
