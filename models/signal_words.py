"""What spoke for a forecast, in words: which signals, and their figures."""

from typing import Final

import numpy as np
import numpy.typing as npt

SIGNALS_TOLD: Final = 3
"""An alert names so many of the signals that spoke for it, the strongest first."""


def figure(value: float) -> str:
    """Return a positive number for people: two digits, or whole.

    >>> figure(0.3149), figure(3.21), figure(86.4), figure(1234.5)
    ('0.31', '3.2', '86', '1,234')
    """
    if value >= 10:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 1 else f"{value:.2g}"


def span(hours: float) -> str:
    """Return a length of time for people.

    >>> span(0.2), span(3.2), span(76.8)
    ('12 minutes', '3.2 hours', '3.2 days')
    """
    if hours < 1:
        return f"{figure(hours * 60)} minutes"
    return f"{figure(hours)} hours" if hours < 48 else f"{figure(hours / 24)} days"


def strongest(added: npt.NDArray[np.float64]) -> list[int]:
    """Return the positions of what spoke most for a forecast, SIGNALS_TOLD at the most."""
    order = np.argsort(-added, kind="stable")[:SIGNALS_TOLD]
    return [at for at in order.tolist() if added[at] > 0]
