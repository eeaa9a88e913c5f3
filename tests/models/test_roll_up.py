import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from told_reports import BUCKET_MS, START_BUCKET

import models.roll_up
from models.decided_rows import DecidedRows
from models.parameters import HOUR_MS, MINUTE_MS, Parameters
from models.roll_up import RollUp, VideoNews, WorkEnded, WorkNews
from models.stage_reports import REPORT
from models.tracked_videos import DEEPEST_DERIVATION, TrackedVideo
from models.vocabulary import ROLES, Stage
from models.works import NOT_DUE, Work

PARAMETERS = Parameters(bucket_ms=5 * MINUTE_MS)
VIEWS = 10


def told(*said: dict[str, Any], bucket: int = START_BUCKET) -> DecidedRows:
    """Return what was said of some videos, each in `bucket` or one of its own."""
    said = tuple(sorted(said, key=lambda one: (one.get("bucket", bucket), one["video"])))
    keys = sorted({one["video"] for one in said})
    rows = np.zeros(len(said), REPORT)
    rows["bucket"] = bucket
    for row, one in zip(rows, said, strict=True):
        for name, value in one.items():
            if name not in ("video", "profile", "happened"):
                row[name] = value
    return DecidedRows(
        keys,
        np.array([keys.index(one["video"]) for one in said], np.int64),
        rows,
        {i: one["profile"] for i, one in enumerate(said) if one.get("profile")},
        {i: [{}] for i, one in enumerate(said) if one.get("happened")},
        {},
        {},
        [],
    )


def take_in(roll_up: RollUp, decided: DecidedRows) -> list[TrackedVideo]:
    """Take in everything, and return the videos of which there is news."""
    came = roll_up.take_in(decided, 0, len(decided.rows))
    return [news.tracked for news in came if isinstance(news, VideoNews)]


def add(
    roll_up: RollUp, video: str, *, worth: bool = False, views: int = VIEWS, **profile: object
) -> TrackedVideo | None:
    numbers = {"views": views, "progress": views, "total_views": views, "total_progress": 3 * views}
    one = {"video": f"p\x1f{video}", "profile": profile, "stage": int(worth), **numbers}
    take_in(roll_up, told(one))
    return roll_up.tracked.get(f"p\x1f{video}")


def works_of(roll_up: RollUp, tracked: TrackedVideo | None) -> list[str]:
    assert tracked is not None
    return [work.work_id for work in roll_up.works_of(tracked)]


def grown(roll_up: RollUp) -> dict[str, Work]:
    works = [roll_up.works.by_slot[slot] for slot in roll_up.works.take_unforecast().tolist()]
    return {work.work_id: work for work in works if work is not None}


def test_a_video_counts_for_each_of_its_topics() -> None:
    roll_up = RollUp(PARAMETERS)
    tracked = add(roll_up, "a", topics=["x", "y"])
    add(roll_up, "b", topics=["y"])
    assert works_of(roll_up, tracked) == ["topic:x", "topic:y"]
    found = grown(roll_up)
    counts = {name: (w.number("views"), w.number("videos")) for name, w in found.items()}
    assert counts == {"topic:x": (VIEWS, 1), "topic:y": (2 * VIEWS, 2)}
    assert not grown(roll_up)


def test_a_video_of_no_work_is_kept_only_when_it_is_worth_it() -> None:
    roll_up = RollUp(PARAMETERS)
    assert add(roll_up, "a") is None
    assert add(roll_up, "a", title="no more than a title") is None
    tracked = add(roll_up, "a", worth=True)
    assert works_of(roll_up, tracked) == ["video:p/a"]
    (work,) = grown(roll_up).values()
    # What it had before it became a work counts, and nothing twice.
    assert (work.number("views"), work.number("progress")) == (VIEWS, 3 * VIEWS)


@pytest.mark.parametrize("length", [1, 2, DEEPEST_DERIVATION])
def test_derivatives_of_derivatives_count_for_the_first_works_topic(length: int) -> None:
    roll_up = RollUp(PARAMETERS)
    add(roll_up, "v0", topics=["t"])
    for number in range(1, length + 1):
        tracked = add(roll_up, f"v{number}", source=f"p\x1fv{number - 1}")
        assert works_of(roll_up, tracked) == ["topic:t"]
    assert roll_up.works.by_id["topic:t"].number("videos") == length + 1


def test_longer_chains_and_rings_are_cut() -> None:
    roll_up = RollUp(PARAMETERS)
    add(roll_up, "v0", topics=["t"])
    for number in range(1, DEEPEST_DERIVATION + 3):
        tracked = add(roll_up, f"v{number}", source=f"p\x1fv{number - 1}")
    assert works_of(roll_up, tracked) != ["topic:t"]
    for name, source in (("a", "b"), ("b", "c"), ("c", "a"), ("self", "self")):
        tracked = add(roll_up, name, source=f"p\x1f{source}")
        assert len(works_of(roll_up, tracked)) == 1


def test_a_derivative_with_topics_of_its_own_counts_for_those() -> None:
    roll_up = RollUp(PARAMETERS)
    add(roll_up, "v0", topics=["t"])
    assert works_of(roll_up, add(roll_up, "d", source="p\x1fv0", topics=["own"])) == ["topic:own"]


def test_a_source_that_is_unknown_at_first_names_the_work_until_it_is_known() -> None:
    roll_up = RollUp(PARAMETERS)
    assert works_of(roll_up, add(roll_up, "d1", source="q\x1forigin")) == ["video:q/origin"]
    assert works_of(roll_up, add(roll_up, "d2", source="q\x1forigin")) == ["video:q/origin"]
    assert roll_up.works.by_id["video:q/origin"].number("videos") == 2
    origin = {"video": "q\x1forigin", "profile": {"topics": ["t"]}, "views": 1}
    take_in(roll_up, told(origin))
    assert works_of(roll_up, add(roll_up, "d1")) == ["topic:t"]
    assert roll_up.works.by_id["topic:t"].platforms.keys() == {"q", "p"}


def test_the_lead_is_the_most_viewed_video() -> None:
    roll_up = RollUp(PARAMETERS)
    for video, views in (("a", 50), ("b", 90), ("c", 20)):
        add(roll_up, video, views=views, topics=["t"])
    work = roll_up.works.by_id["topic:t"]
    assert roll_up.lead_of(work) == "p\x1fb"
    add(roll_up, "c", views=91)
    assert roll_up.lead_of(work) == "p\x1fc"


def test_topics_beyond_the_limit_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.roll_up, "MOST_WORKS", 2)
    roll_up = RollUp(PARAMETERS)
    tracked = add(roll_up, "a", topics=["x", "y", "z"])
    assert works_of(roll_up, tracked) == ["topic:x", "topic:y"]
    waiting = add(roll_up, "b", topics=["z"])
    assert len(roll_up.works) == 2
    assert len(grown(roll_up)) == 2
    monkeypatch.setattr(models.roll_up, "MOST_WORKS", 3)
    add(roll_up, "b")
    assert works_of(roll_up, waiting) == ["topic:z"]
    assert roll_up.works.by_id["topic:z"].number("videos") == 1


def expiring(later_epochs: int) -> tuple[RollUp, RollUp]:
    """Return works with a silent lead, before and after so many epochs."""
    parameters = Parameters(bucket_ms=BUCKET_MS, expire_after_ms=24 * HOUR_MS)
    epoch = START_BUCKET * BUCKET_MS // parameters.epoch_ms
    roll_up = RollUp(parameters)
    add(roll_up, "a", topics=["x"])
    roll_up.works.by_id["topic:x"].row["emerging"] = True
    add(roll_up, "a")
    roll_up.expire(epoch + later_epochs)
    return roll_up, RollUp(parameters)


def test_silent_works_and_videos_expire_and_make_room() -> None:
    roll_up, _ = expiring(3)
    assert len(roll_up.works) == len(roll_up.tracked) == 1
    rows = dict(roll_up.take_dirty())
    assert None not in rows.values()
    roll_up, _ = expiring(4)
    assert not len(roll_up.works)
    assert not len(roll_up.tracked)
    assert not list(roll_up.due(START_BUCKET + 10_000))
    assert not roll_up.tracked.links.number_of
    gone = {key for key, value in roll_up.take_dirty() if value is None}
    assert gone == {b"w/topic:x", b"t/p\x1fa"}
    add(roll_up, "b", topics=["y"])
    assert roll_up.tracked.slot_of["p\x1fb"] == 0


def test_a_lead_that_is_forgotten_is_still_named() -> None:
    parameters = Parameters(bucket_ms=BUCKET_MS, expire_after_ms=24 * HOUR_MS)
    roll_up = RollUp(parameters)
    add(roll_up, "lead", topics=["x"], views=90)
    later = START_BUCKET + 4 * parameters.epoch_ms // BUCKET_MS
    take_in(roll_up, told({"video": "p\x1fb", "profile": {"topics": ["x"]}}, bucket=later))
    roll_up.expire(START_BUCKET * BUCKET_MS // parameters.epoch_ms + 4)
    assert list(roll_up.tracked.slot_of) == ["p\x1fb"]
    add(roll_up, "takes its slot", topics=["y"])
    assert roll_up.lead_of(roll_up.works.by_id["topic:x"]) == "p\x1flead"
    add(roll_up, "b", views=90)
    assert roll_up.lead_of(roll_up.works.by_id["topic:x"]) == "p\x1fb"


# -- a plain loop to hold it against ----------------------------------------------------------


@dataclass
class PlainVideo:
    video: str
    topics: list[str] = field(default_factory=list)
    source: str = ""
    views: int = 0
    counted: list[str] = field(default_factory=list)
    last_bucket: int = -1


@dataclass
class PlainWork:
    first_ms: int
    last_ms: int = 0
    views: int = 0
    progress: int = 0
    acted: list[int] = field(default_factory=lambda: [0] * 4)
    videos: int = 0
    platforms: dict[str, int] = field(default_factory=dict)
    roles: int = 0
    role_ms: list[int] = field(default_factory=lambda: [0] * len(ROLES))
    lead: str = ""
    lead_views: int = 0
    last_bucket: int = -1


class PlainRollUp:
    """Row by row, work by work, nothing remembered that can be looked up."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.works: dict[str, PlainWork] = {}
        self.tracked: dict[str, PlainVideo] = {}

    def work_ids(self, video: PlainVideo) -> list[str]:
        origin = video
        for _ in range(DEEPEST_DERIVATION):
            if origin.topics or origin.source not in self.tracked:
                break
            origin = self.tracked[origin.source]
        if origin.topics:
            return [f"topic:{topic}" for topic in origin.topics]
        return ["video:" + (origin.source or origin.video).replace("\x1f", "/")]

    def add(self, one: dict[str, Any], bucket: int) -> bool:
        profile = one.get("profile") or {}
        video = self.tracked.get(one["video"])
        worth = one["stage"] or one.get("happened") or one["probability"] >= 0.6
        if video is None:
            if not (worth or profile.get("topics") or profile.get("source")):
                return False
            video = self.tracked[one["video"]] = PlainVideo(one["video"])
        video.topics = profile.get("topics", video.topics)
        video.source = profile.get("source", video.source)
        video.views, video.last_bucket = one["total_views"], bucket
        for work_id in self.work_ids(video):
            self.count(work_id, video, one, bucket)
        return bool(one.get("happened") or one["probability"] >= 0.6)

    def count(self, work_id: str, video: PlainVideo, one: dict[str, Any], bucket: int) -> None:
        work = self.works.get(work_id)
        if work is None:
            if len(self.works) >= self.most:
                return
            work = self.works[work_id] = PlainWork(one["last_ms"] - one["age_ms"])
            if work_id.startswith("video:"):
                work.views = one["total_views"] - one["views"]
                work.progress = one["total_progress"] - one["progress"]
                both = zip(one["total_acted"], one["acted"], strict=True)
                work.acted = [total - now for total, now in both]
        platform, since_ms = video.video.partition("\x1f")[0], one["last_ms"] - one["age_ms"]
        if work_id not in video.counted or platform not in work.platforms:
            work.platforms[platform] = min(work.platforms.get(platform, since_ms), since_ms)
        if work_id not in video.counted:
            video.counted.append(work_id)
            work.videos += 1
        work.last_ms = max(work.last_ms, one["last_ms"])
        for role in range(len(ROLES)):
            if one["roles"] >> role & 1 and not work.roles >> role & 1:
                work.role_ms[role] = one["last_ms"]
        work.roles |= one["roles"]
        if video.views >= work.lead_views:
            work.lead, work.lead_views = video.video, video.views
        work.views += one["views"]
        work.progress += one["progress"]
        work.acted = [have + more for have, more in zip(work.acted, one["acted"], strict=True)]
        work.last_bucket = bucket

    def expire(self, before: int) -> None:
        self.tracked = {k: v for k, v in self.tracked.items() if v.last_bucket >= before}
        self.works = {k: w for k, w in self.works.items() if w.last_bucket >= before}


KEYS = [f"{platform}\x1fv{number}" for platform in "pq" for number in range(5)]
PROFILES = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "title": st.just("大英"),
        "topics": st.lists(st.sampled_from("xyz"), unique=True, max_size=3),
        "source": st.sampled_from(KEYS),
    },
)
ROW = st.fixed_dictionaries(
    {
        "profile": PROFILES,
        "happened": st.booleans(),
        "stage": st.sampled_from([0, 0, 1]),
        "probability": st.sampled_from([0.0, 0.59, 0.6, 1.0]),
        "views": st.integers(0, 50),
        "total_views": st.integers(50, 60),
        "progress": st.integers(0, 9),
        "total_progress": st.integers(9, 99),
        "acted": st.lists(st.integers(0, 9), min_size=4, max_size=4),
        "total_acted": st.lists(st.integers(9, 99), min_size=4, max_size=4),
        "roles": st.integers(0, 255),
        "age_ms": st.integers(0, 10**9),
        "last_ms": st.integers(10**12, 10**12 + 50),
    }
)
BUCKETS = st.lists(
    st.tuples(
        st.integers(1, 400),
        st.dictionaries(st.sampled_from(KEYS), ROW, max_size=8),
        st.booleans(),
    ),
    min_size=1,
    max_size=10,
)


@given(buckets=BUCKETS, most=st.sampled_from([3, 100]))
@settings(deadline=None, max_examples=200)
def test_works_are_those_of_a_plain_loop(
    buckets: list[tuple[int, dict[str, Any], bool]], most: int
) -> None:
    parameters = Parameters(bucket_ms=BUCKET_MS, expire_after_ms=24 * HOUR_MS)
    per_epoch = parameters.epoch_ms // BUCKET_MS
    roll_up, plain, at = RollUp(parameters), PlainRollUp(most), START_BUCKET
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models.roll_up, "MOST_WORKS", most)
        for later, said, restart in buckets:
            epoch, at = at // per_epoch, at + later
            for ended in range(epoch, at // per_epoch):
                plain.expire(((ended + 1) * parameters.epoch_ms - 24 * HOUR_MS) // BUCKET_MS)
                roll_up.expire(ended)
            rows = [{"video": key, **said[key]} for key in sorted(said)]
            looked = [row["video"] for row in rows if plain.add(row, at)]
            got = [tracked.video for tracked in take_in(roll_up, told(*rows, bucket=at))]
            assert got == looked
            if restart:
                roll_up = reloaded(roll_up, parameters)
            compare(roll_up, plain)


def reloaded(roll_up: RollUp, parameters: Parameters) -> RollUp:
    """Return what comes back of everything that was ever written."""
    for work in roll_up.works.by_id.values():
        roll_up.works.touch(work)
    for video in roll_up.tracked:
        roll_up.tracked.touch(video)
    again = RollUp(parameters)
    for key, value in roll_up.take_dirty():
        if value is not None:
            again.load(key, value)
    again.recovered()
    assert not list(again.take_dirty())
    return again


def compare(roll_up: RollUp, plain: PlainRollUp) -> None:
    assert roll_up.tracked.slot_of.keys() == plain.tracked.keys()
    for key, expected in plain.tracked.items():
        video = roll_up.tracked.get(key)
        assert video is not None
        row = roll_up.tracked.rows[video.slot]
        assert list(video.works) == plain.work_ids(expected)
        assert set(video.counted) == set(expected.counted)
        assert (row["views"], row["last_bucket"]) == (expected.views, expected.last_bucket)
    assert roll_up.works.by_id.keys() == plain.works.keys()
    for work_id, wanted in plain.works.items():
        work = roll_up.works.by_id[work_id]
        numbers = ("first_ms", "last_ms", "views", "progress", "videos", "roles", "lead_views")
        for name in (*numbers, "last_bucket"):
            assert work.number(name) == getattr(wanted, name), name
        assert work.row["acted"].tolist() == wanted.acted
        assert work.row["role_ms"].tolist() == wanted.role_ms
        assert (roll_up.lead_of(work), work.platforms) == (wanted.lead, wanted.platforms)


@given(buckets=BUCKETS)
@settings(deadline=None, max_examples=100)
def test_how_many_buckets_come_together_shows_in_nothing(
    buckets: list[tuple[int, dict[str, Any], bool]],
) -> None:
    said, at = list[dict[str, Any]](), START_BUCKET
    for later, videos, _ in buckets:
        at += later
        said += [{**videos[key], "video": key, "bucket": at} for key in videos]
    decided = told(*said)
    together, alone = RollUp(PARAMETERS), RollUp(PARAMETERS)
    news = [list[tuple[object, ...]](), list[tuple[object, ...]]()]
    for roll_up, buckets_at_once, heard in zip((together, alone), (10**9, 1), news, strict=True):
        for first, end in decided.runs(buckets_at_once):
            for came in roll_up.take_in(decided, first, end):
                heard.append(hearing(roll_up, came))
    assert news[0] == news[1]
    for one, other in ((together.tracked, alone.tracked), (together.works, alone.works)):
        assert one.rows.tobytes() == other.rows.tobytes()
    assert list(together.take_dirty()) == list(alone.take_dirty())


def hearing(roll_up: RollUp, news: WorkEnded | VideoNews | WorkNews) -> tuple[object, ...]:
    """Do what `hotspots` does on hearing something, in short; return what it was."""
    if isinstance(news, WorkEnded):
        news.work.fade()
        return (news.work.work_id, news.bucket)
    if isinstance(news, WorkNews):
        roll_up.works.rows["emerging"][news.slots] = True
        return tuple(sorted(news.slots.tolist()))
    roll_up.told_emerging(news.tracked, emerging=True)
    for work in roll_up.works_of(news.tracked):
        work.enter(Stage.JUDGMENT, "identification", "active", "because")
    return (news.row, news.tracked.video)


# -- what is due, and the changelog -----------------------------------------------------------


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 4), st.sampled_from([0, 1, 2]), st.integers(1, 400)),
        min_size=1,
        max_size=12,
    )
)
@settings(deadline=None)
def test_the_changelog_gives_back_what_is_due_in_the_order_in_which_it_is(
    steps: list[tuple[int, int, int]],
) -> None:
    roll_up, rows, bucket = RollUp(PARAMETERS), dict[bytes, bytes | None](), START_BUCKET
    for video, topic, later in steps:
        bucket += later
        profile: dict[str, Any] = {"topics": [f"t{topic}"]} if topic else {}
        one = {"video": f"p\x1fv{video}", "profile": profile, "happened": True}
        decided = told({**one, "views": video * 50 + later}, bucket=bucket)
        for news in roll_up.take_in(decided, 0, 1):
            if isinstance(news, WorkEnded):
                news.work.fade()
            elif isinstance(news, VideoNews):
                for work in roll_up.works_of(news.tracked):
                    work.row["emerging"] = topic == 1
        rows.update(roll_up.take_dirty())
    again = RollUp(PARAMETERS)
    for key, value in sorted(rows.items()):
        if value is not None:
            again.load(key, value)
    again.recovered()
    for one, other in ((roll_up.tracked, again.tracked), (roll_up.works, again.works)):
        count = len(one.by_slot)
        assert other.rows[:count].tobytes() == one.rows[:count].tobytes()
    opened = [w for w in roll_up.works.by_id.values() if w.number("emerging")]
    ends = {w.work_id: collapse(w) for w in opened}
    far = bucket + 5_000
    ended = [[(w.work_id, at) for w, at in r.due(far)] for r in (roll_up, again)]
    assert ended[0] == ended[1] == sorted(ends.items(), key=lambda end: (end[1], end[0]))
    assert not list(roll_up.due(far))


def collapse(work: Work) -> int:
    """Return the bucket after its last in which activity has collapsed, one by one."""
    bucket = work.number("last_bucket") + 1
    while not work.collapsed(bucket, BUCKET_MS):
        bucket += 1
        assert bucket < START_BUCKET + 20_000
    return bucket


def test_nothing_is_due_of_what_is_closed() -> None:
    roll_up = RollUp(PARAMETERS)
    add(roll_up, "a", topics=["t"])
    assert roll_up.works.next_due() == NOT_DUE
    assert not math.isnan(float(roll_up.works.rows["heat"][0]))


@pytest.mark.parametrize(
    ("key", "message"), [(b"x/1", "unknown key"), (b"wb/0", "version 09"), (b"tb/0", "version 09")]
)
def test_what_cannot_be_read_is_told(key: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RollUp(PARAMETERS).load(key, b"\x09{}")
