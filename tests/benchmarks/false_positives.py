"""False positives, estimated on populations whose truth is known: bias, hold and width of the intervals.

Each repetition makes accepted samples of two generators (one wrong twice as often), two difficulties and
problems that differ, a judge with the error rates of the scenario, and labels for those that `draw` takes.
The estimate is compared with the share that really is wrong in that population; `alone` is Clopper and
Pearson's interval, and Wilson's, of as many labels drawn from all without a look at the judge.

    python tests/benchmarks/false_positives.py [--repetitions 1000] [--samples 4000]
"""

from __future__ import annotations

import argparse
import math
import statistics
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from factory.metrics.beta import clopper_pearson
from factory.metrics.false_positives import draw, estimates
from factory.metrics.intervals import wilson


class Scenario(NamedTuple):
    """The rate of wrong samples, how often the judge suspects wrong and right ones, and whom it is asked."""

    name: str
    rate: float
    suspects_wrong: float
    suspects_right: float
    judged: float = 1.0
    labelled: str = "all"


SCENARIOS = (
    Scenario("good judge", 0.10, 0.80, 0.05),
    Scenario("good judge, few wrong", 0.02, 0.80, 0.03),
    Scenario("fair judge, half asked", 0.10, 0.60, 0.15, judged=0.5),
    Scenario("useless judge", 0.10, 0.30, 0.30),
    Scenario("useless judge, few wrong", 0.02, 0.20, 0.20),
    Scenario("no judge", 0.10, 0.0, 0.0, judged=0.0),
    Scenario("labels of clear ones alone", 0.10, 0.80, 0.05, labelled="clear"),
)


def population(scenario: Scenario, samples: int, generator: np.random.Generator) -> pl.DataFrame:
    """`samples` accepted samples with `wrong`, about three of a problem."""
    problem = generator.integers(0, max(1, samples // 3), samples)
    hard = generator.random(samples)[problem % samples] < 0.4
    weak = generator.random(samples) < 0.5
    odds = np.exp(generator.normal(0, 0.7, samples))[problem] * np.where(weak, 2.0, 1.0)
    odds *= np.where(hard, 2.0, 1.0)
    wrong = generator.random(samples) < np.minimum(0.95, scenario.rate * odds / odds.mean())
    suspect = generator.random(samples) < np.where(wrong, scenario.suspects_wrong, scenario.suspects_right)
    asked = generator.random(samples) < scenario.judged
    return pl.DataFrame(
        {
            "sample_id": [f"{number:032x}" for number in generator.permutation(samples)],
            "problem_id": problem.astype(str),
            "generator": np.where(weak, "weak", "strong"),
            "difficulty": np.where(hard, "hard", "easy"),
            "judge": np.where(asked, np.where(suspect, "suspect", "clear"), "unjudged"),
            "kept": generator.random(samples) < 0.5,
            "wrong": wrong,
        }
    )


def once(scenario: Scenario, samples: int, labels: int, seed: int) -> list[dict[str, Any]]:
    """One repetition: of solutions, problems and kept ones the truth, the estimate, and labels alone."""
    generator = np.random.default_rng(seed)
    rows = population(scenario, samples, generator)
    words = {one: "wrong" if bad else "right" for one, bad in rows.select("sample_id", "wrong").rows()}
    drawn = draw(rows.to_arrow(), labels, seed)
    if scenario.labelled != "all":
        judge = dict(rows.select("sample_id", "judge").rows())
        drawn = [one for one in drawn if judge[one] == scenario.labelled]
    said = {one: words[one] for one in drawn}
    kept = rows.filter("kept")
    by_problem = rows.group_by("problem_id").agg(pl.col("wrong").mean())["wrong"].mean()
    in_kept = set(kept["sample_id"]) & said.keys()
    everything, selected = estimates(rows, said), estimates(kept, said)
    return [
        {"truth": rows["wrong"].mean(), **everything["per_solution"], **_alone(rows, labels, seed)},
        {"truth": by_problem, **everything["per_problem"], **_alone(rows, labels, seed)},
        {"truth": kept["wrong"].mean(), **selected["per_solution"], **_alone(kept, len(in_kept), seed)},
    ]


def _alone(rows: pl.DataFrame, labels: int, seed: int) -> dict[str, Any]:
    """The intervals of so many labels of samples drawn from all."""
    wrong = int(rows["wrong"].sample(labels, seed=seed).sum())
    return {"alone": [tuple(clopper_pearson(wrong, labels)), tuple(wilson(wrong, labels))]}


def table(found: list[dict[str, Any]]) -> str:
    """Bias with its standard error, the share of intervals that hold the truth, and the mean widths."""
    errors = [one["value"] - one["truth"] for one in found]
    spread = statistics.stdev(errors)
    held = statistics.mean(one["low"] <= one["truth"] <= one["high"] for one in found)
    above = statistics.mean(one["truth"] <= one["high"] for one in found)
    width = statistics.mean(one["high"] - one["low"] for one in found)
    alone = [statistics.mean(one["alone"][i][1] - one["alone"][i][0] for one in found) for i in (0, 1)]
    return (
        f"bias {100 * statistics.mean(errors):+.2f} +- {196 * spread / math.sqrt(len(found)):.2f} points, "
        f"holds {100 * held:.1f} % (upper end {100 * above:.1f} %), width {100 * width:.1f}; "
        f"labels alone {100 * alone[0]:.1f} exact, {100 * alone[1]:.1f} Wilson"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repetitions", type=int, default=1000)
    parser.add_argument("--samples", type=int, default=4000)
    parser.add_argument("--labels", type=int, nargs="*", default=[50, 100, 400])
    asked = parser.parse_args()
    for scenario in SCENARIOS:
        for labels in asked.labels:
            runs = [once(scenario, asked.samples, labels, seed) for seed in range(asked.repetitions)]
            for place, name in enumerate(("per solution", "per problem", "per kept solution")):
                print(
                    f"{scenario.name}, {labels} labels, {name}: {table([run[place] for run in runs])}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
