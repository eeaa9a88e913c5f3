"""A replay of uneven partitions: the one with few events waits for the one with many."""

from collections import defaultdict

import pytest
from pipeline import Pipeline

from models.batch_header import BatchHeader, BatchKind
from models.batches import decode_batch
from streams.agents.alignment import CHUNKS_AHEAD
from streams.topics import Topic

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio]

START_MS = 1_700_000_000_000
SPAN_MS = 100 * 3_600_000
SPARSE, DENSE = 0, 1
SPARSE_EVENTS, DENSE_EVENTS = 30_000, 240_000
"""So many that each partition comes in several chunks of the smallest fetch."""
DRIFT_MAX_MS = 3_600_000


async def test_no_partition_runs_far_ahead_of_the_slowest(pipeline: Pipeline) -> None:
    for partition, events in ((SPARSE, SPARSE_EVENTS), (DENSE, DENSE_EVENTS)):
        await pipeline.produce_timed(
            partition, (START_MS + at * SPAN_MS // events for at in range(events))
        )
    worker = pipeline.start_worker(HOTSPOTS_DRIFT_MAX_MS=str(DRIFT_MAX_MS))
    await pipeline.wait_until_done()
    await pipeline.stop(worker)
    await pipeline.assert_exact()

    heard: dict[int, list[BatchHeader]] = defaultdict(list)
    compared = 0
    for partition, _, value in await pipeline.read(Topic.BATCHES):
        header = decode_batch(value or b"").header
        if partition != 0 or header.kind is not BatchKind.EVENTS:
            continue
        before = heard[header.source]
        assert header.low == (before[-1].high if before else -1), "what was held is read again"
        if header.source == SPARSE and before and len(heard[DENSE]) > 1:
            # While the first dense chunk was at work nobody knew how far the other was ahead.
            # It was let go on after its last chunk, whose middle lies between two chunks' ends.
            begins_ms = before[-2].high_ms if len(before) > 1 else START_MS
            middle_ms = (begins_ms + before[-1].high_ms) // 2
            dense = heard[DENSE]
            at_end = dense[-1].high == DENSE_EVENTS - 1
            step_ms = SPAN_MS * 100 // SPARSE_EVENTS  # the middle is found among the events
            chunks_ms = CHUNKS_AHEAD * (before[-1].high_ms - begins_ms)
            ahead_ms = middle_ms - dense[-1].high_ms
            assert at_end or ahead_ms <= max(DRIFT_MAX_MS, chunks_ms) + step_ms
            compared += 1
        before.append(header)
    assert compared >= 2, "the sparse partition came in several chunks"
    assert len(heard[DENSE]) > 2 * len(heard[SPARSE])
    assert "waits: " in pipeline.logs()
