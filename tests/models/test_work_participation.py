"""What `hotspots` keeps of who takes part, through the step that keeps it."""

from typing import Any

import numpy as np
import pytest
from deep_rows import START_MS, Said, actor, taken_in
from hypothesis import given, settings
from hypothesis import strategies as st
from told_reports import START_BUCKET, fed, report_of

from models import work_participation as work_participation_module
from models.hotspots import HotspotsStep
from models.parameters import MINUTE_MS, Parameters
from models.participation import PARTICIPATION, ParticipationFormatError, merge, pack
from models.stage_reports import StageReport
from models.work_participation import PREFIX

PARAMETERS = Parameters(bucket_ms=5 * MINUTE_MS)
VIDEOS = ("p\x1fa", "p\x1fb", "q\x1fc")


def comments(count: int, first: int = 0, **said: object) -> Said:
    """Return what is told of so many comments of different people."""
    rows = [
        {"action": "comment", "actor": actor(first + number), "after_ms": 1_000 * number} | said
        for number in range(count)
    ]
    return taken_in(rows)


def row(video: str, record: Any | None = None, **more: object) -> dict[str, Any]:  # noqa: ANN401 - a structured array
    """Return a row of a video of a topic, with what is told of who takes part."""
    said: dict[str, Any] = {"video": video, "profile": {"topics": ["t"]}, "views": 10, **more}
    return said | ({} if record is None else {"participation": pack(record)})


def merged(*records: Any) -> Any:  # noqa: ANN401 - structured arrays
    into = np.zeros(1, PARTICIPATION)
    for record in records:
        merge(into, record)
    return into


def reports(*rows: list[dict[str, Any]]) -> list[StageReport]:
    """Return a report for each bucket from START_BUCKET on."""
    return [
        report_of(*some, sequence=number, through_bucket=START_BUCKET + number)
        for number, some in enumerate(rows)
    ]


def known(step: HotspotsStep) -> Any:  # noqa: ANN401 - a structured array
    return step.participation.of_work(step.roll_up.works.by_id["topic:t"])


def test_a_work_has_what_was_told_last_of_each_of_its_videos() -> None:
    told = reports(
        [row("p\x1fa", comments(5)), row("p\x1fb", comments(7, 100))],
        [row("p\x1fa", comments(9))],
    )
    _, step = fed(told, 1, PARAMETERS)
    assert known(step).tobytes() == merged(comments(9), comments(7, 100)).tobytes()
    assert step.participation.of_video("p\x1fb")["dialogue"]["comments"] == 7
    assert step.participation.of_video("p\x1fx") is None


def test_a_work_under_two_names_has_the_people_of_both_once() -> None:
    topics = {"p\x1fa": ["T"], "p\x1fb": ["T", "t"], "q\x1fc": ["t"]}
    records = [comments(5), comments(7, 100), comments(9, 200)]
    rows = [
        row(video, record, profile={"topics": names})
        for (video, names), record in zip(topics.items(), records, strict=True)
    ]
    last = report_of(sequence=1, through_bucket=START_BUCKET + 3)
    _, step = fed([report_of(*rows), last], 1, PARAMETERS)
    assert [merge.reason for merge in step.roll_up.merges] == ["same_name_written_differently"]
    one = known(step)
    assert one.tobytes() == merged(*records).tobytes()
    assert one["dialogue"]["comments"] == 21
    other = step.participation.of_work(step.roll_up.works.by_id["topic:T"])
    assert other is not None
    assert other.tobytes() == one.tobytes()


TOLD = st.lists(
    st.lists(
        st.tuples(st.sampled_from(VIDEOS), st.none() | st.integers(1, 6)),
        max_size=3,
        unique_by=lambda one: one[0],
    ),
    min_size=1,
    max_size=8,
)


@given(told=TOLD, sizes=st.integers(1, 8), crash=st.booleans())
@settings(deadline=None, max_examples=40)
def test_what_is_known_does_not_depend_on_how_reports_come_or_on_crashes(
    told: list[list[tuple[str, int | None]]], sizes: int, *, crash: bool
) -> None:
    said = reports(
        *(
            [row(video, comments(count, number) if count else None) for video, count in some]
            for number, some in enumerate(told)
        )
    )
    _, whole = fed(said, len(said), PARAMETERS)
    _, cut = fed(said, sizes, PARAMETERS, crash=crash)
    latest: dict[str, Any] = {}
    for number, some in enumerate(told):
        latest |= {video: comments(count, number) for video, count in some if count}
    assert len(whole.participation) == len(cut.participation) == len(latest)
    if latest:
        expected = merged(*(latest[video] for video in sorted(latest))).tobytes()
        assert known(whole).tobytes() == known(cut).tobytes() == expected


def saved_of(step: HotspotsStep) -> dict[bytes, bytes]:
    return {key: value for key, value in step.participation.rows() if value is not None}


def test_what_is_saved_is_all_and_only_what_changed() -> None:
    told = reports([row("p\x1fa", comments(5)), row("p\x1fb", comments(7))])
    _, step = fed(told, 1, PARAMETERS)
    saved = saved_of(step)
    assert sorted(saved) == [PREFIX + b"p\x1fa", PREFIX + b"p\x1fb"]
    assert not saved_of(step)
    other = HotspotsStep(0, PARAMETERS)
    for key, value in saved.items():
        other.participation.load(key, value)
    assert saved_of(other) == {}
    found = other.participation.of_video("p\x1fa")
    assert found is not None
    assert found.tobytes() == comments(5).tobytes()


def test_a_damaged_record_is_refused() -> None:
    step = HotspotsStep(0, PARAMETERS)
    for damaged in (b"", bytes(8), bytes(8) + b"\xff" + bytes(100)):
        with pytest.raises(ParticipationFormatError):
            step.participation.load(PREFIX + b"p\x1fa", damaged)


def test_those_told_longest_ago_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work_participation_module, "MOST_VIDEOS", 8)
    told = reports(*([row(f"p\x1f{number:02d}", comments(3, number))] for number in range(9)))
    for sizes in (1, 9):
        _, step = fed(told, sizes, PARAMETERS)
        kept = {key for key in step.roll_up.tracked.slot_of if step.participation.of_video(key)}
        assert kept == {f"p\x1f{number:02d}" for number in range(2, 9)}
        assert known(step)["dialogue"]["comments"] == 21


def test_a_video_that_expires_is_forgotten_with_its_record() -> None:
    hour_ms = 60 * MINUTE_MS
    parameters = Parameters(bucket_ms=5 * MINUTE_MS, expire_after_ms=hour_ms, epoch_ms=hour_ms)
    told = [
        report_of(row("p\x1fa", comments(5)), sequence=0),
        report_of(row("p\x1fb"), sequence=1, through_bucket=START_BUCKET + 30),
        report_of(sequence=2, through_bucket=START_BUCKET + 40),
    ]
    _, step = fed(told, 1, parameters)
    assert step.roll_up.tracked.get("p\x1fa") is None
    assert not len(step.participation)
    assert dict(step.participation.rows()) == {PREFIX + b"p\x1fa": None}


def test_records_begin_at_the_time_of_their_story() -> None:
    assert comments(1)["first_ms"] == START_MS
