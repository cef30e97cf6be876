"""Writes the Parquet files of a release, and puts the finished folder in its place.

Guarantees: the same rows in the same order give the same bytes for the same pyarrow version (row groups
and files are cut by what the rows hold, not by how they arrived), and the same content digest for any
version, order or encoding (`digest.py`). Memory holds one row group of one file, however many are open. A
release folder is there whole or not at all, and its files are read-only (0444), since a released version
never changes; its folders stay writable, so that it can be removed. Left out: what the rows are
(`formats.py` decides) and what the manifest says about them (`manifest.py`).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from factory.atomic import disk_errors, sync_folder
from factory.configs import KEYS
from factory.release.digest import ContentDigest, in_split

GROUP_BYTES: Final = 64 * 2**20
"""A row group is full with the row that fills so many bytes of values, uncompressed. It ends with the next
anchor (see ANCHOR), or when it holds a quarter more: a row more or less, or another verdict, thus moves few
ends of row groups, and where an end moves, every column begins anew and is sent again.
"""

ANCHOR: Final = 1024
"""A row is an anchor when the CRC-32 of its key is a multiple of this: one row of about a thousand."""

SHARD_BYTES: Final = 400 * 2**20
"""The same for a file: few and large files publish in one commit."""

Rows = Callable[[], Iterator[pa.RecordBatch]]


@dataclass(frozen=True)
class View:
    """One config of a release: its schema, for each split a function that streams the rows in order, and
    how many rows that must give in all.
    """

    config: str
    schema: pa.Schema
    splits: Mapping[str, Rows]
    expected: int


@dataclass(frozen=True)
class Open:
    """A view whose rows are written and whose files wait for the mark: writers, rows and content digest."""

    config: str
    schema: pa.Schema
    shards: Mapping[str, Sequence[Shard]]
    rows: int
    digest: str


@dataclass
class Shard:
    """One file being written."""

    path: Path
    writer: pq.ParquetWriter
    rows: int = 0
    value_bytes: int = 0


def write_view(folder: Path, view: View) -> Open:
    """Write the rows of `view` under `folder`; a split without rows gets no file.

    The files are open still: `finish` closes them, with a mark that depends on the rows of all configs.
    """
    digest, total = ContentDigest(), 0
    shards: dict[str, list[Shard]] = {}
    for split, rows in view.splits.items():
        groups = _groups(rows(), view.schema, KEYS[view.config][0])
        written = _write_shards(folder / "data" / view.config, split, view.schema, groups, digest)
        if written:
            shards[split] = written
            total += sum(shard.rows for shard in written)
    return Open(view.config, view.schema, shards, total, digest.hexdigest())


def finish(folder: Path, view: Open, marks: Mapping[str, str]) -> list[dict[str, Any]]:
    """Close the files of a view as `data/CONFIG/SPLIT-00000-of-0000N.parquet`; returns their entries.

    `marks` become key-value metadata of each file.
    """
    files = []
    for split, shards in view.shards.items():
        for number, shard in enumerate(shards):
            if marks:
                shard.writer.add_key_value_metadata(dict(marks))
            shard.writer.close()
            path = shard.path.with_name(f"{split}-{number:05d}-of-{len(shards):05d}.parquet")
            shard.path.rename(path)
            files.append(_describe_file(folder, path, view.config, split, shard))
    return files


def _groups(batches: Iterable[pa.RecordBatch], schema: pa.Schema, key: str) -> Iterator[tuple[pa.Table, int]]:
    """The same rows as row groups, whatever sizes they come in, each with its bytes."""
    waiting: list[pa.Table] = []
    filled = 0
    for batch in batches:
        rest = pa.Table.from_batches([batch]).select(schema.names).cast(schema)
        ends, anchors = filled + np.cumsum(_row_bytes(rest)), _anchors(rest[key])
        while rest.num_rows:
            last = ((ends >= GROUP_BYTES) & anchors) | (ends >= GROUP_BYTES * 5 // 4)
            count = int(last.argmax()) + 1 if last.any() else rest.num_rows
            waiting.append(rest.slice(0, count))
            filled = int(ends[count - 1])
            if last.any():
                # One chunk: how rows came in must not show in the pages.
                yield pa.concat_tables(waiting).combine_chunks(), filled
                waiting, ends, filled = [], ends - filled, 0
            rest, ends, anchors = rest.slice(count), ends[count:], anchors[count:]
    if waiting:
        yield pa.concat_tables(waiting).combine_chunks(), filled


def _anchors(keys: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    return np.array([zlib.crc32(key.encode()) % ANCHOR == 0 for key in keys.to_pylist()], dtype=bool)


def _row_bytes(rows: pa.Table) -> npt.NDArray[np.int64]:
    """The bytes of each row's values: of its texts in UTF-8, and 8 for any other value, null or not."""
    total = np.zeros(rows.num_rows, dtype=np.int64)
    for column in rows.columns:
        total += _value_bytes(column.combine_chunks())
    return total


def _value_bytes(values: Any) -> npt.NDArray[np.int64]:
    if pa.types.is_string(values.type):
        return np.asarray(pc.binary_length(values).fill_null(0), dtype=np.int64)
    if pa.types.is_struct(values.type):
        return sum((_value_bytes(child) for child in values.flatten()), np.zeros(len(values), np.int64))
    if pa.types.is_list(values.type):
        places = values.offsets.to_numpy()
        inner = values.values.slice(places[0], places[-1] - places[0])
        sums = np.concatenate([[0], np.cumsum(_value_bytes(inner))])
        return np.asarray(np.diff(sums[places - places[0]]), dtype=np.int64)
    return np.full(len(values), 8, dtype=np.int64)


def _write_shards(
    target: Path,
    split: str,
    schema: pa.Schema,
    groups: Iterable[tuple[pa.Table, int]],
    digest: ContentDigest,
) -> list[Shard]:
    shards: list[Shard] = []
    filled = 0
    for rows, size in groups:
        if not shards or filled >= SHARD_BYTES:
            target.mkdir(parents=True, exist_ok=True)
            path, filled = target / f".{split}-{len(shards)}", 0
            # Content-defined chunks and a page index: an edit sends little again, and viewers can seek.
            writer = pq.ParquetWriter(
                path, schema, compression="zstd", use_content_defined_chunking=True, write_page_index=True
            )
            shards.append(Shard(path, writer))
        shards[-1].writer.write_table(rows, row_group_size=rows.num_rows)
        shards[-1].rows += rows.num_rows
        shards[-1].value_bytes += size
        digest.update(in_split(rows, split))
        filled += size
    return shards


def _describe_file(folder: Path, path: Path, config: str, split: str, shard: Shard) -> dict[str, Any]:
    """`arrow_bytes` are those of the values in memory, which readers are told before they load them."""
    return {
        "path": path.relative_to(folder).as_posix(),
        "config": config,
        "split": split,
        "rows": shard.rows,
        "bytes": path.stat().st_size,
        "arrow_bytes": shard.value_bytes,
        "sha256": file_digest(path),
    }


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, value: object) -> None:
    """Sorted, indented, strict JSON with a newline at the end: the same value gives the same bytes."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def draft(folder: Path) -> Path:
    """An empty folder beside the release to build it in."""
    path = folder.with_name(f".tmp-{folder.name}")
    shutil.rmtree(path, ignore_errors=True)
    with disk_errors(path):
        path.mkdir(parents=True)
    return path


def put_in_place(built: Path, folder: Path) -> None:
    """Flush a finished draft to the disk, make its files read-only, and give it the release's name."""
    for path in sorted(built.rglob("*")):
        if path.is_file():
            path.chmod(0o444)
            with path.open("rb") as file:
                os.fsync(file.fileno())
        else:
            sync_folder(path)
    sync_folder(built)
    built.rename(folder)
    sync_folder(folder.parent)
