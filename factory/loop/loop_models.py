"""A loop that is being carried on: what its steps share, and which model each round samples and trains.

Guarantees: a model is named by the folder that a round of this loop made, or as the recipe names it; a base
that is to be made is made once. Left out: the steps (`looping.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from factory.budget_sections import Currency
from factory.generators import prompts, references
from factory.loading import Loaded
from factory.loop import fine_tuning, rounds
from factory.loop.loop_state import Pulse, State
from factory.progress import Progress, Silent
from factory.recipe import NewModel, Prompt, Recipe, Train
from factory.store import Store


class Told:
    """Progress with the round before each stage; it leaves the sign of life that times a step."""

    def __init__(self, progress: Progress, pulse: Pulse) -> None:
        self._progress, self.pulse, self.prefix = progress, pulse, ""

    def start(self, stage: str, total: int, unit: str) -> None:
        self.pulse.beat()
        self._progress.start(f"{self.prefix}{stage}", total, unit)

    def advance(self, count: int = 1, tokens: int = 0) -> None:
        self.pulse.beat()
        self._progress.advance(count, tokens)

    def spend(self, currency: Currency, spent: float, most: float | None) -> None:
        self._progress.spend(currency, spent, most)

    def finish(self) -> None:
        self.pulse.beat()
        self._progress.finish()

    def say(self, text: str) -> None:
        self._progress.say(text)


class Unseen(Silent):
    """What is told while another stage is shown: signs of life alone."""

    def __init__(self, pulse: Pulse) -> None:
        self._pulse = pulse

    def advance(self, count: int = 1, tokens: int = 0) -> None:
        self._pulse.beat()


@dataclass(frozen=True)
class Work:
    """A loop that is being carried on. `base_folder` is that of the recipe, `folder` that of the loop."""

    recipe: Recipe
    base_folder: Path
    store: Store
    folder: Path
    state: State
    progress: Told
    command: str


def sampler(work: Work, number: int) -> str:
    """The reference of the model that is sampled in round `number`, from 1."""
    return made_by(work, 0 if rounds.loop_of(work.recipe).sample_from == "start" else number - 1)


def made_by(work: Work, number: int) -> str:
    """The model that a finished round left; of round 0 without a start the one that was there."""
    model = work.state["rounds"][number]["model"]
    if model is not None:
        return inside(work, model["folder"])
    reference = rounds.first_reference(work.recipe)
    assert reference is not None  # by rounds.check
    return reference


def told_model(work: Work, number: int) -> str:
    """The model a round samples from as the state names it: by its id, or by its reference."""
    reference = sampler(work, number)
    models = [one["model"] for one in work.state["rounds"] if one["model"]]
    return next((one["id"] for one in models if inside(work, one["folder"]) == reference), reference)


def inside(work: Work, relative: str) -> str:
    """The path of a folder that the state names relative to the store."""
    return str((work.store.root / relative).resolve())


def base(work: Work, data: Loaded, settings: Train) -> str:
    """The model that training starts from; made from the texts of round 0 where it is to be made."""
    known = work.state["base"]
    if known is not None:
        return inside(work, known["folder"]) if known["folder"] else str(known["reference"])
    reference, made = rounds.base_reference(work.recipe), None
    if reference is None:
        assert isinstance(settings.base, NewModel)
        name = f"{work.recipe.name}-base@{work.recipe.version}"
        fine_tuning.make_base(
            work.store, settings.base, data, name=name, progress=work.progress, prompt=prompt(work.recipe)
        )
        made = f"models/{name}"
        reference = inside(work, made)
    work.state["base"] = {
        "reference": None if made else reference,
        "folder": made,
        "weights": references.resolve(reference).digest,
    }
    return reference


def prompt(recipe: Recipe) -> Prompt:
    """How a problem is put in training: as train says, else as the learner is sampled."""
    _, learner = rounds.learner_of(recipe)
    written = recipe.train.prompt if recipe.train else None
    return prompts.resolve(written or learner.prompt)
