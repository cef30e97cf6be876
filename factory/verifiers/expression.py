r"""Own reader of formulas, plain and TeX, into trees (`trees.py`). No text is ever evaluated.

Guarantees: what is not in the grammar is refused with a reason, never guessed: `unparsed`, `refused` (too
long, too deep, too many digits) or `unsupported:<what>`. Time is linear in the length.

Policies: `1/2x` is refused as ambiguous; `2\frac13` is a mixed number; e and i are constants; `log`
without a base has none. Left out: what stands around formulas in an answer (`statements.py`): lists,
relations, intervals, matrices; and sums, integrals, limits, which no rule here could compare.
"""

from __future__ import annotations

from factory.verifiers.lexing import FUNCTIONS, GREEK, INFINITY, NO_FACTORS, OPERATORS, TIMES, WORDS
from factory.verifiers.spelling import Unsettled
from factory.verifiers.token_reading import Tokens
from factory.verifiers.trees import DEGREE, HUNDREDTH, ONE, Tree, inverse, is_integer, number


class Reader(Tokens):
    """Reads formulas; every method reads one thing and leaves the position behind it."""

    def sum(self) -> Tree:
        parts = [self.term()]
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
        while self.kind in ("!", "^", "%", "°"):
            if self.accept("!"):
                tree = ("!", tree)
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
        tree = number(self.take("number"))
        if self.kind == "_":
            raise Unsettled("unsupported:base")
        if self.kind == "command" and self.text == "frac" and is_integer(tree):
            start = self.position
            self.position += 1
            top, low = self.argument(), self.argument()
            if is_integer(top) and is_integer(low):
                return "+", (tree, ("*", (top, inverse(low))))
            self.position = start
        return tree

    def bracket(self) -> Tree:
        opening = self.take(str(self.kind))
        parts = self.parts()
        closing = ")" if self.kind == ")" else "]"
        self.take(closing)
        if len(parts) > 1:
            return "bracket", opening, closing, parts
        if (opening, closing) != ("(", ")") and parts[0][0] != "matrix":
            raise Unsettled("unsupported:bracket")
        return parts[0]

    def braces(self, opening: str, closing: str) -> Tree:
        r"""A set between \{ and \}; between { and } one sum, or a list."""
        self.take(opening)
        if opening != "{" and self.accept(closing):
            return "set", ()
        parts = self.parts()
        if opening != "{" and len(parts) == 1 and self.accept("|", ":", "mid"):
            parts = (self.such_that(),)
            self.take(closing)
            return parts[0]
        self.take(closing)
        if opening == "{":
            return parts[0] if len(parts) == 1 else ("list", parts)
        return "set", parts

    def parts(self) -> tuple[Tree, ...]:
        """What stands in brackets, parted by commas."""
        parts = [self.sum()]
        while self.accept(",", ";"):
            parts.append(self.sum())
        return tuple(parts)

    def such_that(self) -> Tree:
        """The condition of a set."""
        raise Unsettled("unsupported:set")

    # --- names ---

    def named(self, word: str) -> Tree:
        if word in ("pi", "e", "i"):
            return "constant", word
        if word in INFINITY:
            return "constant", "infinity"
        if word == "sqrt":
            return "root", number("2"), self.deeper(self.atom)
        if word in FUNCTIONS or word == "log":
            return self.call(word)
        if word in ("gcd", "lcm", "max", "min"):
            self.take("(")
            parts = self.parts()
            self.take(")")
            return "of", word, parts
        if len(word) == 1:
            return self.variable(word)
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
            return self.variable(name)
        if name in FUNCTIONS or name in ("pi", "log", "gcd", "lcm", "max", "min") or name in INFINITY:
            return self.named(name)
        if name in ("vec", "hat", "bar", "overline", "overrightarrow") and self.kind == "{":
            if self.position + 2 < len(self.tokens) and self.tokens[self.position + 2][0] == "}":
                return self.marked(name)
            if name in ("bar", "overline"):
                return "call", "conj", self.group()
        raise Unsettled(f"unsupported:{name[:20]}")

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
        letters = self.take("name")
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
