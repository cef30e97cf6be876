"""Verdicts of two verifier versions side by side, through the real command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.running import done, factory, workplace

STRICT = ("--set", "verify.decides={math: {last_number: false}}")
VALUE = ("--set", "verify.decides={math: {percent: value}}")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    workplace(tmp_path)
    text = (tmp_path / "solutions.jsonl").read_text()
    (tmp_path / "solutions.jsonl").write_text(text.replace("The answer is 7.", "So it is 7."))
    done(factory("import", "solutions.jsonl", "--map", "map.yaml", "--json", "-q", cwd=tmp_path))
    return tmp_path


def verify(place: Path, *more: str) -> Any:
    return done(factory("verify", "recipe.yaml", "--json", "-q", *more, cwd=place))


def test_what_another_version_said_otherwise_is_listed(place: Path) -> None:
    verify(place)
    found = verify(place, "--flips", *STRICT)
    assert found["verifier"] == "math"
    assert "+" in found["version"]
    assert "+" not in found["against"]
    assert (found["compared"], found["not_compared"]) == (12, 0)
    moved = {(one["old"], one["new"]): one["samples"] for one in found["transitions"]}
    assert moved == {
        ("fail", "fail"): 5,
        ("no_answer", "no_answer"): 2,
        ("pass", "no_answer"): 2,
        ("pass", "pass"): 3,
    }
    assert len(found["flips"]) == 2
    for flip in found["flips"]:
        assert (flip["old_status"], flip["old_answer"], flip["reference"]) == ("pass", "7", "7")
        assert (flip["new_status"], flip["new_reason"], flip["new_answer"]) == ("no_answer", "none", None)
        assert (flip["generator"], len(flip["sample_id"]), len(flip["problem_id"])) == ("made", 32, 32)


def test_the_latest_other_version_is_taken_unless_one_is_named(place: Path) -> None:
    verify(place)
    strict = verify(place, "--flips", *STRICT)
    latest = verify(place, "--flips", *VALUE)
    assert latest["against"] == strict["version"]
    assert {(one["old_status"], one["new_status"]) for one in latest["flips"]} == {("no_answer", "pass")}
    named = verify(place, "--flips", "--against", f"math@{strict['against']}", *VALUE)
    assert named["against"] == strict["against"]
    assert named["flips"] == []


def test_tables_show_both_sides(place: Path) -> None:
    verify(place)
    shown = factory("verify", "recipe.yaml", "-q", "--flips", *STRICT, cwd=place, COLUMNS="250").stdout
    assert "Flips: 2" in shown
    assert "12 samples" in shown
    assert "no_answer" in shown


def test_samples_that_one_version_has_not_judged_are_counted(place: Path) -> None:
    verify(place, "--set", "budget.per_problem.samples=2")
    found = verify(place, "--flips", *STRICT)
    assert (found["compared"], found["not_compared"]) == (6, 6)


def test_without_another_version_the_versions_present_are_named(place: Path) -> None:
    refused = factory("verify", "recipe.yaml", "-q", "--flips", cwd=place)
    assert refused.returncode == 1
    version = done(factory("sql", "SELECT DISTINCT version FROM verdicts", "--json", cwd=place))[0]["version"]
    assert f"no version to compare math@{version} with (verdicts there are: math@{version})" in refused.stderr


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--flips", "--against", "99"), "--against 99: has no verdict in the store. The store holds math@"),
        (("--against", "1"), "only --flips compares versions"),
    ],
)
def test_a_version_that_cannot_be_compared_is_refused(place: Path, more: tuple[str, ...], said: str) -> None:
    refused = factory("verify", "recipe.yaml", "-q", *more, cwd=place)
    assert refused.returncode == 2
    assert said in refused.stderr


def test_the_own_version_is_no_other(place: Path) -> None:
    verify(place)
    strict = verify(place, "--flips", *STRICT)
    refused = factory("verify", "recipe.yaml", "-q", "--flips", "--against", strict["against"], cwd=place)
    assert refused.returncode == 2
    assert "is the recipe's own version" in refused.stderr
