"""Turns the judged and selected rows of a run into a release folder.

Guarantees: the folder appears whole, under NAME@VERSION, or not at all. The same content under a taken
version changes nothing; other content under a taken version is an error that says what differs, and the
released one stays as it is.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from factory import certificates, configs, diffing, formats, licensing, planning
from factory.errors import CheckFailed, NothingToRelease
from factory.planning import Plan, PlannedGenerator, Verifier
from factory.progress import Progress
from factory.recipe import JudgeOptions
from factory.release import build, card, croissant, manifest, reading
from factory.release.findings import refusal
from factory.report.charts import card_charts
from factory.store import Store
from factory.verifiers import rubrics


@dataclass(frozen=True)
class Made:
    """Where the release is, its release id, and whether it was there already."""

    folder: Path
    release_id: str
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

    Raises CheckFailed when the version is taken by other content, or too small a step for what changes.
    """
    folder = store.releases / plan.recipe.id
    draft = build.draft(folder)
    try:
        made = _build(draft, connection, plan, counts, progress)
        if folder.exists():
            return _compare(store, folder, draft, made)
        changes = diffing.before_release(store, draft, made, metrics)
        if changes:
            build.write_json(draft / "changes.json", changes)
        _describe(draft, made, certificates.of_release(store, connection, plan, progress), metrics, changes)
        build.put_in_place(draft, folder)
        return Made(folder, made["release_id"], unchanged=False)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _build(
    draft: Path,
    connection: duckdb.DuckDBPyConnection,
    plan: Plan,
    counts: Mapping[str, Mapping[str, int]],
    progress: Progress,
) -> dict[str, Any]:
    """Write the rows; returns the manifest, with `files`. Raises CheckFailed when there are none."""
    formats.enter(connection, plan)
    wanted = [config for config in configs.CONFIGS if config in plan.recipe.release.configs]
    if "preference" in wanted:
        formats.enter_pairs(connection, plan, progress)
    progress.start("release", len(wanted), "configs")
    written = []
    for config in wanted:
        view = formats.view(connection, config, plan)
        one = build.write_view(draft, view)
        planning.balance(f"config {config}", view.expected, {"rows": one.rows})
        written.append(one)
        progress.advance()
    progress.finish()
    _tell_left_out(written, plan, progress)
    made = manifest.make(
        recipe=plan.recipe.content(), lock=lock(plan), packages=packages(plan), counts=counts, written=written
    )
    marks = {"factory.release": plan.recipe.id, "factory.release_id": made["release_id"]}
    files = [
        file
        for one in written
        for file in build.finish(draft, one, marks if one.config in configs.MARKED else {})
    ]
    return {**made, "licences": licensing.decide(plan), "files": files}


def _tell_left_out(written: Sequence[build.Open], plan: Plan, progress: Progress) -> None:
    """Say which configs have no rows; a release of nothing else is refused."""
    reasons = [f"{one.config} ({configs.EMPTY[one.config]})" for one in written if not one.rows]
    if len(reasons) == len(written):
        raise NothingToRelease(
            f"{plan.recipe.id}: there is nothing to release: {', '.join(reasons)}. Samples and verdicts are "
            "kept; `factory sql` shows them. Draw more samples, loosen `select`, or add `samples` to "
            "release.configs"
        )
    if reasons:
        progress.say(f"{plan.recipe.id}: left out, as it would be empty: {', '.join(reasons)}")


def _describe(
    draft: Path,
    made: Mapping[str, Any],
    certified: Sequence[Mapping[str, Any]],
    metrics: Mapping[str, Any],
    changes: Mapping[str, Any] | None,
) -> None:
    """Write what stands beside the rows: metrics, certificates, card, and last the manifest of all files."""
    content = {**made, "certificates": manifest.summaries(certified)}
    build.write_json(draft / "metrics.json", metrics)
    build.write_json(draft / "certificates.json", certified)
    build.write_json(draft / "croissant.json", croissant.make(content))
    text = card.make(content, metrics, charts=_draw(draft, content, metrics), changes=changes)
    (draft / "README.md").write_text(text, encoding="utf-8")
    documents = sorted(
        path.relative_to(draft).as_posix()
        for path in draft.rglob("*")
        if path.is_file() and path.suffix != ".parquet"
    )
    content["documents"] = [manifest.document(draft, path) for path in documents]
    build.write_json(draft / "manifest.json", content)


def _draw(draft: Path, made: Mapping[str, Any], metrics: Mapping[str, Any]) -> list[card.Chart]:
    """Write the charts of the card; returns (path, alt, caption) of each."""
    shown = []
    for chart in card_charts(made, metrics):
        path = f"charts/{chart.name}"
        (draft / "charts").mkdir(exist_ok=True)
        (draft / path).write_bytes(chart.png)
        shown.append((path, chart.alt, chart.caption))
    return shown


def lock(plan: Plan) -> dict[str, Any]:
    """What the recipe was resolved to: identities of generators and judges, versions of verifiers."""
    return {
        "generators": _identities(plan.generators),
        "judges": _identities(plan.judges),
        "verifiers": [
            {"verifier": one.written, "options": one.config.options.model_dump(mode="json")}
            for one in (plan.decides, *plan.also)
        ],
        **({"signals": [_signal(one) for one in plan.signals]} if plan.signals else {}),
    }


def _signal(one: Verifier) -> dict[str, Any]:
    """A verifier that rejects nothing; of a judge also the model, and what it is asked."""
    options = one.config.options
    said = {"verifier": one.written, "options": options.model_dump(mode="json")}
    if one.judge is None or not isinstance(options, JudgeOptions):
        return said
    return said | {"judge": one.judge.name, "rubric": rubrics.TASKS[options.rubric]}


def packages(plan: Plan) -> dict[str, str]:
    """The versions of the packages that had a part in the release."""
    sources = {problem.source for problem in plan.recipe.problems}
    return manifest.package_versions(
        [one.engine for one in (*plan.generators, *plan.judges)] + sorted(sources)
    )


def _identities(generators: Iterable[PlannedGenerator]) -> dict[str, Any]:
    return {
        one.name: {
            "generator_id": one.generator_id,
            "engine": one.engine,
            "model": _model(one),
            "identity": dict(one.identity),
        }
        for one in generators
    }


def _model(one: PlannedGenerator) -> str | None:
    """The reference of a model; of a local one the last name: where it lies does not change what it is."""
    local = one.model is not None and one.identity.get("model") is None
    return Path(one.model).name if local and one.model else one.model


def _compare(store: Store, folder: Path, draft: Path, made: Mapping[str, Any]) -> Made:
    """The release that stands, if its content is that of the draft."""
    found, findings = reading.read(folder)
    if found is None:
        raise CheckFailed(
            f"{folder} stands where this release belongs, and is none that can be read: {refusal(findings)}. "
            "Nothing was changed and every sample is kept. Move it away, or raise the version in the recipe"
        )
    changes = manifest.differences(found.content, made)
    if changes:
        raise CheckFailed(
            f"{folder.name} is released already, and this run's content differs: "
            + "; ".join(changes)
            + ". The released one stays as it is and every sample is kept. Raise the version in the recipe, "
            f"or add --set version={diffing.allowed(store, draft, made)}"
        )
    return Made(folder, made["release_id"], unchanged=True)
