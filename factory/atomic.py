"""Files that are there whole or not at all.

Guarantees: a file written here appears under its name only after its bytes are on the disk, and a full
disk is reported with what remains. Left out: file systems without an atomic rename.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Final

from factory.errors import OutsideError

DISK_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn a full disk into an OutsideError that says what remains."""
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        free = shutil.disk_usage(path.parent).free
        raise OutsideError(
            f"{path.parent}: the disk is full ({error.strerror}; {free:,} bytes free). "
            "Everything committed before is kept; free some space and run the same command again"
        ) from error


def write_atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Call `write(binary file)` on a temporary file beside `path`, flush it to the disk, then rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".tmp-{os.getpid()}-{threading.get_ident()}-{path.name}")
    with disk_errors(path):
        try:
            with temporary.open("wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
