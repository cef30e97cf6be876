"""Two releases are compared: exactly what was planted is found, and what cannot be told is said."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from factory import configs, diffing
from factory.commands import display_diff
from factory.errors import CheckFailed, UsageError
from factory.metrics.measure import NO_ANSWERS
from factory.query import sql
from factory.release import diff, row_changes, versions
from factory.release.row_changes import Side
from factory.store import Store
from tests.support import forging, releases
from tests.support.planted import key, release, row

pytestmark = pytest.mark.usefixtures("kept_servers")

NOTHING = {"added": 0, "removed": 0, "changed": 0, "columns": {}}


def compare(old: Side, new: Side) -> dict[str, Any]:
    with row_changes.connect() as connection:
        return diff.compare(connection, old, new)


def rows_of(found: Mapping[str, Any], config: str) -> dict[str, Any]:
    return {name: found["configs"][config][name] for name in NOTHING}


def pair(
    root: Path, config: str, old: list[dict[str, Any]], new: list[dict[str, Any]], form: configs.Form = "text"
) -> dict[str, Any]:
    sides = [
        release(root / version, {config: {"train": rows}}, version, form=form)
        for version, rows in (("1.0.0", old), ("2.0.0", new))
    ]
    return compare(*sides)


# --- rows --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", configs.CONFIGS)
@pytest.mark.parametrize("form", ["text", "messages"])
def test_a_change_in_each_column_is_found_in_that_column_alone(
    tmp_path: Path, config: str, form: configs.Form
) -> None:
    others: dict[str, Any] = {"text": "other", "messages": [{"role": "user", "content": "other"}]}
    columns = [one.name for one in configs.schema(config, form) if one.name not in configs.KEYS[config]]
    old = [row(config, number, form) for number in range(len(columns) + 2)]
    new = [dict(one) for one in old[:-1]] + [row(config, 99, form)]
    for number, column in enumerate(columns):
        was = old[number][column]
        if column in configs.ACT_OF_SAMPLING:
            continue
        new[number][column] = (
            others["text"]
            if isinstance(was, str)
            else others["messages"]
            if isinstance(was, list)
            else not was
            if isinstance(was, bool)
            else was + 1
        )
    found = pair(tmp_path, config, old, new, form)
    seen = [one for one in columns if one not in (*configs.ACT_OF_SAMPLING, "split")]
    assert rows_of(found, config) == {
        "added": 1,
        "removed": 1,
        "changed": len(seen),
        "columns": dict.fromkeys(seen, 1),
    }
    assert found["bump"] == "major"


@pytest.mark.parametrize(
    ("column", "old", "new", "changed"),
    [
        ("answer", None, "", 1),
        ("answer", None, None, 0),
        ("answer", "", "", 0),
        ("answer", "1", "1 ", 1),
        ("answer", "e\u0301", "\u00e9", 1),
        ("completion", "x" * 100_000 + "a", "x" * 100_000 + "b", 1),
        ("logprob", float("nan"), float("nan"), 0),
        ("logprob", float("nan"), None, 1),
        ("logprob", float("inf"), float("-inf"), 1),
        ("logprob", -0.0, 0.0, 0),
        ("logprob", 0.1 + 0.2, 0.3, 1),
        ("seed", None, 0, 1),
        ("seed", 2**53, 2**53 + 1, 1),
        ("kept", True, False, 1),
        ("run_id", "a", "b", 0),
        ("seconds", 1.0, 2.0, 0),
    ],
)
def test_values_are_equal_as_values(tmp_path: Path, column: str, old: Any, new: Any, changed: int) -> None:
    found = pair(
        tmp_path, "samples", [row("samples", 1, **{column: old})], [row("samples", 1, **{column: new})]
    )
    expected = {**NOTHING, "changed": changed, "columns": {column: 1} if changed else {}}
    assert rows_of(found, "samples") == expected


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ([], None),
        ([{"role": None, "content": None}], []),
        ([{"role": "user", "content": ""}], [{"role": "user", "content": None}]),
        ([{"role": "user", "content": 'a", "x'}], [{"role": "user", "content": 'a\\", \\"x'}]),
        ([{"role": "a", "content": "b"}] * 2, [{"role": "a", "content": "b"}]),
        ([{"role": "a", "content": "b"}, {"role": "c", "content": "d"}],
         [{"role": "c", "content": "d"}, {"role": "a", "content": "b"}]),
    ],
)  # fmt: skip
def test_conversations_are_compared_by_value(tmp_path: Path, old: Any, new: Any) -> None:
    nullable = pa.schema([one.with_nullable(True) for one in configs.schema("sft", "messages")])
    sides = [
        release(tmp_path / version, {"sft": {"train": [row("sft", 1, "messages", messages=value)]}},
                version, schemas={"sft": nullable})
        for version, value in (("1.0.0", old), ("2.0.0", new))
    ]  # fmt: skip
    assert rows_of(compare(*sides), "sft") == {**NOTHING, "changed": 1, "columns": {"messages": 1}}


def test_a_row_in_another_split_is_changed(tmp_path: Path) -> None:
    one, two, three = (row("sft", number) for number in range(3))
    old = release(tmp_path / "a", {"sft": {"train": [one, two], "test": [three]}})
    new = release(tmp_path / "b", {"sft": {"train": [one], "test": [two, three]}}, "1.0.1")
    found = compare(old, new)
    digests = {side.manifest["configs"]["sft"]["content_digest"] for side in (old, new)}
    assert len(digests) == 2, "the split that a row stands in is part of its content"
    assert rows_of(found, "sft") == {**NOTHING, "changed": 1, "columns": {"split": 1}}
    assert found["because"] == ["config sft: 1 row changed (split in 1)"]


def test_the_same_file_in_another_split_is_no_shared_file(tmp_path: Path) -> None:
    rows = [row("sft", number) for number in range(4)]
    old = release(tmp_path / "a", {"sft": {"train": rows[:2], "test": rows[2:]}})
    new = release(tmp_path / "b", {"sft": {"train": rows[2:], "test": rows[:2]}}, "1.0.1")
    assert rows_of(compare(old, new), "sft") == {**NOTHING, "changed": 4, "columns": {"split": 4}}


def test_order_and_files_are_no_difference(tmp_path: Path) -> None:
    rows = [row("sft", number) for number in range(50)]
    assert rows_of(pair(tmp_path, "sft", rows, rows[::-1]), "sft") == NOTHING


def test_files_that_both_have_are_not_read(tmp_path: Path) -> None:
    test, train = [row("sft", 1)], [row("sft", 2)]
    old = release(tmp_path / "a", {"sft": {"test": test, "train": train}})
    new = release(tmp_path / "b", {"sft": {"test": test, "train": [*train, row("sft", 3)]}}, "1.1.0")
    for side in (old, new):
        (side.folder / "data/sft/test-00000-of-00001.parquet").write_bytes(b"no Parquet at all")
    assert rows_of(compare(old, new), "sft") == {**NOTHING, "added": 1}


def test_equal_content_is_not_read(tmp_path: Path) -> None:
    rows = [row("problems", 1)]
    old, new = (release(tmp_path / one, {"problems": {"train": rows}}, one) for one in ("1.0.0", "1.0.1"))
    for side in (old, new):
        (side.folder / "data/problems/train-00000-of-00001.parquet").unlink()
    assert rows_of(compare(old, new), "problems") == NOTHING


def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    (tmp_path / "ab" / "sft").mkdir(parents=True)
    found = pair(tmp_path / "a[b]*?'\"", "sft", [row("sft", 1)], [row("sft", 2)])
    assert rows_of(found, "sft") == {**NOTHING, "added": 1, "removed": 1}


small = st.dictionaries(
    st.integers(0, 7),
    st.tuples(
        st.sampled_from([None, "", "7"]), st.sampled_from([None, 0.0, -0.0, 1.5]), st.sampled_from(["a", "b"])
    ),
    min_size=1,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(small, small)
def test_exactly_the_rows_that_differ_are_found(
    tmp_path_factory: pytest.TempPathFactory, old: dict[int, Any], new: dict[int, Any]
) -> None:
    root = tmp_path_factory.mktemp("pair")
    sides = []
    for version, rows in (("1.0.0", old), ("2.0.0", new)):
        splits: dict[str, list[dict[str, Any]]] = {}
        for number, (answer, logprob, split) in rows.items():
            one = row("samples", number, answer=answer, logprob=logprob)
            splits.setdefault(split, []).append(one)
        sides.append(release(root / version, {"samples": splits}, version))
    both = old.keys() & new.keys()
    columns = {
        name: sum(old[number][place] != new[number][place] for number in both)
        for place, name in enumerate(("answer", "logprob", "split"))
    }
    found = compare(*sides)
    assert rows_of(found, "samples") == {
        "added": len(new.keys() - old.keys()),
        "removed": len(old.keys() - new.keys()),
        "changed": sum(old[number] != new[number] for number in both),
        "columns": {name: count for name, count in columns.items() if count},
    }
    back = compare(*reversed(sides))
    assert (back["configs"]["samples"]["added"], back["configs"]["samples"]["changed"]) == (
        found["configs"]["samples"]["removed"],
        found["configs"]["samples"]["changed"],
    )


# --- what stops a comparison -------------------------------------------------------------------------


def test_two_rows_of_one_key_are_refused(tmp_path: Path) -> None:
    twice = [row("sft", 1), row("sft", 1, completion="other")]
    with pytest.raises(
        CheckFailed, match="two rows of one sample_id, or other rows than its manifest counts"
    ):
        pair(tmp_path, "sft", twice, [row("sft", 1)])


def test_a_manifest_with_a_wrong_digest_is_found_out(tmp_path: Path) -> None:
    old, new = (
        release(tmp_path / one, {"sft": {"train": [row("sft", 1)]}}, one) for one in ("1.0.0", "1.0.1")
    )
    old.manifest["configs"]["sft"]["content_digest"] = "0" * 64
    (new.folder / "data/sft/train-00000-of-00001.parquet").rename(new.folder / "moved.parquet")
    new.manifest["files"][0] |= {"path": "moved.parquet", "sha256": "1" * 64}
    with pytest.raises(
        CheckFailed, match=r"the same rows in planted@1\.0\.0 and planted@1\.0\.1, and other content"
    ):
        compare(old, new)


@pytest.mark.parametrize("damage", ["gone", "cut", "another column"])
def test_a_damaged_file_is_one_sentence(tmp_path: Path, damage: str) -> None:
    old = release(tmp_path / "a", {"sft": {"train": [row("sft", 1)]}})
    new = release(tmp_path / "b", {"sft": {"train": [row("sft", 2)]}}, "2.0.0")
    path = new.folder / "data/sft/train-00000-of-00001.parquet"
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-20])
    else:
        pq.write_table(pa.table({"other": [1]}), path)
    with pytest.raises(CheckFailed, match=r"cannot be read as its manifest says: .*factory release check"):
        compare(old, new)


def test_a_config_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    old, new = (
        release(tmp_path / one, {"sft": {"train": [row("sft", 1)]}}, one) for one in ("1.0.0", "1.0.1")
    )
    new.manifest["configs"]["stepwise"] = new.manifest["configs"]["sft"]
    with pytest.raises(CheckFailed, match="names the config 'stepwise'; known are sft, preference"):
        compare(old, new)


def test_rows_without_their_key_cannot_be_compared(tmp_path: Path) -> None:
    old, new = (
        release(tmp_path / one, {"sft": {"train": [row("sft", 1)]}}, one) for one in ("1.0.0", "2.0.0")
    )
    told = new.manifest["configs"]["sft"]
    told["schema"] = [one for one in told["schema"] if one["name"] != "sample_id"]
    with pytest.raises(CheckFailed, match="has the column sample_id, by which its rows are known"):
        compare(old, new)


# --- schema, recipe, verdicts ------------------------------------------------------------------------


def test_columns_that_came_went_or_changed_their_type(tmp_path: Path) -> None:
    text = configs.schema("sft")
    came = pa.field("weight", pa.float64(), metadata={"description": "new"})
    place = text.get_field_index("generator")
    other = text.remove(place).append(came)
    other = other.set(0, other.field(0).with_nullable(True))
    other = other.set(1, other.field(1).with_metadata({"description": "said otherwise"}))
    old = release(tmp_path / "a", {"sft": {"train": [row("sft", 1)]}})
    new = release(
        tmp_path / "b", {"sft": {"train": [row("sft", 1, weight=1.0)]}}, "2.0.0", schemas={"sft": other}
    )
    found = compare(old, new)
    assert found["configs"]["sft"]["schema"] == {
        "added": ["weight"],
        "removed": ["generator"],
        "retyped": {"prompt": {"old": "string", "new": "string, nullable"}},
        "described": ["completion"],
    }
    assert rows_of(found, "sft") == NOTHING, "a column that came or went changes no row"
    assert found["because"] == [
        "config sft: column generator removed",
        "config sft: column prompt was string and is string, nullable",
        "config sft: column weight added",
        "config sft: completion described otherwise",
    ]


def test_a_config_that_only_one_has(tmp_path: Path) -> None:
    sft, problems = {"train": [row("sft", 1)]}, {"train": [row("problems", n) for n in range(3)]}
    old = release(tmp_path / "a", {"sft": sft})
    new = release(tmp_path / "b", {"sft": sft, "problems": problems}, "1.1.0")
    found = compare(old, new)
    assert (found["bump"], found["because"]) == ("minor", ["config problems added, with 3 rows"])
    assert found["configs"]["problems"] | {"keys": None, "schema": None} == {
        **NOTHING, "in": "new", "old": None, "new": 3, "added": 3, "keys": None, "schema": None,
    }  # fmt: skip
    assert compare(new, old)["because"] == ["config problems removed, with 3 rows"]


def test_recipe_and_lock_are_told_value_by_value(tmp_path: Path) -> None:
    rows = {"sft": {"train": [row("sft", 1)]}}
    old = release(tmp_path / "a", rows, recipe={"select": {"seed": 0}, "configs": ["a", "b"]})
    new = release(
        tmp_path / "b",
        rows,
        "1.0.1",
        recipe={"select": {"seed": 1}, "configs": ["a"], "more": None, "x\x1b[31m": 1},
        lock={"verifiers": [{"verifier": "math@2", "options": {}}]},
    )
    found = compare(old, new)
    assert found["bump"] == "patch"
    assert found["recipe"] == [
        {"path": "configs", "old": ["a", "b"], "new": ["a"]},
        {"path": "select.seed", "old": 0, "new": 1},
        {"path": "x\x1b[31m", "old": None, "new": 1},
    ]
    assert {"path": "verifiers.0.verifier", "old": "math@1", "new": "math@2"} in found["lock"]
    shown = "\n".join(
        one if isinstance(one, str) else str(one.columns[0]._cells)
        for one in display_diff.lines(found | {"metrics": [], "sql": None})
    )
    assert "\x1b" not in shown
    assert "\\x1b[31m" in shown


def test_verdicts_that_flipped_are_counted_by_status(tmp_path: Path) -> None:
    was = ["pass", "pass", "fail", None, "error", "no_answer"]
    now = ["pass", "fail", "pass", "pass", "error", "fail"]
    old, new = (
        [row("samples", n, status=status, correct=status == "pass") for n, status in enumerate(statuses)]
        for statuses in (was, now)
    )
    found = pair(tmp_path, "samples", [*old, row("samples", 90)], [*new, row("samples", 91)])["verdicts"]
    assert found == {
        "why": None,
        "verifier": {"old": "math@1", "new": "math@1"},
        "compared": 6,
        "flips": [
            {"old": "fail", "new": "pass", "samples": 1},
            {"old": "no_answer", "new": "fail", "samples": 1},
            {"old": "pass", "new": "fail", "samples": 1},
            {"old": None, "new": "pass", "samples": 1},
        ],
        "became_correct": 2,
        "no_longer_correct": 1,
    }


def test_without_samples_verdicts_are_unknown_and_not_zero(tmp_path: Path) -> None:
    found = pair(tmp_path, "sft", [row("sft", 1)], [row("sft", 1)])["verdicts"]
    assert found["why"] == "planted@1.0.0 and planted@2.0.0 without the config samples"
    assert found["compared"] is found["flips"] is found["became_correct"] is None
    shown = "\n".join(map(str, display_diff._verdicts(found)))
    assert shown.startswith("Verdicts cannot be compared: planted@1.0.0")


# --- metrics -----------------------------------------------------------------------------------------


def drawn(problem: int, passes: int, of: int, path: str = "p") -> list[dict[str, Any]]:
    """Samples of a problem, of which the first `passes` are correct, each on a path of its own."""
    return [
        row("samples", 100 * problem + n, problem_id=key(problem), status="pass" if n < passes else "fail",
            correct=n < passes, path=f"{path}{n}" if n < passes else None)
        for n in range(of)
    ]  # fmt: skip


def delta(old: Side, new: Side, metric: str, values: tuple[float, float] = (0.5, 0.5)) -> dict[str, Any]:
    with row_changes.connect() as connection:
        told = ({metric: {"value": value}} for value in values)
        (found,) = diffing.deltas(connection, old, new, *told)
        return found


def sides(root: Path, *rows: list[dict[str, Any]]) -> list[Side]:
    return [release(root / f"{n}", {"samples": {"train": one}}, f"{n}.0.0") for n, one in enumerate(rows, 1)]


def test_a_delta_is_paired_over_the_problems_that_both_have(tmp_path: Path) -> None:
    old = [*drawn(1, 1, 4), *drawn(2, 2, 4), *drawn(3, 0, 4), *drawn(4, 4, 4)]
    new = [*drawn(1, 2, 4), *drawn(2, 3, 4), *drawn(3, 1, 4), *drawn(9, 0, 4)]
    found = delta(*sides(tmp_path, old, new), "pass@1", (0.4375, 0.375))
    assert found == {
        "metric": "pass@1", "old": 0.4375, "new": 0.375, "delta": 0.25, "low": 0.25, "high": 0.25,
        "n_problems": 3, "why": None,
    }  # fmt: skip


def test_the_interval_of_a_delta_holds_it_and_resamples_problems(tmp_path: Path) -> None:
    old = [one for n in range(30) for one in drawn(n, n % 3, 4)]
    new = [one for n in range(30) for one in drawn(n, (n + n % 2) % 4, 4)]
    both = sides(tmp_path, old, new)
    for metric in ("pass@2", "coverage@4", "diversity@2"):
        found = delta(*both, metric)
        assert found["low"] < found["delta"] < found["high"], found
        assert delta(*both, metric) == found, "the seed is fixed"
        assert delta(*reversed(both), metric)["delta"] == -found["delta"]


def test_a_problem_with_too_few_samples_leaves_no_delta_of_the_others(tmp_path: Path) -> None:
    old = [*drawn(1, 1, 4), *drawn(2, 2, 4), *drawn(3, 0, 4)]
    found = delta(*sides(tmp_path, old, [*drawn(1, 2, 4), *drawn(2, 2, 4), *drawn(3, 1, 2)]), "pass@4")
    assert (found["delta"], found["low"], found["n_problems"]) == (None, None, 2)
    assert found["why"] == "1 of 3 problems have fewer than 4 judged samples in one of the two"


def test_votes_are_compared_by_their_answers(tmp_path: Path) -> None:
    old, new = (
        [
            one | {"answer": None if one["correct"] else answer}
            for one, answer in zip(rows, answers, strict=True)
        ]
        for rows, answers in (
            ([*drawn(1, 2, 4), *drawn(2, 1, 4)], ["", "", "7", "$7.0", "", "5", "5", "6"]),
            ([*drawn(1, 2, 4), *drawn(2, 1, 4)], ["", "", "7", "8", "", "4", "5", "6"]),
        )
    )
    both = sides(tmp_path, old, new)
    found = delta(*both, "maj@4")
    assert found["delta"] == pytest.approx(((1 - 0.5) + (0.25 - 0.0)) / 2)
    with row_changes.connect() as connection:
        silent = {"maj@4": {"value": None, "why": NO_ANSWERS}}
        (unknown,) = diffing.deltas(connection, *both, silent, silent)
        assert (unknown["delta"], unknown["why"]) == (None, NO_ANSWERS)


def test_only_the_draws_that_count_in_the_metrics_are_compared(tmp_path: Path) -> None:
    rows = [one | {"sample_index": place % 4} for place, one in enumerate([*drawn(1, 1, 4), *drawn(2, 2, 4)])]
    both = sides(tmp_path, rows, rows)
    with row_changes.connect() as connection:
        told = [{"pass@1": {"value": 0.5}, "m": m} for m in ({rows[0]["generator"]: 2}, None)]
        (found,) = diffing.deltas(connection, *both, *told)
    assert found["delta"] == pytest.approx((1 / 4 + 2 / 4) / 2 - (1 / 2 + 1) / 2)


@pytest.mark.parametrize(
    ("problems", "metric", "why", "n"),
    [
        (1, "pass@1", "1 problem with 1 judged samples in both", 1),
        (3, "pass@8", "0 problems with 8 judged samples in both", 0),
    ],
)
def test_too_few_problems_give_no_interval(
    tmp_path: Path, problems: int, metric: str, why: str, n: int
) -> None:
    rows = [one for number in range(problems) for one in drawn(number, 1, 4)]
    found = delta(*sides(tmp_path, rows, rows), metric)
    assert (found["low"], found["high"], found["why"], found["n_problems"]) == (None, None, why, n)
    assert found["delta"] == (0 if n else None)


def test_metrics_without_samples_show_both_values_and_no_delta(tmp_path: Path) -> None:
    old, new = (
        release(tmp_path / one, {"sft": {"train": [row("sft", 1)]}}, one) for one in ("1.0.0", "1.0.1")
    )
    found = delta(old, new, "pass@1", (0.1, 0.9))
    assert (found["old"], found["new"], found["delta"]) == (0.1, 0.9, None)
    assert found["why"] == "planted@1.0.0 and planted@1.0.1 without the config samples"


# --- real releases, SQL and the command --------------------------------------------------------------


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """sums@1.0.0 with four samples a problem, and sums@2.0.0 with eight, in other splits, and no `kto`."""
    root = tmp_path_factory.mktemp("sums")
    made = releases.make_store(root)
    releases.release(root, made)
    releases.release(
        root,
        made,
        "2.0.0",
        8,
        "  splits: {test: 0.3}\n",
        configs="sft, preference, rewards, samples, problems",
    )
    return made


def test_the_sql_lists_exactly_the_rows_that_are_counted(store: Store) -> None:
    found = diffing.compare(store, "sums@1.0.0", "sums@2.0.0")
    assert found["configs"]["kto"]["in"] == "old"
    assert found["configs"]["rewards"]["columns"].keys() >= {"samples", "correct"}, "as it grows"
    lists = {(config, what): text for config, one in found["sql"].items() for what, text in one.items()}
    assert lists.keys() == {
        (config, what)
        for config, entry in found["configs"].items()
        for what in ("added", "removed", "changed")
        if entry[what]
    }
    assert len(lists) >= 8
    counted = sql.query(
        store, "SELECT " + ", ".join(f"(SELECT count(*) FROM ({one}))" for one in lists.values())
    )
    assert [one[0].as_py() for one in counted.columns] == [
        found["configs"][config][what] for config, what in lists
    ]
    changed = sql.query(store, found["sql"]["samples"]["changed"]).to_pylist()
    assert {(one["old_split"], one["new_split"]) for one in changed} == {("train", "test")}
    assert found["configs"]["samples"]["columns"] == {"split": len(changed)}
    added = sql.query(store, found["sql"]["samples"]["added"])
    assert set(added["sample_index"].to_pylist()) == {4, 5, 6, 7}


def test_the_metrics_of_real_releases_are_their_own(store: Store) -> None:
    found = diffing.compare(store, "sums@1.0.0", "sums@2.0.0")
    told = json.loads((store.releases / "sums@2.0.0" / "metrics.json").read_text())
    before = json.loads((store.releases / "sums@1.0.0" / "metrics.json").read_text())
    assert {one["metric"] for one in found["metrics"]} == {name for name in told if "@" in name}
    for one in found["metrics"]:
        expected = told[one["metric"]]["value"] - before[one["metric"]]["value"]
        assert one["delta"] == pytest.approx(expected, abs=1e-9), one["metric"]
        assert one["n_problems"] == releases.PROBLEMS


def test_a_release_differs_in_nothing_from_itself(store: Store) -> None:
    found = diffing.compare(store, "sums@1.0.0", "sums@1.0.0")
    assert (found["bump"], found["because"], found["documents"], found["sql"]) == ("none", [], [], {})
    assert list(display_diff.sql(found)) == ["-- no row was added, removed or changed"]


def test_by_path_no_sql_can_be_given(store: Store, tmp_path: Path) -> None:
    copy = forging.copy(store.releases / "sums@2.0.0", tmp_path / "copy")
    found = diffing.compare(store, "sums@1.0.0", str(copy))
    assert found["sql"] is None
    assert found["new"]["version"] == "2.0.0"
    with pytest.raises(
        UsageError, match="reads the releases of the store, and one of these two is not in it"
    ):
        list(display_diff.sql(found))
    (copy / "metrics.json").write_text("{")
    with pytest.raises(CheckFailed, match=r"metrics\.json is no JSON"):
        diffing.compare(store, "sums@1.0.0", str(copy))
    manifest = json.loads((copy / "manifest.json").read_text())
    for change, told in (
        ({"format": 1}, "format: 1, expected format"),
        ({"files": [manifest["files"][0] | {"path": "../../../etc/passwd"}]}, "path inside the release"),
        ({"configs": 7}, "configs: 7"),
    ):
        (copy / "manifest.json").write_text(json.dumps(manifest | change))
        with pytest.raises(CheckFailed, match=f"cannot be compared: .*{told}"):
            diffing.compare(store, "sums@1.0.0", str(copy))


def test_what_names_no_release_is_refused(store: Store) -> None:
    with pytest.raises(UsageError, match=r"has no release sums@9\.0\.0; it has sums@2\.0\.0"):
        diffing.compare(store, "sums@1.0.0", "sums@9.0.0")
    with pytest.raises(UsageError, match="names no release; write NAME@X"):
        diffing.compare(store, "sums", "sums@2.0.0")


def test_changes_stand_in_the_release_and_are_those_of_the_command(store: Store) -> None:
    folder = store.releases / "sums@2.0.0"
    written = json.loads((folder / "changes.json").read_text())
    assert not (store.releases / "sums@1.0.0" / "changes.json").exists()
    found = diffing.compare(store, "sums@1.0.0", "sums@2.0.0")
    assert written.keys() == found.keys() - {"documents", "sql"}
    same = written.keys() - {"bump", "because"}
    assert {name: written[name] for name in same} == {name: found[name] for name in same}
    assert versions.required(written) == written["bump"] == "major"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert "changes.json" in {one["path"] for one in manifest["documents"]}
