"""LSTM, GRU and RNN, step by step: the inputs' product for all steps at once, and a product for the state of each step.

The weights of a step are loaded again for the next; they are counted once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from accelsim.importers.onnx.operators.elementwise import combined
from accelsim.importers.onnx.operators.joins import joined
from accelsim.importers.onnx.operators.node import Call, note_bits, operator
from accelsim.importers.onnx.operators.parts import taken_part
from accelsim.importers.onnx.tensors import Axes, Constant, Dim, FeatureMap, Tensor, UnmodelledError, fresh

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
MOST_STEPS = 500


@dataclass(slots=True)
class RecurrentCell:
    """One direction of a node: its state's product is a row for each step, all with the weights of the first."""

    call: Call
    hidden: int
    name: str
    weights: Constant
    first: str = ""

    def product(self, state: FeatureMap, suffix: str, gates: int) -> FeatureMap:
        """The state times its weights."""
        channels = fresh(gates * self.hidden)
        axes = replace(state.axes, channels=channels)
        keys: dict[str, Any] = {"weights": self.first} if self.first else {}
        self.call.importing.wanted = f"{self.name}{suffix}"
        row = self.call.importing.row("matmul", [state.row], axes.extents, channels=gates * self.hidden, **keys)
        note_bits(self.call.importing, row, weight_bits=self.weights.bits)
        self.first = self.first or row
        return FeatureMap((*state.dims[:-1], channels), row, axes, state.batch)

    def gate(self, value: FeatureMap, first: int, count: int = 1) -> FeatureMap:
        """Some of the gates of a map."""
        whole = range(first * self.hidden, (first + count) * self.hidden)
        return taken_part(self.call, value, len(value.dims) - 1, whole)

    def function(self, op: str, value: FeatureMap) -> FeatureMap:
        """A row on each element."""
        return self.call.importing.made(op, value)

    def two(self, op: str, first: FeatureMap, second: FeatureMap) -> FeatureMap:
        """A row on two maps."""
        return combined(self.call, op, [first, second])


RecurrentState = tuple[FeatureMap, FeatureMap]
"""State of a cell: what leaves it, and what it keeps (the same but in an LSTM)."""
RecurrentStep = Callable[[RecurrentCell, FeatureMap, RecurrentState], RecurrentState]


def _lstm(cell: RecurrentCell, gates: FeatureMap, state: RecurrentState) -> RecurrentState:
    """Gates are input, output, forget and cell."""
    summed = cell.two("add", gates, cell.product(state[0], "_state", GATES["LSTM"]))
    open_ = cell.function("sigmoid", cell.gate(summed, 0, 3))
    candidate = cell.function("tanh", cell.gate(summed, 3))
    kept = cell.two("mul", cell.gate(open_, 2), state[1])
    kept = cell.two("add", kept, cell.two("mul", cell.gate(open_, 0), candidate))
    return cell.two("mul", cell.gate(open_, 1), cell.function("tanh", kept)), kept


def _gru(cell: RecurrentCell, gates: FeatureMap, state: RecurrentState) -> RecurrentState:
    """Gates are update, reset and hidden; the reset is applied behind the product, as most exporters write it."""
    product = cell.product(state[0], "_state", GATES["GRU"])
    summed = cell.two("add", cell.gate(gates, 0, 2), cell.gate(product, 0, 2))
    open_ = cell.function("sigmoid", summed)
    reset = cell.two("mul", cell.gate(open_, 1), cell.gate(product, 2))
    candidate = cell.function("tanh", cell.two("add", cell.gate(gates, 2), reset))
    update = cell.gate(open_, 0)
    moved = cell.two("mul", update, cell.two("sub", state[0], candidate))
    made = cell.two("add", candidate, moved)
    return made, made


def _rnn(cell: RecurrentCell, gates: FeatureMap, state: RecurrentState) -> RecurrentState:
    made = cell.function("tanh", cell.two("add", gates, cell.product(state[0], "_state", GATES["RNN"])))
    return made, made


STEPS: dict[str, RecurrentStep] = {"LSTM": _lstm, "GRU": _gru, "RNN": _rnn}


@operator("LSTM", "GRU", "RNN")
def recurrent(call: Call) -> list[Tensor]:
    """All states, the last one, and of an LSTM the last cell: of each direction."""
    source, weights, states = call.map(), call.constant(1), call.constant(2)
    if len(source.dims) != 3 or call.attributes.integer("layout", 0):
        raise UnmodelledError("a map of (steps, batch, features)", list(source.shape))
    direction = call.attributes.text("direction", "forward")
    ways = {"forward": (1,), "reverse": (-1,), "bidirectional": (1, -1)}.get(direction, ())
    hidden, gates = states.shape[-1], GATES[call.op]
    wanted = ((len(ways), gates * hidden, source.shape[2]), (len(ways), gates * hidden, hidden))
    if (weights.shape, states.shape) != wanted or min(weights.shape, default=0) < 1:
        raise UnmodelledError(
            f"weights that fit {source.shape[2]} features", f"{list(weights.shape)}, {list(states.shape)}"
        )
    if not 1 <= source.shape[0] <= MOST_STEPS:
        raise UnmodelledError(f"at most {MOST_STEPS} steps", source.shape[0])
    features, batch = source.dims[2], source.without_batch(source.dims[1])
    source = call.importing.ordered(source, source.dims[0], batch, features)
    name, found = call.importing.wanted, []
    for number, way in enumerate(ways):
        wanted_name = name if len(ways) == 1 else f"{name}_{'forward' if way > 0 else 'backward'}"
        found.append(_direction(call, source, weights, RecurrentCell(call, hidden, wanted_name, states), number, way))
    call.importing.wanted = name
    return _outputs(call, found)


def _direction(
    call: Call, source: FeatureMap, weights: Constant, cell: RecurrentCell, number: int, way: int
) -> tuple[list[FeatureMap], RecurrentState]:
    """The states of all steps, in the order of the steps, and the last one."""
    importing, gates = call.importing, GATES[call.op] * cell.hidden
    importing.wanted = f"{cell.name}_input"
    channels, rows = fresh(gates), fresh(source.shape[0])
    axes = Axes(rows, source.axes.cols, channels)
    row = importing.row("matmul", [source.row], axes.extents, channels=gates)
    note_bits(importing, row, weight_bits=weights.bits)
    product = FeatureMap((rows, source.dims[1], channels), row, axes, source.batch)
    first = _initial(call, cell, source, 5, number)
    state = (first, _initial(call, cell, source, 6, number) if call.op == "LSTM" else first)
    made: dict[int, FeatureMap] = {}
    steps = range(source.shape[0])
    for step in steps if way > 0 else reversed(steps):
        importing.wanted = f"{cell.name}_step{step}"
        state = STEPS[call.op](cell, taken_part(call, product, 0, range(step, step + 1)), state)
        made[step] = state[0]
    return [made[step] for step in steps], state


def _initial(call: Call, cell: RecurrentCell, source: FeatureMap, place: int, number: int) -> FeatureMap:
    """The state before the first step: given, or zeros that are read as a map is."""
    given = call.optional(place)
    channels = fresh(cell.hidden)
    dims: tuple[Dim, ...] = ((), source.dims[1], channels)
    if isinstance(given, FeatureMap):
        part = taken_part(call, given, 0, range(number, number + 1))
        return call.importing.ordered(part, part.dims[0], part.without_batch(part.dims[1]), part.dims[2])
    value = Constant((1, source.shape[1], cell.hidden))
    return call.importing.given(value, dims, Axes((), source.axes.cols, channels), "_start")


def _outputs(call: Call, found: Sequence[tuple[list[FeatureMap], RecurrentState]]) -> list[Tensor]:
    """(steps, directions, batch, hidden), and (directions, batch, hidden) of the last state and cell."""
    made: list[Tensor] = []
    read = [bool(name) and call.importing.readers.get(name, 0) > 0 for name in (*call.node.output, "", "", "")]
    steps = [each if read[0] else each[-1:] for each, _ in found]
    all_steps = [joined(call, each, 0) for each in steps]
    whole = joined(call, [_with_direction(each, 1) for each in all_steps], 1)
    made.append(whole)
    for number in range(len(call.node.output) - 1):
        last = [_with_direction(replace(state[number], dims=state[number].dims[1:]), 0) for _, state in found]
        made.append(joined(call, last, 0) if read[number + 1] else last[0])
    return made


def _with_direction(value: FeatureMap, place: int) -> FeatureMap:
    return replace(value, dims=(*value.dims[:place], (), *value.dims[place:]))
