"""Joins verifiers, selection and people: which accepted samples look wrong, and who says so.

Guarantees: a signal is asked of accepted samples alone, after selection, and rejects none; whom a judge is
asked about is drawn by seed, so that a larger number only adds; its verdicts are rows like any other, so no
sample is asked about twice. Worked solutions by people are no draws and left out. Left out: what the signals
and the labels say together (`metrics/false_positives.py`).

The view `accepted` has a row for every accepted sample: sample_id, problem_id, generator, source, difficulty
('unstated' where none is), kept, arithmetic and model (the statuses of the two signals, null where one was
not asked), judge (what they come to), prompt, reference, tests and completion. `judge` is

- suspect: a signal says fail;
- clear: the judge says pass; or, where the recipe has no judge, the arithmetic does, which means that at
  least one equation was checked;
- unjudged: none could tell.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from factory import planning, verifying
from factory.metrics.false_positive_summary import Word, summary
from factory.planning import Plan, Verifier
from factory.progress import Progress
from factory.records import DRAWN
from factory.release.reading import Manifest
from factory.store import Store
from factory.work import Work

STRATA: Final = ("sample_id", "problem_id", "generator", "difficulty", "judge", "kept")
"""The columns that `strata` gives: what a sample of the accepted ones is drawn by."""

_ACCEPTED: Final = (
    "CREATE OR REPLACE VIEW accepted AS SELECT j.sample_id, j.problem_id, j.generator, j.source,"
    " coalesce(j.difficulty, 'unstated') AS difficulty, coalesce(s.kept, false) AS kept,"
    " a.status AS arithmetic, m.status AS model,"
    " CASE WHEN coalesce(a.status = 'fail', false) OR coalesce(m.status = 'fail', false) THEN 'suspect'"
    " WHEN {clear}.status = 'pass' THEN 'clear' ELSE 'unjudged' END AS judge,"
    " j.prompt, j.reference, j.tests, j.completion"
    " FROM ({judged}) j LEFT JOIN ({selection}) s ON s.sample_id = j.sample_id"
    " LEFT JOIN (FROM latest WHERE {arithmetic}) a ON a.sample_id = j.sample_id"
    " LEFT JOIN (FROM latest WHERE {model}) m ON m.sample_id = j.sample_id"
    f" WHERE j.correct AND j.{DRAWN}"
)


# --- which samples -----------------------------------------------------------------------------------


def enter(connection: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """Make the view `accepted` of a run, from the views `judged`, `latest` and the table `selection`."""
    _enter(
        connection,
        "FROM judged",
        "FROM selection",
        [(one.name, one.version) for one in plan.signals],
    )


def enter_release(connection: duckdb.DuckDBPyConnection, folder: Path, found: Manifest) -> None:
    """Make the view `accepted` of a release in `folder`, from its configs samples and problems.

    The signals are those that its lock names; their verdicts are read from the table verdicts of the
    connection, where there is one for them. Raises ValueError where the release lacks one of the configs.
    """
    rows = {
        name: [str(folder / file.path) for file in found.files if file.config == name]
        for name in ("samples", "problems")
    }
    if not all(rows.values()):
        lacking = " and ".join(name for name, files in rows.items() if not files)
        raise ValueError(f"the release has no config {lacking}")
    read = {name: f"read_parquet({_texts(files)}, union_by_name = true)" for name, files in rows.items()}
    judged = (
        "SELECT s.*, p.source, p.difficulty, p.prompt, p.answer AS reference, p.tests"
        f" FROM {read['samples']} s JOIN (SELECT problem_id, min(source) AS source,"
        " min(difficulty) AS difficulty, min(prompt) AS prompt, min(answer) AS answer, min(tests) AS tests"
        f" FROM {read['problems']} WHERE asked GROUP BY problem_id) p ON p.problem_id = s.problem_id"
    )
    connection.execute(planning.LATEST)
    written = [one["verifier"].partition("@") for one in found.lock.get("signals", ())]
    selection = f"SELECT sample_id, kept FROM {read['samples']}"
    _enter(connection, judged, selection, [(name, version) for name, _, version in written])


def _enter(
    connection: duckdb.DuckDBPyConnection, judged: str, selection: str, signals: Iterable[tuple[str, str]]
) -> None:
    where = {name: f"verifier = '{name}' AND version = '{_quoted(version)}'" for name, version in signals}
    connection.execute(
        _ACCEPTED.format(
            judged=judged,
            selection=selection,
            clear="m" if "judge" in where else "a",
            arithmetic=where.get("arithmetic", "false"),
            model=where.get("judge", "false"),
        )
    )


def _quoted(text: str) -> str:
    return text.replace("'", "''")


def _texts(values: Iterable[str]) -> str:
    return "[" + ", ".join(f"'{_quoted(value)}'" for value in values) + "]"


def strata(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """The columns STRATA of every row of the view `accepted`, by sample_id."""
    return connection.sql(f"SELECT {', '.join(STRATA)} FROM accepted ORDER BY sample_id").to_arrow_table()


# --- what they say -----------------------------------------------------------------------------------


def words(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str, str, str]]:
    """(sample_id, annotator, label, at): the last word of each annotator on each row of `accepted`."""
    return connection.execute(
        # The last word of each annotator, as in the SQL view false_positives.
        "SELECT l.sample_id, l.annotator, arg_max(l.label, {moment: l.at, label: l.label}), max(l.at)"
        " FROM labels l JOIN (SELECT sample_id FROM accepted) a ON a.sample_id = l.sample_id"
        " GROUP BY ALL ORDER BY ALL"
    ).fetchall()


def measure(connection: duckdb.DuckDBPyConnection, plan: Plan) -> dict[str, Any] | None:
    """`false_positives` of metrics.json, from the view `accepted` and the table labels as it is now.

    That is `false_positive_summary.summary`, with the name of each signal that was asked. None where the
    recipe asks for none and nobody has labelled an accepted sample.
    """
    told = words(connection)
    if not told and plan.recipe.measure.false_positives is None:
        return None
    rows = connection.sql(f"SELECT {', '.join(STRATA)}, arithmetic, model FROM accepted ORDER BY sample_id")
    found = summary(
        rows.pl(), [Word(*one[:3]) for one in told], until=max((one[3] for one in told), default=None)
    )
    for signal in plan.signals:
        if found[signal.name] is not None:
            found[signal.name] |= {"verifier": signal.written, "model": signal.judge and signal.judge.name}
    return found


# --- asking ------------------------------------------------------------------------------------------


def ask(
    store: Store, connection: duckdb.DuckDBPyConnection, plan: Plan, run_id: str, progress: Progress
) -> None:
    """Give accepted samples the verdicts of the plan's signals, and make the view `accepted`.

    Needs the view `judged` and the table `selection`. The arithmetic is checked of every accepted sample;
    a judge is asked about `measure.false_positives.judged` of them, or all.
    """
    enter(connection, plan)
    for signal in plan.signals:
        work = Work(store, connection, plan, signal, _asked_of(plan, signal), "", run_id)
        verifying.verify_all(work, progress, "accepted samples")


def _asked_of(plan: Plan, signal: Verifier) -> str:
    """Query for the accepted samples that a signal is asked about, as a `planning.scope` query gives them."""
    asked: Any = plan.recipe.measure.false_positives
    if signal.judge is None or asked.judged is None:
        return "FROM accepted"
    lot = f"md5('{asked.seed}:' || sample_id), sample_id"
    return f"SELECT * FROM (FROM accepted ORDER BY {lot} LIMIT {asked.judged})"
