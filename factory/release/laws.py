"""What must hold between the rows of a release, as queries on its files.

Guarantees: a law is a query for the rows that break it. Nothing is asked of a config whose files are not what
the manifest lists; that is told. Memory is bounded (MEMORY), what does not fit is sorted on the disk. Left
out: files, digests and counts inside the manifest (`check.py`).
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds

from factory.configs import KEYS
from factory.records import DRAWN, problem_id, sample_id
from factory.release.check import unread
from factory.release.findings import Finding, concluded, failed
from factory.release.golds import gives_away
from factory.release.reading import Manifest

MEMORY: Final = "1GB"
LISTED: Final = 200
"""So many problem ids are listed in a warning."""


@dataclass(frozen=True)
class Law:
    """What holds for the rows of the configs `needs`; `query` selects (where, found) of what breaks it."""

    check: str
    needs: tuple[str, ...]
    expected: str
    query: str


LAWS: Final = (
    Law(
        "splits",
        ("problems",),
        "the split of the file",
        "SELECT 'problem ' || problem_id, 'split ' || split || ' in a file of ' || file_split FROM problems"
        " WHERE split <> file_split",
    ),
    Law(
        "splits",
        ("problems",),
        "each group in one split",
        "SELECT 'group ' || group_id, 'in ' || string_agg(DISTINCT file_split, ', ' ORDER BY file_split)"
        " FROM problems WHERE asked AND group_id IS NOT NULL GROUP BY group_id"
        " HAVING count(DISTINCT file_split) > 1",
    ),
    Law(
        "lineage",
        ("samples",),
        "kept where the reason says so, and correct then",
        "SELECT 'samples ' || sample_id, concat('kept ', kept, ', correct ', correct, ', reason ', reason)"
        " FROM samples WHERE kept <> (reason = 'kept') OR (kept AND NOT correct)",
    ),
    Law(
        "lineage",
        ("samples", "problems"),
        "a problem of `problems` that was asked",
        "SELECT 'samples ' || sample_id, 'problem ' || problem_id FROM samples s WHERE NOT EXISTS"
        " (FROM problems p WHERE p.asked AND p.problem_id = s.problem_id)",
    ),
    Law(
        "lineage",
        ("sft", "samples"),
        "a kept sample of `samples`",
        "SELECT 'sft ' || f.sample_id, CASE WHEN s.sample_id IS NULL THEN 'in no row of samples'"
        " ELSE 'not kept: ' || s.reason END"
        " FROM sft f LEFT JOIN samples s ON s.sample_id = f.sample_id WHERE s.kept IS NOT true",
    ),
    Law(
        "lineage",
        ("sft", "samples"),
        "every kept sample in `sft`",
        "SELECT 'samples ' || sample_id, 'kept, and not in sft' FROM samples s WHERE kept AND NOT EXISTS"
        " (FROM sft f WHERE f.sample_id = s.sample_id)",
    ),
    Law(
        "lineage",
        ("kto", "samples"),
        "kept samples labelled true, failed ones false",
        "SELECT 'kto ' || k.sample_id, concat('label ', k.label, ', ', CASE WHEN s.sample_id IS NULL"
        " THEN 'in no row of samples' ELSE concat('kept ', s.kept, ', status ', s.status) END)"
        " FROM kto k LEFT JOIN samples s ON s.sample_id = k.sample_id"
        " WHERE coalesce(CASE WHEN k.label THEN s.kept ELSE s.status = 'fail' END, false) = false",
    ),
    Law(
        "lineage",
        ("preference", "samples"),
        "a kept and a failed sample of its problem",
        "SELECT concat('preference ', f.chosen_id, ' ', f.rejected_id), concat('chosen ',"
        " coalesce(c.reason, 'in no row of samples'), ', rejected ',"
        " coalesce(r.status, 'in no row of samples'))"
        " FROM preference f LEFT JOIN samples c ON c.sample_id = f.chosen_id"
        " LEFT JOIN samples r ON r.sample_id = f.rejected_id"
        " WHERE coalesce(c.kept AND r.status = 'fail' AND c.problem_id = f.problem_id"
        " AND r.problem_id = f.problem_id, false) = false",
    ),
    Law(
        "lineage",
        ("rewards", "problems"),
        "the problems that were asked, each once",
        "SELECT 'problem ' || coalesce(r.problem_id, p.problem_id),"
        " CASE WHEN p.problem_id IS NULL THEN 'in rewards, and not asked'"
        " ELSE 'asked, and not in rewards' END"
        " FROM rewards r FULL JOIN (FROM problems WHERE asked) p ON p.problem_id = r.problem_id"
        " WHERE p.problem_id IS NULL OR r.problem_id IS NULL",
    ),
    Law(
        "lineage",
        ("rewards", "samples"),
        "the draws that could be judged, and how many are correct",
        "SELECT 'rewards ' || r.problem_id, concat(r.samples, ' samples, ', r.correct, ' correct')"
        " FROM rewards r LEFT JOIN (SELECT problem_id, count(*) FILTER"
        " (status IN ('pass', 'fail', 'no_answer')) AS n, count(*) FILTER (correct) AS c"
        f" FROM samples WHERE {DRAWN} GROUP BY problem_id) s ON s.problem_id = r.problem_id"
        " WHERE r.samples <> coalesce(s.n, 0) OR r.correct <> coalesce(s.c, 0)",
    ),
)


def check(folder: Path, found: Manifest, sound: Collection[str]) -> list[Finding]:
    """The findings of every law that the configs of this release can keep or break."""
    whole = [name for name in found.configs if all(one.path in sound for one in found.files_of(name))]
    result = [unread("keys", name) for name in found.configs if name not in whole]
    with tempfile.TemporaryDirectory() as scratch, duckdb.connect() as connection:
        connection.execute(f"SET memory_limit = '{MEMORY}'")
        connection.execute("SET preserve_insertion_order = false")
        connection.execute("SET temp_directory = $folder", {"folder": scratch})
        columns = {name: _enter(connection, folder, found, name) for name in whole}
        laws = [*_keys(columns), *_apart(columns), *LAWS, *_told_alike(columns)]
        for (name, needs), group in itertools.groupby(laws, key=lambda law: (law.check, law.needs)):
            if set(needs) <= set(whole):
                own = list(group)
                faults = (one for law in own for one in _broken(connection, law))
                expected = "; ".join(law.expected for law in own)
                result += concluded(name, " and ".join(needs), expected, faults)
        result += _recounted(connection, found, whole)
        for config in sorted({"problems", "samples"} & set(whole)):
            result += concluded("ids", config, "the hash of what it names", _ids(connection, config))
        if "problems" in whole:
            result += _golds(connection)
    return result


def _enter(connection: duckdb.DuckDBPyConnection, folder: Path, found: Manifest, config: str) -> pa.Schema:
    """Make the view of a config, with the split of the file as `file_split`."""
    parts = []
    for number, split in enumerate(sorted(found.configs[config].splits)):
        paths = [str(folder / one.path) for one in found.files_of(config) if one.split == split]
        # Registered as data: a path in SQL is a pattern, and a folder may have any name.
        data = ds.dataset(paths, format="parquet")
        connection.register(f"{config} {number}", data)
        parts.append(f"SELECT *, '{split}' AS file_split FROM \"{config} {number}\"")
    connection.execute(f'CREATE TEMP VIEW "{config}" AS ' + " UNION ALL ".join(parts))
    return data.schema


def _broken(connection: duckdb.DuckDBPyConnection, law: Law) -> Iterator[Finding]:
    try:
        rows = connection.execute(law.query)
        while some := rows.fetchmany(1_000):
            for where, told in some:
                yield failed(law.check, str(where), str(told), law.expected)
    except duckdb.Error as error:
        yield failed(law.check, " and ".join(law.needs), str(error).splitlines()[0], law.expected)


def _keys(columns: Mapping[str, pa.Schema]) -> Iterator[Law]:
    for config in [name for name in columns if name in KEYS]:
        key = ", ' ', ".join(KEYS[config])
        yield Law(
            "keys",
            (config,),
            "each key once, over all splits",
            f"SELECT concat('{config} ', {key}), concat(count(*), ' rows, in ',"
            " string_agg(DISTINCT file_split, ', ' ORDER BY file_split))"
            f' FROM "{config}" GROUP BY {", ".join(KEYS[config])} HAVING count(*) > 1',
        )


def _apart(columns: Mapping[str, pa.Schema]) -> Iterator[Law]:
    """No problem in two splits, whatever the configs; one that was not asked gives no rows to anybody."""
    having = tuple(name for name, schema in columns.items() if "problem_id" in schema.names)
    if having:
        places = " UNION ".join(
            f'SELECT DISTINCT problem_id, file_split FROM "{name}"'
            + (" WHERE asked" if name == "problems" else "")
            for name in having
        )
        yield Law(
            "splits",
            having,
            "each problem in one split",
            "SELECT 'problem ' || problem_id, 'in ' || string_agg(file_split, ', ' ORDER BY file_split)"
            f" FROM ({places}) GROUP BY problem_id HAVING count(*) > 1",
        )


def _told_alike(columns: Mapping[str, pa.Schema]) -> Iterator[Law]:
    """A view's texts are those of its samples and problems."""
    ids = {
        "completion": "sample_id",
        "chosen": "chosen_id",
        "rejected": "rejected_id",
        "prompt": "problem_id",
    }
    for config in [name for name in ("sft", "kto", "preference", "rewards") if name in columns]:
        schema = columns[config]
        texts = {name: _text(name, schema) for name in ids if name in schema.names}
        if "messages" in schema.names:
            texts = {"prompt": "messages[1].content", "completion": "messages[2].content"}
        for name, text in texts.items():
            table, own = ("problems", "prompt") if name == "prompt" else ("samples", "completion")
            where = " AND t.asked" if table == "problems" else ""
            yield Law(
                "lineage",
                (config, table),
                f"the {own} that stands in `{table}`",
                f"SELECT concat('{config} ', v.{ids[name]}, ': {name}'), 'another text'"
                f' FROM (SELECT {ids[name]}, hash({text}) AS told FROM "{config}") v'
                f' JOIN "{table}" t ON t.{"problem_id" if table == "problems" else "sample_id"}'
                f" = v.{ids[name]}{where} WHERE v.told <> hash(t.{own})",
            )


def _text(name: str, schema: pa.Schema) -> str:
    return name if pa.types.is_string(schema.field(name).type) else f"{name}[1].content"


def _recounted(
    connection: duckdb.DuckDBPyConnection, found: Manifest, whole: Collection[str]
) -> Iterator[Finding]:
    """Rows by reason and by status, against the counts of the manifest."""
    for stage, config, column in (
        ("problems", "problems", "regexp_extract(reason, '^[a-z_]+')"),
        ("selection", "samples", "reason"),
        ("verdicts", "samples", "coalesce(status, 'unverified')"),
    ):
        if config not in whole:
            continue
        expected = {reason: number for reason, number in found.counts.get(stage, {}).items() if number}
        try:
            rows = connection.execute(
                f'SELECT {column} AS told, count(*) FROM "{config}" GROUP BY told ORDER BY told'
            ).fetchall()
        except duckdb.Error as error:
            yield failed("recount", config, str(error).splitlines()[0], "rows with a reason")
            continue
        own = {str(reason): int(number) for reason, number in rows}
        faults = [
            failed("recount", f"{stage}.{reason}", f"{own.get(reason, 0):,} rows", expected.get(reason, 0))
            for reason in sorted({*own, *expected})
            if own.get(reason, 0) != expected.get(reason, 0)
        ]
        yield from concluded("recount", f"counts.{stage}", "as many rows as the manifest says", faults)


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> Iterator[dict[str, Any]]:
    for batch in connection.sql(query).to_arrow_reader(5_000):
        yield from batch.to_pylist()


def _ids(connection: duckdb.DuckDBPyConnection, config: str) -> Iterator[Finding]:
    """Rows whose id is not the hash of what it names."""
    columns, own = (
        ("problem_id AS id, prompt, answer, tests", problem_id)
        if config == "problems"
        else ("sample_id AS id, problem_id, generator_id, sample_index", sample_id)
    )
    try:
        for row in _rows(connection, f'SELECT {columns} FROM "{config}"'):
            told = row.pop("id")
            expected = own(*row.values())
            if told != expected:
                yield failed("ids", f"{config} {told}", told, expected)
    except (duckdb.Error, pa.ArrowException) as error:
        yield failed("ids", config, str(error).splitlines()[0], "rows with an id")


def _golds(connection: duckdb.DuckDBPyConnection) -> list[Finding]:
    """A warning that lists the problems whose prompt holds their answer; that need not be a fault."""
    asked = 0
    giving = []
    try:
        query = "SELECT problem_id, prompt, answer FROM problems WHERE asked AND answer IS NOT NULL"
        for row in _rows(connection, query):
            asked += 1
            if gives_away(row["prompt"], row["answer"]):
                giving.append(row["problem_id"])
    except (duckdb.Error, pa.ArrowException) as error:
        return [failed("golds", "problems", str(error).splitlines()[0], "rows with prompt and answer")]
    if not giving:
        return concluded("golds", f"{asked:,} problems", "no answer inside its prompt", [])
    more = f", and {len(giving) - LISTED:,} more" if len(giving) > LISTED else ""
    told = f"{len(giving):,} of {asked:,} problems: {', '.join(sorted(giving)[:LISTED])}{more}"
    return [Finding("golds", "warning", "problems", told, "no answer inside its prompt")]
