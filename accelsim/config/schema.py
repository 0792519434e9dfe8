"""How configuration models are written, and how what pydantic finds wrong becomes mistakes in the user's words."""

from __future__ import annotations

import difflib
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from accelsim.config.strict_yaml import Document, KeyPath, kind_of
from accelsim.errors import Mistake, UserError

Positive = Annotated[int, Field(gt=0, le=1 << 40)]
Count = Annotated[int, Field(ge=0, le=1 << 40)]
PositiveNumber = Annotated[float, Field(gt=0, le=1e15, allow_inf_nan=False)]
NonNegativeNumber = Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)]
Bits = Annotated[int, Field(ge=1, le=32)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$", max_length=100)]


class Section(BaseModel):
    """A mapping of the configuration: unknown keys and wrong types are refused, nothing changes afterwards."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


Model = TypeVar("Model", bound=Section)


def validate(model: type[Model], document: Document, root: KeyPath = ()) -> Model:
    """The document as a model.

    root: where the keys of the document hang in the tree that users see (`--set dram.kind=...`).
    Raises UserError with a mistake for every wrong key and value.
    """
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        mistakes = [_mistake(detail, document, model, root) for detail in error.errors(include_url=False)]
        raise UserError(mistakes) from None


def _mistake(detail: Any, document: Document, model: type[Section], root: KeyPath) -> Mistake:
    path = _without_tags(detail["loc"], document.data)
    expected, got = _words(detail, model, path)
    mistake = document.mistake(path, expected, got)
    key = ".".join(str(part) for part in (*root, *path)) or "file"
    return Mistake(mistake.file, mistake.line, key, expected, got)


def _without_tags(loc: KeyPath, data: Any) -> KeyPath:
    """The location without the union tags that pydantic puts in it: only what the document has, plus a last key."""
    path: list[str | int] = []
    for position, part in enumerate(loc):
        here = data[part] if isinstance(data, dict) and part in data else None
        if isinstance(data, list) and isinstance(part, int) and part < len(data):
            here = data[part]
        if here is None and position < len(loc) - 1 and not (isinstance(data, dict) and part in data):
            continue
        path.append(part)
        data = here
    return tuple(path)


def _words(detail: Any, model: type[Section], path: KeyPath) -> tuple[str, str]:
    context = detail.get("ctx", {})
    got = kind_of(detail.get("input"))
    match detail["type"]:
        case "extra_forbidden":
            return f"a known key{_suggestion(str(path[-1]), known_keys(model))}", f"{str(path[-1])!r}"
        case "missing":
            return "a value", "nothing"
        case "union_tag_not_found":
            return f"a key {context['discriminator']}", "none"
        case "union_tag_invalid":
            return f"one of {context['expected_tags']} for {context['discriminator']}", repr(context["tag"])
        case "literal_error" | "enum":
            return str(context["expected"]), got
        case "greater_than" | "greater_than_equal" | "less_than" | "less_than_equal":
            (bound,) = (value for key, value in context.items() if key in ("gt", "ge", "lt", "le"))
            words = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most"}
            (relation,) = (words[key] for key in context if key in words)
            return f"{relation} {bound}", got
        case "string_pattern_mismatch":
            return "a name of letters, digits and . _ + -", got
        case "value_error":
            expected, _, said = str(context["error"]).partition(", got ")
            return expected, said or got
        case _:
            return _TYPES.get(detail["type"], detail["msg"]), got


_TYPES = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "list_type": "a list",
    "tuple_type": "a list",
    "string_too_short": "some text",
    "string_too_long": "a shorter text",
    "too_short": "a longer list",
    "too_long": "a shorter list",
}


def known_keys(model: type[BaseModel]) -> set[str]:
    """All key names below a model, for suggestions."""
    keys: set[str] = set()
    for name, field in model.model_fields.items():
        keys.add(name)
        for part in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(part, type) and issubclass(part, BaseModel):
                keys |= known_keys(part)
    return keys


def _suggestion(word: str, known: set[str]) -> str:
    close = difflib.get_close_matches(word, sorted(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""
