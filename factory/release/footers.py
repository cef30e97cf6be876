"""Checks what the footers of the files of a release say: rows, columns, mark, and whether loaders take them.

Guarantees: only footers are read; a file that is no Parquet gives a finding, never a traceback. Left out: the
rows themselves (`check.digests`, `laws.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from factory.configs import CONFIGS, MARKED
from factory.release.findings import Finding, concluded, failed
from factory.release.reading import Column, File, Manifest

EXPECTED: Final[Mapping[str, str]] = {
    "rows": "rows as listed",
    "schema": "the columns of the manifest",
    "mark": "the release id in view files, and nothing in shared ones",
    "loadable": "rows, columns and split names that load_dataset reads",
}
"""The checks, and what each expects of every file."""


def footers(folder: Path, found: Manifest, paths: Iterable[str]) -> tuple[list[Finding], set[str]]:
    """Whether rows, columns and mark of each file are what the manifest says; and the paths that are right.

    `paths` are files of `folder` with the right content. A file is right when its rows can be read as listed.
    """
    wanted = set(paths)
    faults: list[Finding] = []
    right: set[str] = set()
    for file in [one for one in found.files if one.path in wanted]:
        own = list(_faults(folder, found, file))
        faults += own
        if not any(one.check in ("rows", "schema") for one in own):
            right.add(file.path)
    where = f"{len(wanted):,} files"
    findings: list[Finding] = []
    for check, expected in EXPECTED.items():
        findings += concluded(check, where, expected, (one for one in faults if one.check == check))
    return findings, right


def _faults(folder: Path, found: Manifest, file: File) -> Iterator[Finding]:
    try:
        with pq.ParquetFile(folder / file.path) as opened:
            schema, footer = opened.schema_arrow, opened.metadata
            kept = dict(footer.metadata or {})
    except (OSError, ValueError, TypeError, pa.ArrowException) as error:
        yield failed("schema", file.path, error, "a Parquet file")
        return
    if footer.num_rows != file.rows:
        yield failed("rows", file.path, f"{footer.num_rows:,} rows", f"{file.rows:,}")
    yield from _columns(file.path, schema, found.configs[file.config].columns)
    yield from _mark(found, file, kept)
    yield from _loadable(file, schema, footer.num_row_groups)


def _mark(found: Manifest, file: File, kept: Mapping[bytes, bytes]) -> Iterator[Finding]:
    shared = file.config in CONFIGS and file.config not in MARKED
    marks = {"factory.release": f"{found.name}@{found.version}", "factory.release_id": found.release_id}
    own = {
        key.decode("utf-8", "replace"): value.decode("utf-8", "replace")
        for key, value in kept.items()
        if key.startswith(b"factory.")
    }
    if own != ({} if shared else marks):
        told = ", ".join(own[key] for key in sorted(own)) or "no mark"
        expected = "no mark: versions share it" if shared else ", ".join(marks.values())
        yield failed("mark", file.path, told, expected)


def _columns(path: str, schema: pa.Schema, listed: list[Column]) -> Iterator[Finding]:
    there = [Column(name=one.name, type=_type(one.type), nullable=one.nullable) for one in schema]
    listed = [one.model_copy(update={"type": _type(one.type)}) for one in listed]
    if [one.name for one in there] != [one.name for one in listed]:
        names = ", ".join(one.name for one in there), ", ".join(one.name for one in listed)
        yield failed("schema", path, *names)
        return
    for own, expected in zip(there, listed, strict=True):
        if own != expected:
            yield failed("schema", f"{path}: {own.name}", _told(own), _told(expected))


def _type(kind: object) -> str:
    """A type as text; Parquet calls the elements of a list `element`, Arrow calls them `item`."""
    return str(kind).replace("list<item: ", "list<element: ")


def _told(column: Column) -> str:
    return f"{column.type}{' or null' if column.nullable else ''}"


def _loadable(file: File, schema: pa.Schema, groups: int) -> Iterator[Finding]:
    """What makes load_dataset fail on files that are right in themselves."""
    if not file.rows or not groups:
        yield failed("loadable", file.path, "no rows", "rows; a split without rows has no file")
    if "-" in file.split:
        yield failed("loadable", file.path, f"the split {file.split}", "a name without a dash")
    for one in schema:
        if bad := [kind for kind in _kinds(one.type) if pa.types.is_null(kind) or pa.types.is_map(kind)]:
            yield failed(
                "loadable", f"{file.path}: {one.name}", str(bad[0]), "a type that every file can hold"
            )


def _kinds(kind: pa.DataType) -> Iterator[pa.DataType]:
    waiting = [kind]
    while waiting:
        one = waiting.pop()
        yield one
        if not pa.types.is_map(one):
            waiting += [one.field(place).type for place in range(one.num_fields)]
