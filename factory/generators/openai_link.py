"""One pass of requests over a connection to an OpenAI-compatible server: attempts, waits and giving up.

Guarantees: an asyncio loop in a thread of its own serves the requests, so the caller may take its time; what
was refused outright cost nothing, and whatever else came to nothing says that it may have begun. Left out:
what stands on the wire (`openai_wire.py`), and how many run at once (`pacing.py`).
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import httpx2
import tenacity

from factory.errors import OutsideError
from factory.generators import openai_wire as wire
from factory.generators.base import Completion, Failure, Request
from factory.generators.pacing import Pace
from factory.generators.pulling import IDLE_SECONDS, pull
from factory.recipe import OpenAIGenerator

log = logging.getLogger(__name__)

ATTEMPTS: Final = 6
FIRST_ATTEMPTS: Final = 4
"""Attempts to reach a server that never answered: it is more likely not started than overwhelmed."""

LONGEST_BACKOFF: Final = 30.0

FAILURES: Final = 20
"""So many failures without a success between them end the run."""


CLOSED: Final = "the engine was closed while it served requests"


class Link:
    """One pass over requests: an asyncio loop in a thread, its client, and a queue back to the caller."""

    def __init__(
        self,
        config: OpenAIGenerator,
        key: str | None,
        backoff: float,
        again: Callable[[Request], bool | None],
    ) -> None:
        self._config, self._key, self._again = config, key, again
        self._pace = Pace(config.concurrency)
        self._base = httpx2.URL(wire.check_url(config.base_url))
        self._answered = False
        self._failed: set[str] = set()
        self._results: queue.SimpleQueue[Completion | Failure | BaseException] = queue.SimpleQueue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._owed: dict[str, Request] = {}
        self._stopping = asyncio.Event()
        self._stopped = self._hopeless = self._refused = self._served = False
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

    def serve(self, requests: Iterable[Request | None]) -> Iterator[Completion | Failure]:
        # Twice the concurrency: a full round waits on this side while the caller is busy with a result.
        # The bound on what is handed over is also the bound of the queue back.
        source, under_way, more, most = iter(requests), 0, True, 2 * self._config.concurrency
        while True:
            room = 0 if self._hopeless else most - under_way
            ready, more = pull(source, room) if more else ([], False)
            for request in ready:
                if self._stopped:
                    raise RuntimeError(CLOSED)
                self._loop.call_soon_threadsafe(self._start, request)
            under_way += len(ready)
            if not (more or under_way or self._hopeless):
                return
            # With room left and more to come, what is not ready now may be soon.
            asked_again = more and len(ready) < room and not self._hopeless
            try:
                result = self._results.get(timeout=IDLE_SECONDS if asked_again else None)
            except queue.Empty:
                continue
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
            self._owed[request.sample_id] = request
            task = self._loop.create_task(self._finish(request))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _drop_all(self) -> None:
        for task in self._tasks - {asyncio.current_task()}:
            task.cancel()

    async def _finish(self, request: Request) -> None:
        try:
            outcome = await self._serve(request)
            del self._owed[request.sample_id]
            self._results.put(outcome)
        except Exception as error:  # also a fault of this program: the caller's thread is where it is seen
            # At once, before those that wait for room get it: a server that refuses a key may count.
            self._hopeless = True
            self._drop_all()
            if self._refused and not self._served:  # whoever is refused from the start has cost nothing
                for one in self._owed.values():
                    self._results.put(Failure(one, wire.one_line(str(error))))
                self._owed.clear()
            self._results.put(error)

    async def _serve(self, request: Request) -> Completion | Failure:
        seen: Counter[str] = Counter()
        began: list[float] = []
        last: list[wire.Fault] = []

        async def attempt() -> Completion:
            if last and last[-1].began:
                await self._allowed(request, last[-1])
            async with self._pace.room() as start:
                began.append(start)
                try:
                    reply = await self._ask(request)
                except wire.Fault as fault:
                    fault.args = (self._shown(str(fault)),)
                    seen[str(fault)] += 1
                    last.append(fault)
                    self._heed(fault, start)
                    raise
                self._pace.succeeded()
                self._failed.clear()
                self._served = True
                return self._completion(request, reply, self._loop.time() - began[0])

        retrying = tenacity.AsyncRetrying(
            stop=lambda state: state.attempt_number >= self._most_attempts(state),
            wait=self._wait,
            retry=tenacity.retry_if_exception(lambda error: isinstance(error, wire.Fault) and error.passing),
            reraise=True,
        )
        try:
            return await retrying(attempt)
        except _GivenUp as stop:
            reason = f"{self._told(seen)}; the budget has no room for another attempt"
            return Failure(request, reason, stop.fault.began, over=True)
        except wire.Fault as fault:
            await self._raise_if_hopeless(fault)
            return self._failure(request, fault, seen)

    async def _allowed(self, request: Request, fault: wire.Fault) -> None:
        """Wait until a request may be tried again; raises _GivenUp where it may not."""
        while (allowed := self._again(request)) is None:
            await asyncio.sleep(IDLE_SECONDS)
        if not allowed:
            raise _GivenUp(fault)

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
        self._refused = (fault.unreachable and not self._answered) or fault.status in (401, 403, 404)
        if self._refused and fault.status != 404:
            raise wire.hopeless(self._config, fault)
        if fault.status == 404:
            asked = f"{self._config.base_url}: {fault}. Asked for the model {self._config.model!r}; "
            raise OutsideError(asked + await self._models())

    def _failure(self, request: Request, fault: wire.Fault, seen: Counter[str]) -> Failure:
        """Give up one request, or, when nothing has succeeded for long, all of them."""
        # A refused prompt says nothing of other prompts: all its draws count once.
        self._failed.add(request.problem_id if fault.final else request.sample_id)
        reason = self._told(seen)
        if len(self._failed) >= FAILURES:
            raise OutsideError(
                f"{self._config.base_url}: {FAILURES} requests failed with no success between them; "
                f"the last: {reason}. Look at the server's log and run again: what was finished is kept"
            )
        return Failure(request, reason, fault.began)

    def _told(self, seen: Counter[str]) -> str:
        told = ", ".join(f"{reason} x{count}" if count > 1 else reason for reason, count in seen.items())
        attempts = sum(seen.values())
        return told if attempts == 1 else f"gave up after {attempts} attempts: {told}"

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


class _GivenUp(Exception):
    """A request is not tried again, because the attempts already made may have to be paid for."""

    def __init__(self, fault: wire.Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


def _fault(state: tenacity.RetryCallState) -> wire.Fault:
    """The fault of the last attempt; retries wait on nothing else."""
    error = state.outcome.exception() if state.outcome else None
    return error if isinstance(error, wire.Fault) else wire.Fault("nothing was seen")
