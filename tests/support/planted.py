"""Release folders with rows made up by a test: what differs between two of them is known beforehand."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from factory import configs
from factory.release import build, manifest
from factory.release.row_changes import Side

Rows = Sequence[Mapping[str, Any]]


def key(number: int, what: str = "sample") -> str:
    """An id as releases have them."""
    return hashlib.sha256(f"{what} {number}".encode()).hexdigest()[:32]


def row(config: str, number: int, form: configs.Form = "text", **values: Any) -> dict[str, Any]:
    """A row of `config`: ids from `number`, other columns of some value of their type, or as given."""
    found = {one.name: _some(one.type) for one in configs.schema(config, form)}
    ids = {name: key(number, name) for name in found if name.endswith("_id")}
    return found | ids | values


def _some(kind: pa.DataType) -> Any:
    if kind == configs.MESSAGES:
        return [{"role": "user", "content": "text"}]
    if pa.types.is_list(kind):
        return [{one.name: _some(one.type) for one in kind.value_type}]
    if pa.types.is_boolean(kind):
        return False
    return "text" if pa.types.is_string(kind) else pa.scalar(1).cast(kind).as_py()


def release(
    folder: Path,
    content: Mapping[str, Mapping[str, Rows]],
    version: str = "1.0.0",
    *,
    form: configs.Form = "text",
    schemas: Mapping[str, pa.Schema] | None = None,
    recipe: Mapping[str, Any] | None = None,
    lock: Mapping[str, Any] | None = None,
) -> Side:
    """Write a release of {config: {split: rows}} in `folder`, with a manifest and without documents."""
    folder.mkdir(parents=True)
    written = []
    for config, splits in content.items():
        schema = (schemas or {}).get(config, configs.schema(config, form))
        tables = {split: pa.Table.from_pylist(list(rows), schema) for split, rows in splits.items()}
        streams = {split: table.to_batches for split, table in tables.items()}
        total = sum(table.num_rows for table in tables.values())
        written.append(build.write_view(folder, build.View(config, schema, _iterators(streams), total)))
    made = manifest.make(
        recipe={"name": "planted", "version": version, **(recipe or {})},
        lock={"generators": {}} | dict(lock or {"verifiers": [{"verifier": "math@1"}]}),
        packages={},
        counts={},
        written=written,
    )
    files = [file for one in written for file in build.finish(folder, one, {})]
    done = {**made, "files": files, "documents": []}
    build.write_json(folder / "manifest.json", done)
    return Side(folder, done)


def _iterators(streams: Mapping[str, Any]) -> dict[str, build.Rows]:
    return {split: (lambda batches=batches: iter(batches())) for split, batches in streams.items()}
