"""The SQL of the views on what was spent and on why sampling stopped.

Guarantees: an amount stands only where every call of the row knows it, else it is null, never a sum of a
part; what is presumed (the bound of a call under way when its process died) stands in rows of its own, apart
from what was seen. Left out: what may still be spent (`factory status RECIPE`), and prices that only a recipe
states.
"""

from __future__ import annotations

from typing import Final

from factory.records import RESERVED_GENERATORS, reserved_generator_id

_REFERENCES: Final = ", ".join(f"'{reserved_generator_id(name)}'" for name in RESERVED_GENERATORS)


def known(what: str) -> str:
    """A sum, or null where one of the rows does not know it."""
    return f"CASE WHEN count({what}) = count(*) THEN sum({what}) END"


SPENDING: Final = f"""
SELECT c.recipe, g.name AS generator, c.generator_id, c.kind, c.presumed, count(*) AS calls,
  ({known("c.samples")})::BIGINT AS samples, ({known("c.tokens")})::BIGINT AS tokens,
  {known("c.flops")} AS flops, {known("c.usd")} AS usd, {known("c.engine_seconds")} AS seconds
FROM (
  SELECT NULL::VARCHAR AS recipe, generator_id, 'sample' AS kind, false AS presumed, 1 AS samples,
    prompt_tokens + completion_tokens AS tokens, flops, usd, engine_seconds
  FROM samples WHERE generator_id NOT IN ({_REFERENCES})
  UNION ALL
  SELECT recipe, generator_id, kind, coalesce(presumed, false), samples, prompt_tokens + completion_tokens,
    flops, usd, engine_seconds
  FROM ledger
) c LEFT JOIN (
  SELECT generator_id, min(name) AS name FROM generators GROUP BY generator_id
) g ON g.generator_id = c.generator_id
GROUP BY ALL
"""

STOPS: Final = """
SELECT release, problem_id, source, difficulty, s.generator AS generator, s.samples AS samples,
  s.correct AS correct, s.why AS why
FROM (SELECT release, problem_id, source, difficulty, unnest(stopped) AS s FROM release_problems WHERE asked)
"""
