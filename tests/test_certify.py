"""Certifying a verifier through the real command line: figures, cases, errors, and certificates kept."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from factory import certificates, certifying
from factory.certifying import Wanted
from factory.errors import UsageError
from factory.progress import Silent
from factory.store import Store
from tests.support.running import done, factory, workplace, write_lines

RIGHT: list[dict[str, Any]] = [
    {"id": "r1", "gold": "1/2", "prediction": "0.5", "expected": True, "category": "fractions"},
    {"id": "r2", "gold": "18", "prediction": r"\boxed{18}", "expected": True},
    {"id": "r3", "gold": 18, "prediction": "We get 9 + 9 = 18.", "expected": True, "kind": "completion"},
]
WRONG: list[dict[str, Any]] = [
    {"id": "w1", "gold": "1/2", "prediction": "0.51", "expected": False, "hazard": "near"},
    {"id": "w2", "gold": "18", "prediction": "19", "expected": False},
    {"id": "w3", "gold": "18", "prediction": "5#__import__('os')", "expected": False},
]
MISLABELLED: list[dict[str, Any]] = [
    {"id": "m1", "gold": "7", "prediction": "7", "expected": False, "note": "kept as published"},
    {"id": "m2", "gold": "7", "prediction": "8", "expected": True, "math_expected": False},
    {
        "id": "m3",
        "gold": "7",
        "prediction": "",
        "expected": True,
        "math_expected": None,
        "note": "odd",
    },
]


def certify(place: Path, *more: str | Path, rows: list[dict[str, Any]] | None = None) -> Any:
    cases = write_lines(place / "cases.jsonl", [*RIGHT, *WRONG, *MISLABELLED] if rows is None else rows)
    return done(factory("certify", "math", "--cases", cases, "--json", "-q", *more, cwd=place))


def test_figures_intervals_and_disagreements(tmp_path: Path) -> None:
    found = certify(tmp_path)
    assert (found["cases"], found["expected_pass"], found["expected_fail"]) == (9, 4, 5)
    assert found["accuracy"] == pytest.approx(7 / 9)
    assert found["false_accept_rate"] == pytest.approx(1 / 5)
    assert found["false_reject_rate"] == pytest.approx(1 / 4)
    assert found["undecided_rate"] > 0
    assert (
        found["intervals"]["false_accept_rate"]["low"]
        < 1 / 5
        < found["intervals"]["false_accept_rate"]["high"]
    )
    assert [(one["id"], one["expected"], one["status"]) for one in found["disagreements"]] == [
        ("m1", False, "pass"),
        ("m3", True, "no_answer"),
    ]
    assert found["by_category"]["near"]["cases"] == 1
    assert set(found["by_category"]) == {"all", "fractions", "near"}
    assert found["options"]["percent"] == "either"
    assert found["verdicts_per_cpu_second"] > 0
    assert found["cases_sha256"] == hashlib.sha256((tmp_path / "cases.jsonl").read_bytes()).hexdigest()
    assert found["verifier"] == "math"
    assert "+" not in found["version"]


def test_noted_rows_can_be_left_out_and_rows_limited(tmp_path: Path) -> None:
    assert certify(tmp_path, "--skip-noted")["accuracy"] == 1.0
    assert certify(tmp_path, "--limit", "2")["cases"] == 2


def test_the_last_number_counts_in_a_completion_and_not_in_an_answer(tmp_path: Path) -> None:
    text = "We add them up\n9 + 9\n18"
    rows = [
        {"gold": "18", "prediction": text, "expected": True, "kind": kind}
        for kind in ("answer", "pair", "completion", "extraction_only")
    ]
    found = certify(tmp_path, rows=rows)
    assert [one["id"] for one in found["disagreements"]] == ["1", "2"]
    assert {one["status"] for one in found["disagreements"]} <= {"no_answer", "error"}


def test_an_option_is_another_version_and_another_policy(tmp_path: Path) -> None:
    rows = [{"gold": "20", "prediction": "20%", "expected": False}]
    assert certify(tmp_path, rows=rows)["accuracy"] == 0.0
    found = certify(tmp_path, "--options", "percent=value", rows=rows)
    assert found["accuracy"] == 1.0
    assert found["options"]["percent"] == "value"
    assert "+" in found["version"]


def test_a_requirement_that_is_missed_ends_with_1_after_the_figures(tmp_path: Path) -> None:
    cases = write_lines(tmp_path / "cases.jsonl", [*RIGHT, *MISLABELLED])
    missed = factory(
        "certify", "math", "--cases", cases, "--json", "-q", "--require", "accuracy>=0.98",
        "--require", "false_reject_rate<=0.9", cwd=tmp_path,
    )  # fmt: skip
    assert missed.returncode == 1
    assert json.loads(missed.stdout)["cases"] == 6
    assert "accuracy is 0.666667; required >=0.98" in missed.stderr
    assert "false_reject_rate" not in missed.stderr


def test_tables_show_the_policy_and_each_disagreement(tmp_path: Path) -> None:
    cases = write_lines(tmp_path / "cases.jsonl", MISLABELLED)
    shown = factory("certify", "math", "--cases", cases, "-q", cwd=tmp_path, COLUMNS="160").stdout
    for text in (
        "accuracy",
        "false_accept_rate",
        "no_answer: empty",
        "percent",
        "either",
        "Disagreements: 2",
        "m1",
    ):
        assert text in shown


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"gold": "1", "prediction": "1"}, "expected is missing; write true"),
        ({"gold": "1", "prediction": "1", "expected": "yes"}, "expected is 'yes'; write true or false"),
        ({"gold": "1", "prediction": "1", "expected": True, "math_expected": 1}, "math_expected is 1"),
        ({"gold": "1", "expected": True}, "prediction is missing"),
        ({"prediction": "1", "expected": True}, "gold is missing"),
        ({"gold": ["1"], "prediction": "1", "expected": True}, "gold is a value of type list"),
        (
            {"gold": "1", "prediction": "1", "expected": True, "kind": "vote"},
            "kind is 'vote'; write one of answer",
        ),
        ([1], "is of type list, not an object"),
    ],
)
def test_a_wrong_row_is_named_with_its_line(tmp_path: Path, row: Any, said: str) -> None:
    cases = write_lines(tmp_path / "cases.jsonl", [RIGHT[0], row])
    with pytest.raises(UsageError) as refused:
        certifying.certify(Wanted("math", cases), Silent())
    assert f"{cases}:2" in str(refused.value)
    assert said in str(refused.value)


def test_programs_need_their_tests(tmp_path: Path) -> None:
    cases = write_lines(tmp_path / "cases.jsonl", [{"prediction": "x = 1", "expected": True}])
    with pytest.raises(UsageError, match=r"cases\.jsonl:1: tests is missing; write the tests of the problem"):
        certifying.certify(Wanted("unit_tests", cases), Silent())


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"verifier": "judge"}, "cannot be certified by cases: it asks a model"),
        ({"verifier": "consensus"}, "depends on the other samples"),
        ({"verifier": "maths"}, "did you mean math? Allowed: math, arithmetic, unit_tests"),
        ({"options": ("percent=half",)}, "'half' is not allowed; "),
        ({"options": ("percnt=value",)}, "percnt is not a key here; did you mean percent?"),
        ({"options": ("percent",)}, "write it as KEY=VALUE, with a KEY of percent, units"),
        ({"require": ("speed>=1",)}, "write NAME>=NUMBER"),
        ({"verifier": "arithmetic", "mutate": True}, "only answers of math can be mutated"),
    ],
)
def test_wrong_use_says_what_is_allowed(tmp_path: Path, wanted: dict[str, Any], said: str) -> None:
    cases = write_lines(tmp_path / "cases.jsonl", RIGHT)
    with pytest.raises(UsageError) as refused:
        certifying.certify(Wanted(**{"verifier": "math", "cases": cases} | wanted), Silent())
    assert said in str(refused.value)


def test_wrong_use_ends_with_2_and_one_paragraph(tmp_path: Path) -> None:
    cases = write_lines(tmp_path / "cases.jsonl", RIGHT)
    refused = factory("certify", "judge", "--cases", cases, "-q", cwd=tmp_path)
    assert refused.returncode == 2
    assert not refused.stdout
    assert "Traceback" not in refused.stderr


def test_no_case_at_all_is_refused(tmp_path: Path) -> None:
    cases = write_lines(tmp_path / "cases.jsonl", [MISLABELLED[0]])
    with pytest.raises(UsageError, match="has no case; write one JSON object a line, with gold, prediction"):
        certifying.certify(Wanted("math", cases, skip_noted=True), Silent())
    with pytest.raises(UsageError, match="there is no such file"):
        certifying.certify(Wanted("math", tmp_path / "none.jsonl"), Silent())


def test_a_case_that_hangs_or_is_hostile_is_an_error_and_the_others_go_on(tmp_path: Path) -> None:
    tower = {"id": "t", "gold": "5", "prediction": "9^{9^{9^{9}}}", "expected": False, "hazard": "tower"}
    found = certify(tmp_path, rows=[tower, *RIGHT])
    assert found["accuracy"] == 1.0
    assert found["by_category"]["tower"]["undecided_rate"] == 1.0


# --- mutants -----------------------------------------------------------------------------------------


def test_mutants_of_each_distinct_gold_with_their_mutation_as_category(tmp_path: Path) -> None:
    rows = [{"gold": "18"}, {"gold": "18"}, {"answer": "It is <<3*4=12>>12.\n#### 12", "gold_of": "ignored"}]
    found = certify(tmp_path, "--mutate", rows=rows)
    assert found["mutated"]
    assert found["accuracy"] == 1.0, found["disagreements"]
    assert found["by_category"]["sign"]["cases"] == 2
    assert found["by_category"]["boxed"]["expected_pass"] == 2
    assert found["false_accept_rate"] == 0.0


def test_a_policy_is_not_held_against_the_verifier(tmp_path: Path) -> None:
    rows = [{"gold": "(1, 2)"}]
    assert "tuple_reordered" in certify(tmp_path, "--mutate", rows=rows)["by_category"]
    found = certify(tmp_path, "--mutate", "--options", "order=ignored", rows=rows)
    assert "tuple_reordered" not in found["by_category"]


def test_a_row_without_a_gold_cannot_be_mutated(tmp_path: Path) -> None:
    cases = write_lines(tmp_path / "cases.jsonl", [{"prediction": "1"}])
    with pytest.raises(UsageError, match=r"cases\.jsonl:1: answer is missing"):
        certifying.certify(Wanted("math", cases, mutate=True), Silent())


# --- certificates ------------------------------------------------------------------------------------


def test_certificates_are_kept_and_carried_by_releases(tmp_path: Path) -> None:
    workplace(tmp_path)
    done(factory("import", "solutions.jsonl", "--map", "map.yaml", "--json", "-q", cwd=tmp_path))
    kept = certify(tmp_path, "--store", "store")
    certify(tmp_path, "--store", "store", "--options", "percent=value")  # of another version
    written = f"math@{kept['version']}"
    path = tmp_path / "store" / "certificates" / written / f"cases.jsonl-{kept['cases_sha256'][:12]}.json"
    assert json.loads(path.read_text()) == kept
    first = done(factory("run", "recipe.yaml", "--json", "-q", cwd=tmp_path))
    folder = Path(tmp_path / "store" / "releases" / "tiny@1.0.0")
    carried = json.loads((folder / "certificates.json").read_text())
    assert [(one["cases_file"], one["version"]) for one in carried] == [
        ("cases.jsonl", kept["version"]),
        ("own golds", kept["version"]),
    ]
    assert carried[0] == kept
    assert carried[1]["accuracy"] == 1.0, carried[1]["disagreements"]
    summary = json.loads((folder / "manifest.json").read_text())["certificates"]
    assert [one["verifier"] for one in summary] == [written, written]
    assert "cpu_seconds" not in summary[0]
    card = (folder / "README.md").read_text()
    assert "| verifier | tried on | cases | wrong accepted |" in card
    assert f"| `{written}` | cases" in card
    certify(tmp_path, "--store", "store", "--mutate")
    again = done(factory("run", "recipe.yaml", "--json", "-q", cwd=tmp_path))
    assert again["unchanged"]
    assert again["release_id"] == first["release_id"]
    assert len(json.loads((folder / "certificates.json").read_text())) == 2, "a release never changes"


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ({}, "cases.jsonl-0123456789ab.json"),
        ({"mutate": True}, "cases.jsonl-mutate-0123456789ab.json"),
        ({"skip_noted": True, "limit": 2}, "cases.jsonl-skip-noted-limit-2-0123456789ab.json"),
    ],
)
def test_what_was_asked_is_part_of_the_name_of_a_certificate(
    tmp_path: Path, asked: dict[str, Any], name: str
) -> None:
    made = {"verifier": "math", "version": "7+abcd", "cases_sha256": "0123456789abcdef"}
    wanted = Wanted("math", Path("folder/cases.jsonl"), **asked)
    path = certificates.keep(made, wanted, Store(tmp_path))
    assert path == tmp_path / "certificates" / "math@7+abcd" / name
    assert json.loads(path.read_text()) == made


def test_a_damaged_certificate_stops_a_release_and_is_named(tmp_path: Path) -> None:
    workplace(tmp_path)
    done(factory("import", "solutions.jsonl", "--map", "map.yaml", "--json", "-q", cwd=tmp_path))
    certify(tmp_path, "--store", "store")
    (path,) = (tmp_path / "store" / "certificates").rglob("*.json")
    path.write_text("{}")
    refused = factory("run", "recipe.yaml", "-q", cwd=tmp_path)
    assert refused.returncode == 1
    assert f"{path.name} is no certificate" in refused.stderr
    assert not (tmp_path / "store" / "releases" / "tiny@1.0.0").exists()


# --- the other verifiers -----------------------------------------------------------------------------


def test_programs_are_certified_by_their_tests(tmp_path: Path) -> None:
    tests = {"setup": "", "asserts": ["assert f(2) == 4", "assert f(3) == 9"]}
    rows = [
        {"id": "right", "tests": tests, "prediction": "def f(x):\n    return x * x\n", "expected": True},
        {
            "id": "wrong",
            "tests": json.dumps(tests),
            "prediction": "def f(x):\n    return 4\n",
            "expected": False,
        },
        {"id": "prose", "tests": tests, "prediction": "I cannot say.", "expected": True},
    ]
    cases = write_lines(tmp_path / "programs.jsonl", rows)
    found = done(factory("certify", "unit_tests", "--cases", cases, "--json", "-q", cwd=tmp_path))
    assert [(one["id"], one["status"], one["reason"]) for one in found["disagreements"]] == [
        ("prose", "no_answer", "none")
    ]
    assert found["options"]["isolation"] == "landlock"
    assert found["verdicts_per_cpu_second"] > 0


def test_solutions_are_certified_by_their_equations(tmp_path: Path) -> None:
    rows = [
        {"prediction": "3 * 4 = <<3*4=12>>12", "expected": True},
        {"prediction": "3 * 4 = <<3*4=13>>13", "expected": False},
        {"prediction": "nothing to check", "expected": False},
    ]
    cases = write_lines(tmp_path / "steps.jsonl", rows)
    found = done(factory("certify", "arithmetic", "--cases", cases, "--json", "-q", cwd=tmp_path))
    assert (found["accuracy"], found["false_accepts"]) == (1.0, 0)
    assert found["undecided_rate"] == pytest.approx(1 / 3)
