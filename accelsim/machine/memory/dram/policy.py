"""Rules by which a channel turns from reads to writes and back, and by which it closes rows."""

from __future__ import annotations

from typing import NamedTuple

from accelsim.config.dram import CommandDevice


class Policy(NamedTuple):
    """Entries of each queue; writes are served from above `write_above` until below `read_below` of them.

    closes_idle_rows: a row that no burst waits for is closed, when nothing older is to be done. answers_at_command: a
    write is answered with its command, not when its data has passed.
    """

    entries: int
    write_above: float
    read_below: float
    closes_idle_rows: bool
    answers_at_command: bool

    @classmethod
    def of(cls, device: CommandDevice) -> Policy:
        """The policy of a device."""
        queues = device.scheduler
        above, below = queues.write_high * queues.queue_entries, queues.write_low * queues.queue_entries
        return cls(queues.queue_entries, above, below, device.page_policy == "closed", queues.write_answer == "command")
