import json
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.alert_budget import SCORES, AlertBudget, score_of
from models.parameters import DAY_MS, HOUR_MS, MINUTE_MS

BUCKET_MS = 5 * MINUTE_MS
DAY = DAY_MS // BUCKET_MS
HOUR = HOUR_MS // BUCKET_MS

Offer = tuple[int, int, int]
"""Bucket, episode, score."""

OFFERS = st.lists(
    st.tuples(st.integers(0, 4 * DAY), st.integers(0, 60), st.integers(0, SCORES - 1)),
    max_size=120,
).map(sorted)


class Story:
    """Offers to a budget, as the step of `hotspots` makes them."""

    def __init__(self, per_day: int) -> None:
        self.budget = AlertBudget(per_day, BUCKET_MS)
        self.offered = dict[int, int]()
        self.told = dict[int, Offer]()

    def take(self, offer: Offer) -> None:
        bucket, episode, score = offer
        if bucket >= self.budget.begins:
            self.budget.begin(bucket)
        before = self.offered.get(episode, 0)
        self.offered[episode] = self.budget.reach(before, score)
        rises = self.offered[episode] > before or not self.budget
        if episode not in self.told and rises and score >= self.budget.bar:
            self.told[episode] = offer
            self.budget.spend(bucket)


def tell(per_day: int, offers: list[Offer]) -> list[Offer]:
    story = Story(per_day)
    for offer in offers:
        story.take(offer)
    return list(story.told.values())


def stream(per_hour: float, days: int, seed: int) -> list[Offer]:
    random = np.random.default_rng(seed)
    buckets = np.sort(random.integers(0, days * DAY, int(per_hour * 24 * days)))
    scores = random.integers(0, SCORES, len(buckets))
    return list(zip(buckets.tolist(), range(len(buckets)), scores.tolist(), strict=True))


@given(offers=OFFERS, per_day=st.integers(1, 30))
def test_the_budget_of_a_day_is_never_exceeded(offers: list[Offer], per_day: int) -> None:
    spent = Counter(bucket // DAY for bucket, _, _ in tell(per_day, offers))
    assert max(spent.values(), default=0) <= per_day


@given(offers=OFFERS)
def test_without_a_budget_everything_is_told_at_once(offers: list[Offer]) -> None:
    first = {}
    for offer in offers:
        first.setdefault(offer[1], offer)
    assert tell(0, offers) == list(first.values())


@given(offers=OFFERS, per_day=st.integers(1, 30), stop=st.integers(0, 120))
def test_a_restart_in_the_middle_changes_nothing(
    offers: list[Offer], per_day: int, stop: int
) -> None:
    whole, story = Story(per_day), Story(per_day)
    for at, offer in enumerate(offers):
        whole.take(offer)
        if at == stop:
            saved = json.loads(json.dumps(story.budget.to_dict()))
            story.budget = AlertBudget(per_day, BUCKET_MS)
            story.budget.load_dict(saved)
        story.take(offer)
    assert story.told == whole.told
    assert story.budget.to_dict() == whole.budget.to_dict()


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 1_000), per_day=st.sampled_from([3, 10, 25]))
def test_a_constant_stream_spends_nearly_all_and_on_the_best(seed: int, per_day: int) -> None:
    offers = stream(per_hour=10, days=12, seed=seed)
    told = [offer for offer in tell(per_day, offers) if offer[0] >= 5 * DAY]
    assert len(told) >= 0.9 * per_day * 7
    best = 0
    for day in range(5, 12):
        scores = [score for bucket, _, score in offers if bucket // DAY == day]
        best += sum(sorted(scores)[-per_day:])
    assert sum(score for _, _, score in told) >= 0.85 * best


@pytest.mark.parametrize("score", [0, SCORES - 1])
def test_a_stream_of_one_score_spends_nearly_all(score: int) -> None:
    offers = [(b, n, score) for n, (b, _, _) in enumerate(stream(per_hour=4, days=8, seed=1))]
    spent = Counter(bucket // DAY for bucket, _, _ in tell(12, offers))
    assert all(spent[day] >= 9 for day in range(2, 8))


def test_when_less_comes_than_can_be_read_everything_is_told() -> None:
    offers = stream(per_hour=0.5, days=8, seed=3)
    known = [offer for offer in tell(40, offers) if offer[0] >= 2 * DAY]
    assert known == [offer for offer in offers if offer[0] >= 2 * DAY]


def test_on_the_first_day_the_budget_is_handed_out_evenly() -> None:
    told = tell(12, stream(per_hour=10, days=1, seed=5))
    hours = sorted(bucket // HOUR for bucket, _, _ in told)
    assert len(hours) == 12
    assert all(later - earlier <= 3 for earlier, later in pairwise(hours))


def test_what_was_withheld_is_told_when_it_rises_above_the_bar() -> None:
    offers = stream(per_hour=10, days=5, seed=2)
    late = 4 * DAY + 3 * HOUR
    before = [offer for offer in offers if offer[0] < late]
    story = Story(5)
    for offer in before:
        story.take(offer)
    story.take((late, 1_000_000, 10))
    assert 1_000_000 not in story.told
    story.take((late + 1, 1_000_000, 99))
    assert 1_000_000 in story.told


def test_silent_days_are_days_on_which_nothing_came() -> None:
    """A silence passed over at once is what its hours, one by one, would have been."""
    at_once, step_by_step = Story(5), Story(5)
    for offer in stream(per_hour=3, days=3, seed=4):
        at_once.take(offer)
        step_by_step.take(offer)
    for bucket in range(3 * DAY, 9 * DAY + 7 * HOUR, HOUR):
        step_by_step.budget.begin(bucket)
    at_once.budget.begin(9 * DAY + 6 * HOUR)
    one, other = at_once.budget.to_dict(), step_by_step.budget.to_dict()
    assert one.pop("reached")[2] == pytest.approx(other.pop("reached")[2])
    assert one.pop("days") == pytest.approx(other.pop("days"))
    assert one == other


@given(
    probability=st.floats(0, 1, width=32),
    progress=st.integers(-10, 100_000),
    level=st.integers(1, 50_000),
)
def test_a_score_is_a_step(probability: float, progress: int, level: int) -> None:
    score = score_of(probability, progress, level)
    assert 0 <= score < SCORES
    if progress >= level:
        assert score == 0
    assert score_of(min(probability * 1.5, 1.0), progress, level) >= score
    assert score_of(probability, progress + 1, level) <= score
