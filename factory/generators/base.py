"""What every engine takes and gives.

An engine pulls requests as it has room for them and yields each completion as soon as it is finished,
in any order: there is no batch to wait for. A request that could not be served is yielded as a
Failure and stays owed; an engine that cannot go on at all raises OutsideError, and what it yielded
before is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

Message = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Request:
    """One draw that is owed. `prompt` is a text (completion mode) or a list of {role, content} (chat)."""

    sample_id: str
    problem_id: str
    sample_index: int
    seed: int
    prompt: str | tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Completion:
    """One finished draw.

    `seed` is None where the engine cannot take one; `logprob` (nats, of the tokens written, under the
    model at temperature 1) and `flops` are None where the engine does not know. `flops` counts
    2 x active parameters x tokens really processed for this draw: a prompt shared by several draws is
    counted in one of them. `seconds` is wall time from start to end.
    """

    request: Request
    text: str
    finish_reason: Literal["stop", "length"]
    prompt_tokens: int | None
    completion_tokens: int | None
    seed: int | None
    logprob: float | None
    flops: float | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that was not served after all retries; `reason` is one line for people."""

    request: Request
    reason: str


class Engine(Protocol):
    """A loaded model, or a connection to one."""

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion | Failure]:
        """Serve all requests; requests for one problem should follow each other, so prompts can be shared."""
        ...

    def close(self) -> None:
        """Free memory, processes and connections; safe to call twice."""
        ...
