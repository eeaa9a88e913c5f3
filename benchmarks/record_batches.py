"""Record batches made of a matrix of values, whole, so that a paced producer is never behind.

aiokafka appends record by record and compresses with level 9 of lz4: 3.0 us of CPU an event
(measured, 145 bytes; 2.5 of them the compression), more than the worker that is to be measured.
Here an event costs 0.2 us, with level 1, the fastest.

Source: the Kafka protocol's record batch, format v2 ("Record Batch" and "Record" in
https://kafka.apache.org/documentation/#messageformat).
"""

import struct
from collections.abc import Iterator
from typing import Final

import cramjam
import numpy as np
import numpy.typing as npt
from aiokafka.record.util import calc_crc32c

Bytes = npt.NDArray[np.uint8]

LZ4_LEVEL: Final = 1
BATCH_RECORDS: Final = 1_270
"""Records of 157 bytes, an event and 12 of Kafka's, in BATCH_BYTES (benchmarks/topics.py)."""

_HEADER: Final = struct.Struct(">qiibIhiqqqhii")
_AFTER_LENGTH: Final = 12
"""The length of a batch counts from here on: base offset and length stand before."""
_CRC_AT: Final = 17
_ATTRIBUTES_AT: Final = 21
"""The checksum covers all from here on."""
_PRODUCER_AT: Final = 43
_PRODUCER: Final = struct.Struct(">qhi")
_MAGIC: Final = 2
_LZ4: Final = 3
_NO_KEY: Final = b"\x01"
"""The zig-zag varint of -1."""


class RecordBatch:
    """A closed batch, as `AIOKafkaProducer.send_batch` takes one (aiokafka's `BatchBuilder`).

    Args:
        values: uint8, one row for each record, which have neither key nor headers.
        time_ms: The creation time of all of them.
    """

    def __init__(self, values: Bytes, time_ms: int) -> None:
        self._count = len(values)
        # Blocks that refer to each other are not understood by the broker (KIP-57).
        compressor = cramjam.lz4.Compressor(
            level=LZ4_LEVEL, content_checksum=False, block_linked=False
        )
        compressor.compress(b"".join(_records(values)))
        payload = bytes(compressor.finish())
        header = _HEADER.pack(
            0,  # base offset: the broker's
            _HEADER.size + len(payload) - _AFTER_LENGTH,
            -1,  # epoch of the partition's leader: the broker's
            _MAGIC,
            0,  # checksum, when the producer is known
            _LZ4,
            self._count - 1,
            time_ms,
            time_ms,
            -1,  # the producer, its epoch and its sequence
            -1,
            -1,
            self._count,
        )
        self._buffer = bytearray(header + payload)

    def record_count(self) -> int:
        """Return the number of records."""
        return self._count

    def size(self) -> int:
        """Return the bytes that are sent."""
        return len(self._buffer)

    def closed(self) -> bool:
        """Return True: nothing can be added."""
        return True

    def close(self) -> None:
        """Do nothing: it is closed."""

    def append(self, **_: object) -> None:
        """Add nothing, which None says."""

    def _set_producer_state(self, producer: int, epoch: int, sequence: int) -> None:
        _PRODUCER.pack_into(self._buffer, _PRODUCER_AT, producer, epoch, sequence)

    def _build(self) -> bytearray:
        checksum = calc_crc32c(self._buffer[_ATTRIBUTES_AT:])
        struct.pack_into(">I", self._buffer, _CRC_AT, checksum)
        return self._buffer


def record_batches(values: Bytes, time_ms: int) -> Iterator[RecordBatch]:
    """Yield the rows of a matrix as batches of BATCH_RECORDS, in order."""
    for start in range(0, len(values), BATCH_RECORDS):
        yield RecordBatch(values[start : start + BATCH_RECORDS], time_ms)


def _records(values: Bytes) -> Iterator[bytes]:
    """Yield the records, those together whose offsets take equally many bytes."""
    count, width = values.shape
    start, digits = 0, 1
    while start < count:
        # A zig-zag varint has seven bits in each byte, one of them the sign's.
        end = min(count, 1 << (7 * digits - 1))
        tail = _NO_KEY + _varint(width)
        # Attributes and the difference in time are 0, and so is the number of headers.
        length = _varint(2 + digits + len(tail) + width + 1)
        records = np.zeros(
            (end - start, len(length) + 2 + digits + len(tail) + width + 1), np.uint8
        )
        records[:, : len(length)] = np.frombuffer(length, np.uint8)
        offsets_at = len(length) + 2
        offsets = 2 * np.arange(start, end)
        for digit in range(digits):
            more = 0x80 if digit < digits - 1 else 0
            records[:, offsets_at + digit] = (offsets >> (7 * digit)) & 0x7F | more
        value_at = offsets_at + digits + len(tail)
        records[:, offsets_at + digits : value_at] = np.frombuffer(tail, np.uint8)
        records[:, value_at : value_at + width] = values[start:end]
        yield records.tobytes()
        start, digits = end, digits + 1


def _varint(number: int) -> bytes:
    """Return the zig-zag varint of a number that is not negative.

    >>> _varint(145).hex()
    'a202'
    """
    rest = 2 * number
    coded = bytearray()
    while rest > 0x7F:
        coded.append(rest & 0x7F | 0x80)
        rest >>= 7
    coded.append(rest)
    return bytes(coded)
