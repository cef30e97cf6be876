"""Which rows a training consumes, and in which order.

Guarantees: the order is a function of the number of rows, the seed, the steps and the batch; of no machine,
process or checkpoint. Every epoch is a permutation of all rows by itself, the next one begins where it ends,
in the middle of a step where they do not divide. Left out: what was consumed in fact (`ledger.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from math import ceil

import numpy as np
from numpy.typing import NDArray


def planned(rows: int, seed: int, steps: int, batch: int) -> NDArray[np.int64]:
    """The numbers of the rows of all steps: step s = 0, 1, ... takes [s * batch, (s + 1) * batch).

    Epoch e is the permutation of PCG64 seeded by (seed, e), so a longer training begins as a shorter one.
    """
    if rows < 1:
        raise ValueError("there is no row to order")
    wanted = steps * batch
    epochs = [np.random.Generator(np.random.PCG64([seed, one])) for one in range(ceil(wanted / rows))]
    parts = [one.permutation(rows) for one in epochs]
    return np.concatenate(parts)[:wanted] if parts else np.zeros(0, np.int64)


def digest(row_ids: Iterable[str]) -> str:
    """The sha256 of row ids in the order in which they were consumed, one a line."""
    found = hashlib.sha256()
    for one in row_ids:
        found.update(f"{one}\n".encode())
    return found.hexdigest()
