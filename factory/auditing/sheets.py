"""Audits without the page: the solutions as a CSV file that people fill in, and back.

Guarantees: a file is taken whole or not at all, and an error names the line. No cell that is written can run
as a formula in a spreadsheet: it gets an apostrophe before it, which is taken away when it is read. Read are
UTF-8 with and without a byte order mark, any line ends, and `,`, `;` or tabs between cells, as spreadsheets
of various countries write them. A sheet to fill in tells no more than the page. Left out: other encodings.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from factory.atomic import write_atomically
from factory.auditing import labels
from factory.auditing.desk import in_order
from factory.auditing.subject import Item
from factory.errors import UsageError
from factory.records import clean_text
from factory.report.markup import visible
from factory.store import Store

TO_FILL: Final = ("sample_id", "problem", "solution", "gold", "label", "note")
FILLED: Final = ("sample_id", "problem", "solution", "gold", "annotator", "label", "note", "at")

MOST_BYTES: Final = 512 * 2**20
MOST_TOLD: Final = 5
"""Faults of a file that are told at once."""

_FORMULA: Final = re.compile(r"'*[=+\-@\t\r\n|＝＋－＠]")
_SEPARATORS: Final = (",", ";", "\t")


class Cell(NamedTuple):
    """A line of a sheet that was read, with its number in the file."""

    line: int
    cells: Mapping[str, str]


# --- out -----------------------------------------------------------------------------------------------


def harmless(text: str) -> str:
    """The text as a cell that no spreadsheet takes for a formula; `original` gives it back."""
    return f"'{text}" if _FORMULA.match(text) else text


def original(cell: str) -> str:
    """The text that `harmless` made this cell of."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def write_to_fill(path: Path, items: Iterable[Item], annotator: str) -> int:
    """Write the items, in the order of this annotator, with an empty label and note; returns their number."""
    rows = [{**_told(one), "label": "", "note": ""} for one in in_order(items, annotator)]
    return _write(path, TO_FILL, rows)


def write_filled(path: Path, items: Sequence[Item], words: labels.Words) -> int:
    """Write a line for each last word of an annotator on one of the items; returns their number."""
    by_id = {one.sample_id: one for one in items}
    rows = [_told(by_id[sample]) | said for (sample, _), said in sorted(words.items()) if sample in by_id]
    return _write(path, FILLED, rows)


def _told(item: Item) -> dict[str, Any]:
    return {
        "sample_id": item.sample_id,
        "problem": visible(item.problem),
        "solution": visible(item.solution),
        "gold": visible(item.gold or ""),
    }


def _write(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> int:
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a file, as audit.csv")
    text = io.StringIO(newline="")
    sheet = csv.writer(text, quoting=csv.QUOTE_ALL)
    sheet.writerow(columns)
    for one in rows:
        sheet.writerow([harmless(clean_text(one[name] or "")) for name in columns])
    # With the mark, or Excel reads UTF-8 as something else.
    content = text.getvalue().encode("utf-8-sig", "replace")
    try:
        write_atomically(path, lambda file: file.write(content))
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}); name another file") from error
    return len(rows)


# --- in ------------------------------------------------------------------------------------------------


def bring_in(path: Path, annotator: str | None, store: Store, command: str) -> dict[str, int]:
    """Put the labels of a sheet into the store; returns how many were added, there already, and empty.

    A sheet without a column `annotator` is of `annotator`; where it has one, both must agree. Raises
    UsageError that names the lines of what is wrong, and CheckFailed for a store that is being written.
    """
    found = list(_lines(path))
    known = labels.last_words(store)
    labels.later_than(known)
    faults: list[str] = []
    given: dict[tuple[str, str], tuple[int, labels.Row]] = {}
    for one in found:
        try:
            row = _row(one, annotator)
            if row is not None and (first := given.get((row["sample_id"], row["annotator"]))):
                raise ValueError(
                    f"sample {row['sample_id']} stands in line {first[0]} already; leave one of them out"
                )
        except (ValueError, UsageError) as error:
            faults.append(f"line {one.line}: {error}")
            continue
        if row is not None:
            given[row["sample_id"], row["annotator"]] = one.line, row
    strange = labels.unknown(store, (sample for sample, _ in given))
    faults += [
        f"line {line}: {sample!r:.60} is the id of no sample of {store.root}"
        for (sample, _), (line, _) in given.items()
        if sample in strange
    ]
    if faults:
        more = len(faults) - MOST_TOLD
        raise UsageError(
            f"{path}: {'; '.join(faults[:MOST_TOLD])}"
            + (f"; and {more} more" if more > 0 else "")
            + ". Nothing was imported"
        )
    rows = [row for _, row in given.values()]
    return _commit(store, known, rows, command) | {"empty": len(found) - len(given)}


def _commit(store: Store, known: labels.Words, rows: list[labels.Row], command: str) -> dict[str, int]:
    fresh = []
    for one in rows:
        last = known.get((one["sample_id"], one["annotator"]))
        if last is None or (last["label"], last["note"]) != (one["label"], one["note"]):
            fresh.append(one)
    labels.commit(store, command, fresh)
    return {"added": len(fresh), "there already": len(rows) - len(fresh)}


def _row(one: Cell, annotator: str | None) -> labels.Row | None:
    """The row of a line, or None where it has no label. Raises ValueError or UsageError for what it holds."""
    word, note = one.cells["label"].strip(), one.cells.get("note", "")
    if not word:
        if note.strip():
            raise ValueError("it has a note and no label; write right, wrong or unsure")
        return None
    label = labels.label_named(word)
    sample = one.cells["sample_id"].strip().lower()
    if not sample:
        raise ValueError("it has a label and no sample_id")
    written = one.cells.get("annotator", "").strip()
    if annotator and written and written != annotator:
        raise ValueError(
            f"it is by {written!r:.70} and --annotator says {annotator!r}; leave --annotator out"
        )
    if not (annotator or written):
        raise ValueError("it does not say who labelled it; give --annotator NAME")
    return labels.row(sample, labels.annotator_named(annotator or written), label, note)


def _lines(path: Path) -> Iterator[Cell]:
    """The lines of a sheet below its head, those that are empty left out."""
    text = _text(path)
    skipped = 0
    if re.match(r"sep=.\r?\n", text):  # how Excel is told which sign is between cells
        text, skipped = text.partition("\n")[2], 1
    head = re.match(r"[^\r\n]*", text)
    first = head[0] if head else ""
    # The sign that parts the head into the most names is the one between all cells.
    separator = max(_SEPARATORS, key=lambda sign: len(_names(first, sign) & {"sample_id", "label"}))
    if lacking := [name for name in ("sample_id", "label") if name not in _names(first, separator)]:
        raise UsageError(
            f"{path}: line {1 + skipped}: there is no column {' and no column '.join(lacking)}; "
            f"found: {first.strip()!r:.200}. `factory audit export` writes such a file"
        )
    csv.field_size_limit(MOST_BYTES)
    sheet = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    end = skipped
    names: list[str] = []
    try:
        for cells in sheet:
            line, end = end + 1, sheet.line_num + skipped
            if not names:
                names = [cell.strip().lower() for cell in cells]
                if repeated := sorted({one for one in names if one and names.count(one) > 1}):
                    raise UsageError(f"{path}: line {line}: the column {repeated[0]} stands there twice")
            elif any(cell.strip() for cell in cells):
                if len(cells) > len(names) and any(cell.strip() for cell in cells[len(names) :]):
                    raise UsageError(
                        f"{path}: line {line}: {len(cells)} cells, and the head has {len(names)}. "
                        "Nothing was imported"
                    )
                padded = [*cells, *[""] * (len(names) - len(cells))]
                yield Cell(line, dict(zip(names, map(original, padded), strict=False)))
    except csv.Error as error:
        raise UsageError(f"{path}: line {end + 1}: it is no CSV ({error}). Nothing was imported") from error


def _names(head: str, separator: str) -> set[str]:
    return {cell.strip().strip('"').lower() for cell in head.split(separator)}


def _text(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise UsageError(f"{path} has {size:,} bytes, more than a sheet of labels can have")
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path}: byte {error.start} is no UTF-8. Save the file as CSV UTF-8 and import it again"
        ) from error
