"""The end of a card: under which licence a release is, how to load, check and rebuild it, how to cite it.

Guarantees: the licence section names every input with what it states of itself, and says where nobody states
anything; code can be run as it stands once `ORG` is filled in. Left out: legal advice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from factory.release import front_matter
from factory.release.licence_terms import LICENCES, asks, known
from factory.release.markdown import bullets, code, fence, table, text


def licence(licences: Mapping[str, Any]) -> Iterator[str]:
    yield "## Licence"
    name = licences["license"]
    if name is None:
        yield "**Unknown.** Nobody has stated under which licence this may be used:"
        yield bullets(text(reason) for reason in licences["reasons"])
    else:
        origin = (
            "granted by the makers of this release" if licences["granted"] else "computed from the inputs"
        )
        shown = f"[{text(name)}]({LICENCES[name].url})" if name in LICENCES else text(name)
        yield f"**{shown}**, {origin}." + (
            f" Not everything behind it could be told: {'; '.join(text(one) for one in licences['reasons'])}."
            if licences["reasons"]
            else ""
        )
    yield table(
        ("what went in", "licence", "stated by", "it asks to"),
        [
            (
                f"{text(one['role'])} {code(one['name'])}",
                text(one["license"] or "unknown"),
                text(one["said_by"] or "nobody"),
                "; ".join(asks(known(one["license"]) or "")) or "nothing"
                if known(one["license"])
                else "unknown",
            )
            for one in licences["inputs"]
        ],
    )
    yield (
        "Terms of models are read strictly: what a model wrote is treated as made from it. This is computed "
        "from what inputs state of themselves, and is not legal advice."
    )


def use(manifest: Mapping[str, Any]) -> Iterator[str]:
    name, version = manifest["name"], manifest["version"]
    config = next(iter(front_matter.shown_configs(manifest)), "sft")
    yield "## Load"
    yield (
        "The short way. `ORG` is the account this is published under; without the Hub, name the folder and "
        "leave `revision` out. Caches may serve another version in silence, hence the second line:"
    )
    yield fence(
        "from datasets import load_dataset\n\n"
        f'data = load_dataset("ORG/{name}", "{config}", revision="v{version}")\n'
        f'assert str(next(iter(data.values())).info.version) == "{version}"',
        "python",
    )
    yield "The reproducible way, which checks every file and raises when anything else is served:"
    yield fence(f'import factory\n\ndata = factory.load("ORG/{name}@v{version}", "{config}")', "python")
    yield "## Check"
    yield "As a stranger would, from the files alone; in the folder of the release:"
    yield fence("factory release check ./", "sh")
    yield "## Rebuild"
    yield (
        "Save this as `recipe.yaml`, then `factory run recipe.yaml`. Keys that say only where "
        "and how fast it ran are left out, and files are named without their folders. The same samples give "
        "the same release id; whether the same samples can be drawn again depends on the engine."
    )
    yield fence(yaml.safe_dump(manifest["recipe"], sort_keys=False, allow_unicode=True), "yaml")
    yield "## Cite"
    kind = "synthetic " if manifest["synthetic"] else ""
    yield fence(
        f"@misc{{{name}-{version},\n"
        f"  title = {{{name} {version}: a {kind}dataset}},\n"
        f"  note  = {{Release id {manifest['release_id']}}}\n}}",
        "bibtex",
    )
