"""Anytime-valid evidence: likelihood ratios against a composite null, kept as e-detectors.

Two one-sided nulls are tested, both over-dispersed and in closed form:

- *propensity*: k of n exposures acted; null: the beta-binomial mean is at most p0;
- *intensity*: k events in a span of time; null: the gamma-Poisson mean is at most lambda0.

Both families have a monotone likelihood ratio in their mean (a binomial, or Poisson, kernel mixed
over a family that has one [1]), so a ratio of a mean above the null to the null's boundary has
expectation at most 1 under every member of the composite null: it is an e-value. Visits of
one video are chained into an e-detector of CUSUM form [2], whose running value M obeys
E[M at tau] <= E[tau] before a change; stopping at M >= c therefore has an average run length of
at least c visits. Several alternatives are mixed by averaging their e-detectors.

A visit may be looked at before it is over: its events are exchangeable under both hypotheses, so
the ratio of what has come so far is a martingale under the null [3], and M at the start of the
visit times that ratio keeps the promise however often it is looked at.

References:
    [1] S. Karlin, "Total Positivity", 1968, chapter 1 (composition formula).
    [2] J. Shin, A. Ramdas, A. Rinaldo, "E-detectors", 2022, sections 2.2 and 3 (e-CUSUM,
        mixtures).
    [3] A. Ramdas et al., "Game-theoretic statistics and safe anytime-valid inference", 2023.
"""

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from models.compiled import compiled

ALTERNATIVES: Final = (1.5, 3.0, 10.0)
"""How many times the null's mean each alternative lies above it: from half as much again, the least
that matters for guidance, to the tenfold of a runaway; geometric in between, so that no effect is
further than a factor of 2 from an alternative."""

GREATEST_PROPENSITY: Final = 0.95
"""Alternatives of a propensity are capped here: a beta needs room on both sides."""


Ratios = npt.NDArray[np.float64]
"""float[len(ALTERNATIVES)], filled in place."""


@compiled
def _beta_binomial_log_likelihood(
    acted: float, exposed: float, mean: float, concentration: float
) -> float:
    """Return it without the terms that every mean shares.

    Of the logarithms of Beta(acted + a, exposed - acted + b) / Beta(a, b), those of a + b cancel in
    a ratio: a + b is the concentration under every mean.
    """
    a, b = mean * concentration, (1 - mean) * concentration
    of_a = math.lgamma(a)
    # Mostly nobody has acted yet: a logarithm of gamma takes as long as counting a video's bucket.
    of_acted = math.lgamma(acted + a) if acted else of_a
    return of_acted + math.lgamma(exposed - acted + b) - of_a - math.lgamma(b)


@compiled
def propensity_log_ratios(
    acted: float, exposed: float, null: float, concentration: float, ratios: Ratios
) -> None:
    """Fill in the log likelihood ratios of the beta-binomial at each alternative to the null.

    Args:
        acted: Events of the signal, at least 0.
        exposed: Exposures; raised to `acted` where fewer (people act on earlier views).
        null: p0 in (0, 1): the greatest mean of the null.
        concentration: a + b of the beta: small means over-dispersed.
        ratios: Out; 0 where there is no exposure or p0 leaves no room above it.

    >>> ratios = np.zeros(3)
    >>> propensity_log_ratios(30.0, 100.0, 0.1, 1e6, ratios)
    >>> ratios.round(1)
    array([   8.2,   15.4, -134.7])
    """
    ratios[:] = 0.0
    exposed = max(exposed, acted)
    if exposed <= 0 or null <= 0 or null >= GREATEST_PROPENSITY:
        return
    at_null = _beta_binomial_log_likelihood(acted, exposed, null, concentration)
    for k in range(len(ALTERNATIVES)):
        mean = min(null * ALTERNATIVES[k], GREATEST_PROPENSITY)
        ratios[k] = _beta_binomial_log_likelihood(acted, exposed, mean, concentration) - at_null


@compiled
def scarcity_log_ratios(
    acted: float, exposed: float, null: float, concentration: float, ratios: Ratios
) -> None:
    """Fill in the log likelihood ratios for *fewer* than the null: the mean is at least p0.

    The mirror image of `propensity_log_ratios`, with alternatives null / ALTERNATIVES.
    """
    ratios[:] = 0.0
    exposed = max(exposed, acted)
    if exposed <= 0 or null <= 0 or null >= 1:
        return
    at_null = _beta_binomial_log_likelihood(acted, exposed, null, concentration)
    for k in range(len(ALTERNATIVES)):
        mean = null / ALTERNATIVES[k]
        ratios[k] = _beta_binomial_log_likelihood(acted, exposed, mean, concentration) - at_null


@compiled
def intensity_log_ratios(count: float, expected: float, shape: float, ratios: Ratios) -> None:
    """Fill in the log likelihood ratios of the gamma-Poisson at each alternative to the null.

    Args:
        count: Events in the span.
        expected: The null's mean for the span (rate times length); 0 gives no evidence.
        shape: Shape r of the gamma: variance = mean + mean^2 / r.
        ratios: Out.

    >>> ratios = np.zeros(3)
    >>> intensity_log_ratios(0.0, 2.0, 1e9, ratios)
    >>> ratios.round(2)
    array([ -1.,  -4., -18.])
    """
    ratios[:] = 0.0
    if expected <= 0:
        return
    at_null = math.log1p(expected / shape)
    for k in range(len(ALTERNATIVES)):
        # The terms in gamma(count + r) cancel: both hypotheses share count and shape.
        ratios[k] = count * math.log(ALTERNATIVES[k]) - (count + shape) * (
            math.log1p(expected * ALTERNATIVES[k] / shape) - at_null
        )


@compiled
def mixed(log_evidence: npt.NDArray[np.float32]) -> float:
    """Return the logarithm of the mean of e-detectors (float32[alternatives]): itself one."""
    greatest = float(log_evidence[0])
    for one in log_evidence:
        greatest = max(greatest, float(one))
    total = 0.0
    for one in log_evidence:
        total += math.exp(one - greatest)
    return greatest + math.log(total / len(log_evidence))


def log_threshold(alarm_rate_per_video_day: float, visits_per_day: float, rules: int) -> float:
    """Return log c such that `rules` detectors together keep the promised alarm rate.

    The average run length to a false alarm is at least c visits [2, theorem 2.4], hence at most
    visits_per_day / c false alarms per video-day and rule.

    >>> round(log_threshold(0.001, 288, 5), 2)
    14.18
    """
    return math.log(visits_per_day * rules / alarm_rate_per_video_day)
