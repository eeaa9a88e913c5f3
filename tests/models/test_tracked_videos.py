import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.blocks import BLOCK_ROWS, DirtyBlocks
from models.tracked_videos import NO_WORK, Links, TrackedVideos

RUNS = st.lists(
    st.tuples(st.integers(0, 5), st.lists(st.integers(0, 9), unique=True, max_size=6)),
    max_size=60,
)


@given(runs=RUNS)
def test_links_are_those_set_last_however_often_they_were_replaced(
    runs: list[tuple[int, list[int]]],
) -> None:
    links, expected, most = Links(6), dict[int, list[int]](), 3
    for slot, topics in runs:
        most = max(most, sum(map(len, expected.values())) + len(topics))
        numbers = [links.number(f"topic:{topic}") for topic in topics]
        links.set(slot, numbers, [topic % 2 == 0 for topic in topics])
        expected[slot] = topics
        name_of = {number: work_id for work_id, number in links.number_of.items()}
        for each, wanted in expected.items():
            run = slice(links.first[each], links.first[each] + links.count[each])
            assert [name_of[n] for n in links.name[run].tolist()] == [f"topic:{t}" for t in wanted]
            assert links.seen[run].tolist() == [topic % 2 == 0 for topic in wanted]
    # What was replaced leaves no more room behind than twice what was ever needed at once.
    assert len(links.name) <= 2 * most


def test_ids_that_nobody_needs_are_dropped_and_their_numbers_used_again() -> None:
    links = Links(2)
    linked, worked, idle = (links.number(work_id) for work_id in ("a", "b", "c"))
    links.set(0, [linked], [False])
    links.work[worked] = 7
    links.drop_unused()
    assert links.number_of == {"a": linked, "b": worked}
    assert links.number("d") == idle
    assert links.work[idle] == NO_WORK
    assert links.number("e") == 3


def test_videos_made_from_a_video_follow_it_when_it_moves_and_when_it_goes() -> None:
    tracked = TrackedVideos()
    keys = [f"p\x1fv{number}" for number in range(4)]
    for number, key in enumerate(keys):
        video = tracked.add(key)
        tracked.describe(video, {"source": keys[number - 1]} if number else {})
        tracked.relink([key])
    first, last = tracked.get(keys[0]), tracked.get(keys[3])
    assert first is not None
    assert last is not None
    assert last.works == ("video:p/v0",)
    assert tracked.describe(first, {"topics": ["t"]})
    tracked.relink([keys[0]])
    assert last.works == ("topic:t",)
    assert not tracked.describe(first, {"topics": ["t"], "title": "new"})
    tracked.remove(np.array([tracked.slot_of[keys[1]]]))
    assert last.works == ("video:p/v1",)
    assert tracked.slots(keys).tolist() == [0, -1, 2, 3]


def test_blocks_are_written_when_one_of_their_rows_has_changed() -> None:
    rows = np.zeros(3 * BLOCK_ROWS, [("a", np.int64)])
    dirty = DirtyBlocks(len(rows))
    dirty.flags[1] = True
    rows["a"][BLOCK_ROWS] = 5
    ((number, block),) = dirty.take(rows)
    assert number == 1
    assert np.frombuffer(block, rows.dtype)["a"][0] == 5
    assert not list(dirty.take(rows))
    dirty.reserve(4 * BLOCK_ROWS)
    assert len(dirty.flags) == 4


@pytest.mark.parametrize("used", [1, BLOCK_ROWS, BLOCK_ROWS + 1])
def test_a_block_holds_only_rows_in_use(used: int) -> None:
    rows = np.zeros(used, [("a", np.int64)])
    dirty = DirtyBlocks(4 * BLOCK_ROWS)
    dirty.flags[:] = True
    assert sum(len(block) for _, block in dirty.take(rows)) == rows.nbytes
