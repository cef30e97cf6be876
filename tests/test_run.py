"""The main job through the real command line, on imported completions: what is made, and what refused."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from factory import __version__
from tests.support.running import MAP, done, factory, workplace, write_lines

RUN = ("run", "recipe.yaml", "--json", "--quiet")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    workplace(tmp_path)
    done(factory("import", "solutions.jsonl", "--map", "map.yaml", "--json", "-q", cwd=tmp_path))
    return tmp_path


def samples(place: Path, version: str = "1.0.0") -> list[dict[str, object]]:
    folder = place / "store" / "releases" / f"tiny@{version}" / "data" / "samples"
    return [row for path in sorted(folder.glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def test_a_run_releases_and_says_why_each_sample_is_in_or_out(place: Path) -> None:
    outcome = done(factory(*RUN, cwd=place))
    shown = samples(place)
    assert [row["sample_index"] for row in shown] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    rows = [row for row in shown if row["problem_id"] == shown[0]["problem_id"]]
    assert [(row["status"], row["reason"], row["rank"]) for row in rows] == [
        ("pass", "kept", 0),
        ("pass", "exact_duplicate", None),
        ("fail", "wrong", None),
        ("no_answer", "no_answer", None),
    ]
    assert rows[1]["duplicate_of"] == rows[0]["sample_id"]
    assert outcome["counts"]["selection"] == {
        "exact_duplicate": 1, "kept": 3, "no_answer": 2, "wrong": 5, "over_limit": 1
    }  # fmt: skip
    assert outcome["metrics"]["coverage@4"]["value"] == pytest.approx(2 / 3)
    assert outcome["metrics"]["pass@1"]["value"] == pytest.approx(5 / 12)


def test_the_manifest_lists_every_file_with_its_hash(place: Path) -> None:
    from factory.release.build import file_digest

    done(factory(*RUN, cwd=place))
    folder = place / "store" / "releases" / "tiny@1.0.0"
    manifest = json.loads((folder / "manifest.json").read_text())
    listed = {file["path"]: (file["sha256"], file["rows"]) for file in manifest["files"]}
    found = {
        path.relative_to(folder).as_posix(): (file_digest(path), pq.read_metadata(path).num_rows)
        for path in folder.rglob("*.parquet")
    }
    assert listed == found
    assert manifest["lock"]["verifiers"][0]["verifier"] == "math@2"
    assert manifest["packages"]["pyarrow"]
    assert set(manifest["configs"]) == {"sft", "samples", "problems"}
    assert str(place) not in json.dumps(manifest), "no path of this machine"


def test_running_again_changes_no_byte(place: Path) -> None:
    folder = place / "store" / "releases" / "tiny@1.0.0"
    first = done(factory(*RUN, cwd=place))
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    again = done(factory(*RUN, cwd=place))
    assert again["unchanged"]
    assert again["release_id"] == first["release_id"]
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    # Built anew from the same store it has the same bytes, too.
    for path in sorted(folder.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    folder.rmdir()
    done(factory(*RUN, cwd=place))
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_other_content_under_a_taken_version_is_refused_and_said(place: Path) -> None:
    done(factory(*RUN, cwd=place))
    before = samples(place)
    refused = factory(*RUN, "--set", "select.per_problem=1", cwd=place)
    assert refused.returncode == 1
    assert "tiny@1.0.0 is released already" in refused.stderr
    assert "recipe.select.per_problem: 2 released, 1 now" in refused.stderr
    assert "--set version=2.0.0" in refused.stderr, "a row of sft goes"
    assert samples(place) == before
    assert list((place / "store" / "releases").glob(".tmp-*")) == []
    outcome = done(factory(*RUN, "--set", "select.per_problem=1", "--set", "version=2.0.0", cwd=place))
    assert outcome["counts"]["selection"]["kept"] == 2


def test_what_a_replay_lacks_is_exhausted_not_sampled(place: Path) -> None:
    outcome = done(factory(*RUN, "--set", "budget.per_problem.samples=6", cwd=place))
    assert outcome["counts"]["samples"] == {"present": 12, "exhausted": 6}


def test_the_same_file_again_adds_nothing_and_another_text_is_refused(place: Path) -> None:
    again = done(factory("import", "solutions.jsonl", "--map", "map.yaml", "--json", "-q", cwd=place))
    assert again["counts"]["samples added"] == 0
    assert again["counts"]["samples there already"] == 12
    rows = [json.loads(line) for line in (place / "solutions.jsonl").read_text().splitlines()]
    write_lines(place / "other.jsonl", [rows[0] | {"solution": "The answer is 44."}])
    refused = factory("import", "other.jsonl", "--map", "map.yaml", cwd=place)
    assert refused.returncode == 1
    assert "with another text" in refused.stderr
    counts = done(factory("status", "--json", cwd=place))
    assert counts["tables"]["samples"]["rows"] == 12


def test_a_problem_whose_own_answer_is_not_accepted_is_not_asked(place: Path) -> None:
    rows = [json.loads(line) for line in (place / "problems.jsonl").read_text().splitlines()]
    bad = [{"question": "What is love?", "answer": "nan"}, {"question": "And this?", "answer": None}, rows[0]]
    write_lines(place / "problems.jsonl", [*rows, *bad])
    planned = done(factory("plan", "recipe.yaml", "--no-probe", "--json", "-q", cwd=place))
    outcome = done(factory(*RUN, cwd=place))
    assert outcome["counts"]["problems"] == {"asked": 3, "bad_gold": 2, "duplicate_problem": 1}
    assert planned["problems"] == outcome["counts"]["problems"], "plan counts what run finds"
    table = pq.read_table(
        next((place / "store/releases/tiny@1.0.0/data/problems").glob("*.parquet"))
    ).to_pylist()
    reasons = [row["reason"] for row in table if not row["asked"]]
    assert reasons[0].startswith("bad_gold: error")
    assert reasons[1:] == ["bad_gold: it has no answer", "duplicate_problem"]


def test_a_requirement_that_fails_makes_no_release(place: Path) -> None:
    refused = factory(*RUN, "--set", 'release.require={"coverage@4": ">= 0.9"}', cwd=place)
    assert refused.returncode == 1
    assert "coverage@4" in refused.stderr
    assert "No release was made" in refused.stderr
    assert not (place / "store/releases/tiny@1.0.0").exists()


def test_verify_stops_after_the_verdicts(place: Path) -> None:
    outcome = done(factory("verify", "recipe.yaml", "--json", "-q", cwd=place))
    assert outcome["counts"]["verdicts"] == {"fail": 5, "no_answer": 2, "pass": 5}
    assert outcome["release"] is None
    assert not (place / "store/releases").exists()
    status = done(factory("status", "recipe.yaml", "--json", cwd=place))
    assert status["recipe"]["verdicts"]["math@2"] == {"samples": 12, "owed": 0}


def test_another_option_of_the_verifier_is_another_version(place: Path) -> None:
    done(factory(*RUN, cwd=place))
    changed = ("--set", "verify.decides={math: {last_number: false}}", "--set", "version=2.0.0")
    outcome = done(factory(*RUN, *changed, cwd=place))
    assert outcome["release"].endswith("tiny@2.0.0")
    versions = done(factory("sql", "SELECT DISTINCT version FROM verdicts ORDER BY 1", "--json", cwd=place))
    assert versions[0]["version"] == "2"
    assert versions[1]["version"].startswith("2+")


def test_sql_answers_over_facts_and_releases(place: Path) -> None:
    done(factory(*RUN, cwd=place))
    query = (
        "SELECT g.name, r.status, count(*) AS n FROM release_samples r"
        " JOIN generators g USING (generator_id) GROUP BY ALL ORDER BY ALL"
    )
    rows = done(factory("sql", query, "--json", cwd=place))
    assert {row["status"]: row["n"] for row in rows} == {"fail": 5, "no_answer": 2, "pass": 5}
    why = done(factory("sql", "SELECT count(*) AS n FROM selection WHERE kept", "--json", cwd=place))
    assert why == [{"n": 3}]


def test_progress_as_json_lines_ends_each_stage(place: Path) -> None:
    result = factory("run", "recipe.yaml", "--json", cwd=place)
    events = [json.loads(line) for line in result.stderr.splitlines()]
    verified = [event for event in events if event.get("stage") == "verify samples"]
    assert verified[-1]["event"] == "finish"
    assert verified[-1]["done"] == verified[-1]["total"] == 12


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("run", "none.yaml"), 2, "none.yaml"),
        (("run", "recipe.yaml", "--set", "budgt.x=1"), 2, "budgt"),
        (
            ("run", "recipe.yaml", "--set", "generators.made.imported=other"),
            1,
            "there is no sample to release",
        ),
        (("run", "recipe.yaml", "--set", 'release.require={"coverage@8": ">= 0.1"}'), 2, "measure.k"),
        (
            ("run", "recipe.yaml", "--set", "generators.twin={engine: replay, imported: made}"),
            2,
            "is the same as",
        ),
        (("sql", "DROP TABLE samples"), 2, "only SELECT"),
        (("import", "none.jsonl", "--map", "map.yaml"), 2, "none.jsonl"),
        (
            ("import", "solutions.jsonl", "--map", "map.yaml", "--set", "problem.prompt=qestion"),
            2,
            "question",
        ),
        (("nothing",), 2, "No such command"),
    ],
)
def test_wrong_use_is_one_paragraph_with_the_place(
    place: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    result = factory(*arguments, cwd=place)
    assert result.returncode == code
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_nothing_of_an_empty_import_is_left(tmp_path: Path) -> None:
    (tmp_path / "map.yaml").write_text(MAP)
    (tmp_path / "empty.jsonl").write_text("")
    result = factory("import", "empty.jsonl", "--map", "map.yaml", cwd=tmp_path)
    assert result.returncode == 2
    assert "no rows" in result.stderr
    assert not list((tmp_path / "store").rglob("*.parquet"))


def test_a_recipe_with_an_empty_source_says_so(place: Path) -> None:
    (place / "problems.jsonl").write_text("")
    result = factory(*RUN, cwd=place)
    assert result.returncode == 2
    assert "problems.jsonl" in result.stderr


def test_debug_shows_the_traceback(place: Path) -> None:
    result = factory("--debug", "run", "none.yaml", cwd=place)
    assert "Traceback" in result.stderr
    assert result.returncode != 0


def test_version_and_help(tmp_path: Path) -> None:
    assert factory("--version", cwd=tmp_path).stdout == f"factory {__version__}\n"
    for name in ("run", "verify", "plan", "status", "sql", "import", "schema"):
        assert "Example: factory" in " ".join(factory(name, "--help", cwd=tmp_path).stdout.split())
