"""Samples needed to solve 80 % of the problems: adaptive against uniform and until-correct.

A million recorded rows: 15,625 problems of five difficulties with 64 draws each, of known rates that are
heavy at 0 and 1, and tokens that grow with difficulty. Every rule reads the same rows. `until correct` is
given the best order there is, level by level, and its best at_most in hindsight; `to the end` is the whole
rule.

Run: python -m tests.benchmarks.allocation [--seeds 5] [--problems 15625]
"""

from __future__ import annotations

import argparse
import time
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from factory.allocation.adaptive import Adaptive

DRAWS: Final = 64
GOAL: Final = 0.8
NEVER: Final = np.array([0.02, 0.04, 0.08, 0.15, 0.25])
BETAS: Final = ((3.0, 0.6), (1.5, 0.8), (0.8, 1.0), (0.5, 1.6), (0.4, 3.0))
TOKENS: Final = np.array([120.0, 160.0, 220.0, 300.0, 400.0])


class Rows(NamedTuple):
    """Whether a draw is right, and its tokens, (problems, draws); the class of each problem."""

    right: NDArray[np.bool_]
    tokens: NDArray[np.float64]
    group: NDArray[np.int64]


def recorded(problems: int, seed: int) -> Rows:
    """`problems` x 64 rows of known rates."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, len(BETAS), problems)
    rate = rng.beta(*np.array(BETAS)[group].T)
    rate[rng.random(problems) < NEVER[group]] = 0.0
    length = TOKENS[group] * np.exp(rng.normal(0.0, 0.4, problems))
    tokens = length[:, None] * np.exp(rng.normal(0.0, 0.3, (problems, DRAWS)))
    return Rows(rng.random((problems, DRAWS)) < rate[:, None], np.rint(tokens), group)


def level_by_level(rows: Rows, target: int | None) -> tuple[int, float]:
    """(draws, tokens) until 80 % are solved; a problem is left at `target` correct ones."""
    before: NDArray[np.int64] = np.cumsum(rows.right, axis=1) - rows.right
    drawn: NDArray[np.bool_] = before < (DRAWS + 1 if target is None else target)
    new = (drawn & rows.right & (before == 0)).T.ravel()
    end = int(np.searchsorted(np.cumsum(new), int(np.ceil(GOAL * len(rows.group))))) + 1
    made = drawn.T.ravel()[:end]
    return int(made.sum()), float(rows.tokens.T.ravel()[:end][made].sum())


def to_the_end(rows: Rows, target: int) -> tuple[int, float]:
    """(draws, tokens) of the whole rule, at most 64 draws of each problem."""
    before: NDArray[np.int64] = np.cumsum(rows.right, axis=1) - rows.right
    return int((before < target).sum()), float(rows.tokens[before < target].sum())


def adaptive(rows: Rows, *, classes: bool, costs: bool, flying: int = 1) -> tuple[int, float]:
    """(draws, tokens) until 80 % are solved, `flying` draws at once; `costs`: it is told mean tokens."""
    number = len(rows.group)
    group = rows.group if classes else np.zeros(number, dtype=np.int64)
    cost = TOKENS[rows.group] if costs else np.ones(number)
    none = np.zeros(number, dtype=np.int64)
    made = Adaptive(group, cost, DRAWS, tries=none, solved=none.astype(bool))
    drawn, solved, done = none.copy(), none.astype(bool), 0
    waiting: list[tuple[int, bool]] = []
    tokens, goal, unsolved = 0.0, int(np.ceil(GOAL * number)), number
    while number - unsolved < goal:
        place = made.next() if len(waiting) < flying else None
        if place is not None:
            tokens += rows.tokens[place, drawn[place]]
            waiting.append((place, bool(rows.right[place, drawn[place]])))
            drawn[place] += 1
            done += 1
        elif not waiting:
            break
        if len(waiting) >= flying or place is None:
            ended, right = waiting.pop(0)
            made.ended(ended, right)
            unsolved -= right and not solved[ended]
            solved[ended] |= right
    return done, tokens


RULES: Final[dict[str, Any]] = {
    "uniform": lambda rows: level_by_level(rows, None),
    "until 4 correct, level by level": lambda rows: level_by_level(rows, 4),
    "until 4 correct, at most 64, to the end": lambda rows: to_the_end(rows, 4),
    "until 1 correct, at most 64, to the end": lambda rows: to_the_end(rows, 1),
    "until 1 correct, best at_most in hindsight": lambda rows: level_by_level(rows, 1),
    "adaptive, one class": lambda rows: adaptive(rows, classes=False, costs=False),
    "adaptive, by difficulty": lambda rows: adaptive(rows, classes=True, costs=False),
    "adaptive, by difficulty, 64 at once": lambda rows: adaptive(rows, classes=True, costs=False, flying=64),
    "adaptive, by difficulty and cost": lambda rows: adaptive(rows, classes=True, costs=True),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--problems", type=int, default=15_625)
    asked = parser.parse_args()
    found: dict[str, list[tuple[int, float]]] = {name: [] for name in RULES}
    seconds = dict.fromkeys(RULES, 0.0)
    for seed in range(asked.seeds):
        rows = recorded(asked.problems, seed)
        for name, rule in RULES.items():
            begun = time.perf_counter()
            found[name].append(rule(rows))
            seconds[name] += time.perf_counter() - begun
    base = found["uniform"]
    print(f"{asked.problems:,} problems x {DRAWS} draws, {asked.seeds} seeds, until {GOAL:.0%} are solved\n")
    print("| rule | draws | of uniform | tokens, millions | of uniform | microseconds a draw |")
    print("|---|---|---|---|---|---|")
    for name, runs in found.items():
        draws, tokens = (np.array([run[at] for run in runs]) for at in (0, 1))
        shares = [values / np.array([run[at] for run in base]) for at, values in ((0, draws), (1, tokens))]
        spread = [f"{one.mean():.3f} [{one.min():.3f}, {one.max():.3f}]" for one in shares]
        each = f"{seconds[name] / draws.sum() * 1e6:.0f}" if name.startswith("adaptive") else ""
        million = tokens.mean() / 1e6
        print(f"| {name} | {draws.mean():,.0f} | {spread[0]} | {million:.2f} | {spread[1]} | {each} |")


if __name__ == "__main__":
    main()
