"""The process of one training: started by `run.py`, it reads a job, trains, and ends.

Guarantees: all memory of a training, on the host and on a device, is given back when it ends. It ends with
its starter, however that went: it watches its standard input. One JSON object a line on standard output:
{step, loss} after each step, and as the last one {result} or {error, message}; whatever libraries print goes
to standard error. Left out: what is trained (`supervised.py`, `preference.py`).
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from math import fsum
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from factory.errors import FactoryError, OutsideError, UsageError
from factory.recipe import TRAINING_OPERATIONAL
from factory.training import (
    checkpoints,
    ledger,
    order,
    packing,
    precision,
    preference,
    supervised,
    trainers,
    weights,
)
from factory.training import rows as rows_of
from factory.training.job import Job, Result

Say = Callable[[dict[str, Any]], None]


def train(job: Job, say: Say) -> Result:
    """Carry out a job, from its last checkpoint where there is one."""
    rows = rows_of.read(job)
    lock = checkpoints.claim(job.work, _identity(job, rows))
    target = min(job.steps, job.stop_at or job.steps)
    done, checkpoint = checkpoints.latest(job.work, target)
    found = ledger.read(job.work / ledger.NAME)
    if len(found.steps) < done:
        done, checkpoint = checkpoints.latest(job.work, 0)
    found.resume(done)
    place = precision.place(job.settings)
    made = _trainer(job, rows, place)
    made.given(job, rows.num_rows, found, lambda step, loss: say({"step": step, "loss": loss}))
    counts = _parameters(made.model)
    if done < target:
        made.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    elif checkpoint is not None:
        made._load_from_checkpoint(str(checkpoint))
    weights.save(made.model, job.model, job.out, place)
    found.end()
    lock.release()
    return _result(job, rows, found, place, counts)


def _trainer(job: Job, rows: pa.Table, place: precision.Place) -> Any:
    model = weights.load(job.model, place)
    rows_of.fit(job, rows, model.get_input_embeddings().num_embeddings)
    if job.settings.packing:
        packing.verify(model)
    build = preference.trainer if job.settings.method == "dpo" else supervised.trainer
    adapter = weights.adapter(job.settings.adapter)
    try:
        return build(job, rows, model, weights.tokenizer(job.model), place, adapter)
    except ValueError as error:
        if adapter is None:
            raise
        raise UsageError(f"train.adapter: {error}") from error


def _identity(job: Job, rows: pa.Table) -> dict[str, Any]:
    """What the weights depend on, as far as it is known here; where work is taken up again, all agrees."""
    settings = job.settings.model_dump(mode="json", exclude=set(TRAINING_OPERATIONAL))
    counts = {name: pc.sum(pc.list_value_length(rows[name])).as_py() for name in rows_of.completions(job)}
    files = {path.name: path.stat().st_size for path in sorted(job.model.glob("*.safetensors"))}
    return {
        **settings,
        "steps": job.steps,
        "rows": order.digest(rows["row_id"].to_pylist()),
        "tokens": counts,
        "model": files,
    }


def _parameters(model: Any) -> tuple[int, int]:
    """(all parameters but those of adapters, those that are trained)."""
    named = list(model.named_parameters())
    return (
        sum(one.numel() for name, one in named if ".lora_" not in name),
        sum(one.numel() for _, one in named if one.requires_grad),
    )


def _result(
    job: Job, rows: pa.Table, found: ledger.Ledger, place: precision.Place, counts: tuple[int, int]
) -> Result:
    ids = rows["row_id"].to_pylist()
    steps = found.steps
    return Result(
        rows=rows.num_rows,
        steps=len(steps),
        epochs=len(steps) * job.settings.batch / rows.num_rows,
        tokens=sum(one.tokens for one in steps),
        loss_tokens=sum(one.loss_tokens for one in steps),
        seconds=fsum([found.lost_seconds, *(one.seconds for one in steps)]),
        device=place.device,
        precision=place.precision,
        parameters=counts[0],
        trained_parameters=counts[1],
        order_digest=order.digest(ids[number] for one in steps for number in one.rows),
        curve=ledger.curve(steps, job.steps),
        resumed_at=found.resumed_at,
    )


# --- the process -------------------------------------------------------------------------------------


def _is_memory(error: Exception) -> bool:
    import torch

    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _memory(job: Job, error: Exception) -> str:
    first = str(error).strip().splitlines()[:1]
    return (
        f"train: out of memory with {trainers.micro_batch(job)} rows at once ({''.join(first)}). Lower "
        "train.micro_batch, or set train.gradient_checkpointing or train.adapter. With one of the first two "
        "the same training goes on from its last checkpoint"
    )


def _end_with_starter() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


def main() -> None:
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(message: dict[str, Any]) -> None:
        out.write(json.dumps(message) + "\n")
        out.flush()

    job = Job.from_json(sys.stdin.readline())
    threading.Thread(target=_end_with_starter, daemon=True).start()
    try:
        say({"result": train(job, say).to_json()})
    except FactoryError as error:
        say({"error": type(error).__name__, "message": str(error)})
    except (MemoryError, RuntimeError) as error:
        if not _is_memory(error):
            raise
        say({"error": OutsideError.__name__, "message": _memory(job, error)})
    # Threads of libraries may hold a process that is done.
    out.close()
    os._exit(0)


if __name__ == "__main__":
    main()
