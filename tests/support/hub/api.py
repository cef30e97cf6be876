"""The endpoints of the Hub: who may do what, repositories, commits, tags, branches.

Guarantees: statuses, error codes and shapes are those the unmodified clients were seen to need. Left out:
lists of what there is (`listings.py`), file content and uploads (`files.py`, `xet.py`).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from tests.support.hub import files, listings, xet
from tests.support.hub.repos import LFS_BYTES, LFS_SUFFIXES, Blob, Commit, Repository, StaleParentError
from tests.support.hub.wire import Answer, Request, as_json, refused

if TYPE_CHECKING:
    from tests.support.hub.server import Server

OF_REPOSITORY = re.compile(r"/api/(model|dataset|space)s/([^/]+/[^/]+)(?:/(.*))?")
RESOLVED = re.compile(r"/(?:(dataset|space)s/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)")
BATCH = re.compile(r"/(?:(dataset|space)s/)?([^/]+/[^/]+)\.git/info/lfs/objects/batch")
STALE = "A commit has happened since. Please refresh and try again."


def answer(server: Server, request: Request) -> Answer:
    """Serve a request. Raises RefusedError."""
    if request.path.startswith("/storage/"):
        return files.storage(server, request)
    if request.path.startswith("/cas/"):
        return xet.cas(server, request)
    if found := BATCH.fullmatch(request.path):
        return files.batch(server, request, writable(server, request, found[1] or "model", found[2]))
    if found := RESOLVED.fullmatch(request.path):
        repository = readable(server, request, found[1] or "model", found[2])
        commit = revision(repository, found[3])
        return files.resolve(server, request, repository, commit, unquote(found[4]))
    if request.path in TOP:
        return TOP[request.path](server, request)
    if found := OF_REPOSITORY.fullmatch(request.path):
        with server.lock:
            return _of_repository(server, request, found[1], found[2], found[3] or "")
    raise refused(404, "", f"no such endpoint: {request.method} {request.path}")


# --- who may do what


def readable(server: Server, request: Request, type: str, id: str) -> Repository:
    """The repository, if it is there and this user may know of it."""
    found = server.repositories.get((type, unquote(id).lower()))
    user = request.user
    if found is None or (found.private and not _belongs(request, found.namespace)):
        raise refused(401 if user is None else 404, "RepoNotFound", "Repository not found")
    return found


def writable(server: Server, request: Request, type: str, id: str) -> Repository:
    """The repository, if this user may write to it."""
    found = readable(server, request, type, id)
    _may_write(request, found.namespace)
    return found


def _may_write(request: Request, namespace: str) -> None:
    if request.user is None:
        raise refused(401, "", "Invalid username or password.")
    if request.user.role != "write" or not _belongs(request, namespace):
        raise refused(
            403, "", f"You don't have the rights to write under the namespace {namespace!r} with this token"
        )


def _belongs(request: Request, namespace: str) -> bool:
    return request.user is not None and namespace.lower() in (request.user.name, *request.user.orgs)


def revision(repository: Repository, segment: str) -> Commit:
    found = repository.resolve(unquote(segment))
    if found is None:
        raise refused(404, "RevisionNotFound", f"Invalid rev id: {unquote(segment)}")
    return found


# --- above repositories


def _whoami(server: Server, request: Request) -> Answer:
    user = request.user
    if user is None:
        raise refused(401, "", "Invalid username or password.")
    orgs = [{"type": "org", "name": name, "roleInOrg": user.role} for name in user.orgs]
    token = {"type": "access_token", "accessToken": {"displayName": "test", "role": user.role}}
    return as_json({"type": "user", "name": user.name, "fullname": user.name, "orgs": orgs, "auth": token})


def _create(server: Server, request: Request) -> Answer:
    asked = request.json()
    type = asked.get("type") or "model"
    namespace = asked.get("organization") or (request.user.name if request.user else "")
    _may_write(request, namespace)
    id = f"{namespace}/{asked['name']}"
    prefix = "" if type == "model" else f"/{type}s"
    shown = {"url": f"{request.origin}{prefix}/{id}", "name": id, "id": id}
    with server.lock:
        if (type, id.lower()) in server.repositories:
            return as_json({"error": f"You already created this {type} repo", **shown}, 409)
        server.create(id, type, private=asked.get("visibility") == "private" or bool(asked.get("private")))
    return as_json(shown)


def _delete(server: Server, request: Request) -> Answer:
    asked = request.json()
    id = f"{asked.get('organization') or (request.user.name if request.user else '')}/{asked['name']}"
    found = writable(server, request, asked.get("type") or "model", id)
    del server.repositories[found.type, found.id.lower()]
    return as_json({})


def _validate_yaml(server: Server, request: Request) -> Answer:
    bad = not request.json()["content"].startswith("---\n")
    return as_json({"errors": [], "warnings": [{"message": "empty or missing yaml metadata"}] if bad else []})


TOP: dict[str, Callable[[Server, Request], Answer]] = {
    "/api/whoami-v2": _whoami,
    "/api/repos/create": _create,
    "/api/repos/delete": _delete,
    "/api/validate-yaml": _validate_yaml,
}


# --- of one repository


def _of_repository(server: Server, request: Request, type: str, id: str, rest: str) -> Answer:
    verb, _, more = rest.partition("/")
    writes = request.method in ("POST", "PUT", "DELETE") and verb != "paths-info"
    repository = (writable if writes else readable)(server, request, type, id)
    match request.method, verb:
        case "GET", "" | "revision":
            return listings.info(repository, revision(repository, more or "main"))
        case "GET", "tree":
            at, _, folder = more.partition("/")
            return listings.tree(server, request, revision(repository, at), unquote(folder))
        case "POST", "paths-info":
            return listings.paths_info(request, revision(repository, more))
        case "GET", "refs":
            return listings.refs(repository)
        case "GET", "commits":
            return listings.commits(repository, revision(repository, more))
        case "POST", "preupload":
            return _preupload(request, revision(repository, more))
        case "POST", "commit":
            return _commit(server, request, repository, unquote(more))
        case (("POST" | "DELETE"), ("tag" | "branch")):
            return _ref(request, repository, verb, more)
        case "PUT", "settings":
            return _settings(request, repository)
        case "GET", "xet-read-token":
            return xet.token(request, repository, "read")
        case "GET", "xet-write-token":
            _may_write(request, repository.namespace)
            return xet.token(request, repository, "write")
        case "GET", "auth-check":
            if more == "write":
                _may_write(request, repository.namespace)
            return as_json({})
    raise refused(404, "", f"no such endpoint: {request.method} {request.path}")


def _preupload(request: Request, commit: Commit) -> Answer:
    shown = []
    for file in request.json()["files"]:
        lfs = file["path"].endswith(LFS_SUFFIXES) or file["size"] >= LFS_BYTES
        there = commit.tree.get(file["path"])
        mode = "lfs" if lfs else "regular"
        shown.append(
            {"path": file["path"], "uploadMode": mode, "shouldIgnore": False, "oid": there and there.key}
        )
    return as_json({"files": shown, "commitOid": commit.id})


def _commit(server: Server, request: Request, repository: Repository, branch: str) -> Answer:
    if branch not in repository.branches:
        raise refused(404, "RevisionNotFound", f"Invalid rev id: {branch}")
    lines = [json.loads(line) for line in request.body.splitlines() if line.strip()]
    header = lines[0]["value"]
    tree = dict(repository.commits[repository.branches[branch]].tree)
    for line in lines[1:]:
        _apply(server, repository, tree, line["key"], line["value"])
    author = request.user.name if request.user else ""
    text = (header["summary"], header.get("description") or "")
    try:
        made = repository.commit(branch, tree, *text, author, header.get("parentCommit"))
    except StaleParentError:
        raise refused(412, "", STALE) from None
    url = f"{request.origin}/{repository.type}s/{repository.id}/commit/{made.id}"
    return as_json({"success": True, "commitOid": made.id, "commitUrl": url, "hookOutput": ""})


def _apply(
    server: Server, repository: Repository, tree: dict[str, Blob], key: str, value: dict[str, Any]
) -> None:
    path = value["path"]
    if key == "file":
        encoded = value.get("encoding") == "base64"
        content = base64.b64decode(value["content"]) if encoded else value["content"].encode()
        tree[path] = server.objects.put_regular(content)
    elif key == "lfsFile":
        blob = server.objects.lfs(value["oid"]) if value["oid"] in repository.lfs else None
        if blob is None:
            raise refused(400, "", f"LFS pointer {path} points to an object that was not uploaded")
        tree[path] = blob
    elif key == "deletedFile":
        if tree.pop(path, None) is None:
            raise refused(404, "EntryNotFound", "A file with this name doesn't exist")
    elif key == "deletedFolder":
        for inside in [one for one in tree if one.startswith(path.rstrip("/") + "/")]:
            del tree[inside]


def _ref(request: Request, repository: Repository, kind: str, more: str) -> Answer:
    table = repository.tags if kind == "tag" else repository.branches
    if request.method == "DELETE":
        if table.pop(unquote(more), None) is None:
            raise refused(404, "RevisionNotFound", f"{kind} {unquote(more)} does not exist")
        return as_json({})
    asked = request.json()
    if kind == "tag":
        name, commit = asked["tag"], revision(repository, more)
    else:
        name, commit = unquote(more), revision(repository, asked.get("startingPoint") or "main")
    if name in table:
        raise refused(409, "", f"Reference refs/{kind}s/{name} already exists")
    table[name] = commit.id
    return as_json({}, 201)


def _settings(request: Request, repository: Repository) -> Answer:
    asked = request.json()
    if "gated" in asked:
        repository.gated = bool(asked["gated"])
    if "visibility" in asked or "private" in asked:
        repository.private = asked.get("visibility") == "private" or bool(asked.get("private"))
    return as_json({})
