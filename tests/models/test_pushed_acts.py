"""Who is not counted in evidence: accounts that are young and act together."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from deep_rows import BUCKET_MS, START_MS, Said, deep_rows
from hypothesis import given, settings
from hypothesis import strategies as st

from models.account_signs import LEAST_ACTS, YOUNG_DAYS
from models.compiled import compiled
from models.homogenisation import MAJORITY, wilson_interval
from models.parameters import HOUR_MS, MINUTE_MS
from models.pushed_acts import (
    HALF_LIFE_MS,
    LATEST,
    LEFT_OUT,
    RECENT_ACTS,
    Found,
    _are_most,
    acts_of_known_age,
    find_suspects,
    forget_acts,
    is_suspect,
    leave_out_acts,
)
from models.transitions import CROWD
from models.vocabulary import Signal

YOUNG, OLD = 3, 900
LATEST_BEFORE_IT_SHOWS = 23
"""The 24th act is the first at which LEAST_ACTS weigh in: 64 * (1 - (63 / 64)^n) > 20."""
Records = npt.NDArray[np.void]


def act(number: int, minute: float, **said: str | float) -> Said:
    """Somebody likes, a minute after the start."""
    common = {"action": "like", "actor": number + 1, "after_ms": round(minute * MINUTE_MS)}
    return common | said


@compiled
def find(recent: Records, found: Found, at: int, now_ms: int, left_out: Records) -> int:
    count = find_suspects(recent[0], found, at, now_ms)
    leave_out_acts(found, at, count, left_out[0])
    return count


def suspects_of(said: list[Said], recent: Records | None = None) -> list[list[int]]:
    """Return the suspects of each bucket there is, in order of time."""
    recent = np.zeros(1, RECENT_ACTS) if recent is None else recent
    rows = deep_rows(said)
    buckets = np.unique(rows["bucket"])
    found = acts_of_known_age(rows, buckets, np.zeros(len(buckets), np.int64))
    left_out = np.zeros(1, LEFT_OUT)
    suspects = []
    for at, bucket in enumerate(buckets.tolist()):
        count = find(recent, found, at, bucket * BUCKET_MS, left_out)
        suspects.append(found[3][:count].tolist())
        assert left_out[0]["acts"].sum() == count
    return suspects


def of_the_last_bucket(said: list[Said]) -> int:
    return len(suspects_of(said)[-1])


def spread(number: int) -> str:
    return f"region {number % 8}"


@pytest.mark.parametrize(
    ("more", "minutes"),
    [({"region": "江苏"}, 60), ({"via": 77}, 60), ({}, 1.4)],
    ids=["one region", "one leader", "within 90 seconds"],
)
def test_young_accounts_that_act_together_in_some_way_are_suspects(
    more: Said, minutes: float
) -> None:
    pushed = [act(n, n * minutes / 80, age_days=YOUNG, **more) for n in range(80)]
    assert of_the_last_bucket(pushed) > 0
    flat = {number for some in suspects_of(pushed) for number in some}
    assert len(flat) > 80 - 3 * LEAST_ACTS, "all but those before it showed"


@pytest.mark.parametrize(
    "said",
    [
        [act(n, n / 60, age_days=OLD, region="江苏", via=77) for n in range(80)],
        [act(n, n, age_days=YOUNG, region=spread(n), via=n + 500) for n in range(80)],
        [act(n, n / 60, region="江苏", via=77) for n in range(80)],
        [act(n, n / 60, age_days=YOUNG, region="江苏") for n in range(LEAST_ACTS - 1)],
        [act(n, n / 60, age_days=YOUNG, region="江苏", count=-1) for n in range(80)],
        [act(0, n / 60, age_days=YOUNG, region="江苏", actor=0) for n in range(80)],
    ],
    ids=["old", "young alone", "ages are not told", "few", "taken back", "nobody known"],
)
def test_others_are_none(said: list[Said]) -> None:
    assert not any(suspects_of(said))


def test_among_suspects_whoever_is_old_or_bears_no_other_sign_still_counts() -> None:
    said = [act(n, n / 10, age_days=YOUNG, region="江苏") for n in range(200)]
    said += [act(1_000 + n, n / 2, age_days=OLD, region="江苏") for n in range(40)]
    said += [act(2_000 + n, 5 + n / 2, age_days=YOUNG, region="北京") for n in range(40)]
    found = {number for some in suspects_of(said) for number in some}
    assert found
    assert max(found) <= 200


def test_a_push_shows_before_half_a_crowd_has_come_by_it_and_is_over_after_it() -> None:
    people = [act(n, n / 100, age_days=OLD, region=spread(n)) for n in range(2_000)]
    push = [act(5_000 + n, 20 + n / 10, age_days=YOUNG, region="江苏") for n in range(200)]
    later = [act(2_000 + n, 45 + n, age_days=OLD, region="江苏") for n in range(100)]
    last = [act(9_000, 200, age_days=YOUNG, region="江苏")]
    suspects = suspects_of(people + push + later + last)
    assert sum(map(len, suspects)) > 200 - CROWD / 2, "though people did ten times as much"
    assert not suspects[-1], "one young account among old ones"


def test_a_slow_push_shows_as_well() -> None:
    slow = [act(n, 20 * n, age_days=YOUNG, region="江苏") for n in range(60)]
    assert sum(map(len, suspects_of(slow))) == 60 - LATEST_BEFORE_IT_SHOWS


def test_only_acts_on_the_video_of_the_entry_are_taken() -> None:
    rows = deep_rows([act(n, 0, age_days=YOUNG, region="江苏") for n in range(60)])
    rows["slot"][:30] = 4
    bucket = np.full(2, START_MS // BUCKET_MS)
    found = acts_of_known_age(rows, bucket, np.array([4, 7]))
    assert (found[2] - found[1]).tolist() == [30, 0]


def test_what_is_left_out_is_told_by_signal() -> None:
    said = [act(n, 0, age_days=YOUNG, region="江苏") for n in range(40)]
    said += [act(n, 0, action="share", age_days=YOUNG, region="江苏", count=2) for n in range(10)]
    said += [act(99, 0, action="view", age_days=YOUNG, region="江苏")]
    rows = deep_rows(said)
    found = acts_of_known_age(rows, rows["bucket"][:1], np.zeros(1, np.int64))
    recent, left_out = np.zeros(1, RECENT_ACTS), np.zeros(1, LEFT_OUT)
    count = find(recent, found, 0, START_MS, left_out)
    assert left_out[0]["acts"][Signal.IDENTIFICATION] == 40
    assert left_out[0]["acts"][Signal.DIFFUSION] == 20
    assert is_suspect(found[3], count, np.uint64(7))
    assert not is_suspect(found[3], count, np.uint64(99 + 1))
    forget_all(recent)
    assert not recent.tobytes().strip(b"\0")


@compiled
def forget_all(recent: Records) -> None:
    forget_acts(recent[0])


def test_acts_fade_by_further_acts_and_minutes_by_time() -> None:
    recent = np.zeros(1, RECENT_ACTS)
    suspects_of([act(n, 0, age_days=YOUNG, region="江苏", via=7) for n in range(4)], recent)
    suspects_of([act(1, 60, age_days=OLD)], recent)
    assert HALF_LIFE_MS == HOUR_MS
    kept = 1 - 1 / LATEST
    young = kept + kept**2 + kept**3 + kept**4
    assert recent[0]["acts"] == pytest.approx(1 + young, rel=1e-3)
    for name in ("young", "located", "led"):
        assert recent[0][name] == pytest.approx(young, rel=1e-3)
    for name in ("regions", "leaders"):
        assert recent[0][name]["count"].tolist() == pytest.approx([young, 0], rel=1e-3)
    assert recent[0]["by_time"] == pytest.approx(3, rel=1e-3)
    assert sorted(recent[0]["minutes"]["acts"].tolist()) == pytest.approx([0, 1, 2], rel=1e-3)


@given(of=st.integers(LEAST_ACTS, 10_000), share=st.floats(0, 1))
def test_most_is_what_wilsons_interval_says(of: int, share: float) -> None:
    found = round(share * of)
    low = wilson_interval(found, of)[0]
    if not math.isclose(low, MAJORITY, abs_tol=1e-9):
        assert _are_most(float(found), float(of)) == (low > MAJORITY)


WHO = st.fixed_dictionaries(
    {
        "actor": st.integers(1, 40),
        "after_ms": st.integers(0, 2 * HOUR_MS),
        "age_days": st.sampled_from((-1, 0, YOUNG, YOUNG_DAYS - 1, YOUNG_DAYS, OLD)),
        "region": st.sampled_from(("", "江苏", "北京", "a long name of a region")),
        "via": st.integers(0, 3),
        "action": st.sampled_from(("like", "share", "comment", "view", "publish")),
    }
)


@settings(max_examples=60, deadline=None)
@given(said=st.lists(WHO, max_size=120), seed=st.integers(0, 9))
def test_suspects_are_young_and_found_alike_in_whatever_order_rows_came(
    said: list[Said], seed: int
) -> None:
    rows = deep_rows(said)
    buckets = np.unique(rows["bucket"])
    slots = np.zeros(len(buckets), np.int64)
    outcomes = []
    for order in (np.arange(len(rows)), np.random.default_rng(seed).permutation(len(rows))):
        some = rows[order]
        # What orders rows of one moment is a digest of them (undecided_details.DEEP).
        some["content"] = some["actor"] * 1_000 + some["age_days"] + 7 * some["via"]
        recent, left_out = np.zeros(1, RECENT_ACTS), np.zeros(1, LEFT_OUT)
        found = acts_of_known_age(some, buckets, slots)
        suspects = []
        for at, bucket in enumerate(buckets.tolist()):
            count = find(recent, found, at, bucket * BUCKET_MS, left_out)
            suspects.append(found[3][:count].tolist())
        outcomes.append(suspects)
    young = {one["actor"] for one in said if 0 <= one["age_days"] < YOUNG_DAYS}
    assert all(set(some) <= young for some in outcomes[0])
    assert outcomes[0] == outcomes[1]
