"""Problems in a dataset of the Hugging Face Hub, or in a local folder that `load_dataset` understands.

Guarantees: the commit that was really read is recorded in `origin`, and a dataset whose commit is not the
one asked for is an error: `load_dataset` alone serves any cached version when the Hub cannot be reached.
A local folder is read directly, past the cache, which knows a folder only by its last name. Left out:
access tokens (the Hub's own login is used) and datasets that need code of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from factory.errors import OutsideError, UsageError
from factory.problems import columns
from factory.problems.columns import Row
from factory.recipe import HubDataset
from factory.records import Problem, canonical_json

COMMIT: Final = re.compile(r"[0-9a-f]{40}")


class Opened(NamedTuple):
    """A split of a dataset, and the commit it is of; None for a local folder."""

    dataset: Any
    commit: str | None


def load(source: HubDataset, base: Path) -> Iterator[Problem]:
    """The problems of a split, in its order. Raises what `open_split` and `columns.problem` raise."""
    opened = open_split(source.dataset, source.config, source.split, source.revision, base)
    place = f"{source.dataset}, split {source.split}"
    for row in rows(opened, columns.paths(source.columns).values(), place):
        origin = {
            "dataset": source.dataset,
            "config": source.config,
            "split": source.split,
            "index": row.number - 1,
            "revision": opened.commit,
        }
        yield columns.problem(
            row,
            source.columns,
            source=source.dataset,
            split=source.split,
            license=source.license,
            origin=canonical_json(origin),
        )


def rows(opened: Opened, wanted: Iterable[str], place: str) -> Iterator[Row]:
    """The rows of an opened split, only the columns that hold the `wanted` paths; `place` names the split."""
    paths, number = tuple(wanted), 0
    for batch in opened.dataset.with_format("arrow").iter(batch_size=1024):
        for values in columns.plain_rows(batch, columns.needed(batch.schema, paths, place)):
            number += 1
            yield Row(values, number, f"{place}, row {number}")


def open_split(dataset: str, config: str | None, split: str, revision: str | None, base: Path) -> Opened:
    """Open one split, downloading what is not in the cache.

    Raises UsageError for a dataset, config, split or revision that is not there, OutsideError when the Hub
    cannot be reached, and when it served another commit than the one asked for.
    """
    folder = base / dataset
    if folder.is_dir():
        if revision is not None:
            raise UsageError(
                f"{folder}: is a local folder, which has no revision {revision!r}; leave revision out"
            )
        return Opened(_load(dataset, str(folder), config, split=split, streaming=True), None)
    commit = None if revision is None else _commit(dataset, revision)
    opened = _load(dataset, dataset, config, split=split, revision=commit)
    # Of what the library returns, only the name of the cache folder tells which commit was served.
    served = Path(opened.cache_files[0]["filename"]).parent.name if opened.cache_files else ""
    if not COMMIT.fullmatch(served):
        raise OutsideError(
            f"{dataset}: cannot tell which commit was read (cached under {served!r}); if a folder of this "
            "name stands in the current folder, it was taken for the dataset: start elsewhere"
        )
    if commit not in (None, served):
        raise OutsideError(
            f"{dataset}: asked for commit {commit}, but only commit {served} is in the cache and the Hub "
            "cannot be reached; go online, or ask for the one that is there"
        )
    return Opened(opened, served)


def _load(dataset: str, where: str, config: str | None, **options: Any) -> Any:
    import datasets
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return datasets.load_dataset(where, config, **options)
    except (ValueError, FileNotFoundError) as error:
        raise UsageError(
            f"{dataset}: {_first_line(error)}; correct dataset, config, split or revision"
        ) from None
    except (OSError, HfHubHTTPError, datasets.exceptions.DatasetsError) as error:
        raise OutsideError(
            f"{dataset}: cannot be loaded: {_first_line(error)}; check the network, HF_HUB_OFFLINE and the "
            "login (hf auth login), or use a local file with source: file"
        ) from error
    except RuntimeError as error:  # what a download by Xet ends with; its words may hold a signed address
        raise OutsideError(
            f"{dataset}: cannot be downloaded: the storage of the Hub failed; try again, or use a local file "
            "with source: file"
        ) from error


def _commit(dataset: str, revision: str) -> str:
    """The commit that a branch or tag names now."""
    if COMMIT.fullmatch(revision):
        return revision
    import httpx2
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    try:
        commit = HfApi().dataset_info(dataset, revision=revision).sha
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise UsageError(f"{dataset}: {_first_line(error)}; correct dataset or revision") from None
    except (OSError, HfHubHTTPError, httpx2.TransportError) as error:
        raise OutsideError(
            f"{dataset}: cannot ask the Hub which commit {revision!r} is: {_first_line(error)}; go online, "
            "or write the 40 digits of the commit as revision"
        ) from error
    if commit is None:
        raise OutsideError(
            f"{dataset}: the Hub names no commit for {revision!r}; write the 40 digits of the commit"
        )
    return commit


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
