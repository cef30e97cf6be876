"""The draws of an evaluation: the recipe that a set makes of models, run up to its verdicts, and its votes.

Guarantees: what is drawn and judged is what `pipeline.run` draws and judges, so nothing is made twice;
models with the same weights are one generator, asked once. Which answers are one answer is said by the
deciding verifier, in workers that can be killed. Left out: figures (`metrics/evaluation.py`), and which
problems may be asked (`overlap.py`).
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from factory import pipeline, planning, stages
from factory.asked import decide_problems
from factory.generators import engines
from factory.loop import overlap
from factory.metrics.evaluation import Draw
from factory.planning import Plan
from factory.progress import Progress
from factory.recipe import (
    Budget,
    Evaluate,
    EvaluationSet,
    JudgeOptions,
    MathOptions,
    PerProblem,
    Recipe,
    Release,
    Select,
)
from factory.records import RESERVED_GENERATORS, Problem, Status, generator_id
from factory.store import Store
from factory.verifiers import consensus, pool

COMMAND: Final = "factory evaluate"

GREEDY: Final = "greedy"
DRAWS: Final = "draws"
"""The two ways of asking: one text of the most probable tokens, and random draws."""


@dataclass(frozen=True)
class Asked:
    """One set to evaluate: its problems as read, those left out, and how many at most are asked."""

    name: str
    section: EvaluationSet
    read: Sequence[Problem]
    at_most: int | None = None
    left_out: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Drawn:
    """The draws of one set and way, by generator and problem; `generators` are the ids by label.

    `problems` counts those of the set by why they are asked or not. `no_votes` says why answers have no
    groups, and is empty where they may; `lost` holds each (generator, problem) whose answers could not be
    compared in time.
    """

    verifier: str
    problems: Mapping[str, int]
    generators: Mapping[str, str]
    rows: Mapping[str, Mapping[str, Sequence[Draw]]]
    no_votes: str
    lost: frozenset[tuple[str, str]]

    def of(self, label: str, *, votes: bool = False) -> dict[str, Sequence[Draw]]:
        """The draws of a model by problem; with `votes` less the problems whose votes were lost."""
        generator = self.generators[label]
        found = self.rows.get(generator, {})
        return {
            name: group for name, group in found.items() if not votes or (generator, name) not in self.lost
        }


@dataclass(frozen=True)
class Setting:
    """What all sets of an evaluation share: `models` are the configurations of their generators by label."""

    recipe: Recipe
    evaluate: Evaluate
    base: Path
    store: Store
    models: Mapping[str, Any]
    progress: Progress


def draw(setting: Setting, asked: Asked, mode: str) -> Drawn:
    """Draw and judge what the store lacks of one set and way, then read it all; raises as `pipeline.run`."""
    recipe, names = _recipe(setting, asked, mode)
    plan = pipeline.plan_of(recipe, setting.base, setting.progress, asked.read)
    plan = replace(plan, problems=overlap.mark(plan.problems, asked.left_out))
    outcome = pipeline.run(
        recipe, setting.store, setting.base, setting.progress, command=COMMAND, until="verdicts", plan=plan
    )
    judged = _judged(setting.store, plan)
    votes = "" if plan.decides.name == "math" else f"the verifier {plan.decides.name} finds no answers"
    compared = mode == DRAWS and bool(setting.evaluate.majority) and not votes
    groups = _groups(judged, plan, setting.progress) if compared else {}
    rows: dict[str, dict[str, Sequence[Draw]]] = {one.generator_id: {} for one in plan.generators}
    for (generator, problem), texts in judged.items():
        numbers = groups.get((generator, problem), [None] * len(texts))
        rows[generator][problem] = [
            Draw(one.status, group) for one, group in zip(texts, numbers, strict=True)
        ]
    ids = {one.name: one.generator_id for one in plan.generators}
    return Drawn(
        verifier=plan.decides.written,
        problems=outcome.counts["problems"],
        generators={label: ids[name] for label, name in names.items()},
        rows=rows,
        no_votes=votes,
        lost=frozenset(judged.keys() - groups.keys()) if compared else frozenset(),
    )


# --- the recipe of a set -----------------------------------------------------------------------------


def _recipe(setting: Setting, asked: Asked, mode: str) -> tuple[Recipe, dict[str, str]]:
    """The recipe that draws one set in one way, and the name in it of each model's generator, by label."""
    recipe, settings = setting.recipe, setting.evaluate
    generators: dict[str, Any] = {}
    names: dict[str, str] = {}
    known: dict[str, str] = {}
    for label, config in setting.models.items():
        config = _as_asked(config, settings, asked.section, mode)
        name = _name(label, generators)
        # Two models with the same weights are one generator, which is asked once.
        names[label] = known.setdefault(generator_id(engines.identity(config)), name)
        if names[label] == name:
            generators[name] = config
    samples = settings.samples if mode == DRAWS else 1
    decides = asked.section.decides or recipe.verify.decides
    judges: dict[str, Any] = dict(recipe.judges)
    if isinstance(decides.options, JudgeOptions) and decides.options.generator in recipe.generators:
        judges[decides.options.generator] = recipe.generators[decides.options.generator]
    return recipe.model_copy(
        update={
            "name": f"{recipe.name}-{asked.name}-{mode}",
            "problems": asked.section.problems,
            "generators": generators,
            "judges": judges,
            "budget": Budget(
                per_problem=PerProblem(samples=samples), problems=asked.at_most, problems_seed=settings.seed
            ),
            "verify": recipe.verify.model_copy(update={"decides": decides, "also": ()}),
            "select": Select(),
            "measure": recipe.measure.model_copy(update={"false_positives": None}),
            "release": Release(),
            "train": None,
            "evaluate": None,
            "loop": None,
        }
    ), names


def _as_asked(config: Any, settings: Evaluate, section: EvaluationSet, mode: str) -> Any:
    """A model's generator with the prompt and the decoding of a set."""
    drawn = {"temperature": settings.temperature, "top_p": settings.top_p, "top_k": settings.top_k}
    # What changes no text in greedy decoding is left at one value, so that it is one generator.
    greedy = {"temperature": 0.0, "top_p": 1.0, "top_k": 0}
    decoding = config.decoding.model_copy(
        update={
            **(drawn if mode == DRAWS else greedy),
            "seed": settings.seed if mode == DRAWS else 0,
            "max_tokens": section.max_tokens or config.decoding.max_tokens,
        }
    )
    return config.model_copy(update={"decoding": decoding, "prompt": section.prompt or config.prompt})


def _name(label: str, taken: Collection[str]) -> str:
    """A generator's name for a model: its label, with what a name may not hold as hyphens."""
    name = re.sub(r"[^a-z0-9._-]+", "-", label.lower()).strip("-._")[:80] or "model"
    if name in RESERVED_GENERATORS:
        name = f"{name}-model"
    others = (f"{name}-{number}" for number in itertools.count(2))
    return next(one for one in itertools.chain([name], others) if one not in taken)


# --- what is in the store ----------------------------------------------------------------------------


class _Text(NamedTuple):
    status: Status | None
    answer: str | None


_Judged = Mapping[tuple[str, str], Sequence[_Text]]
"""By generator and problem: the verdict on each draw and the answer found in it, in their order."""


def _judged(store: Store, plan: Plan) -> _Judged:
    with store.connect() as connection:
        planning.enter(connection, plan)
        decide_problems(connection, plan)
        stages.enter_judged(connection, plan)
        rows = connection.execute(
            "SELECT generator_id, problem_id, status, answer FROM judged"
            " ORDER BY generator_position, problem_position, sample_index"
        ).fetchall()
    found: dict[tuple[str, str], list[_Text]] = {}
    for generator, problem, status, answer in rows:
        found.setdefault((generator, problem), []).append(_Text(status and Status(status), answer))
    return found


def _groups(judged: _Judged, plan: Plan, progress: Progress) -> dict[tuple[str, str], list[int | None]]:
    """The number of the group of equal answers of each draw; nothing where they could not be compared.

    Answers vote that the deciding verifier found and judged.
    """
    options = plan.decides.config.options
    if not isinstance(options, MathOptions):
        raise TypeError(f"{plan.decides.written} finds no answers")
    voting = [
        [one.answer if one.status in (Status.PASS, Status.FAIL) else None for one in texts]
        for texts in judged.values()
    ]
    verify = plan.recipe.verify
    outcomes = pool.run(
        functools.partial(consensus.equal_answers, options=options),
        voting,
        workers=verify.workers,
        # The limit is for one verdict, and these are as many comparisons as there are draws, or more.
        time_limit=verify.time_limit * (plan.recipe.budget.per_problem.most or 1),
        preload=("factory.verifiers.consensus", "sympy"),
    )
    places, found = list(judged), dict[tuple[str, str], list[int | None]]()
    progress.start("compare answers", len(voting), "problems")
    for index, outcome in outcomes:
        progress.advance()
        if isinstance(outcome, pool.Lost):
            continue
        numbers: list[int | None] = [None] * len(voting[index])
        for group, members in enumerate(outcome.value):
            for member in members:
                numbers[member] = group
        found[places[index]] = numbers
    progress.finish()
    return found
