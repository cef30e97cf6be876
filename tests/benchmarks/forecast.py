"""Whether forecasts hold what comes true: 100 recipes of each kind, a probe of each, then all their draws.

Each recorded population has 15,625 problems with 64 draws (a million rows) of rates drawn from a family; the
probe is its first problems, and the realised figures are of all of it. Counted is how often the 95 % interval
holds the realised coverage, and how wide it is. With FACTORY_TEST_DATA the four recorded solutions of each
GSM8K test problem stand for its draws too: two of each of 100 problems foretell all four of all.

Run: python -m tests.benchmarks.forecast [--repetitions 100]
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from factory.metrics import forecast as forecasts
from factory.metrics.courses import Rule
from factory.metrics.forecast import Probe, summary

PROBLEMS: Final = 15_625
SETTINGS: Final = ((20, 4, 16), (100, 8, 16), (100, 8, 64))
"""Problems of the probe, draws of each, and the draws of each problem that are foretold."""

Rates = NDArray[np.float64]


def _with_zeros(rng: np.random.Generator, number: int) -> Rates:
    return np.asarray(np.where(rng.random(number) < 0.2, 0.0, rng.beta(0.8, 1.5, number)))


def _mixture(rng: np.random.Generator, number: int) -> Rates:
    easy = rng.random(number) < 0.5
    return np.asarray(np.where(easy, rng.beta(8.0, 2.0, number), rng.beta(0.8, 15.0, number)))


FAMILIES: Final[dict[str, Callable[[np.random.Generator, int], Rates]]] = {
    "Beta(0.5, 1.2)": lambda rng, number: rng.beta(0.5, 1.2, number),
    "Beta(0.8, 1.5), 20 % never": _with_zeros,
    "Beta(8, 2) and Beta(0.8, 15)": _mixture,
    "logit-normal(-1.5, 2)": lambda rng, number: 1 / (1 + np.exp(-rng.normal(-1.5, 2.0, number))),
    "logit-normal(-4, 1.5)": lambda rng, number: 1 / (1 + np.exp(-rng.normal(-4.0, 1.5, number))),
    "0.9 and 0.02, half each": lambda rng, number: np.where(rng.random(number) < 0.5, 0.9, 0.02),
}


def once(rng: np.random.Generator, family: str, seed: int) -> list[tuple[bool, float]]:
    """Of each setting: whether its interval holds the realised coverage, and its width."""
    rate = FAMILIES[family](rng, PROBLEMS)
    right = rng.random((PROBLEMS, 64)) < rate[:, None]
    found = []
    for problems, draws, foretold in SETTINGS:
        correct = right[:problems, :draws].sum(axis=1)
        probe = Probe(np.full(problems, draws), correct)
        told = summary(forecasts.forecast(probe, Rule(PROBLEMS, foretold), seed).coverage)
        realised = right[:, :foretold].any(axis=1).mean()
        found.append((told["low"] <= realised <= told["high"], told["high"] - told["low"]))
    return found


def gsm8k(path: Path, repetitions: int) -> None:
    """The recorded solutions of four models to a problem in random order, as four draws."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    models = sorted({name for row in rows for name in row if isinstance(row[name], dict)})
    if not models:
        print("GSM8K: the file has another form")
        return
    right = np.array([[bool(row[name]["is_correct"]) for name in models] for row in rows])
    rng = np.random.default_rng(0)
    held, widths = 0, []
    for seed in range(repetitions):
        mixed = rng.permuted(right, axis=1)[rng.permutation(len(right))]
        probe = Probe(np.full(100, 2), mixed[:100, :2].sum(axis=1))
        told = summary(forecasts.forecast(probe, Rule(len(mixed), 4), seed).coverage)
        held += told["low"] <= mixed.any(axis=1).mean() <= told["high"]
        widths.append(told["high"] - told["low"])
    kind = f"GSM8K, solutions of {len(models)} models"
    print(f"| {kind} | 100 x 2 -> 4 | {held} of {repetitions} | {np.mean(widths):.3f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repetitions", type=int, default=100)
    repetitions = parser.parse_args().repetitions
    print("| rates | probe -> foretold | interval holds | mean width |\n|---|---|---|---|")
    for family in FAMILIES:
        rng = np.random.default_rng(7)
        runs = [once(rng, family, seed) for seed in range(repetitions)]
        for at, (problems, draws, foretold) in enumerate(SETTINGS):
            held, width = sum(run[at][0] for run in runs), np.mean([run[at][1] for run in runs])
            print(
                f"| {family} | {problems} x {draws} -> {foretold} | {held} of {repetitions} | {width:.3f} |"
            )
    data = os.environ.get("FACTORY_TEST_DATA")
    if data:
        gsm8k(Path(data) / "gsm8k" / "example_model_solutions.jsonl", repetitions)


if __name__ == "__main__":
    main()
