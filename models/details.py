"""What some events say beyond who did what when: where people are, who led them here, dialogue.

Most events say none of it, so it travels and waits apart from the rows, and costs nothing there.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

DETAIL: Final = np.dtype(
    [
        ("row", np.uint32),
        ("region", np.uint32),
        ("age_days", np.int32),
        ("sentiment", np.float32),
        ("followers", np.int64),
        ("via", np.uint64),
        ("comment", np.uint64),
        ("parent", np.uint64),
        ("watch_ms", np.int64),
    ]
)
"""The details of one event, in an array that ascends by `row`.

- `row`: index of the event among those that it came with.
- `region`: 1 + index into the regions that it came with (`actor_region`); 0 when absent.
- `age_days`: of the actor's account, at most AGE_DAYS_MAX; NO_NUMBER when absent.
- `sentiment`: -1 to 1, the platform's own; NaN when absent.
- `followers`: of the actor; NO_NUMBER when absent.
- `via`: hash of the actor whose share led here, with the key of `actor`; ABSENT_HASH when absent.
- `comment`, `parent`: hashes of this comment and of the one it answers, with a key of their own
  (models/identity.py); ABSENT_HASH when absent.
- `watch_ms`: how long was watched; NO_NUMBER when absent.
"""

NO_NUMBER: Final = -1
"""Stands for a whole number that was not given; those of the contract are not negative."""

NO_REGION: Final = 0
"""Stands for a region that was not given."""

AGE_DAYS_MAX: Final = 2**31 - 1
"""What `age_days` can hold; an account of more days is six million years old."""

TEXT_CHARACTERS_MAX: Final = 280
"""What is kept of a comment's text: the longest post on X, twice Weibo's 140. Feelings and symbols
show in that much, and a longer text is no reason to lose an event."""

Details = npt.NDArray[np.void]
"""An array of DETAIL."""

Comment = tuple[int, str, str]
"""The row of an event with a text, the id of the comment ("" when absent), and the text, cut to
TEXT_CHARACTERS_MAX."""


@dataclass(frozen=True, slots=True)
class EventDetail:
    """What one event says; None where it does not, ids with their platform (models/identity.py)."""

    region: str | None
    age_days: int | None
    followers: int | None
    via: str | None
    comment: str | None
    parent: str | None
    sentiment: float | None
    watch_ms: int | None


def no_details() -> Details:
    """Return DETAIL[0]."""
    return np.empty(0, DETAIL)
