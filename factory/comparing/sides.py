"""What is compared: releases, or generators of one, by the names that a person gives them.

Guarantees: a side is known by one text, and stands for the draws of one generator, or of all generators of a
release together; worked solutions by people are no draws. Left out: its numbers (`counting.py`).
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from factory import recipe, references
from factory.budget_sections import RULES
from factory.errors import CheckFailed, UsageError
from factory.records import HUMAN
from factory.release import reading, row_changes
from factory.release.findings import refusal
from factory.store import Store

RECIPES: Final = (".yaml", ".yml")


@dataclass(frozen=True)
class Side:
    """The draws of `generator`, or of all of them where it is None, in a release."""

    name: str
    release: row_changes.Side
    generator: str | None

    @property
    def recipe(self) -> Mapping[str, Any]:
        """The recipe as the manifest holds it."""
        return dict(self.release.manifest["recipe"])

    @property
    def generators(self) -> tuple[str, ...]:
        """The names of the generators whose draws these are."""
        return (self.generator,) if self.generator else drawing(self.release)

    @property
    def metrics(self) -> Mapping[str, Any]:
        """What metrics.json of its release holds; nothing where there is none."""
        path = self.release.folder / "metrics.json"
        try:
            found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        except (OSError, ValueError) as error:
            raise CheckFailed(f"{path} is no JSON: {error}. `factory release check` says more") from error
        return found if isinstance(found, Mapping) else {}

    @property
    def fixed(self) -> bool:
        """Whether the number of draws did not depend on what they turned out to be."""
        rule = _of(_of(self.recipe, "budget"), "per_problem")
        return not any(rule.get(name) is not None for name in RULES[1:])

    @property
    def ks(self) -> tuple[int, ...]:
        """The k of its recipe's measure."""
        found = _of(self.recipe, "measure").get("k")
        default = recipe.Measure().k
        return tuple(found) if isinstance(found, list) and all(type(k) is int for k in found) else default


def drawing(release: row_changes.Side) -> tuple[str, ...]:
    """The generators of a release that are models, in the order of its recipe."""
    there = _of(release.manifest["recipe"], "generators")
    return tuple(name for name in there if _of(there, name).get("engine", HUMAN) != HUMAN)


def opened(store: Store, named: Sequence[str], overrides: tuple[str, ...] = ()) -> tuple[Side, ...]:
    """The sides that `named` name: each a release or RELEASE:GENERATOR, or a recipe for its release.

    One release alone stands for its generators, each a side. `overrides` are those of --set, of recipes.
    Raises UsageError for what names none, and for fewer than two sides; CheckFailed for what cannot be read.
    """
    if overrides and not any(Path(_parted(one)[0]).suffix in RECIPES for one in named):
        raise UsageError("--set changes a recipe, and a release never changes; leave it out")
    found = [_side(store, one, overrides) for one in named]
    if len(found) == 1 and found[0].generator is None:
        release = found[0].release
        found = [Side(name, release, name) for name in drawing(release)]
    if len(found) < 2:
        there = found[0].name if found else "nothing"
        raise UsageError(
            f"compare needs two sides, and {there} is one: name a second release, or a release of several "
            "generators, as factory compare NAME@1.0.0 or factory compare NAME@1.0.0:weak NAME@2.0.0:strong"
        )
    twice = next((one.name for at, one in enumerate(found) if one.name in {o.name for o in found[:at]}), None)
    if twice is not None:
        raise UsageError(f"{twice} is named twice; compare needs sides that differ")
    return tuple(found)


def _side(store: Store, text: str, overrides: tuple[str, ...]) -> Side:
    place, generator = _parted(text)
    path = Path(place)
    if path.suffix in RECIPES:
        release = references.InStore(recipe.load(path, overrides).id)
        folder = references.local_folder(release, store)
    else:
        folder = _folder(store, place)
    found, findings = reading.read(folder)
    if found is None:
        raise CheckFailed(
            f"{folder} cannot be compared: {refusal(findings)}. `factory release check` says more"
        )
    if not {"samples", "problems"} <= found.configs.keys():
        lacking = sorted({"samples", "problems"} - found.configs.keys())
        raise UsageError(
            f"{found.name}@{found.version} has no config {' and '.join(lacking)}, which a comparison reads; "
            "add it to release.configs and release a new version"
        )
    release_side = row_changes.Side(folder, found.content)
    there = drawing(release_side)
    if generator is not None and generator not in there:
        near = difflib.get_close_matches(generator, there, n=1)
        raise UsageError(
            f"{text}: {generator!r} is none of the generators of {release_side.id}, "
            f"{', '.join(there) or 'which has none'}" + (f"; did you mean {near[0]}?" if near else "")
        )
    return Side(text if generator or path.suffix not in RECIPES else release_side.id, release_side, generator)


def _parted(text: str) -> tuple[str, str | None]:
    """RELEASE and GENERATOR; a folder may have a colon in its name."""
    place, colon, generator = text.rpartition(":")
    return (place, generator) if colon and place and not Path(text).exists() else (text, None)


def _folder(store: Store, text: str) -> Path:
    reference = references.parse(text)
    if isinstance(reference, references.OnHub):
        from factory import hub

        return hub.fetch(reference)
    return references.local_folder(reference, store)


def _of(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """What stands under a key, where it is a mapping; a manifest is anybody's."""
    found = value.get(key)
    return found if isinstance(found, Mapping) else {}
