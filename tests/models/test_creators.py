from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.creators import Creators, FollowerGain, follower_gain
from models.tracked_videos import TrackedVideos


@dataclass
class Video:
    video: str
    published_ms: int
    followers: tuple[int, ...]


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        ([], None),
        ([(10, (100, 100))], None),
        ([(10, (100, 150))], FollowerGain(100, 150)),
        ([(20, (400, 400)), (10, (100, 100))], FollowerGain(100, 400)),
        ([(20, (50, 50)), (10, (100, 100))], FollowerGain(100, 50)),
        # What was published before the work began tells nothing of what it brought.
        ([(20, (400, 400)), (4, (100, 100))], None),
        ([(30, (900, 900)), (20, (400, 400)), (4, (100, 100))], FollowerGain(400, 900)),
    ],
)
def test_the_gain_is_between_the_first_and_the_last_that_was_told(
    made: list[tuple[int, tuple[int, int]]], expected: FollowerGain | None
) -> None:
    videos = [Video(f"v{number}", *said) for number, said in enumerate(made)]
    assert follower_gain(videos, 5) == expected
    assert follower_gain(videos[::-1], 5) == expected


@given(moves=st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["", "a", "b"])), max_size=30))
def test_videos_are_found_under_the_creator_they_were_given_last(
    moves: list[tuple[int, str]],
) -> None:
    creators, owner = Creators(), dict.fromkeys(range(5), "")
    for slot, now in moves:
        creators.move(slot, owner[slot], now)
        owner[slot] = now
    for name in ("a", "b", "c", ""):
        wanted = {slot for slot, who in owner.items() if who == name} if name else set()
        assert creators.of(name) == wanted


def test_what_a_profile_says_is_kept_through_a_restart_and_forgotten_with_the_video() -> None:
    tracked = TrackedVideos()
    video = tracked.add("p\x1fv")
    said = {"creator_id": "c", "vertical": "戏剧", "mcn": "m", "labels": ["original"]}
    tracked.describe(video, said | {"creator_followers": 10})
    tracked.describe(video, {"creator_followers": 25})
    tracked.relink([video.video])
    (stored,) = tracked.take_words()
    other = TrackedVideos()
    assert stored[1] is not None
    other.load_words(stored[0], stored[1])
    other.recovered()
    again = other.get("p\x1fv")
    assert again == video
    assert again.followers == (10, 25)
    assert other.made_by("p\x1fc") == [again]
    other.remove(other.slots(["p\x1fv"]))
    assert other.made_by("p\x1fc") == []
