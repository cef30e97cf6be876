"""Which tables SQL on a store shows, and which files each is made of.

Guarantees: a release's files are those its manifest lists, never what a pattern finds. A release that cannot
be read as it was made (no manifest that can be read, one of an older format, a file that is missing or of
another size) is left out of the tables that span releases, and said to be; asked for by its own name it is an
error. Facts with a damaged part are an error for the queries that read them, and for no other. Left out: the
digests of the files (`factory release check`), and the views (`sql_views.py`).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow as pa

from factory import configs, references
from factory.errors import CheckFailed, FactoryError, UsageError
from factory.query.sql_views import VIEWS, Source
from factory.records import TABLES
from factory.release import manifest
from factory.store import Store

FACTS: Final[Mapping[str, str]] = {
    "problems": "every problem of the store",
    "generators": "every generator of the store, with all that can change its text",
    "samples": "every completion, wrong ones too",
    "verdicts": "every verifier's word on every sample; the highest attempt counts",
    "ledger": "every charge of calls that made no sample",
    "rollouts": "completions of prefixes of solutions",
    "labels": "what people said of samples in audits",
}
LISTING: Final = "tables"
"""The table that lists the tables."""


@dataclass(frozen=True)
class Table:
    """Columns, what a row is, and a function that finds the files; it raises CheckFailed for damaged ones."""

    schema: pa.Schema
    meaning: str
    sources: Callable[[], list[Source]]


@dataclass
class Catalogue:
    """Tables by name; why releases are left out, by release; releases without `samples` or `problems`, by
    config; and those of the form messages."""

    tables: dict[str, Table] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    lacking: dict[str, list[str]] = field(default_factory=lambda: {"samples": [], "problems": []})
    of_messages: list[str] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        return [LISTING, *self.tables, *VIEWS]

    def notes(self, asked: Sequence[str]) -> list[str]:
        """What an answer over the tables and views `asked` does not hold, one sentence each."""
        of = {name: VIEWS[name].needs[0] if name in VIEWS else name for name in asked}
        spanning = [name for name in asked if of[name].startswith("release_")]
        notes = [f"{name} is left out: {why}" for name, why in self.left_out.items()] if spanning else []
        for config, releases in self.lacking.items():
            ready = [name for name in asked if name in VIEWS and of[name] == f"release_{config}"]
            if ready and releases:
                lacking = ", ".join(releases)
                notes.append(f"{', '.join(ready)}: without {lacking}, which has no config `{config}`")
        for name in asked:
            if f"{name}_messages" in self.tables and self.of_messages:
                where = ", ".join(self.of_messages)
                notes.append(f"{name}: without {where}, whose form is messages; see {name}_messages")
        return notes

    def missing(self, name: str) -> FactoryError:
        """The error for a table that there is not."""
        release = name.partition("/")[0]
        if release in self.left_out:
            return CheckFailed(f"sql: {release} cannot be read: {self.left_out[release]}")
        near = difflib.get_close_matches(name, self.names, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(map(quoted, near))}? " if near else ""
        return UsageError(
            f"sql: there is no table {name!r:.200}; {hint}SELECT * FROM tables lists all there are"
        )

    def listing(self) -> pa.Table:
        """One row a column: table, what its rows are, column, type, and what the column means."""
        rows: list[tuple[str | None, ...]] = []
        for name, table in self.tables.items():
            for one in table.schema:
                meaning = (one.metadata or {}).get(b"description", b"").decode()
                rows.append((name, table.meaning, one.name, str(one.type), meaning))
        rows += [(name, view.meaning, None, None, "a view; DESCRIBE it") for name, view in VIEWS.items()]
        columns = zip(*rows, strict=True)
        names = ("table", "rows", "column", "type", "meaning")
        return pa.table(
            {name: pa.array(list(values), pa.string()) for name, values in zip(names, columns, strict=True)}
        )


def quoted(name: str) -> str:
    """A name as SQL takes it."""
    return name if name.isidentifier() else '"' + name.replace('"', '""') + '"'


def catalogue(store: Store) -> Catalogue:
    """Every table of a store and its releases; reads the manifests and looks at no row."""
    found = Catalogue()
    for name, meaning in FACTS.items():
        found.tables[name] = Table(TABLES[name], meaning, partial(_facts, store, name))
    spanning: dict[str, list[Source]] = {
        one: [] for config in configs.CONFIGS for one in _spanning_names(config)
    }
    alone: dict[str, Table] = {}
    for release in references.released(store):
        try:
            made = _read(store.releases / release, release)
        except CheckFailed as error:
            found.left_out[release] = str(error)
            continue
        for config in found.lacking.keys() - made.configs:
            found.lacking[config].append(release)
        if made.of_messages:
            found.of_messages.append(release)
        for config, form, sources in made.tables:
            spanning[f"release_{config}" + ("_messages" if form == "messages" else "")] += sources
            meaning = f"{configs.MEANINGS[config]}, of {release}"
            alone[f"{release}/{config}"] = _table(config, form, meaning, sources)
    for config in configs.CONFIGS:
        for name in _spanning_names(config):
            spoken: configs.Form = "messages" if name.endswith("_messages") else "text"
            meaning = f"{configs.MEANINGS[config]}, of every release" + (
                "" if config not in configs.MARKED else f" whose form is {spoken}"
            )
            found.tables[name] = _table(config, spoken, meaning, spanning[name])
    found.tables.update(alone)
    return found


def _spanning_names(config: str) -> list[str]:
    return [f"release_{config}"] + ([f"release_{config}_messages"] if config in configs.MARKED else [])


def _table(config: str, form: configs.Form, meaning: str, sources: list[Source]) -> Table:
    columns = configs.schema(config, form)
    marks = [pa.field(name, pa.string()) for name in ("release", "split") if name not in columns.names]
    return Table(pa.schema([*marks, *columns]), meaning, lambda: sources)


def _facts(store: Store, name: str) -> list[Source]:
    return [Source(str(part.path), None, None) for part in store.parts(name)]


class _Release(NamedTuple):
    """What a manifest says: (path, bytes) of every file, the tables that they make, and of what form."""

    files: list[tuple[str, int]]
    tables: list[tuple[str, configs.Form, list[Source]]]
    configs: frozenset[str]
    of_messages: bool


def _read(folder: Path, release: str) -> _Release:
    """What a manifest says whose files are all there. Raises CheckFailed that says what is wrong."""
    try:
        made = manifest.read(folder)
        written = made["format"]
        told = _told(folder, release, made) if written == manifest.FORMAT else None
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise CheckFailed(f"its manifest.json cannot be read ({type(error).__name__}: {error})") from error
    if told is None:
        raise CheckFailed(
            f"it is of manifest format {written!r:.20} and this factory reads format {manifest.FORMAT}; "
            "make it again with `factory run` under a new version"
        )
    for path, size in told.files:
        file = folder / path
        if not file.resolve().is_relative_to(folder.resolve()):
            raise CheckFailed(f"its manifest lists {path!r:.100}, which is outside its folder")
        if not file.is_file():
            raise CheckFailed(f"its file {path} is missing; put a good copy in its place")
        if file.stat().st_size != size:
            raise CheckFailed(
                f"its file {path} has {file.stat().st_size:,} bytes and its manifest says {size:,}; "
                "put a good copy in its place"
            )
    return told


def _told(folder: Path, release: str, made: Mapping[str, Any]) -> _Release:
    """The parts of a manifest that are used here; what is not in its form raises what Python says of it."""
    files: dict[str, list[Source]] = {}
    for one in made["files"]:
        source = Source(str(folder / _text(one["path"])), release, _text(one["split"]))
        files.setdefault(_text(one["config"]), []).append(source)
    tables: list[tuple[str, configs.Form, list[Source]]] = []
    for config in configs.CONFIGS:
        if config in made["configs"]:
            schema = made["configs"][config]["schema"]
            types = {_text(column["name"]): _text(column["type"]) for column in schema}
            told = types.get("messages") or types.get("prompt", "")
            listed = config in configs.MARKED and told.startswith("list")
            tables.append((config, "messages" if listed else "text", files.get(config, [])))
    return _Release(
        [(one["path"], int(one["bytes"])) for one in made["files"]],
        tables,
        frozenset(config for config, _, _ in tables),
        made["recipe"].get("release", {}).get("form") == "messages",
    )


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise TypeError(f"{value!r:.50} where a name is expected")
    return value
