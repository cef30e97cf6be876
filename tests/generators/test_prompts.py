"""Prompts: every built-in one, what a problem's text may contain, and the templates that are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.errors import UsageError
from factory.generators import prompts
from factory.recipe import Example, Prompt

ONE_EXAMPLE = (Example(prompt="1+1", completion="2"),)


@pytest.mark.parametrize("name", sorted(prompts.BUILT_IN))
def test_built_in_prompts_hold_the_problem_once(name: str) -> None:
    sent = prompts.render(prompts.resolve(name), "How many apples?")
    text = sent if isinstance(sent, str) else sent[-1]["content"]
    assert text.count("How many apples?") == 1


def test_the_few_shot_prompt_ends_where_the_answer_begins() -> None:
    sent = prompts.render(prompts.resolve("gsm8k-fewshot"), "How many?")
    assert isinstance(sent, str)
    assert sent.endswith("\n\nQuestion: How many?\nAnswer:")
    assert sent.count("#### ") == 4


@pytest.mark.parametrize(
    "hostile", ["{answer}", "{{ prompt }}", "{% raw %}", '{"a": {"b": 1}}', "{{ ''.__class__ }}", "{# x #}"]
)
@pytest.mark.parametrize("name", ["plain", "gsm8k-fewshot"])
def test_braces_in_a_problem_stay_what_they_are(name: str, hostile: str) -> None:
    sent = prompts.render(prompts.resolve(name), hostile)
    assert hostile in (sent if isinstance(sent, str) else sent[-1]["content"])


@given(st.text())
def test_plain_sends_any_problem_unchanged(text: str) -> None:
    assert prompts.render(prompts.BUILT_IN["plain"], text) == ({"role": "user", "content": text},)


def test_a_chat_is_system_then_examples_then_the_problem() -> None:
    prompt = Prompt(system="Be brief.", template="Q: {{ prompt }}", examples=ONE_EXAMPLE)
    assert prompts.render(prompt, "2+2") == (
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Q: 1+1"},
        {"role": "assistant", "content": "2"},
        {"role": "user", "content": "Q: 2+2"},
    )


def test_a_completion_prompt_sees_system_and_examples_and_keeps_its_line_end() -> None:
    shots = "{% for one in examples %}{{ one.prompt }}={{ one.completion }}|{% endfor %}"
    template = "{{ system }}|" + shots + "{{ prompt }}\n"
    prompt = Prompt(mode="completion", template=template, system="S", examples=ONE_EXAMPLE)
    assert prompts.render(prompts.resolve(prompt), "2+2") == "S|1+1=2|2+2\n"


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ promt }} {{ prompt }}", "'promt' is not defined"),
        ("{{ prompt }} {{ examples }}", "'examples' is not defined in a prompt of mode chat"),
        ("{{ prompt", "TemplateSyntaxError"),
        ("{{ prompt }}{% endif %}", "TemplateSyntaxError"),
        ("{{ prompt.__class__ }}", "SecurityError"),
        ("{{ prompt.__class__.__mro__[1].__subclasses__() }}", "SecurityError"),
        ("{{ prompt }}{% for i in range(10**9) %}x{% endfor %}", "OverflowError"),
        ("{{ prompt }}{{ 1 / 0 }}", "ZeroDivisionError"),
        ("{{ prompt + 1 }}", "TypeError"),
        ("{{ prompt.nothing }}", "UndefinedError"),
        ("{{ prompt }}{% include 'secret' %}", "include"),
        ("Solve it.", "never uses {{ prompt }}"),
    ],
)
def test_templates_that_are_refused_before_anything_is_sampled(template: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        prompts.resolve(Prompt(template=template))
    assert str(caught.value).startswith("prompt.template")
    assert said in str(caught.value)


def test_an_undefined_name_is_found_in_a_branch_that_is_not_taken() -> None:
    template = "{% if prompt|length > 1000 %}{{ long }}{% endif %}{{ prompt }}"
    with pytest.raises(UsageError, match="'long' is not defined"):
        prompts.resolve(Prompt(template=template))


def test_an_unknown_name_is_answered_with_the_names_and_the_nearest() -> None:
    with pytest.raises(
        UsageError, match=r"'cot-anwser'.*answer-only, code-fewshot, cot-answer.*did you mean cot-answer\?"
    ):
        prompts.resolve("cot-anwser")


def test_the_programs_among_the_examples_pass_the_tests_beside_them() -> None:
    asserts = 0
    for example in prompts.BUILT_IN["code-fewshot"].examples:
        names: dict[str, object] = {}
        exec(example.completion, names)  # a text of ours
        for line in example.prompt.splitlines():
            if line.startswith("assert "):
                exec(line, names)
                asserts += 1
    assert asserts == 6
    assert names["by_last"]


def test_a_program_is_asked_for_inside_a_fence() -> None:
    sent = prompts.render(prompts.resolve("code-fewshot"), "def f(x):\n")
    assert isinstance(sent, str)
    assert sent.endswith("# Task\ndef f(x):\n\n```python\n")
    assert sent.count("```") == 2 * 3 + 1, "every example is closed, and the last fence is open"


def test_the_prompt_of_fine_tuning_ends_with_a_line_so_that_a_completion_begins_with_a_word() -> None:
    sent = prompts.render(prompts.resolve("alpaca"), "How {many}?")
    assert sent == (
        "Below is an instruction that describes a task. Write a response that appropriately completes the "
        "request.\n\n### Instruction:\nHow {many}?\n\n### Response:\n"
    )
