"""All metrics of a small table, pooled and in parts, and what the measure refuses."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.metrics.estimators import diversity_at_k, pass_at_k
from factory.metrics.measure import BINS, measure
from factory.recipe import Measure

SCHEMA = {
    "problem_id": pl.String,
    "generator": pl.String,
    "source": pl.String,
    "difficulty": pl.String,
    "n": pl.Int64,
    "c": pl.Int64,
    "errors": pl.Int64,
    "unverified": pl.Int64,
    "truncated": pl.Int64,
    "groups": pl.List(pl.Int64),
    "path_keys": pl.List(pl.String),
    "prompt_tokens": pl.Int64,
    "completion_tokens": pl.Int64,
    "flops": pl.Float64,
    "seconds": pl.Float64,
}
CONFIG = Measure(k=(1, 4), bootstrap=100)


def row(
    problem: str, generator: str, n: int, paths: dict[str, int] | None = None, **fields: Any
) -> dict[str, Any]:
    paths = paths or {}
    known = {"source": "gsm8k", "difficulty": None, "errors": 0, "unverified": 0, "truncated": 0}
    unknown = dict.fromkeys(("prompt_tokens", "completion_tokens", "flops", "seconds"))
    counted = {"problem_id": problem, "generator": generator, "n": n, "c": sum(paths.values())}
    return known | unknown | counted | {"groups": list(paths.values()), "path_keys": list(paths)} | fields


def table(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=SCHEMA)


TWO_GENERATORS = table(
    row("p", "small", 4, {"a": 2, "b": 1}, difficulty="easy", errors=2, prompt_tokens=10, seconds=0.1),
    row("p", "large", 2, {"b": 1}, difficulty="easy", unverified=1, prompt_tokens=5, seconds=0.2),
    row("q", "small", 4, source="other", truncated=3),
    row("r", "small", 1, {"a": 1}, errors=3),
)


def test_generators_are_pooled_and_equal_paths_merged() -> None:
    pooled = measure(TWO_GENERATORS, CONFIG)
    assert pooled["pass@1"]["value"] == pytest.approx((4 / 6 + 0 + 1) / 3)
    assert pooled["pass@1"]["n_problems"] == 3
    assert pooled["coverage@4"]["value"] == pytest.approx((pass_at_k(6, 4, 4) + 0) / 2)
    assert pooled["coverage@4"] == pooled["pass@4"]
    assert pooled["diversity@4"]["value"] == pytest.approx((diversity_at_k(6, [2, 2], 4) + 0) / 2)
    assert pooled["diversity@4"]["n_problems"] == 2


def test_parts_have_the_same_keys_and_their_own_numbers() -> None:
    whole = measure(TWO_GENERATORS, CONFIG)
    parts = whole["by"]
    assert {column: sorted(classes) for column, classes in parts.items()} == {
        "generator": ["large", "small"],
        "source": ["gsm8k", "other"],
        "difficulty": ["easy", "unstated"],
    }
    assert all(set(part) == set(whole) - {"by"} for classes in parts.values() for part in classes.values())
    assert parts["generator"]["large"]["diversity@1"]["value"] == 0.5
    assert parts["generator"]["small"]["pass@1"]["value"] == pytest.approx((3 / 4 + 0 + 1) / 3)
    assert parts["source"]["other"]["problems"] == 1


def test_errors_are_counted_apart_and_never_as_wrong() -> None:
    pooled = measure(TWO_GENERATORS, CONFIG)
    assert pooled["samples"] == {"verified": 11, "passed": 5, "errors": 5, "unverified": 1, "truncated": 3}
    one = measure(table(row("p", "g", 1, {"a": 1}, errors=1)), CONFIG)
    assert one["pass@1"]["value"] == 1.0


def test_what_nothing_is_known_of_is_null() -> None:
    pooled = measure(TWO_GENERATORS, CONFIG)
    assert pooled["prompt_tokens"] == 15
    assert pooled["seconds"] == 0.3
    assert pooled["completion_tokens"] is None
    assert pooled["flops"] is None


@pytest.mark.parametrize(
    "counts", [table(), table(row("p", "g", 0, errors=4)), table(row("p", "g", 3, {"a": 3}))]
)
def test_too_few_samples_for_k_give_null_and_not_zero(counts: pl.DataFrame) -> None:
    result = measure(counts, CONFIG)
    for name in ("pass@4", "coverage@4", "diversity@4"):
        assert result[name] == {"value": None, "low": None, "high": None, "n_problems": 0}


def test_one_problem_has_a_value_and_no_interval() -> None:
    result = measure(table(row("p", "g", 4, {"a": 1})), CONFIG)
    assert result["pass@1"] == {"value": 0.25, "low": None, "high": None, "n_problems": 1}


def test_a_column_without_values_has_no_parts() -> None:
    assert measure(table(row("p", "g", 1)), CONFIG)["by"]["difficulty"] == {}


def test_only_what_is_asked_for() -> None:
    result = measure(TWO_GENERATORS, Measure(k=(2,), by=("source",), bootstrap=100))
    assert list(result["by"]) == ["source"]
    assert [name for name in result if "@" in name] == ["pass@2", "coverage@2", "diversity@2"]


def test_solve_rates_stand_in_their_bins() -> None:
    rates = [(8, 0), (8, 1), (8, 2), (8, 3), (8, 4), (8, 6), (8, 7), (8, 8), (0, 0), (3, 0), (49, 49)]
    rows = [row(f"p{place}", "g", n, {"a": c} if c else {}) for place, (n, c) in enumerate(rates)]
    histogram = measure(table(*rows), CONFIG)["solve_rate"]["histogram"]
    assert [(one["low"], one["high"]) for one in histogram] == list(BINS)
    assert [one["problems"] for one in histogram] == [2, 2, 2, 1, 1, 2], (
        "a problem without a verdict has no rate"
    )


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (TWO_GENERATORS.drop("c", "flops"), r"columns \['c', 'flops'\] are missing"),
        (table(row("p", "gold", 1)), r"rows of \['gold'\] are references"),
        (table(row("p", "g", 1), row("q", "human", 1)), r"rows of \['human'\] are references"),
        (
            table(row("p", "g", 1), row("p", "g", 1, source="b")),
            "problem p and generator 'g' stand in more than one",
        ),
        (table(row("p", "g", 4, {"a": 2}, c=3)), r"problem p: groups \[2\] must add up to c=3"),
        (table(row("p", "g", 4, {"a": 2}, path_keys=["a", "b"])), "have one path key each"),
        (table(row("p", "g", 4, {"a": 5})), "got n=4, c=5, k=1"),
        (table(row("p", "g", 1, flops=float("nan"))), "came out as nan"),
    ],
)
def test_refused(counts: pl.DataFrame, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        measure(counts, CONFIG)


_ROW = st.tuples(
    st.sampled_from("pqrs"),
    st.sampled_from("gh"),
    st.integers(0, 4),
    st.dictionaries(st.sampled_from("abc"), st.integers(1, 2)),
)


@settings(max_examples=40)
@given(st.lists(_ROW, unique_by=lambda one: one[:2]), st.booleans())
def test_laws(drawn: list[tuple[str, str, int, dict[str, int]]], as_numbers: bool) -> None:
    counts = table(*(row(p, g, wrong + sum(paths.values()), paths) for p, g, wrong, paths in drawn))
    result = measure(counts, CONFIG)
    text = json.dumps(result, allow_nan=False)
    assert text == json.dumps(measure(counts.reverse(), CONFIG), allow_nan=False), "order of rows"
    if as_numbers:
        hashed = counts.with_columns(
            pl.col("path_keys").list.eval(
                pl.element().replace_strict({"a": 1, "b": 2, "c": 3}, return_dtype=pl.UInt64)
            )
        )
        assert text == json.dumps(measure(hashed, CONFIG)), "keys may be whole numbers"
    assert result["problems"] == counts["problem_id"].n_unique()
    assert sum(one["problems"] for one in result["solve_rate"]["histogram"]) == result["pass@1"]["n_problems"]
    for name in ("pass@1", "pass@4", "diversity@4"):
        assert (result[name]["low"] is None) == (result[name]["n_problems"] < 2)
        assert result[name]["low"] is None or result[name]["low"] <= result[name]["high"]
    if result["pass@4"]["value"] is not None:
        assert result["pass@4"]["value"] <= result["diversity@4"]["value"] + 1e-9
        assert result["coverage@4"]["n_problems"] <= result["coverage@1"]["n_problems"]
