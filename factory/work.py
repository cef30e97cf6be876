"""What a way of verifying takes and gives: the verdicts that are owed, and those that were given.

Guarantees: what is owed is read as it is asked for, so the number of samples does not matter. Left out:
the ways themselves (`verifying.py`, `asking.py`, `voting.py`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import duckdb

from factory.planning import Plan, Verifier
from factory.store import Store, batches
from factory.verifiers.base import Check, Item


class Owed(NamedTuple):
    """A verdict that is owed: the sample, the number of the attempt, and what is judged."""

    sample_id: str
    problem_id: str
    attempt: int
    item: Item


class Judged(NamedTuple):
    """A verdict that was owed, and the wall seconds it took."""

    owed: Owed
    check: Check
    seconds: float | None


@dataclass(frozen=True)
class Work:
    """The verdicts of one verifier that are owed: `query` gives them, `samples` all that are in scope.

    `given` are those owed where they are known already; nothing is asked of the store then.
    """

    store: Store
    connection: duckdb.DuckDBPyConnection
    plan: Plan
    verifier: Verifier
    samples: str
    query: str
    run_id: str
    given: Sequence[Owed] | None = None

    def owed(self) -> Iterator[Owed]:
        """What is owed, read as it is asked for."""
        if self.given is not None:
            yield from self.given
            return
        rows = itertools.chain.from_iterable(
            batch.to_pylist() for batch in batches(self.connection, self.query)
        )
        for row in rows:
            item = Item(row["completion"], row["reference"], row["tests"], row["prompt"])
            yield Owed(row["sample_id"], row["problem_id"], row["attempt"], item)
