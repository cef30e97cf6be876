"""pass@k and diversity@k: what k random draws of n verified samples hold, without bias.

Guarantees: the average over all subsets of k of the n samples, computed in closed form and in a
product of factors, so it neither overflows nor cancels for n up to 100,000. Fewer than k samples are
refused, never read as a failure. Left out: any average over problems (`measure.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Reals = NDArray[np.float64]
Whole = NDArray[np.int64]


def pass_at_k(n: int, c: int, k: int) -> float:
    """1 - C(n-c, k) / C(n, k): the chance that k of n samples, drawn at random, hold one of c passes.

    Raises ValueError unless 0 <= c <= n and 1 <= k <= n.
    """
    return float(pass_at_k_array([n], [c], k)[0])


def pass_at_k_array(n: ArrayLike, c: ArrayLike, k: int) -> Reals:
    """`pass_at_k` for many problems: `n` and `c` have one entry a problem, and so has the result."""
    samples, passes = whole(n), whole(c)
    wrong = (passes < 0) | (passes > samples) | (samples < k) | (k < 1)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ValueError(
            f"pass@k needs 0 <= c <= n and 1 <= k <= n, got n={samples[at]}, c={passes[at]}, k={k}"
        )
    # Most problems share their (n, c) with many others, so each pair is computed once.
    pairs, back = np.unique(np.stack([samples, passes]), axis=1, return_inverse=True)
    return _hit(pairs[0], pairs[1], k)[back.reshape(-1)]


def _hit(n: Whole, c: Whole, k: int) -> Reals:
    # C(n-c,k)/C(n,k) is symmetric in c and k, so the shorter of two equal products is taken:
    # the product over j < min(c, k) of 1 - max(c, k) / (n - j). Its logarithm keeps small results exact.
    short, long = np.minimum(c, k), np.maximum(c, k)
    sure = c + k > n
    log_miss = np.zeros(n.shape, dtype=np.float64)
    for j in range(int(short.max(initial=0, where=~sure))):
        at = ~sure & (j < short)
        log_miss[at] += np.log1p(-long[at] / (n[at] - j))
    return np.where(sure, 1.0, 0.0 - np.expm1(log_miss))


def diversity_at_k(n: int, group_sizes: Sequence[int], k: int) -> float:
    """The expected number of distinct correct paths among k of n samples drawn at random.

    `group_sizes` holds, for each distinct correct path, how many of the n samples take it: the sum
    over groups m of 1 - C(n-m, k) / C(n, k). Raises ValueError unless 1 <= k <= n, every size is
    at least 1, and the sizes add up to n at most.
    """
    return float(diversity_at_k_array([n], [0] * len(group_sizes), group_sizes, k)[0])


def diversity_at_k_array(n: ArrayLike, owner: ArrayLike, group_sizes: ArrayLike, k: int) -> Reals:
    """`diversity_at_k` for many problems at once.

    `n` has one entry a problem; `owner` and `group_sizes` have one a group: the place of its problem
    in `n`, and its size. Returns one value a problem.
    """
    samples, place, size = whole(n), whole(owner), whole(group_sizes)
    held = np.bincount(place, weights=size, minlength=len(samples))
    wrong = (samples < k) | (k < 1) | (held > samples)
    wrong[place[size < 1]] = True
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ValueError(
            f"diversity@k needs groups of 1 or more that add up to n at most and 1 <= k <= n, "
            f"got n={samples[at]}, groups={size[place == at].tolist()}, k={k}"
        )
    return np.bincount(
        place, weights=pass_at_k_array(samples[place], size, k), minlength=len(samples)
    ).astype(np.float64)


def whole(values: ArrayLike) -> Whole:
    """The values as 64-bit whole numbers."""
    array: NDArray[Any] = np.asarray(values)
    return array.astype(np.int64)
