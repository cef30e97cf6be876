"""Whether a model keeps rows apart that lie end to end in one micro batch.

Guarantees: a model that lets a row see the one before it, or gives it other positions than it has alone, is
refused before training, whatever its architecture. It is asked, not looked up: models differ, and so do the
attention kernels of one model. Left out: making the batches (`losses.py`).
"""

from __future__ import annotations

from typing import Any, Final

from factory.errors import UsageError

APART: Final = 1e-4
"""How far the logits of a row may move, beside the largest of them, when the row before it is another one."""

ALONE: Final = 0.05
"""How far they may differ from those of the row by itself, of which the sums are formed in another order."""


def verify(model: Any) -> None:
    """Raise UsageError where packing would change what `model` learns."""
    import torch

    size = model.get_input_embeddings().num_embeddings
    first, other, row = ([(start + step) % size for step in range(4)] for start in (0, 7, 3))
    training = model.training
    model.eval()
    with torch.no_grad():
        alone, after, after_other = (_logits(model, before, row) for before in ([], first, other))
    model.train(training)
    largest = alone.abs().max()
    if (after - after_other).abs().max() > APART * largest or (after - alone).abs().max() > ALONE * largest:
        raise UsageError(
            f"train.packing: {type(model).__name__} lets rows of one micro batch see each other with the "
            f"attention {model.config._attn_implementation!r}; set train.packing: false"
        )


def _logits(model: Any, before: list[int], row: list[int]) -> Any:
    """The logits of `row`, which lies behind `before`."""
    import torch

    ids = torch.tensor([[*before, *row]], device=model.device)
    positions = torch.tensor([[*range(len(before)), *range(len(row))]], device=model.device)
    out = model(input_ids=ids, position_ids=positions, use_cache=False)
    return out.logits[0, len(before) :].float()
