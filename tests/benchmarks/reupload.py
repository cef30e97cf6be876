"""How much of a release's second version is sent again to a Hub, by what changed and by the order of rows.

    python tests/benchmarks/reupload.py [--problems 12500] [--group-mib 64] [--orders drawn,problem]

The rows are those of the config `samples`: 2 generators x 8 draws of each problem, about 1 KB of text a row;
the draws of a problem share six words of ten. Both versions go through the factory's own writer and into one
local store by hf_xet, which counts what it did not hold yet. Printed for each order: megabytes of the first
file, and for each change the new bytes as a share of the second version's. Bytes only: no time is measured.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from factory import configs
from factory.release import build

DRAWS = 8
WORDS = 165
Key = tuple[int, int, int]
Row = dict[str, Any]
ORDERS: dict[str, Callable[[Key], Key]] = {
    "drawn": lambda key: (key[2], key[1], key[0]),
    "generator": lambda key: (key[1], key[2], key[0]),
    "problem": lambda key: key,
}
"""The order of rows, from the key (problem, generator, sample_index)."""


class Texts:
    """Words with Zipf's frequencies; a sample keeps six of ten words of its problem's text."""

    def __init__(self) -> None:
        draw = random.Random(0)
        letters = "etaoinshrdlucmfwypvbgkjqxz"
        words = ["".join(draw.choices(letters, k=draw.randrange(2, 10))) for _ in range(30_000)]
        self.words = np.array(words, dtype=object)

    def _zipf(self, *seed: int) -> np.ndarray[Any, Any]:
        generator = np.random.default_rng(seed)
        return np.minimum(generator.zipf(1.2, WORDS), len(self.words)) - 1

    def sample(self, key: Key) -> str:
        base, own = self._zipf(key[0]), self._zipf(*key, 1)
        replaced = np.random.default_rng([*key, 2]).random(WORDS) < 0.4
        return " ".join(self.words[np.where(replaced, own, base)])


def ident(*parts: object) -> str:
    return hashlib.md5(repr(parts).encode()).hexdigest()


def row(key: Key, texts: Texts, *, edited: bool = False) -> Row:
    problem, generator, index = key
    draw = random.Random(repr(key))
    right = (draw.random() < 0.4) != edited
    tokens, logprob = draw.randrange(120, 320), draw.uniform(-90, -10)
    return {
        "sample_id": ident(key),
        "problem_id": ident(problem),
        "generator": f"g{generator}",
        "generator_id": ident("generator", generator),
        "sample_index": index,
        "completion": texts.sample(key),
        "finish_reason": "stop",
        "prompt_tokens": 40 + problem % 60,
        "completion_tokens": tokens,
        "seed": draw.randrange(2**31),
        "logprob": logprob,
        "flops": 3e8 * tokens,
        "seconds": tokens / 70,
        "run_id": "20260101T000000-1",
        "status": "pass" if right else "fail",
        "verdict_reason": "number" if right else "number_differs",
        "answer": str(draw.randrange(1000)),
        "rule": "answer_is",
        "correct": right,
        "path": ident("path", key)[:16] if right else None,
        "kept": right,
        "reason": "kept" if right else "wrong",
        "rank": index if right else None,
    }


def versions(problems: int) -> dict[str, tuple[set[Key], set[Key]]]:
    """The keys of each version, and those of them whose verdict is another than in the first."""
    first = {(p, g, i) for p in range(problems) for g in range(2) for i in range(DRAWS)}
    few = problems // 50
    draw = random.Random(1)
    edited = set(draw.sample(sorted(first), len(first) // 50))
    return {
        "first": (first, set()),
        "verdicts of 2 % of the rows": (first, edited),
        "2 % more rows: draws": (
            first | {(p, g, DRAWS) for p in range(few * DRAWS) for g in range(2)},
            set(),
        ),
        "2 % more rows: problems": (
            first
            | {(p, g, i) for p in range(problems, problems + few) for g in range(2) for i in range(DRAWS)},
            set(),
        ),
        "one generator more": (first | {(p, 2, i) for p in range(problems) for i in range(DRAWS)}, set()),
    }


class Rows:
    """Every row of every version, made once."""

    def __init__(self, wanted: dict[str, tuple[set[Key], set[Key]]]) -> None:
        texts = Texts()
        asked = {(key, False) for keys, _ in wanted.values() for key in keys}
        made = sorted(asked | {(key, True) for _, edited in wanted.values() for key in edited})
        self._places = {one: place for place, one in enumerate(made)}
        schema = configs.schema("samples")
        self._table = pa.Table.from_batches(
            pa.RecordBatch.from_pylist(
                [row(key, texts, edited=edited) for key, edited in part], schema=schema
            )
            for part in (made[start : start + 10_000] for start in range(0, len(made), 10_000))
        )

    def write(self, folder: Path, keys: list[Key], edited: set[Key]) -> list[Path]:
        """The files of a version."""
        places = np.array([self._places[key, key in edited] for key in keys])

        def stream() -> Iterator[pa.RecordBatch]:
            for start in range(0, len(places), 10_000):
                yield from self._table.take(places[start : start + 10_000]).combine_chunks().to_batches()

        view = build.View("samples", self._table.schema, {"train": stream}, len(keys))
        return [folder / file["path"] for file in build.finish(folder, build.write_view(folder, view), {})]


def send(store: Path, files: list[Path]) -> tuple[int, int]:
    """(bytes that the store did not hold, bytes in all)."""
    import hf_xet  # type: ignore[import-untyped]

    commit = hf_xet.XetSession().new_upload_commit(endpoint=f"local://{store}")
    for file in files:
        commit.start_upload_file(str(file))
    found = commit.wait_to_finish().dedup_metrics
    return found.new_bytes, found.total_bytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=12_500)
    parser.add_argument("--group-mib", type=int, default=build.GROUP_BYTES // 2**20)
    parser.add_argument("--orders", default="drawn,problem")
    options = parser.parse_args()
    build.GROUP_BYTES = options.group_mib * 2**20  # type: ignore[misc]
    wanted = versions(options.problems)
    rows = Rows(wanted)
    print(f"row groups of {options.group_mib} MiB")
    first, _ = wanted.pop("first")
    for order in options.orders.split(","):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            before = rows.write(folder / "first", sorted(first, key=ORDERS[order]), set())
            for number, (change, (keys, edited)) in enumerate(wanted.items()):
                after = rows.write(folder / f"{number}", sorted(keys, key=ORDERS[order]), edited)
                # A store and a cache of its own for each pair: nothing is known from the pair before.
                os.environ["HF_XET_CACHE"] = str(folder / f"cache-{number}")
                _, size = send(folder / f"store-{number}", before)
                new, total = send(folder / f"store-{number}", after)
                print(
                    f"{order}: {size / 1e6:.1f} MB first; {change}: {100 * new / total:.1f} % sent again"
                    f" ({100 * (1 - len(first) / len(keys)):.1f} % of the rows are new)",
                    flush=True,
                )


if __name__ == "__main__":
    main()
