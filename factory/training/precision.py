"""Where a training runs and in which numbers.

Guarantees: on one device. In bfloat16, weights that are trained stay float32 and the arithmetic is autocast:
with 8 bits of mantissa an update below 1/256 of a weight would be lost, which at learning rates near 1e-5 is
nearly every update. Frozen weights, those under an adapter, are held in bfloat16, since nothing is added to
them while training goes on. Left out: float16, which needs loss scaling, and more than one device.

On CPUs the threads of a training wait without spinning: beside other work, a small Llama on 2 cores took a
median of 1.2 s for a step so, 1.2 s with one thread, and 5.2 s with threads that spin.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final, Literal, NamedTuple

from factory.recipe import Train

Precision = Literal["float32", "bfloat16"]

_QUOTA: Final = Path("/sys/fs/cgroup/cpu.max")


class Place(NamedTuple):
    """A device (`cpu` or `cuda`), the precision of the arithmetic, and that of the weights as loaded."""

    device: str
    precision: Precision
    weights: Precision


def threads() -> dict[str, str]:
    """What OpenMP is told before torch is loaded: the cores it may use, and to wait without spinning.

    No more cores than a container has the time of; a setting of the user's own goes before.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):  # no such file, or "max 100000": no limit
        quota, period = _QUOTA.read_text().split()
        bound = max(1, min(bound, int(quota) // int(period)))
    usual = {"OMP_NUM_THREADS": str(bound), "OMP_WAIT_POLICY": "PASSIVE"}
    return usual | {name: os.environ[name] for name in usual if name in os.environ}


def place(settings: Train) -> Place:
    """Where this training runs here."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    if settings.precision == "auto":
        precision: Precision = (
            "bfloat16" if device == "cuda" and torch.cuda.is_bf16_supported() else "float32"
        )
    else:
        precision = settings.precision
    frozen = settings.adapter is not None and device == "cuda"
    return Place(device, precision, precision if frozen else "float32")
