"""Clocks and the watermark: functions of the log."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.event_time import NEVER_MS, SourceClocks
from models.steps import BrokenChainError

BUCKET_MS = 1_000
LATENESS_MS = 100


def clocks() -> SourceClocks:
    return SourceClocks(BUCKET_MS, LATENESS_MS)


def test_a_chain_counts_each_offset_once_and_stops_at_a_hole() -> None:
    c = clocks()
    assert c.accept(0, 1, -1, 9) == 0
    assert c.accept(0, 1, -1, 9) is None
    assert c.accept(0, 1, 4, 19) == 10
    with pytest.raises(BrokenChainError, match=r"offsets 20\.\.29 never arrived"):
        c.accept(0, 1, 29, 40)


def test_a_source_may_begin_where_its_log_begins() -> None:
    c = clocks()
    assert c.accept(0, 1, 499, 510) == 500


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 5)), min_size=1, max_size=30), st.data()
)
def test_zombies_and_repeats_leave_every_offset_counted_once(
    pieces: list[tuple[int, int]], data: st.DataObject
) -> None:
    c = clocks()
    counted: dict[int, list[int]] = {}
    position = dict.fromkeys(range(3), 0)
    sent: list[tuple[int, int, int]] = []
    for source, length in pieces:
        low = position[source] - 1
        position[source] += length
        sent.append((source, low, low + length))
        again = data.draw(st.sampled_from(sent))
        for s, lo, hi in (sent[-1], again):
            first = c.accept(s, 3, lo, hi)
            if first is not None:
                counted.setdefault(s, []).extend(range(max(first, lo + 1), hi + 1))
    for source, offsets in counted.items():
        assert offsets == list(range(position[source]))


def test_the_watermark_is_the_minimum_and_waits_for_every_source() -> None:
    c = clocks()
    c.accept(0, 2, -1, 0)
    c.advance(0, 5_200, idle=False, ended=False)
    assert c.closed_bucket is None
    c.accept(1, 2, -1, 0)
    c.advance(1, 2_150, idle=False, ended=False)
    # 2150 - 100 lies in bucket 2, so bucket 1 is the last one passed.
    assert c.closed_bucket == 1
    c.accept(1, 2, 0, 1)
    c.advance(1, 9_000, idle=False, ended=False)
    assert c.closed_bucket == 4


def test_an_idle_source_follows_the_others_each_time_it_says_so() -> None:
    c = clocks()
    c.accept(1, 2, -1, -1)
    c.advance(1, NEVER_MS, idle=True, ended=False)
    c.accept(0, 2, -1, 0)
    c.advance(0, 7_500, idle=False, ended=False)
    # Source 1 was silent before 7.5 s were known of: what it brings now must not come late.
    assert c.closed_bucket is None
    c.advance(1, NEVER_MS, idle=True, ended=False)
    assert c.closed_bucket == 6
    c.accept(0, 2, 0, 1)
    c.advance(0, 9_500, idle=False, ended=False)
    assert c.closed_bucket == 6
    c.advance(0, NEVER_MS, idle=True, ended=False)
    c.advance(1, NEVER_MS, idle=True, ended=False)
    assert c.closed_bucket == 8


def test_end_marks_close_everything_once_the_last_source_has_ended() -> None:
    c = clocks()
    for source in (0, 1):
        c.accept(source, 2, -1, 0)
        c.advance(source, 3_500, idle=False, ended=False)
    c.accept(0, 2, 0, 1)
    c.advance(0, NEVER_MS, idle=False, ended=True)
    assert c.closed_bucket == 2
    c.accept(1, 2, 0, 1)
    c.advance(1, NEVER_MS, idle=False, ended=True)
    assert c.closed_bucket == 3


def test_a_replay_that_brings_only_what_is_late_closes_a_bucket_in_which_that_counts() -> None:
    c = clocks()
    c.accept(0, 1, -1, 0)
    c.advance(0, 3_500, idle=False, ended=True)
    assert c.closed_bucket == 3
    c.accept(0, 1, 0, 1)
    c.advance(0, 1_000, idle=False, ended=False)
    assert c.closed_bucket == 3
    c.accept(0, 1, 1, 2)
    c.advance(0, NEVER_MS, idle=False, ended=True)
    assert c.closed_bucket == 4
    c.advance(0, NEVER_MS, idle=True, ended=False)
    assert c.closed_bucket == 4


def test_what_a_message_changed_can_be_set_elsewhere() -> None:
    c, other = clocks(), clocks()
    for source, high_ms, idle in ((0, 2_500, False), (1, 1_500, False), (0, NEVER_MS, True)):
        c.accept(source, 2, -1, 0)
        c.advance(source, high_ms, idle=idle, ended=False)
        other.set_state(c.state_of(source))
    assert other == c
    c.advance(1, 9_000, idle=False, ended=False)
    assert other != c


def test_clocks_survive_the_changelog() -> None:
    c = clocks()
    c.accept(0, 1, -1, 4)
    c.advance(0, 9_999, idle=True, ended=False)
    again = clocks()
    again.load_dict(c.to_dict())
    assert again == c
