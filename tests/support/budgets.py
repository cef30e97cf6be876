"""What metrics.json says of a budget, of stops and of false positives, planted: two generators, matched."""

from __future__ import annotations

from typing import Any

from factory.amounts import CURRENCIES


def amounts(**known: float) -> dict[str, float | None]:
    """An amount in each currency; null where none is given."""
    return {unit: known.get(unit) for unit in CURRENCIES}


def budget() -> dict[str, Any]:
    """Matched by FLOPs: `weak` drew ten times what `strong` did, and two of its calls died."""
    return {
        "match": "flops",
        "amount": 5e13,
        "total": {"usd": 20.0, "seconds": 3600.0},
        "generators": {
            "weak": {
                "planned": amounts(samples=300),
                "realised": amounts(samples=290, tokens=29_000, flops=4.6e13, seconds=300.5),
                "presumed": amounts(samples=2, flops=2e12),
                "left": 2e12,
            },
            "strong": {
                "planned": amounts(samples=30),
                "realised": amounts(samples=29, tokens=2_900, flops=4.9e13, usd=1.25, seconds=100.5),
                "presumed": amounts(samples=0, flops=0.0),
                "left": 1e12,
            },
        },
        "all": {
            "planned": amounts(samples=330),
            "realised": amounts(samples=319, tokens=31_900, flops=9.5e13, seconds=401.0),
            "presumed": amounts(samples=2, flops=2e12),
            "left": None,
        },
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
