"""Wrong programs made from right ones, as a model that errs a little would write them.

Guarantees: the mutants of a program differ from it and from each other in their syntax tree, are valid
Python, and are the same every time; each has the name of its mutation. Some do what the program did all the
same (a constant that does not matter, a statement without effect): whoever counts on wrongness counts these.
"""

from __future__ import annotations

import ast
import copy
import itertools
import random
import warnings
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

FLIPPED: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
SWAPPED: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
}  # fmt: skip


class Mutant(NamedTuple):
    """A program, the name of the mutation that made it, and the line of the right program it changed."""

    program: str
    mutation: str
    line: int


def mutants(program: str, seed: int = 0) -> Iterator[Mutant]:
    """The mutants of a program as they are made, in an order drawn by the seed. Raises SyntaxError."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # people write "\w" and do not mind
        tree = ast.parse(program)
    places = [
        (at, name, choice)
        for at, node in enumerate(ast.walk(tree))
        for name, mutate in MUTATIONS.items()
        for choice in range(mutate(node, None))
    ]
    random.Random(seed).shuffle(places)
    seen = {ast.unparse(tree)}
    for at, name, choice in places:
        changed = copy.deepcopy(tree)
        node = next(itertools.islice(ast.walk(changed), at, None))
        MUTATIONS[name](node, choice)
        text = ast.unparse(ast.fix_missing_locations(changed))
        if text not in seen and _compiles(text):
            seen.add(text)
            yield Mutant(text + "\n", name, getattr(node, "lineno", 0))


def _compiles(text: str) -> bool:
    try:
        compile(text, "mutant", "exec")
    except SyntaxError:
        return False
    return True


# A mutation says in how many ways it can change a node, or changes it in the way asked for.
Mutation = Callable[[ast.AST, int | None], int]


def off_by_one(node: ast.AST, choice: int | None) -> int:
    """A whole number one higher, or one lower."""
    if not isinstance(node, ast.Constant) or type(node.value) is not int:
        return 0
    if choice is not None:
        node.value += (1, -1)[choice]
    return 2


def flipped_comparison(node: ast.AST, choice: int | None) -> int:
    if not isinstance(node, ast.Compare):
        return 0
    if choice is not None:
        node.ops[choice] = FLIPPED[type(node.ops[choice])]()
    return len(node.ops)


def swapped_operator(node: ast.AST, choice: int | None) -> int:
    if not isinstance(node, ast.BinOp | ast.AugAssign) or type(node.op) not in SWAPPED:
        return 0
    if choice is not None:
        node.op = SWAPPED[type(node.op)]()
    return 1


def negated_condition(node: ast.AST, choice: int | None) -> int:
    if not isinstance(node, ast.If | ast.While | ast.IfExp):
        return 0
    if choice is not None:
        node.test = ast.UnaryOp(ast.Not(), node.test)
    return 1


def wrong_return(node: ast.AST, choice: int | None) -> int:
    """None in place of the value, or the value in a list."""
    if not isinstance(node, ast.Return) or node.value is None:
        return 0
    if choice is not None:
        node.value = (ast.Constant(None), ast.List([node.value], ast.Load()))[choice]
    return 2


def early_return(node: ast.AST, choice: int | None) -> int:
    """A loop left after its first round."""
    if not isinstance(node, ast.For | ast.While):
        return 0
    if choice is not None:
        node.body.append(ast.Break())
    return 1


def dropped_statement(node: ast.AST, choice: int | None) -> int:
    """A statement that computes something is gone; `pass` holds its place."""
    body: list[ast.stmt] = getattr(node, "body", []) if not isinstance(node, ast.Lambda | ast.IfExp) else []
    places = [at for at, one in enumerate(body) if _computes(one)]
    if choice is not None:
        body[places[choice]] = ast.Pass()
    return len(places)


def _computes(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Expr):
        return not isinstance(statement.value, ast.Constant)  # a docstring
    return isinstance(statement, ast.Assign | ast.AugAssign | ast.Return | ast.If | ast.For | ast.While)


MUTATIONS: Final[dict[str, Mutation]] = {
    "off_by_one": off_by_one,
    "flipped_comparison": flipped_comparison,
    "swapped_operator": swapped_operator,
    "negated_condition": negated_condition,
    "wrong_return": wrong_return,
    "early_return": early_return,
    "dropped_statement": dropped_statement,
}
