"""Workers that do the points: processes of this machine, or those of a Dask cluster.

Either takes tasks as it needs them and gives each back when it is finished, in any order.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import re
import signal
import socket
import threading
from collections.abc import Generator, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, nullcontext, suppress
from itertools import islice
from multiprocessing.connection import Connection, wait
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from accelsim.collection import collect_rarely
from accelsim.errors import ARGUMENTS, Mistake, UserError, shorten
from accelsim.sweeps.work import Finished, PointTask, work

if TYPE_CHECKING:
    import ssl

_CONTEXT = multiprocessing.get_context("spawn")
"""A worker imports what it needs in half a second, on any system, and inherits nothing."""
_CONNECT_SECONDS = 4
_MOST_GREETING = 1 << 20
"""Bytes of a scheduler's first message."""
_ALONE_SECONDS = 5
"""For another worker to come where all are lost."""
_LOOK_SECONDS = 0.05
_SPEAKERS = ("distributed", "tornado", "asyncio")
"""Loggers of Dask, its connections and its threads."""
_ADDRESS = re.compile(
    r"(?P<scheme>tcp|tls)://(?P<host>[A-Za-z0-9_.-]{1,253}|\[[0-9a-fA-F:]{2,45}\]):(?P<port>[0-9]{1,5})"
)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def on_processes(tasks: Iterator[PointTask], jobs: int, *, fresh: bool = False) -> Generator[Finished, None, None]:
    """A worker has one task at a time, so that it is known which one it had if it dies.

    fresh: every task has a process of its own.
    """
    busy: dict[Any, _Worker] = {}
    try:
        for task in islice(tasks, jobs):
            worker = _Worker()
            busy[worker.connection] = worker
            worker.give(task)
        while busy:
            for connection in wait(list(busy)):
                worker = busy.pop(connection)
                finished = worker.take()
                upcoming = next(tasks, None)
                if upcoming is None or fresh or worker.is_dead:
                    worker.stop()
                if upcoming is not None:
                    worker = _Worker() if fresh or worker.is_dead else worker
                    busy[worker.connection] = worker
                    worker.give(upcoming)
                yield finished
    finally:
        for worker in busy.values():
            worker.stop()


class _Worker:
    """A process that does tasks until it is stopped, or its parent is gone."""

    def __init__(self) -> None:
        self.connection, theirs = _CONTEXT.Pipe()
        self.process = _CONTEXT.Process(target=_serve, args=(theirs,), daemon=True)
        with _without_interrupts():
            self.process.start()
        theirs.close()
        self.is_dead = False

    def give(self, task: PointTask) -> None:
        self.task = task
        with suppress(OSError):
            self.connection.send(task)

    def take(self) -> Finished:
        """Result of its task, once it is known."""
        try:
            finished: Finished = self.connection.recv()
        except (EOFError, OSError):
            self.is_dead = True
            self.process.join()
            return Finished(self.task.sha256, "failed", f"its worker died: {_ending(self.process.exitcode or 0)}")
        return finished

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()


def _serve(connection: Connection) -> None:
    collect_rarely()
    with suppress(EOFError, OSError):
        while True:
            connection.send(work(connection.recv()))


def _ending(exit_code: int) -> str:
    return signal.Signals(-exit_code).name if exit_code < 0 else f"exit code {exit_code}"


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Processes started inside ignore Ctrl-C, which a terminal sends to all: it is for the parent to act."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def on_cluster(tasks: Iterator[PointTask], address: str) -> Generator[Finished, None, None]:
    """By the workers of the Dask scheduler at this address. Raises UserError where there is none, or no Dask here."""
    try:
        from distributed import Client, as_completed
    except ImportError:
        expected = "Dask, installed by `pip install 'accelsim[cluster]'`"
        raise UserError([Mistake(ARGUMENTS, 0, "scheduler", expected, "none")]) from None
    _refuse_strangers(address)
    _silence()
    try:
        client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError):
        raise _no_scheduler("a Dask scheduler", address) from None
    with client:
        try:
            client.wait_for_workers(1, timeout=_CONNECT_SECONDS)
        except TimeoutError:
            raise _no_scheduler("a Dask scheduler with workers", f"{address} without any") from None
        wanted: dict[Any, PointTask] = {}
        finished = as_completed(loop=client.loop)

        def submit() -> None:
            """Tasks that keep all workers busy."""
            most = 2 * max(1, _threads(client))
            for task in islice(tasks, max(0, most - len(wanted))):
                with _staying(address):
                    future = client.submit(work, task, pure=False)
                    wanted[future.key] = task
                    finished.add(future)

        submit()
        for future in _arriving(finished, client, address):
            task = wanted.pop(future.key)
            submit()
            with _staying(address):
                error = future.exception()
                result = future.result() if error is None else _lost(task, error)
            yield result


@contextmanager
def _staying(address: str) -> Iterator[None]:
    """A part that asks the scheduler for something. Raises UserError where it is lost meanwhile."""
    try:
        yield
    except (OSError, CancelledError):
        raise _no_scheduler("a Dask scheduler that stays", address) from None


def _silence() -> None:
    """Let Dask and what it stands on log nothing: some of its loggers have levels of their own, and all that its user
    has to know of is a mistake."""
    for name in (*_SPEAKERS, *logging.root.manager.loggerDict):
        if name.partition(".")[0] in _SPEAKERS:
            logging.getLogger(name).setLevel(logging.CRITICAL)


def _arriving(finished: Any, client: Any, address: str) -> Iterator[Any]:
    """Futures as they are finished. Raises UserError where the last worker, or the scheduler, is lost for good."""
    seen = monotonic()
    while not finished.is_empty():
        if finished.has_ready():
            future = next(finished)
            if future.cancelled():
                raise _no_scheduler("a Dask scheduler that stays", address)
            yield future
            continue
        seen = monotonic() if _threads(client) else seen
        if monotonic() > seen + _ALONE_SECONDS:
            raise _no_scheduler("a Dask scheduler with workers", f"{address}, which lost them all")
        sleep(_LOOK_SECONDS)


def _threads(client: Any) -> int:
    """Threads of all workers; none where the scheduler is lost."""
    try:
        return sum(client.nthreads().values())
    except OSError:
        return 0


def _no_scheduler(expected: str, got: str) -> UserError:
    return UserError([Mistake(ARGUMENTS, 0, "scheduler", expected, shorten(got).strip("'"))])


def _refuse_strangers(address: str) -> None:
    """Raises UserError where nothing answers as a scheduler does, which speaks first."""
    found = _ADDRESS.fullmatch(address)
    if not found or not 1 <= int(found["port"]) < 1 << 16:
        raise _no_scheduler("the address of a Dask scheduler, such as tcp://127.0.0.1:8786", address or "nothing")
    place, until = (found["host"].strip("[]"), int(found["port"])), monotonic() + _CONNECT_SECONDS
    certificates = _certificates() if found["scheme"] == "tls" else None
    try:
        with (
            socket.create_connection(place, _CONNECT_SECONDS) as plain,
            certificates.wrap_socket(plain) if certificates else nullcontext(plain) as there,
        ):
            if not _greets(there, until):
                raise OSError
    except OSError:
        raise _no_scheduler("a Dask scheduler", address) from None


def _certificates() -> ssl.SSLContext:
    """Certificates that Dask shows to a scheduler. Raises UserError where its configuration has none."""
    from distributed.security import Security

    context: ssl.SSLContext | None = Security().get_connection_args("client")["ssl_context"]
    if context is None:
        raise _no_scheduler("certificates for tls:// in Dask's configuration", "none")
    return context


def _greets(there: socket.socket, until: float) -> bool:
    """True where a first message comes in time: its size, and as many bytes. What others say first has no such size."""
    size = int.from_bytes(_next(there, 8, until), "little")
    return 0 < size <= _MOST_GREETING and len(_next(there, size, until)) == size


def _next(there: socket.socket, count: int, until: float) -> bytes:
    """The next bytes, fewer where the other side ends. Raises OSError where they do not come in time."""
    found = b""
    while len(found) < count:
        there.settimeout(max(until - monotonic(), 0.001))
        more = there.recv(count - len(found))
        if not more:
            break
        found += more
    return found


def _lost(task: PointTask, error: BaseException) -> Finished:
    return Finished(task.sha256, "failed", " ".join(f"{type(error).__name__}: {error}".split()))
