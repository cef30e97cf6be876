"""What the Hub of the tests keeps: objects by hash, and repositories as lists of commits.

Guarantees: ids are git's own where a client computes them (the sha1 of a blob, of an LFS pointer), a commit
is whole or absent, and a commit whose parent is no longer the head is refused. Left out: pull requests,
history of branches beyond the chain of parents, anything that outlives the process.
"""

from __future__ import annotations

import hashlib
import itertools
import secrets
from dataclasses import dataclass, field
from pathlib import Path

LFS_SUFFIXES = (".parquet", ".arrow", ".bin", ".gz", ".zst", ".zip", ".safetensors", ".png", ".npy")
LFS_BYTES = 10_000_000
ATTRIBUTES = "".join(f"*{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in LFS_SUFFIXES).encode()


def git_sha1(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def pointer(sha256: str, size: int) -> bytes:
    """The text git keeps of an LFS file."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


@dataclass(frozen=True)
class Blob:
    """A file of a tree: git's id, size in bytes; the sha256 of an LFS file; its hash if it came by Xet."""

    oid: str
    size: int
    sha256: str | None = None
    xet: str | None = None

    @property
    def key(self) -> str:
        """The name of its bytes in `Objects`."""
        return self.sha256 or self.oid

    @property
    def pointer_size(self) -> int:
        return len(pointer(self.sha256 or "", self.size))


class Objects:
    """Bytes by hash, each in one file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.xet: dict[str, str] = {}  # sha256 to the hash of Xet
        folder.mkdir(parents=True, exist_ok=True)

    def _put(self, name: str, content: bytes) -> None:
        # Whole or not at all: two may send the same bytes, and one asks for their size meanwhile.
        draft = self._folder / f".{secrets.token_hex(8)}"
        draft.write_bytes(content)
        draft.replace(self._folder / name)

    def put_regular(self, content: bytes) -> Blob:
        blob = Blob(git_sha1(content), len(content))
        self._put(blob.oid, content)
        return blob

    def put_lfs(self, content: bytes) -> str:
        """Keep the bytes of an LFS file; returns their sha256."""
        sha256 = hashlib.sha256(content).hexdigest()
        self._put(sha256, content)
        return sha256

    def lfs(self, sha256: str) -> Blob | None:
        """The LFS file of this hash, if its bytes are here."""
        path = self._folder / sha256
        if not path.is_file():
            return None
        size = path.stat().st_size
        return Blob(git_sha1(pointer(sha256, size)), size, sha256, self.xet.get(sha256))

    def read(self, blob: Blob) -> bytes:
        return (self._folder / blob.key).read_bytes()


@dataclass(frozen=True)
class Commit:
    """One commit: its id, its parent's, all its files, and what its author wrote."""

    id: str
    parent: str | None
    tree: dict[str, Blob]
    title: str
    message: str = ""
    author: str = ""
    date: str = "2026-01-01T00:00:00.000Z"


class StaleParentError(Exception):
    """The branch has moved since the commit that was named as parent."""


_serial = itertools.count()


@dataclass
class Repository:
    """A repository; `key` of the server's table is its lower-case type and id."""

    type: str
    id: str
    private: bool = False
    gated: bool = False
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    lfs: set[str] = field(default_factory=set)
    """sha256 of what was uploaded here; bytes in another repository have to be sent again."""

    @property
    def namespace(self) -> str:
        return self.id.partition("/")[0]

    def resolve(self, revision: str) -> Commit | None:
        """The commit that a branch, a tag, a ref or 7 to 40 digits of an id name."""
        short = revision.removeprefix("refs/heads/").removeprefix("refs/tags/")
        for named in (self.branches.get(short), self.tags.get(short)):
            if named:
                return self.commits[named]
        if not 7 <= len(revision) <= 40:
            return None
        found = [commit for id, commit in self.commits.items() if id.startswith(revision)]
        return found[0] if len(found) == 1 else None

    def commit(
        self,
        branch: str,
        tree: dict[str, Blob],
        title: str,
        message: str = "",
        author: str = "",
        parent: str | None = None,
    ) -> Commit:
        """Put a commit on a branch. Raises StaleParentError when `parent` is given and is not its head."""
        head = self.branches.get(branch)
        if parent is not None and not (head or "").startswith(parent):
            raise StaleParentError
        text = repr((next(_serial), self.id, head, sorted(tree.items()), title, message))
        made = Commit(hashlib.sha1(text.encode()).hexdigest(), head, dict(tree), title, message, author)
        self.commits[made.id] = made
        self.branches[branch] = made.id
        return made

    def history(self, commit: Commit) -> list[Commit]:
        """A commit and all before it, newest first."""
        found = [commit]
        while found[-1].parent:
            found.append(self.commits[found[-1].parent])
        return found
