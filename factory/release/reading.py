"""Reads a manifest that anybody may have written.

Guarantees: what `read` returns has the keys and types of a manifest of the known format; every path in it is
that of a file inside the release folder, named as releases name them; no number is out of bounds. Whatever
else the file holds gives findings that name the key, and never a traceback. Left out: whether any of it is
true (`check.py`).
"""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from factory.release.findings import Finding, concluded, failed
from factory.release.manifest import FORMAT

MAX_BYTES: Final = 64 * 2**20
_SEGMENT: Final = re.compile(r"[A-Za-z0-9_@+][A-Za-z0-9_.@+ -]{0,199}")

_Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Count = Annotated[int, Field(ge=0, lt=2**63)]
_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")]


class _Strict(BaseModel):
    """No value is converted; further keys are left alone."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class Document(_Strict):
    """A file that holds no rows."""

    path: str
    bytes: _Count
    sha256: _Hex


class File(Document):
    """A file of rows of one split of a config."""

    config: _Name
    split: _Name
    rows: _Count


class Column(_Strict):
    """A column as the manifest tells it."""

    name: str
    type: str
    nullable: bool


class Config(_Strict):
    """A config: its rows, all of them and by split, its content digest, and its columns."""

    rows: _Count
    splits: dict[_Name, _Count]
    content_digest: _Hex
    columns: list[Column] = Field(alias="schema", min_length=1)


class Manifest(_Strict):
    """A manifest; `content` is all of it as plain data."""

    format: int
    name: _Name
    version: Annotated[str, Field(pattern=r"^(0|[1-9]\d{0,11})(\.(0|[1-9]\d{0,11})){2}$")]
    release_id: _Hex
    recipe: dict[str, Any]
    recipe_digest: _Hex
    lock: dict[str, Any]
    counts: dict[str, dict[str, _Count]]
    configs: dict[_Name, Config] = Field(min_length=1)
    files: list[File] = Field(min_length=1)
    documents: list[Document]
    content: dict[str, Any]

    @property
    def listed(self) -> Mapping[str, Document]:
        """Every file that the manifest lists, by its path."""
        return {one.path: one for one in (*self.documents, *self.files)}

    def files_of(self, config: str) -> list[File]:
        """The files of rows of a config."""
        return [one for one in self.files if one.config == config]


def read(folder: Path) -> tuple[Manifest | None, list[Finding]]:
    """The manifest of `folder`, or None, with the findings of the check `manifest`."""
    path = folder / "manifest.json"
    try:
        content = _load(path)
    except (OSError, ValueError, RecursionError) as error:
        return None, [failed("manifest", path.name, _reason(error), "a JSON file that can be read")]
    if not isinstance(content, dict):
        return None, [failed("manifest", path.name, content, "an object with the keys of a manifest")]
    if type(content.get("format")) is not int or content["format"] != FORMAT:
        known = f"format {FORMAT}, the one this version of factory reads"
        return None, [failed("manifest", "format", content.get("format"), known)]
    try:
        found = Manifest.model_validate(content | {"content": content})
    except ValidationError as error:
        return None, concluded("manifest", path.name, "", _faults(error))
    wrong = list(_paths(found))
    done = concluded("manifest", path.name, f"format {FORMAT}, every path inside the release", wrong)
    return (None if wrong else found), done


def _load(path: Path) -> Any:
    """The JSON of a file. Raises OSError, ValueError or RecursionError."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("it is no file")
    with path.open("rb") as file:
        text = file.read(MAX_BYTES + 1)
    if len(text) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES:,} bytes")
    return json.loads(text.decode("utf-8"), parse_constant=_no_number, object_pairs_hook=_once)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number in JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        twice = next(key for key, _ in pairs if sum(key == other for other, _ in pairs) > 1)
        raise ValueError(f"the key {twice:.80} stands twice in one object")
    return content


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def _faults(error: ValidationError) -> Iterator[Finding]:
    for one in error.errors(include_url=False):
        place = ".".join(str(part) for part in one["loc"])
        yield failed("manifest", f"manifest.json: {place:.120}", one["input"], one["msg"])


def _paths(found: Manifest) -> Iterator[Finding]:
    """Paths that leave the folder, stand twice, or are not those of their config and split."""
    seen: set[str] = set()
    for one in (*found.documents, *found.files):
        if not _inside(one.path):
            yield failed("manifest", "path", one.path, "a path inside the release, as data/sft/train.parquet")
        elif one.path.casefold() in seen:
            yield failed("manifest", one.path, "listed twice", "each file once")
        seen.add(one.path.casefold())
    for config, split in sorted({(one.config, one.split) for one in found.files}):
        paths = sorted(one.path for one in found.files if (one.config, one.split) == (config, split))
        number = len(paths)
        named = [f"data/{config}/{split}-{place:05d}-of-{number:05d}.parquet" for place in range(number)]
        if paths != named:
            yield failed("manifest", f"{config}/{split}", ", ".join(paths), ", ".join(named))
    if other := {one.config for one in found.files} ^ set(found.configs):
        yield failed("manifest", "configs", ", ".join(sorted(other)), "files for each config, and none else")


def _inside(path: str) -> bool:
    parts = path.split("/")
    return path != "manifest.json" and all(_SEGMENT.fullmatch(part) for part in parts)
