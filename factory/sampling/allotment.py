"""What the rules of a budget ask of each problem, and what of it is there.

Guarantees: what is asked is a function of the recipe and of facts in the store (samples with their costs,
verdicts), never of how a run went; so a run that is repeated draws nothing and takes the same samples. A
problem stops after the smallest number of first draws that hold its target of correct ones. Left out: what
amounts pay for (`cutting.py`), and drawing (`drawing.py`).
"""

from __future__ import annotations

from typing import NamedTuple

import duckdb
import numpy as np
from numpy.typing import NDArray

from factory.allocation import rules
from factory.budget_sections import PROPORTIONAL
from factory.planning import Plan, PlannedGenerator
from factory.records import DRAWN, MAX_ATTEMPTS, PASSING_REASONS

Counts = NDArray[np.int64]


class Standing(NamedTuple):
    """What is there of one generator, an entry a problem in the order of ranks.

    `present` draws from index 0 on without a gap, `correct` of them, and `unknown` without a verdict that
    stands; `probe_correct` of `probe_judged` among those that probe a problem; `tries` before the first
    correct one; `solved`: by any generator of the recipe.
    """

    present: Counts
    correct: Counts
    unknown: Counts
    probe_correct: Counts
    probe_judged: Counts
    tries: Counts
    solved: NDArray[np.bool_]


def planned_samples(plan: Plan, generator: PlannedGenerator) -> str:
    """Query for the samples that are planned of a generator: position, problem_id, prompt, sample_index.

    Of worked solutions those are planned that come with the problems, be it none; of draws that only an
    amount ends none can be listed.
    """
    indices = f"CROSS JOIN range({plan.most(generator) or 0}) i(i)"
    if generator.by_people:
        offered = f"SELECT problem_id, sample_index AS i FROM offered WHERE NOT ({DRAWN})"
        indices = f"JOIN ({offered}) i ON i.problem_id = a.problem_id"
    return (
        "SELECT a.position, a.problem_id, a.prompt, i.i::INTEGER AS sample_index"
        f" FROM asked a {indices} WHERE a.reason = 'asked'"
    )


def owed_samples(plan: Plan, generator: PlannedGenerator) -> str:
    """Query for those of `planned_samples` that are not present, in order."""
    return (
        f"SELECT p.* FROM ({planned_samples(plan, generator)}) p"
        " WHERE NOT EXISTS (FROM samples s WHERE s.problem_id = p.problem_id"
        f" AND s.generator_id = '{generator.generator_id}' AND s.sample_index = p.sample_index)"
        " ORDER BY p.position, p.sample_index"
    )


def enter(connection: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """Make the table `ranked` (the order in which problems are drawn from) and the views over the draws.

    `candidates`: samples of asked problems by planned generators. `marked`: these with `correct`, `judged`
    (right or not right), `known` (its verdicts stand) and `whole` (no draw before it is lacking, as one may
    that was under way in a kill). Needs the table `asked`.
    """
    connection.execute(
        "CREATE OR REPLACE TABLE ranked AS SELECT problem_id, (row_number() OVER (ORDER BY"
        f" md5('{plan.recipe.budget.problems_seed or 0}:' || problem_id), problem_id) - 1)::INTEGER AS rank"
        " FROM asked WHERE reason = 'asked'"
    )
    connection.execute(
        "CREATE OR REPLACE VIEW candidates AS SELECT s.sample_id, s.problem_id, s.generator_id,"
        " s.sample_index, s.finish_reason, s.prompt_tokens, s.completion_tokens, s.flops, s.usd, s.seconds,"
        " s.engine_seconds, r.rank, g.name AS generator, g.position AS generator_position, g.people"
        " FROM samples s JOIN ranked r ON r.problem_id = s.problem_id"
        " JOIN planned g ON g.generator_id = s.generator_id"
        " WHERE CASE WHEN g.people THEN s.sample_id IN (SELECT sample_id FROM offered)"
        " ELSE g.most IS NULL OR s.sample_index < g.most END"
    )
    verifiers = (plan.decides, *plan.also)
    passing = ", ".join(f"'{reason}'" for reason in PASSING_REASONS)
    stand = " OR ".join(f"({one.where})" for one in verifiers)
    connection.execute(
        "CREATE OR REPLACE VIEW marked AS SELECT c.*, c.people OR c.sample_index = row_number() OVER"
        " (PARTITION BY c.generator_id, c.problem_id ORDER BY c.sample_index) - 1 AS whole,"
        " coalesce(w.correct, false) AS correct,"
        " coalesce(w.status IN ('pass', 'fail', 'no_answer'), false) AS judged,"
        f" coalesce(k.verdicts = {len({one.written for one in verifiers})}, false) AS known"
        f" FROM candidates c LEFT JOIN ({words(plan)}) w ON w.sample_id = c.sample_id"
        " LEFT JOIN (SELECT sample_id, count(*) AS verdicts FROM latest"
        f" WHERE ({stand}) AND NOT (status = 'error' AND reason IN ({passing})"
        f" AND attempt < {MAX_ATTEMPTS - 1}) GROUP BY sample_id) k ON k.sample_id = c.sample_id"
    )


def words(plan: Plan) -> str:
    """Query for the word of all verifiers on each sample that has one.

    sample_id, status, verdict_reason, answer, rule (of the verifier that decides), rejected_by (another that
    fails it), correct.
    """
    also = (
        " UNION ALL ".join(
            f"SELECT sample_id, '{one.written}' AS verifier FROM latest WHERE {one.where} AND status = 'fail'"
            for one in plan.also
        )
        or "SELECT '' AS sample_id, '' AS verifier WHERE false"
    )
    return (
        "SELECT coalesce(d.sample_id, r.sample_id) AS sample_id, d.status, d.reason AS verdict_reason,"
        " d.answer, d.rule, r.rejected_by,"
        " coalesce(d.status = 'pass', false) AND r.rejected_by IS NULL AS correct"
        f" FROM (FROM latest WHERE {plan.decides.where}) d FULL JOIN"
        f" (SELECT sample_id, min(verifier) AS rejected_by FROM ({also}) GROUP BY sample_id) r"
        " ON r.sample_id = d.sample_id"
    )


# --- targets -----------------------------------------------------------------------------------------


def probe(plan: Plan, generator: PlannedGenerator) -> int:
    """Draws of each problem that tell its fail rate, where the rule is proportional."""
    wanted = plan.recipe.budget.per_problem.probe or PROPORTIONAL["probe"]
    most = plan.most(generator)
    return wanted if most is None else min(wanted, most)


def standing(connection: duckdb.DuckDBPyConnection, plan: Plan, generator: PlannedGenerator) -> Standing:
    """What there is of a generator, and what the verdicts say of it."""
    probing = f"m.sample_index < {probe(plan, generator)}"
    found = connection.execute(
        "SELECT count(m.sample_id) AS present, count(*) FILTER (m.correct) AS correct,"
        " count(*) FILTER (NOT m.known) AS unknown,"
        f" count(*) FILTER (m.correct AND {probing}) AS probe_correct,"
        f" count(*) FILTER (m.judged AND {probing}) AS probe_judged,"
        " coalesce(min(m.sample_index) FILTER (m.correct), count(m.sample_id)) AS tries,"
        " any_value(o.rank) IS NOT NULL AS solved"
        f" FROM ranked r LEFT JOIN (FROM marked WHERE whole AND generator_id = '{generator.generator_id}') m"
        " ON m.problem_id = r.problem_id"
        " LEFT JOIN (SELECT DISTINCT rank FROM marked WHERE correct AND whole AND NOT people) o"
        " ON o.rank = r.rank"
        " GROUP BY r.rank ORDER BY r.rank"
    ).fetchnumpy()
    counts = {name: np.asarray(found[name], dtype=np.int64) for name in Standing._fields[:-1]}
    return Standing(**counts, solved=np.asarray(found["solved"], dtype=np.bool_))


def strays(
    connection: duckdb.DuckDBPyConnection, generator: PlannedGenerator
) -> dict[tuple[int, int], tuple[bool | None, bool]]:
    """Draws that are there although one before them is lacking, by (rank, sample_index).

    For each whether it is correct (None: not known), and whether a rule told so.
    """
    rows = connection.execute(
        "SELECT rank, sample_index, CASE WHEN known THEN correct END, judged FROM marked"
        " WHERE NOT whole AND generator_id = ?",
        [generator.generator_id],
    ).fetchall()
    return {(rank, index): (correct, judged) for rank, index, correct, judged in rows}


def targets(plan: Plan, generator: PlannedGenerator, there: Standing) -> Counts | None:
    """Correct samples wanted of each problem; None where no rule wants any, or the probing is not over."""
    per_problem = plan.recipe.budget.per_problem
    if per_problem.rule == "proportional":
        if (there.present < probe(plan, generator)).any():
            return None
        hardest = per_problem.correct or PROPORTIONAL["correct"]
        return rules.proportional(there.probe_correct, there.probe_judged, hardest)
    wanted = 1 if per_problem.rule == "adaptive" else per_problem.until_correct
    return None if wanted is None else np.full(len(there.present), wanted, dtype=np.int64)


def unstopped(plan: Plan, generator: PlannedGenerator, there: Standing) -> NDArray[np.bool_]:
    """Whether a problem is still to be drawn from, amounts aside, as far as verdicts tell."""
    most, wanted = plan.most(generator), targets(plan, generator, there)
    open_ = np.ones(len(there.present), dtype=np.bool_) if most is None else there.present < most
    if wanted is not None:
        open_ &= there.correct < wanted
    return open_ & ~there.solved if plan.recipe.budget.per_problem.rule == "adaptive" else open_
