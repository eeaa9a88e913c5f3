"""Record batches of Kafka unpacked without an object per record.

Source: the Kafka protocol's record batch, format v2 ("Record Batch" and "Record" in
https://kafka.apache.org/documentation/#messageformat); the older formats keep aiokafka's parser.
Several record batches of one fetch become one `PackedChunk`: decompressed one after the other into
one buffer, and then read by one compiled loop, which checks every bound before it reads.
"""

from typing import Final

import cramjam
import numpy as np
import numpy.typing as npt
import zstandard
from aiokafka.codec import gzip_decode, lz4_decode, snappy_decode, zstd_decode
from aiokafka.errors import CorruptRecordException, UnsupportedCodecError

from models.compiled import compiled, inlined
from models.packed_chunk import PackedChunk

Bytes = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int64]

CHUNK_BYTES: Final = 4 * 1024 * 1024
"""Decompressed bytes that one chunk holds; a larger record batch makes a chunk of its own. 27,000
events of 155 bytes: a message for each of 64 targets costs 50 us to send and read besides its rows
(measured), a tenth of what so many events cost, and the step is done within 20 ms."""

RECORD_BYTES_MIN: Final = 7
"""A record without key, value and headers: seven varints of one byte."""

VARINT_BITS_MAX: Final = 63
"""A zig-zag varint of 64 bits has ten bytes, the last of which is shifted by 63."""

_NONE, _GZIP, _SNAPPY, _LZ4, _ZSTD = range(5)
"""Codecs: bits 0 to 2 of a record batch's attributes."""

_TRUNCATED: Final = 1
_NEGATIVE: Final = 2
_WRONG_SIZE: Final = 3
_DISORDER: Final = 4
_ERRORS: Final = {
    _TRUNCATED: "a record ends beyond its batch",
    _NEGATIVE: "a length or number in a record is negative",
    _WRONG_SIZE: "a record is not as long as it says, or bytes are left over",
    _DISORDER: "offsets do not ascend",
}


@inlined
def _varint(buffer: Bytes, at: int, end: int) -> tuple[int, int]:
    """Return a zig-zag varint and where it ends; -1 where it does not end before `end`."""
    value = 0
    shift = 0
    while at < end and shift <= VARINT_BITS_MAX:
        byte = int(buffer[at])
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            # The shift is one of an unsigned number: the mask takes the copies of the sign away.
            return ((value >> 1) & 0x7FFF_FFFF_FFFF_FFFF) ^ -(value & 1), at
        shift += 7
    return 0, -1


@inlined
def _skip_headers(buffer: Bytes, at: int, end: int) -> tuple[int, int]:
    """Return 0 or what is wrong with the headers of a record, and where they end."""
    headers, at = _varint(buffer, at, end)
    if at < 0:
        return _TRUNCATED, 0
    if headers < 0:
        return _NEGATIVE, 0
    while headers > 0:
        size, at = _varint(buffer, at, end)
        if at < 0 or size > end - at:
            return _TRUNCATED, 0
        if size < 0:  # the key of a header is never null
            return _NEGATIVE, 0
        size, at = _varint(buffer, at + size, end)
        if at < 0 or size > end - at:
            return _TRUNCATED, 0
        at += max(size, 0)
        headers -= 1
    return (0 if at == end else _WRONG_SIZE), at


@inlined
def _read_record(buffer: Bytes, at: int, end: int) -> tuple[int, int, int, int, int, int, int]:
    """Read the record at `at`.

    Returns:
        0 or what is wrong; where the record ends; the difference of its offset; where its key
        begins and how long it is; the same of its value.
    """
    length, at = _varint(buffer, at, end)
    if at < 0 or length > end - at:
        return _TRUNCATED, 0, 0, 0, 0, 0, 0
    if length < 1:
        return _NEGATIVE, 0, 0, 0, 0, 0, 0
    end = at + length
    # One byte of attributes, which are unused; the timestamp is not read: see `append_ms`.
    _, at = _varint(buffer, at + 1, end)
    if at >= 0:
        difference, at = _varint(buffer, at, end)
    if at >= 0:
        key_length, at = _varint(buffer, at, end)
    if at < 0 or key_length > end - at:
        return _TRUNCATED, 0, 0, 0, 0, 0, 0
    key_begin = at
    value_length, at = _varint(buffer, at + max(key_length, 0), end)
    if at < 0 or value_length > end - at:
        return _TRUNCATED, 0, 0, 0, 0, 0, 0
    value_begin = at
    wrong, at = _skip_headers(buffer, at + max(value_length, 0), end)
    # `end`, which `at` was compared with, is known earlier: the processor need not wait for `at`.
    return (
        wrong,
        end,
        difference,
        key_begin,
        max(key_length, -1),
        value_begin,
        max(value_length, -1),
    )


@compiled
def _read_records(
    buffer: Bytes,
    batches: Integers,
    low: int,
    offset: Integers,
    append_ms: Integers,
    key_begin: Integers,
    key_length: Integers,
    value_begin: Integers,
    value_length: Integers,
) -> tuple[int, int]:
    """Fill the columns with the records from offset `low` on; return 0 or what is wrong, and n.

    Each row of `batches`, int64[k, 5], holds where a batch's records begin and end in `buffer`, its
    base offset, how many records it has, and the append time of all of them.
    """
    before = -1
    row = 0
    for batch in range(len(batches)):
        at, end, base, records, time_ms = batches[batch]
        for _ in range(records):
            wrong, at, difference, key, key_bytes, value, value_bytes = _read_record(
                buffer, at, end
            )
            if wrong:
                return wrong, row
            if base + difference <= before:
                return _DISORDER, row
            before = base + difference
            # The broker sends whole batches: the first may begin before what was asked for.
            if before < low:
                continue
            offset[row] = before
            append_ms[row] = time_ms
            key_begin[row] = key
            key_length[row] = key_bytes
            value_begin[row] = value
            value_length[row] = value_bytes
            row += 1
        if at != end:
            return _WRONG_SIZE, row
    return 0, row


class Packing:
    """Collects record batches for one chunk.

    Args:
        low_offset: The first offset that the chunk answers for.
    """

    def __init__(self, low_offset: int) -> None:
        self._low_offset = low_offset
        self.next_offset = low_offset
        self._buffer: Bytes = np.empty(0, np.uint8)
        self._used = 0
        self._records = 0
        self._batches: list[tuple[int, int, int, int, int]] = []
        self._zstd = zstandard.ZstdDecompressor()

    def skip(self, next_offset: int) -> None:
        """Answer for what comes before `next_offset`, which holds nothing to read."""
        self.next_offset = max(self.next_offset, next_offset)

    def add(
        self,
        payload: memoryview,
        *,
        codec: int,
        base_offset: int,
        next_offset: int,
        records: int,
        append_ms: int,
    ) -> bool:
        """Take a record batch; return False when there is no room for it beside the others.

        Args:
            payload: What follows the header of the batch.
            codec: How it is compressed.
            base_offset: The offset that those of its records count from.
            next_offset: The offset after its last one.
            records: How many records it has.
            append_ms: The broker's append time, CREATE_TIME_MS where it has none.

        Raises:
            CorruptRecordException: It cannot be decompressed, or is too short for its records.
            UnsupportedCodecError: The codec is unknown.
        """
        if not len(self._buffer):
            self._buffer = np.empty(CHUNK_BYTES, np.uint8)
        size = self._decompress_into(self._buffer[self._used :], payload, codec)
        if size is None:
            if self._batches:
                return False
            self._buffer = _decompressed(payload, codec)
            size = len(self._buffer)
        if not 0 <= records <= size // RECORD_BYTES_MIN:
            raise CorruptRecordException(f"{records} records in {size} bytes at {base_offset}")
        end = self._used + size
        self._batches.append((self._used, end, base_offset, records, append_ms))
        self._used = end
        self._records += records
        self.next_offset = max(self.next_offset, next_offset)
        return True

    def chunk(self) -> PackedChunk:
        """Return the chunk.

        Raises:
            CorruptRecordException: A record is damaged.
        """
        columns = [np.empty(self._records, np.int64) for _ in range(6)]
        wrong, rows = _read_records(
            self._buffer,
            np.array(self._batches, np.int64).reshape(-1, 5),
            self._low_offset,
            *columns,
        )
        if wrong:
            raise CorruptRecordException(f"{_ERRORS[wrong]}, after {rows} good records")
        # What is hardly filled would hold the memory of a full chunk while it waits.
        buffer = self._buffer if 2 * self._used > CHUNK_BYTES else self._buffer[: self._used].copy()
        offset, append_ms, key_begin, key_length, value_begin, value_length = (
            column[:rows] for column in columns
        )
        return PackedChunk(
            low_offset=self._low_offset,
            next_offset=self.next_offset,
            buffer=buffer,
            offset=offset,
            append_ms=append_ms,
            key_begin=key_begin,
            key_length=key_length,
            value_begin=value_begin,
            value_length=value_length,
        )

    def _decompress_into(self, room: Bytes, payload: memoryview, codec: int) -> int | None:
        """Decompress into `room` and return how many bytes that made, None when it did not fit.

        Into memory that is there already, cramjam, aiokafka's own, takes half the time with lz4 (30
        in place of 67 ns an event). With zstd it makes a context for each record batch, which costs
        more than the records of a batch of 16 KB, Kafka's default; zstandard keeps one (108 in
        place of 261 ns). What is damaged comes back as None, too, or too short for its records.
        """
        if codec == _LZ4:
            try:
                size: int = cramjam.lz4.decompress_into(payload, room.data)
            except cramjam.DecompressionError:
                return None
            return size
        if codec == _ZSTD:
            return self._unzstd_into(room, payload)
        plain = (
            np.frombuffer(payload, np.uint8) if codec == _NONE else _decompressed(payload, codec)
        )
        if len(plain) > len(room):
            return None
        room[: len(plain)] = plain
        return len(plain)

    def _unzstd_into(self, room: Bytes, payload: memoryview) -> int | None:
        used = 0
        try:
            with self._zstd.stream_reader(payload) as reader:
                while used < len(room) and (size := reader.readinto(room[used:].data)):
                    used += size
        except zstandard.ZstdError:
            return None
        return None if used == len(room) else used


def _decompressed(payload: memoryview, codec: int) -> Bytes:
    """Return what a payload holds, however large, decompressed by aiokafka's own codecs.

    Raises:
        CorruptRecordException: It cannot be decompressed.
        UnsupportedCodecError: The codec is unknown.
    """
    codecs = {
        _NONE: bytes,
        _GZIP: gzip_decode,
        _SNAPPY: snappy_decode,
        _LZ4: lz4_decode,
        _ZSTD: zstd_decode,
    }
    if codec not in codecs:
        raise UnsupportedCodecError(f"codec {codec} of a record batch is unknown")
    try:
        plain = codecs[codec](payload)
    except (cramjam.DecompressionError, OSError, EOFError, ValueError) as error:
        raise CorruptRecordException(f"a record batch cannot be decompressed: {error}") from error
    return np.frombuffer(bytearray(plain), np.uint8)


def warm_up() -> None:
    """Compile the loop, or load what was compiled before."""
    Packing(0).chunk()
