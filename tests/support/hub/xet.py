"""Xet, the way by which large files go to the Hub and come back: chunks stored by hash, files made of them.

Guarantees: a file is known once a shard has listed its chunks, and a shard whose chunks are not here, or do
not have the sha256 it announces, is refused. Version 1 of the protocol is served; the newer endpoints and the
search for chunks of others answer 404, after which the client goes on without. Left out: compressed chunks
(`Server.env` tells the client to send them as they are), tokens that run out, verification entries.
"""

from __future__ import annotations

import hashlib
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.support.hub.files import RANGE, part
from tests.support.hub.repos import Repository
from tests.support.hub.wire import Answer, Request, as_json, refused

if TYPE_CHECKING:
    from tests.support.hub.server import Server

ENTRY = 48
"""Bytes of every entry of a shard, header and terms alike."""


class Chunk(NamedTuple):
    """A chunk of a xorb: where its header begins, where its bytes begin and end; in bytes."""

    start: int
    data: int
    end: int

    @property
    def size(self) -> int:
        return self.end - self.data


class Term(NamedTuple):
    """A part of a file: the chunks `first` to `end` (without) of a xorb."""

    xorb: str
    first: int
    end: int


@dataclass
class Storage:
    """Xorbs by hash, and files as lists of terms by hash."""

    xorbs: dict[str, bytes] = field(default_factory=dict)
    chunks: dict[str, list[Chunk]] = field(default_factory=dict)
    files: dict[str, list[Term]] = field(default_factory=dict)

    def content(self, terms: list[Term]) -> bytes:
        return b"".join(
            self.xorbs[term.xorb][chunk.data : chunk.end]
            for term in terms
            for chunk in self.chunks[term.xorb][term.first : term.end]
        )


def token(request: Request, repository: Repository, kind: str) -> Answer:
    """Leave to use the storage for one repository; `kind` is "read" or "write"."""
    url = f"{request.origin}/cas/{repository.type}/{repository.id}"
    secret, until = _secret(kind, repository), int(time.time()) + 3600
    named = {"X-Xet-Cas-Url": url, "X-Xet-Access-Token": secret, "X-Xet-Token-Expiration": str(until)}
    answer = as_json({"accessToken": secret, "exp": until, "casUrl": url})
    return Answer(answer.status, answer.body, answer.headers | named)


def _secret(kind: str, repository: Repository) -> str:
    return f"xet-{kind}-{repository.type}-{repository.id}".replace("/", "-")


def cas(server: Server, request: Request) -> Answer:
    """The storage; the address names the repository, so that tests can tell whose requests they see."""
    type, namespace, name, *what = request.path.removeprefix("/cas/").split("/")
    repository = server.repository(f"{namespace}/{name}", type)
    if request.method == "GET" and what[0] == "data":
        return part(server.storage.xorbs[what[1]], request.headers.get("range"), {})
    kinds = ("write",) if request.method == "POST" else ("read", "write")
    if request.headers.get("authorization") not in [f"Bearer {_secret(kind, repository)}" for kind in kinds]:
        raise refused(401, "", "this token is not for this")
    with server.lock:
        match request.method, what:
            case "POST", ["v1", "xorbs", "default", hash]:
                return _keep(server.storage, hash, request.body)
            case "POST", ["v1", "shards"]:
                return _register(server, repository, request.body)
            case "GET", ["v1", "reconstructions", hash]:
                return _reconstruction(server.storage, request, hash)
    raise refused(404, "", f"no such endpoint: {request.method} {request.path}")


def _keep(storage: Storage, hash: str, content: bytes) -> Answer:
    new = hash not in storage.xorbs
    storage.xorbs[hash], storage.chunks[hash] = content, list(_chunks(content))
    return as_json({"was_inserted": new})


def _chunks(content: bytes) -> Iterator[Chunk]:
    at = 0
    while at < len(content) and content[at : at + 7] != b"XETBLOB":  # what follows the chunks
        if content[at + 4]:
            raise refused(400, "", "a chunk is compressed; this Hub takes plain ones")
        data = at + 8
        yield Chunk(at, data, at := data + int.from_bytes(content[at + 1 : at + 4], "little"))


def _register(server: Server, repository: Repository, shard: bytes) -> Answer:
    for hash, terms, sha256 in _files(shard):
        if any(term.xorb not in server.storage.xorbs for term in terms):
            raise refused(400, "", "a shard lists a xorb that is not here")
        content = server.storage.content(terms)
        if hashlib.sha256(content).hexdigest() != sha256:
            raise refused(400, "", f"the chunks of {hash} do not have the sha256 {sha256}")
        server.storage.files[hash] = terms
        server.objects.xet[sha256] = hash
        repository.lfs.add(server.objects.put_lfs(content))
    return as_json({"result": 1})


def _files(shard: bytes) -> Iterator[tuple[str, list[Term], str]]:
    """Hash, terms and sha256 of each file that a shard lists."""
    at = ENTRY
    while shard[at : at + 32] != b"\xff" * 32:
        hash, flags, count = _text(shard[at:]), *struct.unpack_from("<II", shard, at + 32)
        at += ENTRY
        entries = [shard[at + ENTRY * number :] for number in range(count)]
        terms = [Term(_text(entry), *struct.unpack_from("<II", entry, 40)) for entry in entries]
        at += ENTRY * count * (2 if flags >> 31 else 1)  # as many verification entries follow
        if not flags >> 30 & 1:
            raise refused(400, "", f"the shard announces no sha256 of {hash}")
        yield hash, terms, _text(shard[at:])
        at += ENTRY


def _text(hash: bytes) -> str:
    return "".join(f"{number:016x}" for number in struct.unpack_from("<4Q", hash))


def _reconstruction(storage: Storage, request: Request, hash: str) -> Answer:
    """The terms that hold the range asked for, and where to fetch them."""
    if hash not in storage.files:
        raise refused(404, "", f"no file {hash}")
    found = RANGE.fullmatch(request.headers.get("range", ""))
    first, last = (int(found[1] or 0), int(found[2] or 2**62)) if found else (0, 2**62)
    at, offset, terms = 0, None, []
    fetch: dict[str, list[dict[str, Any]]] = {}
    for xorb, start, end in storage.files[hash]:
        inside = []
        for number in range(start, end):
            begins, at = at, at + storage.chunks[xorb][number].size
            if begins <= last and at > first:
                inside.append(number)
                offset = first - begins if offset is None else offset
        if inside:
            chunks = storage.chunks[xorb][inside[0] : inside[-1] + 1]
            span = {"start": inside[0], "end": inside[-1] + 1}
            terms.append({"hash": xorb, "unpacked_length": sum(one.size for one in chunks), "range": span})
            url = f"{request.origin}{request.path.partition('/v1/')[0]}/data/{xorb}"
            bytes = {"start": chunks[0].start, "end": chunks[-1].end - 1}
            fetch.setdefault(xorb, []).append({"range": span, "url": url, "url_range": bytes})
    if offset is None:
        raise refused(416, "", "the file ends before")
    return as_json({"offset_into_first_range": offset, "terms": terms, "fetch_info": fetch})
