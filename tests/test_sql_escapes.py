"""SQL that tries to write, to read what is not a table, to learn of the machine, or to bring it down.

Every attempt is put to the walk of the statement, and one of each kind to the command and the process of the
query; each asserts the reason it is refused for, and that no byte of the store or the working folder changed.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from factory import cli
from factory.errors import UsageError
from factory.query import sql_child, sql_guard
from tests.support import releases
from tests.support.running import factory

pytestmark = pytest.mark.usefixtures("kept_servers")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder that holds a store with one release, and a Parquet file beside it."""
    folder = tmp_path_factory.mktemp("escapes")
    store = releases.make_store(folder, problems=3, samples=2)
    releases.release(folder, store, samples=2)
    (folder / "beside.parquet").write_bytes(next(store.releases.rglob("*.parquet")).read_bytes())
    (folder / "secret.csv").write_text("word\nxyzzy-secret\n")
    return folder


def state(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in sorted(folder.rglob("*"))
    }


def attempt(
    root: Path, text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *more: str
) -> tuple[object, str, str]:
    """(exit code, standard output, standard error) of `factory sql TEXT`; nothing on the disk may change."""
    before = state(root)
    monkeypatch.chdir(root)
    monkeypatch.setattr(sys, "argv", ["factory", "sql", *more, "--", text])
    monkeypatch.setattr(cli.signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    told = capsys.readouterr()
    assert state(root) == before
    assert "xyzzy" not in told.out + told.err.replace(text, "")
    return ended.value.code, told.out, told.err


ONLY = "only SELECT and EXPLAIN are allowed, this is "
NO_TABLE = "there is no table "
FUNCTION = "is not allowed here"

REFUSED = [
    ("COPY samples TO 'x.csv'", ONLY + "COPY"),
    ("COPY (SELECT 1) TO 'x.parquet' (FORMAT parquet)", ONLY + "COPY"),
    ("COPY samples FROM 'secret.csv'", ONLY + "COPY"),
    ("WITH x AS (COPY (SELECT 1) TO 'x.csv') FROM x", "COPY writes"),
    ("SELECT * FROM samples WHERE 1 IN (WITH x AS (COPY (SELECT 1) TO 'x.csv') FROM x)", "COPY writes"),
    ("SELECT * FROM (COPY (SELECT 1) TO 'x.csv')", "syntax error"),
    ("WITH x AS (INSERT INTO samples SELECT * FROM samples RETURNING *) FROM x", "INSERT writes"),
    ("WITH x AS (DELETE FROM samples RETURNING *) FROM x", "DELETE writes"),
    ("WITH x AS (UPDATE samples SET seed = 1 RETURNING *) FROM x", "UPDATE writes"),
    ("ATTACH 'x.db'", ONLY + "ATTACH"),
    ("DETACH memory", ONLY + "DETACH"),
    ("EXPORT DATABASE 'dump'", ONLY + "EXPORT"),
    ("IMPORT DATABASE 'dump'", "sql: "),
    ("SELECT * FROM read_text('secret.csv')", "the table function read_text " + FUNCTION),
    ("SELECT * FROM READ_CSV('secret.csv')", "the table function read_csv " + FUNCTION),
    ("SELECT * FROM \"Read_Blob\"('secret.csv')", "Read_Blob " + FUNCTION),
    ("SELECT * FROM read_parquet('/etc/passwd')", "the table function read_parquet " + FUNCTION),
    ("SELECT * FROM main.read_json('secret.csv')", "the table function read_json " + FUNCTION),
    ("SELECT * FROM glob('/*')", "the table function glob " + FUNCTION),
    ("SELECT * FROM sniff_csv('secret.csv')", "the table function sniff_csv " + FUNCTION),
    ("SELECT * FROM parquet_metadata('beside.parquet')", "parquet_metadata " + FUNCTION),
    ("SELECT * FROM query('SELECT 1')", "the table function query " + FUNCTION),
    ("SELECT * FROM query_table('samples')", "the table function query_table " + FUNCTION),
    ("SELECT * FROM duckdb_settings()", "the table function duckdb_settings " + FUNCTION),
    ("SELECT * FROM duckdb_secrets()", "the table function duckdb_secrets " + FUNCTION),
    ("SELECT * FROM duckdb_settings", NO_TABLE + "'duckdb_settings'"),
    ("SELECT * FROM information_schema.tables", NO_TABLE + "'information_schema.tables'"),
    ("SELECT * FROM sqlite_master", NO_TABLE + "'sqlite_master'"),
    ("SHOW TABLES", "SHOW lists nothing here"),
    ("INSTALL httpfs", ONLY + "LOAD"),
    ("LOAD 'x.duckdb_extension'", ONLY + "LOAD"),
    ("PRAGMA database_list", ONLY + "PRAGMA"),
    ("SET enable_external_access = true", ONLY + "SET"),
    ("SET VARIABLE a = 1", ONLY + "SET"),
    ("RESET enable_external_access", ONLY),
    ("USE memory", ONLY),
    ("CALL pragma_version()", ONLY + "CALL"),
    ("CHECKPOINT", ONLY),
    ("VACUUM", ONLY + "VACUUM"),
    ("BEGIN TRANSACTION", ONLY + "TRANSACTION"),
    ("FROM 'https://example.com/x.parquet'", NO_TABLE + "'https://example.com/x.parquet'"),
    ("FROM 's3://bucket/x.parquet'", NO_TABLE + "'s3://bucket/x.parquet'"),
    ("FROM 'hf://datasets/a/b/x.parquet'", NO_TABLE + "'hf://datasets/a/b/x.parquet'"),
    ("FROM '/etc/passwd'", NO_TABLE + "'/etc/passwd'"),
    ("FROM 'beside.parquet'", NO_TABLE + "'beside.parquet'"),
    ('FROM "secret.csv"', NO_TABLE + "'secret.csv'"),
    ("SELECT (SELECT max(word) FROM 'secret.csv') FROM samples", NO_TABLE + "'secret.csv'"),
    ("DESCRIBE 'secret.csv'", NO_TABLE + "'secret.csv'"),
    ("SUMMARIZE 'secret.csv'", NO_TABLE + "'secret.csv'"),
    # A name defined in an inner query passes the walk of the tree; the engine refuses the outer one.
    ("SELECT (WITH \"secret.csv\" AS (SELECT 1) SELECT 1), * FROM 'secret.csv'", "disabled"),
    ("SELECT (WITH pg_settings AS (SELECT 1) SELECT 1), * FROM pg_settings", NO_TABLE + "'pg_settings'"),
    ("SELECT (WITH x AS (WITH SQLite_Master AS (SELECT 1) FROM x) SELECT 1), * FROM sqlite_master", NO_TABLE),
    ("SELECT json_serialize_plan('SELECT getenv(''HOME'')')", "the function json_serialize_plan " + FUNCTION),
    ("SELECT setval('s', 1)", "the function setval " + FUNCTION),
    ("/**/" * 40 + "; EXPLAIN SELECT 1", "write EXPLAIN as the first word"),
    ("EXPLAIN ANALYZE SELECT 1", "EXPLAIN ANALYZE runs the statement"),
    ("EXPLAIN ANALYZE COPY (SELECT 1) TO 'x.csv'", "EXPLAIN takes a SELECT"),
    ("EXPLAIN (ANALYZE) SELECT 1", "EXPLAIN takes a SELECT"),
    ("EXPLAIN COPY (SELECT 1) TO 'x.csv'", "EXPLAIN takes a SELECT"),
    ("/* a */ -- b\n EXPLAIN /* c */ ANALYZE SELECT 1", "EXPLAIN takes a SELECT"),
    ("EXPLAIN SELECT * FROM read_text('secret.csv')", "the table function read_text " + FUNCTION),
    ("SELECT 1; COPY (SELECT 1) TO 'x.csv'", "give one statement; these are 2"),
    ("", "give one statement; these are 0"),
    ("-- nothing", "give one statement; these are 0"),
    ("PREPARE p AS SELECT 1", ONLY + "PREPARE"),
    ("EXECUTE p", ONLY + "EXECUTE"),
    ("SELECT $1", "sql: "),
    ("CREATE TABLE t AS SELECT 1", ONLY + "CREATE"),
    ("CREATE OR REPLACE TEMP VIEW samples AS SELECT 1", ONLY + "CREATE"),
    ("CREATE SECRET s (TYPE s3)", ONLY + "CREATE"),
    ("CREATE MACRO m() AS TABLE FROM read_text('secret.csv')", ONLY + "CREATE"),
    ("DROP VIEW samples", ONLY + "DROP"),
    ("ALTER TABLE samples RENAME TO x", ONLY + "ALTER"),
    ("INSERT INTO samples SELECT * FROM samples", ONLY + "INSERT"),
    ("UPDATE samples SET seed = 1", ONLY + "UPDATE"),
    ("DELETE FROM samples", ONLY + "DELETE"),
    ("MERGE INTO samples USING labels ON true WHEN MATCHED THEN DELETE", ONLY + "MERGE"),
    ("SELECT 1 INTO x", "syntax error"),
    ("PIVOT samples ON generator_id USING count(*)", "a PIVOT needs its values"),
    ("SELECT getenv('HOME')", "the function getenv " + FUNCTION),
    ("SELECT current_setting('secret_directory')", "the function current_setting " + FUNCTION),
    ("SELECT nextval('s')", "the function nextval " + FUNCTION),
    ("SELECT * FROM state", NO_TABLE + "'state'"),
    ("SELECT * FROM other.main.samples", NO_TABLE + "'other.main.samples'"),
    ("SELEC 1", "syntax error"),
    ("ＳＥＬＥＣＴ 1", "syntax error"),
    ("SELECT " + "(" * 5000 + "1" + ")" * 5000, "depth"),
    ("SELECT '" + "x" * 100_001 + "'", "characters; 100,000 are allowed"),
    ("SELECT '\udcff'", "is not UTF-8"),
    ("SELECT '\0'; COPY (SELECT 1) TO 'x.csv'", "NUL character"),
]
BY_THE_PROCESS = [
    "WITH x AS (COPY (SELECT 1) TO 'x.csv') FROM x",
    "SELECT * FROM read_text('secret.csv')",
    "COPY samples TO 'x.csv'",
    "FROM 'beside.parquet'",
    "FROM '/etc/passwd'",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO 'x.csv'",
    "SET enable_external_access = true",
    "SELECT (WITH \"secret.csv\" AS (SELECT 1) SELECT 1), * FROM 'secret.csv'",
    "SELECT getenv('HOME')",
    "SELECT 1; COPY (SELECT 1) TO 'x.csv'",
    "ATTACH 'x.db'",
    "INSTALL httpfs",
    "DESCRIBE 'secret.csv'",
    "PRAGMA database_list",
    "FROM 'hf://datasets/a/b/x.parquet'",
    "SELECT * FROM glob('/*')",
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM duckdb_settings",
    "CREATE OR REPLACE TEMP VIEW samples AS SELECT 1",
    "/* a */ -- b\n EXPLAIN /* c */ ANALYZE SELECT 1",
    "SELECT " + "(" * 5000 + "1" + ")" * 5000,
]
"""Those that go through the whole command as well, one of each kind."""


@pytest.mark.parametrize(("text", "reason"), REFUSED, ids=lambda value: value[:60].encode("ascii", "replace"))
def test_the_walk_of_the_statement_refuses_it(text: str, reason: str) -> None:
    names = ["samples", "labels", "generators"]
    with duckdb.connect() as connection:
        connection.execute("SET enable_external_access = false")
        for name in names:
            connection.execute(f"CREATE TABLE {name} (generator_id TEXT, seed INTEGER)")
        try:
            checked = sql_guard.check(connection, text)
            sql_guard.wanted(connection, checked, names)
            connection.sql(checked.text).fetchall()
        except KeyError as error:
            told = f"there is no table {error.args[0]!r}"
        except (UsageError, duckdb.Error) as error:
            told = f"sql: {error}"
        else:
            told = "it ran"
    assert reason.lower() in told.lower()


@pytest.mark.parametrize("text", BY_THE_PROCESS, ids=lambda value: value[:60])
def test_the_command_refuses_it_and_nothing_changes(
    root: Path, text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reason = dict(REFUSED)[text]
    code, out, err = attempt(root, text, monkeypatch, capsys)
    assert (code, out) == (2, "")
    assert reason.lower() in err.lower()


@pytest.mark.parametrize(
    ("text", "options", "code", "reason"),
    [
        (
            "WITH RECURSIVE t AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM t) SELECT count(*) FROM t",
            ["--seconds", "0.5"],
            1,
            "stopped after 0.5 seconds, its time limit",
        ),
        (
            "SELECT count(*) FROM range(1000000) a, range(1000000) b, range(1000000) c",
            ["--seconds", "0.5"],
            1,
            "stopped after 0.5 seconds, its time limit",
        ),
        ("SELECT list(range) FROM range(1000000000)", ["--memory", "64"], 1, "64 MiB of memory, its limit"),
        ("SELECT repeat('x', 2000000000) || repeat('y', 2000000000)", ["--memory", "64"], 1, "memory"),
    ],
    ids=["recursion", "product", "list", "text"],
)
def test_what_would_bring_the_machine_down_is_stopped(
    root: Path,
    text: str,
    options: list[str],
    code: int,
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ended, out, err = attempt(root, text, monkeypatch, capsys, *options)
    assert (ended, out) == (code, ""), err
    assert reason in err


def test_a_billion_rows_end_at_the_row_limit(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "SELECT range FROM range(1000000000)"
    code, out, err = attempt(root, text, monkeypatch, capsys, "--csv", "--limit", "20000")
    assert code == 0
    assert out.splitlines()[-1] == "19999"
    assert "only the first 20,000 rows are given; there are more" in err


def test_a_result_is_not_written_into_the_store(root: Path) -> None:
    before = state(root)
    for place in ("store/x.csv", "store/../store/samples/x.parquet", "x.txt", "nowhere/x.csv"):
        told = factory("sql", "SELECT 1", "--out", place, cwd=root)
        assert told.returncode == 2, told.stdout
        assert f"--out {place}" in told.stderr
    assert state(root) == before


CLOSED = """
import os, socket, sys
from factory.query import sql_child
import duckdb
if os.fork():
    os.wait()
    os._exit(0)
sql_child.close_in(256, keep=(1, 2))
def told(action):
    try:
        action()
    except BaseException as error:
        return type(error).__name__
    return "done"
def engine(text):
    connection.execute(text).fetchall()
connection = duckdb.connect()
folder = sys.argv[1]
print(os.geteuid())
print(told(lambda: open(folder + "/secret.csv")))
print(told(lambda: open(folder + "/new.csv", "w")))
print(told(lambda: os.unlink(folder + "/secret.csv")))
print(told(lambda: socket.socket()))
print(told(lambda: os.execv("/bin/true", ["true"])))
print(told(lambda: engine(f"COPY (SELECT 1) TO '{folder}/new.csv'")))
print(told(lambda: engine(f"SELECT * FROM read_csv('{folder}/secret.csv')")))
print(told(lambda: engine(f"ATTACH '{folder}/new.db'")), flush=True)
os._exit(0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="landlock and seccomp are of Linux")
def test_the_process_alone_holds_an_engine_that_nothing_else_confines(root: Path) -> None:
    before = state(root)
    # Access to files is open in this engine: what stops it is the process.
    told = subprocess.run(
        [sys.executable, "-c", CLOSED, str(root)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=Path(__file__).parents[1],
    )
    lines = told.stdout.split()
    assert lines[0] != "0", told.stderr
    assert lines[1:6] == ["PermissionError"] * 5, told.stdout + told.stderr
    assert all(line in ("IOException", "PermissionException") for line in lines[6:]), told.stdout
    assert len(lines) == 9, told.stderr
    assert state(root) == before


def test_a_process_with_threads_is_not_taken_for_a_closed_one() -> None:
    program = (
        "import threading, time; from factory.query import sql_child\n"
        "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
        "sql_child.close_in(256, keep=(1, 2))"
    )
    told = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=Path(__file__).parents[1],
    )
    assert "the process has threads before it is closed in" in told.stderr
    assert sql_child.NOBODY == 65534
