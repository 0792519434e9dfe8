"""Results of functions of objects that never change, such as a machine, kept for the few objects that were last."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

Of = TypeVar("Of")
Result = TypeVar("Result")

_MOST = 4


def kept(function: Callable[[Of], Result]) -> Callable[[Of], Result]:
    """The function, which is not called again for an object of its last few calls; one that is equal is another."""
    last: list[tuple[Of, Result]] = []

    @wraps(function)
    def found(of: Of) -> Result:
        for each, result in last:
            if each is of:
                return result
        result = function(of)
        last[:] = [*last[1 - _MOST :], (of, result)]
        return result

    return found
