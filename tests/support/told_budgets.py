"""What metrics.json says of a budget, of stops and of false positives, planted: two generators, matched."""

from __future__ import annotations

from typing import Any

from factory.amounts import CURRENCIES


def amounts(**known: float) -> dict[str, float | None]:
    """An amount in each currency; null where none is given."""
    return {unit: known.get(unit) for unit in CURRENCIES}


def entry(
    realised: dict[str, Any], presumed: dict[str, Any] | None = None, failed: float = 0.0
) -> dict[str, Any]:
    """What calls cost, what is presumed, and FLOPs of calls that failed."""
    nothing = dict.fromkeys(CURRENCIES, 0.0)
    return {
        "realised": realised,
        "presumed": nothing | (presumed or {}),
        "lost": dict(nothing),
        "failed": nothing | {"flops": failed},
    }


def budget() -> dict[str, Any]:
    """Matched by FLOPs: `weak` drew ten times what `strong` did, two of its calls died and one failed."""
    died = {"samples": 2.0, "flops": 2e12}
    weak = entry(amounts(samples=290, tokens=29_000, flops=4.6e13, seconds=300.5), died, 5e11)
    strong = entry(amounts(samples=29, tokens=2_900, flops=4.9e13, usd=1.25, seconds=100.5))
    whole = entry(amounts(samples=319, tokens=31_900, flops=9.5e13, seconds=401.0), died, 5e11)
    return {
        "match": "flops",
        "amount": 5e13,
        "total": {"usd": 20.0, "seconds": 3600.0},
        "generators": {
            "weak": weak | {"planned": {"samples": 300.0, "flops": 5e13}, "left": 1.5e12},
            "strong": strong | {"planned": {"samples": 30.0, "flops": 5e13}, "left": 1e12},
        },
        "judges": {"wise": entry(amounts(samples=10, tokens=800, flops=3e11, seconds=4.0))},
        "all": whole | {"left": {"usd": None, "seconds": 3199.0}},
    }


def stops() -> list[dict[str, Any]]:
    """Of 26 problems in two difficulties, by generator."""
    counts = {"easy": {"reached": 10, "at_most": 2, "amount": 1}, "hard": {"reached": 3, "at_most": 10}}
    return [
        {
            "generator": generator,
            "difficulty": difficulty,
            "why": why,
            "problems": problems,
            "samples": 4 * problems,
            "correct": problems if why == "reached" else 0,
        }
        for generator in ("weak", "strong")
        for difficulty, some in counts.items()
        for why, problems in some.items()
    ]


def estimate(value: float | None, low: float, high: float, **more: Any) -> dict[str, Any]:
    """An estimate of false positives."""
    return {"value": value, "low": low, "high": high, "population": 400, "labelled": 50, "unsure": 2} | more


def false_positives() -> dict[str, Any]:
    """One of 50 labelled samples is wrong; the judge suspects more."""
    both = {
        "accepted": {"per_solution": estimate(0.03, 0.004, 0.09), "per_problem": estimate(0.04, 0.005, 0.1)},
        "kept": {"per_solution": estimate(0.02, 0.001, 0.071), "per_problem": estimate(0.02, 0.001, 0.08)},
    }
    signal = {"samples": 300, "right": 30, "wrong": 0, "unsure": 1}
    asked = {"asked": 400, "pass": 330, "fail": 40, "no_answer": 20, "error": 10}
    return {
        **both,
        "by": {"generator": {"weak": both, "strong": both}},
        "labels": {"right": 49, "wrong": 1, "unsure": 2},
        "annotators": 2,
        "until": "2026-01-02T03:04:05+00:00",
        "agreement": {"share": {"value": 0.9, "low": 0.7, "high": 0.98}},
        "signal": {
            "clear": signal,
            "suspect": {"samples": 40, "right": 15, "wrong": 1, "unsure": 1},
            "unjudged": {"samples": 0, "right": 0, "wrong": 0, "unsure": 0},
        },
        "judge": asked | {"rate": {"value": 0.108, "low": 0.08, "high": 0.14}},
        "arithmetic": None,
        "said": "1 of 50 labelled kept samples is wrong: at most 7.1 % are.",
    }
