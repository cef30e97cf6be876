"""The cache of rows against a plain list for each row, through any sequence of joins, steps and removals."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.generators.row_cache import RowCache
from factory.generators.threads import Load, free

ROWS = 3
actions = st.lists(
    st.tuples(st.just("append"), st.integers(1, 90))
    | st.tuples(st.just("remove"), st.integers(0, ROWS - 1))
    | st.tuples(st.just("step"), st.integers(1, 40)),
    max_size=25,
)


class Plain:
    """What the cache must hold: for each row the list of its numbers."""

    def __init__(self) -> None:
        self.cache, self.rows, self.count = RowCache(ROWS), [], 0
        self.rows: list[list[float]]

    def numbers(self, many: int) -> list[float]:
        self.count += many
        return [float(one) for one in range(self.count - many, self.count)]

    def append(self, tokens: int) -> None:
        if len(self.rows) < ROWS:
            new = self.numbers(tokens)
            keys = torch.tensor(new)[None, :, None].expand(2, -1, 4)  # 2 heads of 4 numbers each
            self.cache.append([(keys, -keys)])
            self.rows.append(new)

    def remove(self, row: int) -> None:
        if row < len(self.rows):
            self.cache.remove(row)
            self.rows[row] = self.rows[-1]
            self.rows.pop()

    def step(self, times: int) -> None:
        for _ in range(times if self.rows else 0):
            new = self.numbers(len(self.rows))
            self.cache.open_column()
            keys = torch.tensor(new)[:, None, None, None].expand(-1, 2, 1, 4)
            shown, negative = self.cache.layers[0].update(keys, -keys)
            assert self.cache.layers[0].get_mask_sizes(1) == (shown.shape[2], 0)
            for row, number in zip(self.rows, new, strict=True):
                row.append(number)
            self.check(shown, negative)
            self.cache.close_column()

    def check(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        assert torch.isfinite(keys).all()
        for index, row in enumerate(self.rows):
            assert keys[index, 1, -len(row) :, 3].tolist() == row
            assert values[index, 0, -len(row) :, 0].tolist() == [-number for number in row]


@settings(max_examples=60)
@given(actions)
def test_rows_hold_what_was_put_into_them(done: list[tuple[str, int]]) -> None:
    plain = Plain()
    for name, number in done:
        getattr(plain, name)(number)
        assert plain.cache.lengths == [len(row) for row in plain.rows]
    plain.step(1)


def test_the_buffer_stays_small_when_rows_come_and_go() -> None:
    plain = Plain()
    for _ in range(200):
        plain.append(20)
        plain.step(5)
        plain.remove(0)
    assert plain.cache.layers[0].keys.shape[2] <= 200


@pytest.mark.parametrize(
    ("cores", "others", "quota", "left"),
    [
        (2, 0.0, None, 2),
        (2, 0.3, None, 2),
        (2, 0.9, None, 1),
        (2, 2.0, None, 1),
        (16, 4.2, None, 12),
        (64, 0.0, 2.0, 2),
        (64, 63.0, 2.0, 1),
    ],
)
def test_cores_that_others_use_are_left_to_them(
    cores: int, others: float, quota: float | None, left: int
) -> None:
    assert free(cores, others, quota) == left


def test_the_load_is_not_asked_too_often(monkeypatch: pytest.MonkeyPatch) -> None:
    load = Load()
    assert load.free_cores() is None
    monkeypatch.setattr("factory.generators.threads.INTERVAL", 0.0)
    if load.cores:
        assert load.free_cores() in range(1, len(load.cores) + 1)
