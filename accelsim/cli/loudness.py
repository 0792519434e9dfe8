"""How much is said beside the result, on standard error: `--quiet` and `--verbose`.

What is worth knowing is logged as `accelsim`: warnings are notes on the result, `--quiet` leaves them out; infos are
steps on the way, shown by `--verbose` with the seconds since the beginning.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from time import monotonic
from typing import Any


def add_loudness(parser: Any, quiet: str = "no progress, no notes on the result") -> None:
    """The two options; `quiet` says what the first one leaves out."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("-q", "--quiet", action="store_true", help=quiet)
    group.add_argument("-v", "--verbose", action="store_true", help="say on standard error what is being done")


def note(text: str) -> None:
    """Say something about the result that is worth knowing."""
    import logging

    logging.getLogger("accelsim").warning(text)


def apply_loudness(arguments: Namespace) -> None:
    """From now on, say as much as was asked for."""
    import logging

    begin = monotonic()

    class ToStandardError(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seconds = f"{monotonic() - begin:8.2f} s  " if record.levelno < logging.WARNING else ""
            print(f"{seconds}{record.getMessage()}", file=sys.stderr)

    logger = logging.getLogger("accelsim")
    logger.handlers, logger.disabled = [ToStandardError()], False
    quiet, verbose = getattr(arguments, "quiet", False), getattr(arguments, "verbose", False)
    logger.setLevel(logging.ERROR if quiet else logging.INFO if verbose else logging.WARNING)
