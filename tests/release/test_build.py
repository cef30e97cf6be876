"""Building a release: bytes, row groups, files, what a draft leaves behind, and what a loader finds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory import configs
from factory.release import build, manifest
from factory.release.build import View, finish, write_view
from factory.store import Store

SCHEMA = pa.schema([*configs.schema("sft"), configs.schema("samples").field("path")])
MARKS = {"factory.release": "tiny@1.0.0", "factory.release_id": "ab" * 32}


def row(index: int, completion: str = "4") -> dict[str, Any]:
    return {
        "prompt": f"what is {index}?",
        "completion": completion,
        "sample_id": f"s{index:06d}",
        "problem_id": f"p{index}",
        "source": "x",
        "generator": "g",
        "path": None if index % 3 else f"{index:016x}",
    }


def view(rows: list[dict[str, Any]], size: int = 1000, split: str = "train", *, fails: int = 0) -> View:
    """`fails` is the number of the batch at which reading breaks off, from 1."""

    def stream() -> Iterator[pa.RecordBatch]:
        batches = pa.Table.from_pylist(rows, schema=SCHEMA).to_batches(max_chunksize=size)
        for number, batch in enumerate(batches, start=1):
            if number == fails:
                raise OSError("the disk is gone")
            yield batch

    return View("sft", SCHEMA, {split: stream}, len(rows))


def built(folder: Path, what: View, marks: dict[str, str] = MARKS) -> list[dict[str, Any]]:
    return finish(folder, write_view(folder, what), marks)


def groups(path: Path) -> list[int]:
    read = pq.read_metadata(path)
    return [read.row_group(number).num_rows for number in range(read.num_row_groups)]


# --- bytes, row groups, files ------------------------------------------------------------------------


@given(st.lists(st.integers(0, 400), min_size=1, max_size=60), st.integers(1, 60), st.integers(1, 60))
@settings(max_examples=25)
def test_nothing_depends_on_how_the_rows_arrive(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], one: int, other: int
) -> None:
    rows = [row(index, "x" * length) for index, length in enumerate(lengths)]
    folder = tmp_path_factory.mktemp("built")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "GROUP_BYTES", 1000)
        patch.setattr(build, "ANCHOR", 4)
        patch.setattr(build, "SHARD_BYTES", 4000)
        files = [built(folder / name, view(rows, size)) for name, size in (("a", one), ("b", other))]
    assert files[0] == files[1]
    shutil.rmtree(folder)


def test_row_groups_hold_so_many_bytes_however_long_the_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "GROUP_BYTES", 100_000)
    lengths = [64_000] * 5 + [10] * 3000 + [500_000] * 2
    files = built(tmp_path, view([row(index, "x" * length) for index, length in enumerate(lengths)], 700))
    read = pq.read_table(tmp_path / files[0]["path"])
    assert read["completion"].to_pylist() == ["x" * length for length in lengths], "order and texts are kept"
    sizes = [read.slice(sum(groups(tmp_path / files[0]["path"])[:n]), count).nbytes
             for n, count in enumerate(groups(tmp_path / files[0]["path"]))]  # fmt: skip
    assert max(sizes[:-3]) < 100_000 + 2 * 64_000
    assert groups(tmp_path / files[0]["path"])[:2] == [2, 2]


def test_a_row_more_moves_no_later_end_of_a_row_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "GROUP_BYTES", 20_000)
    monkeypatch.setattr(build, "ANCHOR", 32)
    rows = [row(index) for index in range(5000)]
    ends = []
    for name, more in (("a", []), ("b", [row(9_999_999, "one row more")])):
        (file,) = built(tmp_path / name, view([*rows[:10], *more, *rows[10:]]))
        read = pq.ParquetFile(tmp_path / name / file["path"])
        ends.append([read.read_row_group(n)["sample_id"][-1].as_py() for n in range(read.num_row_groups)])
    assert len(ends[0]) > 5
    assert ends[0] == ends[1]


def test_row_bytes_count_texts_conversations_and_numbers() -> None:
    said = [{"role": "user", "content": "né"}, {"role": "", "content": ""}]
    table = pa.table(
        {
            "text": pa.array(["", None, "né"]),
            "number": pa.array([1, None, 3], pa.int32()),
            "said": pa.array([said, None, []], configs.MESSAGES),
        }
    )
    assert build._row_bytes(table).tolist() == [0 + 8 + 7, 8, 3 + 8]
    assert build._row_bytes(table.slice(1)).tolist() == [8, 3 + 8]


def test_files_are_named_counted_marked_and_hashed(tmp_path: Path) -> None:
    (file,) = built(tmp_path, view([row(0), row(1)], split="test"))
    path = tmp_path / file["path"]
    assert file["path"] == "data/sft/test-00000-of-00001.parquet"
    assert (file["config"], file["split"], file["rows"]) == ("sft", "test", 2)
    assert (file["bytes"], file["sha256"]) == (path.stat().st_size, build.file_digest(path))
    assert pq.read_table(path).schema.equals(SCHEMA)
    metadata = pq.read_metadata(path)
    assert {key.decode(): value.decode() for key, value in metadata.metadata.items()}.items() >= MARKS.items()
    assert metadata.row_group(0).column(0).compression == "ZSTD"
    assert metadata.row_group(0).column(0).has_offset_index, "viewers seek by the page index"


def test_the_mark_is_all_that_it_changes(tmp_path: Path) -> None:
    marked, plain = (
        built(tmp_path / name, view([row(0)]), marks)[0] for name, marks in (("a", MARKS), ("b", {}))
    )
    assert marked["sha256"] != plain["sha256"]
    assert "factory.release_id" not in str(pq.read_metadata(tmp_path / "b" / plain["path"]).metadata)


def test_large_views_are_cut_into_numbered_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "GROUP_BYTES", 20_000)
    monkeypatch.setattr(build, "SHARD_BYTES", 100_000)
    rows = [row(index) for index in range(5000)]
    files = built(tmp_path, view(rows))
    assert len(files) > 1
    assert sum(file["rows"] for file in files) == 5000
    names = [f"train-{number:05d}-of-{len(files):05d}.parquet" for number in range(len(files))]
    assert sorted(path.name for path in (tmp_path / "data" / "sft").iterdir()) == names
    read = [one for file in files for one in pq.read_table(tmp_path / file["path"])["sample_id"].to_pylist()]
    assert read == [one["sample_id"] for one in rows]


def test_a_view_without_rows_writes_no_file(tmp_path: Path) -> None:
    written = write_view(tmp_path, view([]))
    assert (written.shards, written.rows) == ({}, 0)
    assert finish(tmp_path, written, MARKS) == []
    assert list(tmp_path.rglob("*")) == []


def test_a_draft_that_breaks_off_never_takes_the_name(tmp_path: Path) -> None:
    folder = tmp_path / "tiny@1.0.0"
    draft = build.draft(folder)
    with pytest.raises(OSError, match="the disk is gone"):
        write_view(draft, view([row(index) for index in range(50)], 10, fails=4))
    assert not folder.exists()
    again = build.draft(folder)
    assert list(again.iterdir()) == [], "what was left of the first draft is gone"
    files = built(again, view([row(0)]))
    build.put_in_place(again, folder)
    assert [path.relative_to(folder).as_posix() for path in folder.rglob("*.parquet")] == [files[0]["path"]]
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_released_files_are_read_only_and_whole_folders_can_be_removed(tmp_path: Path) -> None:
    folder = tmp_path / "releases" / "tiny@1.0.0"
    draft = build.draft(folder)
    built(draft, view([row(0)]))
    (draft / "README.md").write_text("tiny")
    build.put_in_place(draft, folder)
    modes = {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()}
    assert modes == {0o444}
    if os.geteuid():
        with pytest.raises(PermissionError):
            (folder / "README.md").write_text("other")
    shutil.rmtree(folder)
    folder.with_name(".tmp-tiny@1.0.0").mkdir()
    (folder.with_name(".tmp-tiny@1.0.0") / "left").write_text("x")
    (folder.with_name(".tmp-tiny@1.0.0") / "left").chmod(0o444)
    with Store(tmp_path).lock("test"):
        assert list(folder.parent.iterdir()) == [], "the writer's sweep takes read-only files too"


# --- manifest ----------------------------------------------------------------------------------------


def a_manifest(**changes: Any) -> dict[str, Any]:
    recipe = {"name": "tiny", "version": "1.0.0", "select": {"seed": 0}} | changes.pop("recipe", {})
    rows = changes.pop("rows", 2)
    shards = {"train": [build.Shard(Path("x"), None, rows)]}
    written = [
        build.Open(
            "sft", changes.pop("schema", configs.schema("sft")), shards, rows, changes.pop("digest", "d")
        ),
        build.Open("preference", configs.schema("preference"), {}, 0, "e"),
    ]
    lock = {
        "generators": {
            "g": {"generator_id": changes.pop("generator", "1"), "engine": "replay", "model": None}
        },
        "verifiers": [{"verifier": "math@1", "options": {}}],
    }
    packages = changes.pop("packages", {})
    counts = {"selection": {"kept": 2, "wrong": changes.pop("wrong", 1)}}
    assert not changes
    return manifest.make(recipe=recipe, lock=lock, packages=packages, counts=counts, written=written)


def test_a_config_without_rows_is_named_with_its_reason() -> None:
    made = a_manifest()
    assert set(made["configs"]) == {"sft"}
    assert made["left_out"] == {"preference": "no problem has a kept and a failed sample"}


def test_the_release_id_is_of_what_a_release_is_and_not_of_how_it_was_written() -> None:
    first = a_manifest()["release_id"]
    assert len(first) == 64
    assert a_manifest(packages={"pyarrow": "99"})["release_id"] == first
    changed: list[dict[str, Any]] = [
        {"digest": "f"},
        {"recipe": {"version": "1.0.1"}},
        {"recipe": {"name": "other"}},
        {"generator": "2"},
    ]
    others = {a_manifest(**change)["release_id"] for change in changed}
    assert len(others | {first}) == 1 + len(changed)


def test_equal_content_has_no_differences_whatever_the_packages() -> None:
    assert manifest.differences(a_manifest(), a_manifest(packages={"pyarrow": "99"})) == []


def wider() -> pa.Schema:
    """The columns of `sft` with another width of one, which changes no content digest."""
    first, *others = configs.schema("sft")
    return pa.schema([first.with_type(pa.large_string()), *others])


def test_no_id_changes_without_a_word_on_it() -> None:
    forged = a_manifest() | {"release_id": "0" * 64}
    (line,) = manifest.differences(forged, a_manifest())
    assert line.startswith('release_id: "0000')


def test_a_type_is_told_in_words_of_our_own() -> None:
    told = manifest.describe(configs.schema("sft", "messages"))[0]["type"]
    assert told == "list<item: struct<role: string, content: string>>"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"recipe": {"select": {"seed": 1}}}, "recipe.select.seed: 0 released, 1 now"),
        ({"rows": 3, "digest": "e"}, "config sft: 2 rows released, 3 now"),
        ({"digest": "e"}, "config sft: other content"),
        ({"digest": "e", "wrong": 5}, "counts.selection.wrong: 1 released, 5 now"),
        ({"generator": "2"}, 'lock.generators.g.generator_id: "1" released, "2" now'),
        ({"schema": wider()}, 'config sft: schema.0.type: "string" released, "large_string" now'),
    ],
)
def test_differences_are_said_in_words(changes: dict[str, Any], said: str) -> None:
    assert said in manifest.differences(a_manifest(), a_manifest(**changes))


# --- a loader ----------------------------------------------------------------------------------------

LOAD = """
import sys
from datasets import load_dataset
data = load_dataset("parquet", data_files={"train": sys.argv[1] + "/data/sft/train-*.parquet"})
print(data["train"].num_rows, data["train"].column_names[:2])
"""


def test_datasets_reads_the_files(tmp_path: Path) -> None:
    built(tmp_path, view([row(0), row(1)]))
    environment = os.environ | {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(tmp_path)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "2 ['prompt', 'completion']"
