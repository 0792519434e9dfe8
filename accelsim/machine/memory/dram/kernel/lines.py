"""Lines that a cache asks a memory below it for, one at a time, and what it is told."""

from __future__ import annotations


class Lines:
    """The memory port in numbers, for kernels that call each other in C. Clocks are those of the array.

    teller, issued, done: of what was told last its requester, and when that may issue the next request, or when its
    oldest request was done; NONE where it was the other one. fails: it can't go on, and `CommandMemory.check` says why.
    """

    __slots__ = ("done", "fails", "issued", "teller")

    def __init__(self) -> None:
        self.teller = self.issued = self.done = 0
        self.fails = False

    def ask(self, requester: int, address: int, size: int, cycle: int, quiet: bool) -> bool:
        """Read these bytes, or write them where `size` is negative; True where `issued` and `done` are known at once.

        quiet: when they are issued need not be told.
        """
        raise NotImplementedError

    def reach(self, cycle: int) -> bool:
        """Go on until there is something to be told, at most to a clock; False where it is to be called again."""
        raise NotImplementedError

    def tells(self) -> bool:
        """Tell the next thing; False where there is none."""
        raise NotImplementedError
