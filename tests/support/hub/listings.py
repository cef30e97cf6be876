"""What the Hub tells of a repository: its state at a commit, trees, refs, commits."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from tests.support.hub.repos import Blob, Commit, Repository
from tests.support.hub.wire import Answer, Request, as_json, refused

if TYPE_CHECKING:
    from tests.support.hub.server import Server


def entry(path: str, blob: Blob) -> dict[str, Any]:
    """A file as trees list it."""
    shown: dict[str, Any] = {"type": "file", "path": path, "size": blob.size, "oid": blob.oid}
    if blob.sha256:
        shown["lfs"] = {"oid": blob.sha256, "size": blob.size, "pointerSize": blob.pointer_size}
    if blob.xet:
        shown["xetHash"] = blob.xet
    return shown


def info(repository: Repository, commit: Commit) -> Answer:
    siblings = []
    for path, blob in sorted(commit.tree.items()):
        lfs = {"sha256": blob.sha256, "size": blob.size, "pointerSize": blob.pointer_size}
        siblings.append(
            {"rfilename": path, "size": blob.size, "blobId": blob.oid} | ({"lfs": lfs} if blob.sha256 else {})
        )
    shown = {
        "_id": "0",
        "id": repository.id,
        "author": repository.namespace,
        "sha": commit.id,
        "lastModified": commit.date,
        "createdAt": commit.date,
        "private": repository.private,
        "gated": "auto" if repository.gated else False,
        "disabled": False,
        "tags": [],
        "downloads": 0,
        "likes": 0,
        "siblings": siblings,
        "usedStorage": sum(blob.size for blob in commit.tree.values()),
    }
    return as_json(shown)


def tree(server: Server, request: Request, commit: Commit, folder: str) -> Answer:
    inside = f"{folder}/" if folder else ""
    below = {path: blob for path, blob in sorted(commit.tree.items()) if path.startswith(inside)}
    if not below and folder:
        raise refused(
            404, "EntryNotFound", f"{folder} does not exist on this revision", X_Repo_Commit=commit.id
        )
    folders = {
        f"{inside}{'/'.join(parts[:depth])}"
        for path in below
        for parts in [path[len(inside) :].split("/")]
        for depth in range(1, len(parts))
    }
    listed = [
        {"type": "directory", "path": path, "oid": hashlib.sha1(path.encode()).hexdigest(), "size": 0}
        for path in sorted(folders)
    ] + [entry(path, blob) for path, blob in below.items()]
    if request.query.get("recursive", "").lower() not in ("true", "1"):
        listed = [one for one in listed if "/" not in one["path"][len(inside) :]]
    start = int(request.query.get("cursor", 0))
    rest = "&".join(part for part in request.query_text.split("&") if part and not part.startswith("cursor="))
    found = as_json(listed[start : start + server.page])
    if start + server.page < len(listed):
        url = f"{request.origin}{request.path}?{rest}&cursor={start + server.page}"
        found.headers["Link"] = f'<{url}>; rel="next"'
    return found


def paths_info(request: Request, commit: Commit) -> Answer:
    asked = parse_qs(request.body.decode()).get("paths", [])
    shown: list[dict[str, Any]] = []
    for path in asked:
        if path in commit.tree:
            shown.append(entry(path, commit.tree[path]))
        elif any(one.startswith(f"{path}/") for one in commit.tree):
            oid = hashlib.sha1(path.encode()).hexdigest()
            shown.append({"type": "directory", "path": path, "oid": oid, "size": 0})
    return as_json(shown)


def refs(repository: Repository) -> Answer:
    def shown(kind: str, table: dict[str, str]) -> list[dict[str, str]]:
        return [
            {"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": id}
            for name, id in sorted(table.items())
        ]

    branches, tags = shown("heads", repository.branches), shown("tags", repository.tags)
    return as_json({"branches": branches, "tags": tags, "converts": []})


def commits(repository: Repository, commit: Commit) -> Answer:
    return as_json(
        [
            {
                "id": one.id,
                "title": one.title,
                "message": one.message,
                "date": one.date,
                "authors": [{"user": one.author or "ann"}],
            }
            for one in repository.history(commit)
        ]
    )
