r"""Own reader of formulas, plain and TeX, into trees (`trees.py`). No text is ever evaluated.

Guarantees: what is not in the grammar is refused with a reason, never guessed: `unparsed`, `refused` (too
long, too deep, too many digits) or `unsupported:<what>`. Time is linear in the length.

Policies: `1/2x` is refused as ambiguous; `2\frac13` is a mixed number; e and i are constants; `log`
without a base has none. Left out: what stands around formulas in an answer (`statements.py`): lists,
relations, intervals, matrices; and sums, integrals, limits, which no rule here could compare.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from fractions import Fraction

from factory.verifiers.lexing import NO_FACTORS, TIMES
from factory.verifiers.spelling import Unsettled
from factory.verifiers.token_reading import DEEPEST, Tokens
from factory.verifiers.trees import DEGREE, HUNDREDTH, Tree, inverse, is_integer, number


class Reader(Tokens, ABC):
    """Reads formulas; every method reads one thing and leaves the position behind it."""

    def sum(self) -> Tree:
        parts = [self.term()]
        while self.accept("bmod"):
            parts[0] = ("of", "mod", (parts[0], self.term()))
        while self.kind in ("+", "-") or self.at("pm", "mp"):
            parts.append(self.term())
        return parts[0] if len(parts) == 1 else ("+", tuple(parts))

    def term(self) -> Tree:
        for sign in ("pm", "mp"):
            if self.accept(sign):
                return sign, self.product()
        return self.product()

    def product(self) -> Tree:
        """Signs, then factors joined by signs or by standing side by side."""
        negative = self.negative()
        factors = [self.power()]
        slashed = False
        while True:
            if self.accept("*", *TIMES):
                factors.append(self.signed_power())
                slashed = False
            elif self.accept("/", "div"):
                factors.append(inverse(self.signed_power()))
                slashed = True
            elif self.begins_factor():
                if slashed:
                    raise Unsettled("unsupported:ambiguous")
                factors.append(self.power())
            else:
                break
        tree = factors[0] if len(factors) == 1 else ("*", tuple(factors))
        return ("-", tree) if negative else tree

    def negative(self) -> bool:
        signs = 0
        while self.kind in ("+", "-"):
            signs += self.take(str(self.kind)) == "-"
        return signs % 2 == 1

    def signed_power(self) -> Tree:
        return ("-", self.power()) if self.negative() else self.power()

    def begins_factor(self) -> bool:
        """Whether the next token continues a product without a sign; a number does not (`2 3`, `x2`)."""
        if self.kind == "(" and self.tokens[self.position + 1 : self.position + 2] == [("name", "mod")]:
            return False
        if self.kind in ("(", "{") or (self.kind == "number" and self.tokens[self.position - 1][0] == "!"):
            return True
        if self.kind == "name":
            return self.text not in ("and", "or", "mod", "to") and not self.joins_sets()
        return self.kind == "command" and self.text not in NO_FACTORS

    def joins_sets(self) -> bool:
        """Whether the next token is a `U` between two brackets."""
        return False

    def power(self) -> Tree:
        tree = self.deeper(self.atom)
        signs = 0
        while self.kind in ("!", "^", "%", "°"):
            signs += 1
            if signs > DEEPEST:
                raise Unsettled("refused")
            if self.accept("!"):
                tree = ("!!" if self.accept("!") else "!", tree)
            elif self.accept("^"):
                tree = ("^", tree, self.exponent())
            elif self.accept("%"):
                tree = ("*", (tree, HUNDREDTH))
            else:
                self.take("°")
                tree = ("*", (tree, DEGREE))
        return tree

    def exponent(self) -> Tree:
        """A group, or a signed power: `2^3^2` is 2^9."""
        return self.deeper(self.group if self.kind == "{" else self.signed_power)

    def group(self) -> Tree:
        self.take("{")
        tree = self.sum()
        self.take("}")
        return tree

    def atom(self) -> Tree:
        kind = self.kind
        if kind == "number":
            return self.numeral()
        if kind == "name":
            return self.named(self.take("name"))
        if kind == "command":
            return self.command(self.take("command"))
        if kind in ("(", "["):
            return self.bracket()
        if kind == "]":
            return self.outward()
        if kind == "\\{":
            return self.braces("\\{", "\\}")
        if kind == "{":
            return self.braces("{", "}")
        if kind == "|" or self.at("lvert"):
            self.position += 1
            tree = self.sum()
            if not self.accept("|", "rvert"):
                raise Unsettled("unparsed")
            return "abs", tree
        raise Unsettled("unparsed")

    def numeral(self) -> Tree:
        text = self.take("number")
        if len(text) > 1 and text[0] == "0" and text.isdigit() and len(self.tokens) > 1:
            raise Unsettled("unparsed")  # 2024-05-01 is no difference, and (1,000) no pair
        tree = number(text)
        if self.kind == "_":
            raise Unsettled("unsupported:base")
        if self.kind == "command" and self.text == "overline" and "." in text:
            return self.repeating(text)
        if self.kind == "command" and self.text == "frac" and is_integer(tree):
            start = self.position
            self.position += 1
            top, low = self.argument(), self.argument()
            if is_integer(top) and is_integer(low):
                return "+", (tree, ("*", (top, inverse(low))))
            self.position = start
        return tree

    def repeating(self, text: str) -> Tree:
        r"""`1.1\overline{6}` inside a formula."""
        self.position += 1
        self.take("{")
        period = self.take("number")
        self.take("}")
        places = len(text.partition(".")[2])
        if not period.isdigit() or len(period) + places > 60:
            raise Unsettled("unparsed")
        value = Fraction(text.rstrip(".") or "0") + Fraction(
            int(period), 10**places * (10 ** len(period) - 1)
        )
        return "number", value, 0, None

    def bracket(self) -> Tree:
        opening = self.take(str(self.kind))
        parts = self.parts()
        if opening == "[" and len(parts) == 2 and self.accept("["):
            return "bracket", opening, ")", parts
        closing = ")" if self.kind == ")" else "]"
        self.take(closing)
        if len(parts) > 1:
            return "bracket", opening, closing, parts
        if (opening, closing) == ("[", "]") and parts[0][0] != "matrix":
            return "bracket", opening, closing, parts
        if opening + closing != "()" and parts[0][0] != "matrix":
            raise Unsettled("unsupported:bracket")
        return parts[0]

    def outward(self) -> Tree:
        """An open end as a bracket that turns away: `]2, 5]`, `]2; 5[`."""
        self.take("]")
        parts = self.parts()
        if len(parts) != 2 or self.kind not in ("[", "]"):
            raise Unsettled("unparsed")
        return "bracket", "(", ")" if self.take(str(self.kind)) == "[" else "]", parts

    def braces(self, opening: str, closing: str) -> Tree:
        r"""A set between \{ and \}, and between { and } if it has members; else what stands in the group."""
        self.take(opening)
        if opening != "{" and self.accept(closing):
            return "set", ()
        if opening != "{" and (condition := self.condition(closing)):
            return condition
        parts = self.parts()
        self.take(closing)
        if opening == "{" and len(parts) == 1:
            return parts[0]
        return "set", parts

    def condition(self, closing: str) -> Tree | None:
        r"""What is said in \{x : ...\} or \{x \in R | ...\}; None, and nothing read, for a set of members."""
        start = self.position
        of = self.sum()
        within = self.sum() if self.accept("in") else None
        if self.accept("|", ":", "mid"):
            found = self.such_that()
            self.take(closing)
            if within not in (None, ("integers",)) and not _is_real(within):
                raise Unsettled("unsupported:set")
            if found[0] == "in" and found[1] != of:
                return "list", (of, found)
            if not _is_point(of):
                raise Unsettled("unsupported:set")
            both = (*found[1], ("in", of)) if found[0] == "list" else (found, ("in", of))
            return ("list", both) if within == ("integers",) else found
        self.position = start
        return None

    def parts(self) -> tuple[Tree, ...]:
        """What stands in brackets, parted by commas."""
        parts = [self.sum()]
        while self.accept(",", ";"):
            parts.append(self.sum())
        return tuple(parts)

    def such_that(self) -> Tree:
        """The condition of a set."""
        raise Unsettled("unsupported:set")

    # --- names, read by `function_reading.py` ---

    @abstractmethod
    def named(self, word: str) -> Tree:
        """See `function_reading.py`."""

    @abstractmethod
    def argument(self) -> Tree:
        """See `function_reading.py`."""

    @abstractmethod
    def command(self, name: str) -> Tree:
        """See `function_reading.py`."""


def _is_point(tree: Tree) -> bool:
    """Whether a set is said of x, or of (x, y): of variables that differ."""
    parts = tree[3] if tree[0] == "bracket" else (tree,)
    return len(set(parts)) == len(parts) and all(part[0] == "variable" for part in parts)


def _is_real(tree: Tree) -> bool:
    """Whether a set is that of the reals, or a power of it."""
    base = tree[1] if tree[0] == "^" else tree
    return base in (("reals",), ("variable", "R"))
