"""What the licences of the field ask for, as far as it decides what may be made from a work under them.

Guarantees: a licence is a set of duties, so that two can be compared and joined as sets; spellings of the
Hub, of SPDX and of package metadata lead to one identifier. Left out: the texts (`url` says where they
stand), licences that the table does not name, and legal advice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

NOTICE: Final = "notice"
CREDIT: Final = "credit"
NON_COMMERCIAL: Final = "non-commercial"
NO_DERIVATIVES: Final = "no-derivatives"
SHARE: Final = "share:"
TERMS: Final = "terms:"
"""Duties. `share:ID` is met by the licences that may be put on what is made from a work under ID; `terms:ID`
goes on to whoever receives the release, and to models trained on it."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a licence asks for, as far as it matters here, and where its text stands."""

    duties: frozenset[str]
    url: str


def _spdx(name: str) -> str:
    return f"https://spdx.org/licenses/{name}.html"


def _cc(kind: str, version: str = "4.0") -> str:
    return f"https://creativecommons.org/licenses/{kind}/{version}/"


def _table() -> dict[str, Terms]:
    free, notice, credit = frozenset[str](), frozenset({NOTICE}), frozenset({NOTICE, CREDIT})
    nc = credit | {NON_COMMERCIAL}
    sa = ("cc-by-sa-3.0", "cc-by-sa-4.0")
    ncsa = ("cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0")

    def share(*met: str) -> frozenset[str]:
        return credit | {SHARE + one for one in met}

    def flowing(name: str, url: str) -> tuple[str, Terms]:
        return name, Terms(credit | {TERMS + name}, url)

    gpl = ("gpl-3.0", "lgpl-3.0", "mpl-2.0", *sa)
    return {
        "cc0-1.0": Terms(free, "https://creativecommons.org/publicdomain/zero/1.0/"),
        "pddl": Terms(free, "https://opendatacommons.org/licenses/pddl/1-0/"),
        "unlicense": Terms(free, _spdx("Unlicense")),
        "isc": Terms(notice, _spdx("ISC")),
        "mit": Terms(notice, _spdx("MIT")),
        "bsd-2-clause": Terms(notice, _spdx("BSD-2-Clause")),
        "bsd-3-clause": Terms(notice, _spdx("BSD-3-Clause")),
        "zlib": Terms(notice, _spdx("Zlib")),
        "cdla-permissive-1.0": Terms(notice, _spdx("CDLA-Permissive-1.0")),
        "cdla-permissive-2.0": Terms(notice, _spdx("CDLA-Permissive-2.0")),
        "apache-2.0": Terms(notice, _spdx("Apache-2.0")),
        "etalab-2.0": Terms(credit, _spdx("etalab-2.0")),
        "odc-by": Terms(credit, "https://opendatacommons.org/licenses/by/1-0/"),
        "cc-by-2.0": Terms(credit, _cc("by", "2.0")),
        "cc-by-3.0": Terms(credit, _cc("by", "3.0")),
        "cc-by-4.0": Terms(credit, _cc("by")),
        "mpl-2.0": Terms(share("mpl-2.0"), _spdx("MPL-2.0")),
        "odbl": Terms(share("odbl"), "https://opendatacommons.org/licenses/odbl/1-0/"),
        "cdla-sharing-1.0": Terms(share("cdla-sharing-1.0"), _spdx("CDLA-Sharing-1.0")),
        "gfdl": Terms(share("gfdl"), "https://www.gnu.org/licenses/fdl-1.3.html"),
        # A work made from one under 3.0 may be put under 4.0, and one from 4.0 under the GPL; not back.
        "cc-by-sa-3.0": Terms(share(*sa[:1]), _cc("by-sa", "3.0")),
        "cc-by-sa-4.0": Terms(share(*sa), _cc("by-sa")),
        "lgpl-3.0": Terms(share("lgpl-3.0"), _spdx("LGPL-3.0-only")),
        "gpl-3.0": Terms(share(*gpl), _spdx("GPL-3.0-only")),
        "agpl-3.0": Terms(share("agpl-3.0", *gpl), _spdx("AGPL-3.0-only")),
        "cc-by-nc-2.0": Terms(nc, _cc("by-nc", "2.0")),
        "cc-by-nc-3.0": Terms(nc, _cc("by-nc", "3.0")),
        "cc-by-nc-4.0": Terms(nc, _cc("by-nc")),
        "cc-by-nc-sa-3.0": Terms(nc | share(*ncsa[:1]), _cc("by-nc-sa", "3.0")),
        "cc-by-nc-sa-4.0": Terms(nc | share(*ncsa), _cc("by-nc-sa")),
        "cc-by-nd-4.0": Terms(credit | {NO_DERIVATIVES}, _cc("by-nd")),
        "cc-by-nc-nd-3.0": Terms(nc | {NO_DERIVATIVES}, _cc("by-nc-nd", "3.0")),
        "cc-by-nc-nd-4.0": Terms(nc | {NO_DERIVATIVES}, _cc("by-nc-nd")),
        **dict(
            [
                flowing("openrail", "https://www.licenses.ai/"),
                flowing("openrail++", "https://www.licenses.ai/"),
                flowing("bigscience-openrail-m", "https://www.licenses.ai/"),
                flowing("bigcode-openrail-m", "https://www.bigcode-project.org/docs/pages/bigcode-openrail/"),
                flowing("creativeml-openrail-m", "https://www.licenses.ai/"),
                flowing("gemma", "https://ai.google.dev/gemma/terms"),
                flowing("llama2", "https://ai.meta.com/llama/license/"),
                flowing("llama3", "https://www.llama.com/llama3/license/"),
                flowing("llama3.1", "https://www.llama.com/llama3_1/license/"),
                flowing("llama3.2", "https://www.llama.com/llama3_2/license/"),
                flowing("llama3.3", "https://www.llama.com/llama3_3/license/"),
                flowing("llama4", "https://www.llama.com/llama4/license/"),
                flowing("openai-terms", "https://openai.com/policies/"),
                flowing("anthropic-terms", "https://www.anthropic.com/legal/commercial-terms"),
                flowing("google-api-terms", "https://ai.google.dev/gemini-api/terms"),
            ]
        ),
    }


LICENCES: Final[Mapping[str, Terms]] = _table()
"""By the Hub's identifier, the less demanding of two that ask for the same duties first."""

_SPELLINGS: Final = {
    "apache": "apache-2.0",
    "apache2.0": "apache-2.0",
    "apache-license-version-2.0": "apache-2.0",
    "apache-software": "apache-2.0",
    "cc0": "cc0-1.0",
    "odc-by-1.0": "odc-by",
    "odbl-1.0": "odbl",
    "pddl-1.0": "pddl",
    "gfdl-1.3": "gfdl",
    "the-unlicense": "unlicense",
}


def known(stated: str | None) -> str | None:
    """The identifier in the table that `stated` means (`Apache-2.0`, `CC BY 4.0`), or None for another."""
    if stated is None:
        return None
    text = re.sub(r"[^a-z0-9.+]+", "-", stated.lower()).strip("-.")
    text = re.sub(r"-only$|-or-later$|(?<=\d)\+$|^the-(?=mit|apache)", "", text)
    text = re.sub(r"-licen[sc]e(?=-|$)", "", text)
    text = _SPELLINGS.get(text, text)
    return text if text in LICENCES else None


def identifier(stated: str) -> str:
    """What a licence is called: as in the table, else in the letters that the Hub allows for a name.

    What is not in the table never gets a name that is.
    """
    slug = re.sub(r"[^a-z0-9.]+", "-", stated.lower()).strip("-.")[:60] or "custom"
    return known(stated) or (slug if known(slug) is None else f"custom-{slug}")


def hub_id(license: str | None) -> str:
    """What the Hub's `license` says of it: an identifier of the Hub's list, `other`, or `unknown`."""
    if license is None:
        return "unknown"
    found = known(license)
    return found if found is not None and not found.endswith("-terms") else "other"


def wording(duty: str) -> str:
    """A duty in words, for people."""
    if duty.startswith(SHARE):
        return f"what is made from it is shared under {duty.removeprefix(SHARE)}, or what that allows"
    if duty.startswith(TERMS):
        name = duty.removeprefix(TERMS)
        if name.startswith("llama"):
            return (
                f"the terms of {name} go on: show `Built with Llama`, and begin the names of models trained "
                "on it with `Llama`"
            )
        if name.endswith("-terms"):
            return f"under {name}, models that compete with the provider may not be developed with it"
        return f"the terms of {name}, with its use restrictions, go on to users and to models trained on it"
    return {
        NOTICE: "keep the copyright and licence notices",
        CREDIT: "credit the authors, and say what was changed",
        NON_COMMERCIAL: "no commercial use",
        NO_DERIVATIVES: "nothing made from it may be shared",
    }[duty]


def asks(identifier: str) -> list[str]:
    """What a licence of the table asks for, in words: its duties, the share-alike ones as one."""
    duties = LICENCES[identifier].duties
    shared = [f"share what is made from it under {identifier}, or what that allows"]
    plain = [wording(duty) for duty in sorted(duties) if not duty.startswith(SHARE)]
    return plain + (shared if any(duty.startswith(SHARE) for duty in duties) else [])
