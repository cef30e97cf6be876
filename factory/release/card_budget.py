"""What a card says of the budget, of why sampling stopped, and of right answers by wrong reasoning.

Guarantees: numbers are those of metrics.json; what is presumed stands apart from what was seen, what is not
known is said to be, and no rate of false positives stands without its interval. Left out: drawing charts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from factory.amounts import CURRENCIES, EVERYONE, NAMES, STOPS, Line, allowed, lines, written
from factory.release.markdown import code, table, text

_OF: Final[Mapping[str, str]] = {"accepted": "accepted, before selection", "kept": "kept"}
_PER: Final[Mapping[str, str]] = {"per_solution": "of its solutions", "per_problem": "of its problems"}


def budget(metrics: Mapping[str, Any], counts: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """What was planned, spent and is left by generator, what a kept row cost, and why sampling stopped."""
    found = metrics.get("budget")
    told = list(lines(found)) if found and found.get("generators") else []
    if not found or not told:
        return
    yield "## What was spent"
    yield allowed(found)
    by_name: dict[str, dict[str, Line]] = {}
    for one in told:
        by_name.setdefault(one.name, {})[one.currency] = one
    limited = [
        unit for unit in CURRENCIES if any(one.left is not None for one in told if one.currency == unit)
    ]
    yield table(
        ("of", "samples planned", *NAMES.values(), *(f"{NAMES[unit]} left" for unit in limited)),
        [
            (
                name if name == EVERYONE else code(name),
                _shown(of.get("samples"), "planned"),
                *(_shown(of.get(unit), "realised") or "not known" for unit in CURRENCIES),
                *(_shown(of.get(unit), "left") for unit in limited),
            )
            for name, of in by_name.items()
        ],
    )
    yield from _besides(told)
    yield from _for_a_row(found["all"]["realised"], counts.get("selection", {}).get("kept", 0))
    yield from _stops(metrics.get("stops") or ())


def _shown(line: Line | None, what: str) -> str:
    value = None if line is None else getattr(line, what)
    return "" if value is None else written(value)


_BESIDES: Final[Mapping[str, str]] = {
    "presumed": "Besides, calls were under way when their process died; what they cost was not seen, and at "
    "most was",
    "lost": "Besides, calls that gave no sample and no vote cost",
}


def _besides(told: Sequence[Line]) -> Iterator[str]:
    """Calls whose cost nobody saw, and calls that were paid for in vain."""
    for what, sentence in _BESIDES.items():
        of = [one for one in told if one.name == EVERYONE and getattr(one, what)]
        if of:
            amounts = ", ".join(f"{_shown(one, what)} {NAMES[one.currency]}" for one in of)
            yield f"{sentence} {amounts}."


def _for_a_row(realised: Mapping[str, Any], kept: int) -> Iterator[str]:
    """The cost of a kept row, in the currencies that are known."""
    each = [
        f"{written(realised[unit] / kept)} {NAMES[unit]}"
        for unit in CURRENCIES
        if kept and realised.get(unit) is not None
    ]
    if each:
        yield f"A kept row cost {', '.join(each)}, all samples paid for."


def _stops(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Problems by why sampling of them stopped; nothing where every problem has what was planned."""
    whys = [why for why in STOPS if any(one["why"] == why for one in found)]
    if not whys or whys == ["planned"]:
        return
    counted = {
        name: {
            why: sum(one["problems"] for one in found if (one["generator"], one["why"]) == (name, why))
            for why in whys
        }
        for name in dict.fromkeys(one["generator"] for one in found)
    }
    yield "Why sampling stopped, in problems:"
    yield table(
        ("generator", *(STOPS[why] for why in whys)),
        [(code(name), *one.values()) for name, one in counted.items()],
    )


def false_positives(metrics: Mapping[str, Any]) -> Iterator[str]:
    """How many of the right answers are by wrong reasoning; nothing where nobody was asked."""
    found = metrics.get("false_positives")
    if not found:
        return
    yield "## Right answers by wrong reasoning"
    yield text(found["said"])
    rows = [
        (_OF[of], _PER[per], _rate(entry.get("value")), f"{entry['low']:.1%} to {entry['high']:.1%}")
        for of in _OF
        for per in _PER
        if (entry := (found.get(of) or {}).get(per)) and entry.get("low") is not None
    ]
    if rows:
        yield table(("solutions", "share", "estimate", "95% interval"), rows)


def _rate(value: float | None) -> str:
    return "not known" if value is None else f"{value:.1%}"
