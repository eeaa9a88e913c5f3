"""Which videos have records, what is told of them and when, and what a restart finds."""

from dataclasses import dataclass, field

import numpy as np
from deep_rows import BUCKET_MS, START_MS, deep_rows, taken_in
from hypothesis import given, settings
from hypothesis import strategies as st

from models.participation import unpack
from models.participation_table import ParticipationTable
from models.transitions import VISIT_MS
from models.video_state import VideoTable

FIRST_BUCKET = START_MS // BUCKET_MS
PER_VISIT = VISIT_MS // BUCKET_MS
KEYS = [f"p\x1fv{number}" for number in range(6)]

Bucket = dict[int, int]
"""By video, how many comments it has; 0: a row that says nothing of who takes part."""

BUCKETS = st.lists(
    st.tuples(
        st.dictionaries(st.integers(0, 5), st.integers(0, 3), max_size=6),
        st.sampled_from([1, 1, 1, PER_VISIT // 2, PER_VISIT]),
    ),
    max_size=8,
)
"""What happens in some buckets, and how many buckets later the next comes."""


@dataclass
class Partition:
    """A partition whose videos are followed from the start."""

    most: int = 100
    slots: list[int] = field(default_factory=lambda: list(range(6)))
    told: list[tuple[int, str, bytes]] = field(default_factory=list)
    rows: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin with what is in the changelog."""
        self.videos = VideoTable()
        self.videos.slots([KEYS[at] for at in self.slots])
        self.table = ParticipationTable(self.videos, self.most)
        for key, packed in self.rows.items():
            self.table.load(key, packed)
        self.table.recovered()

    def decide(self, buckets: list[tuple[int, Bucket]]) -> None:
        """Decide buckets together."""
        decisions, said, whose = [], [], []
        for bucket, videos in buckets:
            of_slot = {int(self.videos.slots([KEYS[video]])[0]): video for video in videos}
            for slot in sorted(of_slot):
                video = of_slot[slot]
                decisions.append((bucket, slot))
                for number in range(videos[video]):
                    after_ms = (bucket - FIRST_BUCKET) * BUCKET_MS + number
                    said.append({"after_ms": after_ms, "actor": 7 * video + number + 1})
                    whose.append(slot)
        deep = deep_rows(said)
        order = np.argsort([one["after_ms"] for one in said], kind="stable")
        deep["slot"] = np.array(whose, np.int64)[order.astype(np.int64)]
        bucket, slot = np.array(decisions, np.int64).reshape(-1, 2).T.copy()
        for at, packed in self.table.take_in(bucket, slot, deep[::-1], BUCKET_MS):
            self.told.append((int(bucket[at]), self.videos.keys[slot[at]] or "", packed))

    def commit(self) -> None:
        """Save what has changed."""
        for key, packed in self.table.take_dirty():
            if packed is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = packed


def laid_out(said: list[tuple[Bucket, int]]) -> list[tuple[int, Bucket]]:
    """Return buckets with their numbers."""
    at, out = FIRST_BUCKET, []
    for videos, step in said:
        out.append((at, videos))
        at += step
    return out


def test_a_record_is_told_once_with_the_first_row_after_the_visit_it_changed_in() -> None:
    partition = Partition()
    start = -(-FIRST_BUCKET // PER_VISIT) * PER_VISIT
    for bucket, comments in ((start, 2), (start + 3, 1), (start + 4, 0)):
        partition.decide([(bucket, {0: comments})])
    assert not partition.told
    partition.decide([(start + PER_VISIT + 2, {0: 5}), (start + PER_VISIT + 3, {0: 0, 1: 1})])
    ((bucket, key, packed),) = partition.told
    assert (bucket, key) == (start + PER_VISIT + 2, KEYS[0])
    # As it stood at the end of the visit, without what the row's own bucket brings.
    assert unpack(packed)["accounts"]["acts"].tolist() == [[3]]
    partition.decide([(start + 9 * PER_VISIT, {0: 0, 1: 0})])
    assert [key for _, key, _ in partition.told] == [KEYS[0], KEYS[0], KEYS[1]]
    partition.decide([(start + 20 * PER_VISIT, {0: 0, 1: 0})])
    assert len(partition.told) == 3


def test_a_record_holds_what_its_video_brought_and_no_other() -> None:
    partition = Partition()
    partition.decide([(FIRST_BUCKET, {0: 2, 3: 3})])
    comments = [{"after_ms": number, "actor": 7 * 3 + number + 1} for number in range(3)]
    expected = taken_in(comments)
    found = partition.table.records[partition.table.record_of[3]]
    expected["untold"] = found["untold"]
    assert found.tobytes() == expected.tobytes()


def test_rows_of_videos_that_are_not_followed_are_passed_over() -> None:
    partition = Partition()
    deep = deep_rows([{"actor": 3}])
    nothing = np.zeros(0, np.int64)
    assert not partition.table.take_in(nothing, nothing, deep, BUCKET_MS)
    assert partition.table.count == 0


@given(BUCKETS, st.sets(st.integers(1, 7)), st.permutations(range(6)), st.integers(1, 7))
@settings(deadline=None)
def test_how_many_buckets_at_a_time_restarts_and_slots_change_nothing(
    said: list[tuple[Bucket, int]], cuts: set[int], slots: list[int], most: int
) -> None:
    buckets = laid_out(said)
    one, other = Partition(most), Partition(most, slots)
    for bucket in buckets:
        one.decide([bucket])
    one.commit()
    first = 0
    for stop in sorted({*cuts, len(buckets)}):
        other.decide(buckets[first:stop])
        first = max(first, stop)
        other.commit()
        other.restart()
    assert sorted(one.told) == sorted(other.told)
    assert one.rows == other.rows
    assert one.table.count <= most


@given(BUCKETS, st.integers(1, 4))
@settings(deadline=None)
def test_those_give_way_that_had_a_row_longest_ago(
    said: list[tuple[Bucket, int]], most: int
) -> None:
    partition = Partition(most)
    last: dict[int, int] = {}
    for bucket, videos in laid_out(said):
        partition.decide([(bucket, videos)])
        active = [video for video in sorted(videos) if videos[video]]
        new = [video for video in active if video not in last]
        idle = sorted((at, video) for video, at in last.items() if video not in active)
        for _, video in idle[: max(len(last) + len(new) - most, 0)]:
            del last[video]
        kept = [video for video in active if video in last]
        last |= dict.fromkeys([*kept, *new[: most - len(last)]], bucket)
        numbers = partition.table.record_of[:6]
        assert {video for video in range(6) if len(numbers) and numbers[video] >= 0} == set(last)


def test_what_is_forgotten_is_taken_out_of_the_changelog_unless_it_is_back() -> None:
    partition = Partition()
    partition.decide([(FIRST_BUCKET, {0: 1, 1: 1, 2: 1})])
    partition.commit()
    partition.table.forget(np.array([0, 1, 4, 5]))
    partition.decide([(FIRST_BUCKET + 1, {1: 2})])
    partition.commit()
    assert sorted(partition.rows) == KEYS[1:3]
    assert unpack(partition.rows[KEYS[1]])["accounts"]["acts"].tolist() == [[2]]


def test_rows_of_a_cut_are_as_they_were_though_records_change_meanwhile() -> None:
    partition = Partition()
    partition.decide([(FIRST_BUCKET, {0: 1, 1: 1})])
    cut = partition.table.take_dirty()
    partition.table.let_rows_change()
    partition.decide([(FIRST_BUCKET + 1, {0: 3})])
    partition.table.forget(np.array([1]))
    acts = {key: unpack(packed or b"")["accounts"]["acts"].item() for key, packed in cut}
    assert acts == dict.fromkeys(KEYS[:2], 1)
