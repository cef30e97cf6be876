"""The server itself: connections, tokens, a log of requests, and faults on demand.

Guarantees: HTTP/1.1 with connections kept open, bodies with a length or in chunks, the body read before an
error is answered. A fault is a status or a dropped connection, before the work or after it, as often as
told; `call` runs a function at that instant instead (or as well). Storage is a folder and this process.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tests.support.hub import api, xet
from tests.support.hub.repos import ATTRIBUTES, Blob, Commit, Objects, Repository
from tests.support.hub.wire import Answer, RefusedError, Request, User, refused

WRITE_TOKEN = "hf_SecretOfAnnWhoMayWrite"
READ_TOKEN = "hf_SecretOfAnnWhoMayRead"


@dataclass(frozen=True)
class Logged:
    """A request as the log keeps it: `bytes` of its body, and the status answered (0: dropped)."""

    method: str
    path: str
    bytes: int
    status: int


@dataclass
class Fault:
    method: str
    pattern: re.Pattern[str]
    left: int
    status: int | None
    drop: bool
    when: str
    headers: Mapping[str, str]
    body: bytes | None
    call: Callable[[], object] | None


@dataclass
class Server:
    """The state of the Hub and the handles a test has on it. Names of repositories know no case."""

    url: str
    objects: Objects
    page: int = 1000
    chunk: int | None = None
    """Bytes of one part of a multipart upload; None: every file in one PUT."""
    by_xet: bool = False
    """Whether clients are told to send and fetch large files by Xet."""
    storage: xet.Storage = field(default_factory=xet.Storage)
    users: dict[str, User] = field(default_factory=dict)
    repositories: dict[tuple[str, str], Repository] = field(default_factory=dict)
    granted: set[str] = field(default_factory=set)
    requests: list[Logged] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    uploads: dict[str, bytes] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def env(self, home: Path, token: str | None = WRITE_TOKEN) -> dict[str, str]:
        """The environment of a client: everything goes to this server, and caches to `home`."""
        switches = {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_XET_TELEMETRY_ENABLED": "0",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_DISABLE_XET": "0" if self.by_xet else "1",
            "HF_XET_XORB_COMPRESSION_POLICY": "none",
            "HF_XET_CLIENT_RETRY_BASE_DELAY": "20ms",
            "HF_HUB_DISABLE_IMPLICIT_TOKEN": "0",
            "NO_PROXY": "127.0.0.1",
        }
        return switches | {"HF_TOKEN": token or ""}

    # --- what tests ask

    def repository(self, repo: str, type: str = "dataset") -> Repository:
        return self.repositories[type, repo.lower()]

    def commits(self, repo: str, revision: str = "main") -> list[Commit]:
        """The commits of a branch or tag, newest first; the first commit of every repository is the Hub's."""
        with self.lock:
            found = self.repository(repo)
            head = found.resolve(revision)
            return found.history(head) if head else []

    def tree(self, repo: str, revision: str = "main") -> dict[str, Blob]:
        """Path to file at a revision, without `.gitattributes`."""
        return {path: blob for path, blob in self._at(repo, revision).items() if path != ".gitattributes"}

    def tags(self, repo: str) -> dict[str, str]:
        return dict(self.repository(repo).tags)

    def read(self, repo: str, path: str, revision: str = "main") -> bytes:
        return self.objects.read(self._at(repo, revision)[path])

    def bytes_in(self, method: str = "", pattern: str = "") -> int:
        """The bytes that came in by requests of this method whose path holds `pattern`."""
        return sum(one.bytes for one in self.asked(method, pattern))

    def asked(self, method: str = "", pattern: str = "") -> list[Logged]:
        """The requests of this method (all when empty) whose path holds `pattern` (a regular expression)."""
        return [
            one
            for one in list(self.requests)
            if method in ("", one.method) and re.search(pattern, unquote(one.path))
        ]

    def _at(self, repo: str, revision: str) -> dict[str, Blob]:
        with self.lock:
            found = self.repository(repo).resolve(revision)
            assert found is not None, f"{repo} has no revision {revision}"
            return found.tree

    # --- what tests do

    def create(self, repo: str, type: str = "dataset", private: bool = False, gated: bool = False) -> None:
        """Make a repository with the Hub's own first commit."""
        with self.lock:
            made = Repository(type, repo, private, gated)
            made.commit("main", {".gitattributes": self.objects.put_regular(ATTRIBUTES)}, "initial commit")
            self.repositories[type, repo.lower()] = made

    def commit(self, repo: str, files: Mapping[str, bytes | None], title: str = "by another") -> Commit:
        """A commit on main by another writer; None deletes a file."""
        with self.lock:
            found = self.repository(repo)
            tree = dict(found.commits[found.branches["main"]].tree)
            for path, content in files.items():
                if content is None:
                    del tree[path]
                else:
                    tree[path] = self.objects.put_regular(content)
            return found.commit("main", tree, title)

    def fault(
        self,
        method: str,
        pattern: str,
        count: int = 1,
        *,
        status: int | None = None,
        drop: bool = False,
        when: str = "before",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        call: Callable[[], object] | None = None,
    ) -> None:
        """The next `count` requests of `method` whose path holds `pattern` go wrong.

        `status` is answered (with `body` in the place of an error in JSON), or with `drop` the connection
        is closed, `when` = "before" the work or "after" it. `call` runs first; with neither status nor drop
        the request is then served as ever.
        """
        self.faults.append(
            Fault(method, re.compile(pattern), count, status, drop, when, headers or {}, body, call)
        )

    def forget(self) -> None:
        """Empty the log, and call off the faults that did not strike."""
        self.requests.clear()
        self.faults.clear()

    # --- serving

    def answer(self, request: Request) -> Answer | None:
        """The answer to a request, None for a dropped connection; faults strike here."""
        fault = self._fault(request)
        if fault and fault.when == "before":
            return self._strike(fault) or (None if fault.drop else self._work(request))
        answer = self._work(request)
        if fault:
            return self._strike(fault) or (None if fault.drop else answer)
        return answer

    def _work(self, request: Request) -> Answer:
        try:
            return api.answer(self, request)
        except RefusedError as error:
            return error.answer

    def _fault(self, request: Request) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                named = fault.method in ("", request.method) and fault.pattern.search(unquote(request.path))
                if fault.left > 0 and named:
                    fault.left -= 1
                    return fault
        return None

    def _strike(self, fault: Fault) -> Answer | None:
        if fault.call:
            fault.call()
        if fault.status is None:
            return None
        message = {401: "Invalid credentials in Authorization header", 403: "Forbidden by the test"}
        struck = refused(fault.status, "", message.get(fault.status, "a fault of the test")).answer
        body = struck.body if fault.body is None else fault.body
        return Answer(struck.status, body, struck.headers | dict(fault.headers))

    def user(self, authorization: str | None) -> User | None:
        """Whom a header names; None for nobody. Raises RefusedError for a token that is not known."""
        token = (authorization or "").removeprefix("Bearer ").strip()
        if not token:
            return None
        if token not in self.users:
            raise refused(401, "", "Invalid credentials in Authorization header")
        return self.users[token]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    hub: Server

    def _serve(self) -> None:
        body = self._body()
        path, _, query = self.path.partition("?")
        try:
            answer = self._ask(path, query, body)
        except RefusedError as error:
            answer = error.answer
        self.hub.requests.append(Logged(self.command, path, len(body), answer.status if answer else 0))
        if answer is None:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in ({"Content-Length": str(len(answer.body))} | answer.headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def _ask(self, path: str, query: str, body: bytes) -> Answer | None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        user = (
            None if path.startswith(("/storage/", "/cas/")) else self.hub.user(headers.get("authorization"))
        )
        return self.hub.answer(Request(self.command, path, query, headers, body, user, self.hub.url))

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(parts)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve

    def log_message(self, *_: Any) -> None: ...


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: Any) -> None:
        """Clients that are killed, or that go, are part of the tests."""


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Server]:
    """The Hub on a free port of loopback until the block ends; it knows user ann, of organisation acme."""
    handler = type("Handler", (_Handler,), {})
    listener = _Listener(("127.0.0.1", 0), handler)
    server = Server(f"http://127.0.0.1:{listener.server_port}", Objects(folder / "objects"))
    server.users = {WRITE_TOKEN: User("ann", "write", ("acme",)), READ_TOKEN: User("ann", "read", ("acme",))}
    handler.hub = server  # type: ignore[attr-defined]
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()
