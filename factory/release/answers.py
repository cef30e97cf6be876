"""What the errors of the Hub's client mean, whichever of its libraries they come from.

Guarantees: the answer or the failed connection behind an error is found and its status told, also where Xet,
by which large files go and come, keeps it only in the words of a ConnectionError or a RuntimeError. Those
words are never shown: they hold addresses, which may be signed. No line holds a token or a control character.
Left out: what to do about it (`patience.py` for uploads, `factory/hub.py` for downloads).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from factory.release.findings import short

_XET_STATUS: Final = re.compile(r"HTTP status (?:client|server) error \((\d{3})\b")
_XET_TASK: Final = ("Task error: ", "Previous task error: ")
_XET_NAMED: Final = {"XetAuthenticationError": 401, "XetObjectNotFoundError": 404}
"""By name: the package they come from is loaded only where Xet is used."""

_XET_TOKEN: Final = re.compile(r"/xet-(?:read|write)-token/")
"""In the address at which the Hub gives leave to use the storage."""


def behind(error: BaseException) -> BaseException | None:
    """The answer or the failed connection behind an error; None when it is neither."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    known = (HfHubHTTPError, httpx2.TransportError, OfflineModeIsEnabled)
    found = [one for one in _chain(error) if isinstance(one, known) or of_xet(one)]
    # A proxy's page in the place of an answer: the client reads it before it looks at the status.
    pages = [one for one in _chain(error) if isinstance(one, json.JSONDecodeError)]
    return next(iter([*found, *pages]), None)


def of_xet(error: BaseException) -> bool:
    """Whether an error is one of those that Xet ends with, after tries of its own."""
    if type(error) is RuntimeError:
        return str(error).startswith(_XET_TASK)
    # By the very type: a pipe that breaks here, or a file that may not be read, is no affair of the Hub.
    return type(error) in (ConnectionError, TimeoutError) or type(error).__name__ in _XET_NAMED


def of_storage(error: BaseException) -> bool:
    """Whether an error comes from the storage behind the Hub, which the Hub itself gave leave to use."""
    named = type(error).__name__ in _XET_NAMED
    return of_xet(error) and not named and not _XET_TOKEN.search(str(error))


def status(error: BaseException) -> int | None:
    """The status answered; None where there was no answer that can be read."""
    response: Any = getattr(error, "response", None)
    if response is not None:
        return int(response.status_code)
    found = _XET_STATUS.search(str(error)) if of_xet(error) else None
    return int(found[1]) if found else _XET_NAMED.get(type(error).__name__)


def describe(error: BaseException) -> str:
    """One line on what went wrong, in words of ours and the server's, made safe to show."""
    answered = status(error)
    if answered is None:
        return f"no answer that can be read ({type(error).__name__})"
    whose = "the storage of the Hub" if of_storage(error) else "the Hub"
    told = getattr(error, "server_message", None) or ""
    return f"{whose} answered {answered}" + (f" ({short(told, 300)})" if told else "")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    # The client wraps what an upload met into errors of other kinds.
    while error is not None:
        yield error
        error = error.__cause__
