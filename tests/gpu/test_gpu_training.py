"""Training on a card: bfloat16, adapters, packing, less memory for activations, pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from factory import loading
from factory.generators import prompts
from factory.loop import fine_tuning
from factory.progress import Silent
from factory.recipe import Train
from factory.store import Store
from tests.gpu.conftest import used
from tests.support import releases

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(1200), pytest.mark.filterwarnings("ignore")]

GIVEN_BACK = 300
"""MiB that may differ before and after: other programs and the driver."""


def trained(store: Store, release: str, name: str, base: str, **settings: Any) -> fine_tuning.Trained:
    """A model trained on `release` in the prompt of fine-tuning."""
    return fine_tuning.train(
        store,
        loading.loaded(release, store=store.root),
        Train.model_validate(
            {"batch": 16, "micro_batch": 8, "learning_rate": 1e-4, "max_length": 384} | settings
        ),
        base=base,
        prompt=prompts.resolve("alpaca"),
        name=name,
        progress=Silent(),
    )


def told(card: str, made: fine_tuning.Trained) -> None:
    """The speed, for people who run this by hand with -s."""
    done = made.result
    speed = f"{done.steps / done.seconds:.2f} steps/s, {done.tokens / done.seconds:,.0f} tokens/s"
    print(f"\n{card}: {speed}; loss {done.curve[0].loss:.3f} to {done.curve[-1].loss:.3f}")


def test_sft_in_bfloat16_lowers_the_loss(worked: Store, base: str, card: str) -> None:
    before = used()
    made = trained(worked, "worked@1.0.0", "full@1.0.0", base, steps=30)
    told(card, made)
    done = made.result
    assert (done.device.partition(":")[0], done.precision) == ("cuda", "bfloat16")
    first, last = (sum(one.loss for one in part) / 5 for part in (done.curve[:5], done.curve[-5:]))
    assert last < first, "the loss falls"
    assert done.steps == 30
    assert done.epochs == pytest.approx(30 * 16 / done.rows)
    assert used() < before + GIVEN_BACK, "training runs in a process of its own, which has ended"


@pytest.mark.parametrize(
    "settings",
    [
        {"adapter": {"rank": 8}},
        {"packing": True},
        {"gradient_checkpointing": True},
        {"adapter": {"rank": 8}, "packing": True, "gradient_checkpointing": True},
    ],
    ids=["lora", "packing", "checkpointing", "all three"],
)
def test_what_saves_memory_trains(worked: Store, base: str, card: str, settings: dict[str, Any]) -> None:
    name = f"saving-{'-'.join(sorted(settings)).replace('_', '-')}@1.0.0"
    made = trained(worked, "worked@1.0.0", name, base, steps=6, **settings)
    told(card, made)
    assert made.result.steps == 6
    assert (made.result.trained_parameters < made.result.parameters) is ("adapter" in settings)
    assert (made.folder / "config.json").is_file()


@pytest.mark.parametrize("adapter", [None, {"rank": 8}], ids=["full", "lora"])
def test_pairs_are_learned(tmp_path: Path, base: str, card: str, adapter: dict[str, Any] | None) -> None:
    store = releases.make_store(tmp_path)
    releases.release(tmp_path, store)
    made = trained(
        store, "sums@1.0.0", "pairs@1.0.0", base, method="dpo", steps=6, batch=4, micro_batch=2,
        gradient_checkpointing=True, adapter=adapter,
    )  # fmt: skip
    told(card, made)
    assert made.result.steps == 6
    assert made.result.curve[0].loss == pytest.approx(0.6931, abs=0.05), "at first both models are the base"
