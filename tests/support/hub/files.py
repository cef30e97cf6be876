"""File content: downloads with ranges, and uploads over LFS, in one PUT or in parts.

Guarantees: bytes that do not have the sha256 they were announced by are refused.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from tests.support.hub.repos import Commit, Repository
from tests.support.hub.wire import Answer, Request, as_json, refused

if TYPE_CHECKING:
    from tests.support.hub.server import Server

RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def resolve(server: Server, request: Request, repository: Repository, commit: Commit, path: str) -> Answer:
    """A file of a revision, or a part of it."""
    member = request.user is not None and repository.namespace.lower() in (
        request.user.name,
        *request.user.orgs,
    )
    if repository.gated and not member and (request.user is None or request.user.name not in server.granted):
        status = 401 if request.user is None else 403
        raise refused(status, "GatedRepo", f"Access to dataset {repository.id} is restricted")
    blob = commit.tree.get(path)
    if blob is None:
        raise refused(404, "EntryNotFound", "Entry not found", X_Repo_Commit=commit.id)
    headers = {
        "X-Repo-Commit": commit.id,
        "ETag": f'"{blob.key}"',
        "Accept-Ranges": "bytes",
        "Content-Type": "application/octet-stream",
    }
    if blob.sha256:
        headers |= {"X-Linked-Etag": f'"{blob.sha256}"', "X-Linked-Size": str(blob.size)}
    if blob.xet:
        url = f"{request.origin}/api/{repository.type}s/{repository.id}/xet-read-token/{commit.id}"
        headers |= {"X-Xet-Hash": blob.xet, "Link": f'<{url}>; rel="xet-auth"'}
    return part(server.objects.read(blob), request.headers.get("range"), headers)


def part(content: bytes, asked: str | None, headers: dict[str, str]) -> Answer:
    """All of `content`, or the range a header asks for."""
    found = RANGE.fullmatch(asked or "")
    if not found or not any(found.groups()):
        return Answer(200, content, headers)
    first, last = found.groups()
    if not first:
        start, end = max(0, len(content) - int(last)), len(content) - 1
    else:
        start, end = int(first), min(int(last or len(content) - 1), len(content) - 1)
    if start > end:
        return Answer(416, b"", headers | {"Content-Range": f"bytes */{len(content)}"})
    span = f"bytes {start}-{end}/{len(content)}"
    return Answer(206, content[start : end + 1], headers | {"Content-Range": span})


def batch(server: Server, request: Request, repository: Repository) -> Answer:
    """Where to upload each object; nothing for those that are here already."""
    shown = []
    for one in request.json()["objects"]:
        told: dict[str, Any] = {"oid": one["oid"], "size": one["size"]}
        if one["oid"] not in repository.lfs:
            base = f"{request.origin}/storage/{repository.type}/{repository.id}"
            told["actions"] = _actions(server.chunk, base, one["oid"], one["size"])
        shown.append(told)
    return as_json({"transfer": "basic", "objects": shown})


def _actions(chunk: int | None, base: str, oid: str, size: int) -> dict[str, Any]:
    verify = {"href": f"{base}/verify/{oid}"}
    if chunk is None or size <= chunk:
        return {"upload": {"href": f"{base}/object/{oid}"}, "verify": verify}
    urls = {str(number): f"{base}/part/{oid}/{number}" for number in range(1, -(-size // chunk) + 1)}
    header = {"chunk_size": str(chunk), **urls}
    return {"upload": {"href": f"{base}/complete/{oid}", "header": header}, "verify": verify}


def storage(server: Server, request: Request) -> Answer:
    """The uploads themselves; their addresses are the only permission they need, as with signed ones."""
    type, namespace, name, what, *more = request.path.removeprefix("/storage/").split("/")
    repository = server.repository(f"{namespace}/{name}", type)
    match request.method, what:
        case "PUT", "object":
            return _keep(server, repository, more[0], request.body)
        case "PUT", "part":
            server.uploads["/".join(more)] = request.body
            return Answer(200, b"", {"ETag": f'"{hashlib.md5(request.body).hexdigest()}"'})
        case "POST", "complete":
            numbers = sorted(one["partNumber"] for one in request.json()["parts"])
            whole = b"".join(server.uploads.pop(f"{more[0]}/{number}") for number in numbers)
            return _keep(server, repository, more[0], whole)
        case "POST", "verify":
            asked = request.json()
            there = server.objects.lfs(asked["oid"])
            if asked["oid"] not in repository.lfs or there is None or there.size != asked["size"]:
                raise refused(404, "", f"object {asked['oid']} is not here")
            return as_json({})
    raise refused(404, "", f"no such endpoint: {request.method} {request.path}")


def _keep(server: Server, repository: Repository, oid: str, content: bytes) -> Answer:
    if hashlib.sha256(content).hexdigest() != oid:
        raise refused(422, "", f"the bytes do not have the sha256 {oid}")
    repository.lfs.add(server.objects.put_lfs(content))
    return as_json({})
