"""What the rounds of a loop made: whether it is still there as it was made, and what was kept of it.

Guarantees: a loop goes on only from the base, the releases and the models that its state names, by their
digests; nothing is made again in silence. Left out: rows of a release, which are compared with its manifest
when it is loaded and read by `factory release check`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq

from factory.errors import CheckFailed
from factory.generators import references
from factory.loop.loop_state import State
from factory.release import reading
from factory.release.findings import refusal
from factory.release.reading import Manifest
from factory.store import Store

_KEPT: Final[Mapping[str, tuple[str, ...]]] = {"sft": (), "samples": ("kept",)}
"""What says in a config whether a sample was kept; all rows of `sft` were."""


def verify(store: Store, folder: Path, state: State) -> None:
    """Raise CheckFailed naming what is missing or changed; `folder` is that of the loop."""
    told = [_base(store, state["base"])]
    for entry in state["rounds"]:
        if entry["release"] is not None:
            told.append(_release(store, entry["round"], entry["release"]))
        if entry["model"] is not None:
            told.append(_model(store, entry["round"], entry["model"]))
    found = [one for one in told if one]
    if found:
        raise CheckFailed(
            f"the loop {state['name']}@{state['version']} cannot go on: {'; '.join(found)}. Put back what "
            f"was there, or take another version in the recipe; to begin anew under this one remove {folder} "
            "with its releases and models (samples are kept, and not drawn again)"
        )


def kept(folder: Path, found: Manifest) -> dict[str, int] | None:
    """The kept samples of each generator in a release; None where no config of it tells them."""
    config = next((one for one in ("sft", "samples") if one in found.configs), None)
    if config is None:
        return None
    counts: Counter[str] = Counter()
    for file in found.files_of(config):
        names = pq.read_table(folder / file.path, columns=["generator", *_KEPT[config]]).to_pylist()
        counts.update(row["generator"] for row in names if row.get("kept", True))
    return dict(sorted(counts.items()))


def _base(store: Store, base: Mapping[str, Any] | None) -> str:
    if base is None:
        return ""
    where = base["reference"] if base["folder"] is None else str(store.root / base["folder"])
    if base["folder"] is not None and not Path(where).is_dir():
        return f"the base ({where}) is not there"
    changed = references.resolve(where).digest != base["weights"]
    return f"the base ({where}) has other weights than it had" if changed else ""


def _release(store: Store, number: int, release: Mapping[str, Any]) -> str:
    folder = store.releases / release["id"]
    found, findings = reading.read(folder)
    if found is None:
        return f"the release of round {number} ({folder}) cannot be read: {refusal(findings)}"
    if found.release_id != release["release_id"]:
        return (
            f"the release of round {number} ({folder}) is {found.release_id}, and the round made "
            f"{release['release_id']}"
        )
    return ""


def _model(store: Store, number: int, model: Mapping[str, Any]) -> str:
    folder = store.root / model["folder"]
    if not folder.is_dir():
        return f"the model of round {number} ({folder}) is not there"
    if references.folder_digest(folder) != model["weights"]:
        return f"the model of round {number} ({folder}) has other weights than were trained"
    return ""
