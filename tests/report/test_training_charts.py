"""Charts of trainings and rounds: what is drawn, what is left out and said, and that odd data never fails."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.report import charts, drawing, training_charts
from factory.report.figures import MOST_SERIES

HOSTILE = '</svg><script>alert(1)</script>"&<b>'


def curve(losses: list[float], rate: float = 2e-5) -> list[dict[str, Any]]:
    return [
        {"step": number, "loss": value, "learning_rate": rate, "grad_norm": None}
        for number, value in enumerate(losses, 1)
    ]


def point(number: int, value: float | None, series: str = "test", wide: float = 0.05) -> dict[str, Any]:
    ends = {"low": None, "high": None} if value is None else {"low": value - wide, "high": value + wide}
    return {"round": number, "series": series, "value": value, **ends, "n_problems": 2000}


def layers(figure: Any) -> list[Any]:
    return list(figure.spec["layer"])


# --- loss --------------------------------------------------------------------------------------------


def test_a_loss_chart_is_a_picture_with_the_same_bytes_each_time() -> None:
    picture = training_charts.loss_chart(curve([2.0, 1.5, 1.2]))
    assert picture is not None
    assert picture.startswith(b"\x89PNG\r\n")
    assert picture == training_charts.loss_chart(curve([2.0, 1.5, 1.2]))
    wide = struct.unpack(">I", picture[16:20])[0]
    assert abs(wide - 2 * charts.CARD_WIDTH) < 60, "views above each other come out as wide as other charts"


def test_the_learning_rate_stands_below_the_loss_on_the_same_steps() -> None:
    found = training_charts.loss(curve([2.0, 1.5, 1.2]))
    assert found is not None
    loss, rate = found.spec["vconcat"]
    assert loss["height"] > 3 * rate["height"], "the loss is what is looked at"
    assert loss["encoding"]["x"]["scale"] == rate["encoding"]["x"]["scale"]
    assert rate["encoding"]["y"]["field"] == "learning_rate"
    assert "2.000 to 1.200, 3 steps" in found.caption
    assert found.rows[0] == ("the training", 1, 2.0, 2e-5)


@pytest.mark.parametrize(
    ("losses", "whole"),
    [([2.0, 0.5], True), ([2.0, 1.9], False), ([0.1, -0.2], False)],
    ids=["falls far", "falls a little", "below zero"],
)
def test_an_axis_that_does_not_begin_at_0_says_so(losses: list[float], whole: bool) -> None:
    found = training_charts.loss(curve(losses))
    assert found is not None
    y = found.spec["vconcat"][0]["encoding"]["y"]
    assert y["scale"]["zero"] is whole
    assert ("not from 0" in y["title"]) is not whole


@pytest.mark.parametrize("losses", [[], [float("nan")], [float("inf"), float("nan")]])
def test_without_a_finite_loss_there_is_no_chart(losses: list[float]) -> None:
    assert training_charts.loss_chart(curve(losses)) is None


def test_a_loss_that_is_not_finite_is_left_out_and_counted() -> None:
    found = training_charts.loss(curve([2.0, float("nan"), 1.0]))
    assert found is not None
    assert "1 points without a finite loss are left out" in found.caption
    assert [row[1] for row in found.rows] == [1, 3]
    assert "<svg" in drawing.svg(found.spec, 340)


def test_of_many_trainings_the_last_are_drawn_and_all_stand_in_the_table() -> None:
    found = training_charts.losses({f"round {number}": curve([2.0, 1.0]) for number in range(10)})
    assert found is not None
    assert {one["of"] for one in found.spec["data"]["values"]} == {f"round {n}" for n in range(4, 10)}
    assert {row[0] for row in found.rows} == {f"round {number}" for number in range(10)}
    assert f"the last {MOST_SERIES} of 10" in found.caption


def test_the_table_of_a_long_training_keeps_its_ends() -> None:
    found = training_charts.loss(curve([3 - number / 1000 for number in range(1000)]))
    assert found is not None
    assert len(found.rows) == training_charts.MOST_ROWS
    assert (found.rows[0][1], found.rows[-1][1]) == (1, 1000)
    assert "at most 40 points" in found.caption
    assert len(found.spec["data"]["values"]) == 1000, "the line holds all of them"


def test_one_step_is_a_point_that_is_seen() -> None:
    found = training_charts.loss(curve([2.0]))
    assert found is not None
    assert found.spec["vconcat"][0]["mark"]["point"]
    assert drawing.png(found.spec, 340).startswith(b"\x89PNG")


def test_a_hostile_label_is_text_in_the_picture() -> None:
    found = training_charts.losses({HOSTILE: curve([2.0, 1.0]), "other": curve([1.0])})
    assert found is not None
    drawn = drawing.svg(found.spec, 640)
    assert "<script" not in drawn
    assert "alert(1)" in drawn


@given(
    st.lists(
        st.floats(allow_nan=True, allow_infinity=True, width=32) | st.just(0.0), min_size=0, max_size=200
    )
)
def test_a_table_never_holds_more_than_its_most_rows(losses: list[float]) -> None:
    found = training_charts.loss(curve(losses))
    finite = [one for one in losses if one - one == 0]
    assert (found is None) is (not finite)
    if found is not None:
        assert len(found.rows) == min(len(finite), training_charts.MOST_ROWS)


# --- rounds ------------------------------------------------------------------------------------------


def test_the_gap_between_train_and_test_is_seen() -> None:
    points = [point(n, 0.3 + 0.1 * n, "training problems") for n in range(4)]
    points += [point(n, 0.28, "test") for n in range(4)]
    found = training_charts.accuracies(points)
    assert found is not None
    bars, lines, marks = layers(found)
    assert lines["encoding"]["y"]["scale"]["domain"][0] == 0, "shares are drawn from 0"
    assert bars["encoding"]["y2"] == {"field": "high"}
    assert marks["encoding"]["shape"]["scale"]["range"][0] == "circle", "apart without colour too"
    assert "training problems 0.300 in round 0, 0.600 in round 3" in found.alt
    assert "n = 2,000 problems" in found.caption


def test_lines_of_one_round_do_not_hide_each_other() -> None:
    found = training_charts.accuracies([point(0, 0.5, name) for name in ("train", "validation", "test")])
    assert found is not None
    places = [one["at"] for one in layers(found)[2]["data"]["values"]]
    assert len(set(places)) == 3
    assert sum(places) == pytest.approx(0), "around the middle of their round"
    assert drawing.png(found.spec, 340).startswith(b"\x89PNG")


def test_a_round_that_is_not_known_breaks_the_line_and_stays_in_the_table() -> None:
    found = training_charts.coverages([point(n, None if n == 1 else 0.5, "k = 4") for n in range(3)])
    assert found is not None
    bars, lines, marks = layers(found)
    assert [len(one["data"]["values"]) for one in (bars, lines, marks)] == [2, 3, 2]
    assert found.rows[1] == (1, "k = 4", None, "not known", 2000)
    drawn = drawing.svg(found.spec, 640)
    assert "NaN" not in drawn


@pytest.mark.parametrize(
    "points",
    [[], [point(0, None)], [point(0, None, "train"), point(1, None, "test")]],
    ids=["none", "one unknown", "all unknown"],
)
def test_without_a_known_value_there_is_no_chart(points: list[dict[str, Any]]) -> None:
    assert training_charts.accuracies(points) is None
    assert training_charts.diversities(points) is None


@pytest.mark.parametrize("value", [0.0, 0.004, 0.5, 1.0])
def test_an_axis_of_shares_ends_at_1_at_most(value: float) -> None:
    found = training_charts.accuracies([point(0, value, wide=0.0)])
    assert found is not None
    low, high = layers(found)[1]["encoding"]["y"]["scale"]["domain"]
    assert low == 0
    assert value <= high <= 1
    assert high > 0
    drawing.svg(found.spec, 340)


def test_diversity_is_no_share() -> None:
    found = training_charts.diversities([point(n, 1.5 + n, "k = 8") for n in range(10)])
    assert found is not None
    y = layers(found)[1]["encoding"]["y"]
    assert y["scale"]["domain"][1] > 10
    assert "format" not in y["axis"]


def test_series_beyond_the_colours_stand_in_the_table_only() -> None:
    found = training_charts.accuracies([point(0, 0.5, f"set {n}") for n in range(8)])
    assert found is not None
    assert "2 more stand in the table only" in found.caption
    assert len({one["series"] for one in layers(found)[2]["data"]["values"]}) == MOST_SERIES
    assert len(found.rows) == 8


def test_points_without_an_interval_or_a_number_of_problems_are_drawn() -> None:
    bare = {"round": 2, "series": HOSTILE, "value": 0.4, "low": None, "high": None, "n_problems": None}
    found = training_charts.accuracies([bare])
    assert found is not None
    assert "number of problems is not known" in found.caption
    assert "<script" not in drawing.svg(found.spec, 640)
