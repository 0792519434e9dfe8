"""Scaling between technology nodes: Stillmaker and Baas, Integration 58, 2017, pages 74 to 81.

Energy of a gate is a polynomial of the supply voltage at each node, area a factor between nodes. The coefficients are
those of the paper as UCLA NanoCAD nodeScale has them at a912c60. Between the paper's nodes both follow straight lines
over logarithms, which is ours.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from math import exp, log
from typing import NamedTuple

from accelsim.config.energy_table import Process


class GateEnergy(NamedTuple):
    """Coefficients of the energy of a gate over the supply voltage."""

    square: float
    linear: float
    constant: float

    def at(self, supply_v: float) -> float:
        """Energy of a gate, in the paper's unit."""
        return (self.square * supply_v + self.linear) * supply_v + self.constant


_OLD = {
    65: GateEnergy(3.755, -4.398, 1.975),
    90: GateEnergy(4.762, -4.781, 2.092),
    130: GateEnergy(7.171, -6.709, 2.904),
}
ENERGIES: Mapping[Process, Mapping[int, GateEnergy]] = {
    "hp": {
        7: GateEnergy(0.1776, -0.09097, 0.02447),
        10: GateEnergy(0.2068, -0.09311, 0.02375),
        14: GateEnergy(0.2363, -0.09675, 0.02239),
        16: GateEnergy(0.2958, -0.1241, 0.03024),
        20: GateEnergy(0.373, -0.1582, 0.04104),
        32: GateEnergy(0.8367, -0.4341, 0.1701),
        45: GateEnergy(1.018, -0.3107, 0.1539),
        **_OLD,
    },
    "lp": {
        7: GateEnergy(0.09365, -0.03409, 0.02043),
        10: GateEnergy(0.1261, -0.0518, 0.02769),
        14: GateEnergy(0.1556, -0.06472, 0.03066),
        16: GateEnergy(0.2139, -0.1187, 0.05639),
        20: GateEnergy(0.2632, -0.14, 0.06841),
        32: GateEnergy(0.9559, -0.7823, 0.471),
        45: GateEnergy(1.103, -0.362, 0.2767),
        **_OLD,
    },
}
AREAS: Mapping[int, float] = {
    7: 0.059, 10: 0.1, 14: 0.17, 16: 0.19, 20: 0.21, 32: 0.46, 45: 1.0, 65: 1.5, 90: 2.8, 130: 6.4,
}  # fmt: skip
"""Area of a gate by node, over that at 45 nm."""


def energy_factor(from_nm: float, from_v: float, to_nm: float, to_v: float, process: Process) -> float:
    """Energy of logic at one node and supply voltage over that at another."""
    return _gate_energy(to_nm, to_v, process) / _gate_energy(from_nm, from_v, process)


def area_factor(from_nm: float, to_nm: float) -> float:
    """Area at one node over that at another."""
    return _between(AREAS, to_nm) / _between(AREAS, from_nm)


def _gate_energy(node_nm: float, supply_v: float, process: Process) -> float:
    return _between({node: energy.at(supply_v) for node, energy in ENERGIES[process].items()}, node_nm)


def _between(values: Mapping[int, float], node_nm: float) -> float:
    nodes = sorted(values)
    above = min(max(bisect_left(nodes, node_nm), 1), len(nodes) - 1)
    low, high = nodes[above - 1], nodes[above]
    slope = log(values[high] / values[low]) / log(high / low)
    return values[low] * exp(slope * log(node_nm / low))
