"""Records of changelogs as they lie in memory: compressed, with the fence in front of them to be read.

What accounts have in common is most of their bytes: names of stages, reps and teams, and how events are encoded; in
blocks of cells it is the names of measures. A dictionary of the first of them holds that once, and a record is a third
or fourth of its size for some microseconds.
"""

from __future__ import annotations

from typing import Final

import zstandard

from schemas.wire import FENCE_BYTES

_LEVEL: Final = -1
"""Fast: level 3 takes a fifth longer for a twentieth less."""
_SAMPLE_RECORDS: Final = 64
_SAMPLE_BYTES: Final = 65_536
_DICTIONARY_BYTES: Final = 4_096
_MAGIC: Final = zstandard.FRAME_HEADER[0]
"""First byte of what is compressed. As MessagePack it is an integer, and no record is one."""


class Compression:
    """Compresses records, each for itself, with a dictionary made of the first ones, which stay as they are."""

    def __init__(self) -> None:
        self._sample: list[bytes | bytearray | memoryview] = []
        self._sample_bytes = 0
        self._compressor: zstandard.ZstdCompressor | None = None
        self._decompressor = zstandard.ZstdDecompressor()

    def compress(self, record: bytes) -> bytes:
        """Return a record as it is kept; one that is compressed already stays so."""
        body = memoryview(record)[FENCE_BYTES:]
        if not body or body[0] == _MAGIC:
            return record
        if self._compressor is None:
            self._learn(record)
            return record
        return record[:FENCE_BYTES] + self._compressor.compress(body)

    def record(self, kept: bytes) -> bytes:
        """Undo :meth:`compress`."""
        body = memoryview(kept)[FENCE_BYTES:]
        return kept[:FENCE_BYTES] + self._decompressor.decompress(body) if body and body[0] == _MAGIC else kept

    def _learn(self, record: bytes) -> None:
        self._sample.append(record[FENCE_BYTES:])
        self._sample_bytes += len(record)
        if len(self._sample) < _SAMPLE_RECORDS or self._sample_bytes < _SAMPLE_BYTES:
            return
        dictionary = zstandard.train_dictionary(_DICTIONARY_BYTES, self._sample)
        dictionary.precompute_compress(level=_LEVEL)
        self._compressor = zstandard.ZstdCompressor(level=_LEVEL, dict_data=dictionary, write_dict_id=False)
        self._decompressor = zstandard.ZstdDecompressor(dict_data=dictionary)
        self._sample = []
