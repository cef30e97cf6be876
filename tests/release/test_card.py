"""The card: what the Hub and `load_dataset` read of it, what it says, and hostile texts in it."""

from __future__ import annotations

import copy
import html
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from factory.problems import gsm8k, humaneval, mbpp
from factory.recipe import load as load_recipe
from factory.release import card, front_matter, manifest
from factory.release.limits import limits
from factory.release.markdown import code, fence, table, text, visible

CONFIGS: Final = ["sft", "preference", "kto", "rewards", "samples", "problems"]
RENDERER: Final = MarkdownIt("commonmark").enable("table").enable("strikethrough")


def read(folder: Path) -> tuple[dict[str, Any], dict[str, Any], str]:
    """(manifest, metrics, card) of a release."""
    metrics = json.loads((folder / "metrics.json").read_text())
    return manifest.read(folder), metrics, (folder / "README.md").read_text()


def front(shown: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(shown.split("---\n")[1])
    return found


def rendered(shown: str) -> str:
    return str(RENDERER.render(shown.split("---\n", 2)[2] if shown.startswith("---\n") else shown))


# --- front matter ------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["text", "messages"])
def test_every_config_is_named_with_version_release_id_files_and_counts(
    made: dict[str, Path], form: str
) -> None:
    release, _, shown = read(made[form])
    found = front(shown)
    assert [one["config_name"] for one in found["configs"]] == CONFIGS
    assert [one.get("default") for one in found["configs"]] == [True] + [None] * 5
    for one, info in zip(found["configs"], found["dataset_info"], strict=True):
        config = release["configs"][one["config_name"]]
        assert (one["version"], one["description"]) == (release["version"], release["release_id"])
        assert {file["split"] for file in one["data_files"]} == set(config["splits"])
        for file in one["data_files"]:
            assert list(made[form].glob(file["path"]))
        assert info["config_name"] == one["config_name"]
        assert {split["name"]: split["num_examples"] for split in info["splits"]} == config["splits"]
        assert [column["name"] for column in info["features"]] == [
            column["name"] for column in config["schema"]
        ]
        on_disk = (made[form] / "data" / one["config_name"]).iterdir()
        assert info["download_size"] == sum(file.stat().st_size for file in on_disk)
        assert info["dataset_size"] == sum(split["num_bytes"] for split in info["splits"])


def test_the_words_of_the_hub_are_used_and_nothing_is_invented(made: dict[str, Path]) -> None:
    plain, granted = (front(read(made[form])[2]) for form in ("text", "messages"))
    assert "language" not in plain
    assert granted["language"] == ["en"]
    assert (plain["license"], granted["license"]) == ("unknown", "cc-by-4.0")
    assert plain["task_categories"] == ["text-generation", "reinforcement-learning"]
    assert plain["source_datasets"] == ["original"]
    assert plain["annotations_creators"] == plain["language_creators"] == ["machine-generated"]
    assert plain["tags"] == [
        "synthetic",
        "reasoning",
        "math",
        "dpo",
        "kto",
        "grpo",
        "datasets",
        "mlcroissant",
    ]
    assert plain["factory"]["synthetic"] is True
    assert [one["name"] for one in plain["factory"]["generators"]] == ["strong", "weak"]


def test_published_sources_are_named_as_they_are_fetched() -> None:
    fetched = {"gsm8k": gsm8k.DATASET, "humaneval": humaneval.DATASET, "mbpp": mbpp.DATASET}
    assert fetched == front_matter.PUBLISHED
    recipe = {"problems": [{"source": "gsm8k"}, {"source": "hub", "dataset": "acme/x"}, {"source": "file"}]}
    assert front_matter.sources(recipe) == ["acme/x", "openai/gsm8k"]


@pytest.mark.parametrize(
    ("rows", "category"),
    [
        (0, "n<1K"),
        (999, "n<1K"),
        (1000, "1K<n<10K"),
        (99_999, "10K<n<100K"),
        (100_000, "100K<n<1M"),
        (10**9, "1B<n<10B"),
        (10**12 - 1, "100B<n<1T"),
        (10**12, "n>1T"),
    ],
)
def test_sizes_are_of_the_fixed_vocabulary(rows: int, category: str) -> None:
    assert front_matter.size(rows) == category


@pytest.mark.parametrize(
    ("license", "found"),
    [
        (None, {"license": "unknown"}),
        ("mit", {"license": "mit"}),
        ("openai-terms", {"license": "other", "license_name": "openai-terms"}),
        ("gemma-and-llama3.1", {"license": "other", "license_name": "gemma-and-llama3.1"}),
        ("Acme's: own\n---\nlicense: mit", {"license": "other", "license_name": "acme-s-own-license-mit"}),
        ("§", {"license": "other", "license_name": "custom"}),
    ],
)
def test_a_licence_the_hub_does_not_know_is_other(
    made: dict[str, Path], license: str | None, found: dict[str, str]
) -> None:
    release = copy.deepcopy(read(made["text"])[0])
    release["licences"]["license"] = license
    shown = front(card.make(release, {}))
    assert {name: shown.get(name) for name in ("license", "license_name") if name in shown} == found
    assert ("license_link" in shown) == (license == "openai-terms")


LOAD: Final = """
import json, sys
from datasets import load_dataset
from datasets.exceptions import ExpectedMoreSplitsError
from datasets.utils.info_utils import NonMatchingSplitsSizesError
found = {}
for folder in sys.argv[1:]:
    for config in ("sft", "preference", "kto", "rewards", "samples", "problems"):
        try:
            data = load_dataset(folder, config)
        except (NonMatchingSplitsSizesError, ExpectedMoreSplitsError) as error:
            found[folder + " " + config] = type(error).__name__
            continue
        found[folder + " " + config] = {
            split: [rows.num_rows, str(rows.info.version), rows.column_names] for split, rows in data.items()
        }
print(json.dumps(found))
"""


def test_load_dataset_reads_every_config_in_both_forms_and_refuses_a_wrong_count(
    made: dict[str, Path], tmp_path: Path
) -> None:
    wrong = tmp_path / "sums@1.0.0-wrong"
    wrong.mkdir()
    (wrong / "data").symlink_to(made["text"] / "data")
    shown = read(made["text"])[2]
    rows = front(shown)["dataset_info"][0]["splits"][0]["num_examples"]
    (wrong / "README.md").write_text(
        shown.replace(f"num_examples: {rows}\n", f"num_examples: {rows + 1}\n", 1)
    )
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(made["text"]), str(made["messages"]), str(wrong)],
        env=os.environ | {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    for folder in made.values():
        release = manifest.read(folder)
        for config in CONFIGS:
            told = release["configs"][config]
            columns = [one["name"] for one in told["schema"]]
            assert found[f"{folder} {config}"] == {
                split: [rows, release["version"], columns] for split, rows in told["splits"].items()
            }
    assert found[f"{wrong} sft"] == "NonMatchingSplitsSizesError"
    assert found[f"{wrong} kto"] != "NonMatchingSplitsSizesError"


# --- what it says ------------------------------------------------------------------------------------


def test_the_body_accounts_for_every_row_and_says_how_to_use_it(made: dict[str, Path]) -> None:
    release, _, shown = read(made["text"])
    selection = release["counts"]["selection"]
    assert (
        f"| samples selected from | 96 | {selection['kept']} `kept` | {selection['wrong']} `wrong`" in shown
    )
    assert 'load_dataset("ORG/sums", "sft", revision="v1.0.0")' in shown
    assert 'info.version) == "1.0.0"' in shown
    assert 'factory.load("ORG/sums@v1.0.0", "sft")' in shown
    assert "factory release check ./" in shown
    assert f"Release id {release['release_id']}" in shown
    assert "Changed since" not in shown
    headings = re.findall(r"^## (.*)$", shown, re.MULTILINE)
    assert headings == [
        "Content",
        "Where every row went",
        "Measured",
        "What was spent",
        "How the rows were made",
        "Known limits",
        "Licence",
        "Load",
        "Check",
        "Rebuild",
        "Cite",
    ]


def test_the_recipe_in_the_card_is_the_recipe(made: dict[str, Path], tmp_path: Path) -> None:
    for form, folder in made.items():
        release, _, shown = read(folder)
        (block,) = re.findall(r"^```yaml\n(.*?)^```$", shown, re.DOTALL | re.MULTILINE)
        path = tmp_path / f"{form}.yaml"
        path.write_text(block)
        assert load_recipe(path).content() == release["recipe"]


def test_the_version_before_is_compared(made: dict[str, Path]) -> None:
    shown = read(made["messages"])[2]
    assert "## Changed since 1.0.0" in shown
    assert "this is a `major` step" in shown
    assert "| `sft` |" in shown.split("## Changed since")[1].split("## Known limits")[0]


def test_charts_are_shown_with_what_stands_in_them(made: dict[str, Path]) -> None:
    release, metrics, _ = read(made["text"])
    charts = [("charts/a b.png", "coverage](x) of all", "It *rises*.")]
    shown = rendered(card.make(release, metrics, charts=charts))
    assert '<img src="charts/a%20b.png" alt="coverage](x) of all" />' in shown
    assert "<p>It *rises*.</p>" in shown


def test_a_release_with_nothing_measured_says_so(made: dict[str, Path]) -> None:
    release = copy.deepcopy(read(made["text"])[0])
    release["certificates"] = []
    shown = card.make(release, {"coverage@1": {"value": None, "low": None, "high": None, "n_problems": 0}})
    assert "Nothing could be measured." in shown
    assert "`math@2` was not tried on labelled cases; how often it errs is unknown." in shown


def test_the_licence_section_names_every_input(made: dict[str, Path]) -> None:
    unknown, granted = (read(made[form])[2] for form in ("text", "messages"))
    assert "**Unknown.**" in unknown
    assert "- completions of strong: no licence is stated" in unknown
    assert "| source `file:sums` | cc-by-4.0 | source | credit the authors" in unknown
    assert "**[cc-by-4.0](https://creativecommons.org/licenses/by/4.0/)**, granted by" in granted
    assert "Not everything behind it could be told: completions of strong: no licence is stated" in granted
    assert "not legal advice" in granted


def counted(made: dict[str, Path], **samples: int) -> str:
    release, metrics, _ = read(made["text"])
    release["counts"]["samples"]["exhausted"] = samples.pop("exhausted", 0)
    metrics["samples"] |= samples
    return "\n".join(limits(release, metrics))


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        ({"errors": 1}, "1 sample could not be judged"),
        ({"errors": 1200}, "1,200 samples could not be judged"),
        ({"unverified": 2}, "2 samples were never judged"),
        ({"truncated": 3}, "3 samples were cut at the limit of tokens"),
        ({"exhausted": 4}, "4 samples that the recipe asks for do not exist"),
    ],
)
def test_limits_are_counted_and_left_out_at_zero(
    made: dict[str, Path], samples: dict[str, int], said: str
) -> None:
    assert said in counted(made, **samples)
    assert said.split(maxsplit=2)[2] not in counted(made)


def test_limits_say_where_nobody_looked(made: dict[str, Path]) -> None:
    release, metrics, _ = read(made["text"])
    said = "\n".join(limits(release, metrics))
    for part in (
        "may accept up to 4.0% of wrong answers",
        "right answer and wrong reasoning; their share is unknown",
        "13 samples give no answer",
        "The completions of `strong`, `weak` were imported",
        "All problems are from one source, file:sums",
        "measured on 12 problems",
        "Overlap with benchmarks was not looked for",
        "The language of the texts is not stated",
    ):
        assert part in said
    release["lock"]["generators"]["strong"] |= {"engine": "openai", "identity": {"weights": None}}
    assert "`strong` answered from a server" in "\n".join(limits(release, metrics))
    assert "benchmark `gsm8k`" not in "\n".join(limits(release, metrics))
    release["recipe"]["problems"].append({"source": "gsm8k", "split": "test"})
    assert "the split `test` of the benchmark `gsm8k`" in "\n".join(limits(release, metrics))
    release["recipe"]["release"]["language"] = ["en"]
    assert "language" not in "\n".join(limits(release, metrics))


# --- hostile texts -----------------------------------------------------------------------------------

HOSTILE: Final = (
    "---\nlicense: mit\n---\n# Trusted\n<script>alert(1)</script> ![x](http://evil/x.png) [a](javascript:b) "
    "https://evil www.evil.com | a | `b` ``` $$x$$ <!-- \u202e \x1b[2J &amp; ~~c~~"
)


def test_hostile_texts_change_neither_front_matter_nor_structure(made: dict[str, Path]) -> None:
    release, metrics, shown = read(made["text"])
    release["recipe"]["description"] = HOSTILE
    release["recipe"]["problems"][0]["path"] = "```\n# x\n"
    generator = release["lock"]["generators"]["strong"]
    generator |= {"engine": HOSTILE, "model": HOSTILE}
    generator["identity"] = {
        "prompt": {"mode": HOSTILE, "system": HOSTILE, "template": "~~~\n````\n" + HOSTILE, "examples": []},
        "decoding": {"temperature": 0.7},
    }
    release["licences"]["inputs"][0] |= {"name": HOSTILE, "license": HOSTILE, "said_by": HOSTILE}
    metrics["by"]["source"] = {HOSTILE: {}}
    found = card.make(release, metrics)
    expected = front(shown)
    expected["factory"] = front(found)["factory"]
    assert front(found) == expected
    assert front(found)["factory"]["generators"][0]["model"] == HOSTILE
    page = rendered(found)
    assert not re.search(r"<(script|img|del)|href=\"(?!https://creativecommons)|\x1b|\u202e", page)
    assert re.findall(r"<h1>(.*?)</h1>", page) == ["sums 1.0.0"]
    assert re.findall(r"<h2>(.*?)</h2>", page) == re.findall(r"<h2>(.*?)</h2>", rendered(shown))
    assert page.count("<table>") == rendered(shown).count("<table>")
    assert page.count("<tr>") == rendered(shown).count("<tr>")


def told(page: str) -> str:
    """What a reader sees of HTML."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", page)).split())


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60))
@example("1. one")
@example("- one")
@example("===")
@example("# one")
@example("a\n\n    code")
@example("www.x.org a@b.c http://x")
@example("<!-- a")
@example("&lt;b&gt;")
def test_a_text_shows_as_it_is_in_a_paragraph_and_in_a_cell(value: str) -> None:
    seen = " ".join(visible(value).split())
    page = rendered(text(value) + "\n")
    assert told(page) == seen
    assert set(re.findall(r"<(\w+)", page)) <= {"p"}
    page = rendered(table(("a", "b"), [(text(value), code(value))]))
    cells = re.findall(r"<td[^>]*>(.*?)</td>", page, re.DOTALL)
    assert [told(cell) for cell in cells] == [seen, seen]
    assert set(re.findall(r"<(\w+)", page)) <= {"table", "thead", "tbody", "tr", "th", "td", "code"}


@given(st.text(alphabet=st.sampled_from("`~ab\n #"), max_size=40))
def test_a_fence_is_closed_by_nothing_inside(value: str) -> None:
    page = rendered(fence(value) + "\n\nafter\n")
    assert page.count("<pre>") == 1
    assert page.endswith("</pre>\n<p>after</p>\n")
    inside = html.unescape(page.split("<pre><code>")[1].split("</code>")[0])
    assert inside.rstrip() == value.rstrip()
