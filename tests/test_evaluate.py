"""Evaluating models: figures as plain SQL finds them, facts that are never made twice, what is refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from factory.commands import display_evaluation
from factory.errors import CheckFailed, OutsideError, UsageError
from factory.generators import engines, references
from factory.generators.base import Completion, Request
from factory.loop import evaluating, overlap
from factory.loop.evaluating import Model, evaluate
from factory.progress import Silent
from factory.query.sql import connect
from factory.recipe import Recipe
from factory.recipe import load as load_recipe
from factory.store import Store
from factory.training.folder import TRAINED_ON
from tests.support.openai_server import ScriptedServer
from tests.support.running import done, factory, write_lines

pytestmark = pytest.mark.usefixtures("kept_servers")

HELD_OUT, OWN = 24, 8

RECIPE = """
name: sums
version: 1.0.0
problems: [{source: file, path: own.jsonl, name: own, columns: {prompt: question, answer: answer}}]
generators: {learner: {engine: transformers, model: ./base, prompt: plain, decoding: {max_tokens: 9}}}
budget: {per_problem: {samples: 2}}
verify: {decides: math, also: [arithmetic], workers: 1}
evaluate:
  sets:
    test: {problems: [{source: file, path: test.jsonl, columns: {prompt: question, answer: answer}}]}
  samples: 6
  temperature: 1.0
  k: [1, 4]
  majority: [2, 3]
  bootstrap: 200
"""


def question(number: int) -> str:
    return f"What is {number} + {2 * number + 1}?"


def completion(skill: str, prompt: str, draw: object) -> str:
    """What an imaginary model says: right, wrong, nothing, or something that cannot be judged."""
    number = int(prompt.split()[2])
    lot = hashlib.sha256(f"{skill} {prompt} {draw}".encode()).digest()
    right = 3 * number + 1
    said = ["I do not know.", "The answer is 1000,99."]
    said += [f"The answer is {right}."] * int(skill) + [f"The answer is {right + 1 + lot[1] % 2}."] * 6
    return said[lot[0] % len(said)]


class Scripted:
    """An engine that answers by rule; `events` tells when models come and go, and what is asked."""

    events: list[str]
    fails_after: int | None
    parameters = reread = None

    def __init__(self, config: Any) -> None:
        self.config, self.skill = config, (Path(config.model) / "model.safetensors").read_text()
        self.events.append(f"open {self.skill}")

    def most_prompt_tokens(self, prompt: object) -> int:
        return 5

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        for place, request in enumerate(requests):
            if self.fails_after is not None and place >= self.fails_after:
                raise OutsideError("the device was lost")
            self.events.append("ask")
            assert not isinstance(request.prompt, str)
            greedy = self.config.decoding.temperature == 0
            text = completion(
                self.skill, request.prompt[-1]["content"], "greedy" if greedy else request.sample_index
            )
            yield Completion(request, text, "stop", 5, 5, request.seed, -1.0, 1.0, 0.1)

    def close(self) -> None:
        self.events.append(f"close {self.skill}")


def parts(config: Any) -> dict[str, str | None]:
    files = references.resolve(config.model)
    return {"model": files.name, "weights": files.digest, "dtype": config.dtype, "chat_template": None}


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    told: list[str] = []
    monkeypatch.setattr(Scripted, "events", told, raising=False)
    monkeypatch.setattr(Scripted, "fails_after", None, raising=False)
    monkeypatch.setitem(engines.ENGINES, "transformers", engines.Kind(parts, Scripted))
    return told


def model(root: Path, name: str, skill: int, trained_on: list[tuple[str, str]] | None = None) -> Model:
    folder = root / name
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_text(str(skill))
    if trained_on is not None:
        columns = dict(zip(("problem_id", "prompt"), map(list, zip(*trained_on, strict=True)), strict=True))
        pq.write_table(pa.table(columns), folder / TRAINED_ON)
    return Model(name, str(folder))


def workplace(root: Path, change: tuple[str, str] = ("", "")) -> tuple[Recipe, Store]:
    """A recipe with problems, and an empty store; `change` is a text of RECIPE and what it becomes."""
    for name, start, count in (("own", 500, OWN), ("test", 1, HELD_OUT)):
        rows = [{"question": question(n), "answer": str(3 * n + 1)} for n in range(start, start + count)]
        write_lines(root / f"{name}.jsonl", rows)
    assert change[0] in RECIPE
    (root / "recipe.yaml").write_text(RECIPE.replace(*change) if change[0] else RECIPE)
    return load_recipe(root / "recipe.yaml"), Store(root / "store")


def run(root: Path, recipe: Recipe, store: Store, models: list[Model], **more: Any) -> dict[str, Any]:
    return evaluate(recipe, root, store, models, Silent(), **more)


# --- figures -----------------------------------------------------------------------------------------

MAJORITY = """
WITH d AS (
  SELECT s.problem_id, v.status, v.answer,
    (row_number() OVER (PARTITION BY s.problem_id ORDER BY s.sample_index) - 1) // {k} AS block,
    count(*) OVER (PARTITION BY s.problem_id) // {k} AS blocks
  FROM samples s JOIN verdicts v USING (sample_id)
  WHERE s.generator_id = '{generator}' AND v.verifier = 'math'),
votes AS (
  SELECT problem_id, block, answer, count(*) AS n, (bool_or(status = 'pass'))::INT AS good
  FROM d WHERE block < blocks AND status IN ('pass', 'fail') GROUP BY ALL),
tops AS (SELECT *, max(n) OVER (PARTITION BY problem_id, block) AS most FROM votes),
credit AS (SELECT problem_id, block, avg(good) AS credit FROM tops WHERE n = most GROUP BY ALL),
per_problem AS (
  SELECT b.problem_id, avg(coalesce(credit, 0)) AS figure
  FROM (SELECT DISTINCT problem_id, block FROM d WHERE block < blocks) b
  LEFT JOIN credit USING (problem_id, block) GROUP BY ALL)
SELECT avg(figure), count(*) FROM per_problem
"""

PASS = """
WITH n AS (
  SELECT problem_id, count(*)::INT AS n, (count(*) FILTER (status = 'pass'))::INT AS c
  FROM samples s JOIN verdicts v USING (sample_id)
  WHERE s.generator_id = '{generator}' AND v.verifier = 'math' GROUP BY ALL)
SELECT avg(1 - CASE WHEN n - c < {k} THEN 0 ELSE
  (factorial(n - c) / factorial(greatest(n - c - {k}, 0))) / (factorial(n) / factorial(n - {k})) END),
  count(*)
FROM n WHERE n >= {k}
"""

GREEDY = """
SELECT avg((status = 'pass')::INT), count(*) FROM samples s JOIN verdicts v USING (sample_id)
WHERE s.generator_id = '{generator}' AND v.verifier = 'math'
"""

DIFFERENCE = """
WITH g AS (
  SELECT s.generator_id, s.problem_id, (v.status = 'pass')::INT AS solved
  FROM samples s JOIN verdicts v USING (sample_id) WHERE v.verifier = 'math')
SELECT avg(b.solved - a.solved), count(*), count(*) FILTER (b.solved > a.solved)
FROM g a JOIN g b USING (problem_id)
WHERE a.generator_id = '{generator}' AND b.generator_id = '{other}'
"""


def test_figures_are_those_of_plain_sql(tmp_path: Path, events: list[str]) -> None:
    recipe, store = workplace(tmp_path)
    found = run(tmp_path, recipe, store, [model(tmp_path, "base", 3), model(tmp_path, "tuned", 9)])
    told = found["sets"]["test"]
    with connect(store) as connection:

        def sql(query: str, **values: object) -> list[float]:
            (row,) = connection.execute(query.format(**values)).fetchall()
            return [float(f"{one:.10g}") for one in row]

        for one in told["models"].values():
            figures = {name: [it["value"], it["n_problems"]] for name, it in one["figures"].items()}
            assert {size for _, size in figures.values()} == {HELD_OUT}, "all models on all problems"
            assert any(it["at_most"] > it["value"] for it in one["figures"].values())
            draws = one["generators"]["draws"]
            assert figures == {
                "greedy": sql(GREEDY, generator=one["generators"]["greedy"]),
                **{f"pass@{k}": sql(PASS, generator=draws, k=k) for k in (1, 4)},
                **{f"maj@{k}": sql(MAJORITY, generator=draws, k=k) for k in (2, 3)},
            }
        pair = told["differences"]["tuned"]["base"]["greedy"]
        ids = [told["models"][name]["generators"]["greedy"] for name in ("base", "tuned")]
        expected = sql(DIFFERENCE, generator=ids[0], other=ids[1])
        assert [pair["value"], pair["n_problems"], pair["wins"]] == expected
    counts = told["models"]["base"]["counts"]["draws"]
    assert min(counts["pass"], counts["fail"], counts["no_answer"], counts["error"]) > 0
    assert sum(counts.values()) == HELD_OUT * 6
    assert found["sets"]["test"]["verifier"].startswith("math@")


def test_what_is_in_the_store_is_not_asked_again(tmp_path: Path, events: list[str]) -> None:
    recipe, store = workplace(tmp_path)
    models = [model(tmp_path, "base", 3), model(tmp_path, "tuned", 9)]
    first = run(tmp_path, recipe, store, models)
    assert events.count("ask") == 2 * HELD_OUT * 7
    # One model at a time, each closed before the next is opened.
    comings = [one for one in events if one != "ask"]
    assert comings == [f"{what} {skill}" for skill in (3, 9) for what in ("open", "close")] * 2
    events.clear()
    again = run(tmp_path, recipe, store, models)
    assert (events, again) == ([], first)
    path = evaluating.path_of(store, first)
    assert json.loads(path.read_text()) == first
    assert [one.name for one in path.parent.iterdir()] == [f"{first['evaluation_id']}.json"]


def test_an_evaluation_goes_on_where_it_was_cut_off(
    tmp_path: Path, events: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, store = workplace(tmp_path)
    base = model(tmp_path, "base", 3)
    monkeypatch.setattr(Scripted, "fails_after", 10)
    with pytest.raises(OutsideError, match="the device was lost"):
        run(tmp_path, recipe, store, [base])
    assert events.count("ask") == 10
    monkeypatch.setattr(Scripted, "fails_after", None)
    run(tmp_path, recipe, store, [base])
    assert events.count("ask") == HELD_OUT * 7


def test_the_same_weights_under_two_names_are_asked_once(tmp_path: Path, events: list[str]) -> None:
    recipe, store = workplace(tmp_path)
    models = [model(tmp_path, "start", 3), model(tmp_path, "r1", 3), model(tmp_path, "r2", 9)]
    told = run(tmp_path, recipe, store, models)["sets"]["test"]
    assert events.count("ask") == 2 * HELD_OUT * 7
    assert told["models"]["start"] == told["models"]["r1"]
    same = told["differences"]["r1"]["start"]["greedy"]
    assert (same["value"], same["low"], same["high"], same["p"]) == (0.0, 0.0, 0.0, 1.0)
    assert list(told["differences"]["r2"]) == ["start", "r1"]
    assert "start" not in told["differences"]


def test_the_recipes_own_problems_are_a_set_of_greedy_draws(tmp_path: Path, events: list[str]) -> None:
    recipe, store = workplace(tmp_path)
    base = model(tmp_path, "base", 3)
    found = run(tmp_path, recipe, store, [base], only=["train"], train_problems=5)
    told = found["sets"]["train"]
    assert (list(found["sets"]), events.count("ask")) == (["train"], 5)
    assert told["problems"] == {"asked": 5, "not_chosen": OWN - 5}
    assert list(told["models"]["base"]["figures"]) == ["greedy"]
    assert told["overlap"] is None
    run(tmp_path, recipe, store, [base], only=["train"], train_problems=6)
    assert events.count("ask") == 6, "a larger choice only adds"


def test_a_verifier_without_answers_leaves_the_vote_unmeasured(tmp_path: Path, events: list[str]) -> None:
    recipe, store = workplace(tmp_path, ("    test: {", "    test: {decides: arithmetic, "))
    told = run(tmp_path, recipe, store, [model(tmp_path, "base", 3)])["sets"]["test"]
    why = "the verifier arithmetic finds no answers"
    assert told["not_measured"] == {"maj@2": why, "maj@3": why}
    assert list(told["models"]["base"]["figures"]) == ["greedy", "pass@1", "pass@4"]


# --- overlap -----------------------------------------------------------------------------------------


def trained(recipe: Recipe, root: Path, numbers: Iterable[int]) -> list[tuple[str, str]]:
    from factory.problems import load

    assert recipe.evaluate is not None
    (source,) = recipe.evaluate.sets["test"].problems
    return [(one.problem_id, one.prompt) for n, one in enumerate(load(source, root)) if n in set(numbers)]


def test_what_was_trained_on_is_refused_before_anything_is_asked(tmp_path: Path, events: list[str]) -> None:
    recipe, store = workplace(tmp_path)
    rows = [*trained(recipe, tmp_path, range(3)), ("another id", "what is  4 + 9 ?")]
    tuned = model(tmp_path, "tuned", 9, rows)
    with pytest.raises(CheckFailed, match=r"4 of 24 problems of the set 'test'.*tuned 4.*leave_out"):
        run(tmp_path, recipe, store, [model(tmp_path, "base", 3), tuned])
    assert (events, store.count("samples")) == ([], 0)


def test_what_was_trained_on_is_left_out_and_counted(tmp_path: Path, events: list[str]) -> None:
    recipe, store = workplace(tmp_path, ("  samples: 6", "  overlap: leave_out\n  samples: 6"))
    rows = [*trained(recipe, tmp_path, range(3)), ("another id", "what is  4 + 9 ?")]
    models = [model(tmp_path, "base", 3), model(tmp_path, "tuned", 9, rows)]
    told = run(tmp_path, recipe, store, models)["sets"]["test"]
    assert told["problems"] == {"asked": 20, "overlap": 4}
    assert events.count("ask") == 2 * 20 * 7
    assert told["overlap"]["against"] == {
        overlap.OF_THE_RECIPE: None,
        "base": None,
        "tuned": {"problems": 4, "same": 4},
    }
    assert (told["overlap"]["same_id"], told["overlap"]["same_prompt"]) == (3, 1)


@pytest.mark.parametrize(
    ("train", "expected"), [("train: {steps: 1}\nevaluate:", 2), ("evaluate:", None)], ids=["trains", "not"]
)
def test_the_problems_that_a_recipe_trains_on_count(
    tmp_path: Path, events: list[str], train: str, expected: int | None
) -> None:
    recipe, store = workplace(tmp_path, ("evaluate:", train))
    own = (tmp_path / "own.jsonl").read_text().splitlines()
    held_out = (tmp_path / "test.jsonl").read_text().splitlines()
    (tmp_path / "own.jsonl").write_text("\n".join([*own, *held_out[:2]]) + "\n")
    base = model(tmp_path, "base", 3)
    if expected is None:
        told = run(tmp_path, recipe, store, [base])["sets"]["test"]["overlap"]
        assert (told["near"], told["same_id"]) == (None, None), "unknown is not clean"
        return
    with pytest.raises(CheckFailed, match=rf"{expected} of 24 .*the recipe's problems {expected}, base 0"):
        run(tmp_path, recipe, store, [base])


def test_a_set_that_was_wholly_trained_on_cannot_be_evaluated(tmp_path: Path, events: list[str]) -> None:
    recipe, store = workplace(tmp_path, ("  samples: 6", "  overlap: leave_out\n  samples: 6"))
    tuned = model(tmp_path, "tuned", 9, trained(recipe, tmp_path, range(HELD_OUT)))
    with pytest.raises(CheckFailed, match="every problem of the evaluation set 'test' was trained on"):
        run(tmp_path, recipe, store, [tuned])
    assert events == []


# --- refusals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "more", "message"),
    [
        ((RECIPE[RECIPE.index("evaluate:") :], ""), {}, "has no section evaluate"),
        (("k: [1, 4]", "k: [1, 7]"), {}, "k = 7 of 6 random draws; raise evaluate.samples to 7"),
        (("majority: [2, 3]", "majority: [2, 8]"), {}, "k = 8 of 6 random draws"),
        (("  samples: 6", "  greedy: false"), {}, "measures nothing"),
        (("", ""), {"only": ["tset"]}, "'tset' is none of the evaluation sets, test"),
        (("", ""), {"only": ["train"]}, "'train' is none of the evaluation sets, test"),
        (("    test: {", "    train: {"), {"train_problems": 3}, "evaluate.sets.train has the name"),
        (("decides: math", "decides: consensus"), {}, "would be judged by consensus"),
        (
            ("generators: {", "generators: {other: {engine: vllm, model: ./base}, "),
            {},
            "which one is not clear: other, learner could",
        ),
        (
            (
                "engine: transformers, model: ./base, prompt: plain, decoding: {max_tokens: 9}",
                "engine: human",
            ),
            {},
            "which one is not clear: none could",
        ),
    ],
)
def test_what_cannot_be_evaluated_is_said(
    tmp_path: Path, events: list[str], change: tuple[str, str], more: dict[str, Any], message: str
) -> None:
    if "measures nothing" in message:
        change = (RECIPE[RECIPE.index("  samples: 6") :], "  greedy: false\n")
    recipe, store = workplace(tmp_path, change)
    with pytest.raises(UsageError, match=message):
        run(tmp_path, recipe, store, [model(tmp_path, "base", 3)], **more)
    assert (events, store.count("samples")) == ([], 0)


@pytest.mark.parametrize("labels", [[], ["a", "a"]], ids=["none", "twice"])
def test_labels_are_needed_and_differ(tmp_path: Path, events: list[str], labels: list[str]) -> None:
    recipe, store = workplace(tmp_path)
    with pytest.raises(UsageError, match="models need labels, each another one"):
        run(tmp_path, recipe, store, [Model(one, str(tmp_path)) for one in labels])


# --- what is shown -----------------------------------------------------------------------------------


def shown(one: dict[str, Any]) -> list[str]:
    """The notes below the table of a set."""
    found = {"models": [{"label": "base"}], "sets": {"test": NOTHING_ODD | one}}
    return [line.strip() for line in display_evaluation.lines(found) if isinstance(line, str)]


def told(
    value: float | None = 0.5, n: int = 50, error: int = 0, lost: int = 0, most: float | None = None
) -> dict[str, Any]:
    figure = {"value": value, "low": value, "high": value, "n_problems": n, "at_most": most or value}
    counts = dict.fromkeys(("pass", "fail", "no_answer", "unverified"), 0) | {"error": error}
    return {"base": {"figures": {"greedy": figure}, "counts": {"greedy": counts}, "votes_lost": lost}}


NOTHING_ODD: dict[str, Any] = {
    "verifier": "math@2",
    "problems": {"asked": 50},
    "not_measured": {},
    "differences": {},
    "overlap": None,
    "models": told(),
}


@pytest.mark.parametrize(
    ("one", "note"),
    [
        ({}, "these are problems that the recipe trains on"),
        ({"models": told(n=6)}, "of so few problems (6) the intervals are too narrow: take 30 or more"),
        ({"models": told(None, n=0)}, "of so few problems (0) the intervals are too narrow: take 30 or more"),
        (
            {"models": told(error=3)},
            "draws that could not be judged, counted as not solving their problem: base 3",
        ),
        ({"models": told(most=0.62)}, "were they all right: base pass@1 greedy 0.6200"),
        ({"models": told(lost=2)}, "problems whose answers could not be compared, not in maj@k: base 2"),
        ({"not_measured": {"maj@4": "why"}}, "maj@4 is not measured: why"),
        ({"problems": {"asked": 49, "bad_gold": 1}}, "problems: asked 49, bad_gold 1"),
        (
            {"overlap": {"against": {"a\x1b[2J": None}, "near": None, "left_out": 0}},
            "not known what was trained on: a\\x1b[2J",
        ),
    ],
)
def test_what_the_figures_leave_out_is_told_beside_them(one: dict[str, Any], note: str) -> None:
    assert note in shown(one)
    assert ("these are problems that the recipe trains on" in shown(one)) == ("overlap" not in one)


# --- the command -------------------------------------------------------------------------------------


def test_the_command_evaluates_models_of_a_server(tmp_path: Path) -> None:
    change = "transformers, model: ./base"
    with ScriptedServer(share_right=0.7) as server:
        workplace(tmp_path, (change, f'openai, model: small, base_url: "{server.base_url}"'))
        asked = ("evaluate", "recipe.yaml", "--model", "small", "--model", "large", "--quiet")
        shown = factory(*asked, cwd=tmp_path, COLUMNS="200")
        assert shown.returncode == 0, shown.stderr
        assert "pass@1 greedy" in shown.stdout
        assert "not known what was trained on: the recipe's problems, small, large" in shown.stdout
        found = done(factory(*asked, "--json", cwd=tmp_path))
    assert (tmp_path / "store/evaluations/sums@1.0.0" / f"{found['evaluation_id']}.json").is_file()
    assert list(found["sets"]["test"]["differences"]) == ["large"]


def test_without_a_section_the_command_shows_what_to_write(tmp_path: Path) -> None:
    workplace(tmp_path, (RECIPE[RECIPE.index("evaluate:") :], ""))
    told = factory("evaluate", "recipe.yaml", cwd=tmp_path)
    assert (told.returncode, told.stdout) == (2, "")
    assert "evaluate:\n  sets:" in told.stderr


@pytest.mark.parametrize(
    ("change", "asked", "message"),
    [
        (("", ""), ["--model", "sums-r1@1.0.0"], "there is no such model in store/models, which has none"),
        (
            ("evaluate:", "train: {base: {hidden: 16, heads: 2}}\nevaluate:"),
            [],
            "its base is made by the loop, and store/models has no model of it yet",
        ),
        (("", ""), ["--only", "tset"], "'tset' is none of the evaluation sets, test"),
    ],
)
def test_the_command_says_what_is_not_there(
    tmp_path: Path, change: tuple[str, str], asked: list[str], message: str
) -> None:
    workplace(tmp_path, change)
    model(tmp_path, "base", 3)
    told = factory("evaluate", "recipe.yaml", *asked, cwd=tmp_path)
    assert (told.returncode, told.stdout) == (2, "")
    assert message in told.stderr
