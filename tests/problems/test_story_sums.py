"""Story sums: the same for everyone, none twice, splits that share nothing, solutions verifiers accept."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from factory import problems
from factory.errors import UsageError
from factory.problems import story_sums
from factory.recipe import ArithmeticOptions, MathOptions, StorySums
from factory.records import Problem, Status
from factory.verifiers import arithmetic, math_answer
from factory.verifiers.base import Item


def load(**settings: Any) -> list[Problem]:
    source = StorySums.model_validate({"source": "story-sums", "count": 20, "seed": 1} | settings)
    return list(problems.load(source, Path()))


def numbers(text: str) -> list[int]:
    return [int(found) for found in re.findall(r"\d+", text)]


def test_a_problem_is_the_same_on_every_machine() -> None:
    first = load(count=1)[0]
    assert (
        first.prompt
        == "Gina has 12 shells. Gina finds 4 more. Gina finds 27 more. How many shells does Gina have now?"
    )
    assert (first.answer, first.solutions) == ("43", ("First 12 + 4 = 16. Then 16 + 27 = 43.\n#### 43",))
    assert (first.source, first.split, first.difficulty) == ("story-sums", "train", "2")
    assert (first.license, first.group_id, first.tests) == ("Apache-2.0", None, None)
    assert first.origin == '{"family":"story-sums","index":42538358,"largest":50,"steps":2,"version":1}'


def test_a_smaller_count_gives_the_first_of_a_larger_one() -> None:
    assert load(count=7) == load(count=50)[:7]


def test_another_seed_gives_others() -> None:
    assert not {one.prompt for one in load(seed=1)} & {one.prompt for one in load(seed=2)}


def test_only_the_first_are_worked_and_all_are_the_same_problems() -> None:
    some, everyone = load(worked=3), load()
    assert some == everyone
    assert [len(one.solutions) for one in some] == [1] * 3 + [0] * 17
    assert [len(one.solutions) for one in load(worked=0)] == [0] * 20


@pytest.mark.parametrize("steps", [1, 2, 4])
@pytest.mark.parametrize("largest", [2, 9, 200])
def test_the_verifiers_accept_every_worked_solution(steps: int, largest: int) -> None:
    for problem in load(count=30, steps=steps, largest=largest):
        item = Item(problem.solutions[0], problem.answer)
        assert math_answer.check(item, MathOptions()).status is Status.PASS, item
        seen = arithmetic.check(item, ArithmeticOptions())
        assert (seen.status, seen.reason) == (Status.PASS, f"right:{steps}"), item


def test_the_verifiers_refuse_a_worked_solution_with_a_wrong_step_or_answer() -> None:
    for problem in load():
        assert problem.answer is not None
        solution, other = problem.solutions[0], str(int(problem.answer) + 1)
        wrong_answer = Item(solution.replace(f"#### {problem.answer}", f"#### {other}"), problem.answer)
        assert math_answer.check(wrong_answer, MathOptions()).status is Status.FAIL, wrong_answer
        wrong_step = Item(solution.replace(f"= {problem.answer}.", f"= {other}."), problem.answer)
        assert arithmetic.check(wrong_step, ArithmeticOptions()).status is Status.FAIL, wrong_step


@pytest.mark.parametrize("largest", [2, 3, 50])
def test_no_number_is_beyond_the_largest_or_zero(largest: int) -> None:
    for problem in load(steps=3, largest=largest):
        found = numbers(problem.prompt + problem.solutions[0])
        assert 1 <= min(found) <= max(found) <= largest, problem


def test_the_solution_tells_the_numbers_of_the_story_in_their_order() -> None:
    for problem in load(steps=3):
        first, *changes = numbers(problem.prompt)
        told = numbers(problem.solutions[0].partition("\n")[0])
        assert [told[0], *told[1::3]] == [first, *changes]


def test_the_splits_part_the_whole_family() -> None:
    whole: dict[str, list[str]] = {}
    for split in ("train", "validation", "test"):
        source = StorySums(
            source="story-sums", count=10**6, seed=0, split=split, steps=1, largest=2, worked=0
        )
        made = whole[split] = []
        with pytest.raises(UsageError, match="count asks for 1000000"):
            made.extend(problem.prompt for problem in problems.load(source, Path()))
    every = [prompt for prompts in whole.values() for prompt in prompts]
    assert len(every) == len(set(every)) == 8 * 8 * 2 * 3  # names, things, first numbers, verbs
    shares = {split: len(prompts) / len(every) for split, prompts in whole.items()}
    assert shares == pytest.approx({"train": 0.6, "validation": 0.2, "test": 0.2}, abs=0.06)


def test_a_split_has_just_so_many_problems() -> None:
    with pytest.raises(UsageError) as caught:
        load(count=10**6, steps=1, largest=2)
    found = re.match(
        r"problem source 'story-sums': there are (\d+) problems of 1 steps with numbers up to 2 in the split "
        r"train, and count asks for 1000000; ask for fewer, or raise largest or steps$",
        str(caught.value),
    )
    assert found, caught.value
    there = int(found[1])
    assert len({one.prompt for one in load(count=there, steps=1, largest=2)}) == there
    with pytest.raises(UsageError, match=f"there are {there} problems"):
        load(count=there + 1, steps=1, largest=2)


@given(seed=st.integers(), size=st.integers(min_value=1, max_value=400))
def test_the_order_of_a_seed_holds_each_number_once(seed: int, size: int) -> None:
    order: Callable[[int, int], Any] = story_sums._order
    assert sorted(order(size, seed)) == list(range(size))


def test_a_problem_is_made_as_it_is_asked_for() -> None:
    """The family has 10^30 problems of 8 steps; the first ones come at once all the same."""
    source = StorySums(source="story-sums", count=10**15, seed=0, steps=8, largest=9999)
    assert len(list(islice(problems.load(source, Path()), 3))) == 3


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"count": 0}, "count"),
        ({"steps": 0}, "steps"),
        ({"steps": 9}, "steps"),
        ({"largest": 1}, "largest"),
        ({"worked": -1}, "worked"),
        ({"split": "dev"}, "split"),
        ({"seed": None}, "seed"),
        ({"limit": 3}, "limit"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(settings: dict[str, Any], key: str) -> None:
    with pytest.raises(ValidationError) as caught:
        load(**settings)
    assert [error["loc"] for error in caught.value.errors()] == [(key,)]
