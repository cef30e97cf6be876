"""The report as a real browser shows it: charts with marks in them, nothing outside, nothing asked for.

The same checks are shown to find what they look for, on a page with charts broken on purpose.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from factory.report import charts, page
from factory.report.figures import Figure
from tests.support import browser

pytestmark = pytest.mark.skipif(
    browser.find() is None, reason=f"needs a browser in PATH: one of {', '.join(browser.NAMES)}"
)


@pytest.mark.parametrize("width", [360, 1400])
def test_every_chart_shows_its_data_and_nothing_leaves_the_page(
    gathered: dict[str, Any], tmp_path: Path, width: int
) -> None:
    seen = browser.look(page.render(gathered), width, tmp_path)
    assert browser.faults(seen) == []
    assert {one["name"] for one in seen["charts"]} == {
        "coverage", "majority", "solve-rates", "solve-rates-by-difficulty", "diversity", "paths",
        "waterfall", "cost", "lengths", "budget", "stops",
    }  # fmt: skip
    marks = {one["name"]: one["marks"] for one in seen["charts"]}
    assert marks["waterfall"] == 6, "samples, four reasons, kept"
    assert marks["coverage"] == 3 + 3 + 13, "bands, lines and points of three series"


def _with(figure: Figure, name: str, **changes: Any) -> Figure:
    """The figure with some of its spec changed: one that Vega-Lite draws without a word."""
    return replace(figure, name=name, spec=_merged(figure.spec, changes))


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **old,
        **{key: _merged(old[key], one) if isinstance(one, dict) else one for key, one in new.items()},
    }


def test_what_is_broken_on_purpose_is_found(gathered: dict[str, Any], tmp_path: Path) -> None:
    (rates,) = (one for one in charts.report_figures(gathered)["Coverage"] if one.name == "solve-rates")
    white = {"color": {"scale": {"range": ["#ffffff"] * 3}, "legend": None}}
    hidden = {"x": {"axis": None, "title": None}, "y": {"axis": None, "title": None}}
    broken = [
        _with(rates, "no-data", data={"values": []}),
        _with(rates, "another-field", encoding={"y": {"field": "nothing"}}),
        _with(rates, "white-on-white", encoding=white | hidden),
        replace(rates, name="no-words", alt="", rows=(), caption="Look."),
    ]
    extra = '<img src="/spy.png"><script>document.title = "run"</script><div class="broad">wide</div>'
    whole = page.render(gathered).replace(
        "<main>", "<main>" + "".join(page.figure(one) for one in broken) + extra
    )
    # The policy does not know this style, which is one more fault.
    seen = browser.look(whole.replace("</main>", '<p style="width:3000px">broad</p></main>'), 700, tmp_path)
    found = "\n".join(browser.faults(seen))
    for fault in (
        "chart no-data has no marks",
        "chart another-field has no marks",
        "chart white-on-white is blank",
        "chart no-words says nothing in its place",
        "chart no-words has no numbers beside it",
        "chart no-words has no n in its caption",
        "the page holds 1 scripts",
    ):
        assert fault in found
    for refused in ("img-src", "script", "style"):
        assert any(refused in line and "Content Security Policy" in line for line in seen["console"]), refused
    assert "/spy.png" not in seen["asked"], "the policy of the page holds"


def test_a_page_without_a_policy_that_asks_for_more_is_found(tmp_path: Path) -> None:
    text = '<!DOCTYPE html><meta charset="utf-8"><body style="margin:0"><img src="/spy.png" alt="">'
    seen = browser.look(text + '<div style="width:900px">wide</div>', 400, tmp_path)
    found = browser.faults(seen)
    assert "the page asked for /spy.png" in found
    assert any(one.startswith("the page is wider than 400: 900") for one in found)
