"""Which problems are asked, how many samples of each by generator, and parts of a source."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pytest

from factory import asked, checking, pipeline, planning, problems, survey, voting
from factory.errors import UsageError
from factory.lineage import explaining
from factory.progress import Silent
from factory.recipe import PerProblem, Recipe, load
from factory.release import manifest, reading
from factory.release.check import arithmetic
from factory.release.findings import refusal
from factory.store import Store
from tests.support import releases

pytestmark = pytest.mark.usefixtures("kept_servers")


OWN = "budget.per_problem.by_generator={weak: 8}"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("asked")


@pytest.fixture(scope="module")
def store(root: Path) -> Store:
    """Twelve problems that can be judged, one of them twice, and one without an answer."""
    made = releases.make_store(root)
    more = [releases.problem(0), releases.problem(99) | {"answer": None}]
    with (root / "problems.jsonl").open("a") as file:
        file.write("".join(json.dumps(one) + "\n" for one in more))
    return made


def read(root: Path, name: str, *sets: str, samples: int = 4) -> Recipe:
    path = root / f"{name}.yaml"
    path.write_text(releases.recipe_text("1.0.0", samples).replace("name: sums\n", f"name: {name}\n", 1))
    return load(path, sets)


def chosen(store: Store, root: Path, number: int | None, seed: int | None = None) -> set[str]:
    """The problems that are asked where a vote decides, which needs no reference."""
    sets = ["verify.decides=consensus", "verify.also=[]"]
    sets += [f"budget.problems={number}"] if number else []
    sets += [f"budget.problems_seed={seed}"] if seed is not None else []
    with store.connect() as connection:
        plan = pipeline.plan_of(read(root, "chosen", *sets), root, Silent())
        planning.enter(connection, plan)
        counts = asked.decide_problems(connection, plan)
        rows = connection.execute("SELECT problem_id FROM asked WHERE reason = 'asked'").fetchall()
    assert counts["asked"] == len(rows)
    assert sum(counts.values()) == 14
    return {ident for (ident,) in rows}


# --- a choice of problems ----------------------------------------------------------------------------


def test_a_larger_number_only_adds(store: Store, root: Path) -> None:
    sets = [chosen(store, root, number) for number in (1, 2, 5, 13)]
    assert [len(one) for one in sets] == [1, 2, 5, 13]
    assert all(small < large for small, large in itertools.pairwise(sets))
    assert chosen(store, root, 100) == chosen(store, root, None), "more than there are is all of them"


def test_another_seed_is_another_choice_and_no_seed_is_0(store: Store, root: Path) -> None:
    assert chosen(store, root, 5, seed=0) == chosen(store, root, 5)
    assert len({frozenset(chosen(store, root, 5, seed=seed)) for seed in range(6)}) > 3


def test_only_problems_that_can_be_asked_are_counted(store: Store, root: Path) -> None:
    found = survey.survey(read(root, "few", "budget.problems=5"), store, root, Silent())
    assert found["problems"] == {"asked": 5, "bad_gold": 1, "duplicate_problem": 1, "not_chosen": 7}
    assert found["generators"]["strong"]["planned"] == 20


def test_a_release_tells_which_problems_were_not_chosen(store: Store, root: Path) -> None:
    folder = pipeline.run(read(root, "some", "budget.problems=5"), store, root, Silent()).release
    assert folder is not None
    assert refusal(checking.check_folder(folder, checking.named(folder))) == ""
    made = manifest.read(folder)
    assert made["counts"]["problems"]["not_chosen"] == 7
    assert made["counts"]["samples"] == {"present": 40}
    rows = ds.dataset(folder / "data" / "problems", format="parquet").to_table().to_pylist()
    out = [row["problem_id"] for row in rows if row["reason"] == asked.NOT_CHOSEN]
    assert (len(out), any(row["asked"] for row in rows if row["problem_id"] in out)) == (7, False)
    stands = {one["release"]: one for one in explaining.explain(out[0], store)["releases"]}["some@1.0.0"]
    assert (stands["state"], stands["why"]) == (
        "not asked",
        "not asked: the lot fell on others, as budget.problems asks no more than so many",
    )


# --- samples by generator ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def own(store: Store, root: Path) -> Path:
    """A release of 4 samples of a problem by `strong` and 8 by `weak`."""
    folder = pipeline.run(read(root, "own", OWN), store, root, Silent()).release
    assert folder is not None
    return folder


def test_a_generator_has_a_number_of_its_own(store: Store, root: Path, own: Path) -> None:
    planned = survey.survey(read(root, "own", OWN), store, root, Silent())["generators"]
    assert (planned["strong"]["planned"], planned["weak"]["planned"]) == (48, 96)
    assert manifest.read(own)["counts"]["samples"] == {"present": 144}
    assert refusal(checking.check_folder(own, checking.named(own))) == ""
    ident = _sample(store, "strong", 5)
    stands = {one["release"]: one for one in explaining.explain(ident, store)["releases"]}["own@1.0.0"]
    assert "the release takes 4 samples a problem and generator, indices 0 to 3" in stands["why"]


def _sample(store: Store, generator: str, index: int) -> str:
    with store.connect() as connection:
        ((ident,),) = connection.sql(
            "SELECT min(s.sample_id) FROM samples s JOIN generators g ON g.generator_id = s.generator_id"
            f" WHERE g.name = '{generator}' AND s.sample_index = {index}"
        ).fetchall()
    return str(ident)


def test_counts_that_are_not_those_of_the_budget_are_found_out(own: Path, tmp_path: Path) -> None:
    content = manifest.read(own)
    content["recipe"]["budget"]["per_problem"]["by_generator"] = {"weak": 7}
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    found, _ = reading.read(tmp_path)
    assert found is not None
    told = [(one.where, one.found, one.expected) for one in arithmetic(found) if one.status == "failed"]
    assert told == [("samples planned", "144", "132 (the recipe's budget)")], "12 problems, 4 + 7 samples"


def test_what_a_vote_is_of_holds_the_numbers() -> None:
    few, many = (planning.PlannedGenerator(name, "vllm", None, {"model": name}, True) for name in ("a", "b"))

    def drawn(samples: int, **own: int) -> str:
        return voting.draws_id((few, many), PerProblem(samples=samples, by_generator=own or None))

    assert len({drawn(4), drawn(8), drawn(4, a=8), drawn(4, b=8)}) == 4
    assert drawn(4, other=8) == drawn(4), "a number for others changes no vote of these"


# --- parts of a source -------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["file", "gsm8k"])
def test_two_parts_are_the_whole(root: Path, source: str) -> None:
    rows = [{"question": f"What is {n} + 1?", "answer": f"<<{n}+1={n + 1}>>\n#### {n + 1}"} for n in range(9)]
    (root / "parts.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))

    def prompts(**part: int) -> list[str]:
        more: dict[str, Any] = {"columns": {"prompt": "question"}} if source == "file" else {}
        written = {"source": source, "path": "parts.jsonl", **more, **part}
        text = json.dumps({"name": "p", "version": "1.0.0", "problems": [written]})
        path = root / "parts.yaml"
        path.write_text(
            text[:-1]
            + ', "generators": {"a": {"engine": "human"}}, "budget": {"per_problem": {"samples": 1}}}'
        )
        return [one.prompt for one in problems.load(load(path).problems[0], root)]

    whole = prompts()
    assert len(whole) == 9
    assert prompts(limit=4) + prompts(skip=4) == whole
    assert prompts(skip=2, limit=3) == whole[2:5], "the limit counts what is taken"
    with pytest.raises(UsageError, match=r"has no problems after the first 9; lower skip, or name one"):
        prompts(skip=9)


def test_a_part_of_nothing_is_no_part(root: Path) -> None:
    with pytest.raises(UsageError, match="skip"):
        read(root, "skip", "problems.0.skip=0")
