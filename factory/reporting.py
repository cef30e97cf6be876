"""Gathers what the report of a release shows, and writes the page.

Guarantees: numbers come from the files that the manifest lists and from metrics.json, and the page depends on
the release alone (and on the one it is compared with): no clock, no store, no path, but for the line of a
release that a loop of this store made, which leads to the page of the loop. Rows are counted in DuckDB, so
that memory is bounded for any size. What a release does not hold (no `samples`, no metrics, no prices) is
left out and said, never 0. Left out: the counting (`report_rows.py`), the page (`report/`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import duckdb
import polars as pl

from factory import diffing, measuring, references, report_rows
from factory.amounts import first_draws
from factory.atomic import write_atomically
from factory.errors import CheckFailed, UsageError
from factory.lineage import reasons
from factory.loop import loop_report
from factory.metrics.measure import measure
from factory.release import front_matter, manifest, row_changes
from factory.release.row_changes import Side
from factory.report import charts, false_positive_charts, page
from factory.store import Store

MOST_K: Final = 1024
"""Where curves end: each k costs time, and few problems have more samples."""


def report(
    store: Store, release: str, out: Path | None = None, against: str | None = None
) -> tuple[Path, dict[str, Any]]:
    """Write the report of `release`, compared with `against`, to `out` (NAME-X.Y.Z.html in this folder).

    Returns where it is, and what it shows. Raises UsageError for a reference that names no release or a file
    inside the store, CheckFailed for a release of another format, or one that cannot be read.
    """
    folder = _folder(store, release)
    changes = diffing.compare(store, against, release) if against else None
    data = gather(folder, changes)
    path = out or Path(f"{data['release']['name']}-{data['release']['version']}.html")
    if path.resolve().is_relative_to(folder.resolve()):
        raise UsageError(
            f"{path} is inside the release, which never changes; name a file elsewhere with --out"
        )
    made = data["release"]
    data["loop"] = loop_report.of_release(
        store, f"{made['name']}@{made['version']}", made["release_id"], seen_from=path
    )
    text = page.render(data).encode("utf-8", "replace")
    write_atomically(path, lambda file: file.write(text))
    return path, data


def _folder(store: Store, release: str) -> Path:
    reference = references.parse(release)
    if isinstance(reference, references.OnHub):
        from factory import hub

        return hub.fetch(reference)
    return references.local_folder(reference, store)


def gather(folder: Path, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What a report shows, as plain data. Keys: release, numbers, metrics, budget, stops, false_positives,
    paths, costs, lengths, counts, rows, changes, certificates, licences, generators, verifiers, notes;
    `report` adds loop."""
    made = manifest.read(folder)
    if made.get("format") != manifest.FORMAT:
        raise CheckFailed(
            f"{folder} is of format {made.get('format')!r:.50}, and this factory reports on format "
            f"{manifest.FORMAT}. Make the release again under a new version"
        )
    told = _document(folder, "metrics.json") or {}
    counted = _counted(Side(folder, made), told)
    lock = made["lock"]
    data = {
        "release": _release(made),
        **counted,
        **{part: told.get(part) for part in ("budget", "stops", "false_positives")},
        "counts": made["counts"],
        "changes": changes or _document(folder, "changes.json"),
        "certificates": made.get("certificates", []),
        "licences": _licences(made),
        "generators": [
            (name, one["engine"], one["model"] or "not stated", one["generator_id"])
            for name, one in lock["generators"].items()
        ],
        "verifiers": [one["verifier"] for one in lock["verifiers"]],
    }
    return data | {"numbers": _numbers(data), "notes": _notes(data, lock)}


def _document(folder: Path, name: str) -> dict[str, Any] | None:
    path = folder / name
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise CheckFailed(
            f"{path} is no JSON: {error}. `factory release check` says what else is wrong"
        ) from error
    return found


def _counted(side: Side, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """What is counted in the rows; without `samples`, what metrics.json says."""
    if "samples" not in side.manifest["configs"]:
        return {"metrics": metrics, "paths": {}, "costs": [], "lengths": {"summary": {}}, "rows": None}
    with row_changes.connect() as connection:
        report_rows.enter(connection, side)
        return {
            "metrics": _measured(connection, side.manifest),
            "paths": report_rows.paths(connection),
            "costs": report_rows.costs(connection),
            "lengths": report_rows.lengths(connection),
            "rows": _explained(report_rows.sampled(connection, side.manifest["release_id"]), side.manifest),
        }


def _explained(rows: dict[str, list[dict[str, Any]]], made: Mapping[str, Any]) -> dict[str, Any]:
    """The sampled rows with their verdict's reason in words."""
    decides = made["lock"]["verifiers"][0]["verifier"].partition("@")[0]
    for row in (row for some in rows.values() for row in some):
        reason = row["verdict_reason"]
        row["because"] = f"{reasons.words(decides, reason)} ({reason})" if reason else "not said"
    return rows


def _measured(connection: duckdb.DuckDBPyConnection, made: Mapping[str, Any]) -> dict[str, Any]:
    """The metrics of the release at more k than its recipe asks for, with the recipe's seed and resamples."""
    draws = measuring.draws_of_release(connection, made)
    judged = draws.counts.group_by("problem").agg(pl.col("n").sum())["n"].to_list() or [0]
    least, most = (min(pick(judged), MOST_K) for pick in (min, max))
    ks = {2**power for power in range(most.bit_length())} | {k for k in (least,) if k}
    ks |= {k for k in made["recipe"].get("measure", {}).get("k", ()) if k <= most}
    config = measuring.config_of(made["recipe"], tuple(sorted(ks)))
    return measure(draws, config)


def _release(made: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": made["name"],
        "version": made["version"],
        "release_id": made["release_id"],
        "recipe_digest": made["recipe_digest"],
        "description": made["recipe"].get("description") or "The recipe says nothing about it.",
        "synthetic": made.get("synthetic", False),
        "by_people": front_matter.by_people(made),
        "configs": {
            config: {"rows": one["rows"], "splits": one["splits"]} for config, one in made["configs"].items()
        },
        "bytes": sum(file["bytes"] for file in made["files"]),
    }


def _licences(made: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(of what, licence) of the release and of what it is made of."""
    found = made.get("licences") or {}
    whole = found.get("license") or made["recipe"].get("release", {}).get("license")
    inputs = [
        (f"{one['role']} {one['name']}", one["license"] or "not stated") for one in found.get("inputs", ())
    ]
    return [("this release", whole or "not stated"), *inputs]


def _numbers(data: Mapping[str, Any]) -> list[tuple[str, object, str]]:
    """(name, value, note) of the numbers that stand at the head."""
    counts, metrics = data["counts"], data["metrics"]
    selection = counts.get("selection", {})
    samples, kept = sum(selection.values()), selection.get("kept", 0)
    asked = counts.get("problems", {}).get("asked")
    curve = charts.coverage(metrics)
    top = [row for row in curve.rows if row[0] == curve.rows[0][0]][-1] if curve else None
    numbers: list[tuple[str, object, str]] = [
        ("rows kept", kept, f"of {samples:,} samples" if samples else "no sample is accounted for"),
        ("problems asked", asked, _not_asked(counts.get("problems", {}))),
    ]
    if top:
        numbers.append((f"coverage@{top[1]}", top[2], f"{top[3]}, n = {top[4]:,}"))
    numbers.append(("tokens for a kept row", *_each(data["costs"], "completion_tokens")))
    numbers.append(("US dollars for a kept row", *_each(data["costs"], "usd")))
    numbers.append(("bytes of data", data["release"]["bytes"], "Parquet"))
    return numbers


def _not_asked(problems: Mapping[str, int]) -> str:
    rest = sum(problems.values()) - problems.get("asked", 0)
    return f"{rest:,} others were not" if rest else "all of the recipe"


def _each(costs: list[dict[str, Any]], unit: str) -> tuple[object, str]:
    """What a kept row costs in `unit`, all generators together, where it is known of every sample."""
    kept = sum(one["kept"] for one in costs)
    known = bool(costs) and all(one["known"][unit] == one["samples"] for one in costs)
    if not known:
        if not costs:
            return None, "it has no sample of a model"
        return None, "no prices known" if unit == "usd" else "not counted by the engine"
    return (
        (sum(one["on_all"][unit] for one in costs) / kept, "all samples paid for")
        if kept
        else (None, "no row kept")
    )


def _notes(data: Mapping[str, Any], lock: Mapping[str, Any]) -> dict[str, list[str]]:
    """Sentences on what is not in the numbers, by section."""
    notes = []
    if data["rows"] is None:
        notes.append("This release has no config `samples`, so costs and lengths are not known.")
    if lock.get("judges") and not (data["budget"] or {}).get("judges"):
        notes.append("Calls of judges do not stand in a release, so their cost is not counted here.")
    more = len(data["metrics"].get("by", {}).get("difficulty", {})) - charts.MOST_CLASSES
    told = [f"{more} more difficulties are left out."] if more > 0 else []
    if counted := data["metrics"].get("m"):
        told.append(first_draws(counted))
    told += [f"{', '.join(names)} have no value: {why}." for why, names in _unknown(data["metrics"]).items()]
    return {
        "Selection and cost": notes,
        "Coverage": told,
        "False positives": false_positive_charts.notes(data["false_positives"]),
    }


def _unknown(metrics: Mapping[str, Any]) -> dict[str, list[str]]:
    """{why: metrics} of those that have no value at any k, and so no chart that says why it ends."""
    least: dict[str, tuple[int, Mapping[str, Any]]] = {}
    for key, entry in metrics.items():
        name, _, k = key.partition("@")
        if k and name != "pass" and (name not in least or int(k) < least[name][0]):
            least[name] = int(k), entry
    found: dict[str, list[str]] = {}
    for name, (_, entry) in least.items():
        if entry["value"] is None and entry["why"]:
            found.setdefault(entry["why"], []).append(f"{name}@k")
    return found
