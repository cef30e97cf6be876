"""The page of a loop: what it shows of a state, what it says where nothing is known, and its warnings."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest

from factory.loop import loop_cautions, loop_figures, loop_report, loop_state
from factory.report import loop_page
from factory.store import Store
from tests.report.test_page import Tags, everywhere

HOSTILE = "</td><script>alert(1)</script>\"'&amp;\u202e"


def estimate(value: float | None, wide: float = 0.02, n: int = 2000) -> dict[str, Any]:
    ends = (None, None) if value is None else (round(value - wide, 6), round(value + wide, 6))
    return {"value": value, "low": ends[0], "high": ends[1], "n_problems": n, "at_most": value}


def labels(number: int) -> list[str]:
    return ["start", *(f"r{one}" for one in range(1, number + 1))]


ACCURACY = {
    "validation": [0.40, 0.50, 0.49],
    "test": [0.41, 0.51, 0.48],
    "train": [0.42, 0.60, 0.75],
}


def evaluation(number: int, n: int = 2000) -> dict[str, Any]:
    """What evaluating.evaluate returns after round `number`, of the models so far."""
    sets = {}
    for name, values in ACCURACY.items():
        models = {
            label: {
                "generators": {"greedy": f"{place:032x}"},
                "counts": {"greedy": {"pass": 1, "fail": 1, "no_answer": 3, "error": 0, "unverified": 0}},
                "figures": {"greedy": estimate(values[place], n=n)},
            }
            for place, label in enumerate(labels(number))
        }
        differences = {
            label: {
                labels(number)[other]: {
                    "greedy": {
                        **estimate(values[place] - values[other], 0.03, n),
                        "wins": 9,
                        "losses": 4,
                        "ties": n - 13,
                        "p": 0.2668,
                    }
                }
                for other in dict.fromkeys((0, place - 1))
            }
            for place, label in enumerate(labels(number))
            if place
        }
        overlap = {
            "policy": "leave_out",
            "against": {"start": {"problems": 300, "same": 0}},
            "near": {"problems": 0, "of": n, "share": 0.0},
            "left_out": 0,
        }
        sets[name] = {
            "verifier": "math@9",
            "problems": {"asked": n},
            "overlap": None if name == "train" else overlap,
            "not_measured": {},
            "models": models,
            "differences": differences,
        }
    return {"evaluation_id": f"{number:032x}", "recipe": f"nano-r{number}@1.0.0", "sets": sets}


def entry(number: int) -> dict[str, Any]:
    own = {
        "samples": {"verified": 800, "passed": 100 + 50 * number, "errors": 0, "unverified": 0},
        "coverage@1": estimate(0.3 + 0.1 * number, n=100),
        "coverage@8": estimate(0.5 + 0.1 * number, n=100),
        "diversity@8": estimate(1.5, n=100),
    }
    curve = [{"step": at, "loss": 2.0 / at, "learning_rate": 1e-3, "grad_norm": None} for at in (1, 2, 4)]
    result = {
        "rows": 200 + number,
        "steps": 300,
        "epochs": 12.5,
        "tokens": 90_000,
        "loss_tokens": 40_000,
        "seconds": 61.5,
        "device": "cpu",
        "precision": "float32",
        "parameters": 600_000,
        "trained_parameters": 600_000,
        "order_digest": "0" * 64,
        "curve": curve,
        "resumed_at": [150] if number == 2 else [],
    }
    return {
        "round": number,
        "sampled_from": f"nano-r{number - 1}@1.0.0" if number else None,
        "release": {
            "id": f"nano-r{number}@1.0.0",
            "release_id": f"{number:032x}",
            "counts": {"selection": {"kept": 90 * (number + 1), "wrong": 10}},
            "metrics": {"by": {"generator": {f"nano-r{number}": own}}} if number else {},
            "rows": {"sft": 90},
            "kept": {"people": 60, f"nano-r{number}": 90 * number},
        },
        "model": {
            "id": f"nano-r{number}@1.0.0",
            "folder": f"models/nano-r{number}@1.0.0",
            "training_id": f"{number:032x}",
            "weights": "0" * 64,
            "result": result,
        },
        "evaluation": evaluation(number),
        "seconds": {"release": 30.0, "train": 61.5, "evaluate": 12.0},
        "done": True,
    }


def state(rounds: int = 2, **changed: Any) -> dict[str, Any]:
    """A loop of a start and `rounds` rounds, as loop_state keeps it."""
    return {
        "format": loop_state.FORMAT,
        "name": "nano",
        "version": "1.0.0",
        "description": "A loop on any machine.",
        "learner": "nano",
        "settings": {
            "name": "nano",
            "train": {"method": "sft", "steps": 300},
            "loop": {"start": {"steps": 300}, "train_from": "base", "stop": {"on": "validation"}},
        },
        "base": None,
        "resumed": 2,
        "running": None,
        "stopped": {
            "why": "falls",
            "reason": "accuracy on validation fell in round 2, from 50.0 % to 49.0 %",
        },
        "best": min(1, rounds),
        "rounds": [entry(number) for number in range(rounds + 1)],
    } | changed


def shown(of: dict[str, Any]) -> Tags:
    return Tags(loop_page.render(loop_report.gather(of)))


# --- what is shown -----------------------------------------------------------------------------------


def test_the_page_tells_why_it_ended_and_which_model_is_the_result() -> None:
    text = shown(state()).text
    assert "It ended: accuracy on validation fell in round 2, from 50.0 % to 49.0 %." in text
    assert (
        "The model of round 1 is the result: its accuracy on validation, 0.500 (0.480 to 0.520), is the "
        "highest of all rounds. Round 2 is not better there." in text
    )
    assert "taken up again 2 times" in text


def test_train_and_held_out_accuracy_stand_in_one_chart() -> None:
    points = loop_report.gather(state())["accuracies"]
    assert [(one["round"], one["series"]) for one in points[:3]] == [
        (0, "training problems"),
        (0, "validation"),
        (0, "test"),
    ]
    assert [one["value"] for one in points if one["series"] == "training problems"] == ACCURACY["train"]
    page = loop_page.render(loop_report.gather(state()))
    found = set(re.findall(r'data-chart="([^"]*)"', page))
    assert found == {"rounds", "rounds-coverage", "rounds-diversity", "loss"}


def test_coverage_is_that_of_the_rounds_own_model_by_k() -> None:
    points = loop_report.gather(state())["coverages"]
    assert [(one["series"], one["round"], one["value"]) for one in points] == [
        ("k = 1", 1, 0.4),
        ("k = 1", 2, 0.5),
        ("k = 8", 1, 0.6),
        ("k = 8", 2, pytest.approx(0.7)),
    ]


def test_a_row_a_round_has_steps_and_epochs_and_a_dash_where_there_can_be_nothing() -> None:
    table = loop_report.gather(state())["tables"]["rounds"]
    rows = [dict(zip(table["head"], row, strict=True)) for row in table["rows"]]
    assert [row["round"] for row in rows] == [0, 1, 2]
    assert (rows[1]["steps"], rows[1]["epochs"], rows[1]["samples"], rows[1]["correct"]) == (
        300,
        12.5,
        800,
        150,
    )
    assert (rows[1]["accuracy on training problems"], rows[1]["kept"]) == (0.6, 90)
    assert (rows[0]["samples"], rows[0]["sampled from"]) == ("–", "nothing")
    assert rows[2]["minutes"] == round(103.5 / 60, 3)


def test_paired_differences_have_their_intervals_wins_and_losses() -> None:
    table = loop_report.gather(state())["tables"]["differences"]
    rows = {row[:3]: row[3:] for row in table["rows"]}
    assert rows["test", "r2 − start", "greedy"] == (
        pytest.approx(0.07),
        "0.040 to 0.100",
        2000,
        9,
        4,
        0.2668,
    )
    assert ("test", "r2 − r1", "greedy") in rows


def test_every_step_has_its_minutes_and_every_round_its_links() -> None:
    data = loop_report.gather(state())
    seconds = data["tables"]["seconds"]
    assert seconds["head"] == ("round", "release", "train", "evaluate", "all")
    assert seconds["rows"][2] == (2, 0.5, round(61.5 / 60, 2), 0.2, round(103.5 / 60, 2))
    page = loop_page.render(data)
    for path in (
        "releases/nano-r1%401.0.0/README.md",
        "models/nano-r2%401.0.0/README.md",
        "evaluations/nano-r0",
    ):
        assert f'href="./../../{path}' in page


def test_settings_are_listed_by_their_keys() -> None:
    settings = dict(loop_report.gather(state())["settings"])
    assert settings["loop.stop.on"] == "validation"
    assert settings["train.steps"] == "300"


# --- what is not known -------------------------------------------------------------------------------


def begun() -> dict[str, Any]:
    """Killed in the training of round 1."""
    made = state(1, stopped=None, best=0, running={"round": 1, "step": "train", "since": 1.0})
    made["rounds"][1] |= {"model": None, "evaluation": None, "done": False}
    return made


def unmeasured() -> dict[str, Any]:
    made = state(1)
    made["settings"]["loop"]["stop"]["on"] = None
    for one in made["rounds"]:
        one["evaluation"] = None
    return made


def without_a_start() -> dict[str, Any]:
    made = state(1)
    made["settings"]["loop"]["start"] = None
    made["rounds"][0] |= {"release": None, "model": None, "evaluation": None}
    return made


def unjudged() -> dict[str, Any]:
    """No problem could be judged: every figure is null."""
    made = state(1)
    for one in made["rounds"]:
        for some in one["evaluation"]["sets"].values():
            for model in some["models"].values():
                model["figures"]["greedy"] = estimate(None, n=0)
    return made


def silent() -> dict[str, Any]:
    """Trainings without a point, releases without metrics, no description."""
    made = state(1, description=None)
    for one in made["rounds"]:
        one["model"]["result"]["curve"] = []
        one["release"]["metrics"] = {}
    return made


ODD = {
    "nothing yet": lambda: state(0, stopped=None, best=None) | {"rounds": []},
    "only the start": lambda: state(0),
    "killed in training": begun,
    "nothing evaluated": unmeasured,
    "no start": without_a_start,
    "nothing judged": unjudged,
    "no curve, no metrics": silent,
}
SAID = {
    "nothing yet": "No round is finished",
    "only the start": "one run with one seed",
    "killed in training": "It has not ended",
    "nothing evaluated": "Nothing was evaluated",
    "no start": "The model of round 1",
    "nothing judged": "no set decides between them",
    "no curve, no metrics": "The recipe says nothing about it",
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_missing_is_said_and_fails_nothing(name: str, tmp_path: Path) -> None:
    made = ODD[name]()
    path = loop_report.write(Store(tmp_path), made)
    page = path.read_text()
    assert SAID[name] in Tags(page).text
    assert "None" not in Tags(page).text
    assert "NaN" not in page


def test_ten_rounds_are_drawn() -> None:
    made = state(2)
    for number in range(3, 11):
        later = copy.deepcopy(entry(2))
        later |= {"round": number, "evaluation": None}
        later["release"]["metrics"]["by"]["generator"] = {
            f"nano-r{number}": later["release"]["metrics"]["by"]["generator"]["nano-r2"]
        }
        made["rounds"].append(later)
    assert "a loop of 10 rounds" in shown(made).text


# --- warnings ----------------------------------------------------------------------------------------


def told(of: dict[str, Any]) -> str:
    return "\n".join(loop_cautions.cautions(of))


def test_a_gain_well_above_0_on_many_problems_is_not_doubted() -> None:
    found = told(state())
    assert "may be chance" not in found
    assert "as few as" not in found
    assert "could not be judged" not in found
    assert "The set validation decides" in found, "choosing by it makes it too good"


@pytest.mark.parametrize(("steps", "said"), [(120, True), (300, False), (400, False)])
def test_a_start_that_was_trained_for_less_than_the_rounds_is_told(steps: int, said: bool) -> None:
    made = state()
    made["rounds"][0]["model"]["result"]["steps"] = steps
    assert ("The start was trained for fewer steps than a round" in told(made)) is said


def test_a_loop_without_a_start_says_nothing_of_its_training() -> None:
    made = state()
    made["rounds"][0]["model"] = None
    assert "The start was trained" not in told(made)


def test_what_chooses_within_a_training_is_told_too() -> None:
    made = state()
    assert "decides when" not in told(made)
    made["settings"]["loop"]["early_stop"] = 4
    assert "The set validation decides when each training ended, too" in told(made)


def narrow(of: dict[str, Any], **figure: Any) -> dict[str, Any]:
    """`of` with these values in the difference of the best round to the start on test."""
    for one in of["rounds"]:
        differences = one["evaluation"]["sets"]["test"]["differences"]
        if "r1" in differences:
            differences["r1"]["start"]["greedy"] |= figure
    return of


@pytest.mark.parametrize(
    ("low", "high", "doubted"),
    [
        (-0.01, 0.05, True),
        (0.0, 0.05, True),
        (0.001, 0.05, False),
        (-0.09, -0.01, False),
        (None, None, False),
    ],
)
def test_an_interval_that_holds_0_is_told(low: float | None, high: float | None, doubted: bool) -> None:
    found = told(narrow(state(), low=low, high=high))
    assert ("On test the interval of the gain of round 1 over the start" in found) is doubted


@pytest.mark.parametrize(
    ("n", "said"),
    [
        (0, "On test there are figures that no problem tells"),
        (150, "On test as few as 150 problems"),
        (399, "On test as few as 399 problems"),
    ],
)
def test_few_problems_are_told(n: int, said: str) -> None:
    made = state()
    made["rounds"][2]["evaluation"] = evaluation(2, n=n)
    assert said in told(made)


def test_what_was_left_out_or_is_not_known_is_told() -> None:
    made = state()
    test = made["rounds"][2]["evaluation"]["sets"]["test"]
    test["overlap"] |= {
        "left_out": 7,
        "against": {"start": None},
        "near": {"problems": 5, "of": 1993, "share": 5 / 1993},
    }
    test["not_measured"] = {"maj@8": "the verifier unit_tests finds no answers to vote on"}
    test["models"]["r2"]["counts"]["greedy"]["error"] = 3
    found = told(made)
    assert "Of test 7 problems were trained on and are left out." in found
    assert "What start saw in training is not known" in found
    assert "5 have a run of 13 words" in found
    assert "On test maj@8 is not measured: the verifier unit_tests" in found
    assert "On test draws that could not be judged count as not solving their problem: r2 3." in found


# --- the file ----------------------------------------------------------------------------------------


def test_the_page_is_one_file_without_script_that_may_load_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    path = loop_report.write(store, state())
    assert path == store.root / "loops" / "nano@1.0.0" / "report.html"
    assert (path.parent / loop_report.CHART).read_bytes().startswith(b"\x89PNG")
    page = path.read_text()
    assert "default-src 'none'" in page
    tags = Tags(page)
    assert not tags.found.keys() & {"script", "img", "iframe", "link", "object", "form"}
    assert loop_report.write(store, state()).read_text() == page, "equal states give equal pages"


def test_a_hostile_state_becomes_text() -> None:
    made = everywhere(state(), HOSTILE)
    made["settings"]["loop"]["stop"]["on"] = "validation"
    for number, one in enumerate(made["rounds"]):
        one["model"]["folder"] = f"models/{HOSTILE}"
        one["evaluation"] = evaluation(number) | {"recipe": 'javascript:alert(1)"'}
    tags = shown(made)
    assert not tags.found.keys() & {"script", "img"}
    assert "alert(1)" in tags.text
    assert not [one for one in tags.attributes if one.startswith("on")]
    page = loop_page.render(loop_report.gather(made))
    assert all(one.startswith("./") for one in re.findall(r'href="([^"]*)"', page))


# --- the report of a release that a loop made --------------------------------------------------------


MADE = f"{1:032x}"
"""The id of the release of round 1."""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store that holds the state of a loop."""
    made = Store(tmp_path / "store")
    home = loop_state.folder_of(made, "nano@1.0.0")
    home.mkdir(parents=True)
    loop_state.save(home, state())
    return made


def test_a_release_of_a_loop_leads_to_the_page_of_the_loop(store: Store, tmp_path: Path) -> None:
    found = loop_report.of_release(store, "nano-r1@1.0.0", MADE, tmp_path / "r.html")
    assert found == {"loop": "nano@1.0.0", "round": 1, "page": None}
    loop_report.write(store, state())
    found = loop_report.of_release(store, "nano-r1@1.0.0", MADE, tmp_path / "r.html")
    assert found is not None
    assert (tmp_path / found["page"]).is_file(), "seen from the file that leads there"


@pytest.mark.parametrize(
    "name",
    ["nano@1.0.0", "nano-r3@1.0.0", "nano-r2@1.0.0", "nano-r1@2.0.0", "other-r1@1.0.0", "nano-rx@1.0.0"],
)
def test_a_release_that_no_loop_made_names_none(store: Store, tmp_path: Path, name: str) -> None:
    assert loop_report.of_release(store, name, MADE, tmp_path / "r.html") is None


def test_another_release_of_the_same_name_is_of_no_loop(store: Store, tmp_path: Path) -> None:
    assert loop_report.of_release(store, "nano-r1@1.0.0", "f" * 32, tmp_path / "r.html") is None


def test_a_loop_that_cannot_be_read_is_no_reason_to_lose_a_report(store: Store, tmp_path: Path) -> None:
    (loop_state.folder_of(store, "nano@1.0.0") / loop_state.STATE).write_text("{")
    assert loop_report.of_release(store, "nano-r1@1.0.0", MADE, tmp_path / "r.html") is None


def test_labels_are_those_of_the_evaluation() -> None:
    made = state()
    assert [loop_figures.label(made, number) for number in range(3)] == labels(2)
