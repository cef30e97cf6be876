"""A row is explained from the store or from files alone: every step its facts; hostile texts stay texts."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.commands import display_explain
from factory.errors import CheckFailed, UsageError
from factory.lineage import lookup
from factory.lineage.explaining import explain
from factory.records import TABLES
from factory.store import Store
from tests.support import releases, running

LONG = (
    "First we look at what is given and write it down in order, then we add up. There are {a} apples and "
    "{b} more come to them, and nothing is taken away from them at all, as far as the text tells us. "
    "So the sum that we were asked for is found by adding. The answer is {told}."
)
HOSTILE = "\x1b[31m[bold]red[/bold]\x9b2J \u202egnp.exe\x00 <script> the answer is 8\r\n"
SOLUTIONS = {
    # sample index -> completion of `strong` for the problem 3 + 5 = 8
    0: "She has 3 + 5 = 8 apples. The answer is 8.",
    1: "She has 3 + 5 = 8  apples. The answer is 8.",  # exact_duplicate
    2: "So 3 + 5 = 8 it is. The answer is 8.",  # path_duplicate
    3: "3 + 5 = 9. The answer is 9.",  # wrong
    4: "3 + 5 = 9. The answer is 8.",  # rejected_by
    5: "Who knows?",  # no_answer
    6: r"The answer is \boxed{8,5,}",  # error
    7: LONG.format(a="three", b="five", told=8),
    8: LONG.format(a="three", b="five", told=8).replace("in order", "in an order"),  # near_duplicate
    9: "5 + 3 = 8. The answer is 8.",
    10: "2 + 1 + 5 = 8. The answer is 8.",
    11: HOSTILE,
}
RECIPE = """
name: lines
version: {version}
problems:
  - {{source: file, path: problems.jsonl, name: first, license: mit, columns: {columns}}}
  - {{source: file, path: again.jsonl, name: second, columns: {columns}}}
generators:
  strong: {{engine: replay, imported: strong}}
budget: {{per_problem: {{samples: {samples}}}}}
verify: {{decides: math, also: [arithmetic], workers: 1}}
select: {{dedup: [exact, {{path: equations}}, {{near: minhash, threshold: 0.7}}], per_problem: 3}}
measure: {{k: [1], bootstrap: 100}}
release:
  configs: [{configs}]
{more}"""
COLUMNS = "{prompt: question, answer: answer, group_id: group}"
PROMPT = "Ann has 3 apples and buys 5 more. How many has she?"


class Made(NamedTuple):
    root: Path
    store: Store
    ids: dict[int, str]
    problem: str
    folders: dict[str, Path]


def make_release(root: Path, store: Store, version: str, **changes: Any) -> Path:
    from factory import pipeline
    from factory.progress import Silent
    from factory.recipe import load

    options = {"samples": 12, "configs": releases.EVERY_CONFIG, "more": ""} | changes
    path = root / f"lines-{version}.yaml"
    path.write_text(RECIPE.format(version=version, columns=COLUMNS, **options))
    made = pipeline.run(load(path, ()), store, root, Silent()).release
    assert made is not None
    return made


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A store in which every reason of selection and planning occurs, and four releases of it."""
    from factory import intake
    from factory.progress import Silent

    root = tmp_path_factory.mktemp("explain")
    asked = {"question": PROMPT, "answer": "8", "group": "apples"}
    others = [
        {"question": "What is it?", "answer": None, "group": None},
        {"question": "What is not a number?", "answer": "nan", "group": None},
        {"question": "Only here?", "answer": "1", "group": None},
    ]
    running.write_lines(root / "problems.jsonl", [asked, *others])
    running.write_lines(root / "again.jsonl", [asked])
    rows = [asked | {"solution": text} for text in SOLUTIONS.values()]
    running.write_lines(root / "solutions.jsonl", [*rows, others[2] | {"solution": "The answer is 2."}])
    mapped = "problem: {prompt: question, answer: answer, name: first}\ncompletions:\n"
    (root / "map.yaml").write_text(mapped + "  - {generator: strong, completion: solution}\n")
    (root / "other.yaml").write_text(mapped + "  - {generator: other, completion: solution}\n")
    store = Store(root / "store")
    for name in ("map.yaml", "other.yaml"):
        intake.bring_in(root / "solutions.jsonl", root / name, (), store, Silent(), command="test")
    folders = {
        "1.0.0": make_release(root, store, "1.0.0"),
        "2.0.0": make_release(root, store, "2.0.0", samples=3),
        "3.0.0": make_release(root, store, "3.0.0", more="  form: messages\n"),
        "4.0.0": make_release(root, store, "4.0.0", configs="sft, preference, kto"),
    }
    samples = store.dataset("samples").to_table().to_pylist()
    generators = {
        row["generator_id"]: row["name"] for row in store.dataset("generators").to_table().to_pylist()
    }
    texts = {text: index for index, text in SOLUTIONS.items()}
    ids = {
        texts[row["completion"]]: row["sample_id"]
        for row in samples
        if generators[row["generator_id"]] == "strong" and row["completion"] in texts
    }
    problem = next(row["problem_id"] for row in samples if row["sample_id"] == ids[0])
    return Made(root, store, ids, problem, folders)


def one_release(made: Made, index: int, version: str = "1.0.0") -> Any:
    found = explain(made.ids[index], made.store, f"lines@{version}")
    (one,) = found["releases"]
    return one


# --- samples -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("index", "reason", "sentence"),
    [
        (1, "exact_duplicate", "out: its text is, blanks aside, that of {0}, which was drawn earlier and"),
        (2, "path_duplicate", "out: its equations are those of {0}, which was drawn earlier and"),
        (
            3,
            "wrong",
            "out: math@2 fails it: another number than the answer (it found '9'; the answer is '8')",
        ),
        (4, "rejected_by:arithmetic@1", "but arithmetic@1 fails it: equations that are wrong: 1"),
        (5, "no_answer", "out: math@2 finds nothing in it to judge: no answer is marked in it"),
        (6, "error", "; that is no evidence against it"),
        (8, "near_duplicate", "out: it is nearly word for word, with the same numbers, {7}, which was"),
    ],
)
def test_a_sample_is_out_for_a_reason_in_words(made: Made, index: int, reason: str, sentence: str) -> None:
    one = one_release(made, index)
    assert (one["state"], one["reason"]) == ("out", reason)
    wanted = sentence
    for other in (0, 7):
        wanted = wanted.replace(f"{{{other}}}", made.ids[other])
    assert wanted in one["why"]


def test_the_cap_is_told_with_its_number_and_choice(made: Made) -> None:
    stands = {index: one_release(made, index) for index in (0, 7, 9, 10, 11)}
    kept = [one for one in stands.values() if one["state"] == "kept"]
    (out,) = [one for one in stands.values() if one["reason"] == "over_limit"] or [None]
    assert len(kept) == 3
    assert all(one["why"].startswith("kept: math@2 accepts it: ") for one in kept)
    assert sorted(one["rank"] for one in kept) == [0, 1, 2]
    assert out is not None
    assert (
        "only the first 3 drawn are kept, and those stand before it (per_problem: 3, choice: first)"
        in (out["why"])
    )


def test_a_duplicate_names_what_it_repeats_and_its_fate(made: Made) -> None:
    one = one_release(made, 1)
    other = one_release(made, 0)
    assert one["duplicate_of"]["sample_id"] == made.ids[0]
    assert one["duplicate_of"]["kept"] == (other["state"] == "kept")
    assert one["why"].endswith(
        "is kept" if other["state"] == "kept" else f"is itself out ({other['reason']})"
    )


def test_where_a_sample_stands_is_told_with_its_partner(made: Made) -> None:
    one = one_release(made, 3)
    pair, label = one["stands"]
    assert (pair["config"], pair["as"], pair["split"]) == ("preference", "rejected", "train")
    assert one_release(made, next(i for i, s in made.ids.items() if s == pair["partner"]))["state"] == "kept"
    assert label == {"config": "kto", "split": "train", "label": False}
    assert one_release(made, 5)["stands"] == []


def test_a_sample_beyond_the_draws_of_a_release_is_absent(made: Made) -> None:
    why = one_release(made, 9, "2.0.0")["why"]
    assert why.startswith("absent: the release takes 3 samples a problem and generator, indices 0 to 2, ")
    assert why.endswith("and this one has index 9")


def test_a_sample_beyond_the_stop_of_its_problem_is_absent_and_the_stop_is_told(
    made: Made, tmp_path: Path
) -> None:
    from factory import pipeline
    from factory.progress import Silent
    from factory.recipe import load

    copy = Store(shutil.copytree(made.store.root, tmp_path / "store"))
    recipe = tmp_path / "lines-5.0.0.yaml"
    text = (made.root / "lines-1.0.0.yaml").read_text().replace("version: 1.0.0", "version: 5.0.0")
    recipe.write_text(text.replace("{samples: 12}", "{until_correct: 2, at_most: 12}"))
    pipeline.run(load(recipe, ()), copy, made.root, Silent())
    (beyond,) = explain(made.ids[7], copy, "lines@5.0.0")["releases"]
    assert beyond["state"] == "absent"
    assert beyond["why"].endswith(
        "sampling of its problem stopped after 2 samples of 'strong', 2 of them correct (enough are "
        "correct), and this one has index 7"
    )
    (inside,) = explain(made.ids[1], copy, "lines@5.0.0")["releases"]
    assert inside["stopped"] == {"samples": 2, "correct": 2, "why": "reached"}
    told = [
        one
        for one in display_explain.lines(explain(made.ids[1], copy, "lines@5.0.0"))
        if isinstance(one, str)
    ]
    assert any("its problem stopped after 2 samples: enough are correct" in one for one in told)


def test_samples_that_no_release_takes_are_absent_with_the_reason(made: Made) -> None:
    samples = made.store.dataset("samples").to_table().to_pylist()
    names = {
        row["generator_id"]: row["name"] for row in made.store.dataset("generators").to_table().to_pylist()
    }
    gold = next(row for row in samples if names.get(row["generator_id"]) == "gold")
    other = next(row for row in samples if names[row["generator_id"]] == "other")
    told = {row["sample_id"]: explain(row["sample_id"], made.store)["releases"][0] for row in (gold, other)}
    assert {one["state"] for one in told.values()} == {"absent"}
    assert "a reference of its problem is judged" in told[gold["sample_id"]]["why"]
    assert "its generator is none of the release's ('strong')" in told[other["sample_id"]]["why"]


def test_the_lineage_holds_every_step(made: Made) -> None:
    found = explain(made.ids[4], made.store)
    assert found["problem"]["prompt"] == PROMPT
    assert [one["source"] for one in found["sources"]] == ["file:first", "file:second"]
    assert found["generator"]["identity"] == {"imported": "strong"}
    assert found["draw"]["completion"] == SOLUTIONS[4]
    assert found["equations"] == ["3+5=9"]
    assert {(one["verifier"], one["status"], one["rule"]) for one in found["verdicts"]} == {
        ("math", "pass", "answer_is"),
        ("arithmetic", "fail", "text"),
    }
    assert [one["release"] for one in found["releases"]] == [f"lines@{one}.0.0" for one in (1, 2, 3, 4)]


def test_facts_beside_verdicts_are_told(made: Made, tmp_path: Path) -> None:
    copy = Store(shutil.copytree(made.store.root, tmp_path / "store"))
    ident = made.ids[3]
    add(copy, "verdicts", verdict_row(ident, attempt=1, status="error", reason="crash"))
    add(
        copy,
        "labels",
        {"sample_id": ident, "annotator": "ann", "label": "unsure", "note": HOSTILE, "at": "now"},
    )
    rollout = {"sample_id": ident, "step_index": 1, "generator_id": "g", "n": 8, "c": 3, "completions": None}
    add(copy, "rollouts", rollout | {"run_id": "r"})
    charge = {"charge_id": "c" * 32, "kind": "judge", "generator_id": "e" * 32, "sample_id": ident}
    add(copy, "ledger", charge | {"run_id": "r", "samples": 1, "prompt_tokens": 7, "usd": 0.5})
    died = {"charge_id": "d" * 32, "kind": "presumed", "presumed": True, "run_id": "r", "samples": 1}
    add(copy, "ledger", charge | died)
    found = explain(ident, copy)
    math = [one for one in found["verdicts"] if one["verifier"] == "math"]
    assert [(one["attempt"], one["counts"]) for one in math] == [(0, False), (1, True)]
    text = "\n".join(map(str, display_explain.lines(found)))
    assert (
        "math@2 could not tell: the worker crashed at it; another attempt may do better [crash, attempt 1]"
        in text
    )
    assert "[different:exact, found by the rule answer_is] (a later attempt counts)" in text
    assert "label unsure by ann" in text
    assert "rollouts from step 1 by generator g: 3 of 8 completions are correct" in text
    assert f"1 calls of {'e' * 32} to judge it: 7 + 0 tokens, 0.5 USD" in text
    assert f"1 calls of {'e' * 32} to draw it that died with their process, charged at the most" in text
    with pytest.raises(UsageError, match=f"is the id of a charge .* factory explain {ident}"):
        explain("c" * 8, copy)


def verdict_row(ident: str, **changes: Any) -> dict[str, Any]:
    row = {"sample_id": ident, "verifier": "math", "version": "2", "attempt": 0, "status": "pass"}
    return row | {"reason": "equal:text", "run_id": "r"} | changes


def add(store: Store, table: str, *rows: dict[str, Any]) -> None:
    with store.lock("test"):
        store.append(table, pa.Table.from_pylist(list(rows), schema=TABLES[table]))


# --- problems ----------------------------------------------------------------------------------------


def problem_of(made: Made, prompt: str) -> str:
    rows = made.store.dataset("problems").to_table().to_pylist()
    return str(next(row["problem_id"] for row in rows if row["prompt"] == prompt))


@pytest.mark.parametrize(
    ("prompt", "state", "why"),
    [
        (PROMPT, "asked", "asked of every generator"),
        ("What is it?", "not asked", "not asked: it has no answer to judge by"),
        ("What is not a number?", "not asked", "given its own reference, could not tell: "),
    ],
)
def test_a_problem_is_asked_or_not_for_a_reason(made: Made, prompt: str, state: str, why: str) -> None:
    one = explain(problem_of(made, prompt), made.store, "lines@1.0.0")["releases"][0]
    assert one["state"] == state
    assert why in one["why"]


def test_a_problem_tells_its_duplicates_counts_and_samples(made: Made) -> None:
    found = explain(made.problem[:12], made.store, "lines@1.0.0")
    (one,) = found["releases"]
    assert [(row["source"], row["reason"]) for row in one["rows"]] == [
        ("file:first", "asked"),
        ("file:second", "duplicate_problem"),
    ]
    assert {row["group_id"] for row in one["rows"]} == {"apples"}
    rows = lookup.Release("x", made.folders["1.0.0"]).rows("samples", "problem_id", [made.problem])
    expected = {
        "generator": "strong",
        "n": sum(row["status"] in ("pass", "fail", "no_answer") for row in rows),
        "c": sum(row["correct"] for row in rows),
        "kept": sum(row["kept"] for row in rows),
        "no_answer": sum(row["status"] == "no_answer" for row in rows),
        "error": sum(row["status"] == "error" for row in rows),
        "unverified": 0,
        "stopped": "planned",
    }
    assert one["generators"] == [expected]
    assert [one["completion"] for one in found["references"]] == ["8"]
    assert found["references"][0]["verdicts"][1]["sentence"].startswith("math@2 accepts it: ")
    by_id = {line["sample_id"]: line for line in found["samples"]}
    assert by_id[made.ids[3]]["releases"] == {"lines@1.0.0": "wrong"}
    assert {line["generator"] for line in found["samples"]} == {"strong", "other"}


def test_a_problem_of_another_recipe_is_absent(made: Made, tmp_path: Path) -> None:
    copy = Store(shutil.copytree(made.store.root, tmp_path / "store"))
    row = made.store.dataset("problems").to_table().to_pylist()[0]
    add(copy, "problems", row | {"problem_id": "d" * 32})
    states = [one["why"] for one in explain("d" * 32, copy)["releases"]]
    assert states == ["absent: it is none of the release's problems"] * 3 + [
        "unknown: the release does not show its problems, and no row of this one"
    ]


# --- from files alone --------------------------------------------------------------------------------


@pytest.mark.parametrize("index", [0, 1, 3, 4, 6])
@pytest.mark.parametrize("version", ["1.0.0", "3.0.0"])
def test_a_release_alone_tells_why_as_the_store_does(made: Made, index: int, version: str) -> None:
    alone = explain(made.ids[index], Store(Path("nowhere")), str(made.folders[version]))
    stored = explain(made.ids[index], made.store, f"lines@{version}")
    assert alone["draw"] == {**stored["draw"]}
    assert alone["problem"]["answer"] == "8"
    there, here = alone["releases"][0], stored["releases"][0]
    # what another verifier said stands in the store alone
    assert {**there, "why": ""} == {**here, "why": ""}
    assert there["why"] == here["why"] or index == 4


def test_a_release_without_its_samples_tells_what_it_can(made: Made) -> None:
    folder = str(made.folders["4.0.0"])
    rows = lookup.Release("x", made.folders["4.0.0"]).rows("sft", "problem_id", [made.problem])
    found = explain(rows[0]["sample_id"], Store(Path("nowhere")), folder)
    assert found["releases"][0]["why"] == "kept: it stands among the rows for trainers"
    assert found["draw"]["completion"] == rows[0]["completion"]
    assert found["verdicts"] == []
    failed = explain(made.ids[3], Store(Path("nowhere")), folder)["releases"][0]
    assert failed["why"] == "out: it stands there as failed by math@2"
    assert "not the reason" in one_release(made, 5, "4.0.0")["why"]


def test_a_problem_is_told_from_files_alone(made: Made) -> None:
    found = explain(made.problem, Store(Path("nowhere")), str(made.folders["3.0.0"]))
    assert found["releases"][0]["state"] == "asked"
    assert len(found["samples"]) == 12
    assert found["from"].endswith(" alone")


def test_a_sample_that_a_release_does_not_hold_is_unknown_to_it(made: Made) -> None:
    with pytest.raises(
        UsageError, match=r"no sample and no problem whose id begins with .* without --release"
    ):
        explain(made.ids[9], made.store, str(made.folders["2.0.0"]))


# --- ids ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ident", "says"),
    [
        ("abc12", "is no id; an id is 32 digits"),
        ("", "is no id"),
        ("g" * 32, "is no id"),
        ("a" * 33, "is no id"),
        ("\x1b[31mabcdef", r"\\x1b\[31mabcdef' is no id"),
        ("20261121T172633-2a3c", "is the id of a run; .* WHERE run_id ="),
        ("lines@1.0.0", "is the release lines@1.0.0"),
        ("0123456789abcdef", "has no sample and no problem whose id begins with 0123456789abcdef"),
    ],
)
def test_an_id_that_names_no_row_says_what_to_try(made: Made, ident: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        explain(ident, made.store)


def test_ids_of_other_things_say_so(made: Made) -> None:
    generator = made.store.dataset("generators").to_table().to_pylist()[0]
    with pytest.raises(UsageError, match=f"is the id of a generator .'{generator['name']}'"):
        explain(generator["generator_id"][:10], made.store)
    release = json.loads((made.folders["2.0.0"] / "manifest.json").read_text())["release_id"]
    with pytest.raises(UsageError, match=re.escape("is the release lines@2.0.0")):
        explain(release, made.store)


def test_an_ambiguous_id_lists_what_it_may_be(made: Made, tmp_path: Path) -> None:
    copy = Store(shutil.copytree(made.store.root, tmp_path / "store"))
    problem = made.store.dataset("problems").to_table().to_pylist()[0]
    sample = made.store.dataset("samples").to_table().to_pylist()[0]
    ids = [f"abcdef{number:026x}" for number in range(11)]
    add(copy, "samples", *(sample | {"sample_id": one} for one in ids))
    add(copy, "problems", problem | {"problem_id": "abcdef" + "f" * 26})
    with pytest.raises(UsageError, match=rf"beginning of 12 ids: sample {ids[0]}, .* and 2 more; write more"):
        explain("ABCDEF", copy)
    assert explain(ids[3][:-1] + "3", copy)["sample_id"] == ids[3]
    assert explain("abcdeff", copy)["kind"] == "problem"


def test_a_store_that_is_not_there_has_no_rows(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere has no sample"):
        explain("abcdef", Store(tmp_path / "nowhere"))
    assert not (tmp_path / "nowhere").exists()


@given(st.integers(6, 32))
def test_any_unique_beginning_is_enough(made: Made, digits: int) -> None:
    assert explain(made.ids[0][:digits].upper(), made.store, "lines@1.0.0")["sample_id"] == made.ids[0]


# --- damage ------------------------------------------------------------------------------------------


def change_manifest(folder: Path, **changes: Any) -> None:
    path = folder / "manifest.json"
    content = json.loads(path.read_text()) | changes
    path.chmod(0o644)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"lock": {}}, "is no manifest of a release: it lacks lock.generators"),
        ({"files": [{"path": 1, "config": "samples", "split": "train"}]}, "it lacks files"),
        (
            {"files": [{"path": "../../../samples.parquet", "config": "samples", "split": "train"}]},
            "lists '../../../samples.parquet', outside its folder",
        ),
        ({"files": [{"path": "/etc/passwd", "config": "samples", "split": "x"}]}, "outside its folder"),
        (
            {"files": [{"path": "data/gone.parquet", "config": "samples", "split": "x"}]},
            "gone.parquet cannot be read",
        ),
        ({"files": [{"path": "README.md", "config": "samples", "split": "x"}]}, "README.md cannot be read"),
    ],
)
def test_a_damaged_release_is_named_and_hides_no_other(
    made: Made, tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    copy = Store(shutil.copytree(made.store.root, tmp_path / "store"))
    folder = copy.releases / "lines@1.0.0"
    change_manifest(folder, **changes)
    stands = explain(made.ids[0], copy)["releases"]
    assert stands[0]["state"] == "unknown"
    assert says in stands[0]["why"]
    assert stands[1]["state"] in ("kept", "out")
    assert says in explain(made.problem, copy)["releases"][0]["why"]
    with pytest.raises(CheckFailed, match=re.escape(says)):
        explain(made.ids[0], copy, str(folder))


def test_a_cut_file_and_a_missing_column_are_named(made: Made, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(made.folders["1.0.0"], tmp_path / "cut"))
    path = next((folder / "data" / "samples").glob("*.parquet"))
    path.chmod(0o644)
    rows = pq.read_table(path)
    pq.write_table(rows.drop_columns(["kept"]), path)
    with pytest.raises(CheckFailed, match="has no column kept") as caught:
        explain(made.problem, Store(Path("nowhere")), str(folder))
    assert str(path) in str(caught.value)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(CheckFailed, match=f"{path.name} cannot be read"):
        explain(made.ids[0], Store(Path("nowhere")), str(folder))
    (folder / "manifest.json").chmod(0o644)
    (folder / "manifest.json").write_text("[" * 200_000)
    with pytest.raises(CheckFailed, match="is not JSON"):
        explain(made.ids[0], Store(Path("nowhere")), str(folder))


# --- what people and programs see --------------------------------------------------------------------


def test_hostile_texts_act_on_no_terminal(made: Made) -> None:
    found = explain(made.ids[11], made.store)
    assert found["draw"]["completion"] == HOSTILE
    found["generator"]["name"] = found["releases"][0]["release"] = HOSTILE
    for line in display_explain.lines(found):
        assert isinstance(line, str)
        assert line.isprintable(), ascii(line)


def test_a_problem_is_laid_out_with_each_sample_in_one_line(made: Made) -> None:
    found = explain(made.problem, made.store)
    shown = list(display_explain.lines(found))
    lines = [line for line in shown if isinstance(line, str)]
    assert len(shown) - len(lines) == 1  # the table of counts
    assert all(line.isprintable() for line in lines)
    assert "    lines@1.0.0  asked of every generator" in lines
    (line,) = [line for line in lines if made.ids[3] in line]
    assert line.endswith(
        "strong 3: arithmetic@1 fail, math@2 fail; wrong in 2; '3 + 5 = 9. The answer is 9.'"
    )


def test_the_command_tells_in_text_and_in_json(made: Made) -> None:
    store = ("--store", made.store.root)
    shown = running.factory("explain", made.ids[11][:10], *store, cwd=made.root)
    assert shown.returncode == 0, shown.stderr
    assert all(line.isprintable() for line in shown.stdout.split("\n"))
    assert "\\x1b[31m[bold]red[/bold]\\x9b2J" in shown.stdout
    told = running.done(running.factory("explain", made.problem, *store, "--json", cwd=made.root))
    assert HOSTILE in [line["completion"] for line in told["samples"]]
    failed = running.factory("explain", "abc", *store, cwd=made.root)
    assert (failed.returncode, failed.stdout) == (2, "")
    assert failed.stderr.startswith("factory: 'abc' is no id")
