"""The scripted server that other tests lean on: its answers, its faults, its command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import openai_server
from tests.support.asking import ask, only, run
from tests.support.openai_server import answer


@pytest.mark.parametrize(
    ("expression", "expected"), [("3 + 4", 7), ("-3 + 4", 1), ("10 - 2 * 3", 4), ("2*3*4 - 25 + 1", 0)]
)
def test_the_scripted_server_computes(expression: str, expected: int) -> None:
    assert openai_server.value(expression) == expected


def test_the_scripted_answers_are_right_in_about_the_share_asked_for() -> None:
    texts = [answer("m", "What is 17 + 25?", seed, 0.3) for seed in range(1000)]
    right = sum(text.endswith("The answer is 42.") for text in texts)
    assert 250 < right < 350
    assert answer("m", "What is 17 + 25?", 5) == answer("m", "What is 17 + 25?", 5)


@pytest.mark.parametrize("text", ["200", "nonsense@3", "cut@x", "429@1-"])
def test_a_fault_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        openai_server.parse_fault(text)


def test_the_scripted_server_runs_as_a_program() -> None:
    command = [sys.executable, str(Path(openai_server.__file__)), "--fault", "500@0-1", "--words", "64"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        done = only(run(process.stdout.readline().strip(), [ask(3)]))
        process.terminate()
    assert done.completion_tokens == 64
