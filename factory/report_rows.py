"""What a report counts in the rows of a release: draws, paths, costs, lengths, and the rows it shows.

Guarantees: every query reads the files that the manifest lists, by columns; completions are read only of the
sampled rows, and of those no more than the page holds. Sums are of whole numbers, so that they do not depend
on the order of threads, and every choice among rows has a tie-breaker: equal releases give equal numbers.
Left out: opening the release and naming what it lacks (`reporting.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import duckdb

from factory.records import DRAWN
from factory.release import row_changes
from factory.release.row_changes import Side
from factory.report.accounts import UNITS
from factory.report.figures import ALL
from factory.report.sections import FULL

SHOWN: Final = 20
"""Sampled rows of a page."""

UNSURE: Final = 4
"""How many of them, at most, are samples of which no verifier could tell."""

BINS: Final = 24

_OUTCOME: Final = (
    "CASE WHEN correct THEN 'right' WHEN status = 'no_answer' THEN 'no answer'"
    " WHEN status IS NULL OR status = 'error' THEN 'could not tell' ELSE 'wrong' END"
)
_SCALES: Final[Mapping[str, int]] = {"completion_tokens": 1, "flops": 1, "seconds": 1_000_000, "usd": 10**9}
"""By how much a unit is multiplied to be a whole number."""


def enter(connection: duckdb.DuckDBPyConnection, side: Side) -> None:
    """Make the views `judged` and `selection` of the release's samples, `drawn` of those that a model wrote,
    and `asked` of its problems."""
    samples = row_changes.all_rows(side, "samples")
    problems = (
        f"SELECT * FROM {row_changes.all_rows(side, 'problems')} WHERE asked"
        if "problems" in side.manifest["configs"]
        else "SELECT DISTINCT problem_id, NULL::VARCHAR AS source, NULL::VARCHAR AS difficulty,"
        " NULL::VARCHAR AS group_id, NULL::VARCHAR AS prompt, NULL::VARCHAR AS answer, 'asked' AS reason"
        f" FROM {samples}"
    )
    connection.execute(f"CREATE VIEW asked AS {problems}")
    connection.execute(
        f"CREATE VIEW judged AS SELECT s.*, p.source, p.difficulty, {_OUTCOME} AS outcome"
        f" FROM {samples} s LEFT JOIN asked p ON p.problem_id = s.problem_id"
    )
    connection.execute(f"CREATE VIEW drawn AS SELECT * FROM judged WHERE {DRAWN}")
    connection.execute(f"CREATE VIEW selection AS SELECT sample_id, path FROM {samples}")


def paths(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[int, int]]:
    """{series: {distinct correct paths: problems}}: of each generator, and of all where there are several."""
    found: dict[str, dict[int, int]] = {}
    for column in (f"'{ALL}'", "generator"):
        rows = connection.execute(
            "SELECT series, paths, count(*) FROM (SELECT series, problem_id, count(DISTINCT path) AS paths"
            f" FROM (SELECT {column} AS series, problem_id, path FROM drawn) GROUP BY ALL)"
            " GROUP BY ALL ORDER BY ALL"
        ).fetchall()
        for series, number, problems in rows:
            found.setdefault(series, {})[number] = problems
    if len(found) == 2:
        del found[ALL]
    return found


def costs(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """What each generator spent, on all and on kept samples: see `report.accounts.spent`."""
    sums = ", ".join(
        f"count({unit}), sum(round({unit} * {scale})::HUGEINT)::DOUBLE / {scale},"
        f" sum(round({unit} * {scale})::HUGEINT) FILTER (kept)::DOUBLE / {scale}"
        for unit, scale in _SCALES.items()
    )
    rows = connection.execute(
        f"SELECT generator, count(*) FILTER (kept), count(*), {sums} FROM drawn"
        " GROUP BY generator ORDER BY generator"
    ).fetchall()
    return [
        {
            "generator": generator,
            "kept": kept,
            "samples": samples,
            **{
                what: {unit: numbers[3 * place + at] for place, unit in enumerate(UNITS)}
                for at, what in enumerate(("known", "on_all", "on_kept"))
            },
        }
        for generator, kept, samples, *numbers in rows
    ]


def lengths(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """How long samples are, by outcome: see `report.accounts.lengths`. Tokens where all are known."""
    ((counted,),) = connection.execute("SELECT count(*) = count(completion_tokens) FROM drawn").fetchall()
    length = "completion_tokens" if counted else "length(completion)"
    connection.execute(f"CREATE TEMP TABLE lengths AS SELECT outcome, {length}::BIGINT AS size FROM drawn")
    summary = connection.execute(
        "SELECT outcome, count(*), quantile_disc(size, 0.1), quantile_disc(size, 0.5),"
        " quantile_disc(size, 0.9) FROM lengths GROUP BY outcome ORDER BY outcome"
    ).fetchall()
    ((long,),) = connection.execute("SELECT coalesce(quantile_disc(size, 0.99), 0) FROM lengths").fetchall()
    width = _round_up(-(-long // BINS))
    counts: dict[str, list[int]] = {row[0]: [0] * (BINS + 1) for row in summary}
    for outcome, place, samples in connection.execute(
        f"SELECT outcome, least(size // {width}, {BINS}), count(*) FROM lengths GROUP BY ALL"
    ).fetchall():
        counts[outcome][place] = samples
    used = 1 + max((at for some in counts.values() for at, number in enumerate(some) if number), default=0)
    return {
        "unit": "tokens" if counted else "characters",
        "width": width,
        "counts": {outcome: some[:used] for outcome, some in counts.items()},
        "summary": {
            outcome: {"samples": samples, "low": low, "median": median, "high": high}
            for outcome, samples, low, median, high in summary
        },
    }


def _round_up(width: int) -> int:
    """The least of 1, 2, 5, 10, 20, 50, ... that is no smaller."""
    power = 1
    while 5 * power < width:
        power *= 10
    return next(step * power for step in (1, 2, 5) if step * power >= width)


def sampled(connection: duckdb.DuckDBPyConnection, release_id: str) -> dict[str, list[dict[str, Any]]]:
    """Rows to show, drawn by the release id: right ones, wrong ones, and some of which none could tell."""
    groups = {
        "right": "outcome = 'right'",
        "wrong": "outcome = 'wrong'",
        "unsure": "outcome IN ('no answer', 'could not tell')",
    }
    drawn = {
        name: [
            str(sample)
            for (sample,) in connection.execute(
                f"SELECT sample_id FROM judged WHERE {where}"
                f" ORDER BY md5(? || sample_id), sample_id LIMIT {SHOWN}",
                [release_id],
            ).fetchall()
        ]
        for name, where in groups.items()
    }
    unsure = drawn["unsure"][:UNSURE]
    right = drawn["right"][: (SHOWN - len(unsure)) // 2]
    wrong = drawn["wrong"][: SHOWN - len(unsure) - len(right)]
    right = drawn["right"][: SHOWN - len(unsure) - len(wrong)]
    rows = _read(connection, [*right, *wrong, *unsure])
    chosen = {"right": right, "wrong": wrong, "unsure": unsure}
    return {name: [rows[sample] for sample in some] for name, some in chosen.items()}


def _read(connection: duckdb.DuckDBPyConnection, samples: Sequence[str]) -> dict[str, dict[str, Any]]:
    """{sample_id: row} of these samples, with no more of the texts than the page holds."""
    found = connection.execute(
        "SELECT j.sample_id, j.generator, j.status, j.verdict_reason, left(j.answer, 500) AS found,"
        f" j.rejected_by, j.kept, j.reason, left(j.completion, {FULL}) AS completion,"
        f" length(j.completion) AS characters, left(a.prompt, {FULL}) AS prompt,"
        " left(a.answer, 500) AS reference FROM judged j"
        " LEFT JOIN asked a ON a.problem_id = j.problem_id WHERE list_contains(?, j.sample_id)",
        [list(samples)],
    )
    names = [one[0] for one in found.description or ()]
    return {row[0]: dict(zip(names, row, strict=True)) for row in found.fetchall()}
