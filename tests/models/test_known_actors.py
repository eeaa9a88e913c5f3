"""Who is met, and how often they had acted: compiled loops, held against plain dictionaries."""

import math

import numpy as np
import pytest
from building import BUCKET_MS, undecided_of
from hypothesis import given, settings
from hypothesis import strategies as st

from models.known_actors import (
    ALL_ACTORS,
    LOG_UNITS,
    NO_SIGNAL,
    TIMES,
    VERSIONS_KEPT,
    ActorsFormatError,
    ActorVersions,
    KnownActors,
    acted_through,
    key_of,
    meet,
    signal_of,
)
from models.parameters import Level, Parameters
from models.video_state import VideoTable
from models.vocabulary import Signal

SHARES = Parameters(level=Level("share", 100))
HASHES = st.sampled_from([1, 2, 3, 2**40, 2**63, 2**63 + 1, 2**64 - 2])


def known(times: dict[int, int], bound: int = int(ALL_ACTORS)) -> KnownActors:
    return KnownActors(np.array(sorted(times.items()), TIMES), np.uint64(bound), "share")


@given(
    acts=st.lists(st.tuples(HASHES, st.sampled_from(["share", "like"])), max_size=12),
    times=st.dictionaries(HASHES, st.integers(1, 10**9)),
    bound=st.sampled_from([2**40, 2**63 + 1, int(ALL_ACTORS)]),
)
@settings(deadline=None)
def test_different_people_of_a_bucket_are_met_with_what_is_known_of_them(
    acts: list[tuple[int, str]], times: dict[int, int], bound: int
) -> None:
    table = VideoTable()
    table.make_rows(1)
    said = [
        {"video": 0, "action": what, "actor": who, "time_ms": 5 * BUCKET_MS} for who, what in acts
    ]
    undecided = undecided_of(table, ["p\x1fv"], *said, bucket_ms=BUCKET_MS)
    row = table.rows[0]
    for entry in undecided.entries[: undecided.count]:
        version = known({a: n for a, n in times.items() if a < bound}, bound)
        meet(row, entry["person"], undecided.people, Signal.DIFFUSION, version.looked_up)
    people = {who for who, what in acts if what == "share" and who < bound}
    assert row["met"] == len(people)
    expected = sum(math.log1p(times.get(who, 0)) for who in people)
    assert row["met_before"] / LOG_UNITS == pytest.approx(expected, abs=len(people) / LOG_UNITS)
    acted = acted_through(undecided, 5, Signal.DIFFUSION, 9, np.uint64(bound))
    assert acted["actor"].tolist() == sorted(people)
    assert set(acted["epoch"].tolist()) <= {9}
    assert set(acted["bucket"].tolist()) <= {5}
    assert not len(acted_through(undecided, 4, Signal.DIFFUSION, 9, ALL_ACTORS))


@given(
    times=st.dictionaries(st.integers(1, 2**64 - 1), st.integers(1, 2**32 - 1), max_size=6),
    bound=st.integers(1, 2**64 - 1),
)
def test_a_version_is_read_as_it_was_written(times: dict[int, int], bound: int) -> None:
    before = known(times, bound)
    after = KnownActors.from_bytes(before.to_bytes())
    assert after.known.tobytes() == before.known.tobytes()
    assert (after.bound, after.action) == (before.bound, before.action)


@pytest.mark.parametrize("damage", [b"", b"{}\n", b"x\n", known({1: 2}).to_bytes()[:-1]])
def test_a_damaged_version_is_told(damage: bytes) -> None:
    with pytest.raises(ActorsFormatError):
        KnownActors.from_bytes(damage)


def test_a_version_out_of_order_is_told() -> None:
    wrong = KnownActors(np.array([(2, 1), (1, 1)], TIMES), ALL_ACTORS, "share")
    with pytest.raises(ActorsFormatError, match="order"):
        KnownActors.from_bytes(wrong.to_bytes())


def test_a_version_holds_two_epochs_later_and_in_no_other() -> None:
    versions = ActorVersions(SHARES)
    for epoch in (4, 5):
        versions.learn(key_of(epoch), known({epoch: 1}).to_bytes())
    assert versions.of(6).known["actor"].tolist() == [4]
    assert versions.of(7).known["actor"].tolist() == [5]
    assert not len(versions.of(8).known)
    assert not len(versions)


def test_a_partition_that_decides_nothing_keeps_few_versions() -> None:
    versions = ActorVersions(SHARES)
    for epoch in range(10):
        versions.learn(key_of(epoch), known({epoch + 1: 1}).to_bytes())
    assert len(versions) == VERSIONS_KEPT
    assert versions.of(11).known["actor"].tolist() == [10]


def test_what_was_learned_for_a_level_of_another_action_is_passed_over() -> None:
    versions = ActorVersions(Parameters(level=Level("like", 100)))
    versions.learn(key_of(4), known({1: 1}).to_bytes())
    assert not len(versions)


def test_views_are_no_signal() -> None:
    assert signal_of(Parameters()) == NO_SIGNAL
    assert signal_of(SHARES) == Signal.DIFFUSION
