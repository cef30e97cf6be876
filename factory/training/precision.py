"""Where a training runs and in which numbers.

Guarantees: on one device. In bfloat16, weights that are trained stay float32 and the arithmetic is autocast:
with 8 bits of mantissa an update below 1/256 of a weight would be lost, which at learning rates near 1e-5 is
nearly every update. Frozen weights, those under an adapter, are held in bfloat16, since nothing is added to
them while training goes on. Left out: float16, which needs loss scaling, and more than one device.
"""

from __future__ import annotations

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
