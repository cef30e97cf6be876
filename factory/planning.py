"""From a recipe to a plan, and what of the plan the store does not hold yet.

Guarantees: a plan holds every problem of the recipe, in its order, marked when it repeats an earlier one,
and every generator by its id. What is missing is always `planned - present`, asked of the store in SQL, so
nothing is done twice and nothing is forgotten, whatever happened to earlier runs. Left out: doing it
(`pipeline.py`), what is owed of the draws (`sampling/allotment.py`), and estimates of cost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import duckdb
import pyarrow as pa

from factory.errors import CheckFailed, UsageError
from factory.recipe import Recipe, VerifierConfig
from factory.records import (
    GOLD,
    HUMAN,
    MAX_ATTEMPTS,
    PASSING_REASONS,
    PROBLEMS,
    SAMPLES,
    Problem,
    canonical_json,
    clean_text,
    generator_id,
    reserved_generator_id,
    sample_id,
)
from factory.store import put

MARK_DUPLICATE: Final = "duplicate_problem"

REFERENCE_READERS: Final = ("math", "arithmetic", "unit_tests")
"""Verifiers that cost nothing to ask; a judge costs calls, and a consensus is of samples alone."""

LATEST: Final = (
    "CREATE OR REPLACE VIEW latest AS SELECT sample_id, verifier, version, unnest(last) FROM ("
    # As a struct: arg_max of one column would skip the nulls of the highest attempt.
    " SELECT sample_id, verifier, version, arg_max(struct_pack(attempt := attempt, status := status,"
    " reason := reason, answer := answer, rule := rule), attempt) AS last"
    " FROM verdicts GROUP BY sample_id, verifier, version)"
)
"""The verdict of the highest attempt, for each sample and verifier version."""


_PLANNED: Final = pa.schema(
    [
        ("position", pa.int32()),
        ("name", pa.string()),
        ("generator_id", pa.string()),
        ("most", pa.int32()),
        ("people", pa.bool_()),
    ]
)


@dataclass(frozen=True, slots=True)
class PlannedGenerator:
    """A generator of the recipe with the identity that its id is the hash of.

    One with `sampled` false draws nothing: its samples were imported, or they are the worked solutions that
    came with the problems, whose identity is that of the reserved generator `human`.
    """

    name: str
    engine: str
    model: str | None
    identity: Mapping[str, Any]
    sampled: bool

    @property
    def generator_id(self) -> str:
        return generator_id(self.identity)

    @property
    def by_people(self) -> bool:
        """Whether its samples are worked solutions, and no draws of a model."""
        return self.engine == HUMAN


@dataclass(frozen=True, slots=True)
class Verifier:
    """A verifier as a verdict names it; `judge` is the model that it asks, for those that ask one."""

    name: str
    version: str
    config: VerifierConfig
    judge: PlannedGenerator | None = None

    @property
    def written(self) -> str:
        return f"{self.name}@{self.version}"

    @property
    def reads_references(self) -> bool:
        """Whether it judges the reference solutions of the problems too, before anything is sampled."""
        return self.name in REFERENCE_READERS

    @property
    def where(self) -> str:
        """The SQL condition that picks its verdicts."""
        return f"verifier = '{self.name}' AND version = '{self.version}'"


@dataclass(frozen=True)
class Plan:
    """All that a run is to make. `problems` has the columns of PROBLEMS, `position` and `mark`."""

    recipe: Recipe
    problems: pa.Table
    references: pa.Table
    generators: tuple[PlannedGenerator, ...]
    decides: Verifier
    also: tuple[Verifier, ...]
    signals: tuple[Verifier, ...] = ()
    """Verifiers that reject nothing: what they say of accepted samples tells how many may be wrong."""

    def most(self, generator: PlannedGenerator) -> int | None:
        """The most draws of a problem by a generator; None: an amount ends them, or people wrote them."""
        if generator.by_people:
            return None
        per_problem = self.recipe.budget.per_problem
        return (per_problem.by_generator or {}).get(generator.name, per_problem.most)

    @property
    def limited(self) -> bool:
        """Whether an amount may end sampling."""
        budget = self.recipe.budget
        return budget.match is not None or budget.total is not None

    @property
    def settled(self) -> bool:
        """Whether the number of draws of each problem is settled before the first is made."""
        return self.recipe.budget.per_problem.rule == "samples" and not self.limited

    @property
    def judges(self) -> tuple[PlannedGenerator, ...]:
        """The models that its verifiers ask."""
        asked = (self.decides, *self.also, *self.signals)
        return tuple(one.judge for one in asked if one.judge is not None)


def make(
    recipe: Recipe,
    problems: Iterable[Problem],
    identify: Callable[[str, Any], PlannedGenerator],
    verifier: Callable[[VerifierConfig, Sequence[PlannedGenerator]], Verifier],
) -> Plan:
    """Read all problems and fix every id.

    `identify(name, config)` gives a generator's identity (it may fetch a model's files), `verifier(config,
    generators)` a verifier's version, which may depend on what it judges.
    """
    rows: list[dict[str, Any]] = []
    references: list[dict[str, Any]] = []
    seen: set[str] = set()
    for position, problem in enumerate(problems):
        row = {name: clean_text(value) for name, value in problem.row().items()}
        mark = MARK_DUPLICATE if row["problem_id"] in seen else ""
        rows.append(row | {"position": position, "mark": mark})
        if not mark:
            seen.add(row["problem_id"])
            references += _references(row["problem_id"], problem)
    generators = tuple(identify(name, config) for name, config in recipe.generators.items())
    _refuse_twins(generators)
    schema = pa.schema([*PROBLEMS, pa.field("position", pa.int32()), pa.field("mark", pa.string())])
    return Plan(
        recipe=recipe,
        problems=pa.Table.from_pylist(rows, schema=schema),
        references=pa.Table.from_pylist(references, schema=SAMPLES),
        generators=generators,
        decides=verifier(recipe.verify.decides, generators),
        also=tuple(verifier(config, generators) for config in recipe.verify.also),
        signals=tuple(verifier(config, generators) for config in recipe.measure.signals),
    )


def _refuse_twins(generators: Iterable[PlannedGenerator]) -> None:
    """Two names for one identity would count every sample twice."""
    names: dict[str, str] = {}
    for one in generators:
        first = names.setdefault(one.generator_id, one.name)
        if first != one.name:
            raise UsageError(
                f"generators.{one.name} is the same as generators.{first}: nothing that can change the text "
                "differs. Leave one out, or give them different decoding (another seed, say)"
            )


def _references(problem: str, content: Problem) -> list[dict[str, Any]]:
    """The reference answer and the human solutions of a problem as samples of the reserved generators."""
    texts = {GOLD: () if content.answer is None else (content.answer,), HUMAN: content.solutions}
    return [
        {
            "sample_id": sample_id(problem, reserved_generator_id(name), index),
            "problem_id": problem,
            "generator_id": reserved_generator_id(name),
            "sample_index": index,
            "completion": clean_text(text),
        }
        for name, completions in texts.items()
        for index, text in enumerate(completions)
    ]


def generator_rows(generators: Iterable[PlannedGenerator]) -> list[dict[str, Any]]:
    """Rows of the table generators, the reserved ones among them under their own names."""
    reserved = [PlannedGenerator(name, "reserved", None, {"reserved": name}, False) for name in (GOLD, HUMAN)]
    return [
        {
            "generator_id": one.generator_id,
            "name": one.name,
            "engine": one.engine,
            "model": one.model,
            "identity": canonical_json(one.identity),
        }
        for one in [*reserved, *(one for one in generators if not one.by_people)]
    ]


# --- the plan in SQL ---------------------------------------------------------------------------------


def enter(connection: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """Make the plan visible to SQL: tables `plan`, `planned` and `offered` (the references of its problems),
    and the view `latest` (one verdict a verifier)."""
    put(connection, "plan", plan.problems)
    put(connection, "offered", plan.references)
    planned = [
        {"position": position, "name": one.name, "generator_id": one.generator_id}
        | {"most": plan.most(one), "people": one.by_people}
        for position, one in enumerate(plan.generators)
    ]
    put(connection, "planned", pa.Table.from_pylist(planned, schema=_PLANNED))
    connection.execute(LATEST)


def references() -> str:
    """Query for the reference answers and worked solutions of the problems."""
    ids = ", ".join(f"'{reserved_generator_id(name)}'" for name in (GOLD, HUMAN))
    return (
        "SELECT s.*, p.answer AS reference, p.tests, p.prompt FROM samples s"
        f" JOIN plan p ON p.problem_id = s.problem_id WHERE p.mark = '' AND s.generator_id IN ({ids})"
    )


def candidates() -> str:
    """Query for the samples that the recipe may ask for and that are present; those are judged."""
    return (
        "SELECT s.*, a.answer AS reference, a.tests, a.position AS problem_position, a.source, a.split,"
        " a.difficulty, a.prompt, g.name AS generator, g.position AS generator_position"
        " FROM samples s JOIN asked a ON a.problem_id = s.problem_id"
        " JOIN planned g ON g.generator_id = s.generator_id"
        " WHERE a.reason = 'asked' AND CASE WHEN g.people THEN s.sample_id IN (SELECT sample_id FROM offered)"
        " ELSE g.most IS NULL OR s.sample_index < g.most END"
    )


def scope(plan: Plan) -> str:
    """Query for the samples that the recipe asks for and that are present, when it is known which these are.

    That is known at once where the plan is settled, else when the table `scoped` is made, of the verdicts.
    """
    return (
        candidates() if plan.settled else f"{candidates()} AND s.sample_id IN (SELECT sample_id FROM scoped)"
    )


def owed_verdicts(samples: str, verifier: Verifier, *, retry_errors: bool = False) -> str:
    """Query for the samples (of a `scope` query) whose verdict is owed: none yet, or a passing error.

    A passing error is owed again until MAX_ATTEMPTS attempts were made, or always with `retry_errors`.
    """
    passing = ", ".join(f"'{reason}'" for reason in PASSING_REASONS)
    limit = "true" if retry_errors else f"d.attempt < {MAX_ATTEMPTS - 1}"
    return (
        "SELECT s.sample_id, s.problem_id, s.completion, s.reference, s.tests, s.prompt,"
        " coalesce(d.attempt + 1, 0)::INTEGER AS attempt"
        f" FROM ({samples}) s LEFT JOIN (FROM latest WHERE {verifier.where}) d ON d.sample_id = s.sample_id"
        f" WHERE d.sample_id IS NULL OR (d.status = 'error' AND d.reason IN ({passing}) AND {limit})"
    )


def count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    """How many rows a query gives."""
    ((number,),) = connection.execute(f"SELECT count(*) FROM ({query})").fetchall()
    return int(number)


def balance(stage: str, total: int, reasons: Mapping[str, int]) -> dict[str, int]:
    """Rows in = the sum over every reason, or the run fails: no row may vanish. Returns the counts."""
    if total != sum(reasons.values()):
        found = ", ".join(f"{reason} {number}" for reason, number in reasons.items())
        raise CheckFailed(
            f"{stage}: {total} rows went in and {sum(reasons.values())} came out ({found}). Nothing was "
            "released. This is a fault of the factory or of a part changed by hand; please report it"
        )
    return dict(reasons)
