"""Suspicions about works, through the step of `hotspots`: told when, and what they discount."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from told_reports import START_BUCKET, fed, report_of

from models.account_signs import LEAST_ACTS
from models.parameters import MINUTE_MS, Parameters
from models.participation import PARTICIPATION, pack
from models.stage_reports import StageReport

PARAMETERS = Parameters(bucket_ms=5 * MINUTE_MS)
PUSH = "hotspot.integrity.coordinated_push"
YOUNG, OLD = 1, 10


def record(young: int, old: int) -> bytes:
    """Return what is told of acts in one minute, so many by young accounts."""
    one = np.zeros(1, PARTICIPATION)
    accounts = one[0]["accounts"][0]
    accounts["ages"][YOUNG], accounts["ages"][OLD] = young, old
    accounts["acts"] = young + old
    accounts["now"][0] = (100, young + old)
    return pack(one)


def story(*told: tuple[int, int]) -> list[StageReport]:
    """Return reports, a quarter of an hour apart: acts of young and of old accounts so far."""
    rows: list[dict[str, Any]] = [
        {
            "video": "p\x1fa",
            "profile": {"topics": ["t"]},
            "views": 10,
            "participation": record(young, old),
        }
        for young, old in told
    ]
    said = [
        report_of(one, sequence=number, through_bucket=START_BUCKET + 3 * number)
        for number, one in enumerate(rows)
    ]
    last = len(said)
    return [*said, report_of(sequence=last, through_bucket=START_BUCKET + 3 * last)]


def pushes(alerts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [alert for alert in alerts if alert["type"] == PUSH]


def test_a_push_is_told_once_and_discounts_until_it_is_cleared() -> None:
    told = [(40, 0), (40, 5), (40, 30), (40, 90)]
    discounts = []
    for through in range(1, len(told) + 1):
        alerts, step = fed(story(*told[:through]), 1, PARAMETERS)
        assert len(pushes(alerts)) == 1
        work = step.roll_up.works.by_id["topic:t"]
        discounts.append(1 - float(step.integrity.kept(np.array([work.slot]))[0]))
    assert discounts[0] == 1
    assert discounts == sorted(discounts, reverse=True)
    # 40 of 70 are a majority still: it stays suspected; 40 of 130 are none.
    assert discounts[2] > 0
    assert discounts[3] == 0
    assert not step.integrity.suspects("topic:t")


def test_a_push_of_a_work_under_two_names_is_found_in_both_and_told_once() -> None:
    rows = [
        {"video": f"p\x1f{name}", "profile": {"topics": [name]}, "views": 10, "participation": some}
        for name, some in (("T", record(15, 0)), ("t", record(15, 0)))
    ]
    last = report_of(sequence=1, through_bucket=START_BUCKET + 9)
    alerts, step = fed([report_of(*rows), last], 1, PARAMETERS)
    (push,) = pushes(alerts)
    assert push["data"]["figures"]["acts"] == 30, "neither name has enough alone"
    slots = np.array([step.roll_up.works.by_id[f"topic:{name}"].slot for name in "Tt"])
    assert step.integrity.kept(slots).tolist() == [0, 0]


def test_a_second_push_of_the_episode_is_not_told_again() -> None:
    alerts, step = fed(story((40, 0), (40, 90), (400, 90)), 1, PARAMETERS)
    assert len(pushes(alerts)) == 1
    assert step.integrity.suspects("topic:t")


@given(
    told=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=6),
    sizes=st.integers(1, 7),
    crash=st.booleans(),
)
@settings(deadline=None, max_examples=40)
def test_suspicions_are_a_function_of_the_reports(
    told: list[tuple[int, int]], sizes: int, *, crash: bool
) -> None:
    so_far = np.cumsum(told, axis=0).tolist()
    said = story(*((young, old) for young, old in so_far))
    alerts, step = fed(said, len(said), PARAMETERS)
    others, other = fed(said, sizes, PARAMETERS, crash=crash)
    assert alerts == others
    assert step.integrity.rows() == other.integrity.rows()
    # Whatever comes, less than a majority of young accounts is never suspected, nor are too few.
    if not any(young > old and young + old >= LEAST_ACTS for young, old in so_far):
        assert not pushes(alerts)
    work = step.roll_up.works.by_id["topic:t"]
    assert 0 <= float(step.integrity.kept(np.array([work.slot]))[0]) <= 1


def test_a_video_that_has_signs_by_itself_says_so() -> None:
    _, step = fed(story((30, 10)), 1, PARAMETERS)
    assert step.integrity.of_video("p\x1fa")["integrity"]["discounted_share"] == 0.75
    _, step = fed(story((10, 30)), 1, PARAMETERS)
    assert step.integrity.of_video("p\x1fa") == {}
    assert step.integrity.of_video("p\x1fnobody") == {}
