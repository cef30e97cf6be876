"""How the rows of one config differ between two releases: added, removed, changed, and in which columns.

Guarantees: a row is known by its key (`configs.KEYS`) within all splits; keys are compared as values, every
other column by a 64-bit hash of its value, so that wide text never leaves the reader (among a million rows
that changed, the chance that one is overlooked is below 1e-13). Null equals null, NaN equals NaN, 0.0 equals
-0.0. Columns of `configs.ACT_OF_SAMPLING` are no part of a row; `split` is one. Files that both releases
have with the same sha256 and split are not read, and nothing is where both content digests agree. Memory is
bounded: what does not fit is spilled beside the system's temporary files.

Left out: whether the files are those that the manifests list (`release check`).
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb

from factory.configs import ACT_OF_SAMPLING, KEYS
from factory.errors import CheckFailed

MEMORY: Final = "1200MB"


@dataclass(frozen=True)
class Side:
    """One of the two releases: its folder and its manifest, which a draft has before it stands in a file."""

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def id(self) -> str:
        """NAME@VERSION."""
        return f"{self.manifest['name']}@{self.manifest['version']}"

    def schema(self, config: str) -> dict[str, Mapping[str, Any]]:
        """The manifest's entry of every column of a config, by name."""
        return {one["name"]: one for one in self.manifest["configs"][config]["schema"]}


def type_of(column: Mapping[str, Any]) -> str:
    """A column's type, with what it says of nulls."""
    return f"{column['type']}, nullable" if column["nullable"] else str(column["type"])


@contextlib.contextmanager
def connect() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database of its own, bounded in memory, whose errors on reading are CheckFailed."""
    with tempfile.TemporaryDirectory(prefix="factory-diff-") as spill, duckdb.connect() as connection:
        connection.execute(f"SET memory_limit = '{MEMORY}'")
        connection.execute(f"SET temp_directory = {literal(spill)}")
        try:
            yield connection
        except duckdb.Error as error:
            raise CheckFailed(
                "a file of a release cannot be read as its manifest says: "
                f"{str(error).splitlines()[0]:.300}. Nothing was changed. `factory release check` says which "
                "file, and what is wrong with it"
            ) from error


def rows(connection: duckdb.DuckDBPyConnection, old: Side, new: Side, config: str) -> dict[str, Any]:
    """{added, removed, changed, columns: {column: changed rows}} of a config that both releases have.

    Raises CheckFailed when a key stands twice, and when equal rows have content digests that differ.
    """
    before, after = (one.manifest["configs"][config] for one in (old, new))
    if before["content_digest"] == after["content_digest"]:
        return {"added": 0, "removed": 0, "changed": 0, "columns": {}}
    read = ["split", *compared_columns(old, new, config)]
    left, right = _hashed(old, config, new, read), _hashed(new, config, old, read)
    differ = [f"o.{name(one)} IS DISTINCT FROM n.{name(one)}" for one in read]
    both = "o.here AND n.here"
    added, removed, matched, changed, *by_column = _one(
        connection,
        "SELECT count(*) FILTER (o.here IS NULL), count(*) FILTER (n.here IS NULL),"
        f" count(*) FILTER ({both}), count(*) FILTER ({both} AND ({' OR '.join(differ)})), "
        + ", ".join(f"count(*) FILTER ({both} AND {one})" for one in differ)
        + f" FROM ({left}) o FULL JOIN ({right}) n ON "
        + " AND ".join(f"o.{one} = n.{one}" for one in _keys(config)),
    )
    found = {"added": added, "removed": removed, "changed": changed}
    told = [sum(file["rows"] for file in _own_files(*pair, config)) for pair in ((old, new), (new, old))]
    if told != [removed + matched, added + matched]:
        raise CheckFailed(
            f"config {config} of {old.id} or of {new.id} has two rows of one {', '.join(KEYS[config])}, or "
            "other rows than its manifest counts, so the two cannot be compared. `factory release check` "
            "says more of each"
        )
    if not any(found.values()) and before["schema"] == after["schema"]:
        raise CheckFailed(
            f"config {config} has the same rows in {old.id} and {new.id}, and other content digests: one of "
            "the two is not what its manifest says. `factory release check` says which"
        )
    return found | {"columns": {one: count for one, count in zip(read, by_column, strict=True) if count}}


def compared_columns(old: Side, new: Side, config: str) -> list[str]:
    """The columns that both have with one type, less keys and acts of sampling; `split` is none of them."""
    before, after = old.schema(config), new.schema(config)
    return [
        one
        for one in before
        if one in after
        and type_of(before[one]) == type_of(after[one])
        and one not in (*KEYS[config], *ACT_OF_SAMPLING, "split")
    ]


def _hashed(side: Side, config: str, other: Side, columns: Sequence[str]) -> str:
    """SQL of the rows that `other` may not have: keys as they are, and columns as hashes of their values."""
    types = side.schema(config)
    shown = [
        "true AS here",
        *(f"{name(one)} AS {key}" for key, one in zip(_keys(config), KEYS[config], strict=True)),
    ]
    for one in columns:
        if one != "split":
            # The hash of a nested value takes an empty list for a null one; as text they differ.
            value = f"to_json({name(one)})" if "<" in types[one]["type"] else name(one)
            shown.append(f"hash({value}) AS {name(one)}")
    files = _own_files(side, other, config)
    splits = sorted({file["split"] for file in files})

    def select(split: str, inside: Sequence[Mapping[str, Any]]) -> str:
        return f"SELECT {literal(split)} AS split, {', '.join(shown)} FROM {_reader(side, inside)}"

    parts = [select(split, [file for file in files if file["split"] == split]) for split in splits]
    return " UNION ALL ".join(parts) or select("", _files(side, config)) + " LIMIT 0"


def _own_files(side: Side, other: Side, config: str) -> list[Mapping[str, Any]]:
    """The files of `side` that `other` has not: of another content, or in another split."""
    shared = {_content(file) for file in _files(other, config)}
    return [file for file in _files(side, config) if _content(file) not in shared]


def _content(file: Mapping[str, Any]) -> tuple[str, str]:
    return file["split"], file["sha256"]


def statuses(connection: duckdb.DuckDBPyConnection, old: Side, new: Side) -> dict[str, Any]:
    """{compared, flips: [{old, new, samples}], became_correct, no_longer_correct} of samples in both."""
    columns = "sample_id, status, correct"
    groups = connection.execute(
        "SELECT o.status, n.status, count(*), count(*) FILTER (n.correct AND NOT o.correct),"
        " count(*) FILTER (o.correct AND NOT n.correct)"
        f" FROM (SELECT {columns} FROM {all_rows(old, 'samples')}) o"
        f" JOIN (SELECT {columns} FROM {all_rows(new, 'samples')}) n ON o.sample_id = n.sample_id"
        " GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    return {
        "compared": sum(group[2] for group in groups),
        "flips": [
            {"old": before, "new": after, "samples": samples}
            for before, after, samples, _, _ in groups
            if before != after
        ],
        "became_correct": sum(group[3] for group in groups),
        "no_longer_correct": sum(group[4] for group in groups),
    }


# --- SQL ---------------------------------------------------------------------------------------------


def all_rows(side: Side, config: str) -> str:
    """SQL that reads every file of a config."""
    return _reader(side, _files(side, config))


def name(column: str) -> str:
    """A column or view as SQL names it, whatever is in it."""
    return '"' + column.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as SQL writes it, whatever is in it."""
    return "'" + text.replace("'", "''") + "'"


def queries(old: Side, new: Side, config: str, entry: Mapping[str, Any]) -> dict[str, str]:
    """SQL for `factory sql` that lists the added, removed and changed rows of a config, where there are any.

    `entry` is what a comparison says of the config. A changed row is shown by its key and the old and new
    values of the columns that changed in any row.
    """
    before, after = (name(f"{one.id}/{config}") for one in (old, new))
    keys = ", ".join(name(one) for one in KEYS[config])
    columns = [name(one) for one in entry["columns"]]
    shown = "".join(
        f", o.{name(one)} AS {name('old_' + one)}, n.{name(one)} AS {name('new_' + one)}"
        for one in entry["columns"]
    )
    differ = " OR ".join(f"o.{one} IS DISTINCT FROM n.{one}" for one in columns)
    both = entry["in"] == "both"
    lists = {
        "added": f"SELECT * FROM {after}" + (f" ANTI JOIN {before} USING ({keys})" if both else ""),
        "removed": f"SELECT * FROM {before}" + (f" ANTI JOIN {after} USING ({keys})" if both else ""),
        "changed": f"SELECT {keys}{shown} FROM {before} o JOIN {after} n USING ({keys}) WHERE {differ}",
    }
    return {what: query for what, query in lists.items() if entry[what]}


def _keys(config: str) -> list[str]:
    """Names for the columns of a key, which the names of columns cannot take."""
    return [name(f"key {place}") for place, _ in enumerate(KEYS[config])]


def _files(side: Side, config: str) -> list[Mapping[str, Any]]:
    return [file for file in side.manifest["files"] if file["config"] == config]


def _reader(side: Side, files: Sequence[Mapping[str, Any]]) -> str:
    # A path is a pattern to the reader, unless its signs stand in brackets.
    paths = (
        "".join(f"[{sign}]" if sign in "*?[" else sign for sign in str(side.folder / file["path"]))
        for file in files
    )
    return f"read_parquet([{', '.join(map(literal, paths))}])"


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    row = connection.execute(query).fetchone()
    assert row is not None
    return row
