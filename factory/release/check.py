"""Checks the files of a release as a stranger would: against its manifest, and against each other.

Guarantees: what is said comes from the files of the folder alone, never from the store that made them. No
link is followed out of the folder, no file that the manifest does not list is read, and a damaged file gives
a finding, never a traceback. Checks that rest on a file found damaged are told as not done.

Left out: columns and marks (`footers.py`), the meaning of the rows (`laws.py`), the card
(`factory/checking.py`), and who made the release: somebody who rewrites all of it, manifest too, makes
another release, with another release id. Of what the manifest tells, the id covers name, version, recipe,
lock, columns and contents; the counts are counted anew; packages, licences and certificates are its word.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from factory.records import HUMAN
from factory.release import build, digest, manifest
from factory.release.findings import Finding, concluded, failed, warning
from factory.release.reading import Document, File, Manifest
from factory.release.remote import HUBS_OWN

OF_THE_HUB: Final = (".cache/huggingface/", ".git/")
"""Folders that the Hub's clients put beside the files of a release; the Hub itself adds HUBS_OWN."""

BATCH_ROWS: Final = 2_000

Remote = Mapping[str, tuple[int, str]]
"""Files that stay where they are, as (bytes, sha256) by path: what the Hub says of them."""


def identity(found: Manifest, named: Mapping[str, str]) -> list[Finding]:
    """Whether the manifest is that of the release `named` (name, version), and its digests are right."""
    raw = found.content
    shown = {one: raw["configs"][one] for one in found.configs}

    def faults() -> Iterator[Finding]:
        for key, value in named.items():
            if raw[key] != value:
                yield failed("identity", key, raw[key], value)
        for key in ("name", "version"):
            if found.recipe.get(key) != raw[key]:
                yield failed("identity", f"recipe.{key}", found.recipe.get(key), raw[key])
        recipe_digest = manifest.full_digest(found.recipe)
        if recipe_digest != found.recipe_digest:
            yield failed("identity", "recipe_digest", found.recipe_digest, recipe_digest)
        own = manifest.release_id(found.name, found.version, recipe_digest, found.lock, shown)
        if own != found.release_id:
            yield failed("identity", "release_id", found.release_id, own)

    try:
        return concluded("identity", found.release_id, "the digest of what the manifest holds", faults())
    except (RecursionError, ValueError) as error:
        return [failed("identity", "manifest.json", type(error).__name__, "content with a canonical form")]


def files(
    folder: Path, found: Manifest, wanted: Collection[str], remote: Remote | None = None
) -> tuple[list[Finding], set[str]]:
    """Whether exactly the listed files are there, as they are listed; and the paths of those that are.

    Of files with rows only those of the configs `wanted` are read. Files in `remote` need not be in
    `folder`.
    """
    there = _walk(folder)
    elsewhere = remote or {}
    listed = {
        path: one for path, one in found.listed.items() if not isinstance(one, File) or one.config in wanted
    }
    sound: set[str] = set()

    def presence() -> Iterator[Finding]:
        for path, one in sorted(found.listed.items()):
            kind = there.get(path, "file" if path in elsewhere else "missing")
            if kind != "file":
                yield failed("files", path, kind, "a file")
            elif path in listed:
                sound.add(one.path)
        for path in sorted({*there, *elsewhere} - {*found.listed, "manifest.json", HUBS_OWN}):
            if not path.startswith(OF_THE_HUB):
                yield failed("files", path, there.get(path, "file"), "nothing: the manifest does not list it")

    result = concluded("files", f"{len(found.listed):,} files", "every listed file and no other", presence())
    bad = [one for path in sorted(sound) if (one := _content(folder, listed[path], elsewhere)) is not None]
    sound -= {one.where for one in bad}
    return [*result, *concluded("content", f"{len(sound):,} files", "bytes and sha256 as listed", bad)], sound


def _walk(folder: Path) -> dict[str, str]:
    """What stands below `folder`, as `file`, or what it is instead; links are not followed."""
    found: dict[str, str] = {}
    waiting = [(folder, "")]
    while waiting:
        place, start = waiting.pop()
        for entry in os.scandir(place):
            path = start + entry.name
            if entry.is_symlink():
                found[path] = "file" if _cached(Path(entry.path), folder) else "a link"
            elif entry.is_dir():
                waiting.append((Path(entry.path), path + "/"))
            else:
                found[path] = "file" if entry.is_file() else "no regular file"
    return found


def _cached(link: Path, folder: Path) -> bool:
    """Whether this is a file as the Hub's cache keeps it: snapshots/COMMIT/PATH, a link into blobs/.

    What came by Xet is a link further, into the blobs/XX/ that all repositories of the cache share.
    """
    try:
        if folder.resolve().parent.name != "snapshots":
            return False
        target = link.resolve(strict=True)
        above = folder.resolve().parents
        inside = target.parent == above[1] / "blobs" or target.parents[1] == above[2] / "blobs"
        return inside and stat.S_ISREG(target.stat().st_mode)
    except (OSError, RuntimeError, IndexError):  # a link to itself; a folder near the root
        return False


def _content(folder: Path, one: Document, elsewhere: Remote) -> Finding | None:
    if one.path in elsewhere:
        size, sha256 = elsewhere[one.path]
    else:
        try:
            size = (folder / one.path).stat().st_size
            sha256 = build.file_digest(folder / one.path) if size == one.bytes else ""
        except OSError as error:
            return failed("content", one.path, error.strerror, "a file that can be read")
    if size != one.bytes:
        return failed("content", one.path, f"{size:,} bytes", f"{one.bytes:,} bytes")
    return None if sha256 == one.sha256 else failed("content", one.path, sha256, one.sha256)


def arithmetic(found: Manifest) -> list[Finding]:
    """Whether the manifest adds up: files, splits and configs; each stage and the one before."""
    counts = found.counts
    total = {stage: sum(reasons.values()) for stage, reasons in counts.items()}
    rows = {name: one.rows for name, one in found.configs.items()}
    asked, present = (
        counts.get("problems", {}).get("asked", 0),
        counts.get("samples", {}).get("present", 0),
    )
    sums: list[tuple[str, str, int | None, int | None]] = [
        ("samples judged", "counts.samples.present", total.get("verdicts"), present),
        ("samples selected or not", "counts.samples.present", total.get("selection"), present),
        ("rows of problems", "counts.problems", rows.get("problems"), total.get("problems")),
        ("rows of rewards", "counts.problems.asked", rows.get("rewards"), asked),
        ("rows of samples", "counts.selection", rows.get("samples"), total.get("selection")),
        ("rows of sft", "counts.selection.kept", rows.get("sft"), counts.get("selection", {}).get("kept", 0)),
    ]
    planned = _planned(found)
    if planned is not None:
        sums.append(("samples planned", "the recipe's budget", total.get("samples"), asked * planned))

    def faults() -> Iterator[Finding]:
        for stage in ("problems", "samples", "verdicts", "selection"):
            if stage not in counts:
                yield failed("counts", f"counts.{stage}", "nothing", "the rows of each reason")
        for what, whose, number, expected in sums:
            if number is not None and number != expected:
                yield failed("counts", what, f"{number:,}", f"{expected or 0:,} ({whose})")
        for name, one in found.configs.items():
            by_split: dict[str, int] = {}
            for file in found.files_of(name):
                by_split[file.split] = by_split.get(file.split, 0) + file.rows
            if by_split != one.splits:
                yield failed("counts", f"config {name}", f"splits {one.splits}", f"{by_split}, as its files")
            elif one.rows != sum(by_split.values()):
                yield failed("counts", f"config {name}", f"{one.rows:,} rows", f"{sum(by_split.values()):,}")

    return concluded("counts", "manifest.json", "every row accounted for, at each stage", faults())


def _planned(found: Manifest) -> int | None:
    """Samples that the recipe asks of each problem, over all generators; None where it does not fix it."""
    budget = found.recipe.get("budget")
    per_problem = budget.get("per_problem") if isinstance(budget, dict) else None
    generators = found.lock.get("generators")
    if not isinstance(budget, dict) or not isinstance(per_problem, dict) or not isinstance(generators, dict):
        return None
    if budget.get("match") is not None or budget.get("total") is not None:
        return None  # an amount may end sampling before
    own = per_problem.get("by_generator", {})
    if not {"samples"} <= set(per_problem) <= {"samples", "by_generator"} or not isinstance(own, dict):
        return None
    if any(one.get("engine") == HUMAN for one in generators.values() if isinstance(one, dict)):
        return None  # a problem has as many worked solutions as its source gives
    numbers: list[Any] = [own.get(name, per_problem["samples"]) for name in generators]
    return sum(numbers) if all(type(one) is int for one in numbers) else None


def digests(folder: Path, found: Manifest, sound: Collection[str], step: Callable[[], None]) -> list[Finding]:
    """Whether the rows of each config have the content digest of the manifest; `step` is called after each.

    Reads every row once, in batches.
    """
    result: list[Finding] = []
    for name, config in found.configs.items():
        listed = found.files_of(name)
        if any(one.path not in sound for one in listed):
            result.append(unread("digest", name))
            continue
        try:
            first = pq.read_schema(folder / listed[0].path)
            own = digest.rows_digest(
                _batches(folder, listed), digest.in_split(first.empty_table(), "").schema
            )
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
            result.append(failed("digest", f"config {name}", error, "rows that can be read"))
        else:
            wrong = own != config.content_digest
            faults = [failed("digest", f"config {name}", config.content_digest, own)] if wrong else []
            result += concluded("digest", f"config {name}", f"{config.rows:,} rows of this content", faults)
        step()
    return result


def _batches(folder: Path, files: Iterable[File]) -> Iterator[pa.RecordBatch]:
    for one in files:
        with pq.ParquetFile(folder / one.path, pre_buffer=False) as opened:
            for batch in opened.iter_batches(BATCH_ROWS):
                yield digest.in_split(batch, one.split)


def unread(check: str, config: str) -> Finding:
    """The finding that a check could not be made, because files of a config are not what is listed."""
    return warning(check, f"config {config}", "not checked", "its files as listed; see what failed")
