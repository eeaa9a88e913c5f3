import zlib

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.video_state import (
    MOST_TOPICS,
    NEVER,
    NOT_DUE,
    ROW,
    ROW_VERSION,
    STORED,
    UNWATCHED,
    WATCH,
    RowFormatError,
    VideoTable,
)
from models.vocabulary import ACTIONS


def rows_for(table: VideoTable, keys: list[str]) -> npt.NDArray[np.int64]:
    """Return the slots of videos, with rows: something is decided of them."""
    table.let_rows_change()
    slots = table.slots(keys)
    table.make_rows(int(slots.max()) + 1)
    return slots


def contents(table: VideoTable) -> dict[str, tuple[bytes, dict[str, object]]]:
    table.make_rows(len(table.keys))
    return {
        key: (
            table.rows[slot].tobytes()
            + table.totals.of(np.array([slot])).tobytes()
            + watch_of(table, slot),
            table.profiles.get(slot, {}),
        )
        for key, slot in table.slot_of.items()
    }


def watch_of(table: VideoTable, slot: int) -> bytes:
    watch = table.watch_of[slot]
    return b"" if watch == UNWATCHED else table.watches[watch].tobytes()


def begin_watch(table: VideoTable, slot: int, number: int) -> None:
    """Let a video be watched, as the decision of a bucket does."""
    if table.watch_of[slot] == UNWATCHED:
        if not table.free_watch_count:
            table.more_watches()
        table.free_watch_count -= 1
        table.watch_of[slot] = table.free_watches[table.free_watch_count]
    table.watches["own_per_hour"][table.watch_of[slot]] = number
    table.dirty[slot] = True


def restored(rows: dict[str, bytes]) -> VideoTable:
    table = VideoTable(2)
    for key, packed in rows.items():
        table.load(key, packed)
    return table


def restored_at_once(rows: dict[str, bytes]) -> VideoTable:
    """Restore into a table that knows something else of the same videos, in two lots."""
    table, half = VideoTable(2), len(rows) // 2
    for number, slot in enumerate(table.slots(list(rows)).tolist()):
        table.describe(slot, {"title": "forgotten"})
        begin_watch(table, slot, number)
    items = list(rows.items())
    table.load_all(dict(items[:half]))
    table.load_all(dict(items[half:]))
    return table


def cut(table: VideoTable, changelog: dict[str, bytes]) -> dict[str, bytes]:
    changed = changelog | dict(table.take_dirty())
    return {key: packed for key, packed in changed.items() if packed is not None}


@given(
    script=st.lists(
        st.tuples(
            st.sampled_from(["count", "describe", "remove", "anew", "cut", "see", "watch"]),
            st.lists(st.integers(0, 5), min_size=1, max_size=4, unique=True),
        ),
        max_size=40,
    )
)
@settings(deadline=None)
def test_the_changelog_gives_the_table_back(script: list[tuple[str, list[int]]]) -> None:
    """Whatever was done to it, the last record of each key is the table; slots may differ."""
    table, changelog = VideoTable(1), dict[str, bytes]()

    for number, (action, videos) in enumerate(script):
        keys = [f"p\x1fv{video}" for video in videos]
        known = np.array([table.slot_of[k] for k in keys if k in table.slot_of], np.int64)
        match action:
            case "count":
                slots = rows_for(table, keys)
                totals = table.totals.of(slots)
                totals[:, number % 3 : number % 3 + 2] += number
                table.totals.put(slots, totals)
                table.rows["last_bucket"][slots] = number
                table.dirty[slots] = True
            case "describe":
                slots = table.slots(keys)
                table.describe(int(slots[0]), {"title": f"逃{number}", "topics": [f"t{number}"]})
            case "remove":
                table.remove(known)
            case "anew":
                table.begin_anew(known, keep_totals=bool(number % 2))
            case "watch":
                for slot in rows_for(table, keys).tolist():
                    begin_watch(table, slot, number)
            case "see":
                # A batch names videos whose events may all be repeats: rows without a change.
                table.slots(keys)
            case _:
                changelog = cut(table, changelog)
    changelog = cut(table, changelog)
    assert contents(restored(changelog)) == contents(restored_at_once(changelog))
    after = contents(restored(changelog))
    unchanged = VideoTable(1)
    unchanged.slots(["p\x1fx"])
    nothing = contents(unchanged)["p\x1fx"]
    before = {key: what for key, what in contents(table).items() if what != nothing}
    assert {key: what for key, what in after.items() if what != nothing} == before
    assert not list(table.take_dirty())
    watches = [w for w in table.watch_of[list(table.slot_of.values())].tolist() if w != UNWATCHED]
    free = table.free_watches[: table.free_watch_count].tolist()
    assert sorted(watches + free) == list(range(len(table.watches))), "no watch is lost or shared"


def test_a_video_that_was_removed_and_seen_again_does_not_come_back_as_it_was() -> None:
    table = VideoTable()
    slots = table.slots(["p\x1fv"])
    table.rows["views"][slots] = 500
    table.dirty[slots] = True
    changelog = dict(table.take_dirty())
    table.remove(slots)
    table.slots(["p\x1fv"])
    changelog.update(table.take_dirty())
    again = VideoTable()
    for key, packed in changelog.items():
        again.load(key, packed)
    assert not again.rows["views"][: len(again.keys)].any()


def test_new_and_freed_rows_know_nothing() -> None:
    table = VideoTable(1)
    slots = table.slots(["p\x1fa", "p\x1fb", "p\x1fa"])
    assert slots[0] == slots[2] != slots[1]
    assert len(table) == 2
    table.rows["views"][slots[:1]] = 9
    table.describe(int(slots[0]), {"title": "x"})
    table.remove(slots[:1])
    assert len(table) == 1
    reused = int(table.slots(["q\x1fc"])[0])
    assert reused == slots[0]
    assert table.platform(reused) == "q"
    row = table.rows[reused]
    assert (row["views"], row["due_bucket"], row["last_bucket"]) == (0, NOT_DUE, NEVER)
    assert reused not in table.profiles


def test_the_table_grows_and_keeps_what_it_has() -> None:
    table = VideoTable(2)
    for count in (1, 3, 40, 500):
        slots = rows_for(table, [f"p\x1fv{i}" for i in range(count)])
        table.rows["views"][slots] += 1
    assert table.rows["views"][table.slot_of["p\x1fv0"]] == 4
    assert table.rows["views"][table.slot_of["p\x1fv499"]] == 1
    assert (table.used["due_bucket"] == NOT_DUE).all()


def test_beginning_anew_keeps_the_totals_only() -> None:
    table = VideoTable()
    slots = table.slots(["p\x1fv"])
    table.totals.put(slots, np.arange(1, len(ACTIONS) + 1)[None])
    for name in ("seen_bucket", "views", "episode", "stage", "probability"):
        table.rows[name][slots] = 1
    table.describe(int(slots[0]), {"title": "x"})
    table.begin_anew(slots, keep_totals=True)
    row = table.rows[slots[0]]
    assert table.totals.of(slots).tolist() == [[*range(1, len(ACTIONS) + 1)]]
    assert row["seen_bucket"] == 1
    assert not row["views"]
    assert not row["episode"]
    assert row["first_ms"] == NEVER
    assert not table.profiles
    table.begin_anew(slots, keep_totals=False)
    assert not table.totals.of(slots).any()


def test_profiles_merge_and_topics_are_bounded() -> None:
    table = VideoTable()
    slot = int(table.slots(["p\x1fv"])[0])
    table.describe(slot, {"title": "one", "creator_id": "c", "topics": ["a", "b"]})
    table.describe(slot, {"title": "two", "unknown": 1, "topics": ["b", "c"]})
    assert table.profiles[slot] == {"title": "two", "creator_id": "c", "topics": ["a", "b", "c"]}
    table.describe(slot, {"topics": [f"t{i}" for i in range(50)]})
    assert table.profiles[slot]["topics"][:3] == ["a", "b", "c"]
    assert len(table.profiles[slot]["topics"]) == MOST_TOPICS


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        bytes([ROW_VERSION]),
        bytes([ROW_VERSION + 1, 0]) + bytes(STORED.itemsize),
        bytes([ROW_VERSION, 2]) + bytes(STORED.itemsize + WATCH.itemsize),
        bytes([ROW_VERSION, 1]) + bytes(STORED.itemsize),
        b"\x01ab",
    ],
)
def test_a_row_of_another_version_or_a_damaged_one_is_told(packed: bytes) -> None:
    with pytest.raises(RowFormatError, match="HOTSPOTS_APP_ID"):
        VideoTable().load("p\x1fv", packed)


def test_the_layout_of_a_row_belongs_to_its_version() -> None:
    # A changelog outlives a release: who changes the layout must count ROW_VERSION up.
    layout = repr(([*STORED.descr[:1], *ROW.descr], WATCH.descr)).encode()
    assert STORED.descr[1:] == [("row", ROW.descr)]
    assert (ROW_VERSION, STORED.itemsize, WATCH.itemsize) == (5, 680, 1000)
    assert zlib.crc32(layout) == 3_190_097_902


def test_platforms_are_numbered_and_names_of_no_video_are_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("models.video_state.IDLE_PLATFORMS", 3)
    table = VideoTable(2)
    slots = table.slots([f"p{number % 5}\x1fv{number}" for number in range(10)])
    assert [table.platform(slot) for slot in slots.tolist()] == [f"p{n % 5}" for n in range(10)]
    table.remove(slots[np.array([0, 5, 1])])
    assert sorted(table.platforms) == ["p1", "p2", "p3", "p4"]
    assert {table.platform(slot) for slot in table.slot_of.values()} == set(table.platforms)
    (again,) = table.slots(["p0\x1fnew"]).tolist()
    assert table.platform(again) == "p0"
    for key, slot in table.slot_of.items():
        assert key.startswith(table.platform(slot) + "\x1f")


def test_what_is_new_in_a_profile_is_to_be_told_again() -> None:
    table = VideoTable()
    (slot,) = table.slots(["p\x1fa"]).tolist()
    for profile, changed in (
        ({"title": "a", "topics": []}, True),
        ({"title": "a"}, False),
        ({"topics": ["t"]}, True),
        ({"topics": ["t"]}, False),
        ({"topics": ["u"]}, True),
    ):
        table.rows["profile_told"][slot] = True
        assert table.describe(slot, profile) == changed
        assert table.rows["profile_told"][slot] != changed
