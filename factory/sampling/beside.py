"""Verdicts on samples while others are still drawn, so that a rule knows when a problem has enough.

Guarantees: a verdict goes into the store after its sample, so that a sample lost in a kill leaves no verdict
on the text that is drawn in its place; a passing error is tried again at once, up to MAX_ATTEMPTS. Only
verifiers that cost nothing judge here; where another one has a say, what they accept is not known yet. Left
out: what was drawn before (`verifying.py`).
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

import duckdb

from factory.planning import Plan, Verifier
from factory.records import MAX_ATTEMPTS, PASSING_REASONS, Status
from factory.sampling.course import Draw
from factory.store import Store
from factory.verifiers.base import Item
from factory.verifying import WAYS, row
from factory.work import Judged, Owed, Work
from factory.writing import Writer

MOST: Final = 256
"""Samples of one batch: they wait for each other."""


class Sample(NamedTuple):
    """A sample just drawn."""

    draw: Draw
    sample_id: str
    problem_id: str
    item: Item


class Word(NamedTuple):
    """What is known of a draw: right, not right, or (None) not known yet; `told`: right or not, by a rule."""

    draw: Draw
    correct: bool | None
    told: bool


class Beside:
    """A thread that judges samples as they come. Use as a context manager; leaving waits for what it has."""

    def __init__(self, store: Store, connection: duckdb.DuckDBPyConnection, plan: Plan, run_id: str) -> None:
        self._store, self._connection, self._plan, self._run_id = store, connection, plan, run_id
        # The one that decides first: what it does not accept the others need not see to be known.
        self._verifiers = [one for one in (plan.decides, *plan.also) if one.reads_references]
        self._final = len(self._verifiers) == len((plan.decides, *plan.also))
        self._samples: queue.SimpleQueue[Sample | None] = queue.SimpleQueue()
        self._words: queue.SimpleQueue[Word | BaseException] = queue.SimpleQueue()
        self._guard = threading.Lock()
        self._held: dict[str, list[dict[str, Any]]] = {}
        self._stored: set[str] = set()
        self._stopping = False
        self._writer = Writer(store, "verdicts")
        self._thread = threading.Thread(target=self._work, name="verdicts beside sampling", daemon=True)
        self.waiting = 0

    def __enter__(self) -> Beside:
        self._writer.__enter__()
        self._thread.start()
        return self

    def __exit__(self, *stopped: object) -> None:
        self._stopping = stopped[0] is not None
        self._samples.put(None)
        self._thread.join()
        self._writer.__exit__(*stopped)

    def submit(self, sample: Sample) -> None:
        """Judge a sample; its word comes out of `words`."""
        self.waiting += 1
        self._samples.put(sample)

    def words(self) -> Iterator[Word]:
        """What has become known since the last call; raises what ended the thread."""
        while True:
            try:
                word = self._words.get_nowait()
            except queue.Empty:
                return
            if isinstance(word, BaseException):
                raise word
            self.waiting -= 1
            yield word

    def committed(self, sample_ids: Iterable[str]) -> None:
        """These samples are in the store now, so their verdicts may follow; called from any thread."""
        with self._guard:
            for sample in sample_ids:
                rows = self._held.pop(sample, None)
                if rows is None:
                    self._stored.add(sample)
                else:
                    self._writer.extend(rows)

    def _work(self) -> None:
        try:
            while batch := self._batch():
                self._judge(batch)
        except BaseException as error:  # it is seen in the thread that draws
            self._words.put(error)

    def _batch(self) -> list[Sample]:
        """What waits, at least one; empty at the end."""
        batch: list[Sample] = []
        while len(batch) < MOST:
            try:
                sample = self._samples.get(block=not batch)
            except queue.Empty:
                break
            if sample is None:
                self._samples.put(None)
                break
            batch.append(sample)
        return [] if self._stopping else batch

    def _judge(self, batch: list[Sample]) -> None:
        verdicts: dict[str, list[dict[str, Any]]] = {one.sample_id: [] for one in batch}
        last: dict[tuple[str, str], Judged] = {}
        for verifier in self._verifiers:
            for judged in self._verdicts(verifier, batch):
                verdicts[judged.owed.sample_id].append(row(judged, verifier, self._run_id))
                last[judged.owed.sample_id, verifier.written] = judged
        with self._guard:
            for sample, rows in verdicts.items():
                if sample in self._stored:
                    self._stored.remove(sample)
                    self._writer.extend(rows)
                else:
                    self._held[sample] = rows
        for one in batch:
            self._words.put(self._word(one, last))

    def _verdicts(self, verifier: Verifier, batch: list[Sample]) -> Iterator[Judged]:
        owed = [Owed(one.sample_id, one.problem_id, 0, one.item) for one in batch]
        for attempt in range(MAX_ATTEMPTS):
            work = Work(self._store, self._connection, self._plan, verifier, "", "", self._run_id, owed)
            again = []
            for judged in WAYS[verifier.name](work):
                yield judged
                if judged.check.status is Status.ERROR and judged.check.reason in PASSING_REASONS:
                    again.append(judged.owed._replace(attempt=attempt + 1))
            if not again:
                return
            owed = again

    def _word(self, sample: Sample, last: dict[tuple[str, str], Judged]) -> Word:
        def status(verifier: Verifier) -> Status | None:
            judged = last.get((sample.sample_id, verifier.written))
            return None if judged is None else judged.check.status

        decided = status(self._plan.decides)
        failed = any(status(one) is Status.FAIL for one in self._plan.also)
        told = decided in (Status.PASS, Status.FAIL, Status.NO_ANSWER)
        if failed or (decided is not None and decided is not Status.PASS):
            return Word(sample.draw, False, told)
        return Word(sample.draw, True if self._final else None, told)
