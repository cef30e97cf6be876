"""The selection of rejection-sampling fine-tuning, beside a literal transcription of the published one.

arXiv 2308.01825, algorithm 1, and the official code, which writes the human solution first and then every
kept path. Where ours differs, it does so on purpose, and a test here says how.
"""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from factory.recipe import Select
from factory.records import Status
from factory.selection.choice import Candidate, select

RFT = Select.model_validate({"dedup": [{"path": "equations", "keep": "farthest"}], "apart": ["people"]})


def ours(human: str, samples: list[str]) -> list[str]:
    """The completions kept of one problem, in their order."""
    candidates = [Candidate("human", (0, 0), human, Status.PASS, apart=True)]
    candidates += [Candidate(f"s{at}", (at, 1), text, Status.PASS) for at, text in enumerate(samples)]
    texts = {one.sample_id: one.completion for one in candidates}
    return [texts[mark.sample_id] for mark in select(candidates, RFT, problem_id="p") if mark.kept]


def published(human: str, samples: list[str]) -> list[str]:
    """The same by the paper's loop: one representative a key, replaced by a wording that is farther."""
    kept: dict[str, str] = {}
    for text in samples:
        key = "|".join("".join(body.split()) for body in re.findall(r"<<([^<>]*)>>", text))
        if key not in kept:
            kept[key] = text
            continue
        others = [other for other in kept.values() if other != kept[key]]
        if sum(_distance(text, one) for one in others) > sum(_distance(kept[key], one) for one in others):
            kept[key] = text
    return [human, *kept.values()]


def _distance(one: str, other: str) -> int:
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        above, row[0] = row[0], i
        for j, right in enumerate(other, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (left != right))
    return row[-1]


_EQUATION = st.sampled_from(["<<3+4=7>>7", "<<4+3=7>>7", "<<7*2=14>>14", "<< 7 * 2 = 14 >>14"])
_SOLUTION = st.lists(
    st.tuples(st.sampled_from(["", "So ", "We get ", "Then there are "]), _EQUATION), min_size=1, max_size=3
)
_TEXT = st.builds(lambda steps: "\n".join(words + sum_ for words, sum_ in steps), _SOLUTION)


@settings(max_examples=60, deadline=None)
@given(_TEXT, st.lists(_TEXT, max_size=7))
def test_the_selection_is_the_published_one(human: str, samples: list[str]) -> None:
    assert sorted(ours(human, samples)) == sorted(published(human, samples))
    assert ours(human, samples)[0] == human, "the human row is the first"


def test_a_sample_with_the_equations_of_the_human_solution_stays() -> None:
    human, sample = "<<3+4=7>>7 in all", "she has <<3+4=7>>7"
    assert ours(human, [sample]) == published(human, [sample]) == [human, sample]


def test_equal_numbers_written_otherwise_are_one_path_here() -> None:
    texts = ["<<48/2=24>>24", "half of it: <<48/2=24.0>>24"]
    assert len(published("h", texts)) == 3
    assert len(ours("h", texts)) == 2


def test_texts_without_an_equation_are_paths_of_their_own_here() -> None:
    texts = ["it is seven", "seven of them"]
    assert published("h", texts)[1:] == ["it is seven"]
    assert ours("h", texts)[1:] == texts


def test_equations_without_annotations_are_read_here() -> None:
    texts = ["3 + 4 = 7", "7 * 2 = 14"]
    assert published("h", texts)[1:] == ["3 + 4 = 7"], "both share the empty key there"
    assert ours("h", texts)[1:] == texts
