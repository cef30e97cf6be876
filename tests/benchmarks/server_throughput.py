"""Completions per second of the engine `openai` beside a plain asyncio loop with the same HTTP client.

Run: python tests/benchmarks/server_throughput.py [--concurrency 32] [--requests 320] [--delay 0.2]
Both ask one scripted server in a process of its own, which takes a fixed delay and writes 64 tokens for each
request, with the same number of requests under way. The plain loop has no retries, no pacing, no seeds, no
checks: it is what the engine must not be slower than. Pairs are interleaved, since other work comes and goes.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import time
from pathlib import Path

import httpx2

from factory.generators.base import Completion, Request
from factory.generators.openai_engine import OpenAIEngine
from factory.recipe import OpenAIGenerator

TOKENS = 64
SERVER = Path(__file__).parents[1] / "support" / "openai_server.py"


def messages(index: int) -> tuple[dict[str, str], ...]:
    return ({"role": "user", "content": f"What is {index} + 4?"},)


def factory_rate(url: str, count: int, concurrency: int) -> float:
    config = OpenAIGenerator(engine="openai", base_url=url, model="tiny", concurrency=concurrency)
    requests = (Request(str(index), str(index), 0, index, messages(index)) for index in range(count))
    began = time.perf_counter()
    engine = OpenAIEngine(config)
    tokens = [one.completion_tokens for one in engine.generate(requests) if isinstance(one, Completion)]
    engine.close()
    assert tokens == [TOKENS] * count
    return count / (time.perf_counter() - began)


def plain_rate(url: str, count: int, concurrency: int) -> float:
    async def ask_all() -> list[int]:
        room = asyncio.Semaphore(concurrency)
        limits = httpx2.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
        async with httpx2.AsyncClient(limits=limits, timeout=60) as client:

            async def ask(index: int) -> int:
                body = {"model": "tiny", "messages": messages(index), "max_tokens": 256, "seed": index}
                async with room:
                    reply = await client.post(f"{url}/chat/completions", json=body)
                return int(reply.json()["usage"]["completion_tokens"])

            return await asyncio.gather(*(ask(index) for index in range(count)))

    began = time.perf_counter()
    assert asyncio.run(ask_all()) == [TOKENS] * count
    return count / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--requests", type=int, default=320)
    parser.add_argument("--delay", type=float, default=0.2, help="seconds the server takes for each")
    parser.add_argument("--pairs", type=int, default=7)
    options = parser.parse_args()
    command = [sys.executable, str(SERVER), "--words", str(TOKENS), "--delay", str(options.delay)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        ratios = []
        for pair in range(options.pairs):
            sides = [factory_rate, plain_rate]
            rates = {
                side: side(url, options.requests, options.concurrency)
                for side in sides[:: 1 - 2 * (pair % 2)]
            }
            ratios.append(rates[factory_rate] / rates[plain_rate])
            print(
                f"pair {pair}: engine {rates[factory_rate]:.1f}/s, plain loop {rates[plain_rate]:.1f}/s, "
                f"ratio {ratios[-1]:.3f}"
            )
        server.terminate()
    ceiling = options.concurrency / options.delay if options.delay else float("inf")
    print(
        f"median ratio {statistics.median(ratios):.3f} (from {min(ratios):.3f} to {max(ratios):.3f}) over "
        f"{len(ratios)} pairs; the server's delay allows {ceiling:.0f}/s"
    )


if __name__ == "__main__":
    main()
