"""The rows of each config: which they are, in which split, and that they are views of the same facts."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from factory import checking, configs, intake, pipeline
from factory.errors import CheckFailed, UsageError
from factory.progress import Silent
from factory.recipe import load
from factory.store import Store
from tests.support import releases

pytestmark = pytest.mark.usefixtures("kept_servers")

Row = dict[str, Any]
Make = Callable[..., Path]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("formats")


@pytest.fixture(scope="module")
def store(place: Path) -> Store:
    return releases.make_store(place)


@pytest.fixture(scope="module")
def make(place: Path, store: Store) -> Make:
    """Make a release of the store; equal arguments make it once."""
    made: dict[str, Path] = {}

    def release(more: str = "", version: str = "", **arguments: Any) -> Path:
        key = json.dumps([more, version, sorted(arguments.items())])
        if key not in made:
            made[key] = releases.release(
                place, store, version or f"{len(made) + 1}.0.0", more=more, **arguments
            )
        return made[key]

    return release


def manifest_of(release: Path) -> Row:
    content: Row = json.loads((release / "manifest.json").read_text())
    return content


def rows(release: Path, config: str, split: str = "*") -> list[Row]:
    files = sorted((release / "data" / config).glob(f"{split}-*.parquet"))
    return [row for file in files for row in pq.ParquetFile(file).read().to_pylist()]


def samples(release: Path) -> dict[str, Row]:
    return {row["sample_id"]: row for row in rows(release, "samples")}


PAIRED = {
    "order": "",
    "length": "  preference: {pairing: length, per_problem: 2}\n  kto: {wrong_per_problem: 1}\n"
    "  splits: {test: 0.3, validation: 0.2}\n",
    "similar": "  preference: {pairing: similar, per_problem: 2}\n",
}
"""What is added to the recipe, by pairing; all are made of 8 draws."""

LIMITS = {"order": 4, "length": 2, "similar": 2}


# --- the configs -------------------------------------------------------------------------------------


def test_every_config_has_its_columns_in_both_forms(make: Make) -> None:
    for form, more in (("text", ""), ("messages", "  form: messages\n")):
        release = make(more)
        shown = manifest_of(release)["configs"]
        assert tuple(shown) == tuple(sorted(configs.CONFIGS)), "every config has rows here"
        for config in configs.CONFIGS:
            for file in (release / "data" / config).iterdir():
                assert pq.read_schema(file).equals(configs.schema(config, form)), config  # type: ignore[arg-type]


def test_both_forms_say_the_same(make: Make) -> None:
    text, messages = make(), make("  form: messages\n")
    for config in ("sft", "preference", "kto", "rewards"):
        told, said = rows(text, config), rows(messages, config)
        assert len(told) == len(said) > 0
        for one, other in zip(told, said, strict=True):
            if config == "sft":
                assert [(m["role"], m["content"]) for m in other["messages"]] == [
                    ("user", one["prompt"]), ("assistant", one["completion"])
                ]  # fmt: skip
                continue
            for name in {"prompt", "completion", "chosen", "rejected"} & one.keys():
                role = "user" if name == "prompt" else "assistant"
                assert other[name] == [{"role": role, "content": one[name]}], (config, name)


def test_samples_shows_every_sample_with_its_verdict_and_reason(make: Make) -> None:
    release = make()
    found, counts = samples(release), manifest_of(release)["counts"]
    assert len(found) == counts["samples"]["present"]
    assert Counter(row["status"] for row in found.values()) == counts["verdicts"]
    assert Counter(row["reason"] for row in found.values()) == counts["selection"]
    assert all(row["verdict_reason"] for row in found.values())
    assert {row["sample_id"] for row in rows(release, "sft")} == {
        k for k, row in found.items() if row["kept"]
    }


@pytest.mark.parametrize("pairing", PAIRED)
def test_pairs_are_a_kept_and_a_failed_sample_of_one_problem(make: Make, pairing: str) -> None:
    release, limit = make(PAIRED[pairing], samples=8), LIMITS[pairing]
    found, pairs = samples(release), rows(release, "preference")
    for pair in pairs:
        chosen, rejected = found[pair["chosen_id"]], found[pair["rejected_id"]]
        assert (chosen["kept"], rejected["status"]) == (True, "fail"), "no_answer is evidence of nothing"
        assert chosen["problem_id"] == rejected["problem_id"] == pair["problem_id"]
        assert (chosen["completion"], rejected["completion"]) == (pair["chosen"], pair["rejected"])
        assert chosen["generator"] == pair["chosen_generator"]
    used = [pair[side] for pair in pairs for side in ("chosen_id", "rejected_id")]
    assert len(set(used)) == len(used) > 0, "each sample stands in one pair at most"
    kept = Counter(row["problem_id"] for row in found.values() if row["kept"])
    failed = Counter(row["problem_id"] for row in found.values() if row["status"] == "fail")
    expected = {problem: min(limit, kept[problem], failed[problem]) for problem in kept}
    per_problem = Counter(pair["problem_id"] for pair in pairs)
    assert per_problem == {problem: number for problem, number in expected.items() if number}


def test_the_pairings_differ_in_what_they_hold_small(make: Make) -> None:
    apart = {}
    for pairing, more in PAIRED.items():
        first: dict[str, int] = {}
        for pair in rows(make(more, samples=8), "preference"):
            first.setdefault(pair["problem_id"], abs(len(pair["chosen"]) - len(pair["rejected"])))
        apart[pairing] = sum(first.values())
    assert apart["length"] < apart["order"], "the first pair of each problem"
    assert apart["similar"] < apart["order"]


def test_kto_labels_kept_and_failed_samples(make: Make) -> None:
    release = make(PAIRED["length"], samples=8)
    found, told = samples(release), rows(release, "kto")
    for row in told:
        sample = found[row["sample_id"]]
        assert (sample["kept"], sample["status"]) == ((True, "pass") if row["label"] else (False, "fail"))
    wrong = Counter(row["problem_id"] for row in told if not row["label"])
    assert set(wrong.values()) == {1}, "wrong_per_problem is 1"
    assert sum(row["label"] for row in told) == manifest_of(release)["counts"]["selection"]["kept"]
    everything = rows(make(PAIRED["order"], samples=8), "kto")
    failed = sum(row["status"] == "fail" for row in found.values())
    assert sum(not row["label"] for row in everything) == failed > sum(wrong.values())


def test_rewards_have_one_row_a_problem_with_its_solve_rate(make: Make) -> None:
    release = make()
    found, told = samples(release), rows(release, "rewards")
    assert len({row["problem_id"] for row in told}) == len(told) == releases.PROBLEMS
    for row in told:
        of = [one for one in found.values() if one["problem_id"] == row["problem_id"]]
        assert row["samples"] == len(of)
        assert row["correct"] == sum(one["correct"] for one in of)


def nobody_is_right(root: Path) -> Store:
    """A store of four problems with one wrong completion each."""
    store = Store(root / "store")
    releases.write_inputs(root, problems=4, samples=1)
    wrong = [
        releases.problem(number) | {"strong": "The answer is 1.", "weak": "Who knows?"} for number in range(4)
    ]
    (root / "solutions.jsonl").write_text("".join(json.dumps(one) + "\n" for one in wrong))
    intake.bring_in(
        root / "solutions.jsonl", root / "solutions.map.yaml", (), store, Silent(), command="test"
    )
    return store


def test_a_config_without_rows_is_left_out_with_its_reason(tmp_path: Path) -> None:
    store = nobody_is_right(tmp_path)
    with pytest.raises(CheckFailed) as refused:
        releases.release(tmp_path, store, samples=1, configs="sft, preference")
    assert (
        "sums@1.0.0: there is nothing to release: sft (no sample is kept), preference (no problem has a kept "
        "and a failed sample). Samples and verdicts are kept"
    ) in str(refused.value)
    assert list(store.releases.glob("*")) == []
    release = releases.release(tmp_path, store, samples=1)
    shown = manifest_of(release)
    assert shown["left_out"] == {config: configs.EMPTY[config] for config in ("sft", "preference")}
    assert "`sft` is left out: no sample is kept." in (release / "README.md").read_text()
    assert set(shown["configs"]) == {"kto", "rewards", "samples", "problems"}
    assert [row["label"] for row in rows(release, "kto")] == [False] * 4
    assert sorted(path.name for path in (release / "data").iterdir()) == sorted(shown["configs"])


# --- splits ------------------------------------------------------------------------------------------


def test_a_split_divides_no_group_and_holds_all_configs_alike(make: Make) -> None:
    release = make(PAIRED["length"], samples=8)
    groups: dict[str, set[str]] = {}
    split_of: dict[str, str] = {}
    for split in ("train", "validation", "test"):
        for row in rows(release, "problems", split):
            groups.setdefault(row["group_id"], set()).add(split)
            split_of[row["problem_id"]] = split
    assert all(len(splits) == 1 for splits in groups.values()), groups
    assert len(set(split_of.values())) > 1
    for config in configs.CONFIGS:
        for split in ("train", "validation", "test"):
            assert {split_of[row["problem_id"]] for row in rows(release, config, split)} <= {split}
    for config, one in manifest_of(release)["configs"].items():
        assert sum(one["splits"].values()) == one["rows"] == len(rows(release, config))


def test_more_problems_move_no_other_to_another_split(tmp_path: Path) -> None:
    splits = []
    for problems in (12, 24):
        root = tmp_path / str(problems)
        store = releases.make_store(root, problems=problems, samples=1)
        release = releases.release(
            root, store, samples=1, more="  splits: {test: 0.4}\n", configs="problems, samples"
        )
        splits.append(
            {
                row["problem_id"]: split
                for split in ("train", "test")
                for row in rows(release, "problems", split)
            }
        )
    assert len(splits[1]) == 24
    assert splits[0].items() <= splits[1].items()
    assert set(splits[0].values()) == {"train", "test"}


def two_sources(version: str, second: str, more: str = "") -> str:
    """The recipe of `releases` with its problems in two files, the second with other options."""
    text = releases.recipe_text(version, 1, more, "samples, problems")
    block = text[text.index("  - source: file") : text.index("generators:")]
    other = block.replace("problems.jsonl", "more.jsonl").replace("license:", f"{second}\n    license:")
    return text.replace(block, block + other)


def test_a_group_in_two_splits_is_refused_before_anything_is_sampled(tmp_path: Path) -> None:
    store = releases.make_store(tmp_path, samples=1)
    lines = [releases.problem(number) for number in range(3, 7)]
    changed = [line | {"question": line["question"] + " Say it in digits."} for line in lines]
    again = [releases.problem(0)]
    (tmp_path / "more.jsonl").write_text("".join(json.dumps(line) + "\n" for line in [*changed, *again]))
    path = tmp_path / "recipe.yaml"
    path.write_text(two_sources("1.0.0", "split: test"))
    before = store.count("samples")
    with pytest.raises(UsageError) as refused:
        pipeline.run(load(path), store, tmp_path)
    said = str(refused.value)
    assert (
        "2 group(s) of problems stand in two splits ('g1' in test and train; 'g2' in test and train)" in said
    )
    assert "release: splits: {test: 0.05}" in said
    assert "Nothing was sampled" in said
    assert "'g0'" not in said, "a problem that repeats another is asked in the other's split alone"
    assert store.count("samples") == before
    path.write_text(two_sources("1.0.0", "split: test", "  splits: {test: 0.5}\n"))
    release = pipeline.run(load(path), store, tmp_path).release
    assert release is not None
    asked = [(row["problem_id"], row["reason"]) for row in rows(release, "problems")]
    assert Counter(reason for _, reason in asked) == {"asked": 16, "duplicate_problem": 1}
    assert len({problem for problem, reason in asked if reason == "asked"}) == 16, "no problem is asked twice"


@pytest.mark.parametrize("split", ["dev-v2", "_dev", "../../x", "all", "train[:10%]", "", "a b"])
def test_a_split_that_loaders_refuse_is_refused(tmp_path: Path, split: str) -> None:
    releases.write_inputs(tmp_path, samples=1)
    shutil.copy(tmp_path / "problems.jsonl", tmp_path / "more.jsonl")
    path = tmp_path / "recipe.yaml"
    path.write_text(two_sources("1.0.0", f"split: {json.dumps(split)}"))
    with pytest.raises(
        UsageError, match="which loaders refuse; a split's name is made of letters, digits and '_'"
    ):
        pipeline.run(load(path), Store(tmp_path / "store"), tmp_path)


# --- identity ----------------------------------------------------------------------------------------


def content(release: Path) -> dict[str, bytes]:
    return {
        path.relative_to(release).as_posix(): path.read_bytes()
        for path in release.rglob("*")
        if path.is_file()
    }


def test_the_same_store_gives_the_same_bytes_and_other_content_is_refused(place: Path, store: Store) -> None:
    first = releases.release(place, store, "90.0.0")
    before = content(first)
    shutil.rmtree(first)
    assert content(releases.release(place, store, "90.0.0")) == before
    with pytest.raises(CheckFailed, match=r"sums@90\.0\.0 is released already"):
        releases.release(place, store, "90.0.0", samples=2)
    assert content(first) == before
    assert [path.name for path in first.parent.glob(".tmp-*")] == []
    second = releases.release(place, store, "91.0.0")
    for config in configs.CONFIGS:
        same = [
            file.read_bytes() == (second / file.relative_to(first)).read_bytes()
            for file in (first / "data" / config).iterdir()
        ]
        assert all(same) == (config not in configs.MARKED), "versions share what carries no mark"


def test_another_run_in_another_order_has_the_same_release_id(tmp_path: Path) -> None:
    """Imported in another order by another run: other parts, run ids and rows' places, the same content."""
    made = []
    for name in ("a", "b"):
        root = tmp_path / name
        releases.write_inputs(root, problems=4, samples=4)
        store = Store(root / "store")
        lines = (root / "solutions.jsonl").read_text().splitlines(keepends=True)
        halves = [lines] if name == "a" else [lines[8:], lines[:8]]
        for number, half in enumerate(halves):
            (root / f"part{number}.jsonl").write_text("".join(half))
            intake.bring_in(
                root / f"part{number}.jsonl", root / "solutions.map.yaml", (), store, Silent(), command="t"
            )
        made.append(releases.release(root, store))
    runs = [{row["run_id"] for row in rows(release, "samples")} for release in made]
    assert runs[0] != runs[1]
    assert manifest_of(made[0])["release_id"] == manifest_of(made[1])["release_id"]


def test_view_files_carry_the_release_and_shared_files_do_not(make: Make) -> None:
    release = make()
    for config in configs.CONFIGS:
        for file in (release / "data" / config).iterdir():
            told = pq.read_metadata(file).metadata or {}
            expected = manifest_of(release)["release_id"].encode() if config in configs.MARKED else None
            assert told.get(b"factory.release_id") == expected, config


def test_a_problem_that_stands_twice_in_a_source_has_two_rows_and_the_release_is_whole(
    tmp_path: Path,
) -> None:
    store = releases.make_store(tmp_path, problems=3, samples=2)
    with (tmp_path / "problems.jsonl").open("a") as file:
        file.write(json.dumps(releases.problem(1)) + "\n")
    folder = releases.release(tmp_path, store, samples=2, configs="sft, samples, problems")
    found = [(row["problem_id"], row["reason"]) for row in rows(folder, "problems")]
    assert Counter(reason for _, reason in found) == {"asked": 3, "duplicate_problem": 1}
    assert len({problem for problem, _ in found}) == 3
    assert [
        one for one in checking.check_folder(folder, checking.named(folder)) if one.status == "failed"
    ] == []
