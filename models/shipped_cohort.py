"""The cohort that serves until a platform has shown enough of itself, measured on public data."""

from typing import Any, Final

# PLACEHOLDER until measured
_P = [
    [[0.154, 0.12, 0.101, 0.101, 0.09]] * 4,
    [[0.004] * 5] * 4,
    [[0.012, 0.008, 0.004, 0.004, 0.004]] * 4,
    [[0.0037, 0.003, 0.0025, 0.0025, 0.0025]] * 4,
]
SHIPPED_COHORT: Final[dict[str, Any]] = {
    "propensity": _P,
    "scarcity": [[0.01] * 5] * 4,
    "concentration": [50.0] * 4,
    "intensity": [[500.0] * 4, [50.0] * 4, [100.0] * 4, [50.0] * 4],
    "shape": [1.0] * 4,
    "rhythm": [1.0] * 24,
    "videos": 0,
}
