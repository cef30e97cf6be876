"""Datasets of the Hub: local folders, the commit that was read, and what is said when it cannot be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from factory import problems
from factory.errors import OutsideError, UsageError
from factory.problems import hub
from factory.recipe import Columns, Gsm8k, HubDataset

datasets = pytest.importorskip("datasets")

COMMIT, OTHER = "ab" * 20, "cd" * 20
QA = Columns(prompt="m.q", answer="a")


def source(dataset: str, **options: Any) -> HubDataset:
    return HubDataset(source="hub", dataset=dataset, columns=QA, **options)


def folder(base: Path, name: str, rows: int = 3, first: str = "q") -> Path:
    place = base / name
    place.mkdir(parents=True)
    table = pa.table(
        {
            "m": [{"q": f"{first}{at}"} for at in range(rows)],
            "a": pa.array([0.1] * rows, pa.float32()),
            "other": [[1, 2]] * rows,
        }
    )
    pq.write_table(table, place / "train.parquet")
    return place


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A Hub whose cache holds x/rel at COMMIT and nothing else, whatever revision is asked for."""
    rows = {
        "m": [{"q": "cached"}],
        "a": ["1"],
        "question": ["q"],
        "answer": ["<<1+1=2>>\n#### 2"],
    }
    place = tmp_path / "cache" / COMMIT
    place.mkdir(parents=True)
    datasets.Dataset.from_dict(rows).save_to_disk(place)
    calls = []

    def load_dataset(where: str, config: str | None, **options: Any) -> Any:
        calls.append({"where": where, "config": config, **options})
        return datasets.Dataset.from_file(str(place / "data-00000-of-00001.arrow"))

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    return calls


def test_a_local_folder_is_read_without_the_cache(tmp_path: Path) -> None:
    # Two folders of one last name: load_dataset with its cache gives the rows of the first for both.
    for name in ("x", "y"):
        folder(tmp_path, f"{name}/rel", first=name)
        made = list(problems.load(source(f"{name}/rel", license="MIT"), tmp_path))
        assert [problem.prompt for problem in made] == [f"{name}0", f"{name}1", f"{name}2"]
        assert (made[0].answer, made[0].source, made[0].license) == ("0.1", f"{name}/rel", "MIT")
        assert json.loads(made[2].origin) == {
            "dataset": f"{name}/rel",
            "config": None,
            "split": "train",
            "index": 2,
            "revision": None,
        }


def test_limit(tmp_path: Path) -> None:
    folder(tmp_path, "rel")
    assert len(list(problems.load(source("rel", limit=2), tmp_path))) == 2


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            {"split": "tset"},
            "rel: Bad split: tset. Available splits: ['train']; correct dataset, config, split",
        ),
        ({"config": "main"}, "rel: BuilderConfig 'main' not found. Available: ['default']; correct"),
        (
            {"revision": "v1.0.0"},
            "rel: is a local folder, which has no revision 'v1.0.0'; leave revision out",
        ),
    ],
)
def test_bad_names_in_a_folder(tmp_path: Path, options: dict[str, str], told: str) -> None:
    folder(tmp_path, "rel")
    with pytest.raises(UsageError) as caught:
        next(problems.load(source("rel", **options), tmp_path))
    assert told in str(caught.value)


def test_bad_columns_and_no_rows(tmp_path: Path) -> None:
    folder(tmp_path, "rel")
    wrong = HubDataset(source="hub", dataset="rel", columns=Columns(prompt="m.p"))
    with pytest.raises(
        UsageError, match=r"rel, split train: there is no column 'm\.p'; the columns are a, m\.q,"
    ):
        next(problems.load(wrong, tmp_path))
    (tmp_path / "none").mkdir()
    with pytest.raises(
        UsageError, match=r"none: The directory at .* doesn't contain any data files; correct"
    ):
        next(problems.load(source("none"), tmp_path))


def test_the_commit_that_was_read_is_recorded(tmp_path: Path, cached: list[dict[str, Any]]) -> None:
    made = next(problems.load(source("x/rel", config="c", revision=COMMIT), tmp_path))
    assert (made.prompt, json.loads(made.origin)["revision"]) == ("cached", COMMIT)
    assert cached == [{"where": "x/rel", "config": "c", "split": "train", "revision": COMMIT}]
    assert json.loads(next(problems.load(source("x/rel"), tmp_path)).origin)["revision"] == COMMIT


def test_gsm8k_from_the_hub(tmp_path: Path, cached: list[dict[str, Any]]) -> None:
    made = next(problems.load(Gsm8k(source="gsm8k", split="test"), tmp_path))
    assert (made.prompt, made.answer, made.difficulty, made.split) == ("q", "2", "1", "test")
    assert json.loads(made.origin) == {
        "dataset": "openai/gsm8k",
        "config": "main",
        "split": "test",
        "index": 0,
        "revision": COMMIT,
    }


def test_another_commit_than_asked_for_is_refused(tmp_path: Path, cached: list[dict[str, Any]]) -> None:
    stream = problems.load(source("x/rel", revision=OTHER), tmp_path)
    with pytest.raises(
        OutsideError, match=f"asked for commit {OTHER}, but only commit {COMMIT} is in the cache"
    ):
        next(stream)


def test_a_tag_is_resolved_before_loading(
    tmp_path: Path, cached: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "_commit", lambda dataset, revision: OTHER)
    with pytest.raises(OutsideError, match=f"asked for commit {OTHER}"):
        next(problems.load(source("x/rel", revision="v1.1.0"), tmp_path))
    assert cached[0]["revision"] == OTHER


def test_rows_that_name_no_commit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = datasets.Dataset.from_dict({"m": [{"q": "x"}], "a": ["1"]})
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: rows)
    with pytest.raises(OutsideError, match=r"x/rel: cannot tell which commit was read"):
        next(problems.load(source("x/rel"), tmp_path))


def test_offline_names_the_next_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: Any, **__: Any) -> None:
        raise ConnectionError("Couldn't reach 'x/rel' on the Hub (OfflineModeIsEnabled)")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    with pytest.raises(OutsideError, match=r"x/rel: cannot be loaded: Couldn't reach .*; check the network"):
        next(problems.load(source("x/rel"), tmp_path))


def test_a_storage_that_fails_is_told_without_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any, **__: Any) -> None:
        raise RuntimeError("Task error: HTTP status server error (503), domain: http://x/?Signature=secret")

    import datasets

    monkeypatch.setattr(datasets, "load_dataset", failing)
    with pytest.raises(OutsideError, match="acme/sums: cannot be downloaded: the storage") as raised:
        hub.open_split("acme/sums", None, "train", None, tmp_path)
    assert "secret" not in str(raised.value)


def test_a_tag_cannot_be_resolved_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    huggingface_hub = pytest.importorskip("huggingface_hub")
    # Nothing listens at port 9 of this machine: the request fails without leaving it.
    monkeypatch.setattr(huggingface_hub.HfApi, "__init__", _endpoint)
    with pytest.raises(
        OutsideError, match=r"x/rel: cannot ask the Hub which commit 'v1' is: .*; go online, or"
    ):
        next(problems.load(source("x/rel", revision="v1"), tmp_path))


def _endpoint(api: Any) -> None:
    api.endpoint, api.token, api.headers = "http://127.0.0.1:9", False, None
    api.library_name = api.library_version = api.user_agent = None
