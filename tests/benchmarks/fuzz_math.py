"""Fuzz the verifier `math`: 100,000 random and mutated pairs, in processes that can be killed.

    python -m tests.benchmarks.fuzz_math [pairs] [seed]

Prints how many verdicts of each status there were, every pair that broke a law, and every one that was
lost to a limit (2 seconds of work, one for all four verdicts of a pair). Ends with 1 if there was any.
"""

from __future__ import annotations

import collections
import sys
import time

from factory.verifiers import pool
from tests.support import mutated
from tests.support.math_laws import looked_at


def main() -> int:
    count, seed = (int(text) for text in (*sys.argv[1:], "100000", "1")[:2])
    pairs = list(mutated.pairs(count, seed))
    begun, faults = time.monotonic(), 0
    statuses: collections.Counter[str] = collections.Counter()
    for index, outcome in pool.run(
        looked_at, pairs, time_limit=2, preload=["factory.verifiers.algebra", "sympy"]
    ):
        if isinstance(outcome, pool.Lost):
            statuses["lost"] += 1
            faults += 1
            print(f"lost ({outcome.reason}): {pairs[index]!r}")
            continue
        law, status = outcome.value
        statuses[status] += 1
        if law:
            faults += 1
            print(f"broken ({law}): {pairs[index]!r}")
    print(f"{count} pairs in {time.monotonic() - begun:.0f} s: {dict(statuses)}; faults: {faults}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
