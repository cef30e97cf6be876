"""Checks a release by its reference: manifest, files, rows and card, from the files alone.

Guarantees: the findings of every check of `release/check.py` and `release/laws.py`, and whether the card says
what the manifest says. Nothing comes from the store that made it; `remote` downloads no file of rows.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from factory import hub, references, yaml_text
from factory.errors import UsageError
from factory.progress import Progress, Silent
from factory.references import InStore, OnHub
from factory.release import check, laws
from factory.release.check import Remote
from factory.release.findings import Finding, concluded, failed, warning
from factory.release.footers import footers
from factory.release.licence_terms import identifier
from factory.release.reading import Manifest, read
from factory.store import Store

CARD_BYTES: Final = 2**20


def by_reference(
    text: str,
    store: Store,
    *,
    remote: bool = False,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> tuple[Path, list[Finding]]:
    """The folder that `text` names and the findings on it; one on the Hub is fetched first.

    `remote` compares what the Hub says of the files of rows and leaves them there. Raises UsageError for what
    names no release, OutsideError when the Hub fails.
    """
    shown = progress or Silent()
    reference = references.parse(text)
    if isinstance(reference, OnHub):
        if remote:
            folder, there = hub.documents(reference, cache=cache)
            return folder, check_folder(folder, hub.named(reference), rows=False, remote=there)
        folder = hub.download(reference, cache=cache)
        return folder, check_folder(folder, hub.named(reference), progress=shown)
    if remote:
        raise UsageError(f"--remote {text}: only a release on the Hub, ORG/NAME@vX.Y.Z, is remote")
    folder = references.local_folder(reference, store)
    return folder, check_folder(folder, named(folder), progress=shown)


def named(folder: Path) -> dict[str, str]:
    """What a folder called NAME@X.Y.Z says it holds; nothing for other names."""
    try:
        reference = references.parse(folder.resolve().name)
    except UsageError:
        return {}
    if not isinstance(reference, InStore):
        return {}
    name, _, version = reference.id.partition("@")
    return {"name": name, "version": version}


def check_folder(
    folder: Path,
    expected: Mapping[str, str],
    *,
    rows: bool = True,
    wanted: Collection[str] | None = None,
    remote: Remote | None = None,
    progress: Progress | None = None,
) -> list[Finding]:
    """The findings on the release in `folder`, which should be that of `expected` (name, version).

    Without `rows` no row is read; of files with rows only those of the configs `wanted` are (None: all).
    """
    shown = progress or Silent()
    found, findings = read(folder)
    if found is None:
        return findings
    findings += check.identity(found, expected)
    configs = found.configs if wanted is None else wanted
    shown.start("check", 2 + (len(found.configs) if rows else 0), "steps")
    told, sound = check.files(folder, found, configs, remote)
    shown.advance()
    told_inside, right = footers(folder, found, sound - set(remote or ()))
    findings += [*told, *check.arithmetic(found), *told_inside, *_card(folder, found, sound)]
    shown.advance()
    if rows:
        findings += [*check.digests(folder, found, right, shown.advance), *laws.check(folder, found, right)]
    elif remote is not None:
        left = f"{len(remote):,} files stay on the Hub, which tells their sha256"
        findings.append(warning("digest", "rows", "not read", f"rows of the content listed; {left}"))
    shown.finish()
    return findings


def _card(folder: Path, found: Manifest, sound: Collection[str]) -> list[Finding]:
    """Whether the front matter of README.md says what the manifest says."""
    if "README.md" not in found.listed:
        return [failed("card", "README.md", "not listed", "a card, which tells loaders the configs")]
    if "README.md" not in sound:
        return [warning("card", "README.md", "not checked", "a card as the manifest lists it")]
    try:
        front = _front(folder / "README.md")
    except (UsageError, ValueError, OSError) as error:
        return [failed("card", "README.md", error, "front matter between two lines ---")]
    faults = [*_shown(front, found), *_licence(front, found)]
    return concluded("card", "README.md", "version, release id, configs and licence of the manifest", faults)


def _front(path: Path) -> Mapping[str, Any]:
    """The front matter of a card. Raises UsageError or ValueError where there is none."""
    with path.open("rb") as file:
        text = file.read(CARD_BYTES).decode("utf-8", "replace")
    start, _, rest = text.partition("\n")
    front, end, _ = rest.partition("\n---")
    if start.rstrip() != "---" or not end:
        raise ValueError("no front matter")
    content = yaml_text.read(front, lambda line: f"README.md:{line + 1}").data
    if not isinstance(content, dict):
        raise ValueError("the front matter holds no keys")
    return content


def _shown(front: Mapping[str, Any], found: Manifest) -> Iterator[Finding]:
    entries = front.get("configs")
    entries = [one for one in entries if isinstance(one, dict)] if isinstance(entries, list) else []
    names = [one.get("config_name") for one in entries]
    if sorted(map(str, names)) != sorted(found.configs):
        yield failed("card", "configs", ", ".join(map(str, names)), ", ".join(found.configs))
    for entry in entries:
        name = str(entry.get("config_name"))
        for key, expected in (("version", found.version), ("description", found.release_id)):
            if entry.get(key) != expected:
                yield failed("card", f"configs.{name}.{key}", entry.get(key), expected)
        if name in found.configs:
            yield from _data_files(entry, found, name)
    if sum(entry.get("default") is True for entry in entries) > 1:
        yield failed("card", "configs", "two defaults", "one")
    yield from _counted(front.get("dataset_info"), found)


def _data_files(entry: Mapping[str, Any], found: Manifest, config: str) -> Iterator[Finding]:
    """The patterns of a config must match its own files, each in its split, and none besides."""
    served: list[tuple[str, str]] = []
    told = entry.get("data_files")
    for one in told if isinstance(told, list) else []:
        split, patterns = (one.get("split"), one.get("path")) if isinstance(one, dict) else (None, None)
        for pattern in patterns if isinstance(patterns, list) else [patterns]:
            matching = [path for path in found.listed if fnmatch.fnmatchcase(path, str(pattern))]
            served += [(str(split), path) for path in matching or [str(pattern)]]
    expected = sorted((one.split, one.path) for one in found.files_of(config))
    if sorted(served) != expected:
        texts = [", ".join(f"{split}: {path}" for split, path in some) for some in (sorted(served), expected)]
        yield failed("card", f"configs.{config}.data_files", texts[0] or "nothing", texts[1])


def _counted(told: object, found: Manifest) -> Iterator[Finding]:
    """`dataset_info` must count right where it counts: a wrong number stops load_dataset."""
    entries = told if isinstance(told, list) else [told]
    for entry in [one for one in entries if isinstance(one, dict)]:
        name, splits = entry.get("config_name"), entry.get("splits")
        config = found.configs.get(str(name))
        if config is None:
            yield failed("card", "dataset_info", name, ", ".join(found.configs))
        elif isinstance(splits, list) and all(isinstance(one, dict) for one in splits):
            rows = {str(one.get("name")): one.get("num_examples") for one in splits}
            if rows != config.splits:
                yield failed("card", f"dataset_info.{name}.splits", rows, config.splits)
        elif splits is not None:
            yield failed("card", f"dataset_info.{name}.splits", splits, config.splits)


def _licence(front: Mapping[str, Any], found: Manifest) -> Iterator[Finding]:
    licences, release = found.content.get("licences"), found.recipe.get("release")
    source = licences if isinstance(licences, dict) else release if isinstance(release, dict) else {}
    stated, told = source.get("license"), front.get("license")
    expected = identifier(stated) if isinstance(stated, str) else stated
    if told == "other" and "license_name" in front:
        told = front["license_name"]
    if told != expected and not (expected is None and told == "unknown"):
        yield failed("card", "license", told, expected)
