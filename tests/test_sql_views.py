"""The tables and ready views of SQL: what releases say of themselves, whole, and null where unknown."""

from __future__ import annotations

import json
import logging
import os
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

import factory
from factory import configs
from factory.errors import CheckFailed, UsageError
from factory.metrics.estimators import pass_at_k
from factory.metrics.intervals import wilson
from factory.query import sql, sql_tables
from factory.records import LABELS, LEDGER
from factory.store import Store
from tests.support import forging, releases

pytestmark = pytest.mark.usefixtures("kept_servers")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Releases sums@1.0.0 (text), 2.0.0 (of messages, in two splits) and 3.0.0 (without `samples`)."""
    root = tmp_path_factory.mktemp("views")
    made = releases.make_store(root)
    releases.release(root, made)
    releases.release(root, made, "2.0.0", samples=8, more="  form: messages\n  splits: {test: 0.3}\n")
    releases.release(root, made, "3.0.0", configs="sft")
    return made


@pytest.fixture(scope="module")
def connection(store: Store) -> duckdb.DuckDBPyConnection:
    return sql.connect(store)


def rows(connection: duckdb.DuckDBPyConnection, text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = connection.sql(text).to_arrow_table().to_pylist()
    return found


def metrics(store: Store, release: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((store.releases / release / "metrics.json").read_text())
    return found


@pytest.mark.parametrize("release", ["sums@1.0.0", "sums@2.0.0"])
def test_coverage_is_that_of_the_metrics_pooled_and_by_generator(
    store: Store, connection: duckdb.DuckDBPyConnection, release: str
) -> None:
    told = metrics(store, release)
    compared = 0
    for row in rows(connection, f"FROM coverage WHERE release = '{release}'"):
        part = told if row["generator"] is None else told["by"].get("generator", {}).get(row["generator"])
        known = part and part.get(f"coverage@{row['k']}")
        if known:
            assert row["coverage"] == pytest.approx(known["value"], abs=1e-9)
            assert row["n_problems"] == known["n_problems"]
            compared += 1
    assert compared >= 3


def test_coverage_by_generator_is_the_estimate_over_the_problems_with_enough_samples(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    counted = rows(connection, "FROM solve_rate WHERE release = 'sums@2.0.0'")
    for row in rows(connection, "FROM coverage WHERE release = 'sums@2.0.0' AND generator IS NOT NULL"):
        enough = [
            pass_at_k(one["samples"], one["correct"], row["k"])
            for one in counted
            if one["generator"] == row["generator"] and one["samples"] >= row["k"]
        ]
        assert row["n_problems"] == len(enough)
        assert row["coverage"] == pytest.approx(sum(enough) / len(enough), abs=1e-12)


ASKED = (
    "CREATE VIEW release_problems AS SELECT 'r' AS release, 'p' AS problem_id, 's' AS source,"
    " NULL AS difficulty, true AS asked,"
    " []::STRUCT(generator VARCHAR, samples INT, correct INT, why VARCHAR)[] AS stopped"
)


@pytest.mark.parametrize(
    ("n", "c"), [(1, 0), (1, 1), (2, 1), (64, 1), (64, 63), (1000, 3), (1000, 500), (5000, 4999), (4096, 2)]
)
def test_coverage_is_exact_for_any_counts(n: int, c: int) -> None:
    made = pa.table({"status": ["pass"] * c + ["fail"] * (n - c)})
    with duckdb.connect() as connection:
        connection.register("made", made)
        connection.execute(
            "CREATE VIEW release_samples AS SELECT 'r' AS release, 'g' AS generator, 'p' AS problem_id,"
            " 'i' AS generator_id, 0 AS sample_index,"
            " status, status = 'pass' AS correct FROM made"
        )
        connection.execute(ASKED)
        told = rows(connection, sql.sql_views.VIEWS["coverage"].sql)
    assert {row["k"] for row in told} == {2**power for power in range(n.bit_length())}
    for row in told:
        assert row["coverage"] == pytest.approx(pass_at_k(n, c, row["k"]), abs=1e-9)


def test_stops_tell_where_sampling_of_every_asked_problem_ended(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    told = rows(connection, "FROM stops WHERE release = 'sums@1.0.0'")
    assert {(row["generator"], row["samples"], row["why"]) for row in told} == {
        ("strong", 4, "planned"),
        ("weak", 4, "planned"),
    }
    assert len(told) == 24
    correct = "SELECT count(*) AS n FROM release_samples WHERE release = 'sums@1.0.0' AND correct"
    assert sum(row["correct"] for row in told) == rows(connection, correct)[0]["n"]
    assert rows(connection, "FROM stops WHERE release = 'sums@3.0.0'") == [], "it shows no problems"


def test_stops_say_which_release_shows_no_problems(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    sql.query(store, "FROM stops")
    assert "stops: without sums@3.0.0, which has no config `problems`" in caplog.text


def test_errors_and_samples_without_a_verdict_are_evidence_of_nothing() -> None:
    made = pa.table({"status": ["pass", "error", None, "no_answer", "error"]})
    with duckdb.connect() as connection:
        connection.register("made", made)
        connection.execute(
            "CREATE VIEW release_samples AS SELECT 'r' AS release, 'g' AS generator, 'p' AS problem_id,"
            " 'i' AS generator_id, 0 AS sample_index,"
            " status, coalesce(status = 'pass', false) AS correct FROM made"
        )
        connection.execute(ASKED)
        (row,) = rows(connection, sql.sql_views.VIEWS["solve_rate"].sql)
        told = rows(connection, sql.sql_views.VIEWS["coverage"].sql)
    assert (row["samples"], row["correct"], row["errors"], row["unverified"]) == (2, 1, 2, 1)
    assert row["solve_rate"] == 0.5
    assert max(one["k"] for one in told) == 2


def test_cost_is_null_unless_every_sample_knows_it() -> None:
    made = pa.table(
        {
            "generator": ["a", "a", "b", "b"],
            "kept": [True, False, False, False],
            "flops": [2.0, 4.0, 1.0, None],
        }
    )
    with duckdb.connect() as connection:
        connection.register("made", made)
        connection.execute(
            "CREATE VIEW release_samples AS SELECT 'r' AS release, 'i' AS generator_id, *,"
            " 5 AS prompt_tokens, 2 AS completion_tokens, NULL::DOUBLE AS usd,"
            " 1.0::DOUBLE AS seconds, 0.5::DOUBLE AS engine_seconds FROM made"
        )
        told = {
            row["generator"]: row for row in rows(connection, sql.sql_views.VIEWS["cost_per_kept_row"].sql)
        }
    assert (told["a"]["flops"], told["a"]["flops_per_kept_row"], told["a"]["tokens"]) == (6.0, 6.0, 14)
    assert (told["b"]["flops"], told["b"]["tokens_per_kept_row"], told["b"]["usd"]) == (None, None, None)
    assert (told[None]["flops"], told[None]["samples"], told[None]["seconds_per_kept_row"]) == (None, 4, 4.0)
    assert told["a"]["engine_seconds_per_kept_row"] == 1.0


def charge(place: int, kind: str, recipe: str | None, **more: Any) -> dict[str, Any]:
    row: dict[str, Any] = {"charge_id": f"{place:032x}", "kind": kind, "generator_id": "g", "sample_id": "s"}
    row |= {"run_id": "r", "samples": 1, "presumed": False, "recipe": recipe}
    return row | more


def test_spending_tells_recipes_kinds_and_what_is_presumed_apart(store: Store, tmp_path: Path) -> None:
    copy = Store(Path(shutil.copytree(store.root, tmp_path / "store")))
    seen = {"prompt_tokens": 10, "completion_tokens": 5, "flops": 4.0, "usd": 0.5, "engine_seconds": 0.25}
    bound = {"prompt_tokens": 10, "completion_tokens": 64, "flops": 40.0, "usd": 2.0}
    made = [
        charge(1, "judge", "sums", **seen),
        charge(2, "judge", "sums", **seen),
        charge(3, "presumed", "sums", **bound | {"presumed": True}),
        charge(4, "lost", "sums", **seen),
        charge(5, "failed", "other", samples=4, presumed=None),
    ]
    copy.append("ledger", pa.Table.from_pylist(made, schema=LEDGER))
    told = {(row["recipe"], row["kind"]): row for row in sql.query(copy, "FROM spending").to_pylist()}
    judged = told["sums", "judge"]
    assert [judged[name] for name in ("calls", "samples", "tokens", "flops", "usd", "seconds")] == [
        *(2, 2, 30),
        *(8.0, 1.0, 0.5),
    ]
    assert (told["sums", "presumed"]["presumed"], told["sums", "presumed"]["seconds"]) == (True, None)
    assert told["sums", "lost"]["presumed"] is False
    failed = told["other", "failed"]
    assert (failed["samples"], failed["tokens"], failed["usd"], failed["presumed"]) == (4, None, None, False)


def test_spending_on_samples_is_by_generator_and_of_draws_alone(
    store: Store, connection: duckdb.DuckDBPyConnection
) -> None:
    told = rows(connection, "FROM spending ORDER BY generator")
    assert [(row["generator"], row["kind"], row["recipe"]) for row in told] == [
        ("strong", "sample", None),
        ("weak", "sample", None),
    ], "reference answers are no draws"
    assert [row["samples"] for row in told] == [96, 96]
    assert [row["tokens"] for row in told] == [None, None], "the import counted none"


def test_a_view_of_the_facts_is_said_to_lack_no_release(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    sql.query(store, "FROM spending")
    assert "without" not in caplog.text


def test_false_positives_take_the_last_word_of_each_annotator_and_a_tie_as_unsure(
    store: Store, tmp_path: Path
) -> None:
    copy = Store(Path(shutil.copytree(store.root, tmp_path / "store")))
    kept = rows(
        sql.connect(copy), 'SELECT sample_id, generator FROM "sums@1.0.0/samples" WHERE kept ORDER BY 1'
    )
    ids = [row["sample_id"] for row in kept if row["generator"] == "strong"]
    said = [
        (ids[0], "ann", "wrong", "1"),
        (ids[0], "ann", "right", "2"),
        (ids[1], "ann", "wrong", "1"),
        (ids[1], "bob", "wrong", "1"),
        (ids[2], "ann", "wrong", "1"),
        (ids[2], "bob", "right", "1"),
        (ids[3], "ann", "unsure", "1"),
    ]
    made = [dict(zip(("sample_id", "annotator", "label", "at"), one, strict=True)) for one in said]
    copy.append("labels", pa.Table.from_pylist(made, schema=LABELS))
    asked = "FROM false_positives WHERE release = 'sums@1.0.0' ORDER BY generator NULLS LAST"
    strong, weak, pooled = sql.query(copy, asked).to_pylist()
    assert [strong[name] for name in ("labelled", "judged", "wrong", "unsure", "rate")] == [4, 2, 1, 2, 0.5]
    assert (strong["low"], strong["high"]) == pytest.approx(tuple(wilson(1, 2)), abs=1e-12)
    assert (weak["labelled"], weak["rate"], weak["low"]) == (0, None, None)
    assert (pooled["generator"], pooled["labelled"], pooled["kept"]) == (None, 4, len(kept))


def test_why_has_words_for_every_reason(connection: duckdb.DuckDBPyConnection) -> None:
    told = rows(connection, "SELECT * FROM why WHERE release = 'sums@1.0.0'")
    assert {row["reason"] for row in told} >= {"kept", "wrong", "no_answer", "exact_duplicate"}
    for row in told:
        assert row["words"]
        assert row["words"] != row["reason"]
        assert (row["duplicate_of"] or "") in row["words"]


@pytest.mark.parametrize("config", configs.CONFIGS)
def test_every_config_of_every_release_is_there_as_the_manifests_count_it(
    store: Store, connection: duckdb.DuckDBPyConnection, config: str
) -> None:
    for name in ("sums@1.0.0", "sums@2.0.0", "sums@3.0.0"):
        shown = json.loads((store.releases / name / "manifest.json").read_text())["configs"].get(config)
        if shown is None:
            with pytest.raises(duckdb.Error, match="does not exist"):
                rows(connection, f'FROM "{name}/{config}"')
            continue
        form = "_messages" if name == "sums@2.0.0" and config in configs.MARKED else ""
        asked = (
            f"SELECT split, count(*) AS n FROM release_{config}{form} WHERE release = '{name}' GROUP BY ALL"
        )
        assert {row["split"]: row["n"] for row in rows(connection, asked)} == shown["splits"]
        (alone,) = rows(connection, f'SELECT count(*) AS n FROM "{name}/{config}"')
        assert alone["n"] == shown["rows"]


def test_what_an_answer_does_not_hold_is_said(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    assert sql.query(store, "SELECT count(*) AS n FROM release_sft").to_pylist() == [{"n": 40}]
    assert "release_sft: without sums@2.0.0, whose form is messages; see release_sft_messages" in caplog.text
    caplog.clear()
    sql.query(store, "FROM coverage")
    assert "coverage: without sums@3.0.0, which has no config `samples`" in caplog.text


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("format", "of manifest format 1 and this factory reads format 2"),
        ("manifest", "its manifest.json cannot be read"),
        ("missing", "is missing"),
        ("size", "bytes and its manifest says"),
        ("outside", "which is outside its folder"),
    ],
)
def test_a_damaged_release_stops_no_query_but_those_on_itself(
    store: Store, tmp_path: Path, damage: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    copy = Store(Path(shutil.copytree(store.root, tmp_path / "store")))
    folder = copy.releases / "sums@1.0.0"
    path, file = folder / "manifest.json", next(folder.rglob("*.parquet"))
    told = json.loads(path.read_text())
    for one in (path, file):
        one.chmod(0o644)
    if damage == "format":
        path.write_text(json.dumps(told | {"format": 1}))
    elif damage == "manifest":
        path.write_text("{")
    elif damage == "missing":
        file.unlink()
    elif damage == "size":
        file.write_bytes(file.read_bytes() + b"x")
    else:
        told["files"][0]["path"] = "../../../outside.parquet"
        path.write_text(json.dumps(told))
    with caplog.at_level(logging.WARNING):
        connection = factory.connect(copy)
    assert f"sums@1.0.0 is left out: its file {reason}" in caplog.text or reason in caplog.text
    (other,) = rows(connection, "SELECT DISTINCT release FROM release_samples")
    assert other["release"] == "sums@2.0.0", "3.0.0 has no samples"
    if damage == "format":
        with pytest.raises(CheckFailed, match=f"sums@1.0.0 cannot be read: it is {reason}"):
            sql.query(copy, 'FROM "sums@1.0.0/sft"')


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (("recipe",), None),
        (("recipe", "release"), []),
        (("files", 0, "path"), 5),
        (("files", 0, "path"), "data/\x1b[31m\0"),
        (("files", 0, "bytes"), []),
        (("files", 0, "split"), {}),
        (("configs", "sft", "schema", 0, "name"), []),
        (("configs", "sft", "schema", 0, "type"), None),
    ],
)
def test_a_manifest_of_another_shape_hides_its_release_alone(
    store: Store, tmp_path: Path, at: tuple[str | int, ...], value: object
) -> None:
    folder = forging.copy(store.releases / "sums@1.0.0", tmp_path / "releases" / "sums@1.0.0")
    content: Any = forging.content(folder)
    forging.store(forging.copy(folder, tmp_path / "releases" / "sums@2.0.0"), content)
    one = content
    for key in at[:-1]:
        one = one[key]
    one[at[-1]] = value
    forging.store(folder, content)
    found = sql_tables.catalogue(Store(tmp_path))
    assert list(found.left_out) == ["sums@1.0.0"]
    assert found.left_out["sums@1.0.0"].startswith("its manifest.json cannot be read")
    assert all(note.isprintable() for note in found.notes(["coverage"]))
    assert "sums@2.0.0/sft" in found.tables


def test_a_table_may_have_more_files_than_one_message_carries(store: Store, tmp_path: Path) -> None:
    content = forging.content(store.releases / "sums@1.0.0")
    content["files"] = [one for one in content["files"] if one["config"] == "samples"]
    path = content["files"][0]["path"]
    for number in range(620):
        folder = tmp_path / "releases" / f"sums@1.{number}.0"
        (folder / path).parent.mkdir(parents=True)
        os.link(store.releases / "sums@1.0.0" / path, folder / path)
        forging.store(folder, content)
    counted = sql.query(Store(tmp_path), "SELECT count(DISTINCT release) AS n FROM release_samples")
    assert counted.to_pylist() == [{"n": 620}]


def test_a_damaged_part_of_the_facts_stops_the_queries_that_read_it(store: Store, tmp_path: Path) -> None:
    copy = Store(Path(shutil.copytree(store.root, tmp_path / "store")))
    next((copy.root / "verdicts").glob("*.parquet")).write_bytes(b"PAR1 cut")
    with pytest.raises(CheckFailed, match="is not a whole Parquet file"):
        sql.query(copy, "FROM verdicts")
    assert sql.query(copy, "SELECT count(*) AS n FROM problems").to_pylist() == [{"n": 12}]


def test_a_folder_that_is_no_store_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no store"):
        factory.connect(tmp_path / "nowhere")
