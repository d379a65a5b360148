"""Cells of one series and resolution: dictionaries where they grow, and blocks of bytes where they are over.

Nearly all cells are over. Of those a block is kept as MessagePack, in which a cell takes some twenty bytes; as a
dictionary of its own it takes hundreds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

import msgspec

from schemas.windows import SLICE_MS
from streams.fold.cells import BLOCK_MS

Sums = dict[str, int]
"""Measure -> integer."""

_LENGTH_MS: Final = tuple(SLICE_MS.values())
_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(list[list[int]])

# Names are a few hundred, the same in all series: their codes are good for the life of the process.
_names: Final[list[str]] = []
_codes: Final[dict[str, int]] = {}


class Slices:
    """Start of the slice -> what is counted in it.

    Args:
        resolution: Index of the resolution, one finer than a day.
    """

    __slots__ = ("_growing", "_over", "_resolution")

    def __init__(self, resolution: int) -> None:
        self._resolution = resolution
        self._growing: dict[int, Sums] = {}
        self._over: dict[int, bytes] = {}
        """Start of the block -> its cells; none of them is among those that grow."""

    @property
    def size(self) -> int:
        """About how much there is to add up: cells that grow, and blocks of those that are over."""
        return len(self._growing) + len(self._over)

    def grow(self, start_ms: int, delta: Sums) -> None:
        """Add to a cell."""
        cell = self._growing.get(start_ms)
        if cell is None and self._over:
            self._reopen(start_ms - start_ms % BLOCK_MS[self._resolution])
            cell = self._growing.get(start_ms)
        if cell is None:
            self._growing[start_ms] = delta.copy()
            return
        for measure, value in delta.items():
            cell[measure] = cell.get(measure, 0) + value

    def restore(self, block_ms: int, cells: Iterable[tuple[int, Sums]]) -> None:
        """Add cells of one log partition that lie in one block, before any of it grows."""
        together = dict(self._cells_of(block_ms)) if block_ms in self._over else {}
        for start_ms, sums in cells:
            add(together.setdefault(start_ms, {}), sums.items(), 1)
        self._keep(block_ms, together.items())

    def add_to(self, sums: Sums, start_ms: int, end_ms: int, sign: int) -> None:
        """Add to sums what is counted in ``[start_ms, end_ms)``, or take it off where ``sign`` is -1."""
        length_ms, of_block_ms = _LENGTH_MS[self._resolution], BLOCK_MS[self._resolution]
        growing = self._growing
        if (end_ms - start_ms) // length_ms < len(growing):
            for start in range(start_ms, end_ms, length_ms):
                cell = growing.get(start)
                if cell:
                    add(sums, cell.items(), sign)
        else:
            for start, cell in growing.items():
                if start_ms <= start < end_ms:
                    add(sums, cell.items(), sign)
        blocks: Collection[int] = range(start_ms - start_ms % of_block_ms, end_ms, of_block_ms)
        if len(self._over) < len(blocks):
            blocks = [block_ms for block_ms in self._over if start_ms - of_block_ms < block_ms < end_ms]
        for block_ms in blocks:
            block = self._over.get(block_ms)
            for index, *flat in _decoder.decode(block) if block is not None else ():
                if start_ms <= block_ms + index * length_ms < end_ms:
                    add(sums, _pairs(flat), sign)

    def tidy(self, oldest_ms: int, grows_from_ms: int, end_ms: int) -> None:
        """Forget cells, and keep blocks of which no cell is likely to change as bytes.

        Args:
            oldest_ms: Cells that start before this are asked for no more.
            grows_from_ms: What starts at or before this is over.
            end_ms: What starts after this lies in the future: levels change there, but seldom the same twice.
        """
        of_block_ms = BLOCK_MS[self._resolution]
        for block_ms in [block_ms for block_ms in self._over if block_ms + of_block_ms <= oldest_ms]:
            del self._over[block_ms]
        blocks: dict[int, list[int]] = {}
        for start_ms in self._growing:
            blocks.setdefault(start_ms - start_ms % of_block_ms, []).append(start_ms)
        for block_ms, starts in blocks.items():
            if block_ms + of_block_ms <= grows_from_ms or block_ms > end_ms:
                cells = [(start_ms, self._growing.pop(start_ms)) for start_ms in starts]
                self._keep(block_ms, [cell for cell in cells if cell[0] >= oldest_ms])

    def _reopen(self, block_ms: int) -> None:
        if block_ms in self._over:
            self._growing.update(self._cells_of(block_ms))
            del self._over[block_ms]

    def _keep(self, block_ms: int, cells: Iterable[tuple[int, Sums]]) -> None:
        length_ms = _LENGTH_MS[self._resolution]
        kept = [[(start_ms - block_ms) // length_ms, *_flat(sums)] for start_ms, sums in cells]
        if any(len(cell) > 1 for cell in kept):
            self._over[block_ms] = _encoder.encode([cell for cell in kept if len(cell) > 1])

    def _cells_of(self, block_ms: int) -> Iterator[tuple[int, Sums]]:
        length_ms = _LENGTH_MS[self._resolution]
        for index, *flat in _decoder.decode(self._over[block_ms]):
            yield block_ms + index * length_ms, dict(_pairs(flat))


def add(sums: Sums, delta: Iterable[tuple[str, int]], sign: int) -> None:
    """Add to sums; what is 0 is not kept."""
    for measure, value in delta:
        left = sums.get(measure, 0) + value * sign
        if left:
            sums[measure] = left
        else:
            sums.pop(measure, None)


def _flat(sums: Sums) -> Iterator[int]:
    """Return codes of names and their values in turn, without zeros."""
    for name, value in sums.items():
        if value:
            code = _codes.get(name)
            if code is None:
                code = _codes[name] = len(_names)
                _names.append(name)
            yield code
            yield value


def _pairs(flat: Sequence[int]) -> Iterator[tuple[str, int]]:
    """Undo :func:`_flat`."""
    return zip(map(_names.__getitem__, flat[::2]), flat[1::2], strict=True)
