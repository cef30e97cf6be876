"""What changed between two releases, as plain data: rows, schema, verdicts, recipe, lock, documents.

Guarantees: equal releases differ in nothing; every figure counts rows of the files that the manifests list
(`row_changes.py` says when two rows are equal). Where something cannot be told, it is null and `why` says
what is missing, never 0. Left out: the deltas of metrics, which `factory/diffing.py` adds, and the rule that
makes a bump of it all (`versions.py`).

The shape of a comparison. `changes.json` of a release is the one with the release before it, less
`documents`, and `factory release diff --json` is one with `documents` and `sql` besides:

    format         1
    old, new       {name, version, release_id}
    bump           "major", "minor", "patch" or "none": the least that this difference asks for
    because        sentences, the weightiest first: why it is that
    configs        {config: {in: "both", "old" or "new"; keys: [column]; old, new: rows, or null where it is
                   not in; added, removed, changed: rows; columns: {column: rows in which it changed}, with
                   `split` for rows moved between splits; schema: {added: [column], removed: [column],
                   retyped: {column: {old, new}}, described: [column]}}}; of a config that only one has,
                   every row is added or removed
    verdicts       {why, verifier: {old, new} as name@version, compared: samples in both, flips: [{old, new,
                   samples}] of those whose status changed, became_correct, no_longer_correct}; all but
                   `why` and `verifier` null where `samples` is not in both
    metrics        [{metric, old, new: the values in metrics.json or null; delta, low, high: the mean
                   difference over `n_problems` problems that both releases have, with its 95 % interval;
                   n_problems; why}]; delta, low and high may be null, and `why` then says for what reason
    recipe, lock, licences    [{path, old, new}]: values that differ, null for none; the version is left out
    documents      [{path, change: "added", "removed" or "changed"}]
    sql            {config: {added, removed, changed}}: text for `factory sql` that lists those rows, where
                   there are any; null where one of the two releases is not in the store
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import duckdb

from factory.configs import CONFIGS, KEYS
from factory.errors import CheckFailed
from factory.release import manifest, row_changes, versions
from factory.release.row_changes import Side, type_of

FORMAT: Final = 1
"""The version of the shape that the docstring of this module describes."""


def compare(connection: duckdb.DuckDBPyConnection, old: Side, new: Side) -> dict[str, Any]:
    """The comparison of two releases in the shape above, without `metrics` and `sql`.

    The manifests are as `reading.read` or `manifest.make` gives them. Raises CheckFailed when one lists what
    is no config, and for files that cannot be read or hold a key twice.
    """
    for side in (old, new):
        _check(side)
    before, after = (_known(side) for side in (old, new))
    found = {
        "format": FORMAT,
        "old": before,
        "new": after,
        "configs": {
            config: _config(connection, old, new, config)
            for config in CONFIGS
            if config in old.manifest["configs"] or config in new.manifest["configs"]
        },
        "verdicts": _verdicts(connection, old, new),
        "recipe": _differences(_recipe(old), _recipe(new)),
        "lock": _differences(old.manifest["lock"], new.manifest["lock"]),
        "licences": _differences(old.manifest.get("licences"), new.manifest.get("licences")),
    }
    if "documents" in old.manifest and "documents" in new.manifest:  # a draft has none yet
        found["documents"] = _documents(old, new)
    because = [sentence for _, sentence in versions.reasons(found)]
    return found | {"bump": versions.required(found), "because": because}


def _check(side: Side) -> None:
    """Refuse a config whose keys are not known."""
    strange = sorted(set(side.manifest["configs"]) - set(CONFIGS))
    if strange:
        raise CheckFailed(
            f"the manifest of {side.id} names the config {strange[0]!r:.80}; known are {', '.join(CONFIGS)}. "
            "`factory release check` says more"
        )


def _known(side: Side) -> dict[str, str]:
    return {key: side.manifest[key] for key in ("name", "version", "release_id")}


def _recipe(side: Side) -> dict[str, Any]:
    return {key: value for key, value in side.manifest["recipe"].items() if key != "version"}


# --- rows --------------------------------------------------------------------------------------------


def _config(connection: duckdb.DuckDBPyConnection, old: Side, new: Side, config: str) -> dict[str, Any]:
    counted = [
        one.manifest["configs"][config]["rows"] if config in one.manifest["configs"] else None
        for one in (old, new)
    ]
    shown = {"keys": list(KEYS[config]), "old": counted[0], "new": counted[1]}
    if None in counted:
        rows = {"added": counted[1] or 0, "removed": counted[0] or 0, "changed": 0}
        where = {"in": "old" if counted[1] is None else "new"}
        return where | shown | rows | {"columns": {}, "schema": _schema({}, {})}
    schema = _schema(old.schema(config), new.schema(config))
    lost = [one for one in KEYS[config] if one in schema["removed"] or one in schema["added"]]
    if lost:
        raise CheckFailed(
            f"config {config}: only one of {old.id} and {new.id} has the column {lost[0]}, by which its rows "
            "are known, so they cannot be compared. `factory release check` says more of each"
        )
    return {"in": "both"} | shown | row_changes.rows(connection, old, new, config) | {"schema": schema}


def _schema(old: Mapping[str, Mapping[str, Any]], new: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    both = [one for one in old if one in new]
    return {
        "added": [one for one in new if one not in old],
        "removed": [one for one in old if one not in new],
        "retyped": {
            one: {"old": type_of(old[one]), "new": type_of(new[one])}
            for one in both
            if type_of(old[one]) != type_of(new[one])
        },
        "described": [one for one in both if old[one].get("description") != new[one].get("description")],
    }


def _verdicts(connection: duckdb.DuckDBPyConnection, old: Side, new: Side) -> dict[str, Any]:
    """Whose status changed, among the samples that both releases show."""
    found: dict[str, Any] = {"why": None, "verifier": {"old": _decides(old), "new": _decides(new)}}
    names = ("compared", "flips", "became_correct", "no_longer_correct")
    missing = without_samples(old, new)
    if missing:
        return found | {"why": missing} | dict.fromkeys(names)
    return found | row_changes.statuses(connection, old, new)


def without_samples(old: Side, new: Side) -> str | None:
    """Why verdicts and metrics cannot be compared by sample and problem; None where they can."""
    missing = [one.id for one in (old, new) if "samples" not in one.manifest["configs"]]
    return f"{' and '.join(missing)} without the config samples" if missing else None


def _decides(side: Side) -> str | None:
    verifiers = side.manifest["lock"].get("verifiers")
    first = verifiers[0] if isinstance(verifiers, list) and verifiers else None
    return str(first.get("verifier")) if isinstance(first, Mapping) else None


# --- what is no row ----------------------------------------------------------------------------------


def _differences(old: Any, new: Any) -> list[dict[str, Any]]:
    return [
        {"path": path, "old": before, "new": after}
        for path, before, after in manifest.changed_values("", old, new)
    ]


def _documents(old: Side, new: Side) -> list[dict[str, str]]:
    before, after = (
        {one["path"]: one["sha256"] for one in side.manifest["documents"]} for side in (old, new)
    )
    marks = {
        path: "removed" if path not in after else "added" if path not in before else "changed"
        for path in sorted({*before, *after})
        if before.get(path) != after.get(path)
    }
    return [{"path": path, "change": change} for path, change in marks.items()]
