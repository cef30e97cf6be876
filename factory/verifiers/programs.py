"""Programs and tests as texts: the tests a problem has, and the part of a completion that is the program.

Guarantees: both are read by their look alone (JSON, fences, indentation, names at the start of a line), so
nothing here can run or hang; the rule that found a program is one of `fenced`, `continued` and `whole`, and
what it found is a slice of the completion. Left out: whether the program is Python at all, which only the
sandbox says, and cutting a completion that runs on: its stop strings are the generator's affair.
"""

from __future__ import annotations

import builtins
import functools
import json
import keyword
import re
import textwrap
from typing import Any, Final, Literal, NamedTuple

from factory.verifiers.sandbox_jobs import Asserts, FunctionTests, InputOutput

Tests = FunctionTests | Asserts | InputOutput

PYTHON: Final = frozenset(("", "python", "python3", "py"))
"""What may stand after an opening fence; a block in another language is no program."""

# Possessive, so that a long line which is no fence after all is read once.
FENCE: Final = re.compile(r"^([ \t]*+)(`{3,}+|~{3,}+)[ \t]*+([^\s`]*+)[^\n`]*+$", re.MULTILINE)
CALLED: Final = re.compile(r"(?<![.\w])([^\W\d]\w*)[ \t]*\(")
BOUND: Final = re.compile(r"^(?:def|class)[ \t]+(\w+)|^(\w+)[ \t]*=(?!=)", re.MULTILINE)
NO_NAMES: Final = frozenset((*dir(builtins), *keyword.kwlist, *keyword.softkwlist))


class Found(NamedTuple):
    """A program, the slice of the completion it was made of, and the rule that found it."""

    program: str
    slice: str
    rule: Literal["fenced", "continued", "whole"]


class Block(NamedTuple):
    """The slice between two fences, its language as written, and the indentation of its opening fence."""

    text: str
    language: str
    indent: str


# --- tests -------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=256)  # the samples of a problem come together
def read_tests(text: str | None) -> Tests | None:
    """The tests of a problem, in one of three forms told apart by their keys; None for anything else.

    {"prompt", "entry_point", "test"}: `test` defines check(candidate), as in HumanEval.
    {"setup", "asserts"}: assert statements in a list, as in MBPP.
    {"inputs", "outputs"}: texts for standard input and output; with "fn_name", as in APPS, lists of
    arguments and the values that the function returns.
    """
    try:
        tests = json.loads(text or "null")
    except (ValueError, RecursionError):
        return None
    match tests:
        case {"prompt": str(prompt), "entry_point": str(name), "test": str(test)} if len(tests) == 3:
            return FunctionTests(prompt, name, test) if name.isidentifier() else None
        case {"setup": str(setup), "asserts": list(asserts)} if len(tests) == 2:
            return Asserts(setup, tuple(asserts)) if _are(asserts, str) else None
        case {"inputs": list(inputs), "outputs": list(outputs), **more} if len(inputs) == len(outputs):
            return _input_output(inputs, outputs, more)
    return None


def _input_output(inputs: list[Any], outputs: list[Any], more: dict[Any, Any]) -> InputOutput | None:
    match more:
        case {"fn_name": str(name)} if len(more) == 1 and name.isidentifier() and _are(inputs, list):
            return InputOutput(tuple(inputs), tuple(outputs), name)
    if not more and _are(inputs, str) and _are(outputs, str):
        return InputOutput(tuple(inputs), tuple(outputs))
    return None


def _are(values: list[Any], kind: type) -> bool:
    return bool(values) and all(isinstance(value, kind) for value in values)


# --- programs ----------------------------------------------------------------------------------------


def find(completion: str, tests: Tests) -> Found | None:
    """The program in a completion, or None where there is none.

    By the first rule that applies: the last fenced block that defines what the tests call; a text that
    goes on in the body of the function that the tests' prompt begins; the text itself, if it defines what
    the tests call; the last fenced block. Where the tests only read what is printed, everything defines it.
    """
    blocks = [block for block in _blocks(completion) if block.language.lower() in PYTHON]
    definition = _definition(tests)
    defining = [block for block in blocks if definition.search(_dedented(block))]
    if defining:
        return _fenced(defining[-1], tests)
    if isinstance(tests, FunctionTests) and _goes_on(completion):
        fence = FENCE.search(completion)
        return _continued(completion[: fence.start()] if fence else completion, tests)
    if completion.strip() and definition.search(completion):
        return Found(_with_preamble(completion, tests), completion, "whole")
    return _fenced(blocks[-1], tests) if blocks else None


def _blocks(text: str) -> list[Block]:
    """The fenced blocks; one that is not closed ends with the text.

    A lone fence that says nothing, with text before it, closes a block that the prompt has opened.
    """
    fences = list(FENCE.finditer(text))
    if len(fences) == 1 and not fences[0][3] and text[: fences[0].start()].strip():
        return [Block(text[: fences[0].start()], "", "")]
    blocks: list[Block] = []
    opened: re.Match[str] | None = None
    for fence in fences:
        if opened is None:
            opened = fence
        elif not fence[3] and fence[2].startswith(opened[2]):
            blocks.append(Block(text[opened.end() + 1 : fence.start()], opened[3], opened[1]))
            opened = None
    if opened is not None:
        blocks.append(Block(text[opened.end() + 1 :], opened[3], opened[1]))
    return [block for block in blocks if block.text.strip()]


def _dedented(block: Block) -> str:
    """The block without the indentation that the item of a list gave it, together with its fences."""
    return textwrap.dedent(block.text) if block.indent else block.text


def _fenced(block: Block, tests: Tests) -> Found:
    program = _dedented(block)
    if isinstance(tests, FunctionTests) and _goes_on(program):
        return _continued(block.text, tests)
    return Found(_with_preamble(program, tests), block.text, "fenced")


def _continued(body: str, tests: FunctionTests) -> Found:
    return Found(tests.prompt + body, body, "continued")


def _goes_on(text: str) -> bool:
    """Whether the first line that is not blank is indented."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return first[:1] in (" ", "\t")


def _with_preamble(program: str, tests: Tests) -> str:
    """The program behind the imports and helpers that a prompt gives before the function it asks for.

    Without them a program that does not repeat them would be wrong by no fault of its own. Statements of
    __future__ must come first, so a program that has some stands alone.
    """
    if not isinstance(tests, FunctionTests) or "__future__" in program:
        return program
    entry = re.search(
        rf"^(?:async[ \t]+)?def[ \t]+{re.escape(tests.entry_point)}\b", tests.prompt, re.MULTILINE
    )
    preamble = tests.prompt[: entry.start()] if entry else ""
    return program if program.startswith(preamble) else preamble + program


def _definition(tests: Tests) -> re.Pattern[str]:
    """What a line of a program looks like that defines one of the names which the tests call."""
    indent = ""
    if isinstance(tests, FunctionTests):
        names = {tests.entry_point}
    elif isinstance(tests, Asserts):
        bound = {name for pair in BOUND.findall(tests.setup) for name in pair}
        names = set(CALLED.findall("\n".join((tests.setup, *tests.asserts)))) - bound - NO_NAMES
    else:
        names = {tests.function} if tests.function else set()
        indent = "[ \\t]*"  # it may be a method of the class Solution
    if not names:
        return re.compile("")
    name = f"(?:{'|'.join(map(re.escape, sorted(names)))})\\b"
    return re.compile(
        rf"^{indent}(?:(?:async[ \t]+)?def|class)[ \t]+{name}|^{name}[ \t]*(?::[^=\n]*)?=(?!=)"
        rf"|^(?:from|import)[ \t][^\n]*\b{name}",
        re.MULTILINE,
    )
