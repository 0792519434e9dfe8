"""Resolved configurations as plain data, as text and as a hash: equal ones have equal text."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import BaseModel


def as_config(part: BaseModel) -> dict[str, Any]:
    """A resolved network or machine as plain data."""
    return part.model_dump(mode="json", exclude_none=True)


def canonical(config: dict[str, Any]) -> str:
    """A configuration as JSON, the one text that equal ones have."""
    return json.dumps(config, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def sha256(text: str) -> str:
    """The digest of a text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def config_hash(config: dict[str, Any]) -> str:
    """SHA-256 of a resolved configuration."""
    return sha256(canonical(config))
