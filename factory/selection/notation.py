"""One spelling for the numbers and signs of arithmetic, and the equations written in prose.

Guarantees: text is only scanned, never evaluated, and in time linear in its length; no number is
turned into a machine number, so a numeral of any length is safe. Numerals of equal value get one
spelling (`1,000` and `1000.0` are `1000`, `.50` is `0.5`); a percentage keeps its sign.

Found in prose: sides made of numbers, + - * / ^ % and parentheses, also written × x · ÷ − or with
TeX's \\times \\cdot \\div \\frac, with `$` and units of one word (`3 clips + 4 clips = 7 clips`);
`a = b = c` is one equation of three sides. Left out: sides with variables, words for numbers,
equations broken over lines, fractions of anything but two plain numbers.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

NUMERAL: Final = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+"

_NUMERAL: Final = re.compile(NUMERAL)
_DIGIT: Final = re.compile(r"\d")
_SIGNS: Final = str.maketrans({"×": "*", "·": "*", "⋅": "*", "∙": "*", "÷": "/", "−": "-", "$": " "})
_TEX: Final = (
    (re.compile(r"\\[dt]?frac[ \t]?\{(" + NUMERAL + r")\}[ \t]?\{(" + NUMERAL + r")\}"), r" \1/\2 "),
    (re.compile(r"\\(?:times|cdot)(?![A-Za-z])"), "*"),
    (re.compile(r"\\div(?![A-Za-z])"), "/"),
    (re.compile(r"\\([$%])"), r"\1"),
    (re.compile(r"(?<![0-9])\$(?=[0-9.])"), ""),  # `-$5` is the number -5; any other $ ends a formula
)
_CROSS: Final = re.compile(r"(?<=[0-9)%])[ \t]*[xX][ \t]*(?=\$?[0-9(.])")
_POWER: Final = re.compile(r"(?<=[0-9)])[ \t]*\*\*[ \t]*(?=[0-9(])")
_BULLET: Final = re.compile(r"^[ \t]*[-*+•][ \t]+", re.MULTILINE)
_UNIT: Final = re.compile(r"(?<=[0-9])[ \t]+[A-Za-z]{2,40}[ \t]*(?=[-+*/=)])")
_TOKEN: Final = re.compile(
    r"(?P<number>(?<![\w.])(?:" + NUMERAL + r")(?:[ \t]*%)?(?!\w))"
    r"|(?P<equals>(?<![<>!=~:])=+(?![>~]))"
    r"|(?P<minus>(?<![\w)}])-(?=[0-9.(]))"  # may be the sign of a number; any other - subtracts
    r"|(?P<sign>[-+*/^])|(?P<open>\()|(?P<close>\))|(?P<blank>[ \t]+)"
)
_LONE_NUMBER: Final = re.compile(r"(?<![\w.)])\(((?:" + NUMERAL + r")%?)\)")


def plain_numeral(numeral: str) -> str:
    """The one spelling of a numeral of digits, commas and at most one point: `007.50` gives `7.5`."""
    whole, _, part = numeral.replace(",", "").partition(".")
    part = part.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{part}" if part else "")


def plain_digits(text: str) -> str:
    """`text` with the decimal digits of every script as 0-9."""
    return text if text.isascii() else _DIGIT.sub(lambda match: str(unicodedata.decimal(match[0])), text)


def plain_signs(text: str) -> str:
    """`text` with one sign for each operation and without currency signs; blanks and numbers as they were."""
    text = plain_digits(text)
    for pattern, replacement in _TEX:
        text = pattern.sub(replacement, text)
    return _POWER.sub("^", _CROSS.sub("*", text.translate(_SIGNS)))


def plain_arithmetic(text: str) -> str:
    """`text` without blanks, with one spelling for every number and sign."""
    joined = "".join(plain_signs(text).split())
    return _LONE_NUMBER.sub(r"\1", _NUMERAL.sub(lambda match: plain_numeral(match[0]), joined))


def prose_equations(text: str) -> tuple[str, ...]:
    """The equations written in `text`, in order, spelled as `plain_arithmetic` spells them."""
    if "=" not in text:
        return ()
    plain = _UNIT.sub("", _BULLET.sub("", plain_signs(text)).replace("**", ""))
    found: list[str] = []
    sides = _Sides()
    position = 0
    for match in _TOKEN.finditer(plain):
        if match.start() != position and (sides.now or sides.done):  # no arithmetic stood between
            found += sides.close()
        position = match.end()
        kind, token = str(match.lastgroup), match[0]
        if kind == "blank":
            continue
        if not sides.take(kind, token):
            found += sides.close()
            sides.take(kind, token)
    return tuple(found + sides.close())


class _Sides:
    """The sides of the equation being read; a side of None could not be read to its beginning or end."""

    def __init__(self) -> None:
        self.done: list[str | None] = []
        self.now: list[str] = []
        self.open: list[int] = []  # where the parentheses not yet closed stand in `now`
        self.broken = False

    def take(self, kind: str, token: str) -> bool:
        """Add a token; False when it cannot continue this equation and may begin the next one."""
        wants_operand = self._wants_operand()
        if kind == "number":
            if not wants_operand:
                return False
            self.now.append(token)
        elif kind == "equals":
            self._end_side()
        elif kind == "open":
            self.open.append(len(self.now))
            self.now.append("(" if wants_operand else "*(")  # one token, so that it goes as a whole
        elif kind == "close":
            if not self.open or wants_operand:
                return not self.now and not self.done
            self.open.pop()
            self.now.append(token)
        elif wants_operand and kind == "sign":
            self.broken = True  # its left operand is not arithmetic, so the side is known in part only
        else:
            self.now.append(token)
        return True

    def _wants_operand(self) -> bool:
        return not self.now or self.now[-1][-1] in "+-*/^("

    def _end_side(self) -> None:
        if self.open:  # "(so 3 + 4 = 7)": the parenthesis belongs to the sentence
            del self.now[: self.open[-1] + 1]
            self.open.clear()
        whole = not self._wants_operand() and not self.broken
        self.done.append("".join(self.now) if whole else None)
        self.now, self.broken = [], False

    def close(self) -> list[str]:
        """The equations read since the last close: two or more whole sides in a row with an operation."""
        if not self.done:  # no = was read; said first, because this is called at every word of prose
            self.now, self.open, self.broken = [], [], False
            return []
        if self.open:
            del self.now[self.open[0] :]
            self.open.clear()
        if self.now and self.now[-1] == "-":  # a dash of the sentence
            self.now.pop()
        self._end_side()
        found: list[str] = []
        run: list[str] = []
        for side in [*self.done, None]:
            if side is not None:
                run.append(plain_arithmetic(side))
                continue
            if len(run) > 1 and any(re.search(r"[^-]-|[+*/^%]", part) for part in run):
                found.append("=".join(run))
            run = []
        self.done = []
        return found
