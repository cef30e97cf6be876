"""What a long stage tells its watcher. How it is shown is the command line's affair."""

from __future__ import annotations

from typing import Protocol

from factory.budget_sections import Currency


class Progress(Protocol):
    """Told of each stage in turn: `start`, any number of `advance`, `finish`."""

    def start(self, stage: str, total: int, unit: str) -> None:
        """A stage begins; `total` is what is left to do in it, 0 when nothing is."""
        ...

    def advance(self, count: int = 1, tokens: int = 0) -> None:
        """`count` more are done; `tokens` were written for them."""
        ...

    def spend(self, currency: Currency, spent: float, most: float | None) -> None:
        """So much is spent by now, of at most `most` where there is a limit."""
        ...

    def finish(self) -> None:
        """The stage is over."""
        ...

    def say(self, text: str) -> None:
        """One line that a person should see."""
        ...


class Silent:
    """Tells nobody; for tests and for library use."""

    def start(self, stage: str, total: int, unit: str) -> None: ...

    def advance(self, count: int = 1, tokens: int = 0) -> None: ...

    def spend(self, currency: Currency, spent: float, most: float | None) -> None: ...

    def finish(self) -> None: ...

    def say(self, text: str) -> None: ...
