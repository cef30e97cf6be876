"""False positives: the lots, the estimate and its interval, what is said, and known populations."""

from __future__ import annotations

import math
import random
import statistics
from collections import Counter
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.metrics.beta import clopper_pearson, probability, quantile
from factory.metrics.false_positive_summary import Word, least_shown, summary, words_of_most
from factory.metrics.false_positives import draw, estimates
from tests.benchmarks.false_positives import SCENARIOS, once

# --- the beta distribution ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "labels", "low", "high"),
    [
        # scipy.stats.binomtest(wrong, labels).proportion_ci(method="exact")
        (0, 50, 0.0, 0.07112173646419773),
        (3, 50, 0.01254858783533406, 0.1654819466037729),
        (50, 50, 0.9288782635358023, 1.0),
        (1, 1, 0.025, 1.0),
    ],
)
def test_exact_intervals(wrong: int, labels: int, low: float, high: float) -> None:
    assert tuple(clopper_pearson(wrong, labels)) == pytest.approx((low, high), abs=1e-9)


def test_no_label_gives_no_interval() -> None:
    assert tuple(clopper_pearson(0, 0)) == (None, None)


@given(st.floats(0.05, 500), st.floats(0.05, 500), st.sampled_from([0.025, 0.5, 0.975]))
@settings(deadline=None, max_examples=40)
def test_a_quantile_is_where_the_probability_is_the_share(a: float, b: float, share: float) -> None:
    x = quantile(share, a, b)
    if 1e-200 < x < 1 - 1e-9:
        assert probability(x, a, b) == pytest.approx(share, abs=1e-7)
    if 1e-5 < x < 1 - 1e-5:
        assert probability(1 - x, b, a) == pytest.approx(1 - share, abs=1e-7)


@pytest.mark.parametrize(("a", "b"), [(0.0, 1.0), (1.0, -1.0), (math.nan, 1.0)])
def test_parameters_that_are_not_positive_are_refused(a: float, b: float) -> None:
    with pytest.raises(ValueError, match="needs a > 0 and b > 0"):
        probability(0.5, a, b)


# --- the lots ----------------------------------------------------------------------------------------


def rows(number: int, seed: int = 0, **fixed: Any) -> pl.DataFrame:
    """Accepted samples of two generators and difficulties, three of a problem."""
    lot = random.Random(seed)
    return pl.DataFrame(
        [
            {
                "sample_id": f"{place:032x}",
                "problem_id": f"p{place // 3}",
                "generator": lot.choice(["strong", "weak"]),
                "difficulty": lot.choice(["easy", "hard"]),
                "judge": lot.choices(["clear", "suspect", "unjudged"], [7, 2, 1])[0],
                "kept": lot.random() < 0.3,
                "arithmetic": None,
                "model": None,
            }
            | fixed
            for place in range(number)
        ],
        schema_overrides={"arithmetic": pl.String, "model": pl.String},
    )


@given(st.integers(1, 60), st.integers(0, 60), st.integers(0, 3))
@settings(deadline=None, max_examples=15)
def test_a_larger_number_only_adds(one: int, more: int, seed: int) -> None:
    population = rows(70, seed).to_arrow()
    few, many = draw(population, one, seed), draw(population, one + more, seed)
    assert many[: len(few)] == few
    assert len(many) == len(set(many)) == min(one + more, 70)


def test_every_stratum_is_drawn_from_and_kept_ones_are_half() -> None:
    population = rows(2000)
    drawn = population.filter(pl.col("sample_id").is_in(draw(population.to_arrow(), 100, 0)))
    strata = ["generator", "difficulty", "judge", "kept"]
    assert drawn.select(strata).unique().height == population.select(strata).unique().height
    assert 45 <= drawn["kept"].sum() <= 55
    suspects = (drawn["judge"] == "suspect").sum()
    assert 14 <= suspects <= 28, "their share and no more"


def test_another_seed_draws_others_whatever_the_order_of_the_rows() -> None:
    population = rows(500)
    one = draw(population.to_arrow(), 20, 0)
    assert draw(population.sample(fraction=1.0, shuffle=True, seed=3).to_arrow(), 20, 0) == one
    assert set(draw(population.to_arrow(), 20, 1)) != set(one)


def test_of_nothing_nothing_is_drawn() -> None:
    assert draw(rows(3).clear().to_arrow(), 10, 0) == []


# --- the estimate ------------------------------------------------------------------------------------


def of(population: pl.DataFrame, words: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = estimates(population, words)["per_solution"]
    return found


def alike(number: int) -> pl.DataFrame:
    """Samples of one stratum, each of its own problem."""
    population = rows(number, generator="strong", difficulty="easy", judge="clear", kept=True)
    return population.with_columns(problem_id=pl.col("sample_id"))


def test_fifty_right_labels_prove_little() -> None:
    population = alike(100_000)
    told = of(population, dict.fromkeys(population["sample_id"][:50], "right"))
    assert told["value"] == 0.0
    assert told["low"] == 0.0
    assert told["high"] == pytest.approx(0.0711, abs=2e-4), "1 - 0.025^(1/50)"
    assert told["effective"] == pytest.approx(50, rel=1e-3)


def test_without_labels_nothing_is_known() -> None:
    told = of(alike(10), {"elsewhere": "wrong"})
    assert (told["value"], told["low"], told["high"], told["covered"]) == (None, 0.0, 1.0, 0.0)


def test_of_no_sample_there_is_no_rate() -> None:
    told = of(alike(10).clear(), {})
    assert (told["value"], told["low"], told["high"], told["population"]) == (None, None, None, 0)


def test_where_every_sample_has_a_label_the_rate_is_known() -> None:
    population = alike(40)
    words = {one: "wrong" if place < 4 else "right" for place, one in enumerate(population["sample_id"])}
    told = of(population, words)
    assert (told["value"], told["low"], told["high"]) == (0.1, 0.1, 0.1)


def test_what_the_labelled_samples_rule_out_is_not_in_the_interval() -> None:
    population = alike(10)
    ids = population["sample_id"].to_list()
    told = of(population, {ids[0]: "wrong"} | dict.fromkeys(ids[1:6], "right"))
    assert told["low"] == 0.1, "one of ten is known to be wrong"
    assert told["high"] == 0.5, "five of ten are known to be right"


def test_a_stratum_counts_by_its_size_and_not_by_its_labels() -> None:
    population = alike(100).with_columns(
        judge=pl.when(pl.int_range(100) < 20).then(pl.lit("suspect")).otherwise(pl.lit("clear"))
    )
    ids = population["sample_id"].to_list()
    words = dict.fromkeys(ids[:10], "wrong") | dict.fromkeys(ids[20:30], "right")
    told = of(population, words)
    assert told["value"] == 0.2, "10 of 20 labels are wrong, all of the suspects, which are a fifth"
    assert told["low"] < 0.2 < told["high"]


def test_what_no_label_covers_is_between_right_and_wrong() -> None:
    population = alike(100).with_columns(
        judge=pl.when(pl.int_range(100) < 20).then(pl.lit("suspect")).otherwise(pl.lit("clear"))
    )
    told = of(population, dict.fromkeys(population["sample_id"][20:], "right"))
    assert (told["value"], told["covered"]) == (0.0, 0.8)
    assert (told["low"], told["high"]) == (0.0, pytest.approx(0.2))


def test_a_difficulty_without_labels_is_spoken_for_by_its_cell() -> None:
    population = alike(100).with_columns(
        difficulty=pl.when(pl.int_range(100) < 50).then(pl.lit("easy")).otherwise(pl.lit("hard"))
    )
    ids = population["sample_id"].to_list()
    told = of(population, {one: "wrong" if place % 5 == 0 else "right" for place, one in enumerate(ids[:20])})
    assert (told["value"], told["covered"]) == (0.2, 1.0)


def test_unsure_is_evidence_of_neither() -> None:
    population = alike(1000)
    ids = population["sample_id"].to_list()
    words = dict.fromkeys(ids[:40], "right") | {ids[40]: "wrong"} | dict.fromkeys(ids[41:50], "unsure")
    told = of(population, words)
    assert (told["labelled"], told["wrong"], told["unsure"]) == (41, 1, 9)
    assert told["value"] == pytest.approx(1 / 41)
    assert told["unsure_right"]["value"] == pytest.approx(1 / 50)
    assert told["unsure_wrong"]["value"] == pytest.approx(10 / 50)
    assert told["unsure_wrong"]["high"] > told["high"]
    assert of(population, dict.fromkeys(ids[:40], "right"))["unsure_wrong"] is None


def test_a_problem_weighs_one_whatever_the_number_of_its_samples() -> None:
    population = alike(10).with_columns(problem_id=pl.Series(["big"] * 9 + ["small"]))
    ids = population["sample_id"].to_list()
    found = estimates(population, dict.fromkeys(ids[:9], "right") | {ids[9]: "wrong"})
    assert found["per_solution"]["value"] == 0.1
    assert found["per_problem"]["value"] == 0.5


def test_labels_of_few_problems_count_less() -> None:
    apart = alike(10_000)
    together = apart.with_columns(problem_id=pl.int_range(10_000) // 10)
    ids = apart["sample_id"][:50].to_list()
    words = {one: "wrong" if place < 10 else "right" for place, one in enumerate(ids)}
    assert of(together, words)["value"] == of(apart, words)["value"] == 0.2
    assert of(together, words)["effective"] < 10 < of(apart, words)["effective"]
    assert of(together, words)["high"] > of(apart, words)["high"]


@given(st.integers(0, 2**16), st.integers(1, 60))
@settings(deadline=None, max_examples=15)
def test_the_value_lies_in_its_interval_and_the_interval_in_the_unit(seed: int, number: int) -> None:
    population = rows(80, seed)
    lot = random.Random(seed)
    words = {one: lot.choice(["right", "wrong", "unsure"]) for one in draw(population.to_arrow(), number, 0)}
    for told in estimates(population, words).values():
        if told["value"] is not None:
            assert 0 <= told["low"] <= told["value"] * told["covered"] + 1e-9
            assert told["value"] * told["covered"] <= told["high"] + 1e-9 <= 1 + 1e-9
        assert told["labelled"] + told["unsure"] == len(words)


@pytest.mark.parametrize("scenario", [SCENARIOS[0], SCENARIOS[3]], ids=lambda one: one.name)
def test_no_bias_and_an_interval_that_holds(scenario: Any) -> None:
    """A part of the benchmark; its bounds are five standard errors, so it fails for faults alone."""
    found = [once(scenario, 600, 60, seed)[0] for seed in range(30)]
    errors = [one["value"] - one["truth"] for one in found]
    assert abs(statistics.mean(errors)) < 5 * statistics.stdev(errors) / math.sqrt(len(errors))
    assert sum(one["low"] <= one["truth"] <= one["high"] for one in found) >= 24
    width = statistics.mean(one["high"] - one["low"] for one in found)
    alone = statistics.mean(one["alone"][0][1] - one["alone"][0][0] for one in found)
    if scenario is SCENARIOS[0]:
        assert width < 0.95 * alone, "a good judge narrows the interval"
    else:
        assert width < 1.1 * alone, "a useless one costs next to nothing"


# --- all of it ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (["wrong"], "wrong"),
        (["right", "wrong"], "unsure"),
        (["right", "wrong", "wrong"], "wrong"),
        (["unsure", "unsure", "right"], "right"),
        (["unsure"], "unsure"),
    ],
)
def test_the_word_is_that_of_most_and_a_tie_is_unsure(said: list[str], expected: str) -> None:
    words = [Word("s", f"a{place}", label) for place, label in enumerate(said)]
    assert words_of_most(words) == {"s": expected}


def test_a_summary_says_how_little_few_labels_prove() -> None:
    population = alike(2000)
    words = [Word(one, "ann", "right") for one in population["sample_id"][:50]]
    found = summary(population, words, until="2026-01-01")
    assert found["said"] == (
        "0 of 50 labelled kept samples are wrong: at most 7 % of all 2,000, with 95 % confidence. "
        "50 labels cannot show less than 7 %."
    )
    assert (found["annotators"], found["agreement"], found["labels"]["right"]) == (1, None, 50)


def test_a_summary_of_opinions_alone_says_that_they_are_no_estimate() -> None:
    population = rows(10, model="pass", judge="clear").with_columns(
        model=pl.Series(["fail"] * 2 + ["pass"] * 6 + ["error", "no_answer"]),
        arithmetic=pl.Series(["fail"] + ["no_answer"] * 9),
    )
    found = summary(population, [], until=None)
    assert found["judge"] | {"rate": None} == {
        "asked": 10, "pass": 6, "fail": 2, "no_answer": 1, "error": 1, "rate": None
    }  # fmt: skip
    assert found["judge"]["rate"]["value"] == 0.25
    assert found["arithmetic"]["rate"]["value"] == 1.0
    assert found["said"].endswith(
        "The judge calls 2 of 8 accepted samples wrong; that is its opinion, and no estimate. "
        "1 hold an equation that is wrong."
    )


def test_a_summary_tells_generators_and_signals_apart() -> None:
    population = rows(400)
    lot = random.Random(5)
    words = [
        Word(one, name, lot.choice(["right", "right", "wrong", "unsure"]))
        for one in draw(population.to_arrow(), 80, 0)
        for name in ("zoe", "ann")
    ]
    found = summary(population, words, until="2026-01-01")
    assert set(found["by"]["generator"]) == {"strong", "weak"}
    parts = [found["by"]["generator"][name]["accepted"]["per_solution"] for name in ("strong", "weak")]
    whole = found["accepted"]["per_solution"]
    for key in ("population", "labelled", "wrong", "unsure"):
        assert sum(part[key] for part in parts) == whole[key]
    assert sum(entry["samples"] for entry in found["signal"].values()) == 400
    counted: Counter[str] = Counter()
    for entry in found["signal"].values():
        counted.update({label: entry[label] for label in ("right", "wrong", "unsure")})
    assert counted == found["labels"]
    assert found["agreement"]["annotators"] == ["annotator 1", "annotator 2"]
    assert "zoe" not in str(found)
    assert "estimated" in found["said"]


def test_a_summary_of_nothing() -> None:
    found = summary(rows(3).clear(), [], until=None)
    assert found["said"] == "No sample is accepted, so there is none that could be a false positive."
    assert found["by"]["generator"] == {}
    assert least_shown(50, 10**9) == pytest.approx(0.0711217, abs=1e-6)
