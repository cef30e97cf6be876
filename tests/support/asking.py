"""Requests put to a server through the engine `openai`, with waits short enough for tests."""

from __future__ import annotations

from typing import Any

from factory.generators.base import Completion, Failure, Request
from factory.generators.openai_engine import OpenAIEngine
from factory.recipe import OpenAIGenerator
from tests.support.openai_server import ScriptedServer


def ask(index: int, *, chat: bool = True) -> Request:
    text = f"What is {index} + 4?"
    prompt = ({"role": "system", "content": "Be brief."}, {"role": "user", "content": text})
    return Request(f"sample{index}", f"problem{index}", 0, 1000 + index, prompt if chat else text)


def engine_for(
    server: ScriptedServer | str, environment: dict[str, str] | None = None, **settings: Any
) -> OpenAIEngine:
    url = server if isinstance(server, str) else server.base_url
    config = OpenAIGenerator.model_validate({"engine": "openai", "base_url": url, "model": "tiny"} | settings)
    return OpenAIEngine(config, environment or {}, backoff=0.01)


def run(server: ScriptedServer | str, requests: list[Request], **settings: Any) -> list[Completion | Failure]:
    engine = engine_for(server, **settings)
    try:
        return list(engine.generate(requests))
    finally:
        engine.close()


def only(results: list[Completion | Failure]) -> Completion:
    assert len(results) == 1
    assert isinstance(results[0], Completion), results[0]
    return results[0]


def reason(results: list[Completion | Failure]) -> str:
    assert len(results) == 1
    assert isinstance(results[0], Failure), results[0]
    return results[0].reason
