"""Why sampling stopped, counted: the table `stops` of a run by generator, difficulty and reason.

Guarantees: every asked problem counts once for each generator; the order is that of the generators and of
the reasons' names. Left out: deciding the stops (`cutting.py`).
"""

from __future__ import annotations

from typing import Any, Final

import duckdb

from factory.records import DRAWN

_COUNTED: Final = f"""
SELECT s.generator, a.difficulty, s.why, count(*)::INTEGER AS problems, sum(s.samples)::BIGINT AS samples,
  sum(s.correct)::BIGINT AS correct
FROM stops s
JOIN (SELECT problem_id, difficulty FROM asked WHERE reason = 'asked') a ON a.problem_id = s.problem_id
LEFT JOIN planned p ON p.generator_id = s.generator_id
WHERE s.{DRAWN}
GROUP BY ALL ORDER BY min(p.position), s.generator, a.difficulty NULLS LAST, s.why
"""


def summary(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """One {generator, difficulty, why, problems, samples, correct} a group, for JSON.

    Difficulty is null where the source states none; samples and correct are sums over the problems.
    """
    found: list[dict[str, Any]] = connection.sql(_COUNTED).to_arrow_table().to_pylist()
    return found
