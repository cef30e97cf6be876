"""Completions made elsewhere: which rows a map gives, and what is said when it does not fit."""

from __future__ import annotations

import json
import os
import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory import importing
from factory.errors import UsageError
from factory.importing import ImportedRow, ImportMap, Skipped

INLINE = {"prompt": "q", "answer": "a"}


def mapped(problem: object, *completions: dict[str, object], **more: object) -> ImportMap:
    return ImportMap.model_validate({"problem": problem, "completions": list(completions), **more})


def write(folder: Path, rows: Iterable[dict[str, object]], name: str = "f.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def refused(path: Path, map: ImportMap) -> tuple[list[ImportedRow | Skipped], str]:
    """What was given before the error, and the error."""
    before: list[ImportedRow | Skipped] = []
    with pytest.raises(UsageError) as caught:
        before.extend(importing.rows(path, map, path.parent))
    return before, str(caught.value)


def indices(rows: Iterable[ImportedRow | Skipped]) -> list[tuple[str, str, int]]:
    return [
        (row.problem.prompt, row.generator, row.sample_index) for row in rows if isinstance(row, ImportedRow)
    ]


# --- rows --------------------------------------------------------------------------------------------


def test_problems_in_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, [{"q": "1+1?", "a": 2, "c": "It is 2.", "meta": {"ok": True, "p": 0.5}}])
    keep = {"right": "meta.ok", "p": "meta.p"}
    (row,) = importing.rows(
        path,
        mapped(
            INLINE | {"license": "MIT", "split": "test"}, {"generator": "m", "completion": "c", "keep": keep}
        ),
        tmp_path,
    )
    assert isinstance(row, ImportedRow)
    assert (row.generator, row.sample_index, row.completion) == ("m", 0, "It is 2.")
    assert row.extra == '{"p":0.5,"right":true}'
    assert (row.problem.prompt, row.problem.answer, row.problem.source) == ("1+1?", "2", "file:f")
    assert (row.problem.license, row.problem.split) == ("MIT", "test")
    assert row.problem.origin == '{"file":"f.jsonl","line":1}'


def test_a_list_of_kept_paths_names_them_by_themselves_and_keeps_nulls(tmp_path: Path) -> None:
    path = write(tmp_path, [{"q": "x", "a": 1, "c": "t", "m": {"k": None}}, {"q": "x", "a": 1, "c": "t"}])
    map = mapped(INLINE, {"generator": "m", "completion": "c", "keep": ["m.k"]})
    assert [row.extra for row in importing.rows(path, map, tmp_path) if isinstance(row, ImportedRow)] == [
        '{"m.k":null}',
        '{"m.k":null}',
    ]


def test_nothing_kept_is_no_extra_and_an_empty_text_is_a_completion(tmp_path: Path) -> None:
    path = write(tmp_path, [{"q": "x", "a": 1, "c": ""}])
    (row,) = importing.rows(path, mapped(INLINE, {"generator": "m", "completion": "c"}), tmp_path)
    assert isinstance(row, ImportedRow)
    assert (row.completion, row.extra) == ("", None)


def test_the_order_counts_by_problem_and_generator(tmp_path: Path) -> None:
    path = write(tmp_path, ({"q": q, "a": 1, "c": "t", "d": "u", "e": "v"} for q in "xyx"))
    map = mapped(
        INLINE,
        {"generator": "m", "completion": "c"},
        {"generator": "n", "completion": "d"},
        {"generator": "m", "completion": "e"},
    )
    assert indices(importing.rows(path, map, tmp_path)) == [
        ("x", "m", 0),
        ("x", "n", 0),
        ("x", "m", 1),
        ("y", "m", 0),
        ("y", "n", 0),
        ("y", "m", 1),
        ("x", "m", 2),
        ("x", "n", 1),
        ("x", "m", 3),
    ]


@given(prompts=st.lists(st.sampled_from("xyz"), min_size=1, max_size=30))
def test_counted_indices_have_no_gaps(tmp_path_factory: pytest.TempPathFactory, prompts: list[str]) -> None:
    path = write(tmp_path_factory.mktemp("rows"), ({"q": q, "a": 1, "c": "t"} for q in prompts))
    made = indices(importing.rows(path, mapped(INLINE, {"generator": "m", "completion": "c"}), path.parent))
    assert [prompt for prompt, _, _ in made] == prompts
    for prompt in set(prompts):
        assert [index for q, _, index in made if q == prompt] == list(range(prompts.count(prompt)))


def test_an_index_column_is_taken_as_it_is(tmp_path: Path) -> None:
    path = write(tmp_path, [{"q": "x", "a": 1, "c": "t", "i": 5}, {"q": "x", "a": 1, "c": "t", "i": "0"}])
    map = mapped(INLINE, {"generator": "m", "completion": "c", "index": "i"})
    assert indices(importing.rows(path, map, tmp_path)) == [("x", "m", 5), ("x", "m", 0)]


def test_all_formats_give_the_same_samples(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"q": "x", "a": "1", "c": "t,\n", "i": 3},
        {"q": "y", "a": "2", "c": "u", "i": 4},
    ]
    write(tmp_path, rows)
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "f.parquet")
    (tmp_path / "f.csv").write_text('q,a,c,i\nx,1,"t,\n",3\ny,2,u,4\n')
    map = mapped(INLINE, {"generator": "m", "completion": "c", "index": "i"})
    made = [
        [
            (row.problem.problem_id, row.sample_index, row.completion)
            for row in importing.rows(tmp_path / name, map, tmp_path)
            if isinstance(row, ImportedRow)
        ]
        for name in ("f.jsonl", "f.parquet", "f.csv")
    ]
    assert made[0] == made[1] == made[2]
    assert len(made[0]) == 2


# --- joined problems ---------------------------------------------------------------------------------


def joined(path: str = "p.jsonl") -> dict[str, object]:
    source = {"source": "file", "path": path, "columns": {"prompt": "q", "answer": "a"}, "name": "known"}
    return {"join": {"source": source, "on": "question"}}


def test_rows_are_joined_by_the_prompt(tmp_path: Path) -> None:
    write(tmp_path, [{"q": " x? ", "a": 1}, {"q": "y?", "a": 2}], "p.jsonl")
    path = write(tmp_path, [{"question": "y?\n", "c": "t"}, {"question": "x?", "c": "u"}])
    map = mapped(joined(), {"generator": "m", "completion": "c"})
    made = list(importing.rows(path, map, tmp_path))
    assert [row.problem.answer for row in made if isinstance(row, ImportedRow)] == ["2", "1"]
    assert [row.problem.source for row in made if isinstance(row, ImportedRow)] == ["file:known"] * 2
    assert [row.problem.prompt for row in made if isinstance(row, ImportedRow)] == ["y?", " x? "]


def test_an_unknown_prompt_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, [{"q": "x?", "a": 1}], "p.jsonl")
    path = write(tmp_path, [{"question": "x?", "c": "t"}, {"question": "z?", "c": "t"}])
    before, message = refused(path, mapped(joined(), {"generator": "m", "completion": "c"}))
    assert len(before) == 1
    assert (
        f"{path}:2: the prompt 'z?' in column 'question' is none of the 1 of problem source 'file'" in message
    )


def test_a_prompt_with_two_answers_is_an_error_only_where_it_is_used(tmp_path: Path) -> None:
    write(
        tmp_path,
        [{"q": "x?", "a": 1}, {"q": "x?", "a": 2}, {"q": "y?", "a": 2}, {"q": "y?", "a": 2}],
        "p.jsonl",
    )
    path = write(tmp_path, [{"question": "y?", "c": "t"}, {"question": "x?", "c": "t"}])
    before, message = refused(path, mapped(joined(), {"generator": "m", "completion": "c"}))
    assert len(before) == 1
    assert f"{path}:2: two problems of source 'file' have the prompt 'x?' and different answers" in message


def test_errors_of_the_joined_source_come_first(tmp_path: Path) -> None:
    path = write(tmp_path, [{"question": "x?", "c": "t"}])
    before, message = refused(path, mapped(joined("none.jsonl"), {"generator": "m", "completion": "c"}))
    assert before == []
    assert "none.jsonl: there is no such file" in message


def test_the_published_model_solutions() -> None:
    folder = os.environ.get("FACTORY_TEST_DATA")
    if not folder:
        pytest.skip("FACTORY_TEST_DATA is not set")
    names = ["6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification"]
    entries: list[dict[str, object]] = [
        {"generator": name, "completion": f"{name}.solution", "keep": [f"{name}.is_correct"]}
        for name in names
    ]
    source = {"source": "gsm8k", "path": "test.jsonl", "split": "test"}
    map = mapped({"join": {"source": source, "on": "question"}}, *entries)
    base = Path(folder) / "gsm8k"
    made = list(importing.rows(base / "example_model_solutions.jsonl", map, base))
    assert len(made) == 4 * 1319
    rows = [row for row in made if isinstance(row, ImportedRow)]
    assert sum(row.extra == f'{{"{row.generator}.is_correct":true}}' for row in rows) == 2001
    assert {row.sample_index for row in rows} == {0}
    assert rows[0].problem.answer == "18"


# --- what does not fit -------------------------------------------------------------------------------

M = {"generator": "m", "completion": "c"}
GOOD: dict[str, object] = {"q": "x", "a": 1, "c": "t", "i": 0}
BAD: list[tuple[list[dict[str, object]], dict[str, object], int, str]] = [
    (
        [GOOD, GOOD],
        M | {"completion": "C.d"},
        0,
        "f.jsonl: in no row: there is no column 'C.d'; the columns are a, c,",
    ),
    ([{"s": {"text": "t"}} | GOOD], M | {"completion": "s.txt"}, 0, "did you mean 's.text'?"),
    ([GOOD], M | {"keep": ["k"]}, 0, "f.jsonl: in no row: there is no column 'k'"),
    ([GOOD], M | {"index": "n"}, 0, "f.jsonl: in no row: there is no column 'n'"),
    (
        [GOOD, GOOD | {"c": None}],
        M,
        1,
        "f.jsonl:2: there is no completion at 'c' for generator 'm'; fill it, or",
    ),
    (
        [GOOD, {"q": "x", "a": 1}],
        M,
        1,
        "f.jsonl:2: there is no completion at 'c' for generator 'm'; fill it, or",
    ),
    ([GOOD, GOOD | {"c": ["t"]}], M, 1, "f.jsonl:2: column 'c' is of type list; a completion is text"),
    ([GOOD, GOOD | {"c": 42}], M, 1, "f.jsonl:2: column 'c' is of type int; a completion is text"),
    ([GOOD, GOOD | {"q": " "}], M, 1, "f.jsonl:2: column 'q' is empty"),
    ([GOOD, {"q": "x", "c": "t"}], M, 1, "f.jsonl:2: there is no column 'a'; the columns are c, q"),
    (
        [GOOD, GOOD | {"i": -1}],
        M | {"index": "i"},
        1,
        "f.jsonl:2: column 'i' is '-1'; a sample index is a whole",
    ),
    (
        [GOOD, GOOD | {"i": 1.0}],
        M | {"index": "i"},
        1,
        "f.jsonl:2: column 'i' is '1.0'; a sample index is a whole",
    ),
    (
        [GOOD | {"i": 2**31}],
        M | {"index": "i"},
        0,
        "f.jsonl:1: column 'i' is '2147483648'; a sample index is",
    ),
    (
        [GOOD, GOOD | {"i": None}],
        M | {"index": "i"},
        1,
        "f.jsonl:2: column 'i' is ''; a sample index is a whole",
    ),
    (
        [GOOD | {"i": True}],
        M | {"index": "i"},
        0,
        "f.jsonl:1: column 'i' is 'true'; a sample index is a whole",
    ),
    ([], M, 0, "f.jsonl: has no rows to import"),
]


@pytest.mark.parametrize(("rows", "entry", "before", "told"), BAD, ids=[case[3][:60] for case in BAD])
def test_bad_rows(
    tmp_path: Path, rows: list[dict[str, object]], entry: dict[str, object], before: int, told: str
) -> None:
    made, message = refused(write(tmp_path, rows), mapped(INLINE, entry))
    assert told in message
    assert len(made) == before


def test_skipping_is_marked_and_counts_no_index(tmp_path: Path) -> None:
    path = write(tmp_path, [GOOD | {"c": None}, GOOD, {"q": "x", "a": 1}, GOOD])
    made = list(importing.rows(path, mapped(INLINE, M, missing="skip"), tmp_path))
    assert [row for row in made if isinstance(row, Skipped)] == [
        Skipped(f"{path}:1", "m"),
        Skipped(f"{path}:3", "m"),
    ]
    assert indices(made) == [("x", "m", 0), ("x", "m", 1)]


def test_skipping_does_not_hide_a_bad_map(tmp_path: Path) -> None:
    before, message = refused(
        write(tmp_path, [GOOD] * 3), mapped(INLINE, M | {"completion": "cc"}, missing="skip")
    )
    assert before == []
    assert "f.jsonl: in no row: there is no column 'cc'" in message


def test_parquet_columns_are_checked_in_the_schema(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist([GOOD | {"c": {"text": "t"}}]), tmp_path / "f.parquet")
    before, message = refused(tmp_path / "f.parquet", mapped(INLINE, M | {"completion": "c.txt"}))
    assert before == []
    assert (
        "f.parquet: there is no column 'c.txt'; the columns are a, c.text, i, q; did you mean 'c.text'?"
        in message
    )


def test_memory_does_not_grow_with_the_completions(tmp_path: Path) -> None:
    path = write(tmp_path, ({"q": f"q{at % 10}", "a": 1, "c": "t" * 2000, "at": at} for at in range(5000)))
    tracemalloc.start()
    try:
        count = sum(1 for _ in importing.rows(path, mapped(INLINE, M), tmp_path))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 5000
    assert peak < 1_000_000  # the file has 10 MB
