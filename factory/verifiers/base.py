"""What a verifier takes and says.

A verifier is a function of an Item and its options, run in a worker process that may be killed. It
never evaluates model text. `pass` and `fail` are said only when a rule decided; everything else is
`no_answer` or `error`, with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from factory.records import Status


class Item(NamedTuple):
    """A completion and what it is judged against: the problem's answer, its tests (JSON), its text."""

    completion: str
    reference: str | None = None
    tests: str | None = None
    prompt: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One verdict. `answer` is a slice of the completion, `rule` the extraction rule that found it.

    `detail` is canonical JSON of what else was seen: the mark of each equation, the test that failed with
    time and memory, the votes.
    """

    status: Status
    reason: str
    answer: str | None = None
    rule: str | None = None
    detail: str | None = None

    @property
    def score(self) -> float | None:
        return {Status.PASS: 1.0, Status.FAIL: 0.0}.get(self.status)
