"""Which rows wait, and what they say, against a plain loop over the events."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from building import batch_of
from hypothesis import given, settings
from hypothesis import strategies as st

from models.batches import Batch
from models.details import DETAIL, NO_NUMBER
from models.event_time import SourceClocks
from models.people_sample import SAMPLE_BELOW
from models.undecided import Undecided
from models.undecided_details import (
    DEEP,
    REGION_BYTES,
    region_name,
    region_words,
)
from models.vocabulary import ACTIONS

BUCKET_MS, LATENESS_MS, CLOSED = 1_000, 100, 1
VIDEOS = ["p\x1fa", "p\x1fb"]
REGIONS = ["江苏", "CN-JS"]
DEEP_ACTIONS = {"comment", "reply", "danmaku", "comment_like"} | {
    *("share", "repost", "derive", "media_report", "offline")
}
SAMPLED = int(SAMPLE_BELOW) - 1
PLACE = ("bucket", "slot", "time_ms", "last_ms", "count", "actor", "watches")
NUMBERS = ("age_days", "followers", "via", "comment", "parent", "watch_ms")

EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "video": st.integers(0, 1),
            "action": st.sampled_from([a.value for a in ACTIONS if a.value != "retract"]),
            "count": st.integers(-3, 5).filter(bool),
            "time_ms": st.integers(0, 6_000),
            "actor": st.sampled_from([0, 1, SAMPLED, SAMPLED + 1, 2**64 - 1]),
            "role": st.sampled_from([0, 0, 0, 3]),
        },
        optional={
            "detail": st.fixed_dictionaries(
                {
                    "region": st.sampled_from([0, 0, 1, 2]),
                    **{name: st.integers(0, 10**6) for name in NUMBERS},
                    "via": st.sampled_from([0, 0, 7]),
                    "watch_ms": st.sampled_from([NO_NUMBER, 0, 7_000, 2**40]),
                    "sentiment": st.one_of(st.just(np.nan), st.floats(-1, 1, width=32)),
                }
            ),
            "skip": st.booleans(),
        },
    ),
    max_size=40,
)


def batch_with_details(said: list[dict[str, Any]]) -> Batch:
    batch = batch_of(*said, videos=VIDEOS)
    details = np.zeros(sum("detail" in event for event in said), DETAIL)
    rows = [row for row, event in enumerate(said) if "detail" in event]
    for detail, row in zip(details, rows, strict=True):
        detail["row"] = row
        for name, value in said[row]["detail"].items():
            detail[name] = value
    return replace(batch, details=details, regions=REGIONS)


def merely_watches(event: dict[str, Any]) -> bool:
    told = event.get("detail", {"via": 0, "region": 0})
    led = told["via"] or told["region"]
    sampled = 0 < event["actor"] <= SAMPLED
    return event["action"] == "view" and event["count"] > 0 and not sampled and not led


@given(EVENTS, st.integers(1, 7))
@settings(deadline=None)
def test_deep_rows_wait_until_their_buckets_are_taken(
    said: list[dict[str, Any]], through: int
) -> None:
    clocks = SourceClocks(BUCKET_MS, LATENESS_MS)
    clocks.accept(0, 1, -2, -1)
    clocks.advance(0, CLOSED * BUCKET_MS + BUCKET_MS + LATENESS_MS, idle=False, ended=False)
    assert clocks.closed_bucket == CLOSED
    reached, expected = clocks.clocks[0].high_ms, []
    watched: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for event in said:
        detail, at_ms = event.get("detail"), event["time_ms"]
        reached = max(reached, at_ms)
        late = at_ms // BUCKET_MS <= CLOSED or at_ms < reached - LATENESS_MS
        sampled = 0 < event["actor"] <= SAMPLED
        acts = event["action"] not in ("publish", "impression", "delete", "restore")
        deep = detail or event["role"] or event["action"] in DEEP_ACTIONS or (sampled and acts)
        if not deep or late or event.get("skip"):
            continue
        nothing = {name: 0 if name in ("via", "comment", "parent") else -1 for name in NUMBERS}
        told = detail or {**nothing, "region": 0}
        place = (at_ms // BUCKET_MS, 1 - event["video"])
        if merely_watches(event):
            watched.setdefault(place, []).append((at_ms, told["watch_ms"]))
            continue
        region = ["", *REGIONS][told["region"]]
        watches = int(event["action"] == "view" and told["watch_ms"] >= 0)
        what = (at_ms, at_ms, event["count"], event["actor"], watches, region)
        expected.append((*place, *what, *[told[name] for name in NUMBERS]))
    for place, views in sorted(watched.items()):
        lengths = [watch_ms for _, watch_ms in views if watch_ms >= 0]
        numbers = {**dict.fromkeys(NUMBERS, 0), "age_days": -1, "followers": -1}
        numbers["watch_ms"] = sum(lengths)
        what = (min(views)[0], max(views)[0], 1, 0, len(lengths), "")
        expected.append((*place, *what, *numbers.values()))
    waiting = Undecided()
    waiting.details.rows = np.empty(1, DEEP)
    batch = batch_with_details(said)
    skip = np.array([event.get("skip", False) for event in said], np.bool_)
    waiting.add(batch, np.array([1, 0]), skip, clocks, 0)
    taken = []
    for upto in (through, 10):
        taken.append([tuple(row) for row in as_said(waiting.take_deep(upto))])
        waiting.drop(upto)
    first = [one for one in expected if one[0] <= through]
    for found, wanted in zip(taken, (first, [o for o in expected if o[0] > through]), strict=True):
        assert sorted(found, key=repr) == sorted(wanted, key=repr)
    assert waiting.details.count == 0


def as_said(rows: Any) -> list[list[Any]]:  # noqa: ANN401 - DEEP[n]
    out = []
    for row in rows:
        numbers = [int(row[name]) for name in NUMBERS]
        place = [int(row[name]) for name in PLACE]
        out.append([*place, region_name(*row["region"].tolist()), *numbers])
    return out


def test_rows_that_say_the_same_have_the_same_digest_and_others_do_not() -> None:
    clocks = SourceClocks(BUCKET_MS, LATENESS_MS)
    clocks.accept(0, 1, -1, 9)
    plain: dict[str, Any] = {"action": "comment", "time_ms": 5, "actor": 7}
    detail = {"region": 1, "sentiment": 0.5, **dict.fromkeys(NUMBERS, NO_NUMBER)} | {
        "via": 3,
        "comment": 4,
        "parent": 5,
    }
    others = [{**plain, "actor": 8}, {**plain, "count": 2}, {**plain, "role": 1}]
    others += [{**plain, "action": "share"}, {**plain, "detail": detail}]
    others += [
        {**plain, "detail": {**detail, name: 9}}
        for name in ("via", "comment", "parent", "age_days", "followers", "watch_ms")
    ]
    others += [{**plain, "detail": {**detail, "region": 2}}]
    said = [plain, plain, *others]
    waiting = Undecided()
    batch = batch_with_details(said)
    waiting.add(batch, np.arange(2), np.zeros(len(said), np.bool_), clocks, 0)
    digests = waiting.take_deep(10)["content"].tolist()
    assert digests[0] == digests[1]
    assert len(set(digests)) == len(others) + 1


@pytest.mark.parametrize(
    "name", ["", "江苏", "CN-JS", "x" * 40, "内蒙古自治区", "\N{GRINNING FACE}" * 5]
)
def test_a_name_of_a_region_comes_back_cut(name: str) -> None:
    found = region_name(*region_words(["other", name])[2].tolist())
    assert name.startswith(found)
    assert found == name or REGION_BYTES - 3 <= len(found.encode()) <= REGION_BYTES
