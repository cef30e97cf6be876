"""Signals and labels through a run: whom they are asked about, what they come to, and what is released."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from factory import pipeline, signals
from factory.auditing import labels
from factory.errors import NothingToRelease, UsageError
from factory.metrics.false_positives import draw
from factory.progress import Silent
from factory.recipe import load as load_recipe
from factory.records import LABELS
from factory.release import reading
from factory.store import Store
from tests.support import releases
from tests.support.openai_server import ScriptedServer
from tests.test_asking import says

KEPT = "SELECT sample_id FROM accepted WHERE kept ORDER BY sample_id"


def recipe(root: Path, server: ScriptedServer | None, *sets: str, asked: str = "", **of_release: Any) -> Path:
    """A recipe on the sums whose false positives are asked about, by a judge behind `server` if any."""
    text = releases.recipe_text(
        "1.0.0", 4, f"  require: {json.dumps(of_release)}\n", "sft, samples, problems"
    )
    text = text.replace("also: [arithmetic], ", "").replace(
        "bootstrap: 200}", f"bootstrap: 200, false_positives: {{{asked}}}}}"
    )
    if server is not None:
        judge = {"engine": "openai", "base_url": server.base_url, "model": "tiny", "active_parameters": 1.0e9}
        text += f"judges: {{strict: {json.dumps(judge | {'price': {'input': 1.0, 'output': 2.0}})}}}\n"
    path = root / "recipe.yaml"
    path.write_text(text)
    return path


def run(path: Path, store: Store) -> pipeline.Outcome:
    return pipeline.run(load_recipe(path), store, path.parent, Silent())


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of samples, and nothing made of them."""
    root = tmp_path_factory.mktemp("drawn")
    releases.make_store(root, problems=6)
    return root


@pytest.fixture(scope="module")
def made(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pipeline.Outcome]:
    """Such a folder after a run that asked no model, and what the run did."""
    root = shutil.copytree(drawn, tmp_path_factory.mktemp("made"), dirs_exist_ok=True)
    return root, run(recipe(root, None), Store(root / "store"))


@pytest.fixture
def place(made: tuple[Path, pipeline.Outcome], tmp_path: Path) -> Path:
    return shutil.copytree(made[0], tmp_path, dirs_exist_ok=True)


@pytest.fixture
def store(place: Path) -> Store:
    return Store(place / "store")


def manifest_of(folder: Path) -> reading.Manifest:
    found, _ = reading.read(folder)
    assert found is not None
    return found


def kept_of(store: Store, folder: Path) -> list[str]:
    """The kept samples of a release, from the view `accepted`."""
    with store.connect() as connection:
        signals.enter_release(connection, folder, manifest_of(folder))
        return [one for (one,) in connection.execute(KEPT).fetchall()]


def label(store: Store, words: list[tuple[str, str, str]], at: str = "2026-01-01T00:00:00Z") -> None:
    rows = [{"sample_id": s, "annotator": a, "label": w, "note": None, "at": at} for s, a, w in words]
    with store.lock("test"):
        store.append("labels", pa.Table.from_pylist(rows, schema=LABELS))


def test_signals_are_asked_of_accepted_samples_and_reject_none(place: Path, store: Store) -> None:
    wrong = "Start with"  # the judge suspects one way of writing

    def reply(text: str) -> str:
        return "VERDICT: INCORRECT" if wrong in text.split("BEGIN SOLUTION")[1] else "VERDICT: CORRECT"

    with ScriptedServer(reply=says(reply)) as server:
        path = recipe(place, server, asked="judge: {generator: strict}")
        path.write_text(path.read_text().replace("version: 1.0.0", "version: 2.0.0"))
        outcome = run(path, store)
        calls = len(server.log)
        again = run(path, store)
        assert len(server.log) == calls, "no sample is asked about twice"
    found = outcome.metrics["false_positives"]
    accepted = found["accepted"]["per_solution"]["population"]
    assert calls == accepted, "every accepted sample is asked about, and no other"
    assert outcome.counts["selection"]["kept"] == found["kept"]["per_solution"]["population"]
    assert not [reason for reason in outcome.counts["selection"] if reason.startswith("rejected_by")]
    assert found["judge"]["fail"] + found["judge"]["pass"] == accepted
    assert found["judge"]["fail"] == found["signal"]["suspect"]["samples"] > 0
    assert found["judge"]["model"] == "strict"
    assert again.unchanged
    assert again.release_id == outcome.release_id
    assert outcome.release is not None
    lock = manifest_of(outcome.release).lock
    arithmetic, judge = lock["signals"]
    assert arithmetic["verifier"].startswith("arithmetic@")
    assert (judge["judge"], judge["options"]["votes"]) == ("strict", 1)
    assert "A right answer reached by wrong reasoning is incorrect" in judge["rubric"]
    assert lock["judges"]["strict"]["model"] == "tiny"
    told = json.loads((outcome.release / "metrics.json").read_text())["false_positives"]
    assert told["judge"] == found["judge"]


def test_what_signals_say_is_no_estimate(made: tuple[Path, pipeline.Outcome]) -> None:
    found = made[1].metrics["false_positives"]
    for of in ("accepted", "kept"):
        for per in ("per_solution", "per_problem"):
            told = found[of][per]
            assert (told["value"], told["low"], told["high"], told["labelled"]) == (None, 0.0, 1.0, 0)
    assert found["judge"] is None
    assert found["arithmetic"]["pass"] == found["signal"]["clear"]["samples"] > 0
    assert "Nobody has labelled" in found["said"]


def test_more_judged_only_adds(place: Path, store: Store) -> None:
    asked: list[set[str]] = []
    for number in (3, 6):
        with ScriptedServer(reply=says(lambda _: "VERDICT: CORRECT")) as server:
            path = recipe(place, server, asked=f"judge: {{generator: strict}}, judged: {number}")
            outcome = pipeline.run(load_recipe(path, (f"version={number}.0.0",)), store, place, Silent())
            assert len(server.log) == 3, "those of before are known"
        told = outcome.metrics["false_positives"]
        assert told["judge"]["asked"] == number
        assert told["signal"]["unjudged"]["samples"] > 0, "whom nobody asked about is not clear"
        with store.connect() as connection:
            rows = connection.execute("SELECT sample_id FROM verdicts WHERE verifier = 'judge'").fetchall()
        asked.append({one for (one,) in rows})
    assert asked[0] < asked[1]


def test_labels_make_an_estimate_and_the_release_stands(
    made: tuple[Path, pipeline.Outcome], place: Path, store: Store
) -> None:
    path, folder = place / "recipe.yaml", store.releases / "sums@1.0.0"
    kept = kept_of(store, folder)
    label(store, [(one, "zelda", "right") for one in kept])
    label(store, [(kept[0], "zelda", "wrong")], at="2026-01-02T00:00:00Z")
    label(store, [(kept[2], "bob", "unsure"), ("elsewhere", "bob", "wrong")])
    waits = labels.row(kept[1], "bob", "wrong", None) | {"at": "2026-01-01T00:00:00Z"}
    labels.keep(store, waits)  # given while another run held the store
    again = run(path, store)
    assert labels.waiting(store) == 0
    assert (again.release_id, again.unchanged) == (made[1].release_id, True)
    found = again.metrics["false_positives"]
    told = found["kept"]["per_solution"]
    # The last word of zelda counts; bob and she tie on one; of one bob is unsure, and she is sure.
    assert found["labels"] == {"right": len(kept) - 2, "wrong": 1, "unsure": 1}
    assert (told["labelled"], told["wrong"], told["unsure"]) == (len(kept) - 1, 1, 1)
    assert (found["annotators"], found["until"]) == (2, "2026-01-02T00:00:00Z")
    assert found["agreement"]["annotators"] == ["annotator 1", "annotator 2"]
    assert "zelda" not in json.dumps(found)
    assert told["unsure_right"]["value"] < told["value"] < told["unsure_wrong"]["value"]
    standing = json.loads((folder / "metrics.json").read_text())["false_positives"]
    assert standing["labels"] == {"right": 0, "wrong": 0, "unsure": 0}, "as it was when it was made"


def test_a_bound_is_required_and_met_by_labels_without_a_release(place: Path, store: Store) -> None:
    kept = kept_of(store, store.releases / "sums@1.0.0")
    shutil.rmtree(store.releases)
    path = recipe(place, None, false_positive_upper="<= 0.05", rows=">= 3")
    with pytest.raises(NothingToRelease, match="nobody has labelled a kept sample") as missed:
        run(path, store)
    assert re.search(r"factory audit RECIPE --number \d+", str(missed.value))
    assert "rows" not in str(missed.value)
    assert not list(store.releases.glob("*@*"))
    label(store, [(one, "zelda", "right") for one in kept])
    met = run(path, store)
    assert met.metrics["false_positives"]["kept"]["per_solution"]["high"] == 0.0, "each one has a label"
    assert met.release is not None


def test_the_strata_of_a_release_are_those_of_its_run(made: tuple[Path, pipeline.Outcome]) -> None:
    root, outcome = made
    assert outcome.release is not None
    with Store(root / "store").connect() as connection:
        signals.enter_release(connection, outcome.release, manifest_of(outcome.release))
        rows = signals.strata(connection)
        texts = connection.execute("SELECT prompt, completion, reference FROM accepted").fetchall()
    told = outcome.metrics["false_positives"]
    assert rows.column_names == list(signals.STRATA)
    assert rows.num_rows == told["accepted"]["per_solution"]["population"]
    assert sum(rows["kept"].to_pylist()) == told["kept"]["per_solution"]["population"]
    assert {judge: rows["judge"].to_pylist().count(judge) for judge in ("clear", "suspect", "unjudged")} == {
        judge: entry["samples"] for judge, entry in told["signal"].items()
    }
    assert all("apples" in prompt and reference for prompt, _, reference in texts)
    assert len(draw(rows, 5, seed=0)) == 5


def test_a_release_without_samples_has_nobody_to_ask_about(made: tuple[Path, pipeline.Outcome]) -> None:
    root, outcome = made
    assert outcome.release is not None
    found = manifest_of(outcome.release)
    lacking = found.model_copy(update={"files": [one for one in found.files if one.config == "problems"]})
    with (
        Store(root / "store").connect() as connection,
        pytest.raises(ValueError, match=r"the release has no config samples$"),
    ):
        signals.enter_release(connection, outcome.release, lacking)


@pytest.mark.parametrize(
    ("require", "expected"),
    [
        ({"coverage@3": ">= 0.1"}, "3 is not one of measure.k, [1, 2, 4]"),
        ({"false_positive_uper": "<= 0.1"}, "did you mean false_positive_upper?"),
        ({"maj": ">= 0.1"}, "'maj' is no figure of a release"),
        ({"usd_per_row": "<= 0.1"}, "did you mean usd_per_kept_row?"),
        ({"recall@4": ">= 0.1"}, "'recall@4' is no figure of a release"),
    ],
)
def test_a_requirement_that_names_no_figure_is_refused_when_the_recipe_is_read(
    tmp_path: Path, require: dict[str, str], expected: str
) -> None:
    with pytest.raises(UsageError, match="release") as refused:
        load_recipe(recipe(tmp_path, None, **require))
    assert expected in str(refused.value)


def test_a_judge_that_is_no_model_of_the_recipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the judge 'strict' is no model of this recipe"):
        load_recipe(recipe(tmp_path, None, asked="judge: {generator: strict}"))
