"""The equations of a line: which numbers and signs stand on either side of each equation sign.

Guarantees: each token is read once. A side begins behind the last break before its sign: a word before a
number, a word that begins a clause, punctuation, or a bracket that holds an equation. It ends at the first
break behind its sign. Up to three words of unit may stand behind a number; `of` is times only behind a
number or a bracket; `a = b = c` are two equations that share a side.

Left out: values (`steps_values.py`). Algebra, words for numbers and functions are not computed: a side
with one of them has a `taint` and no value; one near a word that may change its value has a `doubt`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from factory.verifiers import steps_operands
from factory.verifiers.steps_operands import SIGNS, UNKNOWN
from factory.verifiers.steps_tokens import Token
from factory.verifiers.steps_values import Atom, Unread

MAX_WORDS: Final = 3
"""Words of unit between a number and the next sign."""

_NEAR: Final = 2
"""Words between a word that changes a number (`half`) and the number, at which it still does."""


@dataclass(slots=True)
class Side:
    """What stands on one side of an equation sign. `start` and `end` are places in the line, or -1."""

    atoms: list[Atom] = field(default_factory=list)
    units: list[str] = field(default_factory=list)
    start: int = -1
    end: int = -1
    taint: str = ""
    doubt: str = ""
    words: int = 0  # since the last operand
    pending: int = -1  # words since one that changes the number behind it; -1 when there is none

    @property
    def wants_operand(self) -> bool:
        return not self.atoms or self.atoms[-1] in SIGNS

    def close(self) -> Side:
        """The side without a sign at its end: a `-` there may be a dash, any other lacks its operand."""
        while self.atoms and self.atoms[-1] in SIGNS:
            if self.atoms.pop() == "-":
                self.doubt = self.doubt or "incomplete"
            else:
                self.taint = self.taint or "incomplete"
        return self


class Equation(NamedTuple):
    """Two sides and the sign between them. `chained`: the left side is the right side of another."""

    left: Side
    right: Side
    sign: Token
    chained: bool


def equations(tokens: Sequence[Token]) -> list[Equation]:
    """The equations of a line in order: one a sign, and one a verb that stands behind an operation."""
    line = _Line(tokens)
    while line.place < len(tokens):
        token = tokens[line.place]
        line.place += 1
        _TAKE.get(token.kind, _Line.end)(line, token)
    line.end()
    return line.found


class _Line:
    """Reads a line from left to right; `side` is the side being read, `sign` the one it stands behind."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = tokens
        self.place = 0
        self.partners = steps_operands.partners(tokens)
        self.found: list[Equation] = []
        self.side = Side()
        self.left = Side()
        self.sign: Token | None = None
        self.chained = False

    def before(self) -> Token | None:
        """The token before the one being read."""
        return self.tokens[self.place - 2] if self.place > 1 else None

    def end(self, _: Token | None = None) -> None:
        """A break: the side ends, and with it the equation whose right side it is."""
        # A sign that a break parts from its operand: what follows may be less than the whole side.
        pending = 0 if self.side.atoms and self.side.wants_operand else -1
        if self.sign is not None:
            self.found.append(Equation(self.left, self.side.close(), self.sign, self.chained))
        self.sign = None
        self.side = Side(pending=pending)

    def equals(self, token: Token) -> None:
        left, chained = self.side.close(), self.sign is not None
        self.end()
        self.left, self.sign, self.chained = left, token, chained

    def verb(self, token: Token) -> None:
        following = self.tokens[self.place].kind if self.place < len(self.tokens) else ""
        if len(self.side.atoms) > 1 and not self.side.wants_operand and following in ("number", "currency"):
            self.equals(token)
        else:
            self.end()

    def number(self, token: Token) -> None:
        before = self.before()
        factor = before is not None and before.kind == "close" and len(self.side.atoms) > 3  # `(1/2) 278`
        if factor or self._may_be_a_part(token):
            self.side.pending = 0
        loose = before is not None and before.text == "/" and before.end < token.start
        try:
            atoms, place = steps_operands.numeral(self.tokens, self.place - 1, loose_slash=loose)
        except Unread as error:
            self.operand([UNKNOWN], token, token)
            self.side.taint = error.kind
            return
        glued = before is not None and before.kind == "variable" and before.end == token.start
        self.place = place
        self.operand(atoms, token, self.tokens[place - 1])
        if glued:
            self.side.taint = "algebra"

    def _may_be_a_part(self, token: Token) -> bool:
        """Whether a number may be the rest of `14, 400` or `13,2000`, or a time of day like `0730`."""
        if token.text[0] == "0" and token.text[1:2].isdigit():
            return True
        if self.place < 3 or self.tokens[self.place - 2].text != ",":
            return False
        glued = self.tokens[self.place - 2].end == token.start
        return self.tokens[self.place - 3].kind == "number" and (glued or token.end - token.start == 3)

    def stop(self, _: Token) -> None:
        """A word that begins a clause; but `1 and 1/4` may be one number."""
        mixed = not self.side.wants_operand and steps_operands.tight_fraction(self.tokens, self.place)
        self.end()
        if mixed:
            self.side.pending = 0

    def operand(self, atoms: list[Atom], first: Token, last: Token) -> None:
        """Append an operand; behind another one it begins a new expression."""
        if not self.side.wants_operand:
            pending = self.side.pending
            self.end()
            self.side.pending = pending
        side = self.side
        if 0 <= side.pending <= _NEAR:
            side.doubt = side.doubt or "words"
        if side.start < 0:
            side.start = first.start
        side.atoms += atoms
        side.end, side.words, side.pending = last.end, 0, -1

    def operation(self, token: Token) -> None:
        side = self.side
        following = self.tokens[self.place] if self.place < len(self.tokens) else None
        if not side.wants_operand:
            if token.text == "/" and following and following.kind == "word" and following.start == token.end:
                return  # `days/week`, `$2/tub`
            if token.text == "/" and side.words and following and following.start == token.end:
                side.doubt = side.doubt or "words"  # `2 melt/15 minutes`
            side.atoms.append(token.text)
            return
        # A lone `-` at the start may be a dash or a bullet; one that touches its number is its sign.
        tight = following is not None and following.start == token.end
        signs = side.atoms[-2:] != ["-", "-"]
        if not (token.text == "-" and signs and following and (side.atoms or tight or self.sign)):
            side.taint = side.taint or "incomplete"
        else:
            side.atoms.append("-")
        if side.start < 0:
            side.start, side.end = token.start, token.end

    def variable(self, token: Token) -> None:
        if self.side.wants_operand:
            self.operand([UNKNOWN], token, token)
        self.side.taint = "algebra"
        self.side.end = token.end

    def word(self, token: Token) -> None:
        side = self.side
        side.pending += side.pending >= 0
        if not side.wants_operand:
            side.words += 1
            side.units.append(token.text)
            if side.words > MAX_WORDS:
                self.end()
        elif side.atoms or side.taint or self.sign:  # a sign wants a number, not a word
            if self.sign and (not side.atoms or side.atoms[-1] != "-"):
                side.taint = side.taint or "incomplete"
            self.end()
            self.side.pending = 0

    def doubt(self, token: Token) -> None:
        if self.side.atoms:
            self.side.doubt = "words"
        self.word(token)
        self.side.pending = 0

    def joint(self, _: Token) -> None:
        """`2-legged animals * 3`: the number may be no factor."""
        self.side.doubt = self.side.doubt or "words"

    def of(self, token: Token) -> None:
        side, before = self.side, self.before()
        following = self.tokens[self.place].kind if self.place < len(self.tokens) else ""
        direct = before is not None and before.kind in ("number", "vulgar", "percent", "close")
        if direct and not side.wants_operand and following in ("number", "vulgar", "currency", "open"):
            part = before is not None and before.kind != "number"
            if not part and "/" not in side.atoms[-2:]:
                side.doubt = side.doubt or "words"  # `3 of 20`
            side.atoms.append("*")
        elif self.sign:
            self.end()
        elif side.atoms:
            self.doubt(token)
        else:
            self.word(token)  # `a total of 6+8`

    def currency(self, token: Token) -> None:
        self.side.units.append(token.text)

    def bracket(self, token: Token) -> None:
        close = self.partners.get(self.place - 1)
        if close is None:
            self.end()
            return
        before, side = self.before(), self.side
        glued = before is not None and before.end == token.start
        group = steps_operands.group(self.tokens, self.partners, self.place, close)
        self.place = close + 1
        last = self.tokens[close]
        if group == []:  # a remark without a number, or `2(Losses)`
            if glued and side.end == token.start:
                side.taint = "algebra"
            return
        atoms: list[Atom] = [UNKNOWN] if group is None else ["(", *group, ")"]
        if side.wants_operand:
            self.operand(atoms, token, last)
            function = glued and before is not None and before.kind in ("word", "doubt")
            if group is None or function:
                self.side.taint = "algebra" if function else "unparsed"
        elif glued and side.end == token.start:
            side.atoms += ["*", *atoms]
            side.end = last.end
            if group is None:
                side.taint = side.taint or "unparsed"
        elif self.sign:
            self.end()
        else:
            side.doubt = side.doubt or "unparsed"  # a remark, or a factor

    def fraction(self, token: Token) -> None:
        atoms, place = steps_operands.fraction(self.tokens, self.partners, self.place)
        self.place = place
        self.operand(atoms or [UNKNOWN], token, self.tokens[place - 1])
        if not atoms:
            self.side.taint = self.side.taint or "unparsed"


_TAKE: Final = {
    "equals": _Line.equals,
    "approximates": _Line.equals,
    "verb": _Line.verb,
    "number": _Line.number,
    "vulgar": _Line.number,
    "op": _Line.operation,
    "variable": _Line.variable,
    "word": _Line.word,
    "stop": _Line.stop,
    "doubt": _Line.doubt,
    "joint": _Line.joint,
    "of": _Line.of,
    "currency": _Line.currency,
    "open": _Line.bracket,
    "fraction": _Line.fraction,
}
"""What a token does to the line; every other kind is a break."""
