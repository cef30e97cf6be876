"""What changed between two versions of the verifier that decides, for the samples of a recipe.

Guarantees: only verdicts that stand in the store are compared, of each version the one of the highest
attempt; a sample that one of the two has not judged is counted and never listed as changed. Left out: why
a verdict changed (reasons and answers of both stand side by side), and giving verdicts that are owed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

from factory import asked, pipeline, planning
from factory.errors import CheckFailed, UsageError
from factory.planning import Verifier
from factory.progress import Progress
from factory.recipe import Recipe
from factory.sampling import allotment
from factory.store import Store

_PAIRS = (
    "SELECT s.sample_id, s.problem_id, s.generator, o.status AS old_status, o.reason AS old_reason,"
    " o.answer AS old_answer, n.status AS new_status, n.reason AS new_reason, n.answer AS new_answer,"
    " s.reference, s.problem_position, s.generator_position, s.sample_index"
    " FROM ({scope}) s LEFT JOIN (FROM latest WHERE verifier = $name AND version = $old) o"
    " ON o.sample_id = s.sample_id LEFT JOIN (FROM latest WHERE verifier = $name AND version = $new) n"
    " ON n.sample_id = s.sample_id"
)


def flips(
    recipe: Recipe, store: Store, base: Path, progress: Progress, against: str | None = None
) -> dict[str, Any]:
    """The verdicts of the recipe's verifier beside those of `against`, or of the latest other version.

    {verifier, version, against, compared, not_compared, transitions: [{old, new, samples}], flips: [one
    for each sample whose status differs]}, as plain data. Raises CheckFailed when the store holds no other
    version, and UsageError when it does not hold `against`; both name the versions there are.
    """
    with store.connect() as connection:
        plan = pipeline.plan_of(recipe, base, progress)
        planning.enter(connection, plan)
        asked.decide_problems(connection, plan)
        allotment.enter(connection, plan)
        old = _other(connection, plan.decides, against)
        connection.execute(
            "CREATE TABLE pairs AS " + _PAIRS.format(scope=planning.candidates()),
            {"name": plan.decides.name, "old": old, "new": plan.decides.version},
        )
        judged = "FROM pairs WHERE old_status IS NOT NULL AND new_status IS NOT NULL"
        return {
            "verifier": plan.decides.name,
            "version": plan.decides.version,
            "against": old,
            "compared": planning.count(connection, judged),
            "not_compared": planning.count(connection, f"FROM pairs EXCEPT ALL ({judged})"),
            "transitions": _rows(
                connection,
                "SELECT old_status AS old, new_status AS new, count(*) AS samples"
                f" {judged} GROUP BY ALL ORDER BY ALL",
            ),
            "flips": _rows(
                connection,
                "SELECT * EXCLUDE (problem_position, generator_position, sample_index)"
                f" {judged} AND old_status <> new_status"
                " ORDER BY problem_position, generator_position, sample_index",
            ),
        }


def _other(connection: duckdb.DuckDBPyConnection, verifier: Verifier, against: str | None) -> str:
    """The version to compare with; versions are as old as the last run that used them."""
    rows = connection.execute(
        "SELECT version FROM verdicts WHERE verifier = ? GROUP BY version ORDER BY max(run_id) DESC, version",
        [verifier.name],
    ).fetchall()
    present = [str(version) for (version,) in rows]
    others = [version for version in present if version != verifier.version]
    there = ", ".join(f"{verifier.name}@{version}" for version in present) or f"none of {verifier.name}"
    if against is None:
        if others:
            return others[0]
        raise CheckFailed(
            f"--flips: the store holds no version to compare {verifier.written} with (verdicts there are: "
            f"{there}). Verify with other options of the verifier first, or with an earlier factory"
        )
    wanted = against.removeprefix(f"{verifier.name}@")
    if wanted not in others:
        what = "is the recipe's own version" if wanted == verifier.version else "has no verdict in the store"
        raise UsageError(
            f"--against {against}: {what}. The store holds {there}; name one other than {verifier.written}"
        )
    return wanted


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    return list(connection.sql(query).to_arrow_table().to_pylist())
