"""What a reader of a comparison must know before believing it.

Guarantees: each caution is a sentence with the names and numbers that it is about. Left out: judging how much
it matters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from factory.comparing.counting import Counted
from factory.comparing.sides import Side

FEW: Final = 30
"""Problems below which resampling is known to give intervals that are too narrow."""


def of(sides: Sequence[Side], counted: Mapping[str, Counted]) -> list[str]:
    """The cautions of a comparison; `counted` are the sides on the problems that all have."""
    return [*_verifiers(sides), *_draws(counted), *_selection(sides)]


def _verifiers(sides: Sequence[Side]) -> Iterator[str]:
    """Sides that were not judged alike."""
    first = sides[0]
    for one in sides[1:]:
        ours, theirs = _judged_by(first), _judged_by(one)
        if ours != theirs:
            yield (
                f"{first.name} was judged by {', '.join(ours)} and {one.name} by {', '.join(theirs)}: a "
                "difference may be one of the verifiers. Make both releases with one `verify` to compare them"
            )


def _judged_by(side: Side) -> list[str]:
    lock: Mapping[str, Any] = side.release.manifest["lock"]
    return [str(one.get("verifier")) for one in lock.get("verifiers", ()) if isinstance(one, Mapping)]


def _draws(counted: Mapping[str, Counted]) -> Iterator[str]:
    problems = len(next(iter(counted.values())).rows)
    if problems < FEW:
        yield (
            f"{problems} problems are few: resampling gives intervals that are too narrow below about {FEW}"
        )
    for name, one in counted.items():
        if one.first is not None:
            first = ", ".join(f"{number} of {generator}" for generator, number in one.first.items())
            yield (
                f"{name}: how many draws a problem has depended on what they turned out to be, so only the "
                f"first ({first}) of each problem count for coverage and diversity"
            )
        lost = sum(int(one.rows[name].sum()) for name in ("errors", "unverified"))
        if lost:
            yield f"{name}: {lost:,} draws could not be judged; they are paid for and count neither way"


def _selection(sides: Sequence[Side]) -> Iterator[str]:
    """Generators whose rows were chosen among those of others."""
    for release in dict.fromkeys(one.release.id for one in sides):
        parts = [one for one in sides if one.release.id == release and one.generator is not None]
        select = parts[0].recipe.get("select") if parts else None
        chooses = isinstance(select, Mapping) and (select.get("dedup") or select.get("per_problem"))
        if len(parts) > 1 and chooses:
            names = ", ".join(one.name for one in parts)
            yield (
                f"{names}: selection of {release} chose among the draws of all its generators, so the kept "
                "rows of one depend on those of the others; its correct draws do not"
            )
