import json
from typing import Any

import pytest
from building import BUCKET_MS, START_BUCKET, report_of
from hypothesis import given, settings
from hypothesis import strategies as st

import models.roll_up
from models.parameters import HOUR_MS, Parameters
from models.roll_up import DEEPEST_DERIVATION, RollUp, TrackedVideo

VIEWS = 10


def add(
    roll_up: RollUp, video: str, *, worth: bool = False, views: int = VIEWS, **profile: object
) -> TrackedVideo | None:
    text = json.dumps(profile) if profile else None
    numbers = {"views": views, "progress": views, "total_views": views, "total_progress": 3 * views}
    report = report_of({"video": f"p\x1f{video}", "profile": text, **numbers})
    return roll_up.add(f"p\x1f{video}", report, 0, worth=worth)


def works_of(roll_up: RollUp, tracked: TrackedVideo | None) -> list[str]:
    assert tracked is not None
    return [work.work_id for work in roll_up.works_of(tracked)]


def test_a_video_counts_for_each_of_its_topics() -> None:
    roll_up = RollUp(BUCKET_MS)
    tracked = add(roll_up, "a", topics=["x", "y"])
    add(roll_up, "b", topics=["y"])
    assert works_of(roll_up, tracked) == ["topic:x", "topic:y"]
    grown = roll_up.grow(START_BUCKET)
    assert [(w.work_id, w.views, w.videos) for w in grown] == [
        ("topic:x", VIEWS, 1),
        ("topic:y", 2 * VIEWS, 2),
    ]
    assert roll_up.grow(START_BUCKET + 1) == []


def test_a_video_of_no_work_is_kept_only_when_it_is_worth_it() -> None:
    roll_up = RollUp(BUCKET_MS)
    assert add(roll_up, "a") is None
    assert not roll_up.tracked
    tracked = add(roll_up, "a", worth=True)
    assert works_of(roll_up, tracked) == ["video:p/a"]
    (work,) = roll_up.grow(START_BUCKET)
    # What it had before it became a work counts, and nothing twice.
    assert (work.views, work.progress) == (VIEWS, 3 * VIEWS)


@pytest.mark.parametrize("length", [1, 2, DEEPEST_DERIVATION])
def test_derivatives_of_derivatives_count_for_the_first_works_topic(length: int) -> None:
    roll_up = RollUp(BUCKET_MS)
    add(roll_up, "v0", topics=["t"])
    for number in range(1, length + 1):
        tracked = add(roll_up, f"v{number}", source=f"p\x1fv{number - 1}")
        assert works_of(roll_up, tracked) == ["topic:t"]
    assert roll_up.works["topic:t"].videos == length + 1


def test_longer_chains_and_rings_are_cut() -> None:
    roll_up = RollUp(BUCKET_MS)
    add(roll_up, "v0", topics=["t"])
    for number in range(1, DEEPEST_DERIVATION + 3):
        tracked = add(roll_up, f"v{number}", source=f"p\x1fv{number - 1}")
    assert works_of(roll_up, tracked) != ["topic:t"]
    for name, source in (("a", "b"), ("b", "c"), ("c", "a"), ("self", "self")):
        tracked = add(roll_up, name, source=f"p\x1f{source}")
        assert len(works_of(roll_up, tracked)) == 1


def test_a_derivative_with_topics_of_its_own_counts_for_those() -> None:
    roll_up = RollUp(BUCKET_MS)
    add(roll_up, "v0", topics=["t"])
    assert works_of(roll_up, add(roll_up, "d", source="p\x1fv0", topics=["own"])) == ["topic:own"]


def test_a_source_that_is_unknown_at_first_names_the_work_until_it_is_known() -> None:
    roll_up = RollUp(BUCKET_MS)
    assert works_of(roll_up, add(roll_up, "d1", source="q\x1forigin")) == ["video:q/origin"]
    assert works_of(roll_up, add(roll_up, "d2", source="q\x1forigin")) == ["video:q/origin"]
    assert roll_up.works["video:q/origin"].videos == 2
    report = report_of({"video": "q\x1forigin", "profile": '{"topics":["t"]}', "views": 1})
    roll_up.add("q\x1forigin", report, 0, worth=False)
    assert works_of(roll_up, add(roll_up, "d1", source="q\x1forigin")) == ["topic:t"]
    assert roll_up.works["topic:t"].platforms == ["q", "p"]


def test_the_lead_is_the_most_viewed_video() -> None:
    roll_up = RollUp(BUCKET_MS)
    for video, views in (("a", 50), ("b", 90), ("c", 20)):
        add(roll_up, video, views=views, topics=["t"])
    assert roll_up.works["topic:t"].lead == "p\x1fb"
    add(roll_up, "c", views=91, topics=["t"])
    assert roll_up.works["topic:t"].lead == "p\x1fc"


def test_topics_beyond_the_limit_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.roll_up, "MOST_WORKS", 2)
    roll_up = RollUp(BUCKET_MS)
    tracked = add(roll_up, "a", topics=["x", "y", "z"])
    assert works_of(roll_up, tracked) == ["topic:x", "topic:y"]
    add(roll_up, "b", topics=["z"])
    assert len(roll_up.works) == 2
    assert len(roll_up.grow(START_BUCKET)) == 2


def test_silent_works_and_videos_expire_and_make_room() -> None:
    parameters = Parameters(expire_after_ms=24 * HOUR_MS)
    epoch = START_BUCKET * BUCKET_MS // parameters.epoch_ms
    roll_up = RollUp(BUCKET_MS)
    add(roll_up, "a", topics=["x"])
    for work in roll_up.grow(START_BUCKET):
        roll_up.touch(work, START_BUCKET, open_episode=True)
    rows = dict(roll_up.take_dirty())
    roll_up.expire(epoch + 3, parameters)
    assert roll_up.works
    roll_up.expire(epoch + 4, parameters)
    assert not roll_up.works
    assert not roll_up.tracked
    gone = dict(roll_up.take_dirty())
    assert gone.keys() == rows.keys()
    assert set(gone.values()) == {None}
    assert not list(roll_up.due(START_BUCKET + 10_000))


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 4), st.sampled_from([0, 1, 2]), st.integers(1, 400)),
        min_size=1,
        max_size=12,
    )
)
@settings(deadline=None)
def test_the_changelog_gives_works_videos_and_what_is_due_back(
    steps: list[tuple[int, int, int]],
) -> None:
    roll_up, rows, bucket = RollUp(BUCKET_MS), dict[bytes, bytes | None](), START_BUCKET
    for video, topic, later in steps:
        bucket += later
        profile: dict[str, Any] = {"topics": [f"t{topic}"]} if topic else {}
        add(roll_up, f"v{video}", worth=video > 2, views=video * 50, **profile)
        for work in roll_up.grow(bucket):
            roll_up.touch(work, bucket, open_episode=topic == 1)
        rows.update(roll_up.take_dirty())
    again = RollUp(BUCKET_MS)
    for key, value in sorted(rows.items()):
        if value is not None:
            again.load(key, value)
    assert again.works == roll_up.works
    assert again.tracked == roll_up.tracked
    far = bucket + 5_000
    ended = [[(w.work_id, at) for w, at in r.due(far)] for r in (roll_up, again)]
    assert ended[0] == ended[1]
    assert [at for _, at in ended[0]] == sorted(at for _, at in ended[0])


def test_a_key_of_no_known_kind_is_told() -> None:
    with pytest.raises(ValueError, match="unknown key"):
        RollUp(BUCKET_MS).load(b"x/1", b"{}")
