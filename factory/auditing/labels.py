"""What people say of samples, on its way into the store.

Guarantees: a label is on the disk before anything else is done with it, in a file of its own that is never
written again, so neither a kill nor a store that another process writes loses it. Whoever is the next writer
of the store moves what waits into the table `labels`, whoever gave it, and nothing twice. No row is ever
changed: who labels again adds a row, and the last word of an annotator counts. Left out: which samples are
asked about (`subject.py`), and what the labels say about them.
"""

from __future__ import annotations

import contextlib
import difflib
import getpass
import json
import re
import secrets
import threading
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from factory.atomic import write_atomically
from factory.errors import CheckFailed, UsageError
from factory.lineage import lookup
from factory.metrics.agreement import LABELS as WORDS
from factory.records import LABELS, clean_text
from factory.store import Store

MOST_NOTE: Final = 10_000
"""Characters of a note."""

_NAME: Final = re.compile(r"[^\W_](?:[\w .@+'-]{0,62}[\w.])?")
_CLOCK: Final = threading.Lock()
_last_moment = datetime.min.replace(tzinfo=UTC)

Row = dict[str, Any]
Words = dict[tuple[str, str], Row]
"""The last row of each (sample_id, annotator)."""


def annotator_named(name: str | None) -> str:
    """The name under which labels are kept: the one given, or that of the login. Raises UsageError."""
    if name is None:
        try:
            name = getpass.getuser()
        except (OSError, KeyError):  # a user without an entry in the list of users
            raise UsageError("this login has no name; say who labels: --annotator NAME") from None
    wanted = unicodedata.normalize("NFC", name)
    if not _NAME.fullmatch(wanted):
        raise UsageError(
            f"--annotator {name!r:.100}: a name is 1 to 64 letters, digits, blanks or . _ - + @ ', and "
            "begins with a letter or a digit"
        )
    return wanted


def label_named(word: str) -> str:
    """The label that `word` is, in any case. Raises ValueError that says what is allowed."""
    plain = word.strip().casefold()
    if plain in WORDS:
        return plain
    near = difflib.get_close_matches(plain, WORDS, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ValueError(f"{word!r:.60} is no label: right, wrong or unsure{hint}")


def row(sample: str, annotator: str, label: str, note: str | None) -> Row:
    """A row of the table labels, of this moment. `at` rises from row to row of a process."""
    told = clean_text((note or "").strip())[:MOST_NOTE]
    return {
        "sample_id": sample,
        "annotator": annotator,
        "label": label,
        "note": told or None,
        "at": _moment().isoformat(timespec="microseconds"),
    }


def later_than(words: Words) -> None:
    """Let every row from now on be later than these, whatever the clock says now."""
    global _last_moment
    for one in words.values():
        with contextlib.suppress(ValueError):  # a time that was written by hand
            moment = datetime.fromisoformat(one["at"])
            with _CLOCK:
                _last_moment = max(_last_moment, moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _moment() -> datetime:
    """Now, and later than the moment before: a clock that is set back must not give an old word the last."""
    global _last_moment
    with _CLOCK:
        _last_moment = max(datetime.now(UTC), _last_moment + timedelta(microseconds=1))
        return _last_moment


# --- on the disk, and then in the store ----------------------------------------------------------------


def folder(store: Store) -> Path:
    """Where labels wait that are not in the table yet, one file each."""
    return store.root / "waiting_labels"


def keep(store: Store, given: Row) -> None:
    """Put a label on the disk, where `commit` finds it. OutsideError for a full disk."""
    path = folder(store) / f"{secrets.token_hex(16)}.json"
    text = json.dumps(given, ensure_ascii=False)
    write_atomically(path, lambda file: file.write(text.encode()))


def commit(store: Store, command: str, more: Iterable[Row] = ()) -> int:
    """Move all labels that wait, and `more`, into the store; returns how many rows were added.

    Raises CheckFailed when another process writes the store (it says which), or a waiting file is damaged;
    what waited waits on.
    """
    with store.lock(command):
        return take_in(store, more)


def take_in(store: Store, more: Iterable[Row] = ()) -> int:
    """The same for a caller that holds the lock."""
    paths = sorted(folder(store).glob("[!.]*.json"))
    offered = [*(_read(path) for path in paths), *more]
    ids = {one["sample_id"] for one in offered}
    stored = {_key(one) for one in lookup.stored(store, "labels", "sample_id", ids)}
    fresh = {_key(one): one for one in offered if _key(one) not in stored}
    rows = sorted(fresh.values(), key=lambda one: (one["at"], one["annotator"], one["sample_id"]))
    store.append("labels", pa.Table.from_pylist(rows, schema=LABELS))
    for path in paths:
        path.unlink(missing_ok=True)
    store.compact("labels")
    return len(rows)


def _key(one: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(one[name] for name in LABELS.names)


def _read(path: Path) -> Row:
    try:
        found = json.loads(path.read_bytes())
        if set(found) != set(LABELS.names) or found["label"] not in WORDS:
            raise ValueError("it is no row of labels")
        if not all(
            isinstance(value, str) or (name == "note" and value is None) for name, value in found.items()
        ):
            raise ValueError("a value of it is no text")
    except (ValueError, TypeError) as error:
        raise CheckFailed(
            f"{path} is no label that waits for the store ({str(error)[:200]}): it was changed by hand or "
            "damaged. Nothing was changed; mend it, or move it away to go on without it"
        ) from error
    return dict(found)


# --- reading -------------------------------------------------------------------------------------------


def last_words(store: Store) -> Words:
    """The last word of every annotator on every sample, those that still wait among them."""
    # What waits is read first: a label that is moved meanwhile is then in the table.
    waits = []
    for path in sorted(folder(store).glob("[!.]*.json")):
        with contextlib.suppress(FileNotFoundError):
            waits.append(_read(path))
    rows = store.dataset("labels").to_table().to_pylist() + waits
    rows.sort(key=lambda one: (one["at"], one["label"]))
    return {(one["sample_id"], one["annotator"]): one for one in rows}


def waiting(store: Store) -> int:
    """How many labels wait for the store."""
    return sum(1 for _ in folder(store).glob("[!.]*.json"))


def unknown(store: Store, samples: Iterable[str]) -> set[str]:
    """Those of these ids that no sample of the store has."""
    wanted = set(samples)
    found = lookup.stored(store, "samples", "sample_id", wanted, ["sample_id"])
    return wanted - {one["sample_id"] for one in found}
