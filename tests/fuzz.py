"""Files and command lines changed at random: each is answered by a result, or by a line a mistake, at once.

    python -m tests.fuzz --cases 200000 --seed 1       all readers, in turns of as much time, or more for the slow ones
    python -m tests.fuzz --cases 10000 onnx tflite     some of them

Prints a line a turn: minutes, cases and findings until then; last, or at Ctrl-C, the cases of each reader. A finding is
printed as it is met, with what repeats it; its file stays in the folder that is named first. The exit code is 1 if
there is one.
"""

from __future__ import annotations

import argparse
import gc
import io
import json
import logging
import os
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from itertools import islice
from pathlib import Path
from random import Random
from resource import RLIMIT_AS, getrlimit, setrlimit
from typing import NamedTuple
from unittest.mock import patch

from accelsim.cli import INTERRUPTED
from accelsim.cli import main as accelsim
from accelsim.errors import MAX_MISTAKES
from accelsim.sweeps.points import Points
from accelsim.sweeps.work import Finished, PointTask, work
from tests.commands import alarm
from tests.readers import READERS, Reader, good_files

MOST_S, MOST_BYTES = 2, 1 << 30
HANGS_S = 20
"""Processor time after which a case is ended; the commands take what ends it for no mistake of a user."""
TURN_S = 2
LEAST_PART = 32
"""Part of all cases that each reader has at least, however long its cases take."""
MOST_POINTS, MOST_RUNS = 6, 1
ADVICE_S = 0.02
LINE = re.compile(r"[^\n]+:\d+: [^\n]+: expected [^\n]+, got [^\n]+")
UNSEEN = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


class Case(NamedTuple):
    """A case of a reader: its number, command line and file, and what is wrong with the answer, or nothing."""

    number: int
    argv: tuple[str, ...]
    raw: bytes
    fault: str


def cases(name: str, folder: Path, seed: int = 0) -> Iterator[Case]:
    """Cases of a reader without end, in a folder of `good_files` where all other files stay as they are."""
    reader, random = READERS[name], Random(f"{name} {seed}" if seed else name)
    path = folder / reader.file
    good = path.read_bytes()
    number = 0
    gc.freeze()  # a command has a process of its own, and no garbage of other tests to look through
    while True:
        raw = reader.change(good, random)
        overwrite(path, raw)
        argv = command(reader, raw, number)
        found = fault(argv)
        overwrite(path, good)
        yield Case(number, argv, raw, found)
        number += 1


def overwrite(path: Path, raw: bytes) -> None:
    """Other bytes for a file; one that is emptied first is waited for by some file systems, for longer than most cases
    take."""
    with path.open("r+b") as file:
        file.write(raw)
        file.truncate()


def command(reader: Reader, raw: bytes, number: int) -> tuple[str, ...]:
    """The command line of a case."""
    return reader.commands[number % len(reader.commands)] if reader.commands else tuple(json.loads(raw))


def fault(argv: tuple[str, ...]) -> str:
    """The fault of the answer to a command line; empty if it is a result, or mistakes of a line each."""
    try:
        with bounded_memory(), alarm(HANGS_S, of_processor=True), small_work():
            return answered(argv)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def answered(argv: tuple[str, ...]) -> str:
    """The same as `fault`, but raises what the command does."""
    out, err = io.StringIO(), io.StringIO()
    begin = time.process_time()
    with redirect_stdout(out), redirect_stderr(err):
        code = accelsim(list(argv))
    seconds = time.process_time() - begin
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    lines = err.getvalue().splitlines()
    if seconds > MOST_S:
        return f"took {seconds:.1f} s"
    fine = (0, 1) if argv[:1] in (("sweep",), ("rerun",)) else (0,)
    if code not in (*fine, 2) or (code != 1 and (code == 2) != any(LINE.fullmatch(line) for line in lines)):
        return f"exit code {code} with {lines[:3]}"
    if joined := [line for line in lines if line.count(": expected ") > 1]:
        return f"several causes on a line: {joined[:1]}"
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


@contextmanager
def small_work() -> Iterator[None]:
    """Sweeps are done in this process, have few points and run fewer; runs that would be announced at `MOST_S` are
    refused, and few changes are tried for advice."""
    every = Points.__iter__

    def serial(tasks: Iterator[PointTask], *_: object, **__: object) -> Iterator[Finished]:
        for number, task in enumerate(tasks):
            yield work(task) if number < MOST_RUNS else Finished(task.sha256, "failed", "left out")

    with (
        patch.object(Points, "__iter__", lambda points: islice(every(points), MOST_POINTS)),
        patch("accelsim.sweeps.workers.on_processes", serial),
        patch("accelsim.run.outlook.WORTH_SAYING_S", MOST_S / 4),
        patch("accelsim.run.outlook.MOST_S", MOST_S / 4),
        patch("accelsim.run.advice.SECONDS", ADVICE_S),
        patch("accelsim.run.advice.TIMES", 0),
    ):
        yield


# A long run.


def hunt(names: list[str], most: int, seed: int, folder: Path, found: Counter[str]) -> None:
    """Go through readers in turns until there were `most` cases; counts the cases and the faults of each reader."""
    begin, total = time.monotonic(), 0
    each = {name: cases(name, folder, seed) for name in names}
    while total < most:
        for name in names:
            until = time.monotonic() + TURN_S
            while time.monotonic() < until or found[name] * LEAST_PART < total:
                case = next(each[name])
                found[name] += 1
                total += 1
                if case.fault:
                    found[f"faults of {name}"] += 1
                    keep(name, case, folder, seed)
        minutes = (time.monotonic() - begin) / 60
        print(f"{minutes:.0f} min: {total} cases, {found.total() - total} findings", flush=True)


def keep(name: str, case: Case, folder: Path, seed: int) -> None:
    """Print a finding, and write its file."""
    kept = folder.parent / "findings" / f"{name}-{seed}-{case.number}"
    kept.parent.mkdir(exist_ok=True)
    kept.write_bytes(case.raw)
    print(f"{kept}: accelsim {' '.join(case.argv)[:300]}: {case.fault[:500]}", flush=True)


def main() -> int:
    """The command line above."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("readers", nargs="*", choices=[*READERS, []], help="those to ask (all)")
    parser.add_argument("--cases", type=int, default=20_000, help="of all readers together (20000)")
    parser.add_argument("--seed", type=int, default=0, help="0: those that the tests begin with")
    arguments = parser.parse_args()
    logging.disable()
    folder = Path(tempfile.mkdtemp(prefix="fuzz-")) / "files"
    folder.mkdir()
    os.chdir(folder)
    with redirect_stdout(io.StringIO()):
        good_files(folder)
    print(f"in {folder}", flush=True)
    names = arguments.readers or list(READERS)
    found: Counter[str] = Counter()
    with suppress(KeyboardInterrupt):
        hunt(names, arguments.cases, arguments.seed, folder, found)
    for name in sorted(names):
        print(f"{name}: {found[name]} cases, {found[f'faults of {name}']} findings")
    return int(found.total() > sum(found[name] for name in names))


if __name__ == "__main__":
    sys.exit(main())
