"""Draws the next token of every running sequence from the model's logits.

Guarantees: one token takes one uniform number of its sequence's own stream, so what a sequence draws does
not depend on its neighbours, except through rounding inside the model; a token of probability zero is
never drawn; temperature 0 takes the most probable token and no random number. Left out: penalties, min-p,
beam search.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from factory.recipe import Decoding

if TYPE_CHECKING:
    from torch import Tensor


class Drawn(NamedTuple):
    """One token for each sequence, and its log probability (nats) under the model at temperature 1."""

    tokens: list[int]
    logprobs: list[float]


def draw(logits: Tensor, uniforms: Sequence[float], decoding: Decoding) -> Drawn:
    """Draw from `logits` [sequences, vocabulary], with one number of [0, 1) for each sequence.

    The order of the filters is that of transformers and vLLM: temperature, then top_k, then top_p.
    """
    import torch

    logits = logits.float()
    if decoding.temperature == 0:
        tokens = logits.argmax(dim=-1)
    else:
        scaled = logits / decoding.temperature
        wanted = torch.tensor(uniforms, dtype=torch.float64, device=logits.device)
        filtered = decoding.top_k > 0 or decoding.top_p < 1
        tokens = _by_rank(scaled, wanted, decoding) if filtered else _inverse_cdf(scaled.softmax(-1), wanted)
    chosen = logits.gather(-1, tokens[:, None])[:, 0] - logits.logsumexp(dim=-1)
    return Drawn(tokens.tolist(), chosen.tolist())


def _by_rank(scaled: Tensor, uniforms: Tensor, decoding: Decoding) -> Tensor:
    """Draw among the most probable tokens that top_k and top_p leave; the first is always left."""
    size = scaled.shape[-1]
    kept = min(decoding.top_k, size) if decoding.top_k else size
    ranked, order = scaled.topk(kept, dim=-1)
    probabilities = ranked.softmax(dim=-1)
    # A token stays when those before it hold less than top_p: the smallest set that reaches top_p.
    before = probabilities.cumsum(dim=-1) - probabilities
    allowed = before < decoding.top_p
    allowed[:, 0] = True
    picked = _inverse_cdf(probabilities * allowed, uniforms)
    return order.gather(-1, picked[:, None])[:, 0]


def _inverse_cdf(weights: Tensor, uniforms: Tensor) -> Tensor:
    """The first index where the running sum of `weights` reaches (1 - u) times their sum.

    1 - u lies in (0, 1], so the index exists and its own weight is positive, however sums are rounded.
    The sums are taken in double precision: in single, 50,000 small terms lose the tail.
    """
    import torch

    sums = weights.cumsum(dim=-1, dtype=torch.float64)
    targets = (1.0 - uniforms) * sums[:, -1]
    return torch.searchsorted(sums, targets[:, None])[:, 0]
