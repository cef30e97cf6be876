"""The front matter of a card: what the Hub and `load_dataset` read of it.

Guarantees: every config is there with its files, its columns and its counts, one of them the default; each
carries `version` and `description` (the release id), because these are the only mark of the version really
loaded that survives every reader: a cached or equally named older copy may be served in silence. Values of
the fixed vocabularies of the Hub are of these vocabularies; what nobody stated is left out. Left out: the
body (`card.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import yaml

from factory.configs import CONFIGS
from factory.records import HUMAN
from factory.release.licence_terms import LICENCES, hub_id, identifier

_POWERS: Final = ("1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T")

PUBLISHED: Final[Mapping[str, str]] = {
    "gsm8k": "openai/gsm8k",
    "humaneval": "openai/openai_humaneval",
    "mbpp": "google-research-datasets/mbpp",
}
"""Sources with a name of their own in a recipe, as the Hub names them."""

_SUBJECTS: Final[Mapping[str, str]] = {
    "math": "math",
    "arithmetic": "math",
    "consensus": "math",
    "unit_tests": "code",
}
_METHODS: Final[Mapping[str, str]] = {"preference": "dpo", "kto": "kto", "rewards": "grpo"}
_DTYPES: Final[Mapping[str, str]] = {"double": "float64", "float": "float32"}
_STRUCTS: Final = re.compile(r"list<\w+: struct<(.*)>>")


def make(manifest: Mapping[str, Any]) -> str:
    """The front matter with its lines of dashes."""
    return f"---\n{yaml.safe_dump(content(manifest), sort_keys=False, allow_unicode=True)}---\n"


def content(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The front matter as plain data."""
    shown, recipe = shown_configs(manifest), manifest["recipe"]
    language = recipe["release"].get("language")
    return {
        "pretty_name": f"{manifest['name']} {manifest['version']}",
        **({"language": list(language)} if language else {}),
        **licence(manifest["licences"]["license"]),
        "annotations_creators": ["machine-generated"],
        "language_creators": creators(manifest),
        "source_datasets": sources(recipe) or ["original"],
        "task_categories": ["text-generation"]
        + (["reinforcement-learning"] if {"rewards", "preference"} & set(shown) else []),
        "size_categories": [size(manifest["configs"][shown[0]]["rows"])] if shown else [],
        "tags": tags(manifest),
        "configs": [
            {
                "config_name": config,
                **({"default": True} if config == shown[0] else {}),
                "version": manifest["version"],
                "description": manifest["release_id"],
                "data_files": [
                    {"split": split, "path": f"data/{config}/{split}-*.parquet"}
                    for split in manifest["configs"][config]["splits"]
                ],
            }
            for config in shown
        ],
        "dataset_info": [_info(manifest, config) for config in shown],
        "factory": _for_programs(manifest),
    }


def by_people(manifest: Mapping[str, Any]) -> list[str]:
    """The generators whose completions are worked solutions that came with the problems."""
    return [name for name, one in manifest["lock"]["generators"].items() if one["engine"] == HUMAN]


def creators(manifest: Mapping[str, Any]) -> list[str]:
    """Who wrote the completions, in the words of the Hub."""
    machines = ["machine-generated"] if manifest["synthetic"] else []
    return [*(["found"] if by_people(manifest) else []), *machines]


def shown_configs(manifest: Mapping[str, Any]) -> list[str]:
    """The configs of a release in their order; the first is the default."""
    return [config for config in CONFIGS if config in manifest["configs"]]


def sources(recipe: Mapping[str, Any]) -> list[str]:
    """The datasets of the Hub that its problems are from."""
    named = {PUBLISHED.get(one["source"]) or one.get("dataset") for one in recipe["problems"]}
    return sorted(name for name in named if name)


def size(rows: int) -> str:
    """The Hub's size category: `n<1K`, `1K<n<10K`, ..., `n>1T`."""
    low = None
    for power, name in enumerate(_POWERS, start=3):
        if rows < 10**power:
            return f"{low}<n<{name}" if low else f"n<{name}"
        low = name
    return f"n>{low}"


def tags(manifest: Mapping[str, Any]) -> list[str]:
    """What people search for."""
    verifiers = [one["verifier"].partition("@")[0] for one in manifest["lock"]["verifiers"]]
    subjects = sorted({_SUBJECTS[name] for name in verifiers if name in _SUBJECTS})
    methods = [tag for config, tag in _METHODS.items() if config in manifest["configs"]]
    made = ["synthetic"] if manifest["synthetic"] else []
    return [*made, "reasoning", *subjects, *methods, "datasets", "mlcroissant"]


def licence(license: str | None) -> dict[str, str]:
    """What the front matter of a card says of a licence: of the Hub's list, or `other` with its name."""
    found = hub_id(license)
    if found != "other" or license is None:
        return {"license": found}
    link = {"license_link": LICENCES[license].url} if license in LICENCES else {}
    return {"license": "other", "license_name": identifier(license), **link}


def _info(manifest: Mapping[str, Any], config: str) -> dict[str, Any]:
    """`dataset_info` of a config. Wrong counts of rows make `load_dataset` fail.

    `num_bytes` are the bytes of the rows in memory, as `datasets` counts them.
    """
    files = [file for file in manifest["files"] if file["config"] == config]
    splits = [
        {
            "name": split,
            "num_bytes": sum(file["arrow_bytes"] for file in files if file["split"] == split),
            "num_examples": rows,
        }
        for split, rows in manifest["configs"][config]["splits"].items()
    ]
    return {
        "config_name": config,
        "features": [_feature(one["name"], one["type"]) for one in manifest["configs"][config]["schema"]],
        "splits": splits,
        "download_size": sum(file["bytes"] for file in files),
        "dataset_size": sum(split["num_bytes"] for split in splits),
    }


def _feature(name: str, kind: str) -> dict[str, Any]:
    """A column in the words of `datasets`; a list of structs is the only nested type a release has."""
    if matched := _STRUCTS.fullmatch(kind):
        inner = (one.split(": ") for one in matched[1].split(", "))
        return {"name": name, "list": [_feature(*one) for one in inner]}
    return {"name": name, "dtype": _DTYPES.get(kind, kind)}


def _for_programs(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What readers of the Hub ignore, and programs that look for synthetic data want to know."""
    licences = {
        one["name"]: one["license"] for one in manifest["licences"]["inputs"] if one["role"] != "source"
    }
    return {
        "synthetic": True,
        "release_id": manifest["release_id"],
        "recipe_digest": manifest["recipe_digest"],
        "generators": [
            {
                "name": name,
                "model": one["model"],
                "license": licences.get(name),
                "generator_id": one["generator_id"],
            }
            for name, one in manifest["lock"]["generators"].items()
        ],
    }
