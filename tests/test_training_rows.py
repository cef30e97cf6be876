"""The rows of real releases as tokens: none is lost, and what is no evidence never enters."""

from __future__ import annotations

import dataclasses
import math
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory import loading
from factory.errors import CheckFailed, UsageError
from factory.generators import prompts, tokenizing
from factory.loading import Loaded
from factory.loop import trained_models, training_rows, training_tokens
from factory.loop.training_tokens import Counts, Encoder
from factory.progress import Silent
from factory.recipe import Prompt, Train, Weights
from tests.support import releases
from tests.support.tiny_model import make_model

ASKED = Prompt(mode="completion", template="Q: {{ prompt }}\nA:")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(make_model(tmp_path_factory.mktemp("model") / "tiny"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, kept_servers: None) -> dict[str, Loaded]:
    """A release in the form text, and the same in the form messages."""
    root = tmp_path_factory.mktemp("releases")
    store = releases.make_store(root)
    releases.release(root, store)
    releases.release(root, store, "2.0.0", more="  form: messages\n", configs="sft, preference")
    return {
        form: loading.loaded(f"sums@{version}", store=store.root)
        for form, version in (("text", "1.0.0"), ("messages", "2.0.0"))
    }


def tokens(
    data: Loaded, settings: Train, model: Path, folder: Path, prompt: Prompt = ASKED
) -> tuple[list[dict[str, Any]], Counts, list[dict[str, Any]]]:
    """(rows in tokens, counts, problems)."""
    found = trained_models.read_manifest(data)
    rows, asked = folder / "rows.parquet", folder / "asked.parquet"
    counts = training_tokens.write(data.folder, found, settings, prompt, model, rows, asked, Silent())
    return pq.read_table(rows).to_pylist(), counts, pq.read_table(asked).to_pylist()


def config(data: Loaded, name: str) -> list[dict[str, Any]]:
    paths = sorted((data.folder / "data" / name).glob("*.parquet"))
    return pa.concat_tables([pq.read_table(path) for path in paths]).to_pylist()


def test_a_row_is_what_the_sampler_is_sent_and_the_completion_with_its_end(
    made: dict[str, Loaded], model: Path, tmp_path: Path
) -> None:
    rows, counts, asked = tokens(made["text"], Train(), model, tmp_path)
    tokenizer = tokenizing.load(model)
    released = config(made["text"], "sft")
    assert counts == Counts(len(released), {})
    for row, told, problem in zip(rows, released, asked, strict=True):
        assert row["prompt_ids"] == tokenizing.encode(tokenizer, prompts.render(ASKED, told["prompt"]))
        assert tokenizing.decode(tokenizer, row["completion_ids"][:-1]) == told["completion"]
        assert row["completion_ids"][-1] == tokenizer.eos_token_id
        assert (row["row_id"], row["problem_id"], row["weight"]) == (told["sample_id"], told["problem_id"], 1)
        assert problem == {"problem_id": told["problem_id"], "prompt": told["prompt"]}


@pytest.mark.parametrize("method", ["sft", "dpo"])
def test_both_forms_of_a_release_give_the_same_tokens(
    made: dict[str, Loaded], model: Path, tmp_path: Path, method: str
) -> None:
    first, second = (
        tokens(made[form], Train.model_validate({"method": method}), model, tmp_path) for form in made
    )
    assert first == second


def test_a_chat_ends_where_the_assistant_begins(made: dict[str, Loaded], model: Path, tmp_path: Path) -> None:
    rows, _, asked = tokens(
        made["messages"], Train(), model, tmp_path, Prompt(template="{{ prompt }} Think.")
    )
    shown = tokenizing.load(model).decode(rows[0]["prompt_ids"])
    assert shown == f"<user>{asked[0]['prompt']} Think.</s><assistant>"


def test_a_pair_is_both_completions_of_one_problem(
    made: dict[str, Loaded], model: Path, tmp_path: Path
) -> None:
    rows, counts, _ = tokens(made["text"], Train(method="dpo"), model, tmp_path)
    tokenizer, released = tokenizing.load(model), config(made["text"], "preference")
    assert counts.used == len(rows) == len(released)
    for row, told in zip(rows, released, strict=True):
        for side in ("chosen", "rejected"):
            assert tokenizing.decode(tokenizer, row[f"{side}_ids"][:-1]) == told[side]
            assert row[f"{side}_ids"][-1] == tokenizer.eos_token_id


@pytest.mark.parametrize("method", ["sft", "weighted", "dpo"])
def test_nobody_learns_to_stop_where_a_sample_was_cut(
    made: dict[str, Loaded], model: Path, tmp_path: Path, method: str
) -> None:
    settings, data = Train.model_validate({"method": method}), made["text"]
    whole, counts, _ = tokens(data, settings, model, tmp_path)
    assert counts.used
    (tmp_path / "cut").mkdir()
    shutil.copytree(data.folder, tmp_path / "cut" / "release")
    cut = set()
    for path in (tmp_path / "cut" / "release" / "data" / "samples").glob("*.parquet"):
        table = pq.read_table(path)
        reasons = ["length" if at % 3 else "stop" for at in range(table.num_rows)]
        cut |= {
            one for one, why in zip(table["sample_id"].to_pylist(), reasons, strict=True) if why == "length"
        }
        place = table.schema.get_field_index("finish_reason")
        path.chmod(0o644)
        pq.write_table(table.set_column(place, table.schema.field(place), pa.array(reasons)), path)
    there = dataclasses.replace(data, folder=tmp_path / "cut" / "release")
    rows, _, _ = tokens(there, settings, model, tmp_path / "cut")
    sides = ["chosen_ids", "rejected_ids"] if method == "dpo" else ["completion_ids"]
    ends: Counter[bool] = Counter()
    for before, after in zip(whole, rows, strict=True):
        for side, sample in zip(sides, after["row_id"].split("-"), strict=True):
            ends[sample in cut] += 1
            assert after[side] == (before[side][:-1] if sample in cut else before[side]), sample
    assert set(ends) == {True, False}, "both kinds are there"


def test_a_cut_sample_without_text_has_a_token_to_learn(encoder: Encoder) -> None:
    (found,) = encoder.supervised([{"prompt": "1 + 1?", "completion": "", "cut": ["completion"]}])
    assert found["completion_ids"] == [encoder.end]


def test_advantages_are_those_computed_by_hand(made: dict[str, Loaded], model: Path, tmp_path: Path) -> None:
    settings = Train(method="weighted", weights=Weights(beta=0.5, clip=2.0))
    rows, counts, _ = tokens(made["text"], settings, model, tmp_path)
    samples = config(made["text"], "samples")
    judged = [one for one in samples if one["status"] in ("pass", "fail")]
    by_problem: dict[str, list[bool]] = {}
    for one in judged:
        by_problem.setdefault(one["problem_id"], []).append(one["correct"])
    raw = {}
    for one in judged:
        share = sum(by_problem[one["problem_id"]]) / len(by_problem[one["problem_id"]])
        raw[one["sample_id"]] = min(math.exp((one["correct"] - share) / 0.5), 2.0)
    mean = sum(raw.values()) / len(raw)
    found = {row["row_id"]: row["weight"] for row in rows}
    assert found == pytest.approx({key: one / mean for key, one in raw.items()})
    assert sum(found.values()) / len(found) == pytest.approx(1.0)
    assert {one["correct"] for one in judged} == {True, False}, "both sides are there"
    assert counts.left_out == dict(Counter(one["status"] for one in samples if one not in judged))
    assert counts.used + sum(counts.left_out.values()) == len(samples)
    assert counts.left_out["no_answer"], "a text without an answer is evidence of nothing"


def test_a_reward_leaves_failed_samples_out_and_counts_them(
    made: dict[str, Loaded], model: Path, tmp_path: Path
) -> None:
    settings = Train(method="weighted", weights=Weights(by="reward"))
    rows, counts, _ = tokens(made["text"], settings, model, tmp_path)
    samples = config(made["text"], "samples")
    assert {row["row_id"] for row in rows} == {one["sample_id"] for one in samples if one["correct"]}
    assert {row["weight"] for row in rows} == {1.0}
    judged = [one for one in samples if one["status"] in ("pass", "fail")]
    assert counts.left_out["failed"] == sum(not one["correct"] for one in judged)
    assert counts.used + sum(counts.left_out.values()) == len(samples)


@pytest.mark.parametrize("form", ["text", "messages"])
@pytest.mark.parametrize("names", [("weak",), ("strong",), ("weak", "strong")])
def test_only_the_rows_of_the_named_generators_are_learned_from(
    made: dict[str, Loaded], model: Path, tmp_path: Path, form: str, names: tuple[str, ...]
) -> None:
    rows, counts, asked = tokens(made[form], Train(generators=names), model, tmp_path)
    released = config(made[form], "sft")
    mine = [one for one in released if one["generator"] in names]
    assert [row["row_id"] for row in rows] == [one["sample_id"] for one in mine]
    assert [row["problem_id"] for row in asked] == [one["problem_id"] for one in mine]
    others = len(released) - len(mine)
    assert counts == Counts(len(mine), {"other_generator": others} if others else {})


def test_a_pair_is_of_a_generator_where_both_its_sides_are(
    made: dict[str, Loaded], model: Path, tmp_path: Path
) -> None:
    rows, counts, _ = tokens(made["text"], Train(method="dpo", generators=("weak",)), model, tmp_path)
    released = config(made["text"], "preference")
    sides = [(one["chosen_generator"], one["rejected_generator"]) for one in released]
    assert counts.used == len(rows) == sides.count(("weak", "weak")) > 0
    assert counts.left_out == {"other_generator": len(sides) - len(rows)}
    assert ("strong", "weak") in sides
    assert ("strong", "strong") not in sides
    with pytest.raises(CheckFailed, match=rf"{len(sides)} other_generator\).*train.generators"):
        tokens(made["text"], Train(method="dpo", generators=("strong",)), model, tmp_path)


def test_advantages_of_one_generator_are_over_its_own_draws(
    made: dict[str, Loaded], model: Path, tmp_path: Path
) -> None:
    settings = Train(method="weighted", weights=Weights(beta=0.5, clip=100.0), generators=("weak",))
    rows, counts, _ = tokens(made["text"], settings, model, tmp_path)
    samples = config(made["text"], "samples")
    mine = [one for one in samples if one["generator"] == "weak" and one["status"] in ("pass", "fail")]
    raw = {}
    for one in mine:
        same = [other["correct"] for other in mine if other["problem_id"] == one["problem_id"]]
        raw[one["sample_id"]] = math.exp((one["correct"] - sum(same) / len(same)) / 0.5)
    mean = sum(raw.values()) / len(raw)
    assert {row["row_id"]: row["weight"] for row in rows} == pytest.approx(
        {key: one / mean for key, one in raw.items()}
    )
    assert counts.left_out["other_generator"] == sum(one["generator"] == "strong" for one in samples)
    assert counts.used + sum(counts.left_out.values()) == len(samples)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (Train(generators=("weka",)), "'weka' is none of the generators of sums@1.0.0.*did you mean weak"),
        (Train(generators=("people",)), "'people' is none of the generators of sums@1.0.0, strong, weak$"),
        (Train(method="dpo", generators=("weak", "x")), "'x' is none of the generators"),
    ],
)
def test_a_generator_that_wrote_nothing_is_refused(
    made: dict[str, Loaded], settings: Train, told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        training_rows.check(trained_models.read_manifest(made["text"]), settings, "sums@1.0.0")


def test_a_release_that_does_not_say_who_wrote_its_rows_is_refused(made: dict[str, Loaded]) -> None:
    found = trained_models.read_manifest(made["text"])
    sft = found.configs["sft"]
    without = [one for one in sft.columns if one.name != "generator"]
    old = found.model_copy(update={"configs": {"sft": sft.model_copy(update={"columns": without})}})
    training_rows.check(old, Train(), "old@1.0.0")
    with pytest.raises(UsageError, match=r"sft has no column generator, which train\.generators reads"):
        training_rows.check(old, Train(generators=("weak",)), "old@1.0.0")


@pytest.mark.parametrize(
    ("correct", "share", "weights", "expected"),
    [
        (True, 0.25, {}, math.exp(1.5)),
        (False, 0.25, {}, math.exp(-0.5)),
        (True, 1.0, {}, 1.0),
        (False, 0.0, {}, 1.0),
        (True, 0.0, {"clip": 3.0}, 3.0),
        (True, 0.0, {"beta": 1e-6}, 10.0),
        (False, 1.0, {"beta": 1e-6}, 0.0),
        (True, 0.5, {"by": "reward"}, 1.0),
        (False, 0.5, {"by": "reward"}, 0.0),
    ],
)
def test_a_weight(correct: bool, share: float, weights: dict[str, Any], expected: float) -> None:
    found = training_rows.weight_of(correct, share, Train(weights=Weights.model_validate(weights)))
    assert found == pytest.approx(expected)


@given(st.floats(0, 1), st.floats(1e-3, 10), st.floats(0.1, 100))
def test_a_correct_sample_never_weighs_less_than_a_failed_one(share: float, beta: float, clip: float) -> None:
    settings = Train(weights=Weights(beta=beta, clip=clip))
    right, wrong = (training_rows.weight_of(one, share, settings) for one in (True, False))
    assert 0 <= wrong <= right <= clip * (1 + 1e-12)


def test_rows_that_are_too_long_are_left_out_and_counted(
    made: dict[str, Loaded], model: Path, tmp_path: Path
) -> None:
    everything, _, _ = tokens(made["text"], Train(), model, tmp_path)
    lengths = sorted(len(row["prompt_ids"]) + len(row["completion_ids"]) for row in everything)
    limit = lengths[len(lengths) // 2]
    rows, counts, asked = tokens(made["text"], Train(max_length=limit), model, tmp_path)
    kept = sum(one <= limit for one in lengths)
    assert counts == Counts(kept, {"too_long": len(lengths) - kept})
    assert len(rows) == len(asked) == kept
    assert max(len(row["prompt_ids"]) + len(row["completion_ids"]) for row in rows) <= limit


def test_no_row_that_fits_is_an_error_with_the_reasons(
    made: dict[str, Loaded], model: Path, tmp_path: Path
) -> None:
    with pytest.raises(
        CheckFailed, match=r"none of the 20 rows can be trained on \(20 too_long\).*max_length"
    ):
        tokens(made["text"], Train(max_length=8), model, tmp_path)


@pytest.fixture(scope="module")
def encoder(model: Path) -> Encoder:
    return Encoder(model, ASKED, 4096)


def test_a_row_is_bound_by_what_the_model_can_see(encoder: Encoder) -> None:
    assert encoder.limit == 512


def test_a_completion_that_spells_the_end_of_a_text_does_not_end_it(encoder: Encoder) -> None:
    row = {"prompt": "1 + 1?", "completion": "2</s>3", "cut": []}
    ((found),) = encoder.supervised([row])
    assert found["completion_ids"].count(encoder.end) == 1
    assert bytes(map(ord, encoder.tokenizer.decode(found["completion_ids"][:-1]))) == b"2</s>3"


def test_a_model_that_has_no_end_of_text_cannot_learn_to_stop(model: Path, tmp_path: Path) -> None:
    shutil.copytree(model, tmp_path / "m")
    for name in ("tokenizer_config.json", "generation_config.json"):
        path = tmp_path / "m" / name
        path.write_text(path.read_text().replace("eos_token", "other_token"))
    with pytest.raises(UsageError, match="names a token that ends a text"):
        Encoder(tmp_path / "m", ASKED, 100)


def test_a_chat_needs_a_chat_template(made: dict[str, Loaded], model: Path, tmp_path: Path) -> None:
    shutil.copytree(model, tmp_path / "m")
    (tmp_path / "m" / "chat_template.jinja").unlink()
    with pytest.raises(UsageError, match="has no chat template"):
        tokens(made["text"], Train(), tmp_path / "m", tmp_path, Prompt())


@pytest.mark.parametrize(
    ("form", "settings", "message"),
    [
        ("messages", {"method": "weighted"}, "has no config samples, which train.method weighted reads"),
        ("text", {"split": "test"}, r"no rows in the split 'test'; it has train \(20\). Set train.split"),
    ],
)
def test_a_release_without_the_rows_is_refused(
    made: dict[str, Loaded], form: str, settings: dict[str, Any], message: str
) -> None:
    found = trained_models.read_manifest(made[form])
    with pytest.raises(UsageError, match=message):
        training_rows.check(found, Train.model_validate(settings), "sums@1.0.0")


def test_columns_of_another_release_format_are_refused(made: dict[str, Loaded]) -> None:
    found = trained_models.read_manifest(made["text"])
    sft = found.configs["sft"]
    other = sft.model_copy(update={"columns": [one for one in sft.columns if one.name != "completion"]})
    with pytest.raises(UsageError, match="training reads completion, problem_id, prompt, sample_id"):
        training_rows.check(found.model_copy(update={"configs": {"sft": other}}), Train(), "sums@1.0.0")


def test_a_conversation_of_other_roles_is_refused(
    made: dict[str, Loaded], model: Path, tmp_path: Path
) -> None:
    found = trained_models.read_manifest(made["messages"])
    (file,) = found.files_of("sft")
    rows = pq.read_table(made["messages"].folder / file.path).slice(0, 1)
    system = pa.array([[{"role": "system", "content": "x"}]], type=rows.schema.field("messages").type)
    rows = rows.set_column(rows.schema.names.index("messages"), rows.schema.field("messages"), system)
    (tmp_path / file.path).parent.mkdir(parents=True)
    pq.write_table(rows, tmp_path / file.path)
    with pytest.raises(CheckFailed, match="roles system, where training reads user, assistant"):
        list(training_rows.read(tmp_path, found, Train(), Counter(), tmp_path))


def test_texts_of_a_new_model_are_worded_as_the_sampler_words_them(made: dict[str, Loaded]) -> None:
    found = trained_models.read_manifest(made["text"])
    texts = list(training_tokens.texts(made["text"].folder, found, ASKED))
    assert len(texts) == 40
    assert texts[0].startswith("Q: Ann has")
    assert texts[0].endswith("A:")
    assert texts[1] == config(made["text"], "sft")[0]["completion"]
