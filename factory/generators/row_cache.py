"""Keys and values of many running sequences in one buffer, where a row can be replaced while others run.

Guarantees: all rows end at the same column, so one step writes one column in place for all of them (a
copy of the whole cache, as transformers' own growing cache makes at each step, is not needed), and the
distance of two columns is the distance of two positions, so that sliding windows hold in every row. Left
out: state-space and linear-attention layers, and paging: a row takes as many columns as the longest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from torch import Tensor

Layers = list[tuple["Tensor", "Tensor"]]
"""Keys and values [heads, tokens, size of a head] of one sequence, for each layer."""

SMALLEST: Final = 64


class RowCache:
    """`lengths[row]` columns of each row are live, and the last live one is column `right - 1`.

    Rows are 0 .. len(lengths) - 1 with no gap: the last row moves into the place of one that is removed.
    """

    def __init__(self, rows: int) -> None:
        self.capacity_rows = rows
        self.lengths: list[int] = []
        self.right = 0
        self.layers: list[_Layer] = []

    @property
    def extent(self) -> int:
        """Columns from the first that is live in any row to the last."""
        return max(self.lengths, default=0)

    def append(self, sequence: Layers) -> None:
        """Add a row that holds `sequence`."""
        tokens = sequence[0][0].shape[1]
        if not self.layers:
            from transformers.cache_utils import CacheLayerMixin

            CacheLayerMixin.register(_Layer)
            self.layers = [_Layer(self, keys, values) for keys, values in sequence]
        self._make_room(tokens)
        row, first = len(self.lengths), self.right - tokens
        for layer, (keys, values) in zip(self.layers, sequence, strict=True):
            layer.keys[row, :, first : self.right] = keys
            layer.values[row, :, first : self.right] = values
        self.lengths.append(tokens)

    def remove(self, row: int) -> None:
        """Drop a row; the last one takes its place."""
        length = self.lengths.pop()
        last = len(self.lengths)
        if row == last:
            return
        live = slice(self.right - length, self.right)
        for layer in self.layers:
            layer.keys[row, :, live] = layer.keys[last, :, live]
            layer.values[row, :, live] = layer.values[last, :, live]
        self.lengths[row] = length

    def open_column(self) -> None:
        """Make room for the column that the next forward pass writes."""
        if self.right == self.layers[0].keys.shape[2]:
            self._lay_out(self.extent)

    def close_column(self) -> None:
        """Count the column just written as live in every row."""
        self.right += 1
        self.lengths = [length + 1 for length in self.lengths]

    def _make_room(self, tokens: int) -> None:
        """Move everything to the right when a sequence is longer than the columns to the left of `right`."""
        if tokens > self.right:
            self._lay_out(tokens)

    def _lay_out(self, right: int) -> None:
        """New buffers of twice the size needed, so that a column is copied once in its life on average."""
        extent, columns = self.extent, max(SMALLEST, 2 * right)
        for layer in self.layers:
            layer.keys = self._moved(layer.keys, extent, right, columns)
            layer.values = self._moved(layer.values, extent, right, columns)
        self.right = right

    def _moved(self, old: Tensor, extent: int, right: int, columns: int) -> Tensor:
        # Zeros and not just any memory: a masked column has weight 0, and 0 times a stray NaN is NaN.
        new = old.new_zeros((self.capacity_rows, old.shape[1], columns, old.shape[3]))
        rows = len(self.lengths)
        new[:rows, :, right - extent : right] = old[:rows, :, self.right - extent : self.right]
        return new


class _Layer:
    """One layer, in the form transformers' `Cache` calls: it writes the open column and shows the live ones.

    Registered with transformers' base of layers when it is first needed instead of derived from it, so that
    importing this module imports no transformers.
    """

    is_sliding = False
    is_compileable = False
    is_croppable = False
    is_initialized = True

    def __init__(self, cache: RowCache, keys: Tensor, values: Tensor) -> None:
        self.cache = cache
        self.keys = keys.new_zeros((cache.capacity_rows, keys.shape[0], 0, keys.shape[2]))
        self.values = values.new_zeros((cache.capacity_rows, values.shape[0], 0, values.shape[2]))

    def update(self, keys: Tensor, values: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Write one column [rows, heads, 1, size]; return all live columns, the new one last."""
        cache = self.cache
        rows, right = len(cache.lengths), cache.right
        self.keys[:rows, :, right : right + 1] = keys
        self.values[:rows, :, right : right + 1] = values
        shown = slice(right - cache.extent, right + 1)
        return self.keys[:rows, :, shown], self.values[:rows, :, shown]

    def get_seq_length(self) -> int:
        """Columns shown before the open one."""
        return self.cache.extent

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Columns shown with the open one, and where they begin."""
        return self.cache.extent + query_length, 0
