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
    """A request that was not served after all retries; `reason` is one line for people.

    `began` says that work may have been done for it, and may be paid for, though nothing came of it; a
    request refused before any work (too long a prompt, a key that is not valid) cost nothing. `over` says
    that another attempt might have been served, and the budget has no room for one.
    """

    request: Request
    reason: str
    began: bool = False
    over: bool = False


class Engine(Protocol):
    """A loaded model, or a connection to one. `parameters` are those active for a token; None: unknown."""

    @property
    def parameters(self) -> float | None: ...

    @property
    def reread(self) -> int | None:
        """Tokens of a prompt that a further draw of the same problem reads again; None: all of them."""
        ...

    def most_prompt_tokens(self, prompt: str | tuple[Message, ...]) -> int:
        """Tokens of a prompt: as many as there are, or a bound where the tokenizer is the server's."""
        ...

    def generate(self, requests: Iterable[Request | None]) -> Iterator[Completion | Failure]:
        """Serve all requests; requests for one problem should follow each other, so prompts can be shared.

        None among them means that no request is ready now, and more may be when something else has ended:
        an engine that has work goes on with it and asks again, one that has none asks again soon.
        """
        ...

    def close(self) -> None:
        """Free memory, processes and connections; safe to call twice."""
        ...
