"""Requests and answers as the endpoints see them, and the refusals the unmodified clients understand."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs


@dataclass(frozen=True)
class User:
    """Whom a token belongs to. `role` is "read" or "write"; `orgs` are the organisations of a write role."""

    name: str
    role: str
    orgs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Request:
    """One request; `path` is as sent, percent-encoded, without the query."""

    method: str
    path: str
    query_text: str
    headers: dict[str, str]
    body: bytes
    user: User | None
    origin: str

    @property
    def query(self) -> dict[str, str]:
        return {key: values[-1] for key, values in parse_qs(self.query_text).items()}

    def json(self) -> Any:
        return json.loads(self.body or b"{}")


@dataclass
class Answer:
    """Status, body and headers; `size` is set where HEAD tells a length without a body."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class RefusedError(Exception):
    """An answer that ends the work at once."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def as_json(value: Any, status: int = 200, **headers: str) -> Answer:
    """`value` as a JSON answer; `headers` are written with _ for -."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json", **named})


def refused(status: int, code: str, message: str, **headers: str) -> RefusedError:
    """A refusal with the two headers by which the clients choose their error."""
    return RefusedError(
        as_json({"error": message}, status, X_Error_Code=code, X_Error_Message=message, **headers)
    )
