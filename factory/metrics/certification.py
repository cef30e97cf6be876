"""How often a verifier is right on labelled cases: accuracy, both error rates and what it left undecided.

Guarantees: only `pass` accepts, so `no_answer` and `error` count as rejects in accuracy and rates and are
told apart beside them; a rate over no case is None, never 0; rates have 95% Wilson intervals, which take
the cases as independent. Left out: running the verifier, and time.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from factory.errors import UsageError
from factory.metrics.intervals import wilson
from factory.metrics.requirements import COMPARISONS
from factory.recipe import REQUIREMENT
from factory.records import Status

RATES: Final = ("accuracy", "false_accept_rate", "false_reject_rate", "undecided_rate")
REQUIRABLE: Final = (*RATES, "verdicts_per_cpu_second")

_CONDITION: Final = re.compile(r"\s*([a-z_]+)\s*([<>].*)")
_UNDECIDED: Final = (Status.NO_ANSWER, Status.ERROR)


class Outcome(NamedTuple):
    """A case that was run: whether it should be accepted, and what the verifier said."""

    category: str
    expected: bool
    status: Status
    reason: str

    @property
    def right(self) -> bool:
        """Whether accepting, or not accepting, was what the label asks for."""
        return (self.status is Status.PASS) == self.expected


def figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Counts, the RATES, their intervals, and the shares of what was undecided by reason."""
    accepts = [one for one in outcomes if one.expected]
    rejects = [one for one in outcomes if not one.expected]
    undecided = Counter(f"{one.status.value}: {one.reason}" for one in outcomes if one.status in _UNDECIDED)
    counted = {
        "accuracy": (sum(one.right for one in outcomes), len(outcomes)),
        "false_accept_rate": (sum(not one.right for one in rejects), len(rejects)),
        "false_reject_rate": (sum(not one.right for one in accepts), len(accepts)),
        "undecided_rate": (undecided.total(), len(outcomes)),
    }
    return {
        "cases": len(outcomes),
        "expected_pass": len(accepts),
        "expected_fail": len(rejects),
        "false_accepts": counted["false_accept_rate"][0],
        "false_rejects": counted["false_reject_rate"][0],
        **{name: hits / total if total else None for name, (hits, total) in counted.items()},
        "intervals": {name: wilson(hits, total)._asdict() for name, (hits, total) in counted.items()},
        "undecided": {reason: count / len(outcomes) for reason, count in undecided.most_common()},
    }


def by_category(outcomes: Iterable[Outcome]) -> dict[str, dict[str, Any]]:
    """The figures of each category, by its name."""
    groups: dict[str, list[Outcome]] = {}
    for one in outcomes:
        groups.setdefault(one.category, []).append(one)
    return {name: figures(groups[name]) for name in sorted(groups)}


def conditions(written: Iterable[str]) -> list[tuple[str, str]]:
    """(name, comparison) of conditions written as accuracy>=0.98. Raises UsageError for any other form."""
    found = []
    for text in written:
        match = _CONDITION.fullmatch(text)
        if match is None or match[1] not in REQUIRABLE or not REQUIREMENT.match(match[2]):
            raise UsageError(
                f"--require {text!r}: write NAME>=NUMBER (or <=, >, <) with a NAME of {', '.join(REQUIRABLE)}"
            )
        found.append((match[1], match[2]))
    return found


def unmet(certificate: Mapping[str, Any], required: Iterable[tuple[str, str]]) -> list[str]:
    """One sentence for each of the `required` conditions that does not hold; what is None meets none."""
    failed = []
    for name, condition in required:
        match = REQUIREMENT.match(condition)
        value = certificate[name]
        if value is None or match is None or not COMPARISONS[match[1]](value, float(match[2])):
            found = "not measured: there is no such case" if value is None else f"{value:.6g}"
            failed.append(f"{name} is {found}; required {condition}")
    return failed
