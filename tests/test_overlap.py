"""What counts as trained on: the same problem, the same words, a run of words; and what does not."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.errors import CheckFailed, UsageError
from factory.loop import overlap
from factory.loop.overlap import mark, refuse, search, tokens, trained_on
from factory.training.folder import TRAINED_ON

STORY = (
    "A baker fills six trays with twelve rolls each and then sells fifty of them before noon. "
    "How many rolls are left?"
)


def same(asked: str, trained: str) -> dict[str, str]:
    return search([("a", asked)], {"m": [("b", trained)]}).same(["a"])


@pytest.mark.parametrize(
    ("asked", "trained"),
    [
        ("What is 3 + 5?", "what is  3+5"),
        ("What is 3 + 5?", "WHAT IS “3 + 5”!"),
        ("Sell 1,000 rolls.", "sell 1000 rolls"),
        ("Sell twenty-five rolls.", "Sell twenty five rolls"),
        ("Ann's rolls", "Ann’s rolls"),
        ("ﬁve rolls", "five rolls"),
        ("`foo_bar(x)`", "foo bar x"),
    ],
)
def test_case_blanks_and_punctuation_make_no_other_prompt(asked: str, trained: str) -> None:
    assert same(asked, trained) == {"a": "prompt"}


@pytest.mark.parametrize(
    ("asked", "trained"),
    [
        ("What is 3 + 5?", "What is 3 - 5?"),
        ("What is 3 * 5?", "What is 3 / 5?"),
        ("What is 3 × 5?", "What is 3 ÷ 5?"),
        ("What is -3?", "What is 3?"),
        ("Is 3 < 5?", "Is 3 > 5?"),
        ("What is 1.5 + 2?", "What is 15 + 2?"),
        ("What is 35?", "What is 3 5?"),
        ("What is 5!?", "What is 5?"),
        ("What is 2^3?", "What is 23?"),
        ("Sell 1,00 rolls", "Sell 100 rolls"),
        ("Sell 6 rolls", "Sell 7 rolls"),
        ("?!", "..."),
    ],
)
def test_another_number_or_sign_is_another_prompt(asked: str, trained: str) -> None:
    assert same(asked, trained) == {}


def test_the_same_id_goes_before_the_same_prompt() -> None:
    found = search([("a", "x"), ("b", "y"), ("c", "z")], {"m": [("a", "other"), ("d", "Y?")]})
    assert found.same(["a", "b", "c"]) == {"a": "id", "b": "prompt"}
    report = found.report(["a", "b", "c"], "leave_out")
    assert (report["same_id"], report["same_prompt"], report["left_out"]) == (1, 1, 2)
    assert report["against"] == {"m": {"problems": 2, "same": 2}}


# --- nearly the same ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trained", "near"),
    [
        (STORY + " Think.", True),
        ("Yesterday, " + STORY.lower(), True),
        (STORY.replace("sells", "gives away"), False),  # no 13 words in a row are left
        (STORY.replace("six", "6"), True),  # 13 words after the number are the same
        ("A baker fills six trays with twelve rolls each and then sells", False),  # 12 words
        ("A baker fills six trays with twelve rolls each and then sells fifty", True),
    ],
)
def test_a_run_of_thirteen_words_is_near(trained: str, near: bool) -> None:
    found = search([("a", STORY)], {"m": [("b", trained)]})
    assert found.same(["a"]) == {}
    assert found.near(["a"]) == ({"a"} if near else set())


def test_a_number_is_a_word_of_its_own() -> None:
    told = "In 12 of the 30 boxes there are 7 pens and 4 of these are red"
    found = search([("a", told)], {"m": [("b", told.replace("30", "31"))]})
    assert found.near(["a"]) == set(), "the numbers stand too close for a run without one"


def test_near_is_counted_among_those_that_are_not_the_same() -> None:
    asked = [("a", STORY), ("b", STORY + " And why?"), ("c", "Something else")]
    report = search(asked, {"m": [("a", STORY)]}).report(["a", "b", "c"], "leave_out")
    assert report["near"] == {"problems": 1, "of": 2, "share": 0.5}


# --- what is known -----------------------------------------------------------------------------------


def test_unknown_is_not_clean() -> None:
    report = search([("a", STORY)], {"m": None, "n": None}).report(["a"], "refuse")
    assert report["against"] == {"m": None, "n": None}
    assert (report["same_id"], report["same_prompt"], report["near"]) == (None, None, None)


def test_each_model_is_told_apart() -> None:
    found = search([("a", "x"), ("b", "y")], {"m": [("a", "x")], "n": [("a", "x"), ("b", "y")], "o": []})
    assert {name: one.problems for name, one in found.seen.items()} == {"m": 1, "n": 2, "o": 0}
    report = found.report(["a", "b"], "leave_out")
    assert {name: one["same"] for name, one in report["against"].items()} == {"m": 1, "n": 2, "o": 0}


def test_a_refusal_names_set_model_and_example() -> None:
    prompts = {"a": "What\nis \x1b[31m1 + 1?", "b": "y"}
    found = search(prompts.items(), {"m": [("a", "")], "n": None})
    with pytest.raises(CheckFailed) as told:
        refuse(found, {"test": ["a", "b"], "other": ["b"]}, prompts)
    message = str(told.value)
    assert "1 of 2 problems of the set 'test' (m 1, n 0), as 'What is \\x1b[31m1 + 1?'" in message
    assert "'other'" not in message
    assert "evaluate.overlap=leave_out" in message


def test_nothing_is_refused_where_nothing_is_the_same() -> None:
    refuse(search([("a", STORY)], {"m": [("b", STORY + " Why?")]}), {"test": ["a"]}, {"a": STORY})


# --- files -------------------------------------------------------------------------------------------


def model(root: Path) -> Path:
    (root / "config.json").write_text("{}")
    (root / "model.safetensors").write_text("weights")
    return root


def test_a_model_without_a_list_is_unknown(tmp_path: Path) -> None:
    assert trained_on(str(model(tmp_path))) is None


def test_the_list_of_a_model_is_read(tmp_path: Path) -> None:
    rows = pa.table({"problem_id": ["a", "b"], "prompt": ["x", "y"], "more": [1, 2]})
    pq.write_table(rows, model(tmp_path) / TRAINED_ON)
    assert list(trained_on(str(tmp_path)) or ()) == [("a", "x"), ("b", "y")]


@pytest.mark.parametrize("content", [b"", b"PAR1 no PAR1", "columns"], ids=["empty", "damaged", "columns"])
def test_a_damaged_list_is_no_empty_one(tmp_path: Path, content: bytes | str) -> None:
    path = model(tmp_path) / TRAINED_ON
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        pq.write_table(pa.table({"id": ["a"]}), path)
    with pytest.raises(CheckFailed, match="it is not known what this model was trained on"):
        list(trained_on(str(tmp_path)) or ())


def test_no_model_is_no_unknown(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file or folder"):
        trained_on(str(tmp_path / "nowhere"))


def test_repeats_keep_their_mark() -> None:
    rows = pa.table({"problem_id": ["a", "a", "b"], "mark": ["", "duplicate_problem", ""]})
    assert mark(rows, {"a"})["mark"].to_pylist() == [overlap.MARK, "duplicate_problem", ""]
    assert mark(rows, ())["mark"].to_pylist() == ["", "duplicate_problem", ""]


# --- laws --------------------------------------------------------------------------------------------

PROMPTS = st.text(alphabet="aB 1,.-+'?é\n", max_size=30)


@given(PROMPTS)
def test_a_prompt_is_the_same_as_itself_whatever_its_case(prompt: str) -> None:
    expected = {"a": "prompt"} if tokens(prompt) else {}
    assert same(prompt, prompt) == expected
    assert same(prompt, prompt.swapcase()) == expected


@given(PROMPTS)
def test_comparing_words_again_changes_nothing(prompt: str) -> None:
    once = tokens(prompt)
    assert tokens(" ".join(once)) == once


@given(st.lists(PROMPTS, max_size=5), st.lists(PROMPTS, max_size=5))
def test_more_training_finds_no_less(asked: list[str], trained: list[str]) -> None:
    pairs = [(str(number), prompt) for number, prompt in enumerate(asked)]
    ids = [one for one, _ in pairs]
    some = search(pairs, {"m": [(f"t{number}", one) for number, one in enumerate(trained[:2])]})
    all_ = search(pairs, {"m": [(f"t{number}", one) for number, one in enumerate(trained)]})
    assert some.same(ids).keys() <= all_.same(ids).keys()
    assert some.near(ids) <= all_.near(ids)
