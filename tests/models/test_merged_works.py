"""Works under several names: what they come to together, and what is left when they are parted."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.name_shares import MOST_NAMES, WHOLE, shares_of
from models.parameters import HOUR_MS, MINUTE_MS, Parameters
from models.roll_up import RollUp
from models.transitions import ACTIVITY_HALF_LIFE_MS
from models.vocabulary import Signal, Stage
from models.works import Work

BUCKET_MS = 5 * MINUTE_MS
NOW = 5_644_512
NAMES = ("A ONE", "a one", "A-one")


def roll_up_of(videos: list[tuple[tuple[str, ...], int]], *names: str) -> RollUp:
    """Return topics whose figures are those of their videos: their topics, and views."""
    roll_up = RollUp(Parameters(bucket_ms=BUCKET_MS))
    works = {}
    for number, name in enumerate(names):
        work = works[name] = roll_up.works.add(f"topic:{name}", name)
        work.row["topical"] = work.row["emerging"] = True
        work.row["first_ms"], work.row["last_bucket"] = 100 + number, NOW
        work.platforms[f"p{number}"] = 100 + number
        links = roll_up.tracked.links
        links.work[links.number(work.work_id)] = work.slot
    for number, (topics, views) in enumerate(videos):
        video = roll_up.tracked.add(f"p\x1fv{number}")
        roll_up.tracked.describe(video, {"topics": list(topics)})
        roll_up.tracked.relink([video.video])
        roll_up.tracked.rows["views"][video.slot] = views
        roll_up.tracked.rows["last_bucket"][video.slot] = NOW
        for topic in topics:
            works[topic].row["views"] += views
            works[topic].row["progress"] += views
            works[topic].row["videos"] += 1
            works[topic].row["heat"] += views
    return roll_up


def one_of(roll_up: RollUp, name: str) -> Work:
    return roll_up.merged.of(roll_up.works.by_id[f"topic:{name}"])


VIDEOS = st.lists(
    st.tuples(
        st.sets(st.sampled_from(NAMES), min_size=1).map(lambda names: tuple(sorted(names))),
        st.integers(0, 10**12),
    ),
    min_size=1,
    max_size=30,
)


@given(videos=VIDEOS)
def test_several_names_together_have_what_their_different_videos_have(
    videos: list[tuple[tuple[str, ...], int]],
) -> None:
    roll_up = roll_up_of(videos, *NAMES)
    before = roll_up.works.rows.copy()
    roll_up.merges.look(NOW)
    views = sum(views for _, views in videos)
    for name in NAMES:
        one = one_of(roll_up, name)
        assert one.number("videos") == len(videos)
        assert one.number("views") == pytest.approx(views, rel=1e-12, abs=1)
        assert one.number("progress") == pytest.approx(views, rel=1e-12, abs=1)
        assert float(one.row["heat"]) == pytest.approx(views, rel=1e-12)
    assert np.array_equal(roll_up.works.rows, before), "each keeps its own"


@given(videos=VIDEOS)
def test_shares_are_of_whole_parts(videos: list[tuple[tuple[str, ...], int]]) -> None:
    roll_up = roll_up_of(videos, *NAMES)
    shares = shares_of([[f"topic:{name}" for name in NAMES]], roll_up.tracked)
    for name in NAMES:
        own = [(topics, views) for topics, views in videos if name in topics]
        if not own:
            assert f"topic:{name}" not in shares
            continue
        weighed = sum(Fraction(1, len(topics)) for topics, _ in own)
        assert shares[f"topic:{name}"].videos == float(weighed / len(own))
        if views := sum(views for _, views in own):
            weighed = sum(Fraction(views, len(topics)) for topics, views in own)
            assert shares[f"topic:{name}"].views == float(weighed / views)


def test_a_deleted_video_weighs_nothing_and_names_without_videos_are_whole() -> None:
    roll_up = roll_up_of([(NAMES[:2], 1_000), (NAMES[:1], 500)], *NAMES)
    roll_up.tracked.rows["deleted"][0] = True
    shares = shares_of([[f"topic:{name}" for name in NAMES]], roll_up.tracked)
    assert shares["topic:A ONE"].views == 1.0
    assert shares["topic:a one"].views == 0.5, "by videos, where no views are left"
    roll_up.merges.look(NOW)
    assert roll_up.merges.share_of("topic:A-one") is WHOLE
    assert len(NAMES) <= MOST_NAMES


def test_what_is_no_sum_is_the_first_the_last_or_the_furthest() -> None:
    roll_up = roll_up_of([(NAMES[:1], 400), (NAMES[1:2], 900)], *NAMES[:2])
    first, second = (roll_up.works.by_id[f"topic:{name}"] for name in NAMES[:2])
    first.row["last_bucket"] = NOW - ACTIVITY_HALF_LIFE_MS // BUCKET_MS
    first.row["last_ms"], second.row["last_ms"] = 7, 9
    first.row["episode_ms"], second.row["episode_ms"] = 3, 5
    first.row["progress_before_episode"] = 100
    first.row["acted"][Signal.DIFFUSION], second.row["acted"][Signal.DIFFUSION] = 3, 4
    first.row["role_ms"][1], second.row["role_ms"][2] = 11, 12
    first.row["lead_views"], second.row["lead_views"] = 400, 900
    first.row["lead"], second.row["lead"] = 0, 1
    first.row["peak_heat"] = second.row["peak_heat"] = 10_000
    for work, stage in ((first, Stage.JUDGMENT), (second, Stage.DIFFUSION)):
        work.enter(stage, "identification", "active", f"reason {stage}")
    roll_up.merges.look(NOW)
    one = roll_up.merged.of(first)
    assert (one.work_id, one.title) == (first.work_id, first.title)
    assert one.platforms == {"p0": 100, "p1": 101}
    assert [one.number(name) for name in ("first_ms", "last_ms", "episode_ms")] == [100, 9, 3]
    assert one.number("progress") - one.number("progress_before_episode") == 300 + 900
    assert one.row["acted"][Signal.DIFFUSION] == 7
    assert one.row["role_ms"][:3].tolist() == [0, 11, 12]
    assert float(one.row["heat"]) == pytest.approx(200 + 900), "at the same moment"
    assert one.stages == [Stage.JUDGMENT, Stage.DIFFUSION]
    assert (one.stage, one.reason) == ("diffusion", second.reason)
    assert roll_up.lead_of(one) == "p\x1fv1"
    rows = roll_up.merged.rows(np.array([first.slot, second.slot]))
    assert rows["views"].tolist() == [1_300, 1_300]


def test_the_episode_of_a_name_that_rests_is_over() -> None:
    roll_up = roll_up_of([(NAMES[:1], 400), (NAMES[1:2], 900)], *NAMES[:2])
    first = roll_up.works.by_id[f"topic:{NAMES[0]}"]
    roll_up.merges.look(NOW)
    first.fade()
    one = one_of(roll_up, NAMES[1])
    assert one.number("views") == 1_300
    assert one.number("progress") - one.number("progress_before_episode") == 900
    assert not one.row["resting"]


def test_names_that_are_parted_are_what_they_were() -> None:
    roll_up = roll_up_of([(NAMES[:2], 1_000), (NAMES[:1], 500)], *NAMES[:2])
    work = roll_up.works.by_id[f"topic:{NAMES[1]}"]
    assert roll_up.merges.look(NOW) == []
    assert one_of(roll_up, NAMES[1]).number("views") == 1_500
    stored = dict(roll_up.merges.rows())
    again = roll_up_of([(NAMES[:2], 1_000), (NAMES[:1], 500)], *NAMES[:2])
    for key, value in stored.items():
        again.merges.load(key, value)
    assert one_of(again, NAMES[1]).number("views") == 1_500, "after a restart, too"
    roll_up.works.rows["last_bucket"][work.slot] = NOW
    work.row["resting"] = True
    parted = roll_up.merges.look(NOW + HOUR_MS // BUCKET_MS)
    assert parted == sorted(f"topic:{name}" for name in NAMES[:2])
    assert one_of(roll_up, NAMES[1]) is work
    assert work.number("views") == 1_000
    assert roll_up.merges.share_of(work.work_id) is WHOLE
