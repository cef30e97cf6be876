"""How often the 95 % intervals of the metrics hold the true value: 1,000 repetitions of 10,000 problems each.

Guarantees: the true value is that of the population that problems are drawn from, each problem with a rate of
its own and k of n draws without bias, so an interval has to hold what problems and draws vary together.
Run it with `python -m tests.benchmarks.interval_coverage [--repetitions 1000] [--problems 10000]`.

Left out: budgets that look at the draws, where only the first m count (they are n = m draws of each problem).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from factory.metrics.estimators import diversity_at_k_array, pass_at_k_array
from factory.metrics.intervals import bootstrap_mean

Reals = NDArray[np.float64]
N, K, RESAMPLES, PATHS = 16, 4, 1000, 3


def populations() -> dict[str, Callable[[np.random.Generator, int], Reals]]:
    """Solve rates of problems, by name: even, U-shaped as real ones are, and nearly all unsolved."""
    return {
        "even": lambda source, size: source.random(size),
        "U-shaped": lambda source, size: source.beta(0.3, 0.5, size),
        "hard": lambda source, size: source.beta(0.05, 2.0, size),
    }


def main() -> None:
    """Print the share of intervals that hold the true value, by metric and population."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=1000)
    parser.add_argument("--problems", type=int, default=10_000)
    asked = parser.parse_args()
    started = time.perf_counter()
    for name, rates in populations().items():
        true = truth(rates)
        held = dict.fromkeys((*true, f"coverage@{K} in groups of 10"), 0)
        for repetition in range(asked.repetitions):
            source = np.random.default_rng([repetition, asked.problems])
            for metric, (low, high) in intervals(source, rates, asked.problems, repetition).items():
                held[metric] += low <= true[metric.partition(" in ")[0]] <= high
        for metric, number in held.items():
            print(
                f"{name:9} {metric:26} {100 * number / asked.repetitions:5.1f} % of intervals hold the truth"
            )
    print(
        f"{asked.repetitions} repetitions of {asked.problems} problems, {time.perf_counter() - started:.0f} s"
    )


def truth(rates: Callable[[np.random.Generator, int], Reals]) -> dict[str, float]:
    """The metrics of the whole population, by a mean over ten million rates."""
    rate = rates(np.random.default_rng(12345), 10_000_000)
    return {
        "pass@1": float(rate.mean()),
        f"coverage@{K}": float((1 - (1 - rate) ** K).mean()),
        f"diversity@{K}": float((PATHS * (1 - (1 - rate / PATHS) ** K)).mean()),
    }


def intervals(
    source: np.random.Generator, rates: Callable[[np.random.Generator, int], Reals], problems: int, seed: int
) -> dict[str, tuple[float, float]]:
    """The interval of each metric on one drawing of the problems and of N samples of each."""
    rate = rates(source, problems)
    each = [rate / PATHS] * PATHS
    drawn = source.multinomial(N, np.stack([*each, 1 - rate], axis=1))[:, :PATHS]
    n, passed = np.full(problems, N), drawn.sum(axis=1)
    owner, path = np.nonzero(drawn)
    values = {
        "pass@1": passed / N,
        f"coverage@{K}": pass_at_k_array(n, passed, K),
        f"diversity@{K}": diversity_at_k_array(n, owner, drawn[owner, path], K),
    }
    found = {name: bootstrap_mean(of, RESAMPLES, seed) for name, of in values.items()}
    # Ten problems of one template have one rate: only a resample of whole templates is as wide as it must be.
    shared = np.repeat(rates(source, problems // 10), 10)
    solved = pass_at_k_array(n[: len(shared)], source.binomial(N, shared), K)
    found[f"coverage@{K} in groups of 10"] = bootstrap_mean(
        solved, RESAMPLES, seed, groups=np.arange(len(shared)) // 10
    )
    return {name: (low or 0.0, high or 0.0) for name, (low, high) in found.items()}


if __name__ == "__main__":
    main()
