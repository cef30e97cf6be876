"""How the findings of a check of a release are laid out.

Guarantees: everything that failed or needs a look is shown, place by place, long lists cut; what went well
takes one line a check. Left out: the findings (`checking.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from rich.table import Table

from factory.commands import display
from factory.release.findings import Finding

SHOWN: Final = 400
"""Characters of what was found, or expected, that are shown."""


def findings(found: Sequence[Finding]) -> Iterator[Table | str]:
    """A table of the checks with how often each outcome stands, then whatever is not ok."""
    names = dict.fromkeys(one.check for one in found)
    rows = [
        (name, *(_number(found, name, status) for status in ("ok", "warning", "failed"))) for name in names
    ]
    yield display.table("Checks", ("check", "ok", "warning", "failed"), rows)
    for status, title in (("warning", "Worth a look"), ("failed", "Failed")):
        told = [one for one in found if one.status == status]
        if told:
            yield title
        for one in told:
            seen, wanted = _cut(one.found), _cut(one.expected)
            yield f"  {one.check}: {one.where}\n    found     {seen}\n    expected  {wanted}"


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}... (--json has all of it)"


def _number(found: Iterable[Finding], check: str, status: str) -> int:
    return sum(one.check == check and one.status == status for one in found)


def plain(reference: str, folder: str, found: Iterable[Finding]) -> dict[str, Any]:
    """The same for programs; `ok` is false when any check failed."""
    told = [vars(one) for one in found]
    return {
        "release": reference,
        "folder": folder,
        "ok": all(one["status"] != "failed" for one in told),
        "findings": told,
    }


def summary(found: Sequence[Finding]) -> str:
    """One line: how many findings of each kind."""
    numbers = [(sum(one.status == status for one in found), status) for status in ("ok", "warning", "failed")]
    return ", ".join(f"{number} {status}" for number, status in numbers if number)
