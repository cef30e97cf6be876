"""A loop whose steps are scripted: recipes of rounds are real, releases, trainings and evaluations are notes.

A release is a folder with its id and rows, a model one with a config and weights that are a text; accuracies
are those that the script names for each label. What each step was asked is kept in `calls`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from factory import loading, pipeline
from factory import recipe as recipes
from factory.generators import references
from factory.loop import evaluating, fine_tuning
from factory.pipeline import Outcome
from factory.recipe import Recipe
from factory.records import content_id
from factory.release import reading
from factory.training.job import Point, Result

PROBLEMS = [{"source": "story-sums", "count": 10, "seed": 1}]
PLAIN: dict[str, Any] = {
    "name": "loop",
    "version": "1.0.0",
    "problems": PROBLEMS,
    "generators": {
        "people": {"engine": "human"},
        "nano": {"engine": "transformers", "model": "base", "decoding": {"seed": 5}},
    },
    "budget": {"per_problem": {"samples": 4}},
    "train": {"base": "./first", "steps": 10},
    "evaluate": {"sets": {"validation": {"problems": PROBLEMS}, "test": {"problems": PROBLEMS}}},
    "loop": {"rounds": 2, "start": {}, "stop": {"on": "validation"}},
}


def recipe(folder: Path, **changes: Any) -> Recipe:
    """The recipe with some of its keys (dots become double underscores) set otherwise."""
    data = json.loads(json.dumps(PLAIN))
    for path, value in changes.items():
        *outer, last = path.split("__")
        at = data
        for key in outer:
            at = at[key]
        at[last] = value
    file = folder / "recipe.yaml"
    file.write_text(yaml.safe_dump(data, sort_keys=False))
    return recipes.load(file)


READ = reading.read


@dataclass
class Script:
    """What the scripted steps answer, and what they were asked.

    `accuracies` are by label, on every set; the gain's interval is `width` to both sides. `rows` are those of
    a round's release by its name, or what `pipeline.run` raises there; `fail` is called as each step begins.
    """

    accuracies: Mapping[str, float | None]
    width: float = 0.01
    rows: dict[str, dict[str, int] | Exception] = field(default_factory=dict)
    fail: Callable[[str], None] = lambda step: None
    calls: list[tuple[str, Any]] = field(default_factory=list)

    def asked(self, step: str) -> list[Any]:
        return [what for kind, what in self.calls if kind == step]

    def install(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        """Put the scripted steps in place of the real ones; `./first` becomes a model of `folder`."""
        monkeypatch.setenv("FACTORY_CACHE", str(folder / "cache"))
        monkeypatch.chdir(folder)
        model(folder / "first", "first")
        monkeypatch.setattr(pipeline, "run", self.run)
        monkeypatch.setattr(reading, "read", read)
        monkeypatch.setattr(loading, "loaded", lambda name, store: SimpleNamespace(name=name))
        monkeypatch.setattr(fine_tuning, "train", self.train)
        monkeypatch.setattr(fine_tuning, "make_base", self.make_base)
        monkeypatch.setattr(evaluating, "evaluate", self.evaluate)

    def run(self, asked: Recipe, store: Any, base: Path, progress: Any, *, command: str) -> Outcome:
        self.fail(f"release {asked.name}")
        self.calls.append(("release", asked))
        rows = self.rows.get(asked.name, {"sft": 8, "samples": 40, "problems": 10})
        if isinstance(rows, Exception):
            raise rows
        progress.start("sample", 40, "samples")
        progress.advance(40)
        progress.finish()
        made = {"release_id": content_id(asked.content()) * 2, "rows": rows}
        folder = store.releases / asked.id
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "note.json").write_text(json.dumps(made))
        drawn = {"verified": 38, "passed": 8, "errors": 2, "unverified": 0, "truncated": 0}
        known = {"value": 0.5, "low": 0.4, "high": 0.6, "n_problems": 10}
        part = {"samples": drawn, "coverage@1": known, "coverage@4": known, "diversity@4": known}
        models = [name for name, one in asked.generators.items() if one.engine == "transformers"]
        return Outcome(
            "run",
            counts={"samples": {"present": 40}, "selection": {"kept": 8, "wrong": 32}},
            metrics={"by": {"generator": dict.fromkeys(models, part)}},
            release=folder,
            release_id=made["release_id"],
        )

    def train(self, store: Any, data: Any, settings: Any, *, name: str, base: str, **more: Any) -> Any:
        self.fail(f"train {name}")
        self.calls.append(("train", SimpleNamespace(name=name, base=base, settings=settings, **more)))
        folder = model(store.root / "models" / name, name)
        result = Result(8, 10, 20.0, 100, 50, 1.0, "cpu", "float32", 9, 9, "0" * 64, [Point(10, 0.5, 0.1)])
        weights = references.folder_digest(folder)
        return fine_tuning.Trained(folder, content_id(name), weights, result, False)

    def make_base(self, store: Any, settings: Any, data: Any, *, name: str, **more: Any) -> Path:
        self.calls.append(("make_base", SimpleNamespace(name=name, data=data, settings=settings)))
        return model(store.root / "models" / name, name)

    def evaluate(
        self, asked: Recipe, base: Path, store: Any, models: Sequence[Any], progress: Any, **more: Any
    ) -> dict[str, Any]:
        self.fail(f"evaluate {asked.name}")
        told = SimpleNamespace(recipe=asked, models=list(models), **more)
        self.calls.append(("evaluate", told))
        labels = [one.label for one in models]
        one = {
            "models": {label: {"figures": {"greedy": self._accuracy(label)}} for label in labels},
            "differences": {
                label: {other: {"greedy": self._gain(label, other)} for other in (labels[0], labels[place])}
                for place, label in enumerate(labels[1:])
            },
        }
        names = more.get("only") or list(asked.evaluate.sets if asked.evaluate else ())
        return {"sets": dict.fromkeys([*names, *(["train"] if more.get("train_problems") else [])], one)}

    def _accuracy(self, label: str) -> dict[str, Any]:
        value = self.accuracies.get(label)
        ends = (None, None) if value is None else (value - 0.1, value + 0.1)
        return {"value": value, "low": ends[0], "high": ends[1], "n_problems": 10}

    def _gain(self, label: str, other: str) -> dict[str, Any]:
        now, before = self.accuracies.get(label), self.accuracies.get(other)
        if now is None or before is None:
            return {"value": None, "low": None, "high": None, "n_problems": 0}
        gain = now - before
        return {"value": gain, "low": gain - self.width, "high": gain + self.width, "n_problems": 10}


def model(folder: Path, weights: str) -> Path:
    """A folder that counts as a model: a config, and weights that are a text."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_text(weights)
    return folder


def note_files(folder: Path) -> Callable[[str], list[Any]]:
    """The files of a scripted release: of three people and five samples of its round's own model."""
    path = folder / "sft.parquet"
    own = f"nano-{folder.name.partition('@')[0].rpartition('-')[2]}"
    pq.write_table(pa.table({"generator": ["people"] * 3 + [own] * 5}), path)
    return lambda config: [SimpleNamespace(path=path.name)] if config == "sft" else []


def read(folder: Path) -> tuple[Any, list[Any]]:
    """What `Script.run` left, as `reading.read` returns a manifest."""
    if not (folder / "note.json").is_file():
        return READ(folder)
    note = json.loads((folder / "note.json").read_text())
    configs = {name: SimpleNamespace(rows=rows) for name, rows in note["rows"].items()}
    told = SimpleNamespace(release_id=note["release_id"], configs=configs, files_of=note_files(folder))
    return told, []
