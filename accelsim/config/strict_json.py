"""Strict JSON, for files that we write and read back: plain keys, each once; text of YAML files; finite numbers."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from accelsim.config.strict_yaml import Document, Origin, kind_of, odd_character
from accelsim.errors import Mistake, UserError, shorten

_KEY = re.compile(r"[A-Za-z0-9_.+-]{1,1000}")


def parse_json(raw: bytes, shown_as: str) -> Document:
    """Parse JSON that has an object at its top. Raises UserError."""
    try:
        data = json.loads(raw.decode("utf-8"), object_pairs_hook=_object, parse_constant=_refuse_constant)
    except UnicodeError:
        raise UserError([Mistake(shown_as, 0, "file", "UTF-8 text", "other bytes")]) from None
    except json.JSONDecodeError as error:
        raise UserError([Mistake(shown_as, error.lineno, "file", "JSON", f"an error ({error.msg})")]) from None
    except (ValueError, RecursionError) as error:
        found = "values too deep in one another" if isinstance(error, RecursionError) else str(error)
        raise UserError([Mistake(shown_as, 0, "file", "JSON of plain keys and numbers", found)]) from None
    if not isinstance(data, dict):
        raise UserError([Mistake(shown_as, 1, "file", "an object", kind_of(data))])
    return Document(data, {(): Origin(shown_as, 0)})


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        raise ValueError("a key twice")
    odd = next((key for key in data if not _KEY.fullmatch(key)), None)
    if odd is not None:
        raise ValueError(f"the key {shorten(odd)}")
    for value in data.values():
        _refuse_odd_text(value)
    return data


def _refuse_odd_text(value: Any) -> None:
    for text in value if isinstance(value, list) else [value]:
        if isinstance(text, str) and (odd := odd_character(text)):
            raise ValueError(f"text with {odd}")


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"the number {text}")
