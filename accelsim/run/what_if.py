"""Clocks of a run with one resource twice as good: the whole run again on that machine, plans and program made anew."""

from __future__ import annotations

from dataclasses import replace

from accelsim.run.doubled import DOUBLED
from accelsim.run.play import perform
from accelsim.run.result import Run


def with_what_if(run: Run) -> Run:
    """The run with the clocks of its layers for each resource. Raises UserError where a layer then does not fit.

    A machine that a doubled resource leaves as it is is not run again.
    """
    found: dict[str, tuple[int, ...]] = {}
    for name, double in DOUBLED.items():
        machine = double(run.machine)
        is_same = machine == run.machine
        again = run if is_same else perform(run.network, machine, run.scheduling, saves=False)
        found[name] = tuple(record.total_cycles for record in again.records)
    return replace(run, doubled_cycles=found)
