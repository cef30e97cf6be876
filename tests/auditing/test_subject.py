"""What an audit draws: from a recipe without a release, from a release, and the same for everybody."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from factory import pipeline
from factory.auditing import standing, subject
from factory.auditing.desk import Desk, in_order
from factory.errors import CheckFailed, UsageError
from factory.progress import Silent
from factory.recipe import load
from factory.store import Store
from tests.support.auditing import copied, stored


@pytest.fixture(scope="module")
def store(judged: Store, tmp_path_factory: pytest.TempPathFactory) -> Store:
    own = copied(judged, tmp_path_factory.mktemp("released"))
    root = own.root.parent
    pipeline.run(load(root / "recipe.yaml"), own, root, Silent())
    return own


def find(
    store: Store, number: int | None = None, target: str | None = None, *overrides: str
) -> subject.Subject:
    named = target or str(store.root.parent / "recipe.yaml")
    return subject.find(named, overrides, store, number, Silent())


def test_the_recipe_says_how_many_and_a_larger_number_only_adds(store: Store) -> None:
    by_recipe = find(store)
    assert len(by_recipe.items) == 12
    some, more = find(store, 5).items, find(store, 10_000).items
    assert (some, by_recipe.items) == (more[:5], more[:12])
    assert len(more) == len(by_recipe.rows)


def test_a_recipe_that_asks_nothing_about_false_positives_is_audited_too(store: Store) -> None:
    found = find(store, None, None, "measure.false_positives=null")
    assert len(found.items) == len(found.rows)


def test_a_release_draws_the_same_solutions_as_its_recipe(store: Store) -> None:
    recipe, release = find(store), find(store, None, "audited@1.0.0")
    assert {one.sample_id for one in release.items} == {one.sample_id for one in recipe.items}
    assert {(one.problem, one.solution, one.gold) for one in release.items} == {
        (one.problem, one.solution, one.gold) for one in recipe.items
    }
    assert release.recipe is None
    folder = str(store.releases / "audited@1.0.0")
    assert find(store, None, folder).items == release.items


def test_only_accepted_solutions_are_drawn(store: Store) -> None:
    accepted = {
        row["sample_id"]
        for row in store.dataset("verdicts").to_table().to_pylist()
        if row["status"] == "pass"
    }
    assert {one.sample_id for one in find(store, 10_000).items} <= accepted


def test_a_store_that_lacks_the_samples_takes_no_labels_of_a_release(store: Store, tmp_path: Path) -> None:
    folder = str(store.releases / "audited@1.0.0")
    with pytest.raises(UsageError, match=r"lacks 12 of its samples .*name the store that it was made from"):
        subject.find(folder, (), Store(tmp_path / "other"), None, Silent())


def test_a_release_without_its_samples_says_what_to_do(store: Store) -> None:
    root = store.root.parent
    changes = ("version=2.0.0", "release.configs=[sft]")
    pipeline.run(load(root / "recipe.yaml", changes), store, root, Silent())
    with pytest.raises(UsageError, match=r"no config samples and problems.*release\.configs"):
        find(store, None, "audited@2.0.0")


def test_a_release_whose_manifest_is_damaged_is_told(store: Store, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(CheckFailed, match="cannot be read"):
        find(store, None, str(tmp_path))


def test_everybody_has_an_order_of_their_own_that_stays(store: Store) -> None:
    items = find(store).items
    ann, bob = in_order(items, "ann"), in_order(items, "bob")
    assert ann != bob
    assert ann == in_order(reversed(items), "ann")
    assert set(ann) == set(bob) == set(items)


def test_the_desk_takes_up_where_its_annotator_stopped(store: Store) -> None:
    items = find(store).items
    desk = Desk(store, items, "ann", "test")
    desk.label(2, "wrong", "step 3")
    Desk(store, items, "bob", "test").label(1, "right", "")
    again = Desk(store, items, "ann", "test")
    assert again.state() == {"items": 12, "labels": {"2": "wrong"}, "waiting": 0}
    assert (again.item(2)["label"], again.item(2)["note"]) == ("wrong", "step 3")
    assert (again.given, desk.given) == (0, 1)
    assert len(stored(store)) == 2
    found = standing.of(find(store), store)
    assert found["annotators"]["bob"] == {"right": 1, "wrong": 0, "unsure": 0}
    assert found["false_positives"]["labels"] == {"right": 1, "wrong": 1, "unsure": 0}
    assert found["false_positives"]["kept"]["per_solution"]["labelled"] == 2
    assert "1 of 2 labelled kept samples is wrong" in found["false_positives"]["said"]


def test_a_number_of_no_item_is_refused(store: Store) -> None:
    desk = Desk(store, find(store).items, "ann", "test")
    for number in (0, -1, 13):
        with pytest.raises(IndexError):
            desk.item(number)


def test_solutions_beyond_the_stop_of_their_problem_are_not_drawn(store: Store) -> None:
    every = find(store, 10_000)
    rule = "budget.per_problem={until_correct: 1, at_most: 2}"
    stopped = find(store, 10_000, None, rule)
    first = {one.sample_id for one in stopped.items}
    assert first < {one.sample_id for one in every.items}
    drawn = {row["sample_id"]: row for row in store.dataset("samples").to_table().to_pylist()}
    keys = [(drawn[one]["problem_id"], drawn[one]["generator_id"]) for one in first]
    assert len(keys) == len(set(keys))  # one correct sample of each problem and generator


@pytest.mark.parametrize(
    ("answer", "tests", "shown"),
    [
        ("42", None, "42"),
        (None, None, None),
        (
            None,
            {"setup": "import re", "asserts": ["assert f(1)", "assert f(2)"]},
            "import re\nassert f(1)\nassert f(2)",
        ),
        (
            None,
            {"prompt": "def f():", "entry_point": "f", "test": "\ndef check(f):\n    f()\n"},
            "def check(f):\n    f()",
        ),
        (None, {"inputs": ["1 2\n"], "outputs": ["3\n"]}, "1 2\ngives 3"),
        (None, {"inputs": [[1, [2]]], "outputs": [3], "fn_name": "add"}, "add of [1, [2]]\ngives 3"),
        (None, {"other": 1}, '{"other": 1}'),
    ],
)
def test_what_a_problem_is_judged_by_is_told_for_people(
    answer: str | None, tests: dict[str, object] | None, shown: str | None
) -> None:
    assert subject._gold(answer, None if tests is None else json.dumps(tests)) == shown


def test_programs_are_shown_line_by_line(store: Store) -> None:
    item = subject.Item("s", "Write f.", "def f():\n    return 1. A\n", "assert f() == 1", True)
    told = Desk(store, [item], "ann", "test").item(1)
    assert told["code"]
    assert [one["parts"] for one in told["steps"]] == [[["def f():", False]], [["    return 1. A", False]]]
