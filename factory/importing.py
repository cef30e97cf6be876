"""Completions made elsewhere, read row by row: the map that says which column is what, and the rows it gives.

Guarantees: rows stream in the order of the file, and no completion is left out in silence: what the map
does not fit is a UsageError with file and line, or, where the map says `missing: skip`, a Skipped marker
to count. A path that stands in no row is found before the first row is given. Held in memory are the
problems that rows are joined to and one counter a problem and generator. Left out: storing, which also
finds an index that stands for two texts, and judging.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, Self

from pydantic import Discriminator, Field, Tag, model_validator

from factory import problems
from factory.errors import UsageError
from factory.problems import columns, files
from factory.problems.columns import Row
from factory.recipe import Columns, Name, ProblemSource, Section
from factory.records import Problem
from factory.sections import GeneratorName

INDEX_LIMIT: Final = 2**31 - 1


class InFile(Columns):
    """The problem stands in the row itself."""

    name: Name | None = Field(default=None, description="the source's name; the file's name by default")
    split: str = "train"
    license: str | None = None


class JoinSource(Section):
    """Problems of `source`, found by their prompt: the text at `on`, blanks around it aside."""

    source: ProblemSource
    on: Annotated[str, Field(description="dotted path of the prompt in the file")]


class Join(Section):
    """The problem stands in another source."""

    join: JoinSource


def _kind(value: object) -> str:
    joined = isinstance(value, Join) or (isinstance(value, Mapping) and "join" in value)
    return "join" if joined else "columns"


class Completions(Section):
    """One completion in every row. Several entries may name one generator: several draws in a row."""

    generator: GeneratorName
    completion: Annotated[str, Field(description="dotted path of the text")]
    index: str | None = Field(
        default=None, description="dotted path of the sample index; by default the order"
    )
    keep: tuple[str, ...] | Mapping[str, str] = Field(
        default=(), description="dotted paths of values to keep with the sample, or name: path"
    )

    @property
    def kept(self) -> Mapping[str, str]:
        """Path by name."""
        return self.keep if isinstance(self.keep, Mapping) else {path: path for path in self.keep}

    @property
    def paths(self) -> list[str]:
        return [path for path in (self.completion, self.index, *self.kept.values()) if path is not None]


class ImportMap(Section):
    """What `factory import FILE --map MAP` is told about FILE. Read with `config.load(path, ImportMap)`."""

    problem: Annotated[
        Annotated[Join, Tag("join")] | Annotated[InFile, Tag("columns")],
        Discriminator(_kind),
        Field(description="columns of the file, or {join: {source: ..., on: ...}}"),
    ]
    completions: Annotated[tuple[Completions, ...], Field(min_length=1)]
    missing: Literal["error", "skip"] = Field(default="error", description="a row without a completion")

    @model_validator(mode="after")
    def _one_way_to_count(self) -> Self:
        indexed = {entry.generator for entry in self.completions if entry.index is not None}
        for entry in self.completions:
            if entry.index is None and entry.generator in indexed:
                raise ValueError(
                    f"generator {entry.generator!r} has an index in one entry and none in another"
                )
        return self

    @property
    def paths(self) -> list[str]:
        """Every dotted path that the map names, once."""
        problem = self.problem
        own = [problem.join.on] if isinstance(problem, Join) else list(columns.paths(problem).values())
        return list(dict.fromkeys(own + [path for entry in self.completions for path in entry.paths]))


class ImportedRow(NamedTuple):
    """One sample. `extra` is canonical JSON of what the map keeps, or None when it keeps nothing."""

    problem: Problem
    generator: str
    sample_index: int
    completion: str
    extra: str | None


class Skipped(NamedTuple):
    """A completion that is not there, in a map that says `missing: skip`."""

    place: str
    generator: str


def rows(path: Path, map: ImportMap, base: Path) -> Iterator[ImportedRow | Skipped]:
    """The samples of a file, row by row, in each row in the order of the map's completions.

    `base` is the folder that relative paths of the map start from. Raises UsageError, with file and line,
    for a path that is in no row (before the first row is given), a value of a wrong kind, a prompt that the
    joined source does not have once, and a completion that is not there (unless the map skips it); and
    what reading the file and the joined source raises.
    """
    _check_paths(path, map)
    known = _joined(map.problem.join, base) if isinstance(map.problem, Join) else {}
    counts: Counter[bytes] = Counter()
    empty = True
    for row in files.rows(path, map.paths):
        empty = False
        problem = _problem(row, map.problem, known, path)
        digest = bytes.fromhex(problem.problem_id)
        for entry in map.completions:
            completion = _completion(row, entry, map.missing)
            if completion is None:
                yield Skipped(row.place, entry.generator)
                continue
            if entry.index is None:
                key = digest + entry.generator.encode()
                index = counts[key]
                counts[key] += 1
            else:
                index = _index(row, entry.index)
            yield ImportedRow(problem, entry.generator, index, completion, _extra(row, entry))
    if empty:
        raise UsageError(f"{path}: has no rows to import; name a file that has some")


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a map, for editors and for `schemas/`."""
    return ImportMap.model_json_schema() | {"$schema": "https://json-schema.org/draft/2020-12/schema"}


def _check_paths(path: Path, map: ImportMap) -> None:
    """Read until every path was seen once: in a good file that is the first row."""
    unseen = set(map.paths)
    there: set[str] = set()
    for row in files.rows(path, map.paths):
        unseen = {wanted for wanted in unseen if not _has(row, wanted)}
        if not unseen:
            return
        there.update(columns.names(row.values))
    if there:
        first = next(wanted for wanted in map.paths if wanted in unseen)
        raise columns.no_such_column(f"{path}: in no row", first, there)


def _has(row: Row, path: str) -> bool:
    try:
        columns.find(row.values, path)
    except KeyError:
        return False
    return True


def _value(row: Row, path: str) -> Any:
    """The value at `path`, or None in a row that lacks it."""
    try:
        return columns.find(row.values, path)
    except KeyError:
        return None


Known = Mapping[str, Problem | None]
"""Problem by its stripped prompt; None where two problems share the prompt and differ in the answer."""


def _joined(join: JoinSource, base: Path) -> Known:
    known: dict[str, Problem | None] = {}
    for problem in problems.load(join.source, base):
        prompt = problem.prompt.strip()
        other = known.setdefault(prompt, problem)
        if other is not None and other.problem_id != problem.problem_id:
            known[prompt] = None
    return known


def _problem(row: Row, origin: Join | InFile, known: Known, path: Path) -> Problem:
    if isinstance(origin, Join):
        prompt = columns.text(_value(row, origin.join.on), f"column {origin.join.on!r}", row.place)
        if prompt is None or prompt.strip() not in known:
            raise UsageError(
                f"{row.place}: the prompt {prompt!r:.80} in column {origin.join.on!r} is none of the "
                f"{len(known)} of problem source {origin.join.source.source!r}; name the source, split and "
                "limit it came from"
            )
        problem = known[prompt.strip()]
        if problem is None:
            raise UsageError(
                f"{row.place}: two problems of source {origin.join.source.source!r} have the prompt "
                f"{prompt!r:.80} and different answers; leave one of them out of the source"
            )
        return problem
    return columns.problem(
        row,
        origin,
        source=files.source_name(origin.name, path),
        split=origin.split,
        license=origin.license,
        origin=files.origin(path, row),
    )


def _completion(row: Row, entry: Completions, missing: str) -> str | None:
    value = _value(row, entry.completion)
    if value is None and missing == "error":
        raise UsageError(
            f"{row.place}: there is no completion at {entry.completion!r} for generator {entry.generator!r}; "
            "fill it, or write `missing: skip` in the map to have such rows counted and passed over"
        )
    if value is not None and not isinstance(value, str):
        raise UsageError(
            f"{row.place}: column {entry.completion!r} is of type {type(value).__name__}; a completion is "
            "text: map the column that holds it"
        )
    return columns.text(value, f"column {entry.completion!r}", row.place)


def _index(row: Row, path: str) -> int:
    written = columns.text(_value(row, path), f"column {path!r}", row.place) or ""
    if not (written.isascii() and written.isdecimal() and len(written) <= 10 and int(written) <= INDEX_LIMIT):
        raise UsageError(
            f"{row.place}: column {path!r} is {written!r}; a sample index is a whole number from 0 to "
            f"{INDEX_LIMIT}; leave index out to have them counted"
        )
    return int(written)


def _extra(row: Row, entry: Completions) -> str | None:
    if not entry.kept:
        return None
    kept = {name: _value(row, path) for name, path in entry.kept.items()}
    return columns.json_text(kept, "keep", row.place)
