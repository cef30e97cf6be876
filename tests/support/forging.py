"""Alters a release as somebody would who wants it to look whole: files, rows, manifest and card.

What `reseal` mends after a change is what a forger mends: the sizes and sha256 of files; the number of rows;
the content digests; and the release id, with the marks and the card. After the last a release is whole in
itself, and is another one: only what its rows say against each other can give it away.
"""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from factory import checking
from factory.configs import MARKED
from factory.release import digest, manifest
from factory.release.findings import Finding
from tests.support import releases

Rows = list[dict[str, Any]]
_KEPT: list[tempfile.TemporaryDirectory[str]] = []
Seal = Literal["nothing", "bytes", "rows", "digest", "id"]


@functools.cache
def made() -> Path:
    """A folder with a store of two releases, made once for all tests: leave them as they are.

    sums@1.0.0 is of texts, 4 samples a problem; sums@2.0.0 of messages in two splits, 8 samples a problem,
    with a licence granted and its language stated.
    """
    _KEPT.append(tempfile.TemporaryDirectory())
    root = Path(_KEPT[-1].name)
    store = releases.make_store(root)
    releases.release(root, store)
    more = "  form: messages\n  splits: {test: 0.3}\n  license: cc-by-4.0\n  language: [en]\n"
    releases.release(root, store, "2.0.0", samples=8, more=more)
    return root


def copy(folder: Path, target: Path) -> Path:
    """A copy that may be written to."""
    shutil.copytree(folder, target, copy_function=shutil.copyfile)
    for path in [target, *target.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    return target


def content(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return found


def store(folder: Path, value: object) -> None:
    (folder / "manifest.json").write_text(json.dumps(value))


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Alter the manifest."""
    value = content(folder)
    change(value)
    store(folder, value)


def file_of(folder: Path, config: str, split: str = "train") -> Path:
    return folder / "data" / config / f"{split}-00000-of-00001.parquet"


def rows(folder: Path, config: str, change: Callable[[Rows], Rows], split: str = "train") -> None:
    """Alter the rows of a file; its columns and its mark stay."""
    path = file_of(folder, config, split)
    table = pq.read_table(path)
    plain = table.schema.remove_metadata()
    write(path, pa.Table.from_pylist(change(table.to_pylist()), schema=plain), marks(path))


def write(path: Path, table: pa.Table, marked: dict[str, str]) -> None:
    """Write a file of rows with these marks."""
    with pq.ParquetWriter(path, table.schema.remove_metadata(), compression="zstd") as writer:
        writer.write_table(table)
        if marked:
            writer.add_key_value_metadata(marked)


def marks(path: Path) -> dict[str, str]:
    """The mark of a file of rows."""
    kept = pq.read_metadata(path).metadata or {}
    return {key.decode(): value.decode() for key, value in kept.items() if key.startswith(b"factory.")}


def reseal(folder: Path, seal: Seal) -> None:
    """Make the manifest fit the files again, as far as `seal` says; each level includes those before."""
    if seal == "nothing":
        return
    value = content(folder)
    order = ("bytes", "rows", "digest", "id")
    wanted = order[: order.index(seal) + 1]
    if "rows" in wanted:
        _recount(folder, value)
    if "digest" in wanted:
        for config, shown in value["configs"].items():
            shown["content_digest"] = content_digest(folder, value, config)
    if "id" in wanted:
        _rename(folder, value)
    for one in (*value["files"], *value["documents"]):
        data = (folder / one["path"]).read_bytes()
        one |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    store(folder, value)


def content_digest(folder: Path, value: dict[str, Any], config: str) -> str:
    table = pa.concat_tables(
        digest.in_split(pq.read_table(folder / one["path"]).replace_schema_metadata(), one["split"])
        for one in value["files"]
        if one["config"] == config
    )
    return digest.rows_digest(table.to_batches(), table.schema)


def _recount(folder: Path, value: dict[str, Any]) -> None:
    for one in value["files"]:
        one["rows"] = pq.read_metadata(folder / one["path"]).num_rows
    for config, shown in value["configs"].items():
        own = [one for one in value["files"] if one["config"] == config]
        shown["splits"] = {
            split: sum(one["rows"] for one in own if one["split"] == split)
            for split in {one["split"] for one in own}
        }
        shown["rows"] = sum(shown["splits"].values())


def _rename(folder: Path, value: dict[str, Any]) -> None:
    """The release id anew, in the manifest, the marks and the card."""
    old = value["release_id"]
    value["recipe_digest"] = manifest.full_digest(value["recipe"])
    value["release_id"] = manifest.release_id(
        value["name"], value["version"], value["recipe_digest"], value["lock"], value["configs"]
    )
    marked = {
        "factory.release": f"{value['name']}@{value['version']}",
        "factory.release_id": value["release_id"],
    }
    for one in value["files"]:
        if one["config"] in MARKED:
            path = folder / one["path"]
            write(path, pq.read_table(path).replace_schema_metadata(), marked)
    card = folder / "README.md"
    card.write_text(card.read_text().replace(old, value["release_id"]))


def check(folder: Path, rows: bool = True) -> list[Finding]:
    """The findings on a release; its folder's name says which it should be."""
    return checking.check_folder(folder, checking.named(folder), rows=rows)


def failed(found: list[Finding]) -> set[str]:
    """The checks that failed."""
    return {one.check for one in found if one.status == "failed"}


def told(found: list[Finding], name: str) -> str:
    """Everything that a check says against a release, as one text."""
    return " / ".join(
        f"{one.where}: {one.found}, expected {one.expected}"
        for one in found
        if one.check == name and one.status != "ok"
    )
