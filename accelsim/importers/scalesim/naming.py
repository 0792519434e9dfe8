"""Names of ours for those of SCALE-Sim's files."""

from __future__ import annotations

import re


def identifier(text: str) -> str:
    """A name of ours like this one."""
    return re.sub(r"[^A-Za-z0-9_.+-]+", "_", text).strip("_.+-")[:90] or "unnamed"
