"""A finished run simulated again from its file alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from accelsim.run.reprice import run_bytes, run_of
from accelsim.run.result import Run
from accelsim.run.simulate import run_network
from accelsim.run.what_if import with_what_if


class Deviation(NamedTuple):
    """A value of run.json that came out differently; where: a layer, or `totals`."""

    where: str
    value: str
    then: Any
    now: Any


class Rerun(NamedTuple):
    """The run as it was kept and as it is now; whether run.json is the same to the byte, and which values differ."""

    kept: Run
    now: Run
    same_bytes: bool
    differences: tuple[Deviation, ...]


def rerun(path: str) -> Rerun:
    """Simulate what a folder of `accelsim run -o`, or its run.json, has in it. Raises UserError."""
    before, shown_as = run_bytes(path)
    kept = run_of(before, shown_as)
    now = run_network(kept.workload, kept.network, kept.machine, kept.scheduling)
    if kept.doubled_cycles:
        now = with_what_if(now)
    after = now.to_json().encode()
    differences = () if before == after else tuple(_differences(json.loads(before), json.loads(after)))
    return Rerun(kept, now, before == after, differences)


def _differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Deviation]:
    yield from _of("totals", then["totals"], now["totals"])
    for key in ("inference_ends", "doubled_cycles"):
        if then.get(key) != now.get(key):
            yield Deviation("run", key, then.get(key), now.get(key))
    for before, after in zip(then["layers"], now["layers"], strict=True):
        yield from _of(after["layer"], _flat(before), _flat(after))


def _of(where: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Deviation]:
    for name in dict.fromkeys((*then, *now)):
        if then.get(name) != now.get(name):
            yield Deviation(where, name, then.get(name), now.get(name))


def _flat(layer: Mapping[str, Any]) -> dict[str, Any]:
    """A layer with its stalls and counts beside its clocks."""
    stalls = {f"stall_{cause}_cycles": cycles for cause, cycles in layer["stalls"].items()}
    return {
        **{key: value for key, value in layer.items() if not isinstance(value, dict)},
        **stalls,
        **layer["counts"],
        **layer.get("caches", {}),
    }
