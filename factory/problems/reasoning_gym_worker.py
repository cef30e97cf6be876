"""Make reasoning-gym problems in a process of their own; run as a file by `reasoning_gym_tasks.py`.

Guarantees: the same job gives the same entries in every run. Some tasks walk through sets, draw from the
global generators or print; here the hash seed is fixed by the parent, the global generators are set
before every entry, and printing goes nowhere. One JSON object a line: {"entry": ...} for each problem, or one
{"error": "task" | "options" | "entry", ...} as the last. Left out: the package's `score_answer`, which
evaluates answers, and anything of factory, so that the file runs without it on the path.
"""

from __future__ import annotations

import dataclasses
import json
import os
import random
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np


def _still() -> None:
    random.seed(0)
    np.random.seed(0)


def _plain(value: object) -> Any:
    """`value` when JSON can hold it, else None: some tasks put their own objects into the metadata."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return None
    return value


def _options(config: type) -> dict[str, str]:
    fields = dataclasses.fields(config)
    return {field.name: repr(field.default) for field in fields if field.name not in ("seed", "size")}


def messages(job: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The answer to a job {task, seed, count, options}, one message at a time."""
    import reasoning_gym
    from reasoning_gym.factory import DATASETS

    task = job["task"]
    if task not in DATASETS:
        yield {"error": "task", "known": sorted(DATASETS)}
        return
    _still()
    try:
        dataset = reasoning_gym.create_dataset(task, size=job["count"], seed=job["seed"], **job["options"])
    except Exception as error:  # the checks of 100 foreign tasks: assertions, type and value errors
        yield {"error": "options", "reason": f"{error}", "known": _options(DATASETS[task][1])}
        return
    for index in range(job["count"]):
        _still()
        try:
            entry = dataset[index]
        except Exception as error:  # options that pass the task's checks and still cannot be met
            yield {"error": "entry", "index": index, "reason": f"{type(error).__name__}: {error}"}
            return
        metadata = entry["metadata"]
        yield {
            "entry": {
                "question": entry["question"],
                "answer": _plain(entry["answer"]),
                "difficulty": _plain(metadata.get("difficulty")),
                "solution": _plain(metadata.get("answer_cot")),
            }
        }


def main() -> None:
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    for message in messages(json.loads(sys.argv[1])):
        out.write(json.dumps(message) + "\n")
    out.close()


if __name__ == "__main__":
    main()
