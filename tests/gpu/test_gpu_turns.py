"""One card in turns: vLLM samples and gives the memory back, training takes it, vLLM samples what it made."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from factory.generators import references
from factory.generators.base import Completion, Request
from factory.generators.engines import open_engine
from factory.recipe import Decoding, VllmGenerator
from factory.store import Store
from tests.gpu.conftest import used
from tests.gpu.test_gpu_training import GIVEN_BACK, trained
from tests.support import processes

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.timeout(1800),
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.usefixtures("needs_vllm"),
]


def asked(count: int = 16) -> Iterator[Request]:
    for number in range(count):
        prompt = ({"role": "user", "content": f"What is {number} + {number + 3}?"},)
        yield Request(f"s{number}", f"p{number}", 0, number, prompt)


def sampled(reference: str) -> list[str]:
    """What a model says by vLLM, which takes its usual share of the card for it."""
    engine = open_engine(
        VllmGenerator(
            engine="vllm",
            model=reference,
            dtype="bfloat16",
            options={"max_model_len": 1024},
            decoding=Decoding(max_tokens=32, temperature=0.0),
        )
    )
    try:
        done = [one for one in engine.generate(asked()) if isinstance(one, Completion)]
    finally:
        engine.close()
    return [one.text for one in sorted(done, key=lambda one: one.request.sample_id)]


def test_sampling_and_training_take_turns(worked: Store, base: str, card: str) -> None:
    before, started = used(), processes.descendants()
    first = sampled(base)
    assert len(first) == 16
    after = used()
    assert after < before + GIVEN_BACK, f"vLLM keeps {after - before} MiB of the card after it was closed"
    assert not processes.ended(processes.descendants() - started, seconds=0)
    made = trained(worked, "worked@1.0.0", "turns@1.0.0", base, steps=20)
    assert used() < before + GIVEN_BACK
    second = sampled(str(made.folder))
    assert used() < before + GIVEN_BACK
    assert second != first, "what speaks now was trained"
    assert references.resolve(str(made.folder)).digest == made.weights
