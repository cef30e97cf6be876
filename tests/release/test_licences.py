"""Licences: what follows from which inputs, what is refused, what cannot be told, and the laws of it."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.release import licences
from factory.release.licence_terms import LICENCES, asks, hub_id, identifier, known
from factory.release.licences import Input, Licence, combine, publishable, record

RANK: Final = {"fine": 0, "unknown": 1, "conflict": 2}
STATED = st.one_of(st.sampled_from(sorted(LICENCES)), st.sampled_from([None, "other", "my-own-1.0"]))
INPUTS = st.lists(
    st.builds(Input, st.sampled_from(["source", "generator", "judge"]), st.sampled_from("abcd"), STATED),
    min_size=1,
    max_size=4,
)
GRANTED = st.one_of(st.none(), STATED)


def of(*stated: str | None, granted: str | None = None) -> Licence:
    return combine([Input("source", f"s{at}", one) for at, one in enumerate(stated)], granted)


@pytest.mark.parametrize(
    ("stated", "computed"),
    [
        (["mit"], "mit"),
        (["MIT", "Apache-2.0"], "apache-2.0"),
        (["mit", "cc-by-4.0"], "cc-by-4.0"),
        (["cc0-1.0", "unlicense"], "unlicense"),
        (["mit", "cc-by-4.0", "cc-by-sa-4.0"], "cc-by-sa-4.0"),
        (["cc-by-sa-3.0", "cc-by-sa-4.0"], "cc-by-sa-4.0"),
        (["cc-by-sa-4.0", "gpl-3.0"], "gpl-3.0"),
        (["lgpl-3.0", "mpl-2.0"], "gpl-3.0"),
        (["cc-by-nc-4.0", "cc-by-4.0", "mit"], "cc-by-nc-4.0"),
        (["cc-by-nc-4.0", "cc-by-nc-sa-4.0"], "cc-by-nc-sa-4.0"),
        (["llama3.1", "mit"], "llama3.1"),
        (["openai-terms", "cc-by-4.0"], "openai-terms"),
        (["llama3.1", "gemma", "mit"], "gemma-and-llama3.1"),
    ],
)
def test_the_most_demanding_compatible_licence_is_computed(stated: list[str], computed: str) -> None:
    found = of(*stated)
    assert (found.outcome, found.license, found.reasons) == ("fine", computed, ())


@pytest.mark.parametrize(
    ("stated", "granted", "sides"),
    [
        (["cc-by-sa-4.0", "cc-by-nc-4.0"], None, ["s0 (cc-by-sa-4.0)", "s1 (cc-by-nc-4.0)", "share-alike"]),
        (["cc-by-sa-4.0", "cc-by-nc-sa-4.0"], None, ["s0 (cc-by-sa-4.0)", "s1 (cc-by-nc-sa-4.0)"]),
        (["cc-by-sa-4.0", "openrail"], None, ["s0 (cc-by-sa-4.0)", "s1 (openrail)"]),
        (["odbl", "gpl-3.0"], None, ["s0 (odbl)", "s1 (gpl-3.0)"]),
        (["mit", "cc-by-nd-4.0"], None, ["s1 (cc-by-nd-4.0)", "nothing made from it"]),
        (["cc-by-nd-4.0"], "cc-by-nd-4.0", ["s0 (cc-by-nd-4.0)"]),
        (["cc-by-nc-4.0"], "mit", ["release.license mit", "s0 (cc-by-nc-4.0)", "no commercial use"]),
        (["cc-by-4.0"], "mit", ["release.license mit", "s0 (cc-by-4.0)", "credit the authors"]),
        (["mit"], "cc0-1.0", ["release.license cc0-1.0", "s0 (mit)", "notices"]),
        (["cc-by-sa-4.0"], "cc-by-sa-3.0", ["release.license cc-by-sa-3.0", "shared under cc-by-sa-4.0"]),
        (["cc-by-sa-4.0"], "my-own", ["release.license is 'my-own'", "s0 (cc-by-sa-4.0)"]),
        (
            ["llama3.1", None],
            "apache-2.0",
            ["release.license apache-2.0", "s0 (llama3.1)", "Built with Llama"],
        ),
        (["openai-terms"], "mit", ["models that compete with the provider"]),
    ],
)
def test_a_conflict_names_both_sides(stated: list[str | None], granted: str | None, sides: list[str]) -> None:
    found = of(*stated, granted=granted)
    assert found.outcome == "conflict"
    assert found.license is None
    for side in sides:
        assert side in " ".join(found.reasons)


@pytest.mark.parametrize(
    ("stated", "granted", "license", "said"),
    [
        ([None, "mit"], None, None, "problems of s0: no licence is stated"),
        (["other"], None, None, "problems of s0: 'other'"),
        ([None], "mit", "mit", "problems of s0: no licence is stated"),
        (["mit"], "my-own", "my-own", "release.license 'my-own' is not in the table"),
        (["gpl-2.0"], None, None, "problems of s0: 'gpl-2.0'"),
        ([None], "Unknown", None, "problems of s0: no licence is stated"),
        (["mit"], "Acme's own", "acme-s-own", 'release.license "Acme\'s own" is not in the table'),
    ],
)
def test_what_nobody_can_tell_is_unknown(
    stated: list[str | None], granted: str | None, license: str | None, said: str
) -> None:
    found = of(*stated, granted=granted)
    assert (found.outcome, found.license) == ("unknown", license)
    assert found.computed == ("mit" if stated == ["mit"] else None)
    assert said in found.reasons


@given(st.data(), INPUTS, GRANTED)
def test_the_order_of_the_inputs_does_not_matter(
    data: st.DataObject, inputs: list[Input], granted: str | None
) -> None:
    shuffled = data.draw(st.permutations(inputs))
    assert record(shuffled, granted, combine(shuffled, granted)) == record(
        inputs, granted, combine(inputs, granted)
    )


@given(INPUTS, INPUTS, GRANTED)
def test_one_more_input_never_makes_it_more_permissive(
    inputs: list[Input], more: list[Input], granted: str | None
) -> None:
    before, after = combine(inputs, granted), combine([*inputs, *more], granted)
    assert RANK[before.outcome] <= RANK[after.outcome]
    assert set(before.duties) <= set(after.duties)
    if (first := known(before.license)) and (second := known(after.license)):
        assert LICENCES[first].duties <= LICENCES[second].duties


@given(INPUTS, GRANTED)
def test_what_is_granted_is_never_weaker_than_an_input(inputs: list[Input], granted: str | None) -> None:
    found = combine(inputs, granted)
    if found.outcome == "fine":
        for one in inputs:
            identifier = known(one.license)
            assert identifier is not None
            asked = LICENCES[identifier].duties
            assert asked <= set(found.duties)
            if chosen := known(found.license):
                assert asked <= LICENCES[chosen].duties
    else:
        assert found.reasons


@pytest.mark.parametrize(
    ("stated", "identifier"),
    [
        ("Apache-2.0", "apache-2.0"),
        ("Apache License 2.0", "apache-2.0"),
        ("Apache Software License", "apache-2.0"),
        ("The MIT License", "mit"),
        (" CC BY 4.0 ", "cc-by-4.0"),
        ("GPL-3.0-or-later", "gpl-3.0"),
        ("ODC-By-1.0", "odc-by"),
        ("apache-1.1", None),
        ("license", None),
        ("", None),
        (None, None),
        ("mit or apache-2.0", None),
    ],
)
def test_spellings_lead_to_one_identifier(stated: str | None, identifier: str | None) -> None:
    assert known(stated) == identifier


def test_every_licence_of_the_table_says_what_it_asks_for_and_where_it_stands() -> None:
    for name, terms in LICENCES.items():
        assert known(name) == name
        assert terms.url.startswith("https://")
        assert bool(asks(name)) == bool(terms.duties), name
        assert hub_id(name) == ("other" if name.endswith("-terms") else name)
    assert (identifier("Apache License 2.0"), identifier("§")) == ("apache-2.0", "custom")
    assert (hub_id(None), hub_id("gemma-and-llama3.1"), hub_id("mine")) == ("unknown", "other", "other")


def recorded(*stated: str | None, granted: str | None = None) -> dict[str, Any]:
    inputs = [Input("source", f"s{at}", one) for at, one in enumerate(stated)]
    return {"licences": licences.record(inputs, granted, combine(inputs, granted))}


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        (recorded("mit"), None),
        (recorded(None, granted="mit"), None),
        (recorded("mit", granted="my-own"), None),
        (recorded("mit", None), "its licence is unknown (problems of s1: no licence is stated)"),
        (recorded("cc-by-nd-4.0"), "its licences conflict: problems of s0 (cc-by-nd-4.0)"),
        ({}, "does not say under which licence"),
    ],
)
def test_a_release_without_a_licence_is_not_published(manifest: dict[str, Any], said: str | None) -> None:
    found = publishable(manifest)
    assert found is None if said is None else found is not None and said in found
