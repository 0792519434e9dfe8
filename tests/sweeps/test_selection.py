"""Are the combinations that constraints leave those that they hold for, one by one?"""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from itertools import product
from time import monotonic
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from accelsim.config.constraint import exactly
from accelsim.config.load import Override
from accelsim.config.resolved import as_config
from accelsim.errors import Mistake, UserError
from accelsim.report.efficiency import of_the_chip
from accelsim.run.define import load_network, load_target
from accelsim.sweeps.points import Points
from accelsim.sweeps.selection import Combination, selected
from accelsim.sweeps.spec import Wanted, sweep_of

AXES: dict[str, list[Any]] = {
    "array.rows": [2, 3, 16],
    "array.clock_mhz": [0.5, 700],
    "dram.device": ["ideal_hbm2", "ideal_lpddr4"],
    "dram.clock_mhz": [100, 1e3],
    "dram": ["ideal_lpddr4", {"device": "ideal_hbm2", "clock_mhz": 5}],
    "network.batch": [1, 4],
    "network.width": [0.5, 1],
    "vector.lanes": ["many", 0, 8],
}
TERMS = ["array.rows", "array.clock_mhz", "dram.clock_mhz", "network.batch", "vector.lanes", "dma.setup_cycles", "3"]
TERMS += [
    "area_mm2",
    "peak_tops_per_w",
    "0.5",
    "energy.table",
    "sram.weight.capacity_bytes",
    "network.width",
    "network.none",
]
SUMS = st.tuples(*[st.sampled_from(TERMS)] * 2, st.sampled_from("+-*/")).map(
    lambda found: f"{found[2]}".join(found[:2])
)
CONSTRAINTS = st.tuples(SUMS, st.sampled_from(["<", ">=", "==", "!="]), SUMS).map(" ".join)


def one_by_one(wanted: Wanted) -> list[Combination]:
    """As `selected`, every combination resolved."""
    kept = []
    for network, machine in product(wanted.networks, wanted.machines):
        for choices in product(*wanted.axes):
            overrides = [override for choice in choices for override in choice]
            values = both(network, machine, overrides)
            if all(decided(constraint, values) for constraint, _ in wanted.constraints):
                kept.append(Combination(network, machine, overrides))
    return kept


def both(network: str, machine: str, overrides: list[Override]) -> dict[str, Any]:
    """The configuration of a point; of a wrong one what was asked for, as far as this test sets wrong values."""
    lanes = [override for override in overrides if override.path == ("vector", "lanes")]
    rest = [override for override in overrides if override not in lanes and override.path[0] != "network"]
    values = as_config(load_target(machine, rest).machine)
    values["vector"]["lanes"] = lanes[-1].value if lanes else values["vector"]["lanes"]
    with suppress(UserError):
        values |= of_the_chip(load_target(machine, rest + lanes).machine)
    ours = [override for override in overrides if override.path[0] == "network"]
    return {**values, "network": as_config(load_network(network, ours)[0])}


def decided(constraint: Any, values: dict[str, Any]) -> bool:
    """Whether it holds, or can't be decided."""

    def number(key: str) -> int | Fraction:
        found: Any = values
        for part in key.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        if isinstance(found, bool) or not isinstance(found, int | float):
            raise ValueError
        return exactly(found)

    with suppress(ValueError):
        return bool(constraint.holds(number))
    return True


@example(["dram.clock_mhz", "dram"], ["array.rows < dram.clock_mhz"])
@given(st.lists(st.sampled_from(sorted(AXES)), max_size=3, unique=True), st.lists(CONSTRAINTS, min_size=1, max_size=2))
def test_selection_is_that_of_each_combination(keys: list[str], where: list[str]) -> None:
    wanted = sweep_of(
        {
            "networks": ["mobilenet_v1_0.25_128", "squeezenet_v1.0"],
            "machines": ["edge", "cloud"],
            "grid": {key: AXES[key] for key in keys},
            "where": where,
        }
    )
    mistakes: set[Mistake] = set()
    assert list(selected(wanted, Points(wanted)._value, mistakes)) == one_by_one(wanted)


def test_a_million_combinations() -> None:
    wanted = sweep_of(
        {
            "networks": ["squeezenet_v1.0"],
            "machines": ["edge"],
            "grid": {key: list(range(1, 1001)) for key in ("array.rows", "array.cols")},
            "where": ["array.rows * array.cols < 3"],
        }
    )
    begin = monotonic()
    assert len(list(selected(wanted, lambda *_: None, set()))) == 3
    assert monotonic() - begin < 5


def test_constraints_that_can_never_be_decided_are_left_alone() -> None:
    wanted = sweep_of(
        {
            "networks": ["squeezenet_v1.0"],
            "machines": ["edge"],
            "grid": {"array.rows": list(range(1000)), "array.cols": list(range(1000))},
            "where": ["array.rows / (array.cols - array.cols) < 3"],
        }
    )
    mistakes: set[Mistake] = set()
    next(selected(wanted, lambda *_: None, mistakes))
    assert [mistake.expected for mistake in mistakes] == ["a divisor other than 0"]
