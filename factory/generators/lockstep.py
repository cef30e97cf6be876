"""Sequences decoded in lockstep, each in a row of its own that is replaced as soon as it ends.

Guarantees: one step of the model writes one token in every row; a row that ends is taken out at once, and a
new one can join between any two steps. Draws of one prompt that follow each other share one pass over it.
Each draw has its own stream of random numbers, seeded by its request. Left out: which models this fits
(`transformers_engine.py` refuses the others), and prefixes shared by different prompts.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from factory.generators import tokenizing
from factory.generators.base import Completion, Failure, Request
from factory.generators.row_cache import Layers, RowCache
from factory.generators.sampling import draw
from factory.generators.threads import Load
from factory.recipe import Decoding

if TYPE_CHECKING:
    from torch import Tensor

PREFILL_TOKENS: Final = 4096
"""Tokens, padding among them, of one pass over new prompts: bounds its memory."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model of transformers on its device. `context` is the most tokens it takes, None when unlimited;
    `parameters` are those used for one token, None when unknown."""

    model: Any
    tokenizer: Any
    device: Any
    parameters: float | None
    context: int | None
    eos_ids: frozenset[int]
    encode: tokenizing.Encoder = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "encode", tokenizing.Encoder(self.tokenizer))


@dataclass(slots=True)
class _Row:
    """A draw in flight; `reads_prompt` marks the one among those sharing a prompt that pays for it."""

    request: Request
    prompt: tuple[int, ...]
    reads_prompt: bool = True
    started: float = field(default_factory=time.monotonic)
    stream: random.Random = field(init=False)
    tokens: list[int] = field(default_factory=list)
    logprob: float = 0.0

    def __post_init__(self) -> None:
        self.stream = random.Random(self.request.seed)


@dataclass(frozen=True, slots=True)
class _Read:
    """A prompt after its pass through the model: its keys and values, and the logits of the next token."""

    layers: Layers
    logits: Tensor


class Lockstep:
    """The sequences in flight; row i of `rows` is row i of the cache. `load` is None on an accelerator."""

    def __init__(self, loaded: LoadedModel, decoding: Decoding, slots: int, load: Load | None) -> None:
        from transformers import Cache

        self.loaded, self.decoding, self.slots, self.load = loaded, decoding, slots, load
        self.rows: list[_Row] = []
        self.cache = RowCache(slots)
        self.past = Cache(layers=[])
        self.recent: tuple[tuple[int, ...], _Read] | None = None

    @property
    def free_slots(self) -> int:
        return self.slots - len(self.rows)

    def start(self, requests: Sequence[Request]) -> Iterator[Failure]:
        """Give each request a row with its first token; yields those that cannot have one."""
        import torch

        new: list[_Row] = []
        for request in requests:
            prompt = self.loaded.encode(request.prompt)
            if failure := self._refused(request, prompt):
                yield failure
            else:
                new.append(_Row(request, prompt))
        if not new:
            return
        self._adapt_threads()
        with torch.inference_mode():
            logits = []
            for read in self._read(new):
                self.cache.append(read.layers)
                logits.append(read.logits)
            self.past.layers = self.cache.layers
            self._draw(new, torch.stack(logits))
        self.rows += new

    def step(self) -> None:
        """Write one more token in every row."""
        import torch

        self._adapt_threads()
        cache, device = self.cache, self.loaded.device
        with torch.inference_mode():
            cache.open_column()
            lengths = torch.tensor(cache.lengths, device=device)[:, None]
            columns = torch.arange(cache.extent + 1, device=device)
            logits = self.loaded.model(
                input_ids=torch.tensor([[row.tokens[-1]] for row in self.rows], device=device),
                attention_mask=(columns >= cache.extent - lengths).long(),
                position_ids=lengths,
                past_key_values=self.past,
                use_cache=True,
            ).logits[:, -1]
            cache.close_column()
            self._draw(self.rows, logits)

    def finished(self) -> list[Completion]:
        """Take the rows that are complete out of the run."""
        import torch

        done = []
        # From the last to the first: the row that moves into a freed place has been looked at already.
        for index in range(len(self.rows) - 1, -1, -1):
            row = self.rows[index]
            if end := self._end(row):
                with torch.inference_mode():
                    self.cache.remove(index)
                self.rows[index] = self.rows[-1]
                self.rows.pop()
                done.append(self._completion(row, *end))
        return done

    def _refused(self, request: Request, prompt: tuple[int, ...]) -> Failure | None:
        room, wanted = self.loaded.context, self.decoding.max_tokens
        if not prompt:
            return Failure(request, "the prompt has no tokens")
        if room is not None and len(prompt) + wanted > room:
            return Failure(
                request,
                f"the prompt has {len(prompt)} tokens; with max_tokens {wanted} it exceeds the model's "
                f"context of {room}",
            )
        return None

    def _read(self, rows: list[_Row]) -> Iterator[_Read]:
        """The prompt of each row, passed through the model once for neighbours with the same one."""
        groups = [
            (prompt, list(same)) for prompt, same in itertools.groupby(rows, key=lambda row: row.prompt)
        ]
        known = self.recent is not None and self.recent[0] == groups[0][0]
        fresh = self._prefill([prompt for prompt, _ in groups[known:]])
        for index, (prompt, same) in enumerate(groups):
            if index or not known:
                self.recent = (prompt, next(fresh))
            assert self.recent is not None
            for position, row in enumerate(same):
                row.reads_prompt = position == 0 and (index > 0 or not known)
                yield self.recent[1]

    def _prefill(self, prompts: list[tuple[int, ...]]) -> Iterator[_Read]:
        """Pass prompts through the model, as many at once as PREFILL_TOKENS allow."""
        while prompts:
            count = 1
            while (
                count < len(prompts) and (count + 1) * max(map(len, prompts[: count + 1])) <= PREFILL_TOKENS
            ):
                count += 1
            yield from self._prefill_batch(prompts[:count])
            prompts = prompts[count:]

    def _prefill_batch(self, prompts: list[tuple[int, ...]]) -> Iterator[_Read]:
        import torch
        from transformers import DynamicCache

        longest = max(map(len, prompts))
        # Padded on the left, so that all prompts end at the last column, whose logits are wanted.
        mask = torch.tensor([[0] * (longest - len(one)) + [1] * len(one) for one in prompts])
        tokens = torch.tensor([[0] * (longest - len(one)) + list(one) for one in prompts])
        cache, device = DynamicCache(), self.loaded.device
        logits = self.loaded.model(
            input_ids=tokens.to(device),
            attention_mask=mask.to(device),
            position_ids=(mask.cumsum(dim=1) - 1).clamp(min=0).to(device),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        for index, prompt in enumerate(prompts):
            live = slice(longest - len(prompt), longest)
            layers = [(one.keys[index, :, live], one.values[index, :, live]) for one in cache.layers]
            if (
                index == len(prompts) - 1
            ):  # it may be kept for the next draws: not as views of the whole batch
                layers = [(keys.clone(), values.clone()) for keys, values in layers]
            yield _Read(layers, logits[index])

    def _draw(self, rows: list[_Row], logits: Tensor) -> None:
        drawn = draw(logits, [row.stream.random() for row in rows], self.decoding)
        for row, token, logprob in zip(rows, *drawn, strict=True):
            row.tokens.append(token)
            row.logprob += logprob

    def _end(self, row: _Row) -> tuple[str, Literal["stop", "length"]] | None:
        """The text of a row and why it ended, or None while it goes on."""
        decoding, tokenizer = self.decoding, self.loaded.tokenizer
        if row.tokens[-1] in self.loaded.eos_ids:
            return tokenizing.decode(tokenizer, row.tokens[:-1]), "stop"
        if decoding.stop:
            # A token is at least one byte, so a stop string lies within as many tokens as it has bytes.
            reach = max(len(stop.encode()) for stop in decoding.stop) + 4
            if (
                tokenizing.cut_at_stop(tokenizing.decode(tokenizer, row.tokens[-reach:]), decoding.stop)
                is not None
            ):
                text = tokenizing.cut_at_stop(tokenizing.decode(tokenizer, row.tokens), decoding.stop)
                if text is not None:
                    return text, "stop"
        if len(row.tokens) >= decoding.max_tokens:
            return tokenizing.decode(tokenizer, row.tokens), "length"
        return None

    def _completion(self, row: _Row, text: str, reason: Literal["stop", "length"]) -> Completion:
        read = len(row.prompt) if row.reads_prompt else 0
        weights = self.loaded.parameters
        return Completion(
            request=row.request,
            text=text,
            finish_reason=reason,
            prompt_tokens=len(row.prompt),
            completion_tokens=len(row.tokens),
            seed=row.request.seed,
            logprob=row.logprob,
            flops=None if weights is None else 2.0 * weights * (read + len(row.tokens)),
            seconds=time.monotonic() - row.started,
        )

    def _adapt_threads(self) -> None:
        """Leave to other processes the cores they use, see threads.py."""
        import torch

        cores = self.load.free_cores() if self.load else None
        if cores is not None and cores != torch.get_num_threads():
            torch.set_num_threads(cores)
