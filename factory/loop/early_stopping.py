"""Carrying out a training: to its end, or until the model gets worse on problems held out from it.

Guarantees: what is judged is a whole model, as it would be kept; scores are remembered, so that a training
that was killed goes on and judges nothing twice; the model that is kept is the first of those with the best
score. Left out: what a score is (`evaluating.py` has accuracy), and training itself (`training/run.py`).
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from factory.atomic import write_atomically
from factory.progress import Progress
from factory.training import run
from factory.training.job import Job, Result

TOLD: Final = 10
"""So many times in a training its loss is told in words."""

Score = dict[str, Any]


@dataclass(frozen=True)
class EarlyStop:
    """Ends a training when a score is below the one before; the first of the best models is kept.

    `checks` are the steps after which `judge` is given the model's folder and the step, or how many of them
    to take, evenly spaced; the end of the training is always one.
    """

    checks: tuple[int, ...] | int
    judge: Callable[[Path, int], float]

    def at(self, steps: int) -> tuple[int, ...]:
        """The steps after which a training of `steps` is judged, the last of them its end."""
        spaced = (
            {math.ceil(steps * number / self.checks) for number in range(1, self.checks)}
            if isinstance(self.checks, int)
            else {one for one in self.checks if 0 < one < steps}
        )
        return tuple(sorted(spaced | {steps}))


def to_end(job: Job, progress: Progress) -> Result:
    """Carry out a job, up to `stop_at` where it has one; `out` is then the model."""
    shutil.rmtree(job.out, ignore_errors=True)  # what a kill left may be half a model
    done, often = 0, max(1, job.steps // TOLD)

    def report(step: int, loss: float | None) -> None:
        nonlocal done
        progress.advance(step - done)
        done = step
        if loss is not None and step % often == 0:
            progress.say(f"step {step:,} of {job.steps:,}: loss {loss:.4f}")

    progress.start("train", job.stop_at or job.steps, "steps")
    result = run.run(job, report)
    progress.finish()
    return result


def to_best(job: Job, early_stop: EarlyStop, progress: Progress) -> tuple[Result, list[Score]]:
    """Train from check to check until a score falls; `out` is then the best model.

    Returns what was done up to the best model, and {step, score} of all that were judged.
    """
    note = job.out.with_name("judged.json")
    known: list[Score] = json.loads(note.read_text()) if note.is_file() else []
    for step in early_stop.at(job.steps):
        if any(one["step"] == step for one in known):
            continue
        if len(known) > 1 and known[-1]["score"] < known[-2]["score"]:
            break
        result = to_end(replace(job, out=_draft(job, step), stop_at=step), progress)
        score = early_stop.judge(_draft(job, step), step)
        known.append({"step": step, "score": score, "result": asdict(result)})
        write_atomically(note, lambda file: file.write(json.dumps(known).encode()))
        progress.say(f"step {step:,} of {job.steps:,}: score {score:.4f}")
        for other in known:
            if other is not _best(known):
                shutil.rmtree(_draft(job, other["step"]), ignore_errors=True)
    best = _best(known)
    shutil.rmtree(job.out, ignore_errors=True)
    shutil.copytree(_draft(job, best["step"]), job.out)
    scores = [{"step": one["step"], "score": one["score"]} for one in known]
    return Result.from_json(json.dumps(best["result"])), scores


def _draft(job: Job, step: int) -> Path:
    return job.out.with_name(f"out-{step}")


def _best(judged: list[Score]) -> Score:
    """The first of those with the best score."""
    return max(judged, key=lambda one: (one["score"], -one["step"]))
