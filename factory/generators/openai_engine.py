"""The engine for OpenAI-compatible servers: `vllm serve`, llama.cpp, hosted ones.

Guarantees: requests are pulled as there is room and completions come out as they finish; what can pass is
tried again with growing, jittered waits and never sooner than Retry-After asks; how many requests run at
once follows what the server bears; an error that no waiting cures (no server, no key, no such model)
ends the run with what to do about it, after everything finished before it has come out. The key never
stands in a message or a log. Left out: replies in streams, prices, and the server's own defaults: a server
that reads sampling parameters from the model's files (`vllm serve` does) must be told not to
(`--generation-config vllm`), or decoding is not only what the recipe says.
"""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import httpx2
import tenacity

from factory.errors import OutsideError
from factory.generators import openai_wire as wire
from factory.generators.base import Completion, Failure, Request
from factory.generators.pacing import Pace
from factory.recipe import OpenAIGenerator

log = logging.getLogger(__name__)

ATTEMPTS: Final = 6
FIRST_ATTEMPTS: Final = 4
"""Attempts to reach a server that never answered: it is more likely not started than overwhelmed."""

LONGEST_BACKOFF: Final = 30.0

FAILURES: Final = 20
"""So many failures without a success between them end the run."""


CLOSED: Final = "the engine was closed while it served requests"


class OpenAIEngine:
    """A connection to one server, as one generator uses it.

    `environment` is where the key is looked up; `backoff` the first wait in seconds, doubled each time.
    Raises UsageError for a base_url that cannot be one and for a key that is not there.
    """

    def __init__(
        self,
        config: OpenAIGenerator,
        environment: Mapping[str, str] = os.environ,
        *,
        backoff: float = 0.5,
    ) -> None:
        wire.check_url(config.base_url)
        self._config = config
        self._key = wire.key_of(config, environment)
        self._backoff = backoff
        self._links: list[_Link] = []

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion | Failure]:
        """Serve all requests, in any order; raises OutsideError when the server cannot serve any more.

        `requests` is pulled in the caller's thread, at most twice `concurrency` ahead of what was yielded.
        """
        link = _Link(self._config, self._key, self._backoff)
        self._links.append(link)
        try:
            yield from link.serve(requests)
        finally:
            link.stop()
            self._links.remove(link)

    def close(self) -> None:
        """Drop what is under way, also for an iterator that was left before its end."""
        for link in list(self._links):
            link.stop()


class _Link:
    """One pass over requests: an asyncio loop in a thread, its client, and a queue back to the caller."""

    def __init__(self, config: OpenAIGenerator, key: str | None, backoff: float) -> None:
        self._config, self._key = config, key
        self._pace = Pace(config.concurrency)
        self._base = httpx2.URL(wire.check_url(config.base_url))
        self._answered = False
        self._failed: set[str] = set()
        self._results: queue.SimpleQueue[Completion | Failure | BaseException] = queue.SimpleQueue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._stopped = self._hopeless = False
        self._waits = tenacity.wait_random_exponential(multiplier=backoff, max=LONGEST_BACKOFF)
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._loop = self._runner.get_loop()
        self._client = httpx2.AsyncClient(
            headers={"content-type": "application/json"}
            | ({"authorization": f"Bearer {key}"} if key else {}),
            timeout=httpx2.Timeout(config.timeout, connect=min(10.0, config.timeout), pool=None),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=config.concurrency),
        )
        self._thread = threading.Thread(target=self._run, name=f"openai {config.model}", daemon=True)
        self._thread.start()

    # --- in the caller's thread ----------------------------------------------------------------------

    def serve(self, requests: Iterable[Request]) -> Iterator[Completion | Failure]:
        # Twice the concurrency: a full round waits on this side while the caller is busy with a result.
        # The bound on what is handed over is also the bound of the queue back.
        source, under_way, more = iter(requests), 0, True
        while True:
            while more and under_way < 2 * self._config.concurrency:
                request = next(source, None)
                if request is None:
                    more = False
                    break
                if self._stopped:
                    raise RuntimeError(CLOSED)
                self._loop.call_soon_threadsafe(self._start, request)
                under_way += 1
            if not under_way:
                return
            result = self._results.get()
            if isinstance(result, BaseException):
                raise result
            under_way -= 1
            yield result

    def stop(self) -> None:
        if not self._stopped:
            self._stopped = True
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()

    # --- in the thread of the loop -------------------------------------------------------------------

    def _run(self) -> None:
        try:
            with self._runner:
                self._runner.run(self._live())
        finally:  # a caller that waits, or comes back after close(), must not wait for ever
            self._results.put(RuntimeError(CLOSED))

    async def _live(self) -> None:
        async with self._client:
            await self._stopping.wait()
            self._drop_all()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, request: Request) -> None:
        if not self._hopeless:
            task = self._loop.create_task(self._finish(request))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _drop_all(self) -> None:
        for task in self._tasks - {asyncio.current_task()}:
            task.cancel()

    async def _finish(self, request: Request) -> None:
        try:
            self._results.put(await self._serve(request))
        except Exception as error:  # also a fault of this program: the caller's thread is where it is seen
            self._results.put(error)
            # At once, before those that wait for room get it: a server that refuses a key may count.
            self._hopeless = True
            self._drop_all()

    async def _serve(self, request: Request) -> Completion | Failure:
        seen: Counter[str] = Counter()
        began: list[float] = []

        async def attempt() -> Completion:
            async with self._pace.room() as start:
                began.append(start)
                try:
                    reply = await self._ask(request)
                except wire.Fault as fault:
                    fault.args = (self._shown(str(fault)),)
                    seen[str(fault)] += 1
                    self._heed(fault, start)
                    raise
                self._pace.succeeded()
                self._failed.clear()
                return self._completion(request, reply, self._loop.time() - began[0])

        retrying = tenacity.AsyncRetrying(
            stop=lambda state: state.attempt_number >= self._most_attempts(state),
            wait=self._wait,
            retry=tenacity.retry_if_exception(lambda error: isinstance(error, wire.Fault) and error.passing),
            reraise=True,
        )
        try:
            return await retrying(attempt)
        except wire.Fault as fault:
            await self._raise_if_hopeless(fault)
            return self._failure(request, fault, seen)

    async def _ask(self, request: Request) -> wire.Reply:
        path, body = wire.path_of(request), wire.body_of(self._config, request)
        try:
            async with asyncio.timeout(self._config.timeout):
                return wire.read_reply(await self._exchange("POST", path, body))
        except (TimeoutError, httpx2.TimeoutException) as error:
            unreachable = isinstance(error, httpx2.ConnectTimeout)
            reason = "no connection in time" if unreachable else f"no reply in {self._config.timeout:g} s"
            raise wire.Fault(reason, pressure=True, unreachable=unreachable) from error
        except httpx2.ConnectError as error:
            raise wire.Fault(f"no connection ({error})", pressure=True, unreachable=True) from error
        except httpx2.RequestError as error:
            raise wire.Fault(f"connection cut ({type(error).__name__}: {error})") from error

    async def _exchange(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """The body of a 2xx reply; raises Fault for any other and for one larger than any completion."""
        async with self._client.stream(method, self._base.join(path), content=body) as response:
            self._answered = True
            payload = bytearray()
            async for chunk in response.aiter_bytes():
                payload += chunk
                if len(payload) > wire.LARGEST_REPLY:
                    raise wire.Fault(f"a reply of more than {wire.LARGEST_REPLY} bytes")
            if not response.is_success:
                raise wire.fault_of(response.status_code, response.headers, bytes(payload))
            return bytes(payload)

    def _heed(self, fault: wire.Fault, start: float) -> None:
        log.debug("%s: %s", self._config.base_url, fault)
        if fault.pressure:
            self._pace.pressed(start)
        if fault.passing:
            self._pace.pause(fault.wait)

    def _most_attempts(self, state: tenacity.RetryCallState) -> int:
        return FIRST_ATTEMPTS if _fault(state).unreachable and not self._answered else ATTEMPTS

    def _wait(self, state: tenacity.RetryCallState) -> float:
        return _fault(state).wait + self._waits(state)

    async def _raise_if_hopeless(self, fault: wire.Fault) -> None:
        """Raise OutsideError for a fault that every other request would meet as well."""
        if (fault.unreachable and not self._answered) or fault.status in (401, 403):
            raise wire.hopeless(self._config, fault)
        if fault.status == 404:
            asked = f"{self._config.base_url}: {fault}. Asked for the model {self._config.model!r}; "
            raise OutsideError(asked + await self._models())

    def _failure(self, request: Request, fault: wire.Fault, seen: Counter[str]) -> Failure:
        """Give up one request, or, when nothing has succeeded for long, all of them."""
        # A refused prompt says nothing of other prompts: all its draws count once.
        self._failed.add(request.problem_id if fault.final else request.sample_id)
        told = ", ".join(f"{reason} x{count}" if count > 1 else reason for reason, count in seen.items())
        attempts = sum(seen.values())
        reason = told if attempts == 1 else f"gave up after {attempts} attempts: {told}"
        if len(self._failed) >= FAILURES:
            raise OutsideError(
                f"{self._config.base_url}: {FAILURES} requests failed with no success between them; "
                f"the last: {reason}. Look at the server's log and run again: what was finished is kept"
            )
        return Failure(request, reason)

    async def _models(self) -> str:
        advice = "check that base_url ends where the API begins, commonly in /v1"
        try:
            async with asyncio.timeout(10):
                names = wire.read_models(await self._exchange("GET", "models"))
        except (wire.Fault, httpx2.RequestError, TimeoutError):
            return f"its list of models cannot be read: {advice}"
        return f"the server has {', '.join(names[:20]) or 'none'}: name one of these, or {advice}"

    def _completion(self, request: Request, reply: wire.Reply, seconds: float) -> Completion:
        return Completion(
            request=request,
            text=reply.text,
            finish_reason=reply.finish_reason,
            prompt_tokens=reply.prompt_tokens,
            completion_tokens=reply.completion_tokens,
            seed=request.seed if self._config.send_seed else None,
            logprob=None,
            flops=wire.flops_of(reply, self._config.active_parameters),
            seconds=seconds,
        )

    def _shown(self, reason: str) -> str:
        """`reason` for people: without the key, which some servers and libraries repeat, and on one line."""
        return wire.one_line(reason.replace(self._key, "***") if self._key else reason)


def _fault(state: tenacity.RetryCallState) -> wire.Fault:
    """The fault of the last attempt; retries wait on nothing else."""
    error = state.outcome.exception() if state.outcome else None
    return error if isinstance(error, wire.Fault) else wire.Fault("nothing was seen")
