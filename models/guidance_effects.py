"""What an action did: the change of what it was taken on, against matched ones that had none.

Difference in differences on the logarithm: how much activity changed from the window before the
action to the one after it, less how much it changed in the same windows where nobody acted. The
others are *matched*: of the same platform, stage and (where there are enough) route, near in how
active they were, how that went, how old they are and how people judged. Nobody drew lots for the
action, so a difference may be that of the choice: what is said says so.

One was treated, many were not, so that the noise of the estimate is that of one video. It is read
off the controls themselves [1]: had nothing been done, the change of the treated one would be
exchangeable with theirs [2], and its rank among them uniform, however heavy the tails. All effects
that this does not reject make the interval, which lies between two order statistics and holds with
a known probability, K controls or few (a conformal interval [3]). That the noise of a small video
is larger than that of a big one breaks exchangeability [4]; hence the caliper on activity.

References:
    [1] T. Conley, C. Taber, "Inference with 'difference in differences' with a small number of
        policy changes", 2011.
    [2] A. Abadie, A. Diamond, J. Hainmueller, "Synthetic control methods for comparative case
        studies", 2010, section 2.4: placebo tests.
    [3] V. Vovk, A. Gammerman, G. Shafer, "Algorithmic learning in a random world", 2005.
    [4] B. Ferman, C. Pinto, "Inference in differences-in-differences with few treated groups and
        heteroskedasticity", 2019.
    [5] W. Cochran, D. Rubin, "Controlling bias in observational studies: a review", 1973.
    [6] F. Anscombe, "On estimating binomial response relations", 1956.
"""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.cohorts import SHIPPED
from models.transitions import VISIT_MS
from models.vocabulary import Signal

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

OUTSIDE: Final = 20
"""One in so many lies beyond the interval on either side, which makes it one of 90 %."""

MOST_CONTROLS: Final = 39
"""The interval of 90 % then ends at the second and the second last of them, so that one outlier on
either side does not make it; further ones would be matched worse."""

LEAST_CONTROLS: Final = 9
"""With so many their whole range is an interval of (9 - 1) / 10 = 80 %, which is said; an interval
of less would be taken for more than it is."""

CALIPER: Final = 0.6
"""In standard deviations of the logarithm of activity: some nine tenths of the bias that is linear
in it are gone within it [5, table 2.3.1]. What chance alone does to two of one mean is no reason to
refuse them, either (`chance_of`): where all are alike, the deviation is small."""

HALF: Final = 0.5
"""Added to counts before their logarithm is taken: the bias of the logarithm is least so [6]."""

MOMENTS: Final = 5
"""Counts are taken at the beginning, the middle and the end of the window before the action, and at
the beginning and the end of the one after it."""

COUNTED: Final = 3
"""What is counted: all activity, exclusion, identification."""

WORDS: Final = "matched, not randomised"
"""What is said with every effect."""

_FIRST, _MIDDLE, _LAST, _AFTER_FIRST, _AFTER_LAST = range(MOMENTS)
_ACTIVITY, _EXCLUDED, _IDENTIFIED = range(COUNTED)


@dataclass(frozen=True, slots=True)
class Effect:
    """A difference in differences of logarithms, as a factor.

    Attributes:
        ratio: By how much the treated one changed beyond the median of its controls.
        low, high: The interval.
        coverage: How often such an interval holds the truth.
        placebo_p: The share, among all, of those that lie as far from the median of the controls
            as the treated one does: itself included.
    """

    ratio: float
    low: float
    high: float
    coverage: float
    placebo_p: float

    def to_dict(self) -> dict[str, float]:
        """Return it JSON-ready."""
        return {
            "ratio": round(self.ratio, 3),
            "low": round(self.low, 3),
            "high": round(self.high, 3),
            "coverage": round(self.coverage, 3),
            "placebo_p": round(self.placebo_p, 3),
        }


@dataclass(frozen=True, slots=True)
class Measured:
    """What an action did, or why that cannot be said.

    Attributes:
        controls: How many matched ones it was held against.
        same_route: Whether all are of the same route.
        before, after: Activity of the treated one in the two windows.
        controls_before, controls_after: Median activity of the controls.
        activity: The effect on activity; None where there are fewer than LEAST_CONTROLS.
        exclusion: The effect on the odds of exclusion against identification; None also where
            people did not judge in both windows.
    """

    controls: int
    same_route: bool
    before: int
    after: int
    controls_before: float
    controls_after: float
    activity: Effect | None
    exclusion: Effect | None

    def figures(self) -> dict[str, Any]:
        """Return what it was measured on, JSON-ready."""
        return {
            "controls": self.controls,
            "controls_asked": LEAST_CONTROLS,
            "same_route": self.same_route,
            "events_before": self.before,
            "events_after": self.after,
            "controls_events_before": self.controls_before,
            "controls_events_after": self.controls_after,
        }


def chance_of(span_ms: int) -> float:
    """Return by how much the logarithms of two counts of a span differ when they have one mean.

    That is one standard deviation, by the over-dispersion of visits that was measured on ordinary
    videos (models/shipped_cohort.py): 1 / shape is the square of its coefficient of variation.
    """
    visits = max(span_ms / VISIT_MS, 1.0)
    return math.sqrt(2 / (float(SHIPPED.shape[Signal.INTERACTION]) * visits))


def measure(
    counts: Ints, age_ms: Ints, route: npt.NDArray[np.uint8], chance: float = 0.0
) -> Measured:
    """Hold the first of some videos (or topics) of a platform and stage against the others.

    Args:
        counts: int64[n, MOMENTS, COUNTED], counts up to each moment; the treated one comes first.
        age_ms: int64[n], their ages at the last moment before the action.
        route: uint8[n], their routes then.
        chance: `chance_of` half of the window before the action.
    """
    among = _matched(counts, age_ms, route, chance)
    grown = np.maximum(np.diff(counts[[0, *among.tolist()]], axis=1), 0)
    before = grown[:, _FIRST] + grown[:, _MIDDLE]
    after = grown[:, _AFTER_FIRST]
    activity = exclusion = None
    if len(among) >= LEAST_CONTROLS:
        change = _log(after[:, _ACTIVITY]) - _log(before[:, _ACTIVITY])
        activity = effect_of(float(change[0]), change[1:])
        judged = (_judged(before) > 0) & (_judged(after) > 0)
        change = (_log_odds(after) - _log_odds(before))[judged]
        if judged[0] and len(change) > LEAST_CONTROLS:
            exclusion = effect_of(float(change[0]), change[1:])
    return Measured(
        controls=len(among),
        same_route=bool((route[among] == route[0]).all()),
        before=int(before[0, _ACTIVITY]),
        after=int(after[0, _ACTIVITY]),
        controls_before=float(np.median(before[1:, _ACTIVITY])) if len(among) else 0.0,
        controls_after=float(np.median(after[1:, _ACTIVITY])) if len(among) else 0.0,
        activity=activity,
        exclusion=exclusion,
    )


def _matched(counts: Ints, age_ms: Ints, route: npt.NDArray[np.uint8], chance: float) -> Ints:
    """Return int64[k]: the positions of the controls, the nearest first, MOST_CONTROLS at most."""
    if len(counts) < 2:
        return np.zeros(0, np.int64)
    traits = _traits(counts, age_ms)
    spread = traits[1:].std(axis=0)
    away = (traits[1:] - traits[0]) / np.where(spread > 0, spread, 1.0)
    near = np.abs(traits[1:, 0] - traits[0, 0]) <= max(CALIPER * float(spread[0]), chance)
    same = near & (route[1:] == route[0])
    if same.sum() >= LEAST_CONTROLS:
        near = same
    found = np.flatnonzero(near)
    order = np.argsort((away[found] ** 2).sum(axis=1), kind="stable")[:MOST_CONTROLS]
    return np.asarray(found[order] + 1, np.int64)


def _traits(counts: Ints, age_ms: Ints) -> Floats:
    """Return float64[n, 4]: of late activity, growth, age, and exclusion, as logarithms."""
    grown = np.maximum(np.diff(counts, axis=1), 0)
    earlier, recent = grown[:, _FIRST], grown[:, _MIDDLE]
    late = _log(recent[:, _ACTIVITY])
    return np.column_stack(
        [
            late,
            late - _log(earlier[:, _ACTIVITY]),
            np.log(np.maximum(age_ms, 1)),
            _log_odds(earlier + recent),
        ]
    )


def _log(counts: Ints) -> Floats:
    return np.asarray(np.log(counts + HALF), np.float64)


def _judged(counts: Ints) -> Ints:
    return np.asarray(counts[:, _EXCLUDED] + counts[:, _IDENTIFIED], np.int64)


def _log_odds(counts: Ints) -> Floats:
    return _log(counts[:, _EXCLUDED]) - _log(counts[:, _IDENTIFIED])


def effect_of(treated: float, controls: Floats) -> Effect:
    """Return by how much one change differs from those of controls.

    Args:
        treated: The change of the treated one, as a logarithm.
        controls: float64[k], those of its controls; k is at least 2.

    Raises:
        ValueError: There are fewer controls than two.
    """
    count = len(controls)
    if count < 2:
        raise ValueError(f"{count} controls have no range")
    ordered = np.sort(controls)
    left_out = max((count + 1) // OUTSIDE, 1) - 1
    middle = float(np.median(ordered))
    as_far = int((np.abs(controls - middle) >= abs(treated - middle)).sum())
    return Effect(
        ratio=float(np.exp(treated - middle)),
        low=float(np.exp(treated - ordered[-1 - left_out])),
        high=float(np.exp(treated - ordered[left_out])),
        coverage=(count - 1 - 2 * left_out) / (count + 1),
        placebo_p=(as_far + 1) / (count + 1),
    )
