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


NO_ROOM: Final = 0.0
"""Stands for `a` of a null's beta that leaves no room for an alternative: there is no evidence."""

BETA_NUMBERS: Final = 4
"""What is kept of the beta of one mean: a, b, and the logarithms of gamma(a) and gamma(b)."""

Floats = npt.NDArray[np.float64]
Ratios = npt.NDArray[np.float64]
"""float[len(ALTERNATIVES)], filled in place."""


@compiled
def _keep_beta(mean: float, concentration: float, beta: Floats) -> None:
    beta[0], beta[1] = mean * concentration, (1 - mean) * concentration
    beta[2], beta[3] = math.lgamma(beta[0]), math.lgamma(beta[1])


@compiled
def betas_above(null: float, concentration: float, betas: Floats) -> None:
    """Fill in the betas of a null "the mean is at most p0", and of its alternatives.

    Args:
        null: p0 in (0, 1): the greatest mean of the null.
        concentration: a + b of the beta: small means over-dispersed.
        betas: float[1 + len(ALTERNATIVES), BETA_NUMBERS], out: the null's first.
    """
    if null <= 0 or null >= GREATEST_PROPENSITY:
        betas[:] = NO_ROOM
        return
    _keep_beta(null, concentration, betas[0])
    for k in range(len(ALTERNATIVES)):
        mean = min(null * ALTERNATIVES[k], GREATEST_PROPENSITY)
        _keep_beta(mean, concentration, betas[1 + k])


@compiled
def betas_below(null: float, concentration: float, betas: Floats) -> None:
    """Fill in the betas of a null "the mean is at least p0", and of its alternatives.

    The mirror image of `betas_above`, with alternatives null / ALTERNATIVES.
    """
    if null <= 0 or null >= 1:
        betas[:] = NO_ROOM
        return
    _keep_beta(null, concentration, betas[0])
    for k in range(len(ALTERNATIVES)):
        _keep_beta(null / ALTERNATIVES[k], concentration, betas[1 + k])


@compiled
def _beta_binomial_log_likelihood(acted: float, not_acted: float, betas: Floats, k: int) -> float:
    """Return it, under the mean number k, without the terms that every mean shares.

    Of the logarithms of Beta(acted + a, not_acted + b) / Beta(a, b), those of a + b cancel in a
    ratio: a + b is the concentration under every mean.
    """
    of_a, of_b = betas[k, 2], betas[k, 3]
    # Often nobody has acted yet, and a logarithm of gamma takes as long as a cache miss.
    of_acted = math.lgamma(acted + betas[k, 0]) if acted else of_a
    likelihood: float = of_acted + math.lgamma(not_acted + betas[k, 1]) - of_a - of_b
    return likelihood


@compiled
def propensity_log_ratios(acted: float, exposed: float, betas: Floats, ratios: Ratios) -> None:
    """Fill in the log likelihood ratios of the beta-binomial at each alternative to the null.

    Args:
        acted: Events of the signal, at least 0.
        exposed: Exposures; raised to `acted` where fewer (people act on earlier views).
        betas: What `betas_above` or `betas_below` filled in: the same for a whole cohort, so their
            logarithms of gamma are not worked out anew for each of its videos.
        ratios: Out; 0 where there is no exposure or the null leaves no room beyond it.

    >>> ratios, betas = np.zeros(3), np.zeros((4, 4))
    >>> betas_above(0.1, 1e6, betas)
    >>> propensity_log_ratios(30.0, 100.0, betas, ratios)
    >>> ratios.round(1)
    array([   8.2,   15.4, -134.7])
    """
    exposed = max(exposed, acted)
    if exposed <= 0 or betas[0, 0] == NO_ROOM:
        ratios[:] = 0.0
        return
    not_acted = exposed - acted
    at_null = _beta_binomial_log_likelihood(acted, not_acted, betas, 0)
    for k in range(len(ALTERNATIVES)):
        ratios[k] = _beta_binomial_log_likelihood(acted, not_acted, betas, 1 + k) - at_null


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
def mixed(log_evidence: npt.NDArray[np.float32] | Floats) -> float:
    """Return the logarithm of the mean of e-detectors, or of e-values: itself one.

    Args:
        log_evidence: float[n], their logarithms.
    """
    greatest = float(log_evidence[0])
    for one in log_evidence:
        greatest = max(greatest, float(one))
    total = 0.0
    for one in log_evidence:
        total += math.exp(one - greatest)
    return greatest + math.log(total / len(log_evidence))


@compiled
def can_reach(log_evidence: npt.NDArray[np.float32], least: float) -> bool:
    """Tell whether `mixed` may be at least so much: a mean never exceeds its greatest part."""
    for one in log_evidence:  # noqa: SIM110 - numba compiles no generators
        if one >= least:
            return True
    return False


def log_threshold(alarm_rate_per_video_day: float, visits_per_day: float, rules: int) -> float:
    """Return log c such that `rules` detectors together keep the promised alarm rate.

    The average run length to a false alarm is at least c visits [2, theorem 2.4], hence at most
    visits_per_day / c false alarms per video-day and rule.

    >>> round(log_threshold(0.001, 288, 5), 2)
    14.18
    """
    return math.log(visits_per_day * rules / alarm_rate_per_video_day)
