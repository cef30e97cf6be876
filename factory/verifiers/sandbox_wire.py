"""Values between the processes of the sandbox: plain data, tagged by exact type, in frames.

Guarantees: what is decoded is built of the types named here and of nothing else, whatever bytes come; no
pickle, no names to import, no subclass with methods of its own. Depth, number of values and size are
bounded both ways. Floats cross exactly, and equal bits are equal values. Left out: what the values mean.
A value of any other type goes to the `stranger` of the side that sends it, or is refused.
"""

from __future__ import annotations

import json
import os
import struct
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

MAX_DEPTH: Final = 40
MAX_VALUES: Final = 1_000_000
MAX_BYTES: Final = 8 * 1024**2
"""Of a message between candidate and checker."""

MAX_JOB_BYTES: Final = 256 * 1024**2
"""Of a job with all its tests."""

SMALL_INT_BITS: Final = 1024
"""Larger integers cross in hexadecimal, which has no limit of digits and takes linear time."""

Form = Any
"""A value as JSON: None, bool, str and small int are themselves, all else is a list [tag, ...]."""

_LENGTH: Final = struct.Struct("!I")


class Unplain(ValueError):
    """A value that cannot cross: its type, its depth or its size."""


class Malformed(ValueError):
    """Bytes that no honest sender writes."""


Walk = Callable[[Any], Form]


def refuse(value: Any, walk: Walk) -> Form:
    """The stranger of a side that sends plain data only."""
    raise Unplain(f"type {type(value).__name__}")


def encode(value: Any, stranger: Callable[[Any, Walk], Form] = refuse, max_values: int = MAX_VALUES) -> Form:
    """`value` as a form; raises Unplain. `stranger` gives the form of a value of another type."""
    depth, left = 0, max_values

    def walk(value: Any) -> Form:
        nonlocal depth, left
        left -= 1
        kind = type(value)
        if kind is bool or value is None:
            return value
        if kind is str:
            left -= len(value) >> 4
        elif kind is int:
            bits = value.bit_length()
            if bits > SMALL_INT_BITS:
                left -= bits >> 6
                value = ["i", hex(value)] if left >= 0 else None
        else:
            depth += 1
            if depth > MAX_DEPTH or left < 0:
                raise Unplain("depth" if depth > MAX_DEPTH else "size")
            writer = _WRITERS.get(kind) if kind is not type or value in _TYPES.values() else None
            value = writer(value, walk) if writer else stranger(value, walk)
            depth -= 1
        if left < 0:
            raise Unplain("size")
        return value

    return walk(value)


_TYPES: Final = {
    kind.__name__: kind for kind in (bool, int, float, complex, str, bytes, list, tuple, set, frozenset, dict)
}
"""Types that may themselves be values."""


def plain(value: Any) -> bool:
    """Whether `value` is of a type that crosses as it is; what it holds is not looked at."""
    return value is None or type(value) in _WRITERS or type(value) in (bool, int, str)


def _items(tag: str) -> Callable[[Any, Walk], Form]:
    return lambda value, walk: [tag, *map(walk, value)]


def _pairs(tag: str) -> Callable[[Any, Walk], Form]:
    return lambda value, walk: [tag, *(walk(part) for pair in value.items() for part in pair)]


_WRITERS: Final[dict[type, Callable[[Any, Walk], Form]]] = {
    float: lambda value, walk: ["f", value.hex()],
    complex: lambda value, walk: ["c", value.real.hex(), value.imag.hex()],
    bytes: lambda value, walk: ["b", walk(value.hex())],
    bytearray: lambda value, walk: ["B", walk(value.hex())],
    list: _items("l"),
    tuple: _items("t"),
    set: _items("s"),
    frozenset: _items("z"),
    dict: _pairs("d"),
    OrderedDict: _pairs("O"),
    Counter: _pairs("C"),
    defaultdict: _pairs("D"),
    deque: lambda value, walk: ["q", value.maxlen, *map(walk, value)],
    range: lambda value, walk: ["r", walk(value.start), walk(value.stop), walk(value.step)],
    Fraction: lambda value, walk: ["F", walk(value.numerator), walk(value.denominator)],
    Decimal: lambda value, walk: ["N", walk(str(value))],
    type: lambda value, walk: ["T", value.__name__],
}


def decode(form: Form, handle: Callable[[int], Any] | None = None) -> Any:
    """The value of a form; raises Malformed. `handle` gives the value of a reference ["h", number]."""
    try:
        return _read(form, handle, MAX_DEPTH)
    except Malformed:
        raise
    except (TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise Malformed(str(error)) from None


def _read(form: Form, handle: Callable[[int], Any] | None, depth: int) -> Any:
    kind = type(form)
    if form is None or kind is bool or kind is str or kind is int:
        return form
    if kind is not list or not form or depth == 0:
        raise Malformed("depth" if depth == 0 else f"a {kind.__name__} without a tag")
    tag = form[0]
    if tag == "h" and handle is not None and len(form) == 2 and type(form[1]) is int:
        return handle(form[1])
    return _READERS[tag]([_read(part, handle, depth - 1) for part in form[1:]])


def _paired(parts: list[Any]) -> Iterable[tuple[Any, Any]]:
    return zip(parts[::2], parts[1::2], strict=True)


_READERS: Final[dict[str, Callable[[list[Any]], Any]]] = {
    "i": lambda parts: int(parts[0], 16),
    "f": lambda parts: float.fromhex(parts[0]),
    "c": lambda parts: complex(float.fromhex(parts[0]), float.fromhex(parts[1])),
    "b": lambda parts: bytes.fromhex(parts[0]),
    "B": lambda parts: bytearray.fromhex(parts[0]),
    "l": list,
    "t": tuple,
    "s": set,
    "z": frozenset,
    "d": lambda parts: dict(_paired(parts)),
    "O": lambda parts: OrderedDict(_paired(parts)),
    "C": lambda parts: Counter(dict(_paired(parts))),
    "D": lambda parts: defaultdict(None, _paired(parts)),
    "q": lambda parts: deque(parts[1:], parts[0]),
    "r": lambda parts: range(*parts),
    "F": lambda parts: Fraction(*parts),
    "N": lambda parts: Decimal(parts[0]),
    "T": lambda parts: _TYPES[parts[0]],
}


# --- frames ------------------------------------------------------------------------------------------


def frame(form: Form, max_bytes: int = MAX_BYTES) -> bytes:
    """A form with its length before it; raises Unplain when it is larger than `max_bytes`."""
    body = json.dumps(form, separators=(",", ":")).encode("ascii")
    if len(body) > max_bytes:
        raise Unplain("size")
    return _LENGTH.pack(len(body)) + body


def write(fd: int, data: bytes) -> None:
    """All of `data`; raises OSError when the other side is gone."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def read_form(fd: int, max_bytes: int = MAX_BYTES) -> Form:
    """The next frame's form; raises EOFError when the other side is gone, Malformed for other bytes."""
    length = _LENGTH.unpack(read(fd, _LENGTH.size))[0]
    if length > max_bytes:
        raise Malformed(f"a message of {length} bytes")
    return parse(read(fd, length))


def parse(body: bytes) -> Form:
    """The form in the body of a frame; raises Malformed."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Malformed(str(error)) from None


def unframe(data: bytes) -> Form:
    """The form of exactly one frame; raises Malformed for fewer bytes or more."""
    if len(data) < _LENGTH.size or len(data) != _LENGTH.size + _LENGTH.unpack_from(data)[0]:
        raise Malformed(f"{len(data)} bytes are not one message")
    return parse(data[_LENGTH.size :])


def read(fd: int, length: int) -> bytes:
    """`length` bytes; raises EOFError."""
    part = os.read(fd, length)
    if len(part) == length:
        return part
    parts, left = [part], length - len(part)
    while left:
        if not part:
            raise EOFError
        part = os.read(fd, min(left, 1 << 20))
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
