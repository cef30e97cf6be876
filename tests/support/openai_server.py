"""A scripted OpenAI-compatible server, for tests and benchmarks; the standard library alone.

Guarantees: an answer depends on (model, prompt, seed) and on nothing else; sums and products of whole
numbers are answered rightly or wrongly in a fixed share of seeds, with steps and "The answer is N."; faults
come exactly where the script puts them; every request is kept in a log. Left out: tokenizers (a token is a
word), streaming, sampling (of decoding it heeds max_tokens and whether temperature is 0), TLS.

    with ScriptedServer(faults=[Fault("429", at=range(3))]) as server: ... server.base_url ... server.log
    python tests/support/openai_server.py --port 8000 --delay 0.2 --fault 500@%7 --fault cut~apples
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

KINDS = ("malformed", "cut", "empty_choices", "empty_text", "slow", "huge")
"""Faults besides HTTP statuses; the last three come with status 200."""


@dataclass(frozen=True)
class Fault:
    """`kind` is one of KINDS or an HTTP status; it strikes where all of the conditions given hold.

    at: numbers of requests (0, 1, ...); every: numbers divisible by it; contains: a text in the prompt.
    `retry_after` is the header's value; `body` replaces the body of an error; `seconds` is for `slow`.
    """

    kind: str
    at: Collection[int] | None = None
    every: int | None = None
    contains: str | None = None
    retry_after: str | None = None
    body: str | None = None
    seconds: float = 5.0

    def strikes(self, number: int, prompt: str) -> bool:
        return (
            (self.at is None or number in self.at)
            and (self.every is None or number % self.every == 0)
            and (self.contains is None or self.contains in prompt)
        )


def parse_fault(text: str) -> Fault:
    """KIND@3, KIND@3-9, KIND@%7 or KIND~text; 429:2 asks to wait two seconds."""
    kind, sign, where = re.fullmatch(r"([^@~]+)(?:([@~])(.*))?", text, re.DOTALL).groups()  # type: ignore[union-attr]
    kind, _, wait = kind.partition(":")
    if kind not in KINDS and not re.fullmatch(r"[45]\d\d", kind):
        raise ValueError(f"{text}: a fault is an HTTP status or one of {', '.join(KINDS)}")
    if sign == "~":
        return Fault(kind, contains=where, retry_after=wait or None)
    if sign and where.startswith("%"):
        return Fault(kind, every=int(where[1:]), retry_after=wait or None)
    first, to, last = (where or "").partition("-")
    numbers = range(int(first), int(last if to else first) + 1) if sign else None
    return Fault(kind, at=numbers, retry_after=wait or None)


# --- answers -----------------------------------------------------------------------------------------

_SUM = re.compile(r"-?\d+(?:\s*[-+*×]\s*\d+)+")


def value(expression: str) -> int:
    """The value of whole numbers joined by + - * ×, products first."""
    terms = re.findall(r"([-+]?)\s*(\d+(?:\s*[*×]\s*\d+)*)", expression)
    total = 0
    for sign, product in terms:
        term = 1
        for factor in re.findall(r"\d+", product):
            term *= int(factor)
        total += -term if sign == "-" else term
    return total


def answer(model: str, prompt: str, seed: object, share_right: float = 0.5) -> str:
    """The completion of a prompt; its last sum or product is what is asked for."""
    digest = hashlib.sha256(json.dumps([model, prompt, seed]).encode()).digest()
    draw = int.from_bytes(digest[:4], "big") / 2**32
    found = _SUM.findall(prompt)
    if not found:
        return f"This is not a sum that I can see. The answer is {digest[4]}."
    expression = " ".join(found[-1].split())
    right = value(expression)
    said = right if draw < share_right else right + (1 + digest[5] % 9) * (-1 if digest[6] % 2 else 1)
    opening = ("Let us compute.", "Step by step:", "We write it down.")[digest[7] % 3]
    return f"{opening}\n{expression} = {said}\nThe answer is {said}."


# --- the server --------------------------------------------------------------------------------------


@dataclass
class Logged:
    """One request: its number among completions (None for others), its parts, and what was done with it."""

    number: int | None
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    done: str
    at: float = field(default_factory=time.monotonic)


class ScriptedServer:
    """Listens on 127.0.0.1 from `with` to its end; `base_url` is what a recipe writes.

    delay: seconds each completion takes. words: pad each completion to so many tokens. share_right: share of
    seeds that are answered rightly. models: known names; others get 404; None: all are known.
    `reply(body)`, where given, replaces the whole JSON reply. `most_at_once` is the peak of requests in work.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        delay: float = 0.0,
        words: int = 0,
        share_right: float = 0.5,
        models: Sequence[str] | None = None,
        faults: Sequence[Fault] = (),
        key: str | None = None,
        reply: Callable[[dict[str, Any]], object] | None = None,
    ) -> None:
        self.port, self.delay, self.words, self.share_right = port, delay, words, share_right
        self.models, self.faults, self.key, self.reply = models, tuple(faults), key, reply
        self.log: list[Logged] = []
        self.most_at_once = 0
        self._at_once = self._number = 0
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def done(self) -> Counter[str]:
        """How often each fault, or `answered`, was served."""
        return Counter(one.done for one in self.log if one.number is not None)

    def __enter__(self) -> ScriptedServer:
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self.serve(ready.set)), daemon=True)
        self._thread.start()
        if not ready.wait(10):
            raise RuntimeError("the scripted server did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def serve(self, ready: Callable[[], None]) -> None:
        """Listen until stopped; `ready` is called as soon as `port` is known."""
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connection, "127.0.0.1", self.port, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        ready()
        await self._stop.wait()
        # No more connections, but the server stays open for those just accepted: asyncio loses their sockets
        # else. They need some turns of the loop to get their writers, and all need some to close.
        for listening in server.sockets:
            self._loop.remove_reader(listening.fileno())
        for _ in range(20):
            await asyncio.sleep(0)
            for writer in self._writers:
                writer.transport.abort()
        server.close()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while await self._request(reader, writer):
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has gone, or the server stops
        finally:
            writer.close()  # it stays among the writers: one that is still flushing is aborted at the end

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serve one request; whether the connection stays open."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        path = head[0].split(" ")[1]
        headers = {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in head[1:])}
        body = json.loads(await reader.readexactly(int(headers.get("content-length", 0))) or b"{}")
        if not path.endswith("/completions"):
            self.log.append(Logged(None, path, headers, body, "answered"))
            known = [{"id": name, "object": "model"} for name in self.models or ["scripted"]]
            writer.write(_http(200, {"object": "list", "data": known}))
            return True
        number, self._number = self._number, self._number + 1
        prompt = body["prompt"] if "prompt" in body else body["messages"][-1]["content"]
        fault = next((one for one in self.faults if one.strikes(number, prompt)), None) or self._refusal(
            headers, body
        )
        self.log.append(Logged(number, path, headers, body, fault.kind if fault else "answered"))
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            await asyncio.sleep(self.delay + (fault.seconds if fault and fault.kind == "slow" else 0))
        finally:
            self._at_once -= 1
        writer.write(self._payload(path, body, prompt, fault))
        return fault is None or fault.kind != "cut"

    def completion(self, one: Logged) -> dict[str, Any]:
        """What a logged request is answered with, with its tokens, whether the reply is read or not."""
        prompt = one.body["prompt"] if "prompt" in one.body else one.body["messages"][-1]["content"]
        return self._completion(one.path, one.body, prompt, "")

    def _refusal(self, headers: dict[str, str], body: dict[str, Any]) -> Fault | None:
        if self.key is not None and headers.get("authorization") != f"Bearer {self.key}":
            return Fault("401")
        return Fault("404") if self.models is not None and body["model"] not in self.models else None

    def _payload(self, path: str, body: dict[str, Any], prompt: str, fault: Fault | None) -> bytes:
        kind = fault.kind if fault else ""
        if fault and kind.isdigit():
            error = {"error": {"message": f"scripted {kind}", "type": "scripted"}}
            text = json.dumps(error) if fault.body is None else fault.body
            return _http(int(kind), text, {"retry-after": fault.retry_after})
        reply = self._completion(path, body, prompt, kind) if self.reply is None else self.reply(body)
        if kind == "malformed":
            return _http(200, json.dumps(reply)[:-20])
        if kind == "cut":
            return _http(200, reply)[:-20]
        return _http(200, {"choices": [], "padding": " " * 70_000_000} if kind == "huge" else reply)

    def _completion(self, path: str, body: dict[str, Any], prompt: str, kind: str) -> dict[str, Any]:
        seed = body.get("seed") if body.get("temperature", 1) else None
        text = answer(body["model"], prompt, seed, self.share_right)
        text += " and so on" * max(0, -(-(self.words - len(text.split())) // 3))
        pieces = re.findall(r"\s*\S+", text)
        most = min(self.words or len(pieces), body.get("max_tokens", len(pieces)))
        text, finish = "".join(pieces[:most]), "length" if len(pieces) > most else "stop"
        text = "" if kind == "empty_text" else text
        chat = path.endswith("chat/completions")
        choice = {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
        asked, written = len(prompt.split()), len(text.split())
        return {
            "id": f"scripted-{self._number}",
            "object": "chat.completion" if chat else "text_completion",
            "created": 0,
            "model": body["model"],
            "choices": [] if kind == "empty_choices" else [{"index": 0, **choice, "finish_reason": finish}],
            "usage": {
                "prompt_tokens": asked,
                "completion_tokens": written,
                "total_tokens": asked + written,
            },
        }


def _http(status: int, reply: object, headers: dict[str, str | None] | None = None) -> bytes:
    payload = (reply if isinstance(reply, str) else json.dumps(reply)).encode()
    lines = [
        f"HTTP/1.1 {status} Scripted",
        "content-type: application/json",
        f"content-length: {len(payload)}",
    ]
    lines += [f"{name}: {text}" for name, text in (headers or {}).items() if text is not None]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + payload


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds for each completion")
    parser.add_argument("--words", type=int, default=0, help="pad each completion to so many tokens")
    parser.add_argument("--share-right", type=float, default=0.5, help="share of seeds answered rightly")
    parser.add_argument("--fault", action="append", default=[], type=parse_fault, help=parse_fault.__doc__)
    options = parser.parse_args()
    server = ScriptedServer(
        port=options.port,
        delay=options.delay,
        words=options.words,
        share_right=options.share_right,
        faults=options.fault,
    )
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(server.serve(lambda: print(server.base_url, flush=True)))


if __name__ == "__main__":
    main()
