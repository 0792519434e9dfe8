"""Pages of the documentation that are computed: `python -m tests.pages` writes them anew.

`tests/test_pages.py` holds each to what is computed, so they cannot go stale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from accelsim.config.kinds import KINDS
from accelsim.report import compare
from accelsim.report.columns import COLUMNS, TOTALS
from tests import fidelity, layouts, lecture, validation
from tests.tables import lines

FOLDER = Path(__file__).resolve().parent.parent / "docs"
Schema = dict[str, Any]

_ABOUT_KEYS = """# Keys

Every key that a file may have, from the schemas that files are read with. `accelsim schema KIND` prints such a schema
as JSON Schema, for an editor that completes and checks YAML: save it beside your files, and begin them with

    # yaml-language-server: $schema=machine.schema.json

A key below another is set with a dot between them, those of networks behind `network.`: `--set array.rows=16`. Keys of
`scheduling` are the compiler's ([mapping](mapping.md)), all others of a machine the chip's.

A machine that extends none needs the rows, columns, dataflow and clock of its array, the capacities of its activation
and weight buffers, `dram` and `energy`; what else it leaves out has a default or follows the array
([machine files](machines.md)).
"""
GROUPS = {
    "Keys of a network": ("network",),
    "Keys of a chip": ("machine", "dram", "energy"),
    "Keys of a compiler": ("mapping",),
    "Keys of a sweep": ("sweep",),
}
"""Kinds of files by what they describe."""
_ABOUT_COLUMNS = """# Columns

What result columns mean, as `accelsim columns` prints it. Layers have those of the first table, in `layers.csv`,
`--json` and frames; whole runs have all that are not marked *layers*, and those of the second.
"""


def keys() -> str:
    """docs/keys.md."""
    parts = [_ABOUT_KEYS]
    for group, kinds in GROUPS.items():
        parts.append(f"## {group}\n")
        for kind in kinds:
            parts += _keys_of(kind)
    return "\n".join(parts)


def _keys_of(kind: str) -> Iterator[str]:
    """A kind of file and its sections, without those that have files of their own."""
    schema = KINDS[kind].json_schema()
    yield f"### {kind.capitalize()} files\n"
    if "properties" in schema:
        yield _section(schema)
    for name, section in schema.get("$defs", {}).items():
        if "properties" in section and (kind != "machine" or name not in _elsewhere()):
            yield f"#### {name}\n\n{_section(section)}"


def _elsewhere() -> set[str]:
    """Sections of a machine that have files, and so tables, of their own."""
    kinds = ("dram", "energy", "mapping")
    return {name for kind in kinds for name in KINDS[kind].json_schema()["$defs"]} | {"EnergyTable"}


def _section(schema: Schema) -> str:
    """What a section is, and its keys."""
    required = schema.get("required", [])
    rows = [
        (f"`{key}`", _type(each), "" if key in required else _default(each), each.get("description", ""))
        for key, each in schema["properties"].items()
    ]
    about = " ".join(schema.get("description", "").split())
    return f"{about}\n\n{_table(('key', 'value', 'default', 'meaning'), rows)}"


def _type(schema: Schema) -> str:
    """What values a key may have, in words."""
    if "$ref" in schema:
        return schema["$ref"].rpartition("/")[2]
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return " or ".join(dict.fromkeys(_type(each) for each in schema[union] if each.get("type") != "null"))
    match schema.get("type"):
        case "array":
            return f"list of {_type(schema['items'])}" if schema.get("items") else "list"
        case "object" if "additionalProperties" in schema and schema["additionalProperties"] is not True:
            return f"by name: {_type(schema['additionalProperties'])}"
        case "object":
            return " or ".join(f"`{key}: NAME`" for key in schema.get("required", [])) or "mapping"
        case "integer" | "number" as kind:
            return f"{'whole number' if kind == 'integer' else 'number'}{_limits(schema)}"
        case "boolean":
            return "`true` or `false`"
        case "string":
            return "text"
        case _:
            return "any"


def _limits(schema: Schema) -> str:
    """The least and the most of a number."""
    words = [f"from {schema['minimum']:g}" if "minimum" in schema else ""]
    words.append(f"above {schema['exclusiveMinimum']:g}" if "exclusiveMinimum" in schema else "")
    words.append(f"to {schema['maximum']:,}" if "maximum" in schema else "")
    text = " ".join(filter(None, words))
    return f" {text}" if text else ""


def _default(schema: Schema) -> str:
    value = schema.get("default")
    if value is None or value == "" or isinstance(value, dict):
        return "-"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def columns() -> str:
    """docs/columns.md."""
    layers = [
        (f"`{column.name}`", column.unit, column.meaning + (" *(layers)*" if column.of_layers_only else ""))
        for column in COLUMNS
    ]
    totals = [(f"`{name}`", unit, meaning) for name, unit, meaning in TOTALS]
    known = {column.name for column in COLUMNS} | {name for name, _, _ in TOTALS}
    others = [(f"`{each.name}`", each.unit, each.meaning) for each in compare.COLUMNS if each.name not in known]
    header = ("column", "unit", "meaning")
    return "\n".join(
        (
            _ABOUT_COLUMNS,
            _table(header, layers),
            "## Of a whole run\n",
            _table(header, totals),
            "## Of `accelsim compare`\n",
            _table(header, others),
        )
    )


_ABOUT_OPERATORS = f"""# Operators of ONNX by layout

Each operator of ONNX {layouts.OPSET}, tried on one map of each layout: `yes` where it is modelled, with the shape that
ONNX infers; the dimensions or forms alone that are, counted from that of the images, where not all are; `-` where ONNX
has no such operator. Maps whose channels are last stand behind a `Transpose` where an operator wants them second. The
rows that they become are in [ONNX and PyTorch](onnx.md#what-is-modelled).
"""


def operators() -> str:
    """docs/operators.md."""
    shapes = [f"{name} {list(shape)}" for name, shape in layouts.LAYOUTS.items()]
    return f"{_ABOUT_OPERATORS}\n{_table(('operators', *shapes), layouts.rows())}"


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    return "\n".join(lines(tuple(header), rows)) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "keys.md": keys,
    "columns.md": columns,
    "validation.md": validation.page,
    "lecture.md": lecture.page,
    "operators.md": operators,
    "fidelity.md": fidelity.page,
    "fidelity.svg": fidelity.picture,
}
"""The text of each computed page."""


if __name__ == "__main__":
    for name, text in PAGES.items():
        (FOLDER / name).write_text(text(), encoding="utf-8")
