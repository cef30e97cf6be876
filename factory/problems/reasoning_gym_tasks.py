"""Problems made by the tasks of the package reasoning-gym: endless, offline, with answers.

Guarantees: the same task, seed, count and options give the same problems under one package version, in
every process; `origin` alone suffices to make a problem again; the random state of this process is
neither used nor changed (a worker process makes the problems, and ends when the caller stops). Left
out: the package's own scorers, and tasks without reference answers, which only those scorers could judge.
"""

from __future__ import annotations

import difflib
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from factory.errors import FactoryError, OutsideError, UsageError, missing_extra
from factory.recipe import ReasoningGym
from factory.records import Problem, canonical_json

WORKER = Path(__file__).with_name("reasoning_gym_worker.py")


def load(source: ReasoningGym, base: Path) -> Iterator[Problem]:
    """`source.count` problems, in the order of their index.

    Raises UsageError for a missing package, an unknown task, options the task refuses and a task without
    reference answers; OutsideError when the worker dies.
    """
    recipe = _recipe(source)
    for index, entry in enumerate(_entries(recipe)):
        if not isinstance(entry["answer"], str):
            raise UsageError(
                f"reasoning-gym task {source.task!r} gives no reference answer for its problem {index}, so "
                "nothing can be checked against it; choose a task that gives one, such as chain_sum"
            )
        difficulty, solution = entry["difficulty"], entry["solution"]
        yield Problem(
            prompt=entry["question"],
            answer=entry["answer"],
            source=f"reasoning-gym/{source.task}",
            split=source.split,
            difficulty=difficulty
            if difficulty is None or isinstance(difficulty, str)
            else canonical_json(difficulty),
            license="Apache-2.0",
            origin=canonical_json({**recipe, "index": index}),
            solutions=(solution,) if isinstance(solution, str) else (),
        )


def _recipe(source: ReasoningGym) -> dict[str, Any]:
    """All that the problems depend on. `count` is one: a few tasks (acre) make all entries in one go."""
    try:
        version = importlib.metadata.version("reasoning-gym")
    except importlib.metadata.PackageNotFoundError:
        raise missing_extra("reasoning-gym", "problems") from None
    for name in ("seed", "size"):
        if name in source.options:
            key = "count" if name == "size" else name
            raise UsageError(
                f"reasoning-gym task {source.task!r}: options.{name} is written as {key}: beside task"
            )
    try:
        options = json.loads(canonical_json(dict(source.options)))
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"reasoning-gym task {source.task!r}: options are text, numbers, lists and mappings; {error}"
        ) from None
    return {
        "task": source.task,
        "seed": source.seed,
        "count": source.count,
        "options": options,
        "package_version": version,
    }


def _entries(recipe: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The entries as the worker makes them; closing the iterator ends the worker."""
    command = [sys.executable, "-P", "-W", "ignore", str(WORKER), canonical_json(recipe)]
    # Sets of text have another order in every process unless the hash seed is fixed.
    environment = os.environ | {"PYTHONHASHSEED": "0"}
    with tempfile.TemporaryFile() as errors:
        worker = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=environment)
        assert worker.stdout is not None
        made = 0
        try:
            for line in worker.stdout:
                message = json.loads(line)
                if "error" in message:
                    raise _refusal(recipe, message)
                yield message["entry"]
                made += 1
        finally:
            worker.kill()
            worker.stdout.close()
            status = worker.wait()
        if made < recipe["count"]:
            raise OutsideError(
                f"reasoning-gym task {recipe['task']!r} broke off after {made} of {recipe['count']} problems "
                f"(exit status {status}): {_last_line(errors)}; run again, or lower count"
            )


def _last_line(errors: IO[bytes]) -> str:
    errors.seek(0)
    lines = errors.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "no message"


def _refusal(recipe: dict[str, Any], message: dict[str, Any]) -> FactoryError:
    task, options = recipe["task"], recipe["options"]
    if message["error"] == "task":
        near = difflib.get_close_matches(task, message["known"], n=3) or message["known"][:3]
        return UsageError(
            f"task: reasoning-gym has no task {task!r}; nearest of its {len(message['known'])} tasks: "
            + ", ".join(near)
        )
    if message["error"] == "options":
        unknown = [name for name in options if name not in message["known"]]
        near = difflib.get_close_matches(unknown[0], message["known"], n=1) if unknown else []
        known = ", ".join(f"{name} (default {default})" for name, default in message["known"].items())
        return UsageError(
            f"options: reasoning-gym task {task!r} refuses {canonical_json(options)}: "
            f"{message['reason'] or 'out of range'}; its options are {known}"
            + (f"; did you mean {near[0]}?" if near else "")
        )
    return UsageError(
        f"options: reasoning-gym task {task!r} with {canonical_json(options)} cannot make problem "
        f"{message['index']}: {message['reason']}; change the options"
    )
