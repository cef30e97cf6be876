"""The README.md of a release: what a person and `load_dataset` read first.

Guarantees: the front matter names every config with its files, and carries `version` and `description` in
each, because that is the only mark of the version really loaded that survives every reader (a cached or
equally named older copy may be served in silence). Everything said is taken from manifest and metrics.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from factory import configs

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def make(manifest: Mapping[str, Any], metrics: Mapping[str, Any], license: str | None) -> str:
    """The card as Markdown with YAML front matter."""
    name, version = manifest["name"], manifest["version"]
    body = [
        f"# {name} {version}",
        manifest["recipe"].get("description") or "A synthetic dataset made from a recipe by `factory`.",
        "## Content",
        _table(("config", "rows", "what"), _configs(manifest)),
        "Every row is accounted for:",
        _table(("stage", "reason", "rows"), _counts(manifest["counts"])),
        "## Measured",
        _table(("metric", "value", "95% interval", "problems"), metric_rows(metrics)),
        "The intervals resample problems. `metrics.json` has the same by generator, source and difficulty.",
        "## Made by",
        _table(("generator", "engine", "model", "id"), _generators(manifest["lock"])),
        "Correct is what "
        + ", ".join(f"`{one['verifier']}`" for one in manifest["lock"]["verifiers"])
        + " passes.",
        *_certified(manifest.get("certificates", ())),
        "## Use",
        _use(manifest),
        f"Release id: `{manifest['release_id']}`. `manifest.json` holds the recipe, what it was "
        "resolved to, and the sha256 of every file.",
    ]
    return _front_matter(manifest, license) + "\n\n".join(body) + "\n"


def _front_matter(manifest: Mapping[str, Any], license: str | None) -> str:
    rows = manifest["configs"].get("samples", manifest["configs"].get("sft", {"rows": 0}))["rows"]
    content: dict[str, Any] = {
        "pretty_name": f"{manifest['name']} {manifest['version']}",
        **({"license": license} if license else {}),
        "annotations_creators": ["machine-generated"],
        "language_creators": ["machine-generated"],
        "task_categories": ["text-generation"],
        "size_categories": [next((size for limit, size in SIZES if rows < limit), "n>1M")],
        "tags": ["synthetic", "reasoning", "datasets"],
        "configs": [
            {
                "config_name": config,
                **({"default": True} if number == 0 else {}),
                "version": manifest["version"],
                "description": manifest["release_id"],
                "data_files": [
                    {"split": split, "path": f"data/{config}/{split}-*.parquet"}
                    for split in _splits(manifest, config)
                ],
            }
            for number, config in enumerate(manifest["configs"])
        ],
    }
    return f"---\n{yaml.safe_dump(content, sort_keys=False, allow_unicode=True)}---\n"


def _splits(manifest: Mapping[str, Any], config: str) -> list[str]:
    return sorted({file["split"] for file in manifest["files"] if file["config"] == config})


def _configs(manifest: Mapping[str, Any]) -> list[tuple[object, ...]]:
    return [
        (f"`{name}`", config["rows"], configs.MEANINGS[name]) for name, config in manifest["configs"].items()
    ]


def _counts(counts: Mapping[str, Mapping[str, int]]) -> list[tuple[object, ...]]:
    return [
        (stage, f"`{reason}`", number)
        for stage, reasons in counts.items()
        for reason, number in reasons.items()
    ]


def metric_rows(metrics: Mapping[str, Any]) -> list[tuple[str, str, str, int]]:
    """(name, value, 95% interval, problems) of every metric at k that could be computed."""
    rows = []
    for name, entry in metrics.items():
        if "@" in name and entry["value"] is not None:
            interval = "" if entry["low"] is None else f"{entry['low']:.3f} to {entry['high']:.3f}"
            rows.append((name, f"{entry['value']:.3f}", interval, entry["n_problems"]))
    return rows


def _generators(lock: Mapping[str, Any]) -> list[tuple[object, ...]]:
    return [
        (f"`{name}`", one["engine"], one["model"] or "", f"`{one['generator_id']}`")
        for name, one in lock["generators"].items()
    ]


def _certified(certificates: Sequence[Mapping[str, Any]]) -> list[str]:
    """How far the verifiers can be trusted, by labelled cases; nothing where there are no certificates."""
    rates = ("accuracy", "false_accept_rate", "false_reject_rate", "undecided_rate")
    rows = [
        (
            f"`{one['verifier']}`",
            one["cases_file"] + (", answers made from its references" if one["mutated"] else ""),
            one["cases"],
            *(_rate(one[name], one["intervals"][name]) for name in rates),
        )
        for one in certificates
    ]
    head = ("verifier", "cases", "number", "accuracy", "false accepts", "false rejects", "undecided")
    told = "Share of labelled cases, with 95% intervals; `certificates.json` has every disagreement."
    return ["## Certified", _table(head, rows), told] if rows else []


def _rate(value: float | None, interval: Mapping[str, float | None]) -> str:
    return "" if value is None else f"{value:.4f} ({interval['low']:.4f} to {interval['high']:.4f})"


def _use(manifest: Mapping[str, Any]) -> str:
    config, version = next(iter(manifest["configs"])), manifest["version"]
    return (
        "```python\nfrom datasets import load_dataset\n\n"
        f'data = load_dataset(PATH_OR_REPOSITORY, "{config}")\n'
        f'assert str(next(iter(data.values())).info.version) == "{version}"  # caches may serve another\n'
        "```"
    )


def _table(head: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in lines)
