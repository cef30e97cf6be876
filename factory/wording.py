"""What pydantic refused, said in the words of the file: the keys as written, the value, what is allowed.

Guarantees: the keys of a fault lead to a value in the data, or to the section that lacks one; names that
pydantic adds for branches of unions, and the long form behind a short one, never show. Left out: the
place in the file (`config.py`).
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, Tag, ValidationError
from pydantic_core import ErrorDetails

from factory.yaml_text import Keys

KINDS: Final[Mapping[str, str]] = {
    "bool_type": "is not true or false",
    "dict_type": "is not a section; write keys and values, as in {key: value}",
    "float_type": "is not a number; write one such as 0.7",
    "int_type": "is not an integer; write a whole number such as 4",
    "mapping_type": "is not a section; write keys and values, as in {key: value}",
    "model_attributes_type": "is not a section; write keys and values, as in {key: value}",
    "model_type": "is not a section; write keys and values, as in {key: value}",
    "string_type": "is not text; write text, in quotes where it looks like something else",
    "tuple_type": "is not a list; write [one, two]",
}
BOUNDS: Final[Mapping[str, tuple[str, str]]] = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}


class Fault(NamedTuple):
    """One thing that is wrong at `keys`; `of_key` says whether the key itself is, and not its value."""

    keys: Keys
    of_key: bool
    text: str


class _Choice(NamedTuple):
    """A type that may stand somewhere, and its tag in a union."""

    tag: str | None
    type: Any


class _Found(NamedTuple):
    """Where an error's location leads in the data, the types that may stand there, and the value."""

    keys: Keys
    choices: list[_Choice]
    value: Any


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The one of `words` that `word` most resembles, whatever the case; None when none is near."""
    known = {other.casefold(): other for other in words}
    near = difflib.get_close_matches(word.casefold(), known, n=1)
    return known[near[0]] if near else None


def shown(value: object) -> str:
    """A value as it reads in a message: short, and as YAML has it."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "a section"
    return f"{value!r:.80}" if isinstance(value, str) else json.dumps(value)


def faults(error: ValidationError, model: type[BaseModel], data: Any) -> list[Fault]:
    """All that `error` says is wrong with `data` as a `model`."""
    # pydantic calls a list empty when none of its values is valid; those are told one by one
    return [
        _fault(detail, model, data)
        for detail in error.errors(include_url=False)
        if not (detail["type"] == "too_short" and detail["input"])
    ]


def _fault(error: ErrorDetails, model: type[BaseModel], data: Any) -> Fault:
    kind, context = error["type"], error.get("ctx", {})
    location = error["loc"][:-1] if kind in ("extra_forbidden", "missing") else error["loc"]
    found = _follow(location, model, data)
    path = ".".join(map(str, found.keys))
    if kind in ("extra_forbidden", "missing"):
        return _key_fault(kind, found, str(error["loc"][-1]))
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return _tag_fault(kind, found, context["discriminator"].strip("'"))
    if kind == "literal_error":
        text = _not_allowed(
            error["input"], re.findall(r"'([^']*)'", context["expected"]) or [context["expected"]]
        )
    elif kind in KINDS:
        text = f"{shown(found.value)} {KINDS[kind]}"
    elif kind in BOUNDS:
        words, bound = BOUNDS[kind]
        text = f"{shown(found.value)} is out of range; write {words} {context[bound]:g}"
    elif kind == "too_short":
        text = f"is empty; write at least {context['min_length']}"
    else:
        text = str(context["error"]) if kind == "value_error" else f"{shown(found.value)} {error['msg']}"
    of_key = isinstance(found.value, list | dict) or error["loc"][-1:] == ("[key]",)
    return Fault(found.keys, of_key, f"{path}: {text}" if path else text)


def _key_fault(kind: str, found: _Found, key: str) -> Fault:
    path = ".".join(map(str, (*found.keys, key)))
    if kind == "missing":
        return Fault(found.keys, True, f"{path} is missing; add it")
    allowed = _fields(found.choices)
    return Fault(
        (*found.keys, key),
        True,
        f"{path} is not a key here; {_meant(key, allowed)}Keys allowed: {', '.join(allowed)}",
    )


def _tag_fault(kind: str, found: _Found, key: str) -> Fault:
    """The key that says which type a section has is missing, or names none."""
    allowed = [
        name for choice in found.choices for name in get_args(choice.type.model_fields[key].annotation)
    ]
    path = ".".join(map(str, (*found.keys, key)))
    if kind == "union_tag_not_found":
        return Fault(found.keys, True, f"{path} is missing; add it with one of: {', '.join(allowed)}")
    if isinstance(found.value, dict) and key in found.value:
        return Fault((*found.keys, key), False, f"{path}: {_not_allowed(found.value[key], allowed)}")
    # A short form: the name alone, or {name: options}.
    name = next(iter(found.value)) if isinstance(found.value, dict) else found.value
    return Fault(found.keys, False, f"{'.'.join(map(str, found.keys))}: {_not_allowed(name, allowed)}")


def _not_allowed(value: object, allowed: list[str]) -> str:
    return f"{shown(value)} is not allowed; {_meant(value, allowed)}Allowed: {', '.join(allowed)}"


def _meant(word: object, allowed: list[str]) -> str:
    near = nearest(word, allowed) if isinstance(word, str) else None
    return f"did you mean {near}? " if near is not None else ""


def _fields(choices: list[_Choice]) -> list[str]:
    """The keys of the sections among `choices`; those of type null are planned ones and not offered."""
    models = [one.type for one in choices if isinstance(one.type, type) and issubclass(one.type, BaseModel)]
    names = [
        name
        for model in models
        for name, info in model.model_fields.items()
        if info.annotation not in (None, NoneType)
    ]
    return list(dict.fromkeys(names))


def _follow(location: tuple[int | str, ...], model: type[BaseModel], data: Any) -> _Found:
    """Walk the type and the data together: a step is a key or index, or names a branch of a union."""
    keys: Keys = ()
    choices = [_Choice(None, model)]
    for step in location:
        branch = [one for one in choices if step in _tags(one)] if len(choices) > 1 else []
        if branch:
            choices = branch
            continue
        inside = [inner for one in choices for inner in _inside(one.type, step, data)]
        if not inside:  # "[key]", or pydantic's name of a type
            continue
        choices = inside
        if isinstance(data, dict) and step not in data and len(data) == 1:
            step = next(iter(data))  # {math: {...}}, short for {name: math, options: {...}}
        if (isinstance(data, dict) and step in data) or (isinstance(data, list) and isinstance(step, int)):
            keys, data = (*keys, step), data[step]  # type: ignore[index]
    return _Found(keys, choices, data)


def _choices(annotation: Any, tag: str | None = None) -> list[_Choice]:
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *metadata = get_args(annotation)
        tags = [one.tag for one in metadata if isinstance(one, Tag)]
        return _choices(inner, tags[0] if tags else tag)
    if origin in (Union, UnionType):
        return [one for inner in get_args(annotation) if inner is not NoneType for one in _choices(inner)]
    return [_Choice(tag, annotation)]


def _tags(choice: _Choice) -> set[Any]:
    """The names of a type in a union: its own tag, or the values of the key that tells the types apart."""
    if choice.tag is not None or not (isinstance(choice.type, type) and issubclass(choice.type, BaseModel)):
        return {choice.tag}
    literals = [info.annotation for info in choice.type.model_fields.values() if info.is_required()]
    return {value for one in literals if get_origin(one) is Literal for value in get_args(one)}


def _inside(kind: Any, step: int | str, data: Any) -> list[_Choice]:
    """The types that may stand at `step` of a section, a mapping or a list of type `kind`."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _choices(kind.model_fields[str(step)].annotation) if step in kind.model_fields else []
    arguments = get_args(kind)
    if get_origin(kind) is Mapping and isinstance(data, dict) and step in data:
        return _choices(arguments[1])
    if get_origin(kind) is tuple and isinstance(step, int) and isinstance(data, list):
        return _choices(arguments[0])
    return []
