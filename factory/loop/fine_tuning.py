"""From a release to a model: `<store>/models/NAME@VERSION`, whole or not at all.

Guarantees: a model is known by all that its weights depend on (release, weights of the base, settings, steps,
prompt); the same training again changes nothing, another one under a taken name is refused. A training that
was killed goes on from its last checkpoint, with the same rows; what was judged for an early stop is not
judged again. The folder loads as any model does, and says what it was trained on. Left out: the training
itself (`training/`), how rows become tokens (`training_tokens.py`), and names and places of models
(`trained_models.py`).
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from factory.atomic import write_atomically
from factory.generators import references as models
from factory.generators import tokenizing
from factory.generators.references import ModelFiles
from factory.loading import Loaded
from factory.loop import trained_models, training_rows, training_tokens
from factory.loop.early_stopping import EarlyStop as EarlyStop
from factory.loop.early_stopping import to_best, to_end
from factory.loop.trained_models import alone, model_folder, release_reference
from factory.loop.training_tokens import Counts
from factory.progress import Progress
from factory.recipe import NewModel, Prompt, Train
from factory.records import content_id
from factory.release import build
from factory.release.reading import Manifest
from factory.report import training_charts
from factory.store import Store
from factory.training import folder, new_model
from factory.training.job import Job, Result
from factory.training_sections import EPOCHS, OPERATIONAL

log = logging.getLogger(__name__)

AS_WORDED: Final = Prompt(mode="completion")
"""The prompt that is the problem as its source words it, and nothing else."""

_ELSEWHERE: Final = frozenset({"base", "prompt", "steps", "epochs", "generators"})
"""Keys of train that an identity holds in resolved form."""


@dataclass(frozen=True)
class Trained:
    """A model that is in place. `weights` is the digest of its files; `unchanged`: it was there before."""

    folder: Path
    training_id: str
    weights: str
    result: Result
    unchanged: bool


def steps_of(settings: Train, rows: int) -> int:
    """The length of a training on so many rows: `steps`, or the steps of so many epochs, at least one."""
    if settings.steps is not None:
        return settings.steps
    return max(1, math.ceil((settings.epochs or EPOCHS) * rows / settings.batch))


def train(
    store: Store,
    data: Loaded,
    settings: Train,
    *,
    base: str,
    prompt: Prompt,
    name: str,
    progress: Progress,
    early_stop: EarlyStop | None = None,
) -> Trained:
    """Train the model `base` (a model reference) on a release, as `<store>/models/NAME@VERSION`.

    `prompt` words the problems; it should be the sampler's. Raises UsageError for a release without the rows
    that the method needs, and for a base that is none; CheckFailed where the name is taken by another
    training or is being trained, and where no row can be trained on; OutsideError where training died.
    """
    final = model_folder(store, name)
    found = trained_models.read_manifest(data)
    training_rows.check(found, settings, release_reference(data))
    wanted = _Wanted(data, found, settings, models.resolve(base), prompt, early_stop)
    folder.check(wanted.base.folder)
    with alone(final):
        work = final.with_name(f".{name}.work")
        if final.exists():
            there = _there(wanted, final)
            shutil.rmtree(work, ignore_errors=True)  # a kill may have left it
            return there
        counts = _prepared(wanted, work, progress)
        job = wanted.job(work.absolute(), counts.used)
        if early_stop is None:
            result, judged = to_end(job, progress), None
        else:
            result, judged = to_best(job, early_stop, progress)
        drawn = _draw(result, job.out / folder.CURVE)
        content = wanted.told(counts, result) | {"name": name, "judged": judged, "chart": drawn}
        weights = trained_models.place(job.out, final, content, work / "asked.parquet", wanted.base.folder)
        shutil.rmtree(work)
    return Trained(final, content["training_id"], weights, result, unchanged=False)


def make_base(
    store: Store,
    settings: NewModel,
    data: Loaded,
    *,
    name: str,
    progress: Progress,
    prompt: Prompt = AS_WORDED,
) -> Path:
    """Make a model with random weights once, as `<store>/models/NAME@VERSION`; returns its folder.

    Its tokenizer is made from the config sft of a release, in all its splits, the problems worded by
    `prompt`. Raises as `train`.
    """
    final = model_folder(store, name)
    found = trained_models.read_manifest(data)
    training_rows.check_config(found, "sft", "a model made new", release_reference(data))
    identity = {
        "release_id": data.release_id,
        "settings": settings.model_dump(mode="json"),
        "prompt": prompt.model_dump(mode="json"),
    }
    with alone(final):
        if final.exists():
            return trained_models.same(final, folder.read(final), identity).folder
        progress.start("make a new model", 0, "models")
        draft, seen = build.draft(final), hashlib.sha256()

        def texts() -> Iterator[str]:
            for one in training_tokens.texts(data.folder, found, prompt):
                seen.update(one.encode() + b"\0")
                yield one

        new_model.make(settings, texts(), draft)
        content = {
            "kind": "new",
            "name": name,
            "training_id": content_id(identity),
            "identity": identity,
            "settings": identity["settings"],
            "release": trained_models.of_release(data),
            "texts_sha256": seen.hexdigest(),
            "lineage": [],
            "packages": trained_models.packages(),
            "licences": trained_models.licence(data, found, None),
        }
        trained_models.place(draft, final, content, None, None)
        progress.finish()
    return final


@dataclass(frozen=True)
class _Wanted:
    """A training that is asked for."""

    data: Loaded
    found: Manifest
    settings: Train
    base: ModelFiles
    prompt: Prompt
    early_stop: EarlyStop | None

    def identity(self, rows: int) -> dict[str, Any]:
        """All that the weights depend on, where so many rows are trained on."""
        steps = steps_of(self.settings, rows)
        return {
            "release_id": self.data.release_id,
            "base": self.base.digest,
            "settings": self.settings.model_dump(mode="json", exclude=set(OPERATIONAL | _ELSEWHERE)),
            "generators": sorted(set(self.settings.generators)) if self.settings.generators else None,
            "steps": steps,
            "early_stop": None if self.early_stop is None else list(self.early_stop.at(steps)),
            "prompt": self.prompt.model_dump(mode="json"),
            "chat_template": tokenizing.chat_template(self.base.folder),
        }

    def job(self, work: Path, rows: int) -> Job:
        """What is asked of the process that trains; everything lies in the folder `work`."""
        return Job(
            settings=self.settings.model_copy(update={"base": None, "prompt": None}),
            model=self.base.folder.absolute(),
            data=work / "rows.parquet",
            work=work / "checkpoints",
            out=work / "out",
            steps=steps_of(self.settings, rows),
        )

    def told(self, counts: Counts, result: Result) -> dict[str, Any]:
        """What training.json says of it."""
        identity = self.identity(counts.used)
        return {
            "kind": "trained",
            "training_id": content_id(identity),
            "identity": identity,
            "settings": self.settings.model_dump(mode="json", exclude={"base", "prompt"}),
            "release": trained_models.of_release(self.data),
            "base": trained_models.of_base(self.base),
            "rows": asdict(counts),
            "steps": identity["steps"],
            "result": asdict(result),
            "lineage": folder.lineage(folder.read(self.base.folder)),
            "packages": trained_models.packages(),
            "licences": trained_models.licence(self.data, self.found, self.base),
        }


def _there(wanted: _Wanted, final: Path) -> Trained:
    """The model that has the name already, if it is the one that is wanted; else CheckFailed."""
    found = folder.read(final)
    rows = found.content["rows"]["used"] if found is not None and found.kind == "trained" else 0
    trained_models.same(final, found, wanted.identity(rows))
    assert found is not None
    result = Result.from_json(json.dumps(found.content["result"]))
    return Trained(final, found.training_id, found.weights, result, unchanged=True)


def _prepared(wanted: _Wanted, work: Path, progress: Progress) -> Counts:
    """The rows in tokens, in `work`; those that are there already where they are of this training."""
    note = work / "prepared.json"
    if note.is_file():
        known = json.loads(note.read_text())
        if known["training_id"] == content_id(wanted.identity(known["used"])):
            return Counts(known["used"], known["left_out"])
        progress.say(f"{work}: what was begun here is another training; this one starts anew")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    counts = training_tokens.write(
        wanted.data.folder,
        wanted.found,
        wanted.settings,
        wanted.prompt,
        wanted.base.folder,
        work / "rows.parquet",
        work / "asked.parquet",
        progress,
    )
    content = {"training_id": content_id(wanted.identity(counts.used)), **asdict(counts)}
    write_atomically(note, lambda file: file.write(json.dumps(content).encode()))
    return counts


def _draw(result: Result, path: Path) -> bool:
    """Write the loss curve as a picture; whether there is one."""
    try:
        picture = training_charts.loss_chart([asdict(point) for point in result.curve])
    except ValueError as error:
        log.warning("the loss curve cannot be drawn: %s", error)
        return False
    if picture is not None:
        path.write_bytes(picture)
    return picture is not None
