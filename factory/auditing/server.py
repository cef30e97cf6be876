"""The web page of an audit, served to this machine alone.

Guarantees: it listens on 127.0.0.1; every address holds a random token, so that no other user, page or
program of this machine finds it; a request must name this server as its host (a page elsewhere whose name
was pointed at this machine does not), and one that writes must come from this very page. The page loads
nothing from elsewhere and runs no script but its own file. Whatever stands in an item goes out as JSON and is
shown as text. Left out: encryption (the traffic stays in the machine), and what is served (`desk.py`).
"""

from __future__ import annotations

import hmac
import importlib.resources
import json
import secrets
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from factory.auditing.desk import Desk
from factory.errors import FactoryError, UsageError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

HOST: Final = "127.0.0.1"
MOST_BYTES: Final = 64 * 1024
"""Bytes of a request's body."""

MOST_PATH: Final = 100
"""Letters of a request's path; those of the page are shorter."""

RETRY_SECONDS: Final = 1.0
_FILES: Final = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def listen(port: int) -> socket.socket:
    """A socket on this machine's loopback at `port`, or any free one for 0. Raises UsageError when taken."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen(64)
    except (OSError, OverflowError) as error:
        listening.close()
        why = error.strerror.lower() if isinstance(error, OSError) and error.strerror else "0 to 65535"
        raise UsageError(
            f"--port {port} cannot be had on {HOST} ({why}); take another one, or leave --port out"
        ) from error
    return listening


def serve(desk: Desk, listening: socket.socket, opened: Callable[[str], None]) -> None:
    """Serve the page until ctrl-C or SIGTERM. `opened` is told its address before the first request."""
    import uvicorn

    port = int(listening.getsockname()[1])
    token = secrets.token_urlsafe(24)
    config = uvicorn.Config(
        application(desk, token, port),
        lifespan="off",
        access_log=False,
        log_config=None,
        http="h11",
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=2,
        timeout_keep_alive=5,
    )
    trying = threading.Thread(target=desk.keep_trying, args=(RETRY_SECONDS,), daemon=True)
    trying.start()
    try:
        opened(f"http://{HOST}:{port}/{token}/")
        uvicorn.Server(config).run(sockets=[listening])
    except KeyboardInterrupt:
        pass  # the way to end it
    finally:
        desk.stop()
        trying.join()
        listening.close()


def application(desk: Desk, token: str, port: int) -> ASGIApp:
    """The application: page, items, gold answers and labels under /TOKEN/, and nothing else."""
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Mount, Route

    def file(name: str, kind: str) -> Callable[[Request], Response]:
        content = importlib.resources.files("factory.auditing").joinpath("static", name).read_bytes()
        return lambda _: Response(content, media_type=kind)

    def told(of: Callable[[int], dict[str, Any]]) -> Callable[[Request], Response]:
        def answer(request: Request) -> Response:
            try:
                return JSONResponse(of(request.path_params["number"]))
            except IndexError:
                return _refused(404, "there is no such item")

        return answer

    def state(_: Request) -> Response:
        return JSONResponse(desk.state())

    async def label(request: Request) -> Response:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MOST_BYTES:
                return _refused(413, f"a label and its note are at most {MOST_BYTES:,} bytes")
        return await run_in_threadpool(_take, desk, request.path_params["number"], bytes(body))

    routes = [
        *(Route(path, file(*one)) for path, one in _FILES.items()),
        Route("/state", state),
        Route("/items/{number:int}", told(desk.item)),
        Route("/items/{number:int}/gold", told(desk.gold)),
        Route("/items/{number:int}/label", label, methods=["POST"]),
    ]
    return _guarded(Starlette(routes=[Mount(f"/{token}", routes=routes)]), token, port)


def _take(desk: Desk, number: int, body: bytes) -> Response:
    """Label item `number` as a request asks: {"label": .., "note": ..}."""
    from starlette.responses import JSONResponse

    try:
        asked = json.loads(body)
        return JSONResponse(desk.label(number, str(asked["label"]), str(asked.get("note") or "")))
    except IndexError:
        return _refused(404, "there is no such item")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return _refused(400, f"that is no label ({error})")
    except (FactoryError, OSError) as error:
        return _refused(507, f"the label could not be kept: {error}")


def _refused(status: int, why: str) -> Response:
    from starlette.responses import JSONResponse

    return JSONResponse({"error": why}, status)


def _guarded(inner: ASGIApp, token: str, port: int) -> ASGIApp:
    """`inner` behind the checks of every request, with the headers of every answer."""
    hosts = [f"{HOST}:{port}", f"localhost:{port}"]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def answer(message: Any) -> None:
            if message["type"] == "http.response.start":
                added = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]
                message = {**message, "headers": [*message.get("headers", ()), *added]}
            await send(message)

        refused = _objection(scope, hosts, token)
        await (inner if refused is None else refused)(scope, receive, answer)

    return app


def _objection(scope: Scope, hosts: list[str], token: str) -> Response | None:
    """The refusal of a request that does not come from the page of this server, or None."""
    sent = {name: value.decode("latin-1") for name, value in scope["headers"]}
    host = sent.get(b"host", "")
    if host not in hosts:
        return _refused(421, f"this server is {hosts[0]} and nothing else")
    begins = scope["path"].removeprefix("/").partition("/")[0].encode("utf-8", "replace")
    if len(scope["path"]) > MOST_PATH or not hmac.compare_digest(begins, token.encode()):
        return _refused(404, "there is nothing here; open the address that `factory audit` said")
    followed = sent.get(b"sec-fetch-mode") == "navigate"  # a link, in a web mail or a terminal in a browser
    if sent.get(b"sec-fetch-site", "none") not in ("none", "same-origin") and not followed:
        return _refused(403, "the request comes from another page")
    if scope["method"] not in ("GET", "HEAD"):
        if sent.get(b"origin") != f"http://{host}":
            return _refused(403, "the request comes from another page")
        if sent.get(b"content-type", "").partition(";")[0].strip() != "application/json":
            return _refused(415, "a label is sent as application/json")
    return None
