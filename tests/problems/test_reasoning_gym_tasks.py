"""Problems of reasoning-gym: the same in every process, made again from their origin, no side effects."""

from __future__ import annotations

import importlib.metadata
import json
import random
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from factory import problems
from factory.errors import OutsideError, UsageError
from factory.problems import reasoning_gym_tasks
from factory.recipe import ReasoningGym
from factory.records import Problem

pytest.importorskip("reasoning_gym")
NOWHERE = Path("/nowhere")


def load(
    task: str, count: int, seed: int = 7, options: Mapping[str, Any] = MappingProxyType({})
) -> list[Problem]:
    source = ReasoningGym(source="reasoning-gym", task=task, count=count, seed=seed, options=options)
    return list(problems.load(source, NOWHERE))


def test_a_worked_solution_and_nothing_disturbed() -> None:
    before, numpy_before = random.getstate(), np.random.get_state()[1].tobytes()
    made = load("gsm_symbolic", 3)
    assert random.getstate() == before
    assert np.random.get_state()[1].tobytes() == numpy_before
    for at, problem in enumerate(made):
        assert (problem.source, problem.license, problem.split) == (
            "reasoning-gym/gsm_symbolic",
            "Apache-2.0",
            "train",
        )
        assert problem.difficulty == "1.0"
        assert problem.solutions[0].endswith(f"#### {problem.answer}")
        assert json.loads(problem.origin) == {
            "task": "gsm_symbolic",
            "seed": 7,
            "count": 3,
            "index": at,
            "options": {},
            "package_version": importlib.metadata.version("reasoning-gym"),
        }


@pytest.mark.parametrize(
    ("task", "options"), [("chain_sum", {"max_terms": 3, "max_digits": 2}), ("acre", {})]
)
def test_an_origin_makes_the_problem_again(task: str, options: dict[str, int]) -> None:
    last = load(task, 4, options=options)[-1]
    origin = json.loads(last.origin)
    again = load(origin["task"], origin["count"], origin["seed"], origin["options"])[origin["index"]]
    assert again == last


def test_more_problems_leave_the_first_ones_as_they_are() -> None:
    few, many = load("chain_sum", 2), load("chain_sum", 5)
    assert [problem.problem_id for problem in few] == [problem.problem_id for problem in many[:2]]
    assert load("chain_sum", 2, seed=8)[0].prompt != few[0].prompt
    assert few[0].difficulty == '{"num_digits":[1,4],"num_terms":[2,6]}'


def test_the_hash_seed_of_this_process_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for seed in ("1", "2"):  # ransom_note walks through a set
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        made.append(load("ransom_note", 4))
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("task", "options", "told"),
    [
        ("chain_sums", {}, "task: reasoning-gym has no task 'chain_sums'; nearest of its 1"),
        ("chain_sum", {"max_term": 3}, "did you mean max_terms?"),
        ("chain_sum", {"min_terms": 9, "max_terms": 2}, 'refuses {"max_terms":2,"min_terms":9}: '),
        ("gsm_symbolic", {"difficulty": 2.0}, "out of range; its options are difficulty (default 1.0)"),
        ("chain_sum", {"size": 3}, "options.size is written as count: beside task"),
        ("chain_sum", {"seed": 3}, "options.seed is written as seed: beside task"),
        ("chain_sum", {"max_terms": {1, 2}}, "options are text, numbers, lists and mappings; "),
        ("rubiks_cube", {}, "task 'rubiks_cube' gives no reference answer for its problem 0"),
    ],
)
def test_bad_tasks_and_options(task: str, options: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(task, 2, options=options)
    assert told in str(caught.value)


def test_an_unknown_task_names_its_neighbours() -> None:
    with pytest.raises(UsageError, match="chain_sum"):
        load("chain_sums", 1)


def test_the_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", absent)
    with pytest.raises(UsageError, match=r"reasoning-gym is not installed; .* 'factory\[problems\]'"):
        load("chain_sum", 1)


@pytest.mark.parametrize(
    ("program", "made", "told"),
    [
        (
            "import os; os.kill(os.getpid(), 9)",
            0,
            r"broke off after 0 of 2 problems \(exit status -9\): no message",
        ),
        ("raise SystemError('odd')", 0, r"\(exit status 1\): SystemError: odd; run again"),
        (
            """print('{"entry": {"question": "q", "answer": "1", "difficulty": null, "solution": null}}')""",
            1,
            r"broke off after 1 of 2 problems \(exit status -?\d+\)",
        ),
        (
            """print('{"error": "entry", "index": 0, "reason": "ValueError: too narrow"}')""",
            0,
            r"cannot make problem 0: ValueError: too narrow; change the options",
        ),
    ],
)
def test_a_worker_that_breaks_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, made: int, told: str
) -> None:
    worker = tmp_path / "worker.py"
    worker.write_text(program)
    monkeypatch.setattr(reasoning_gym_tasks, "WORKER", worker)
    stream = problems.load(ReasoningGym(source="reasoning-gym", task="t", count=2, seed=1), NOWHERE)
    for _ in range(made):
        next(stream)
    with pytest.raises((OutsideError, UsageError), match=told):
        next(stream)


def test_stopping_early_ends_the_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = tmp_path / "worker.py"
    entry = '{"entry": {"question": "q", "answer": "1", "difficulty": null, "solution": null}}'
    worker.write_text(f"import time\nprint('{entry}', flush=True)\ntime.sleep(1000)\n")
    monkeypatch.setattr(reasoning_gym_tasks, "WORKER", worker)
    source = ReasoningGym(source="reasoning-gym", task="t", count=2, seed=1)
    stream = reasoning_gym_tasks.load(source, NOWHERE)
    assert next(stream).answer == "1"
    del stream  # a worker left running would hang here in wait(), and warn of an open pipe
