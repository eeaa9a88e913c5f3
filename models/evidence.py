"""Anytime-valid evidence: likelihood ratios against a composite null, kept as e-detectors.

Two one-sided nulls are tested, both over-dispersed, both in closed form and vectorised:

- *propensity*: k of n exposures acted; null: the beta-binomial mean is at most p0;
- *intensity*: k events in a span of time; null: the gamma-Poisson mean is at most lambda0.

Both families have a monotone likelihood ratio in their mean (a binomial, or Poisson, kernel mixed
over a family that has one [1]), so a ratio of a mean above the null to the null's boundary has
expectation at most 1 under every member of the composite null: it is an e-value. Visits of
one video are chained into an e-detector of CUSUM form [2], whose running value M obeys
E[M at tau] <= E[tau] before a change; stopping at M >= c therefore has an average run length of
at least c visits. Several alternatives are mixed by averaging their e-detectors.

References:
    [1] S. Karlin, "Total Positivity", 1968, chapter 1 (composition formula).
    [2] J. Shin, A. Ramdas, A. Rinaldo, "E-detectors", 2022, sections 2.2 and 3 (e-CUSUM,
        mixtures).
    [3] A. Ramdas et al., "Game-theoretic statistics and safe anytime-valid inference", 2023.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import betaln

Floats = npt.NDArray[np.float64]

ALTERNATIVES: Final = np.array([1.5, 3.0, 10.0])
"""How many times the null's mean each alternative lies above it: from half as much again, the least
that matters for guidance, to the tenfold of a runaway; geometric in between, so that no effect is
further than a factor of 2 from an alternative."""

GREATEST_PROPENSITY: Final = 0.95
"""Alternatives of a propensity are capped here: a beta needs room on both sides."""


def propensity_log_ratios(
    acted: Floats, exposed: Floats, null: Floats, concentration: Floats
) -> Floats:
    """Return log likelihood ratios of the beta-binomial at each alternative to the null.

    Args:
        acted: float[...], events of the signal, at least 0.
        exposed: float[...], exposures; raised to `acted` where fewer (people act on earlier views).
        null: float[...], p0 in (0, 1): the greatest mean of the null.
        concentration: float[...], a + b of the beta: small means over-dispersed.

    Returns:
        float[..., len(ALTERNATIVES)]; 0 where there is no exposure or p0 leaves no room above it.

    >>> r = propensity_log_ratios(*(np.array([x]) for x in (30.0, 100.0, 0.1, 1e6)))
    >>> np.round(r, 1)
    array([[   8.2,   15.4, -134.7]])
    """
    alternative = np.minimum(null[..., None] * ALTERNATIVES, GREATEST_PROPENSITY)
    usable = null < GREATEST_PROPENSITY
    return _beta_binomial_log_ratios(acted, exposed, null, alternative, concentration, usable)


def scarcity_log_ratios(
    acted: Floats, exposed: Floats, null: Floats, concentration: Floats
) -> Floats:
    """Return log likelihood ratios for *fewer* than the null: the mean is at least p0.

    The mirror image of `propensity_log_ratios`, with alternatives null / ALTERNATIVES; same shapes.
    """
    alternative = null[..., None] / ALTERNATIVES
    return _beta_binomial_log_ratios(acted, exposed, null, alternative, concentration, null < 1)


def _beta_binomial_log_ratios(
    acted: Floats,
    exposed: Floats,
    null: Floats,
    alternative: Floats,
    concentration: Floats,
    usable: npt.NDArray[np.bool_],
) -> Floats:
    exposed = np.maximum(exposed, acted)
    usable = (usable & (exposed > 0) & (null > 0))[..., None]
    acted, exposed, concentration = acted[..., None], exposed[..., None], concentration[..., None]

    def log_likelihood(mean: Floats) -> Floats:
        mean = np.where(usable, mean, 0.5)
        a, b = mean * concentration, (1 - mean) * concentration
        return np.asarray(betaln(acted + a, exposed - acted + b) - betaln(a, b))

    ratio: Floats = log_likelihood(alternative) - log_likelihood(null[..., None])
    return np.where(usable, ratio, 0.0)


def intensity_log_ratios(count: Floats, expected: Floats, shape: Floats) -> Floats:
    """Return log likelihood ratios of the gamma-Poisson at each alternative to the null.

    Args:
        count: float[...], events in the span.
        expected: float[...], the null's mean for the span (rate times length); 0 gives no evidence.
        shape: float[...], shape r of the gamma: variance = mean + mean^2 / r.

    Returns:
        float[..., len(ALTERNATIVES)].

    >>> np.round(intensity_log_ratios(np.array([0.0]), np.array([2.0]), np.array([1e9])), 2)
    array([[ -1.,  -4., -18.]])
    """
    count = count[..., None]
    usable = expected[..., None] > 0
    mean = np.where(usable, expected[..., None], 1.0)
    shape = shape[..., None]
    alternative = mean * ALTERNATIVES
    # The terms in gamma(count + r) cancel: both hypotheses share count and shape.
    ratio: Floats = count * np.log(ALTERNATIVES) - (count + shape) * (
        np.log1p(alternative / shape) - np.log1p(mean / shape)
    )
    return np.asarray(np.where(usable, ratio, 0.0))


def cusum(log_evidence: npt.NDArray[np.float32], log_ratios: Floats) -> npt.NDArray[np.float32]:
    """Chain one visit onto the e-CUSUM detectors: M = max(M, 1) * L, in logarithms.

    Args:
        log_evidence: float32[..., alternatives], the detectors before the visit.
        log_ratios: float[..., alternatives], the evidence of the visit.

    Returns:
        float32[..., alternatives].
    """
    return (np.maximum(log_evidence, 0.0) + log_ratios).astype(np.float32)


def mixed(log_evidence: npt.NDArray[np.float32]) -> Floats:
    """Return the logarithm of the mean of each row's e-detectors: itself an e-detector.

    Args:
        log_evidence: float32[..., alternatives].

    Returns:
        float[...].
    """
    total: Floats = np.logaddexp.reduce(log_evidence.astype(np.float64), axis=-1)
    mean: Floats = total - np.log(log_evidence.shape[-1])
    return mean


def log_threshold(alarm_rate_per_video_day: float, visits_per_day: float, rules: int) -> float:
    """Return log c such that `rules` detectors together keep the promised alarm rate.

    The average run length to a false alarm is at least c visits [2, theorem 2.4], hence at most
    visits_per_day / c false alarms per video-day and rule.

    >>> round(log_threshold(0.001, 288, 5), 2)
    14.18
    """
    return float(np.log(visits_per_day * rules / alarm_rate_per_video_day))
