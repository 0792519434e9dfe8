"""Command lines that must be refused, and the files that others leave, and processes that can be interrupted."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

from accelsim.cli import main


def refused(argv: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Standard error of a command line that must be refused."""
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    return err


def too_large_network(name: str = "tiny") -> str:
    """A workload file whose layer b, a pool over a whole map, does not fit the machine beside it."""
    text = (Path(__file__).parent / "invalid" / "good" / "net.yaml").read_text()
    pooled = text.replace("op: gap", "op: maxpool, kernel: 64")
    return pooled.replace("height: 8, width: 8", "height: 64, width: 64").replace("tiny", name)


def heeds_interrupts() -> None:
    """In a new process, before its program begins: SIGINT is heeded, also where it is ignored here.

    A shell ignores it for what it runs in the background, and children inherit that.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Alarm(Exception):  # noqa: N818 (no error)
    """Time is up."""


@contextmanager
def alarm(seconds: float, *, of_processor: bool = False) -> Iterator[None]:
    """Raises Alarm this long from now, or after so much processor time, as an interrupt would be: as soon as Python is
    there to hear of it."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise Alarm(f"{seconds:g} s are over")

    timer, rings = (signal.ITIMER_PROF, signal.SIGPROF) if of_processor else (signal.ITIMER_REAL, signal.SIGALRM)
    before = signal.signal(rings, ring)
    signal.setitimer(timer, seconds)
    try:
        yield
    finally:
        signal.setitimer(timer, 0)
        signal.signal(rings, before)


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}
