"""Reading a YAML file into a frozen pydantic type, with all that is wrong in it told at once.

Guarantees: what `load` returns was read by the rules of `yaml_text.py`, changed by the overrides in their
order and accepted by the type; nothing is guessed or left out. Every error is one line: the place (file
and line, or the override), the key, the value found, what is allowed and the nearest spelling. Left out:
how an error is worded (`wording.py`), and whether files and models that a recipe names are there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from factory import wording, yaml_text
from factory.errors import UsageError
from factory.wording import nearest as nearest
from factory.yaml_text import Keys, Mark, Place

MAX_BYTES: Final = 1_000_000
MAX_ERRORS: Final = 20

M = TypeVar("M", bound=BaseModel)


@dataclass(slots=True)
class _Input:
    """The data to validate, and where each part of it was written."""

    name: str
    data: dict[str, Any]
    places: dict[Keys, Place]
    overridden: dict[Keys, str] = field(default_factory=dict)

    def place(self, keys: Keys, of_key: bool) -> tuple[bool, Mark, str]:
        """A text for people, behind what sorts it: the file in its order, then the overrides."""
        if keys in self.overridden:
            return True, Mark(0, 0), self.overridden[keys]
        if keys in self.places:
            mark = self.places[keys].key if of_key else self.places[keys].value
            return False, mark, f"{self.name}:{mark.line}"
        return self.place(keys[:-1], True)


def load(path: Path, model: type[M], overrides: tuple[str, ...] = ()) -> M:
    """Read `path` as `model`; `overrides` are texts as given to `--set`, `key.path=value`.

    A value is YAML; a key that holds dots is found when it is there already; a number steps into a list.
    Raises UsageError with one line for each thing that is wrong, at most MAX_ERRORS of them.
    """
    document = yaml_text.read(_text(path), lambda line: f"{path}:{line}")
    needed = ", ".join(name for name, info in model.model_fields.items() if info.is_required())
    if not document.places:
        raise UsageError(f"{path}: is empty; it needs the keys {needed}")
    if not isinstance(document.data, dict):
        line = document.places[()].value.line
        raise UsageError(
            f"{path}:{line}: {wording.shown(document.data)} where keys are expected; write key: value, "
            f"with the keys {needed}"
        )
    return _validated(_Input(str(path), document.data, document.places), model, overrides)


def from_overrides(model: type[M], overrides: tuple[str, ...]) -> M:
    """A `model` with nothing written but `overrides`, which are as in `load`; raises as it does."""
    nowhere: dict[Keys, Place] = {(): Place(Mark(0, 0), Mark(0, 0))}
    return _validated(_Input("--set", {}, nowhere), model, overrides)


def _validated(read: _Input, model: type[M], overrides: tuple[str, ...]) -> M:
    for override in overrides:
        _override(read, override)
    try:
        return model.model_validate(read.data)
    except ValidationError as error:
        raise UsageError(_report(error, model, read)) from None


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such file{_neighbours(path)}") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}; name a YAML file") from None
    if len(content) > MAX_BYTES:
        raise UsageError(f"{path}: has more than {MAX_BYTES} bytes; name a YAML file of keys, not of data")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}:{line}: is not UTF-8 text; save it as UTF-8") from None


def _neighbours(path: Path) -> str:
    there = sorted(other.name for other in path.parent.glob("*.y*ml"))
    near = nearest(path.name, there)
    if near is not None:
        return f"; did you mean {path.parent / near}?"
    return f"; in {path.parent} there are: {', '.join(there[:5])}" if there else "; check the folder"


def _override(read: _Input, override: str) -> None:
    dotted, equals, written = override.partition("=")
    dotted = dotted.strip()
    left = dotted.split(".")
    if not equals or not all(left):
        raise UsageError(f"--set {override}: write it as key.path=value, as in budget.per_problem.samples=8")
    here = f"--set {dotted}"
    value = yaml_text.read(written, lambda line: here)
    at: Any = read.data
    keys: Keys = ()
    while left:
        key, left = _step(at, left, here)
        keys = (*keys, key)
        if not left:
            at[key] = value.data
        elif isinstance(at, dict) and at.get(key) is None:
            at[key] = {}
            read.overridden[keys] = here
        at = at[key]
    for old in [other for other in read.overridden | read.places if other[: len(keys)] == keys]:
        read.overridden.pop(old, None)
        read.places.pop(old, None)
    read.overridden |= {(*keys, *inner): here for inner in [(), *value.places]}


def _step(at: Any, left: list[str], here: str) -> tuple[str | int, list[str]]:
    """The key or index that the first of the `left` parts name, and the parts that remain."""
    if isinstance(at, dict):
        for count in range(len(left), 0, -1):  # a name such as smol-1.7b holds dots itself
            if (name := ".".join(left[:count])) in at:
                return name, left[count:]
        return left[0], left[1:]
    if isinstance(at, list):
        if left[0].isascii() and left[0].isdecimal() and len(left[0]) < 10 and int(left[0]) < len(at):
            return int(left[0]), left[1:]
        raise UsageError(
            f"{here}: {left[0]} is no place in a list of {len(at)}; count from 0 to {len(at) - 1}"
        )
    raise UsageError(
        f"{here}: there is no {left[0]} inside {wording.shown(at)}; set the whole section instead"
    )


def _report(error: ValidationError, model: type[BaseModel], read: _Input) -> str:
    placed = sorted(
        (*read.place(fault.keys, fault.of_key), fault.text)
        for fault in wording.faults(error, model, read.data)
    )
    lines = [_line(place, text) for _, _, place, text in placed]
    more = len(lines) - MAX_ERRORS
    return "\n".join(lines[:MAX_ERRORS] + ([f"and {more} more; correct these first"] if more > 0 else []))


def _line(place: str, text: str) -> str:
    """The place and what is wrong there; an override's place names its key already."""
    return f"{place}: {text.removeprefix(place.removeprefix('--set ') + ': ')}"
