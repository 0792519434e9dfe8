"""ONNX's own shape inference, in a process of its own: it is native code, and some models end the one it runs in."""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

MOST_S = 20
MOST_BYTES = 1 << 30
"""Processor time, and memory beside what there is, that an inference may take."""


def apart(infer: Callable[[], Any]) -> Any:
    """The result of a function, which JSON has to be able to say; None where it fails, or takes too long or too much.

    Windows, which cannot part a process, calls it here.
    """
    if sys.platform == "win32":
        return _tried(infer)
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # other threads are no harm: the child calls this, and ends
        child = os.fork()
    if child == 0:
        _answer(infer, writing)
    os.close(writing)
    try:
        with os.fdopen(reading, "rb") as answer:
            raw = answer.read()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    try:
        return json.loads(raw)
    except ValueError:  # a child that was ended has said nothing, or not all
        return None


def _tried(infer: Callable[[], Any]) -> Any:
    try:
        return infer()
    except Exception:
        return None


def _answer(infer: Callable[[], Any], writing: int) -> NoReturn:
    """Write the result of a function, and end this process."""
    try:
        _bound()
        raw = json.dumps(_tried(infer)).encode()
        with os.fdopen(writing, "wb") as answer:
            answer.write(raw)
    finally:
        os._exit(0)


def _bound() -> None:
    """Take no more than is allowed, leave no dump of memory, and say nothing."""
    from resource import RLIMIT_AS, RLIMIT_CORE, RLIMIT_CPU, getrlimit, setrlimit

    faulthandler.disable()
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    with suppress(OSError, ValueError):
        setrlimit(RLIMIT_CORE, (0, 0))
        setrlimit(RLIMIT_CPU, (MOST_S, MOST_S))
    with suppress(OSError, ValueError):
        there = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        _, most = getrlimit(RLIMIT_AS)
        setrlimit(RLIMIT_AS, (there + MOST_BYTES, most))
