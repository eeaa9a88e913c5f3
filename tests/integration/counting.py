"""Real, small steps for the exactly-once tests: they count, check chains and keep rows."""

import json
import struct
import time
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from models.batch_header import NO_TIME_MS, BatchHeader, BatchKind
from models.batches import Batch, decode_batch, empty_batch, encode_batch
from models.boosted_trees import Size, grow
from models.identity import partition_of, video_key
from models.packed_chunk import PackedChunk
from models.steps import AbandonedError, BrokenChainError, Chunk, Cut, Output
from models.vocabulary import ACTION_CODE

COUNT = struct.Struct("<q")
MARKS = b"marks"


class KillPlace(StrEnum):
    """Where a worker under test may die in a checkpoint, in the order in which it gets there."""

    BEFORE_TRANSACTION = "before the transaction"
    BEFORE_OFFSETS = "before the offsets"
    BEFORE_COMMIT = "before the commit"
    AFTER_TRANSACTION = "after the transaction"


@dataclass(frozen=True)
class Refused:
    offset: int
    value: bytes | None
    reason: str
    detail: str


@dataclass(frozen=True)
class Routed:
    batches: list[list[bytes]]
    rejects: list[Refused]
    events: int
    middle_ms: int = NO_TIME_MS


class LineIntake:
    """Reads `VIDEO ACTION` lines, maybe with a time after them; anything else is refused."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions

    def warm_up(self) -> None:
        pass

    def process(self, chunk: PackedChunk, *, source: int, sources: int, received_ms: int) -> Routed:
        rows: list[list[tuple[str, int, int]]] = [[] for _ in range(self.partitions)]
        rejects = []
        times_ms = []
        for row, offset in enumerate(chunk.offset.tolist()):
            value = chunk.value(row)
            words = (value or b"").decode().split(" ")
            if not 2 <= len(words) <= 3 or words[1] not in ACTION_CODE:
                rejects.append(Refused(offset, value, "malformed", "two words expected"))
                continue
            times_ms += map(int, words[2:])
            key = video_key("test", words[0])
            rows[partition_of(key, self.partitions)].append((key, ACTION_CODE[words[1]], offset))
        header = BatchHeader(
            kind=BatchKind.EVENTS,
            source=source,
            sources=sources,
            low=chunk.low_offset - 1,
            high=chunk.next_offset - 1,
            high_ms=max(times_ms, default=NO_TIME_MS),
            idle=False,
            received_ms=received_ms,
        )
        batches = [[encode_batch(_batch(header, part))] for part in rows]
        middle_ms = sorted(times_ms)[len(times_ms) // 2] if times_ms else NO_TIME_MS
        return Routed(batches, rejects, len(chunk) - len(rejects), middle_ms)


def _batch(header: BatchHeader, rows: list[tuple[str, int, int]]) -> Batch:
    if not rows:
        return empty_batch(header)
    videos = sorted({key for key, _, _ in rows})
    at = {key: index for index, key in enumerate(videos)}
    count = len(rows)
    return Batch(
        header=header,
        videos=videos,
        video=np.array([at[key] for key, _, _ in rows], np.int32),
        action=np.array([action for _, action, _ in rows], np.uint8),
        time_ms=np.zeros(count, np.int64),
        high_ms=np.zeros(count, np.int64),
        count=np.ones(count, np.int64),
        actor=np.zeros(count, np.uint64),
        role=np.zeros(count, np.uint8),
        event=np.zeros(count, np.uint64),
        offset=np.array([offset for _, _, offset in rows], np.int64),
        profiles=[],
    )


class CountingStages:
    """Counts events per (video, action); every chunk with news becomes one output.

    An output says how many events the partition has counted by then: outputs written twice or
    not at all show as a repeat or a hole in that sequence.
    """

    held = False
    urgent = False

    @property
    def awaited(self) -> bool:
        return bool(self._outputs)

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.counts: dict[bytes, int] = {}
        self.marks: dict[int, int] = {}
        self.total = 0
        self._dirty: set[bytes] = set()
        self._outputs: list[Output] = []

    def load(self, key: bytes, value: bytes | None) -> None:
        if value is None:
            raise AssertionError("no row is ever deleted")
        if key == MARKS:
            stored = json.loads(value)
            self.marks = {int(source): mark for source, mark in stored["marks"].items()}
            self.total = stored["total"]
        else:
            self.counts[key] = COUNT.unpack(value)[0]

    def recovered(self) -> None:
        if sum(self.counts.values()) != self.total:
            raise BrokenChainError(f"{sum(self.counts.values())} events, but {self.total} noted")

    def process(self, chunk: Chunk) -> None:
        for value in chunk.values:
            self._apply(decode_batch(value or b""))

    def _apply(self, batch: Batch) -> None:
        source, low, high = batch.header.source, batch.header.low, batch.header.high
        mark = self.marks.get(source, -1)
        if low > mark:
            raise BrokenChainError(f"hole after {mark} of source {source}: ({low}, {high}]")
        if batch.header.kind is BatchKind.HEARTBEAT or high <= mark:
            return
        before = self.total
        for row in np.flatnonzero(batch.offset > mark):
            key = f"{batch.videos[batch.video[row]]}\x1f{batch.action[row]}".encode()
            self.counts[key] = self.counts.get(key, 0) + 1
            self._dirty.add(key)
            self.total += 1
        self.marks[source] = high
        self._dirty.add(MARKS)
        if self.total > before:
            news = {"partition": self.partition, "after": before, "total": self.total}
            self._outputs.append(Output("video-stages", 0, None, json.dumps(news).encode()))

    def learn(self, key: bytes, value: bytes | None) -> None:
        pass

    def cut(self) -> Cut:
        rows: list[tuple[bytes, bytes | None]] = [
            (key, COUNT.pack(self.counts[key])) for key in sorted(self._dirty - {MARKS})
        ]
        if MARKS in self._dirty:
            rows.append((MARKS, json.dumps({"marks": self.marks, "total": self.total}).encode()))
        self._dirty = set()
        outputs, self._outputs = self._outputs, []
        return Cut(rows, outputs)


class CountingHotspots:
    """Follows the totals of all partitions; a hole or a repeat among them is an error."""

    held = False
    urgent = False

    @property
    def awaited(self) -> bool:
        return bool(self._outputs)

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.totals: dict[int, int] = {}
        self._dirty: set[int] = set()
        self._outputs: list[Output] = []

    def load(self, key: bytes, value: bytes | None) -> None:
        if value is None:
            raise AssertionError("no row is ever deleted")
        self.totals[int(key)] = COUNT.unpack(value)[0]

    def recovered(self) -> None:
        pass

    def process(self, chunk: Chunk) -> None:
        for value in chunk.values:
            news = json.loads(value or b"")
            if self.totals.get(news["partition"], 0) != news["after"]:
                raise BrokenChainError(f"{news} after {self.totals}")
            self.totals[news["partition"]] = news["total"]
            self._dirty.add(news["partition"])
            alert = {
                "id": f"{news['partition']}/{news['total']}",
                "type": "hotspot.emerging",
                "subject": f"test/{news['partition']}",
                "data": {},
            }
            self._outputs.append(Output("alerts", 0, None, json.dumps(alert).encode()))

    def learn(self, key: bytes, value: bytes | None) -> None:
        pass

    def cut(self) -> Cut:
        rows: list[tuple[bytes, bytes | None]] = [
            (str(partition).encode(), COUNT.pack(self.totals[partition]))
            for partition in sorted(self._dirty)
        ]
        self._dirty = set()
        outputs, self._outputs = self._outputs, []
        return Cut(rows, outputs)


AHEAD_MAX = 2_000
"""Events that `WaitingStages` may be ahead of what `hotspots` has seen of them."""


class WaitingStages(CountingStages):
    """Waits, when it is far ahead, until what it said has come back through `learned`."""

    def __init__(self, partition: int) -> None:
        super().__init__(partition)
        self._seen = 0

    @property
    def held(self) -> bool:  # type: ignore[override] # a constant in the class above
        return self.total - self._seen > AHEAD_MAX

    def learn(self, key: bytes, value: bytes | None) -> None:
        if int(key) == self.partition:
            self._seen = max(self._seen, int(value or b"0"))


class TeachingHotspots(CountingHotspots):
    """Says how far it has seen each partition."""

    def process(self, chunk: Chunk) -> None:
        super().process(chunk)
        for partition in sorted(self._dirty):
            total = str(self.totals[partition]).encode()
            self._outputs.append(Output("learned", 0, str(partition).encode(), total))


TREES = 40
"""Grown at a time by `LearningHotspots`: some tenths of a second."""


class LearningHotspots(CountingHotspots):
    """Grows trees for a while after the first chunk with news, as who learns a forecast does."""

    seconds = 0.0

    def __init__(self, partition: int) -> None:
        super().__init__(partition)
        self.finished = 0
        self._has_learned = False
        self._is_abandoned = False

    def process(self, chunk: Chunk) -> None:
        if self.take_in(chunk):
            self.finish()

    def take_in(self, chunk: Chunk) -> bool:
        before = dict(self.totals)
        super().process(chunk)
        learns = self.totals != before and not self._has_learned
        self._has_learned |= learns
        return learns

    def finish(self) -> None:
        end_s = time.monotonic() + self.seconds
        rng = np.random.default_rng(self.partition)
        features = rng.normal(size=(50_000, 19)).astype(np.float32)
        hit = features[:, 0] + rng.normal(size=len(features)) > 0
        while time.monotonic() < end_s:
            grow(features, hit, np.ones(len(hit)), Size(7, 0.05, TREES), self._grew)

    def _grew(self, trees: int) -> None:
        if self._is_abandoned:
            raise AbandonedError("nobody waits")
        self.finished += trees

    def abandon(self) -> None:
        self._is_abandoned = True
