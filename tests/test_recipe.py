"""Recipes load as written, by hand or by program; what is wrong or planned is refused in one report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from factory import recipe
from factory.errors import UsageError
from factory.recipe import (
    ExactRule,
    Gsm8k,
    MathOptions,
    MathVerifier,
    NearRule,
    OpenAIGenerator,
    PathRule,
    Prompt,
    Recipe,
    VllmGenerator,
)

FULL = """\
name: gsm8k-rft
version: 1.0.0
problems:
  - {source: gsm8k, split: train, limit: 500}
  - {source: reasoning-gym, task: gsm_symbolic, count: 500, seed: 7}
generators:
  small: {engine: vllm, model: HuggingFaceTB/SmolLM2-135M-Instruct, prompt: cot-answer, decoding: {temperature: 0.7, max_tokens: 256}}
  large:
    engine: openai
    base_url: "http://127.0.0.1:8000/v1"
    model: google/gemma-3-270m
    prompt: {mode: completion, template: "{{ prompt }}"}
    decoding: {temperature: 1, max_tokens: 256}
budget: {per_problem: {samples: 16}}
verify: {decides: {math: {percent: value}}, also: [math]}
select: {dedup: [exact, {path: equations, keep: farthest}, {near: minhash, threshold: 0.7}], per_problem: 4}
measure: {k: [1, 2, 4], by: [difficulty, source]}
release: {configs: [sft, samples, problems], require: {"coverage@4": ">= 0.2"}}
"""  # noqa: E501

MINIMAL = """\
name: small
version: 0.1.0
problems:
  - {source: gsm8k}
generators:
  one: {engine: vllm, model: m}
budget: {per_problem: {samples: 4}}
"""

PLANNED = FULL.replace(
    "budget: {per_problem: {samples: 16}}",
    "budget: {match: flops, amount: 5.0e+15, total: {usd: 20}, per_problem: {until_correct: 4, at_most: 64}}",
)
PLANNED = PLANNED.replace("also: [math]", "also: [arithmetic]")
PLANNED = PLANNED.replace("per_problem: 4}", "per_problem: 4, decontaminate: {against: [{source: gsm8k}]}}")
PLANNED = PLANNED.replace("by: [difficulty, source]", "false_positives: {audit: 100}")
PLANNED = PLANNED.replace("[sft, samples, problems]", "[sft, stepwise, samples, problems]")
PLANNED = PLANNED.replace('">= 0.2"}', '">= 0.2", false_positive_upper: "<= 0.02"}')
PLANNED += "steps: {segment: lines}\n"


def load(folder: Path, text: str, *overrides: str) -> Recipe:
    path = folder / "recipe.yaml"
    path.write_text(text)
    return recipe.load(path, overrides)


def refused(folder: Path, text: str, *overrides: str) -> list[str]:
    """The report, without the file's name."""
    with pytest.raises(UsageError) as caught:
        load(folder, text, *overrides)
    return str(caught.value).replace(f"{folder / 'recipe.yaml'}:", "").splitlines()


def test_a_full_recipe(tmp_path: Path) -> None:
    full = load(tmp_path, FULL)
    assert full.id == "gsm8k-rft@1.0.0"
    assert full.problems[0] == Gsm8k(source="gsm8k", limit=500)
    small, large = full.generators["small"], full.generators["large"]
    assert isinstance(small, VllmGenerator)
    assert isinstance(large, OpenAIGenerator)
    assert large.prompt == Prompt(mode="completion")
    assert type(large.decoding.temperature) is float
    assert full.verify.decides == MathVerifier(name="math", options=MathOptions(percent="value"))
    assert full.verify.also == (MathVerifier(name="math"),)
    assert full.select.dedup == (
        ExactRule(exact=True),
        PathRule(path="equations", keep="farthest"),
        NearRule(near="minhash", threshold=0.7),
    )
    assert full.measure.k == (1, 2, 4)
    assert full.release.require == {"coverage@4": ">= 0.2"}


def test_a_minimal_recipe_has_every_default(tmp_path: Path) -> None:
    small = load(tmp_path, MINIMAL)
    assert small.verify.decides == MathVerifier(name="math")
    assert small.select.dedup == (ExactRule(exact=True),)
    assert small.release.configs == ("sft", "samples", "problems")
    assert small.generators["one"].prompt == "cot-answer"  # type: ignore[union-attr]


@pytest.mark.parametrize("text", [FULL, MINIMAL], ids=["full", "minimal"])
def test_a_recipe_written_as_json_is_the_recipe_again(tmp_path: Path, text: str) -> None:
    read = load(tmp_path, text)
    again = Recipe.model_validate(json.loads(read.model_dump_json()))
    assert again == read
    assert again.content() == read.content()


def test_the_content_tells_recipes_apart_and_not_their_spelling(tmp_path: Path) -> None:
    one = load(tmp_path, FULL)
    assert load(tmp_path, FULL.replace("temperature: 1,", "temperature: 1.0,")).content() == one.content()
    assert load(tmp_path, FULL.replace("[math]", "[{math: {}}]")).content() == one.content()
    assert load(tmp_path, FULL, "budget.per_problem.samples=17").content() != one.content()
    assert load(tmp_path, FULL, "generators.large.decoding.seed=1").content() != one.content()


def test_content_leaves_out_where_and_how_fast_it_is_carried_out(tmp_path: Path) -> None:
    text = FULL.replace("{source: gsm8k, split", "{source: gsm8k, path: ../data/a.jsonl, split")
    one = load(tmp_path, text)
    assert one.problems[0].path == Path("../data/a.jsonl")  # type: ignore[union-attr]
    assert one.content()["problems"][0]["path"] == "a.jsonl"
    assert "base_url" not in one.content()["generators"]["large"]
    other = ("problems.0.path=b/a.jsonl", "generators.large.base_url=http://other/v1", "verify.workers=2")
    assert load(tmp_path, text, *other).content() == one.content()


def test_what_is_planned_is_refused_in_one_report(tmp_path: Path) -> None:
    lines = refused(tmp_path, PLANNED)
    planned = [
        line.split(": ")[1] for line in lines if "not yet supported by this version of factory" in line
    ]
    assert planned == [
        "select.decontaminate",
        "release.configs.1",
        "steps",
    ]
    assert [line for line in lines if "not yet" not in line] == []


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        ("{}", "nothing says how many samples a problem gets; write per_problem: {samples: 4}, or match"),
        ("{match: flops}", "match goes with amount; write both"),
        ("{amount: 5}", "amount goes with match; write both"),
        ("{total: {usd: 1}}", "nothing says how many samples a problem gets"),
        ("{per_problem: {until_correct: 4}}", "until_correct needs at_most"),
        ("{per_problem: {adaptive: coverage}}", "adaptive needs at_most"),
        ("{per_problem: {until_correct: 3, at_most: 2}}", "until_correct: 3 is never reached in at_most: 2"),
        (
            "{per_problem: {samples: 4, until_correct: 4, at_most: 8}}",
            "samples and until_correct are two rules",
        ),
        (
            "{per_problem: {samples: 4, at_most: 8}}",
            "at_most goes with until_correct, proportional, adaptive",
        ),
        ("{per_problem: {until_correct: 4, at_most: 8, probe: 2}}", "probe goes with proportional alone"),
    ],
)
def test_a_budget_that_does_not_end_or_says_two_things_is_refused(
    tmp_path: Path, budget: str, expected: str
) -> None:
    text = FULL.replace("budget: {per_problem: {samples: 16}}", f"budget: {budget}")
    assert any(expected in line for line in refused(tmp_path, text)), refused(tmp_path, text)


@pytest.mark.parametrize(
    ("budget", "rule", "most", "fixed"),
    [
        ("{per_problem: {samples: 4}}", "samples", 4, True),
        ("{match: usd, amount: 2}", None, None, True),
        ("{match: flops, amount: 5.0e+15, per_problem: {samples: 4}}", "samples", 4, True),
        (
            "{per_problem: {until_correct: 4, at_most: 64}, total: {usd: 20, seconds: 60}}",
            "until_correct",
            64,
            False,
        ),
        ("{per_problem: {proportional: fail_rate, at_most: 64}}", "proportional", 64, False),
        (
            "{per_problem: {adaptive: coverage, at_most: 64}, match: samples, amount: 100}",
            "adaptive",
            64,
            False,
        ),
    ],
)
def test_every_rule_and_currency_is_read(
    tmp_path: Path, budget: str, rule: str | None, most: int | None, fixed: bool
) -> None:
    text = FULL.replace("budget: {per_problem: {samples: 16}}", f"budget: {budget}")
    read = load(tmp_path, text).budget.per_problem
    assert (read.rule, read.most, read.fixed) == (rule, most, fixed)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("temperature: 0.7", "temprature: 0.7",
         "7: generators.small.decoding.temprature is not a key here; did you mean temperature? "
         "Keys allowed: temperature, top_p, top_k, max_tokens, stop, seed"),
        ("{samples: 16}", "{samples: four}",
         "14: budget.per_problem.samples: 'four' is not an integer; write a whole number such as 4"),
        ("{samples: 16}", "{samples: true}",
         "14: budget.per_problem.samples: true is not an integer; write a whole number such as 4"),
        ("{samples: 16}", "{samples: 0}",
         "14: budget.per_problem.samples: 0 is out of range; write at least 1"),
        ("budget:", "bugdet:", "1: budget is missing; add it"),
        ("engine: vllm", "engine: vlm",
         "7: generators.small.engine: 'vlm' is not allowed; did you mean vllm? "
         "Allowed: transformers, vllm, openai, replay, human"),
        ("{source: gsm8k,", "{source: gsm8,",
         "4: problems.0.source: 'gsm8' is not allowed; did you mean gsm8k? "
         "Allowed: reasoning-gym, story-sums, gsm8k, humaneval, mbpp, file, hub"),
        ("split: train", "split: dev", "4: problems.0.split: 'dev' is not allowed; Allowed: train, test"),
        ("task: gsm_symbolic, ", "", "5: problems.1.task is missing; add it"),
        ("prompt: cot-answer", "prompt: 5",
         "7: generators.small.prompt: 5 is not text; write text, in quotes "
         "where it looks like something else"),
        ("mode: completion", "mode: complete",
         "12: generators.large.prompt.mode: 'complete' is not allowed; did you mean completion? "
         "Allowed: chat, completion"),
        ("name: gsm8k-rft", "name: GSM8K rft",
         "1: name: 'GSM8K rft' is not a name: lower-case letters, digits, '.', '_' and '-', at most 96"),
        ("version: 1.0.0", "version: 1.0",
         "2: version: 1.0 is not text; write text, in quotes where it looks like something else"),
        ("version: 1.0.0", "version: v1.0.0", "2: version: 'v1.0.0' is not a version such as 1.0.0"),
        ("small:", "gold:",
         "7: generators.gold: the name 'gold' is reserved for reference solutions; take another"),
        ("decides: {math: {percent: value}}", "decides: mth",
         "15: verify.decides: 'mth' is not allowed; did you mean math? "
         "Allowed: math, arithmetic, unit_tests, judge, consensus"),
        ("percent: value", "percent: vale",
         "15: verify.decides.math.percent: 'vale' is not allowed; did you mean value? "
         "Allowed: either, value, sign"),
        ("percent: value", "precent: value",
         "15: verify.decides.math.precent is not a key here; did you mean percent? "
         "Keys allowed: percent, units, order, rounding, last_number"),
        ("[exact,", "[exat,",
         "16: select.dedup.0: 'exat' is not a rule; write exact, {path: equations} or {near: minhash}"),
        ("[exact,", "[{},",
         "16: select.dedup.0: a section is not a rule; write exact, {path: equations} or {near: minhash}"),
        ("keep: farthest", "keep: last",
         "16: select.dedup.1.keep: 'last' is not allowed; Allowed: first, farthest"),
        ("threshold: 0.7", "threshold: 1",
         "16: select.dedup.2.threshold: 1 is out of range; write less than 1"),
        ("k: [1, 2, 4]", "k: 4", "17: measure.k: 4 is not a list; write [one, two]"),
        ('">= 0.2"', '"0.2"', "18: release.require.coverage@4: '0.2' is not a comparison such as '>= 0.2'"),
        ('">= 0.2"', "0.2",
         "18: release.require.coverage@4: 0.2 is not text; write text, in quotes "
         "where it looks like something else"),
        ("[sft, samples,", "[stf, samples,",
         "18: release.configs.0: 'stf' is not allowed; did you mean sft? Allowed: sft, preference, "
         "kto, rewards, samples, problems"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_line_key_value_and_what_is_allowed(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    assert old in FULL
    assert refused(tmp_path, FULL.replace(old, new, 1))[0] == expected


def test_overrides_reach_everywhere(tmp_path: Path) -> None:
    read = load(tmp_path, FULL, "problems.1.count=5", "version=1.1.0", "select.per_problem=null", "verify={}")
    assert read.problems[1].count == 5  # type: ignore[union-attr]
    assert (read.version, read.select.per_problem) == ("1.1.0", None)
    assert read.verify.decides == MathVerifier(name="math")
    assert refused(tmp_path, FULL, "problems.2.count=5") == [
        "--set problems.2.count: 2 is no place in a list of 2; count from 0 to 1"
    ]


def test_the_mark_of_a_verifier_changes_only_with_its_options() -> None:
    assert recipe.verifier_version("1", MathOptions()) == "1"
    assert recipe.verifier_version("1", MathOptions(percent="either")) == "1"
    assert recipe.verifier_version("1", MathOptions(percent="value")) == "1+8079f7f7"


def test_recipes_are_frozen(tmp_path: Path) -> None:
    read = load(tmp_path, MINIMAL)
    with pytest.raises(ValueError, match="frozen"):
        read.budget.per_problem.samples = 5  # type: ignore[misc]


@pytest.mark.parametrize(("batch", "at_once"), [(128, 8), (12, 6), (7, 7), (13, 1), (1, 1)])
def test_rows_at_once_divide_a_step_where_nobody_says_how_many(batch: int, at_once: int) -> None:
    train = recipe.Train.model_validate({"batch": batch})
    assert (train.batch, train.micro_batch) == (batch, at_once)
    assert recipe.Train.model_validate(train.model_dump(mode="json")) == train


def test_rows_at_once_that_do_not_divide_a_step_are_refused() -> None:
    with pytest.raises(
        ValueError, match="6 does not divide batch, 20; write a divisor of it, or leave micro_batch"
    ):
        recipe.Train.model_validate({"batch": 20, "micro_batch": 6})
