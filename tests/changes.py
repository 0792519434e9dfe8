"""Changes of files at random: other values, other bytes."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from copy import deepcopy
from functools import cache
from random import Random
from typing import Any

import onnx
import yaml
from google.protobuf.message import DecodeError

NASTY: list[Any] = [None, True, False, 0, 1, -1, 2, 7, 1 << 16, 1 << 31, 1 << 40, (1 << 63) - 1, 1 << 63, 1 << 70]
NASTY += [10**400, 0.5, -0.0, 1e-300, 1e308, float("inf"), float("nan"), "", " ", "x", "a" * 5000]
NASTY += ["\x1b[31mred", "\x00", "\u202e", "../../etc/passwd", "/dev/zero", "1e5", "0x10", "=1+1", "*", "["]
NASTY += ["edge", "auto", "never", [], {}, [[]], ["a"] * 50, {"a": {"a": {}}}, [None], "1/0", "9" * 5000, "a.b.c"]
NASTY += ["2024-01-01", -(1 << 63), "\ud800", "1 KiB", "9" * 40 + " GiB", "0.3 GB/s", "1e3 MHz", "5 ns", "1 TB/s"]

Change = Callable[[bytes, Random], bytes]


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of each value below the root."""
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in pairs:
        yield (*path, key)
        yield from places(value, (*path, key))


def changed_tree(tree: Any, random: Random) -> Any:
    """A tree with one to three of its values exchanged, left out, moved or doubled."""
    tree = deepcopy(tree)
    for _ in range(random.randint(1, 3)):
        found = list(places(tree))
        if not found:
            return random.choice(NASTY)
        path = random.choice(found)
        holder = tree
        for key in path[:-1]:
            holder = holder[key]
        last = path[-1]
        match random.randrange(6):
            case 0:
                del holder[last]
            case 1 if isinstance(holder, dict):
                holder[random.choice(["x", "name", "", 3, None, True, "a.b", "\x1b"])] = holder.pop(last)
            case 2 if isinstance(holder, list):
                holder.extend(deepcopy([holder[last]]) * random.choice([1, 3, 300]))
            case 3 if isinstance(holder[last], int | float) and not isinstance(holder[last], bool):
                with suppress(OverflowError):
                    holder[last] = holder[last] * random.choice([-1, 0, 0.5, 2, 3, 1000, 10**9])
            case _:
                holder[last] = deepcopy(random.choice(NASTY))
    return tree


def changed_bytes(raw: bytes, random: Random) -> bytes:
    """Bytes of which some are others, more or fewer."""
    found = bytearray(raw)
    for _ in range(random.randint(1, 6)):
        place = random.randrange(len(found) + 1)
        match random.randrange(5):
            case 0:
                found[place : place + random.randint(1, 20)] = b""
            case 1:
                found[place:place] = found[place : place + random.randint(1, 40)] * random.choice([1, 2, 50])
            case 2:
                found[place:place] = random.choice(
                    [b"\x00", b"\xff", b"\r", b"\t", b": ", b"- ", b"&a ", b"*a", b"!!x "]
                )
            case 3:
                found[place:place] = str(random.choice(NASTY)).encode("utf-8", "surrogatepass")
            case _:
                found[place : place + 1] = bytes([random.randrange(256)])
    return bytes(found)


def changed_words(raw: bytes, random: Random) -> bytes:
    """Bytes of which some words are others; all others stay where they are."""
    if random.randrange(4) == 0:
        return changed_bytes(raw, random)
    found = bytearray(raw)
    for _ in range(random.randint(1, 4)):
        size = random.choice([1, 1, 2, 4])
        place = random.randrange(len(found) // size) * size
        value = random.choice([0, 1, 2, 3, 7, 255, 1 << 16, (1 << 31) - 1, 1 << 31, (1 << 32) - 1])
        found[place : place + size] = (value % (1 << 8 * size)).to_bytes(size, "little")
    return bytes(found)


def changed_yaml(raw: bytes, random: Random) -> bytes:
    """YAML with other values, or other bytes."""
    if random.randrange(3) == 0:
        return changed_bytes(raw, random)
    return _written(changed_tree(_parsed(raw), random)).encode("utf-8", "surrogatepass")


def _written(tree: Any) -> str:
    """A tree as YAML, by libyaml, which is quick, where that takes its texts: surrogates it refuses."""
    with suppress(UnicodeEncodeError):
        return str(yaml.dump(tree, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True))
    return str(yaml.safe_dump(tree, sort_keys=False, allow_unicode=True))


@cache
def _parsed(raw: bytes) -> Any:
    return yaml.safe_load(raw)


def changed_json(raw: bytes, random: Random) -> bytes:
    """JSON with other values, or other bytes."""
    if random.randrange(3) == 0:
        return changed_bytes(raw, random)
    return json.dumps(changed_tree(json.loads(raw), random)).encode()


def changed_table(raw: bytes, random: Random) -> bytes:
    """CSV with other cells, or other bytes."""
    if random.randrange(3) == 0:
        return changed_bytes(raw, random)
    rows = changed_tree(list(csv.reader(io.StringIO(raw.decode()))), random)
    text = io.StringIO()
    with suppress(csv.Error, TypeError):
        csv.writer(text).writerows(row if isinstance(row, list) else [row] for row in rows)
    return text.getvalue().encode("utf-8", "surrogatepass")


def changed_store(raw: bytes, random: Random) -> bytes:
    """A database with other cells, or other bytes."""
    if random.randrange(3) == 0:
        return changed_bytes(raw, random)
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.deserialize(raw)
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for _ in range(random.randint(1, 3)):
            table = random.choice(tables)
            column = random.choice([row[1] for row in connection.execute(f"PRAGMA table_info({table})")])
            value = random.choice([*NASTY, b"\x00\xff"])
            with suppress(sqlite3.Error, OverflowError, UnicodeEncodeError):
                held = json.dumps(value) if isinstance(value, list | dict) else value
                connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid % ? = 0", (held, random.randint(1, 3)))
        connection.commit()
        return bytes(connection.serialize())


def changed_line(raw: bytes, random: Random) -> bytes:
    """One of several command lines, JSON lists, of which one or two words are others; options keep their names.

    All shipped networks together, `*`, are minutes of work.
    """
    words = random.choice(json.loads(raw))
    for _ in range(random.randint(1, 2)):
        place = random.choice([at for at, word in enumerate(words) if at and not word.startswith("--")])
        head, equals, _ = words[place].partition("=")
        value = str(random.choice([*NASTY, words[place] * random.choice([2, 300])])).replace("\x00", "\x01")
        value = "z*" if value == "*" else value
        words[place] = head + equals + value if equals and random.randrange(2) else value
    return json.dumps(words).encode()


# ONNX.

SIZES = (-(1 << 63), -1, 0, 1, 2, 3, 4, 7, 8, 1 << 16, 1 << 40, (1 << 63) - 1)
STRANGE = ("Loop", "If", "Range", "Tile", "Expand", "Pad", "Scan", "Reshape", "Cast", "Gather", "", "Foo\x1b[31m")
PATHS = ("/etc/passwd", "../secret.bin", "/dev/zero", "secret.bin")


def changed_onnx(raw: bytes, random: Random) -> bytes:
    """A model with other nodes, attributes, constants and sizes, or other bytes."""
    if random.randrange(4) == 0:
        return changed_words(raw, random)
    model = onnx.ModelProto()
    model.ParseFromString(raw)
    for _ in range(random.randint(1, 4)):
        with suppress(ValueError, TypeError, IndexError, DecodeError):
            random.choice(_CHANGES)(model.graph, random)
    return model.SerializeToString()


def _other_operator(graph: onnx.GraphProto, random: Random) -> None:
    node = random.choice(graph.node)
    node.op_type = random.choice([*STRANGE, random.choice(graph.node).op_type])


def _other_input(graph: onnx.GraphProto, random: Random) -> None:
    names = ["", "none", *(name for node in graph.node for name in (*node.input, *node.output))]
    node = random.choice(graph.node)
    match random.randrange(4):
        case 0:
            del node.input[random.randrange(len(node.input)) :]
        case 1:
            node.input.append(random.choice(names))
        case 2:
            del node.output[:]
        case _:
            node.input[random.randrange(len(node.input))] = random.choice(names)


def _other_node(graph: onnx.GraphProto, random: Random) -> None:
    at = random.randrange(len(graph.node))
    if random.randrange(2):
        graph.node.append(graph.node[at])
    else:
        del graph.node[at]


def _other_attribute(graph: onnx.GraphProto, random: Random) -> None:
    node = random.choice([each for each in graph.node if each.attribute])
    attribute = random.choice(node.attribute)
    name = random.choice(["axis", "axes", "pads", "to", "body", attribute.name])
    value: Any = random.choice(
        [*SIZES, *SIZES, "text", "\ud800", float("nan"), float("inf"), -1e30, list(SIZES), [1.5]]
    )
    if random.randrange(3) == 0:
        node.attribute.remove(attribute)
    node.attribute.append(onnx.helper.make_attribute(name if random.randrange(2) else attribute.name, value))


def _other_number(graph: onnx.GraphProto, random: Random) -> None:
    attribute = random.choice([each for node in graph.node for each in node.attribute])
    if attribute.ints:
        attribute.ints[random.randrange(len(attribute.ints))] = random.choice(SIZES)
    else:
        attribute.i = random.choice(SIZES)


def _other_tensor(graph: onnx.GraphProto, random: Random) -> None:
    tensor = random.choice(graph.initializer)
    match random.randrange(5):
        case 0:
            tensor.dims[random.randrange(len(tensor.dims))] = random.choice(SIZES)
        case 1:
            tensor.data_type = random.randrange(25)
        case 2:
            tensor.raw_data = tensor.raw_data[: random.randrange(len(tensor.raw_data) + 1)]
        case 3:
            tensor.data_location = onnx.TensorProto.EXTERNAL
            entry = tensor.external_data.add()
            entry.key, entry.value = "location", random.choice(PATHS)
        case _:
            number = random.choice(SIZES).to_bytes(8, "little", signed=True)
            tensor.raw_data = number * max(1, len(tensor.raw_data) // 8)


def _other_size(graph: onnx.GraphProto, random: Random) -> None:
    sizes = random.choice(graph.input).type.tensor_type.shape.dim
    size = random.choice(sizes)
    if random.randrange(3) == 0:
        size.dim_param = random.choice(["batch", "", "\x1b", "9" * 300])
    else:
        size.dim_value = random.choice(SIZES)


_CHANGES = (
    _other_operator, _other_input, _other_input, _other_node, _other_attribute, _other_number, _other_tensor,
    _other_tensor, _other_size,
)  # fmt: skip
