"""Names of what is shipped, and the files that names, paths and patterns stand for."""

from __future__ import annotations

import fnmatch
from pathlib import Path

from accelsim.config.kinds import LISTED, data_root
from accelsim.config.places import is_file, is_within, matching_files
from accelsim.config.variants import NAMES
from accelsim.errors import ARGUMENTS, Mistake, UserError, shorten, suggestion

Kind = str
"""Name of a kind of file in `accelsim list`: a key of `LISTED`."""


def shipped(kind: Kind) -> list[str]:
    """Names of the shipped files of a kind, sorted."""
    return [path.stem for path in LISTED[kind].files()]


def names(kind: Kind) -> list[str]:
    """All names that stand for a configuration of a kind: shipped files, then variants of networks."""
    return [*shipped(kind), *(NAMES if kind == "networks" else ())]


def find(name_or_path: str, *kinds: Kind, place: Mistake | None = None, folder: Path | None = None) -> tuple[Path, str]:
    """The file of that path, or shipped name of one of the kinds, and how messages call it.

    folder: that of the file that names it, below which it has to lie; a user may name anything.
    Raises UserError, placed where `place` says.
    """
    path = folder / name_or_path if folder else Path(name_or_path)
    is_allowed = folder is None or is_within(path, folder)
    if is_allowed and is_file(path):
        return path, str(path) if folder else name_or_path
    for kind in kinds:
        if name_or_path in shipped(kind):
            shown_as = f"{LISTED[kind].folder}/{name_or_path}.yaml"
            return data_root() / shown_as, shown_as
    *titles, last = (LISTED[kind].title for kind in kinds)
    what = f"{', '.join(titles)} or {last}" if titles else last
    known = [name for kind in kinds for name in names(kind)]
    place_of = "" if is_allowed else " below the folder of this one or an allowed one,"
    expected = f"a file{place_of} or the name of a shipped {what}{suggestion(name_or_path, known)}"
    place = place or Mistake(ARGUMENTS, 0, what if len(kinds) == 1 else "name", "", "")
    got = shorten(name_or_path) + _where_swapped(name_or_path, kinds)
    raise UserError([Mistake(place.file, place.line, place.key, expected, got)])


def _where_swapped(name: str, kinds: tuple[Kind, ...]) -> str:
    """A note where a network's name stands for a machine's, or the other way round."""
    for wanted, other in (("networks", "machines"), ("machines", "networks")):
        if kinds == (wanted,) and name in names(other):
            return f", which is a {LISTED[other].title}: NETWORK stands before HW"
    return ""


def matching(word: str, kind: Kind, folder: Path | None = None) -> list[str]:
    """The names that a pattern such as `vgg*` matches, or else the files, or the word itself where it is no pattern.

    folder: that of the file that has the pattern, which relative paths, given and taken, are relative to and below
    which files have to lie. Raises UserError where a pattern matches nothing.
    """
    here = folder or Path()
    if not set(word) & set("*?[") or is_file(here / word):
        return [word]
    expected = f"a pattern that matches files, or a name of `accelsim list {kind}`"
    try:
        found = fnmatch.filter(names(kind), word) or matching_files(word, here, confined=folder is not None)
    except ValueError as error:
        found, expected = [], str(error)
    if not found:
        raise UserError([Mistake(ARGUMENTS, 0, LISTED[kind].title, expected, shorten(word))])
    return found
