"""Holds a run against what its recipe requires of a release.

Guarantees: where a condition does not hold nothing is released and everything is kept; the message says of
each by how much it is missed and what would help. Left out: the conditions (`metrics/requirements.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb
import numpy as np

from factory.errors import NothingToRelease
from factory.metrics.requirements import require
from factory.planning import Plan
from factory.records import DRAWN


def hold(
    connection: duckdb.DuckDBPyConnection,
    plan: Plan,
    metrics: Mapping[str, Any],
    selection: Mapping[str, int],
) -> None:
    """Raise NothingToRelease when `metrics` miss a condition of the recipe.

    `selection` counts the samples by the reason why they are in or out; needs the view `judged`.
    """
    conditions = plan.recipe.release.require
    if not conditions:
        return
    found = connection.sql(
        "SELECT count(*) FILTER (status IN ('pass', 'fail', 'no_answer')) AS n,"
        f" count(*) FILTER (correct) AS c FROM judged WHERE {DRAWN} GROUP BY problem_id"
    ).fetchnumpy()
    solved = found["n"].astype(np.int64), found["c"].astype(np.int64)
    unmet = require(metrics, conditions, kept=selection.get("kept", 0), solved=solved)
    if unmet:
        raise NothingToRelease(
            f"{plan.recipe.id} does not meet what its recipe requires: "
            + ". ".join(unmet)
            + ". No release was made; samples and verdicts are kept"
        )
