"""A dataset factory: a recipe of problems, generators and verifiers becomes a versioned release.

`load` and `loaded` read a release and make sure that it is the one asked for; `connect` gives DuckDB on a
store to trusted code. Importing this package loads nothing else: each name is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from factory.loading import Loaded as Loaded
    from factory.loading import load as load
    from factory.loading import loaded as loaded
    from factory.query.sql import connect as connect

__version__ = "0.5.0"

_WHERE: Final = {
    "Loaded": "factory.loading",
    "connect": "factory.query.sql",
    "load": "factory.loading",
    "loaded": "factory.loading",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'factory' has no attribute {name!r}")
    return getattr(importlib.import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE})
