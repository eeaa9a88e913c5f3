"""What was said of videos, held against what became of them."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from models.forecast_scores import Scores, judge
from streams.scoreboard.forecast_sets import HOUR_S, Watched

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

AGES_H: Final = (6, 24)
"""At which ages promises are held against what happened: the first evening and the first day."""


@dataclass(frozen=True, slots=True)
class Said:
    """What was said, in order of time for each video.

    Attributes:
        video: int64[m], position in the watched; -1 for a video that is not judged.
        time_s: float[m], when.
        probability: float[m].
    """

    video: Ints
    time_s: Floats
    probability: Floats


@dataclass(frozen=True, slots=True)
class Judged:
    """How good what was said was.

    Attributes:
        scores: The figures.
        said: float[n], the highest probability said of each video in time.
        rival: float[n], the highest of the rival.
        hit: bool[n].
        leads_h: Hours between the first observation after an alert and that of the outcome, of the
            hits that were told of.
    """

    scores: Scores
    said: Floats
    rival: Floats
    hit: Flags
    leads_h: Floats


def judged(watched: Watched, said: Said, threshold: float) -> Judged:
    """Judge what was said.

    Args:
        watched: The videos.
        said: What was said of them.
        threshold: From which probability on an alert is raised.
    """
    known = np.flatnonzero(said.video >= 0)
    counts = known[said.time_s[known] <= watched.until_s[said.video[known]]]
    video, time_s = said.video[counts], said.time_s[counts]
    probability = said.probability[counts]
    best = np.zeros(len(watched.videos))
    np.maximum.at(best, video, probability)
    rival = np.nan_to_num(watched.rival)
    in_force = {}
    for age_h in AGES_H:
        by_s = watched.start_s + age_h * HOUR_S
        last, here = np.zeros(len(best)), np.zeros(len(best), np.bool_)
        early = time_s <= by_s[video]
        # Of several assignments to one place the last stands.
        last[video[early]] = probability[early]
        here[video[early]] = True
        # Who reached the level by then is no forecast any more.
        here &= np.isnan(watched.outcome_s) | ~watched.hit | (watched.outcome_s > by_s)
        in_force[f"{age_h} h"] = last[here], watched.hit[here]
    return Judged(
        scores=judge(best, rival, watched.hit, threshold=threshold, in_force=in_force),
        said=best,
        rival=rival,
        hit=watched.hit,
        leads_h=_leads_h(watched, video, time_s, probability >= threshold),
    )


def _leads_h(watched: Watched, video: Ints, time_s: Floats, told: Flags) -> Floats:
    first_s = np.full(len(watched.videos), np.inf)
    np.minimum.at(first_s, video[told], time_s[told])
    leads = []
    for at in np.flatnonzero(np.isfinite(first_s) & ~np.isnan(watched.outcome_s)).tolist():
        seen = watched.seen_s[at]
        after = seen[np.searchsorted(seen, first_s[at]) :]
        known_s = after[0] if len(after) else first_s[at]
        leads.append((watched.outcome_s[at] - known_s) / HOUR_S)
    return np.array(leads)
