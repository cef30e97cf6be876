"""What the rows of a release say against each other, once everything that can be mended was mended."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory import checking
from factory.errors import UsageError
from factory.release.golds import gives_away
from factory.store import Store
from tests.support import forging
from tests.support.forging import Rows, Seal, check, edit, failed, file_of, reseal, rows, told
from tests.support.running import factory

pytestmark = pytest.mark.usefixtures("kept_servers")

Tamper = Callable[[Path], object]


def change(config: str, number: int, **values: Any) -> Tamper:
    """Set values of one row."""

    def one(some: Rows) -> Rows:
        some[number] |= values
        return some

    return lambda it: rows(it, config, one)


def drop(config: str) -> Tamper:
    return lambda it: rows(it, config, lambda some: some[1:])


def twice(config: str) -> Tamper:
    return lambda it: rows(it, config, lambda some: [*some, some[0]])


def swap(config: str, column: str, status: str) -> Tamper:
    """Let `column` of a row name another sample of its problem, of this status and not kept."""

    def tamper(folder: Path) -> None:
        samples = pq.read_table(file_of(folder, "samples")).to_pylist()
        fit = {one["problem_id"]: one for one in samples if one["status"] == status and not one["kept"]}

        def one(some: Rows) -> Rows:
            row = next(row for row in some if row["problem_id"] in fit)
            other = fit[row["problem_id"]]
            text = "completion" if column == "sample_id" else column.removesuffix("_id")
            row |= {column: other["sample_id"], text: other["completion"]}
            return some

        rows(folder, config, one)

    return tamper


def unlike(config: str, column: str) -> Tamper:
    return lambda it: rows(
        it, config, lambda some: [{**row, column: row[column] + " "} for row in some[:1]] + some[1:]
    )


def no_mark(config: str, marks: dict[str, str]) -> Tamper:
    def tamper(folder: Path) -> None:
        path = file_of(folder, config)
        forging.write(path, pq.read_table(path).replace_schema_metadata(), marks)

    return tamper


def garbage(folder: Path) -> None:
    path = file_of(folder, "sft")
    path.write_bytes(b"PAR1" + b"\xff" * 5000 + b"PAR1")


def no_rows(folder: Path) -> None:
    rows(folder, "sft", lambda some: [])


def another_name(folder: Path) -> None:
    """A column that the laws ask for, under another name."""
    path = file_of(folder, "sft")
    table = pq.read_table(path).replace_schema_metadata()
    names = ["id" if one == "sample_id" else one for one in table.column_names]
    forging.write(path, table.rename_columns(names), forging.marks(path))
    edit(folder, lambda content: content["configs"]["sft"]["schema"][2].update(name="id"))


SAMPLE = "sample_id"

ROWS: list[tuple[str, Tamper, Seal, set[str], str]] = [
    ("a row less, bytes mended", drop("sft"), "bytes", {"rows"}, "19 rows, expected 20"),
    ("a row less, rows mended", drop("kto"), "rows", {"digest", "card"}, "config kto: "),
    ("a row less", drop("sft"), "id", {"counts", "lineage", "card"}, "kept, and not in sft, expected"),
    ("a pair less", drop("preference"), "id", {"card"}, "dataset_info.preference.splits: "),
    ("a problem less", drop("rewards"), "id", {"counts", "lineage", "card"}, "asked, and not in rewards"),
    (
        "a sample less",
        drop("samples"),
        "id",
        {"counts", "lineage", "recount", "card"},
        "in no row of samples",
    ),
    (
        "a row twice",
        twice("sft"),
        "id",
        {"keys", "counts", "card"},
        ": 2 rows, in train, expected each key once",
    ),
    (
        "a pair twice",
        twice("preference"),
        "id",
        {"keys", "card"},
        ": 2 rows, in train, expected each key once",
    ),
    (
        "another completion",
        unlike("sft", "completion"),
        "id",
        {"lineage"},
        "completion: another text, expected",
    ),
    (
        "another prompt",
        unlike("rewards", "prompt"),
        "id",
        {"lineage"},
        "prompt: another text, expected the pro",
    ),
    (
        "another chosen",
        unlike("preference", "chosen"),
        "id",
        {"lineage"},
        "chosen: another text, expected the c",
    ),
    ("a text, digest left", unlike("sft", "completion"), "rows", {"digest", "lineage"}, "config sft: "),
    (
        "a wrong one as kept",
        swap("sft", SAMPLE, "fail"),
        "id",
        {"lineage"},
        "not kept: wrong, expected a kept",
    ),
    (
        "an undecided one as rejected",
        swap("preference", "rejected_id", "no_answer"),
        "id",
        {"lineage"},
        "chosen kept, rejected no_answer, expected a kept and a failed sample of its problem",
    ),
    (
        "a wrong label",
        change("kto", 0, label=False),
        "id",
        {"lineage"},
        "label false, kept true, status pass",
    ),
    (
        "a better rate",
        change("rewards", 0, correct=8),
        "id",
        {"lineage"},
        "8 samples, 8 correct, expected the",
    ),
    (
        "kept by word",
        change("samples", 0, reason="wrong"),
        "id",
        {"lineage", "recount"},
        "selection.kept: 19 row",
    ),
    (
        "another status",
        change("samples", 0, status="fail"),
        "id",
        {"recount"},
        "verdicts.fail: 42 rows, expe",
    ),
    ("an id of its own", change("problems", 0, origin="{}"), "id", set(), ""),
    ("another answer", change("problems", 0, answer="9"), "id", {"ids"}, "problems "),
    ("another draw", change("samples", 0, sample_index=77), "id", {"ids"}, "samples "),
    ("not asked", change("problems", 0, asked=False), "id", {"lineage"}, "in rewards, and not asked"),
    ("split by word", change("problems", 0, split="test"), "id", {"splits"}, "split test in a file of train"),
    ("no mark", no_mark("sft", {}), "bytes", {"mark"}, "no mark, expected sums@1.0.0, "),
    (
        "another mark",
        no_mark("kto", {"factory.release": "sums@1.0.0", "factory.release_id": "0" * 64}),
        "bytes",
        {"mark"},
        "sums@1.0.0, 0000000000",
    ),
    (
        "a mark on samples",
        no_mark("samples", {"factory.release": "x"}),
        "bytes",
        {"mark"},
        "x, expected no mark",
    ),
    ("no Parquet", garbage, "bytes", {"schema"}, "expected a Parquet file"),
    (
        "no rows",
        no_rows,
        "rows",
        {"loadable", "counts", "digest", "card", "lineage"},
        "no rows, expected rows; ",
    ),
    ("a column renamed", another_name, "id", {"keys", "lineage"}, "Binder Error"),
]


@pytest.mark.parametrize(
    ("tamper", "seal", "checks", "said"), [one[1:] for one in ROWS], ids=[one[0] for one in ROWS]
)
def test_altered_rows_are_found(text: Path, tamper: Tamper, seal: Seal, checks: set[str], said: str) -> None:
    tamper(text)
    reseal(text, seal)
    found = check(text)
    assert failed(found) - {"identity"} == checks
    assert ("identity" in failed(found)) == (seal in ("digest", "rows") and "digest" not in checks)
    assert said in " / ".join(told(found, name) for name in checks)


def test_a_column_of_null_type_is_found(text: Path) -> None:
    path = file_of(text, "sft")
    table = pq.read_table(path).replace_schema_metadata()
    forging.write(path, table.set_column(0, "prompt", pa.nulls(len(table))), forging.marks(path))
    edit(text, lambda content: content["configs"]["sft"]["schema"][0].update(type="null", nullable=True))
    reseal(text, "bytes")
    found = check(text)
    assert "prompt: null, expected a type that every file can hold" in told(found, "loadable")
    assert "config sft: a column of type null has no content digest" in told(found, "digest")


def move(folder: Path, config: str, number: int = 0) -> dict[str, Any]:
    """Move a row from train to test."""
    moved = pq.read_table(file_of(folder, config)).to_pylist()[number]
    rows(folder, config, lambda some: [row for row in some if row != moved])
    rows(folder, config, lambda some: [*some, moved], "test")
    return moved


def test_a_problem_in_two_splits_is_found_over_all_configs(messages: Path) -> None:
    moved = move(messages, "sft")
    reseal(messages, "id")
    found = check(messages)
    assert failed(found) == {"splits", "card"}
    assert f"problem {moved['problem_id']}: in test, train, expected each problem in one split" in told(
        found, "splits"
    )


def test_a_key_in_two_splits_is_found(messages: Path) -> None:
    row = pq.read_table(file_of(messages, "kto")).to_pylist()[0]
    rows(messages, "kto", lambda some: [*some, row], "test")
    reseal(messages, "id")
    assert f"kto {row['sample_id']}: 2 rows, in test, train" in told(check(messages), "keys")


def test_a_group_in_two_splits_is_found(messages: Path) -> None:
    table = pq.read_table(file_of(messages, "problems", "test"))
    group = table["group_id"][0].as_py()

    def one(some: Rows) -> Rows:
        some[0] |= {"group_id": group}
        return some

    rows(messages, "problems", one)
    reseal(messages, "id")
    found = check(messages)
    assert failed(found) == {"splits"}
    assert f"group {group}: in test, train, expected each group in one split" in told(found, "splits")


def test_messages_are_compared_with_their_samples(messages: Path) -> None:
    def one(some: Rows) -> Rows:
        some[0]["messages"][1]["content"] += "!"
        return some

    rows(messages, "sft", one)
    reseal(messages, "id")
    assert "completion: another text, expected the completion" in told(check(messages), "lineage")


def test_an_answer_inside_its_prompt_is_listed_and_is_no_failure(text: Path) -> None:
    ids = {}

    def tell(some: Rows) -> Rows:
        some[3]["prompt"] += f" (It is {some[3]['answer']}.)"
        ids["3"] = some[3]["problem_id"]
        return some

    rows(text, "problems", tell)
    reseal(text, "id")
    found = check(text)
    (warned,) = [one for one in found if one.check == "golds"]
    assert (warned.status, warned.found) == ("warning", f"1 of 12 problems: {ids['3']}")
    assert failed(found) == {"ids", "lineage"}


@pytest.mark.parametrize(
    ("prompt", "answer", "inside"),
    [
        ("She buys 8 of them.", "8", True),
        ("He pays $1,200 now.", "1200", True),
        ("It costs 1200.", "1,200", True),
        ("It is 8.0 metres.", "8", True),
        ("From −5 to 3", "-5", True),
        ("Is it Paris or Rome?", "paris", True),
        ("Take x = \\frac{1}{2} of it", "\\frac{1}{2}", True),
        ("She buys 18 of them.", "8", False),
        ("She buys 8.5 of them.", "8", False),
        ("She buys 1,280 of them.", "280", False),
        ("Room x8 is shut.", "8", False),
        ("The 8th of May", "8", False),
        ("From 5 to 3", "-5", False),
        ("Parisians", "Paris", False),
        ("Anything", "", False),
        ("It is 1.8.", "8", False),
    ],
)
def test_a_gold_answer_inside_a_prompt(prompt: str, answer: str, inside: bool) -> None:
    assert gives_away(prompt, answer) is inside


@given(st.integers(-(10**9), 10**9), st.text(alphabet="ab .,", max_size=8).filter(lambda it: it[-1:] != "."))
def test_a_number_that_stands_by_itself_is_found_with_and_without_commas(number: int, before: str) -> None:
    assert gives_away(f"{before} {number:,} apples", str(number))
    assert gives_away(f"{before} {number} apples", f"{number:,}")
    assert not gives_away(f"{before} {number} apples", str(number + 1))


# --- the card


def card(old: str, new: str) -> Tamper:
    def tamper(folder: Path) -> None:
        text = (folder / "README.md").read_text()
        assert old in text
        (folder / "README.md").write_text(text.replace(old, new, 1))

    return tamper


BOMB = "".join(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]\n" for n in range(9))

CARDS: list[tuple[str, Tamper, str]] = [
    ("version", card("version: 1.0.0", "version: 1.0.1"), "configs.sft.version: 1.0.1, expected 1.0.0"),
    ("no version", card("  version: 1.0.0\n", ""), "configs.sft.version: None, expected 1.0.0"),
    ("id", card("  description: ", "  description: 0"), "configs.sft.description: 0"),
    (
        "a config's name",
        card("config_name: kto", "config_name: kta"),
        "configs: sft, preference, kta, rewards",
    ),
    (
        "other files",
        card("data/sft/train-*", "data/kto/train-*"),
        "configs.sft.data_files: train: data/kto/tra",
    ),
    (
        "all files",
        card("data/sft/train-*", "data/*/train-*"),
        "configs.sft.data_files: train: data/kto/train-0",
    ),
    (
        "another split",
        card("split: train", "split: test"),
        "configs.sft.data_files: test: data/sft/train-00000",
    ),
    (
        "files elsewhere",
        card("data/sft/train-*.parquet", "https://x.example/*"),
        "train: https://x.example/*, ex",
    ),
    (
        "files above",
        card("data/sft/train-*.parquet", "../sums/*"),
        "configs.sft.data_files: train: ../sums/*",
    ),
    (
        "two defaults",
        card("config_name: kto\n", "config_name: kto\n  default: true\n"),
        "two defaults, expected",
    ),
    ("licence", card("pretty_name:", "license_name: x\nlicense: proprietary\npretty_name:"), "license"),
    ("no front matter", card("---\n", ""), "no front matter, expected front matter between two lines ---"),
    ("no YAML", card("pretty_name:", "pretty_name: ["), "this is not YAML"),
    ("a key twice", card("pretty_name:", "pretty_name: x\npretty_name:"), "pretty_name"),
    ("a tag", card("pretty_name:", "x: !!python/object/apply:os.system [id]\npretty_name:"), "README.md:2: "),
    ("a bomb", card("pretty_name:", f"a0: &a0 [x, x]\n{BOMB}pretty_name:"), "README.md:"),
    ("a list", card("pretty_name:", "configs: 3\n---\npretty_name:"), "configs"),
]


@pytest.mark.parametrize(("tamper", "said"), [one[1:] for one in CARDS], ids=[one[0] for one in CARDS])
def test_a_card_that_says_something_else_is_found(text: Path, tamper: Tamper, said: str) -> None:
    tamper(text)
    reseal(text, "bytes")
    found = check(text, rows=False)
    assert failed(found) == {"card"}
    assert said in told(found, "card")


# --- the command


def test_the_command_says_what_failed_and_ends_with_1(text: Path) -> None:
    whole = factory("release", "check", str(text), "-q", cwd=text.parent)
    assert whole.returncode == 0, whole.stderr
    assert f"{text} is whole: " in whole.stdout
    (text / "\x1b[31mred").write_text("x")
    result = factory("release", "check", f"./{text.name}", "--json", "-q", cwd=text.parent)
    assert result.returncode == 1
    assert "\x1b" not in result.stdout + result.stderr
    assert "factory: ./sums@1.0.0: " in result.stderr
    assert "\\x1b[31mred: file, expected nothing: the manifest does not list it" in result.stderr
    listed = json.loads(result.stdout)
    assert listed["ok"] is False
    assert [one for one in listed["findings"] if one["status"] == "failed"] == [
        {
            "check": "files",
            "status": "failed",
            "where": "\\x1b[31mred",
            "found": "file",
            "expected": "nothing: the manifest does not list it",
        }
    ]


@pytest.mark.parametrize(
    ("reference", "remote", "said"),
    [
        ("sums@9.9.9", False, "has no release sums@9.9.9"),
        ("./nothing", False, "is no release: it holds no manifest.json"),
        ("sums", False, "names no release; write NAME@X.Y.Z"),
        ("./sums@1.0.0", True, "only a release on the Hub, ORG/NAME@vX.Y.Z, is remote"),
    ],
)
def test_a_reference_to_nothing_is_wrong_usage(
    tmp_path: Path, reference: str, remote: bool, said: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        checking.by_reference(reference, Store(tmp_path / "store"), remote=remote)
