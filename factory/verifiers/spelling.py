r"""One spelling for the many ways to write the same answer.

Guarantees: `clean` and `key` only replace text, in time linear in its length; they never evaluate it.
Two answers of one `key` are the same text but for blanks, TeX's layout and the case of words.
Left out: what an answer means (`exact.py`, `expression.py`), and which characters are the same
(`characters.py`). Policies set here: thin spaces and `{,}` before three digits part thousands; a `$` that has
no partner is money; a comma followed by a blank parts two things.
"""

from __future__ import annotations

import re
from typing import Final

from factory.verifiers import characters


class Unsettled(Exception):
    """The comparison has no verdict; `reason` becomes the reason of a verdict `error`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


_FONT: Final = (
    r"\\(?:text(?:bf|it|rm|normal|sf|tt)|math(?:rm|bf|it|sf|tt)|[mh]box|operatorname|emph|boldsymbol|bm)"
    r"(?![A-Za-z])"
)
_TEX: Final = (
    (
        re.compile(
            r"\\(?:left|right|[bB]igg?[lr]?|displaystyle|textstyle|limits|boxed|fbox|underline)"
            r"(?![A-Za-z])|\\(?:text)?color ?\{[a-z]{1,20}\}"
        ),
        "",
    ),
    (re.compile(r"\\lbrack(?![A-Za-z]) ?"), "["),
    (re.compile(r"\\rbrack(?![A-Za-z])"), "]"),
    (re.compile(r"\\lbrace(?![A-Za-z]) ?"), r"\\{"),
    (re.compile(r" ?\\rbrace(?![A-Za-z])"), r"\\}"),
    (re.compile(r"\\(?:[lc]?dots[bcimo]?|dotso)(?![A-Za-z])"), "..."),
    (re.compile(r"\\(?:angle|triangle|measuredangle)(?![A-Za-z]) ?"), ""),
    (re.compile(r"\{([^{}]{1,40}?)\\choose(?![A-Za-z]) ?([^{}]{1,40})\}"), r"\\binom{\1}{\2}"),
    (re.compile(r"\\var(?=(?:phi|epsilon|theta)(?![A-Za-z]))"), r"\\"),
    (re.compile(r"\\colon(?![A-Za-z])|\{:\}"), ":"),
    (re.compile(r"\{([^{}]{1,60}?)\\over(?![A-Za-z]) ?([^{}]{1,60})\}"), r"\\frac{\1}{\2}"),
    (re.compile(r"\\[dtc]frac(?![A-Za-z])"), r"\\frac"),
    (re.compile(rf"{_FONT}\s*([A-Za-z0-9])(?![A-Za-z])"), r"\\text{\1}"),
    (re.compile(rf"{_FONT} ?"), r"\\text"),
    (re.compile(r",\\! ?| ?\{ ?, ?\} ?"), ","),
    (re.compile(r"(?<=[0-9])\\, ?(?=[0-9]{3}(?![0-9]))"), ""),
    (re.compile(r"\^ ?\{? ?\\(?:circ|degree)(?![A-Za-z]) ?\}?|\\degree(?![A-Za-z])"), "°"),
    (re.compile(r"\\!"), ""),
    (re.compile(r"\\(?:[,;:> ]|q?quad(?![A-Za-z])|thinspace(?![A-Za-z]))|~"), " "),
    (re.compile(r"\\[()\[\]]"), " "),
    (re.compile(r"\\([%#&])"), r"\1"),
)
_TWICE_ESCAPED: Final = re.compile(r"\\\\(?=[A-Za-z])")
_ROW_END: Final = re.compile(r"\\\\(?:\\\\)?(?:\[[0-9.]+ ?(?:pt|em|ex|mm|cm)\])?|\\cr(?![A-Za-z])")
_BLANKS: Final = re.compile(r"\s+")
_DOTS: Final = re.compile(r"\.{3,}|…")
_QUOTES: Final = ' \t\r\n"`*“”'
_MONEY_SIGN: Final = "\x01"


def clean(text: str) -> str:
    """`text` in plain characters and without layout, delimiters, emphasis and closing punctuation."""
    text = characters.plain(text)
    if "$" in text:
        text = _without_delimiters(text)
    if "\\" in text or "~" in text or "{" in text:
        if "\\\\begin" in text or "\\begin" not in text:
            text = _TWICE_ESCAPED.sub(r"\\", text)
        if "\\begin" in text:  # where two backslashes end a row
            text = _ROW_END.sub("\x02", text)
        for pattern, replacement in _TEX:
            text = pattern.sub(replacement, text)
    text = _BLANKS.sub(" ", text).strip(_QUOTES)
    if "..." in text or "…" in text:
        text = _DOTS.sub(r"\\ldots ", text)
    return text.rstrip(_QUOTES + ".,;:?\\").rstrip()


def _without_delimiters(text: str) -> str:
    """Dollar signs in pairs delimit formulas; a single one, or an escaped one, is money."""
    text = text.replace(r"\$", _MONEY_SIGN).replace("$$", " ")
    if text.count("$") % 2 == 0:
        text = text.replace("$", " ")
    return text.replace(_MONEY_SIGN, "$")


_WRAPPED: Final = re.compile(r"\\text ?\{([^{}]*)\}")
_GAP: Final = re.compile(r"(?<![A-Za-z0-9,]) | (?![A-Za-z0-9])|(?<=,) (?![0-9])")
_CHOICE: Final = re.compile(r"\(([A-Za-z])\)")
_WORDS: Final = re.compile(r"[A-Za-z]{2}[A-Za-z '-]*")


def key(cleaned: str) -> str:
    """The text by which two cleaned answers are the same text."""
    text = _GAP.sub("", _WRAPPED.sub(r"\1", cleaned)).strip()
    if text.startswith("{") and text.endswith("}") and text.count("{") == 1:
        text = text[1:-1]
    if choice := _CHOICE.fullmatch(text):
        return choice[1]
    return text.casefold() if is_words(text) else text


def is_words(text: str) -> bool:
    """Whether `text` is words, and nothing that could be a formula."""
    return _WORDS.fullmatch(text) is not None
