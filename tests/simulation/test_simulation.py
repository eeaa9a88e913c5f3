"""Exactly once under fire: the whole flow, driven from a seed through faults, loses nothing.

Each history is a small platform, up to three workers and a broker in memory (simulated_worker.py,
simulated_broker.py), drawn from its seed. HOTSPOTS_SIMULATION_SEED and
HOTSPOTS_SIMULATION_HISTORIES choose the first seed and how many there are.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor

import pytest
from history import Outcome
from many_histories import (
    find_defect,
    parts,
    processes,
    run_calmly,
    run_learning,
    run_seeds,
)
from planted_defects import DEFECTS

FIRST_SEED = int(os.environ.get("HOTSPOTS_SIMULATION_SEED", "0"))
HISTORIES = int(os.environ.get("HOTSPOTS_SIMULATION_HISTORIES", "1000"))
LEARNING_HISTORIES = 8
"""In which forecasts are learned, which takes seconds each."""
HISTORIES_TO_FIND = 400
"""In so many histories each planted defect must show; the rarest takes some 215."""
FAULTS = {"killed", "paused", "ended itself", "left in order", "joined", "broker restarted"}


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    with processes() as made:
        yield made


def run_all(pool: ProcessPoolExecutor, seeds: range) -> list[Outcome]:
    """Run histories until one has a problem."""
    outcomes: list[Outcome] = []
    calls = [pool.submit(run_seeds, part) for part in parts(seeds)]
    for call in calls:
        outcomes += call.result()
        failed = [outcome for outcome in outcomes if outcome.problems]
        if failed:
            for waiting in calls:
                waiting.cancel()
            pytest.fail(failed[0].report(), pytrace=False)
    return outcomes


def test_histories_with_faults_end_as_if_there_had_been_none(
    pool: ProcessPoolExecutor, say: Callable[[str], None]
) -> None:
    outcomes = run_all(pool, range(FIRST_SEED, FIRST_SEED + HISTORIES))
    faults: Counter[str] = Counter()
    for outcome in outcomes:
        faults.update(outcome.faults)
    told_again = sum(outcome.told_again for outcome in outcomes)
    undisturbed = sum(outcome.compared_with_undisturbed for outcome in outcomes)
    say(
        f"{len(outcomes)} histories from seed {FIRST_SEED}: "
        f"{sum(outcome.events for outcome in outcomes):,} events, "
        f"{sum(outcome.requests for outcome in outcomes):,} requests, "
        f"{sum(outcome.alerts for outcome in outcomes):,} alerts, "
        f"{sum(outcome.withheld for outcome in outcomes):,} withheld, "
        f"{sum(outcome.participations for outcome in outcomes):,} participations told, "
        f"{sum(outcome.participations_kept for outcome in outcomes):,} kept, "
        f"{sum(outcome.pushes for outcome in outcomes):,} pushes suspected; "
        f"{sum(outcome.effects for outcome in outcomes):,} effects of actions told, of these "
        f"measured {sum(outcome.measured for outcome in outcomes):,}; "
        f"{sum(outcome.merges for outcome in outcomes):,} alerts under several names, "
        f"{sum(outcome.splits for outcome in outcomes):,} splits; "
        f"{', '.join(f'{name} {count:,}' for name, count in sorted(faults.items()))}; "
        f"reports told again {told_again:,}; "
        f"{undisturbed} also compared with the run without faults"
    )
    if HISTORIES >= 200:
        # A simulation in which nothing happens would find nothing.
        assert faults.keys() >= FAULTS
        assert undisturbed > HISTORIES / 20
        assert told_again
        assert sum(outcome.alerts for outcome in outcomes) > HISTORIES
        assert sum(outcome.participations for outcome in outcomes) > HISTORIES
        assert sum(outcome.participations_kept for outcome in outcomes) > HISTORIES
        assert sum(outcome.pushes for outcome in outcomes) > HISTORIES / 50
        assert sum(outcome.effects for outcome in outcomes) > HISTORIES / 2
        assert sum(outcome.measured for outcome in outcomes) > HISTORIES / 60
        assert sum(outcome.merges for outcome in outcomes) > HISTORIES / 20
        assert sum(outcome.splits for outcome in outcomes) > HISTORIES / 10
        assert sum(outcome.withheld > 0 for outcome in outcomes) > HISTORIES / 20


def test_what_is_learned_under_fire_is_what_is_learned_in_peace(
    pool: ProcessPoolExecutor, say: Callable[[str], None]
) -> None:
    outcomes = []
    faults: Counter[str] = Counter()
    for outcome in pool.map(run_learning, range(FIRST_SEED, FIRST_SEED + LEARNING_HISTORIES)):
        assert not outcome.problems, outcome.report()
        outcomes.append(outcome)
        faults.update(outcome.faults)
    forecasts = sum(outcome.forecasts for outcome in outcomes)
    say(
        f"{len(outcomes)} histories from seed {FIRST_SEED} learned {forecasts} forecasts; "
        f"{', '.join(f'{name} {count:,}' for name, count in sorted(faults.items()))}"
    )
    assert forecasts >= len(outcomes)
    assert faults["killed"]


@pytest.mark.parametrize("name", DEFECTS)
def test_a_planted_defect_is_found(pool: ProcessPoolExecutor, name: str) -> None:
    outcome = pool.submit(find_defect, name, range(HISTORIES_TO_FIND)).result()
    assert outcome is not None


def test_histories_without_faults_need_no_second_attempt(pool: ProcessPoolExecutor) -> None:
    for outcome in pool.map(run_calmly, range(40)):
        assert not outcome.problems, outcome.report()
        assert not outcome.faults


def test_a_seed_decides_everything() -> None:
    traces = []
    for _ in range(2):
        with processes() as fresh:
            (outcome,) = fresh.submit(run_seeds, [FIRST_SEED + 7]).result()
        traces.append((outcome.trace, outcome.steps, outcome.requests, outcome.alerts))
    assert traces[0] == traces[1]
