"""Labels on their way into the store: nothing lost, nothing twice, nothing changed."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from factory.auditing import labels
from factory.errors import CheckFailed, UsageError
from factory.records import LABELS
from factory.store import Store
from tests.support.auditing import stored


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def given(sample: str, label: str, annotator: str = "ann", note: str | None = None) -> dict[str, Any]:
    return labels.row(sample, annotator, label, note)


# --- names and words -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ann", "Ann-Marie O'Hara", "李雷", "a.b@c.org", "x" * 64])
def test_a_name_of_a_person_is_taken(name: str) -> None:
    assert labels.annotator_named(name) == name


@pytest.mark.parametrize(
    "name", ["", " ann", "ann ", "-ann", "a\nb", "a/b", "x" * 65, "a\u202eb", "a,b", "_"]
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"--annotator .*a name is 1 to 64 letters"):
        labels.annotator_named(name)


def test_two_spellings_of_one_name_are_one() -> None:
    assert labels.annotator_named("Zoe\u0308") == labels.annotator_named("Zo\u00eb")


def test_the_login_is_the_name_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "grace")
    assert labels.annotator_named(None) == "grace"


def test_a_login_without_a_name_is_asked_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr("getpass.getuser", nobody)
    with pytest.raises(UsageError, match="say who labels: --annotator NAME"):
        labels.annotator_named(None)


@pytest.mark.parametrize(("word", "label"), [("Right", "right"), (" wrong ", "wrong"), ("UNSURE", "unsure")])
def test_labels_are_read_in_any_case(word: str, label: str) -> None:
    assert labels.label_named(word) == label


@pytest.mark.parametrize(
    ("word", "hint"), [("rigth", "did you mean right"), ("1", "right, wrong or unsure$"), ("", "no label")]
)
def test_other_words_are_no_labels(word: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        labels.label_named(word)


# --- rows ----------------------------------------------------------------------------------------------


def test_moments_rise_even_within_a_tick_of_the_clock() -> None:
    moments = [given("s", "right")["at"] for _ in range(1000)]
    assert moments == sorted(set(moments))
    assert {len(one) for one in moments} == {32}  # of one form, so that texts compare as times


@pytest.mark.parametrize(
    ("note", "kept"), [("  a \n", "a"), ("  ", None), (None, None), ("x" * 20_000, "x" * 10_000)]
)
def test_notes_are_trimmed(note: str | None, kept: str | None) -> None:
    assert given("s", "right", note=note)["note"] == kept


def test_a_clock_that_was_set_back_gives_no_old_word_the_last(store: Store) -> None:
    ahead = given("s1", "right") | {"at": "2999-01-01T00:00:00.000000+00:00"}
    other = given("s2", "right") | {"at": "no time at all"}
    labels.later_than({("s1", "ann"): ahead, ("s2", "ann"): other})
    try:
        labels.commit(store, "test", [ahead, given("s1", "wrong")])
        assert labels.last_words(store)["s1", "ann"]["label"] == "wrong"
    finally:
        labels._last_moment = datetime.min.replace(tzinfo=UTC)


# --- the store -----------------------------------------------------------------------------------------


def test_a_label_is_on_the_disk_before_it_is_in_the_store(store: Store) -> None:
    row = given("s1", "wrong", note="step 2")
    labels.keep(store, row)
    assert stored(store) == []
    assert labels.waiting(store) == 1
    assert labels.last_words(store) == {("s1", "ann"): row}
    assert labels.commit(store, "test") == 1
    assert stored(store) == [row]
    assert labels.waiting(store) == 0


def test_the_last_word_counts_and_the_first_stays(store: Store) -> None:
    for word in ("right", "wrong", "unsure"):
        labels.keep(store, given("s1", word))
        labels.commit(store, "test")
    labels.keep(store, given("s1", "right", "bob"))
    labels.commit(store, "test")
    assert [one["label"] for one in stored(store)] == ["right", "wrong", "unsure", "right"]
    last = labels.last_words(store)
    assert {who: said["label"] for (_, who), said in last.items()} == {"ann": "unsure", "bob": "right"}


def test_a_store_that_is_written_keeps_labels_waiting(store: Store) -> None:
    labels.keep(store, given("s1", "right"))
    with (
        store.lock("factory run recipe.yaml"),
        pytest.raises(CheckFailed, match="is being written by process"),
    ):
        labels.commit(store, "test")
    assert labels.waiting(store) == 1
    assert labels.commit(store, "test") == 1


def test_a_kill_between_the_part_and_the_file_doubles_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlink = Path.unlink

    def killed(path: Path, missing_ok: bool = False) -> None:
        if path.parent == labels.folder(store) and path.suffix == ".json" and path.exists():
            raise KeyboardInterrupt
        unlink(path, missing_ok)

    labels.keep(store, given("s1", "right"))
    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            labels.commit(store, "test")
    assert (len(stored(store)), labels.waiting(store)) == (1, 1)
    assert labels.commit(store, "test") == 0
    assert (len(stored(store)), labels.waiting(store)) == (1, 0)


def test_a_label_that_comes_while_others_are_moved_is_not_lost(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels.keep(store, given("s1", "right"))
    append, late = store.append, given("s2", "wrong", "bob")

    def slow(table: str, rows: pa.Table) -> None:
        labels.keep(store, late)
        append(table, rows)

    monkeypatch.setattr(store, "append", slow)
    assert labels.commit(store, "test") == 1
    assert labels.waiting(store) == 1
    monkeypatch.undo()
    assert labels.commit(store, "test") == 1
    assert {one["sample_id"] for one in stored(store)} == {"s1", "s2"}


ROW = {"sample_id": "s", "annotator": "a", "label": "right", "note": None, "at": ""}
WRONG = ({"sample_id": 1}, {"label": "maybe"}, {"label": []}, {"at": None}, {"more": 1})
BAD = ["", "{", "[]", '{"sample_id": "s"}', "\udcff", *(json.dumps(ROW | wrong) for wrong in WRONG)]


@pytest.mark.parametrize("content", BAD)
def test_a_damaged_file_that_waits_is_named_and_left(store: Store, content: str) -> None:
    labels.keep(store, given("s1", "right"))
    bad = labels.folder(store) / "bad.json"
    bad.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(CheckFailed, match=r"bad\.json is no label that waits.*move it away"):
        labels.commit(store, "test")
    assert labels.waiting(store) == 2
    bad.unlink()
    assert labels.commit(store, "test") == 1


def test_many_small_parts_become_few(store: Store) -> None:
    for number in range(40):
        labels.keep(store, given(f"s{number:02}", "right"))
        labels.commit(store, "test")
    assert len(stored(store)) == 40
    assert len(store.parts("labels")) < 20


def test_two_servers_at_once_lose_nothing(store: Store) -> None:
    def work(annotator: str) -> None:
        for number in range(15):
            labels.keep(store, given(f"s{number}", "right", annotator))
            try:
                labels.commit(Store(store.root), annotator)
            except CheckFailed:
                continue  # another one writes; what waits goes in with the next

    threads = [threading.Thread(target=work, args=(name,)) for name in ("ann", "bob", "eve")]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    labels.commit(store, "test")
    keys = [(one["sample_id"], one["annotator"]) for one in stored(store)]
    assert len(keys) == len(set(keys)) == 45


def test_unknown_samples_are_found_by_their_ids(store: Store) -> None:
    assert labels.unknown(store, ["a"]) == {"a"}
    assert labels.unknown(store, []) == set()


def test_a_row_that_waits_has_the_columns_of_the_table(store: Store) -> None:
    labels.keep(store, given("s1", "right", note="Grüße \u202e"))
    (path,) = labels.folder(store).glob("*.json")
    assert list(json.loads(path.read_text(encoding="utf-8"))) == LABELS.names
