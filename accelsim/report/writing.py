"""Files of a folder replaced together: written aside first, then moved in while no other process does the same."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

from accelsim.config.strict_yaml import special_kind

HAS_LOCKS = True
try:
    import fcntl
except ImportError:
    HAS_LOCKS = False

PATIENCE_SECONDS = 10.0
"""Another process has left the folder by then, or it is a mistake."""
_PART = 1 << 20


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """The only process that is here for this folder, which has to exist.

    Raises BlockingIOError where another one stays for `PATIENCE_SECONDS`. File systems without locks have none.
    """
    if not HAS_LOCKS:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        _lock(handle)
        yield
    finally:
        os.close(handle)


def _lock(handle: int) -> None:
    end = monotonic() + PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if monotonic() > end:
                raise
            sleep(0.02)
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL):
                raise
            return
        else:
            return


@contextmanager
def aside(folder: Path) -> Iterator[Path]:
    """A new folder within another one, gone in the end with what is left in it."""
    place = Path(tempfile.mkdtemp(dir=folder, prefix=".accelsim-"))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def refuse_special(names: Iterable[str], folder: Path) -> None:
    """Raises OSError where what has one of the names is a folder, FIFO, device or socket, also behind a link."""
    for name in names:
        try:
            mode = (folder / name).stat().st_mode
        except FileNotFoundError:
            continue
        if not stat.S_ISREG(mode):
            raise OSError(errno.EEXIST, f"{special_kind(mode)} in the place of a file", str(folder / name))


def move_in(names: Sequence[str], source: Path, folder: Path) -> None:
    """Move all of these files in, in the place of others, or none; a name that the source lacks has no file then.

    Several never stand beside files that they do not belong to: all old ones go first, the last one ahead, as it
    vouches for the others, and comes last. Raises OSError as `refuse_special` does.
    """
    refuse_special(names, folder)
    if len(names) == 1 and (source / names[0]).exists():
        os.replace(source / names[0], folder / names[0])
        return
    new = [name for name in names if (source / name).exists()]
    with aside(folder) as old:
        try:
            for name in reversed(names):
                if os.path.lexists(folder / name):
                    os.rename(folder / name, old / name)
            for name in new:
                os.replace(source / name, folder / name)
        except BaseException:
            _undo(names, new, source, old, folder)
            raise


def _undo(names: Sequence[str], new: Sequence[str], source: Path, old: Path, folder: Path) -> None:
    """Put the old files back, and take out new ones that had no forerunner."""
    for name in names:
        if os.path.lexists(old / name):
            os.rename(old / name, folder / name)
        elif name in new and not (source / name).exists():
            (folder / name).unlink(missing_ok=True)


def changed(contents: Mapping[str, bytes | None], folder: Path) -> list[str]:
    """Names under which the folder has not this content (None: no such file)."""
    return [name for name, content in contents.items() if not _has(folder / name, content)]


def _has(path: Path, content: bytes | None) -> bool:
    if content is None or not path.is_file():
        return content is None and not os.path.lexists(path)
    if path.stat().st_size != len(content):
        return False
    with path.open("rb") as file:
        return all(file.read(_PART) == content[at : at + _PART] for at in range(0, len(content), _PART))
