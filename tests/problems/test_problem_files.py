"""Local files as sources of problems: each format, and each way a file can be wrong."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory import problems
from factory.errors import FactoryError, OutsideError, UsageError
from factory.problems import files
from factory.recipe import Columns, Files
from factory.records import Problem

QA = Columns(prompt="q", answer="a")


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def load(folder: Path, name: str, columns: Columns = QA, limit: int | None = None) -> Iterator[Problem]:
    return problems.load(Files(source="file", path=Path(name), columns=columns, limit=limit), folder)


def refused(folder: Path, name: str, columns: Columns = QA) -> tuple[list[Problem], str]:
    """What was given before the error, and the error."""
    given_before: list[Problem] = []
    with pytest.raises(UsageError) as caught:
        given_before.extend(load(folder, name, columns))
    return given_before, str(caught.value)


JSONL = """\
{"q": "x?", "a": 10, "r": {"p": "deep", "n": 0.10}}

{"q": "y?", "a": "1,5", "r": {"p": "w", "n": 2}}
"""


@pytest.mark.parametrize("name", ["f.jsonl", "f.ndjson", "f.json", "f.jsonlines", "f.JSONL"])
def test_jsonl(tmp_path: Path, name: str) -> None:
    write(tmp_path, name, JSONL)
    first, second = load(tmp_path, name)
    assert (first.prompt, first.answer, first.source, first.split) == ("x?", "10", "file:f", "train")
    assert (first.origin, second.origin) == (f'{{"file":"{name}","line":1}}', f'{{"file":"{name}","line":3}}')
    assert second.answer == "1,5"


def test_jsonl_nested_columns_and_written_digits(tmp_path: Path) -> None:
    write(tmp_path, "f.jsonl", JSONL)
    assert [p.answer for p in load(tmp_path, "f.jsonl", Columns(prompt="r.p", answer="r.n"))] == ["0.10", "2"]


@pytest.mark.parametrize("name", ["f.jsonl.gz", "f.csv.gz"])
def test_gzip_is_seen_through(tmp_path: Path, name: str) -> None:
    content = JSONL if "json" in name else "q,a\nx?,10\n"
    write(tmp_path, name, gzip.compress(content.encode()))
    first = next(load(tmp_path, name))
    assert (first.prompt, first.answer, first.source) == ("x?", "10", "file:f")


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    write(tmp_path, "f.jsonl", b"\xef\xbb\xbf" + JSONL.encode())
    write(tmp_path, "f.csv", b"\xef\xbb\xbfq,a\nx?,1\n")
    assert next(load(tmp_path, "f.jsonl")).prompt == next(load(tmp_path, "f.csv")).prompt == "x?"


def test_csv_cells_hold_commas_quotes_and_line_breaks(tmp_path: Path) -> None:
    write(tmp_path, "f.csv", 'q,a,note\r\n"one,\r\n""two""",007,\r\n\r\nz?,0.10,n\r\n')
    first, second = load(tmp_path, "f.csv")
    assert (first.prompt, first.answer) == ('one,\r\n"two"', "007")
    assert (second.answer, second.origin) == ("0.10", '{"file":"f.csv","line":5}')


def test_an_empty_csv_cell_is_null(tmp_path: Path) -> None:
    write(tmp_path, "f.csv", "q,a\nx?,\n")
    assert next(load(tmp_path, "f.csv")).answer is None


def test_a_csv_cell_longer_than_the_modules_limit(tmp_path: Path) -> None:
    write(tmp_path, "f.csv", "q,a\n" + "x" * 200_000 + ",1\n")
    assert len(next(load(tmp_path, "f.csv")).prompt) == 200_000


def test_parquet_reads_structs_and_keeps_numbers(tmp_path: Path) -> None:
    rows = {"m": [{"q": f"q{at}", "k": 1} for at in range(1500)], "a": pa.array([0.1] * 1500, pa.float32())}
    pq.write_table(pa.table(rows | {"unused": [1] * 1500}), tmp_path / "f.parquet")
    made = list(load(tmp_path, "f.parquet", Columns(prompt="m.q", answer="a", difficulty="m.k")))
    assert len(made) == 1500
    assert (made[-1].prompt, made[-1].answer, made[-1].difficulty) == ("q1499", "0.1", "1")
    assert made[-1].origin == '{"file":"f.parquet","row":1500}'


def test_name_split_and_license_come_from_the_recipe(tmp_path: Path) -> None:
    write(tmp_path, "f.jsonl", JSONL)
    source = Files(source="file", path=Path("f.jsonl"), columns=QA, name="mine", split="test", license="MIT")
    made = next(problems.load(source, tmp_path))
    assert (made.source, made.split, made.license) == ("file:mine", "test", "MIT")


def test_an_absolute_path_does_not_reach_the_rows(tmp_path: Path) -> None:
    path = write(tmp_path, "f.jsonl", JSONL)
    made = next(problems.load(Files(source="file", path=path, columns=QA), Path("/nowhere")))
    assert str(tmp_path) not in json.dumps(made.row())


def test_limit_stops_before_what_it_does_not_need(tmp_path: Path) -> None:
    write(tmp_path, "f.jsonl", JSONL + "broken\n")
    assert len(list(load(tmp_path, "f.jsonl", limit=2))) == 2


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: text.strip())


@given(rows=st.lists(st.fixed_dictionaries({"q": TEXT, "a": TEXT}), min_size=1, max_size=5))
def test_jsonl_and_parquet_round_trip(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    write(folder, "f.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    pq.write_table(pa.Table.from_pylist(rows), folder / "f.parquet")
    expected = [(row["q"], row["a"]) for row in rows]
    for name in ("f.jsonl", "f.parquet"):
        assert [(made.prompt, made.answer) for made in load(folder, name)] == expected


BAD = [
    ("f.jsonl", '{"q": "x", "a": 1}\n{"q": \n', 1, "f.jsonl:2: is no JSON object on one line ("),
    ("f.jsonl", '{"q": "x", "a": NaN}\n', 0, "f.jsonl:1: is no JSON object on one line (NaN is no JSON)"),
    ("f.jsonl", '{"q": "x", "a": ' + "9" * 5000 + "}\n", 0, "f.jsonl:1: is no JSON object on one line ("),
    ("f.jsonl", '{"a":' * 200_000 + "\n", 0, "f.jsonl:1: is no JSON object on one line ("),
    ("f.json", '[\n {"q": "x", "a": 1}\n]', 0, "f.json:1: is no JSON object on one line ("),
    (
        "f.json",
        '[{"q": "x", "a": 1}]',
        0,
        "f.json:1: is of type list, not an object; write one {...} a line",
    ),
    ("f.jsonl", b'{"q": "x", "a": 1}\n{"q": "\xff"}\n', 1, "f.jsonl:2: is no UTF-8 ("),
    (
        "f.jsonl",
        '{"q": "x", "a": 1}\n{"q": "x"}\n',
        1,
        "f.jsonl:2: there is no column 'a'; the columns are q;",
    ),
    ("f.jsonl", '{"q": "x", "a": 1}\n{"q": "", "a": 1}\n', 1, "f.jsonl:2: column 'q' is empty"),
    ("f.jsonl", "", 0, "problem source 'file' (f.jsonl) has no problems"),
    ("f.csv", "", 0, "problem source 'file' (f.csv) has no problems"),
    ("f.csv", "q,a\n", 0, "problem source 'file' (f.csv) has no problems"),
    ("f.csv", "question,a\nx,1\n", 0, "f.csv:2: there is no column 'q'; the columns are a, question;"),
    ("f.csv", "q,a,q\nx,1,y\n", 0, "f.csv:1: column 'q' stands twice in the header"),
    ("f.csv", 'q,a\n"x\ny",1\nx,1,2\n', 1, "f.csv:4: has 3 cells where the header has 2"),
    ("f.csv", 'q,a\nx,1\n"x"y,1\n', 1, "f.csv:3: is no CSV ("),
    ("f.csv", 'q,a\nx,1\n"never closed,1\n', 1, "f.csv:3: is no CSV ("),
    ("f.csv", b"q,a\nx,1\n\xff,1\n", 1, "f.csv:3: is no UTF-8 ("),
    ("f.jsonl.gz", "plain text", 0, "f.jsonl.gz: is no whole gzip file ("),
    ("f.jsonl.gz", gzip.compress(JSONL.encode())[:-9], None, "f.jsonl.gz: is no whole gzip file ("),
    ("f.parquet", "no parquet", 0, "f.parquet: is no Parquet file that can be read ("),
    ("f.txt", "x", 0, "f.txt: cannot tell the format; the suffix is one of .jsonl,"),
    ("f.parquet.gz", "x", 0, "f.parquet.gz: cannot tell the format"),
]


@pytest.mark.parametrize(("name", "content", "before", "told"), BAD, ids=[case[3][:60] for case in BAD])
def test_bad_files(tmp_path: Path, name: str, content: str | bytes, before: int | None, told: str) -> None:
    write(tmp_path, name, content)
    made, message = refused(tmp_path, name)
    assert told in message
    assert before in (None, len(made))


def test_bad_parquet_columns_are_named_before_any_row(tmp_path: Path) -> None:
    pq.write_table(pa.table({"m": [{"question": "x"}], "a": ["1"]}), tmp_path / "f.parquet")
    made, message = refused(tmp_path, "f.parquet", Columns(prompt="m.qestion", answer="a"))
    assert made == []
    assert message.endswith(
        "there is no column 'm.qestion'; the columns are a, m.question; did you mean 'm.question'?"
    )


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    write(tmp_path, "train.jsonl", JSONL)
    assert "there is no such file; did you mean train.jsonl?" in refused(tmp_path, "trian.jsonl")[1]
    assert "a relative path in a recipe or map starts at its folder" in refused(tmp_path, "no/such.csv")[1]


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "f.jsonl").mkdir()
    assert "is a folder; name a file in it" in refused(tmp_path, "f.jsonl")[1]


def test_a_failing_disk_is_no_fault_of_the_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(files, "_open", fail)
    with pytest.raises(OutsideError, match=r"cannot be read: \[Errno 5\] Input/output error; check the disk"):
        list(load(tmp_path, "f.jsonl"))


def test_reading_streams(tmp_path: Path) -> None:
    write(tmp_path, "f.jsonl", JSONL + "broken\n")
    stream = load(tmp_path, "f.jsonl")
    assert [next(stream).prompt, next(stream).prompt] == ["x?", "y?"]
    with pytest.raises(FactoryError, match=r"f\.jsonl:4"):
        next(stream)
