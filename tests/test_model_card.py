"""The card of a model: what it says, whose words it never obeys, and what the Hub reads of it."""

from __future__ import annotations

from typing import Any

import pytest
from huggingface_hub import ModelCard
from markdown_it import MarkdownIt

from factory.loop import model_card
from factory.recipe import Lora, Train, Weights
from factory.release import licences
from factory.release.licences import Input

HOSTILE = "](http://x) <script>alert(1)</script> | `` ` `` \n# no\n---\n**b**"


def recorded(*inputs: Input) -> dict[str, Any]:
    return licences.record(inputs, None, licences.combine(inputs, None))


def content(settings: Train | None = None, **changed: Any) -> dict[str, Any]:
    plain = (settings or Train(batch=8)).model_dump(mode="json", exclude={"base", "prompt"})
    return {
        "kind": "trained",
        "name": "sums-r1@1.0.0",
        "training_id": "a" * 32,
        "weights": "b" * 64,
        "identity": {"prompt": {"mode": "chat", "template": "{{ prompt }}", "system": None, "examples": []}},
        "settings": plain,
        "release": {
            "reference": "acme/sums@v1.0.0",
            "release_id": "c" * 64,
            "commit": "d" * 40,
            "repo": "acme/sums",
        },
        "base": {"reference": "acme/tiny@main", "weights": "e" * 64, "hub": "acme/tiny"},
        "rows": {"used": 1200, "left_out": {"too_long": 34, "no_answer": 1}},
        "steps": 300,
        "judged": None,
        "chart": True,
        "lineage": [],
        "licences": recorded(
            Input("base", "acme/tiny", "apache-2.0", "model card"),
            Input("release", "acme/sums@v1.0.0", "cc-by-4.0", "its manifest"),
        ),
        "result": {
            "rows": 1200,
            "steps": 300,
            "epochs": 2.0,
            "tokens": 123456,
            "loss_tokens": 65432,
            "seconds": 12.34,
            "device": "cpu",
            "precision": "float32",
            "parameters": 1000,
            "trained_parameters": 10,
            "curve": [{"step": 1, "loss": 2.5}, {"step": 300, "loss": 0.125}],
            "resumed_at": [],
        },
    } | changed


def front(card: str) -> dict[str, Any]:
    data: dict[str, Any] = ModelCard(card).data.to_dict()
    return data


def test_the_hub_reads_what_it_knows() -> None:
    assert front(model_card.make(content())) == {
        "license": "cc-by-4.0",
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "base_model": "acme/tiny",
        "base_model_relation": "finetune",
        "datasets": ["acme/sums"],
        "tags": ["sft", "synthetic", "reasoning"],
    }


def test_what_nobody_stated_is_left_out() -> None:
    unknown = recorded(Input("base", "m", None), Input("release", "sums@1.0.0", "mit", "its manifest"))
    release = {"reference": "sums@1.0.0", "release_id": "c" * 64, "commit": None, "repo": None}
    base = {"reference": "m", "weights": "e" * 64, "hub": None}
    card = model_card.make(content(licences=unknown, release=release, base=base))
    assert set(front(card)) == {"library_name", "pipeline_tag", "tags"}
    assert "**Unknown.** Why:\n\n- weights of m: no licence is stated" in card
    assert "commit" not in card


def test_licences_that_clash_are_said_to() -> None:
    clash = recorded(Input("base", "m", "gpl-3.0"), Input("release", "s", "cc-by-nc-4.0"))
    card = model_card.make(content(licences=clash))
    assert "license" not in front(card)
    assert "**None.** Why:" in card
    assert "cannot stand" in card


def test_whose_rows_it_learned_from_is_told_where_that_are_not_all() -> None:
    assert "rows of the generators" not in model_card.make(content())
    card = model_card.make(content(Train(batch=8, generators=("weak", "strong"))))
    assert "| rows of the generators | `weak`, `strong` |" in card


@pytest.mark.parametrize(
    "told",
    [
        "| steps | 300 |",
        "| epochs | 2 |",
        "| rows | 1,200 of the split `train` |",
        "| rows left out | 34 `too_long`, 1 `no_answer` |",
        "| tokens | 123,456, the loss taken of 65,432 |",
        "| loss, first and last | 2.5000, 0.1250 |",
        "| seconds | 12.3 on cpu, float32 |",
        f"| release id | `{'c' * 64}` |",
        f"| commit | `{'d' * 40}` |",
        "![Loss over the steps of training](loss.png)",
        "model: store/models/sums-r1@1.0.0",
    ],
)
def test_a_card_tells_all_of_a_training(told: str) -> None:
    assert told in model_card.make(content())


def test_a_chart_that_could_not_be_drawn_is_not_shown() -> None:
    assert "loss.png" not in model_card.make(content(chart=False))


def test_a_training_that_ended_early_says_so() -> None:
    judged = [{"step": 200, "score": 0.5}, {"step": 300, "score": 0.25}]
    result = content()["result"] | {"steps": 200}
    card = model_card.make(content(judged=judged, result=result))
    assert "| steps | 200 of 300 |" in card
    assert "step 200: 0.5000; step 300: 0.2500" in card


@pytest.mark.parametrize(
    ("settings", "told", "tag"),
    [
        (Train(method="dpo", beta=0.25), "| beta | 0.25 |", "dpo"),
        (Train(method="weighted", weights=Weights(by="reward")), '"by": "reward"', "weighted-sft"),
        (Train(adapter=Lora(rank=4)), '"rank": 4', "sft"),
    ],
)
def test_what_matters_of_a_method_is_told(settings: Train, told: str, tag: str) -> None:
    card = model_card.make(content(settings))
    assert told in card
    assert front(card)["tags"][0] == tag
    others = {"| beta |", '"by": "reward"', '"rank": 4'} - {told[:8] if told.startswith("| beta") else told}
    assert not any(one in card for one in others)


def test_a_lineage_is_told() -> None:
    lineage = [
        {"kind": "trained", "name": "sums-r0@1.0.0", "release": {"reference": "sums-r0@1.0.0"}},
        {"kind": "new", "name": "sums-base@1.0.0", "release": {"reference": "sums-r0@1.0.0"}},
    ]
    card = model_card.make(content(lineage=lineage))
    assert "- `sums-r0@1.0.0`, trained on `sums-r0@1.0.0`\n- `sums-base@1.0.0`, made new" in card


def test_a_new_model_says_that_it_has_learned_nothing() -> None:
    new = content(kind="new", base=None) | {"settings": {"hidden": 8, "architecture": "llama"}}
    card = model_card.make(new)
    assert "It has learned nothing yet." in card
    assert front(card)["tags"] == ["synthetic", "reasoning"]


def test_texts_of_others_open_nothing() -> None:
    told = content()
    told["release"] = told["release"] | {"reference": HOSTILE, "repo": None}
    told["base"] = told["base"] | {"reference": HOSTILE, "hub": None}
    told["rows"] = {"used": 1, "left_out": {HOSTILE: 3}}
    told["result"] = told["result"] | {"device": HOSTILE}
    told["licences"] = recorded(Input("base", HOSTILE, HOSTILE, HOSTILE))
    told["identity"] = {"prompt": {"mode": "chat", "template": HOSTILE + "\n```\n# out"}}
    told["lineage"] = [{"kind": "trained", "name": HOSTILE, "release": {"reference": HOSTILE}}]
    card = model_card.make(told)
    assert ModelCard(card).data.library_name == "transformers"
    tokens = MarkdownIt().enable("table").parse(ModelCard(card).text)
    headings = [tokens[at + 1].content for at, one in enumerate(tokens) if one.type == "heading_open"]
    assert headings == ["sums-r1&#64;1.0.0", "Training", "Licence", "Use", "Known limits"]
    inline = [child for one in tokens for child in one.children or ()]
    assert not [one.content for one in inline if one.type == "html_inline"]
    assert not [one for one in tokens if one.type == "html_block"]
    assert not [one for one in inline if one.type == "link_open"]
