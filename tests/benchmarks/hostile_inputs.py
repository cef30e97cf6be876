"""What hostile inputs cost a run of the worker pool, and that no other item feels them.

    FACTORY_TEST_DATA=DIR python tests/benchmarks/hostile_inputs.py [--pairs 100000] [--rounds 3] [--hangs 3]

First the verifier `math` in the pool, in turns without and with 1% of hostile inputs: answers that hang
other verifiers or computer algebra (towers of powers, factorials, binomials, giant integers, nesting). The
pairs are solutions of four models to GSM8K, each copy with other numbers in its answer and its reference,
so that no cache swallows them. Then a function of this script that really exhausts its worker: 12 loops in
C that hold the interpreter, and 3 segmentation faults, among 6,000 items. The wall time wanted of these
supposes cores that nobody else uses, since a limit counts the CPU time of its item. CPU time is that of
this process and of all that it started. Ends with status 1 when a neighbour was lost or judged otherwise,
or when a hostile item was not named.
"""

from __future__ import annotations

import argparse
import collections
import ctypes
import functools
import importlib
import itertools
import json
import os
import random
import re
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from factory.recipe import MathOptions
from factory.verifiers import pool
from factory.verifiers.base import Item
from factory.verifiers.judging import judge

MODELS: Final = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
WORKERS: Final = 2
SHARE: Final = 0.01
MOST: Final = 1.5
"""The target for the wall time with hostile inputs over that without."""

ITEMS, LOOPS, FAULTS = 6_000, 12, 3
TIME_LIMIT: Final = 1.0


class Ran(NamedTuple):
    """The outcome of every item in order, and the wall and CPU seconds of the run."""

    outcomes: list[Any]
    wall: float
    cpu: float


def cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def run(function: Callable[[Any], object], items: Sequence[object], limit: float, *preload: str) -> Ran:
    """All items through a pool of its own; what an item returned, or the reason why it has no value."""
    found: dict[int, object] = {}
    wall, cpu = time.monotonic(), cpu_seconds()
    for index, outcome in pool.run(function, items, workers=WORKERS, time_limit=limit, preload=preload):
        if index in found:
            raise SystemExit(f"item {index} has two outcomes: the pool is broken")
        found[index] = f"lost:{outcome.reason}" if isinstance(outcome, pool.Lost) else outcome.value
    wall, cpu = time.monotonic() - wall, cpu_seconds() - cpu
    return Ran([found.get(index) for index in range(len(items))], wall, cpu)


# --- the verifier `math` ------------------------------------------------------------------------------


def rows(name: str) -> list[dict[str, Any]]:
    with (Path(os.environ["FACTORY_TEST_DATA"]) / name).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def honest(count: int) -> list[Item]:
    """`count` solutions with their references; copy 1, 2, ... has those digits before both answers."""
    pairs = []
    problems, solutions = rows("gsm8k/test.jsonl"), rows("gsm8k/example_model_solutions.jsonl")
    for problem, solution in zip(problems, solutions, strict=True):
        gold = problem["answer"].rpartition("####")[2].strip()
        for model in MODELS:
            text, mark, answer = solution[model]["solution"].rpartition("A: ")
            if all(re.fullmatch(r"-?[0-9][0-9.,]*\s*", side) for side in (answer, gold)):
                pairs.append((text + mark, answer, gold))
    copies = (
        Item(text + _led(answer, copy), _led(gold, copy))
        for copy in itertools.count()
        for text, answer, gold in pairs
    )
    return list(itertools.islice(copies, count))


def _led(number: str, digits: int) -> str:
    sign, rest = ("-", number[1:]) if number.startswith("-") else ("", number)
    return f"{sign}{digits or ''}{rest}"


def hostile(count: int) -> list[Item]:
    """`count` inputs that must not hang; after the first of each its reference gets another value."""
    cases = [row for row in rows("verifiers/adversarial_math.jsonl") if row["must_not_hang"]]
    inputs = (
        Item(case["prediction"], _moved(case["gold"], turn)) for turn in itertools.count() for case in cases
    )
    return list(itertools.islice(inputs, count))


def _moved(gold: str, by: int) -> str:
    if not by:
        return gold
    return str(int(gold) + by) if re.fullmatch(r"-?[0-9]{1,20}", gold) else f"{gold}+{by}"


def math_verifier(pairs: int, rounds: int) -> bool:
    """Print the runs in turns; whether each neighbour has the same verdict in all of them."""
    clean = honest(pairs)
    places = sorted(random.Random(0).sample(range(pairs), int(pairs * SHARE)))
    mixed: list[Item] = list(clean)
    for place, item in zip(places, hostile(len(places)), strict=True):
        mixed[place] = item
    function = functools.partial(judge, name="math", options=MathOptions())
    preload = ("factory.verifiers.judging", "factory.verifiers.algebra", "sympy")
    print(f"verifier math, {pairs} pairs, {WORKERS} workers; with {len(places)} hostile inputs:")
    ran: dict[str, list[Ran]] = {"clean": [], "hostile": []}
    for _ in range(rounds):
        for name, items in (("clean", clean), ("hostile", mixed)):
            ran[name].append(run(function, items, 10.0, *preload))
            print(f"  {name}: wall {ran[name][-1].wall:.2f} s, CPU {ran[name][-1].cpu:.2f} s", flush=True)
    ratio("wall", [one.wall for one in ran["clean"]], [one.wall for one in ran["hostile"]])
    ratio("CPU", [one.cpu for one in ran["clean"]], [one.cpu for one in ran["hostile"]])
    return neighbours(ran, set(places))


def ratio(what: str, clean: Sequence[float], mixed: Sequence[float]) -> None:
    each = [two / one for one, two in zip(clean, mixed, strict=True)]
    median = statistics.median(mixed) / statistics.median(clean)
    spread = f"{min(each):.3f} to {max(each):.3f}"
    print(f"  ratio of the median {what} times: {median:.3f} ({spread}; target {MOST})")


def neighbours(ran: dict[str, list[Ran]], places: set[int]) -> bool:
    """Whether all runs say the same of every honest item; prints what is said of the hostile ones."""
    first = ran["clean"][0].outcomes
    others = [one.outcomes for runs in ran.values() for one in runs]
    kept = [index for index in range(len(first)) if index not in places]
    changed = [i for i in kept if any(other[i] != first[i] for other in others)]
    lost = [i for i in kept if any(isinstance(other[i], str) or other[i] is None for other in others)]
    said = collections.Counter(
        one if isinstance(one, str) else f"{one.status.value}:{one.reason}"
        for one in (ran["hostile"][0].outcomes[index] for index in sorted(places))
    )
    print(f"  {len(kept)} neighbours: {len(lost)} without a verdict, {len(changed)} with another one")
    print("  hostile: " + ", ".join(f"{name} {count}" for name, count in said.most_common()))
    return not changed and not lost


# --- a function that exhausts its worker --------------------------------------------------------------


def work(what: str) -> str:
    """Half a millisecond of honest work, or what the name says; no signal handler runs in these loops."""
    if what == "sum":
        sum(range(10**12))
    elif what == "power":
        10**10**9
    elif what == "repeat":
        all(itertools.repeat(1))
    elif what == "fault":
        ctypes.string_at(0)
    else:
        sum(number * number for number in range(6_000))
    return what


def exhausting(rounds: int) -> bool:
    """Print the runs in turns; whether each hostile item was named rightly and no other was lost."""
    bad = list(itertools.islice(itertools.cycle(("sum", "power", "repeat")), LOOPS)) + ["fault"] * FAULTS
    clean = [f"item {number}" for number in range(ITEMS)]
    mixed = clean.copy()
    for place, what in zip(random.Random(1).sample(range(ITEMS), len(bad)), bad, strict=True):
        mixed[place] = what
    print(f"{ITEMS} items, {LOOPS} loops in C, {FAULTS} faults; limit {TIME_LIMIT} s, {WORKERS} workers:")
    good = True
    for _ in range(rounds):
        calm, torn = (run(work, items, TIME_LIMIT, __name__) for items in (clean, mixed))
        bound = calm.wall + 1.3 * LOOPS * TIME_LIMIT / WORKERS + 2
        print(f"  clean: wall {calm.wall:.2f} s, CPU {calm.cpu:.2f} s")
        spent = f"CPU {torn.cpu:.2f} s, {(torn.cpu - calm.cpu) / LOOPS:.2f} s more a loop"
        print(f"  hostile: wall {torn.wall:.2f} s, wanted at most {bound:.2f} s; {spent}", flush=True)
        named, lost = reasons(zip(mixed, torn.outcomes, strict=True))
        lost += reasons(zip(clean, calm.outcomes, strict=True))[1]
        print(f"  neighbours lost: {lost}; hostile items: " + ", ".join(f"{n} {c}" for n, c in named.items()))
        right = {f"{what} lost:{'crash' if what == 'fault' else 'time_limit'}" for what in bad}
        good &= lost == 0 and set(named) == right and named.total() == len(bad)
    return good


def reasons(pairs: Iterable[tuple[str, object]]) -> tuple[collections.Counter[str], int]:
    """The hostile items by name and outcome, and the number of others that have not their own value."""
    named: collections.Counter[str] = collections.Counter()
    lost = 0
    for what, outcome in pairs:
        if what.startswith("item "):
            lost += outcome != what
        else:
            named[f"{what} {outcome}"] += 1
    return named, lost


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3, help="of the verifier math; 0 leaves it out")
    parser.add_argument("--hangs", type=int, default=3, help="rounds of the exhausting items; 0 for none")
    args = parser.parse_args()
    good = not args.rounds or math_verifier(args.pairs, args.rounds)
    good = (not args.hangs or exhausting(args.hangs)) and good
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    # Workers import what they run by name, which `__main__` is not.
    importlib.import_module(Path(__file__).stem).main()
