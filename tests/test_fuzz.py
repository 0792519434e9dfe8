"""Whatever a file says, it is a result or a line a mistake, at once: files of every reader, changed at random."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout, suppress
from copy import deepcopy
from itertools import islice
from pathlib import Path
from random import Random
from resource import RLIMIT_AS, getrlimit, setrlimit
from typing import Any, NamedTuple

import pytest
import yaml

from accelsim.cli import main
from accelsim.errors import MAX_MISTAKES, UserError
from accelsim.sweeps.points import Points
from accelsim.sweeps.spec import read_sweep

HERE = Path(__file__).parent
GOOD = HERE / "invalid" / "good"
CASES = 2000
MOST_S, MOST_BYTES = 2, 1 << 30
LINE = re.compile(r"[^\n]+:\d+: [^\n]+: expected [^\n]+, got [^\n]+")
UNSEEN = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")

NASTY: list[Any] = [None, True, False, 0, 1, -1, 2, 7, 1 << 16, 1 << 31, 1 << 40, (1 << 63) - 1, 1 << 63, 1 << 70]
NASTY += [
    10**400,
    0.5,
    -0.0,
    1e-300,
    1e308,
    float("inf"),
    float("nan"),
    "",
    " ",
    "x",
    "a" * 5000,
    "\x1b[31mred",
    "\x00",
]
NASTY += [
    "\u202e",
    "../../etc/passwd",
    "/dev/zero",
    "1e5",
    "0x10",
    "=1+1",
    "*",
    "[",
    "edge",
    "auto",
    "never",
    [],
    {},
    [[]],
]
NASTY += [["a"] * 50, {"a": {"a": {}}}, [None], "1/0", "9" * 5000, "a.b.c", "2024-01-01", -(1 << 63), "\ud800"]


# Changes.


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


def changed_yaml(raw: bytes, random: Random) -> bytes:
    """YAML with other values, or other bytes."""
    if random.randrange(3) == 0:
        return changed_bytes(raw, random)
    tree = changed_tree(yaml.safe_load(raw), random)
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True).encode("utf-8", "surrogatepass")


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


# Readers.


class Reader(NamedTuple):
    """A file, how it is changed, and commands that read it."""

    file: str
    change: Callable[[bytes, Random], bytes]
    commands: tuple[tuple[str, ...], ...]


READERS = {
    "machine": Reader("machine.yaml", changed_yaml, (("show", "machine.yaml"), ("run", "net.yaml", "machine.yaml"))),
    "network": Reader("net.yaml", changed_yaml, (("show", "net.yaml", "--layers"),)),
    "layers": Reader("rows.yaml", changed_yaml, (("show", "rows.yaml"),)),
    "mapping": Reader(
        "mapping.yaml", changed_yaml, (("run", "net.yaml", "machine.yaml", "--mapping", "mapping.yaml"),)
    ),
    "energy": Reader("energy.yaml", changed_yaml, (("run", "net.yaml", "priced.yaml"),)),
    "device": Reader("device.yaml", changed_yaml, (("run", "net.yaml", "driven.yaml"),)),
    "trace": Reader("trace.txt", changed_bytes, (("dram", "lpddr4-3200", "trace.txt"),)),
    "topology": Reader("topology.csv", changed_table, (("show", "topology.csv", "--layers"),)),
    "configuration": Reader("scale.cfg", changed_bytes, (("show", "scale.cfg"), ("import", "scale.cfg"))),
    "run": Reader(
        "run.json",
        changed_json,
        (
            ("reprice", "run.json", "--energy", "lecture_100x"),
            ("report", "run.json", "-o", "page.html", "--force"),
            ("diff", "run.json", "good.json"),
            ("plot", "run.json", "--kind", "energy", "-o", "plot.svg", "--force"),
        ),
    ),
    "store": Reader(
        "points/sweep.sqlite", changed_store, (("pareto", "points"), ("report", "points", "-o", "p.html", "--force"))
    ),
}

ROWS = """\
name: rows
source: made up
input: {height: 12, width: 12, channels: 6}
layers:
- {name: a, op: conv, kernel: 3, stride: 2, pad: 1, channels: 12}
- repeat: {name: block, count: 2, layers: [{name: d, op: dwconv, kernel: 3, pad: 1}, {name: e, op: relu}]}
- {name: s, op: shuffle, groups: 3}
- {name: f, op: fc, channels: 5}
"""
MAPPING = """\
scheduling:
  objective: energy
  fusion: auto
  inferences: 2
  plan:
    layers:
    - {match: "*", dataflow: ws, tile: {rows: 4, columns: 4, outputs: 4}, order: [map, groups, outputs, inputs]}
"""
SCALE = """\
[general]
run_name = small
[architecture_presets]
ArrayHeight: 8
ArrayWidth: 8
IfmapSramSzkB: 16
FilterSramSzkB: 16
OfmapSramSzkB: 16
IfmapOffset: 0
FilterOffset: 10000000
OfmapOffset: 20000000
Bandwidth : 10
Dataflow : ws
MemoryBanks: 1
[run_presets]
InterfaceBandwidth: CALC
"""
TOPOLOGY = """\
Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,
Conv1, 16, 16, 3, 3, 3, 8, 2,
Conv2, 7, 7, 1, 1, 8, 16, 1,
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One good file for each reader."""
    monkeypatch.chdir(tmp_path)
    machine = (GOOD / "machine.yaml").read_text()
    texts = {
        "net.yaml": (GOOD / "net.yaml").read_text(),
        "machine.yaml": machine,
        "rows.yaml": ROWS,
        "mapping.yaml": MAPPING,
        "priced.yaml": machine.replace("lecture_100x", "energy.yaml"),
        "driven.yaml": machine.replace("ideal_lpddr4", "device.yaml"),
        "energy.yaml": (HERE.parent / "hwconfigs" / "energy" / "horowitz_45nm.yaml").read_text(),
        "device.yaml": (HERE.parent / "hwconfigs" / "dram" / "lpddr4-3200.yaml").read_text(),
        "trace.txt": "".join(f"{'RW'[number % 3 == 0]} 0x{number * 64:x}\n" for number in range(40)),
        "topology.csv": TOPOLOGY,
        "scale.cfg": SCALE,
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    assert main(["run", "net.yaml", "machine.yaml", "-o", "out", "--quiet"]) == 0
    for name in ("run.json", "good.json"):
        shutil.copy(tmp_path / "out" / "run.json", tmp_path / name)
    argv = ["sweep", "--network", "net.yaml", "--hw", "machine.yaml", "--vary", "array.rows=2,4", "--jobs", "1"]
    assert main([*argv, "-o", "points"]) == 0
    return tmp_path


def answered(argv: tuple[str, ...]) -> str:
    """What is wrong with the answer to a command line; nothing if it is a result, or mistakes of a line each."""
    out, err = io.StringIO(), io.StringIO()
    begin = time.process_time()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(list(argv))
    seconds = time.process_time() - begin
    lines = err.getvalue().splitlines()
    if seconds > MOST_S:
        return f"took {seconds:.1f} s"
    if code not in (0, 2) or (code == 2) != any(LINE.fullmatch(line) for line in lines):
        return f"exit code {code} with {lines[:3]}"
    if code == 2 and (out.getvalue() or not all(map(LINE.fullmatch, lines)) or len(lines) > MAX_MISTAKES):
        return f"mistakes that are no lines of their own: {lines[:3]}"
    return "control characters" if UNSEEN.search(out.getvalue() + err.getvalue()) else ""


@contextmanager
def bounded_memory() -> Iterator[None]:
    """No more than `MOST_BYTES` beside what there is."""
    there = int(Path("/proc/self/statm").read_text().split()[0]) * 4096
    before = getrlimit(RLIMIT_AS)
    setrlimit(RLIMIT_AS, (there + MOST_BYTES, before[1]))
    try:
        yield
    finally:
        setrlimit(RLIMIT_AS, before)


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", READERS)
def test_any_file_is_read_or_refused(name: str, folder: Path) -> None:
    reader, random = READERS[name], Random(name)
    path = folder / reader.file
    good = path.read_bytes()
    for argv in reader.commands:
        assert answered(argv) == ""
    for case in range(CASES):
        path.write_bytes(reader.change(good, random))
        argv = reader.commands[case % len(reader.commands)]
        try:
            with bounded_memory():
                found = answered(argv)
        except Exception as error:
            found = f"{type(error).__name__}: {error}"
        assert not found, (case, argv, path.read_bytes()[:5000])


@pytest.mark.slow
def test_any_sweep_is_read_or_refused(folder: Path) -> None:
    """Its points, of which the first few are resolved."""
    tree = {
        "networks": ["net.yaml"],
        "machines": ["machine.yaml"],
        "grid": {"array.rows": [2, 4], "dram.device": ["ideal_lpddr4"]},
        "where": ["array.rows * array.cols <= 512"],
    }
    good, random = yaml.safe_dump(tree).encode(), Random("sweep")
    for case in range(CASES):
        raw = changed_yaml(good, random)
        (folder / "spec.yaml").write_bytes(raw)
        begin = time.process_time()
        with bounded_memory(), suppress(UserError):
            list(islice(Points(read_sweep("spec.yaml")), 20))
        assert time.process_time() - begin < MOST_S, (case, raw)
