"""docs/keys.md: the keys of each kind of file, in the order in which one writes them, from the schemas."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from accelsim.config.derived import DERIVED
from accelsim.config.dram import TIMINGS
from accelsim.config.families import FAMILIES
from accelsim.config.kinds import KINDS
from accelsim.config.machine import Machine
from accelsim.config.workload import NetworkFile, Row
from tests.tables import lines

Schema = dict[str, Any]

ABOUT = """# Keys

Every key that a file may have, from the schemas that files are read with. A key below another is set with a dot between
them: `--set array.rows=16`. Keys of a network stand behind `network.`, those of the compiler behind `scheduling.`.

| file | says | example |
|---|---|---|
| [machine](#machine-file) | the chip, and what it is made of | `accelsim show edge` |
| [network](#network-file) | the layers | `accelsim show shufflenet_g3` |
| [mapping](#mapping-file) | what the compiler may do, or a plan | [chip and compiler](mapping.md) |
| [sweep](#sweep-file) | networks, machines and the keys that vary | [sweeps](sweeps.md) |
| [energy table](#energy-table) | the price of each action | `accelsim show cacti_22nm` |
| [DRAM device](#dram-device) | banks, rows, timings | `accelsim show lpddr4-3200` |
| [area table](#area-table) | the size of each part | [extend](extend.md) |

`accelsim schema KIND` prints a schema as JSON Schema, for an editor that completes and checks YAML. Save it beside your
files, and begin them with

    # yaml-language-server: $schema=machine.schema.json

A value may have a unit: `clock_mhz: 1 GHz`, and the key may leave its own out then: `clock: 1 GHz`
([machine files](machines.md#units)).
"""
TITLES = {
    "machine": "Machine file",
    "network": "Network file",
    "mapping": "Mapping file",
    "sweep": "Sweep file",
    "energy": "Energy table",
    "dram": "DRAM device",
    "area": "Area table",
    "accuracy": "Accuracies",
}
"""Kinds of files, in the order of the page."""
BEFORE = {
    "machine": "A machine that [extends](machines.md#from-another-one) another leaves out what it takes from there.\n",
    "network": "A network is a list of rows, or a family and its parameters.\n",
    "mapping": "`accelsim show NETWORK MACHINE --mapping` prints the plan of a run as such a file.\n",
}
ELSEWHERE = {
    "IdealDevice": "[DRAM device](#dram-device)",
    "CommandDevice": "[DRAM device](#dram-device)",
    "EnergyTable": "[energy table](#energy-table)",
    "AreaTable": "[area table](#area-table)",
    "Scheduling": "[section](#scheduling)",
}
"""Sections of a machine that have files of their own."""
UNITS = {
    "bytes_per_cycle": "bytes a cycle",
    "bytes_per_clock": "bytes a cycle",
    "_per_clock": "a cycle",
    "_mw_per_kib": "mW",
    "_mw_per_mm2": "mW",
    "_bytes": "bytes",
    "_mhz": "MHz",
    "_pct": "%",
    "_pj": "pJ",
    "_mw": "mW",
    "_um2": "um2",
    "_mm2": "mm2",
    "_nm": "nm",
    "_v": "V",
    "_cycles": "cycles",
    "_clocks": "cycles",
    "_latency": "cycles",
    "_bits": "bits",
    "resolution": "pixels",
}
"""Units by the end of a key."""
SIZES = {40: "TiB", 30: "GiB", 20: "MiB", 10: "KiB"}
LEFT_OUT = {
    **{".".join(each.path): each.formula for each in DERIVED},
    "name": "the file's name",
    "vector": "the section's defaults",
    "sram.accumulator": "the section's defaults",
}
"""Defaults of a machine's keys that the schema does not have."""


def page() -> str:
    """The whole page."""
    parts = [ABOUT]
    for kind, title in TITLES.items():
        parts += [f"## {title}\n", BEFORE.get(kind, "")]
        parts += _network() if kind == "network" else File(kind).parts()
        if kind == "dram":
            parts.append(f"### Timings\n\nEach as `NAME_ns` or `NAME_nck` (DRAM clocks).\n\n{_timings()}")
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts))


def _timings() -> str:
    return _table(("timing", "meaning"), [(f"`{name}`", meaning) for name, meaning in TIMINGS.items()])


class File:
    """A kind of file, with the heading of each of its sections."""

    def __init__(self, kind: str, schema: Schema | None = None) -> None:
        self.kind, self.schema = kind, schema or _schema(kind)
        self.definitions: Schema = self.schema.get("$defs", {})
        self.uses = Counter(name for name, _ in set(_uses(self.schema)))
        self.headings: dict[str, str] = {}
        self.order: list[str] = []
        for name in _named(self.schema) if "properties" not in self.schema else ():
            self._visit(name, kind if kind == "dram" else "")
        self._visit_properties(self.schema, kind if kind in ("energy", "dram", "area") else "")

    def _visit(self, name: str, path: str) -> None:
        section = self.definitions[name]
        if name in self.headings or "properties" not in section or self._is_elsewhere(name):
            return
        self.headings[name] = self._heading(name, section, path)
        self.order.append(name)
        self._visit_properties(section, path)

    def _is_elsewhere(self, name: str) -> bool:
        return self.kind == "machine" and name in ELSEWHERE

    def _visit_properties(self, section: Schema, path: str) -> None:
        for key, each in section.get("properties", {}).items():
            for name in _named(each):
                self._visit(name, f"{path}.{key}" if path else key)

    def _heading(self, name: str, section: Schema, path: str) -> str:
        """Heading of a section: its tag, or the key that it stands below."""
        tags = {
            key: _values(section["properties"][key]) for key in ("op", "family", "kind") if key in section["properties"]
        }
        if found := next(((key, values) for key, values in tags.items() if values), None):
            key, (first, *others) = found
            return f"`{key}: {first}`" + (" and the like" if others else "")
        return f"`{path}`" + (" and the like" if self.uses[name] > 1 else "")

    def parts(self) -> Iterator[str]:
        """Sections in order."""
        if "properties" in self.schema:
            yield self.section(self.schema, "")
        for name in self.order:
            yield f"### {self.headings[name]}\n\n{self.section(self.definitions[name], self.headings[name].strip('`'))}"

    def section(self, section: Schema, path: str, without: frozenset[str] = frozenset()) -> str:
        """Description of a section, and its keys but for some."""
        rows = [
            self._row(key, each, section, path) for key, each in section["properties"].items() if key not in without
        ]
        about = " ".join(section.get("description", "").split())
        table = _table(("key", "default", "unit", "values", "meaning"), rows) if rows else ""
        return "\n\n".join(filter(None, (about, table)))

    def _row(self, key: str, each: Schema, section: Schema, path: str) -> tuple[str, ...]:
        unit = _unit(key, self.kind)
        whole = f"{path}.{key}" if path else key
        if self.kind == "machine" and whole in LEFT_OUT:
            default = LEFT_OUT[whole]
        else:
            default = "**required**" if key in section.get("required", []) else _default(each, unit)
        return f"`{key}`", default, unit, self._type(each, unit), each["description"]

    def _type(self, schema: Schema, unit: str) -> str:
        """The values that a key may have, in words."""
        if "$ref" in schema:
            return self._link(schema["$ref"].rpartition("/")[2])
        for union in ("anyOf", "oneOf"):
            if union in schema:
                found = dict.fromkeys(self._type(one, unit) for one in schema[union] if one.get("type") != "null")
                return " or ".join(found) if len(found) < 8 else "one of the rows"
        if values := _values(schema):
            return " or ".join(f"`{value}`" for value in values)
        return self._plain(schema, unit)

    def _plain(self, schema: Schema, unit: str) -> str:
        match schema.get("type"):
            case "array":
                return f"list of {self._type(schema['items'], unit)}" if schema.get("items") else "list"
            case "object" if values := _by_name(schema):
                return f"by name: {self._type(values, unit)}"
            case "object":
                return " or ".join(f"`{key}: NAME`" for key in schema.get("required", [])) or "by name"
            case "integer" | "number" as kind:
                return f"{'whole number' if kind == 'integer' else 'number'}{_limits(schema, unit)}"
            case "boolean":
                return "`true` or `false`"
            case "string":
                return "text"
            case _:
                return "any"

    def _link(self, name: str) -> str:
        if self._is_elsewhere(name):
            return ELSEWHERE[name]
        if name not in self.headings:
            return "one of the rows"
        slug = re.sub(r"[^\w -]", "", self.headings[name].lower()).replace(" ", "-")
        return f"[section](#{slug})"


def _network() -> Iterator[str]:
    """A network file: what all have, rows, ways to shrink a network, and families."""
    file = File("network")
    common, of_rows = frozenset(NetworkFile.model_fields), frozenset(Row.model_fields)
    families = {each.__name__ for each in FAMILIES.values()}
    yield f"### Any network\n\n{file.section(file.definitions['Workload'], '')}"
    rows = [name for name in file.order if "op" in file.definitions[name]["properties"]]
    others = [name for name in file.order if name not in {*rows, *families, "Workload"}]
    for name in others:
        yield f"### {file.headings[name]}\n\n{file.section(file.definitions[name], '')}"
    keys = {"properties": {key: file.definitions[rows[1]]["properties"][key] for key in Row.model_fields}}
    yield f"### Any row\n\n{file.section({**keys, 'required': ['name']}, '')}"
    for name in rows:
        without = of_rows if "inputs" in file.definitions[name]["properties"] else frozenset()
        yield f"### {file.headings[name]}\n\n{file.section(file.definitions[name], '', without)}"
    for family in FAMILIES.values():
        name = family.__name__
        yield f"### {file.headings[name]}\n\n{file.section(file.definitions[name], '', common)}"


def _schema(kind: str) -> Schema:
    """The schema of a kind of file; of a machine that which it has when it is whole."""
    schema = KINDS[kind].json_schema()
    if kind != "machine":
        return schema
    whole = Machine.model_json_schema()
    extends = {"extends": schema["properties"]["extends"]}
    properties = {**extends, **whole["properties"], "scheduling": schema["properties"]["scheduling"]}
    return {**whole, "$defs": {**schema["$defs"], **whole["$defs"]}, "properties": properties}


def _named(schema: Any) -> Iterator[str]:
    """Definitions that a schema names, in order."""
    if isinstance(schema, dict):
        for key, each in schema.items():
            if key == "$ref":
                yield each.rpartition("/")[2]
            elif key not in ("$defs", "discriminator", "properties"):
                yield from _named(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from _named(each)


def _uses(schema: Any) -> Iterator[tuple[str, str]]:
    """(definition, key below which it is used)."""
    if isinstance(schema, dict):
        for key, each in schema.get("properties", {}).items():
            yield from ((name, key) for name in _named(each))
        for each in schema.values():
            yield from _uses(each)


def _by_name(schema: Schema) -> Schema | None:
    """The schema of the values of a mapping whose keys are names."""
    values = schema.get("additionalProperties")
    return values if isinstance(values, dict) else next(iter(schema.get("patternProperties", {}).values()), None)


def _values(schema: Schema) -> list[Any]:
    """The values of a choice."""
    return [schema["const"]] if "const" in schema else schema.get("enum", [])


def _unit(key: str, kind: str) -> str:
    """The unit of a key; in files of devices, cycles are those of the DRAM."""
    unit = next((unit for end, unit in UNITS.items() if key.endswith(end)), "-")
    return unit.replace("cycle", "DRAM clock") if kind == "dram" else unit


def readable(number: float, unit: str = "-") -> str:
    """A number as one reads it: `1 GiB` for bytes, 2^40 and 10^15 for other large ones."""
    if unit == "bytes" and number == int(number):
        for power, name in SIZES.items():
            if number and number % (1 << power) == 0:
                return f"{int(number) >> power:,} {name}"
    size = abs(number)
    if size >= 1 << 20 and int(size) & (int(size) - 1) == 0:
        return f"{'-' if number < 0 else ''}2^{int(size).bit_length() - 1}"
    if size and (size >= 1e6 or size < 1e-3) and re.fullmatch(r"1e[-+]\d+", f"{size:e}".replace(".000000", "")):
        return f"10^{int(f'{size:e}'.partition('e')[2])}"
    return f"{number:,}" if isinstance(number, int) or number != int(number) else f"{int(number):,}"


def _limits(schema: Schema, unit: str) -> str:
    """The least and the most of a number."""
    words = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}
    return "".join(f" {word} {readable(schema[key], unit)}" for key, word in words.items() if key in schema)


def _default(schema: Schema, unit: str) -> str:
    value = schema.get("default")
    if isinstance(value, dict):
        return "the section's defaults"
    if value is None or value == "":
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if unit == "bytes" and isinstance(value, int):
        return readable(value, unit)
    return f"`{value}`" if value != [] else "none"


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    return "\n".join(lines(header, rows)) + "\n"
