from typing import Any

import pytest

from models import work_voices as work_voices_module
from models.feelings import Feelings
from models.highlights import HIGHLIGHTS_TOLD
from models.parameters import HOUR_MS
from models.work_voices import WorkVoices

BUCKET_MS = 60_000
HOUR = HOUR_MS // BUCKET_MS
TEXT = "应该让文物回到它的家乡，因为那里才有懂它的人"


def said_of(polarity: float = 0.5, **phrases: int) -> dict[str, Any]:
    feelings = Feelings()
    for _ in range(32):
        feelings.add(polarity, 2.0)
    return {"offered": 64, "feelings": feelings.to_list(), "phrases": phrases, "people": 32}


def candidate(number: int, likes: int) -> list[Any]:
    return [number, f"c{number}", f"{TEXT}{number}", 0, 0.5, True, likes, 0]


def saved(voices: WorkVoices) -> dict[bytes, bytes]:
    return {key: value for key, value in voices.rows() if value is not None}


def test_the_feelings_of_a_works_videos_add_up() -> None:
    voices = WorkVoices(BUCKET_MS)
    voices.take("p\x1fa", ["w"], said_of(0.5), 1)
    voices.take("p\x1fb", ["w"], said_of(-0.5), 2)
    felt = voices.resonance("w")["resonance"]
    assert felt["polarity"] == 0.0
    assert felt["share_negative"] == 0.5
    assert felt["comments"] == 128
    assert felt["judged"] == 64.0


def test_nothing_is_said_of_a_silent_work() -> None:
    voices = WorkVoices(BUCKET_MS)
    assert voices.resonance("w") == {}
    assert voices.best_comments("w") == []


def test_a_symbol_is_told_while_it_rises() -> None:
    voices = WorkVoices(BUCKET_MS)
    for bucket in range(20):
        voices.take("p\x1fa", ["w"], said_of(好看=10), bucket)
        voices.take("p\x1fb", ["other"], said_of(好看=10), bucket)
    voices.take("p\x1fa", ["w"], said_of(好看=10, 小玉壶=9), HOUR)
    assert [one["phrase"] for one in voices.resonance("w")["symbols"]] == ["小玉壶"]
    assert "symbols" not in voices.resonance("other")


@pytest.mark.parametrize(
    ("polarity", "elsewhere", "hours", "is_told"),
    [
        (0.5, 0.1, 1, True),
        (0.5, 0.1, 2, True),
        (0.5, 0.1, 3, False),  # what emerged long ago
        (0.5, 0.6, 1, False),  # people feel as much for everything
        (-0.5, -0.9, 1, False),  # less badly than elsewhere is not well
    ],
)
def test_symbols_are_told_while_people_feel_more_for_a_work_than_for_others(
    polarity: float, elsewhere: float, hours: int, *, is_told: bool
) -> None:
    voices = WorkVoices(BUCKET_MS)
    for bucket in range(20):
        voices.take("p\x1fa", ["w"], said_of(polarity, 好看=10), bucket)
        voices.take("p\x1fb", [f"other{bucket % 3}"], said_of(elsewhere, 好看=10), bucket)
    voices.take("p\x1fa", ["w"], said_of(polarity, 好看=10, 小玉壶=9), HOUR)
    told = voices.felt_symbols("w", hours * HOUR_MS)
    assert bool(told) == is_told
    if is_told:
        assert [one["phrase"] for one in told["symbols"]] == ["小玉壶"]
        figures = told["figures"]
        assert 0.1 < figures["polarity_elsewhere_at_most"] < figures["polarity_at_least"] < 0.5
    assert not voices.felt_symbols("other0", hours * HOUR_MS)
    assert not voices.felt_symbols("nobody", hours * HOUR_MS)


def test_where_nothing_else_is_heard_nothing_is_felt_more() -> None:
    voices = WorkVoices(BUCKET_MS)
    voices.take("p\x1fa", ["w"], said_of(0.9, 小玉壶=9), 0)
    assert not voices.felt_symbols("w", 0)


def test_the_best_comments_of_all_videos_are_told_as_they_were_last_told() -> None:
    voices = WorkVoices(BUCKET_MS)
    for number in range(5):
        highlights = {"highlights": [candidate(number, 2**number)]}
        voices.take(f"p\x1f{number}", ["w"], highlights, number)
    voices.take("p\x1f4", ["w"], {"highlights": []}, 9)
    best = voices.best_comments("w")
    assert [one["comment_id"] for one in best] == ["c3", "c2", "c1"][:HIGHLIGHTS_TOLD]
    assert best[0]["video_id"] == "3"
    assert best[0]["likes"] == 8
    assert best[0]["text"] == f"{TEXT}3"


def test_few_videos_of_a_work_are_kept_for_their_comments() -> None:
    voices = WorkVoices(BUCKET_MS)
    for number in range(20):
        voices.take(f"p\x1f{number}", ["w"], {"highlights": [candidate(number, number + 1)]}, 0)
    kept = b"".join(saved(voices).values()).count(TEXT.encode())
    assert kept == work_voices_module.VIDEOS_HIGHLIGHTED_MAX
    assert voices.best_comments("w")[0]["comment_id"] == "c19"


def test_it_is_the_same_after_a_restart() -> None:
    voices, again = WorkVoices(BUCKET_MS), WorkVoices(BUCKET_MS)
    for bucket in range(3):
        voices.take(
            "p\x1fa", ["w", "x"], said_of(好看=10) | {"highlights": [candidate(1, 3)]}, bucket
        )
    voices.take("p\x1fb", ["x"], said_of(小玉壶=9), HOUR)
    stored = saved(voices)
    for key, value in stored.items():
        again.load(key, value)
    for work_id in ("w", "x"):
        assert again.resonance(work_id) == voices.resonance(work_id)
        assert again.best_comments(work_id) == voices.best_comments(work_id)
    again.take("p\x1fa", ["w", "x"], {}, HOUR)
    voices.take("p\x1fa", ["w", "x"], {}, HOUR)
    assert saved(again) == saved(voices)


def test_works_that_are_gone_are_forgotten() -> None:
    voices = WorkVoices(BUCKET_MS)
    voices.take("p\x1fa", ["w", "x"], said_of(), 1)
    saved(voices)
    voices.forget_all_but({"x"})
    assert [key for key, value in voices.rows() if value is None] == [b"voices/w/w"]
    assert voices.resonance("w") == {}


def test_the_silent_give_way_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work_voices_module, "WORKS_HEARD_MAX", 4)
    voices = WorkVoices(BUCKET_MS)
    for number in range(6):
        voices.take("p\x1fa", [f"w{number}"], said_of(), number)
    assert [bool(voices.resonance(f"w{n}")) for n in range(6)] == [False, False, *[True] * 4]
