"""The alert budget on simulated days, beside who sees the day in advance and beside first-come.

    python -m streams.scoreboard.budget

prints the table of docs/budget.md. A day has a number of episodes that varies from day to day
(gamma-Poisson), a daily rhythm, and scores that may rise once after they first suffice. What is
compared is the sum of the scores told, that is, the expected part of the level told ahead.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import click
import numpy as np
import numpy.typing as npt

from models.alert_budget import SCORES, AlertBudget
from models.parameters import DAY_MS, HOUR_MS, MINUTE_MS

BUCKET_MS: Final = MINUTE_MS
DAYS: Final = 42
"""Six weeks: three half-lives of what the budget knows of a day."""
WARM_DAYS: Final = 7
"""Days that are not compared: the budget knows nothing yet."""
RISE_SHARE: Final = 0.3
"""Of the episodes whose score rises later; another share of them would change all rules alike."""
SEEDS: Final = 5

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Offers:
    """Scores that suffice for an alert, in order of time.

    Attributes:
        time_ms: int64[n].
        episode: int64[n], whose score it is.
        score: int64[n], in steps of the budget.
    """

    time_ms: Ints
    episode: Ints
    score: Ints

    def days(self) -> Iterator["Offers"]:
        """Yield the offers of each day after the first WARM_DAYS."""
        for day in range(WARM_DAYS, DAYS):
            yield self.within(self.time_ms // DAY_MS == day)

    def within(self, which: npt.NDArray[np.bool_]) -> "Offers":
        """Return some of the offers."""
        return Offers(self.time_ms[which], self.episode[which], self.score[which])


def simulate(per_day: float, *, shape: float, seed: int) -> Offers:
    """Return offers of DAYS days.

    Args:
        per_day: Episodes a day, on average.
        shape: Of the gamma distribution of how busy a day is: infinite, all days are alike.
        seed: Of the random numbers.
    """
    random = np.random.default_rng(seed)
    busy = random.gamma(shape, 1 / shape, DAYS) if np.isfinite(shape) else np.ones(DAYS)
    counts = random.poisson(per_day * busy)
    # Two in the afternoon is three times as busy as two at night.
    hours = 1 + 0.5 * np.cos(2 * np.pi * (np.arange(24) - 14) / 24)
    hour = random.choice(24, counts.sum(), p=hours / hours.sum())
    began = np.repeat(np.arange(DAYS), counts) * DAY_MS + hour * HOUR_MS
    began += random.integers(0, HOUR_MS, len(began))
    score = (random.beta(2, 4, len(began)) * SCORES).astype(np.int64)
    rises = random.random(len(began)) < RISE_SHARE
    later = began + random.integers(HOUR_MS, 6 * HOUR_MS, len(began))
    risen = score + ((SCORES - 1 - score) * random.random(len(began)) / 2).astype(np.int64)
    time_ms = np.concatenate([began, later[rises]])
    episode = np.concatenate([np.arange(len(began)), np.flatnonzero(rises)])
    order = np.argsort(time_ms, kind="stable")
    return Offers(time_ms[order], episode[order], np.concatenate([score, risen[rises]])[order])


def told_by_budget(offers: Offers, budget: int) -> Offers:
    """Return the offers that the budget tells."""
    gate = AlertBudget(budget, BUCKET_MS)
    best, told = dict[int, int](), set[int]()
    which = np.zeros(len(offers.time_ms), np.bool_)
    columns = (offers.time_ms.tolist(), offers.episode.tolist(), offers.score.tolist())
    for at, (time_ms, episode, score) in enumerate(zip(*columns, strict=True)):
        bucket = time_ms // BUCKET_MS
        if bucket >= gate.begins:
            gate.begin(bucket)
        before = best.get(episode, 0)
        best[episode] = gate.reach(before, score)
        if episode not in told and best[episode] > before and score >= gate.bar:
            which[at] = True
            told.add(episode)
            gate.spend(bucket)
    return offers.within(which)


def told_first_come(offers: Offers, budget: int) -> Offers:
    """Return the first offers of each day, as many as the budget has."""
    told = set[int]()
    which = np.zeros(len(offers.time_ms), np.bool_)
    spent: dict[int, int] = {}
    for at, (time_ms, episode) in enumerate(
        zip(offers.time_ms.tolist(), offers.episode.tolist(), strict=True)
    ):
        day = time_ms // DAY_MS
        if episode not in told and spent.get(day, 0) < budget:
            which[at] = True
            told.add(episode)
            spent[day] = spent.get(day, 0) + 1
    return offers.within(which)


def value(told: Offers) -> int:
    """Return the sum of the scores told after the first WARM_DAYS."""
    return sum(int(day.score.sum()) for day in told.days())


def best_in_hindsight(offers: Offers, budget: int) -> int:
    """Return the greatest sum of scores that as many alerts a day could have told.

    Each day by itself and each episode at its best: an upper bound, since an episode that rises
    after midnight counts on both days.
    """
    total = 0
    for day in offers.days():
        best: dict[int, int] = {}
        for episode, score in zip(day.episode.tolist(), day.score.tolist(), strict=True):
            best[episode] = max(best.get(episode, 0), score)
        total += sum(sorted(best.values())[-budget:])
    return total


def table() -> Iterator[str]:
    """Yield the lines of the table, in Markdown."""
    yield "| episodes a day | days | budget | told of it | value, by the rule | first come |"
    yield "|---|---|---|---|---|---|"
    for per_day, shape in ((100.0, np.inf), (100.0, 4.0), (1_000.0, np.inf), (1_000.0, 4.0)):
        for budget in (5, 20, 50):
            rows = []
            for seed in range(SEEDS):
                offers = simulate(per_day, shape=shape, seed=seed)
                told = told_by_budget(offers, budget)
                most = best_in_hindsight(offers, budget)
                spent = sum(len(day.score) for day in told.days())
                first = value(told_first_come(offers, budget))
                rows.append((spent / budget / (DAYS - WARM_DAYS), value(told) / most, first / most))
            spent_share, captured, first_come = np.mean(rows, axis=0)
            days = "alike" if np.isinf(shape) else "uneven"
            yield (
                f"| {per_day:.0f} | {days} | {budget} | {spent_share:.0%} | {captured:.0%} | "
                f"{first_come:.0%} |"
            )


@click.command()
def main() -> None:
    """Print the table of docs/budget.md."""
    for line in table():
        click.echo(line)


if __name__ == "__main__":
    main()
