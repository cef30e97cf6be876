"""Charts: what is drawn, what is left out and said, and that odd data never fails."""

from __future__ import annotations

import json
import logging
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.report import accounts, charts, drawing, figures

REASONS = [*accounts.REASONS, "rejected_by:arithmetic@1", "a reason of tomorrow"]
HOSTILE = '</svg><script>alert(1)</script>"&<b>'


def estimate(
    value: float | None, problems: int = 10, low: float | None = 0.2, high: float | None = 0.9
) -> Any:
    return {"value": value, "low": low, "high": high, "n_problems": problems}


def part(
    problems: int = 10, histogram: tuple[int, ...] = (4, 1, 1, 1, 1, 2), **points: Any
) -> dict[str, Any]:
    """A part of metrics.json; `points` are coverage_1, diversity_4 and so on."""
    bins = ((0.0, 0.0), (0.0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1.0), (1.0, 1.0))
    counted = zip(bins, histogram, strict=True)
    return {
        **{name.replace("_", "@"): value for name, value in points.items()},
        "problems": problems,
        "solve_rate": {
            "histogram": [{"low": low, "high": high, "problems": n} for (low, high), n in counted]
        },
    }


def cost(generator: str, kept: int, samples: int, **known: tuple[int, float, float | None]) -> dict[str, Any]:
    """An entry of `costs`; `known` are unit=(samples it is known of, sum, sum on kept ones)."""
    of = {unit: known.get(unit, (0, None, None)) for unit in accounts.UNITS}
    parts = {
        what: {unit: of[unit][at] for unit in of} for at, what in enumerate(("known", "on_all", "on_kept"))
    }
    return {"generator": generator, "kept": kept, "samples": samples, **parts}


def inner(spec: Any) -> Iterator[Mapping[str, Any]]:
    """Every row of data in a spec."""
    for layer in spec.get("layer", [spec]):
        yield from layer["data"]["values"]


# --- the card ----------------------------------------------------------------------------------------


def test_a_card_has_three_charts_with_the_same_bytes_each_time(folder: Path) -> None:
    manifest, metrics = (
        json.loads((folder / name).read_text()) for name in ("manifest.json", "metrics.json")
    )
    drawn = charts.card_charts(manifest, metrics)
    assert [one.name for one in drawn] == ["coverage.png", "solve-rates.png", "waterfall.png"]
    for one in drawn:
        assert one.png.startswith(b"\x89PNG\r\n")
        assert struct.unpack(">I", one.png[16:20])[0] == 2 * charts.CARD_WIDTH
        assert "n = " in one.caption
        assert (folder / "charts" / one.name).read_bytes() == one.png, "a release draws the same"
        assert f"](charts/{one.name})" in (folder / "README.md").read_text()


ODD: Mapping[str, tuple[dict[str, Any], dict[str, int], list[str]]] = {
    "nothing at all": ({}, {}, []),
    "no sample": (part(0, (0,) * 6, coverage_1=estimate(None, 0, None, None)), {}, []),
    "nothing judged": (
        part(5, (0,) * 6, coverage_1=estimate(None, 0, None, None)),
        {"error": 5},
        ["waterfall"],
    ),
    "no interval": (
        part(1, (1, 0, 0, 0, 0, 0), coverage_1=estimate(0.0, 1, None, None)),
        {"wrong": 1},
        ["coverage", "solve-rates", "waterfall"],
    ),
    "one k": (part(coverage_1=estimate(0.5)), {"kept": 3}, ["coverage", "solve-rates", "waterfall"]),
    "unknown reasons": (
        part(coverage_1=estimate(1.0)),
        {"x:y": 3, "kept": 0},
        ["coverage", "solve-rates", "waterfall"],
    ),
    "hostile names": (
        part(coverage_1=estimate(0.5))
        | {"by": {"generator": {HOSTILE: part(coverage_1=estimate(0.5)), "b": part()}}},
        {HOSTILE: 1},
        ["coverage", "solve-rates", "waterfall"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_odd_data_leaves_charts_out_and_fails_nothing(name: str) -> None:
    metrics, selection, expected = ODD[name]
    counts = {"selection": selection} if selection else {}
    drawn = charts.card_charts({"counts": counts}, metrics)
    assert [one.name for one in drawn] == [f"{one}.png" for one in expected]


def test_a_chart_that_cannot_be_drawn_is_left_out_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> bytes:
        raise ValueError("no such mark")

    monkeypatch.setattr(drawing, "png", refuse)
    with caplog.at_level(logging.WARNING):
        assert charts.card_charts({"counts": {"selection": {"kept": 1}}}, {}) == []
    assert "waterfall" in caplog.text
    assert "no such mark" in caplog.text


# --- laws --------------------------------------------------------------------------------------------


@given(st.dictionaries(st.sampled_from(["kept", *REASONS]), st.integers(0, 10**9)))
def test_a_waterfall_adds_up(selection: dict[str, int]) -> None:
    found = accounts.waterfall(selection)
    if not sum(selection.values()):
        assert found is None
        return
    assert found is not None
    bars = list(inner(found.spec))
    assert bars[0]["high"] == sum(selection.values())
    left = sum(selection.values())
    for bar in bars[1:-1]:
        assert bar["high"] == left
        left = bar["low"]
    assert left == bars[-1]["high"] == selection.get("kept", 0)
    assert sum(row[1] for row in found.rows[1:-1]) == selection.get("kept", 0) - sum(selection.values())


# --- what is not known -------------------------------------------------------------------------------


def test_a_null_metric_is_no_point() -> None:
    found = charts.coverage(part(coverage_1=estimate(0.5), coverage_2=estimate(None, 10, None, None)))
    assert found is not None
    assert {row["k"] for row in inner(found.spec)} == {1}
    assert "ends before" not in found.caption, "nothing says why"


def test_a_curve_that_ends_says_why() -> None:
    why = "3 of 10 problems have fewer than 4 judged draws (the least: 2)"
    unknown = [estimate(None, 7, None, None) | {"why": f"{why}{k}"} for k in (4, 8)]
    found = charts.coverage(part(coverage_8=unknown[1], coverage_1=estimate(0.5), coverage_4=unknown[0]))
    assert found is not None
    assert f"The curve of all generators ends before k = 4: {why}4." in found.caption


def test_a_point_without_interval_has_no_band_and_says_so() -> None:
    found = charts.coverage(part(1, coverage_1=estimate(0.5, 1, None, None)))
    assert found is not None
    assert found.spec["layer"][0]["data"]["values"] == []
    assert found.rows[0][3] == figures.NOT_KNOWN


def test_costs_that_are_not_known_are_never_zero() -> None:
    found = accounts.spent([cost("a", 2, 4, usd=(4, 8.0, 2.0)), cost("b", 1, 4, usd=(3, 6.0, 1.0))])
    assert found is not None
    prices = {row[0]: row for row in found.rows if row[1] == "US dollars"}
    assert prices["a"] == ("a", "US dollars", 8.0, 2.0, 4.0, "all")
    assert prices["b"] == ("b", "US dollars", 6.0, 1.0, "not known", "3 of 4"), "part of a price is no price"
    assert "Not known: tokens written, FLOPs, seconds." in found.caption
    assert {row["amount"] for row in inner(found.spec)} == {2, 1, 3}, (
        "samples are drawn, as the price is not known"
    )


def test_a_generator_that_keeps_nothing_has_no_price_of_a_row() -> None:
    found = accounts.spent([cost("a", 0, 4, completion_tokens=(4, 80, None))])
    assert found is not None
    assert [row[4] for row in found.rows] == ["no row kept", "no row kept"]
    assert [row["amount"] for row in inner(found.spec)] == [0, 80]


def test_few_samples_are_told_and_not_drawn() -> None:
    summary = {
        one: {"samples": n, "low": 1, "median": 2, "high": 3} for one, n in (("right", 50), ("no answer", 2))
    }
    counts = {"right": [25, 25], "no answer": [2, 0]}
    found = accounts.lengths({"unit": "tokens", "width": 10, "counts": counts, "summary": summary})
    assert found is not None
    assert {row["outcome"] for row in inner(found.spec)} == {"right"}
    assert "Too few for a line: no answer." in found.caption
    assert [row[0] for row in found.rows] == ["right", "no answer"]


def test_more_generators_than_colours_stand_in_the_table_and_the_caption_says_so() -> None:
    parts = {f"g{number}": part(coverage_1=estimate(0.5)) for number in range(9)}
    found = charts.coverage(part(coverage_1=estimate(0.5)) | {"by": {"generator": parts}})
    assert found is not None
    assert len({row["series"] for row in inner(found.spec)}) == figures.MOST_SERIES
    assert "4 more stand in the table only." in found.caption
    assert len(found.rows) == 10


# --- drawing -----------------------------------------------------------------------------------------


def test_every_spec_is_valid_vega_lite(gathered: dict[str, Any]) -> None:
    import altair
    import jsonschema

    drawn = [one for some in charts.report_figures(gathered).values() for one in some]
    assert len(drawn) == 11
    for one in drawn:
        altair.Chart.from_dict({"$schema": drawing.SCHEMA, **one.spec}, validate=True)
    misspelt = {**drawn[2].spec, "mark": {"type": "bar", "hieght": 3}}
    with pytest.raises(jsonschema.ValidationError):
        altair.Chart.from_dict({"$schema": drawing.SCHEMA, **misspelt}, validate=True)


def test_names_are_text_in_svg_and_nothing_else() -> None:
    found = charts.solve_rates({"by": {"generator": {HOSTILE: part(), "b": part()}}} | part())
    assert found is not None
    drawn = drawing.svg(found.spec, 640)
    assert "<script" not in drawn
    assert "<b>" not in drawn
    assert "&lt;script" in drawn
    assert " id=" not in drawn, "ids of two charts on one page would clash"


def test_a_chart_fetches_nothing() -> None:
    spec = {"data": {"url": "http://127.0.0.1:9/data.json"}, "mark": "bar", "encoding": {"x": {"field": "a"}}}
    with pytest.raises(ValueError, match=r"not allowed|allowed"):
        drawing.svg(spec, 300)


def test_half_a_surrogate_pair_is_shown_by_its_number() -> None:
    found = accounts.waterfall({"kept": 1, "odd \ud800": 2})
    assert found is not None
    assert "U+D800" in drawing.svg(found.spec, 340)
