"""Draws counted from rows: which of them count, which answers are one, and that SQL counts the same."""

from __future__ import annotations

from typing import Any

import duckdb
import pyarrow as pa
import pytest

from factory import measuring
from factory.metrics.measure import measure
from factory.metrics.pooling import COSTS
from factory.query.sql_views import VIEWS
from factory.recipe import Measure

STATUS = {"+": "pass", "-": "fail", "0": "no_answer", "e": "error", "?": None, "x": "pass"}
"""A letter for each draw; x passes, and another verifier rejects it."""

SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("problem_id", "generator", "generator_id", "status", "answer")),
        ("sample_index", pa.int32()),
        ("correct", pa.bool_()),
        ("path", pa.string()),
        ("finish_reason", pa.string()),
        *((name, pa.int64() if name.endswith("tokens") else pa.float64()) for name in COSTS),
    ]
)


def rows(drawn: dict[tuple[str, str], str], answers: dict[str, str] | None = None) -> pa.Table:
    """Draws by (problem, generator); the answer of a draw is that of its letter."""
    told = {"-": "7", "+": "42", "x": "42"} | (answers or {})
    found: list[dict[str, Any]] = [
        {
            "problem_id": problem,
            "generator": generator,
            "generator_id": f"id of {generator}",
            "sample_index": index,
            "status": STATUS.get(letter, "fail"),
            "correct": letter == "+",
            "answer": told.get(letter),
            "path": "p" if letter == "+" else None,
            "finish_reason": "stop",
            "completion_tokens": 10,
            "usd": 0.1,
        }
        for (problem, generator), letters in drawn.items()
        for index, letter in enumerate(letters)
    ]
    return pa.Table.from_pylist(found, schema=SCHEMA)


def drawn_right(samples: pa.Table, problem: str, generator: str) -> int:
    """Correct draws of a problem by a generator."""
    there = (row for row in samples.to_pylist() if row["correct"])
    return sum((row["problem_id"], row["generator"]) == (problem, generator) for row in there)


def connect(
    samples: pa.Table, problems: str, stopped: dict[tuple[str, str], str]
) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.register("samples", samples)
    connection.register(
        "problems",
        pa.Table.from_pylist(
            [
                {
                    "problem_id": one,
                    "stopped": [
                        {
                            "generator": generator,
                            "samples": sum(
                                row["problem_id"] == one and row["generator"] == generator
                                for row in samples.to_pylist()
                            ),
                            "correct": drawn_right(samples, one, generator),
                            "why": why,
                        }
                        for (problem, generator), why in stopped.items()
                        if problem == one
                    ],
                }
                for one in problems
            ],
            schema=pa.schema(
                [
                    ("problem_id", pa.string()),
                    (
                        "stopped",
                        pa.list_(
                            pa.struct(
                                [
                                    ("generator", pa.string()),
                                    ("samples", pa.int32()),
                                    ("correct", pa.int32()),
                                    ("why", pa.string()),
                                ]
                            )
                        ),
                    ),
                ]
            ),
        ),
    )
    nothing = "NULL::VARCHAR AS difficulty, NULL::VARCHAR AS group_id"
    connection.execute(
        f"CREATE VIEW asked AS SELECT *, 's' AS source, {nothing}, 'asked' AS reason FROM problems"
    )
    connection.execute("CREATE VIEW release_samples AS SELECT 'r' AS release, * FROM samples")
    connection.execute("CREATE VIEW release_problems AS SELECT 'r' AS release, true AS asked, * FROM asked")
    return connection


DRAWN = {
    ("a", "g"): "-+",
    ("b", "g"): "+",
    ("c", "g"): "--0-",
    ("a", "h"): "-e+",
    ("b", "h"): "++-",
    ("c", "h"): "--",
}


@pytest.mark.parametrize(
    ("problems", "generators", "why", "ends_by_draws"),
    [
        ("abc", {"g": True, "h": True}, "planned", False),
        ("abc", {"g": True, "h": True}, "reached", True),
        ("abcd", {"g": True, "h": True}, "amount", False),
        ("abcd", {"g": True, "h": True}, "at_most", True),
        ("abcd", {"g": True, "h": False}, "amount", False),
        ("abcd", {"g": False, "h": False}, "reached", True),
    ],
)
def test_coverage_of_sql_is_that_of_the_metrics(
    problems: str, generators: dict[str, bool], why: str, ends_by_draws: bool
) -> None:
    stopped = {
        (problem, generator): why if (problem, generator) in DRAWN or asked else "exhausted"
        for problem in problems
        for generator, asked in generators.items()
    }
    connection = connect(rows(DRAWN), problems, stopped)
    first = measuring.first_of_stops(connection, measuring.STOPPED)
    assert (first is not None) == ends_by_draws
    draws = measuring.draws(connection, "FROM samples", generators, first)
    found = measure(draws, Measure(k=(1, 2, 4, 8), bootstrap=100))
    told = connection.sql(VIEWS["coverage"].sql).to_arrow_table().to_pylist()
    for row in told:
        part = found if row["generator"] is None else found["by"]["generator"][row["generator"]]
        metric = part[f"coverage@{row['k']}"]
        assert row["n_problems"] == metric["n_problems"], row
        assert row["n_short"] == metric["n_short"], row
        assert row["coverage"] == (metric["value"] and pytest.approx(metric["value"], abs=1e-9)), row
    if "d" in problems and any(generators.values()):
        assert all(row["coverage"] is None for row in told if row["generator"] in (None, "g"))
    else:
        assert any(row["coverage"] is not None for row in told)


def test_after_a_budget_that_looks_at_draws_only_the_first_of_each_problem_count() -> None:
    connection = connect(rows(DRAWN), "abc", {})
    draws = measuring.draws(connection, "FROM samples", {"g": True, "h": True}, {"g": 1, "h": 2})
    assert draws.m == {"g": 1, "h": 2}
    found = measure(draws, Measure(k=(1, 2), bootstrap=100))
    of = found["by"]["generator"]
    assert of["g"]["pass@1"]["value"] == pytest.approx(1 / 3), "not 1/2, 1 and 0 of what was drawn"
    assert (of["g"]["pass@2"]["value"], of["g"]["m"]) == (None, {"g": 1})
    assert "only the first draws of each problem count (1 of g)" in of["g"]["pass@2"]["why"]
    assert of["h"]["pass@2"]["why"] == "1 of 3 problems have fewer than 2 judged draws (the least: 1)", "e"
    assert found["samples"]["verified"] == 14, "costs and counts are of all draws"
    assert found["completion_tokens"] == 150


@pytest.mark.parametrize(
    ("drawn", "whys", "m"),
    [
        # Nobody was lucky at once: the second draw, which is right, must not be chosen for being so.
        ({"a": "-+", "b": "--+", "c": "----"}, {"a": "reached", "b": "reached", "c": "at_most"}, 1),
        ({"a": "-+-+", "b": "-+--+", "c": "-----"}, {"a": "reached", "b": "reached", "c": "at_most"}, 2),
        ({"a": "++", "b": "--+-", "c": "----"}, {"a": "reached", "b": "at_most", "c": "at_most"}, 2),
        # None had enough, as it would be in any order of the same draws.
        ({"a": "-+-", "b": "---"}, {"a": "at_most", "b": "at_most"}, 3),
        # An amount ended them level by level.
        ({"a": "-+-", "b": "--"}, {"a": "amount", "b": "amount"}, None),
        ({"a": "-+", "b": ""}, {"a": "reached", "b": "total"}, 0),
    ],
)
def test_draws_that_count_are_not_chosen_for_being_right(
    drawn: dict[str, str], whys: dict[str, str], m: int | None
) -> None:
    samples = rows({(problem, "g"): letters for problem, letters in drawn.items()})
    connection = connect(samples, "".join(drawn), {(one, "g"): why for one, why in whys.items()})
    assert measuring.first_of_stops(connection, measuring.STOPPED) == (None if m is None else {"g": m})
    (shown,) = connection.sql(f"SELECT sum(samples) FROM ({VIEWS['solve_rate'].sql})").fetchall()
    counted = sum(len(one if m is None else one[:m]) for one in drawn.values())
    assert (shown[0] or 0) == counted, "in SQL as well"


def test_the_number_of_draws_is_not_looked_at_where_it_was_fixed_in_advance() -> None:
    connection = connect(rows(DRAWN), "abc", {})
    draws = measuring.draws(connection, "FROM samples", {"g": True, "h": True}, None)
    assert draws.m is None
    found = measure(draws, Measure(k=(1,), bootstrap=100))
    assert found["by"]["generator"]["g"]["pass@1"]["value"] == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert connection.sql("SHOW TABLES").fetchall() == [
        (name,) for name in ("asked", "problems", "release_problems", "release_samples", "samples")
    ]


@pytest.mark.parametrize(
    ("answers", "others"),
    [
        (["1,000", " 1000", "$1000.00", "1000.0"], [4]),
        (["X = 3", "x=3"], [2]),
        (["1/2", "0.5", ".50"], [1, 1, 1]),
        (["50%", "50"], [1, 1]),
        (["10", "100", "1.0", "1"], [1, 1, 2]),
        (["3.", "3"], [1, 1]),
    ],
)
def test_wrong_answers_are_one_where_they_are_written_nearly_alike(
    answers: list[str], others: list[int]
) -> None:
    letters = "ABCDEF"[: len(answers)]
    samples = rows({("a", "g"): letters + "+0x"}, dict(zip(letters, answers, strict=True)))
    draws = measuring.draws(connect(samples, "a", {}), "FROM samples", {"g": True}, None)
    assert sorted(draws.answers["size"].to_list()) == others
    (counts,) = draws.counts.to_dicts()
    assert (counts["n"], counts["c"], counts["right"], counts["no_answer"]) == (len(answers) + 3, 1, 2, 1)
    assert draws.paths["size"].to_list() == [1]
