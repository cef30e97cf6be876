"""The README.md of a trained model: the release it learned from, its base, settings, what training did, use.

Guarantees: everything said is taken from training.json: the same training.json gives the same card. Texts of
others show as they are and open nothing (`release/markdown.py`). The front matter is what the Hub reads; the
licence is the one computed from the base and the release, and is left out where nobody can tell it. Left out:
how good the model is, for which it is evaluated.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml

from factory.release import front_matter
from factory.release.licence_terms import LICENCES
from factory.release.markdown import bullets, code, fence, table, text
from factory.training.folder import CURVE, RECORD, TRAINED_ON

Content = Mapping[str, Any]

_METHODS: Final[Mapping[str, tuple[str, str]]] = {
    "sft": ("sft", "supervised, with the loss on the completions alone"),
    "weighted": (
        "weighted-sft",
        "supervised, each row by its weight, with the loss on the completions alone",
    ),
    "dpo": ("dpo", "direct preference optimisation (arXiv 2305.18290)"),
}

_SHOWN: Final[Mapping[str, str]] = {
    "learning_rate": "learning rate",
    "schedule": "schedule",
    "warmup": "warm-up, share of the steps",
    "weight_decay": "weight decay",
    "max_grad_norm": "largest norm of a gradient",
    "max_length": "most tokens of a row",
    "packing": "packing",
    "seed": "seed",
}


def make(content: Content) -> str:
    """The card as Markdown with front matter; `content` is that of training.json."""
    trained = content["kind"] == "trained"
    body = [
        f"# {text(content['name'])}",
        *(_trained(content) if trained else _new(content)),
        *_licence(content["licences"]),
        *_use(content),
    ]
    front = yaml.safe_dump(_front_matter(content), sort_keys=False, allow_unicode=True)
    return f"---\n{front}---\n" + "\n\n".join(body) + "\n"


def _front_matter(content: Content) -> dict[str, Any]:
    license, base = content["licences"]["license"], content.get("base") or {}
    repo = (content.get("release") or {}).get("repo")
    method = [_METHODS[content["settings"]["method"]][0]] if content["kind"] == "trained" else []
    return {
        **({} if license is None else front_matter.licence(license)),
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        **({"base_model": base["hub"], "base_model_relation": "finetune"} if base.get("hub") else {}),
        **({"datasets": [repo]} if repo else {}),
        "tags": [*method, "synthetic", "reasoning"],
    }


def _trained(content: Content) -> Iterator[str]:
    release, base, result = content["release"], content["base"], content["result"]
    yield (
        f"{code(base['reference'])}, trained on {code(release['reference'])}: "
        f"{_METHODS[content['settings']['method']][1]}."
    )
    yield "## Training"
    rows: list[tuple[str, str]] = [
        ("release", code(release["reference"])),
        ("release id", code(release["release_id"])),
        *([("commit", code(release["commit"]))] if release["commit"] else []),
        ("base", code(base["reference"])),
        ("digest of the base", code(base["weights"])),
        ("steps", f"{result['steps']:,}" + _of(content)),
        ("epochs", f"{result['epochs']:.4g}"),
        ("rows of a step", f"{content['settings']['batch']:,}"),
        ("rows", f"{result['rows']:,} of the split {code(content['settings']['split'])}"),
        *_of_generators(content["settings"]),
        ("rows left out", _left_out(content["rows"]["left_out"])),
        ("tokens", f"{result['tokens']:,}, the loss taken of {result['loss_tokens']:,}"),
        ("parameters", f"{result['parameters']:,}, trained {result['trained_parameters']:,}"),
        ("seconds", f"{result['seconds']:,.1f} on {text(result['device'])}, {text(result['precision'])}"),
        ("loss, first and last", _ends(result["curve"])),
        *((name, _value(content["settings"][key])) for key, name in _SHOWN.items()),
        *_of_method(content["settings"]),
        ("training id", code(content["training_id"])),
    ]
    yield table(("what", ""), rows)
    if content["chart"]:
        yield f"![Loss over the steps of training]({CURVE})"
    if content["judged"]:
        told = "; ".join(f"step {one['step']:,}: {one['score']:.4f}" for one in content["judged"])
        yield f"Stopped early by the score on problems held out from training: {told}."
    yield from _lineage(content["lineage"])
    yield (
        f"{code(RECORD)} has all of it, with the loss curve; {code(TRAINED_ON)} the problems that this model "
        "or one it started from was trained on, which no evaluation may hold."
    )


def _of(content: Content) -> str:
    """How long the training was to be, where it was ended before."""
    return f" of {content['steps']:,}" if content["result"]["steps"] != content["steps"] else ""


def _left_out(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {code(reason)}" for reason, number in reasons.items()) or "none"


def _ends(curve: list[Mapping[str, Any]]) -> str:
    return f"{curve[0]['loss']:.4f}, {curve[-1]['loss']:.4f}" if curve else "not known"


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return text(value) if isinstance(value, str) else text(json.dumps(value))


def _of_generators(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Whose rows it learned from, where that are not all."""
    if settings.get("generators"):
        yield "rows of the generators", ", ".join(code(name) for name in settings["generators"])


def _of_method(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What matters of the settings in some trainings only."""
    if settings["adapter"]:
        yield "adapter, merged in", code(json.dumps(settings["adapter"]))
    if settings["method"] == "dpo":
        yield "beta", _value(settings["beta"])
    if settings["method"] == "weighted":
        yield "weights", code(json.dumps(settings["weights"]))


def _lineage(lineage: list[Mapping[str, Any]]) -> Iterator[str]:
    if not lineage:
        return
    yield "It started from models of the same program, the nearest first:"
    yield bullets(
        f"{code(one['name'])}, "
        + (
            f"trained on {code(one['release']['reference'])}"
            if one["kind"] == "trained"
            else "made new with random weights"
        )
        for one in lineage
    )


def _new(content: Content) -> Iterator[str]:
    yield (
        "A small language model with random weights by a seed; its tokenizer was made from the texts of "
        f"{code(content['release']['reference'])} ({code(content['release']['release_id'])}). It has learned "
        "nothing yet."
    )
    yield table(("what", ""), [(text(key), code(value)) for key, value in content["settings"].items()])


def _licence(licences: Mapping[str, Any]) -> Iterator[str]:
    yield "## Licence"
    name = licences["license"]
    if name is None:
        yield f"**{'None' if licences['outcome'] == 'conflict' else 'Unknown'}.** Why:"
        yield bullets(text(reason) for reason in licences["reasons"])
    else:
        shown = f"[{text(name)}]({LICENCES[name].url})" if name in LICENCES else text(name)
        yield f"**{shown}**, computed from what follows; this is not legal advice."
    yield table(
        ("what went in", "licence", "stated by"),
        [
            (f"{text(one['role'])} {code(one['name'])}", text(one["license"] or "unknown"),
             text(one["said_by"] or "nobody"))
            for one in licences["inputs"]
        ],
    )  # fmt: skip


def _use(content: Content) -> Iterator[str]:
    prompt = content["identity"]["prompt"]
    yield "## Use"
    yield "The prompt it was trained with, in mode " + code(prompt["mode"]) + ":"
    yield fence(prompt["template"])
    yield "In the folder of the model, with transformers:"
    yield fence(
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
        'tokenizer = AutoTokenizer.from_pretrained("./")\n'
        'model = AutoModelForCausalLM.from_pretrained("./")',
        "python",
    )
    yield "With vLLM:"
    yield fence('from vllm import LLM\n\nmodel = LLM("./")', "python")
    yield "As a generator of a recipe, which words and cuts prompts as in training:"
    generator = {"engine": "transformers", "model": f"store/models/{content['name']}", "prompt": prompt}
    yield fence(
        yaml.safe_dump({"generators": {"tuned": generator}}, sort_keys=False, allow_unicode=True), "yaml"
    )
    yield "## Known limits"
    yield bullets(
        [
            "It writes what resembles its training rows. A verifier looked at these, and verifiers err: they "
            "compare answers, and say little of the steps that lead there.",
            "What the base does wrong elsewhere, it may do too: it was not tested for other uses.",
        ]
    )
