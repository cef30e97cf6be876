"""The folder where fetched and converted models are kept, and the digests of model files.

Guarantees: what stands in the cache is whole, and is made once when several processes ask for it at a time;
all of it can be deleted and is made again. Left out: clearing it, and the Hub's own cache.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import filelock

from factory.atomic import write_atomically


def cache_folder() -> Path:
    """FACTORY_CACHE, or the place where this system keeps what can be fetched again."""
    if chosen := os.environ.get("FACTORY_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "factory" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "factory"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "factory"


@contextlib.contextmanager
def made_once(final: Path) -> Iterator[Path | None]:
    """A folder to fill, which becomes `final` unless the block fails; None when `final` is there already."""
    if final.exists():
        yield None
        return
    final.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(final.with_name(f".{final.name}.lock")):
        if final.exists():
            yield None
            return
        work = Path(tempfile.mkdtemp(prefix=".tmp-", dir=final.parent))
        try:
            yield work
            work.rename(final)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def file_digest(path: Path) -> str:
    """sha256 of a file, in hex; remembered in the cache for its path, size and time of change."""
    real = path.resolve()
    about = real.stat()
    key = hashlib.sha256(f"{real}\0{about.st_size}\0{about.st_mtime_ns}".encode()).hexdigest()
    note = cache_folder() / "digests" / key[:2] / key
    if note.is_file():
        return note.read_text()
    with real.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    write_atomically(note, lambda out: out.write(digest.encode()))
    return digest
