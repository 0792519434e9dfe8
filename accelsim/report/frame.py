"""Rows as a pandas frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas

    Frame = pandas.DataFrame


def frame(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> Frame:
    """A row for each, with these columns."""
    import pandas as pd

    return pd.DataFrame(list(rows), columns=list(columns))
