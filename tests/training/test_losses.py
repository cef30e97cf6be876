"""What a training minimises, against the same worked out by hand with numpy; padded, packed, and in parts."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from factory.errors import CheckFailed, UsageError
from factory.training import child, ledger, losses, packing, trainers
from factory.training.job import Job, Result
from tests.support import jobs
from tests.support.tiny_model import make_model

pytest.importorskip("trl")

# TRL and peft read names that transformers has put others in the place of.
pytestmark = pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*is deprecated:FutureWarning")

ROWS = [jobs.supervised_row(number) for number in range(8)]
WEIGHED = [row | {"weight": 0.5 * number} for number, row in enumerate(ROWS)]
ONE_STEP: dict[str, Any] = {"method": "weighted", "batch": 8, "steps": 1}
"""All rows in one step, so that its loss is a number of the base alone."""

PAIRS = [jobs.pair_row(number) for number in range(8)]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(make_model(tmp_path_factory.mktemp("base")))


def trained(job: Job) -> Result:
    return child.train(job, lambda message: None)


def weights_digest(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def log_likelihood(model: Any, prompt: list[int], completion: list[int]) -> float:
    """log p(completion | prompt): the row by itself, its logits turned into log probabilities by numpy."""
    import torch

    with torch.no_grad():
        logits = model(torch.tensor([[*prompt, *completion]])).logits[0].double().numpy()
    log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    places = range(len(prompt) - 1, len(prompt) + len(completion) - 1)
    return float(sum(log_probs[place, token] for place, token in zip(places, completion, strict=True)))


def loaded(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder).eval()


def by_hand(folder: Path, rows: list[dict[str, Any]]) -> float:
    """sum_i w_i nll_i / loss tokens, the weights divided by their mean."""
    model = loaded(folder)
    mean = sum(row["weight"] for row in rows) / len(rows)
    told = [
        row["weight"] / mean * log_likelihood(model, row["prompt_ids"], row["completion_ids"]) for row in rows
    ]
    return -sum(told) / sum(len(row["completion_ids"]) for row in rows)


# --- supervised --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def one_step(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A step over all rows, which go through the model at once."""
    job = jobs.job(tmp_path_factory.mktemp("step"), base, WEIGHED, **ONE_STEP, micro_batch=8)
    return trained(job)


@pytest.mark.parametrize(("micro_batch", "packed"), [(1, False), (2, False), (4, True), (8, True)])
def test_the_loss_of_a_step_is_that_worked_out_by_hand_however_it_is_divided(
    base: Path, tmp_path: Path, one_step: Result, micro_batch: int, packed: bool
) -> None:
    more = {"micro_batch": micro_batch, "packing": packed}
    result = trained(jobs.job(tmp_path, base, WEIGHED, **ONE_STEP, **more))
    assert result.curve[0].loss == pytest.approx(by_hand(base, WEIGHED), rel=1e-5)
    assert result.curve[0].grad_norm == pytest.approx(one_step.curve[0].grad_norm, rel=1e-4)
    assert result.loss_tokens == sum(len(row["completion_ids"]) for row in ROWS)
    assert result.tokens == result.loss_tokens + sum(len(row["prompt_ids"]) for row in ROWS)


def test_equal_weights_give_the_plain_loss_and_the_plain_model(base: Path, tmp_path: Path) -> None:
    equal = [row | {"weight": 0.3} for row in ROWS]
    plain = trained(jobs.job(tmp_path / "sft", base, ROWS, steps=3))
    weighted = trained(jobs.job(tmp_path / "weighted", base, equal, steps=3, method="weighted"))
    assert [one.loss for one in weighted.curve] == pytest.approx([one.loss for one in plain.curve], rel=1e-6)
    assert [one.grad_norm for one in weighted.curve] == pytest.approx(
        [one.grad_norm for one in plain.curve], rel=1e-5
    )
    assert plain.order_digest == weighted.order_digest


def test_packed_rows_train_the_model_that_padded_rows_train(base: Path, tmp_path: Path) -> None:
    padded = trained(jobs.job(tmp_path / "padded", base, ROWS, steps=4, warmup=0.0))
    packed = trained(jobs.job(tmp_path / "packed", base, ROWS, steps=4, warmup=0.0, packing=True))
    assert [one.loss for one in packed.curve] == pytest.approx([one.loss for one in padded.curve], rel=1e-5)
    assert [one.grad_norm for one in packed.curve] == pytest.approx(
        [one.grad_norm for one in padded.curve], rel=1e-4
    )
    assert padded.curve[-1].loss < padded.curve[0].loss - 0.1, (
        "it learns, so that later losses tell of weights"
    )


def test_a_model_that_lets_packed_rows_see_each_other_is_refused(base: Path) -> None:
    model = loaded(base)
    packing.verify(model)
    forward = model.forward

    def leaky(input_ids: Any, position_ids: Any, use_cache: bool) -> Any:
        return forward(input_ids=input_ids, use_cache=use_cache)

    model.forward = leaky
    with pytest.raises(UsageError, match=r"Qwen3ForCausalLM lets rows.*see each other.*packing: false"):
        packing.verify(model)


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        ([1.0, -0.5], "weight is -0.5"),
        ([1.0, float("nan")], "weight is nan"),
        ([0.0, 0.0], "every row has the"),
    ],
)
def test_weights_that_mean_nothing_are_refused(weights: list[float], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        losses.mean_one(weights)


def test_weights_have_mean_one() -> None:
    assert losses.mean_one([2.0, 2.0]) == [1.0, 1.0]
    assert losses.mean_one([0.0, 1.0, 5.0]) == [0.0, 0.5, 2.5]


def test_the_first_token_of_a_row_is_never_predicted_from_the_row_before() -> None:
    batch = losses.Supervised(0, packing=True, weighs=False)(
        [
            {"row": 0, "prompt_ids": [1], "completion_ids": [2, 3], "weight": 1.0},
            {"row": 1, "prompt_ids": [], "completion_ids": [4, 5], "weight": 1.0},
        ]
    )
    assert batch["labels"].tolist() == [[-100, 2, 3, -100, 5]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 0, 1]]
    assert (batch["rows"], batch["tokens"], batch["loss_tokens"]) == ([0, 1], 5, 3)


# --- preference --------------------------------------------------------------------------------------


@pytest.mark.parametrize("adapter", [None, {"rank": 2}])
def test_the_preference_loss_is_equation_7_worked_out_by_hand(
    base: Path, tmp_path: Path, adapter: dict[str, Any] | None
) -> None:
    job = jobs.job(
        tmp_path,
        base,
        PAIRS,
        method="dpo",
        batch=8,
        steps=3,
        warmup=0.0,
        stop_at=1,
        beta=0.2,
        adapter=adapter,
    )
    first = trained(job)
    assert first.curve[0].loss == pytest.approx(np.log(2)), "the model is its own reference at first"
    before, after = loaded(base), loaded(job.out)
    margins = []
    for row in PAIRS:
        chosen, rejected = (
            log_likelihood(after, row["prompt_ids"], row[name])
            - log_likelihood(before, row["prompt_ids"], row[name])
            for name in ("chosen_ids", "rejected_ids")
        )
        margins.append(chosen - rejected)
    expected = np.mean(np.log1p(np.exp(-0.2 * np.array(margins))))
    further = trained(Job(**vars(job) | {"stop_at": 2}))
    assert further.curve[1].loss == pytest.approx(expected, rel=1e-4)
    assert expected < np.log(2), "it moves towards the chosen ones"
    assert further.resumed_at == [], "it was stopped as asked"
    assert further.loss_tokens == 2 * sum(len(row["chosen_ids"]) + len(row["rejected_ids"]) for row in PAIRS)


# --- whole and in parts ------------------------------------------------------------------------------


def test_stopped_and_gone_on_with_other_micro_batches_it_is_the_same_training(
    base: Path, tmp_path: Path
) -> None:
    undisturbed = trained(jobs.job(tmp_path / "one", base, ROWS, steps=6))
    stopped = jobs.job(tmp_path / "two", base, ROWS, steps=6, stop_at=3)
    part = trained(stopped)
    assert (part.steps, part.epochs) == (3, 1.5)
    assert part.curve == undisturbed.curve[:3], "the schedule spans the whole training"
    at_three = weights_digest(stopped.out)
    assert trained(stopped).steps == 3, "asked again, there is nothing left to do"
    assert weights_digest(stopped.out) == at_three
    whole = trained(jobs.job(tmp_path / "two", base, ROWS, steps=6, micro_batch=1))
    assert whole.order_digest == undisturbed.order_digest
    assert [one.loss for one in whole.curve] == pytest.approx(
        [one.loss for one in undisturbed.curve], rel=1e-5
    )
    assert weights_digest(stopped.out) != at_three


def test_checkpoints_of_another_training_are_not_gone_on_from(base: Path, tmp_path: Path) -> None:
    trained(jobs.job(tmp_path, base, ROWS, steps=2))
    with pytest.raises(UsageError, match=r"another training \(learning_rate: 0.01 there, 0.02 here\)"):
        trained(jobs.job(tmp_path, base, ROWS, steps=2, learning_rate=0.02))
    with pytest.raises(UsageError, match=r"another training .*rows"):
        trained(jobs.job(tmp_path, base, ROWS[:7], steps=2))


def test_adapters_are_merged_in_and_stand_beside(base: Path, tmp_path: Path) -> None:
    import torch
    from peft import PeftModel

    job = jobs.job(tmp_path, base, ROWS, steps=3, warmup=0.0, micro_batch=16, adapter={"rank": 2})
    result = trained(job)
    assert result.trained_parameters < result.parameters == sum(p.numel() for p in loaded(base).parameters())
    ids = torch.tensor([ROWS[0]["prompt_ids"]])
    merged, beside = loaded(job.out)(ids).logits, PeftModel.from_pretrained(loaded(base), job.out / "adapter")
    assert torch.allclose(merged, beside.eval()(ids).logits, atol=1e-5)
    assert not torch.allclose(merged, loaded(base)(ids).logits, atol=1e-3)
    assert str(tmp_path) not in (job.out / "adapter" / "adapter_config.json").read_text()


def test_what_goes_with_the_weights_is_the_base_s(base: Path, tmp_path: Path) -> None:
    job = jobs.job(tmp_path, base, ROWS, steps=1)
    trained(job)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json"):
        assert (job.out / name).read_bytes() == (base / name).read_bytes(), name
    config = json.loads((job.out / "config.json").read_text())
    assert config == json.loads((base / "config.json").read_text()) | {"dtype": "float32"}


def test_a_training_of_one_step_changes_the_model(base: Path, tmp_path: Path) -> None:
    job = jobs.job(tmp_path, base, ROWS, steps=1)
    assert job.settings.warmup > 0
    (point,) = trained(job).curve
    assert point.learning_rate == job.settings.learning_rate
    assert weights_digest(job.out) != weights_digest(base)


@pytest.mark.parametrize(
    ("share", "steps", "warm"),
    [(0.03, 1, 0), (0.9, 1, 0), (0.03, 2, 1), (0.99, 2, 1), (0.0, 9, 0), (0.03, 100, 3)],
)
def test_warming_up_ends_before_the_training(
    base: Path, tmp_path: Path, share: float, steps: int, warm: int
) -> None:
    assert trainers.warmup(jobs.job(tmp_path, base, ROWS, steps=steps, warmup=share)) == warm


def test_generation_settings_that_transformers_will_not_save_are_kept(base: Path, tmp_path: Path) -> None:
    shutil.copytree(base, tmp_path / "base")
    told = '{"temperature": 0.6, "do_sample": false, "eos_token_id": [257, 256]}'
    (tmp_path / "base" / "generation_config.json").write_text(told)
    job = jobs.job(tmp_path, tmp_path / "base", ROWS, steps=1)
    trained(job)
    assert (job.out / "generation_config.json").read_text() == told


# --- refused -----------------------------------------------------------------------------------------


def test_a_loss_that_is_no_number_ends_the_training_before_it_is_saved(base: Path, tmp_path: Path) -> None:
    job = jobs.job(tmp_path, base, ROWS, learning_rate=1e30, checkpoint_every=1, warmup=0.0)
    with pytest.raises(CheckFailed, match=r"the loss is (nan|inf) at step \d.*Lower train.learning_rate"):
        trained(job)
    assert not job.out.exists()
    assert all(np.isfinite(step.loss) for step in ledger.read(job.work / ledger.NAME).steps)


def test_tokens_of_another_tokenizer_are_refused(base: Path, tmp_path: Path) -> None:
    rows = [ROWS[0] | {"completion_ids": [258]}]
    with pytest.raises(UsageError, match=r"holds token 258, and .* knows 258 tokens"):
        trained(jobs.job(tmp_path, base, rows))


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (None, "no config.json that can be read"),
        ("{", "no config.json that can be read"),
        ('{"quantization_config": {}}', "is quantised"),
        ('{"model_type": "none_of_ours"}', "cannot load it as a language model"),
    ],
)
def test_a_base_that_cannot_be_trained_is_refused(tmp_path: Path, config: str | None, told: str) -> None:
    (tmp_path / "base").mkdir()
    if config is not None:
        (tmp_path / "base" / "config.json").write_text(config)
    with pytest.raises(UsageError, match=told):
        trained(jobs.job(tmp_path, tmp_path / "base", ROWS))


def test_layers_that_the_model_has_not_are_refused(base: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"train\.adapter: .*no_such_layer"):
        trained(jobs.job(tmp_path, base, ROWS, adapter={"targets": ["no_such_layer"]}))


# --- numbers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("precision", "written"), [("float32", "float32"), ("bfloat16", "bfloat16")])
def test_a_model_is_written_as_its_base_is_unless_it_was_trained_in_float32(
    base: Path, tmp_path: Path, precision: str, written: str
) -> None:
    import torch

    small = tmp_path / "base"
    shutil.copytree(base, small)
    loaded(base).to(torch.bfloat16).save_pretrained(small)
    job = jobs.job(tmp_path, small, ROWS, steps=2, warmup=0.0, precision=precision)
    result = trained(job)
    assert result.precision == precision
    assert loaded(job.out).dtype == getattr(torch, written)
    assert json.loads((job.out / "config.json").read_text())["dtype"] == written
    assert result.curve[1].loss < result.curve[0].loss


@pytest.mark.parametrize("adapter", [None, {"rank": 2}])
def test_keeping_fewer_activations_changes_nothing(
    base: Path, tmp_path: Path, adapter: dict[str, Any] | None
) -> None:
    usual = trained(jobs.job(tmp_path / "all", base, ROWS, steps=2, warmup=0.0, adapter=adapter))
    fewer = trained(
        jobs.job(
            tmp_path / "few", base, ROWS, steps=2, warmup=0.0, adapter=adapter, gradient_checkpointing=True
        )
    )
    assert [one.loss for one in fewer.curve] == pytest.approx([one.loss for one in usual.curve], rel=1e-6)
