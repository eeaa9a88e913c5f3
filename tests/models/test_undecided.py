"""Sums of what is undecided against plain loops over the events."""

from collections import defaultdict
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from building import batch_of
from hypothesis import given, settings
from hypothesis import strategies as st

from models.event_time import SourceClocks
from models.tallies import SUMMED, unfold
from models.undecided import Undecided, assigned_bucket
from models.video_state import VideoTable
from models.vocabulary import ACTION_CODE, ACTIONS, NO_SIGNAL, SIGNAL_OF_ACTION

BUCKET_MS, LATENESS_MS = 1_000, 100
VIDEOS = ["p\x1fa", "q\x1fb", "p\x1fc"]
EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "video": st.integers(0, 2),
            "action": st.sampled_from([a.value for a in ACTIONS if a.value != "retract"]),
            "count": st.integers(-3, 5).filter(bool),
            "time_ms": st.integers(0, 6_000),
            "actor": st.integers(0, 4),
            "role": st.integers(0, 7),
        }
    ),
    min_size=1,
    max_size=40,
)


def clocks_at(high_ms: int) -> SourceClocks:
    clocks = SourceClocks(BUCKET_MS, LATENESS_MS)
    clocks.accept(0, 1, -2, -1)
    clocks.advance(0, high_ms, idle=False, ended=False)
    return clocks


def add(
    undecided: Undecided,
    table: VideoTable,
    said: list[dict[str, Any]],
    clocks: SourceClocks,
    at: int,
) -> tuple[int, int]:
    batch = batch_of(*said, videos=VIDEOS)
    skip = np.zeros(len(batch), np.bool_)
    return undecided.add(batch, table.slots(VIDEOS), skip, clocks, at)


def summed(undecided: Undecided) -> dict[tuple[int, int], dict[str, Any]]:
    """Return what each entry says, with its people as a set."""
    found = {}
    for entry in undecided.entries[: undecided.count]:
        people, at = set(), int(entry["person"])
        while at >= 0:
            person = undecided.people[at]
            people.add((int(person["signal"]), int(person["actor"])))
            at = int(person["next"])
        unfolded = np.zeros(1, SUMMED)
        unfold(entry, undecided.tallies, unfolded[0])
        said = {name: unfolded[0][name].tolist() for name in SUMMED.names or ()}
        for name in ("person", "bucket", "spare"):
            del said[name]
        found[int(entry["bucket"]), int(entry["slot"])] = {**said, "people": people}
    return found


def plainly(said: list[dict[str, Any]], high_ms: int, closed: int) -> dict[tuple[int, int], Any]:
    """Say the same with loops."""
    found: dict[tuple[int, int], Any] = {}
    removals: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for event in said:
        at_ms, code = event["time_ms"], ACTION_CODE[event["action"]]
        high_ms = max(high_ms, at_ms)
        bucket = at_ms // BUCKET_MS
        late = bucket <= closed or at_ms < high_ms - LATENESS_MS
        key = (max(bucket, closed + 1) if late else bucket, event["video"])
        entry = found.setdefault(
            key,
            {
                "first_ms": 2**63 - 1,
                "last_ms": -1,
                "publish_ms": 2**63 - 1,
                "removed_by": 0,
                "events": 0,
                "roles": 0,
                "counts": [0] * len(ACTIONS),
                "late": [0] * len(ACTIONS),
                "known": [0] * 4,
                "different": [0] * 4,
                "is_visit": 0,
                "people": set(),
            },
        )
        if late:
            entry["late"][code] += event["count"]
            continue
        entry["is_visit"] = 1
        entry["events"] += abs(event["count"])
        entry["counts"][code] += event["count"]
        entry["first_ms"] = min(entry["first_ms"], at_ms)
        entry["last_ms"] = max(entry["last_ms"], at_ms)
        signal = int(SIGNAL_OF_ACTION[code])
        if event["action"] == "publish":
            entry["publish_ms"] = min(entry["publish_ms"], at_ms)
        if event["action"] in ("delete", "restore"):
            removals[key].append((at_ms, code))
            entry["removed_by"] = max(removals[key])[1]
        if signal == NO_SIGNAL:
            continue
        entry["roles"] |= 1 << event["role"]
        if event["actor"] and event["count"] > 0:
            entry["known"][signal] += event["count"]
            entry["people"].add((signal, event["actor"]))
            entry["different"][signal] = sum(s == signal for s, _ in entry["people"])
    return found


@given(said=EVENTS, high_ms=st.integers(0, 4_000), cuts=st.lists(st.integers(0, 40), max_size=3))
@settings(deadline=None)
def test_sums_are_those_of_the_events_however_they_were_chunked(
    said: list[dict[str, Any]], high_ms: int, cuts: list[int]
) -> None:
    closed = clocks_at(high_ms).closed_bucket
    bounds = sorted({0, len(said), *(cut for cut in cuts if cut < len(said))})
    undecided, table, clocks = Undecided(), VideoTable(), clocks_at(high_ms)
    for offset, (low, high) in enumerate(pairwise(bounds)):
        part = said[low:high]
        add(undecided, table, part, clocks, offset)
        # The source has come further, but no bucket is closed meanwhile.
        clocks.clocks[0].high_ms = max(clocks.clocks[0].high_ms, *(e["time_ms"] for e in part))
    assert summed(undecided) == plainly(said, high_ms, -1 if closed is None else closed)


@given(said=st.lists(EVENTS, min_size=1, max_size=4), through=st.integers(-1, 7))
@settings(deadline=None)
def test_what_is_decided_goes_and_the_rest_stays_as_it_was(
    said: list[list[dict[str, Any]]], through: int
) -> None:
    undecided, table = Undecided(), VideoTable()
    for offset, part in enumerate(said):
        add(undecided, table, part, clocks_at(0), offset)
    before = summed(undecided)
    order = undecided.order(through)
    named = [
        (int(undecided.entries["bucket"][i]), int(undecided.entries["slot"][i])) for i in order
    ]
    assert named == sorted(key for key in before if key[0] <= through)
    undecided.drop(through)
    assert summed(undecided) == {k: v for k, v in before.items() if k[0] > through}
    assert undecided.first() == min((b for b, _ in before if b > through), default=None)
    # What comes now finds the entries that are there.
    add(undecided, table, said[0], clocks_at(0), 9)
    assert len(summed(undecided)) == undecided.count


def test_the_first_offset_is_that_of_the_first_message_with_a_part() -> None:
    undecided, table = Undecided(), VideoTable()
    assert undecided.first_offset() is None
    for offset, time_ms in ((5, 2_500), (6, 1_500), (7, 2_600), (8, 1_600)):
        said = [{"action": "view", "time_ms": time_ms}]
        add(undecided, table, said, patient_clocks(), offset)
    assert undecided.first_offset() == 5
    undecided.drop(1)
    assert undecided.first_offset() == 5
    undecided.drop(2)
    assert undecided.first_offset() is None


def patient_clocks() -> SourceClocks:
    clocks = SourceClocks(BUCKET_MS, 10_000)
    clocks.accept(0, 1, -2, -1)
    return clocks


def test_what_is_skipped_leaves_no_trace() -> None:
    undecided, table = Undecided(), VideoTable()
    batch = batch_of({"action": "view"}, {"action": "like", "video": 1}, videos=VIDEOS)
    slots, skip = table.slots(VIDEOS), np.array([True, False])
    assert undecided.add(batch, slots, skip, clocks_at(0), 0) == (1, 0)
    assert [slot for _, slot in summed(undecided)] == [1]
    assert undecided.slots().tolist() == [1]


@given(said=EVENTS, high_ms=st.integers(0, 4_000))
@settings(deadline=None)
def test_the_assigned_bucket_is_the_one_that_an_event_is_summed_in(
    said: list[dict[str, Any]], high_ms: int
) -> None:
    undecided, table, clocks = Undecided(), VideoTable(), clocks_at(high_ms)
    assigned = assigned_bucket(batch_of(*said, videos=VIDEOS), clocks)
    add(undecided, table, said, clocks, 0)
    wanted = {(int(b), e["video"]) for b, e in zip(assigned, said, strict=True)}
    assert summed(undecided).keys() == wanted


@pytest.mark.parametrize("is_held", [False, True])
def test_what_a_rush_of_new_videos_took_is_given_back(*, is_held: bool) -> None:
    """Two thirds of many entries are dropped: what stays is all there, with its people.

    So it is when somebody else, such as a profiler, still holds the entries.
    """
    videos = [f"p\x1f{number}" for number in range(60_000)]
    said = [
        {
            "video": number,
            "action": "like",
            "count": 1 + number % 5,
            "time_ms": 1_000 * (number % 3) + number % 900,
            "actor": number + 1,
            "role": 0,
        }
        for number in range(len(videos))
    ]
    undecided, table = Undecided(), VideoTable()
    # No event is late: the source has reached nothing yet.
    batch = batch_of(*sorted(said, key=lambda one: one["time_ms"]), videos=videos)
    slots = table.slots(videos)
    undecided.add(batch, slots, np.zeros(len(batch), np.bool_), clocks_at(-1), 0)
    everything = summed(undecided)
    assert len(everything) == len(videos)
    had = len(undecided.entries)
    held = undecided.entries if is_held else None
    undecided.drop(1)
    assert held is None or len(held) == had
    assert summed(undecided) == {key: one for key, one in everything.items() if key[0] == 2}
    assert undecided.count == len(videos) // 3
    assert len(undecided.entries) < had // 2
    # Each is found again: an event more goes into the same entry.
    undecided.add(batch, slots, batch.time_ms < 2_000, clocks_at(-1), 1)
    assert undecided.count == len(videos) // 3
