"""Record batches written whole are what aiokafka writes record by record, but for compression."""

import numpy as np
from aiokafka.codec import lz4_decode
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import example, given
from hypothesis import strategies as st

from benchmarks.record_batches import BATCH_RECORDS, RecordBatch, record_batches

TIME_MS = 1_700_000_000_123
HEADER_BYTES = 61


def values_of(count: int, width: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(count).integers(0, 256, (count, width), np.uint8)


def built(batch: RecordBatch) -> bytes:
    return bytes(batch._build())  # noqa: SLF001 - what aiokafka's producer calls


def built_by_aiokafka(values: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 30)
    for offset, value in enumerate(values):
        builder.append(offset, TIME_MS, None, value.tobytes(), [])
    return bytes(builder.build())


# Offsets take one byte up to 63, two up to 8,191; lengths likewise.
@given(st.integers(1, 200), st.integers(1, 200))
@example(64, 145)
@example(65, 145)
@example(8_192, 3)
@example(8_193, 60)
def test_records_are_those_that_aiokafka_writes(count: int, width: int) -> None:
    values = values_of(count, width)
    records = lz4_decode(built(RecordBatch(values, TIME_MS))[HEADER_BYTES:])
    assert records == built_by_aiokafka(values)[HEADER_BYTES:]


def test_a_batch_carries_its_producer_and_a_checksum() -> None:
    values = values_of(100, 145)
    batch = RecordBatch(values, TIME_MS)
    batch._set_producer_state(77, 5, 1_234)  # noqa: SLF001 - what aiokafka calls, too
    assert batch.size() == len(built(batch))
    read = MemoryRecords(built(batch)).next_batch()
    assert isinstance(read, DefaultRecordBatch)
    assert read.validate_crc()
    assert (read.producer_id, read.producer_epoch, read.base_sequence) == (77, 5, 1_234)
    assert read.max_timestamp == TIME_MS
    assert [record.value for record in read] == [value.tobytes() for value in values]


def test_rows_become_batches_in_order() -> None:
    values = values_of(2 * BATCH_RECORDS + 7, 10)
    batches = list(record_batches(values, TIME_MS))
    assert [batch.record_count() for batch in batches] == [BATCH_RECORDS, BATCH_RECORDS, 7]
    read = [MemoryRecords(built(batch)).next_batch() for batch in batches]
    assert [record.value for batch in read for record in batch] == [v.tobytes() for v in values]
