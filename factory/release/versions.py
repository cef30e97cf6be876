"""Which version a release must have, by what changed since the one before it.

Guarantees: the rule is computed from the comparison (`diff.py`) alone. A row that changed, went or moved to
another split changes a model that is trained on it, so it asks for a major version, as a column does that
went or got another type, and a config that went. Rows, columns and configs that came ask for a minor one, all
else that differs for a patch. Below 1.0.0, where nothing is promised yet, a minor version suffices for a
major change, as with caret ranges of package managers. Left out: versions with a suffix, such as 1.0.0-rc.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal

Bump = Literal["major", "minor", "patch", "none"]
BUMPS: Final[tuple[Bump, ...]] = ("major", "minor", "patch", "none")
"""From the weightiest to the lightest."""

ALWAYS_NEW: Final = frozenset({"README.md", "changes.json", "croissant.json"})
"""Documents that hold the version, and so differ between any two."""


def required(found: Mapping[str, Any]) -> Bump:
    """The least bump that a comparison in the shape of `diff.py` asks for."""
    return min((bump for bump, _ in reasons(found)), key=BUMPS.index, default="none")


def reasons(found: Mapping[str, Any]) -> list[tuple[Bump, str]]:
    """(bump, sentence) of everything that differs, the weightiest first."""
    told = [one for config, entry in found["configs"].items() for one in _of_config(config, entry)]
    for part in ("recipe", "lock", "licences"):
        if found[part]:
            told.append(("patch", f"{part}: {_differ([one['path'] for one in found[part]])}"))
    documents = [one["path"] for one in found.get("documents") or () if one["path"] not in ALWAYS_NEW]
    if documents:
        told.append(("patch", f"documents: {', '.join(documents)}"))
    return sorted(told, key=lambda one: BUMPS.index(one[0]))


def _of_config(config: str, entry: Mapping[str, Any]) -> Iterator[tuple[Bump, str]]:
    if entry["in"] == "old":
        yield "major", f"config {config} removed, with {_many(entry['removed'], 'row')}"
    elif entry["in"] == "new":
        yield "minor", f"config {config} added, with {_many(entry['added'], 'row')}"
    else:
        if entry["changed"]:
            columns = ", ".join(f"{column} in {count:,}" for column, count in entry["columns"].items())
            yield "major", f"config {config}: {_many(entry['changed'], 'row')} changed ({columns})"
        if entry["removed"]:
            yield "major", f"config {config}: {_many(entry['removed'], 'row')} removed"
        if entry["added"]:
            yield "minor", f"config {config}: {_many(entry['added'], 'row')} added"
    schema = entry["schema"]
    for column in schema["removed"]:
        yield "major", f"config {config}: column {column} removed"
    for column, kind in schema["retyped"].items():
        yield "major", f"config {config}: column {column} was {kind['old']} and is {kind['new']}"
    for column in schema["added"]:
        yield "minor", f"config {config}: column {column} added"
    if schema["described"]:
        yield "patch", f"config {config}: {', '.join(schema['described'])} described otherwise"


def _differ(places: Sequence[str]) -> str:
    if len(places) == 1:
        return f"{places[0]} differs"
    more = f" and {len(places) - 3} more" if len(places) > 3 else ""
    return f"{', '.join(places[:3])}{more} differ"


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def numbers(version: str) -> tuple[int, ...]:
    """A version X.Y.Z as numbers, which order as versions do."""
    return tuple(int(part) for part in version.split("."))


def next(version: str, bump: Bump) -> str:
    """The version that `bump` makes of `version`: 1.2.3 becomes 2.0.0, 1.3.0, 1.2.4 or stays."""
    major, minor, patch = numbers(version)
    following: dict[Bump, tuple[int, ...]] = {
        "major": (major + 1, 0, 0),
        "minor": (major, minor + 1, 0),
        "patch": (major, minor, patch + 1),
        "none": (major, minor, patch),
    }
    return ".".join(map(str, following[bump]))


def smallest(previous: str, bump: Bump) -> str:
    """The smallest version that may follow `previous` where a difference asks for `bump`."""
    return next(previous, "minor" if bump == "major" and numbers(previous)[0] == 0 else bump)


def fits(previous: str, version: str, bump: Bump) -> bool:
    """Whether `version` may follow `previous` where a difference asks for `bump`."""
    return numbers(version) >= numbers(smallest(previous, bump))
