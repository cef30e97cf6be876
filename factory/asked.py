"""Which problems of a plan are put to its generators, and why the others are not.

Guarantees: every problem of the plan gets one reason, and the counts add up; what is asked depends on the
plan and the verdicts on its references alone, not on what was sampled. Left out: judging the references
(`verifying.py`), and what is owed of those that are asked (`planning.py`).
"""

from __future__ import annotations

from typing import Final

import duckdb

from factory import planning
from factory.planning import Plan, Verifier
from factory.recipe import Budget, JudgeOptions
from factory.records import GOLD, HUMAN, reserved_generator_id

NOT_CHOSEN: Final = "not_chosen"


def decide_problems(connection: duckdb.DuckDBPyConnection, plan: Plan) -> dict[str, int]:
    """Make the table `asked`: every problem with why it is asked or not; returns the count of each reason.

    A problem is bad_gold when the verifier that decides has nothing to judge by, or when it does not accept
    the reference (`math`) or any of the reference solutions there are (`unit_tests`). Of those left
    `budget.problems` are asked, drawn by a hash of (seed, problem), so that a larger number only adds.
    """
    connection.execute(
        "CREATE OR REPLACE TABLE asked AS SELECT p.*, CASE"
        f" WHEN p.mark <> '' THEN p.mark {_bad_gold(plan.decides)}"
        " ELSE 'asked' END AS reason FROM plan p LEFT JOIN ("
        # One word for all references of a problem: pass when any passes.
        " SELECT s.problem_id, coalesce(bool_or(d.status = 'pass'), false) AS good,"
        " min(d.status || ' ' || d.reason) AS word"
        f" FROM samples s LEFT JOIN (FROM latest WHERE {plan.decides.where}) d ON d.sample_id = s.sample_id"
        f" WHERE s.generator_id = '{reserved_generator_id(_reference_of(plan.decides))}'"
        " GROUP BY s.problem_id) r ON r.problem_id = p.problem_id"
    )
    _keep_chosen(connection, plan.recipe.budget)
    rows = connection.execute(
        "SELECT regexp_extract(reason, '^[a-z_]+') AS why, count(*) FROM asked GROUP BY why ORDER BY why"
    ).fetchall()
    counts = {str(mark): int(count) for mark, count in rows}
    return planning.balance("problems", plan.problems.num_rows, counts)


def _keep_chosen(connection: duckdb.DuckDBPyConnection, budget: Budget) -> None:
    """Mark the problems that the lot did not fall on, where no more than some are asked."""
    if budget.problems is None:
        return
    connection.execute(
        "CREATE OR REPLACE TABLE asked AS SELECT a.* REPLACE (CASE WHEN c.place >= "
        f"{budget.problems} THEN '{NOT_CHOSEN}' ELSE a.reason END AS reason) FROM asked a LEFT JOIN ("
        " SELECT position, row_number() OVER (ORDER BY"
        f" md5('{budget.problems_seed or 0}:' || problem_id), problem_id) - 1 AS place"
        " FROM asked WHERE reason = 'asked') c ON c.position = a.position"
    )


def _reference_of(verifier: Verifier) -> str:
    """The reserved generator whose samples say whether a problem can be judged: programs have no answer."""
    return HUMAN if verifier.name == "unit_tests" else GOLD


def _bad_gold(verifier: Verifier) -> str:
    """The WHEN branches that tell problems which this verifier cannot judge."""
    if verifier.name == "math":
        return (
            " WHEN p.answer IS NULL THEN 'bad_gold: it has no answer'"
            " WHEN NOT coalesce(r.good, false) THEN 'bad_gold: ' || coalesce(r.word, 'not judged')"
        )
    if verifier.name == "unit_tests":
        return (
            " WHEN p.tests IS NULL THEN 'bad_gold: it has no tests'"
            " WHEN NOT coalesce(r.good, true) THEN 'bad_gold: ' || coalesce(r.word, 'not judged')"
        )
    if isinstance(verifier.config.options, JudgeOptions) and verifier.config.options.rubric == "final_answer":
        return " WHEN p.answer IS NULL THEN 'bad_gold: it has no answer'"
    return ""
