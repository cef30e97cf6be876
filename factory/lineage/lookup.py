"""Rows of Parquet files by their ids, without reading the rest of the files.

Guarantees: of a file of any size, the column of ids is read row group by row group, those groups aside whose
statistics cannot hold it; only groups with a match are read further, one at a time.
Files of a release that lie outside its folder are refused. Left out: what the rows mean.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from factory import configs
from factory.errors import CheckFailed
from factory.release import manifest
from factory.store import Store

Row = dict[str, Any]


def rows(
    path: Path,
    column: str,
    wanted: Iterable[str],
    columns: Sequence[str] | None = None,
    needed: Collection[str] = (),
) -> list[Row]:
    """The rows of a file whose `column` is one of `wanted`; of `columns`, those that the file has.

    Raises CheckFailed when it lacks one of the columns `needed`.
    """
    ids = sorted(wanted)
    with pq.ParquetFile(path) as file:
        names = file.schema_arrow.names
        if missing := sorted(set(needed) - set(names)):
            raise CheckFailed(f"{path} has no column {', '.join(missing)}")
        if not ids or column not in names:
            return []
        values = pa.array(ids, pa.string())
        read = names if columns is None else [one for one in columns if one in names]
        found: list[Row] = []
        for group in _groups(file, column, ids[0], ids[-1]):
            mask = pc.is_in(_column(file, group, column), value_set=values)
            if pc.any(
                mask
            ).as_py():  # a group is small: parts and releases are cut by the bytes of their rows
                table = file.read_row_group(group, columns=read, use_threads=False)
                found += table.filter(mask).to_pylist()
        return found


def beginning(path: Path, column: str, prefix: str) -> set[str]:
    """The values of `column` that begin with `prefix`, which is of hex digits."""
    with pq.ParquetFile(path) as file:
        if column not in file.schema_arrow.names:
            return set()
        found: set[str] = set()
        for group in _groups(file, column, prefix, prefix + "g"):
            values = _column(file, group, column)
            found.update(values.filter(pc.starts_with(values, prefix)).to_pylist())
        return found


def _column(file: pq.ParquetFile, group: int, column: str) -> pa.Array:
    values = file.read_row_group(group, columns=[column], use_threads=False).column(0).combine_chunks()
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def _groups(file: pq.ParquetFile, column: str, low: str, high: str) -> Iterator[int]:
    """The row groups that can hold values from `low` to `high`, by their statistics."""
    for group in range(file.num_row_groups):
        chunks = file.metadata.row_group(group)
        known = next(
            chunk.statistics
            for chunk in map(chunks.column, range(chunks.num_columns))
            if chunk.path_in_schema == column
        )
        if known is None or not known.has_min_max or (str(known.min) <= high and low <= str(known.max)):
            yield group


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turns what a damaged file raises into CheckFailed with its name."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        word = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckFailed(f"{path} cannot be read ({word:.200}); nothing was changed") from error


def stored(
    store: Store, table: str, column: str, wanted: Iterable[str], columns: Sequence[str] | None = None
) -> list[Row]:
    """The rows of a table of the store whose `column` is one of `wanted`."""
    ids, found = list(wanted), list[Row]()
    for part in store.parts(table):
        with _reading(part.path):
            found += rows(part.path, column, ids, columns)
    return found


def stored_ids(store: Store, table: str, column: str, prefix: str) -> set[str]:
    """The values of a column of ids of the store that begin with `prefix`."""
    found = set[str]()
    for part in store.parts(table):
        with _reading(part.path):
            found |= beginning(part.path, column, prefix)
    return found


@dataclass(frozen=True)
class Release:
    """A release folder that is read by ids. A manifest that lacks what is asked of it here is refused."""

    name: str
    folder: Path

    @cached_property
    def manifest(self) -> Row:
        place = f"{self.folder}/manifest.json"
        try:
            content = manifest.read(self.folder)
            missing = _lacks(content)
        except OSError as error:
            raise CheckFailed(f"{place} cannot be read ({error.strerror})") from error
        except (ValueError, RecursionError) as error:
            raise CheckFailed(f"{place} is not JSON ({str(error)[:200]})") from error
        if missing:
            raise CheckFailed(f"{place} is no manifest of a release: it lacks {missing}")
        return content

    @property
    def decides(self) -> str:
        """The verifier that decides, name@version."""
        return str(self.manifest["lock"]["verifiers"][0]["verifier"])

    def shows(self, config: str) -> bool:
        """Whether the release has a config, be it without rows."""
        listed = self.manifest["recipe"].get("release", {}).get("configs", ())
        return config in listed or any(file["config"] == config for file in self.manifest["files"])

    def rows(
        self, config: str, column: str, wanted: Iterable[str], columns: Sequence[str] | None = None
    ) -> list[Row]:
        """The rows of a config whose `column` is one of `wanted`, with the split they stand in.

        Raises CheckFailed for a file that cannot be read, or that lacks a column it has in every release.
        """
        ids, found = list(wanted), list[Row]()
        always = set(configs.schema(config).names) if config in ("samples", "problems") else set()
        needed = always if columns is None else always & set(columns)
        for path, split in self._files(config):
            with _reading(path):
                found += [row | {"split": split} for row in rows(path, column, ids, columns, needed)]
        return found

    def ids(self, config: str, column: str, prefix: str) -> set[str]:
        """The values of a config's column of ids that begin with `prefix`."""
        found = set[str]()
        for path, _ in self._files(config):
            with _reading(path):
                found |= beginning(path, column, prefix)
        return found

    def _files(self, config: str) -> Iterator[tuple[Path, str]]:
        for file in self.manifest["files"]:
            if file["config"] == config:
                path = self.folder / file["path"]
                if not path.resolve().is_relative_to(self.folder.resolve()):
                    raise CheckFailed(
                        f"{self.folder}/manifest.json lists {file['path']!r:.200}, outside its folder"
                    )
                yield path, file["split"]


_NEEDED: Final[Mapping[str, Callable[[Any], bool]]] = {
    "name": lambda one: isinstance(one["name"], str),
    "version": lambda one: isinstance(one["version"], str),
    "recipe.budget.per_problem": lambda one: isinstance(one["recipe"]["budget"]["per_problem"], dict),
    "lock.generators": lambda one: all(
        isinstance(of["identity"], dict) for of in one["lock"]["generators"].values()
    ),
    "lock.verifiers": lambda one: isinstance(one["lock"]["verifiers"][0]["verifier"], str),
    "files": lambda one: all(
        isinstance(file[key], str) for file in one["files"] for key in ("path", "config", "split")
    ),
}


def _lacks(content: Any) -> str:
    """The first part of a manifest that is not there in its form; empty when all that is needed is."""
    for name, holds in _NEEDED.items():
        try:
            if not holds(content):
                return name
        except (KeyError, IndexError, TypeError, AttributeError):
            return name
    return ""
