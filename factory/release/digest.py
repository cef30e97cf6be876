"""The content digest: what a set of rows is known by, whatever wrote it down.

Guarantees: equal sets of rows have equal digests for any order of rows and columns, any batches, files,
compression and encoding, any width of integers, and any version of any package; other sets have others, as
far as hashes of 256 bits go. Memory does not grow with the rows.

The definition, so that anybody can compute it anew. A value is written as bytes, as bencode does it, with
a null, truth values and real numbers added:

- null is `n`, true is `t`, false is `f`; an integer is `i`, its decimal digits and `e`, as `i-7e`;
- a text is the number of its bytes in UTF-8 in decimal digits, `:`, and these bytes: `2:ok`, `0:`;
- a real number is `r` and the 16 lower-case hex digits of its IEEE 754 double, the sign first; -0.0 counts
  as 0.0, and every NaN as 7ff8000000000000;
- a list is `l`, its elements, `e`; a struct is `d`, then for each field, in the order of their names'
  UTF-8 bytes, the name as a text and the value, and `e`. A row is the struct of its columns and of `split`,
  the split that its file is of, less `run_id`, `seconds`, `engine_seconds` and `stopped`, which say how it
  came about and not what it is.

Each row's bytes are hashed with SHA-256, and that is stretched with SHAKE-128 to 256 bytes, read as a
big-endian number. The digest is SHA-256, in hex, of the sum of these numbers modulo 2**2048 in 256 bytes
big-endian, followed by the number of rows in 8. (A sum of 256 bits could be forged by choosing among some
ten thousand variants of rows, in 2**32 steps; at 2048 bits that takes 2**90.)

Left out: the schema, which stands beside the digest in the manifest and is part of the release id.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from factory.configs import ACT_OF_SAMPLING

STEP_BYTES: Final = 4 * 2**20
"""Rows are written as bytes in steps of about so much, so that memory stays bounded."""

_WIDTH: Final = 256
_BYTES: Final = pa.large_binary()


class ContentDigest:
    """The content digest of the rows given so far; see the module's docstring for what it is."""

    def __init__(self) -> None:
        self._sum, self._rows = 0, 0

    def update(self, rows: pa.Table | pa.RecordBatch) -> None:
        """Add rows, with all of their columns. Raises TypeError for a type that no config has."""
        names = sorted((one for one in rows.schema.names if one not in ACT_OF_SAMPLING), key=str.encode)
        batches = rows.to_batches() if isinstance(rows, pa.Table) else [rows]
        for batch in batches:
            step = max(1, batch.num_rows * STEP_BYTES // max(1, batch.nbytes))
            for start in range(0, batch.num_rows, step):
                part = batch.slice(start, step)
                self._add(_struct(names, [part.column(name) for name in names]))

    def hexdigest(self) -> str:
        total = (self._sum % 2 ** (8 * _WIDTH)).to_bytes(_WIDTH, "big")
        return hashlib.sha256(total + self._rows.to_bytes(8, "big")).hexdigest()

    def _add(self, written: pa.LargeBinaryArray) -> None:
        sha256, shake = hashlib.sha256, hashlib.shake_128
        stretched = b"".join(shake(sha256(row).digest()).digest(_WIDTH) for row in _slices(written))
        # Columns of 32-bit digits summed in 64 bits: exact for fewer than 2**32 rows at a time.
        digits = np.frombuffer(stretched, dtype=">u4").reshape(len(written), -1).sum(axis=0, dtype=np.uint64)
        self._sum += sum(int(digit) << (32 * place) for place, digit in enumerate(reversed(digits)))
        self._rows += len(written)


def in_split(rows: Any, split: str) -> Any:
    """A table or batch with the column `split`, if it has none: the split of its file is part of a row."""
    if "split" in rows.schema.names:
        return rows
    return rows.append_column("split", pa.repeat(split, rows.num_rows))


def rows_digest(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> str:
    """The content digest of `batches`, read as the columns of `schema`, which are cast to its types.

    Other columns are ignored. Raises KeyError for a column that is missing, pyarrow.ArrowInvalid for a
    value that the schema's type cannot hold.
    """
    digest = ContentDigest()
    for batch in batches:
        digest.update(pa.RecordBatch.from_arrays([_cast(batch, one) for one in schema], names=schema.names))
    return digest.hexdigest()


def _cast(batch: pa.RecordBatch, wanted: pa.Field) -> pa.Array:
    column = batch.column(wanted.name)
    return column if column.type == wanted.type else column.cast(wanted.type)


def _slices(written: pa.LargeBinaryArray) -> Iterable[memoryview]:
    """The bytes of each element, without copying them."""
    _, offsets, data = written.buffers()
    places = np.frombuffer(offsets, dtype=np.int64)[
        written.offset : written.offset + len(written) + 1
    ].tolist()
    content = memoryview(data if data is not None else b"")
    return (content[start:end] for start, end in itertools.pairwise(places))


def _struct(names: list[str], children: list[Any]) -> pa.LargeBinaryArray:
    """Each row or struct as the bytes that the definition asks for."""
    return _join(_struct_pieces(names, children))


def _struct_pieces(names: list[str], children: list[Any]) -> list[Any]:
    pieces: list[Any] = [b"d"]
    for name, child in zip(names, children, strict=True):
        key = name.encode()
        pieces += [b"%d:%b" % (len(key), key), *_pieces(child)]
    return [*pieces, b"e"]


def _pieces(values: pa.Array) -> list[Any]:
    """What joined makes the bytes of each element: arrays, and bytes that stand in every element."""
    pieces = _pieces_of_present(values)
    if values.null_count == 0:
        return pieces
    return [pc.if_else(values.is_null(), pa.scalar(b"n", _BYTES), _join(pieces))]


def _pieces_of_present(values: Any) -> list[Any]:
    kind = values.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        content = values.cast(_BYTES)
        return [_decimal(pc.binary_length(content)), b":", content]
    if pa.types.is_boolean(kind):
        return [pc.if_else(values, pa.scalar(b"t", _BYTES), pa.scalar(b"f", _BYTES))]
    if pa.types.is_integer(kind):
        return [b"i", _decimal(values), b"e"]
    if pa.types.is_floating(kind):
        return [b"r", _hex(values)]
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return [b"l", _elements(values), b"e"]
    if pa.types.is_struct(kind):
        children = {kind.field(index).name: child for index, child in enumerate(values.flatten())}
        order = sorted(children, key=str.encode)
        return _struct_pieces(order, [children[name] for name in order])
    raise TypeError(f"a column of type {kind} has no content digest; texts, numbers, lists and structs have")


def _elements(values: Any) -> pa.LargeBinaryArray:
    """The elements of each list behind one another."""
    first = values.offsets[0].as_py()
    elements = values.values.slice(first, values.offsets[-1].as_py() - first)
    places = pc.subtract(values.offsets, pa.scalar(first, values.offsets.type)).cast(pa.int32())
    return pc.binary_join(pa.ListArray.from_arrays(places, _join(_pieces(elements))), pa.scalar(b"", _BYTES))


def _decimal(values: pa.Array) -> pa.LargeBinaryArray:
    return values.cast(pa.large_string()).cast(_BYTES)


def _hex(values: pa.Array) -> pa.LargeBinaryArray:
    """The 16 hex digits of each double; what a null gives does not matter."""
    reals = values.cast(pa.float64()).fill_null(0.0).to_numpy() + 0.0  # -0.0 + 0.0 is 0.0
    reals[np.isnan(reals)] = np.nan
    digits = reals.astype(">f8").tobytes().hex().encode()
    fixed = pa.Array.from_buffers(pa.binary(16), len(values), [None, pa.py_buffer(digits)])
    return fixed.cast(_BYTES)


def _join(pieces: list[Any]) -> pa.LargeBinaryArray:
    """The pieces of each element behind one another, neighbouring constants as one."""
    whole: list[Any] = []
    for piece in pieces:
        if isinstance(piece, bytes) and whole and isinstance(whole[-1], bytes):
            whole[-1] += piece
        else:
            whole.append(piece)
    whole = [pa.scalar(one, _BYTES) if isinstance(one, bytes) else one for one in whole]
    return pc.binary_join_element_wise(*whole, pa.scalar(b"", _BYTES))
