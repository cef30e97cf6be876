"""Building a release: bytes, digests, shards, and what a reader of the files finds."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.records import VIEWS
from factory.release import build, card, manifest
from factory.release.build import ContentDigest, View, write_view

SFT = VIEWS["sft"]


def row(index: int, completion: str = "4") -> dict[str, Any]:
    return {
        "prompt": f"what is {index}?",
        "completion": completion,
        "sample_id": f"s{index:06d}",
        "problem_id": f"p{index}",
        "source": "x",
        "generator": "g",
    }


def stream(rows: list[dict[str, Any]], size: int) -> Iterator[pa.RecordBatch]:
    return iter(pa.Table.from_pylist(rows, schema=SFT).to_batches(max_chunksize=size))


def view(rows: list[dict[str, Any]], size: int = 1000, split: str = "train") -> View:
    return View("sft", SFT, {split: lambda: stream(rows, size)})


def test_bytes_do_not_depend_on_how_the_rows_arrive(tmp_path: Path) -> None:
    rows = [row(index) for index in range(45_000)]
    first = write_view(tmp_path / "a", view(rows, 777))
    second = write_view(tmp_path / "b", view(rows, 10_000))
    assert first == second
    assert pq.read_metadata(tmp_path / "a" / first.files[0]["path"]).num_row_groups == 3


def test_files_are_named_counted_and_hashed(tmp_path: Path) -> None:
    written = write_view(tmp_path, view([row(0), row(1)], split="test"))
    (file,) = written.files
    assert file["path"] == "data/sft/test-00000-of-00001.parquet"
    assert (file["rows"], written.rows) == (2, 2)
    assert file["sha256"] == build.file_digest(tmp_path / file["path"])
    assert pq.read_table(tmp_path / file["path"]).schema.equals(SFT)


def test_large_views_are_cut_into_numbered_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "SHARD_BYTES", 1000)
    written = write_view(tmp_path, view([row(index) for index in range(50_000)]))
    assert [file["rows"] for file in written.files] == [20_000, 20_000, 10_000]
    assert written.files[2]["path"].endswith("train-00002-of-00003.parquet")


def test_a_view_without_rows_writes_no_file(tmp_path: Path) -> None:
    written = write_view(tmp_path, view([]))
    assert (written.files, written.rows) == ((), 0)
    assert list(tmp_path.rglob("*.parquet")) == []


@given(st.permutations(range(8)), st.integers(1, 8))
@settings(max_examples=30)
def test_the_content_digest_ignores_order_and_batches(order: list[int], size: int) -> None:
    def digest(rows: list[dict[str, Any]], step: int) -> str:
        made = ContentDigest()
        for start in range(0, len(rows), step):
            made.update(pa.Table.from_pylist(rows[start : start + step], schema=SFT))
        return made.hexdigest()

    rows = [row(index) for index in range(8)]
    assert digest([rows[index] for index in order], size) == digest(rows, 8)
    assert digest([*rows[:7], row(7, "5")], 8) != digest(rows, 8)
    assert digest([*rows, rows[0]], 9) != digest(rows, 8)


def test_the_content_digest_leaves_out_the_act_of_sampling() -> None:
    digests = set()
    for seconds, run_id in ((0.5, "a"), (7.0, "b")):
        made = ContentDigest()
        made.update(pa.table({"sample_id": ["s"], "seconds": [seconds], "run_id": [run_id]}))
        digests.add(made.hexdigest())
    assert len(digests) == 1


def a_manifest(**changes: Any) -> dict[str, Any]:
    recipe = {"name": "tiny", "version": "1.0.0", "select": {"seed": 0}} | changes.pop("recipe", {})
    written = build.Written(
        "sft",
        ({"path": "data/sft/train-00000-of-00001.parquet", "config": "sft", "split": "train"},),
        changes.pop("rows", 2),
        changes.pop("digest", "d"),
    )
    lock = {
        "generators": {"g": {"generator_id": "1", "engine": "replay", "model": None}},
        "verifiers": [{"verifier": "math@1", "options": {}}],
        "packages": changes.pop("packages", {}),
    }
    counts = {"selection": {"kept": 2, "wrong": changes.pop("wrong", 1)}}
    return manifest.make(recipe=recipe, lock=lock, counts=counts, schemas=VIEWS, written=[written])


def test_equal_content_has_no_differences_whatever_the_packages() -> None:
    assert manifest.differences(a_manifest(), a_manifest(packages={"pyarrow": "99"})) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"recipe": {"select": {"seed": 1}}}, "recipe.select.seed: 0 released, 1 now"),
        ({"rows": 3, "digest": "e"}, "config sft: 2 rows released, 3 now"),
        ({"digest": "e"}, "config sft: other content"),
        ({"digest": "e", "wrong": 5}, "counts.selection.wrong: 1 released, 5 now"),
    ],
)
def test_differences_are_said_in_words(changes: dict[str, Any], said: str) -> None:
    assert said in manifest.differences(a_manifest(), a_manifest(**changes))


def test_the_card_carries_the_version_in_every_config() -> None:
    text = card.make(
        a_manifest(), {"pass@1": {"value": 0.5, "low": 0.4, "high": 0.6, "n_problems": 9}}, "mit"
    )
    front = yaml.safe_load(text.split("---\n")[1])
    assert front["configs"][0]["version"] == "1.0.0"
    assert front["configs"][0]["data_files"] == [{"split": "train", "path": "data/sft/train-*.parquet"}]
    assert front["license"] == "mit"
    assert "| pass@1 | 0.500 | 0.400 to 0.600 | 9 |" in text


LOAD = """
import sys
from datasets import load_dataset
data = load_dataset(sys.argv[1], "sft")
print(data["train"].num_rows, data["train"].info.version, data["train"].column_names[:2])
"""


def test_load_dataset_reads_a_release_and_tells_its_version(tmp_path: Path) -> None:
    folder = tmp_path / "tiny@1.0.0"
    written = write_view(folder, view([row(0), row(1)]))
    content = manifest.make(
        recipe={"name": "tiny", "version": "1.0.0"},
        lock={"generators": {}, "verifiers": [], "packages": {}},
        counts={},
        schemas=VIEWS,
        written=[written],
    )
    (folder / "README.md").write_text(card.make(content, {}, None))
    # A home of its own: the cache goes by the folder's last name and would serve another test's rows.
    environment = os.environ | {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(folder)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "2 1.0.0 ['prompt', 'completion']"
