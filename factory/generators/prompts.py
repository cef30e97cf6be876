"""Built-in prompt templates, and how a template and a problem become what an engine is sent.

Guarantees: templates are Jinja in a sandbox without attributes of Python objects, an undefined name is an
error and no blank, and a problem's text is a value: braces in it stay what they are. What is wrong with a
template is found by `resolve`, before anything is sampled. Left out: defence against a recipe's author who
only wants to waste time (loops inside loops); the sandbox ends single giant ranges.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Mapping
from typing import Any, Final

from jinja2 import StrictUndefined, Template, TemplateError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from factory.errors import UsageError
from factory.generators.base import Message
from factory.recipe import Example, Prompt

# Examples of our own: those of the papers come from GSM8K's training set, which is a source here.
_FOUR_EXAMPLES: Final = (
    Example(
        prompt="A baker fills 6 trays with 12 rolls each and sells 50 rolls. How many rolls are left?",
        completion="The baker makes 6 * 12 = 72 rolls. After the sale 72 - 50 = 22 rolls are left.\n#### 22",
    ),
    Example(
        prompt="Nina saves $15 a week for 8 weeks and then buys a lamp for $37. How much does she have?",
        completion="Nina saves 15 * 8 = 120 dollars. Then she has 120 - 37 = 83 dollars.\n#### 83",
    ),
    Example(
        prompt="A rope of 45 meters is cut into 9 equal pieces. How long are 4 of the pieces together?",
        completion="Each piece is 45 / 9 = 5 meters long. Four pieces are 4 * 5 = 20 meters long.\n#### 20",
    ),
    Example(
        prompt="Omar has 14 stamps. Lea has twice as many as Omar. How many stamps do they have in total?",
        completion="Lea has 2 * 14 = 28 stamps. Together they have 14 + 28 = 42 stamps.\n#### 42",
    ),
)

# In the two forms of their sources: a task with its asserts (MBPP), and a signature to finish (HumanEval).
_CODE_EXAMPLES: Final = (
    Example(
        prompt="Write a function to turn a number of minutes into hours and minutes.\n"
        'Your code should pass these tests:\n\nassert as_clock(75) == "1:15"\n'
        'assert as_clock(600) == "10:00"\nassert as_clock(9) == "0:09"\n',
        completion='def as_clock(minutes):\n    return f"{minutes // 60}:{minutes % 60:02d}"\n',
    ),
    Example(
        prompt="from typing import List\n\n\ndef rainy_days(rain: List[float], least: float) -> int:\n"
        '    """ How many days had more rain than `least`?\n    >>> rainy_days([0.0, 2.5, 1.0], 0.5)\n'
        '    2\n    """\n',
        completion="from typing import List\n\n\n"
        "def rainy_days(rain: List[float], least: float) -> int:\n"
        "    return sum(1 for day in rain if day > least)\n",
    ),
    Example(
        prompt="Write a function to put the words of a text in the order of their last letters.\n"
        'Your code should pass these tests:\n\nassert by_last("red sky at dawn") == '
        '["red", "dawn", "at", "sky"]\nassert by_last("") == []\nassert by_last("one") == ["one"]\n',
        completion="def by_last(text):\n    return sorted(text.split(), key=lambda word: word[-1])\n",
    ),
)

BUILT_IN: Final[Mapping[str, Prompt]] = {
    "plain": Prompt(template="{{ prompt }}"),
    "answer-only": Prompt(
        template='{{ prompt }}\n\nReply with one line only, of the form "The answer is N.", and nothing else.'
    ),
    # The two examples are for small models: of 64 samples of sums with one or two digits, SmolLM2-135M
    # ended 55 with a marked answer, 22 of them right; with the same instruction alone 37 and 6.
    "cot-answer": Prompt(
        template='{{ prompt }}\n\nThink step by step, then finish with "The answer is" and the final answer.',
        examples=(
            Example(
                prompt="What is 23 + 45?",
                completion="23 + 45 = 20 + 40 + 3 + 5 = 60 + 8 = 68. The answer is 68.",
            ),
            Example(
                prompt="A box holds 6 pens. How many pens are in 4 boxes?",
                completion="Each box holds 6 pens, and 4 * 6 = 24. The answer is 24.",
            ),
        ),
    ),
    # For models without instruction tuning. They go on with a question of their own, so a recipe that
    # uses it should stop there: decoding: {stop: ["\n\nQuestion:"]}.
    "gsm8k-fewshot": Prompt(
        mode="completion",
        template=(
            "{% for one in examples %}Question: {{ one.prompt }}\nAnswer: {{ one.completion }}\n\n"
            "{% endfor %}Question: {{ prompt }}\nAnswer:"
        ),
        examples=_FOUR_EXAMPLES,
    ),
    # For fine-tuning and the models it makes: as the official code of arXiv 2308.01825, with a line end
    # behind the colon, so that completions begin with a word whether people or models wrote them.
    "alpaca": Prompt(
        mode="completion",
        template=(
            "Below is an instruction that describes a task. Write a response that appropriately completes "
            "the request.\n\n### Instruction:\n{{ prompt }}\n\n### Response:\n"
        ),
    ),
    # A program ends with its fence: decoding: {stop: ["```"]}.
    "code-fewshot": Prompt(
        mode="completion",
        template=(
            "{% for one in examples %}# Task\n{{ one.prompt }}\n```python\n{{ one.completion }}```\n\n"
            "{% endfor %}# Task\n{{ prompt }}\n```python\n"
        ),
        examples=_CODE_EXAMPLES,
    ),
}


def resolve(prompt: str | Prompt) -> Prompt:
    """The prompt itself, or the built-in one of that name, tried once.

    Raises UsageError for an unknown name and for a template that cannot be rendered or never uses the
    problem's text.
    """
    if isinstance(prompt, str):
        if prompt not in BUILT_IN:
            near = difflib.get_close_matches(prompt, BUILT_IN, n=1)
            guess = f"; did you mean {near[0]}?" if near else ""
            raise UsageError(
                f"prompt: {prompt!r} is not a built-in template ({', '.join(sorted(BUILT_IN))}){guess}. "
                "A template of your own is written as prompt: {template: ...}"
            )
        prompt = BUILT_IN[prompt]
    names = _names(prompt.template)
    allowed = {"prompt"} if prompt.mode == "chat" else {"prompt", "examples", "system"}
    if unknown := sorted(names - allowed):
        raise UsageError(
            f"prompt.template: {unknown[0]!r} is not defined in a prompt of mode {prompt.mode}; it may use "
            f"{', '.join(sorted(allowed))}"
        )
    if "prompt" not in names:
        raise UsageError("prompt.template: it never uses {{ prompt }}, so all problems would be asked alike")
    render(prompt, "1 + 1")
    return prompt


def render(prompt: Prompt, problem_prompt: str) -> str | tuple[Message, ...]:
    """What an engine is sent for one problem: a text in completion mode, messages in chat mode.

    In chat mode each example is a turn of its own, its prompt worded by the same template. Raises
    UsageError when the template fails.
    """
    if prompt.mode == "completion":
        # Plain dictionaries, so that a template sees the two texts and no methods.
        examples = [{"prompt": one.prompt, "completion": one.completion} for one in prompt.examples]
        return _fill(prompt.template, prompt=problem_prompt, examples=examples, system=prompt.system)
    messages: list[Message] = []
    if prompt.system is not None:
        messages.append({"role": "system", "content": prompt.system})
    for example in prompt.examples:
        messages.append({"role": "user", "content": _fill(prompt.template, prompt=example.prompt)})
        messages.append({"role": "assistant", "content": example.completion})
    messages.append({"role": "user", "content": _fill(prompt.template, prompt=problem_prompt)})
    return tuple(messages)


# --- templates ---------------------------------------------------------------------------------------

# What is written is sent: Jinja would take a line end from the end of a template.
_ENVIRONMENT: Final = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False
)


def _fill(template: str, **values: Any) -> str:
    try:
        return _compiled(template).render(**values)
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, MemoryError) as error:
        raise _wrong(template, error) from error


@functools.lru_cache(maxsize=256)
def _compiled(template: str) -> Template:
    return _ENVIRONMENT.from_string(template)


def _names(template: str) -> set[str]:
    """Names that a template takes from outside; raises UsageError when it is not Jinja."""
    try:
        return meta.find_undeclared_variables(_ENVIRONMENT.parse(template)) - set(_ENVIRONMENT.globals)
    except TemplateError as error:
        raise _wrong(template, error) from error


def _wrong(template: str, error: Exception) -> UsageError:
    line = getattr(error, "lineno", None)
    place = f"prompt.template, line {line}" if line else "prompt.template"
    return UsageError(
        f"{place}: {error} ({type(error).__name__}) in {template[:120]!r}. It is a Jinja template over "
        "{{ prompt }}; write braces meant literally as {% raw %}...{% endraw %}"
    )
