"""Worked solutions as samples: in the selection and the rows for trainers, in no measure of a model."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pytest

from factory import checking, cli, loading, pipeline, survey
from factory.errors import CheckFailed, UsageError
from factory.lineage import explaining
from factory.loop import trained_models, training_rows
from factory.progress import Silent
from factory.query import sql
from factory.recipe import Train, load
from factory.records import reserved_generator_id
from factory.release.findings import refusal
from factory.store import Store
from tests.support import releases

pytestmark = pytest.mark.usefixtures("kept_servers")

WORKED = "Together {a} + {b} = {c}. The answer is {c}."
NONE, WRONG = 10, 11
"""The problem without a worked solution, and the one whose solution is wrong."""

PEOPLE, STRONG = "people: {engine: human}", "strong: {engine: replay, imported: strong}"

RECIPE = """
name: {name}
version: 1.0.0
problems:
  - source: file
    path: problems.jsonl
    name: sums
    license: cc-by-4.0
    columns: {{prompt: question, answer: answer, solution: worked}}
generators: {{{generators}}}
budget: {{per_problem: {{samples: 4}}}}
verify: {{decides: math, also: [{{arithmetic: {{on_missing: pass}}}}], workers: 1}}
select: {{dedup: [exact, {{path: equations}}], {select}}}
measure: {{k: [1, 2, 4], bootstrap: 200}}
release: {{configs: [sft, preference, kto, rewards, samples, problems]}}
"""


def worked(number: int) -> str | None:
    a, b = 3 + number, 5 + 2 * number
    if number == NONE:
        return None
    return WORKED.format(a=a, b=b, c=a + b) if number != WRONG else "I would say that the answer is 1."


def recipe(root: Path, name: str, generators: str, select: str = "per_problem: null") -> Path:
    path = root / f"{name}.yaml"
    path.write_text(RECIPE.format(name=name, generators=generators, select=select))
    return path


def run(root: Path, store: Store, name: str, generators: str, select: str = "per_problem: null") -> Path:
    path = recipe(root, name, generators, select)
    made = pipeline.run(load(path), store, root, Silent()).release
    assert made is not None
    return made


def rows(folder: Path, config: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (
        ds.dataset(folder / "data" / config, format="parquet").to_table().to_pylist()
    )
    return found


def content(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / name).read_text())
    return found


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("human")


@pytest.fixture(scope="module")
def store(root: Path) -> Store:
    """Samples of `strong`, and problems that come with worked solutions."""
    made = releases.make_store(root, samples=4)
    problems = [releases.problem(number) | {"worked": worked(number)} for number in range(releases.PROBLEMS)]
    (root / "problems.jsonl").write_text("".join(json.dumps(one) + "\n" for one in problems))
    return made


@pytest.fixture(scope="module")
def alone(root: Path, store: Store) -> Path:
    return run(root, store, "alone", PEOPLE)


@pytest.fixture(scope="module")
def models(root: Path, store: Store) -> Path:
    return run(root, store, "models", STRONG)


@pytest.fixture(scope="module")
def among(root: Path, store: Store) -> Path:
    return run(root, store, "among", f"{PEOPLE}, {STRONG}", "per_problem: 1")


@pytest.fixture(scope="module")
def apart(root: Path, store: Store) -> Path:
    return run(root, store, "apart", f"{PEOPLE}, {STRONG}", "per_problem: 1, apart: [people]")


def test_worked_solutions_alone_make_a_release(alone: Path) -> None:
    made = content(alone, "manifest.json")
    assert made["counts"]["samples"] == {"present": 11}, "a problem without a solution owes none"
    assert made["counts"]["selection"] == {"kept": 10, "wrong": 1}
    assert made["lock"]["generators"]["people"]["generator_id"] == reserved_generator_id("human")
    assert {row["generator"] for row in rows(alone, "sft")} == {"people"}
    assert {row["completion"] for row in rows(alone, "sft")} == {worked(number) for number in range(10)}


def test_nothing_is_measured_of_worked_solutions(alone: Path) -> None:
    metrics = content(alone, "metrics.json")
    assert metrics["pass@1"] == {
        "value": None, "low": None, "high": None, "n_problems": 0, "n_short": 0, "why": "nothing was drawn"
    }  # fmt: skip
    assert metrics["by"] == {"generator": {}, "source": {}, "difficulty": {}}
    assert {(row["samples"], row["correct"]) for row in rows(alone, "rewards")} == {(0, 0)}
    assert "Nothing could be measured." in (alone / "README.md").read_text()


def test_a_release_of_people_alone_is_not_called_synthetic(alone: Path, apart: Path) -> None:
    assert (content(alone, "manifest.json")["synthetic"], content(apart, "manifest.json")["synthetic"]) == (
        False,
        True,
    )
    card, mixed = ((one / "README.md").read_text() for one in (alone, apart))
    assert "No completion is synthetic: the completions of `people` are worked solutions" in card
    assert "- synthetic" not in card
    assert "The completions of `people` are worked solutions that came with the problems; all others" in mixed
    assert content(alone, "croissant.json")["rai:hasSyntheticData"] is False
    assert content(apart, "croissant.json")["rai:dataCollectionType"] == [
        "Secondary Data Analysis",
        "Synthetic",
    ]


def test_measures_and_rewards_are_those_of_the_models_alone(models: Path, among: Path, apart: Path) -> None:
    for made in (among, apart):
        assert content(made, "metrics.json") == content(models, "metrics.json")
        counts = [
            {row["problem_id"]: (row["samples"], row["correct"]) for row in rows(one, "rewards")}
            for one in (made, models)
        ]
        assert counts[0] == counts[1]


def test_the_value_of_a_problem_is_that_of_the_models_alone(
    store: Store, apart: Path, tmp_path: Path
) -> None:
    """A worked solution is weighed by how often a model is right, and raises that of no problem."""
    data, settings = loading.loaded("apart@1.0.0", store=store.root), Train(method="weighted")
    found = trained_models.read_manifest(data)
    read = training_rows.read(data.folder, found, settings, Counter(), tmp_path)
    weights = {row["row_id"]: row["weight"] for batch in read for row in batch}
    judged = [row for row in rows(apart, "samples") if row["status"] in ("pass", "fail")]
    drawn: dict[str, list[bool]] = {}
    for row in judged:
        if row["generator"] != "people":
            drawn.setdefault(row["problem_id"], []).append(row["correct"])
    shares = {problem: sum(right) / len(right) for problem, right in drawn.items()}
    assert any(share < 1 for share in shares.values())
    assert weights == pytest.approx(
        {
            row["sample_id"]: math.exp((row["correct"] - shares[row["problem_id"]]) / settings.weights.beta)
            for row in judged
        }
    )


def test_where_nothing_was_drawn_no_worked_solution_has_an_advantage(store: Store, tmp_path: Path) -> None:
    data = loading.loaded("alone@1.0.0", store=store.root)
    found = trained_models.read_manifest(data)
    read = training_rows.read(data.folder, found, Train(method="weighted"), Counter(), tmp_path)
    assert {row["weight"] for batch in read for row in batch} == {1.0}


@pytest.mark.parametrize(("generators", "grows"), [(PEOPLE, False), (f"{PEOPLE}, {STRONG}", True)])
def test_more_samples_are_proposed_where_somebody_draws_them(
    root: Path, generators: str, grows: bool, tmp_path: Path
) -> None:
    path = recipe(root, "proposed", generators)
    lines = list(cli._next(load(path), path, tmp_path / "a store", ["select.seed=1", "version=1.1.0"]))
    assert lines[0] == f"report proposed@1.0.0 --store '{tmp_path}/a store'"
    assert [one for one in lines if one.startswith("run ")] == [
        f"run {path} --store '{tmp_path}/a store' --set select.seed=1"
        " --set budget.per_problem.samples=8 --set version=2.0.0"
    ] * grows


def test_among_the_others_a_worked_solution_takes_part_in_dedup_and_cap(among: Path) -> None:
    kept = Counter(row["generator"] for row in rows(among, "sft"))
    assert kept["people"] == 10, "they stand first, and only one of a problem is kept"
    assert kept["strong"] <= 2
    paths = {row["reason"] for row in rows(among, "samples") if row["generator"] == "strong"}
    assert "path_duplicate" in paths, "a sample with the equations of a worked solution repeats it"


def test_apart_they_are_all_kept_and_take_nothing_from_the_others(apart: Path, models: Path) -> None:
    capped = {
        row["problem_id"]: row["completion"] for row in rows(apart, "sft") if row["generator"] == "strong"
    }
    first = {
        row["problem_id"]: row["completion"]
        for row in rows(models, "samples")
        if row["kept"] and row["rank"] == 0
    }
    assert capped == first
    people = [row for row in rows(apart, "samples") if row["generator"] == "people"]
    assert {row["reason"] for row in people} == {"kept", "wrong"}
    assert {row["rank"] for row in people if row["kept"]} == {0}, "the worked solution stands first"


def test_a_wrong_worked_solution_is_an_example_of_a_wrong_one(apart: Path) -> None:
    (wrong,) = [row for row in rows(apart, "kto") if not row["label"] and row["generator"] == "people"]
    assert wrong["completion"] == worked(WRONG)
    assert wrong["sample_id"] not in {row["sample_id"] for row in rows(apart, "sft")}


@pytest.mark.parametrize("which", ["alone", "among", "apart"])
def test_the_release_passes_the_check_of_a_stranger(which: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(which)
    assert refusal(checking.check_folder(folder, checking.named(folder))) == ""


def test_their_licence_is_that_of_the_source(alone: Path) -> None:
    licences = content(alone, "manifest.json")["licences"]
    assert [(one["role"], one["name"]) for one in licences["inputs"]] == [("source", "file:sums")]
    assert licences["license"] == "cc-by-4.0"


def test_the_views_of_sql_leave_them_out_where_models_are_measured(store: Store, apart: Path) -> None:
    connection = sql.connect(store)
    for view in ("coverage", "solve_rate", "cost_per_kept_row"):
        found = connection.sql(f"SELECT DISTINCT generator FROM {view} WHERE release = 'apart@1.0.0'")
        assert {name for (name,) in found.fetchall()} <= {"strong", None}, view
    told = connection.sql("SELECT words FROM why WHERE release = 'apart@1.0.0' AND generator = 'people'")
    assert "kept: a correct sample that no rule drops" in {words for (words,) in told.fetchall()}


def test_explain_tells_why_one_is_there_and_where_it_is_not(store: Store, models: Path, apart: Path) -> None:
    one = next(row for row in rows(apart, "samples") if row["generator"] == "people" and row["kept"])
    found = explaining.explain(one["sample_id"], store)
    assert found["generator"]["name"] == "human", "its name in a recipe is no name of it in the store"
    why = {place["release"]: place["why"] for place in found["releases"]}
    assert why["apart@1.0.0"].endswith("select.apart keeps all such of people, outside dedup and per_problem")
    assert why["models@1.0.0"].startswith("absent: a reference of its problem is judged")
    problem = explaining.explain(one["problem_id"], store)
    (reference,) = [line for line in problem["references"] if line["generator"] == "human"]
    assert reference["releases"]["apart@1.0.0"] == "kept"


def test_a_plan_counts_what_the_run_finds(root: Path, store: Store, apart: Path) -> None:
    found = survey.survey(load(root / "apart.yaml"), store, root, Silent())
    assert found["generators"]["people"] == {"planned": 11, "present": 11, "exhausted": 0}
    assert found["generators"]["strong"] == {"planned": 48, "present": 48, "exhausted": 0}
    fresh = survey.survey(load(root / "apart.yaml"), Store(root / "new"), root, Silent())
    assert fresh["generators"]["people"] == found["generators"]["people"], "a plan reads the problems"
    assert fresh["generators"]["strong"]["exhausted"] == 48


def test_where_samples_vote_a_worked_solution_is_one_of_them(root: Path, store: Store) -> None:
    path = recipe(root, "votes", f"{PEOPLE}, {STRONG}")
    read = load(path, ("verify.decides=consensus", "verify.also=[]"))
    folder = pipeline.run(read, store, root, Silent()).release
    assert folder is not None
    people = [row for row in rows(folder, "samples") if row["generator"] == "people"]
    reasons = {row["verdict_reason"] for row in people}
    assert "majority" in reasons
    assert None not in reasons, "each has the word of the vote"
    assert refusal(checking.check_folder(folder, checking.named(folder))) == ""


# --- what is refused ---------------------------------------------------------------------------------


def test_problems_without_a_worked_solution_make_no_release(root: Path, tmp_path: Path) -> None:
    path = recipe(root, "nobody", PEOPLE)
    path.write_text(path.read_text().replace(", solution: worked", ""))
    with pytest.raises(
        CheckFailed, match=r"no sample to release: 12 .* worked solutions \(columns.solution\)"
    ):
        pipeline.run(load(path), Store(tmp_path / "store"), root, Silent())


def test_another_worked_solution_of_a_stored_problem_is_refused(
    root: Path, alone: Path, store: Store, tmp_path: Path
) -> None:
    changed = releases.problem(0) | {"worked": "Count them. The answer is 8."}
    (tmp_path / "problems.jsonl").write_text(json.dumps(changed) + "\n")
    with pytest.raises(
        CheckFailed, match=r"another worked solution of 1 problem\(s\), the first [0-9a-f]{32}"
    ):
        run(tmp_path, store, "changed", PEOPLE)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (STRONG, "others: {engine: human}", "generators.others is the same as generators.people"),
        ("samples: 4", "samples: 4, by_generator: {people: 2}", "'people' is none of the generators whose"),
        ("samples: 4", "samples: 4, by_generator: {stron: 2}", "have a number, strong"),
        ("per_problem: null", "apart: [persons]", "'persons' is none of the generators, people, strong"),
        ("decides: math", "decides: {judge: {generator: people}}", "the judge 'people' is no model"),
        ("engine: human", "engine: human, license: mit", "license"),
    ],
)
def test_recipes_that_cannot_be(root: Path, store: Store, old: str, new: str, told: str) -> None:
    path = recipe(root, "bad", f"{PEOPLE}, {STRONG}")
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(UsageError) as refused:
        pipeline.run(load(path), store, root, Silent())
    assert told in str(refused.value)
