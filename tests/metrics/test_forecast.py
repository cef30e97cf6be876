"""Forecasts: the spread of rates, the course of a rule, and intervals for what comes true."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.metrics import rates
from factory.metrics.courses import Rule
from factory.metrics.forecast import Forecast, Probe, curve, forecast, summary


def probe(n: list[int], c: list[int], tokens: float | None = None) -> Probe:
    draws, right = np.array(n, dtype=np.int64), np.array(c, dtype=np.int64)
    if tokens is None:
        return Probe(draws, right)
    cost = np.stack([np.zeros(len(n)), right * tokens, (draws - right) * tokens], axis=1)
    return Probe(draws, right, {"tokens": cost})


def test_the_posterior_finds_rates_and_leaves_open_what_few_problems_cannot_tell() -> None:
    rng = np.random.default_rng(0)
    correct = rng.binomial(8, rng.beta(2.0, 2.0, 2000))
    for problems, least, most in ((2000, 0.0, 0.04), (10, 0.1, 0.5)):
        spread = rates.posterior(np.full(problems, 8), correct[:problems], 0)
        at = rates.standing(spread, [0], [0])
        solved = 1 - rates.missed(at, 4)[0]
        low, high = np.quantile(solved, [0.025, 0.975])
        assert low < 0.857 < high, "1 - B(2, 6) / B(2, 2) of Beta(2, 2) at four draws"
        assert least < high - low < most


def test_without_a_problem_the_posterior_is_the_prior() -> None:
    spread = rates.posterior([], [], 0)
    assert spread.never.mean() == pytest.approx(0.07, abs=0.03)
    assert np.allclose(spread.never + spread.weight.sum(axis=0), 1.0)


@settings(max_examples=30)
@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 30))
def test_what_is_missed_falls_with_draws_and_is_certain_at_none(n: int, c: int, more: int) -> None:
    spread = rates.posterior([4, 4, 4], [0, 2, 4], 0, draws=50)
    at = rates.standing(spread, [max(n, c)], [c])
    missed = [rates.missed(at, draws) for draws in (0, more, more + 1)]
    assert np.allclose(missed[0], 1.0)
    assert (missed[2] <= missed[1] + 1e-12).all()
    assert ((missed[1] >= 0) & (missed[1] <= 1)).all()


@pytest.mark.parametrize(("n", "c"), [([2], [3]), ([2], [-1]), ([2, 2], [1])])
def test_counts_that_cannot_be_are_refused(n: list[int], c: list[int]) -> None:
    with pytest.raises(ValueError, match="0 <= c <= n"):
        rates.posterior(n, c, 0)


@pytest.mark.parametrize(("right", "share", "draws"), [(0, 0.0, 6400), (4, 1.0, 400)])
def test_what_never_and_what_always_is_right_may_stay_so(right: int, share: float, draws: int) -> None:
    made = forecast(probe([4] * 20, [right] * 20), Rule(100, 64, target=4), seed=0)
    told, samples = summary(made.coverage), summary(made.samples)
    assert told["low" if not right else "high"] == share
    assert told["low"] < told["high"], "and it may not"
    assert samples["low"] <= draws <= samples["high"]


def test_a_single_hit_rules_out_that_nothing_is_ever_right() -> None:
    spread = rates.posterior([8] * 20, [1] + [0] * 19, seed=0)
    assert (spread.never < 1).all()


def test_a_fixed_number_of_draws_is_certain_and_its_coverage_is_not() -> None:
    told = forecast(probe([4] * 20, [0, 1, 2, 4] * 5, tokens=100.0), Rule(200, 8), 0)
    assert summary(told.samples, whole=True) == {"value": 1600, "low": 1600, "high": 1600}
    assert summary(told.costs["tokens"])["value"] == pytest.approx(160_000)
    solved = summary(told.coverage)
    assert 15 / 200 <= solved["low"] < solved["value"] < solved["high"] <= 1.0


def test_what_is_drawn_already_is_not_foretold() -> None:
    told = forecast(probe([4, 4, 4], [0, 1, 4], tokens=50.0), Rule(3, 4), 0)
    assert summary(told.coverage) == {"value": 2 / 3, "low": 2 / 3, "high": 2 / 3}
    assert summary(told.costs["tokens"]) == {"value": 600.0, "low": 600.0, "high": 600.0}


def simulated(rule: Rule, right: np.ndarray) -> tuple[int, float]:
    """(draws, coverage) of a rule on recorded rows, by the book."""
    draws = 0
    solved = 0
    probing = rule.proportional[1] if rule.proportional else 0
    fails = 1 - right[:, :probing].mean(axis=1) if probing else np.zeros(len(right))
    for row, fail in zip(right, fails, strict=True):
        target = rule.target or len(row) + 1
        if rule.proportional:
            target = max(1, round(rule.proportional[0] * fail / fails.max()))
        hits = np.flatnonzero(row)
        stop = int(hits[target - 1]) + 1 if len(hits) >= target else len(row)
        draws += max(stop, probing)
        solved += bool(len(hits))
    return draws, solved / len(right)


@pytest.mark.parametrize(
    "rule",
    [Rule(400, 16, target=1), Rule(400, 16, target=3), Rule(400, 16, proportional=(4, 4))],
    ids=["until 1", "until 3", "proportional"],
)
def test_the_draws_of_a_rule_are_those_of_the_model(rule: Rule) -> None:
    rng = np.random.default_rng(5)
    right = rng.random((400, 16)) < rng.beta(1.0, 2.0, 400)[:, None]
    draws, solved = simulated(rule, right)
    first = rule.target or 99
    seen = [
        row[: int(np.flatnonzero(row)[first - 1]) + 1] if row.sum() >= first else row for row in right[:, :4]
    ]
    asked = Probe(
        np.array([len(one) for one in seen][:300]), np.array([int(one.sum()) for one in seen][:300])
    )
    told = forecast(asked, rule, 0)
    samples, coverage = summary(told.samples), summary(told.coverage)
    assert samples["low"] <= draws <= samples["high"]
    assert samples["value"] == pytest.approx(draws, rel=0.1)
    assert coverage["low"] <= solved <= coverage["high"]


def test_an_amount_ends_the_draws_where_it_is_spent() -> None:
    rule = Rule(100, None, amounts={"tokens": 50_000.0}, slack={"tokens": 500.0})
    told = forecast(probe([2] * 10, [0, 1] * 5, tokens=100.0), rule, 0)
    spent = summary(told.costs["tokens"])
    assert 49_500 <= spent["low"] <= spent["high"] <= 50_000
    assert 495 <= told.samples.min() <= told.samples.max() <= 500
    assert told.level.mean() == pytest.approx(5.0, abs=0.1)


def test_what_an_amount_has_paid_for_already_stays_drawn() -> None:
    rule = Rule(20, None, amounts={"tokens": 8_100.0}, slack={"tokens": 400.0})
    told = forecast(probe([4] * 20, [0, 1, 2, 4] * 5, tokens=100.0), rule, 0)
    assert told.level.min() >= 4.0, "all four of each problem are there, and the amount holds them"
    assert 80 <= told.samples.min() <= told.samples.max() <= 81
    assert told.coverage.min() >= 0.75, "fifteen of twenty are solved"


def test_the_narrowest_of_several_amounts_counts() -> None:
    rule = Rule(100, 64, target=1, amounts={"tokens": 1e9, "samples": 150.0})
    told = forecast(probe([1] * 10, [0, 1] * 5, tokens=100.0), rule, 0)
    assert summary(told.samples, whole=True) == {"value": 150, "low": 150, "high": 150}


def test_one_problem_tells_little_of_costs() -> None:
    wide = summary(forecast(probe([4], [1], tokens=100.0), Rule(50, 4), 0).costs["tokens"])
    narrow = summary(forecast(probe([4] * 9, [1] * 9, tokens=100.0), Rule(50, 4), 0).costs["tokens"])
    assert wide["high"] > 3 * wide["low"]
    assert narrow["high"] == pytest.approx(narrow["low"])


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (Rule(2, 4), "a probe of 3 problems"),
        (Rule(9, None, amounts={"usd": 1.0}), r"amounts of \['usd'\]"),
    ],
)
def test_what_a_probe_cannot_tell_is_refused(rule: Rule, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        forecast(probe([4] * 3, [1] * 3), rule, 0)


@pytest.mark.parametrize(
    ("costs", "reason"),
    [
        ({"usd": np.zeros((2, 2))}, "costs in usd need three finite amounts"),
        ({"usd": np.full((2, 3), np.nan)}, "costs in usd need three finite amounts"),
    ],
)
def test_costs_that_do_not_fit_are_refused(costs: dict[str, np.ndarray], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Probe(np.array([1, 1]), np.array([0, 1]), costs)


def test_the_same_seed_gives_the_same_forecast_and_the_curve_never_falls() -> None:
    asked, rule = probe([4] * 12, [0, 0, 3, 4] * 3, tokens=80.0), Rule(60, 8)
    one, two = (forecast(asked, rule, 4) for _ in range(2))
    assert isinstance(one, Forecast)
    assert (one.coverage == two.coverage).all()
    points = curve(one, rule, asked, 4)
    assert points[-1]["draws"] == 16, "as far again as the recipe goes"
    for name in ("value", "low", "high"):
        values = [point["coverage"][name] for point in points]
        assert values == sorted(values)
    assert [point["cost"]["tokens"] for point in points] == sorted(p["cost"]["tokens"] for p in points)


def test_intervals_hold_what_comes_true() -> None:
    rng = np.random.default_rng(11)
    held = 0
    for seed in range(20):
        right = rng.random((500, 16)) < rng.beta(0.5, 1.2, 500)[:, None]
        asked = Probe(np.full(30, 4), right[:30, :4].sum(axis=1))
        told = summary(forecast(asked, Rule(500, 16), seed).coverage)
        held += told["low"] <= right.any(axis=1).mean() <= told["high"]
    assert held >= 18
