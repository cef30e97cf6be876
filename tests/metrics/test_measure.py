"""All metrics of a few draws, pooled and in parts, what is null and why, and what the measure refuses."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.metrics.estimators import diversity_at_k, pass_at_k
from factory.metrics.majority import majority_at_k
from factory.metrics.measure import BINS, NO_ANSWERS, measure
from factory.metrics.pooling import COSTS, COUNTS, Draws
from factory.recipe import Measure

CONFIG = Measure(k=(1, 4), bootstrap=100)
GENERATORS = ("large", "small", "small-r2")
_TEXTS = dict.fromkeys(("source", "difficulty", "group"), pl.String)
_WHOLE = dict.fromkeys(("problem", "generator", "n", "c", "right", "answered", *COUNTS), pl.Int64)
SIZES = dict.fromkeys(("problem", "generator", "key", "size"), pl.Int64)


def row(
    problem: int,
    generator: str,
    n: int,
    paths: Sequence[int] = (),
    others: Sequence[int] = (),
    **fields: Any,
) -> dict[str, Any]:
    """A row of counts with its sizes: path a taken paths[a] times, wrong answer b given others[b] times."""
    c = sum(paths)
    counted = {"problem": problem, "generator": GENERATORS.index(generator), "n": n, "c": c, "right": c}
    counted |= {"answered": c + sum(others), "verified": n, "passed": c, "no_answer": n - c - sum(others)}
    known = {
        "source": "gsm8k",
        "difficulty": None,
        "group": None,
        "errors": 0,
        "unverified": 0,
        "truncated": 0,
    }
    sizes = {"paths": dict(enumerate(paths)), "answers": dict(enumerate(others))}
    return known | dict.fromkeys(COSTS) | counted | sizes | fields


def draws(*rows: dict[str, Any], **fields: Any) -> Draws:
    sizes = {
        name: pl.DataFrame(
            [
                {"problem": one["problem"], "generator": one["generator"], "key": key, "size": size}
                for one in rows
                for key, size in one[name].items()
                if size
            ],
            schema=SIZES,
        )
        for name in ("paths", "answers")
    }
    costs = {name: pl.Int64 if name.endswith("tokens") else pl.Float64 for name in COSTS}
    counts = pl.DataFrame(
        [{key: value for key, value in one.items() if key not in sizes} for one in rows],
        schema={**_WHOLE, **_TEXTS, **costs},
    )
    return Draws(GENERATORS, counts, **sizes, **fields)


TWO = draws(
    row(0, "small", 4, (2, 1), difficulty="easy", errors=2, prompt_tokens=10, seconds=0.1),
    row(0, "large", 2, (0, 1), (1,), difficulty="easy", unverified=1, prompt_tokens=5, seconds=0.2),
    row(1, "small", 4, (), (2, 1), source="other", truncated=3),
    row(2, "small", 5, (1,), (4,), errors=3),
)


def test_generators_are_pooled_and_equal_paths_merged() -> None:
    pooled = measure(TWO, CONFIG)
    assert pooled["pass@1"]["value"] == pytest.approx((4 / 6 + 0 + 1 / 5) / 3)
    assert pooled["coverage@4"]["value"] == pytest.approx((pass_at_k(6, 4, 4) + pass_at_k(5, 1, 4)) / 3)
    assert pooled["coverage@4"] == pooled["pass@4"]
    assert pooled["diversity@4"]["value"] == pytest.approx(
        (diversity_at_k(6, [2, 2], 4) + diversity_at_k(5, [1], 4)) / 3
    )
    assert pooled["maj@4"]["value"] == pytest.approx(
        (majority_at_k(6, 4, [1], 4) + majority_at_k(4, 0, [2, 1], 4) + majority_at_k(5, 1, [4], 4)) / 3
    )
    for name in ("pass@4", "maj@4", "diversity@4"):
        assert (pooled[name]["n_problems"], pooled[name]["n_short"], pooled[name]["why"]) == (3, 0, None)
    assert pooled["maj@4"]["standard_error"] is None, "it is exact"
    assert (pooled["unique_paths"]["value"], pooled["unique_paths"]["n_problems"]) == (1.5, 2)
    assert pooled["path_key"] == "equations"


def test_parts_have_the_same_keys_and_their_own_numbers() -> None:
    whole = measure(TWO, CONFIG)
    parts = whole["by"]
    assert {column: sorted(classes) for column, classes in parts.items()} == {
        "generator": ["large", "small"],
        "source": ["gsm8k", "other"],
        "difficulty": ["easy", "unstated"],
    }
    assert all(
        set(part) == set(whole) - {"by", "path_key"}
        for classes in parts.values()
        for part in classes.values()
    )
    assert parts["generator"]["large"]["diversity@1"]["value"] == 0.5
    assert parts["generator"]["small"]["pass@1"]["value"] == pytest.approx((3 / 4 + 0 + 1 / 5) / 3)
    assert parts["source"]["other"]["problems"] == 1


def test_a_round_is_read_from_the_name_of_its_learner() -> None:
    rows = [row(0, "small-r2", 1, (1,)), row(0, "large", 1)]
    by = measure(draws(*rows), Measure(k=(1,), by=("round",), bootstrap=100))["by"]
    assert list(by["round"]) == ["2"]
    assert by["round"]["2"]["pass@1"]["value"] == 1.0
    none = measure(draws(row(0, "large", 1)), Measure(k=(1,), by=("round",), bootstrap=100))
    assert none["by"]["round"] == {}


def test_errors_are_counted_apart_and_never_as_wrong() -> None:
    assert measure(TWO, CONFIG)["samples"] == {
        "verified": 15, "passed": 5, "no_answer": 2, "errors": 5, "unverified": 1, "truncated": 3,
    }  # fmt: skip
    one = measure(draws(row(0, "small", 1, (1,), errors=1)), CONFIG)
    assert one["pass@1"]["value"] == 1.0


def test_what_nothing_is_known_of_is_null() -> None:
    pooled = measure(TWO, CONFIG)
    assert pooled["prompt_tokens"] == 15
    assert pooled["seconds"] == 0.3
    assert pooled["completion_tokens"] is None
    assert pooled["flops"] is None


# --- null, and why -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "short", "n", "why"),
    [
        (draws(), 0, 0, "nothing was drawn"),
        (
            draws(row(0, "small", 0, errors=4)),
            1,
            0,
            "the only problem has fewer than 4 judged draws (the least: 0)",
        ),
        (
            draws(row(0, "small", 3, (3,)), row(1, "small", 4)),
            1,
            1,
            "1 of 2 problems have fewer than 4 judged draws (the least: 3)",
        ),
        (
            draws(row(0, "small", 4, (3,)), row(1, "small", 4), row(2, "small", 0)),
            1,
            2,
            "1 of 3 problems have fewer than 4 judged draws (the least: 0)",
        ),
        (
            draws(row(0, "small", 2, (2,)), row(1, "small", 2), m={"small": 2}),
            2,
            0,
            "only the first draws of each problem count (2 of small), since the budget ends the draws of a "
            "problem by what they turn out to be",
        ),
    ],
)
def test_a_problem_with_fewer_than_k_draws_makes_k_null(found: Draws, short: int, n: int, why: str) -> None:
    result = measure(found, CONFIG)
    for name in ("pass@4", "coverage@4", "diversity@4", "maj@4"):
        told = {key: value for key, value in result[name].items() if key != "standard_error"}
        unknown = dict.fromkeys(("value", "low", "high"))
        assert told == {**unknown, "n_problems": n, "n_short": short, "why": why}, name


def test_the_first_draws_that_count_are_told_of_each_generator() -> None:
    found = draws(row(0, "small", 2, (2,)), row(0, "large", 3), m={"small": 2, "large": 3})
    result = measure(found, CONFIG)
    assert result["m"] == {"large": 3, "small": 2}
    assert result["by"]["generator"]["small"]["m"] == {"small": 2}
    assert result["pass@4"]["value"] == pytest.approx(pass_at_k(5, 2, 4)), "pooled there are five of each"
    assert measure(TWO, CONFIG)["m"] is None


def test_nobody_votes_where_no_answers_are_read() -> None:
    result = measure(draws(row(0, "small", 4, (2,), answered=0)), CONFIG)
    assert (result["maj@1"]["value"], result["maj@1"]["why"]) == (None, NO_ANSWERS)
    assert result["pass@1"]["value"] == 0.5
    silent = measure(draws(row(0, "small", 4)), CONFIG)
    assert (silent["maj@4"]["value"], silent["maj@4"]["why"]) == (0.0, None), "none answered, so none votes"


def test_an_answer_that_another_verifier_rejects_votes_for_the_right_one() -> None:
    one = measure(draws(row(0, "small", 5, (1,), (2,), right=3)), CONFIG)
    assert one["maj@4"]["value"] == pytest.approx(majority_at_k(5, 3, [2], 4))
    assert one["pass@1"]["value"] == 0.2


def test_one_problem_has_a_value_and_no_interval() -> None:
    found = measure(draws(row(0, "small", 4, (1,))), CONFIG)["pass@1"]
    assert (found["value"], found["low"], found["high"], found["n_problems"]) == (0.25, None, None, 1)


@pytest.mark.parametrize(
    ("paths", "value", "low", "high"), [((), 0.0, 0.0, 0.3085), ((4,), 1.0, 0.6915, 1.0)]
)
def test_all_solved_or_none_is_no_certainty(
    paths: tuple[int, ...], value: float, low: float, high: float
) -> None:
    result = measure(draws(*(row(place, "small", 4, paths) for place in range(10))), CONFIG)
    told = result["pass@4"]
    assert told["value"] == value
    assert (told["low"], told["high"]) == pytest.approx((low, high), abs=1e-4)
    assert result["diversity@4"]["high"] == pytest.approx(4 * high if not paths else 1 + 3 * 0.3085, abs=1e-3)


def test_problems_of_one_template_are_resampled_together() -> None:
    alone = [row(place, "small", 4, (4,) if place % 20 < 10 else ()) for place in range(40)]
    grouped = [one | {"group": f"template {one['problem'] // 10}"} for one in alone]
    free, bound = (measure(draws(*rows), CONFIG) for rows in (alone, grouped))
    assert (free["groups"], bound["groups"]) == (None, 4)
    assert free["pass@1"]["value"] == bound["pass@1"]["value"] == 0.5
    widths = [one["pass@1"]["high"] - one["pass@1"]["low"] for one in (free, bound)]
    assert widths[1] > 2 * widths[0]
    single = measure(draws(*(one | {"group": "the only one"} for one in alone)), CONFIG)
    assert (single["pass@1"]["value"], single["pass@1"]["low"], single["groups"]) == (0.5, None, 1)


# --- shape -------------------------------------------------------------------------------------------


def test_a_column_without_values_has_no_parts() -> None:
    assert measure(draws(row(0, "small", 1)), CONFIG)["by"]["difficulty"] == {}


def test_only_what_is_asked_for() -> None:
    result = measure(TWO, Measure(k=(2,), by=("source",), bootstrap=100))
    assert list(result["by"]) == ["source"]
    assert [name for name in result if "@" in name] == ["pass@2", "coverage@2", "maj@2", "diversity@2"]


def test_solve_rates_stand_in_their_bins() -> None:
    rates = [(8, 0), (8, 1), (8, 2), (8, 3), (8, 4), (8, 6), (8, 7), (8, 8), (0, 0), (3, 0), (49, 49)]
    rows = [row(place, "small", n, (c,) if c else ()) for place, (n, c) in enumerate(rates)]
    histogram = measure(draws(*rows), CONFIG)["solve_rate"]["histogram"]
    assert [(one["low"], one["high"]) for one in histogram] == list(BINS)
    assert [one["problems"] for one in histogram] == [2, 2, 2, 1, 1, 2], (
        "a problem without a verdict has no rate"
    )


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (
            Draws(GENERATORS, TWO.counts.drop("c", "flops"), TWO.paths, TWO.answers),
            r"columns \['c', 'flops'\]",
        ),
        (Draws(("gold", "g", "h"), TWO.counts, TWO.paths, TWO.answers), r"rows of \['gold'\] are references"),
        (
            Draws(("g", "human", "h"), TWO.counts, TWO.paths, TWO.answers),
            r"rows of \['human'\] are references",
        ),
        (
            draws(row(7, "small", 1), row(7, "small", 1, source="b")),
            "problem 7 and generator 'small' stand in more than one",
        ),
        (draws(row(7, "small", 4, (2,), c=3)), "problem 7: sizes of paths add up to 2, not what n=4, c=3"),
        (draws(row(7, "small", 4, (2,), (3,))), "problem 7: sizes of answers add up to 3, not what n=4, c=2"),
        (
            Draws(GENERATORS, TWO.counts.head(0), TWO.paths, TWO.answers),
            "paths: a problem and generator stand in no row",
        ),
        (draws(row(0, "small", 4, (5,), right=4)), "got n=4, c=5, k=1"),
        (draws(row(0, "small", 1, flops=float("nan"))), "came out as nan"),
    ],
)
def test_refused(found: Draws, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        measure(found, CONFIG)


_ROW = st.tuples(
    st.integers(0, 3),
    st.sampled_from(GENERATORS),
    st.integers(0, 2),
    st.lists(st.integers(0, 2), max_size=3),
    st.lists(st.integers(0, 2), max_size=3),
)


@settings(max_examples=40)
@given(st.lists(_ROW, unique_by=lambda one: one[:2]), st.randoms())
def test_laws(drawn: list[tuple[int, str, int, list[int], list[int]]], order: Any) -> None:
    rows = [
        row(p, g, silent + sum(paths) + sum(others), paths, others) for p, g, silent, paths, others in drawn
    ]
    found = draws(*rows)
    result = measure(found, CONFIG)
    text = json.dumps(result, allow_nan=False)
    order.shuffle(rows)
    shuffled = draws(*rows)
    keys = pl.col("key").cast(pl.UInt64) * 7_777_777_777_777 % 99_991  # other keys, in another order
    other = Draws(
        GENERATORS,
        shuffled.counts,
        shuffled.paths.with_columns(keys),
        shuffled.answers.with_columns(keys),
    )
    assert text == json.dumps(measure(other, CONFIG), allow_nan=False), "order of rows and of keys"
    assert result["problems"] == found.counts["problem"].n_unique()
    for name in ("pass@1", "pass@4", "diversity@4", "maj@4"):
        told = result[name]
        assert told["n_problems"] + told["n_short"] == result["problems"]
        assert (told["value"] is None) == (told["n_short"] > 0 or not result["problems"]) == bool(told["why"])
        assert (told["low"] is None) == (told["value"] is None or result["problems"] < 2)
        assert told["low"] is None or told["low"] <= told["value"] <= told["high"]
    assert result["maj@1"]["value"] == result["pass@1"]["value"]
    if result["pass@4"]["value"] is not None:
        assert result["pass@4"]["value"] <= result["diversity@4"]["value"] + 1e-9
        assert result["maj@4"]["value"] <= result["pass@4"]["value"] + 1e-9
