"""SQL of users: it answers over facts and releases, in every form of output, whatever the types are."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from factory.errors import CheckFailed, UsageError
from factory.query import sql
from factory.store import Store
from tests.support import releases
from tests.support.running import done, factory

pytestmark = pytest.mark.usefixtures("kept_servers")

EVERY_TYPE = """
SELECT 1 AS a, 2 AS a, 1.5 AS exact, 12345678901234567890.12345 AS long, sum(1)::HUGEINT AS whole,
  'nan'::DOUBLE AS nan, '-inf'::DOUBLE AS low, '\\xAB'::BLOB AS blob,
  TIMESTAMP '2020-01-01' AS moment,
  'infinity'::TIMESTAMP AS never, DATE '99999-01-01' AS far, INTERVAL 1 month AS month, [1, 2] AS list,
  {'x': 'nan'::DOUBLE, 'y': [DATE '2020-01-01']} AS nested, MAP {'k': 1} AS map,
  union_value(u := 1) AS either,
  '101'::BIT AS bits, 'a'::ENUM('a', 'b') AS one_of, true AS yes, NULL AS nothing, '' AS empty,
  340282366920938463463374607431768211455::UHUGEINT AS huge, uuid() IS NULL AS known,
  TIME '10:00' AS clock, [1, 2]::INT[2] AS pair, 5::VARIANT AS any
FROM range(3)
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    root = tmp_path_factory.mktemp("sql")
    made = releases.make_store(root, problems=3, samples=2)
    releases.release(root, made, samples=2)
    return made


def rows(store: Store, text: str) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in sql.query(store, text).to_pylist()]


def test_facts_and_releases_can_be_joined_and_filtered(store: Store) -> None:
    asked = (
        "WITH r AS (SELECT * FROM release_samples WHERE release = 'sums@1.0.0')"
        ' SELECT count(*), count(DISTINCT s.sample_id), (SELECT count(*) FROM "sums@1.0.0/samples"),'
        " (SELECT count(*) FROM labels) FROM r JOIN samples s USING (sample_id)"
    )
    assert rows(store, asked) == [(12, 12, 12, 0)]
    assert rows(store, "SELECT count(*) FROM release_samples WHERE release = 'other@1.0.0'") == [(0,)]


def test_the_tables_are_listed_with_their_columns_and_described(store: Store) -> None:
    listed = rows(store, 'SELECT "table", "column" FROM tables')
    assert {("samples", "completion"), ("sums@1.0.0/sft", "prompt"), ("coverage", None)} <= set(listed)
    assert ("k", "BIGINT") in [row[:2] for row in rows(store, "DESCRIBE coverage")]


def test_explain_shows_the_plan_and_takes_comments(store: Store) -> None:
    ((_, plan),) = rows(store, "/* a */ EXPLAIN -- b\n SELECT * FROM samples")
    assert "SCAN" in str(plan).upper()


def test_order_is_kept_when_types_are_changed_for_showing(store: Store) -> None:
    asked = "SELECT range AS n, [range] AS l FROM range(30000) ORDER BY range DESC"
    with sql.ask(store, asked, plain=True) as answer:
        found = [n for batch in answer.batches for n in batch.column(0).to_pylist()]
        assert (answer.kinds, answer.cut) == (["native", "json"], None)
    assert found == list(range(30000))[::-1]


def test_the_limit_of_rows_and_bytes_is_said(store: Store) -> None:
    with pytest.raises(CheckFailed, match="only the first 5 rows are given; there are more"):
        sql.query(store, "FROM range(6)", sql.Limits(rows=5))
    assert sql.query(store, "FROM range(5)", sql.Limits(rows=5)).num_rows == 5
    with pytest.raises(CheckFailed, match="only the first 1,000 bytes are given; there are more"):
        sql.query(store, "FROM range(100000)", sql.Limits(bytes=1000))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("FROM smaples", "there is no table 'smaples'; did you mean samples"),
        ("SELECT nothing FROM samples", "nothing"),
        ("SELECT CAST(completion AS INT) FROM samples", "Could not convert"),
        ('FROM "sums@9.9.9/sft"', 'did you mean "sums@1.0.0/sft"'),
    ],
)
def test_a_mistake_is_named(store: Store, text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        sql.query(store, text)


def test_python_variables_are_not_tables(store: Store) -> None:
    secret = pa.table({"a": [1]})
    with pytest.raises(UsageError, match="there is no table 'secret'"):
        sql.query(store, "SELECT * FROM secret")
    assert secret.num_rows == 1


def test_no_file_stays_open_and_no_process_is_left(store: Store) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for text in ("FROM release_samples", "FROM nowhere"):
        try:
            with sql.ask(store, text) as answer:
                next(answer.batches)
        except UsageError:
            pass
    assert len(os.listdir("/proc/self/fd")) == before


def test_every_type_comes_out_in_every_form(store: Store) -> None:
    place = store.root.parent
    (row,) = done(factory("sql", EVERY_TYPE, "--json", cwd=place))
    assert (row["a"], row["a_1"], row["exact"], row["whole"], row["yes"]) == (1, 2, 1.5, 3, True)
    assert (row["nan"], row["low"], row["long"]) == ("NaN", "-Infinity", "12345678901234567890.12345")
    assert (row["nothing"], row["empty"], row["far"], row["never"]) == (None, "", "99999-01-01", "infinity")
    assert row["nested"] == {"x": "NaN", "y": ["2020-01-01"]}
    assert row["huge"] == 2**128 - 1

    told = factory("sql", EVERY_TYPE, "--csv", cwd=place)
    ((head, values),) = [list(csv.reader(io.StringIO(told.stdout)))]
    assert dict(zip(head, values, strict=True))["list"] == "[1,2]"
    assert ',,"",' in told.stdout, "null is nothing and an empty text is quoted"

    assert factory("sql", EVERY_TYPE, cwd=place).returncode == 0
    told = factory("sql", EVERY_TYPE, "--out", "every.parquet", cwd=place)
    assert told.stdout == "1 rows written to every.parquet\n", told.stderr
    (row,) = pq.read_table(place / "every.parquet").select(["a", "a_1", "month", "pair"]).to_pylist()
    assert row == {"a": 1, "a_1": 2, "month": "1 month", "pair": [1, 2]}


def test_hostile_text_is_quoted_and_escaped(store: Store) -> None:
    place = store.root.parent
    asked = """SELECT chr(27) || '[31m,"' || chr(10) || '=1+1' AS "[/red]" """
    shown = factory("sql", asked, cwd=place)
    assert "\x1b" not in shown.stdout
    assert "\\x1b[31m" in shown.stdout
    told = factory("sql", asked, "--csv", cwd=place).stdout
    assert list(csv.reader(io.StringIO(told))) == [["[/red]"], ['\x1b[31m,"\n=1+1']]
    wrong = factory("sql", "SELECT CAST(chr(27) || '[31m' AS INT)", cwd=place)
    assert (wrong.returncode, "\x1b" in wrong.stderr) == (2, False)


def test_files_are_written_by_suffix_and_only_so_many_rows(store: Store, tmp_path: Path) -> None:
    asked = ("sql", "FROM range(10)", "--limit", "3", "--store", store.root, "--out")
    told = factory(*asked, "some.json", cwd=tmp_path)
    assert json.loads((tmp_path / "some.json").read_text()) == [{"range": n} for n in range(3)]
    assert "only the first 3 rows are given; there are more" in told.stderr
    both = factory(*asked, "x.csv", "--json", cwd=tmp_path)
    assert (both.returncode, "give one of --json, --csv and --out" in both.stderr) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["some.json"]
