"""The models of a store, `<store>/models/NAME@VERSION`: names, what is said of them, putting them in place.

Guarantees: a model is there whole or not at all, with read-only files, and one process at a time makes one
name; a taken name is only ever the same model, its weights those that were written. Left out: how a model
comes about (`fine_tuning.py`), and the types of what is written (`training/folder.py`).
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import filelock

from factory import licensing, references
from factory.errors import CheckFailed, UsageError
from factory.generators import references as models
from factory.generators.references import ModelFiles
from factory.loading import Loaded
from factory.loop import model_card
from factory.recipe import TransformersGenerator
from factory.records import content_id
from factory.release import build, licences, manifest, reading
from factory.release.findings import refusal
from factory.release.licences import Input
from factory.sections import VERSION_PATTERN
from factory.store import Store
from factory.training import folder
from factory.training.folder import TrainedModel

PACKAGES: Final = ("factory", "torch", "transformers", "trl", "peft", "accelerate")
"""What can change the weights besides what an identity holds; their versions stand in training.json."""

_MOST: Final = 12
"""So many differences are told."""


def model_folder(store: Store, name: str) -> Path:
    """Where the model NAME@X.Y.Z of a store is, or will be. Raises UsageError for what is no such name."""
    try:
        named = references.parse(name)
    except UsageError:
        named = None
    if not isinstance(named, references.InStore):
        raise UsageError(f"{name!r:.200} names no model of a store; write NAME@X.Y.Z")
    return store.root / "models" / name


def reference(store: Store, text: str) -> str:
    """A model reference: `text` itself, or the folder of the model that it names in the store.

    Raises UsageError for NAME@X.Y.Z where the store has no such model.
    """
    name, mark, version = text.partition("@")
    if not mark or "/" in name:
        return text
    folder = store.root / "models"
    if (folder / text).is_dir():
        return str(folder / text)
    if re.match(VERSION_PATTERN, version):
        there = ", ".join(sorted(one.name for one in folder.glob("[!.]*"))) or "none"
        raise UsageError(
            f"{text}: there is no such model in {folder}, which has {there}. Make it with `factory train` or "
            "`factory loop`, or name another"
        )
    return text


@contextlib.contextmanager
def alone(final: Path) -> Iterator[None]:
    """Hold the name of a model; CheckFailed where another process has it."""
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{final.parent}: cannot make this folder ({error.strerror})") from error
    held = filelock.FileLock(final.with_name(f".{final.name}.lock"))
    try:
        held.acquire(blocking=False)
    except filelock.Timeout:
        raise CheckFailed(
            f"{final.name} is being trained by another process; wait for it to end, or use another --name"
        ) from None
    try:
        yield
    finally:
        held.release()


def same(final: Path, found: TrainedModel | None, identity: Mapping[str, Any]) -> TrainedModel:
    """The model in `final`, if it is the one of this identity, as it was written; else CheckFailed."""
    if found is None:
        raise CheckFailed(
            f"{final} is there and is no model that was trained here. Move it away, or use another name"
        )
    if found.training_id != content_id(identity):
        changes = [
            f"{path}: {_short(old)} there, {_short(new)} now"
            for path, old, new in manifest.changed_values("", found.identity, identity)
        ]
        more = [f"and {len(changes) - _MOST} more"] if len(changes) > _MOST else []
        raise CheckFailed(
            f"{final} is another model: {'; '.join([*changes[:_MOST], *more]) or 'of another kind'}. It was "
            "left as it is: give this one another name or version, or remove that folder"
        )
    if models.folder_digest(final) != found.weights:
        raise CheckFailed(
            f"{final} was changed after it was trained: its weights, config or tokenizer are not those that "
            f"{folder.RECORD} names. Put the files back, or remove the folder and train again"
        )
    return found


def _short(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def place(draft: Path, final: Path, content: Mapping[str, Any], asked: Path | None, base: Path | None) -> str:
    """Add what is said of a model to its draft and give it its name; returns the digest of its weights.

    `content` is training.json without that digest, `asked` the file of the problems that it was trained on.
    """
    if asked is not None:
        folder.write_trained_on(asked, base, draft / folder.TRAINED_ON)
    weights = models.folder_digest(draft)
    whole = {**content, "weights": weights}
    folder.write(draft, whole)
    (draft / "README.md").write_text(model_card.make(whole), encoding="utf-8")
    build.put_in_place(draft, final)
    return weights


# --- what is said of a model -----------------------------------------------------------------------------


def read_manifest(data: Loaded) -> reading.Manifest:
    """The manifest of a release that was loaded."""
    found, findings = reading.read(data.folder)
    if found is None:
        raise CheckFailed(f"{data.folder}: {refusal(findings)}")
    return found


def release_reference(data: Loaded) -> str:
    """How a release is named where it came from: NAME@X.Y.Z, or ORG/NAME@vX.Y.Z on the Hub."""
    return f"{data.repo}@v{data.version}" if data.repo else f"{data.name}@{data.version}"


def of_release(data: Loaded) -> dict[str, Any]:
    """What training.json says of the release."""
    return {
        "reference": release_reference(data),
        "release_id": data.release_id,
        "commit": data.commit,
        "repo": data.repo,
    }


def of_base(files: ModelFiles) -> dict[str, Any]:
    """What training.json says of the base: no path of a machine, and its id on the Hub where it has one."""
    made = folder.read(files.folder)
    named = made.name if made is not None else files.folder.name
    on_hub = files.name is not None and not files.name.startswith("wheel:")
    earlier = (made.content.get("base") or {}).get("hub") if made is not None else None
    hub = files.name.partition("@")[0] if on_hub and files.name is not None else earlier
    return {"reference": files.name or named, "weights": files.digest, "hub": hub}


def licence(data: Loaded, found: reading.Manifest, base: ModelFiles | None) -> dict[str, Any]:
    """The licence of a model, computed from those of the release and of its base."""
    stated = found.content.get("licences")
    named = stated.get("license") if isinstance(stated, dict) else None
    told = (named, "its manifest") if isinstance(named, str) else (None, None)
    inputs = [Input("release", release_reference(data), *told)]
    if base is not None:
        config = TransformersGenerator(engine="transformers", model=base.reference)
        inputs.append(Input("base", of_base(base)["reference"], *licensing.of_model(config)))
    return licences.record(inputs, None, licences.combine(inputs, None))


def packages() -> dict[str, str]:
    """The installed versions of PACKAGES."""
    versions = {}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions
