"""Starting a training in a process of its own, and telling why one failed.

Guarantees: the process ends with its starter, even by kill -9, and gives all its memory back. What it printed
is told where it dies. Left out: the training itself (`child.py`).
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Final

from factory import errors
from factory.errors import FactoryError, OutsideError, UsageError, missing_extra
from factory.training import precision, rows
from factory.training.job import Job, Result

PACKAGES: Final = ("torch", "transformers", "accelerate", "datasets", "trl", "peft")
"""What training needs, beside what factory needs itself."""

_ROOT: Final = str(Path(__file__).parents[2])
PROGRAM = f"import sys; sys.path.append({_ROOT!r}); from factory.training import child; child.main()"
"""What the process runs; factory need not be installed for it."""

_STRANGE: Final = ("ACCELERATE_", "FSDP_", "DEEPSPEED_", "WANDB_")
_RANKS: Final = frozenset(
    {"RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}
)
_GOES_ON: Final = "What is trained is kept in its checkpoints; the same command goes on from the last one"

CHECKPOINT: Final = 3
"""Size of a checkpoint in sizes of the model: weights and the two moments of the optimizer."""

_log = logging.getLogger(__name__)


def run(job: Job, report: Callable[[int, float | None], None] | None = None) -> Result:
    """Train, and return what was done; `report` hears of each step and its loss.

    A job that was broken off goes on from its last whole checkpoint. Raises UsageError where the job cannot
    be carried out, CheckFailed where the loss is no number, OutsideError where the process died.
    """
    check(job)
    with tempfile.TemporaryFile() as said:
        child = _start(said)
        assert child.stdin is not None
        assert child.stdout is not None
        last: dict[str, Any] = {}
        try:
            # Its input stays open as long as this process lives: by its end the child knows.
            with contextlib.suppress(BrokenPipeError):  # dead already: told below
                child.stdin.write(job.to_json() + "\n")
                child.stdin.flush()
            for line in child.stdout:
                if not line.endswith("\n"):
                    break  # it was killed while it wrote
                last = json.loads(line)
                if "step" in last and report is not None:
                    report(last["step"], last["loss"])
            status = child.wait()
        finally:
            child.kill()
            child.wait()
            child.stdout.close()
            with contextlib.suppress(BrokenPipeError):
                child.stdin.close()
        if "result" in last:
            return Result.from_json(last["result"])
        raise _failure(job, last, status, _last_words(said))


def _start(said: IO[bytes]) -> subprocess.Popen[str]:
    """The process, in a session of its own: an interrupt from the keyboard reaches its starter alone."""
    return subprocess.Popen(
        [sys.executable, "-P", "-c", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=said,
        env=_environment(),
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )


def check(job: Job) -> None:
    """Raise UsageError where this job cannot be carried out, ValueError where a row breaks the contract."""
    for package in PACKAGES:
        if importlib.util.find_spec(package) is None:
            raise missing_extra(package, "train")
    if job.settings.packing and job.settings.method == "dpo":
        raise UsageError("train.packing: pairs of the method dpo cannot be packed; set packing: false")
    rows.read(job)


def _environment() -> dict[str, str]:
    """The environment of the process: nothing of a launcher, no network, one device."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in _RANKS and not name.startswith(_STRANGE)
    }
    if first := kept.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]:
        kept["CUDA_VISIBLE_DEVICES"] = first
    quiet = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "PYTHONUNBUFFERED": "1"}
    return kept | quiet | precision.threads()


def _last_words(said: IO[bytes]) -> str:
    said.seek(0)
    lines = said.read().decode("utf-8", "replace").strip().splitlines()
    _log.debug("the training process said:\n%s", "\n".join(lines))
    return lines[-1] if lines else "no message"


def _failure(job: Job, last: dict[str, Any], status: int, words: str) -> FactoryError:
    if "error" in last:
        kind: type[FactoryError] = getattr(errors, last["error"])
        return kind(last["message"])
    if status == -signal.SIGKILL:
        return OutsideError(
            "train: the process was killed (signal 9), as a system does that runs out of memory. "
            f"Lower train.micro_batch (now {job.settings.micro_batch}). {_GOES_ON}"
        )
    return OutsideError(f"train: the process died (exit status {status}): {words}. {_disk(job)}{_GOES_ON}")


def _disk(job: Job) -> str:
    """What to do where the disk has no room for a checkpoint: torch aborts without a word of it."""
    free = shutil.disk_usage(job.data.parent).free
    needed = CHECKPOINT * sum(path.stat().st_size for path in job.model.glob("*.safetensors"))
    if free >= needed:
        return ""
    return (
        f"{job.work}: {free:,} bytes of the disk are free, and a checkpoint takes about {needed:,}; free "
        "some space. "
    )
