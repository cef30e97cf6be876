"""How many accepted samples are wrong: what people's labels of some say of all, with the help of signals.

Left out: asking people (`auditing/`) and models (`signals.py`).
"""

from __future__ import annotations

from typing import Final

import duckdb
import pyarrow as pa

SUSPECT_COUNTS: Final = 2
"""A suspect sample is drawn this many times as often as another of its size of stratum."""


def draw(rows: pa.Table, number: int, seed: int) -> list[str]:
    """The ids of `number` accepted samples that people are asked about, in the order of their lots.

    `rows` has the columns sample_id, generator, difficulty, judge and kept. Every stratum, which is what is
    equal in the last four, gives one, the largest first; the rest goes to the strata by their size, as
    Sainte-Lague's divisors (r + 1/2) share seats out, where a suspect sample counts SUSPECT_COUNTS times and
    the kept ones, which are what is released, count as much as all others at least. Within a stratum the lot
    decides, so any of its samples is as likely as another. A larger number only adds.
    """
    with duckdb.connect() as connection:
        connection.register("rows", rows)
        found = connection.execute(
            "WITH whole AS (SELECT count(*) AS n, count(*) FILTER (kept) AS k FROM rows),"
            " lots AS (SELECT sample_id, kept, judge, count(*) OVER stratum AS size, row_number() OVER"
            " (stratum ORDER BY md5($seed || ':' || sample_id), sample_id) - 1 AS r FROM rows"
            " WINDOW stratum AS (PARTITION BY generator, difficulty, judge, kept)),"
            f" counted AS (SELECT *, size * if(judge = 'suspect', {SUSPECT_COUNTS}.0, 1.0)"
            " * if(kept, greatest(1.0, (n - k) / k), 1.0) AS weight FROM lots, whole)"
            " SELECT sample_id FROM counted ORDER BY r > 0, if(r = 0, -weight, (r + 0.5) / weight),"
            " md5($seed || ':' || sample_id), sample_id LIMIT $number",
            {"seed": str(seed), "number": number},
        ).fetchall()
    return [one for (one,) in found]
