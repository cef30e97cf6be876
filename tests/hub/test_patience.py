"""What is tried again, how long is waited, and what stops at once."""

from __future__ import annotations

from collections.abc import Callable

import httpx2
import pytest
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled, RevisionNotFoundError

from factory.errors import CheckFailed, OutsideError
from factory.release import patience


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that are waited, without waiting; racing is left to chance elsewhere."""
    told: list[float] = []
    monkeypatch.setattr(patience.time, "sleep", told.append)
    monkeypatch.setattr(patience.random, "uniform", lambda low, high: low)
    return told


def answered(status: int, kind: type[HfHubHTTPError] = HfHubHTTPError, **headers: str) -> HfHubHTTPError:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = httpx2.Request("GET", "http://127.0.0.1/")
    return kind("refused", response=httpx2.Response(status, headers=named, request=request))


def xet(kind: str, status: int, path: str) -> ConnectionError:
    """As hf_xet tells of an answer; the address may be signed."""
    where = f"http://127.0.0.1/{path}?Signature=secret"
    return ConnectionError(f"{kind}: Request error: HTTP status client error ({status} No), domain: {where}")


def failing(*errors: Exception) -> Callable[[], str]:
    left = list(errors)

    def attempt() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return attempt


LIMIT = {"RateLimit": '"api";r=0;t=7', "RateLimit_Policy": '"fixed window";"api";q=500;w=300'}


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (answered(503), 0.5),
        (answered(412), 0.5),
        (answered(409), 0.5),
        (answered(429, Retry_After="3"), 3.0),
        (answered(429, Retry_After="100000"), patience.LONGEST_WAIT),
        (answered(429, Retry_After="Wed, 21 Oct 2026 07:28:00 GMT"), 0.5),
        (answered(429, **LIMIT), 7.0),
        (answered(404, RevisionNotFoundError), 0.5),
        (httpx2.ConnectError("refused"), 0.5),
        (ConnectionError("Network error: Request middleware error: error sending request"), 0.5),
        (TimeoutError("what Xet says"), 0.5),
        (xet("Server error", 503, "cas/v1/xorbs/default/00"), 0.5),
        (xet("Rate limited", 429, "cas/v1/shards"), 0.5),
        (xet("Network error", 401, "cas/v1/shards"), 0.5),
        (RuntimeError("Previous task error: Server error: no answer"), 0.5),
    ],
)
def test_what_passes_is_waited_for(waits: list[float], error: Exception, seconds: float) -> None:
    said: list[str] = []
    assert patience.patiently(failing(error), "acme/sums", said.append) == "done"
    assert waits == [seconds]
    assert said[0].startswith("acme/sums: ")


def test_waits_grow_and_end(waits: list[float]) -> None:
    with pytest.raises(OutsideError, match=r"8 times\. What is on the Hub already is kept"):
        patience.patiently(failing(*[answered(503)] * 8), "acme/sums", lambda _: None)
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0]


def test_the_cause_of_a_wrapped_error_decides(waits: list[float]) -> None:
    wrapped = RuntimeError("Error while uploading 'a.parquet' to the Hub.")
    wrapped.__cause__ = answered(403)
    with pytest.raises(OutsideError, match="the Hub answered 403"):
        patience.patiently(failing(wrapped), "acme/sums", lambda _: None)
    assert waits == []


class XetAuthenticationError(PermissionError):
    """Named as the error of the package is."""


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (answered(401), "log in with `hf auth login`"),
        (answered(403), "use a token with the role `write`"),
        (answered(404), "see that the name is right"),
        (answered(400), "the request was not understood"),
        (answered(418), "nothing was half done"),
        (OfflineModeIsEnabled("offline"), "HF_HUB_OFFLINE is not set"),
        (httpx2.UnsupportedProtocol("no scheme"), "HF_ENDPOINT is an address"),
        (XetAuthenticationError("no"), "log in with `hf auth login`"),
        (xet("Network error", 403, "api/datasets/acme/sums/xet-write-token/main"), "the Hub answered 403"),
        (xet("Network error", 400, "cas/v1/shards"), "the storage of the Hub answered 400"),
    ],
)
def test_what_no_waiting_mends_is_told_with_the_next_step(
    waits: list[float], error: Exception, told: str
) -> None:
    with pytest.raises(OutsideError, match="acme/sums: ") as raised:
        patience.patiently(failing(error), "acme/sums", lambda _: None)
    assert told in str(raised.value)
    assert "secret" not in str(raised.value)
    assert waits == []


@pytest.mark.parametrize(
    "error",
    [
        CheckFailed("ours"),
        ZeroDivisionError(),
        PermissionError("a file"),
        BrokenPipeError(),
        RuntimeError("cannot start a thread"),
    ],
)
def test_other_errors_stay_what_they_are(waits: list[float], error: Exception) -> None:
    with pytest.raises(type(error)) as raised:
        patience.patiently(failing(error), "acme/sums", lambda _: None)
    assert raised.value is error
    assert waits == []
