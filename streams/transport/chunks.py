"""One fetched chunk of a partition in place of one object per record.

Overridden: `PartitionRecords._unpack_records` (aiokafka/consumer/fetcher.py), the generator that
turns a fetched buffer into `ConsumerRecord`s. Ours hands over keys and values of whole record
batches: 3.3 million events/s went to an agent this way, 200,000 when a `ConsumerRecord` was built
for each (design, section 4). It also yields an empty chunk for aborted and control batches, which
aiokafka drops, so that positions and commits reach the very end of a partition.

Only a consumer that was marked by `request_chunks` gets chunks; every other aiokafka consumer of
the process keeps its records.
"""

import itertools
from collections.abc import Iterator
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException

from models.steps import CREATE_TIME_MS, Chunk

LOG_APPEND_TIME: Final = 1
"""The timestamp type of a record that carries the broker's time (Kafka protocol, bit 3 of a record
batch's attributes)."""


class _Chunks:
    """Stands in the place of a key deserializer and marks the consumer that wants chunks."""

    def __call__(self, key: bytes | None) -> bytes | None:
        """Leave the key as it is."""
        return key


CHUNKS: Final = _Chunks()


class ChunkRecords(fetcher.PartitionRecords):  # type: ignore[misc] # aiokafka ships no types
    """Unpacks a fetched buffer into chunks for marked consumers, into records for others."""

    next_fetch_offset: int

    def _unpack_records(self) -> Iterator[Any]:
        """Yield one `Chunk` for each record batch of the buffer, empty ones included.

        The first chunk begins at the fetch position, not at the base offset of its batch, which
        lies higher where compaction has left a gap.

        Raises:
            CorruptRecordException: The checksum of a batch does not fit.
        """
        if self._key_deserializer is not CHUNKS:
            yield from super()._unpack_records()
            return
        while self._records.has_next():
            batch = self._records.next_batch()
            if self._check_crcs and not batch.validate_crc():
                raise CorruptRecordException(f"Invalid CRC - {self._tp}")
            low = self.next_fetch_offset
            chunk = _empty(low, batch.next_offset) if self._is_hidden(batch) else _chunk(batch, low)
            self.next_fetch_offset = chunk.next_offset
            yield chunk

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


def pieces(chunk: Chunk, *, bytes_max: int) -> Iterator[Chunk]:
    """Split a chunk into consecutive chunks whose values hold at most `bytes_max` together.

    A value that is larger than that makes a piece of its own. A chunk without values is one piece.

    >>> whole = Chunk(0, 9, [1, 2, 5], [None] * 3, [b"aa", b"bb", b"cc"], [-1] * 3)
    >>> [(part.low_offset, part.next_offset, part.values) for part in pieces(whole, bytes_max=4)]
    [(0, 3, [b'aa', b'bb']), (3, 9, [b'cc'])]
    """
    if sum(len(value) for value in chunk.values if value) <= bytes_max:
        yield chunk
        return
    start, size = 0, 0
    low = chunk.low_offset
    for row, value in enumerate(chunk.values):
        length = len(value) if value else 0
        if row > start and size + length > bytes_max:
            following = chunk.offsets[row - 1] + 1
            yield _rows(chunk, start, row, low, following)
            start, size, low = row, 0, following
        size += length
    yield _rows(chunk, start, len(chunk.values), low, chunk.next_offset)


def _rows(chunk: Chunk, start: int, stop: int, low: int, following: int) -> Chunk:
    return Chunk(
        low_offset=low,
        next_offset=following,
        offsets=chunk.offsets[start:stop],
        keys=chunk.keys[start:stop],
        values=chunk.values[start:stop],
        append_ms=chunk.append_ms[start:stop],
    )


def request_chunks(consumer: AIOKafkaConsumer, *, fetch_max_wait_ms: int) -> None:
    """Make a consumer that has not started yet deliver chunks of committed data.

    `fetch_max_wait_ms` is how long the broker may wait for news; Faust's driver fixes 1,500.
    """
    fetcher.PartitionRecords = ChunkRecords
    consumer._key_deserializer = CHUNKS  # noqa: SLF001 - Faust offers no way to set these three
    consumer._isolation_level = "read_committed"  # noqa: SLF001 - see above
    consumer._fetch_max_wait_ms = fetch_max_wait_ms  # noqa: SLF001 - see above
