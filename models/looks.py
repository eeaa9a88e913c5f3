"""Looks: the moments of event time at which all works are looked at."""

import math
from typing import Final

from models.parameters import MINUTE_MS, Parameters

LOOK_MS: Final = 15 * MINUTE_MS
"""How often works are looked at: what people can do takes longer than this, and a day of looks at
200,000 works takes a tenth of a second."""


def look_buckets(parameters: Parameters) -> int:
    """Return after how many buckets a look follows the one before; epochs end with looks."""
    epoch = parameters.epoch_ms // parameters.bucket_ms
    return math.gcd(epoch, max(LOOK_MS // parameters.bucket_ms, 1))
