"""The contracts of recipes, import maps and tables as JSON files, for editors and for other programs.

Guarantees: what is exported comes from the types and Arrow schemas alone, so equal code gives equal bytes.
Left out: the columns of release configs, which every release states in its manifest.
"""

from __future__ import annotations

import json
import operator
from pathlib import Path
from typing import Any

from factory import importing, recipe
from factory.atomic import write_atomically
from factory.records import KEYS, SCHEMA_VERSION, TABLES, describe


def export() -> dict[str, str]:
    """The text of each file by its name: two JSON Schemas (2020-12), and one description per table.

    A table's file is {"table", "schema_version", "key", "columns": [{name, type, nullable, description}]}.
    """
    tables = {
        f"{name}.json": {
            "table": name,
            "schema_version": SCHEMA_VERSION,
            "key": KEYS[name],
            "columns": describe(schema),
        }
        for name, schema in TABLES.items()
    }
    grammars = {
        "recipe.schema.json": recipe.json_schema(),
        "import-map.schema.json": importing.json_schema(),
    }
    return {name: _text(value) for name, value in sorted({**grammars, **tables}.items())}


def write(folder: Path) -> list[str]:
    """Write every file of `export` into `folder`, which is made; returns the names written."""
    files = export()
    for name, text in files.items():
        write_atomically(folder / name, operator.methodcaller("write", text.encode()))
    return list(files)


def _text(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
