"""CSV files of an audit: what is written, what is read, and what is refused with its line."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.auditing import labels, sheets, subject
from factory.errors import CheckFailed, UsageError
from factory.progress import Silent
from factory.store import Store
from tests.support.auditing import HIDDEN, stored


@pytest.fixture
def store(judged: Store, tmp_path: Path) -> Store:
    """A store with the same samples and no labels."""
    own = Store(tmp_path / "store")
    shutil.copytree(judged.root, own.root, ignore=shutil.ignore_patterns("labels", "lock*"))
    return own


def found(store: Store, judged: Store) -> subject.Subject:
    return subject.find(str(judged.root.parent / "recipe.yaml"), (), store, None, Silent())


def write(path: Path, lines: list[str], encoding: str = "utf-8", newline: str = "\n") -> Path:
    path.write_bytes(newline.join([*lines, ""]).encode(encoding))
    return path


def ids(store: Store, judged: Store) -> list[str]:
    return [one.sample_id for one in found(store, judged).items]


def test_a_sheet_goes_out_is_filled_in_and_comes_back(store: Store, judged: Store, tmp_path: Path) -> None:
    items, path = found(store, judged).items, tmp_path / "audit.csv"
    assert sheets.write_to_fill(path, items, "ann") == 12
    text = path.read_text(encoding="utf-8-sig")
    assert not [word for word in HIDDEN if word in text]
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["sample_id"] for row in rows] != [one.sample_id for one in items]  # an order of their own
    for place_of, row in enumerate(rows[:5]):
        row |= {"label": ("right", "Wrong", "unsure")[place_of % 3], "note": "=2+2"}
    with path.open("w", encoding="utf-8", newline="") as file:
        sheet = csv.DictWriter(file, list(rows[0]))
        sheet.writeheader()
        sheet.writerows(rows)
    assert sheets.bring_in(path, "ann", store, "test") == {"added": 5, "there already": 0, "empty": 7}
    assert sheets.bring_in(path, "ann", store, "test") == {"added": 0, "there already": 5, "empty": 7}
    assert sheets.bring_in(path, "bob", store, "test") == {"added": 5, "there already": 0, "empty": 7}
    assert {(row["label"], row["note"]) for row in stored(store)} == {
        (word, "=2+2") for word in ("right", "wrong", "unsure")
    }
    # What was labelled goes out, and into another store, with everybody's name.
    out = tmp_path / "labels.csv"
    words = labels.last_words(store)
    assert sheets.write_filled(out, items, words) == 10
    assert '"\'=2+2"' in out.read_text(encoding="utf-8-sig")
    other = Store(tmp_path / "other")
    other.root.mkdir()
    (other.root / "samples").symlink_to(judged.root / "samples")
    assert sheets.bring_in(out, None, other, "test")["added"] == 10
    assert {row["annotator"] for row in stored(other)} == {"ann", "bob"}


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_sheets_as_spreadsheets_write_them_are_read(
    store: Store, judged: Store, tmp_path: Path, separator: str, encoding: str, newline: str
) -> None:
    one, other, *_ = ids(store, judged)
    rows = [["sample_id", "Label", "note"], [one, "right", f'"a{separator} ""b"""'], [other.upper(), "", ""]]
    path = write(tmp_path / "a.csv", [separator.join(row) for row in rows], encoding, newline)
    assert sheets.bring_in(path, "ann", store, "test") == {"added": 1, "there already": 0, "empty": 1}
    assert stored(store)[0]["note"] == f'a{separator} "b"'


def test_the_line_that_tells_excel_the_separator_is_skipped(
    store: Store, judged: Store, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.csv", ["sep=;", "sample_id;label", f"{ids(store, judged)[0]};wrong", ";right"])
    with pytest.raises(UsageError, match="line 4: it has a label and no sample_id"):
        sheets.bring_in(path, "ann", store, "test")


BAD = [
    (["sample_id,label", "{0},maybe"], "line 2: 'maybe' is no label: right, wrong or unsure"),
    (["sample_id,label", "{0},rigth"], "line 2: 'rigth' is no label.*did you mean right"),
    (
        ["sample_id,label", "{0},right", "{1},right", "{0},wrong"],
        "line 4: sample {0} stands in line 2 already",
    ),
    (["sample_id,label", "{0},right", "0123,right"], "line 3: '0123' is the id of no sample of"),
    (["sample_id,label,note", "{0},,so"], "line 2: it has a note and no label"),
    (["sample_id,label,annotator", "{0},right,bob"], "line 2: it is by 'bob' and --annotator says 'ann'"),
    (["sample_id,note", "{0},x"], "line 1: there is no column label; found: 'sample_id,note'"),
    (["id,word", "{0},x"], "no column sample_id and no column label"),
    (["sample_id,label,label", "{0},right,wrong"], "line 1: the column label stands there twice"),
    (["sample_id,label", "{0},right,wrong"], "line 2: 3 cells, and the head has 2"),
    (["sample_id,label", '{0},"right'], "line 2: it is no CSV"),
    (["sample_id,label,note", '{1},right,"two', 'lines"', "{0},wong"], "line 4: 'wong' is no label"),
    ([], "line 1: there is no column sample_id"),
]


@pytest.mark.parametrize(("lines", "message"), BAD, ids=[message[:40] for _, message in BAD])
def test_a_wrong_line_is_named_and_nothing_is_imported(
    store: Store, judged: Store, tmp_path: Path, lines: list[str], message: str
) -> None:
    known = ids(store, judged)
    path = write(tmp_path / "a.csv", [line.format(*known) for line in lines])
    with pytest.raises(UsageError, match=message.format(*known)):
        sheets.bring_in(path, "ann", store, "test")
    assert stored(store) == []


def test_many_faults_are_counted(store: Store, judged: Store, tmp_path: Path) -> None:
    lines = ["sample_id,label", *(f"{one},perhaps" for one in ids(store, judged))]
    with pytest.raises(UsageError, match=r"line 6: .*; and 7 more\. Nothing was imported"):
        sheets.bring_in(write(tmp_path / "a.csv", lines), "ann", store, "test")


def test_nobody_is_no_annotator(store: Store, judged: Store, tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", ["sample_id,label", f"{ids(store, judged)[0]},right"])
    with pytest.raises(UsageError, match="line 2: it does not say who labelled it; give --annotator NAME"):
        sheets.bring_in(path, None, store, "test")


def test_another_encoding_says_what_to_do(store: Store, tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", ["sample_id,label", "é,right"], "cp1252")
    with pytest.raises(UsageError, match=r"byte 16 is no UTF-8\. Save the file as CSV UTF-8"):
        sheets.bring_in(path, "ann", store, "test")


def test_a_file_that_is_not_there_is_named(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.csv cannot be read"):
        sheets.bring_in(tmp_path / "none.csv", "ann", store, "test")


def test_a_store_that_is_written_takes_no_sheet(store: Store, judged: Store, tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", ["sample_id,label", f"{ids(store, judged)[0]},right"])
    with store.lock("factory run"), pytest.raises(CheckFailed, match="is being written by"):
        sheets.bring_in(path, "ann", store, "test")
    assert labels.waiting(store) == 0


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "|calc", "'=1", "''=1", "＝1"]
)
def test_formulas_are_made_harmless(text: str) -> None:
    assert sheets.harmless(text) == f"'{text}"
    assert sheets.original(sheets.harmless(text)) == text


@pytest.mark.parametrize("text", ["", "1 + 1 = 2", "'tis", "a=1", "3-1"])
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert sheets.harmless(text) == sheets.original(text) == text


@given(st.text("'=+-@a1\t", max_size=6))
def test_what_was_made_harmless_comes_back(text: str) -> None:
    assert sheets.original(sheets.harmless(text)) == text
    assert sheets.harmless(text)[:1] not in tuple("=+-@\t")
