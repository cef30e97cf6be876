"""Texts of recipes, models and files as Markdown that shows them and does nothing else.

Guarantees: what `text` and `code` return is one line of CommonMark that opens no link, image, HTML, heading,
table cell or formula and closes no span; a `fence` is closed by nothing inside it. Characters that show
nothing, or turn the reading direction, become U+FFFD. Left out: which texts a card has (`card.py`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

_SPECIAL = re.compile(r"([\\`*_\[\]<>&#|~$!{}])")
_OPENING = re.compile(r"^([-+=]|\d+(?=[.)](\s|$)))")
_ADDRESS = re.compile(r"(?<=[A-Za-z]):(?=//)|(?<=www)\.|@", re.IGNORECASE)


def visible(value: str) -> str:
    """`value` with control and format characters replaced; line ends and tabs stay."""
    return "".join(
        "\ufffd" if unicodedata.category(one) in ("Cc", "Cf", "Cs") and one not in "\n\t" else one
        for one in value.replace("\r\n", "\n")
    )


def _line(value: object) -> str:
    return " ".join(visible(str(value)).split())


def text(value: object) -> str:
    """`value` as one line of plain text."""
    escaped = _SPECIAL.sub(r"\\\1", _line(value))
    escaped = _ADDRESS.sub(lambda found: f"&#{ord(found[0])};", escaped)
    # A line may begin a list, a rule or a heading with what is harmless elsewhere.
    return _OPENING.sub(lambda found: "".join(f"&#{ord(one)};" for one in found[0]), escaped)


def code(value: object) -> str:
    """`value` in a code span, for cells of tables too."""
    line = _line(value) or " "
    ticks = "`" * (_longest(line) + 1)
    blank = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{ticks}{blank}{line}{blank}{ticks}".replace("|", "\\|")


def fence(value: str, language: str = "") -> str:
    """`value` as a block of code; it stays as it is, but for what `visible` replaces."""
    ticks = "`" * max(3, _longest(value) + 1)
    return f"{ticks}{language}\n{visible(value).rstrip()}\n{ticks}"


def _longest(value: str) -> int:
    return max((len(run) for run in re.findall("`+", value)), default=0)


def table(head: Sequence[str], rows: Iterable[Sequence[str | int]]) -> str:
    """A table; cells are Markdown already. Columns that hold only numbers stand to the right."""
    cells = [[f"{cell:,}" if isinstance(cell, int) else cell for cell in row] for row in rows]
    right = [
        bool(cells) and all(re.fullmatch(r"[\d.,]*", row[at]) for row in cells) for at in range(len(head))
    ]
    lines = [list(head), ["---:" if one else "---" for one in right], *cells]
    return "\n".join("| " + " | ".join(row) + " |" for row in lines)


def bullets(lines: Iterable[str]) -> str:
    """A list; lines are Markdown already."""
    return "\n".join(f"- {line}" for line in lines)
