"""Garbage collection in processes of our own."""

import gc

_THRESHOLDS = (50_000, 50, 1000)


def collect_rarely() -> None:
    """Collect garbage less often: a simulation makes many objects that stay and few that end in circles."""
    gc.set_threshold(*_THRESHOLDS)
