"""Folders of files that another file names: both may come from a stranger.

A file may name regular files below its own folder. What lies elsewhere the user has to allow.
"""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from pathlib import Path

MOST_VISITED = 100_000
"""Entries of folders that are looked at for one pattern."""

_ALLOWED: ContextVar[tuple[Path, ...]] = ContextVar("allowed", default=())


def allow(folders: Iterable[str]) -> None:
    """From now on, let files name what lies below these folders, too."""
    _ALLOWED.set(tuple(Path(folder).resolve() for folder in folders))


def is_file(path: Path) -> bool:
    """True where there is such a regular file; none has a name that is too long or no name at all."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """True where there is such a folder."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def is_within(path: Path, folder: Path) -> bool:
    """True where a path, links followed, lies below a folder or one that the user allowed."""
    try:
        real = path.resolve()
        return any(real.is_relative_to(place) for place in (folder.resolve(), *_ALLOWED.get()))
    except (OSError, ValueError, RuntimeError):
        return False


def matching_files(pattern: str, folder: Path, *, confined: bool) -> list[str]:
    """Files that a pattern such as `nets/*.yaml` matches from a folder, as paths from there, sorted.

    Names that begin with a dot match only patterns that do. confined: only what `is_within` the folder, nothing else is
    looked at. Raises ValueError, with what was expected, for a pattern that leads elsewhere or has more than
    `MOST_VISITED` files looked at.
    """
    if "\0" in pattern:
        return []
    places, left = [Path(Path(pattern).anchor)], MOST_VISITED
    for part in Path(pattern).parts[len(places[0].parts) :]:
        below: list[Path] = []
        for place in places:
            if confined and not is_within(folder / place, folder):
                raise ValueError("a pattern of files below the folder of this one or an allowed one")
            for name in _names(folder / place, part):
                left -= 1
                if left < 0:
                    raise ValueError(f"a pattern for which no more than {MOST_VISITED} files are looked at")
                if fnmatch.fnmatchcase(name, part) and (part.startswith(".") or not name.startswith(".")):
                    below.append(place / name)
        places = below
    return sorted(str(path) for path in places if _is_taken(path, folder, confined=confined))


def _is_taken(path: Path, folder: Path, *, confined: bool) -> bool:
    return is_file(folder / path) and (not confined or is_within(folder / path, folder))


def _names(folder: Path, part: str) -> Iterator[str]:
    """Names that a part of a pattern is compared with: those in the folder, or itself where it is no pattern."""
    if not set(part) & set("*?["):
        yield from [part] if _exists(folder / part) else []
        return
    try:
        with os.scandir(folder) as entries:
            yield from (entry.name for entry in entries)
    except OSError:
        return


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False
