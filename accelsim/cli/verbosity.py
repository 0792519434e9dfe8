"""Verbosity: how much is said beside the result, on standard error, with `--quiet` and `--verbose`.

What is worth knowing is logged as `accelsim`: warnings are notes on the result, `--quiet` leaves them out; infos are
steps on the way, shown by `--verbose` with the seconds since the beginning.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from time import monotonic
from typing import Any

from accelsim.errors import Mistake, UserError


def add_verbosity(parser: Any, quiet: str = "no progress, no notes on the result") -> None:
    """The two options; `quiet` says what the first one leaves out."""
    parser.add_argument("-q", "--quiet", action="store_true", help=quiet)
    parser.add_argument("-v", "--verbose", action="store_true", help="say on standard error what is being done")


def note(text: str) -> None:
    """Say something about the result that is worth knowing."""
    import logging

    logging.getLogger("accelsim").warning(text)


def apply_verbosity(arguments: Namespace) -> None:
    """From now on, say as much as was requested. Raises UserError where that contradicts itself."""
    import logging

    quiet, verbose = getattr(arguments, "quiet", False), getattr(arguments, "verbose", False)
    if quiet and verbose:
        raise UserError([Mistake("command-line", 0, "-v/--verbose", "one of the two", "-q/--quiet too")])

    begin = monotonic()

    class ToStandardError(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seconds = f"{monotonic() - begin:8.2f} s  " if record.levelno < logging.WARNING else ""
            print(f"{seconds}{record.getMessage()}", file=sys.stderr)

    logger = logging.getLogger("accelsim")
    logger.handlers, logger.disabled = [ToStandardError()], False
    logger.setLevel(logging.ERROR if quiet else logging.INFO if verbose else logging.WARNING)
