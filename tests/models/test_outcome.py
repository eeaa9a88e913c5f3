"""The outcome is a function of the log: batching, restarts and partitions change nothing.

A small platform is simulated, its events are laid out as source partitions, and the steps are
driven through crashes: a step is thrown away and made again from the rows of its last cut, as a
worker would after SIGKILL, and everything after that cut is processed again."""

import json
from dataclasses import dataclass, field

import numpy as np
import pytest
from building import learned_forecast
from hypothesis import given, settings
from hypothesis import strategies as st

from models.alerts import ALERTS
from models.hotspots import LEARNED, HotspotsStep
from models.intake import Intake
from models.parameters import HOUR_MS, MINUTE_MS, Level, Parameters
from models.ranking import BOARD
from models.stages import VIDEO_STAGES, StagesStep
from models.steps import BrokenChainError, Chunk, Cut, PartitionStep
from streams.offline.pipeline import chunk_of

START_MS = 1_693_353_600_000
SOURCES = 2
KEY = b"0123456789abcdef"
LEVEL = Level("view", 3_000)


def parameters(partitions: int, level: Level = LEVEL) -> Parameters:
    return Parameters(
        partitions=partitions,
        bucket_ms=MINUTE_MS,
        epoch_ms=HOUR_MS,
        alarm_rate_per_video_day=0.5,
        level=level,
        expire_after_ms=6 * HOUR_MS,
    )


def platform(seed: int) -> list[dict[str, object]]:
    """Return ten hours of events: quiet videos, one that runs away and comes back, one disliked."""
    rng = np.random.default_rng(seed)
    events: list[dict[str, object]] = []

    def act(video: str, action: str, minute: int, count: int, **more: object) -> None:
        at_ms = START_MS + minute * MINUTE_MS + int(rng.integers(0, MINUTE_MS))
        events.append(
            {
                "time": at_ms,
                "platform": "bilibili" if video < "v5" else "douyin",
                "video_id": video,
                "action": action,
                "count": count,
                **more,
            }
        )

    for number in range(8):
        act(f"v{number}", "publish", 0, 1, title=f"t{number}", topics=[f"topic{number % 2}"])
        for minute in sorted(rng.integers(0, 600, 60).tolist()):
            act(f"v{number}", "view", minute, int(rng.integers(1, 40)))
            if rng.random() < 0.2:
                act(f"v{number}", "like", minute, int(rng.integers(1, 4)))
    for minute in [*range(100, 140), *range(520, 560)]:
        act("v1", "view", minute, 3_000)
        act("v1", "like", minute, 900, actor_id=None)
        act("v1", "comment", minute, 200)
        act("v1", "share", minute, 150)
        act("v6", "view", minute, 2_000)
        act("v6", "dislike", minute, 400)
        act("v6", "comment", minute, 90, event_id=f"e{minute}")
    act("d1", "derive", 150, 1, source_video_id="v1", source_platform="bilibili")
    act("d1", "view", 151, 5)
    events.sort(key=lambda e: e["time"])  # type: ignore[arg-type,return-value]  # all are whole numbers
    act("v2", "like", 30, 5_000)
    return [{k: v for k, v in event.items() if v is not None} for event in events]


def source_log(events: list[dict[str, object]]) -> list[list[bytes]]:
    """Deal the events out to the source partitions, in order."""
    log: list[list[bytes]] = [[] for _ in range(SOURCES)]
    for position, event in enumerate(events):
        log[position % SOURCES].append(json.dumps(event).encode())
    return log


def batches_log(log: list[list[bytes]], partitions: int, sizes: list[int]) -> list[list[bytes]]:
    """Run intake over the sources in turn, `sizes` events at a time."""
    intake = Intake(partitions, KEY)
    out: list[list[bytes]] = [[] for _ in range(partitions)]
    position = [0] * SOURCES
    turn = 0
    while any(position[s] < len(log[s]) for s in range(SOURCES)):
        size = sizes[turn % len(sizes)]
        turn += 1
        for source in range(SOURCES):
            low = position[source]
            values: list[bytes] = log[source][low : low + size]
            position[source] = low + len(values)
            if values:
                _send(intake, out, chunk_of(values, low), source)
    for source in range(SOURCES):
        end = position[source]
        chunk = Chunk(end, end + 1, [end], [b"hotspots:end"], [None], [-1])
        _send(intake, out, chunk, source)
    return out


def _send(intake: Intake, out: list[list[bytes]], chunk: Chunk, source: int) -> None:
    taken = intake.process(chunk, source=source, sources=SOURCES, received_ms=START_MS * 2)
    assert not taken.rejects
    for partition, messages in enumerate(taken.batches):
        out[partition] += messages


@dataclass
class Durable:
    """What a broker keeps for one step: its changelog, and how far it has come."""

    rows: dict[bytes, bytes] = field(default_factory=dict)
    offset: int = 0

    def commit(self, cut: Cut, offset: int) -> None:
        for key, value in cut.rows:
            if value is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = value
        self.offset = offset if cut.position is None else cut.position


class Worker:
    """Drives the steps; a crash forgets everything but what was committed."""

    def __init__(self, partitions: int, logs: list[list[bytes]], level: Level = LEVEL) -> None:
        self.parameters = parameters(partitions, level)
        self.logs = logs
        self.durable = [Durable() for _ in range(partitions)]
        self.durable_hotspots = Durable()
        self.video_stages: list[bytes] = []
        self.alerts: list[dict[str, object]] = []
        self.board: dict[str, object] = {}
        self.learned: dict[bytes, bytes] = {}
        self.crash()

    def crash(self) -> None:
        partitions, forecaster = range(len(self.logs)), learned_forecast()
        self.steps = [StagesStep(p, self.parameters, forecaster) for p in partitions]
        self.hotspots = HotspotsStep(0, self.parameters)
        for step, durable in zip(self.steps, self.durable, strict=True):
            self._recover(step, durable)
        self._recover(self.hotspots, self.durable_hotspots)
        self.at = [d.offset for d in self.durable]
        self.at_hotspots = self.durable_hotspots.offset

    def _recover(self, step: PartitionStep, durable: Durable) -> None:
        for key, value in durable.rows.items():
            step.load(key, value)
        step.recovered()
        for key, learned in self.learned.items():
            step.learn(key, learned)

    def process(self, partition: int, size: int) -> None:
        step, low = self.steps[partition], self.at[partition]
        values = self.logs[partition][low : low + size]
        if step.held or not values:
            return
        step.process(chunk_of(values, low))
        self.at[partition] = low + len(values)

    def commit(self, partition: int, *, dies_between: bool = False) -> None:
        """Commit a cut: its outputs, and then its rows unless the worker dies between."""
        told = self.steps[partition].tell()
        for output in told:
            assert output.topic == VIDEO_STAGES
            assert output.value is not None
            self.video_stages.append(output.value)
        if dies_between:
            self.crash()
        else:
            self.durable[partition].commit(self.steps[partition].cut(), self.at[partition])

    def process_hotspots(self, size: int) -> None:
        values = self.video_stages[self.at_hotspots : self.at_hotspots + size]
        if values:
            self.hotspots.process(chunk_of(values, self.at_hotspots))
            self.at_hotspots += len(values)

    def commit_hotspots(self) -> None:
        cut = self.hotspots.cut()
        self.durable_hotspots.commit(cut, self.at_hotspots)
        for output in cut.outputs:
            if output.topic == ALERTS:
                assert output.value is not None
                self.alerts.append(json.loads(output.value))
            elif output.topic == BOARD:
                assert output.value is not None
                self.board = json.loads(output.value)
            else:
                assert output.topic == LEARNED
                assert output.key is not None
                if output.value is None:
                    self.learned.pop(output.key, None)
                else:
                    self.learned[output.key] = output.value
                for step in self.steps:
                    step.learn(output.key, output.value)

    def done(self) -> bool:
        return all(
            d.offset == len(log) and not s.held
            for d, log, s in zip(self.durable, self.logs, self.steps, strict=True)
        ) and self.durable_hotspots.offset == len(self.video_stages)

    def _progress(self) -> tuple[int, int, int]:
        return len(self.video_stages), self.durable_hotspots.offset, len(self.alerts)

    def run(self, size: int = 10_000) -> None:
        for _ in range(2_000):
            before = self._progress()
            for partition in range(len(self.logs)):
                self.process(partition, size)
                self.commit(partition)
            self.process_hotspots(size)
            self.commit_hotspots()
            if self.done() and self._progress() == before:
                return
        raise AssertionError("it never came to an end")


def totals(worker: Worker) -> dict[str, list[int]]:
    return {k: v for step in worker.steps for k, v in step.totals().items()}


@pytest.fixture(scope="module")
def undisturbed() -> Worker:
    worker = Worker(1, batches_log(source_log(platform(3)), 1, [500]))
    worker.run()
    return worker


def test_the_platform_tells_a_story(undisturbed: Worker) -> None:
    stories = {
        (a["subject"], a["data"]["stage"], a["data"]["state"], a["data"]["route"])  # type: ignore[index]  # JSON
        for a in undisturbed.alerts
        if a["type"] in ("hotspot.stage.entered", "hotspot.faded") and "state" in a["data"]  # type: ignore[operator]  # JSON
    }
    assert ("bilibili/v1", "judgment", "active", "identification") in stories
    assert ("bilibili/v1", "diffusion", "active", "identification") in stories
    assert ("douyin/v6", "judgment", "active", "exclusion") in stories
    assert not {s for s in stories if s[0] not in ("bilibili/v1", "douyin/v6")}
    kinds = [a["type"] for a in undisturbed.alerts]
    assert "hotspot.emerging" in kinds
    assert "hotspot.confirmed" in kinds
    videos = [a["data"] for a in undisturbed.alerts if a["type"] == "hotspot.emerging"]
    said = {(d["model"], len(d["signals"]) > 0) for d in videos}  # type: ignore[index]  # JSON
    assert ("learned", True) in said
    found = undisturbed.board["discoveries"]["videos"]  # type: ignore[index,call-overload]  # JSON
    assert {one["video_id"] for one in found} == {"v1", "v6"}  # type: ignore[index]  # JSON
    ids = [a["id"] for a in undisturbed.alerts]
    assert len(set(ids)) == len(ids)
    for alert in undisturbed.alerts:
        assert alert["data"]["reason"]  # type: ignore[index]  # JSON


@given(
    partitions=st.integers(1, 3),
    sizes=st.lists(st.sampled_from([5, 17, 60, 400]), min_size=1, max_size=4),
    chunk=st.sampled_from([3, 20, 10_000]),
)
@settings(max_examples=8, deadline=None)
def test_batching_and_partitions_change_nothing(
    undisturbed: Worker, partitions: int, sizes: list[int], chunk: int
) -> None:
    worker = Worker(partitions, batches_log(source_log(platform(3)), partitions, sizes))
    worker.run(chunk)
    assert worker.alerts == undisturbed.alerts
    assert totals(worker) == totals(undisturbed)
    assert worker.board == undisturbed.board
    assert worker.learned == undisturbed.learned


@given(
    partitions=st.integers(1, 2),
    script=st.lists(
        st.tuples(
            st.sampled_from(
                ["process", "process", "commit", "die between", "hotspots", "tell", "crash"]
            ),
            st.integers(0, 1),
        ),
        min_size=5,
        max_size=60,
    ),
)
@settings(max_examples=15, deadline=None)
def test_crashes_change_nothing(
    undisturbed: Worker, partitions: int, script: list[tuple[str, int]]
) -> None:
    worker = Worker(partitions, batches_log(source_log(platform(3)), partitions, [60]))
    for action, partition in script:
        match action:
            case "process":
                worker.process(partition % partitions, 2)
            case "commit":
                worker.commit(partition % partitions)
            case "die between":
                worker.commit(partition % partitions, dies_between=True)
            case "hotspots":
                worker.process_hotspots(1)
            case "tell":
                worker.commit_hotspots()
            case _:
                worker.crash()
    worker.crash()
    worker.run(5)
    assert worker.alerts == undisturbed.alerts
    assert totals(worker) == totals(undisturbed)
    assert worker.board == undisturbed.board


def test_late_events_and_repeats_count_as_promised(undisturbed: Worker) -> None:
    likes = totals(undisturbed)["bilibili\x1fv2"][3]
    # The flood of likes came hours late: it counts in the totals, and v2 entered no stage.
    assert likes >= 5_000
    assert undisturbed.steps[0].counters.late >= 1
    assert not [a for a in undisturbed.alerts if a["subject"] == "bilibili/v2"]


def test_a_repeated_id_counts_once() -> None:
    event = {
        "time": START_MS,
        "platform": "p",
        "video_id": "v",
        "action": "like",
        "event_id": "same",
    }
    other = {**event, "video_id": "w"}
    lines = [json.dumps(e).encode() for e in (event, event, other)]
    log: list[list[bytes]] = [[]]
    _send(Intake(1, KEY), log, chunk_of(lines, 0), 0)
    _send(Intake(1, KEY), log, chunk_of(lines[:1], 3), 0)
    end = Chunk(4, 5, [4], [b"hotspots:end"], [None], [-1])
    for source in range(SOURCES):
        low = end if source == 0 else Chunk(0, 1, [0], [b"hotspots:end"], [None], [-1])
        _send(Intake(1, KEY), log, low, source)
    worker = Worker(1, log)
    worker.run()
    assert [counts[3] for counts in totals(worker).values()] == [1, 1]
    assert worker.steps[0].counters.repeats == 2


def test_batches_sent_twice_count_once_and_a_hole_stops_the_step(undisturbed: Worker) -> None:
    logs = batches_log(source_log(platform(3)), 1, [100])
    twice = [message for message in logs[0] for _ in range(2)]
    worker = Worker(1, [twice])
    worker.run()
    assert worker.alerts == undisturbed.alerts
    assert totals(worker) == totals(undisturbed)
    step = StagesStep(0, parameters(1))
    with pytest.raises(BrokenChainError, match="never arrived"):
        step.process(chunk_of(logs[0][:2] + logs[0][4:], 0))


def test_silent_videos_are_forgotten_in_event_time() -> None:
    worker = Worker(1, batches_log(source_log(platform(3)), 1, [500]))
    far = {
        "time": START_MS + 40 * HOUR_MS,
        "platform": "bilibili",
        "video_id": "new",
        "action": "view",
    }
    logs = batches_log([[json.dumps(far).encode()] * 2] * SOURCES, 1, [10])
    worker.run()
    assert len(worker.steps[0].videos) > 1
    offset = len(source_log(platform(3))[0]) + 1
    moved = Intake(1, KEY)
    later: list[list[bytes]] = [[]]
    for source in range(SOURCES):
        start = offset if source == 0 else len(source_log(platform(3))[1]) + 1
        _send(moved, later, chunk_of([json.dumps(far).encode()], start), source)
        end = Chunk(start + 1, start + 2, [start + 1], [b"hotspots:end"], [None], [-1])
        _send(moved, later, end, source)
    assert logs
    worker.logs[0] += later[0]
    worker.run()
    assert set(worker.steps[0].videos.slot_of) == {"bilibili\x1fnew"}
    assert not [key for key in worker.durable[0].rows if b"v1" in key]
