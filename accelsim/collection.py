"""Garbage collection in processes of our own, and in work that makes hardly any garbage in circles."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_THRESHOLDS = (50_000, 50, 1000)


def collect_rarely() -> None:
    """Collect garbage less often: a simulation makes many objects that stay and few that end in circles."""
    gc.set_threshold(*_THRESHOLDS)


@contextmanager
def uncollected() -> Iterator[None]:
    """A stretch of work without the collector of circles, which would look through all that stays again and again."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
