"""How a release is named wherever one is asked for: in the store, on the Hub, or by a path.

Guarantees: the three forms never mean the same text. `NAME@X.Y.Z` is in the store, `ORG/NAME@vX.Y.Z` (or
@COMMIT, 40 hex digits) is on the Hub, and a path begins with `/`, `./` or `../`. A release is always pinned:
a name without a version is refused. Left out: fetching from the Hub (`loading.py`).
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from factory.errors import UsageError
from factory.release.versions import numbers
from factory.sections import NAME_PATTERN, VERSION_PATTERN
from factory.store import Store

_NAME, _VERSION = re.compile(NAME_PATTERN), re.compile(VERSION_PATTERN)
_REPO: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_REVISION: Final = re.compile(r"v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?|[0-9a-f]{40}")


@dataclass(frozen=True)
class InStore:
    """A release of a store, by its name and version."""

    id: str


@dataclass(frozen=True)
class OnHub:
    """A release on the Hub: a dataset repository at a tag vX.Y.Z, or at a commit."""

    repo: str
    revision: str


@dataclass(frozen=True)
class AtPath:
    """A release folder wherever it stands."""

    path: Path


Reference = InStore | OnHub | AtPath


def parse(text: str) -> Reference:
    """What `text` names. Raises UsageError with the three forms for anything else."""
    if text.startswith(("/", "./", "../")):
        return AtPath(Path(text))
    name, at, version = text.partition("@")
    if "/" in name and _REPO.fullmatch(name):
        if _REVISION.fullmatch(version):
            return OnHub(name, version)
        raise UsageError(
            f"{text}: a release on the Hub is named with its tag, as {name}@v1.0.0 "
            "(or @COMMIT, 40 hex digits)"
        )
    if at and _NAME.fullmatch(name) and _VERSION.fullmatch(version):
        return InStore(text)
    hint = f". A folder of this name is {'./' + text}" if text and Path(text).is_dir() else ""
    raise UsageError(
        f"{text!r:.200} names no release; write NAME@X.Y.Z (in the store), ORG/NAME@vX.Y.Z (on the Hub), "
        f"or a path that begins with /, ./ or ../{hint}"
    )


def local_folder(reference: InStore | AtPath, store: Store) -> Path:
    """The folder of a release on this machine. Raises UsageError when there is none, naming what there is."""
    if isinstance(reference, AtPath):
        folder = reference.path
        if not (folder / "manifest.json").is_file():
            raise UsageError(f"{folder} is no release: it holds no manifest.json")
        return folder
    folder = store.releases / reference.id
    if (folder / "manifest.json").is_file():
        return folder
    there = released(store)
    near = difflib.get_close_matches(reference.id, there, n=3, cutoff=0.5) or there[:5]
    hint = f"it has {', '.join(near)}" if near else "it has no release; `factory run RECIPE` makes one"
    raise UsageError(f"{store.root} has no release {reference.id}; {hint}")


def released(store: Store) -> list[str]:
    """Every release of a store as NAME@X.Y.Z, by name and then by version as numbers."""
    found = [
        path.parent.name
        for path in store.releases.glob("[!.]*@*/manifest.json")
        if _VERSION.fullmatch(path.parent.name.partition("@")[2])
    ]
    return sorted(found, key=lambda one: (one.partition("@")[0], numbers(one.partition("@")[2])))
