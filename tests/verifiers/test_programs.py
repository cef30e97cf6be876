"""Which part of a completion is its program, by which rule, and which tests a problem has."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.verifiers import programs
from factory.verifiers.sandbox_jobs import Asserts, FunctionTests, InputOutput

PREAMBLE = "import math\n\n\ndef half(x):\n    return x / 2\n\n\n"
PROMPT = PREAMBLE + 'def double(x):\n    """ Twice x. """\n'
FUNCTION = FunctionTests(PROMPT, "double", "def check(candidate): assert candidate(2) == 4")
ASSERTS = Asserts("start = 1\n", ("assert double(start) == 2", "assert not math.isnan(len(triple([2])))"))
METHOD = InputOutput(((1,),), (2,), "double")
PRINTED = InputOutput(("1\n",), ("2\n",))

DEFINED = "def double(x):\n    return 2 * x\n"
OTHER = "print(double(2))\n"
BODY = "    return 2 * x\n"


def fenced(text: str, language: str = "python") -> str:
    return f"```{language}\n{text}```\n"


FOUND = [
    # the name of the case, completion, tests, the slice, the rule
    ("a block", f"Here:\n{fenced(DEFINED)}Done.", FUNCTION, DEFINED, "fenced"),
    ("no language", fenced(DEFINED, ""), FUNCTION, DEFINED, "fenced"),
    ("Python3 of a list", "1. So\n" + fenced(DEFINED, "Python3"), FUNCTION, DEFINED, "fenced"),
    ("the last that defines", fenced("def double(x): pass\n") + fenced(DEFINED) + fenced(OTHER), FUNCTION,
     DEFINED, "fenced"),
    ("another language after it", fenced(DEFINED) + fenced("4\n", "text"), FUNCTION, DEFINED, "fenced"),
    ("none defines: the last", fenced("x = 1\n") + fenced(OTHER), FUNCTION, OTHER, "fenced"),
    ("not closed", "```python\n" + DEFINED, FUNCTION, DEFINED, "fenced"),
    ("tildes", f"~~~py\n{DEFINED}~~~", FUNCTION, DEFINED, "fenced"),
    ("a longer fence holds a shorter", f"````python\n{DEFINED}# ```\n````", FUNCTION, f"{DEFINED}# ```\n",
     "fenced"),
    ("opened by the prompt", DEFINED + "```\nThis doubles.", FUNCTION, DEFINED, "fenced"),
    ("assigned", fenced("double = lambda x: 2 * x\n"), FUNCTION, "double = lambda x: 2 * x\n", "fenced"),
    ("imported", fenced("from m import a, double\n"), FUNCTION, "from m import a, double\n", "fenced"),
    ("one of several names", fenced("def triple(x): ...\n") + fenced(OTHER), ASSERTS, "def triple(x): ...\n",
     "fenced"),
    ("a method", fenced("class Solution:\n  def f(): ...\n") + fenced("class S:\n  def double(s, x): ...\n"),
     METHOD, "class S:\n  def double(s, x): ...\n", "fenced"),
    ("any block prints", fenced("print(1)\n") + fenced("print(2)\n"), PRINTED, "print(2)\n", "fenced"),
    ("a body", BODY, FUNCTION, BODY, "continued"),
    ("a body after blank lines", "\n\n" + BODY, FUNCTION, "\n\n" + BODY, "continued"),
    ("a body, then an example", BODY + "# so:\n" + fenced(OTHER), FUNCTION, BODY + "# so:\n", "continued"),
    ("a body in a block", fenced(BODY), FUNCTION, BODY, "continued"),
    ("a body, closed", BODY + "```", FUNCTION, BODY, "continued"),
    ("a whole text", DEFINED, FUNCTION, DEFINED, "whole"),
    ("a whole text of another form", "import math\n" + DEFINED, ASSERTS, "import math\n" + DEFINED, "whole"),
    ("a fence in its text", f"{DEFINED}# so:\n{fenced(OTHER)}", FUNCTION, f"{DEFINED}# so:\n{fenced(OTHER)}",
     "whole"),
    ("a whole text that prints", "print(2)", PRINTED, "print(2)", "whole"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("completion", "tests", "expected", "rule"), [case[1:] for case in FOUND], ids=[case[0] for case in FOUND]
)
def test_the_program_is_found(completion: str, tests: programs.Tests, expected: str, rule: str) -> None:
    found = programs.find(completion, tests)
    assert found is not None
    assert (found.slice, found.rule) == (expected, rule)
    assert found.slice in completion


@pytest.mark.parametrize(
    ("completion", "tests"),
    [
        ("", FUNCTION),
        (" \n\t\n", FUNCTION),
        ("I cannot write double(x).", FUNCTION),
        ("The function double is easy: double it.", ASSERTS),
        ("x = 1\n", FUNCTION),
        (BODY, ASSERTS),
        (BODY, METHOD),
        ("def doubled(x): ...", FUNCTION),
        ("double == 2", FUNCTION),
        ("start = 1\n", ASSERTS),
        ("def isnan(x): ...\ndef len(x): ...", ASSERTS),
        (fenced("fn double(x) -> x * 2;\n", "rust"), FUNCTION),
        ("```python\n```", FUNCTION),
        ("`double = 1`", FUNCTION),
        ("", PRINTED),
    ],
)
def test_there_is_no_program(completion: str, tests: programs.Tests) -> None:
    assert programs.find(completion, tests) is None


def test_a_function_stands_behind_what_its_prompt_gives() -> None:
    whole = programs.find(DEFINED, FUNCTION)
    assert whole is not None
    assert whole.program == PREAMBLE + DEFINED
    repeated = programs.find(PROMPT + BODY, FUNCTION)
    assert repeated is not None
    assert repeated.program == PROMPT + BODY
    body = programs.find(BODY, FUNCTION)
    assert body is not None
    assert body.program == PROMPT + BODY
    future = "from __future__ import annotations\n" + DEFINED
    alone = programs.find(future, FUNCTION)
    assert alone is not None
    assert alone.program == future
    asserted = programs.find(DEFINED, ASSERTS)
    assert asserted is not None
    assert asserted.program == DEFINED


def test_a_block_in_a_list_loses_its_indentation() -> None:
    found = programs.find("- So:\n  ```python\n  def double(x):\n      return 2 * x\n  ```\n", FUNCTION)
    assert found is not None
    assert (found.program, found.rule) == (PREAMBLE + DEFINED, "fenced")
    assert found.slice == "  def double(x):\n      return 2 * x\n"


@given(
    parts=st.lists(
        st.sampled_from(
            ["```", "```python", "~~~", "\n", "  ", "def double(x):", "return 2", "text", "=", "é"]
        ),
        max_size=12,
    ),
    tests=st.sampled_from([FUNCTION, ASSERTS, METHOD, PRINTED]),
)
def test_what_is_found_is_a_slice_with_something_in_it(parts: list[str], tests: programs.Tests) -> None:
    completion = "".join(parts)
    found = programs.find(completion, tests)
    assert found is None or (found.slice in completion and found.slice.strip() and found.program.strip())


@pytest.mark.parametrize("text", ["`" * 50_000, "```" + "a" * 50_000 + "`", " " * 50_000, "def " * 20_000])
def test_long_lines_are_read_once(text: str) -> None:
    for tests in (FUNCTION, ASSERTS, METHOD):
        found = programs.find(text, tests)
        assert found is None or found.slice in text


# --- tests -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"prompt": "p", "entry_point": "f", "test": "t"}, FunctionTests("p", "f", "t")),
        ({"setup": "", "asserts": ["assert f()"]}, Asserts("", ("assert f()",))),
        ({"inputs": ["1\n"], "outputs": ["2\n"]}, InputOutput(("1\n",), ("2\n",))),
        (
            {"inputs": [[1, [2]]], "outputs": [None], "fn_name": "f"},
            InputOutput(([1, [2]],), (None,), "f"),
        ),
    ],
)
def test_the_three_forms(written: object, expected: programs.Tests) -> None:
    assert programs.read_tests(json.dumps(written)) == expected


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "assert f() == 1",
        "null",
        "[]",
        "[" * 100_000,
        "{}",
        '{"prompt": "p", "entry_point": "f"}',
        '{"prompt": "p", "entry_point": "f()", "test": "t"}',
        '{"prompt": "p", "entry_point": "f", "test": "t", "setup": ""}',
        '{"prompt": 1, "entry_point": "f", "test": "t"}',
        '{"setup": "", "asserts": []}',
        '{"setup": "", "asserts": "assert f()"}',
        '{"setup": "", "asserts": ["assert f()", 1]}',
        '{"asserts": ["assert f()"]}',
        '{"inputs": [], "outputs": []}',
        '{"inputs": ["1"], "outputs": ["1", "2"]}',
        '{"inputs": ["1"], "outputs": [1]}',
        '{"inputs": [[1]], "outputs": [1]}',
        '{"inputs": ["1"], "outputs": [1], "fn_name": "f"}',
        '{"inputs": [[1]], "outputs": [1], "fn_name": "f.g"}',
        '{"inputs": [[1]], "outputs": [1], "fn_name": "f", "setup": ""}',
    ],
)
def test_tests_of_another_form(text: str | None) -> None:
    assert programs.read_tests(text) is None
