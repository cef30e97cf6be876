"""A version says how much changed: the rule alone, and releases that are refused by it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory import diffing, intake
from factory.errors import CheckFailed
from factory.progress import Silent
from factory.query import sql
from factory.release import versions
from factory.store import Store
from tests.support import releases
from tests.support.planted import release, row
from tests.support.running import done, factory

pytestmark = pytest.mark.usefixtures("kept_servers")

PLAIN = "sft, samples, problems"
"""The configs a recipe has by default."""

NO_SCHEMA: Mapping[str, Any] = {"added": [], "removed": [], "retyped": {}, "described": []}


def found(config: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    entry = {"in": "both", "added": 0, "removed": 0, "changed": 0, "columns": {}, "schema": NO_SCHEMA}
    return {"configs": {"sft": entry | (config or {})}, "recipe": [], "lock": [], "licences": []} | more


VALUE = [{"path": "select.seed", "old": 0, "new": 1}]


@pytest.mark.parametrize(
    ("difference", "bump", "because"),
    [
        (found(), "none", []),
        (found({"changed": 2, "columns": {"answer": 2, "split": 1}}), "major",
         ["config sft: 2 rows changed (answer in 2, split in 1)"]),
        (found({"changed": 1, "columns": {"split": 1}}), "major", ["config sft: 1 row changed (split in 1)"]),
        (found({"removed": 1_000}), "major", ["config sft: 1,000 rows removed"]),
        (found({"in": "old", "removed": 3}), "major", ["config sft removed, with 3 rows"]),
        (found({"schema": {**NO_SCHEMA, "removed": ["rule"]}}), "major", ["config sft: column rule removed"]),
        (found({"schema": {**NO_SCHEMA, "retyped": {"rank": {"old": "int32", "new": "int64"}}}}), "major",
         ["config sft: column rank was int32 and is int64"]),
        (found({"schema": {**NO_SCHEMA, "added": ["b"], "removed": ["a"]}}), "major",
         ["config sft: column a removed", "config sft: column b added"]),
        (found({"added": 1}), "minor", ["config sft: 1 row added"]),
        (found({"in": "new", "added": 3}), "minor", ["config sft added, with 3 rows"]),
        (found({"schema": {**NO_SCHEMA, "added": ["rule"]}}), "minor", ["config sft: column rule added"]),
        (found({"added": 1}, recipe=VALUE), "minor",
         ["config sft: 1 row added", "recipe: select.seed differs"]),
        (found({"schema": {**NO_SCHEMA, "described": ["rule"]}}), "patch",
         ["config sft: rule described otherwise"]),
        (found(recipe=VALUE), "patch", ["recipe: select.seed differs"]),
        (found(lock=VALUE * 5), "patch", ["lock: select.seed, select.seed, select.seed and 2 more differ"]),
        (found(licences=VALUE), "patch", ["licences: select.seed differs"]),
        (found(documents=[{"path": "metrics.json", "change": "changed"}]), "patch",
         ["documents: metrics.json"]),
        (found(documents=[{"path": "README.md", "change": "changed"}]), "none", []),
    ],
)  # fmt: skip
def test_what_asks_for_which_bump(difference: dict[str, Any], bump: str, because: list[str]) -> None:
    assert versions.required(difference) == bump
    assert [sentence for _, sentence in versions.reasons(difference)] == because


@pytest.mark.parametrize(
    ("version", "bump", "next_", "smallest"),
    [
        ("1.2.3", "major", "2.0.0", "2.0.0"),
        ("1.2.3", "minor", "1.3.0", "1.3.0"),
        ("1.2.3", "patch", "1.2.4", "1.2.4"),
        ("1.2.3", "none", "1.2.3", "1.2.3"),
        ("9.10.99", "minor", "9.11.0", "9.11.0"),
        ("0.2.3", "major", "1.0.0", "0.3.0"),
        ("0.2.3", "minor", "0.3.0", "0.3.0"),
        ("0.2.3", "patch", "0.2.4", "0.2.4"),
    ],
)
def test_the_next_version(version: str, bump: versions.Bump, next_: str, smallest: str) -> None:
    assert versions.next(version, bump) == next_
    assert versions.smallest(version, bump) == smallest


@pytest.mark.parametrize(
    ("previous", "version", "bump", "fits"),
    [
        ("1.0.0", "1.9.9", "major", False),
        ("1.0.0", "2.0.0", "major", True),
        ("1.0.0", "10.0.0", "minor", True),
        ("1.9.0", "1.10.0", "minor", True),
        ("1.0.0", "1.0.1", "minor", False),
        ("1.0.0", "1.0.1", "patch", True),
        ("0.1.0", "0.1.1", "major", False),
        ("0.1.0", "0.2.0", "major", True),
        ("0.9.0", "1.0.0", "major", True),
        ("0.1.0", "0.1.1", "minor", False),
    ],
)
def test_whether_a_version_is_large_enough(
    previous: str, version: str, bump: versions.Bump, fits: bool
) -> None:
    assert versions.fits(previous, version, bump) is fits


number = st.integers(0, 30)
version = st.builds("{}.{}.{}".format, number, number, number)
bumps = st.sampled_from(versions.BUMPS)


@given(version, version, bumps, bumps)
def test_a_heavier_change_never_asks_for_less(previous: str, other: str, one: Any, two: Any) -> None:
    heavy, light = sorted((one, two), key=versions.BUMPS.index)
    assert versions.fits(previous, versions.next(previous, heavy), light)
    if versions.fits(previous, other, heavy):
        assert versions.fits(previous, other, light)
        assert versions.numbers(other) >= versions.numbers(versions.smallest(previous, heavy))


# --- between versions that stand ---------------------------------------------------------------------


def standing(root: Path, content: Mapping[str, list[int]]) -> Store:
    """A store with releases of `planted`, each with one row for each of the numbers."""
    store = Store(root / "store")
    for one, numbers in content.items():
        rows = [row("sft", number) for number in numbers]
        release(store.releases / f"planted@{one}", {"sft": {"train": rows}}, one)
    return store


def before(store: Store, root: Path, version: str, numbers: list[int]) -> dict[str, Any] | None:
    draft = release(root / "draft", {"sft": {"train": [row("sft", n) for n in numbers]}}, version)
    return diffing.before_release(store, draft.folder, draft.manifest, {})


@pytest.mark.parametrize(
    ("standing_", "version", "rows", "against"),
    [
        ({}, "3.1.4", [1], None),
        ({"1.0.0": [1]}, "0.9.0", [1], None),
        ({"1.0.0": [1]}, "1.1.0", [1, 2], "1.0.0"),
        ({"1.0.0": [1], "1.2.0": [1, 2], "2.0.0": [7]}, "1.2.1", [1, 2], "1.2.0"),
        ({"1.2.0": [1], "1.10.0": [1, 2]}, "1.11.0", [1, 2, 3], "1.10.0"),
        ({"1.0.0": [1], "3.0.0": [7]}, "2.0.0", [5], "1.0.0"),
        ({"1.0.0": [1], "1.2.0": [1, 2, 3]}, "1.1.0", [1, 2], "1.0.0"),
        ({"0.1.0": [1]}, "0.2.0", [2], "0.1.0"),
    ],
)
def test_a_draft_is_compared_with_the_release_just_below(
    tmp_path: Path, standing_: dict[str, list[int]], version: str, rows: list[int], against: str | None
) -> None:
    changes = before(standing(tmp_path, standing_), tmp_path, version, rows)
    assert (changes and changes["old"]["version"]) == against


@pytest.mark.parametrize(
    ("standing_", "version", "rows", "told", "allowed"),
    [
        ({"1.0.0": [1]}, "1.0.1", [1, 2], "1 row added, and that takes a minor version", "1.1.0"),
        ({"1.0.0": [1]}, "1.1.0", [2], "1 row removed, and that takes a major version", "2.0.0"),
        ({"0.1.0": [1]}, "0.1.1", [2], "1 row removed, and that takes a major version", "0.2.0"),
        ({"1.0.0": [1], "2.0.0": [7]}, "1.0.1", [1, 2], "1 row added, and that takes a minor", "3.0.0"),
        ({"1.0.0": [1], "2.0.0": [2]}, "1.5.0", [2], "1 row removed", "2.0.1"),
        ({"1.0.0": [1], "1.2.0": [1, 2]}, "1.1.0", [1, 3], "cannot stand below planted@1.2.0", "2.0.0"),
        ({"1.0.1": [1, 2]}, "1.0.0", [1], "below planted@1.0.1, .* to the other config sft: 1 row added",
         "2.0.0"),
    ],
)  # fmt: skip
def test_a_version_that_is_too_small_is_refused_and_the_smallest_told(
    tmp_path: Path,
    standing_: dict[str, list[int]],
    version: str,
    rows: list[int],
    told: str,
    allowed: str,
) -> None:
    store = standing(tmp_path, standing_)
    with pytest.raises(CheckFailed, match=told) as refused:
        before(store, tmp_path, version, rows)
    assert str(refused.value).endswith(f"write it in the recipe, or add --set version={allowed}")
    assert before(store, tmp_path / "again", allowed, rows), "what the message proposes is accepted"


@pytest.mark.parametrize(
    ("rows", "words", "allowed"),
    [
        ([1, 2, 3], "", "1.2.0"),
        ([1], "", "2.0.0"),
        ([1, 2], "Other words.", "1.1.1"),
        ([1, 2], "", "1.1.1"),
    ],
)
def test_the_smallest_version_above_all_that_stand(
    tmp_path: Path, rows: list[int], words: str, allowed: str
) -> None:
    store = standing(tmp_path, {"1.0.0": [1], "1.1.0": [1, 2]})
    content = {"sft": {"train": [row("sft", n) for n in rows]}}
    draft = release(tmp_path / "draft", content, recipe={"description": words} if words else {})
    assert diffing.allowed(store, draft.folder, draft.manifest) == allowed


def test_a_release_of_an_older_factory_is_named_with_the_way_out(tmp_path: Path) -> None:
    store = standing(tmp_path, {"1.0.0": [1]})
    path = store.releases / "planted@1.0.0" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 1}))
    with pytest.raises(CheckFailed, match=r"format: 1, expected format .*can be moved out of the store"):
        before(store, tmp_path, "1.1.0", [1])


# --- through the pipeline ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Store]:
    """sums@1.0.0 with four samples a problem and every config but `rewards`, and 1.1.0 with eight."""
    root = tmp_path_factory.mktemp("grown")
    store = releases.make_store(root)
    for version, samples in (("1.0.0", 4), ("1.1.0", 8)):
        releases.release(root, store, version, samples, configs=f"{PLAIN}, preference, kto")
    return root, store


def test_more_samples_add_rows_and_are_a_minor_version(grown: tuple[Path, Store]) -> None:
    changes = json.loads((grown[1].releases / "sums@1.1.0" / "changes.json").read_text())
    assert changes["bump"] == "minor", changes["because"]
    assert changes["old"]["version"] == "1.0.0"
    for config, entry in changes["configs"].items():
        assert (entry["removed"], entry["changed"]) == (0, 0), config
        assert (entry["added"] > 0) == (config != "problems"), config
    assert changes["recipe"] == [{"path": "budget.per_problem.samples", "old": 4, "new": 8}]


def test_a_step_too_small_makes_no_release_and_loses_nothing(grown: tuple[Path, Store]) -> None:
    root, store = grown
    listed = sorted(path for path in store.releases.rglob("*"))
    with pytest.raises(CheckFailed) as refused:
        releases.release(root, store, "1.2.0", 8, configs=PLAIN)
    assert str(refused.value).startswith(
        "sums@1.2.0 is too small a step from sums@1.1.0: config preference removed, with 24 rows; "
        "config kto removed, with 107 rows, and that takes a major version. No release was made"
    )
    assert "add --set version=2.0.0" in str(refused.value)
    assert sorted(path for path in store.releases.rglob("*")) == listed


# --- another version of a verifier -------------------------------------------------------------------


@pytest.fixture(scope="module")
def judged_anew(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Store]:
    """A store in which half of the completions give their answer as the last number, and sums@1.0.0."""
    root = tmp_path_factory.mktemp("anew")
    releases.write_inputs(root)
    path = root / "solutions.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line.replace(" The answer is ", " ") for line in lines))
    store = Store(root / "store")
    intake.bring_in(path, root / "solutions.map.yaml", (), store, Silent(), command="test")
    releases.release(root, store, configs=PLAIN)
    return root, store


STRICT = ("verify.decides={math: {last_number: false}}",)


def test_new_verdicts_of_the_same_samples_are_a_major_version(judged_anew: tuple[Path, Store]) -> None:
    root, store = judged_anew
    sampled = store.count("samples")
    made = releases.release(root, store, "2.0.0", configs=PLAIN, sets=STRICT)
    assert store.count("samples") == sampled, "nothing is sampled again"
    changes = json.loads((made / "changes.json").read_text())
    assert changes["bump"] == "major"
    assert any(one.startswith("config samples: ") and "status in" in one for one in changes["because"])
    verdicts = changes["verdicts"]
    assert verdicts["verifier"]["old"] == "math@2"
    assert verdicts["verifier"]["new"].startswith("math@2+")
    old, new = (
        {
            one["sample_id"]: one["status"]
            for one in sql.query(store, f'FROM "sums@{n}.0.0/samples"').to_pylist()
        }
        for n in (1, 2)
    )
    pairs = [(old[one], new[one]) for one in old if old[one] != new[one]]
    assert {(one["old"], one["new"]): one["samples"] for one in verdicts["flips"]} == {
        pair: pairs.count(pair) for pair in set(pairs)
    }
    assert {new for _, new in pairs} == {"no_answer"}
    assert verdicts["compared"] == len(old) == len(new)
    assert verdicts["no_longer_correct"] > 0 == verdicts["became_correct"]
    kept = next(one for one in changes["metrics"] if one["metric"] == "pass@1")
    assert kept["delta"] < 0
    assert {one["path"] for one in changes["lock"]} >= {"verifiers.0.verifier"}


def test_the_command_shows_the_flips(judged_anew: tuple[Path, Store]) -> None:
    root, store = judged_anew
    if not (store.releases / "sums@2.0.0").exists():
        releases.release(root, store, "2.0.0", configs=PLAIN, sets=STRICT)
    diff = ("release", "diff", "sums@1.0.0", "sums@2.0.0")
    found = done(factory(*diff, "--json", cwd=root))
    shown = factory(*diff, cwd=root)
    assert shown.stdout.startswith("sums@1.0.0 -> sums@2.0.0: a major change\n  config ")
    assert f"{sum(one['samples'] for one in found['verdicts']['flips'])} of 96 samples have" in shown.stdout
    queries = factory(*diff, "--sql", cwd=root).stdout
    text = found["sql"]["samples"]["changed"]
    assert f"-- samples: {found['configs']['samples']['changed']} rows changed\n{text}\n" in queries
    assert sql.query(store, text).num_rows == found["configs"]["samples"]["changed"]
