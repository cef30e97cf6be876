"""Models come and go in one process, as the rounds of a loop need it: memory and processes are given back."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from factory.generators.base import Completion, Request
from factory.generators.engines import open_engine
from factory.recipe import Decoding, TransformersGenerator, VllmGenerator
from tests.support import processes
from tests.support.tiny_model import make_model

MEGABYTES = 1 << 20
MODEL_MEGABYTES = 10
ROUNDS = 12


@pytest.fixture(scope="module")
def rounds(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three models of 10 MB with different weights, as three rounds of a loop leave them."""
    from transformers import LlamaConfig, LlamaForCausalLM, set_seed

    config = LlamaConfig(
        vocab_size=258,
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=256,
        bos_token_id=None,
        eos_token_id=257,
        pad_token_id=256,
    )
    folders = [tmp_path_factory.mktemp(f"round-{number}") for number in range(3)]
    for number, folder in enumerate(folders):
        make_model(folder, "llama")  # its tokenizer is wanted
        set_seed(number)
        LlamaForCausalLM(config).save_pretrained(folder)
        size = (folder / "model.safetensors").stat().st_size
        assert size > MODEL_MEGABYTES * MEGABYTES
    return folders


def asked(count: int = 3) -> Iterator[Request]:
    for number in range(count):
        prompt = ({"role": "user", "content": f"What is {number} + 2?"},)
        yield Request(f"s{number}", f"p{number}", 0, number, prompt)


def embedded(folder: Path) -> TransformersGenerator:
    return TransformersGenerator(
        engine="transformers", model=str(folder), dtype="float32", decoding=Decoding(max_tokens=4)
    )


def test_a_closed_model_is_gone_without_the_garbage_collector(rounds: list[Path]) -> None:
    engine = open_engine(embedded(rounds[0]))
    model = weakref.ref(engine.loaded.model)  # type: ignore[attr-defined]
    list(engine.generate(asked()))
    gc.disable()
    try:
        engine.close()
        assert model() is None, "what still holds it would hold a GPU's memory when training begins"
    finally:
        gc.enable()


def test_a_model_whose_sampling_was_given_up_is_gone_too(rounds: list[Path]) -> None:
    engine = open_engine(embedded(rounds[0]))
    model = weakref.ref(engine.loaded.model)  # type: ignore[attr-defined]
    stream = iter(engine.generate(asked()))
    next(stream)
    engine.close()
    del stream
    gc.collect()
    assert model() is None


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_the_process_does_not_grow_with_the_models_it_has_had(rounds: list[Path]) -> None:
    def once(number: int) -> None:
        engine = open_engine(embedded(rounds[number % len(rounds)]))
        assert len(list(engine.generate(asked()))) == 3
        engine.close()

    for number in range(3):  # what is imported and cached once is no leak
        once(number)
    before = processes.resident()
    for number in range(ROUNDS):
        once(number)
    grown = (processes.resident() - before) / MEGABYTES
    leaked = ROUNDS * MODEL_MEGABYTES
    assert grown < leaked / 3, f"{grown:.0f} MB more after {ROUNDS} models; all of them are {leaked} MB"


@pytest.mark.vllm
@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore")
def test_vllm_leaves_no_process_and_no_socket_between_models(rounds: list[Path]) -> None:
    before = processes.descendants()
    texts, descriptors = [], []
    for folder in rounds[:2]:
        engine = open_engine(
            VllmGenerator(
                engine="vllm",
                model=str(folder),
                dtype="float32",
                options={"max_num_seqs": 4, "max_model_len": 128},
                decoding=Decoding(max_tokens=8, temperature=0.0),
            )
        )
        done = [one for one in engine.generate(asked()) if isinstance(one, Completion)]
        assert len(done) == 3
        texts.append(sorted(one.text for one in done))
        started = processes.descendants() - before
        assert started, "vLLM samples in a process of its own"
        engine.close()
        left = processes.ended(started)
        assert not left, "a process that lives on keeps its model in memory"
        descriptors.append(processes.descriptors())
    assert texts[0] != texts[1], "the second model is the one that speaks"
    assert descriptors[1] <= descriptors[0] + 8, "sockets and pipes are closed with their model"
