"""Which licence a release can have, computed from the licences of all that went into it.

Guarantees: three outcomes. `fine`: a licence that asks for everything that any input asks for. `conflict`:
no licence can, or the one granted asks for less; every message names both sides. `unknown`: an input states
no licence, or one that is not in the table, so nobody can tell. The order of the inputs does not matter, and
one more input never makes the outcome more permissive. The reading is the strictest one: what a model wrote
is treated as made from the model, since the terms of some models say so and no court has settled the rest.

Left out: legal advice, the texts of the licences, and terms that a recipe does not state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from factory.release.licence_terms import (
    CREDIT,
    LICENCES,
    NO_DERIVATIVES,
    NOTICE,
    SHARE,
    identifier,
    known,
    wording,
)

Outcome = Literal["fine", "unknown", "conflict"]

_WHAT: Final[Mapping[str, str]] = {
    "source": "problems of",
    "generator": "completions of",
    "judge": "verdicts of",
    "base": "weights of",
    "release": "rows of",
}


@dataclass(frozen=True, slots=True)
class Input:
    """Something that went into a release or a model: problems, texts of a model, weights, rows of a release.

    `license` is as stated, None where nobody states any; `said_by` is who states it.
    """

    role: Literal["source", "generator", "judge", "base", "release"]
    name: str
    license: str | None
    said_by: str | None = None

    @property
    def shown(self) -> str:
        return f"{_WHAT[self.role]} {self.name}"


@dataclass(frozen=True, slots=True)
class Licence:
    """The outcome; `license` is what the release is under: what was granted, else what was computed.

    `computed` is the most demanding licence of the inputs, None where it cannot be told. `duties` are those
    of all known inputs and of what was granted. `reasons` says why the outcome is not `fine`.
    """

    outcome: Outcome
    license: str | None
    computed: str | None
    duties: tuple[str, ...]
    reasons: tuple[str, ...]


def combine(inputs: Sequence[Input], granted: str | None) -> Licence:
    """The licence that follows from all inputs, or why there is none; `granted` is what the maker wishes."""
    if granted is not None and granted.strip().lower() in ("", "unknown"):
        granted = None
    unknown = sorted({_untold(one) for one in inputs if known(one.license) is None})
    told = sorted({one for one in inputs if known(one.license) is not None}, key=lambda one: one.shown)
    wanted = _wanted(told)
    conflicts = [
        f"{_named(one)}: nothing made from it may be shared"
        for one in told
        if NO_DERIVATIVES in LICENCES[_id(one)].duties
    ]
    conflicts += _clashes(told)
    computed = None if unknown or conflicts or not told else _most_demanding(told)
    chosen = computed if granted is None else identifier(granted)
    if granted is not None and not conflicts:
        short, doubts = _short_of(told, granted)
        conflicts, unknown = conflicts + short, unknown + doubts
    if not inputs and granted is None:
        unknown.append("there is no input whose licence could be read")
    named = known(granted)
    duties = wanted | (LICENCES[named].duties if named else frozenset())
    outcome: Outcome = "conflict" if conflicts else "unknown" if unknown else "fine"
    return Licence(
        outcome, None if conflicts else chosen, computed, tuple(sorted(duties)), tuple(conflicts or unknown)
    )


def _untold(one: Input) -> str:
    return f"{one.shown}: " + ("no licence is stated" if one.license is None else f"{one.license!r:.80}")


def _id(one: Input) -> str:
    found = known(one.license)
    assert found is not None
    return found


def _named(one: Input) -> str:
    return f"{one.shown} ({_id(one)})"


def _wanted(told: Iterable[Input]) -> frozenset[str]:
    return frozenset[str]().union(*(LICENCES[_id(one)].duties for one in told))


def _met(duties: frozenset[str]) -> bool:
    """Whether some licence meets `duties`; only share-alike asks that one licence meets all."""
    shared = any(duty.startswith(SHARE) for duty in duties)
    return not shared or any(duties <= terms.duties for terms in LICENCES.values())


def _clashes(told: Sequence[Input]) -> list[str]:
    """Share-alike licences beside what they do not allow, pair by pair, each pair of licences once."""
    by_licence = {_id(one): one for one in reversed(told)}
    ids = sorted(by_licence)
    found = [
        f"{_named(by_licence[a])} and {_named(by_licence[b])} cannot stand in one release: a share-alike "
        "licence allows no terms but its own"
        for number, a in enumerate(ids)
        for b in ids[number + 1 :]
        if not _met(LICENCES[a].duties | LICENCES[b].duties)
    ]
    if not found and not _met(_wanted(told)):
        found = [f"no licence meets all of {', '.join(_named(one) for one in told)}"]
    return found


def _most_demanding(told: Sequence[Input]) -> str:
    """The licence that meets every duty: one of the inputs' own where one does, else one of the table.

    Several terms that all go on have no common licence; the result names them all.
    """
    wanted, own = _wanted(told), {_id(one) for one in told}
    meeting = [name for name, terms in LICENCES.items() if wanted <= terms.duties]
    least = sorted(meeting, key=lambda name: (name not in own, len(LICENCES[name].duties)))
    if not least:
        return "-and-".join(sorted(name for name in own if LICENCES[name].duties - {NOTICE, CREDIT}))
    first = least[0]
    alike = [
        name
        for name in meeting
        if (name in own) == (first in own) and LICENCES[name].duties == LICENCES[first].duties
    ]
    return alike[-1] if first in own else first


def _short_of(told: Sequence[Input], granted: str) -> tuple[list[str], list[str]]:
    """Conflicts of what is granted with the inputs, and what cannot be told of it."""
    named = known(granted)
    if named is None:
        bound = [one for one in told if any(duty.startswith(SHARE) for duty in LICENCES[_id(one)].duties)]
        conflicts = [
            f"release.license is {granted!r:.80}, and {_named(one)} must be shared under its own licence"
            for one in bound
        ]
        return conflicts, [] if conflicts else [f"release.license {granted!r:.80} is not in the table"]
    conflicts = []
    for one in told:
        lacking = LICENCES[_id(one)].duties - LICENCES[named].duties
        if lacking:
            words = "; ".join(wording(duty) for duty in sorted(lacking))
            conflicts.append(f"release.license {named} grants more than {_named(one)} does: {words}")
    return conflicts, []


# --- what stands in the manifest ---------------------------------------------------------------------


def record(inputs: Sequence[Input], granted: str | None, found: Licence) -> dict[str, Any]:
    """The outcome as plain data: {outcome, license, computed, granted, duties, reasons, inputs}."""
    shown = [asdict(one) for one in sorted(set(inputs), key=lambda one: (one.role, one.name, str(one)))]
    return {**asdict(found), "duties": list(found.duties), "reasons": list(found.reasons)} | {
        "granted": granted,
        "inputs": shown,
    }


def publishable(manifest: Mapping[str, Any]) -> str | None:
    """Why a release may not be published because of its licence; None when it may.

    A licence that could not be computed may be stated: the maker then vouches for the unknown inputs.
    """
    licences = manifest.get("licences")
    if licences is None:
        return "the release does not say under which licence it is; make it again with this version"
    if licences["outcome"] == "conflict":
        return "its licences conflict: " + "; ".join(licences["reasons"])
    if licences["license"] is None:
        return (
            "its licence is unknown (" + "; ".join(licences["reasons"]) + "). State `license:` at each of "
            "these in the recipe, or grant one with release.license once you know that they allow it; then "
            "release it as a new version"
        )
    return None
