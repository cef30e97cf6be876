"""Turns the judged and selected rows of a run into a release folder.

Guarantees: the folder appears whole, under NAME@VERSION, or not at all. The same content under a taken
version changes nothing; other content under a taken version is an error that says what differs, and the
released one stays as it is.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from factory import certificates, planning
from factory.errors import CheckFailed
from factory.planning import Plan, PlannedGenerator
from factory.progress import Progress
from factory.records import VIEWS
from factory.release import build, card, manifest
from factory.store import Store, batches

_IN_ORDER: Final = "ORDER BY problem_position, generator_position, sample_index"

QUERIES: Final[Mapping[str, str]] = {
    "sft": "SELECT j.*, s.rank FROM judged j JOIN selection s ON s.sample_id = j.sample_id WHERE s.kept",
    "samples": "SELECT j.*, s.path, s.kept, s.reason, s.duplicate_of, s.rank"
    " FROM judged j JOIN selection s ON s.sample_id = j.sample_id",
    "problems": "SELECT a.*, a.reason = 'asked' AS asked, a.position AS problem_position,"
    " 0 AS generator_position, 0 AS sample_index, coalesce(n.samples, 0)::INTEGER AS samples,"
    " coalesce(n.correct, 0)::INTEGER AS correct FROM asked a"
    " LEFT JOIN (SELECT problem_id, count(*) AS samples, count(*) FILTER (correct) AS correct"
    " FROM judged GROUP BY problem_id) n"
    " ON n.problem_id = a.problem_id AND a.reason = 'asked'",
}
"""The rows of each config; columns are picked by its schema in `records.VIEWS`."""


@dataclass(frozen=True)
class Made:
    """Where the release is, its content digest, and whether it was there already."""

    folder: Path
    digest: str
    unchanged: bool


def release(
    store: Store,
    connection: duckdb.DuckDBPyConnection,
    plan: Plan,
    counts: Mapping[str, Mapping[str, int]],
    metrics: Mapping[str, Any],
    progress: Progress,
) -> Made:
    """Build the release in a draft folder and put it in place.

    Raises CheckFailed when the version is taken by other content.
    """
    folder = store.releases / plan.recipe.id
    draft = build.draft(folder)
    try:
        made = _build(draft, connection, plan, counts, progress)
        if folder.exists():
            return _compare(folder, made, plan)
        _describe(draft, made, certificates.of_release(store, connection, plan, progress), metrics, plan)
        build.put_in_place(draft, folder)
        return Made(folder, made["content_digest"], unchanged=False)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _build(
    draft: Path,
    connection: duckdb.DuckDBPyConnection,
    plan: Plan,
    counts: Mapping[str, Mapping[str, int]],
    progress: Progress,
) -> dict[str, Any]:
    """Write the rows; returns the manifest."""
    views = [_view(connection, config) for config in plan.recipe.release.configs]
    progress.start("release", len(views), "configs")
    written = []
    for view in views:
        one = build.write_view(draft, view)
        planning.balance(
            f"config {view.config}", planning.count(connection, QUERIES[view.config]), {"rows": one.rows}
        )
        written += [one] if one.rows else []
        progress.advance()
    progress.finish()
    return manifest.make(
        recipe=plan.recipe.content(), lock=lock(plan), counts=counts, schemas=VIEWS, written=written
    )


def _describe(
    draft: Path,
    made: Mapping[str, Any],
    certified: Sequence[Mapping[str, Any]],
    metrics: Mapping[str, Any],
    plan: Plan,
) -> None:
    """Write what stands beside the rows: manifest, metrics, certificates and card."""
    content = {**made, "certificates": manifest.summaries(certified)}
    build.write_json(draft / "manifest.json", content)
    build.write_json(draft / "metrics.json", metrics)
    build.write_json(draft / "certificates.json", certified)
    text = card.make(content, metrics, plan.recipe.release.license)
    (draft / "README.md").write_text(text, encoding="utf-8")


def _view(connection: duckdb.DuckDBPyConnection, config: str) -> build.View:
    schema, query = VIEWS[config], QUERIES[config]
    splits = connection.execute(f"SELECT DISTINCT split FROM ({query}) ORDER BY split").fetchall()
    columns = ", ".join(schema.names)

    def rows(split: str) -> Iterator[pa.RecordBatch]:
        wanted = split.replace("'", "''")
        return batches(connection, f"SELECT {columns} FROM ({query}) WHERE split = '{wanted}' {_IN_ORDER}")

    return build.View(config, schema, {str(split): partial(rows, str(split)) for (split,) in splits})


def lock(plan: Plan) -> dict[str, Any]:
    """What the recipe was resolved to: identities, verifier versions and packages."""
    sources = {problem.source for problem in plan.recipe.problems}
    used = [one.engine for one in (*plan.generators, *plan.judges)] + sorted(sources)
    return {
        "generators": _identities(plan.generators),
        "judges": _identities(plan.judges),
        "verifiers": [
            {"verifier": one.written, "options": one.config.options.model_dump(mode="json")}
            for one in (plan.decides, *plan.also)
        ],
        "packages": manifest.package_versions(used),
    }


def _identities(generators: Iterable[PlannedGenerator]) -> dict[str, Any]:
    return {
        one.name: {
            "generator_id": one.generator_id,
            "engine": one.engine,
            "model": one.model,
            "identity": dict(one.identity),
        }
        for one in generators
    }


def _compare(folder: Path, made: Mapping[str, Any], plan: Plan) -> Made:
    """The release that stands, if its content is that of the draft."""
    changes = manifest.differences(manifest.read(folder), made)
    if changes:
        raise CheckFailed(
            f"{folder.name} is released already, and this run's content differs: "
            + "; ".join(changes)
            + ". The released one stays as it is and every sample is kept. Raise the version in the recipe, "
            f"or add --set version={_next(plan.recipe.version)}"
        )
    return Made(folder, made["content_digest"], unchanged=True)


def _next(version: str) -> str:
    major, minor, _ = version.split(".")
    return f"{major}.{int(minor) + 1}.0"
