"""Consecutive messages of one partition without one object per message: bytes and where they lie.

What `models.steps.Chunk` is to steps that read few large messages, this is to `intake`, which reads
millions of small ones: compiled loops (models/compiled.py) walk over its arrays.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from models.steps import Chunk

NULL_LENGTH: Final = -1
"""Stands for the length of a key or value that is null (as in a Kafka record, KIP-98)."""


@dataclass(frozen=True, slots=True)
class PackedChunk:
    """Consecutive messages of one partition; all arrays but `buffer` have one length, n.

    Attributes:
        low_offset: The first offset that the chunk answers for.
        next_offset: The offset after the last that it answers for; offsets in between may be
            absent, as in `models.steps.Chunk`.
        buffer: uint8[...], contiguous and not marked read-only (another type to compiled loops);
            holds the keys and values, and anything else between them.
        offset: int64[n], ascending.
        append_ms: int64[n], the broker's append time, CREATE_TIME_MS where the topic has none.
        key_begin: int64[n], where each key begins in `buffer`.
        key_length: int64[n], its bytes, NULL_LENGTH for null.
        value_begin: int64[n], where each value begins in `buffer`.
        value_length: int64[n], its bytes, NULL_LENGTH for null.
    """

    low_offset: int
    next_offset: int
    buffer: npt.NDArray[np.uint8]
    offset: npt.NDArray[np.int64]
    append_ms: npt.NDArray[np.int64]
    key_begin: npt.NDArray[np.int64]
    key_length: npt.NDArray[np.int64]
    value_begin: npt.NDArray[np.int64]
    value_length: npt.NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of messages."""
        return len(self.offset)

    @property
    def value_bytes(self) -> int:
        """How many bytes all values have together."""
        return int(np.maximum(self.value_length, 0).sum())

    def key(self, row: int) -> bytes | None:
        """Return the key of message `row`, 0 to n - 1."""
        return self._bytes(int(self.key_begin[row]), int(self.key_length[row]))

    def value(self, row: int) -> bytes | None:
        """Return the value of message `row`, 0 to n - 1."""
        return self._bytes(int(self.value_begin[row]), int(self.value_length[row]))

    def _bytes(self, begin: int, length: int) -> bytes | None:
        return None if length == NULL_LENGTH else self.buffer[begin : begin + length].tobytes()

    def after(self, offset: int) -> "PackedChunk":
        """Return the part of this chunk that starts at `offset`."""
        if offset <= self.low_offset:
            return self
        begin = int(np.searchsorted(self.offset, offset))
        return self.rows(begin, len(self), low_offset=offset, next_offset=self.next_offset)

    def answering_from(self, offset: int) -> "PackedChunk":
        """Return the same messages answering for the offsets from `offset` on, too."""
        low_offset = min(offset, self.low_offset)
        return self.rows(0, len(self), low_offset=low_offset, next_offset=self.next_offset)

    def rows(self, begin: int, end: int, *, low_offset: int, next_offset: int) -> "PackedChunk":
        """Return messages `begin` to `end` - 1, answering for the offsets given; shares memory."""
        return PackedChunk(
            low_offset=low_offset,
            next_offset=next_offset,
            buffer=self.buffer,
            offset=self.offset[begin:end],
            append_ms=self.append_ms[begin:end],
            key_begin=self.key_begin[begin:end],
            key_length=self.key_length[begin:end],
            value_begin=self.value_begin[begin:end],
            value_length=self.value_length[begin:end],
        )


def packed(chunk: Chunk) -> PackedChunk:
    """Return the same messages as a `PackedChunk`."""
    parts = [part for pair in zip(chunk.keys, chunk.values, strict=True) for part in pair]
    length = np.array([NULL_LENGTH if part is None else len(part) for part in parts], np.int64)
    taken = np.maximum(length, 0)
    begin = np.cumsum(taken) - taken
    return PackedChunk(
        low_offset=chunk.low_offset,
        next_offset=chunk.next_offset,
        buffer=np.frombuffer(bytearray().join(part for part in parts if part), np.uint8),
        offset=np.array(chunk.offsets, np.int64),
        append_ms=np.array(chunk.append_ms, np.int64),
        key_begin=begin[0::2].copy(),
        key_length=length[0::2].copy(),
        value_begin=begin[1::2].copy(),
        value_length=length[1::2].copy(),
    )
