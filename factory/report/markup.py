"""HTML from plain values: everything that comes from outside is escaped here, in one place.

Guarantees: no value becomes markup, whatever it holds; characters that hide or turn around the text near them
(controls, marks of writing direction, halves of surrogate pairs) are shown by their number instead.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import quote

NOT_KNOWN: Final = "not known"

NO_NUMBER: Final = "–"
"""What stands among numbers where there can be none."""

MOST_LOOKED_AT: Final = 10
"""Rows that say whether a column is of numbers."""

BRIEF: Final = 26
"""Characters of a cell that stay on one line."""

_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e007f\ud800-\udfff]"
)


def visible(value: str) -> str:
    """A text with what cannot be seen, or turns around the text near it, shown by its number."""
    return _UNSEEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", value)


def text(value: object) -> str:
    """A value as HTML text, safe in attributes too."""
    return html.escape(visible(str(value)), quote=True)


def cell(value: object) -> str:
    """A value as people read it, not escaped: thousands apart, reals to about four digits."""
    if value is None:
        return NOT_KNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return _real(value)
    return str(value)


def _real(value: float) -> str:
    size = abs(value)
    if size == 0 or 0.001 <= size < 10:
        return f"{value:.3f}"
    return f"{value:,.4g}" if size < 1e4 or size >= 1e9 else f"{value:,.0f}"


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table that scrolls within the page where it is wider than that."""
    lines = list(rows)
    kinds = [
        ' class="n"'
        if any(place < len(row) and _number(row[place]) for row in lines[:MOST_LOOKED_AT])
        else ""
        for place in range(len(head))
    ]
    heads = "".join(f'<th scope="col"{kind}>{text(one)}</th>' for one, kind in zip(head, kinds, strict=True))
    body = "".join("<tr>" + "".join(_cell(value) for value in row) + "</tr>" for row in lines)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{text(caption)}">'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: object) -> str:
    shown = cell(value)
    kind = (
        ' class="n"' if _number(value) or value == NO_NUMBER else ' class="s"' if len(shown) <= BRIEF else ""
    )
    return f"<td{kind}>{text(shown)}</td>"


def folded(summary: str, inside: str) -> str:
    """Markup that opens on demand; `summary` is text, `inside` is markup."""
    return f"<details><summary>{text(summary)}</summary>{inside}</details>"


def link(value: str, path: str) -> str:
    """A link to a file by its path from the page; no part of the path can be read as another address."""
    return f'<a href="{text(quote("./" + path))}">{text(value)}</a>'


def paragraph(value: str) -> str:
    """A paragraph of text."""
    return f"<p>{text(value)}</p>"
