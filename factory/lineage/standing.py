"""Where a sample or a problem stands in a release, and why, from the files of the release alone.

Guarantees: a sample is kept, out, absent (the release does not hold it, and the recipe says why), or unknown
(the release does not show what would tell); each with a sentence. A release that cannot be read is unknown
with its reason, and hides no other release. Left out: the facts of the store (`explaining.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from factory.amounts import STOPS
from factory.errors import CheckFailed
from factory.lineage import reasons
from factory.lineage.lookup import Release, Row

_WITHOUT_TEXT: Final = (
    *("sample_id", "problem_id", "generator", "generator_id", "sample_index", "status", "verdict_reason"),
    *("answer", "rule", "correct", "rejected_by", "path", "kept", "reason", "duplicate_of", "rank"),
)
_IN_VIEWS: Final = ("sample_id", "problem_id", "chosen_id", "rejected_id", "label")

Verdicts = Mapping[str, Row]
"""The last verdict on a sample, by verifier as name@version."""


def of_sample(release: Release, sample: Row, verdicts: Verdicts) -> Row:
    """How a sample stands in a release: {release, release_id, folder, state, why, ...}.

    `sample` has sample_id, problem_id, generator_id, sample_index, and reference (the problem's answer).
    """
    try:
        return _named(release) | _of_sample(release, sample, verdicts)
    except CheckFailed as error:
        return _unreadable(release, error)


def _unreadable(release: Release, error: CheckFailed) -> Row:
    return {"release": release.name, "folder": str(release.folder), **_state("unknown", f"unknown: {error}")}


def _named(release: Release) -> Row:
    content = release.manifest
    return {
        "release": f"{content['name']}@{content['version']}",
        "release_id": content.get("release_id"),
        "folder": str(release.folder),
    }


def _state(state: str, why: str, **more: Any) -> Row:
    return {"state": state, "why": why, **more}


def _of_sample(release: Release, sample: Row, verdicts: Verdicts) -> Row:
    beside = {
        row["sample_id"]: row
        for row in release.rows("samples", "problem_id", [sample["problem_id"]], _WITHOUT_TEXT)
    }
    row = beside.get(sample["sample_id"])
    if row is None and release.shows("samples"):
        return _state("absent", "absent: " + _absence(release, sample))
    places = _places(release, sample)
    if row is None:
        return _without_samples(release, sample, places)
    other = beside.get(row["duplicate_of"]) if row["duplicate_of"] else None
    rows = release.rows("problems", "problem_id", [sample["problem_id"]], ("stopped", "asked"))
    return _state(
        "kept" if row["kept"] else "out",
        _why(release, sample, row, other, verdicts),
        reason=row["reason"],
        status=row["status"],
        decided_by=release.decides,
        rank=row["rank"],
        path=row["path"],
        duplicate_of=_twin(row, other),
        split=row["split"],
        stopped=_stops(rows).get(row["generator"]),
        stands=places,
    )


def _stops(rows: Sequence[Row]) -> dict[str, Row]:
    """{generator: {samples, correct, why}}: where sampling of a problem stopped, as its asked row says."""
    return {
        one["generator"]: {name: one[name] for name in ("samples", "correct", "why")}
        for row in rows
        if row["asked"]
        for one in row.get("stopped") or ()
    }


def _why(release: Release, sample: Row, row: Row, other: Row | None, verdicts: Verdicts) -> str:
    rules = release.manifest["recipe"].get("select") or {}
    rejected = verdicts.get(row["rejected_by"] or "")
    apart = row["kept"] and row["generator"] in (rules.get("apart") or ())
    return reasons.selected(
        "kept_apart" if apart else row["reason"],
        verdict=_decision(release, sample, row, verdicts),
        verifier=release.decides,
        also=reasons.verdict(rejected, sample["reference"]) if rejected else "",
        other=_told(row, other),
        generator=row["generator"],
        per_problem=rules.get("per_problem"),
        # A recipe that states no choice is of a release from before there was one, when the cap drew lots.
        choice=str(rules.get("choice", "random")),
        seed=rules.get("seed", 0),
    )


def _decision(release: Release, sample: Row, row: Row, verdicts: Verdicts) -> str:
    """The sentence of the verdict that decided, with the store's detail where it is the same verdict."""
    if row["status"] is None:
        return ""
    known = verdicts.get(release.decides)
    name, _, version = release.decides.partition("@")
    said = {
        "verifier": name,
        "version": version,
        "status": row["status"],
        "reason": row["verdict_reason"] or "",
        "answer": row["answer"],
    }
    same = known is not None and all(known[key] == said[key] for key in ("status", "reason", "answer"))
    return reasons.verdict(known if same and known else said, sample["reference"])


def _told(row: Row, other: Row | None) -> str:
    """The sample that a row repeats, when it was drawn, and what became of it."""
    if other is None:
        return f"{row['duplicate_of']}, which the release does not show"
    earlier = (other["sample_index"], other["sample_id"]) < (row["sample_index"], row["sample_id"])
    if other["sample_index"] == row["sample_index"]:
        when = f"drawn beside it by {other['generator']}"
    else:
        when = "drawn earlier" if earlier else "drawn later, and farther in its wording from the others kept"
    fate = "is kept" if other["kept"] else f"is itself out ({other['reason']})"
    return f"{other['sample_id']}, which was {when} and {fate}"


def _twin(row: Row, other: Row | None) -> Row | None:
    if not row["duplicate_of"]:
        return None
    known = (
        {}
        if other is None
        else {name: other[name] for name in ("generator", "sample_index", "kept", "reason")}
    )
    return {"sample_id": row["duplicate_of"], **known}


def _absence(release: Release, sample: Row) -> str:
    """Why a sample is not among the samples of a release: what the recipe or the release says first."""
    lock = release.manifest["lock"]["generators"]
    name = next((one for one, of in lock.items() if of.get("generator_id") == sample["generator_id"]), None)
    if sample.get("reserved") and name is None:
        return (
            "a reference of its problem is judged, to see whether the problem can be; only worked solutions "
            "are released, and only with a generator {engine: human}"
        )
    columns = ("reason", "asked", "stopped")
    problems = release.rows("problems", "problem_id", [sample["problem_id"]], columns)
    if not problems and release.shows("problems"):
        return "its problem is none of the release"
    unasked = [row["reason"] for row in problems if row["reason"] != "duplicate_problem" and not row["asked"]]
    if unasked:
        return f"its problem was {reasons.planned(unasked[0], release.decides)}"
    if name is None:
        return f"its generator is none of the release's ({', '.join(map(reasons.quoted, lock))})"
    per_problem = release.manifest["recipe"]["budget"]["per_problem"]
    draws = (per_problem.get("by_generator") or {}).get(name, per_problem.get("samples"))
    if not sample.get("reserved") and isinstance(draws, int) and sample["sample_index"] >= draws:
        return (
            f"the release takes {draws} samples a problem and generator, indices 0 to {draws - 1}, and this "
            f"one has index {sample['sample_index']}"
        )
    stop = _stops(problems).get(name)
    if stop is not None and sample["sample_index"] >= stop["samples"]:
        return (
            f"sampling of its problem stopped after {stop['samples']} samples of {reasons.quoted(name)}, "
            f"{stop['correct']} of them correct ({STOPS.get(stop['why'], stop['why'])}), and this one has "
            f"index {sample['sample_index']}"
        )
    return "it came into the store after the release was made"


def _places(release: Release, sample: Row) -> list[Row]:
    """The rows of the configs for trainers that a sample has a part in."""
    ident, found = sample["sample_id"], list[Row]()
    for config in ("sft", "preference", "kto"):
        for row in release.rows(config, "problem_id", [sample["problem_id"]], _IN_VIEWS):
            place: Row = {"config": config, "split": row["split"]}
            if config == "preference" and ident in (row["chosen_id"], row["rejected_id"]):
                chosen = ident == row["chosen_id"]
                partner = row["rejected_id" if chosen else "chosen_id"]
                found.append(place | {"as": "chosen" if chosen else "rejected", "partner": partner})
            elif row.get("sample_id") == ident:
                found.append(place | ({"label": row["label"]} if config == "kto" else {}))
    return found


def _without_samples(release: Release, sample: Row, places: Sequence[Row]) -> Row:
    """What the configs for trainers tell of a sample where a release does not show its samples."""
    if any(place["config"] == "sft" or place.get("as") == "chosen" or place.get("label") for place in places):
        return _state("kept", "kept: it stands among the rows for trainers", stands=places)
    if places:
        return _state("out", f"out: it stands there as failed by {release.decides}", stands=places)
    if release.shows("sft"):
        return _state(
            "out", "out: it is not in sft; the release does not show its samples, and so not the reason"
        )
    return _state("unknown", "unknown: the release shows neither its samples nor sft")


# --- problems ----------------------------------------------------------------------------------------


def of_problem(release: Release, problem_id: str) -> Row:
    """How a problem stands in a release: {release, state, why, rows, samples by generator}."""
    try:
        return _named(release) | _of_problem(release, problem_id)
    except CheckFailed as error:
        return _unreadable(release, error)


def _of_problem(release: Release, problem_id: str) -> Row:
    columns = ("source", "group_id", "asked", "reason", "stopped")
    found = release.rows("problems", "problem_id", [problem_id], columns)
    samples = release.rows("samples", "problem_id", [problem_id], _WITHOUT_TEXT)
    marks = {row["sample_id"]: "kept" if row["kept"] else row["reason"] for row in samples}
    more = {"generators": _by_generator(samples, _stops(found)), "samples": marks}
    if found:
        rows = [
            {name: value for name, value in row.items() if name != "stopped"}
            | {"why": reasons.planned(row["reason"], release.decides)}
            for row in found
        ]
        asked = next((row for row in rows if row["asked"]), rows[0])
        return _state("asked" if asked["asked"] else "not asked", asked["why"], rows=rows, **more)
    if release.shows("problems"):
        return _state("absent", "absent: it is none of the release's problems")
    if samples or any(
        release.rows(one, "problem_id", [problem_id], _IN_VIEWS) for one in ("rewards", "sft", "kto")
    ):
        return _state("asked", reasons.planned("asked"), **more)
    return _state("unknown", "unknown: the release does not show its problems, and no row of this one")


def _by_generator(samples: Sequence[Row], stops: Mapping[str, Row]) -> list[Row]:
    """For each generator n (judged: pass, fail, no_answer), c (correct), kept, the other statuses, and why
    sampling stopped (null where the release does not say)."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in stops}
    for row in samples:
        one = counts.setdefault(row["generator"], Counter())
        one[row["status"] or "unverified"] += 1
        one["correct"] += bool(row["correct"])
        one["kept"] += bool(row["kept"])
    return [
        {
            "generator": generator,
            "n": one["pass"] + one["fail"] + one["no_answer"],
            "c": one["correct"],
            "kept": one["kept"],
            **{name: one[name] for name in ("no_answer", "error", "unverified")},
            "stopped": stops[generator]["why"] if generator in stops else None,
        }
        for generator, one in sorted(counts.items())
    ]
