"""The engine for OpenAI-compatible servers: `vllm serve`, llama.cpp, hosted ones.

Guarantees: requests are pulled as there is room and completions come out as they finish; what can pass is
tried again with growing, jittered waits and never sooner than Retry-After asks; how many requests run at
once follows what the server bears; an error that no waiting cures (no server, no key, no such model)
ends the run with what to do about it, after everything finished before it has come out. The key never
stands in a message or a log. An attempt that may be paid for though nothing came of it is repeated only where
`again` allows it. Left out: replies in streams, and the server's own defaults: a server that reads sampling
parameters from the model's files (`vllm serve` does) must be told not to (`--generation-config vllm`), or
decoding is not only what the recipe says.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping

from factory.generators import openai_wire as wire
from factory.generators.base import Completion, Failure, Message, Request
from factory.generators.openai_link import Link
from factory.recipe import OpenAIGenerator


class OpenAIEngine:
    """A connection to one server, as one generator uses it.

    `again(request)` is asked, in another thread than the caller's, before an attempt is repeated that may be
    paid for; None makes it ask again soon, False gives the request up. `environment` is where the key is
    looked up; `backoff` the first wait in seconds, doubled each time.
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
        self._links: list[Link] = []
        self._prompt_tokens: dict[int, int] = {}
        self.again: Callable[[Request], bool | None] = lambda request: True

    @property
    def parameters(self) -> float | None:
        return self._config.active_parameters

    @property
    def reread(self) -> None:
        """All of a prompt, as far as is known: what a server shares it does not say."""

    def most_prompt_tokens(self, prompt: str | tuple[Message, ...]) -> int:
        """As many as the server has counted for this prompt, or a bound from its bytes before that."""
        seen = self._prompt_tokens.get(_key(prompt))
        return wire.most_prompt_tokens(prompt) if seen is None else seen

    def generate(self, requests: Iterable[Request | None]) -> Iterator[Completion | Failure]:
        """Serve all requests, in any order; raises OutsideError when the server cannot serve any more.

        `requests` is pulled in the caller's thread, at most twice `concurrency` ahead of what was yielded.
        """
        link = Link(self._config, self._key, self._backoff, lambda request: self.again(request))
        self._links.append(link)
        try:
            for outcome in link.serve(requests):
                if isinstance(outcome, Completion) and outcome.prompt_tokens is not None:
                    self._prompt_tokens[_key(outcome.request.prompt)] = outcome.prompt_tokens
                yield outcome
        finally:
            link.stop()
            self._links.remove(link)

    def close(self) -> None:
        """Drop what is under way, also for an iterator that was left before its end."""
        for link in list(self._links):
            link.stop()


def _key(prompt: str | tuple[Message, ...]) -> int:
    """What stands for a prompt where the prompts themselves would fill the memory."""
    if isinstance(prompt, str):
        return hash(prompt)
    return hash(tuple((message["role"], message["content"]) for message in prompt))
