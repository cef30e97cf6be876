r"""Reads names: constants, variables, functions and TeX commands with their arguments.

Guarantees: as `expression.py`, whose reader this completes. A letter before a bracket is a factor, unless it
is f, g, h, or a capital before one letter or number: then it is a function of which nothing is known.
"""

from __future__ import annotations

from typing import Final

from factory.verifiers.expression import Reader
from factory.verifiers.lexing import FUNCTIONS, GREEK, INFINITY, OPERATORS, WORDS
from factory.verifiers.spelling import Unsettled
from factory.verifiers.trees import ONE, Tree, inverse, number

_OVER: Final = ("vec", "hat", "overrightarrow", "widehat")
USUAL_FUNCTIONS: Final = frozenset(("f", "g", "h"))
"""Letters that stand for a function whatever is in the brackets behind them."""


class FormulaReader(Reader):
    """Reads formulas with names in them."""

    def named(self, word: str) -> Tree:
        if word in ("pi", "e", "i"):
            return "constant", word
        if word in INFINITY:
            return "constant", "infinity"
        if word in ("sqrt", "cbrt"):
            return "root", number("2" if word == "sqrt" else "3"), self.deeper(self.atom)
        if word in FUNCTIONS or word == "log":
            return self.call(word)
        if word == "abs" and self.kind == "(":
            return "abs", self.bracket()
        if word == "C" and self.kind == "(":
            return self.combinations()
        if word in ("gcd", "lcm", "max", "min"):
            self.take("(")
            parts = self.parts()
            self.take(")")
            return "of", word, parts
        if len(word) == 1:
            return self.application(word) or self.variable(word)
        for function in ("ln", "log", *FUNCTIONS):
            if word == f"{function}{word[-1]}" and len(word) > len(function):  # lnx
                self.position -= 1
                self.tokens[self.position : self.position + 1] = [("name", function), ("name", word[-1])]
                self.position += 1
                return self.call(function)
        if len(word) > 3 or (word.lower() in WORDS and not word.isupper()):
            raise Unsettled("unparsed")
        if self.kind in ("^", "_", "!"):  # what follows belongs to the last letter: xy^2 is x y^2
            self.tokens[self.position : self.position] = [("name", letter) for letter in word[1:]]
            return self.variable(word[0])
        return "*", tuple(self.variable(letter) for letter in word)

    def variable(self, name: str) -> Tree:
        """A variable with its subscript, which is part of its name."""
        if not self.accept("_"):
            return "variable", name
        below = ""
        if self.accept("{"):
            while self.kind in ("number", "name", ",", "+", "-"):
                below += self.take(str(self.kind))
            self.take("}")
        else:
            below = self.take("number" if self.kind == "number" else "name")
        return "variable", f"{name}_{below}"

    def command(self, name: str) -> Tree:
        if name == "frac":
            return "*", (self.argument(), inverse(self.argument()))
        if name == "sqrt":
            degree = number("2")
            if self.accept("["):
                degree = self.sum()
                self.take("]")
            return "root", degree, self.argument()
        if name in ("binom", "dbinom", "tbinom"):
            return "binom", self.argument(), self.argument()
        if name in ("lfloor", "lceil"):
            tree = self.sum()
            if not self.accept("r" + name[1:]):
                raise Unsettled("unparsed")
            return "call", name[1:], tree
        if name in OPERATORS:
            return self.operator(name)
        if name in GREEK:
            return self.application(name) or self.variable(name)
        if name in FUNCTIONS or name in ("pi", "log", "gcd", "lcm", "max", "min") or name in INFINITY:
            return self.named(name)
        if name in ("imath", "jmath"):
            return self.named(name[0])
        if name == "text" and self.at(*_OVER):  # bold
            return self.atom()
        if name == "text" and self.kind == "{" and self.holds(*_OVER):
            return self.group()
        if name in _OVER and self.kind == "name" and len(self.text) == 1:
            return self.variable(f"{name}.{self.take('name')}")
        if name in _OVER and self.kind == "command" and self.text in ("imath", "jmath"):
            return self.variable(f"{name}.{self.take('command')[0]}")
        if name in (*_OVER, "bar", "overline") and self.kind == "{":
            if self.position + 2 < len(self.tokens) and self.tokens[self.position + 2][0] == "}":
                return self.marked(name)
            if name in ("bar", "overline"):
                return "call", "conj", self.group()
        raise Unsettled(f"unsupported:{name[:20]}")

    def holds(self, *names: str) -> bool:
        """Whether one of these begins the group that comes next."""
        return any(text in names for _, text in self.tokens[self.position + 1 : self.position + 2])

    def application(self, name: str) -> Tree | None:
        """f(x) for a name that is a function's; None, and nothing read, where it is a factor."""
        if self.kind != "(":
            return None
        start = self.position
        self.take("(")
        parts = self.parts()
        self.take(")")
        plain = len(parts) == 1 and parts[0][0] in ("number", "variable")
        if name in USUAL_FUNCTIONS or (plain and (name.isupper() or name == "zeta")):
            return "apply", name, parts
        self.position = start
        return None

    def combinations(self) -> Tree:
        """C(n, k)."""
        start = self.position
        self.take("(")
        parts = self.parts()
        self.take(")")
        if len(parts) == 2:
            return "binom", *parts
        self.position = start
        return self.application("C") or self.variable("C")

    def operator(self, name: str) -> Tree:
        """A sum, product, integral or limit over all that follows up to the next sign, with its bounds."""
        bounds: dict[str, Tree] = {"_": ("none",), "^": ("none",)}
        while self.kind in ("_", "^"):
            sign = self.take(self.kind)
            bounds[sign] = self.bound() if self.kind == "{" else self.argument()
        return "operator", name, bounds["_"], bounds["^"], self.product()

    def bound(self) -> Tree:
        self.take("{")
        sides = [self.sum()]
        while self.accept("=", "to"):
            sides.append(self.sum())
        self.take("}")
        return sides[0] if len(sides) == 1 else ("bound", tuple(sides))

    def marked(self, name: str) -> Tree:
        """Letters under an arrow or a bar are one name."""
        self.take("{")
        letters = self.take("command")[0] if self.at("imath", "jmath") else self.take("name")
        self.take("}")
        return self.variable(f"{name}.{letters}")

    def argument(self) -> Tree:
        r"""What TeX takes as an argument: a group, or one digit or sign (`\frac12` is a half)."""
        if self.kind == "{":
            return self.deeper(self.group)
        if self.kind == "number" and len(self.text) > 1:
            digit, rest = self.text[0], self.text[1:]
            self.tokens[self.position] = ("number", rest)
            return number(digit)
        return self.deeper(self.atom)

    def call(self, function: str) -> Tree:
        r"""A function of what follows: a bracket, or factors up to the next sign, bracket or function."""
        base = self.argument() if function == "log" and self.accept("_") else None
        exponent = self.exponent() if self.accept("^") else None
        part = self.factors()
        if exponent == ("-", ONE) and f"arc{function}" in FUNCTIONS:
            return "call", f"arc{function}", part
        tree: Tree = ("log", base, part) if function == "log" else ("call", function, part)
        return tree if exponent is None else ("^", tree, exponent)

    def factors(self) -> Tree:
        if self.kind == "(":
            return self.deeper(self.bracket)
        negative = self.negative()
        parts = [self.power()]
        while self.begins_factor() and self.kind != "(" and self.text not in FUNCTIONS and self.text != "log":
            parts.append(self.power())
        tree = parts[0] if len(parts) == 1 else ("*", tuple(parts))
        return ("-", tree) if negative else tree
