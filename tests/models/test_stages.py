"""What a partition does at its edges; the laws of the whole are in test_outcome.py."""

import json

from models.cohorts import CohortVersion
from models.intake import Intake
from models.parameters import DAY_MS, HOUR_MS, MINUTE_MS, Parameters
from models.stage_reports import StageReport, decode_report
from models.stages import StagesStep
from models.steps import Chunk
from streams.offline.pipeline import chunk_of

START_MS = 1_693_353_600_000
PARAMETERS = Parameters(
    partitions=1, bucket_ms=MINUTE_MS, epoch_ms=HOUR_MS, expire_after_ms=6 * HOUR_MS
)
LIKE = 3


def event(minute: int, video: str = "v", action: str = "view", **more: object) -> bytes:
    fields = {"platform": "p", "video_id": video, "action": action, **more}
    return json.dumps({"time": START_MS + minute * MINUTE_MS, **fields}).encode()


def log_of(*chunks: list[bytes], end: bool = True) -> list[bytes]:
    """Return the batches of one source partition, one for each chunk of events."""
    intake, low, log = Intake(1, bytes(16)), 0, list[bytes]()
    for values in chunks:
        taken = intake.process(
            chunk_of(values, low), source=0, sources=1, received_ms=START_MS + 90 * DAY_MS
        )
        assert not taken.rejects
        log += taken.batches[0]
        low += len(values)
    if end:
        mark = Chunk(low, low + 1, [low], [b"hotspots:end"], [None], [-1])
        log += intake.process(mark, source=0, sources=1, received_ms=START_MS).batches[0]
    return log


def run(
    log: list[bytes], size: int, *, crash: bool = False
) -> tuple[StagesStep, list[StageReport]]:
    """Process a log, so many batches at a time, telling each version that is waited for."""
    step, reports, rows, told = StagesStep(0, PARAMETERS), list[StageReport](), {}, {}
    low = farthest = 0
    while low < len(log):
        step.process(chunk_of(log[low : low + size], low))
        low += size
        position: int | None = None
        for _ in range(len(log) * 24):
            cut = step.cut()
            rows.update(cut.rows)
            position = cut.position
            reports += [decode_report(o.value) for o in cut.outputs if o.value is not None]
            if not step.held:
                break
            through = reports[-1].through_bucket if reports else 0
            version = CohortVersion((through + 1) // 60 - 2)
            told = {version.name.encode(): json.dumps(version.to_dict()).encode()}
            for key, value in told.items():
                step.learn(key, value)
        if crash and low > farthest:
            # Once at every place: from there on the log is read again.
            farthest = low
            low = low if position is None else position
            step = StagesStep(0, PARAMETERS)
            for key, value in rows.items():
                step.load(key, value)
            step.recovered()
            for key, value in told.items():
                step.learn(key, value)
    return step, reports


def test_a_repeat_after_the_window_counts_however_the_log_was_chunked() -> None:
    same = {"action": "like", "event_id": "same"}
    chunks = [
        [event(0, **same)],
        [event(30, **same)],
        *([event(minute)] for minute in range(40, 140, 10)),
        [event(140, **same)],
        [event(145, **same)],
    ]
    for size in (1, 3, 100):
        for crash in (False, True):
            step, _ = run(log_of(*chunks), size, crash=crash)
            assert step.totals()["p\x1fv"][LIKE] == 2, f"{size} batches at a time"


def test_the_window_is_the_same_however_intake_cut_its_chunks() -> None:
    same = {"action": "like", "event_id": "same"}
    events = [event(m, **same) if m in (0, 55, 63, 70, 200) else event(m) for m in range(0, 210, 5)]
    events += [event(63, **same), event(300), event(64, **same)]
    likes = set()
    for cut in (1, 7, 100):
        chunks = [events[i : i + cut] for i in range(0, len(events), cut)]
        for size in (1, 100):
            step, _ = run(log_of(*chunks), size)
            likes.add(step.totals()["p\x1fv"][LIKE])
    assert len(likes) == 1


def test_what_an_old_video_said_late_is_told_of_no_other_video() -> None:
    """A `publish` from before the expiry waits for a bucket; its row must wait with it."""
    late = event(-3 * 24 * 60, "old", "publish", title="the old one")
    chunks = [
        [event(0, "a")],
        [event(61, "a")],
        # It waits for the first bucket of a new epoch, when what was silent for long is forgotten.
        [late],
        [event(130, "new"), event(131, "other")],
        [event(200, "takes its slot"), event(201, "a")],
    ]
    for size in (1, 2, 4, 100):
        step, reports = run(log_of(*chunks), size, crash=size == 1)
        assert step.totals().keys() >= {"p\x1fa", "p\x1fnew", "p\x1fother"}
        for report in reports:
            told = {report.videos[report.video[row]] for row, _ in report.profiles}
            assert told <= {"p\x1fold"}
        slots = step.videos.slot_of
        assert {v for v, s in slots.items() if s in step.videos.profiles} <= {"p\x1fold"}
        assert all(slots[step.videos.keys[s] or ""] == s for s in step.videos.profiles)


def test_the_end_of_an_epoch_is_urgent_also_when_nothing_is_waited_for() -> None:
    log = log_of([event(1)], [event(10)], [event(75)], [event(80)], end=False)
    step = StagesStep(0, PARAMETERS)
    for epoch in range(-2, 2):
        version = CohortVersion(START_MS // PARAMETERS.epoch_ms + epoch)
        step.learn(version.name.encode(), json.dumps(version.to_dict()).encode())
    urgent = []
    for offset, message in enumerate(log):
        step.process(chunk_of([message], offset))
        assert not step.held
        urgent.append((step.awaited, step.urgent))
        step.cut()
        assert not step.urgent
    assert urgent[1:] == [(True, False), (True, True), (True, False)]


def test_reports_go_ahead_of_rows_while_a_crash_could_still_be_mended() -> None:
    log = log_of(*([event(60 * hour + 30)] for hour in range(5)), end=False)
    step = StagesStep(0, PARAMETERS)
    may_tell = []
    for offset, message in enumerate(log):
        # As many as are known by then, of which the step keeps the latest.
        for epoch in range(-2, offset):
            version = CohortVersion(START_MS // PARAMETERS.epoch_ms + epoch)
            step.learn(version.name.encode(), json.dumps(version.to_dict()).encode())
        step.process(chunk_of([message], offset))
        assert not step.held
        may_tell.append(step.may_tell)
        step.cut() if offset == 1 else step.tell()
    # Rows were saved with the first epoch's end. The second one's end is told without; with the
    # third one's, what the second was decided by would soon be kept no longer.
    assert may_tell[2:] == [True, False, False]
    step.cut()
    assert step.may_tell
