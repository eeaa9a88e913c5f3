"""The memory of who has acted, held against plain sums; and in the stream, under crashes."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_outcome import START_MS, Worker, batches_log, source_log

from models import actor_memory
from models.actor_memory import FORGOTTEN_AFTER_MS, PREFIX, ActorMemory
from models.known_actors import ACTED, VERSIONS_KEPT, KnownActors, is_actors
from models.parameters import MINUTE_MS, Level, Parameters

SHARES = Parameters(level=Level("share", 100))
KEPT = 8

TOLD = st.lists(
    st.tuples(st.integers(0, 5), st.integers(1, 30), st.integers(1, 9)), min_size=1, max_size=60
)
"""(epoch, actor, times) in any order."""


def acted(*told: tuple[int, int, int]) -> Any:  # noqa: ANN401 - records
    return np.array([(epoch, epoch, who) for epoch, who, n in told for _ in range(n)], ACTED)


def last_version(memory: ActorMemory, epoch: int) -> KnownActors:
    records = [value for _, value in memory.learn_through(epoch) if value is not None]
    return KnownActors.from_bytes(records[-1])


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actor_memory, "ACTORS_MAX", KEPT)
    monkeypatch.setattr(actor_memory, "_SUMMED_AT", 2 * KEPT)


@given(told=TOLD, parts=st.integers(1, 7), data=st.data())
@settings(deadline=None)
def test_sums_are_exact_in_any_order_and_from_any_parts(
    told: list[tuple[int, int, int]], parts: int, data: st.DataObject
) -> None:
    memory = ActorMemory(SHARES)
    for part in range(parts):
        memory.note(acted(*data.draw(st.permutations(told[part::parts]))))
    version = last_version(memory, 5)
    expected: Counter[int] = Counter()
    for _, actor, times in told:
        expected[actor] += times
    assert dict(version.known.tolist()) == expected


@pytest.mark.usefixtures("small")
@given(told=TOLD, parts=st.integers(1, 4))
@settings(deadline=None)
def test_the_smallest_hashes_are_kept_with_exact_counts(
    told: list[tuple[int, int, int]], parts: int
) -> None:
    # In one epoch: later on nobody above the bound is told of.
    told = [(0, actor, times) for _, actor, times in told]
    memory = ActorMemory(SHARES)
    for part in range(parts):
        memory.note(acted(*told[part::parts]))
    version = last_version(memory, 0)
    expected: Counter[int] = Counter()
    for _, actor, times in told:
        expected[actor] += times
    kept = sorted(expected)[:KEPT]
    assert version.known.tolist() == [(actor, expected[actor]) for actor in kept]
    if len(expected) > KEPT:
        assert version.bound == sorted(expected)[KEPT]


@pytest.mark.usefixtures("small")
@given(told=TOLD, ends=st.sets(st.integers(0, 5)))
@settings(deadline=None)
def test_how_many_epochs_end_at_once_and_restarts_play_no_part(
    told: list[tuple[int, int, int]], ends: set[int]
) -> None:
    at_once, by_steps = ActorMemory(SHARES), ActorMemory(SHARES)
    at_once.note(acted(*told))
    for epoch in sorted(ends):
        by_steps.note(acted(*told))
        by_steps.learn_through(epoch)
        again = ActorMemory(SHARES)
        for key, value in by_steps.rows():
            assert key.startswith(PREFIX)
            again.load(key, value or b"")
        by_steps = again
    by_steps.note(acted(*told))
    expected = last_version(at_once, 7)
    assert last_version(by_steps, 7).to_bytes() == expected.to_bytes()


@pytest.mark.usefixtures("small")
def test_the_bound_rises_again_when_people_are_forgotten() -> None:
    memory = ActorMemory(SHARES)
    memory.note(acted(*((0, 1 << (at + 20), 1) for at in range(20))))
    epochs = FORGOTTEN_AFTER_MS // SHARES.epoch_ms
    looked_at = (0, epochs - 1, epochs, epochs + 1, epochs + 100)
    bounds = [int(last_version(memory, epoch).bound) for epoch in looked_at]
    assert bounds[0] == bounds[1] == 1 << (KEPT + 20)
    assert bounds[2:4] == [bounds[0] * 2, bounds[0] * 4]
    assert not len(memory)
    assert bounds[-1] >= 2**64 - 2


def test_old_versions_are_removed() -> None:
    memory = ActorMemory(SHARES)
    records = [memory.learn_through(epoch) for epoch in range(10)]
    assert [len(told) for told in records] == [1] * VERSIONS_KEPT + [2] * (10 - VERSIONS_KEPT)
    assert not memory.learn_through(9)


def test_a_level_of_views_needs_no_memory() -> None:
    memory = ActorMemory(Parameters())
    assert not memory.learn_through(3)
    assert not memory.rows()


def test_what_was_learned_for_another_action_is_forgotten() -> None:
    memory, other = ActorMemory(SHARES), ActorMemory(Parameters(level=Level("like", 100)))
    memory.note(acted((0, 5, 1)))
    memory.learn_through(0)
    ((key, value),) = memory.rows()
    other.load(key, value or b"")
    assert not len(other)


# -- in the stream ------------------------------------------------------------------------------

LEVEL = Level("share", 40)


def shared(seed: int) -> list[dict[str, object]]:
    """Return six hours of shares: everybody shares a few of twelve videos, some share most."""
    rng = np.random.default_rng(seed)
    events: list[dict[str, object]] = [
        {
            "time": START_MS + int(minute) * MINUTE_MS + int(rng.integers(0, MINUTE_MS)),
            "platform": "p",
            "video_id": f"v{rng.integers(0, 12)}",
            "action": "share",
            "actor_id": f"a{int(rng.pareto(1.0) * 3) % 40}",
        }
        for minute in np.sort(rng.integers(0, 6 * 60, 500))
    ]
    events.sort(key=lambda e: int(str(e["time"])))
    return events


def met(worker: Worker) -> dict[str | None, tuple[int, int]]:
    """Return how many people each video met, and how often they had acted."""
    return {
        key: (int(step.videos.rows["met"][slot]), int(step.videos.rows["met_before"][slot]))
        for step in worker.steps
        for key, slot in step.videos.slot_of.items()
    }


@pytest.fixture(scope="module")
def undisturbed() -> Worker:
    worker = Worker(1, batches_log(source_log(shared(1)), 1, [500]), LEVEL)
    worker.run()
    return worker


def test_people_are_met_who_are_known(undisturbed: Worker) -> None:
    assert any(is_actors(key) for key in undisturbed.learned)
    assert sum(people for people, _ in met(undisturbed).values()) > 300
    assert sum(before for _, before in met(undisturbed).values()) > 0


@given(
    partitions=st.integers(1, 3),
    sizes=st.lists(st.sampled_from([5, 60, 400]), min_size=1, max_size=3),
    crashes=st.sets(st.integers(0, 40), max_size=3),
)
@settings(max_examples=8, deadline=None)
def test_partitions_batching_and_crashes_change_nothing(
    undisturbed: Worker, partitions: int, sizes: list[int], crashes: set[int]
) -> None:
    worker = Worker(partitions, batches_log(source_log(shared(1)), partitions, sizes), LEVEL)
    for turn in range(41):
        if turn in crashes:
            worker.crash()
        worker.process(turn % partitions, 3)
        if turn % 2:
            worker.commit(turn % partitions)
        worker.process_hotspots(2)
        if turn % 3:
            worker.commit_hotspots()
    worker.crash()
    worker.run(5)
    assert met(worker) == met(undisturbed)
    assert worker.learned == undisturbed.learned
    assert worker.alerts == undisturbed.alerts
