"""Outputs shown in README.md and docs/, written anew where they differ: `python -m tests.shown [PAGE ...]`.

An output that is shown whole is replaced. Where `...` leaves something out, a line that is shown takes the place of the
next printed one that is alike but for its numbers. Lines that find none are kept and named: they need a look. So are
outputs in whose place there is a mistake now.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from accelsim.cli import main
from tests.docs.test_readme import PAGES, PROMPT, ROOT, files_shown, has_mistake

NUMBER = re.compile(r"-?\d[\d,]*(\.\d+)?(e[-+]?\d+)?")


def alike(line: str) -> str:
    """A line without its numbers and the width of its gaps."""
    return " ".join(NUMBER.sub("#", line).split())


def renewed(shown: list[str], printed: list[str]) -> Iterator[tuple[str, bool]]:
    """(line, whether it needs a look) of an output that is shown."""
    place, free = 0, False
    for line in shown:
        if line.strip() == "...":
            free = True
            yield line, False
            continue
        ahead = range(place, len(printed) if free else min(place + 1, len(printed)))
        found = next((number for number in ahead if alike(printed[number]) == alike(line)), None)
        if found is None and not free and place < len(printed):
            found = place
        if found is None:
            yield line, "..." not in line
        else:
            yield (line if "..." in line else printed[found]), False
            place, free = found + 1, False


def output_of(line: str) -> str:
    """Everything that a command prints, its notes last."""
    printed, notes = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(notes), contextlib.suppress(SystemExit):
        main(shlex.split(line))
    return printed.getvalue() + notes.getvalue()


def console(block: str, looks: list[str]) -> str:
    """A console block with what its commands print now."""
    before, *commands = re.split(rf"^{re.escape(PROMPT)}", block, flags=re.MULTILINE)
    parts = [before]
    for command in commands:
        line, _, shown = command.partition("\n")
        printed = output_of(line)
        if doctest.OutputChecker().check_output(shown, printed, doctest.ELLIPSIS):
            parts.append(f"{PROMPT}{command}")
            continue
        if has_mistake(printed) and not has_mistake(shown):
            looks.append(f"{line}: {printed}")
            parts.append(f"{PROMPT}{command}")
            continue
        if "..." not in shown:
            parts.append(f"{PROMPT}{line}\n{printed}")
            continue
        lines = list(renewed(shown.splitlines(), printed.splitlines()))
        looks += [f"{line}: {text}" for text, look in lines if look]
        parts.append(PROMPT + line + "\n" + "".join(f"{text}\n" for text, _ in lines))
    return "".join(parts)


class _Runner(doctest.DocTestRunner):
    """Collects what examples give that is not what is shown."""

    def __init__(self) -> None:
        super().__init__(optionflags=doctest.ELLIPSIS)
        self.differing: list[tuple[doctest.Example, str]] = []

    def report_failure(self, out: Any, test: doctest.DocTest, example: doctest.Example, got: str) -> None:
        """See `doctest.DocTestRunner`."""
        self.differing.append((example, got))


def python(block: str) -> str:
    """A block of Python with what its examples give now."""
    runner = _Runner()
    runner.run(doctest.DocTestParser().get_doctest(block, {}, "shown", None, None), out=lambda _: None)
    lines = block.splitlines(keepends=True)
    for example, got in sorted(runner.differing, key=lambda each: -each[0].lineno):
        start = example.lineno + example.source.count("\n")
        lines[start : start + example.want.count("\n")] = got.splitlines(keepends=True)
    return "".join(lines)


def page_of(page: Path, looks: list[str]) -> str:
    """A page with all its outputs anew."""
    text = page.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files_shown(page):
            Path(folder, name).write_text(content, encoding="utf-8")
        for name in ("workloads", "hwconfigs"):
            Path(folder, name).symlink_to(ROOT / name)
        here = Path.cwd()
        os.chdir(folder)
        try:
            for language, renew in (("console", lambda block: console(block, looks)), ("pycon", python)):
                text = re.sub(
                    rf"(?<=^```{language}\n)(.*?)(?=^```$)",
                    lambda match, renew=renew: renew(match[1]),  # type: ignore[misc]  # a default is no type
                    text,
                    flags=re.DOTALL | re.MULTILINE,
                )
        finally:
            os.chdir(here)
    return text


if __name__ == "__main__":
    wanted = set(sys.argv[1:])
    for shown_page in PAGES:
        if not wanted or shown_page.name in wanted:
            to_look: list[str] = []
            shown_page.write_text(page_of(shown_page, to_look), encoding="utf-8")
            for each in to_look:
                print(f"{shown_page.name}: {each}")  # noqa: T201
