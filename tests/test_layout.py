"""How modules stand to each other: families apart, every module introduced, small, and light to import."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "factory"
MODULES = sorted(PACKAGE.rglob("*.py"))
JOINS = {"auditing", "commands", "comparing", "lineage", "loop", "query", "sampling"}
"""Packages that join families, as the modules at the top do."""

FAMILIES = sorted({path.parent.name for path in PACKAGE.glob("*/__init__.py")} - JOINS)
GROUND_FLOOR = {"amounts", "atomic", "config", "configs", "errors", "recipe", "records", "store"}
"""What a family may import besides itself."""

HEAVY = {"accelerate", "datasets", "reasoning_gym", "sympy", "torch", "transformers", "vllm"}
"""Packages that take seconds to import, or are extras: imported in the function that needs them."""

MAX_LINES = 320


def imported(node: ast.AST, path: Path) -> Iterator[tuple[str, str]]:
    """(place, dotted name) of what a statement imports; a name taken from a package counts as its module."""
    place = f"{path.relative_to(PACKAGE.parent)}:{getattr(node, 'lineno', 0)}"
    if isinstance(node, ast.Import):
        yield from ((place, alias.name) for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"{place} imports by a relative name; write factory.x"
        for alias in node.names:
            yield place, f"{node.module}.{alias.name}"


def strangers(path: Path, text: str) -> list[str]:
    """The imports of a family's module that are neither of its family nor of the ground floor."""
    family = path.relative_to(PACKAGE).parts[0]
    return [
        f"{place} imports {name}"
        for node in ast.walk(ast.parse(text))
        for place, name in imported(node, path)
        if name.split(".")[0] == "factory" and name.split(".")[1] not in {family, *GROUND_FLOOR}
    ]


def heavy(path: Path, text: str) -> list[str]:
    """The imports of heavy packages that run when the module is imported."""
    tree = ast.parse(text)
    inner = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
    } | {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    return [
        f"{place} imports {name}"
        for node in ast.walk(tree)
        if id(node) not in inner
        for place, name in imported(node, path)
        if name.split(".")[0] in HEAVY
    ]


def test_families_import_the_ground_floor_and_never_each_other() -> None:
    found = [
        line
        for path in MODULES
        if path.relative_to(PACKAGE).parts[0] in FAMILIES
        for line in strangers(path, path.read_text())
    ]
    assert not found, "\n".join(found)


def test_the_ground_floor_imports_no_family() -> None:
    found = [
        f"{place} imports {name}"
        for floor in sorted(GROUND_FLOOR)
        for node in ast.walk(ast.parse((PACKAGE / f"{floor}.py").read_text()))
        for place, name in imported(node, PACKAGE / f"{floor}.py")
        if name.split(".")[0] == "factory" and name.split(".")[1] in {*FAMILIES, *JOINS}
    ]
    assert not found, "\n".join(found)


def test_only_the_command_line_knows_how_things_are_shown() -> None:
    found = [
        f"{place} imports {name}"
        for path in MODULES
        if path.name != "cli.py" and path.parent.name != "commands"
        for node in ast.walk(ast.parse(path.read_text()))
        for place, name in imported(node, path)
        if name.startswith("factory.commands")
    ]
    assert not found, "\n".join(found)


def test_heavy_packages_are_imported_where_they_are_needed() -> None:
    found = [line for path in MODULES for line in heavy(path, path.read_text())]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_is_introduced_and_small(path: Path) -> None:
    text = path.read_text()
    assert ast.get_docstring(ast.parse(text)), (
        f"{path.name} begins without a docstring; say what it guarantees"
    )
    lines = text.count("\n")
    assert lines <= MAX_LINES, (
        f"{path.name} has {lines} lines, more than {MAX_LINES}; part it by what it does"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import factory.verifiers.base", ["factory/metrics/x.py:1 imports factory.verifiers.base"]),
        ("\nfrom factory.verifiers import math", ["factory/metrics/x.py:2 imports factory.verifiers.math"]),
        ("from factory import errors, pipeline", ["factory/metrics/x.py:1 imports factory.pipeline"]),
        (
            "def f():\n    from factory.query.sql import x",
            ["factory/metrics/x.py:2 imports factory.query.sql.x"],
        ),
        ("from factory.metrics.measure import x\nfrom factory.records import y\nimport json", []),
        ("from factory import metrics, config", []),
    ],
)
def test_a_family_that_imports_another_is_found(text: str, expected: list[str]) -> None:
    assert strangers(PACKAGE / "metrics" / "x.py", text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import torch.nn", ["factory/x.py:1 imports torch.nn"]),
        ("if True:\n    from vllm import LLM", ["factory/x.py:2 imports vllm.LLM"]),
        ("class A:\n    import sympy", ["factory/x.py:2 imports sympy"]),
        ("def f():\n    import torch", []),
        ("if TYPE_CHECKING:\n    import torch", []),
        ("import torchlight", []),
    ],
)
def test_a_heavy_import_is_found(text: str, expected: list[str]) -> None:
    assert heavy(PACKAGE / "x.py", text) == expected
