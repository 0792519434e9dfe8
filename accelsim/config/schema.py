"""Base of the configuration models, and the mistakes in the user's words that pydantic's errors become."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from accelsim.config.strict_yaml import Document, KeyPath, kind_of
from accelsim.errors import MAX_MISTAKES, UserError, nearest, shorten, suggestion

TAG_KEYS = ("op", "kind")
"""Keys whose value says which member of a union a mapping is."""

Positive = Annotated[int, Field(gt=0, le=1 << 40)]
Count = Annotated[int, Field(ge=0, le=1 << 40)]
PositiveNumber = Annotated[float, Field(ge=1e-6, le=1e15, allow_inf_nan=False)]
NonNegativeNumber = Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)]
Bits = Annotated[int, Field(ge=1, le=32)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$", max_length=100)]


class Section(BaseModel):
    """A mapping of the configuration: unknown keys and wrong types are refused, nothing changes afterwards."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", defer_build=True)


Model = TypeVar("Model", bound=Section)


def validate(model: type[Model], document: Document) -> Model:
    """The document as a model.

    Raises UserError with a mistake for every wrong key and value, `MAX_MISTAKES` at most, and those that the document
    came with.
    """
    mistakes = document.mistakes
    try:
        result = model.model_validate(document.data)
    except ValidationError as error:
        found = error.errors(include_url=False)[:MAX_MISTAKES]
        details = [(_path(detail, document.data), detail) for detail in found]
        misspelt = {(*path[:-1], _meant(detail, model)) for path, detail in details}
        for path, detail in details:
            if not document.is_refused(path) and not (detail["type"] == "missing" and path in misspelt):
                mistakes.append(document.mistake(path, *_words(detail, model)))
        raise UserError(mistakes) from None
    if mistakes:
        raise UserError(mistakes)
    return result


def derived(model: type[Model], data: dict[str, Any], document: Document, keys: Sequence[str]) -> Model:
    """A model of rows that were worked out from the document.

    Raises UserError where they can't be, at the first of the keys that the document has.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        path = _path(detail, data)
        row = data["layers"][path[1]]["name"] if path[0] == "layers" else path[0]
        expected, got = _words(detail, model)
        key = next((key for key in keys if key in document.data), "family")
        raise UserError(
            [document.mistake((key,), f"a network whose {row} has {path[-1]} of {expected}", got)]
        ) from None


def _path(detail: Any, data: Any) -> KeyPath:
    """The place in the document of an error of pydantic: its location without union tags, a missing key at the end."""
    path: list[str | int] = []
    for part in detail["loc"]:
        if (isinstance(data, dict) and part in data) or (isinstance(data, list) and isinstance(part, int)):
            path.append(part)
            data = data[part]
    if detail["type"] == "missing":
        path.append(detail["loc"][-1])
    if detail["type"].startswith("union_tag_"):
        path.append(_tag_key(detail))
    return tuple(path)


def _meant(detail: Any, model: type[Section]) -> str | None:
    """The key that was probably meant by an unknown one."""
    if detail["type"] != "extra_forbidden":
        return None
    return nearest(str(detail["loc"][-1]), _keys_beside(model, detail["loc"]))


def _tag_key(detail: Any) -> str:
    return str(detail["ctx"]["discriminator"]).strip("'")


def _words(detail: Any, model: type[Section]) -> tuple[str, str]:
    context = detail.get("ctx", {})
    got = kind_of(detail.get("input"))
    match detail["type"]:
        case "model_type" | "model_attributes_type":
            first = next(iter(_sections_around(model, (*detail["loc"], ""))[0].model_fields))
            return f"a mapping such as {{{first}: ...}}", got
        case "extra_forbidden":
            meant = _meant(detail, model)
            return f"a known key (did you mean {meant}?)" if meant else "a known key", shorten(str(detail["loc"][-1]))
        case "missing" | "union_tag_not_found":
            return "a value", "nothing"
        case "union_tag_invalid":
            known = context["expected_tags"].replace("'", "")
            got = kind_of(detail["input"][_tag_key(detail)])
            return f"one of {known}{suggestion(context['tag'], known.split(', '))}", got
        case "literal_error" | "enum":
            return str(context["expected"]), got
        case "greater_than" | "greater_than_equal" | "less_than" | "less_than_equal":
            ((relation, bound),) = ((words, context[key]) for key, words in _RELATIONS.items() if key in context)
            return f"{relation} {bound:g}" if isinstance(bound, float) else f"{relation} {bound}", got
        case "too_short":
            return f"{context['min_length']} or more values", str(context["actual_length"])
        case "too_long":
            return f"{context['max_length']} or fewer values", str(context["actual_length"])
        case "string_pattern_mismatch":
            return "a name of letters, digits and . _ + -", got
        case "value_error":
            expected, _, said = str(context["error"]).partition(", got ")
            return expected, said or got
        case _:
            return _TYPES.get(detail["type"], detail["msg"]), got


_RELATIONS = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most"}
_TYPES = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text",
    "dict_type": "a mapping",
    "invalid_key": "a key that is text",
    "list_type": "a list",
    "tuple_type": "a list",
    "string_too_short": "some text",
    "string_too_long": "a shorter text",
}


def has_key(model: type[Section], key: str) -> bool:
    """True where a dotted key exists in a model; rows of a list have numbers."""
    path = [int(part) if part.isdigit() else part for part in key.split(".")]
    while len(path) > 1 and isinstance(path[-1], int):
        path.pop()
    return path[-1] in _keys_beside(model, path)


def _keys_beside(model: type[Section], loc: Sequence[str | int]) -> set[str]:
    """The keys of the mapping that has, or should not have, the last key of a pydantic location."""
    return {key for section in _sections_around(model, loc) for key in section.model_fields}


def _sections_around(model: type[Section], loc: Sequence[str | int]) -> list[type[Section]]:
    """The models of that mapping."""
    sections = [model]
    for part in loc[:-1]:
        for section in sections:
            section.model_rebuild()
        if isinstance(part, str):
            sections = _tagged(sections, part) or [
                found
                for section in sections
                if part in section.model_fields
                for found in sections_in(section.model_fields[part].annotation)
            ]
    return sections


def _tagged(sections: Sequence[type[Section]], tag: str) -> list[type[Section]]:
    """Members of a union that have this tag."""
    return [
        section
        for section in sections
        for key in TAG_KEYS
        if key in section.model_fields and tag in get_args(section.model_fields[key].annotation)
    ]


def sections_in(annotation: Any) -> list[type[Section]]:
    """The models that an annotation is made of."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    return [found for part in get_args(annotation) for found in sections_in(part)]
