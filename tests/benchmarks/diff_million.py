"""Plants changes in a release of a million samples, and measures how they are found.

    python tests/benchmarks/diff_million.py [--rows 1000000] [--folder FOLDER]

Two releases with the config `samples`, about 1 KB of text a row, in two splits: rows added, removed, moved to
the other split, and changed in every column, all at random. What `factory release diff` works out must be
exactly what was planted. It runs in a process of its own, and the
seconds, CPU-seconds and peak memory are that process's.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from factory import configs, diffing
from factory.release import build, manifest
from factory.store import Store

BATCH = 50_000
COLUMNS = [
    one
    for one in configs.schema("samples")
    if one.name not in (*configs.KEYS["samples"], *configs.ACT_OF_SAMPLING)
]
SPLITS = ("train", "test")


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--rows", type=int, default=1_000_000)
    asked.add_argument("--folder", type=Path)
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--compare", action="store_true", help="only compare what is in the folder")
    given = asked.parse_args()
    if given.compare:
        _compare(given.folder)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        planted = plant(folder, given.rows, given.seed)
        command = [sys.executable, __file__, "--compare", "--folder", str(folder)]
        told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        entry = told["found"]
        found = {name: entry[name] for name in ("added", "removed", "changed", "columns")}
        if found != planted:
            raise SystemExit(f"planted {planted}\nfound   {found}")
        size = sum(path.stat().st_size for path in folder.rglob("*.parquet")) / 2**20
        print(f"{entry['old']:,} x {entry['new']:,} rows, {size:,.0f} MB of Parquet: {found}")
        print(
            f"exactly what was planted, in {told['seconds']:.2f} s ({told['cpu_seconds']:.2f} CPU-seconds); "
            f"peak memory {told['peak_mb']:,.0f} MB"
        )


def _compare(folder: Path) -> None:
    started = time.perf_counter()
    found = diffing.compare(Store(folder / "none"), str(folder / "old"), str(folder / "new"))
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told = {"seconds": seconds, "cpu_seconds": time.process_time(), "peak_mb": peak}
    print(json.dumps({"found": found["configs"]["samples"], **told}))


def plant(folder: Path, rows: int, seed: int) -> dict[str, Any]:
    """Write both releases under `folder`; returns what differs, as a comparison tells it."""
    random = np.random.default_rng(seed)
    planted: dict[str, Any] = {"added": 0, "removed": 0, "changed": 0, "columns": {}}
    writers = {side: _Writers(folder / side) for side in ("old", "new")}
    for old in _batches(random, rows):
        split = (random.random(len(old)) < 0.05).astype(int)
        fate = random.random(len(old))
        removed, added = fate < 0.003, fate > 0.998  # neither of both releases has all of the rows
        kept = ~(removed | added)
        changed = np.zeros(len(old), dtype=bool)
        new = old
        for column in COLUMNS:
            rows_of_it = kept & (random.random(len(old)) < 0.001)
            new = new.set_column(
                new.schema.get_field_index(column.name), column, _other(new[column.name], rows_of_it)
            )
            planted["columns"][column.name] = planted["columns"].get(column.name, 0) + int(rows_of_it.sum())
            changed |= rows_of_it
        moved = kept & (random.random(len(old)) < 0.002)
        planted["columns"]["split"] = planted["columns"].get("split", 0) + int(moved.sum())
        planted["changed"] += int((changed | moved).sum())
        planted["removed"] += int(removed.sum())
        planted["added"] += int(added.sum())
        writers["old"].write(old, split, ~added)
        writers["new"].write(new, np.where(moved, 1 - split, split), ~removed)
    for number, writer in enumerate(writers.values(), 1):
        writer.close(f"{number}.0.0")
    return planted


def _batches(random: np.random.Generator, rows: int) -> Iterator[pa.Table]:
    """Rows of the config `samples`, with texts of about 1 KB that are not all alike."""
    words = [f"w{random.integers(10**6):x}" for _ in range(5_000)]
    ranks = np.minimum(random.zipf(1.3, size=(40_000, 18)), len(words)) - 1
    sentences = pa.array([" ".join(words[rank] for rank in one) for one in ranks])
    for start in range(0, rows, BATCH):
        count = min(BATCH, rows - start)
        numbers = np.arange(start, start + count)
        parts = [sentences.take(random.integers(len(sentences), size=count)) for _ in range(10)]
        texts = pc.binary_join_element_wise(*parts, " ")
        columns = [_column(one, numbers, texts, random) for one in configs.schema("samples")]
        yield pa.table(columns, schema=configs.schema("samples"))


def _column(column: pa.Field, numbers: np.ndarray, texts: pa.Array, random: np.random.Generator) -> pa.Array:
    if column.name == "completion":
        return texts
    if column.name in ("sample_id", "problem_id"):
        whole = numbers if column.name == "sample_id" else numbers // 16
        return pa.array(
            [f"{one * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128:032x}" for one in whole.tolist()]
        )
    if pa.types.is_boolean(column.type):
        return pa.array(random.random(len(numbers)) < 0.5)
    if pa.types.is_string(column.type):
        values = pa.array([f"{column.name} {number}" for number in range(100)])
        return values.take(random.integers(100, size=len(numbers)))
    whole = random.integers(1000, size=len(numbers))
    return pa.array(whole, mask=whole < 10 if column.nullable else None).cast(column.type)


def _other(values: pa.ChunkedArray, where: np.ndarray) -> pa.ChunkedArray:
    """`values` with another value at each place of the mask; a null becomes a value."""
    if pa.types.is_boolean(values.type):
        return pc.if_else(where, pc.invert(values), values)
    if pa.types.is_string(values.type):
        other = pc.binary_join_element_wise(pc.fill_null(values, ""), "x", "")
    else:
        other = pc.add(pc.fill_null(values, -2), pa.scalar(1, values.type))
    return pc.if_else(where, other, values)


class _Writers:
    """The files of one release, a split each, written as releases are."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.rows = folder, dict.fromkeys(SPLITS, 0)
        self.paths = {split: folder / f"data/samples/{split}-00000-of-00001.parquet" for split in SPLITS}
        (folder / "data/samples").mkdir(parents=True)
        self.open = {
            split: pq.ParquetWriter(
                path,
                configs.schema("samples"),
                compression="zstd",
                use_content_defined_chunking=True,
                write_page_index=True,
            )
            for split, path in self.paths.items()
        }

    def write(self, rows: pa.Table, split: np.ndarray, there: np.ndarray) -> None:
        for place, name in enumerate(SPLITS):
            inside = rows.filter(pa.array(there & (split == place)))
            self.open[name].write_table(inside, row_group_size=20_000)
            self.rows[name] += inside.num_rows

    def close(self, version: str) -> None:
        for writer in self.open.values():
            writer.close()
        files = [
            {
                **manifest.document(self.folder, path.relative_to(self.folder).as_posix()),
                "config": "samples",
                "split": split,
                "rows": self.rows[split],
            }
            for split, path in self.paths.items()
        ]
        one = build.Open("samples", configs.schema("samples"), {}, sum(self.rows.values()), version[0] * 64)
        recipe = {"name": "planted", "version": version}
        made = manifest.make(recipe=recipe, lock={}, packages={}, counts={}, written=[one])
        made["configs"]["samples"]["splits"] = self.rows
        build.write_json(self.folder / "manifest.json", {**made, "files": files, "documents": []})


if __name__ == "__main__":
    main()
