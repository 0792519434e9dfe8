"""The command line. Exit codes: 0 fine, 1 a check failed, 2 the user's mistake, 130 interrupted."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from accelsim.cli.parser import parse
from accelsim.errors import UserError

FINE, CHECK_FAILED, MISTAKE, INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; returns its exit code."""
    try:
        arguments = parse(sys.argv[1:] if argv is None else list(argv))
        code: int = arguments.command(arguments)
        sys.stdout.flush()
        return code
    except UserError as error:
        for mistake in error.mistakes:
            print(mistake, file=sys.stderr)
        return MISTAKE
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FINE
