"""From the rows of a release to the tokens that a training learns from.

Guarantees: a prompt is worded and put into tokens as the sampler does it, so what is trained on is what is
sampled, to the token; a completion is its text, whatever special tokens it spells, and the token that ends a
text, unless it was cut: nobody learns to stop where only max_tokens did. Every row is used, or counted under
the reason it is left out for. Left out: which rows there are (`training_rows.py`), training (`training/`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from factory.atomic import write_atomically
from factory.errors import CheckFailed, UsageError
from factory.generators import prompts, tokenizing
from factory.loop import training_rows
from factory.progress import Progress
from factory.recipe import Prompt, Train
from factory.release.reading import Manifest
from factory.training.folder import ASKED
from factory.training.job import PREFERENCE, SUPERVISED

TOO_LONG: Final = "too_long"

Rows = list[training_rows.Row]


@dataclass(frozen=True)
class Counts:
    """Rows of the split that are trained on, and those left out by reason; together they are all of it."""

    used: int
    left_out: Mapping[str, int]


def write(
    folder: Path,
    found: Manifest,
    settings: Train,
    prompt: Prompt,
    model: Path,
    rows_to: Path,
    asked_to: Path,
    progress: Progress,
) -> Counts:
    """Write the tokens of the rows of a release at `folder` for the model in `model`.

    `rows_to` is then a Parquet file of SUPERVISED or PREFERENCE, as the method wants it, and `asked_to` one
    of ASKED, a row for each row. `settings.max_length`, and the model's own context where that is smaller,
    bound prompt and completion together. Raises UsageError for a model without a token that ends a text, or
    without a chat template where the prompt is a chat; CheckFailed when no row remains.
    """
    left_out: Counter[str] = Counter()
    encoder = Encoder(model, prompt, settings.max_length)
    total = training_rows.total(found, settings)
    progress.start("put rows into tokens", total, "rows")
    read = training_rows.read(folder, found, settings, left_out, rows_to.parent / "spill")
    schema, encode = (
        (PREFERENCE, encoder.pairs) if settings.method == "dpo" else (SUPERVISED, encoder.supervised)
    )
    used, weight = _write(read, encode, schema, left_out, rows_to, asked_to, progress)
    progress.finish()
    if used + left_out.total() != total:
        raise CheckFailed(
            f"{found.name}@{found.version}: {total} rows went in and {used + left_out.total()} came out. "
            "Nothing was trained: its samples are of problems that its `problems` lacks"
        )
    if not used:
        reasons = ", ".join(f"{number:,} {reason}" for reason, number in sorted(left_out.items()))
        raise CheckFailed(
            f"{found.name}@{found.version}: none of the {total:,} rows can be trained on ({reasons}). Raise "
            f"train.max_length, {encoder.limit} here, if they are too long, or name others in "
            "train.generators; else sample more"
        )
    if weight != used:
        _rescale(rows_to, used / weight)
    return Counts(used, dict(sorted(left_out.items())))


def texts(folder: Path, found: Manifest, prompt: Prompt) -> Iterator[str]:
    """Prompt and completion of each row of `sft`, in every split: what a new model is first taught."""
    for split in found.configs["sft"].splits:
        for batch in training_rows.read(folder, found, Train(split=split), Counter(), folder):
            for row in batch:
                worded = prompts.render(prompt, row["prompt"])
                yield from [worded] if isinstance(worded, str) else [one["content"] for one in worded]
                yield row["completion"]


class Encoder:
    """A model's tokenizer, with the wording of problems and the most tokens that a row may have."""

    def __init__(self, model: Path, prompt: Prompt, max_length: int) -> None:
        self.tokenizer = tokenizing.load(model, "train")
        self.prompt = prompt
        self.end = _end_of_text(self.tokenizer, model)
        context = json.loads((model / "config.json").read_text()).get("max_position_embeddings")
        self.limit = min(max_length, context) if isinstance(context, int) else max_length

    def supervised(self, rows: Rows) -> Rows:
        """The rows that are short enough, with their tokens."""
        return self._encoded(rows, {"completion": "completion_ids"})

    def pairs(self, rows: Rows) -> Rows:
        """The same of pairs; the longer side counts."""
        return self._encoded(rows, {"chosen": "chosen_ids", "rejected": "rejected_ids"})

    def _encoded(self, rows: Rows, sides: Mapping[str, str]) -> Rows:
        worded = {text: self._prompt(text) for text in {row["prompt"] for row in rows}}
        columns = {name: self._completions(rows, side) for side, name in sides.items()}
        found = []
        for at, row in enumerate(rows):
            ids = {name: column[at] for name, column in columns.items()}
            prompt = worded[row["prompt"]]
            if len(prompt) + max(len(one) for one in ids.values()) <= self.limit:
                found.append(row | ids | {"prompt_ids": prompt})
        return found

    def _prompt(self, text: str) -> list[int]:
        return tokenizing.encode(self.tokenizer, prompts.render(self.prompt, text))

    def _completions(self, rows: Rows, side: str) -> list[list[int]]:
        if not rows:
            return []
        encoded = self.tokenizer(
            [row[side] for row in rows], add_special_tokens=False, split_special_tokens=True, verbose=False
        )
        return [
            ids if ids and side in row["cut"] else [*ids, self.end]
            for row, ids in zip(rows, encoded["input_ids"], strict=True)
        ]


def _end_of_text(tokenizer: Any, model: Path) -> int:
    """The token that ends a text for the sampler: the tokenizer's, else one of the generation settings."""
    if tokenizer.eos_token_id is not None:
        return int(tokenizer.eos_token_id)
    from transformers import GenerationConfig

    try:
        written = GenerationConfig.from_pretrained(model, local_files_only=True).eos_token_id
    except OSError:
        written = None
    first = written[0] if isinstance(written, list) and written else written
    if not isinstance(first, int):
        raise UsageError(
            f"{model}: neither the tokenizer nor generation_config.json names a token that ends a text "
            "(eos_token), so the model could never learn to stop. Name one there"
        )
    return first


def _write(
    read: Iterator[Rows],
    encode: Callable[[Rows], Rows],
    schema: pa.Schema,
    left_out: Counter[str],
    rows_to: Path,
    asked_to: Path,
    progress: Progress,
) -> tuple[int, float]:
    """(rows written, sum of their weights)."""
    used, weight = 0, 0.0
    with pq.ParquetWriter(rows_to, schema) as rows, pq.ParquetWriter(asked_to, ASKED) as asked:
        for batch in read:
            encoded = encode(batch)
            left_out[TOO_LONG] += len(batch) - len(encoded)
            used, weight = used + len(encoded), weight + sum(row.get("weight", 1.0) for row in encoded)
            for writer, kind in ((rows, schema), (asked, ASKED)):
                writer.write_table(pa.Table.from_pylist(encoded, schema=kind))
            progress.advance(len(batch))
    left_out += Counter()  # a reason that nothing was left out for is none
    return used, weight


def _rescale(path: Path, factor: float) -> None:
    """Multiply the weights of a file of SUPERVISED, so that their mean is 1."""

    def write(file: Any) -> None:
        with pq.ParquetFile(path) as source, pq.ParquetWriter(file, SUPERVISED) as target:
            for batch in source.iter_batches(batch_size=training_rows.BATCH):
                weights = pa.array([one * factor for one in batch["weight"].to_pylist()])
                target.write_batch(batch.set_column(batch.schema.names.index("weight"), "weight", weights))

    write_atomically(path, write)
