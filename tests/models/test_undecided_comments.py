from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from building import batch_of
from splitmix import mixed

from models.batches import Batch
from models.comment_sample import NO_SENTIMENT
from models.details import DETAIL, NO_NUMBER
from models.event_time import SourceClocks
from models.undecided_comments import UndecidedComments

BUCKET_MS = 1_000


def said_in(*said: dict[str, Any]) -> Batch:
    """Return a batch of events with their details and texts."""
    batch = batch_of(*said, videos=["p\x1fa", "p\x1fb"])
    details = np.zeros(len(said), DETAIL)
    details["row"] = np.arange(len(said))
    details["age_days"], details["sentiment"] = NO_NUMBER, np.nan
    for detail, one in zip(details, said, strict=True):
        for name in ("comment", "parent", "age_days", "sentiment"):
            detail[name] = one.get(name, detail[name])
    known = [one.keys() & {"comment", "parent", "age_days", "sentiment"} for one in said]
    return replace(
        batch,
        details=details[[bool(names) for names in known]],
        comments=[
            (row, one.get("comment_id", ""), one["text"])
            for row, one in enumerate(said)
            if "text" in one
        ],
    )


def waiting_after(*batches: Batch, skip: tuple[int, ...] = ()) -> UndecidedComments:
    waiting = UndecidedComments()
    for batch in batches:
        clocks = SourceClocks(BUCKET_MS, allowed_lateness_ms=5_000)
        clocks.accept(0, 1, -1, len(batch))
        skipped = np.isin(np.arange(len(batch)), skip)
        waiting.add(batch, np.array([10, 11]), skipped, clocks)
    return waiting


def test_a_comment_waits_with_what_is_known_of_it() -> None:
    batch = said_in(
        {"action": "view"},
        {"action": "comment", "text": "好", "comment_id": "c", "comment": 5, "actor": 7, "role": 3}
        | {"time_ms": 1_500, "age_days": 9, "sentiment": 0.5},
    )
    ((where, (sample, _)),) = waiting_after(batch).take(1).items()
    assert where == (1, 10)
    assert list(sample) == [(mixed(5), 1_500, 7, 5, 3, 9, 0.5, "c", "好")]


def test_a_danmaku_needs_no_id_and_no_detail() -> None:
    batch = said_in({"action": "danmaku", "text": "哈哈", "video": 1})
    ((where, (sample, _)),) = waiting_after(batch).take(0).items()
    (only,) = sample
    assert where == (0, 11)
    assert (only.sentiment, only.age_days, only.comment_id) == (NO_SENTIMENT, NO_NUMBER, "")


def test_likes_and_replies_are_counted_for_their_comment() -> None:
    batch = said_in(
        {"action": "comment_like", "comment": 5, "count": 3},
        {"action": "comment_like", "comment": 5, "count": -1},
        {"action": "reply", "parent": 5},
        {"action": "comment", "comment": 6, "count": -1},
    )
    ((_, (sample, reception)),) = waiting_after(batch).take(0).items()
    assert sample.offered == 0
    assert reception.get(mixed(5)) == (2, 1, 0)
    assert reception.get(mixed(6)) == (0, 0, 1)


@pytest.mark.parametrize(
    "said",
    [
        {"action": "share", "text": "好"},
        {"action": "comment", "text": "好", "count": -1},
        {"action": "comment", "text": "好", "time_ms": 900},
        {"action": "comment_like", "comment": 5, "time_ms": 900},
    ],
)
def test_what_is_no_comment_was_taken_back_or_came_late_does_not_wait(said: dict[str, Any]) -> None:
    batch = said_in({"action": "view", "time_ms": 10_000}, said)
    assert len(waiting_after(batch)) == 0


def test_what_is_to_be_skipped_does_not_wait() -> None:
    batch = said_in({"action": "comment", "text": "好"}, {"action": "reply", "parent": 4})
    assert len(waiting_after(batch, skip=(0, 1))) == 0


def test_only_buckets_that_are_due_are_taken() -> None:
    batch = said_in(
        {"action": "comment", "text": "好", "time_ms": 500},
        {"action": "comment", "text": "好", "time_ms": 1_500},
    )
    waiting = waiting_after(batch)
    assert set(waiting.take(0)) == {(0, 10)}
    assert set(waiting.take(1)) == {(1, 10)}


def test_batches_add_up() -> None:
    batch = said_in({"action": "comment", "text": "好", "comment": 5, "comment_id": "c"})
    ((_, (sample, _)),) = waiting_after(batch, batch).take(0).items()
    assert sample.offered == 2
