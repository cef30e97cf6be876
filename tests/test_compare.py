"""Generators and releases side by side: at equal cost, on the same problems, with what is not known said."""

from __future__ import annotations

import copy
import io
import itertools
import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import CliRunner

from factory import cli
from factory.commands import display_compare
from factory.comparing import compare, figures, sides
from factory.comparing.counting import Counted
from factory.comparing.figures import Matched
from factory.comparing.levels import Level
from factory.errors import UsageError
from factory.metrics import paired
from factory.records import TABLES
from factory.report import compare_chart
from factory.store import Store
from tests.support import costed, running

UNTIL = "{until_correct: 1, at_most: 8}"


def right(generator: str, number: int, index: int) -> bool:
    """Five of eight draws of `strong` are right and three of `weak`, none of the problems 5 and 10."""
    return number % 5 != 0 and (number * 7 + index * 5) % 8 < (5 if generator == "strong" else 3)


def cost(generator: str, number: int, index: int) -> dict[str, Any]:
    return {"flops": costed.FLOPS[generator] * (1 + 0.1 * (number % 5 - 2))}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, kept_servers: None) -> Store:
    root = tmp_path_factory.mktemp("costed")
    made = costed.make_store(root, right=right, cost=cost, draws={"weak": 13, "strong": 4})
    costed.release(root, made, budget="{samples: 4, by_generator: {weak: 13}}")
    costed.release(root, made, "verify.also=[arithmetic]", version="2.0.0", name="checked")
    costed.release(root, made, "budget.problems=15", version="1.0.0", name="fewer")
    costed.release(root, made, version="1.0.0", name="until", budget=UNTIL)
    return made


@pytest.fixture(scope="module")
def found(store: Store) -> dict[str, Any]:
    return compare.compare(store, ["costed@1.0.0"])


def rows(store: Store, release: str = "costed@1.0.0") -> list[dict[str, Any]]:
    paths = sorted((store.releases / release / "data" / "samples").glob("*.parquet"))
    found: list[dict[str, Any]] = pl.read_parquet(paths).to_dicts()
    return found


def of_problems(drawn: list[dict[str, Any]], generator: str) -> dict[str, list[dict[str, Any]]]:
    grouped: dict[str, list[dict[str, Any]]] = {}
    for one in drawn:
        if one["generator"] == generator:
            grouped.setdefault(one["problem_id"], []).append(one)
    return grouped


def by_subsets(problems: Mapping[str, list[dict[str, Any]]], k: int, metric: str) -> float:
    """coverage@k or diversity@k as defined: the mean over problems of the mean over all subsets of k."""
    values = []
    for drawn in problems.values():
        each = []
        for chosen in itertools.combinations(drawn, k):
            passed = [one for one in chosen if one["correct"]]
            each.append(float(bool(passed)) if metric == "coverage" else len({one["path"] for one in passed}))
        values.append(math.fsum(each) / len(each))
    return math.fsum(values) / len(values)


# --- what is compared --------------------------------------------------------------------------------


def test_a_release_alone_stands_for_its_generators(found: dict[str, Any]) -> None:
    assert list(found["sides"]) == ["strong", "weak"]
    assert found["match"] == "flops"
    assert found["reference"] == "strong", "the side whose draw costs most"
    assert found["ratio"] == {"strong": 1.0, "weak": pytest.approx(3.0)}
    assert found["problems"] == {"compared": 24, "groups": None, "left_out": {"strong": 0, "weak": 0}}


def test_a_recipe_stands_for_its_release(store: Store, found: dict[str, Any]) -> None:
    recipe = store.root.parent / "costed-1.0.0.yaml"
    assert compare.compare(store, [str(recipe)]) == found
    with pytest.raises(UsageError, match=r"has no release costed@1\.0\.1"):
        compare.compare(store, [str(recipe)], overrides=("version=1.0.1",))


def test_releases_are_pooled_and_generators_of_them_are_not(store: Store) -> None:
    told = compare.compare(store, ["costed@1.0.0", "checked@2.0.0:weak"])
    assert list(told["sides"]) == ["costed@1.0.0", "checked@2.0.0:weak"]
    assert told["sides"]["costed@1.0.0"]["generators"] == ["strong", "weak"]
    assert told["sides"]["costed@1.0.0"]["draws"] == 24 * 17
    assert told["sides"]["checked@2.0.0:weak"]["draws"] == 24 * 4


def test_a_folder_is_a_release_too(store: Store, found: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "a:folder"
    folder.symlink_to(store.releases / "costed@1.0.0")
    assert compare.compare(Store(tmp_path / "empty"), [str(folder)]) == found


@pytest.mark.parametrize(
    ("named", "told"),
    [
        (["costed@1.0.0:weka"], r"'weka' is none of the generators of costed@1\.0\.0, strong, weak; did you"),
        (["costed@1.0.0:weak"], r"compare needs two sides, and costed@1\.0\.0:weak is one"),
        (["costed@1.0.0", "costed@1.0.0"], r"costed@1\.0\.0 is named twice"),
        (["costed@9.0.0"], r"has no release costed@9\.0\.0; it has costed@1\.0\.0"),
        (["costed"], r"'costed' names no release; write NAME@X\.Y\.Z"),
    ],
)
def test_what_names_no_side_is_refused(store: Store, named: list[str], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        compare.compare(store, named)


def test_a_release_takes_no_changes(store: Store) -> None:
    with pytest.raises(UsageError, match="a release never changes"):
        compare.compare(store, ["costed@1.0.0"], overrides=("budget.amount=3",))


def test_a_release_without_its_samples_is_refused(store: Store) -> None:
    root = store.root.parent
    costed.release(root, store, "release.configs=[sft]", name="rows")
    with pytest.raises(UsageError, match=r"rows@1\.0\.0 has no config problems and samples"):
        compare.compare(store, ["rows@1.0.0", "costed@1.0.0"])


def test_releases_without_a_problem_in_common_are_refused(store: Store, tmp_path: Path) -> None:
    other = costed.make_store(tmp_path / "other", problems=2, right=lambda *_: True)
    (tmp_path / "other" / "problems.jsonl").write_text('{"question": "What is 900 + 1?", "answer": "901"}\n')
    with pytest.raises(UsageError, match="have drawn of no problem together"):
        compare.compare(store, ["costed@1.0.0", str(_moved(other, tmp_path / "other"))])


def _moved(store: Store, root: Path) -> Path:
    """A release of the one problem 900 + 1, which no other has."""
    from factory.records import imported_generator_id, problem_id, sample_id

    problem, ident = problem_id("What is 900 + 1?", "901", None), imported_generator_id("weak")
    row = {
        "sample_id": sample_id(problem, ident, 0),
        "problem_id": problem,
        "generator_id": ident,
        "sample_index": 0,
        "completion": "The answer is 901.",
        "run_id": "test",
    }
    with store.lock("test"):
        store.append("samples", pa.Table.from_pylist([row], schema=TABLES["samples"]))
    return costed.release(root, store, "problems.0.columns={prompt: question, answer: answer}", name="alien")


# --- equal cost --------------------------------------------------------------------------------------


def test_figures_at_equal_cost_are_the_averages_over_all_subsets(store: Store, found: dict[str, Any]) -> None:
    drawn = rows(store)
    for level in (*found["equal_cost"], *found["equal_number"]):
        for name, k in level["k"].items():
            assert k == int(k)
            for metric in ("coverage", "diversity"):
                expected = by_subsets(of_problems(drawn, name), int(k), metric)
                assert level[metric][name]["value"] == pytest.approx(expected), (metric, name, k)
    assert [level["k"] for level in found["equal_cost"]] == [
        {"strong": 1.0, "weak": 3.0},
        {"strong": 2.0, "weak": 6.0},
        {"strong": 4.0, "weak": 12.0},
    ]


def test_a_difference_is_that_of_the_values_and_relative_to_the_reference(found: dict[str, Any]) -> None:
    for level in (*found["equal_cost"], *found["equal_number"]):
        for metric in ("coverage", "diversity"):
            ours, theirs = level[metric]["weak"]["value"], level[metric]["strong"]["value"]
            told = level["difference"]["weak"][metric]
            assert told["value"] == pytest.approx(ours - theirs)
            assert told["relative"]["value"] == pytest.approx(ours / theirs - 1)
            assert told["low"] <= told["value"] <= told["high"]


def test_equal_number_says_otherwise_than_equal_cost(found: dict[str, Any]) -> None:
    cheap = found["equal_cost"][0]["difference"]["weak"]["coverage"]
    alike = found["equal_number"][0]["difference"]["weak"]["coverage"]
    assert cheap["low"] > 0 > alike["high"], "the weak one wins for its price, and loses draw by draw"


def test_costs_are_those_of_the_rows(store: Store, found: dict[str, Any]) -> None:
    drawn = rows(store)
    for name, side in found["sides"].items():
        mine = [one for one in drawn if one["generator"] == name]
        flops = math.fsum(one["flops"] for one in mine)
        assert side["spent"]["flops"] == pytest.approx(flops)
        assert side["spent"]["seconds"] == pytest.approx(0.5 * len(mine))
        assert side["spent"]["usd"] is None
        assert side["per_draw"]["flops"]["value"] == pytest.approx(flops / len(mine))
        assert side["per_correct"]["flops"]["value"] == pytest.approx(
            flops / sum(one["correct"] for one in mine)
        )
        assert side["per_kept"]["tokens"]["value"] == pytest.approx(
            sum(costed.TOKENS[name]) * len(mine) / sum(one["kept"] for one in mine)
        )
        assert side["per_kept"]["usd"] == {"value": None, "low": None, "high": None}


def test_a_class_of_problems_is_measured_on_its_own(store: Store, found: dict[str, Any]) -> None:
    drawn, last = rows(store), found["equal_cost"][-1]
    paths = sorted((store.releases / "costed@1.0.0" / "data" / "problems").glob("*.parquet"))
    difficulty = dict(pl.read_parquet(paths).select("problem_id", "difficulty").rows())
    assert set(found["by_difficulty"]) == {"easy", "hard"}
    for name, level in found["by_difficulty"].items():
        assert level["k"] == last["k"], "what an equal budget buys, whatever the class"
        of_class = {
            one: draws for one, draws in of_problems(drawn, "weak").items() if difficulty[one] == name
        }
        assert level["coverage"]["weak"]["value"] == pytest.approx(by_subsets(of_class, 12, "coverage"))
        assert level["coverage"]["weak"]["n_problems"] == len(of_class)
        for metric in ("coverage", "diversity"):
            told, values = level["difference"]["weak"][metric], level[metric]
            assert told["value"] == pytest.approx(values["weak"]["value"] - values["strong"]["value"])
            assert told["low"] <= told["value"] <= told["high"]


@pytest.mark.parametrize(("match", "ratio"), [("tokens", 1.5), ("samples", 1.0), ("seconds", 1.0)])
def test_another_currency_gives_another_ratio(store: Store, match: Any, ratio: float) -> None:
    told = compare.compare(store, ["costed@1.0.0"], match)
    assert told["ratio"]["weak"] == pytest.approx(ratio)
    assert told["equal_cost"][0]["k"] == {"strong": 1.0, "weak": pytest.approx(ratio)}


def test_a_cost_that_nobody_tells_is_refused_with_the_key_to_write(store: Store) -> None:
    with pytest.raises(UsageError, match=r"write generators\.NAME\.price .* samples, tokens, flops, seconds"):
        compare.compare(store, ["costed@1.0.0"], "usd")


def test_a_price_in_the_recipe_gives_what_the_draws_do_not_say(store: Store) -> None:
    root = store.root.parent
    prices = (
        "generators.weak.price={input: 1, output: 2}",
        "generators.strong.price={input: 10, output: 20}",
    )
    costed.release(root, store, *prices, name="priced")
    told = compare.compare(store, ["priced@1.0.0"], "usd")
    assert told["sides"]["weak"]["per_draw"]["usd"]["value"] == pytest.approx((60 + 2 * 40) / 1e6)
    assert told["ratio"]["weak"] == pytest.approx((100 * 10 + 50 * 20) / (60 + 2 * 40))
    (level,) = told["equal_cost"]
    assert level["k"] == {"weak": 4.0, "strong": pytest.approx(4 / told["ratio"]["weak"])}


# --- what is not known -------------------------------------------------------------------------------


def test_problems_that_one_side_lacks_are_left_out_and_counted(store: Store) -> None:
    told = compare.compare(store, ["costed@1.0.0", "fewer@1.0.0"])
    assert told["problems"] == {
        "compared": 15,
        "groups": None,
        "left_out": {"costed@1.0.0": 9, "fewer@1.0.0": 0},
    }
    assert told["sides"]["costed@1.0.0"]["draws"] == 15 * 17


def test_a_level_that_a_side_reaches_nowhere_is_no_level(store: Store) -> None:
    told = compare.compare(store, ["costed@1.0.0:strong", "checked@2.0.0:weak"])
    assert [one["k"]["costed@1.0.0:strong"] for one in told["equal_cost"]] == [1.0, pytest.approx(4 / 3)]
    last = told["equal_cost"][-1]
    assert (last["all_in"], last["k"]["checked@2.0.0:weak"]) == (True, 4.0)
    assert last["coverage"]["costed@1.0.0:strong"]["value"] is not None, "of 4/3 draws: one, or sometimes two"


def test_a_side_of_which_no_first_draws_count_is_told_apart_from_one_that_nobody_judged() -> None:
    unjudged = side("weak", [0, 0], [0, 0], [8.0, 8.0])
    facts = unjudged.rows.select("problem_id")
    with pytest.raises(UsageError, match="one that was asked has none"):
        compare._matched([replace(unjudged, first={"weak": 0})], None, facts)
    with pytest.raises(UsageError, match="none of its draws could be judged"):
        compare._matched([unjudged], None, facts)


def test_too_few_draws_make_a_figure_null_with_the_count_of_such_problems() -> None:
    weak = side("weak", [8, 8, 5, 8], [1, 2, 3, 0], [8.0, 8.0, 5.0, 8.0])
    strong = side("strong", [4] * 4, [1, 2, 3, 0], [16.0] * 4)
    drawn = paired.resamples(np.arange(4), 100, 0)
    both = Matched({"weak": weak, "strong": strong}, {"weak": 1.0, "strong": 4.0}, "flops", "strong", drawn)
    told = figures.level(both, Level({"weak": 8.0, "strong": 2.0}, "strong", 8.0, all_in=False))
    assert (told["coverage"]["weak"]["value"], told["coverage"]["weak"]["n_short"]) == (None, 1)
    assert told["coverage"]["strong"]["value"] is not None
    for metric in ("coverage", "diversity"):
        assert told["difference"]["weak"][metric]["value"] is None
        assert told["difference"]["weak"][metric]["relative"]["value"] is None


def test_other_verifiers_are_told(store: Store, found: dict[str, Any]) -> None:
    told = compare.compare(store, ["costed@1.0.0", "checked@2.0.0"])
    (caution,) = [one for one in told["warnings"] if "was judged by" in one]
    assert "arithmetic@" in caution
    assert not any("was judged by" in one for one in found["warnings"])


def test_draws_whose_number_depended_on_them_count_up_to_the_least(store: Store) -> None:
    told = compare.compare(store, ["until@1.0.0"])
    drawn = rows(store, "until@1.0.0")
    for name, side in told["sides"].items():
        least = min(len(one) for one in of_problems(drawn, name).values())
        assert side["first"] == {name: least}
        assert side["judged"] == 24 * least
        assert side["spent"]["samples"] == sum(one["generator"] == name for one in drawn), "all are paid for"
    assert sum("depended on what they turned out to be" in one for one in told["warnings"]) == 2


def test_without_a_label_nothing_is_said_of_false_positives(found: dict[str, Any]) -> None:
    for one in found["false_positives"].values():
        assert one["kept"]["per_solution"]["value"] is None
        assert (one["kept"]["per_solution"]["low"], one["kept"]["per_solution"]["high"]) == (0.0, 1.0)


def test_labels_given_after_the_release_count(store: Store, tmp_path: Path, kept_servers: None) -> None:
    other = costed.make_store(tmp_path, right=lambda *_: True, draws={"weak": 8, "strong": 4})
    costed.release(tmp_path, other, budget="{samples: 4, by_generator: {weak: 8}}")
    mine = [one for one in rows(other) if one["kept"]]
    said = [
        {"sample_id": one["sample_id"], "annotator": "ann", "label": label, "at": "2026-01-01T00:00:00Z"}
        for generator, wrong in (("weak", 3), ("strong", 1))
        for place, one in enumerate([one for one in mine if one["generator"] == generator][:20])
        for label in ["wrong" if place < wrong else "right"]
    ]
    with other.lock("test"):
        other.append("labels", pa.Table.from_pylist(said, schema=TABLES["labels"]))
    told = compare.compare(other, ["costed@1.0.0"])["false_positives"]
    weak, strong = (told[name]["kept"]["per_solution"] for name in ("weak", "strong"))
    assert (weak["labelled"], weak["wrong"], strong["wrong"]) == (20, 3, 1)
    more = told["weak"]["difference"]
    assert more["value"] == pytest.approx(weak["value"] - strong["value"])
    assert more["low"] < 0 < more["high"], "twenty labels each tell little"
    assert told["strong"]["difference"] is None


# --- laws --------------------------------------------------------------------------------------------


def side(name: str, n: list[int], c: list[int], costs: list[float]) -> Counted:
    """A side of which every correct draw takes a path of its own."""
    frame = pl.DataFrame(
        {"problem_id": [f"{place:03}" for place in range(len(n))], "n": n, "c": c, "cost_flops": costs}
    ).with_columns(groups=pl.Series([[1] * one for one in c], dtype=pl.List(pl.Int64)))
    return Counted(sides.Side(name, None, name), frame, None)  # type: ignore[arg-type]  # no release is read


COUNTS = st.lists(st.integers(0, 6), min_size=2, max_size=8)


@given(COUNTS, st.floats(0, 6), st.sampled_from(["coverage", "diversity"]))
def test_a_k_between_two_numbers_is_their_mixture_and_grows(c: list[int], k: float, metric: str) -> None:
    one = side("one", [6] * len(c), c, [1.0] * len(c))
    values = one.at(metric, k)
    assert values is not None
    low, high = one.at(metric, math.floor(k)), one.at(metric, math.ceil(k))
    share = k - math.floor(k)
    assert low is not None
    assert high is not None
    assert values == pytest.approx((1 - share) * low + share * high)
    assert (low - 1e-12 <= values).all()
    assert (values <= high + 1e-12).all()
    if metric == "diversity":
        assert values == pytest.approx(np.asarray(c) * k / 6), "each path is drawn with k of 6"


def test_the_interval_of_a_difference_holds_the_uncertainty_of_the_costs() -> None:
    """Against the plain way: the ratio, and so k, computed anew in every resample."""
    generator, problems = np.random.default_rng(7), 400
    ease = generator.random(problems)
    drawn = paired.resamples(np.arange(problems), 2000, 0)
    weak = side(
        "weak",
        [16] * problems,
        generator.binomial(16, ease * 0.5).tolist(),
        (16 * generator.lognormal(0, 1, problems)).tolist(),
    )
    strong = side(
        "strong",
        [4] * problems,
        generator.binomial(4, ease).tolist(),
        (4 * generator.lognormal(1, 1, problems)).tolist(),
    )
    costs = {one.side.name: np.asarray(one.rows["cost_flops"]) for one in (weak, strong)}
    per_draw = {one.side.name: float(costs[one.side.name].sum() / one.n.sum()) for one in (weak, strong)}
    both = Matched({"weak": weak, "strong": strong}, per_draw, "flops", "strong", drawn)
    k = 2 * per_draw["strong"] / per_draw["weak"]
    level = Level({"weak": k, "strong": 2.0}, "strong", 2 * per_draw["strong"], all_in=False)
    told = figures.level(both, level)["difference"]["weak"]["diversity"]
    ratios = [(drawn.sums(costs[name]) / drawn.sums(both.sides[name].n)) for name in ("strong", "weak")]
    weights = drawn.weights / problems
    curve = np.stack([weights @ weak.at("diversity", place) for place in range(17)], axis=1)  # type: ignore[operator]
    theirs = weights @ strong.at("diversity", 2)  # type: ignore[operator]
    redrawn = [
        np.interp(2 * one / other, np.arange(17), values) - base
        for one, other, values, base in zip(*ratios, curve, theirs, strict=True)
    ]
    low, high = np.quantile(redrawn, [0.025, 0.975])
    assert told["low"] == pytest.approx(low, abs=0.1 * (high - low))
    assert told["high"] == pytest.approx(high, abs=0.1 * (high - low))
    fixed = figures.level(both, Level(level.k, "weak", None, all_in=False))["difference"]["weak"]["diversity"]
    assert told["high"] - told["low"] > 1.3 * (fixed["high"] - fixed["low"]), "the costs are half of it"


def test_a_group_of_problems_is_drawn_as_one(tmp_path: Path, kept_servers: None) -> None:
    store = costed.make_store(tmp_path, right=right, group=lambda number: f"g{number % 4}", problems=16)
    costed.release(tmp_path, store)
    assert compare.compare(store, ["costed@1.0.0"])["problems"]["groups"] == 4


# --- the command -------------------------------------------------------------------------------------


def test_the_command_gives_all_of_it_as_json_and_the_chart(store: Store, found: dict[str, Any]) -> None:
    root = store.root.parent
    told = running.done(running.factory("compare", "costed@1.0.0", "--json", "--chart", "c.svg", cwd=root))
    assert told == json.loads(json.dumps(found))
    assert (root / "c.svg").read_text().startswith("<svg")


def test_people_see_who_is_compared_at_what_cost_and_by_how_much(found: dict[str, Any]) -> None:
    console = Console(width=220, record=True, file=io.StringIO())
    for one in display_compare.lines(found):
        console.print(one, markup=False, highlight=False)
    shown = console.export_text()
    for text in (
        "strong against weak, matched by flops",
        "24 problems that all have",
        "weak draws 3 for the cost of one of strong",
        "At equal cost",
        "At equal number of draws",
        "By difficulty",
        "False positives: not labelled",
    ):
        assert text in shown
    level = found["equal_cost"][0]["difference"]["weak"]["coverage"]
    assert f"{level['value']:+.3f} [{level['low']:+.3f}, {level['high']:+.3f}]" in shown


@pytest.mark.parametrize(("short", "told"), [(1, "1 problem has fewer draws"), (7, "7 problems have fewer")])
def test_people_see_why_a_figure_is_not_there(found: dict[str, Any], short: int, told: str) -> None:
    changed = copy.deepcopy(found)
    level = changed["equal_cost"][0]
    level["coverage"]["weak"] |= {"value": None, "low": None, "high": None, "n_short": short}
    level["difference"]["weak"]["coverage"] = {**figures.UNKNOWN, "relative": figures.UNKNOWN}
    console = Console(width=260, record=True, file=io.StringIO())
    for one in display_compare.lines(changed):
        console.print(one, markup=False, highlight=False)
    assert f"cannot tell: {told}" in console.export_text()


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--match", "money"), "'money': a currency is one of samples, tokens, flops, usd, seconds"),
        (("--chart", "chart.pdf"), "the name of a chart ends in one of .png, .svg, .html"),
        (("--match", "usd"), "does not tell what its draws cost in US dollars"),
    ],
)
def test_what_cannot_be_is_one_sentence(store: Store, more: tuple[str, ...], told: str) -> None:
    arguments = ["compare", "costed@1.0.0", "--store", str(store.root), *more]
    result = CliRunner().invoke(cli.app, arguments)
    assert isinstance(result.exception, UsageError)
    assert told in str(result.exception)
    assert not result.stdout


# --- the chart ---------------------------------------------------------------------------------------


def test_charts_are_written_in_each_form(found: dict[str, Any], tmp_path: Path) -> None:
    for ending in ("png", "svg", "html"):
        compare_chart.write(tmp_path / f"c.{ending}", found)
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    drawn = (tmp_path / "c.svg").read_text()
    assert "FLOPs spent on a problem" in drawn
    assert "--c0:#0072b2" in drawn, "a file of its own has its colours"
    page = (tmp_path / "c.html").read_text()
    assert "<script" not in page
    assert "Distinct correct paths at equal cost" in page


def test_a_chart_holds_every_point_of_the_curves(found: dict[str, Any]) -> None:
    coverage, diversity = compare_chart.figures(found)
    assert Counter(row[0] for row in coverage.rows) == {"strong": 4, "weak": 13}
    assert [row[3] for row in diversity.rows if row[0] == "strong"] == [
        point["diversity"]["value"] for point in found["curves"]["strong"]
    ]


def test_names_in_a_chart_are_text(found: dict[str, Any], tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>"
    curves = {hostile if name == "weak" else name: one for name, one in found["curves"].items()}
    changed = {**found, "curves": curves, "sides": curves}
    for ending in ("svg", "html"):
        compare_chart.write(tmp_path / f"c.{ending}", changed)
        assert hostile not in (tmp_path / f"c.{ending}").read_text()


def test_without_a_curve_there_is_no_chart(found: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no curve to draw"):
        compare_chart.write(tmp_path / "c.png", {**found, "curves": {"strong": [], "weak": []}})
    assert not (tmp_path / "c.png").exists()
