"""What the tests on a card share. Run them with `python -m pytest -m gpu tests/gpu -s` on a machine with one.

The model is SmolLM2-135M-Instruct from the package index, or the folder that FACTORY_TEST_MODEL names;
problems are those of GSM8K under FACTORY_TEST_DATA, or else word problems made here.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
from pathlib import Path

import pytest

from factory import pipeline
from factory.progress import Silent
from factory.recipe import load
from factory.store import Store

WORKED = """
name: worked
version: 1.0.0
problems: [{problems}]
generators: {{people: {{engine: human}}}}
budget: {{per_problem: {{samples: 1}}}}
verify: {{decides: math, workers: 2}}
select: {{dedup: []}}
measure: {{k: [1], by: []}}
release: {{configs: [sft, samples, problems]}}
"""


@pytest.fixture(scope="session", autouse=True)
def card() -> str:
    """The name of the card; without one each test here is skipped, saying so."""
    torch = pytest.importorskip("torch", reason="needs torch and a CUDA device")
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device, and torch sees none")
    return _asked("name")


def _asked(what: str) -> str:
    """One figure of the first card, asked of the driver, so that this process holds no memory of it."""
    done = subprocess.run(
        ["nvidia-smi", "--id=0", f"--query-gpu={what}", "--format=csv,noheader,nounits"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.strip()


def used() -> int:
    """MiB of the card's memory that are taken, by anyone."""
    return int(_asked("memory.used"))


@pytest.fixture(scope="session")
def needs_vllm() -> None:
    if importlib.util.find_spec("vllm") is None:
        pytest.skip("needs vLLM beside torch, trl and peft: pip install 'factory[vllm,train]'")


@pytest.fixture(scope="session")
def base(request: pytest.FixtureRequest) -> str:
    """The reference of the model that is trained."""
    named = os.environ.get("FACTORY_TEST_MODEL")
    return named or str(request.getfixturevalue("smollm2").reference)


def problems(split: str, limit: int) -> str:
    """A source of `limit` problems with worked solutions, as YAML on one line."""
    data = os.environ.get("FACTORY_TEST_DATA")
    if data:
        path = Path(data).resolve() / "gsm8k" / f"{split}.jsonl"
        return f'{{source: gsm8k, split: {split}, path: "{path}", limit: {limit}}}'
    return f"{{source: story-sums, count: {limit}, seed: 1, split: {split}}}"


@pytest.fixture(scope="session")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store with the release worked@1.0.0: 200 worked solutions."""
    root = tmp_path_factory.mktemp("gpu")
    (root / "worked.yaml").write_text(WORKED.format(problems=problems("train", 200)))
    store = Store(root / "store")
    pipeline.run(load(root / "worked.yaml"), store, root, Silent())
    return store
