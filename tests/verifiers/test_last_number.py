"""Where a text without a mark concludes, and with which number."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.verifiers.conclusion import conclusion
from factory.verifiers.last_number import last_number

TOLD = {
    "So Tom is left with 18 of his original 25 apples.": "18",
    "He drinks 60 cups of coffee in 30 days.": "60",
    "In 30 days he drinks 60 cups.": "60",
    "He makes 13 * 2 = $<<13*2=26>>26 every day": "26",
    "So they can make $1000 for selling 2000 apples": "$1000",
    "So it would take 4500/375 = 12.0 minutes to speak 10 pages": "12.0 minutes",
    "John earned $50-$30=$20 more than Jill": "$20",
    "She will have saved $1,250.00 by December 31.": "$1,250.00",
    "Final count of birds on the fence: 11, down from 13.": "11",
    "The 8 shirts cost $96 after the discount instead of $120.": "$96",
    "So he has 20 apples, not 18.": "20",
    "So 60% are girls, 20% more than the boys' 40%.": "60%",
    "The stand sold **46** pieces of fruit (27 apples, 19 pears).": "46",
    "The garden has 54 plants, i.e. 6 rows with 9 in each.": "54",
    "He pays 5 per item, for a total of 50": "50",
    "Ali ran 1500 meters.": "1500 meters",
    "The beads weigh 5 g.": "5 g",
    "The car goes 60 miles per hour": "60 miles per hour",
    "There are 5 in the box": "5",
    "15 play soccer and 8 play tennis. So seventeen of the forty students play neither.": "seventeen",
    "12 x 12 is what we want. The farmer packed one hundred and forty-four eggs, so that is it.": (
        "one hundred and forty-four"
    ),
    "There are 24 marbles. To double check, we add the marbles back: 24 + 1": "24",
    "So she has 18. Let's verify: 18 + 7 = 25, correct.": "18",
    "So he has 9 pencils. (Note: I did not count the 3 pens.)": "9",
    "He has 15 miles to walk. I hope this helps! If you have 2 questions, ask.": "15 miles",
    "He walks the 4 miles of the 3-mile trail and back": "4 miles",
    "3 x 11 = 33 books.\n\nQ: There are 14 desks in one room. How many": "33",
    "= 1+16+36+16+1\\\\\n&= 70.\n\\end{align*}": "70",
    "The school has to hire 9 buses. (The last one will carry only 12 kids.)": "9",
    "Priya takes home just 10 cupcakes, having sold 45.": "10",
    "So the mother is 35, a good 21 years older than Joe.": "35",
    "So the office pays $33 for lunch, with each sandwich costing $4.": "$33",
    "She fills 12 boxes, and 4 of the 100 muffins have to go on a plate.": "12",
    "54 tulips.\n\nExercise 5\nA box holds 8 crayons.": "54",
    "Leo saves $20 on the jacket, 25% of what it says on the tag.": "$20",
    "So after its peak of 12,500 the town is back where it started with 10,000 people.": "10,000",
    "What Bill takes home is $45, which beats Ann's $30 by $15.": "$45",
    "In other words 20% of the class — 6 kids out of 30 — gets to school on foot.": "20%",
    "Check: is 5 + 5 = 12? No, it is not, so he has 10 apples": "10",
}
NONE = (
    "",
    "no digits at all",
    "I cannot solve this problem. Tom has 18 apples.",
    "The number he gives is not specified. He has 18.",
    "<think>\nThat is 75. Then 75 x 2 = 150, but hold on",
    "There are 12 chickens. Check: 12 x 2 = 24. That doesn't match, so 12 is incorrect.",
    "It is between 5 and 6",
    "Maybe it is 5",
    "So there are no cookies left of the 30",
    "So 5/8 of it is gone and three eighths of the pizza remains.",
    "So we get 3 over 6",
    "1/2 of 6",
    "Then 12 + ",
    "How about 5?",
    "He is not 5",
    "x = __import__('os') 5",
    "The answer has two roots. " + "And it goes on. " * 30 + "Well",
    "It costs at least 9 dollars",
    "Its value is 4 degrees below zero",
    "45 + 5 = 50, so Zoe has more than 50 beads.",
    "The class has 24 students, but it never says how many play.",
    "So four roses are left without a place in any of the 12 vases.",
    "One batch takes 5/4 cups, so she will need two and a half cups.",
    "Test 3: fine. Test -2: it has to be thrown out as extraneous.",
    "Therefore n = 24!$",
    "Depending on the method, the farm has 56 legs or 54 legs.",
    "So Tina earns 4 × 12 = 46 = 48 dollars.",
    "1/2 + 1/4 = 3/4 is used. So they come home with a quarter of a tank.",
    "She gets back 14 euros and 40 cents.",
    "What is two to the power? It is two or three",
)


@pytest.mark.parametrize(("text", "answer"), TOLD.items())
def test_what_a_text_concludes_with(text: str, answer: str) -> None:
    assert [text[span.start : span.end] for span in last_number(text)] == [answer]


@pytest.mark.parametrize("text", NONE)
def test_what_concludes_with_no_number(text: str) -> None:
    assert last_number(text) == []


def test_a_text_is_cut_only_where_something_was_said() -> None:
    assert conclusion("Let's check: 5 + 5 = 10") == "Let's check: 5 + 5 = 10"
    assert conclusion("Question: how many?\nSo 5.") == "Question: how many?\nSo 5."
    assert conclusion("It is 5.\nQ: What is 6?") == "It is 5.\n"
    assert (
        conclusion("It is 5.\nCheck: 6 is wrong. So it is 7.") == "It is 5.\nCheck: 6 is wrong. So it is 7."
    )


PIECES = """5|12|$3|1/2|40%|so|=|+|of|in|the|for|than|not|is|left|seven|check:|(i.e.|)|.|<<2+3=5>>|5 kg|Q:"""
WORDS = st.sampled_from(PIECES.split("|")) | st.just("\n")


@given(st.lists(WORDS, max_size=30).map(" ".join))
def test_the_answer_is_a_slice_that_holds_a_number(text: str) -> None:
    for span in last_number(text):
        assert 0 <= span.start < span.end <= len(text)
        assert re.search(r"[0-9]|seven", text[span.start : span.end])
        assert "<<" not in text[span.start : span.end]
