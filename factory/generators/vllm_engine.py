"""A model run in this process by vLLM.

Guarantees: requests are submitted as there is room and each completion is yielded in the step that ends it,
so no batch is waited for; prefix caching shares the prompt among a problem's draws, and FLOPs count it once.
Prompts are put into tokens here, as the other engine in process does it. Seeds are sent on CUDA; the CPU
build dies of them, so there a draw's seed is null. Once closed, no process of vLLM's is left, so that what
comes next finds the GPU's memory free. Left out: log probabilities, which cost speed.

vLLM starts processes that import the main module again: call this from under `if __name__ == "__main__"`
(the command line is).
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from factory.config import nearest
from factory.errors import OutsideError, UsageError, missing_extra
from factory.generators import parameters, references, tokenizing
from factory.generators.base import Completion, Failure, Message, Request
from factory.generators.pulling import IDLE_SECONDS, pull
from factory.recipe import VllmGenerator

OPTIONS: Final = frozenset(
    {
        "block_size",
        "cpu_offload_gb",
        "enable_prefix_caching",
        "enforce_eager",
        "gpu_memory_utilization",
        "kv_cache_memory_bytes",
        "max_model_len",
        "max_num_batched_tokens",
        "max_num_seqs",
        "pipeline_parallel_size",
        "tensor_parallel_size",
    }
)
"""Arguments of vLLM's engine that change speed and memory, not the text; all others are refused."""

CPU_DEFAULTS: Final[Mapping[str, Any]] = {"enforce_eager": True, "max_num_seqs": 64}
CPU_MODEL_LEN: Final = 2048
CLOSING_SECONDS: Final = 10
AHEAD: Final = 2
"""So many times max_num_seqs are submitted at once: the engine always finds the next one waiting."""


class VllmEngine:
    """A loaded model. `ignore_eos` decodes every draw to max_tokens, for timing.

    Raises UsageError where vLLM is missing or an option is not allowed, OutsideError where it cannot start.
    """

    def __init__(self, config: VllmGenerator, *, ignore_eos: bool = False) -> None:
        _check_options(config.options)
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
        try:
            from vllm import LLM
            from vllm.platforms import current_platform
        except ImportError as error:
            raise missing_extra("vllm", "vllm") from error
        self._on_cpu = bool(current_platform.is_cpu())
        files = references.resolve(config.model)
        self._config, self._ignore_eos = config, ignore_eos
        self.parameters = parameters.active(config)
        self.tokenizer = tokenizing.load(files.folder, "vllm")
        self._encode = tokenizing.Encoder(self.tokenizer)
        options = self._options(files.folder)
        try:
            self.llm: Any = LLM(
                str(files.folder),
                dtype=config.dtype,
                disable_log_stats=True,
                trust_remote_code=False,
                **options,
            )
        except Exception as error:  # vLLM raises what its workers raised
            raise OutsideError(
                f"vLLM could not start {config.model}: {type(error).__name__}: {str(error)[-400:]}. "
                "Smaller max_model_len or max_num_seqs under options need less memory; where another process "
                "holds memory of the GPU, so does a smaller gpu_memory_utilization (vLLM takes 0.9 of it)"
            ) from error
        scheduler = self.llm.llm_engine.vllm_config
        self._room = AHEAD * int(scheduler.scheduler_config.max_num_seqs)
        self._longest = int(scheduler.model_config.max_model_len)
        cache = scheduler.cache_config  # whole blocks are shared, and the last token is always read
        self.reread = int(cache.block_size) if cache.enable_prefix_caching else None

    def _options(self, folder: Path) -> dict[str, Any]:
        if not self._on_cpu:
            return dict(self._config.options)
        os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "2")
        limit = json.loads((folder / "config.json").read_text()).get("max_position_embeddings", CPU_MODEL_LEN)
        return {**CPU_DEFAULTS, "max_model_len": min(CPU_MODEL_LEN, limit), **self._config.options}

    def sampling(self, seed: int | None) -> Any:
        """vLLM's SamplingParams for one draw."""
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        decoding = self._config.decoding
        return SamplingParams(
            temperature=decoding.temperature,
            top_p=decoding.top_p,
            top_k=decoding.top_k,
            max_tokens=decoding.max_tokens,
            stop=list(decoding.stop) or None,
            seed=seed,
            ignore_eos=self._ignore_eos,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )

    def most_prompt_tokens(self, prompt: str | tuple[Message, ...]) -> int:
        """Exactly its tokens; the last prompt is remembered, as its draws follow each other."""
        return len(self._encode(prompt))

    def generate(self, requests: Iterable[Request | None]) -> Iterator[Completion | Failure]:
        """Serve all requests, submitting the next ones as others end."""
        engine = self.llm.llm_engine
        waiting: dict[str, tuple[Request, int | None, float]] = {}
        coming, more = iter(requests), True
        try:
            while more or waiting:
                ready, more = pull(coming, self._room - len(waiting)) if more else ([], False)
                for request in ready:
                    failure = self._submit(engine, request, waiting)
                    if failure is not None:
                        yield failure
                if waiting:
                    for output in self._step(engine):
                        yield self._completion(output, *waiting.pop(output.request_id))
                elif more and not ready:
                    time.sleep(IDLE_SECONDS)
        finally:
            if waiting:  # the caller has gone: free the engine for the next one
                engine.abort_request(list(waiting))

    def _submit(
        self, engine: Any, request: Request, waiting: dict[str, tuple[Request, int | None, float]]
    ) -> Failure | None:
        tokens = list(self._encode(request.prompt))
        most = self._config.decoding.max_tokens
        if len(tokens) + most > self._longest:
            asked = f"a prompt of {len(tokens)} tokens and max_tokens {most}"
            return Failure(request, f"{asked} are more than the model's {self._longest}")
        seed = None if self._on_cpu else request.seed
        try:
            engine.add_request(request.sample_id, {"prompt_token_ids": tokens}, self.sampling(seed))
        except ValueError as error:  # vLLM's word for a request it cannot take
            return Failure(request, f"vLLM refused it: {error}")
        waiting[request.sample_id] = (request, seed, time.monotonic())
        return None

    def _step(self, engine: Any) -> list[Any]:
        from vllm.v1.engine.exceptions import EngineDeadError

        try:
            return [output for output in engine.step() if output.finished]
        except EngineDeadError as error:
            raise OutsideError(
                f"vLLM's engine died ({str(error)[-300:]}). What was finished is kept; run the same command "
                "again, with VLLM_LOGGING_LEVEL=INFO to see why"
            ) from error

    def _completion(self, output: Any, request: Request, seed: int | None, started: float) -> Completion:
        (text,) = output.outputs
        prompt, written = len(output.prompt_token_ids), len(text.token_ids)
        fresh = prompt - int(output.num_cached_tokens or 0)
        return Completion(
            request=request,
            text=text.text,
            finish_reason="length" if text.finish_reason == "length" else "stop",
            prompt_tokens=prompt,
            completion_tokens=written,
            seed=seed,
            logprob=None,
            flops=2.0 * self.parameters * (fresh + written) if self.parameters else None,
            seconds=time.monotonic() - started,
        )

    def close(self) -> None:
        """End vLLM's processes, wait until they are gone, and free its memory; safe to call twice."""
        llm = self.__dict__.pop("llm", None)
        if llm is not None:
            core = llm.llm_engine.engine_core
            started = _processes(core)
            core.shutdown()
            # vLLM leaves its reader to end by itself and its sockets' context to the garbage collector.
            reader = getattr(core, "output_queue_thread", None)
            if reader is not None:
                reader.join(CLOSING_SECONDS)
                if not reader.is_alive():
                    core.ctx.destroy(linger=0)
            _end(started)


def _processes(core: Any) -> list[Any]:
    """The processes of vLLM's engine, and those that they started: with its grace of seconds over, vLLM
    waits for the first only, and the others hold the memory."""
    psutil: Any = importlib.import_module("psutil")  # which vLLM itself needs
    manager = getattr(getattr(core, "resources", None), "engine_manager", None)
    found = []
    for one in getattr(manager, "processes", ()):
        try:
            process = psutil.Process(one.pid)
            found += [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess:  # it died before
            continue
    return found


def _end(processes: list[Any]) -> None:
    """Wait until `processes` are gone, and after CLOSING_SECONDS kill those that are not."""
    psutil: Any = importlib.import_module("psutil")

    def runs(process: Any) -> bool:
        try:
            return bool(process.is_running()) and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    until = time.monotonic() + CLOSING_SECONDS
    while any(runs(one) for one in processes) and time.monotonic() < until:
        time.sleep(0.05)
    for one in processes:
        if runs(one):
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()


def _check_options(options: Mapping[str, Any]) -> None:
    for name in options:
        if name not in OPTIONS:
            near = nearest(name, sorted(OPTIONS))
            hint = f"; did you mean {near}?" if near else ""
            raise UsageError(
                f"options.{name} is not allowed for engine vllm: only what cannot change the text is"
                f"{hint} Allowed: {', '.join(sorted(OPTIONS))}"
            )
