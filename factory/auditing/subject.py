"""What an audit is about: a sample of the accepted solutions of a recipe as it stands, or of a release.

Guarantees: nothing is written and no lock is taken; a recipe needs no release, for its selection is computed
from the facts that the store holds, as a run would. Which solutions are drawn depends on the facts, the
recipe's seed and their number, and a larger number only adds; it is the same for every annotator. Left out:
how many are drawn of which kind (`metrics/false_positives.py`), and their order on the page (`desk.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb
import polars as pl

from factory import asked, pipeline, planning, references, signals, stages
from factory import recipe as recipes
from factory.auditing import labels
from factory.errors import CheckFailed, UsageError
from factory.metrics import false_positives
from factory.progress import Progress
from factory.recipe import Recipe
from factory.release import reading
from factory.release.findings import refusal
from factory.sampling import allotment, cutting
from factory.store import Store
from factory.verifiers import programs
from factory.verifiers.sandbox_jobs import Asserts, FunctionTests, InputOutput

NUMBER: Final = 100
"""Solutions of an audit where no recipe says how many."""


@dataclass(frozen=True, slots=True)
class Item:
    """One solution that people are asked about. `code`: it is a program, and `gold` its unit tests."""

    sample_id: str
    problem: str
    solution: str
    gold: str | None
    code: bool


@dataclass(frozen=True, slots=True)
class Subject:
    """The solutions of an audit, in the order of their lots.

    `target` is what was asked for, as written; `recipe` what it says, where it is one. `rows` are all
    accepted samples with their strata and signals, as `false_positive_summary.summary` takes them.
    """

    target: str
    items: tuple[Item, ...]
    rows: pl.DataFrame
    recipe: Recipe | None


def find(
    target: str, overrides: tuple[str, ...], store: Store, number: int | None, progress: Progress
) -> Subject:
    """What `target` names: a recipe file, NAME@X.Y.Z, ORG/NAME@vX.Y.Z, or a release folder.

    Raises UsageError for a target that is none, or whose samples this store does not hold, CheckFailed for
    one that nothing is accepted of, or a release that cannot be read.
    """
    path = Path(target)
    if path.is_file():
        return _of_recipe(target, overrides, store, number, progress)
    if path.suffix in (".yaml", ".yml"):
        raise UsageError(f"{target}: there is no such recipe; name a recipe file or a release, NAME@X.Y.Z")
    if overrides:
        raise UsageError("--set changes a recipe, and a release never changes; leave it out")
    return _of_release(target, store, number)


def _of_recipe(
    target: str, overrides: tuple[str, ...], store: Store, number: int | None, progress: Progress
) -> Subject:
    path = Path(target)
    recipe = recipes.load(path, overrides)
    wanted = recipe.measure.false_positives
    with store.connect() as connection:
        plan = pipeline.plan_of(recipe, path.parent, progress)
        planning.enter(connection, plan)
        asked.decide_problems(connection, plan)
        allotment.enter(connection, plan)
        cutting.cut(connection, plan)
        stages.enter_judged(connection, plan)
        stages.choose(connection, plan, progress)
        signals.enter(connection, plan)
        chosen = number or (wanted.audit if wanted else NUMBER)
        items, rows = _drawn(connection, chosen, wanted.seed if wanted else 0)
    if not items:
        raise CheckFailed(
            f"{target}: {store.root} holds no accepted sample of this recipe, so there is nothing to audit; "
            f"`factory run {target}` draws and judges them (it need not end with a release), and "
            f"`factory status {target}` says what there is"
        )
    return Subject(target, items, rows, recipe)


def _of_release(target: str, store: Store, number: int | None) -> Subject:
    reference = references.parse(target)
    if isinstance(reference, references.OnHub):
        from factory import hub

        folder = hub.fetch(reference)
    else:
        folder = references.local_folder(reference, store)
    found, findings = reading.read(folder)
    if found is None:
        raise CheckFailed(f"{target} cannot be read: {refusal(findings)}")
    measure: Mapping[str, Any] = found.recipe.get("measure") or {}
    wanted = measure.get("false_positives") or {}
    with store.connect() as connection:
        try:
            signals.enter_release(connection, folder, found)
        except ValueError as error:
            raise UsageError(
                f"{target}: {error}, and an audit needs both; audit its recipe, or release it again under a "
                "new version with release.configs: [sft, samples, problems]"
            ) from error
        items, rows = _drawn(connection, number or wanted.get("audit", NUMBER), wanted.get("seed", 0))
    if not items:
        raise CheckFailed(f"{target} has no accepted sample of a model, so there is nothing to audit")
    if strange := labels.unknown(store, (one.sample_id for one in items)):
        raise UsageError(
            f"{target}: {store.root} lacks {len(strange)} of its samples ({min(strange)}, for one), and "
            "labels are kept with the samples; name the store that it was made from with --store"
        )
    return Subject(target, items, rows, None)


def _drawn(
    connection: duckdb.DuckDBPyConnection, number: int, seed: int
) -> tuple[tuple[Item, ...], pl.DataFrame]:
    """The items that the lot falls on, and all that they were drawn from."""
    columns = ", ".join((*signals.STRATA, "arithmetic", "model"))
    rows = connection.sql(f"SELECT {columns} FROM accepted ORDER BY sample_id").pl()
    drawn = false_positives.draw(rows.select(signals.STRATA).to_arrow(), number, seed)
    found = connection.execute(
        "SELECT sample_id, prompt, completion, reference, tests FROM accepted"
        " WHERE list_contains(?, sample_id)",
        [drawn],
    ).fetchall()
    items = {
        sample: Item(sample, prompt, completion, _gold(answer, tests), tests is not None)
        for sample, prompt, completion, answer, tests in found
    }
    return tuple(items[sample] for sample in drawn), rows


def _gold(answer: str | None, tests: str | None) -> str | None:
    """What a problem is judged by, for people: its answer, or its unit tests without their JSON."""
    if answer is not None:
        return answer
    match programs.read_tests(tests):
        case FunctionTests() as found:
            return found.test.strip("\n")
        case Asserts() as found:
            return "\n".join(filter(None, (found.setup, *found.asserts)))
        case InputOutput() as found:
            called = f"{found.function} of " if found.function else ""
            pairs = zip(found.inputs, found.outputs, strict=True)
            return "\n\n".join(f"{called}{_plain(one)}\ngives {_plain(other)}" for one, other in pairs)
    return tests


def _plain(value: Any) -> str:
    return value.rstrip("\n") if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
