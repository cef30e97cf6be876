"""The engines by name: how each states its identity, and how each is opened.

Guarantees: an identity holds everything that can change a generator's text, and nothing else: not where
the server is, how many sequences run at once, or where a file lies. Left out: `replay`, which opens nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from factory.generators import prompts, references, tokenizing
from factory.generators.base import Engine
from factory.recipe import TransformersGenerator, VllmGenerator


class Kind(NamedTuple):
    """`parts(config)` gives what the model contributes to the identity; `open(config)` loads or connects."""

    parts: Callable[[Any], Mapping[str, str | None]]
    open: Callable[[Any], Engine]


def model_parts(config: TransformersGenerator | VllmGenerator) -> Mapping[str, str | None]:
    """What the identity of an engine in this process takes from the model's files.

    Fetches and converts them where they are not there yet; does not load the model.
    """
    files = references.resolve(config.model)
    template = tokenizing.chat_template(files.folder)
    return {"model": files.name, "weights": files.digest, "dtype": config.dtype, "chat_template": template}


def _transformers(config: Any) -> Engine:
    from factory.generators.transformers_engine import TransformersEngine

    return TransformersEngine(config)


def _vllm(config: Any) -> Engine:
    from factory.generators.vllm_engine import VllmEngine

    return VllmEngine(config)


def _openai_parts(config: Any) -> Mapping[str, str | None]:
    # A server shows neither weights nor template: the user's revision stands for both.
    return {"model": config.model, "weights": config.revision, "dtype": None, "chat_template": None}


def _openai(config: Any) -> Engine:
    from factory.generators.openai_engine import OpenAIEngine

    return OpenAIEngine(config)


ENGINES: Final[Mapping[str, Kind]] = {
    "transformers": Kind(model_parts, _transformers),
    "vllm": Kind(model_parts, _vllm),
    "openai": Kind(_openai_parts, _openai),
}


def identity(config: Any) -> dict[str, Any]:
    """What the id of a sampling generator is the hash of; the prompt in it is text, not a name."""
    prompt = prompts.resolve(config.prompt)
    return judge_identity(config) | {"prompt": prompt.model_dump(mode="json")}


def judge_identity(config: Any) -> dict[str, Any]:
    """What the id of a generator as a judge is the hash of: it is sent messages, and has no prompt."""
    return {
        "engine": config.engine,
        **ENGINES[config.engine].parts(config),
        "decoding": config.decoding.model_dump(mode="json"),
    }


def open_engine(config: Any) -> Engine:
    """The engine of a generator, ready to serve; close it after use."""
    return ENGINES[config.engine].open(config)
