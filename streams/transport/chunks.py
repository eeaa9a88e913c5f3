"""One fetched chunk of a partition in place of one object per record.

Overridden: `PartitionRecords._unpack_records` (aiokafka/consumer/fetcher.py), the generator that
turns a fetched buffer into `ConsumerRecord`s. Ours hands over keys and values of whole record
batches: 3.3 million events/s went to an agent this way, 200,000 when a `ConsumerRecord` was built
for each (design, section 4). It also yields an empty chunk for aborted and control batches, which
aiokafka drops, so that positions and commits reach the very end of a partition.

Topics of few large messages come as `Chunk`, one for each record batch. Topics of many small ones
come as `PackedChunk`, of many record batches at once (streams/transport/packing.py).

Only a consumer that was marked by `request_chunks` gets chunks; every other aiokafka consumer of
the process keeps its records.
"""

import itertools
import struct
from collections.abc import Collection, Iterator
from typing import Any, Final

import numpy as np
from aiokafka import AIOKafkaConsumer
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.memory_records import MemoryRecords

from models.packed_chunk import PackedChunk
from models.steps import CREATE_TIME_MS, Chunk
from streams.transport.packing import Packing

LOG_APPEND_TIME: Final = 1
"""The timestamp type of a record that carries the broker's time (Kafka protocol, bit 3 of a record
batch's attributes)."""


CODEC_MASK: Final = 0x07
"""The bits of a record batch's attributes that hold the codec."""

_MAGIC_V2: Final = 2
_LENGTH: Final = struct.Struct(">i")
_LENGTH_AT: Final = 8
_LENGTH_COUNTS_FROM: Final = 12
_MAGIC_AT: Final = 16
_RECORDS_AT: Final = 57
_PAYLOAD_AT: Final = 61
"""Positions in a record batch of format v2 (https://kafka.apache.org/documentation/#recordbatch)."""


class _Chunks:
    """Stands in the place of a key deserializer and marks the consumer that wants chunks."""

    def __init__(self, packed_topics: Collection[str]) -> None:
        self.packed_topics = frozenset(packed_topics)

    def __call__(self, key: bytes | None) -> bytes | None:
        """Leave the key as it is."""
        return key


class ReadableRecords:
    """aiokafka's `MemoryRecords`, whose bytes can be read: what it was made of, and how far it is.

    aiokafka's own keep their buffer to themselves.
    """

    def __init__(self, data: bytes) -> None:
        self._records = MemoryRecords(data)
        self._data = memoryview(data)
        self._next_at = 0

    def size_in_bytes(self) -> int:
        """Return the size of the whole buffer."""
        size: int = self._records.size_in_bytes()
        return size

    def has_next(self) -> bool:
        """Tell whether there is another complete record batch."""
        has_next: bool = self._records.has_next()
        return has_next

    def next_batch(self) -> Any:  # noqa: ANN401 - aiokafka ships no types
        """Return the next record batch, or None."""
        return self.next_with_bytes()[0]

    def next_with_bytes(self) -> tuple[Any, memoryview]:
        """Return the next record batch, or None, and its bytes."""
        batch = self._records.next_batch()
        if batch is None:
            return None, self._data[:0]
        at = self._next_at
        (length,) = _LENGTH.unpack_from(self._data, at + _LENGTH_AT)
        self._next_at = at + _LENGTH_COUNTS_FROM + length
        return batch, self._data[at : self._next_at]

    def is_packable(self) -> bool:
        """Tell whether all complete record batches that are left are of format v2."""
        at = self._next_at
        while at + _MAGIC_AT < len(self._data):
            if self._data[at + _MAGIC_AT] != _MAGIC_V2:
                return False
            (length,) = _LENGTH.unpack_from(self._data, at + _LENGTH_AT)
            at += _LENGTH_COUNTS_FROM + max(length, 0)
        return True


class ChunkRecords(fetcher.PartitionRecords):  # type: ignore[misc] # aiokafka ships no types
    """Unpacks a fetched buffer into chunks for marked consumers, into records for others."""

    next_fetch_offset: int
    _records: ReadableRecords

    def _unpack_records(self) -> Iterator[Any]:
        """Yield chunks that cover the buffer, also where it holds nothing to read.

        The first chunk begins at the fetch position, not at the base offset of its batch, which
        lies higher where compaction has left a gap.

        Raises:
            CorruptRecordException: The checksum of a batch does not fit, or a record is damaged.
        """
        marker = self._key_deserializer
        if not isinstance(marker, _Chunks):
            yield from super()._unpack_records()
        elif self._tp.topic in marker.packed_topics and self._records.is_packable():
            yield from self._packed_chunks()
        else:
            yield from self._chunks()

    def _chunks(self) -> Iterator[Chunk]:
        """Yield one `Chunk` for each record batch of the buffer."""
        while self._records.has_next():
            batch = self._records.next_batch()
            self._check(batch)
            low = self.next_fetch_offset
            chunk = _empty(low, batch.next_offset) if self._is_hidden(batch) else _chunk(batch, low)
            self.next_fetch_offset = chunk.next_offset
            yield chunk

    def _packed_chunks(self) -> Iterator[PackedChunk]:
        """Yield a `PackedChunk` for as many record batches as it holds."""
        packing = Packing(self.next_fetch_offset)
        while self._records.has_next():
            batch, data = self._records.next_with_bytes()
            try:
                self._check(batch)
            except CorruptRecordException:
                yield self._finished(packing)  # what is whole comes first
                raise
            if self._is_hidden(batch):
                packing.skip(batch.next_offset)
                continue
            if not _add(packing, batch, data):
                yield self._finished(packing)
                packing = Packing(self.next_fetch_offset)
                _add(packing, batch, data)
        yield self._finished(packing)

    def _finished(self, packing: Packing) -> PackedChunk:
        chunk = packing.chunk()
        self.next_fetch_offset = chunk.next_offset
        return chunk

    def _check(self, batch: Any) -> None:  # noqa: ANN401 - aiokafka ships no types
        if self._check_crcs and not batch.validate_crc():
            raise CorruptRecordException(f"Invalid CRC - {self._tp}")

    def _is_hidden(self, batch: Any) -> bool:  # noqa: ANN401 - aiokafka ships no types
        """Tell whether a batch holds nothing for a reader of committed data."""
        if batch.producer_id is not None and self._isolation_level == fetcher.READ_COMMITTED:
            self._consume_aborted_up_to(batch.base_offset)
            if batch.is_control_batch and self._contains_abort_marker(batch):
                # `discard`: a broker may send the marker of an otherwise empty transaction.
                self._aborted_producers.discard(batch.producer_id)
            if batch.is_transactional and batch.producer_id in self._aborted_producers:
                return True
        return bool(batch.is_control_batch)


def _add(packing: Packing, batch: Any, data: memoryview) -> bool:  # noqa: ANN401 - aiokafka ships no types
    (records,) = _LENGTH.unpack_from(data, _RECORDS_AT)
    return packing.add(
        data[_PAYLOAD_AT:],
        codec=batch.attributes & CODEC_MASK,
        base_offset=batch.base_offset,
        next_offset=batch.next_offset,
        records=records,
        append_ms=batch.max_timestamp
        if batch.timestamp_type == LOG_APPEND_TIME
        else CREATE_TIME_MS,
    )


def _empty(low: int, following: int) -> Chunk:
    return Chunk(low, max(low, following), [], [], [], [])


def _chunk(batch: Any, low: int) -> Chunk:  # noqa: ANN401 - aiokafka ships no types
    # The broker sends whole batches: the first may begin before the position that was asked for.
    records = [record for record in batch if record.offset >= low]
    if records and records[0].timestamp_type == LOG_APPEND_TIME:
        append_ms = [record.timestamp for record in records]
    else:
        append_ms = [CREATE_TIME_MS] * len(records)
    return Chunk(
        low_offset=low,
        next_offset=max(low, batch.next_offset),
        offsets=[record.offset for record in records],
        keys=[record.key for record in records],
        values=[record.value for record in records],
        append_ms=append_ms,
    )


def joined(chunks: list[Chunk]) -> Chunk:
    """Return consecutive chunks of one partition as one.

    Raises:
        ValueError: There are none, or they do not follow each other.
    """
    if not chunks:
        raise ValueError("no chunks to join")
    if len(chunks) == 1:
        return chunks[0]
    for before, after in itertools.pairwise(chunks):
        if before.next_offset != after.low_offset:
            raise ValueError(f"{after.low_offset} does not follow {before.next_offset}")
    return Chunk(
        low_offset=chunks[0].low_offset,
        next_offset=chunks[-1].next_offset,
        offsets=[offset for chunk in chunks for offset in chunk.offsets],
        keys=[key for chunk in chunks for key in chunk.keys],
        values=[value for chunk in chunks for value in chunk.values],
        append_ms=[time for chunk in chunks for time in chunk.append_ms],
    )


def pieces(chunk: PackedChunk, *, bytes_max: int) -> Iterator[PackedChunk]:
    """Split a chunk into consecutive chunks whose values hold at most `bytes_max` together.

    A value that is larger than that makes a piece of its own. A chunk without values is one piece.

    >>> from models.packed_chunk import packed
    >>> whole = packed(Chunk(0, 9, [1, 2, 5], [None] * 3, [b"aa", b"bb", b"cc"], [-1] * 3))
    >>> for part in pieces(whole, bytes_max=4):
    ...     print(part.low_offset, part.next_offset, [part.value(row) for row in range(len(part))])
    0 3 [b'aa', b'bb']
    3 9 [b'cc']
    """
    begin, low = 0, chunk.low_offset
    until = np.cumsum(np.maximum(chunk.value_length, 0))
    taken = 0
    while len(chunk) and until[-1] - taken > bytes_max:
        end = max(begin + 1, int(np.searchsorted(until, taken + bytes_max, side="right")))
        if end == len(chunk):
            break
        following = int(chunk.offset[end - 1]) + 1
        yield chunk.rows(begin, end, low_offset=low, next_offset=following)
        begin, low, taken = end, following, int(until[end - 1])
    yield chunk.rows(begin, len(chunk), low_offset=low, next_offset=chunk.next_offset)


def request_chunks(
    consumer: AIOKafkaConsumer, *, fetch_max_wait_ms: int, packed_topics: Collection[str] = ()
) -> None:
    """Make a consumer that has not started yet deliver chunks of committed data.

    `fetch_max_wait_ms` is how long the broker may wait for news; Faust's driver fixes 1,500. Chunks
    of `packed_topics` are `PackedChunk`s, unless they hold messages of an old format.
    """
    fetcher.MemoryRecords = ReadableRecords
    fetcher.PartitionRecords = ChunkRecords
    consumer._key_deserializer = _Chunks(packed_topics)  # noqa: SLF001 - Faust offers no way to set these three
    consumer._isolation_level = "read_committed"  # noqa: SLF001 - see above
    consumer._fetch_max_wait_ms = fetch_max_wait_ms  # noqa: SLF001 - see above
