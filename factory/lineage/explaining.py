"""Why a row is in a release or not: the lineage of a sample or a problem, from its source to every release.

Guarantees: an id may be cut to its first digits (6 or more) as long as one row alone begins so; what is told
is read from the store or from a release and never computed anew, so it is what happened. A release given by
path or on the Hub is explained from its own files alone, and no store is asked. No completion but those that
are told is read. Left out: how it is laid out (`display_explain.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from factory import references
from factory.errors import CheckFailed, UsageError
from factory.lineage import reasons, release_facts, standing
from factory.lineage.lookup import Release, Row, stored, stored_ids
from factory.lineage.release_facts import draw, opened
from factory.records import RESERVED_GENERATORS, reserved_generator_id
from factory.references import AtPath, InStore, OnHub
from factory.selection.paths import equations
from factory.store import Store

MOST_CANDIDATES: Final = 10
"""Ids that an error lists where a prefix is of several."""

_ID: Final = re.compile(r"[0-9a-f]{6,32}")
_RUN: Final = re.compile(r"\d{8}T\d{6}-[0-9a-f]+")
_KEYS: Final = {"sample": ("samples", "sample_id"), "problem": ("problems", "problem_id")}
_OTHERS: Final = {"generator": ("generators", "generator_id"), "charge": ("ledger", "charge_id")}
_RESERVED: Final = {reserved_generator_id(name): name for name in RESERVED_GENERATORS}
_LINE: Final = ("sample_id", "generator_id", "sample_index", "finish_reason", "completion")


def explain(ident: str, store: Store, release: str | None = None) -> Row:
    """All that is known of a sample or a problem; `kind` says which.

    A sample: {kind, sample_id, from, problem, sources, generator, draw, equations, verdicts, charges, labels,
    rollouts, releases}. A problem: {kind, problem_id, from, problem, sources, references, releases, samples}.
    `release` (a reference) tells of that release alone. Raises UsageError for an id that is none, unknown,
    ambiguous or of another thing, saying which, and CheckFailed for damaged files.
    """
    wanted = ident.strip().lower()
    if not _ID.fullmatch(wanted):
        raise UsageError(_no_id(ident, store))
    reference = None if release is None else references.parse(release)
    if isinstance(reference, AtPath | OnHub):
        alone = Release(str(release), _folder(reference, store))
        kind, full = _only(ident, release_facts.ids(alone, wanted)) or _not_there(ident, alone)
        told = release_facts.of_sample if kind == "sample" else release_facts.of_problem
        return told(alone, full)
    if reference is not None:
        releases = [Release(reference.id, _folder(reference, store))]
    else:
        releases = [Release(name, store.releases / name) for name in references.released(store)]
    found = {kind: stored_ids(store, *_KEYS[kind], wanted) for kind in _KEYS}
    kind, full = _only(ident, found) or _unknown(ident, wanted, store)
    return _sample(store, full, releases) if kind == "sample" else _problem(store, full, releases)


def _folder(reference: InStore | AtPath | OnHub, store: Store) -> Path:
    if isinstance(reference, OnHub):
        from factory import hub

        return hub.fetch(reference)
    return references.local_folder(reference, store)


# --- which row is meant ------------------------------------------------------------------------------


def _only(ident: str, found: dict[str, set[str]]) -> tuple[str, str] | None:
    """The one (kind, id) that was found, or None. Raises UsageError where there are several."""
    candidates = sorted((one, kind) for kind, ids in found.items() for one in ids)
    if len(candidates) > 1:
        listed = ", ".join(f"{kind} {one}" for one, kind in candidates[:MOST_CANDIDATES])
        more = len(candidates) - MOST_CANDIDATES
        raise UsageError(
            f"{ident} is the beginning of {len(candidates)} ids: {listed}"
            + (f" and {more} more" if more > 0 else "")
            + "; write more digits of the one that is meant"
        )
    return (candidates[0][1], candidates[0][0]) if candidates else None


def _no_id(ident: str, store: Store) -> str:
    """What an argument is that cannot be the id of a row."""
    shown = reasons.quoted(ident)
    if _RUN.fullmatch(ident):
        return (
            f"{shown} is the id of a run; explain takes the id of a sample or a problem. Those of the run: "
            f"factory sql \"SELECT sample_id FROM samples WHERE run_id = '{ident}'\""
        )
    for name in references.released(store):
        try:
            known = Release(name, store.releases / name).manifest.get("release_id")
        except CheckFailed:
            continue
        if ident in (name, known):
            return (
                f"{shown} is the release {name}; explain takes the id of a sample or a problem. Those of the "
                f"release: factory sql \"SELECT sample_id, reason FROM selection WHERE release = '{name}'\""
            )
    return f"{shown} is no id; an id is 32 digits of 0-9 and a-f, of which the first 6 or more may do"


def _unknown(ident: str, wanted: str, store: Store) -> tuple[str, str]:
    """Raises UsageError for an id that is of no sample and no problem; says of what it is."""
    for kind, place in _OTHERS.items():
        found = sorted(stored_ids(store, *place, wanted))
        if found:
            row = stored(store, place[0], place[1], found[:1])[0]
            told = row["name"] if kind == "generator" else f"of sample {row['sample_id']}"
            instead = "" if kind == "generator" else f": factory explain {row['sample_id']}"
            raise UsageError(
                f"{ident} is the id of a {kind} ({reasons.quoted(told)}); explain takes the id of a sample "
                f"or a problem{instead}"
            )
    raise UsageError(
        f"{store.root} has no sample and no problem whose id begins with {ident}. Ids stand in every release "
        '(sample_id, problem_id); those of the store: factory sql "SELECT sample_id FROM samples LIMIT 10". '
        "For a row of another place, name its release: --release ./FOLDER"
    )


def _not_there(ident: str, release: Release) -> tuple[str, str]:
    """Raises UsageError for an id that a release does not have."""
    raise UsageError(
        f"{release.name} has no sample and no problem whose id begins with {ident}; without --release "
        "the store is asked"
    )


# --- from the store ----------------------------------------------------------------------------------


def _sample(store: Store, ident: str, releases: Iterable[Release]) -> Row:
    sample = stored(store, "samples", "sample_id", [ident])[0]
    sources = _sources(store, sample["problem_id"])
    problem = sources[0] if sources else {"problem_id": sample["problem_id"]}
    generator = _generators(store, [sample["generator_id"]])[0]
    sample |= {"reference": problem.get("answer"), "reserved": sample["generator_id"] in _RESERVED}
    verdicts = _verdicts(store, [ident], sample["reference"])
    last = {f"{one['verifier']}@{one['version']}": one for one in verdicts if one["counts"]}
    correct = any(one["counts"] and one["status"] == "pass" for one in verdicts)
    charges = stored(store, "ledger", "sample_id", [ident])
    names = _names(store, charges)
    return {
        "kind": "sample",
        "sample_id": ident,
        "from": f"store {store.root}",
        "problem": problem,
        "sources": sources,
        "generator": generator,
        "draw": draw(sample),
        "equations": list(equations(sample["completion"])) if correct else None,
        "verdicts": verdicts,
        "charges": [one | {"generator": names.get(one["generator_id"])} for one in charges],
        "labels": stored(store, "labels", "sample_id", [ident]),
        "rollouts": sorted(
            stored(store, "rollouts", "sample_id", [ident]),
            key=lambda one: (one["step_index"], one["generator_id"]),
        ),
        "releases": [standing.of_sample(one, sample, last) for one in releases],
    }


def _sources(store: Store, problem: str) -> list[Row]:
    """The rows of a problem: one for each source that has it."""
    return [opened(row) for row in stored(store, "problems", "problem_id", [problem])]


def _generators(store: Store, idents: Iterable[str]) -> list[Row]:
    ids = list(idents)
    known = {row["generator_id"]: opened(row) for row in stored(store, "generators", "generator_id", ids)}
    return [
        known.get(one, {"generator_id": one, "name": _RESERVED.get(one, one), "engine": None}) for one in ids
    ]


def _names(store: Store, rows: Iterable[Row]) -> dict[str, str]:
    """The names of the generators of rows, by their ids."""
    return {
        one["generator_id"]: one["name"] for one in _generators(store, {row["generator_id"] for row in rows})
    }


def _verdicts(store: Store, samples: Sequence[str], reference: str | None) -> list[Row]:
    """Every verdict on the samples; `counts` marks the highest attempt of each verifier version."""
    found = stored(store, "verdicts", "sample_id", samples)
    highest: dict[tuple[str, str, str], int] = {}
    for one in found:
        key = (one["sample_id"], one["verifier"], one["version"])
        highest[key] = max(highest.get(key, 0), one["attempt"])
    found.sort(key=lambda one: (one["sample_id"], one["verifier"], one["version"], one["attempt"]))
    return [
        one
        | {
            "detail": reasons.parsed(one["detail"]),
            "counts": one["attempt"] == highest[one["sample_id"], one["verifier"], one["version"]],
            "sentence": reasons.verdict(one, reference),
        }
        for one in found
    ]


def _problem(store: Store, ident: str, releases: Iterable[Release]) -> Row:
    sources = _sources(store, ident)
    samples = stored(store, "samples", "problem_id", [ident], (*_LINE, "problem_id"))
    names = _names(store, samples)
    by_sample: dict[str, list[Row]] = {}
    for one in _verdicts(store, [row["sample_id"] for row in samples], sources[0]["answer"]):
        by_sample.setdefault(one["sample_id"], []).append(one)
    stands = [standing.of_problem(one, ident) for one in releases]
    lines = [
        {name: row[name] for name in _LINE}
        | {"generator": names[row["generator_id"]], "verdicts": by_sample.get(row["sample_id"], [])}
        for row in sorted(samples, key=lambda row: (names[row["generator_id"]], row["sample_index"]))
    ]
    return {
        "kind": "problem",
        "problem_id": ident,
        "from": f"store {store.root}",
        "problem": sources[0],
        "sources": sources,
        "references": [
            line | {"releases": _marks(line["sample_id"], stands)}
            for line in lines
            if line["generator_id"] in _RESERVED
        ],
        "releases": [_without_marks(one) for one in stands],
        "samples": [
            line | {"releases": _marks(line["sample_id"], stands)}
            for line in lines
            if line["generator_id"] not in _RESERVED
        ],
    }


def _marks(sample: str, stands: Iterable[Row]) -> Row:
    """What each release made of a sample, kept or the reason, for those that hold it."""
    return {one["release"]: one["samples"][sample] for one in stands if sample in one.get("samples", {})}


def _without_marks(one: Row) -> Row:
    return {name: value for name, value in one.items() if name != "samples"}
