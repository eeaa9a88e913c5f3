"""The e-value of an epoch: against its definition, and its promise on nulls by the real steps."""

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from building import BUCKET_MS, START_BUCKET, flat_cohort, visit_all
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from scipy.stats import betabinom, nbinom

from models import epoch_evidence
from models.cohorts import DRIFT, SIGNALS
from models.discoveries import Discoveries
from models.epoch_evidence import EpochEvidence, evidence_of
from models.evidence import ALTERNATIVES, GREATEST_PROPENSITY
from models.null_streams import Setting, dispersed, planted
from models.parameters import DAY_MS, Parameters
from models.video_state import VideoTable
from models.vocabulary import Signal
from streams.scoreboard.stream_of_counts import evidence_in

Ints = npt.NDArray[np.int64]

EVERYTHING = Parameters(bucket_ms=BUCKET_MS, false_discovery_rate=1 - 1e-9)
EPOCH = START_BUCKET * BUCKET_MS // EVERYTHING.epoch_ms
VISITS = EVERYTHING.epoch_ms // BUCKET_MS
TIMES = np.array(ALTERNATIVES)


def table_of(people: Ints, views: int, first: int = 0) -> VideoTable:
    """Return videos after int64[videos, visits, SIGNALS] people; a crowd comes first."""
    table = VideoTable()
    crowd = np.zeros((len(people), SIGNALS), np.int64)
    crowd[:, Signal.INTERACTION] = 40
    visit_all(table, START_BUCKET + first, views, crowd, parameters=EVERYTHING, log_c=math.inf)
    for visit in range(people.shape[1]):
        bucket = START_BUCKET + first + 1 + visit
        visit_all(table, bucket, views, people[:, visit], parameters=EVERYTHING, log_c=math.inf)
    return table


def by_definition(people: Ints, views: int) -> float:
    """Return a video's log e-value; people are int64[visits, SIGNALS], after the first visit."""
    cohort = flat_cohort()
    of_signal = []
    for signal in range(SIGNALS):
        per_visit = float(cohort.intensity[signal, 0]) * DRIFT * 5 / 60
        shape, s = float(cohort.shape[signal]), float(cohort.concentration[signal])
        p0 = float(cohort.propensity[signal, 0, 0]) * DRIFT
        above = np.minimum(p0 * TIMES, GREATEST_PROPENSITY)
        intensity, propensity, gap = np.zeros(3), np.zeros(3), 0
        for of_visit in people:
            gap += 1
            if not views and not of_visit.any():
                continue
            k, mean = of_visit[signal], gap * per_visit
            intensity += nbinom.logpmf(k, shape, shape / (shape + mean * TIMES))
            intensity -= nbinom.logpmf(k, shape, shape / (shape + mean))
            if views:
                propensity += betabinom.logpmf(k, views, above * s, (1 - above) * s)
                propensity -= betabinom.logpmf(k, views, p0 * s, (1 - p0) * s)
            gap = 0
        mean = (gap + VISITS - 1 - len(people)) * per_visit
        if mean:
            intensity += nbinom.logpmf(0, shape, shape / (shape + mean * TIMES))
            intensity -= nbinom.logpmf(0, shape, shape / (shape + mean))
        both = [logsumexp(intensity)] + ([logsumexp(propensity)] if views else [])
        of_signal.append(min(both) - math.log(3))
    return float(logsumexp(of_signal)) - math.log(SIGNALS)


@given(
    st.lists(
        st.lists(st.integers(0, 200), min_size=SIGNALS, max_size=SIGNALS), min_size=1, max_size=6
    ),
    st.sampled_from([0, 300]),
)
@settings(deadline=None, max_examples=30)
def test_it_is_the_product_of_the_visits_after_the_first(said: list[list[int]], views: int) -> None:
    people = np.array(said, np.int64)
    expected = by_definition(people, views)
    table = table_of(people[None], views)
    (told,) = evidence_of(table, range(EPOCH, EPOCH + 1), BUCKET_MS, EVERYTHING)
    assert told.tested == 1
    if abs(expected) > 1e-3:
        assert len(told.candidates) == (expected > 0)
    for candidate in told.candidates:
        assert candidate.video == "p\x1fv0"
        assert candidate.log_e_value == pytest.approx(expected, rel=1e-4, abs=1e-3)


def loud(videos: int, visits: int) -> Ints:
    people = np.zeros((videos, visits, SIGNALS), np.int64)
    people[:, :, Signal.INTERACTION] = 2_000 + 10 * np.arange(videos)[:, None]
    return people


def test_an_epoch_begins_anew_and_silence_is_tested_too() -> None:
    table = table_of(loud(3, 5), 0)
    epochs = range(EPOCH, EPOCH + 3)
    first, *silent = evidence_of(table, epochs, BUCKET_MS, EVERYTHING)
    assert [one.video for one in first.candidates] == ["p\x1fv2", "p\x1fv1", "p\x1fv0"]
    assert {one.signal for one in first.candidates} == {Signal.INTERACTION}
    assert silent == [EpochEvidence(EPOCH + 1, 3, []), EpochEvidence(EPOCH + 2, 3, [])]
    # The same visits, the last of them in the next epoch: only that one counts there.
    table = table_of(loud(3, 5), 0, first=VISITS - 5)
    assert table.rows["epoch"][:3].tolist() == [EPOCH + 1] * 3
    (told,) = evidence_of(table, range(EPOCH + 1, EPOCH + 2), BUCKET_MS, EVERYTHING)
    assert 0 < told.candidates[0].log_e_value < first.candidates[0].log_e_value / 2


def test_what_is_silent_for_long_is_not_tested_any_more() -> None:
    table = table_of(loud(3, 5), 0)
    brief = replace(EVERYTHING, expire_after_ms=DAY_MS)
    told = evidence_of(table, range(EPOCH, EPOCH + 100), BUCKET_MS, brief)
    assert [one.epoch - EPOCH for one in told] == list(range(5))


def test_there_are_at_most_so_many_candidates_the_strongest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(epoch_evidence, "CANDIDATES_MAX", 8)
    (told,) = evidence_of(table_of(loud(5, 5), 0), range(EPOCH, EPOCH + 1), BUCKET_MS, EVERYTHING)
    assert EVERYTHING.partitions == 4
    assert [one.video for one in told.candidates] == ["p\x1fv4", "p\x1fv3"]
    assert told.tested == 5


def test_the_rate_is_kept_on_nulls_at_their_boundary_and_rises_are_discovered() -> None:
    """Counts as over-dispersed as the null allows, at any time within a visit of five looks."""
    rng, nulls, epochs = np.random.default_rng(17), 400, 4
    null = Setting(series=nulls, visits=epochs * VISITS)
    rising = planted(rng, Setting(series=10, visits=null.visits), 3.0, VISITS).people
    counts = np.concatenate([dispersed(rng, null).people, rising])
    known = Discoveries(Parameters(false_discovery_rate=0.2))
    shares, beyond = [], 0
    for number, told in enumerate(evidence_in(counts, null.mean, 0.2, rng)):
        known.note(told)
        known.pass_through(told.epoch)
        found = {int(video.partition("\x1f")[2]) for video in known.videos}
        assert known.tested == nulls + 10
        assert found >= (set(range(nulls, nulls + 10)) if number else set())
        shares.append(sum(video < nulls for video in found) / max(len(found), 1))
        beyond += sum(int(one.video.partition("\x1f")[2]) < nulls for one in told.candidates)
    assert np.mean(shares) <= 0.2
    # Markov: of all nulls at most a fifth has an e-value of 5 or more.
    assert beyond <= 0.2 * nulls * epochs
