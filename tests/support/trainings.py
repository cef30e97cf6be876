"""A stand-in for the process that trains: it copies the base, and can die; and what a training needs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from factory.errors import OutsideError
from factory.progress import Silent
from factory.training.job import Job, Point, Result


class Scripted:
    """Takes the place of `run.run`; `jobs` are those it was given, `dies_at` a step at which it dies once."""

    def __init__(self, dies_at: int | None = None) -> None:
        self.jobs: list[Job] = []
        self.dies_at = dies_at

    def __call__(self, job: Job, report: Callable[[int, float | None], None] | None = None) -> Result:
        self.jobs.append(job)
        last = job.stop_at or job.steps
        for step in range(1, last + 1):
            if step == self.dies_at:
                self.dies_at = None
                raise OutsideError("train: the process was killed (signal 9)")
            if report is not None:
                report(step, 2.0 / step)
        shutil.copytree(
            job.model, job.out, ignore=shutil.ignore_patterns("training.json", "*.md", "*.parquet")
        )
        for path in job.out.iterdir():
            path.chmod(0o644)
        # Other weights than the base's, as a training gives, that still load.
        config = json.loads((job.out / "config.json").read_text())
        (job.out / "config.json").write_text(json.dumps(config | {"trained_steps": last}))
        rows = pq.read_metadata(job.data).num_rows
        return Result(
            rows=rows,
            steps=last,
            epochs=last * job.settings.batch / rows,
            tokens=100 * last,
            loss_tokens=40 * last,
            seconds=1.5,
            device="cpu",
            precision="float32",
            parameters=1000,
            trained_parameters=1000,
            order_digest="0" * 64,
            curve=[Point(step, 2.0 / step, 1e-5) for step in range(1, last + 1)],
        )


class Heard(Silent):
    """Progress that remembers the stages that were started, and what was said."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.said: list[str] = []

    def start(self, stage: str, total: int, unit: str) -> None:
        self.stages.append(stage)

    def say(self, text: str) -> None:
        self.said.append(text)


def content(folder: Path) -> dict[str, Any]:
    """The training.json of a model."""
    read: dict[str, Any] = json.loads((folder / "training.json").read_text())
    return read
