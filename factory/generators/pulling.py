"""How engines take requests from whoever decides what is drawn next.

Guarantees: what is ready is taken at once and nothing is waited for, so an engine that has work goes on with
it. Left out: deciding.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from factory.generators.base import Request

IDLE_SECONDS: Final = 0.01
"""After so long an engine asks again for what was not ready."""


def pull(source: Iterator[Request | None], room: int) -> tuple[list[Request], bool]:
    """The requests that are ready, `room` of them at most, and whether more may come later."""
    ready: list[Request] = []
    while len(ready) < room:
        try:
            request = next(source)
        except StopIteration:
            return ready, False
        if request is None:
            break
        ready.append(request)
    return ready, True
