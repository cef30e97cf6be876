r"""Reads whole answers: formulas, and what stands around them.

Guarantees: as `expression.py`, which reads what is between. Beyond its trees an answer may be
("list", parts) · ("=", sides) · ("relation", sides, signs) with signs of <, <=, >, >=, !=, in, ~ ·
("union", parts) · ("meet", parts) · ("less", whole, part) · ("reals",) · ("ratio", parts) ·
("matrix", rows) · ("mod", part, modulus, what is congruent to it) · ("integers",) ·
("in", what is an integer).

Policies: statements joined by `or` are a union, those joined by `and` hold together; a semicolon parts
what commas part again; of a formula that `\land` or `\lor` joins nothing is said.
Left out: which of these are the same answer (`algebra.py`, `regions.py`).
"""

from __future__ import annotations

from typing import Final

from factory.verifiers.function_reading import FormulaReader
from factory.verifiers.lexing import tokens
from factory.verifiers.matrices import determinant
from factory.verifiers.spelling import Unsettled
from factory.verifiers.token_reading import LONGEST
from factory.verifiers.trees import Tree, variables

SIGNS: Final = {
    "<": "<", "lt": "<", ">": ">", "gt": ">", "<=": "<=", "le": "<=", "leq": "<=", "leqslant": "<=",
    ">=": ">=", "ge": ">=", "geq": ">=", "geqslant": ">=", "!=": "!=", "ne": "!=", "neq": "!=", "in": "in",
    "approx": "~", "sim": "~", "simeq": "~", "equiv": "=", "=": "=", "doteq": "~", "cong": "~",
}  # fmt: skip
_SETS: Final = ("relation", "union", "meet", "less", "reals")
_STATED: Final = (*_SETS, "=", "in", "mod")
MATRICES: Final = ("pmatrix", "bmatrix", "Bmatrix", "matrix", "smallmatrix", "array")
_NUMBER_SETS: Final[dict[str, Tree]] = {"R": ("reals",), "Z": ("integers",)}


def parse(cleaned: str) -> Tree:
    """The tree of a cleaned answer. Raises Unsettled."""
    if len(cleaned) > LONGEST:
        raise Unsettled("refused")
    reader = _Answers(tokens(cleaned))
    tree = reader.answer()
    if reader.kind is not None:
        raise Unsettled("unparsed")
    return tree


class _Answers(FormulaReader):
    """Lists of statements, of sides, of formulas."""

    def answer(self) -> Tree:
        """Groups parted by semicolons; of more than one, each that is a list is one part."""
        groups = [self.group_of_statements()]
        while self.accept(";"):
            if self.kind is None:
                break
            self.accept("and", "or")
            groups.append(self.group_of_statements())
        if len(groups) == 1:
            return groups[0]
        if any(group[0] == "list" for group in groups):
            return "list", tuple(_tupled(group) for group in groups)
        return "list", tuple(groups)

    def group_of_statements(self) -> Tree:
        """One statement, or several parted by commas, `and`, `or`."""
        parts, joints, connected = [self.statement()], set(), False
        while self.at(",", "and", "or", "land", "wedge", "lor", "vee"):
            joint = ""
            while self.at(",", "and", "or", "land", "wedge", "lor", "vee"):  # `1, 2, and 3`
                connected |= self.kind == "command"
                joint = {"land": "and", "wedge": "and", "lor": "or", "vee": "or"}.get(self.text, self.text)
                self.position += 1
            joints.add(joint)
            parts.append(self.statement())
        if "or" not in joints and any(part[0] == "relation" for part in parts):
            parts = [part for part in parts if part != ("reals",)]  # `x in R, x > 2`
        if len(parts) == 1:
            return parts[0]
        if connected and any(variables(part) for part in parts if part[0] not in _STATED):
            raise Unsettled("unsupported:logic")  # p and q, true or false
        if all(part[0] in _SETS for part in parts):
            if joints <= {",", "or"} and "or" in joints:
                return "union", tuple(parts)
            if joints <= {",", "and"} and "and" in joints:
                return "meet", tuple(parts)
        return "list", _congruences(parts)

    def statement(self) -> Tree:
        sides, signs = [self.side()], []
        while self.kind is not None and self.text in SIGNS:
            signs.append(SIGNS[self.text])
            self.position += 1
            sides.append(self.side())
        if not signs:
            return self.modulo(sides[0])
        if set(signs) == {"="}:
            return self.modulo(("=", tuple(sides)))
        if set(signs) <= {"=", "~"}:
            return _exact_part(sides, signs)
        if set(signs) == {"in"} and len(sides) == 2:
            return (
                ("in", sides[0]) if sides[1] == ("integers",) else sides[1]
            )  # what is in the reals is a name
        return "relation", tuple(sides), tuple(signs)

    def modulo(self, tree: Tree) -> Tree:
        r"""`\pmod{7}` or `(mod 7)` behind a statement."""
        start = self.position
        bracket = self.accept("(")
        if self.accept("pmod", "mod", "bmod"):
            modulus = self.argument() if not bracket else self.sum()
            if not bracket or self.accept(")"):
                if tree[0] == "=":
                    return "mod", tree[1][-1], modulus, tree[1][0]
                return "mod", tree, modulus, ("none",)
        self.position = start
        return tree

    # --- sets and ratios ---

    def side(self) -> Tree:
        tree = self.ratio()
        while True:
            if self.accept("cup") or (self.joins_sets() and self.accept("U")):
                tree = _joined("union", tree, self.ratio())
            elif self.accept("cap"):
                tree = _joined("meet", tree, self.ratio())
            elif self.accept("setminus", "backslash") or (tree == ("reals",) and self.accept("-")):
                tree = "less", tree, self.ratio()
            else:
                return tree

    def joins_sets(self) -> bool:
        before = self.tokens[self.position - 1][0] if self.position else None
        after = self.tokens[self.position + 1][0] if self.position + 1 < len(self.tokens) else None
        return self.text == "U" and before in (")", "]", "\\}") and after in ("(", "[", "\\{")

    def ratio(self) -> Tree:
        parts = [self.sum()]
        while parts[0] != ("reals",) and self.accept(":", "to"):  # `2 to 3` too
            parts.append(self.sum())
        return parts[0] if len(parts) == 1 else ("ratio", tuple(parts))

    def parts(self) -> tuple[Tree, ...]:
        """In brackets statements may stand too."""
        tree = self.statement()
        parts = [tree]
        while self.accept(",", ";", "and"):
            parts.append(self.statement())
        return tuple(parts)

    def such_that(self) -> Tree:
        return self.group_of_statements()

    # --- matrices ---

    def command(self, name: str) -> Tree:
        if name == "begin":
            return self.matrix()
        if name == "mathbb":
            grouped = self.accept("{")
            letter = self.take("name")
            if grouped:
                self.take("}")
            if letter not in _NUMBER_SETS or (letter == "Z" and self.kind in ("^", "_")):
                raise Unsettled("unsupported:set")
            return _NUMBER_SETS[letter]
        if name in ("emptyset", "varnothing"):
            return "set", ()
        if name == "langle":
            parts = self.parts()
            if not self.accept("rangle"):
                raise Unsettled("unparsed")
            return "bracket", "(", ")", parts
        return super().command(name)

    def matrix(self) -> Tree:
        environment = self.environment()
        if environment not in (*MATRICES, "vmatrix"):
            raise Unsettled(f"unsupported:{environment[:20]}")
        if environment == "array" and self.accept("{"):
            while not self.accept("}"):
                if self.kind not in ("name", "|"):
                    raise Unsettled("unparsed")
                self.position += 1
        rows, row = [], []
        while not self.accept("end"):
            row.append(self.sum())
            if self.accept("&"):
                continue
            rows.append(tuple(row))
            row = []
            if not self.accept("\x02") and not self.at("end"):
                raise Unsettled("unparsed")
            while self.accept("\x02", "hline"):
                pass
        if self.environment() != environment or not rows or row:
            raise Unsettled("unparsed")
        if len({len(one) for one in rows}) > 1:
            raise Unsettled("unparsed")
        return determinant(tuple(rows)) if environment == "vmatrix" else ("matrix", tuple(rows))

    def environment(self) -> str:
        self.take("{")
        name = self.take("name")
        self.take("}")
        return name


def _exact_part(sides: list[Tree], signs: list[str]) -> Tree:
    """`x = 1/3 ~ 0.33` is x = 1/3; `x ~ 0.33` is x = 0.33."""
    first = signs.index("~")
    kept = sides[: first + 1]
    named = kept[0][0] in ("variable", "call") or (kept[0][0] == "*" and len(kept) == 1)
    if len(kept) == 1 and named:
        return "=", (kept[0], sides[first + 1])
    return kept[0] if len(kept) == 1 else ("=", tuple(kept))


def _congruences(parts: list[Tree]) -> tuple[Tree, ...]:
    """`x = 1, 4 (mod 5)`: the modulus behind the last part is that of all."""
    last, first = parts[-1], parts[0]
    subject = first[1][0] if first[0] == "=" else ("none",)
    if last[0] != "mod" or last[3] != ("none",) or any(part[0] in (*_SETS, "mod") for part in parts[:-1]):
        return tuple(parts)
    values = [part[1][-1] if part[0] == "=" else part for part in parts[:-1]]
    return tuple(("mod", value, last[2], subject) for value in (*values, last[1]))


def _joined(kind: str, one: Tree, other: Tree) -> Tree:
    return kind, (*one[1], other) if one[0] == kind else (one, other)


def _tupled(group: Tree) -> Tree:
    """`p = 5, q = 2` between semicolons is one thing, like a tuple."""
    return ("bracket", "(", ")", group[1]) if group[0] == "list" else group
