"""What a check of a release says: one finding for each thing it looked at.

Guarantees: a finding names the check, its outcome, the place, what was found and what was expected. There are
three outcomes: `ok`, `failed`, and `warning`, which is what people should know or what could not be told.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

Status = Literal["ok", "warning", "failed"]

SHOWN: Final = 20
"""So many faults of one check are told one by one; a damaged release may have millions."""


@dataclass(frozen=True)
class Finding:
    """The outcome of one check at one place."""

    check: str
    status: Status
    where: str
    found: str
    expected: str


def failed(check: str, where: str, found: object, expected: object) -> Finding:
    return Finding(check, "failed", short(where), short(found), short(expected))


def warning(check: str, where: str, found: object, expected: object) -> Finding:
    return Finding(check, "warning", short(where), short(found), short(expected))


def concluded(check: str, where: str, expected: str, faults: Iterable[Finding]) -> list[Finding]:
    """The faults of a check, at most SHOWN of them, or one finding that it went well at `where`."""
    waiting = iter(faults)
    told = list(itertools.islice(waiting, SHOWN))
    more = sum(1 for _ in waiting)
    if more:
        told.append(failed(check, where, f"and {more:,} more", expected))
    return told or [Finding(check, "ok", where, "as expected", expected)]


def short(value: object, limit: int = 200) -> str:
    """A value of the release as a line of text: cut where it is long, without what a terminal acts on."""
    text = str(value) if isinstance(value, str | Exception) else repr(value)
    line = "".join(one if one.isprintable() else repr(one)[1:-1] for one in text[:limit])
    return line if len(text) <= limit else f"{line}... ({len(text):,} characters)"


def refusal(findings: Iterable[Finding]) -> str:
    """What failed, in one sentence; empty when nothing did."""
    bad = [f"{one.where}: {one.found}, expected {one.expected}" for one in findings if one.status == "failed"]
    return "; ".join(bad[:3]) + (f"; and {len(bad) - 3} more" if len(bad) > 3 else "")
