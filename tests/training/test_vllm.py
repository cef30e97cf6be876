"""A model that was trained and saved here, sampled by vLLM. Needs vLLM and TRL in one environment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from factory import loading
from factory.generators.base import Completion, Failure, Request
from factory.generators.engines import model_parts
from factory.generators.references import ModelFiles
from factory.generators.vllm_engine import VllmEngine
from factory.loop import fine_tuning
from factory.progress import Silent
from factory.recipe import Decoding, Prompt, Train, VllmGenerator
from factory.store import Store
from tests.support import releases

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(1200), pytest.mark.filterwarnings("ignore")]


def asked() -> Iterator[Request]:
    for number in range(4):
        text = f"Ann has {number} apples and buys 5 more. How many apples has she?"
        yield Request(f"s{number}", f"p{number}", 0, number, ({"role": "user", "content": text},))


def test_a_trained_model_goes_to_vllm_from_its_folder(tmp_path: Path, smollm2: ModelFiles) -> None:
    store = releases.make_store(tmp_path)
    releases.release(tmp_path, store, configs="sft")
    done = fine_tuning.train(
        Store(tmp_path / "store"),
        loading.loaded("sums@1.0.0", store=store.root),
        Train(steps=2, batch=2, micro_batch=1, learning_rate=1e-4, warmup=0.0),
        base=str(smollm2.folder),
        prompt=Prompt(),
        name="tuned@1.0.0",
        progress=Silent(),
    )
    config = VllmGenerator(
        engine="vllm",
        model=str(done.folder),
        dtype="float32",
        options={"max_num_seqs": 4, "max_model_len": 256},
        decoding=Decoding(temperature=0.0, max_tokens=12),
    )
    assert model_parts(config)["weights"] == done.weights != smollm2.digest
    engine = VllmEngine(config)
    try:
        found: list[Completion | Failure] = list(engine.generate(asked()))
    finally:
        engine.close()
    assert len(found) == 4
    for one in found:
        assert isinstance(one, Completion), one
        assert one.text.strip()
