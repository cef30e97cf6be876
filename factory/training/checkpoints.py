"""Checkpoints of a training: `checkpoint-N` of transformers' Trainer, and whether one is whole.

Guarantees: a checkpoint is whole when its marker is there, written after all of its files were brought to
the disk, and each of them has the size noted then. One that a kill left half written is not resumed from,
and removed. A folder of checkpoints belongs to one training, and to one process at a time. Left out: what
stands in them (weights, optimizer, schedule, random states: the Trainer's).
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from pathlib import Path
from typing import Any, Final

import filelock

from factory.atomic import sync_folder, write_atomically
from factory.errors import UsageError

KEPT: Final = 2
"""The last one, and the one before it for when a kill meets the writing of the last."""

_MARKER: Final = "whole.json"
_OWNER: Final = "training.json"
_PATIENCE: Final = 60.0
"""Seconds to wait for the process of a starter that was killed to notice it and end."""

_log = logging.getLogger(__name__)


def claim(work: Path, training: dict[str, Any]) -> filelock.BaseFileLock:
    """Hold `work` for a training until this process ends. Raises UsageError where another one has it.

    `training` is what its weights depend on, as JSON data.
    """
    work.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(work / ".lock")
    try:
        lock.acquire(timeout=_PATIENCE)
    except filelock.Timeout:
        raise UsageError(f"{work}: another process trains here; wait until it ends") from None
    path = work / _OWNER
    if not path.exists():
        write_atomically(path, lambda file: file.write(json.dumps(training, indent=1).encode()))
    there = json.loads(path.read_text(encoding="utf-8"))
    here = json.loads(json.dumps(training))
    differences = [
        f"{name}: {there.get(name)} there, {here.get(name)} here"
        for name in sorted(there.keys() | here.keys())
        if there.get(name) != here.get(name)
    ]
    if differences:
        raise UsageError(
            f"{work} holds the checkpoints of another training ({'; '.join(differences)}). "
            "Remove the folder, or train into another one"
        )
    return lock


def open_anew(folder: Path) -> None:
    """Before a checkpoint is written: take away the marker of an earlier one in its place."""
    (folder / _MARKER).unlink(missing_ok=True)


def close(folder: Path) -> None:
    """Bring the files of a checkpoint to the disk, mark it as whole, and remove all but the last KEPT.

    Not the Trainer's rotation: it goes by the clock of the file system, and before the new one is whole.
    """
    for name in _sizes(folder):
        handle = os.open(folder / name, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    sizes = json.dumps(_sizes(folder))
    write_atomically(folder / _MARKER, lambda file: file.write(sizes.encode()))
    sync_folder(folder.parent)
    for _, earlier in sorted(_all(folder.parent))[:-KEPT]:
        shutil.rmtree(earlier)


def whole(folder: Path) -> bool:
    """Whether every file is there that was there when the checkpoint was closed, with the size it had."""
    try:
        noted = json.loads((folder / _MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(noted == _sizes(folder))


def latest(work: Path, up_to: int) -> tuple[int, Path | None]:
    """The last whole checkpoint at or before step `up_to`, with its step; (0, None) where there is none.

    All that come after it are removed: training goes on from it, and would write into them.
    """
    found: tuple[int, Path | None] = (0, None)
    for step, folder in sorted(_all(work)):
        if step <= up_to and whole(folder):
            found = (step, folder)
    for step, folder in _all(work):
        if step > found[0]:
            _log.info("%s is removed: training goes on from step %d", folder, found[0])
            shutil.rmtree(folder)
    return found


def _all(work: Path) -> list[tuple[int, Path]]:
    numbered = [(path.name.removeprefix("checkpoint-"), path) for path in work.glob("checkpoint-*")]
    return [(int(number), path) for number, path in numbered if number.isdigit()]


def _sizes(folder: Path) -> dict[str, int]:
    names = [path for path in folder.rglob("*") if path.is_file() and path.name != _MARKER]
    return {str(path.relative_to(folder)): path.stat().st_size for path in sorted(names)}
