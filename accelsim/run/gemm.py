"""One matrix product, or several equal ones, on a machine."""

from __future__ import annotations

from accelsim.config.machine import Machine
from accelsim.config.scheduling import Scheduling
from accelsim.config.schema import validate
from accelsim.config.strict_yaml import Document, Origin
from accelsim.config.workload import MAX_EXTENT, Workload
from accelsim.dataflows.contract import Gemm
from accelsim.errors import ARGUMENTS, Mistake, UserError
from accelsim.network.array import array_context
from accelsim.network.build import MAX_ELEMENTS, build
from accelsim.run.alone import quickest
from accelsim.run.simulate import run_network


def run_gemm(
    m: int, k: int, n: int, groups: int, machine: Machine, scheduling: Scheduling = Scheduling()
) -> dict[str, int | float | str]:
    """`groups` products (m x k) * (k x n).

    array_cycles is the array alone (docs/machine.md sections 2 and 3), with `dataflow: auto` that of the best one,
    which array_dataflow names; the rest is the whole machine. Raises UserError.
    """
    _refuse_huge(m, groups * k, groups * n)
    workload, document = _gemm_workload(m, k, n, groups)
    run = run_network(workload, build(workload, document), machine, scheduling)
    array = machine.array
    name, alone = quickest(Gemm(groups, m, k, n), array_context(machine), machine)
    return {
        **({"array_dataflow": name} if array.dataflow == "auto" else {}),
        "array_cycles": alone,
        "total_cycles": run.totals["total_cycles"],
        "macs": run.totals["macs"],
        "array_utilization": groups * m * k * n / (alone * array.rows * array.cols),
        "utilization": run.totals["utilization"],
        "dram_read_bytes": run.totals["dram_read_bytes"],
        "dram_write_bytes": run.totals["dram_write_bytes"],
        "dram_burst_bytes": run.totals["dram_burst_bytes"],
        "dram_burst_efficiency": run.totals["dram_burst_efficiency"],
        "energy_total_pj": run.totals["energy_total_pj"],
    }


def _refuse_huge(m: int, k: int, n: int) -> None:
    limits = {"G x K": (k, MAX_EXTENT), "G x N": (n, MAX_EXTENT)}
    limits |= {"M x G x K": (m * k, MAX_ELEMENTS), "M x G x N": (m * n, MAX_ELEMENTS)}
    mistakes = [
        Mistake(ARGUMENTS, 0, key, f"at most {most}", str(size)) for key, (size, most) in limits.items() if size > most
    ]
    if mistakes:
        raise UserError(mistakes)


def _gemm_workload(m: int, k: int, n: int, groups: int) -> tuple[Workload, Document]:
    """The rows of A are the pixels of a map of width 1, the products the groups of a 1x1 convolution."""
    data = {
        "name": f"gemm_{m}x{k}x{n}",
        "source": "command line",
        "input": {"height": m, "width": 1, "channels": groups * k},
        "layers": [{"name": "gemm", "op": "matmul", "channels": groups * n, "groups": groups}],
    }
    document = Document(data, {(): Origin(ARGUMENTS, 0)})
    return validate(Workload, document), document
