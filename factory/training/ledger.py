"""The record of a training that outlives its processes: one line for every step, as it was carried out.

Guarantees: a line tells the rows that went through the model in that step, not those that were planned. A
step that is done again after a kill replaces its line; a line cut in half by a kill is dropped. The seconds
of steps that were lost stay counted. Left out: the weights (`checkpoints.py`).
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from math import ceil, fsum
from pathlib import Path
from typing import Any, Final, NamedTuple

from factory.atomic import write_atomically
from factory.training.job import Point

NAME: Final = "steps.jsonl"
POINTS: Final = 200
"""Points of a loss curve, about; a shorter training has one for each step."""


class Step(NamedTuple):
    """One step: row numbers in the order of the collator, the loss over all of them, tokens, seconds."""

    step: int
    rows: list[int]
    loss: float
    learning_rate: float
    grad_norm: float | None
    tokens: int
    loss_tokens: int
    seconds: float


@dataclass
class Ledger:
    """The steps done so far, and what became of earlier processes.

    `begun` says whether an earlier process was at work here, `ended` the step at which one stopped as it was
    asked to.
    """

    path: Path
    steps: list[Step] = field(default_factory=list)
    resumed_at: list[int] = field(default_factory=list)
    lost_seconds: float = 0.0
    begun: bool = False
    ended: int | None = None

    def resume(self, at: int) -> None:
        """Go on after step `at`, or begin; where earlier work broke off, that is noted."""
        if self.begun and self.ended != at:
            self.resumed_at.append(at)
        self.lost_seconds += fsum(one.seconds for one in self.steps[at:])
        self.steps, self.begun, self.ended = self.steps[:at], True, None
        head = {"resumed_at": self.resumed_at, "lost_seconds": self.lost_seconds}
        lines = [json.dumps(one) for one in (head, *(step._asdict() for step in self.steps))]
        write_atomically(self.path, lambda file: file.write(("\n".join(lines) + "\n").encode()))

    def add(self, step: Step) -> None:
        """Append a step; its line is with the system then, so a kill of this process does not lose it."""
        if step.step != len(self.steps) + 1:
            raise ValueError(f"step {step.step} comes after step {len(self.steps)}")
        self.steps.append(step)
        self._write(step._asdict())

    def end(self) -> None:
        """Note that the training stopped here as it was asked to."""
        self.ended = len(self.steps)
        self._write({"ended": self.ended})

    def sync(self) -> None:
        """Bring all lines to the disk: a checkpoint is worth nothing without the steps before it."""
        handle = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def _write(self, line: dict[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def read(path: Path) -> Ledger:
    """The ledger at `path`, or a new one. Reading stops at a line that a kill cut in half."""
    found = Ledger(path)
    if not path.exists():
        return found
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            told = json.loads(line)
        except json.JSONDecodeError:
            break
        if "step" in told:
            found.steps.append(Step(**told))
            found.ended = None
        elif "ended" in told:
            found.ended = told["ended"]
        else:
            found.resumed_at, found.lost_seconds = told["resumed_at"], told["lost_seconds"]
    found.begun = True
    return found


def curve(steps: list[Step], planned: int) -> list[Point]:
    """About POINTS points: each the mean loss of the steps since the one before, and the last step's figures.

    `planned` is the length of the whole training, so a part of one has the points of the whole.
    """
    every = ceil(planned / POINTS)
    points = []
    for start in range(0, len(steps), every):
        part = steps[start : start + every]
        loss = fsum(one.loss for one in part) / len(part)
        points.append(Point(part[-1].step, loss, part[-1].learning_rate, part[-1].grad_norm))
    return points
