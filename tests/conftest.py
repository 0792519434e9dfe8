"""Random cases: the same ones each time, few in a fast run (`--hypothesis-profile=many` or `=most` takes more).

The garbage collector seldom looks, as in a command, and never at what pytest has collected.
"""

from __future__ import annotations

import gc

import pytest
from hypothesis import HealthCheck, settings

from accelsim.collection import collect_rarely

for name, examples in (("few", 20), ("many", 100), ("most", 2000)):
    settings.register_profile(
        name,
        derandomize=True,
        deadline=None,
        max_examples=examples,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
settings.load_profile("few")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let `-m random` choose tests of random cases, and begin with groups, which one process runs while others go on
    with the rest."""
    items.sort(key=lambda item: item.get_closest_marker("xdist_group") is None)
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker("random")


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
    collect_rarely()
