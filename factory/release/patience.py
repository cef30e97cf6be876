"""Calls to the Hub that go on in spite of it: what is tried again, how long to wait, what stops.

Guarantees: a lost answer, a full or limited server, a dropped connection and another writer's commit all
lead to the same thing: wait as told (`Retry-After`, `RateLimit`) or a little longer each time, then do the
whole attempt again, which must read the state anew and not repeat blindly. What no waiting mends stops at
once with the next step. No message holds a token or a control character. Left out: the attempt itself.
"""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

from factory.errors import FactoryError, OutsideError
from factory.release.findings import short

logger = logging.getLogger(__name__)

TRIES: Final = 8
"""Attempts in all: some two minutes of trouble when the server names no time."""

LONGEST_WAIT: Final = 300.0
"""Seconds; the window of the Hub's own rate limits."""

_AGAIN: Final = frozenset({408, 409, 412, 425, 429, 500, 502, 503, 504})
"""409: the tag or branch is there since we looked; 412: so is a commit. The next attempt sees them."""

_NEXT_STEP: Final = {
    400: "the request was not understood; see the message, and whether huggingface_hub is up to date",
    401: "log in with `hf auth login`, or set HF_TOKEN to a token with the role `write`",
    403: "use a token with the role `write` for this namespace, or another --repo",
    404: "see that the name is right and that this token may see the repository",
}
_XET_REFUSED: Final = "XetAuthenticationError"
"""By name: the package it comes from is loaded only where Xet is used."""

T = TypeVar("T")


def patiently(attempt: Callable[[], T], what: str, say: Callable[[str], object]) -> T:
    """The result of `attempt`, made as often as it takes, at most TRIES times.

    `what` names the thing in messages, `say` is told of every wait. Raises OutsideError when no waiting
    helps, or when it has not helped.
    """
    for tries in range(1, TRIES + 1):
        try:
            return attempt()
        except FactoryError:
            raise
        except Exception as error:
            cause = _of_the_hub(error)
            if cause is None:
                raise
            if not _passes(cause):
                raise _stop(cause, what) from error
            told = describe(cause)
            if tries == TRIES:
                raise OutsideError(
                    f"{what}: {told}, {TRIES} times. What is on the Hub already is kept, nothing is half "
                    "visible, and the same command goes on from there"
                ) from error
            seconds = _seconds(cause, tries)
            logger.info("%s: %s; attempt %d in %.1f s", what, told, tries + 1, seconds)
            say(f"{what}: {told}; trying again in {seconds:.0f} s")
            time.sleep(seconds)
    raise AssertionError("the last attempt returns or raises")


def describe(error: BaseException) -> str:
    """One line on what went wrong, in words of ours and the server's, made safe to show."""
    response = getattr(error, "response", None)
    if response is None:
        return f"no answer that can be read ({type(error).__name__})"
    told = getattr(error, "server_message", None) or ""
    return f"the Hub answered {response.status_code}" + (f" ({short(told, 300)})" if told else "")


def _of_the_hub(error: Exception) -> BaseException | None:
    """The answer or the failed connection behind an error; None when it is neither."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    known = (HfHubHTTPError, httpx2.TransportError, OfflineModeIsEnabled)
    # What uploads by Xet end with, after tries of their own; a pipe that breaks here is no affair of the Hub.
    plain = (ConnectionError, TimeoutError)
    found = [
        one
        for one in _chain(error)
        if isinstance(one, known) or type(one) in plain or type(one).__name__ == _XET_REFUSED
    ]
    # A proxy's page in the place of an answer: the client reads it before it looks at the status.
    pages = [one for one in _chain(error) if isinstance(one, json.JSONDecodeError)]
    return next(iter([*found, *pages]), None)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    # The client wraps what an upload met into errors of other kinds.
    while error is not None:
        yield error
        error = error.__cause__


def _passes(error: BaseException) -> bool:
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled, RevisionNotFoundError

    if isinstance(error, httpx2.UnsupportedProtocol | OfflineModeIsEnabled | PermissionError):
        return False
    # A revision is read from the refs just before it is used: it was there a moment ago.
    if isinstance(error, RevisionNotFoundError) or not isinstance(error, HfHubHTTPError):
        return True
    return _status(error) in _AGAIN


def _status(error: BaseException) -> int | None:
    response: Any = getattr(error, "response", None)
    return None if response is None else int(response.status_code)


def _seconds(error: BaseException, tries: int) -> float:
    """How long to wait: what the server says, else twice as long as the last time; never all at once."""
    from huggingface_hub.utils._http import parse_ratelimit_headers

    spread = random.uniform(0.0, 0.5)  # seconds; racing writers must not meet again
    headers = getattr(getattr(error, "response", None), "headers", {})
    limit = parse_ratelimit_headers(headers)
    if limit is not None and limit.remaining == 0:
        return min(float(limit.reset_in_seconds), LONGEST_WAIT) + spread
    after = headers.get("Retry-After", "")
    if after.isdigit():
        return min(float(after), LONGEST_WAIT) + spread
    return min(0.5 * 2.0 ** (tries - 1), 60.0) + spread


def _stop(error: BaseException, what: str) -> OutsideError:
    status = _status(error)
    if isinstance(error, PermissionError):
        return OutsideError(f"{what}: the storage of the Hub refused the upload. Next: {_NEXT_STEP[401]}")
    if status is None:
        return OutsideError(
            f"{what}: {type(error).__name__}; see that HF_ENDPOINT is an address, and that "
            "HF_HUB_OFFLINE is not set"
        )
    step = _NEXT_STEP.get(status, "nothing was half done; see https://status.huggingface.co")
    return OutsideError(f"{what}: {describe(error)}. Next: {step}")
