"""The page of a report: its numbers, what it says where nothing is known, and that no text becomes markup."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import re
import shutil
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory import reporting
from factory.errors import CheckFailed, UsageError
from factory.loop import loop_report
from factory.report import look, markup, page, sections
from factory.store import Store
from tests.support import releases
from tests.support.running import done, factory

pytestmark = pytest.mark.usefixtures("kept_servers")

HOSTILE = "</pre></td><script>alert(1)</script><img src=x onerror=alert(1)>\"'`&amp;\u202e"


class Tags(HTMLParser):
    """Counts tags with the names of their attributes, and keeps the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found[tag] += 1
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def everywhere(value: Any, text: str) -> Any:
    """`value` with each text in it replaced, keys and numbers left as they are."""
    if isinstance(value, dict):
        return {key: everywhere(one, text) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(everywhere(one, text) for one in value)
    return text if isinstance(value, str) else value


# --- numbers -----------------------------------------------------------------------------------------


def test_the_numbers_are_those_of_metrics_json(gathered: dict[str, Any], folder: Path) -> None:
    released = json.loads((folder / "metrics.json").read_text())
    parts = [(released, gathered["metrics"])]
    parts += [
        (released["by"]["generator"][one], gathered["metrics"]["by"]["generator"][one])
        for one in ("strong", "weak")
    ]
    for before, now in parts:
        for key in (
            "coverage@1",
            "coverage@2",
            "coverage@4",
            "diversity@4",
            "solve_rate",
            "problems",
            "samples",
        ):
            assert now[key] == before[key], key
    assert "coverage@16" in gathered["metrics"], "curves go on where the recipe asks for less"
    assert ("rows kept", 24, "of 192 samples") in gathered["numbers"]


def test_only_the_report_of_a_round_names_its_loop(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, _ = reporting.report(store, "sums@1.0.0", tmp_path / "plain.html")
    assert "of the loop" not in Tags(plain.read_text()).text
    where = {"loop": f"nano{HOSTILE}", "round": 1, "page": "store/loops/nano@1.0.0/report.html"}
    monkeypatch.setattr(loop_report, "of_release", lambda *_, **__: where)
    path, _ = reporting.report(store, "sums@1.0.0", tmp_path / "round.html")
    tags = Tags(path.read_text())
    assert "Round 1 of the loop nano</pre>" in tags.text
    assert "script" not in tags.found


def test_counts_of_rows_add_up(gathered: dict[str, Any]) -> None:
    assert sum(one["samples"] for one in gathered["costs"]) == 192
    assert sum(one["kept"] for one in gathered["costs"]) == gathered["counts"]["selection"]["kept"]
    assert {series: sum(one.values()) for series, one in gathered["paths"].items()} == {
        "all generators": 12,
        "strong": 12,
        "weak": 12,
    }
    summary = gathered["lengths"]["summary"]
    assert sum(one["samples"] for one in summary.values()) == 192
    assert {one: sum(gathered["lengths"]["counts"][one]) for one in summary} == {
        one: entry["samples"] for one, entry in summary.items()
    }


def test_twenty_rows_are_drawn_by_the_release_id(gathered: dict[str, Any], store: Store) -> None:
    rows = gathered["rows"]
    assert {name: len(some) for name, some in rows.items()} == {"right": 8, "wrong": 8, "unsure": 4}
    assert {row["status"] for row in rows["wrong"]} == {"fail"}
    assert {row["status"] for row in rows["unsure"]} == {"no_answer"}
    assert all(
        row["prompt"] and row["reference"] and row["because"] for some in rows.values() for row in some
    )
    other = reporting.gather(store.releases / "sums@1.0.0")["rows"]
    assert [row["sample_id"] for row in other["right"]] != [row["sample_id"] for row in rows["right"]]


def test_the_release_before_is_compared_by_what_the_release_says(gathered: dict[str, Any]) -> None:
    text = Tags(sections.changes(gathered["changes"])).text
    assert "Changes since sums 1.0.0" in text
    assert "a new major version" in text
    assert "config rewards: 12 rows changed" in text


def test_another_release_is_compared_when_asked_for(store: Store, tmp_path: Path) -> None:
    _, shown = reporting.report(store, "sums@1.0.0", tmp_path / "a.html", against="sums@2.0.0")
    assert shown["changes"]["configs"]["samples"]["removed"] == 96
    assert "Changes since sums 2.0.0" in (tmp_path / "a.html").read_text()


def test_equal_releases_have_equal_pages_wherever_they_stand(
    store: Store, folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(folder, tmp_path / "elsewhere")
    reporting.report(store, "sums@2.0.0", tmp_path / "a.html")
    reporting.report(store, str(tmp_path / "elsewhere"), tmp_path / "b.html")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert (tmp_path / "a.html").stat().st_size < 2_000_000


# --- a page that loads nothing -----------------------------------------------------------------------


def test_the_page_loads_nothing_and_allows_its_own_style_only(gathered: dict[str, Any]) -> None:
    text = page.render(gathered)
    tags = Tags(text)
    assert not {"script", "img", "iframe", "object", "embed", "link", "form", "a", "base"} & set(tags.found)
    assert not {"src", "href", "style", "srcset", "action"} & tags.attributes
    assert not [one for one in tags.attributes if one.startswith("on")]
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'" in text
    assert "url(" not in look.STYLE
    assert "@import" not in look.STYLE


def test_no_text_becomes_markup_wherever_it_stands(gathered: dict[str, Any]) -> None:
    plain, hostile = (
        Tags(page.render({**everywhere(gathered, text), "metrics": gathered["metrics"]}))
        for text in ("plain", HOSTILE)
    )
    assert plain.found == hostile.found
    assert plain.attributes == hostile.attributes
    assert "\u202e" not in hostile.text
    assert "⟨U+202E⟩" in hostile.text


@given(st.text())
def test_a_text_comes_back_as_it_was_but_for_what_cannot_be_seen(text: str) -> None:
    shown = Tags(f"<p title='{markup.text(text)}'>{markup.text(text)}</p>")
    assert shown.found == {"p": 1}
    assert shown.attributes == {"title"}
    expected = re.sub(r"⟨U\+[0-9A-F]{4,6}⟩", "", shown.text)
    assert all(sign in text for sign in expected)
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08]", shown.text)


@pytest.mark.parametrize(
    ("length", "shown", "says"),
    [
        (sections.SHORT, sections.SHORT, ""),
        (sections.SHORT + 1, 2 * sections.SHORT + 1, "All 1,201 characters"),
        (sections.FULL, sections.SHORT + sections.FULL, "All 12,000 characters"),
        (
            sections.FULL + 1,
            sections.SHORT,
            "Its first 1,200 of 12,001 characters; the page leaves out the rest.",
        ),
    ],
)
def test_long_texts_are_shortened(gathered: dict[str, Any], length: int, shown: int, says: str) -> None:
    row = gathered["rows"]["wrong"][0] | {
        "completion": "§" * min(length, sections.FULL),
        "characters": length,
    }
    text = Tags(sections.rows({"right": [], "wrong": [row], "unsure": []})).text
    assert text.count("§") == shown
    assert says in text


# --- what is not there -------------------------------------------------------------------------------


def test_what_is_not_known_is_said(gathered: dict[str, Any]) -> None:
    assert ("US dollars for a kept row", None, "no prices known") in gathered["numbers"]
    text = Tags(page.render({**gathered, "certificates": [], "changes": None})).text
    assert "not known" in text
    assert "Not known: tokens written, FLOPs, seconds, US dollars." in text
    assert "No verifier of this release is certified" in text
    assert "This release holds no comparison with an earlier version" in text


def test_a_release_without_samples_says_so_and_draws_what_metrics_json_holds(
    folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(folder, tmp_path / "bare")
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["configs"]["samples"], manifest["configs"]["problems"]
    (tmp_path / "bare" / "manifest.json").unlink()
    (tmp_path / "bare" / "manifest.json").write_text(json.dumps(manifest))
    gathered = reporting.gather(tmp_path / "bare")
    text = page.render(gathered)
    assert set(re.findall('data-chart="([^"]*)"', text)) == {
        "coverage", "majority", "diversity", "solve-rates", "solve-rates-by-difficulty", "waterfall",
        "budget", "stops",
    }  # fmt: skip
    assert "no config `samples`, so no sample can be shown" in text
    assert "so costs and lengths are not known" in text


def test_nothing_known_at_all_is_still_a_page(gathered: dict[str, Any]) -> None:
    nothing = copy.deepcopy(gathered) | {
        "metrics": {}, "paths": {}, "costs": [], "lengths": {"summary": {}}, "counts": {}, "rows": None,
        "changes": None, "certificates": [], "numbers": [], "budget": None, "stops": [],
        "false_positives": None,
    }  # fmt: skip
    text = Tags(page.render(nothing)).text
    assert all(one in text for one in page.ABSENT.values())


def test_one_wrong_sample_of_one_problem_is_a_report(store: Store, tmp_path: Path) -> None:
    one = ("name=one", "problems.0.limit=1")
    releases.release(store.root.parent, store, samples=1, configs="samples, problems", sets=one)
    _, shown = reporting.report(store, "one@1.0.0", tmp_path / "one.html")
    assert shown["counts"]["selection"] == {"kept": 1, "wrong": 1}
    assert "not known" in (tmp_path / "one.html").read_text(), "one problem has no interval"


# --- refusals ----------------------------------------------------------------------------------------


def test_a_release_of_another_format_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "old")
    manifest = json.loads((folder / "manifest.json").read_text()) | {"format": 1}
    (tmp_path / "old" / "manifest.json").unlink()
    (tmp_path / "old" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CheckFailed, match="is of format 1, and this factory reports on format 2"):
        reporting.gather(tmp_path / "old")


@pytest.mark.parametrize(
    ("damaged", "says"),
    [
        ("data/samples/train-00000-of-00001.parquet", "cannot be read"),
        ("metrics.json", "metrics.json is no JSON"),
    ],
)
def test_a_damaged_release_is_refused_and_nothing_written(
    store: Store, folder: Path, tmp_path: Path, damaged: str, says: str
) -> None:
    shutil.copytree(folder, tmp_path / "damaged")
    (tmp_path / "damaged" / damaged).unlink()
    (tmp_path / "damaged" / damaged).write_bytes(b"PAR1 nothing")
    with pytest.raises(CheckFailed, match=says):
        reporting.report(store, str(tmp_path / "damaged"), tmp_path / "out.html")
    assert not (tmp_path / "out.html").exists()


def test_a_report_is_never_written_into_a_release(store: Store, folder: Path) -> None:
    with pytest.raises(UsageError, match="is inside the release, which never changes"):
        reporting.report(store, "sums@2.0.0", folder / "report.html")


def test_the_command_writes_beside_and_tells_what_it_shows(store: Store, tmp_path: Path) -> None:
    told = done(factory("report", "sums@2.0.0", "--store", store.root.absolute(), "--json", cwd=tmp_path))
    assert told["file"] == "sums-2.0.0.html"
    assert told["bytes"] == (tmp_path / "sums-2.0.0.html").stat().st_size
    assert told["counts"]["selection"]["kept"] == 24
    wrong = factory("report", "sums@9.0.0", "--store", store.root.absolute(), cwd=tmp_path)
    assert wrong.returncode == 2
    assert "has no release sums@9.0.0; it has sums@" in wrong.stderr
