"""Calls to the Hub that go on in spite of it: what is tried again, how long to wait, what stops.

Guarantees: a lost answer, a full or limited server, a dropped connection and another writer's commit all
lead to the same thing: wait as told (`Retry-After`, `RateLimit`) or a little longer each time, then do the
whole attempt again, which must read the state anew and not repeat blindly. What no waiting mends stops at
once with the next step. Left out: the attempt itself, and what an error means (`answers.py`).
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import Final, TypeVar

from factory.errors import FactoryError, OutsideError
from factory.release.answers import behind, describe, of_storage, status

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
            cause = behind(error)
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


def _passes(error: BaseException) -> bool:
    import httpx2
    from huggingface_hub.errors import OfflineModeIsEnabled, RevisionNotFoundError

    if isinstance(error, httpx2.UnsupportedProtocol | OfflineModeIsEnabled):
        return False
    # A revision is read from the refs just before it is used: it was there a moment ago.
    if isinstance(error, RevisionNotFoundError):
        return True
    answered = status(error)
    # The Hub gave leave to use its storage a moment ago; the next attempt is given leave anew.
    return answered is None or answered in _AGAIN or (answered in (401, 403) and of_storage(error))


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
    answered = status(error)
    if answered is None:
        return OutsideError(
            f"{what}: {type(error).__name__}; see that HF_ENDPOINT is an address, and that "
            "HF_HUB_OFFLINE is not set"
        )
    step = _NEXT_STEP.get(answered, "nothing was half done; see https://status.huggingface.co")
    return OutsideError(f"{what}: {describe(error)}. Next: {step}")
