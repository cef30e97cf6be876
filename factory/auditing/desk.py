"""What one annotator works on: the items in an order of their own, and what they have said of them.

Guarantees: nothing that leaves here tells which model wrote a solution, what a verifier, a judge or another
person thinks of it, or why it was drawn: items have numbers of this annotator's order, and no ids. A label
that was taken is on the disk. Safe for threads. Left out: HTTP (`server.py`), and how labels get into the
store (`labels.py`).
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Iterable
from typing import Any

from factory.auditing import labels
from factory.auditing.steps import steps
from factory.auditing.subject import Item
from factory.errors import CheckFailed
from factory.report.markup import visible
from factory.store import Store

_log = logging.getLogger(__name__)


def in_order(items: Iterable[Item], annotator: str) -> list[Item]:
    """The items in the order of this annotator: the same each time, and of no use to guess another's.

    Different orders keep what tires people, or what they learn, from falling on the same items for all.
    """
    return sorted(items, key=lambda one: hashlib.sha256(f"{annotator}\0{one.sample_id}".encode()).hexdigest())


class Desk:
    """The items before one annotator. Numbers of items are from 1."""

    def __init__(self, store: Store, items: Iterable[Item], annotator: str, command: str) -> None:
        self._store, self._annotator, self._command = store, annotator, command
        self._items = in_order(items, annotator)
        self._guard, self._writing, self._done = threading.Lock(), threading.Lock(), threading.Event()
        self.given = 0
        mine = {one.sample_id for one in self._items}
        said = labels.last_words(store)
        labels.later_than(said)
        self._words = {
            sample: one for (sample, who), one in said.items() if who == annotator and sample in mine
        }

    def __len__(self) -> int:
        return len(self._items)

    def state(self) -> dict[str, Any]:
        """{items, labels: {number: label}, waiting}: what the page shows of progress."""
        with self._guard:
            words = dict(self._words)
        said = {
            str(number): words[one.sample_id]["label"]
            for number, one in enumerate(self._items, start=1)
            if one.sample_id in words
        }
        return {"items": len(self._items), "labels": said, "waiting": labels.waiting(self._store)}

    def item(self, number: int) -> dict[str, Any]:
        """{number, problem, steps, code, has_gold, label, note} of an item. Raises IndexError."""
        one = self._at(number)
        with self._guard:
            said = self._words.get(one.sample_id, {})
        return {
            "number": number,
            "problem": visible(one.problem),
            "steps": steps(one.solution, code=one.code),
            "code": one.code,
            "has_gold": one.gold is not None,
            "label": said.get("label"),
            "note": said.get("note") or "",
        }

    def gold(self, number: int) -> dict[str, Any]:
        """{gold}: the reference answer, or the unit tests, of an item's problem. Raises IndexError."""
        gold = self._at(number).gold
        return {"gold": None if gold is None else visible(gold)}

    def label(self, number: int, word: str, note: str) -> dict[str, Any]:
        """Take a label: it is on the disk when this returns, and in the store unless `waiting` is above 0.

        Raises IndexError for no such item, ValueError for no such label, OutsideError for a full disk.
        """
        one = self._at(number)
        given = labels.row(one.sample_id, self._annotator, labels.label_named(word), note)
        labels.keep(self._store, given)
        with self._guard:
            self._words[one.sample_id] = given
            self.given += 1
        self.commit()
        return {"label": given["label"], "note": given["note"] or "", **self.state()}

    def commit(self) -> str | None:
        """Move what waits into the store; returns why it waits on, or None."""
        with self._writing:
            try:
                if labels.waiting(self._store):
                    labels.commit(self._store, self._command)
            except (CheckFailed, OSError) as error:
                _log.info("labels wait: %s", error)
                return str(error)
        return None

    def keep_trying(self, every: float) -> None:
        """Until `stop`, move what waits into the store every so many seconds; for a thread of its own."""
        while not self._done.wait(every):
            self.commit()

    def stop(self) -> None:
        self._done.set()

    def _at(self, number: int) -> Item:
        if not 1 <= number <= len(self._items):
            raise IndexError(number)
        return self._items[number - 1]
