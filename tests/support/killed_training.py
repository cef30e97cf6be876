"""A training process that kills itself, as kill -9 does, at a point that a test chooses.

`program(...)` is what `factory.training.run` starts in place of its own.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from factory.training import checkpoints, child, run

_USUAL = run.PROGRAM
_ROOT = str(Path(__file__).parents[2])


def program(*, after_step: int = 0, before_closing: int = 0) -> str:
    """A process that dies when it has told of a step, or before the marker of a checkpoint is written."""
    own = f"from tests.support import killed_training; killed_training.main({after_step}, {before_closing})"
    usual = "from factory.training import child; child.main()"
    return _USUAL.replace(usual, f"sys.path.append({_ROOT!r}); {own}")


def main(after_step: int, before_closing: int) -> None:
    train, close = child.train, checkpoints.close

    def train_and_die(job: Any, say: child.Say) -> Any:
        def say_and_die(message: dict[str, Any]) -> None:
            say(message)
            if message.get("step") == after_step:
                os.kill(os.getpid(), signal.SIGKILL)

        return train(job, say_and_die)

    def close_never(folder: Path) -> None:
        if folder.name == f"checkpoint-{before_closing}":
            os.kill(os.getpid(), signal.SIGKILL)
        close(folder)

    child.train, checkpoints.close = train_and_die, close_never
    child.main()
