"""The results of a sweep in one SQLite file, written by one process; docs/sweeps.md describes its tables."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from accelsim.errors import Mistake, UserError
from accelsim.report.columns import Value
from accelsim.sweeps.points import Point
from accelsim.sweeps.work import COLUMN_NAMES, Finished, Task
from accelsim.version import __version__

FORMAT = 2
"""Number of the format of the store; stores of another one are not read."""
NAME = "sweep.sqlite"
_PAGE = 256

_SCHEMA = f"""
CREATE TABLE about (key TEXT PRIMARY KEY, value);
CREATE TABLE configs (sha256 TEXT PRIMARY KEY, json TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE points (
  point INTEGER PRIMARY KEY, network TEXT NOT NULL, machine TEXT NOT NULL, settings TEXT NOT NULL,
  network_sha256 TEXT NOT NULL, machine_sha256 TEXT NOT NULL, config_sha256 TEXT NOT NULL, first INTEGER NOT NULL);
CREATE INDEX points_by_config ON points (config_sha256);
CREATE INDEX points_by_network ON points (network_sha256, point);
CREATE TABLE results (
  config_sha256 TEXT PRIMARY KEY, outcome TEXT NOT NULL, error TEXT, {", ".join(COLUMN_NAMES)}) WITHOUT ROWID;
"""
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"


class Row(NamedTuple):
    """A point with what became of it."""

    point: int
    network: str
    machine: str
    settings: dict[str, Any]
    error: str | None
    values: Sequence[Value | None]


class Store:
    """The file in a folder. What a method changes is on disk, whole, when it returns."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """All of the changes inside, or none."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def about(self) -> dict[str, Any]:
        """What the store says of itself: format, accelsim_version, plan, keys. Nothing if it is new."""
        if not self.connection.execute(_TABLES).fetchone():
            return {}
        return dict(self.connection.execute("SELECT key, value FROM about"))

    def start(self, points: Iterable[Point], plan: str, keys: Sequence[str], *, anew: bool) -> None:
        """Take down the points of a sweep in the place of others; results are kept unless `anew`."""
        with self._whole():
            if anew:
                for (table,) in self.connection.execute(_TABLES).fetchall():
                    self.connection.execute(f'DROP TABLE "{table}"')
            if not self.about():
                for statement in _SCHEMA.split(";"):
                    self.connection.execute(statement)
            self.connection.execute("DELETE FROM points")
            for number, point in enumerate(points):
                self._add(number, point)
            about = {"format": FORMAT, "accelsim_version": __version__, "plan": plan, "keys": json.dumps(list(keys))}
            self.connection.executemany("INSERT OR REPLACE INTO about VALUES (?, ?)", about.items())

    def _add(self, number: int, point: Point) -> None:
        halves = [(half.sha256, half.text) for half in (point.network, point.machine)]
        self.connection.executemany("INSERT OR IGNORE INTO configs VALUES (?, ?)", halves)
        sha256 = point.sha256
        equal = self.connection.execute("SELECT 1 FROM points WHERE config_sha256 = ?", (sha256,)).fetchone()
        settings = json.dumps(point.settings)
        names = (point.network.name, point.machine.name, settings, point.network.sha256, point.machine.sha256, sha256)
        self.connection.execute("INSERT INTO points VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (number, *names, not equal))

    def forget_accidents(self) -> None:
        """So that they are tried again."""
        self.connection.execute("DELETE FROM results WHERE outcome = 'failed'")

    def missing(self) -> int:
        """How many results are."""
        query = "SELECT count(*) FROM points LEFT JOIN results USING (config_sha256) WHERE first AND outcome IS NULL"
        (count,) = self.connection.execute(query).fetchone()
        return int(count)

    def tasks(self) -> Iterator[Task]:
        """What is missing, equal points once, those with the same network together; looked up page by page."""
        after = ("", -1)
        while page := self.connection.execute(
            "SELECT points.network_sha256, point, config_sha256, networks.json, machines.json FROM points"
            " JOIN configs AS networks ON networks.sha256 = points.network_sha256"
            " JOIN configs AS machines ON machines.sha256 = points.machine_sha256"
            " LEFT JOIN results USING (config_sha256)"
            " WHERE first AND outcome IS NULL AND (points.network_sha256, point) > (?, ?) ORDER BY 1, 2 LIMIT ?",
            (*after, _PAGE),
        ).fetchall():
            for network_sha256, point, *task in page:
                after = (network_sha256, point)
                yield Task(*task)

    def keep(self, finished: Finished) -> None:
        """Write down a result."""
        values = [finished.values.get(name) for name in COLUMN_NAMES]
        row = (finished.sha256, finished.outcome, finished.error, *values)
        self.connection.execute(f"INSERT OR REPLACE INTO results VALUES ({', '.join('?' * len(row))})", row)

    def counts(self) -> dict[str, int]:
        """Points by outcome."""
        query = "SELECT outcome, count(*) FROM points JOIN results USING (config_sha256) GROUP BY outcome"
        return dict(self.connection.execute(query))

    def configs(self, point: int) -> tuple[str, str]:
        """The resolved network and machine of a point, as JSON."""
        query = (
            "SELECT networks.json, machines.json FROM points"
            " JOIN configs AS networks ON networks.sha256 = points.network_sha256"
            " JOIN configs AS machines ON machines.sha256 = points.machine_sha256 WHERE point = ?"
        )
        network, machine = self.connection.execute(query, (point,)).fetchone()
        return network, machine

    def rows(self, *, only_errors: bool = False) -> Iterator[Row]:
        """The points that have a result, in their order."""
        condition = "WHERE outcome != 'done'" if only_errors else ""
        for point, network, machine, settings, error, *values in self.connection.execute(
            f"SELECT point, network, machine, settings, error, {', '.join(f'results.{name}' for name in COLUMN_NAMES)}"
            f" FROM points JOIN results USING (config_sha256) {condition} ORDER BY point"
        ):
            yield Row(point, network, machine, json.loads(settings), error, values)


@contextmanager
def opened(folder: Path, *, create: bool = False) -> Iterator[Store]:
    """The store of a folder. Raises UserError where there is none, or none that can be used."""
    path = folder / NAME
    if not create and not path.is_file():
        raise UserError([Mistake("command-line", 0, "DIR", f"a folder with a sweep ({NAME})", str(folder))])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError([Mistake("command-line", 0, "-o", "a folder that can be written", reason)]) from None
    try:
        yield Store(connection)
    except sqlite3.Error as error:
        raise UserError([Mistake(str(path), 0, "file", "a store of sweeps that can be written", str(error))]) from None
    finally:
        connection.close()
