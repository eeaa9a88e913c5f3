import numpy as np
import pytest
from building import events_of
from hypothesis import given, settings
from hypothesis import strategies as st

from models.undecided import EVENT, RecentIds, UndecidedEvents
from models.video_state import VideoTable


def sorted_events(events: np.ndarray, table: VideoTable) -> list[tuple[object, ...]]:
    named = [(table.keys[e["slot"]], *(e[n] for n in EVENT.names[1:])) for e in events]
    return sorted(named, key=repr)


@given(
    script=st.lists(
        st.tuples(
            st.sampled_from(["add", "add", "profile", "take", "cut", "crash"]), st.integers(0, 5)
        ),
        max_size=50,
    )
)
@settings(deadline=None)
def test_what_waits_survives_crashes_and_what_was_taken_does_not(
    script: list[tuple[str, int]],
) -> None:
    """After a crash, exactly what stood at the last cut waits: nothing twice, nothing decided."""
    table, store = VideoTable(), UndecidedEvents()
    changelog: dict[str, bytes] = {}
    plain: dict[int, int] = {}
    saved: dict[int, int] = {}
    for number, (action, bucket) in enumerate(script):
        match action:
            case "add":
                slots = table.slots([f"p\x1fv{number % 3}", f"p\x1fv{bucket}"])
                events = events_of({"slot": slots[0]}, {"slot": slots[1], "count": number + 1})
                store.add(np.array([bucket, bucket + 1]), events)
                plain[bucket] = plain.get(bucket, 0) + 1
                plain[bucket + 1] = plain.get(bucket + 1, 0) + 1
            case "profile":
                slot = int(table.slots([f"p\x1fv{bucket}"])[0])
                store.add_profile(bucket, slot, number, f'{{"title":"t{number}"}}')
                plain.setdefault(bucket, 0)
            case "take":
                first = store.first()
                assert first == min(plain, default=None)
                if first is not None:
                    events, _ = store.take(first)
                    assert len(events) == plain.pop(first)
            case "cut":
                for name, packed in store.take_dirty(table.keys):
                    if packed is None:
                        del changelog[name]
                    else:
                        assert name not in changelog, "parts are only appended"
                        changelog[name] = packed
                saved = dict(plain)
            case _:
                table, store = VideoTable(), UndecidedEvents()
                for name in sorted(changelog):
                    store.load(name, changelog[name], table.slots)
                plain = dict(saved)
        assert len(store) == sum(plain.values())


def test_events_and_profiles_come_back_with_their_videos_in_other_slots() -> None:
    table, store = VideoTable(), UndecidedEvents()
    slots = table.slots(["p\x1fa", "q\x1f逃", "p\x1fc"])
    store.add(
        np.array([7, 8, 7]),
        events_of(
            {"slot": slots[1], "time_ms": 5, "actor": 2**63, "action": "like", "role": 3},
            {"slot": slots[0], "count": -4},
            {"slot": slots[2], "time_ms": 6},
        ),
    )
    store.add_profile(7, int(slots[1]), 5, '{"title":"大英"}')
    rows = dict(store.take_dirty(table.keys))
    again, other = UndecidedEvents(), VideoTable()
    other.slots(["p\x1fc", "z\x1fz"])
    for name, packed in rows.items():
        assert packed is not None
        again.load(name, packed, other.slots)
    for bucket in (7, 8):
        (before, said), (after, said_again) = store.take(bucket), again.take(bucket)
        assert sorted_events(before, table) == sorted_events(after, other)
        assert [(table.keys[s], t, x) for s, t, x in said] == [
            (other.keys[s], t, x) for s, t, x in said_again
        ]


def test_profiles_are_taken_in_order_of_event_time() -> None:
    store = UndecidedEvents()
    for time_ms, text in ((9, "c"), (3, "b"), (3, "a")):
        store.add_profile(1, 0, time_ms, text)
    assert [text for _, _, text in store.take(1)[1]] == ["a", "b", "c"]
    assert len(store.take(1)[0]) == 0


# -- ids --------------------------------------------------------------------------------------


def ids(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.uint64)


def at(bucket: int, count: int = 1) -> np.ndarray:
    return np.full(count, bucket)


def test_an_id_counts_once_and_no_id_is_never_a_repeat() -> None:
    recent = RecentIds(12)
    assert recent.repeats(ids(5, 0, 5, 0, 6), at(1, 5), at(1, 5)).tolist() == [0, 0, 1, 0, 0]
    assert recent.repeats(ids(6, 7, 0), at(2, 3), at(2, 3)).tolist() == [1, 0, 0]
    assert len(recent) == 3


def test_ids_are_forgotten_after_the_window() -> None:
    recent = RecentIds(12)
    recent.repeats(ids(5), at(100), at(100))
    recent.forget(112)
    assert recent.repeats(ids(5), at(100), at(112)).all()
    recent.forget(113)
    assert len(recent) == 0
    assert not recent.repeats(ids(5), at(114), at(114)).any()


def test_the_window_does_not_depend_on_when_ids_are_forgotten() -> None:
    asked = [(5, 100, 100), (5, 112, 112), (5, 113, 113), (5, 100, 113), (5, 125, 126), (5, 1, 126)]
    answers = set()
    for forgetful in (False, True):
        recent = RecentIds(12)
        answer = []
        for number, bucket, reached in asked:
            answer.append(bool(recent.repeats(ids(number), at(bucket), at(reached))[0]))
            if forgetful:
                recent.forget(reached)
        answers.add(tuple(answer))
    assert answers == {(False, True, False, True, False, True)}


@given(
    script=st.lists(
        st.tuples(st.sampled_from(["see", "see", "forget", "cut", "crash"]), st.integers(0, 9)),
        max_size=50,
    )
)
@settings(deadline=None)
def test_ids_survive_crashes(script: list[tuple[str, int]]) -> None:
    """A crash goes back to the last cut; from there the same is a repeat as without one."""
    recent, closed = RecentIds(3), 0
    changelog: dict[str, bytes] = {}
    known: dict[int, int] = {}
    saved: tuple[dict[int, int], int] = ({}, 0)
    for action, number in script:
        match action:
            case "see":
                bucket = closed + 1 + number % 3
                repeat = bool(recent.repeats(ids(number + 1), at(bucket), at(bucket))[0])
                assert repeat == (known.get(number + 1, -9) >= bucket - 3)
                if not repeat:
                    known[number + 1] = bucket
            case "forget":
                closed += number
                recent.forget(closed)
                known = {i: b for i, b in known.items() if b >= closed - 3}
            case "cut":
                for name, packed in recent.take_dirty():
                    if packed is None:
                        del changelog[name]
                    else:
                        changelog[name] = packed
                saved = (dict(known), closed)
            case _:
                recent = RecentIds(3)
                for name in sorted(changelog):
                    recent.load(name, changelog[name])
                known, closed = dict(saved[0]), saved[1]
        assert len(recent) == len(known)


def test_a_damaged_part_does_not_pass() -> None:
    store, table = UndecidedEvents(), VideoTable()
    store.add(at(1), events_of({"slot": int(table.slots(["p\x1fa"])[0])}))
    packed = dict(store.take_dirty(table.keys))["1/0"]
    assert packed is not None
    with pytest.raises(ValueError, match="buffer size"):
        UndecidedEvents().load("1/0", packed[:-3], VideoTable().slots)
