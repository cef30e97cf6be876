"""The audit page in a real browser: key presses become labels in the store."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from factory.store import Store
from tests.support.auditing import HIDDEN, MARKUP, Audit, audit, locked, stored
from tests.support.browser import find
from tests.support.devtools import Page, browsing

pytestmark = pytest.mark.skipif(find() is None, reason="needs Chromium or Chrome in PATH")

SHOWN = "!moving && !unsent && item && document.getElementById('place').textContent"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browsing(tmp_path_factory.mktemp("browser")) as one:
        yield one


@pytest.fixture(scope="module")
def running(store: Store) -> Iterator[Audit]:
    with audit(store.root.parent) as one:
        yield one


@pytest.fixture
def page(browser: Page, running: Audit, store: Store) -> Page:
    """The page at an item that its annotator has not labelled."""
    browser.messages.clear()
    browser.asked.clear()
    browser.look(900, 760)
    browser.open(running.address)
    browser.wait(f"document.readyState === 'complete' && {SHOWN}")
    return browser


def at(page: Page) -> int:
    page.wait(SHOWN)
    return int(page.value("item.number"))


def pressed(page: Page) -> list[str]:
    return list(
        page.value("[...document.querySelectorAll('[aria-pressed=true]')].map(one => one.dataset.label)")
    )


def text(page: Page, ident: str) -> str:
    return str(page.value(f"document.getElementById('{ident}').textContent"))


def labelled(page: Page, key: str) -> None:
    """Press the key of a label, and wait for the store to have it."""
    number = at(page)
    page.press(key)
    page.wait(f"document.getElementById('saved').textContent.startsWith('Solution {number}:') && {SHOWN}")


def last(store: Store) -> dict[str, Any]:
    return stored(store)[-1]


def test_keys_label_item_after_item(page: Page, store: Store) -> None:
    before, done = len(stored(store)), int(text(page, "progress-text").split()[0])
    seen = []
    for key in ("1", "r", "2", "w", "3", "u"):
        seen.append(at(page))
        labelled(page, key)
    assert len(set(seen)) == 6
    words = [row["label"] for row in stored(store)[before:]]
    assert words == ["right", "right", "wrong", "wrong", "unsure", "unsure"]
    assert text(page, "progress-text") == f"{done + 6} of 12 labelled by you"
    assert "Saved in the store." in text(page, "saved")
    assert page.messages == []


def test_undo_goes_back_and_the_new_label_counts(page: Page, store: Store) -> None:
    number = at(page)
    labelled(page, "1")
    first = last(store)
    assert at(page) != number
    page.press("z")
    page.wait(f"item.number === {number} && !moving")
    assert pressed(page) == ["right"]
    labelled(page, "2")
    assert (last(store)["sample_id"], last(store)["label"]) == (first["sample_id"], "wrong")
    assert at(page) != number


def test_a_note_goes_with_the_label_and_its_keys_label_nothing(page: Page, store: Store) -> None:
    before, number = len(stored(store)), at(page)
    page.press("n")
    page.wait("document.activeElement.id === 'note'")
    page.type("r1 wgz? step 2 ")
    page.press("2")  # a key in the note is text
    page.press("Escape")
    page.wait("document.activeElement.id !== 'note'")
    assert (len(stored(store)), at(page)) == (before, number)
    labelled(page, "w")
    assert (last(store)["label"], last(store)["note"]) == ("wrong", "r1 wgz? step 2 2")
    # A note that is changed later is a new row with the same label.
    page.press("k") if at(page) == number + 1 else page.press("z")
    page.wait(f"item.number === {number} && !moving")
    page.press("n")
    page.wait("document.activeElement.id === 'note'")
    page.type(" and 3")
    page.press("Escape")
    page.wait(f"!unsent && item.note.endsWith('and 3') && item.number === {number}")
    assert (last(store)["label"], len(stored(store))) == ("wrong", before + 2)


def test_the_gold_answer_is_shown_on_demand_and_hidden_again(page: Page) -> None:
    assert page.value("document.getElementById('gold').hidden")
    page.press("g")
    page.wait("!document.getElementById('gold').hidden")
    assert text(page, "gold").isdigit()
    assert page.value("document.getElementById('gold-button').getAttribute('aria-expanded')") == "true"
    page.press("g")
    page.wait("document.getElementById('gold').hidden")
    assert text(page, "gold") == ""


def test_arrows_and_letters_move_and_stop_at_the_ends(page: Page) -> None:
    while at(page) > 1:
        page.press("k")
    page.press("ArrowLeft")
    assert at(page) == 1
    for key, place in (("j", 2), ("ArrowRight", 3), ("k", 2), ("ArrowLeft", 1)):
        page.press(key)
        page.wait(f"item.number === {place} && !moving")
    while at(page) < 12:
        page.press("ArrowRight")
    page.press("j")
    assert at(page) == 12


def test_help_takes_the_keys_while_it_is_open(page: Page, store: Store) -> None:
    before = len(stored(store))
    page.press("?")
    page.wait("document.getElementById('help').open")
    page.press("1")
    page.press("Escape")
    page.wait("!document.getElementById('help').open")
    page.press("?")
    page.wait("document.getElementById('help').open")
    page.press("?")
    page.wait("!document.getElementById('help').open")
    assert len(stored(store)) == before


def test_the_mouse_will_do(page: Page, store: Store) -> None:
    number = at(page)
    page.click("[data-label=unsure]")
    page.wait(f"document.getElementById('saved').textContent.startsWith('Solution {number}: unsure')")
    assert last(store)["label"] == "unsure"


def test_hostile_text_stays_text(page: Page) -> None:
    shown = ""
    for number in range(1, 13):
        page.value(f"show({number})")
        page.wait(f"item.number === {number} && !moving")
        shown += page.value("document.getElementById('steps').innerText")
    assert MARKUP in shown
    assert "</ol><style>" in shown
    assert "⟨U+202E⟩" in shown
    assert page.value("document.title") == "Audit"
    assert page.value("document.querySelectorAll('main img, main script, main style').length") == 0
    assert page.messages == []


def test_nothing_is_asked_for_elsewhere_and_nothing_is_given_away(page: Page, running: Audit) -> None:
    at(page)
    assert page.asked
    assert {one for one in page.asked if not one.startswith((running.address, "data:,"))} == set()
    markup = page.value("document.documentElement.outerHTML")
    assert not [word for word in HIDDEN if word in markup or word in " ".join(page.asked)]
    assert page.value("localStorage.length + sessionStorage.length + document.cookie.length") == 0


def test_its_policy_runs_no_other_script(page: Page) -> None:
    page.value(
        "(() => { const one = document.createElement('script'); one.textContent = 'document.title = 1';"
        " document.body.append(one); document.body.insertAdjacentHTML('beforeend',"
        ' \'<img src="data:,x" onerror="document.title = 2">\'); })()'
    )
    page.wait("true")
    assert page.value("new Promise(done => setTimeout(() => done(document.title), 300))") == "Audit"
    assert [one for one in page.messages if "Content Security Policy" in one]


@pytest.mark.parametrize(("width", "dark"), [(400, False), (400, True), (900, True), (320, False)])
def test_the_page_fits_and_can_be_read(page: Page, tmp_path: Path, width: int, dark: bool) -> None:
    page.look(width, 800, dark=dark)
    page.wait(f"document.documentElement.clientWidth === {width}")
    assert page.value("document.documentElement.scrollWidth") <= width
    ratios = page.value(CONTRAST)
    assert ratios
    assert {what: ratio for what, ratio in ratios.items() if ratio < 4.5} == {}
    page.picture(tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 5_000


CONTRAST = """(() => {
  const light = colour => colour.match(/[\\d.]+/g).slice(0, 3).map(one => one / 255)
    .map(one => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
    .reduce((sum, one, at) => sum + one * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = one => {
    for (; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if (!/, 0\\)$|transparent/.test(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const found = {};
  const read = "h1, h2, h3, p, li, b, label, .number, .equation, [data-label]";
  for (const one of document.querySelectorAll(read)) {
    if (!one.offsetParent || one.disabled) continue;
    const [a, b] = [light(getComputedStyle(one).color), light(ground(one))].sort((x, y) => y - x);
    found[one.tagName + "." + one.className + "#" + one.id] = (a + 0.05) / (b + 0.05);
  }
  return found;
})()"""


def test_everything_has_a_name_for_those_who_cannot_see_it(page: Page) -> None:
    nodes = page.send("Accessibility.getFullAXTree")["nodes"]
    roles = {"button", "textbox", "progressIndicator", "group", "article", "region"}
    found = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node.get("ignored") and node["role"]["value"] in roles
    ]
    assert {role for role, _ in found} >= {"button", "textbox", "group", "article"}
    assert [role for role, name in found if not name] == []
    assert any(name.startswith("Right") for _, name in found)


def test_a_store_that_is_written_and_a_server_that_is_gone_are_told(
    browser: Page, store: Store, tmp_path: Path
) -> None:
    with audit(store.root.parent, annotator="eve") as one:
        browser.open(one.address)
        browser.wait(f"document.readyState === 'complete' && {SHOWN}")
        with locked(store, "factory run recipe.yaml"):
            labelled(browser, "1")
            assert "1 label is safe on the disk and not in the store yet" in text(browser, "saved")
        browser.wait("document.getElementById('saved').textContent === 'Saved in the store.'")
        assert (last(store)["annotator"], last(store)["label"]) == ("eve", "right")
        one.end(signal.SIGKILL)
        number = int(browser.value("item.number"))
        browser.press("2")
        browser.wait("document.getElementById('saved').textContent.startsWith('Not saved yet')")
        assert int(browser.value("item.number")) == number
        assert browser.value("unsent.label") == "wrong"
    assert last(store)["label"] == "right"
    browser.value("unsent = null")  # or leaving the page asks whether to
    browser.messages.clear()
