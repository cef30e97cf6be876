"""SQL of users: it answers over every table and release, and can do nothing but read."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from factory import sql
from factory.errors import UsageError
from factory.records import SAMPLES, VIEWS
from factory.release import build, manifest
from factory.store import Store


def sample(index: int, generator: str = "g") -> dict[str, object]:
    return {
        "sample_id": f"s{index}",
        "problem_id": "p",
        "generator_id": generator,
        "sample_index": index,
        "completion": "4",
        "run_id": "r",
    }


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store of three samples, with two releases of one and two of them."""
    opened = Store(tmp_path / "store")
    opened.append("samples", pa.Table.from_pylist([sample(0), sample(1), sample(2)], schema=SAMPLES))
    for version, rows in (("1.0.0", 1), ("1.1.0", 2)):
        folder = opened.releases / f"tiny@{version}"
        table = pa.Table.from_pylist(
            [
                {
                    "prompt": "2+2",
                    "completion": "4",
                    "sample_id": f"s{index}",
                    "problem_id": "p",
                    "source": "x",
                    "generator": "g",
                }
                for index in range(rows)
            ],
            schema=VIEWS["sft"],
        )
        written = build.write_view(
            folder, build.View("sft", VIEWS["sft"], {"train": lambda t=table: iter(t.to_batches())})
        )
        content = manifest.make(
            recipe={"name": "tiny", "version": version}, lock={}, counts={}, schemas=VIEWS, written=[written]
        )
        build.write_json(folder / "manifest.json", content)
    return opened


def rows(store: Store, text: str) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in sql.query(store, text).to_pylist()]


def test_facts_and_releases_can_be_joined(store: Store) -> None:
    asked = (
        "SELECT r.release, r.split, count(*) FROM release_sft r JOIN samples s USING (sample_id)"
        " GROUP BY ALL ORDER BY ALL"
    )
    assert rows(store, asked) == [("tiny@1.0.0", "train", 1), ("tiny@1.1.0", "train", 2)]
    assert rows(store, 'SELECT count(*) FROM "tiny@1.1.0/sft"') == [(2,)]


def test_a_release_filter_reads_that_release_only(store: Store) -> None:
    assert rows(store, "SELECT count(*) FROM release_sft WHERE release = 'tiny@1.0.0'") == [(1,)]


def test_tables_without_rows_are_there(store: Store) -> None:
    assert rows(store, "SELECT count(*) FROM verdicts") == [(0,)]
    assert rows(store, "SELECT count(*) FROM selection") == [(0,)]


def test_common_table_expressions_explain_and_generators_work(store: Store) -> None:
    assert rows(store, "WITH a AS (SELECT 1 AS x) SELECT x FROM a") == [(1,)]
    assert rows(store, "FROM range(2)") == [(0,), (1,)]
    assert "SCAN" in json.dumps(rows(store, "EXPLAIN SELECT * FROM samples")).upper()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("COPY samples TO '{tmp}/x.csv'", "only SELECT and EXPLAIN are allowed, this is COPY"),
        ("WITH x AS (COPY (SELECT 1) TO '{tmp}/x.csv') FROM x", "COPY writes"),
        ("DROP VIEW samples", "only SELECT and EXPLAIN are allowed"),
        ("CREATE TABLE t AS SELECT 1", "only SELECT and EXPLAIN are allowed"),
        ("INSERT INTO samples SELECT * FROM samples", "only SELECT and EXPLAIN are allowed"),
        ("ATTACH '{tmp}/x.db'", "only SELECT and EXPLAIN are allowed"),
        ("SET enable_external_access = true", "only SELECT and EXPLAIN are allowed"),
        ("PRAGMA database_list", "not allowed here|only SELECT"),
        ("INSTALL httpfs", "only SELECT and EXPLAIN are allowed"),
        ("SELECT 1; SELECT 2", "give one statement; these are 2"),
        ("", "give one statement; these are 0"),
        ("SELECT * FROM read_csv('/etc/passwd')", "the table function read_csv is not allowed"),
        ("SELECT * FROM read_text('/etc/passwd')", "the table function read_text is not allowed"),
        ("SELECT * FROM glob('/*')", "the table function glob is not allowed"),
        ("SELECT * FROM duckdb_settings()", "the table function duckdb_settings is not allowed"),
        ("SELECT * FROM '/etc/passwd'", "does not exist|Catalog|disabled"),
        ("SELECT getenv('HOME')", "getenv"),
        ("EXPLAIN ANALYZE SELECT 1", "EXPLAIN ANALYZE runs the statement"),
        ("SELECT nothing FROM samples", "nothing"),
        ("SELEC 1", "syntax error"),
    ],
)
def test_everything_else_is_refused_with_its_reason(
    store: Store, tmp_path: Path, text: str, reason: str
) -> None:
    with pytest.raises(UsageError, match=reason):
        sql.query(store, text.replace("{tmp}", str(tmp_path)))
    assert {path.name for path in tmp_path.iterdir()} == {"store"}


def test_a_runaway_is_stopped(store: Store) -> None:
    with pytest.raises(UsageError, match=r"(?i)interrupt|time|cancel"):
        sql.query(store, "SELECT count(*) FROM range(100000) a, range(100000) b, range(1000) c", seconds=0.5)


def test_python_variables_are_not_tables(store: Store) -> None:
    secret = pa.table({"a": [1]})
    with pytest.raises(UsageError, match="secret"):
        sql.query(store, "SELECT * FROM secret")
    assert secret.num_rows == 1
