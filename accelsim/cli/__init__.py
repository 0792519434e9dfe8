"""The command line; its exit codes are in docs/shell.md."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace

from accelsim.cli.parser import parse
from accelsim.cli.streams import columns_of_output, sound_streams
from accelsim.cli.verbosity import apply_verbosity
from accelsim.config.places import allow
from accelsim.errors import ARGUMENTS, DeadlockError, Mistake, UserError
from accelsim.report.tables import PAGE, page_of

TYPED = {
    "budget": "--budget",
    "column": "COLUMN",
    "energy_table": "--energy",
    "file": "FILE",
    "folder": "-o",
    "kind": "--kind",
    "layer": "--layer",
    "layers": "--trace-layers",
    "scheduler": "--scheduler",
    "settings": "--set",
    "sweep": "DIR",
    "trials": "--trials",
    "vary": "--vary",
    "weights": "--weight",
}
"""Arguments of functions as the command line has them, where it calls them something else."""
OPTIONS = {" or an allowed one": ", or --allow-path", "or `force`": "or --force", "with `force`": "with --force"}
"""Options that may help, by the words of a message that they replace."""
FINE, CHECK_FAILED, MISTAKE, INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; returns its exit code."""
    with sound_streams(), page_of(columns_of_output(PAGE)):
        return _run(sys.argv[1:] if argv is None else list(argv))


def _run(argv: Sequence[str]) -> int:
    try:
        arguments = parse(argv)
        apply_verbosity(arguments)
        allow(getattr(arguments, "allow_path", []))
        code: int = arguments.command(arguments)
        print(end="", flush=True)
        return code
    except UserError as error:
        for mistake in UserError(map(_as_typed, error.mistakes)).mistakes:
            print(mistake, file=sys.stderr)
        return MISTAKE
    except DeadlockError as error:
        print(Mistake("command-line", 0, "machine", "one that comes to an end", str(error)), file=sys.stderr)
        return MISTAKE
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        _give_up_output()
        return FINE
    except MemoryError:
        print(Mistake("command-line", 0, "memory", "a network that fits in it", "none left"), file=sys.stderr)
        return MISTAKE
    except OSError as error:
        print(Mistake("command-line", 0, "output", "room to write", error.strerror or "an error"), file=sys.stderr)
        _give_up_output()
        return MISTAKE


def _as_typed(mistake: Mistake) -> Mistake:
    """A mistake, with arguments of functions as the command line calls them."""
    expected = mistake.expected
    for words, option in OPTIONS.items():
        expected = expected.replace(words, option)
    if mistake.file != ARGUMENTS:
        return replace(mistake, expected=expected)
    return replace(mistake, file="command-line", key=TYPED.get(mistake.key, mistake.key), expected=expected)


def _give_up_output() -> None:
    """Let what is still buffered go nowhere when the interpreter ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
