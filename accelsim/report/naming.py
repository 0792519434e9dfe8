"""Short names of machines of a sweep, by the settings that tell them apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accelsim.report.quantities import bytes_text

SHAPE = ("array.rows", "array.cols")
"""Keys that are one setting where both vary: 16x32."""


def shape_text(rows: object, cols: object) -> str:
    """An array as rows x columns."""
    return f"{rows}x{cols}"


def in_shapes(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, rows and columns of the array as one where both are there."""
    if not all(key in settings for key in SHAPE):
        return dict(settings)
    shaped: dict[str, Any] = {}
    for key, value in settings.items():
        if key == SHAPE[0]:
            shaped["array"] = shape_text(value, settings[SHAPE[1]])
        elif key != SHAPE[1]:
            shaped[key] = value
    return shaped


def short_name(settings: Mapping[str, Any]) -> str:
    """A name such as `16x32 ws activation 256 KiB`, in the order of the settings."""
    return " ".join(_short(key, value) for key, value in in_shapes(settings).items())


def _short(key: str, value: Any) -> str:
    parts = key.split(".")
    if key in ("array", "array.dataflow", "dram.device", "energy.table"):
        return str(value)
    if parts[-1] in ("capacity_bytes", "capacity"):
        return f"{parts[-2]} {bytes_text(value) if isinstance(value, int) else value}"
    return f"{parts[-1]}={value}"
