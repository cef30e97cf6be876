"""The rows of a published benchmark, from a local copy or from the Hub, and where they were found.

Guarantees: both give the same rows in the same order; `where` is the part of a problem's origin that they
share: the file's name, or the dataset with the commit that was read. Left out: what the rows mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from factory.errors import UsageError
from factory.problems import columns, files, hub
from factory.problems.columns import Row


class Published(NamedTuple):
    """The rows of a split as they are read, and where they were found."""

    rows: Iterator[Row]
    where: dict[str, str | None]


def open_rows(
    path: Path | None, base: Path, dataset: str, config: str, split: str, wanted: Iterable[str]
) -> Published:
    """The rows of the local file at `path` (relative to `base`), or of a split of the dataset.

    Raises what `files.rows` and `hub.open_split` raise.
    """
    if path is not None:
        return Published(files.rows(base / path, wanted), {"file": path.name, "revision": None})
    opened = hub.open_split(dataset, config, split, None, base)
    where = {"dataset": dataset, "config": config, "revision": opened.commit}
    return Published(hub.rows(opened, wanted, f"{dataset}, split {split}"), where)


def value(row: Row, name: str) -> Any:
    """The value of a column. Raises UsageError, with the place, for a column that is not there."""
    if name not in row.values:
        raise columns.no_such_column(row.place, name, columns.names(row.values))
    return row.values[name]


def text(row: Row, name: str) -> str:
    """The text in a column, as it is. Raises UsageError, with the place, for what is no text."""
    found = columns.text(value(row, name), f"column {name!r}", row.place)
    if found is None:
        raise UsageError(f"{row.place}: column {name!r} is null; fill it, or remove the row")
    return found


def texts(row: Row, name: str) -> list[str]:
    """The texts in a column that holds a list. Raises UsageError, with the place, for anything else."""
    found = value(row, name)
    if not isinstance(found, list) or not found or not all(isinstance(one, str) for one in found):
        raise UsageError(
            f"{row.place}: column {name!r} is {found!r:.80}; it must be a list of one or more texts; use "
            "source: file for problems of another form"
        )
    return [str(columns.text(one, name, row.place)) for one in found]
