"""What is read of a cut later is what the rows were at the cut."""

import copy

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.dirty_rows import PACKED_AT_ONCE, DirtyRows, Packed
from models.video_state import UNWATCHED, VideoTable

VIDEOS = 6
CHANGES = ("count", "describe", "remove", "anew", "watch", "see", "more")


def change(table: VideoTable, action: str, videos: list[int], number: int) -> None:
    """Change rows as deciding a bucket does; `see` and `more` are what a batch does before."""
    keys = [f"p\x1fv{video}" for video in videos]
    if action == "see":
        table.slots(keys)
        return
    if action == "more":
        table.slots([f"p\x1fnew{number}-{one}" for one in range(40)])
        return
    table.let_rows_change()
    if action in ("remove", "anew"):
        known = np.array([table.slot_of[key] for key in keys if key in table.slot_of], np.int64)
        if action == "remove":
            table.remove(known)
        else:
            table.begin_anew(known, keep_totals=True)
        return
    slots = table.slots(keys)
    table.make_rows(int(slots.max()) + 1)
    for slot in slots.tolist():
        if action == "describe":
            table.describe(slot, {"title": f"title {number}", "topics": [f"t{number}"]})
        elif action == "watch":
            if table.watch_of[slot] == UNWATCHED:
                if not table.free_watch_count:
                    table.more_watches()
                table.free_watch_count -= 1
                table.watch_of[slot] = table.free_watches[table.free_watch_count]
            table.watches["own_per_hour"][table.watch_of[slot]] = number
        else:
            table.rows["views"][slot] += number
    table.dirty[slots] = True


changes = st.tuples(
    st.sampled_from(CHANGES),
    st.lists(st.integers(0, VIDEOS - 1), min_size=1, max_size=4, unique=True),
)


@given(before=st.lists(changes, max_size=12), after=st.lists(changes, max_size=6))
@settings(deadline=None)
def test_rows_are_as_they_were_at_the_cut_however_late_they_are_read(
    before: list[tuple[str, list[int]]], after: list[tuple[str, list[int]]]
) -> None:
    table = VideoTable(2)
    for number, (action, videos) in enumerate(before, 1):
        change(table, action, videos, number)
    at_the_cut = list(copy.deepcopy(table).take_dirty())
    rows = table.take_dirty()
    for number, (action, videos) in enumerate(after, 100):
        change(table, action, videos, number)
    assert len(rows) == len(at_the_cut)
    assert list(rows) == at_the_cut
    assert not list(rows), "each row is read once"


def test_what_was_changed_after_a_cut_belongs_to_the_next_one() -> None:
    table = VideoTable(2)
    change(table, "count", [0, 1], 5)
    first = table.take_dirty()
    change(table, "count", [1, 2], 7)
    second = table.take_dirty()
    assert [key for key, _ in second] == ["p\x1fv1", "p\x1fv2"]
    assert [key for key, _ in first] == ["p\x1fv0", "p\x1fv1"]


def test_a_cut_is_packed_slice_by_slice_and_only_the_rest_is_set_aside() -> None:
    packed: list[int] = []

    def pack(slots: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[Packed]:
        packed.append(len(slots))
        return [(str(slot), b"") for slot in slots.tolist()]

    rows = DirtyRows(
        np.arange(3 * PACKED_AT_ONCE, dtype=np.int64), lambda slots: iter(pack(slots)), ["gone"]
    )
    assert not packed
    reading = iter(rows)
    read = [next(reading)]
    assert packed == [PACKED_AT_ONCE]
    rows.set_aside()
    rows.set_aside()
    assert packed == [PACKED_AT_ONCE, 2 * PACKED_AT_ONCE]
    read += reading
    assert [key for key, _ in read] == [*map(str, range(3 * PACKED_AT_ONCE)), "gone"]
    assert read[-1] == ("gone", None)
    assert len(rows) == len(read)


def test_a_cut_that_nobody_will_read_is_not_packed() -> None:
    table = VideoTable(2)
    change(table, "count", [0, 1], 5)
    packed: list[object] = []
    table._packed = packed.append  # type: ignore[method-assign, assignment] # noqa: SLF001 - sees that it is not called
    rows = table.take_dirty()
    del rows
    table.let_rows_change()
    assert not packed
