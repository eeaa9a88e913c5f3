"""What stands is noticed, what has nothing to do is left alone, and a blocked loop answers too."""

import threading
import time
import urllib.error
import urllib.request

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from streams.liveness import Liveness, Reading, Watch
from streams.metrics import Metrics, MetricsServer, serve

STALL_S = 10.0


class World:
    """One agent with two partitions, and a clock."""

    def __init__(self, *, restart_helps: bool = True) -> None:
        self.now_s = 100.0
        self.readings = {"a": Reading(0, has_work=False), "b": Reading(0, has_work=False)}
        self.ready = False
        self.metrics = Metrics(CollectorRegistry())
        self.liveness = Liveness(
            [Watch("stages", lambda: self.readings, restart_helps)],
            is_ready=lambda: self.ready,
            stall_s=STALL_S,
            metrics=self.metrics,
            clock=lambda: self.now_s,
        )

    def pass_s(self, seconds: float) -> None:
        """Let time pass as the loop sees it: with a look at every interval."""
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            self.now_s += self.liveness.interval_s
            self.liveness.look()

    def metric(self, name: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, {"agent": "stages"})


def test_what_has_nothing_to_do_may_stand_for_ever() -> None:
    world = World()
    world.pass_s(10 * STALL_S)
    assert world.liveness.health() == (True, "alive")
    assert world.metric("hotspots_stalled") == 0


def test_what_stands_with_work_is_told_until_it_moves() -> None:
    world = World()
    world.readings["a"] = Reading(7, has_work=True, at="at 7 of 9")
    world.pass_s(STALL_S / 2)
    assert world.liveness.health()[0]
    world.pass_s(STALL_S)
    assert world.liveness.health() == (False, "stages: a stands at 7 of 9 for 14 s")
    assert world.metric("hotspots_stalled") == 1
    assert (world.metric("hotspots_progress_age_seconds") or 0) >= STALL_S
    world.readings["a"] = Reading(8, has_work=True)
    world.pass_s(1)
    assert world.liveness.health() == (True, "alive")
    assert world.metric("hotspots_stalled") == 0


def test_one_partition_that_moves_does_not_hide_one_that_stands() -> None:
    world = World()
    world.readings["b"] = Reading(7, has_work=True)
    for step in range(20):
        world.readings["a"] = Reading(step, has_work=True)
        world.pass_s(1)
    alive, line = world.liveness.health()
    assert not alive
    assert "b stands" in line


def test_a_partition_that_went_away_is_forgotten() -> None:
    world = World()
    world.readings["a"] = Reading(7, has_work=True)
    world.pass_s(2 * STALL_S)
    del world.readings["a"]
    world.pass_s(1)
    assert world.liveness.health()[0]
    world.readings["a"] = Reading(7, has_work=True)
    world.pass_s(1)
    assert world.liveness.health()[0]


def test_what_no_restart_mends_is_told_and_lets_the_worker_live() -> None:
    world = World(restart_helps=False)
    world.readings["a"] = Reading(7, has_work=True)
    world.pass_s(2 * STALL_S)
    assert world.metric("hotspots_stalled") == 1
    assert world.liveness.health()[0]


def test_a_loop_that_does_not_turn_is_noticed_and_its_pause_forgiven() -> None:
    world = World()
    world.readings["a"] = Reading(7, has_work=True)
    world.pass_s(1)
    world.now_s += 2 * STALL_S
    assert world.liveness.health() == (False, "the event loop stands for 20 s")
    world.liveness.look()
    assert world.liveness.health()[0], "nothing could move while the process was stopped"


def test_ready_when_recovered() -> None:
    world = World()
    assert world.liveness.readiness() == (False, "not recovered yet")
    world.ready = True
    world.liveness.look()
    assert world.liveness.readiness() == (True, "ready")


@given(moves=st.lists(st.booleans(), max_size=60))
def test_stalled_exactly_when_it_has_not_moved_for_so_long(moves: list[bool]) -> None:
    world = World()
    step, moved_s = 0, world.now_s + world.liveness.interval_s
    for moves_now in moves:
        step += moves_now
        world.readings["a"] = Reading(step, has_work=True)
        world.pass_s(1)
        moved_s = world.now_s if moves_now else moved_s
        assert world.liveness.health()[0] == (world.now_s - moved_s < STALL_S)


def get(server: MetricsServer, path: str) -> tuple[int, str]:
    url = f"http://{server.host}:{server.port}{path}"
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_answers_come_from_another_thread_than_the_blocked_one() -> None:
    liveness = Liveness(
        [],
        is_ready=lambda: True,
        stall_s=0.2,
        metrics=Metrics(CollectorRegistry()),
        clock=time.monotonic,
    )
    answers = {"/healthz": liveness.health, "/readyz": liveness.readiness}
    found: list[tuple[int, str]] = []
    with serve(Metrics(CollectorRegistry()), "127.0.0.1", 0, answers) as server:
        liveness.look()
        assert get(server, "/healthz") == (200, "alive\n")
        assert get(server, "/readyz") == (200, "ready\n")
        asking = threading.Thread(
            target=lambda: (time.sleep(0.4), found.append(get(server, "/healthz")))
        )
        asking.start()
        asking.join()  # this thread, which should look, does not
        status, metrics = get(server, "/metrics")
    assert found[0][0] == 503
    assert found[0][1].startswith("the event loop stands for ")
    assert status == 200
    assert "hotspots_build_info" in metrics


@pytest.mark.parametrize("path", ["/", "/metrics", "/unknown"])
def test_every_other_path_shows_the_metrics(path: str) -> None:
    with serve(Metrics(CollectorRegistry()), "127.0.0.1", 0) as server:
        assert get(server, path)[0] == 200
