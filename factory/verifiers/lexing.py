r"""The words of a formula: numbers, names, TeX commands and signs.

Guarantees: one pass, linear time; a character outside the list is refused as `unparsed`. A comma parts
thousands only outside brackets: (1,234) is a pair, 1,234 a number.
"""

from __future__ import annotations

import re
from typing import Final

from factory.verifiers.spelling import Unsettled

Token = tuple[str, str]
"""(kind, text): kind is "number", "name", "command" (text without the backslash) or the sign itself."""

TRIGONOMETRIC: Final = ("sin", "cos", "tan", "cot", "sec", "csc")
FUNCTIONS: Final = frozenset(
    (*TRIGONOMETRIC, *(f"arc{name}" for name in TRIGONOMETRIC[:3]), "sinh", "cosh", "tanh", "exp", "ln")
)
GREEK: Final = frozenset(
    re.findall(
        r"\w+",
        "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi rho"
        " sigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Sigma Phi Psi Omega ell",
    )
)
INFINITY: Final = ("infty", "inf", "infinity")
RELATIONS: Final = frozenset(
    (
        "<",
        ">",
        "<=",
        ">=",
        "!=",
        ":",
        "le",
        "leq",
        "ge",
        "geq",
        "lt",
        "gt",
        "ne",
        "neq",
        "leqslant",
        "geqslant",
    )
)
TIMES: Final = ("times", "cdot", "ast")
OPERATORS: Final = ("sum", "prod", "int", "lim")
JOINING: Final = ("cup", "cap", "setminus", "backslash", "in", "approx", "mid", "pm", "mp", "equiv")
NO_FACTORS: Final = (
    RELATIONS
    | {*TIMES, *JOINING, "div", "end", "rfloor", "rceil", "rvert", "rangle"}
    | {
        "bmod",
        "pmod",
        "mod",
        "to",
        "sim",
        "quad",
        "land",
        "wedge",
        "lor",
        "vee",
    }
)
"""Commands that end a product."""
WORDS: Final = frozenset(  # of two or three letters, so that they are not read as products
    re.findall(
        r"\w+",
        "no so or is if in of at to do we he it be by an as up us my me go am on ok hi yes the not and for"
        " but nor one two six ten all any new day man men boy cat dog she her his him who how why was has had"
        " are can may did got put let sum mod gcd lcm max min lim det none nan cm mm km kg lb ft oz hr sec",
    )
)

_TOKEN: Final = re.compile(
    r"(?P<word>\\text ?\{ ?(?P<inner>[A-Za-z]+) ?\})|(?P<command>\\[A-Za-z]+)|(?P<name>[A-Za-z]+)"
    r"|(?P<thousands>[1-9][0-9]{0,2}(?:,[0-9]{3})+(?![0-9,])(?:\.[0-9]+)?)|(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,4}(?![0-9A-Za-z]))?)"
    r"|(?P<sign>\\[{}|]|\*\*|<=|>=|!=|==|[-+*/^_=<>()\[\]{}|!,;:°%&\x02'])|(?P<blank> +)"
)
_PLAIN: Final = re.compile(r"[0-9]+")
_SAME: Final = {"**": "^", r"\|": "|", "==": "="}


def tokens(text: str) -> list[Token]:
    """All tokens of a cleaned text, blanks left out. Raises Unsettled."""
    found: list[Token] = []
    position = depth = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise Unsettled("unparsed")
        kind, token = str(match.lastgroup), match[0]
        if kind == "thousands" and depth != 0:  # below it in `]1,500[`
            match = _PLAIN.match(text, position)
            assert match is not None
            kind, token = "number", match[0]
        position = match.end()
        if kind in ("number", "thousands"):
            found.append(("number", token.replace(",", "")))
        elif kind in ("word", "inner"):
            found.append(("name", match["inner"]))
        elif kind == "command":
            found.append(("command", token[1:]))
        elif kind == "name":
            found.append(("name", token))
        elif kind == "sign":
            depth += (token in ("(", "[", r"\{")) - (token in (")", "]", r"\}"))
            sign = _SAME.get(token, token)
            found.append((sign, sign))
    return found
