r"""Answers made from a reference: wrong ones that look like it, and right ones that look otherwise.

Guarantees: a wrong one never equals the reference and a right one always does. Numbers are decided by
exact fractions (`number_mutation.py`); what is no number is changed only where that surely changes it (an
element of a tuple, an endpoint, a relation, one added to a formula). The same reference and seed give the
same mutants in the same order, each text once. No text is evaluated.

"Equal" is what the verifier `math` means by it with its default options: a tuple in another order is
wrong, an unreduced fraction is right. Left out: formulas that are equal by algebra, matrices, and
references that are prose or whole solutions, of which little or nothing is made.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Final, NamedTuple

from factory.verifiers import number_mutation
from factory.verifiers.number_mutation import Change

LONGEST: Final = 300
"""Characters of a reference whose content is changed; of a longer one only the layout is."""


class Mutant(NamedTuple):
    """An answer, whether it equals the reference it was made from, and what was done to it."""

    text: str
    expected: bool
    mutation: str


_SIZED: Final = re.compile(r"\\(?:left|right)(?![A-Za-z])")
_BRACKETS: Final = {"(": ")", "[": "]", r"\{": r"\}", "{": "}"}
_FLIPPED: Final = {"(": "[", "[": "(", ")": "]", "]": ")"}
_AMBIGUOUS: Final = re.compile(r"[1-9][0-9]{0,2},[0-9]{3}(?![0-9])")
_INFINITE: Final = re.compile(r"[-+]?(?:\\infty|∞)")
_RELATION: Final = re.compile(r"([A-Za-z] ?)(<=|>=|<|>|\\leq?(?![a-z])|\\geq?(?![a-z]))( ?-?[0-9.]+)")
_RELATIONS: Final = {
    "<": (">", r"\le"), ">": ("<", r"\ge"), "<=": (">=", "<"), ">=": ("<=", ">"),
    r"\le": (r"\ge", "<"), r"\leq": (r"\geq", "<"), r"\ge": (r"\le", ">"), r"\geq": (r"\leq", ">"),
}  # fmt: skip
_OPPOSITES: Final = {"yes": "no", "no": "yes", "true": "false", "false": "true", "even": "odd", "odd": "even"}
_WORD: Final = re.compile(r"(\\text\{)?([A-Za-z]+)(\})?")
_PRODUCT: Final = re.compile(r"([0-9]{1,9}) ?(?:\\cdot|\\times|\*) ?([0-9]{1,9})")
_MULTIPLE: Final = re.compile(r"(-?)([1-9][0-9]{0,8})?(\\pi|\\sqrt\{([1-9][0-9]{0,8})\})")
_FORMULA: Final = re.compile(
    r"-?(?:[0-9]+(?:\.[0-9]+)?|(?<![a-zA-Z])[a-z](?![a-zA-Z])|\\[dt]?frac(?=\{)|\\sqrt(?=\{)|\\pi(?![a-z])"
    r"|\\cdot(?![a-z])|[-+*/^{}() ])+(?<=[0-9a-z})])"
)


def mutants(gold: str, seed: int = 0) -> Iterator[Mutant]:
    """Wrong and right answers made from the reference `gold`; nothing from what is no single answer."""
    core = _core(gold)
    if not core:
        return
    rng = random.Random(f"{seed}:{gold}")
    seen = {gold}
    for text, expected, mutation in (*_changes(core, rng), *_layouts(core, gold)):
        if text not in seen:
            seen.add(text)
            yield Mutant(text, expected, mutation)


def _core(gold: str) -> str:
    """The reference without blanks and dollars around it; "" when it is not one line with one answer."""
    core = gold.strip()
    for sign in ("$$", "$"):
        if core.startswith(sign) and core.endswith(sign) and len(core) > 2 * len(sign):
            core = core[len(sign) : -len(sign)].strip()
            break
    dollar_inside = "$" in core.replace(r"\$", "").lstrip("-")[1:]
    several = "\n" in core or r"\boxed" in core or dollar_inside
    return core if _balanced(core) and not several else ""


def _balanced(text: str) -> bool:
    depth = 0
    for brace in re.findall(r"\\.|[{}]", text):
        depth += (brace == "{") - (brace == "}")
        if depth < 0:
            return False
    return depth == 0


def _changes(core: str, rng: random.Random) -> Iterator[Change]:
    """Changes of the content, by the first shape that the reference has."""
    if len(core) > LONGEST:
        return
    if relation := _RELATION.fullmatch(core):
        left, sign, right = relation.groups()
        for other, mutation in zip(_RELATIONS[sign], ("relation_turned", "relation_strictness"), strict=True):
            yield f"{left}{other} {right.strip()}", False, mutation
    if number := number_mutation.read(core):
        yield from number_mutation.changes(number, rng)
    elif group := _group(core):
        yield from _group_changes(group)
    elif word := _WORD.fullmatch(core):
        yield from _word_changes(word)
    else:
        yield from _formula_changes(core)


# --- groups: tuples, sets, intervals, lists ----------------------------------------------------------


class Group(NamedTuple):
    """Elements parted by commas, with the brackets around them ("" and "" around a bare list)."""

    opening: str
    elements: tuple[str, ...]
    closing: str

    def __str__(self) -> str:
        return self.opening + ", ".join(self.elements) + self.closing

    @property
    def is_interval(self) -> bool:
        return len(self.elements) == 2 and (
            self.opening + self.closing in ("(]", "[)")
            or (self.opening in _FLIPPED and any(map(_INFINITE.fullmatch, self.elements)))
        )


def _group(core: str) -> Group | None:
    """The tuple, set, interval or list of plain elements that `core` is; None if a comma may part digits."""
    text = " ".join(_SIZED.sub(" ", core).split()).replace(r"\{ ", r"\{").replace(r" \}", r"\}")
    if _AMBIGUOUS.search(text):
        return None
    opening = next((sign for sign in _BRACKETS if text.startswith(sign)), "")
    closing = next((sign for sign in (r"\}", ")", "]", "}") if text.endswith(sign)), "")
    inner = text[len(opening) : len(text) - len(closing)]
    matched = _BRACKETS.get(opening, "") == closing or opening + closing in ("(]", "[)")
    if not matched or ("," if opening else ", ") not in inner:
        return None
    elements = tuple(element.strip() for element in inner.split(","))
    plain = all(element and not re.search(r"[()\[\]]|\\[{}]", element) for element in elements)
    return Group(opening, elements, closing) if plain and all(map(_balanced, elements)) else None


def _value(element: str) -> Fraction | None:
    number = number_mutation.read(element)
    return number.value if number and not number.before and number.bare else None


def _group_changes(group: Group) -> Iterator[Change]:
    if group.is_interval:
        yield from _interval_changes(group)
        return
    if group.opening in ("(", "["):
        yield from _tuple_changes(group)
        return
    values = [_value(element) for element in group.elements]
    if None not in values and len(set(values)) == len(values):
        for other, mutation in (*_changed_elements(group), *_shorter(group)):
            if {_value(element) for element in other.elements} != set(values):
                yield str(other), False, mutation
    if group.opening:
        yield str(group._replace(elements=group.elements[::-1])), True, "set_reordered"
    yield from _spacing(group)


def _changed_elements(group: Group) -> Iterator[tuple[Group, str]]:
    """The group with one of its numbers off by one."""
    for at, element in enumerate(group.elements):
        value = _value(element)
        other = number_mutation.decimal(value + 1) if value is not None else None
        if other is not None:
            elements = (*group.elements[:at], other, *group.elements[at + 1 :])
            yield group._replace(elements=elements), "element_changed"


def _shorter(group: Group) -> Iterator[tuple[Group, str]]:
    yield group._replace(elements=group.elements[:-1]), "element_dropped"
    if len(group.elements) > 2:
        yield group._replace(elements=group.elements[1:]), "element_dropped"


def _tuple_changes(group: Group) -> Iterator[Change]:
    for other, mutation in (*_changed_elements(group), *_shorter(group)):
        yield str(other), False, mutation
    for at in range(len(group.elements) - 1):
        one, two = group.elements[at : at + 2]
        values = _value(one), _value(two)
        if None not in values and values[0] != values[1]:
            elements = (*group.elements[:at], two, one, *group.elements[at + 2 :])
            yield str(group._replace(elements=elements)), False, "tuple_reordered"
    yield from _spacing(group)


def _interval_changes(group: Group) -> Iterator[Change]:
    low, high = map(_value, group.elements)
    known = all(_value(one) is not None or _INFINITE.fullmatch(one) for one in group.elements)
    if not known or (low is not None and high is not None and low >= high):
        return  # it may be empty, so that a change might change nothing
    for other, mutation in _changed_elements(group):
        yield str(other), False, mutation.replace("element", "endpoint")
    if low is not None:
        other = group._replace(opening=_FLIPPED[group.opening])
        yield str(other), False, "endpoint_" + ("closed" if group.opening == "(" else "opened")
    if high is not None:
        other = group._replace(closing=_FLIPPED[group.closing])
        yield str(other), False, "endpoint_" + ("closed" if group.closing == ")" else "opened")
    yield from _spacing(group)


def _spacing(group: Group) -> Iterator[Change]:
    yield str(group), True, "spaces"
    if group.opening:
        yield f"{group.opening}{','.join(group.elements)}{group.closing}", True, "spaces"
        sized = rf"\left{group.opening} {', '.join(group.elements)} \right{group.closing}"
        if group.opening != "{":
            yield sized, True, "sized_brackets"


# --- words and formulas ------------------------------------------------------------------------------


def _word_changes(word: re.Match[str]) -> Iterator[Change]:
    opened, text, closed = word.groups(default="")
    if bool(opened) != bool(closed):
        return
    if len(text) == 1:
        last = text in "eEzZ"  # as choices are A to E
        other = chr(ord(text) - 1 if last else ord(text) + 1)
        yield f"{opened}{other}{closed}", False, "other_letter"
    elif opposite := _OPPOSITES.get(text.lower()):
        yield opened + (opposite.title() if text[0].isupper() else opposite) + closed, False, "opposite_word"
    yield text if opened else rf"\text{{{text}}}", True, "text_command"


def _formula_changes(core: str) -> Iterator[Change]:
    if multiple := _MULTIPLE.fullmatch(core):
        sign, count, unit, under = multiple[1], int(multiple[2] or 1), multiple[3], multiple[4]
        yield f"{'' if sign else '-'}{multiple[2] or ''}{unit}", False, "sign"
        yield f"{sign}{count + 1}{unit}", False, "coefficient_off_by_one"
        # n + r = n r needs r = n / (n - 1), which is 2 for n = 2 and no integer, nor a root of one, else.
        if not sign and count > 1 and not (count == 2 and under == "4"):
            yield f"{count} + {unit}", False, "sum_for_product"
    if product := _PRODUCT.fullmatch(core):
        one, two = int(product[1]), int(product[2])
        if one + two != one * two:
            yield f"{one} + {two}", False, "sum_for_product"
    if _FORMULA.fullmatch(core) and re.search(r"[0-9a-z]", core):
        yield f"{core} + 1", False, "plus_one"


# --- layout ------------------------------------------------------------------------------------------


def _layouts(core: str, gold: str) -> Iterator[Change]:
    """Other clothes of the same text."""
    forms: dict[str, Callable[[], str]] = {
        "undollared": lambda: core,
        "blanks": lambda: f"  {core} ",
        "answer_is": lambda: f"The answer is {core}.",
        "hash": lambda: f"#### {core}",
        "boxed": lambda: rf"\boxed{{{core}}}",
        "dollars": lambda: f"${core}$",
        "dfrac": lambda: re.sub(r"\\frac(?=\{)", r"\\dfrac", core),
        "sized_brackets": lambda: core.replace("(", r"\left(").replace(")", r"\right)"),
        "period": lambda: f"{core}.",
    }
    money = "$" in core.replace(r"\$", "")
    invisible = core.startswith("{")  # braces are not set in TeX
    in_words = re.search(r"(?<!\{)(?<![A-Za-z\\])[A-Za-z]{2,}", core) is not None
    closed = core[-1] in ".!?"
    sized = _SIZED.search(core) is not None or core.count("(") != core.count(")")
    left_out = {
        *(("undollared",) if core == gold else ()),
        *(("boxed", "dollars") if money or invisible else ()),
        *(("dollars",) if in_words else ()),
        *(("answer_is", "period") if closed else ()),
        *(("sized_brackets",) if sized else ()),
    }
    for mutation, form in forms.items():
        if mutation not in left_out:
            yield form(), True, mutation
