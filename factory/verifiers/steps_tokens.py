r"""The words of a line of a solution: numbers, signs of arithmetic, brackets, and the words around them.

Guarantees: one pass, linear time; every token knows its place in the line, so that what is read can be
shown as a slice. A character that is neither arithmetic nor a word is a break. Signs of other alphabets
of arithmetic (× · ÷ − –) and of TeX (\times, \cdot, \div, \frac, \text) are read as the plain ones.
Left out: what the tokens mean together (`steps_reading.py`).
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple


class Token(NamedTuple):
    """A token of a line. `kind` is one of the names in `_TOKEN`, or verb, stop, doubt, of, joint."""

    kind: str
    text: str
    start: int
    end: int


VULGAR: Final = {"½": (1, 2), "¼": (1, 4), "¾": (3, 4), "⅓": (1, 3), "⅔": (2, 3), "⅛": (1, 8)}

_SIGNS: Final = str.maketrans("−–×·⋅∙✕÷⁄\u00a0\u2009\u202f’\t", "--*****//   ' ")  # one for one: places stay
_THOUSANDS: Final = r"[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])(?:\.[0-9]+)?"
_PARTED: Final = r"(?<![0-9.,])[0-9]{1,3}(?: [0-9]{3})+(?!,?[0-9]|\.[0-9]|-[^\W\d])"
_PLAIN: Final = r"[0-9]+(?:\.[0-9]+)?(?:e[-+][0-9]{2}(?!\w))?|(?<![0-9])\.[0-9]+"
_TOKEN: Final = re.compile(
    rf"(?P<number>{_THOUSANDS}|{_PARTED}|{_PLAIN})"
    r"|(?P<vulgar>[½¼¾⅓⅔⅛])"
    r"|(?P<cross>(?<![^\W\d_])[xX](?= *[0-9.$€£¢(\\½¼¾⅓⅔⅛]))"
    r"|(?P<variable>[^\W\d_]+[0-9_]\w*|(?<=[0-9]):(?=[0-9])|[√π∑])"
    r"|(?P<word>[^\W\d_]+(?:['-][^\W\d_]+)*)"
    r"|(?P<prose>\\(?:text|mathrm|textbf|mathbf) ?\{(?P<inner>[^{}]*)\})"
    r"|(?P<tex>\\(?:[A-Za-z]+|.))"
    r"|(?P<equals>(?<![<>!=~:])=(?![=>~]))|(?P<approximates>[≈≅≃]|~=)"
    r"|(?P<power>(?<=[0-9)\]}])\*\*(?=[-0-9(.])|(?<=[0-9)\]}] )\*\* (?=[-0-9(.]))"
    r"|(?P<percent>%)|(?P<currency>[$€£¢])"
    r"|(?P<blank>\*\*+|['\"“”`_#~]|\.(?= *[+*/=])|\.\.+|…)"
    r"|(?P<op>[-+*/^])|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<break>\S)"
)
_BULLET: Final = re.compile(r" *[-*+•] +")
_TEX: Final = {r"\times": "*", r"\cdot": "*", r"\div": "/", r"\ast": "*"}
_TEX_KINDS: Final = {
    **dict.fromkeys((r"\frac", r"\dfrac", r"\tfrac"), "fraction"),
    r"\approx": "approximates",
    r"\%": "percent",
    r"\$": "currency",
    **dict.fromkeys((r"\left", r"\right", r"\boxed", r"\quad", r"\,", r"\!", r"\;", r"\ "), "blank"),
    **dict.fromkeys((r"\(", r"\)", r"\[", r"\]", r"\\"), "break"),
}
_ORDINALS: Final = frozenset(("st", "nd", "rd", "th"))
_SPOKEN: Final = {"times": "*", "plus": "+", "minus": "-"}
_KINDS: Final = {
    **dict.fromkeys(("is", "equals", "makes", "gives"), "verb"),
    **dict.fromkeys(
        ("and", "so", "then", "if", "because", "but", "or", "since", "therefore", "thus"), "stop"
    ),
    # They change the value of a number in a way that is not read, so nothing near them is called wrong.
    **dict.fromkeys(
        re.findall(
            r"\w+",
            "half third thirds fourth fifth quarter quarters twice thrice double triple squared cubed square"
            " cube root divided multiplied over dozen hundred thousand million billion times plus minus mod",
        ),
        "doubt",
    ),
    "of": "of",
    "percent": "percent",
}


def tokens(line: str) -> list[Token]:
    """All tokens of `line`, which holds no line break; blanks, quotes and bullets are left out."""
    plain = line.translate(_SIGNS)
    bullet = _BULLET.match(plain)
    found: list[Token] = []
    for match in _TOKEN.finditer(plain, bullet.end() if bullet else 0):
        kind, start, end = str(match.lastgroup), match.start(), match.end()
        text = match[0]
        if kind == "word":
            kind, text = _word(plain, text, start, end)
        elif kind in ("cross", "power"):
            kind, text = "op", "*" if kind == "cross" else "^"
        elif kind == "tex":
            kind, text = ("op", _TEX[text]) if text in _TEX else (_TEX_KINDS.get(text, "variable"), text)
        elif kind == "op" and text == "-" and _joins(plain, start):
            kind = "joint"
        elif kind == "prose":
            found += [Token("word", word, start, end) for word in match["inner"].split()]
            continue
        if kind == "percent" and found and found[-1].kind != "number":
            kind = "break"
        if kind != "blank":
            found.append(Token(kind, text, start, end))
    return found


def _joins(line: str, place: int) -> bool:
    """Whether the `-` there joins a number and its unit, as in `5-year`."""
    return (
        place > 0
        and line[place - 1].isdigit()
        and line[place + 1 : place + 3].isalpha()
        and line[place + 1].islower()
    )


def _word(line: str, text: str, start: int, end: int) -> tuple[str, str]:
    """Kind and text of a word: a lone letter, or one glued to a digit, is algebra."""
    glued = start > 0 and "0" <= line[start - 1] <= "9"
    if len(text) == 1 and text not in "aAI":
        return "variable", text
    if text in ("a", "A") and (glued or line[end : end + 2].strip()[:1] in tuple("+-*/=^")):
        return "variable", text
    if glued and text in _ORDINALS:
        return "break", text
    if glued and text.istitle():  # `1Dachshund+1/4Papillon`
        return "variable", text
    lower = text.lower()
    if lower in _SPOKEN and line[end : end + 3].lstrip()[:1] in tuple("0123456789($"):
        return "op", _SPOKEN[lower]
    return _KINDS.get(lower, "word"), lower
