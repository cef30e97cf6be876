"""What the README says is there: the tree, the commands, the recipe it shows, and nothing untrue."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from factory import recipe, yaml_text
from factory.cli import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_tree_is_the_tree() -> None:
    (tree,) = [block for block in blocks("text") if "pipeline.py" in block]
    listed, folder = set(), ""
    for line in tree.splitlines():
        name = line.split()[0] if line.strip() else ""
        depth = (len(line) - len(line.lstrip())) // 2
        if name.endswith("/") and depth == 0:
            folder = name
        listed.add(name if depth == 0 else folder + name)
    for path in sorted(listed - {""}):
        assert (ROOT / path).exists(), f"{path} is in the README's tree and not there"
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "factory").glob("*.py")}
    folders = {
        f"factory/{path.name}/" for path in (ROOT / "factory").iterdir() if (path / "__init__.py").exists()
    }
    top = {
        f"{path.name}/"
        for path in ROOT.iterdir()
        if path.is_dir() and not path.name.startswith((".", "store", "_"))
    }
    recipes = {f"recipes/{path.name}" for path in (ROOT / "recipes").iterdir()}
    missing = (modules | folders | recipes | top) - listed
    assert not {name for name in missing if not name.endswith(("__init__.py", ".egg-info/", "build/"))}


def test_every_command_stands_in_the_readme_and_has_an_example() -> None:
    for command in app.registered_commands:
        assert f"`factory {command.name}" in README
        assert command.callback
        assert "Example: factory" in (command.callback.__doc__ or "")


def read(text: str) -> dict[str, Any]:
    data: dict[str, Any] = yaml_text.read(text, str).data
    return data


def test_the_recipe_shown_is_a_recipe(tmp_path: Path) -> None:
    shown, *others = blocks("yaml")
    (tmp_path / "shown.yaml").write_text(shown)
    assert recipe.load(tmp_path / "shown.yaml").id == "gsm8k-small@1.0.0"
    for number, other in enumerate(others):  # sections of it that say something else
        changed = read(shown) | read(other)
        if "loop" in changed:  # one generator learns
            del changed["generators"]["large"]
        (tmp_path / f"{number}.yaml").write_text(json.dumps(changed))
        assert recipe.load(tmp_path / f"{number}.yaml").id == "gsm8k-small@1.0.0"


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("[!.]*.yaml")), ids=lambda path: path.name)
def test_every_recipe_loads(path: Path) -> None:
    if not path.name.endswith(".map.yaml"):
        assert recipe.load(path).version == "1.0.0"


def test_every_extra_is_described() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for extra in project["optional-dependencies"]:
        assert f"| `{extra}` |" in README


def test_the_version_is_one() -> None:
    import factory

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == factory.__version__
    assert f"## [{factory.__version__}]" in (ROOT / "CHANGELOG.md").read_text()
