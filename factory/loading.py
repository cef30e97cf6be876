"""Loads a config of a release with `datasets`, and makes sure that it is that release.

Guarantees: `load` returns the rows of the release named, or raises. `datasets` may serve another one in
silence: a cached version when the Hub cannot be reached, another folder of the same last name, the old rows
of a folder written anew. So the files are fetched by commit id and compared with the manifest before they
are read; the cache is one of their own, named by the release id and their digests; and version, splits, rows
and columns of what `datasets` serves are compared with the manifest. Left out: whether the rows are the ones
that the release id names, which takes reading them all: `factory release check`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from factory import checking, hub, references
from factory.errors import CheckFailed, OutsideError, UsageError
from factory.references import OnHub
from factory.release import manifest, reading
from factory.release.findings import refusal
from factory.release.reading import Manifest
from factory.store import Store


@dataclass(frozen=True)
class Loaded:
    """Which release a reference names: its folder on this machine, and what to record in an experiment.

    `repo` and `commit` are the repository on the Hub and the commit id there, None for a release that was not
    fetched from there.
    """

    folder: Path
    name: str
    version: str
    release_id: str
    commit: str | None
    repo: str | None = None


def loaded(reference: str, *, store: str | Path = "store", cache_dir: str | Path | None = None) -> Loaded:
    """The release that `load` would load, fetched and compared with its manifest. Raises as `load` does."""
    return _found(reference, Path(store), _path(cache_dir), config=None)[0]


def load(
    reference: str,
    config: str,
    *,
    split: str | None = None,
    streaming: bool = False,
    store: str | Path = "store",
    cache_dir: str | Path | None = None,
) -> Any:
    """A config of exactly the release `reference`, as `datasets.load_dataset` returns it.

    `reference` is NAME@X.Y.Z in `store`, ORG/NAME@vX.Y.Z (or @COMMIT) on the Hub, or a path that begins with
    /, ./ or ../; `cache_dir` holds what is fetched and what `datasets` makes of it, by default the caches of
    Hugging Face. Returns a DatasetDict, or the Dataset of `split`; iterable ones when `streaming`.

    Raises UsageError for a reference, config or split that is not there, OutsideError when the Hub fails, and
    CheckFailed when files or rows are not those of the release.
    """
    cache = _path(cache_dir)
    one, found = _found(reference, Path(store), cache, config)
    splits = found.configs[config].splits
    if split is not None and split not in splits:
        raise UsageError(f"{reference}: {config} has no split {split!r}; it has {', '.join(splits)}")
    served = _serve(one, found, config, split, streaming, cache)
    _compare(reference, found, config, served if split is None else {split: served}, split, streaming)
    return served


def _path(cache_dir: str | Path | None) -> Path | None:
    return None if cache_dir is None else Path(cache_dir)


def _found(text: str, store: Path, cache: Path | None, config: str | None) -> tuple[Loaded, Manifest]:
    """The release, its files compared with its manifest: those of `config`, or of every config for None."""
    reference = references.parse(text)
    if isinstance(reference, OnHub):
        folder = hub.download(reference, cache=None if cache is None else cache / "hub")
        commit, expected = folder.name, hub.named(reference)
    else:
        folder = references.local_folder(reference, Store(store))
        commit, expected = None, checking.named(folder)
    found, findings = reading.read(folder)
    if found is not None and config is not None and config not in found.configs:
        raise UsageError(f"{text} has no config {config!r}; it has {', '.join(found.configs)}")
    wanted = None if config is None else [config]
    findings = checking.check_folder(folder, expected, rows=False, wanted=wanted)
    if found is None or refusal(findings):
        raise CheckFailed(
            f"{text} is not the release that its manifest lists: {refusal(findings)}. Nothing was loaded; "
            f"`factory release check {text}` tells all. The files are in {folder}"
        )
    repo = reference.repo if isinstance(reference, OnHub) else None
    return Loaded(folder, found.name, found.version, found.release_id, commit, repo), found


def _serve(
    one: Loaded, found: Manifest, config: str, split: str | None, streaming: bool, cache: Path | None
) -> Any:
    """What `datasets` makes of the folder, in a cache that no other bytes can have been put into."""
    import datasets

    files = {path: there.sha256 for path, there in found.listed.items()}
    root = Path(datasets.config.HF_DATASETS_CACHE) if cache is None else cache / "datasets"
    own = root / f"factory-{one.release_id}-{manifest.full_digest(files)[:16]}"
    try:
        return datasets.load_dataset(
            str(one.folder.absolute()), config, split=split, streaming=streaming, cache_dir=str(own)
        )
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        raise OutsideError(
            f"datasets cannot load {config} of {one.folder}: {type(error).__name__}: {error}. "
            f"If its cache is damaged, remove {own}"
        ) from error


def _compare(
    reference: str,
    found: Manifest,
    config: str,
    served: Mapping[str, Any],
    split: str | None,
    streaming: bool,
) -> None:
    """Raise CheckFailed unless version, splits, columns and rows served are those of the manifest."""
    told = found.configs[config]
    wanted = list(told.splits) if split is None else [split]
    faults = [f"no split {name}" for name in wanted if name not in served]
    columns = [one.name for one in told.columns]
    for split, rows in served.items():
        if str(rows.info.version) != found.version:
            faults.append(f"{split}: version {rows.info.version}, expected {found.version}")
        if list(rows.column_names or []) != columns:
            faults.append(f"{split}: columns {rows.column_names}, expected {columns}")
        if not streaming and rows.num_rows != told.splits.get(split):
            faults.append(f"{split}: {rows.num_rows} rows, expected {told.splits.get(split)}")
    if faults:
        raise CheckFailed(
            f"{reference}: datasets serves something else than the release asked for: {'; '.join(faults)}. "
            "Give a cache_dir of its own, or empty the cache of datasets"
        )
