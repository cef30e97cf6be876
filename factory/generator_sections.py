"""The sections of a recipe on generators and judges: a model, how it is reached, and how it decodes.

Guarantees: what is set here can change a text, unless it says that it cannot, is `license`, or
`recipe.OPERATIONAL` names it. Left out: the other sections (`sections.py`, `recipe.py`, which exports these
too), and models themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from factory.sections import Section


class Decoding(Section):
    """How tokens are drawn. Everything here can change the text, so all of it is part of the identity."""

    temperature: Annotated[float, Field(ge=0.0, le=10.0)] = 0.7
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    top_k: Annotated[int, Field(ge=0, description="0: all tokens")] = 0
    max_tokens: Annotated[int, Field(ge=1)] = 256
    stop: tuple[str, ...] = ()
    seed: int = 0


class Example(Section):
    """One worked example for a few-shot prompt."""

    prompt: str
    completion: str


class Prompt(Section):
    """A Jinja template over `prompt` (the problem's text) and, in completion mode, `examples` and `system`.

    `chat` sends system, examples and the rendered template as messages, in the model's chat template;
    `completion` sends the rendered text as it is.
    """

    mode: Literal["chat", "completion"] = "chat"
    template: str = "{{ prompt }}"
    system: str | None = None
    examples: tuple[Example, ...] = ()


def _prompt_kind(value: object) -> str:
    return "written out" if isinstance(value, Mapping | Prompt) else "by name"


License = Annotated[
    str | None,
    Field(description="the licence or terms of the texts it writes, as apache-2.0; read from it by default"),
]


class Price(Section):
    """US dollars for a million tokens, as the provider states them."""

    input: Annotated[float, Field(ge=0, description="tokens of prompts")]
    output: Annotated[float, Field(ge=0, description="tokens written")]


class _Priced(Section):
    price: Price | None = Field(default=None, description="for costs in US dollars")
    active_parameters: Annotated[float, Field(gt=0)] | None = Field(
        default=None,
        description="weights used for one token, tied ones once, embeddings included, for FLOPs; read from "
        "the model's files where they say it",
    )


class _Decoded(_Priced):
    decoding: Decoding = Decoding()
    license: License = None


PromptChoice = Annotated[
    Annotated[str, Tag("by name")] | Annotated[Prompt, Tag("written out")], Discriminator(_prompt_kind)
]


class _Prompted(Section):
    prompt: PromptChoice = Field(
        default="cot-answer", description="a built-in template's name, or one written out"
    )


class TransformersModel(_Decoded):
    """The embedded default: a model run in this process by transformers, on CPU or GPU."""

    engine: Literal["transformers"]
    model: str
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    slots: Annotated[int, Field(ge=1, description="sequences decoded at once; does not change identity")] = 32


class VllmModel(_Decoded):
    """A model run in this process by vLLM."""

    engine: Literal["vllm"]
    model: str
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    options: Mapping[str, Any] = Field(
        default_factory=dict,
        description="arguments of vLLM's engine that cannot change the text, as max_num_seqs",
    )


class OpenAIModel(_Decoded):
    """A model behind an OpenAI-compatible server."""

    engine: Literal["openai"]
    base_url: str
    model: str
    revision: str | None = Field(
        default=None, description="what stands for the weights; raise it when they change"
    )
    api_key_env: str | None = Field(default=None, description="environment variable that holds the key")
    concurrency: Annotated[int, Field(ge=1, le=4096)] = 32
    timeout: Annotated[float, Field(gt=0, description="seconds for one request")] = 600.0
    send_seed: Annotated[
        bool, Field(description="false for servers that take no seed, as vLLM's CPU build, which dies of one")
    ] = True


class TransformersGenerator(_Prompted, TransformersModel):
    """Samples drawn by transformers in this process."""


class VllmGenerator(_Prompted, VllmModel):
    """Samples drawn by vLLM in this process."""


class OpenAIGenerator(_Prompted, OpenAIModel):
    """Samples drawn by a server."""


class ReplayGenerator(_Priced):
    """Completions brought in by `factory import`; what it lacks is exhausted, never sampled."""

    engine: Literal["replay"]
    imported: str
    license: License = None


class HumanGenerator(Section):
    """The worked solutions that come with the problems, as samples among the others; nothing is sampled."""

    engine: Literal["human"]


Generator = Annotated[
    TransformersGenerator | VllmGenerator | OpenAIGenerator | ReplayGenerator | HumanGenerator,
    Field(discriminator="engine"),
]

Judge = Annotated[TransformersModel | VllmModel | OpenAIModel, Field(discriminator="engine")]
"""A model that only judges: its prompt is the rubric of the verifier, and no sample is drawn from it."""
