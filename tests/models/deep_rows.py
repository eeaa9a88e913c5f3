"""Deep rows for tests, with only what a test says, and the records that take them in."""

from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from models.compiled import compiled
from models.details import NO_NUMBER
from models.participation import PARTICIPATION, take_in
from models.people_sample import SAMPLE_BELOW
from models.undecided_details import DEEP, region_words
from models.vocabulary import ACTION_CODE, ROLE_CODE

START_MS = 1_693_353_600_000
BUCKET_MS = 10_000

Said = dict[str, Any]


@compiled
def take_in_all(record: npt.NDArray[np.void], rows: npt.NDArray[np.void]) -> None:
    """Take in rows in their order."""
    for at in range(len(rows)):
        take_in(record[0], rows[at])


def deep_rows(said: list[Said]) -> npt.NDArray[np.void]:
    """Return DEEP[n] in order of time; each is an anonymous comment unless it says otherwise."""
    rows = np.zeros(len(said), DEEP)
    for row, one in zip(rows, said, strict=True):
        at_ms = START_MS + one.get("after_ms", 0)
        row["time_ms"], row["bucket"] = at_ms, at_ms // BUCKET_MS
        row["action"] = ACTION_CODE[one.get("action", "comment")]
        row["role"] = ROLE_CODE[one.get("role", "ordinary")]
        row["count"] = one.get("count", 1)
        for name in ("actor", "via", "comment", "parent"):
            row[name] = one.get(name, 0)
        for name in ("followers", "watch_ms", "age_days"):
            row[name] = one.get(name, NO_NUMBER)
        row["last_ms"] = row["time_ms"]
        row["watches"] = one.get("action") == "view" and "watch_ms" in one
        row["region"] = region_words([one.get("region", "")])[1]
    return rows[np.argsort(rows["time_ms"], kind="stable")]


def taken_in(said: list[Said]) -> npt.NDArray[np.void]:
    """Return PARTICIPATION[1] of what was said, in order of time."""
    record = np.zeros(1, PARTICIPATION)
    take_in_all(record, deep_rows(said))
    return record


def actor(number: int) -> int:
    """Return the hash of a person in the sample: those with lower numbers have lower hashes."""
    return (number + 1) * (int(SAMPLE_BELOW) // 10_000) + 1


SAID = st.fixed_dictionaries(
    {
        "after_ms": st.integers(0, 5 * 86_400_000),
        "action": st.sampled_from(
            ["view", "like", "comment", "comment", "reply", "reply", "share", "derive", "publish"]
        ),
        "role": st.sampled_from(["ordinary", "ordinary", "creator", "media", "expert"]),
        "actor": st.one_of(st.just(0), st.integers(0, 200).map(actor)),
    },
    optional={
        "count": st.sampled_from([-1, 2, 5]),
        "via": st.integers(1, 40).map(actor),
        "comment": st.integers(1, 2**32 - 1).map(lambda number: number << 32),
        "parent": st.integers(1, 10).map(lambda number: number << 32),
        "region": st.sampled_from(["江苏", "CN-JS", *(f"r{number}" for number in range(20))]),
        "followers": st.integers(0, 10**9),
        "age_days": st.integers(0, 10_000),
        "watch_ms": st.integers(0, 10**6),
    },
)
"""Anything that may be said of a video."""

STORY = st.lists(SAID, max_size=60)
