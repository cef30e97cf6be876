"""YAML read into plain data, with the place of every key and value.

Guarantees: text becomes None, bool, int, float, str, list and dict by the core rules of YAML 1.2, so `no`
and `12:30:45` are text, `1e-6` is a number and `010` is ten. Refused, with the line: a key that occurs
twice or is not text, a tag, a second document, numbers that are not finite or need more than 64 bits,
nesting deeper than 64 and aliases that unfold to more than 100 000 values. Nothing is ever constructed
but plain data. Left out: what the keys mean (`config.py`), merge keys, and writing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import yaml

from factory.errors import UsageError

MAX_DEPTH: Final = 64
MAX_VALUES: Final = 100_000

NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
BOOL: Final = {text: text.lower() == "true" for text in ("true", "True", "TRUE", "false", "False", "FALSE")}
INT: Final = re.compile(r"[-+]?[0-9]+")
HEX_OR_OCTAL: Final = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
NOT_FINITE: Final = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")

Keys = tuple[str | int, ...]
"""Where a value stands: the keys and list indices that lead to it; () is the whole document."""


class Mark(NamedTuple):
    """Line and column, both from 1; marks sort in the order of the text."""

    line: int
    column: int


class Place(NamedTuple):
    """Where a value and the key before it begin; in a list, and at the top, the key is the value."""

    key: Mark
    value: Mark


@dataclass(frozen=True, slots=True)
class Document:
    """What a text holds, and the place of everything in it. An empty text holds None and has no places."""

    data: Any
    places: dict[Keys, Place] = field(default_factory=dict)


class _Refused(Exception):
    """Why a text is not read, and where."""

    def __init__(self, mark: Mark, reason: str) -> None:
        super().__init__(reason)
        self.mark = mark


def read(text: str, place: Callable[[int], str]) -> Document:
    """The one document in `text`. Raises UsageError that begins with `place(line)`."""
    try:
        node = _composed(_Loader(text))
        return Document(None) if node is None else _Reading().document(node)
    except _Refused as error:
        raise UsageError(f"{place(error.mark.line)}: {error}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise UsageError(
            f"{place(line)}: the character {chr(int(error.character))!r} cannot stand in YAML; take it out"
        ) from None
    except yaml.composer.ComposerError as error:
        mark = error.problem_mark or error.context_mark
        raise UsageError(f"{place(mark.line + 1 if mark else 1)}: {_composer_reason(error)}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise UsageError(
            f"{place(mark.line + 1 if mark else 1)}: this is not YAML: {error.problem or error.context}; "
            f"look at column {mark.column + 1 if mark else 1}, at the indentation and at the quotes"
        ) from None


def _composed(loader: _Loader) -> yaml.Node | None:
    try:
        return loader.get_single_node()
    except (OverflowError, ValueError) as error:  # PyYAML lets these through, as for "\\UFFFFFFFF"
        mark = Mark(loader.line + 1, loader.column + 1)
        raise _Refused(mark, f"this is not YAML: {error}; look at the escapes") from None


def _composer_reason(error: yaml.composer.ComposerError) -> str:
    context = error.context or ""
    if "single document" in context:
        return "a second document begins here; keep one and take out the line ---"
    if "duplicate anchor" in context:
        return "an anchor of this name was given before; write the value out"
    return f"{error.problem}; write the value out"


class _Loader(yaml.BaseLoader):
    """Composes nodes and stops before PyYAML's recursion does; resolves nothing."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        mark = _mark(event.start_mark)
        if getattr(event, "tag", None) is not None:
            raise _Refused(
                mark, f"the tag {event.tag!r} is not allowed; write plain text, numbers, lists and keys"
            )
        if self.depth >= MAX_DEPTH:
            raise _Refused(mark, f"nested deeper than {MAX_DEPTH}; make it flatter")
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


@dataclass(slots=True)
class _Reading:
    """One walk over the nodes; an alias is read again at each of its places."""

    places: dict[Keys, Place] = field(default_factory=dict)

    def document(self, node: yaml.Node) -> Document:
        mark = _mark(node.start_mark)
        return Document(self.value(node, (), mark), self.places)

    def value(self, node: yaml.Node, keys: Keys, key_mark: Mark) -> Any:
        mark = _mark(node.start_mark)
        self.places[keys] = Place(key_mark, mark)
        if len(self.places) > MAX_VALUES:
            raise _Refused(key_mark, f"aliases unfold to more than {MAX_VALUES} values; write fewer of them")
        if len(keys) > MAX_DEPTH:
            raise _Refused(key_mark, f"an alias nests deeper than {MAX_DEPTH}; it may not hold itself")
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, keys)
        if isinstance(node, yaml.SequenceNode):
            return [
                self.value(one, (*keys, index), _mark(one.start_mark)) for index, one in enumerate(node.value)
            ]
        return _scalar(node)

    def mapping(self, node: yaml.MappingNode, keys: Keys) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            mark = _mark(key_node.start_mark)
            key = _scalar(key_node) if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str):
                shown = key_node.value if isinstance(key_node, yaml.ScalarNode) else "a list or section"
                raise _Refused(mark, f"a key must be text, found {shown}; put it in quotes")
            if key in result:
                first = self.places[(*keys, key)].key
                raise _Refused(
                    mark, f"the key {key} is given twice, first in line {first.line}; keep one of them"
                )
            result[key] = self.value(value_node, (*keys, key), mark)
        return result


def _mark(mark: yaml.error.Mark) -> Mark:
    return Mark(mark.line + 1, mark.column + 1)


def _scalar(node: yaml.Node) -> bool | int | float | str | None:
    text: str = node.value
    if not text.isascii() and any("\ud800" <= sign <= "\udfff" for sign in text):
        raise _Refused(_mark(node.start_mark), "an escape names half a character; write the character itself")
    if getattr(node, "style", None) is not None:  # quoted, or a block: text, whatever it says
        return text
    if text in NULL:
        return None
    if text in BOOL:
        return BOOL[text]
    if INT.fullmatch(text) or HEX_OR_OCTAL.fullmatch(text):
        # 64 bits are 20 digits; longer ones are not even parsed, for Python refuses thousands of digits
        number = int(text, 0 if text[:2] in ("0o", "0x") else 10) if len(text) <= 64 else 2**63
        if not -(2**63) <= number < 2**63:
            raise _Refused(
                _mark(node.start_mark), f"{text:.40} needs more than 64 bits; quote it if it is text"
            )
        return number
    if FLOAT.fullmatch(text) or NOT_FINITE.fullmatch(text):
        real = math.inf if NOT_FINITE.fullmatch(text) else float(text)
        if not math.isfinite(real):
            raise _Refused(
                _mark(node.start_mark), f"{text:.40} is not a finite number; quote it if it is text"
            )
        return real
    return text
