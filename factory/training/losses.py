"""The losses of supervised training, and the batches they are taken of.

Guarantees: the loss is taken of completions alone; no row sees another one, padded or packed. A batch names
the rows in it, so that what was consumed can be told from what was planned. Left out: the preference loss
(`preference.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from math import fsum
from typing import Any, Final

from factory.errors import UsageError

IGNORED: Final = -100
"""The label of a token that the loss is not taken of, in PyTorch and transformers."""


def weighted(log_probs: Any, weights: Any, loss_tokens: Any) -> Any:
    """The weighted negative log likelihood, `sum_i w_i * sum_t -log p(y_it)` / `loss_tokens`.

    `log_probs` and `weights` have a value for each position (rows x positions; 0 where the loss is not
    taken); `loss_tokens` counts the tokens of all rows of the step, in however many micro batches, so the
    losses of these add up to the step's, and weights of 1 give exactly the plain loss.
    """
    return -(log_probs * weights).sum() / loss_tokens


def mean_one(weights: Sequence[float]) -> list[float]:
    """The weights divided by their mean. Raises UsageError where one is below 0 or infinite, or all are 0."""
    wrong = [one for one in weights if not 0 <= one < float("inf")]
    if wrong:
        raise UsageError(f"a row's weight is {wrong[0]}; a weight is a finite number, 0 or more")
    mean = fsum(weights) / len(weights)
    if not mean:
        raise UsageError("every row has the weight 0, so there is nothing to learn; see train.weights")
    return [one / mean for one in weights]


class Supervised:
    """Puts rows {row, prompt_ids, completion_ids, weight} of a micro batch together.

    Padded on the right by default; with `packing` end to end in one row of which the positions begin anew
    with each. `weighs` adds the weight of each token. The token ids of a row are the model's, unchanged.
    """

    def __init__(self, pad_id: int, *, packing: bool, weighs: bool) -> None:
        self.pad_id, self.packing, self.weighs = pad_id, packing, weighs

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        import torch

        texts = [[*row["prompt_ids"], *row["completion_ids"]] for row in rows]
        labels = [_labels(row) for row in rows]
        weights = [[row["weight"]] * len(text) for row, text in zip(rows, texts, strict=True)]
        batch: dict[str, Any] = {
            "rows": [row["row"] for row in rows],
            "tokens": sum(map(len, texts)),
            "loss_tokens": sum(one != IGNORED for label in labels for one in label),
        }
        if self.packing:
            positions = [list(range(len(text))) for text in texts]
            columns = {"input_ids": texts, "labels": labels, "position_ids": positions, "weights": weights}
            made = {name: torch.tensor([[*chain(*column)]]) for name, column in columns.items()}
        else:
            columns = {"input_ids": texts, "labels": labels, "weights": weights}
            fill = {"input_ids": self.pad_id, "labels": IGNORED, "weights": 0.0}
            made = {name: torch.tensor(_padded(column, fill[name])) for name, column in columns.items()}
            made["attention_mask"] = torch.tensor(_padded([[1] * len(text) for text in texts], 0))
        if not self.weighs:
            del made["weights"]
        return batch | made


def _labels(row: Mapping[str, Any]) -> list[int]:
    """The completion's tokens; never the first one of a row, which no position before it predicts."""
    labels = [IGNORED] * len(row["prompt_ids"]) + list(row["completion_ids"])
    return [IGNORED, *labels[1:]]


def _padded(lists: Sequence[list[Any]], value: Any) -> list[list[Any]]:
    length = max(map(len, lists))
    return [one + [value] * (length - len(one)) for one in lists]
