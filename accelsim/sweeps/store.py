"""The results of a sweep in one SQLite file, written by one process; docs/sweeps.md describes its tables."""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from accelsim.config.places import is_file
from accelsim.errors import ARGUMENTS, Mistake, UserError, shorten
from accelsim.sweeps.points import Point
from accelsim.sweeps.stored import MOST_POINTS, About, StoredPoint, about_of, result_of, row_of
from accelsim.sweeps.work import COLUMN_NAMES, Finished, PointTask
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
_MASTER = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name LIMIT 100"
_ABOUT = "SELECT key, value FROM about LIMIT 10"
_WRONG_FIRST = """
SELECT count(*) FROM points WHERE first != (
 point = (SELECT min(point) FROM points AS others WHERE others.config_sha256 = points.config_sha256))
"""
_JOINED = """
SELECT point, points.network, points.machine, settings, outcome, error, {columns}
 FROM points JOIN results USING (config_sha256) {condition} ORDER BY point
"""
_MOST_BYTES = 1 << 24
"""Bytes of a cell."""
_PATIENCE_SECONDS = 5.0
"""For another process that reads or writes, before it is tried again."""
_PASSING = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
}
"""Errors that say nothing of what is in a file."""
_FIRST_BYTES = b"SQLite format 3\0"
LOGGER = logging.getLogger("accelsim")


class PointStore:
    """The file in a folder. What a method changes is on disk, whole, when it returns."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.connection = connection
        self.path = path

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """All of the changes inside, or none."""
        self._patiently("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self.connection.in_transaction:  # else SQLite went back on its own, as where the disk is full
                self.connection.execute("ROLLBACK")
            raise
        self._patiently("COMMIT")

    def is_new(self) -> bool:
        """True where nothing is in it yet."""
        return not self.connection.execute(_MASTER).fetchone()

    def has_our_tables(self) -> bool:
        """True where there are the tables of this version, and nothing else that SQLite would run."""
        with closing(sqlite3.connect(":memory:")) as ours:
            ours.executescript(_SCHEMA)
            return self.connection.execute(_MASTER).fetchall() == ours.execute(_MASTER).fetchall()

    def about(self) -> About | None:
        """Header of the store; nothing if it is none of this version. Raises UserError."""
        if not self.has_our_tables():
            return None
        about = about_of(dict(self.connection.execute(_ABOUT)), self.path)
        return about if (about.format, about.accelsim_version) == (FORMAT, __version__) else None

    def whose(self) -> str:
        """Origin of the store, if not one of this version."""
        master = self.connection.execute(_MASTER).fetchall()
        if ("table", "about", "about", "CREATE TABLE about (key TEXT PRIMARY KEY, value)") not in master:
            return "something else"
        said = dict(self.connection.execute(_ABOUT))
        version, number = _plain(said.get("accelsim_version")), _plain(said.get("format"))
        is_ours = (version, number) == (__version__, str(FORMAT))
        return f"one of accelsim {version}, format {number}{' with other columns' if is_ours else ''}"

    def plan(self) -> str:
        """The SHA-256 of the points that are there, as `digest_of` makes it; of unsound ones that of nothing."""
        if self.connection.execute(_WRONG_FIRST).fetchone() != (0,):
            return digest_of([])
        query = (
            "SELECT points.network, points.machine, settings, networks.json, machines.json, config_sha256 FROM points"
            " LEFT JOIN configs AS networks ON networks.sha256 = points.network_sha256"
            " LEFT JOIN configs AS machines ON machines.sha256 = points.machine_sha256 ORDER BY point"
        )
        return digest_of(self.connection.execute(query))

    def start(self, points: Iterable[Point], plan: str, keys: Sequence[str]) -> None:
        """Take down the points of a sweep in the place of others; results are kept."""
        with self._whole():
            if self.is_new():
                for statement in _SCHEMA.split(";"):
                    self.connection.execute(statement)
            for table in ("points", "configs"):
                self.connection.execute(f"DELETE FROM {table}")
            for number, point in enumerate(points):
                self._add(number, point)
            about = {"format": FORMAT, "accelsim_version": __version__, "plan": plan, "keys": json.dumps(list(keys))}
            self.connection.executemany("INSERT OR REPLACE INTO about VALUES (?, ?)", about.items())

    def extend(self, points: Sequence[Point], keys: Sequence[str]) -> None:
        """Take down points behind those that are there, each once; in a new store they are the first."""
        if self.is_new():
            self.start(points, digest_of([]), keys)
        else:
            with self._whole():
                (last,) = self.connection.execute("SELECT coalesce(max(point), -1) FROM points").fetchone()
                for point in points:
                    if self.number_of(point) is None:
                        last += 1
                        self._add(last, point)
        self._patiently("UPDATE about SET value = ? WHERE key = 'plan'", (self.plan(),))

    def number_of(self, point: Point) -> int | None:
        """The number of a point; nothing if it is not there."""
        query = "SELECT point FROM points WHERE network = ? AND machine = ? AND settings = ? AND config_sha256 = ?"
        names = (point.network.name, point.machine.name, json.dumps(point.settings), point.sha256)
        found = self.connection.execute(query, names).fetchone()
        return None if found is None else int(found[0])

    def values(self, sha256: str) -> dict[str, Any] | None:
        """The values of a configuration, with its outcome and error; nothing if it has not run. Raises UserError."""
        cursor = self.connection.execute("SELECT * FROM results WHERE config_sha256 = ?", (sha256,))
        names, found = [name for name, *_ in cursor.description], cursor.fetchone()
        return None if found is None else result_of(dict(zip(names, found, strict=True)), COLUMN_NAMES, self.path)

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
        self._patiently("DELETE FROM results WHERE outcome = 'failed'")

    def missing(self) -> int:
        """Number of results that are missing."""
        query = "SELECT count(*) FROM points LEFT JOIN results USING (config_sha256) WHERE first AND outcome IS NULL"
        (count,) = self.connection.execute(query).fetchone()
        return int(count)

    def some_networks(self) -> list[tuple[str, int]]:
        """Some of the networks of results that are missing, as JSON, each with the number of its results."""
        query = (
            "SELECT networks.json, count(*) FROM points"
            " JOIN configs AS networks ON networks.sha256 = points.network_sha256"
            " LEFT JOIN results USING (config_sha256)"
            " WHERE first AND outcome IS NULL GROUP BY points.network_sha256 LIMIT 8"
        )
        return self.connection.execute(query).fetchall()

    def tasks(self) -> Iterator[PointTask]:
        """Tasks that are missing, equal points once, those of a network together; looked up page by page."""
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
                yield PointTask(*task)

    def keep(self, finished: Finished) -> None:
        """Write down a result."""
        values = [finished.values.get(name) for name in COLUMN_NAMES]
        row = (finished.sha256, finished.outcome, finished.error, *values)
        self._patiently(f"INSERT OR REPLACE INTO results VALUES ({', '.join('?' * len(row))})", row)

    def _patiently(self, statement: str, values: Sequence[Any] = ()) -> None:
        """Execute what writes as soon as others who read or write let go."""
        while True:
            try:
                self.connection.execute(statement, values)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                    raise
                LOGGER.warning(f"{self.path} is in use by another process, for which this one waits")
            else:
                return

    def counts(self) -> dict[str, int]:
        """Points by outcome."""
        query = "SELECT outcome, count(*) FROM points JOIN results USING (config_sha256) GROUP BY outcome"
        return dict(self.connection.execute(query))

    def count(self) -> int:
        """Points that have a result. Raises UserError where there are more than a sweep may have."""
        (count,) = self.connection.execute("SELECT count(*) FROM points JOIN results USING (config_sha256)").fetchone()
        if count > MOST_POINTS:
            raise UserError([Mistake(str(self.path), 0, "points", f"at most {MOST_POINTS}", str(count))])
        return int(count)

    def configs(self, point: int) -> tuple[Any, Any]:
        """The resolved network and machine of a point, as JSON; nothing where they are not there."""
        query = (
            "SELECT networks.json, machines.json FROM points"
            " LEFT JOIN configs AS networks ON networks.sha256 = points.network_sha256"
            " LEFT JOIN configs AS machines ON machines.sha256 = points.machine_sha256 WHERE point = ?"
        )
        network, machine = self.connection.execute(query, (point,)).fetchone()
        return network, machine

    def rows(self, *, only_errors: bool = False) -> Iterator[StoredPoint]:
        """The points that have a result, in their order. Raises UserError where they are none that we write."""
        self.count()
        columns = ", ".join(f"results.{name}" for name in COLUMN_NAMES)
        cursor = self.connection.execute(
            _JOINED.format(columns=columns, condition="WHERE outcome != 'done'" if only_errors else "")
        )
        names = [name for name, *_ in cursor.description]
        for cells in cursor:
            yield row_of(dict(zip(names, cells, strict=True)), COLUMN_NAMES, self.path)


def _plain(value: Any) -> str:
    return shorten(value).strip("'")


def digest_of(points: Iterable[Sequence[Any]]) -> str:
    """Digest that tells a sweep from others: names, settings and configurations of its points, in their order."""
    digest = hashlib.sha256()
    for point in points:
        digest.update(json.dumps([value if isinstance(value, str) else None for value in point]).encode())
    return digest.hexdigest()


def discard_if_damaged(folder: Path) -> None:
    """Delete a store that can't be read as one of this version. What is no file of SQLite is left alone.

    Raises UserError where it can't be looked at now, as where another process keeps it locked.
    """
    path = folder / NAME
    try:
        with path.open("rb") as file:
            if file.read(len(_FIRST_BYTES)) != _FIRST_BYTES:
                return
    except OSError:
        return
    with opened(folder) as store:
        if _is_sound(store):
            return
    for suffix in ("", "-journal", "-wal", "-shm"):
        path.with_name(NAME + suffix).unlink(missing_ok=True)


def _is_sound(store: PointStore) -> bool:
    """True where all of a store can be read. Raises sqlite3.Error where that is not for what is in it."""
    try:
        (found,) = store.connection.execute("PRAGMA quick_check(1)").fetchone()
        return bool(found == "ok" and store.about() and all(store.rows()))
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _PASSING:
            raise
        return False
    except (UserError, UnicodeDecodeError):
        return False


@contextmanager
def opened(folder: Path, *, create: bool = False) -> Iterator[PointStore]:
    """The store of a folder; a new one that nothing was written to goes again.

    Raises UserError where there is none, or none that can be used.
    """
    path = folder / NAME
    if not create and not is_file(path):
        raise UserError([Mistake(ARGUMENTS, 0, "sweep", f"a folder with a sweep ({NAME})", str(folder))])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, isolation_level=None, timeout=_PATIENCE_SECONDS)
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError([Mistake(ARGUMENTS, 0, "folder", "a folder that can be written", reason)]) from None
    try:
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MOST_BYTES)
        connection.execute("PRAGMA trusted_schema = OFF")
        yield PointStore(connection, path)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise UserError([Mistake(str(path), 0, "file", "a store of sweeps that can be written", str(error))]) from None
    finally:
        connection.close()
        with suppress(OSError):
            if create and not path.stat().st_size:
                path.unlink()
