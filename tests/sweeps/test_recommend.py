"""Does `accelsim recommend` find the machine that enumeration finds, in less, and say why? What do sweeps answer?"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from accelsim.area.sizes import CHIPS_OVER_MODEL, area_of
from accelsim.cli import main
from accelsim.config.constraint import parse_constraint
from accelsim.errors import UserError
from accelsim.records import ENERGY_COMPONENTS
from accelsim.report.columns import Value
from accelsim.report.quantities import amount_text
from accelsim.sweeps.front import conditions, geometric_mean, means
from accelsim.sweeps.judged import Aim
from accelsim.sweeps.kept import KeptRecommendation, read, save
from accelsim.sweeps.recommend import Recommendation, recommend
from accelsim.sweeps.recommended import recommendation_lines
from accelsim.sweeps.space import Space
from accelsim.sweeps.spec import Wanted, inline_sweep
from accelsim.sweeps.store import NAME, opened
from accelsim.sweeps.work import COLUMN_NAMES, Finished, PointTask, target_of
from tests import silicon
from tests.commands import refused
from tests.sweeps.test_sweep import MACHINE, NET, here, rows_of

SIZES = ("array.rows=" + ",".join(map(str, range(2, 18))), "array.cols=" + ",".join(map(str, range(2, 18))))


def space_of(*axes: str, networks: tuple[str, ...] = (NET,)) -> Wanted:
    return inline_sweep(networks, [MACHINE], list(enumerate(axes)), [])


def valley(task: PointTask) -> Finished:
    """A machine whose latency has one lowest place, at 11 rows and 5 columns, and whose power are its PEs."""
    array = target_of(task.machine).machine.array
    cost = 1 + abs(array.rows - 11) + 0.3 * abs(array.cols - 5)
    values: dict[str, Value | None] = {
        **dict.fromkeys(COLUMN_NAMES, 1),
        "inferences": 1,
        "batch": 1,
        "latency_ms": cost,
        "average_power_mw": float(array.rows * array.cols),
    }
    return Finished(task.sha256, "done", None, values)


def searched(folder: Path, wanted: Wanted, aim: Aim, ran: list[PointTask] | None = None) -> Recommendation:
    """A recommendation from machines of the valley."""

    def workers(tasks: Iterator[PointTask]) -> Iterator[Finished]:
        for task in tasks:
            if ran is not None:
                ran.append(task)
            yield valley(task)

    return recommend(wanted, folder, workers, aim, lambda _: lambda: None)


def found_in(found: Recommendation) -> dict[str, Any]:
    return found.space.settings(found.best.candidate)


def test_it_finds_what_enumeration_finds_in_a_fifth_of_the_machines(tmp_path: Path) -> None:
    found = searched(tmp_path, space_of(*SIZES), Aim("latency", trials=48))
    assert found_in(found) == {"array.rows": 11, "array.cols": 5}
    assert found.tried <= 48
    assert {place for place, _ in found.neighbours} == {1, 2}
    assert all(judged.cost > found.best.cost for _, judged in found.neighbours)


def test_budgets_hold_and_are_sought(tmp_path: Path) -> None:
    """The best of the allowed ones, 5 x 5, by brute force; most of the space is outside."""
    budgets = conditions([(0, "average_power_mw <= 30")])
    found = searched(tmp_path, space_of(*SIZES), Aim("latency", budgets, trials=48))
    allowed = [(r, c) for r in range(2, 18) for c in range(2, 18) if r * c <= 30]
    best = min(1 + abs(r - 11) + 0.3 * abs(c - 5) for r, c in allowed)
    assert found.best.cost <= best * 1.05
    assert found.best.broken is None


def test_budgets_that_nothing_keeps_are_refused_with_what_there_was(tmp_path: Path) -> None:
    budgets = conditions([(0, "average_power_mw <= 3")])
    with pytest.raises(
        UserError, match=r"none of \d+; the nearest is outside .* <= 3; each alone .*: average_power_mw <= 4 or >= \d\d"
    ):
        searched(tmp_path, space_of(*SIZES), Aim("latency", budgets, trials=24))


def test_a_budget_without_columns_has_nothing_that_can_be_had(tmp_path: Path) -> None:
    budgets = conditions([(0, "1 >= 2")])
    with pytest.raises(UserError, match=r"got none of 1; the nearest is outside 1 >= 2$"):
        searched(tmp_path, space_of("array.rows=2"), Aim("latency", budgets))


@pytest.mark.parametrize("budgets", [[], ["latency_ms <= 3"]])
def test_machines_that_all_fail_are_refused_with_an_error(budgets: list[str], tmp_path: Path) -> None:
    """Whatever the budgets are: none can be had."""
    aim = Aim("latency", conditions(list(enumerate(budgets))))
    with pytest.raises(
        UserError, match=r"^arguments:0: machines: expected one that runs all .*, got none of 2; no room$"
    ):
        advised(tmp_path, aim, lambda task: Finished(task.sha256, "refused", "no room"), space_of("array.rows=2,4"))


def test_what_a_machine_fails_by_has_a_line_of_its_own(tmp_path: Path) -> None:
    """Two causes on a line would be taken for one."""
    error = "arguments:0: network: expected one that is simulated within 7 days, got 9 days (and 2 more)"
    first = r"arguments:0: machines: expected one that runs all networks, got none of 2"
    with pytest.raises(UserError, match=f"^{first}\n{re.escape(error)}$"):
        advised(
            tmp_path,
            Aim("latency", ()),
            lambda task: Finished(task.sha256, "refused", error),
            space_of("array.rows=2,4"),
        )


def test_an_answer_goes_where_the_next_search_has_none(tmp_path: Path) -> None:
    """A page would open with it beside other results."""
    searched(tmp_path, space_of(*SIZES), Aim("latency", trials=4))
    save(tmp_path, KeptRecommendation(["4x4"], [0], []))
    with pytest.raises(UserError):
        searched(tmp_path, space_of(*SIZES), Aim("latency", conditions([(0, "average_power_mw <= 3")]), trials=8))
    assert read(tmp_path) is None


@pytest.mark.parametrize("trials", [1, 2, 7, 20])
def test_trials_are_a_hard_cap_and_what_progress_counts_to(trials: int, tmp_path: Path) -> None:
    """Steps to neighbours count, too."""
    ran: list[PointTask] = []
    totals: list[int] = []
    steps: list[None] = []

    def watch(total: int) -> Callable[[], None]:
        totals.append(total)
        return lambda: steps.append(None)

    def workers(tasks: Iterator[PointTask]) -> Iterator[Finished]:
        for task in tasks:
            ran.append(task)
            yield valley(task)

    found = recommend(space_of(*SIZES), tmp_path, workers, Aim("latency", trials=trials), watch)
    assert (found.tried, len(ran), totals, len(steps)) == (trials, trials, [trials], trials)
    around = list(found.space.neighbours(found.best.candidate))
    assert len(found.neighbours) + found.unknown == len(around)


def on_edge(*axes: str) -> Wanted:
    return inline_sweep([NET], ["edge"], list(enumerate(axes)), [])


def test_machines_beyond_an_area_are_not_simulated(tmp_path: Path) -> None:
    """Their area is known without; they take no trials, and progress does not count to them."""
    ran: list[PointTask] = []
    totals: list[int] = []

    def watch(total: int) -> Callable[[], None]:
        totals.append(total)
        return lambda: None

    def workers(tasks: Iterator[PointTask]) -> Iterator[Finished]:
        for task in tasks:
            ran.append(task)
            area = area_of(target_of(task.machine).machine)
            assert area
            values = {**valley(task).values, "area_mm2": area.total_mm2}
            yield valley(task)._replace(values=values)

    aim = Aim("latency", conditions([(0, "area_mm2 <= 1.9")]))
    found = recommend(on_edge("array.rows=4,8,16,64,128"), tmp_path, workers, aim, watch)
    sizes = {target_of(task.machine).machine.array.rows for task in ran}
    assert (sizes, totals, found.tried, found.unfit) == ({4, 8, 16}, [3], 3, 2)
    assert "2 outside the budgets were not simulated" in recommendation_lines(found, aim)[0]
    none = Aim("latency", conditions([(0, "area_mm2 <= 0.1")]))
    with pytest.raises(UserError, match=r"none of 2; the nearest is outside area_mm2 <= 0\.1"):
        recommend(on_edge("array.rows=4,8"), tmp_path / "none", workers, none, watch)
    assert len(ran) == 3


def test_it_goes_on_where_it_was_and_proposes_the_same(tmp_path: Path) -> None:
    """In the same store; a sweep of other keys has no place in it."""
    first: list[PointTask] = []
    again: list[PointTask] = []
    more: list[PointTask] = []
    wanted = space_of(*SIZES)
    one = searched(tmp_path / "a", wanted, Aim("latency", trials=20), first)
    two = searched(tmp_path / "a", wanted, Aim("latency", trials=20), again)
    assert (first != [], again) == (True, [])
    assert (two.best, two.neighbours) == (one.best, one.neighbours)
    searched(tmp_path / "b", wanted, Aim("latency", trials=20), more)
    assert more == first
    assert (tmp_path / "a" / "results.csv").read_bytes() == (tmp_path / "b" / "results.csv").read_bytes()
    with pytest.raises(UserError, match="with a sweep of other keys"):
        searched(tmp_path / "a", space_of("vector.lanes=1,2"), Aim("latency"))


def test_a_small_space_is_tried_whole_and_a_sweep_goes_on_from_there(tmp_path: Path) -> None:
    wanted = space_of("array.rows=2,4", "array.dataflow=ws,os")
    ran: list[PointTask] = []
    found = recommend(wanted, tmp_path, here(ran), Aim("edp"), lambda _: lambda: None)
    assert (found.tried, found.points, len(ran)) == (4, 4, 4)
    assert [row["point"] for row in rows_of(tmp_path)] == ["0", "1", "2", "3"]
    argv = ["--network", NET, "--hw", MACHINE, "--vary", "array.rows=2,4", "--vary", "array.dataflow=ws,os"]
    assert main(["sweep", *argv, "-o", str(tmp_path), "--jobs", "1"]) == 0


@pytest.mark.parametrize("objective", ["latency", "energy", "edp"])
def test_it_is_said_in_five_lines(objective: str, tmp_path: Path) -> None:
    aim = Aim(objective, conditions([(0, "average_power_mw <= 1e6")]))
    found = recommend(space_of("array.rows=2,4"), tmp_path, here(), aim, lambda _: lambda: None)
    machine, cost, budget, neighbours, upcoming = recommendation_lines(found, aim)
    rows = {row["array.rows"]: row for row in rows_of(tmp_path)}
    size = str(found_in(found)["array.rows"])
    other = next(each for each in rows if each != size)
    assert machine == f"{MACHINE} array.rows={size}: least {objective} of 2 of 2 machines tried"
    assert cost.startswith(f"{objective} ")
    power = amount_text(float(rows[size]["average_power_mw"]), "mW")
    assert budget.startswith(f"keeps average_power_mw <= 1e6 ({power}")
    assert neighbours.startswith(f"neighbours: rows={other} ")
    assert upcoming.startswith("next bottleneck: ")


def steps_of(**changed: dict[int, float]) -> Callable[[PointTask], Finished]:
    """Results by array.rows: all is 1, but a clock is a millisecond, and of columns what is given."""

    def result(task: PointTask) -> Finished:
        rows = target_of(task.machine).machine.array.rows
        plain = {name: 0 if name.startswith(("stall_", "saved_by_")) else 1 for name in COLUMN_NAMES}
        given = {name: by_rows[rows] for name, by_rows in changed.items()}
        return valley(task)._replace(values={**plain, **given})

    return result


def advised(folder: Path, aim: Aim, result: Callable[[PointTask], Finished], wanted: Wanted) -> list[str]:
    def workers(tasks: Iterator[PointTask]) -> Generator[Finished, None, None]:
        yield from map(result, tasks)

    found = recommend(wanted, folder, workers, aim, lambda _: lambda: None)
    return recommendation_lines(found, aim)


def test_neighbours_lose_by_latency_and_energy_each_for_a_reason_of_its_own(tmp_path: Path) -> None:
    """By hand: 1.31 ms instead of 1, all of it streaming through too few rows; 1.1 pJ instead of 1, all of it SRAM."""
    result = steps_of(
        latency_ms={2: 1.31, 4: 1.0}, total_cycles={2: 131, 4: 100}, saved_by_twice_array_rows_cycles={2: 60, 4: 40},
        energy_per_inference_pj={2: 1.1, 4: 1.0}, energy_sram_pj={2: 0.6, 4: 0.5},
    )  # fmt: skip
    lines = advised(tmp_path, Aim("edp"), result, space_of("array.rows=2,4"))
    assert lines[3] == "neighbours: rows=2 +44.1 % edp: +31.0 % latency (array rows), +10.0 % energy (SRAM)"


def test_a_difference_that_plans_make_is_a_tie(tmp_path: Path) -> None:
    result = steps_of(latency_ms={2: 1.011, 4: 1.0}, area_mm2={2: 0.9, 4: 1.0})
    assert advised(tmp_path, Aim("latency"), result, space_of("array.rows=2,4"))[3] == (
        "neighbours: rows=2 ties (+1.1 % latency, -10.0 % area)"
    )


def test_budgets_say_what_ranges_leave_of_them(tmp_path: Path) -> None:
    """By hand: 400 mW at 2 pJ, which may be 1 to 4; 1 mm2, where chips were up to 1.4 times as large."""
    result = steps_of(
        average_power_mw={2: 400}, energy_total_pj={2: 2}, energy_low_pj={2: 1}, energy_high_pj={2: 4}, area_mm2={2: 1}
    )
    budgets = conditions([(0, "average_power_mw <= 500"), (0, "area_mm2 <= 2")])
    assert advised(tmp_path, Aim("latency", budgets), result, on_edge("array.rows=2"))[2] == (
        "keeps average_power_mw <= 500 (400 mW, 200 mW to 800 mW by the ranges of prices; not at the upper end); "
        "area_mm2 <= 2 (1 mm2, 1 mm2 to 1.4 mm2 as chips are larger)"
    )


def test_without_optuna_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accelsim.sweeps.search.find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"Optuna, installed by `pip install 'accelsim\[recommend\]'`, got none"):
        searched(tmp_path / "out", space_of("array.rows=2"), Aim("latency"))
    assert not (tmp_path / "out").exists()


def test_a_rate_that_is_asked_for_is_that_of_the_slowest_network(tmp_path: Path) -> None:
    """And a limit that of the network with most."""
    rates = {"tiny": 30.0, "quick": 90.0}

    def result(task: PointTask) -> Finished:
        name = json.loads(task.network)["network"]["name"]
        return valley(task)._replace(values={**dict.fromkeys(COLUMN_NAMES, 1), "inferences_per_s": rates[name]})

    quick = tmp_path / "quick.yaml"
    quick.write_text(Path(NET).read_text().replace("name: tiny", "name: quick"))
    wanted = space_of("array.rows=2", networks=(NET, str(quick)))
    budgets = conditions([(0, "inferences_per_s >= 25"), (0, "10 <= inferences_per_s"), (0, "inferences_per_s < 100")])
    assert advised(tmp_path / "out", Aim("latency", budgets), result, wanted)[2] == (
        "keeps inferences_per_s >= 25 (30 1/s); 10 <= inferences_per_s (30 1/s); inferences_per_s < 100 (90 1/s)"
    )
    too_many = conditions([(0, "inferences_per_s >= 31")])
    with pytest.raises(UserError, match=r"each alone can be had: inferences_per_s <= 90 or >= 30$"):
        advised(tmp_path / "none", Aim("latency", too_many), result, wanted)


def test_nothing_is_a_bottleneck_where_nothing_takes_energy(tmp_path: Path) -> None:
    """All prices of a table may be 0."""
    free = {f"energy_{name}_pj": {2: 0.0} for name in (*ENERGY_COMPONENTS, "total", "per_inference")}
    lines = advised(tmp_path, Aim("energy"), steps_of(**free), space_of("array.rows=2"))
    assert lines[4] == "next bottleneck: none: nothing takes energy"


def test_chips_are_larger_than_the_model_by_what_papers_say() -> None:
    """The parts of Gemmini and TPU v1 together, as validation compares them."""
    named = {each.what: each.theirs / each.ours for each in silicon.areas()}
    ends = sorted(named[name] for name in ("area of these three", "area of both"))
    assert tuple(round(end, 1) for end in ends) == CHIPS_OVER_MODEL


def test_keys_of_networks_are_no_choice() -> None:
    with pytest.raises(UserError, match=r"network\.batch: expected a key of the machine"):
        Space(space_of("network.batch=1,2"))


def test_a_space_of_wrong_machines_says_what_is_wrong_and_leaves_no_store(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"array\.rowz: expected a known key"):
        searched(tmp_path, space_of("array.rowz=1,2"), Aim("latency"))
    assert not (tmp_path / NAME).exists()


def test_a_machine_that_is_never_proposed_is_a_matter_of_trials(tmp_path: Path) -> None:
    lanes = "vector.lanes=" + ",".join(map(str, range(1, 200)))
    only = [(0, "array.rows == 17"), (0, "array.cols == 2"), (0, "vector.lanes == 7")]
    wanted = inline_sweep([NET], [MACHINE], [*enumerate((*SIZES, lanes))], only)
    with pytest.raises(UserError, match="trials: expected more of them"):
        searched(tmp_path, wanted, Aim("latency", trials=1, seed=3))


def test_accidents_of_before_are_tried_again(tmp_path: Path) -> None:
    wanted, ran = space_of("array.rows=2,3"), list[PointTask]()
    first = searched(tmp_path, wanted, Aim("latency"))
    with opened(tmp_path) as store:
        store.connection.execute("UPDATE results SET outcome = 'failed', error = 'killed'")
    assert searched(tmp_path, wanted, Aim("latency"), ran).best == first.best
    assert len(ran) == 2


@pytest.mark.parametrize("column", ["latency_ms", "stall_store_cycles", "saved_by_twice_array_rows_cycles"])
def test_a_store_of_a_stranger_is_not_believed(column: str, tmp_path: Path) -> None:
    wanted = space_of("array.rows=2,3")
    searched(tmp_path, wanted, Aim("latency"))
    with opened(tmp_path) as store:
        store.connection.execute(f"UPDATE results SET {column} = 'x'")
        store.connection.execute("DELETE FROM points")
    with pytest.raises(UserError, match=rf"results\.{column}: expected a number from"):
        searched(tmp_path, wanted, Aim("latency"))


@pytest.mark.parametrize(
    ("axis", "is_ordered"),
    [("array.rows=1,2,4", True), ("array.rows=4,1,2", False), ("array.dataflow=ws,os", False),
     ("sram.weight.capacity=8 KiB,16 KiB,1 MiB", True), ("array.rows:array.cols=8:64,16:32", True),
     ("array.rows:array.cols=8:8,32:32,16:16", False)],
)  # fmt: skip
def test_numbers_that_rise_have_neighbours_a_step_away(axis: str, is_ordered: bool) -> None:
    space = Space(space_of(axis))
    assert space.is_ordered(1) is is_ordered
    if is_ordered:
        assert [candidate for _, candidate in space.neighbours((0, 0))] == [(0, 1)]


def test_axes_that_move_together_on_the_command_line() -> None:
    wanted = space_of("array.rows:array.cols=8:64,16:32", "array.dataflow=ws,os")
    shapes = [tuple(each.value for each in choice) for choice in wanted.axes[1]]
    assert (wanted.keys, shapes) == (["array.dataflow", "array.rows", "array.cols"], [(8, 64), (16, 32)])
    with pytest.raises(UserError, match=r"array\.rows:array\.cols: expected 2 values with : between, got 8"):
        space_of("array.rows:array.cols=8,16")


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two networks on machines of two sizes and dataflows."""
    folder = tmp_path_factory.mktemp("answers")
    second = folder / "second.yaml"
    second.write_text(Path(NET).read_text().replace("name: tiny", "name: second"))
    wanted = inline_sweep(
        [NET, str(second)], [MACHINE], [(0, "array.rows:array.cols=2:8,4:4"), (1, "array.dataflow=ws,os")], []
    )
    from accelsim.sweeps.sweep import run_sweep

    run_sweep(wanted, folder, here(), lambda _: lambda: None)
    return folder


AXES = ("--minimize", "total_cycles,energy_total_pj")


def test_conditions_on_columns_leave_points_out(swept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cycles = sorted(int(row["total_cycles"]) for row in rows_of(swept))
    limit = cycles[len(cycles) // 2]
    assert main(["pareto", str(swept), *AXES, "--where", f"total_cycles > {limit} and array.rows < 100"]) == 0
    out, err = capsys.readouterr()
    kept = [row for row in rows_of(swept) if int(row["total_cycles"]) > limit]
    listed = {line.split()[0] for line in out.splitlines()[1:]}
    assert listed
    assert listed <= {row["point"] for row in kept}
    assert f"left out: {len(cycles) - len(kept)} points outside total_cycles > {limit}" in err


@pytest.mark.parametrize(
    ("argv", "mistake"),
    [
        (("--where", "cycles < 3"), "columns: expected a column of results.csv (did you mean total_cycles?)"),
        (("--where", "__import__('os')"), "where: expected an operator or a comparison, got '('"),
        (("--weight", "vgg=2"), "--weight: expected a network of the sweep, got 'vgg'"),
        (("--weight", "vgg=x"), "--weight: expected a network and a number above 0, such as vgg16=2, got 'vgg=x'"),
        (("--per-network", "--mean"), "--per-network: expected one of the two, got means over networks too"),
    ],
)  # fmt: skip
def test_what_is_no_question_is_refused(
    argv: tuple[str, ...], mistake: str, swept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mistake in refused(["pareto", str(swept), *AXES, *argv], capsys)


def test_each_network_has_a_front_of_its_own(swept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The two are the same network by another name."""
    assert main(["pareto", str(swept), *AXES, "--per-network"]) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split() == ["point", "network", "array.dataflow", "array", "total_cycles", "energy_total_pj"]
    names = [line.split()[1] for line in lines]
    assert names.count("tiny") == names.count("second") == len(lines) / 2


def test_machines_are_compared_by_their_means(swept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pareto", str(swept), *AXES, "--mean"]) == 0
    plain = capsys.readouterr().out
    assert main(["pareto", str(swept), *AXES, "--weight", "second=3"]) == 0
    assert capsys.readouterr().out == plain


def test_means_are_geometric_and_weighted() -> None:
    assert geometric_mean([2.0, 8.0], [1, 1]) == pytest.approx(4)
    assert geometric_mean([2.0, 16.0], [2, 1]) == pytest.approx(4)
    assert geometric_mean([0.0, 5.0], [1, 1]) == 0
    points = [
        {"point": n, "network": name, "machine": "m", "array.rows": rows, "cost": cost}
        for n, (name, rows, cost) in enumerate([("a", 1, 2.0), ("b", 1, 8.0), ("a", 2, 3.0)])
    ]
    found, left_out = means(points, ["cost"], {"b": 3.0})
    assert [point["cost"] for point in found] == [pytest.approx(math.exp((math.log(2) + 3 * math.log(8)) / 4))]
    assert left_out == 1
    for condition, shown in (("cost <= 9", 8.0), ("cost >= 1", 2.0)):
        (found,), _ = means(points[:2], [], {}, {"cost": parse_constraint(condition, of_columns=True)})
        assert found["cost"] == shown


@pytest.mark.parametrize(
    ("text", "excess"), [("a.b <= 4", 0.5), ("a.b < 8", 0), ("a.b >= 12", 0.5), ("a.b == 3", 1), ("3 <= a.b <= 4", 0.5)]
)
def test_how_far_a_condition_is_from_holding(text: str, excess: float) -> None:
    assert parse_constraint(text).excess(lambda _: 6) == pytest.approx(excess)
