import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import producing
from streams.producing import TICK_S, Pace, chunks_of


class Clock:
    """A clock that moves only when told."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_an_event_is_due_after_its_distance_over_the_speed() -> None:
    clock = Clock()
    pace = Pace(60.0, clock)
    assert pace.wait_s(1_000_000) == 0.0
    assert pace.wait_s(1_060_000) == pytest.approx(1.0)
    clock.now_s += 0.75
    assert pace.wait_s(1_060_000) == pytest.approx(0.25)
    clock.now_s += 10
    assert pace.wait_s(1_060_000) == 0.0


def test_as_fast_as_possible_never_waits() -> None:
    assert Pace(None, Clock()).wait_s(10**15) == 0.0


@given(
    st.lists(st.integers(0, 100_000), max_size=60).map(sorted),
    st.sampled_from([None, 1.0, 50.0, 100_000.0]),
)
def test_nothing_is_lost_or_reordered_and_nothing_leaves_early(
    times_ms: list[int], speed: float | None
) -> None:
    clock = Clock()
    events = [(time_ms, str(i).encode()) for i, time_ms in enumerate(times_ms)]
    sent: list[tuple[bytes, float]] = []
    for chunk, _, wait_s in chunks_of(events, Pace(speed, clock)):
        sent += [(value, clock.now_s) for value in chunk]
        clock.now_s += wait_s
    assert [value for value, _ in sent] == [value for _, value in events]
    if speed is not None:
        for (time_ms, _), (_, at_s) in zip(events, sent, strict=True):
            due_s = 100.0 + (time_ms - times_ms[0]) / 1000 / speed
            assert at_s >= due_s - TICK_S - 1e-6


def test_a_chunk_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(producing, "CHUNK_EVENTS", 3)
    sizes = [len(chunk) for chunk, _, _ in chunks_of([(0, b"x")] * 8, Pace(None))]
    assert max(sizes) == 3
    assert sum(sizes) == 8
