"""Progress of a command, for somebody who watches."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TextIO

LOGGER = logging.getLogger("accelsim")
ERASE_LINE = "\r\x1b[K"


@contextmanager
def progress(total: int) -> Iterator[Callable[[object], None]]:
    """Gives a function to be called before each of `total` steps with what it does.

    On a terminal that is shown on one line of standard error, which is gone in the end; elsewhere nothing is, unless
    asked for by `--verbose`.
    """
    terminal = _terminal()
    done = 0

    def step(what: object) -> None:
        nonlocal done
        done += 1
        LOGGER.info(f"{done}/{total} {what}")
        if terminal:
            line = f"{done}/{total} {what}"[: shutil.get_terminal_size().columns - 1]
            print(ERASE_LINE + line, end="", file=terminal, flush=True)

    try:
        yield step
    finally:
        if terminal:
            print(ERASE_LINE, end="", file=terminal, flush=True)


def _terminal() -> TextIO | None:
    """The terminal for the progress line: one that can erase a line, without --quiet or --verbose."""
    if sys.stderr is None or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        return None
    return sys.stderr if LOGGER.getEffectiveLevel() == logging.WARNING else None


@contextmanager
def gauge() -> Iterator[Callable[[int], Callable[[], None]]]:
    """Gives a function that is told how many steps there are, and gives one to be called after each.

    Where `progress` shows what is done, this shows how many are, how many a second, and the time that is left; where
    standard error is no terminal, a line of it after each minute.
    """
    terminal = _terminal()
    in_a_pipe = sys.stderr is not None and not sys.stderr.isatty()

    def watch(total: int) -> Callable[[], None]:
        begin, done, minutes = monotonic(), -1, 0

        def step() -> None:
            nonlocal done, minutes
            done += 1
            seconds = monotonic() - begin
            LOGGER.info(f"{done}/{total} points")
            if terminal:
                print(ERASE_LINE + _measured(done, total, seconds), end="", file=terminal, flush=True)
            elif in_a_pipe and seconds // 60 > minutes:
                minutes = int(seconds // 60)
                if LOGGER.getEffectiveLevel() == logging.WARNING:
                    print(_measured(done, total, seconds), file=sys.stderr, flush=True)

        step()
        return step

    try:
        yield watch
    finally:
        if terminal:
            print(ERASE_LINE, end="", file=terminal, flush=True)


def _measured(done: int, total: int, seconds: float) -> str:
    if not done:
        return f"0/{total}"
    left = round(seconds / done * max(total - done, 0))
    return f"{done}/{total}  {done / seconds:.1f}/s  {left // 60}:{left % 60:02} left"
