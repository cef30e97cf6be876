"""What the files of a release know of a sample or a problem, without the store it was made from.

Guarantees: the same shape as from a store (`explaining.py`), with what a release does not hold left empty:
verdicts but the last word of the one that decides, charges, labels, rollouts. Left out: the store.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from factory.lineage import reasons, standing
from factory.lineage.lookup import Release, Row
from factory.records import PROBLEMS, SAMPLES
from factory.selection.paths import equations

_JSON: Final = ("origin", "tests", "identity", "detail", "extra")
_PLACES: Final = {
    "sample": (
        *((config, "sample_id") for config in ("samples", "sft", "kto")),
        *(("preference", column) for column in ("chosen_id", "rejected_id")),
    ),
    "problem": tuple((config, "problem_id") for config in ("problems", "samples", "rewards", "sft", "kto")),
}
"""Where the ids of each kind stand, the config that tells most first."""


def opened(row: Row) -> Row:
    """The row with the JSON texts in it as values."""
    return {name: reasons.parsed(value) if name in _JSON else value for name, value in row.items()}


def draw(sample: Row) -> Row:
    """What a sample is as a draw: its text, tokens, seed, cost and run."""
    named = ("sample_id", "problem_id", "generator_id")
    return opened({name: sample.get(name) for name in SAMPLES.names if name not in named})


def ids(release: Release, prefix: str) -> dict[str, set[str]]:
    """The ids of samples and problems that begin with `prefix`, from every config that has such."""
    return {
        kind: {one for place in places for one in release.ids(*place, prefix)}
        for kind, places in _PLACES.items()
    }


def of_sample(release: Release, ident: str) -> Row:
    """All that the release knows of a sample it holds, as `explaining.explain` tells it."""
    found = next(rows for place in _PLACES["sample"] if (rows := release.rows(*place, [ident])))[0]
    sample = _as_drawn(found, ident)
    sources = _sources(release, sample["problem_id"])
    generator = _generator(release, sample)
    facts = {
        "sample_id": ident,
        "problem_id": sample["problem_id"],
        "generator_id": generator["generator_id"],
        "sample_index": sample.get("sample_index"),
        "reference": sources[0].get("answer"),
    }
    return {
        "kind": "sample",
        "sample_id": ident,
        "from": f"release {release.name} alone",
        "problem": sources[0],
        "sources": sources,
        "generator": generator,
        "draw": draw(sample),
        "equations": list(equations(sample["completion"])) if sample.get("correct") else None,
        "verdicts": _verdicts(release, sample, facts["reference"]),
        "charges": [],
        "labels": [],
        "rollouts": [],
        "releases": [standing.of_sample(release, facts, {})],
    }


def _as_drawn(row: Row, ident: str) -> Row:
    """A row of any config with the columns of a sample that it tells of."""
    if "chosen_id" in row:
        part = "chosen" if row["chosen_id"] == ident else "rejected"
        row = row | {"completion": row[part], "generator": row[f"{part}_generator"]}
    said = row.get("messages") or row.get("completion")
    if isinstance(said, list):  # the form messages: the assistant's is the last
        said = said[-1].get("content") if said and isinstance(said[-1], Mapping) else None
    return row | {"completion": said if isinstance(said, str) else ""}


def _generator(release: Release, sample: Row) -> Row:
    """The generator of a sample as the release's lock names it."""
    name = sample.get("generator")
    known: Any = release.manifest["lock"]["generators"].get(name) or {}
    return {
        "generator_id": sample.get("generator_id") or known.get("generator_id"),
        "name": name,
        "engine": known.get("engine"),
        "model": known.get("model"),
        "identity": known.get("identity"),
    }


def _sources(release: Release, problem: str) -> list[Row]:
    """The rows of a problem; of a release that does not show its problems, what its other rows say."""
    for config in ("problems", "rewards", "samples", "sft", "kto", "preference"):
        found = release.rows(config, "problem_id", [problem])
        if found:
            told = [
                opened({name: value for name, value in row.items() if name in PROBLEMS.names})
                for row in found
            ]
            return told if config == "problems" else told[:1]
    return [{"problem_id": problem}]


def _verdicts(release: Release, sample: Row, reference: str | None) -> list[Row]:
    """The last word of the verifier that decides, which is all that a release holds."""
    if sample.get("status") is None:
        return []
    name, _, version = release.decides.partition("@")
    one = {
        "sample_id": sample["sample_id"],
        "verifier": name,
        "version": version,
        "attempt": None,
        "status": sample["status"],
        "reason": sample.get("verdict_reason") or "",
        "answer": sample.get("answer"),
        "rule": sample.get("rule"),
        "counts": True,
    }
    return [one | {"sentence": reasons.verdict(one, reference)}]


def of_problem(release: Release, ident: str) -> Row:
    """All that the release knows of a problem it holds, as `explaining.explain` tells it."""
    sources = _sources(release, ident)
    stand = standing.of_problem(release, ident)
    samples = release.rows("samples", "problem_id", [ident])
    lines = [
        draw(row)
        | {name: row[name] for name in ("sample_id", "generator_id", "generator")}
        | {"verdicts": _verdicts(release, row, sources[0].get("answer"))}
        | {"releases": {stand["release"]: "kept" if row["kept"] else row["reason"]}}
        for row in sorted(samples, key=lambda row: (row["generator"], row["sample_index"]))
    ]
    return {
        "kind": "problem",
        "problem_id": ident,
        "from": f"release {release.name} alone",
        "problem": sources[0],
        "sources": sources,
        "references": [],
        "releases": [{key: value for key, value in stand.items() if key != "samples"}],
        "samples": lines,
    }
