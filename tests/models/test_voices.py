import random
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from splitmix import mixed

from models import voices as voices_module
from models.comment_sample import (
    NO_SENTIMENT,
    SAMPLE_SIZE,
    CommentSample,
    Reception,
    SampledComment,
)
from models.feelings import Feelings
from models.highlights import HIGHLIGHTS_TOLD
from models.parameters import Parameters
from models.transitions import VISIT_MS
from models.video_state import VideoTable
from models.voices import FollowedVoices, Voices

if TYPE_CHECKING:
    from models.undecided_comments import WaitingOf

VIDEOS = [f"p\x1f{name}" for name in "abc"]
TEXTS = ["应该让文物回到它的家乡，因为那里才有懂它的人", "太感动了，看哭了", "无聊", "小玉壶回家"]
BUCKET_MS = 60_000
PER_VISIT = VISIT_MS // BUCKET_MS


def comment(number: int, text: str = "", **said: float) -> SampledComment:
    sentiment = said.get("sentiment", NO_SENTIMENT)
    text = text or TEXTS[number % len(TEXTS)] + str(number // len(TEXTS))
    return SampledComment(
        mixed(number), number, number, number, 0, -1, sentiment, f"c{number}", text
    )


def sample_of(*comments: SampledComment) -> CommentSample:
    return CommentSample(len(comments), comments)


def liked(number: int, likes: int = 1, gone: int = 0) -> Reception:
    return Reception([(mixed(number), likes, 0, gone)])


def test_a_visit_tells_feelings_phrases_and_highlights() -> None:
    voices = Voices(0)
    voices.add(sample_of(*map(comment, range(20))), liked(0, 8))
    said = voices.close()
    assert said is not None
    feelings = Feelings(*said["feelings"])
    assert feelings.comments == said["offered"] == said["people"] == 20
    assert 0 < feelings.figures()["polarity"] < 1
    assert said["phrases"]["小玉壶回家"] == 5
    ((_, comment_id, text, *_, likes, replies),) = said["highlights"]
    assert (comment_id, text, likes, replies) == ("c0", TEXTS[0] + "0", 8, 0)


def test_what_the_platform_says_of_a_comment_wins() -> None:
    voices = Voices(0)
    voices.add(sample_of(comment(1, "太感动了", sentiment=-0.8)), Reception())
    said = voices.close()
    assert said is not None
    assert Feelings(*said["feelings"]).figures()["polarity"] == -0.8


def test_each_sampled_comment_stands_for_as_many_as_there_were() -> None:
    voices = Voices(0)
    voices.add(CommentSample(1_000, map(comment, range(SAMPLE_SIZE))), Reception())
    said = voices.close()
    assert said is not None
    assert Feelings(*said["feelings"]).figures()["comments"] == 1_000


def test_a_comment_of_an_earlier_visit_is_highlighted_once_others_like_it() -> None:
    voices = Voices(0)
    voices.add(sample_of(comment(0)), Reception())
    first = voices.close()
    assert first is not None
    assert "highlights" not in first
    voices.add(CommentSample(), liked(0, 5))
    assert voices.close() == {"highlights": voices.told}
    assert voices.told[0][-2:] == [5, 0]
    voices.add(CommentSample(), liked(9, 5))
    assert voices.close() is None


def test_a_comment_that_is_taken_back_is_no_longer_highlighted() -> None:
    voices = Voices(0)
    voices.add(sample_of(comment(0)), liked(0))
    voices.close()
    voices.add(CommentSample(), liked(0, 0, gone=1))
    assert voices.close() == {"highlights": []}


def test_no_text_is_kept_but_of_candidates() -> None:
    voices = Voices(0)
    voices.add(sample_of(*map(comment, range(32))), Reception())
    voices.close()
    stored = voices.to_bytes().decode()
    assert TEXTS[0] in stored
    assert all(text not in stored for text in TEXTS[2:])


def test_highlights_are_few() -> None:
    voices = Voices(0)
    for number in range(0, 80, 4):
        voices.add(sample_of(comment(number)), liked(number))
    said = voices.close()
    assert said is not None
    assert len(said["highlights"]) == HIGHLIGHTS_TOLD


spoken = st.dictionaries(
    st.tuples(st.integers(0, 12), st.integers(0, 2)),
    st.lists(st.integers(0, 40), max_size=6),
    max_size=20,
)


def visit(bucket: int) -> int:
    return voices_module.visit_of(VIDEOS[0], bucket, PER_VISIT)


def told_of(
    said: dict[tuple[int, int], list[int]], cuts: list[int], restarts: random.Random | None = None
) -> list[tuple[int, int, object]]:
    """Decide buckets in parts that end with `cuts`; perhaps load what was saved in between."""
    parameters = Parameters(bucket_ms=BUCKET_MS)
    followed, videos = FollowedVoices(parameters), VideoTable()
    videos.slots(VIDEOS)
    stored: dict[str, bytes] = {}
    told = []
    ends = sorted({*cuts, 30})
    for first, end in zip([-1, *ends], ends, strict=False):
        places = [(b, s) for b in range(first + 1, end + 1) for s in range(len(VIDEOS))]
        bucket, slot = np.array(places, np.int64).reshape(-1, 2).T
        waiting: WaitingOf = {
            where: (sample_of(*map(comment, numbers)), liked(min(numbers, default=0)))
            for where, numbers in said.items()
            if first < where[0] <= end
        }
        for row, what in followed.decide(videos, (bucket, slot), waiting):
            told.append((int(bucket[row]), int(slot[row]), what))
        if restarts is not None and restarts.random() < 0.5:
            for key, value in followed.take_dirty():
                if value is None:
                    stored.pop(key, None)
                else:
                    stored[key] = value
            followed = FollowedVoices(parameters)
            for key, value in stored.items():
                followed.load(key, value)
    return told


@given(spoken, st.lists(st.integers(0, 29), max_size=6), st.randoms())
@settings(deadline=None)
def test_what_is_told_depends_neither_on_parts_nor_on_restarts(
    said: dict[tuple[int, int], list[int]], cuts: list[int], restarts: random.Random
) -> None:
    assert told_of(said, cuts) == told_of(said, [])
    assert told_of(said, cuts, restarts) == told_of(said, [])


def test_a_visit_is_told_with_the_first_row_after_it() -> None:
    begins = next(bucket for bucket in range(1, 9) if visit(bucket) != visit(bucket - 1))
    ends = begins + PER_VISIT
    told = told_of({(begins, 0): [1], (begins + 2, 0): [2], (ends + 1, 0): [3]}, [])
    assert [(bucket, slot) for bucket, slot, _ in told] == [(ends, 0), (ends + PER_VISIT, 0)]


def test_visits_are_as_long_as_they_should_be_and_do_not_all_begin_at_once() -> None:
    buckets = range(4 * PER_VISIT)
    begin: set[int] = set()
    for number in range(100):
        visits = [voices_module.visit_of(f"p\x1f{number}", each, PER_VISIT) for each in buckets]
        assert visits == sorted(visits)
        assert all(visits.count(one) == PER_VISIT for one in set(visits[PER_VISIT:-PER_VISIT]))
        begin.add(next(each for each in buckets if visits[each] != visits[0]))
    assert begin == set(range(1, PER_VISIT + 1))


def test_those_who_were_silent_longest_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voices_module, "VOICES_MAX", 1)
    followed, videos = FollowedVoices(Parameters(bucket_ms=BUCKET_MS)), VideoTable()
    videos.slots(VIDEOS)
    told = np.array([0, PER_VISIT]), np.array([1, 0])
    waiting: WaitingOf = {
        (0, 1): (sample_of(comment(1)), Reception()),
        (PER_VISIT, 0): (sample_of(comment(2)), Reception()),
    }
    followed.decide(videos, told, waiting)
    assert [key for key, value in followed.take_dirty() if value is not None] == [VIDEOS[0]]


def test_what_is_forgotten_is_deleted_from_the_changelog() -> None:
    followed, videos = FollowedVoices(Parameters(bucket_ms=BUCKET_MS)), VideoTable()
    videos.slots(VIDEOS)
    waiting: WaitingOf = {(0, 0): (sample_of(comment(1)), Reception())}
    followed.decide(videos, (np.array([0]), np.array([0])), waiting)
    followed.take_dirty()
    followed.forget(VIDEOS)
    assert followed.take_dirty() == [(VIDEOS[0], None)]
    assert len(followed) == 0
