"""How many correct samples a problem is to get, by how hard its first draws found it.

Guarantees: arithmetic on counts alone; every problem gets a target of one or more. Left out: how often a
problem is drawn until it has them (`sampling/`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]


def proportional(correct: Counts, judged: Counts, hardest: int) -> Counts:
    """Correct samples wanted of each problem, in proportion to its fail rate.

    Prop2Diff of DART-Math (arXiv 2407.13690, section 2.2): n_i = max(1, round(hardest x f_i / max f)), f_i
    the fail rate 1 - correct / judged of the draws that probe a problem; the 1 is what its authors call
    +Cover. `judged` are the probing draws that a verdict tells right from not right; a problem with none
    counts as failed throughout. Where nothing failed, every target is 1.
    """
    rates = np.where(judged > 0, 1.0 - correct / np.maximum(judged, 1), 1.0)
    highest = float(rates.max(initial=0.0))
    if highest <= 0.0:
        return np.ones(len(rates), dtype=np.int64)
    return np.maximum(1, np.rint(hardest * (rates / highest))).astype(np.int64)
