"""What readers by recursive descent stand on: tokens, a position, and bounds.

Guarantees: a text longer than LONGEST or nested deeper than DEEPEST is refused before it costs anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from factory.verifiers.lexing import Token
from factory.verifiers.spelling import Unsettled
from factory.verifiers.trees import Tree

LONGEST: Final = 2000
DEEPEST: Final = 50


class Tokens:
    """The tokens of a text, a position among them, and how deep the reading is."""

    def __init__(self, found: list[Token]) -> None:
        self.tokens, self.position, self.depth = found, 0, 0

    @property
    def kind(self) -> str | None:
        """Kind of the next token, None at the end."""
        return self.tokens[self.position][0] if self.position < len(self.tokens) else None

    @property
    def text(self) -> str:
        return self.tokens[self.position][1] if self.position < len(self.tokens) else ""

    def take(self, kind: str) -> str:
        if self.kind != kind:
            raise Unsettled("unparsed")
        self.position += 1
        return self.tokens[self.position - 1][1]

    def at(self, *signs: str) -> bool:
        """Whether the next token is one of these signs or words."""
        return self.kind is not None and self.kind != "number" and self.text in signs

    def accept(self, *signs: str) -> bool:
        """The same; if so it is read."""
        found = self.at(*signs)
        self.position += found
        return found

    def deeper(self, read: Callable[[], Tree]) -> Tree:
        self.depth += 1
        if self.depth > DEEPEST:
            raise Unsettled("refused")
        tree = read()
        self.depth -= 1
        return tree
