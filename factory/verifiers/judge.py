"""The verifier `judge`: what a model's replies to a rubric say about a completion.

Guarantees: a reply counts only when it is in the form asked for, to its last line; any other is an unparsed
vote, which is never held against a sample. `pass` and `fail` need more than the share `agreement` of all
votes asked. Nothing a solution says is taken for a verdict: the replies alone are read. Left out: asking
(`asking.py`), the texts (`rubrics.py`), and whether the judge is right, which only an audit can say.
VERSION changes with the texts and with how replies are read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple

from factory.recipe import JudgeOptions
from factory.records import Status, canonical_json
from factory.verifiers.base import Check, Item
from factory.verifiers.majority import is_majority
from factory.verifiers.rubrics import steps_of

NAME: Final = "judge"
VERSION: Final = "1"

SAID: Final = ("correct", "incorrect", "unsure")
_VERDICT: Final = re.compile(r"VERDICT: (CORRECT|INCORRECT|UNSURE)")
_STEP: Final = re.compile(r"STEP ([1-9][0-9]{0,5}): (CORRECT|INCORRECT)")
_SHOWN: Final = 200


class Vote(NamedTuple):
    """What one reply said, and for the rubric `steps` whether each step is correct.

    `said` is "unparsed" when the reply is not in the form asked for; `end` is how it ends, for people.
    """

    said: Literal["correct", "incorrect", "unsure", "unparsed"]
    steps: tuple[bool, ...] = ()
    end: str = ""


def unasked(item: Item, options: JudgeOptions) -> Check | None:
    """The verdict on an item that there is nothing to ask about, or None."""
    if not item.completion.strip():
        return Check(Status.NO_ANSWER, "empty")
    if options.rubric == "final_answer" and not (item.reference or "").strip():
        return Check(Status.ERROR, "unsupported:reference")
    return None


def read(reply: str, item: Item, options: JudgeOptions, *, cut: bool = False) -> Vote:
    """The vote in a reply; one that was `cut` at its limit of tokens has not come to its verdict."""
    unparsed = Vote("unparsed", end=reply.strip()[-_SHOWN:])
    lines = [line.rstrip() for line in reply.rstrip().split("\n")]
    verdicts = {match[1] for line in lines if (match := _VERDICT.fullmatch(line))}
    last = _VERDICT.fullmatch(lines[-1])
    # Another verdict before the last line: the judge changed its mind, or repeats what it was shown.
    if cut or last is None or len(verdicts) > 1:
        return unparsed
    said: Any = last[1].lower()
    if options.rubric != "steps":
        return Vote(said)
    marks = [(int(match[1]), match[2] == "CORRECT") for line in lines if (match := _STEP.fullmatch(line))]
    steps = tuple(mark for _, mark in sorted(marks))
    complete = sorted(number for number, _ in marks) == [*range(1, len(steps_of(item.completion)) + 1)]
    contradicted = said == "correct" and not all(steps)
    return Vote(said, steps) if complete and not contradicted else unparsed


def tally(votes: Sequence[Vote], options: JudgeOptions) -> Check:
    """The verdict of all votes asked, at least one.

    `detail` is {votes: count of each kind, agreement: the share of the commonest verdict}; with the rubric
    `steps` also {steps: [correct, incorrect] votes for each step}; and {unparsed: the end of such a reply}.
    """
    counts: Counter[str] = Counter(vote.said for vote in votes)
    detail: dict[str, Any] = {
        "votes": {said: counts[said] for said in (*SAID, "unparsed")},
        "agreement": max(counts[said] for said in SAID) / len(votes),
    }
    if options.rubric == "steps":
        parsed = [vote.steps for vote in votes if vote.said != "unparsed"]
        detail["steps"] = [[sum(marks), len(marks) - sum(marks)] for marks in zip(*parsed, strict=True)]
    if counts["unparsed"]:
        detail["unparsed"] = next(vote.end for vote in votes if vote.said == "unparsed")
    status, reason = _decided(counts, len(votes), options.agreement)
    return Check(status, reason, detail=canonical_json(detail))


def _decided(counts: Counter[str], total: int, agreement: float) -> tuple[Status, str]:
    if is_majority(counts["correct"], total, agreement):
        return Status.PASS, "judged_correct"
    if is_majority(counts["incorrect"], total, agreement):
        return Status.FAIL, "judged_incorrect"
    if counts["unparsed"] == total:
        return Status.ERROR, "unparsed"
    if is_majority(counts["unsure"], total, agreement) or not counts["correct"] + counts["incorrect"]:
        return Status.NO_ANSWER, "unsure"
    return Status.NO_ANSWER, "disagreement"
