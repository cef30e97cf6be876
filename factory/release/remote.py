"""A dataset repository on the Hub as a publisher sees it: refs, trees, whose commits, and what differs.

Guarantees: two trees are compared by the hashes of their files, sha256 where the Hub keeps a file as LFS and
git's sha1 elsewhere; `.gitattributes` is the Hub's own and never counts. Which commit is a release of ours
is read from a tag `vX.Y.Z` or from the trailer that every commit of ours carries; any other is a hand's.
Left out: writing (`publishing.py`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from factory.errors import OutsideError
from factory.release import manifest
from factory.release.findings import short

if TYPE_CHECKING:
    from huggingface_hub import HfApi

HUBS_OWN: Final = ".gitattributes"
_TAG: Final = re.compile(r"v(\d+)\.(\d+)\.(\d+)")
_TRAILER: Final = re.compile(
    r"^Factory-Release: (?P<name>[a-z0-9][a-z0-9._-]*)@(?P<version>\d+\.\d+\.\d+)$", re.M
)
_SHOWN: Final = 10
_CHUNK: Final = 2**20

Version = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class File:
    """A file: its size in bytes, its sha256, and git's sha1; on the Hub one of the two may be unknown."""

    bytes: int
    sha256: str | None
    git_sha1: str | None

    def same(self, other: File) -> bool:
        """Whether both are the same bytes, by a hash that both have."""
        if self.sha256 and other.sha256:
            return self.sha256 == other.sha256
        return self.git_sha1 is not None and self.git_sha1 == other.git_sha1


Tree = Mapping[str, File]
"""Path to file, without the Hub's own."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The release to publish: what it is, its files and their folder, and the repository."""

    repo: str
    name: str
    version: str
    release_id: str
    folder: Path
    files: Tree

    @property
    def tag(self) -> str:
        return f"v{self.version}"

    @property
    def numbers(self) -> Version:
        return _numbers(self.version)

    @property
    def message(self) -> str:
        """The description of the commit; its last line is how the commit is known again."""
        return f"Release id: {self.release_id}\n\nFactory-Release: {self.name}@{self.version}"


@dataclass(frozen=True, slots=True)
class State:
    """A repository at one instant: branches and tags to commit ids; files and history of main.

    `history` has (commit id, NAME@X.Y.Z of a release or None), newest first.
    """

    branches: Mapping[str, str]
    tags: Mapping[str, str]
    tree: Tree
    history: Sequence[tuple[str, str | None]]

    @property
    def head(self) -> str:
        return self.branches["main"]

    @property
    def versions(self) -> dict[Version, str]:
        """Released versions to their commits."""
        found = {tag: _TAG.fullmatch(tag) for tag in self.tags}
        return {tuple(map(int, one.groups())): self.tags[tag] for tag, one in found.items() if one}

    @property
    def holder(self) -> tuple[str | None, Version] | None:
        """(name, None where only a tag tells; version) of the release that main holds; None: a hand's."""
        _, mark = self.history[0]
        if mark:
            name, _, version = mark.partition("@")
            return name, _numbers(version)
        return next(
            ((None, version) for version, commit in self.versions.items() if commit == self.head), None
        )


def local(folder: Path) -> dict[str, File]:
    """The files of a release folder, as its manifest lists them, with both hashes; it is checked before."""
    listed = manifest.read(folder)
    paths = [one["path"] for one in [*listed["files"], *listed["documents"]]]
    return {path: _hashed(folder / path) for path in sorted([*paths, "manifest.json"])}


def _hashed(path: Path) -> File:
    size = path.stat().st_size
    sha256, sha1 = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            sha256.update(chunk)
            sha1.update(chunk)
    return File(size, sha256.hexdigest(), sha1.hexdigest())


def tree(api: HfApi, repo: str, revision: str) -> dict[str, File]:
    """The files at a commit or tag."""
    found: Iterable[Any] = api.list_repo_tree(repo, repo_type="dataset", revision=revision, recursive=True)
    return {
        one.path: File(one.size, one.lfs.sha256 if one.lfs else None, None if one.lfs else one.blob_id)
        for one in found
        if hasattr(one, "blob_id") and one.path != HUBS_OWN
    }


def differing(wanted: Tree, there: Tree) -> list[str]:
    """The paths of files that are missing, are other bytes, or should not be there."""
    return sorted(
        path
        for path in {*wanted, *there}
        if path not in wanted or path not in there or not wanted[path].same(there[path])
    )


def state(api: HfApi, repo: str) -> State:
    """The repository as it is now; tree and history are those of the head that the refs name."""
    found = api.list_repo_refs(repo, repo_type="dataset")
    branches = {one.name: one.target_commit for one in found.branches}
    tags = {one.name: one.target_commit for one in found.tags}
    if "main" not in branches:
        raise OutsideError(f"{repo} has no branch main; make one on the Hub, or publish to another --repo")
    head = branches["main"]
    return State(branches, tags, tree(api, repo, head), history(api, repo, head))


def history(api: HfApi, repo: str, revision: str) -> list[tuple[str, str | None]]:
    """The commits from `revision` back, newest first: (commit id, NAME@X.Y.Z of a release or None)."""
    found = []
    for commit in api.list_repo_commits(repo, repo_type="dataset", revision=revision):
        marks = _TRAILER.findall(f"{commit.title}\n\n{commit.message}")
        found.append((commit.commit_id, f"{marks[-1][0]}@{marks[-1][1]}" if marks else None))
    return found


def shown(paths: Sequence[str]) -> str:
    """The first few of many paths, safe to print."""
    more = len(paths) - _SHOWN
    return ", ".join(short(path) for path in paths[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _numbers(version: str) -> Version:
    return tuple(int(part) for part in version.split("."))
