"""How often people have acted before: a version of what is remembered of them, and who is met.

Who passes something on tells how far it may go: those who share much are read by many. What counts
is how often each of them has acted, by the signal of the level's action (shares and reposts for a
level of shares), on anything, on any platform of the log, and before the present epoch and the one
before it: that is what a version holds which was learned in one place from all partitions, so that
how many partitions there are plays no part. A level whose action is no signal (views) has none.

A version is a bottom-k sketch [1] of keyed hashes: the ACTORS_MAX smallest of them, each with an
exact count. Who has a hash at or above `bound` is not in the sample, and is not counted among those
who are met. On a platform with fewer regulars than that everybody is in it, and nothing is
estimated; else what is said rests on those of the sample, one in n / ACTORS_MAX people.

References:
    [1] E. Cohen, H. Kaplan, "Summarizing data using bottom-k sketches", PODC 2007.
"""

import json
import math
from dataclasses import dataclass, field
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from models.cohorts import EPOCHS_TO_LEARN
from models.compiled import compiled
from models.parameters import Parameters
from models.undecided import Undecided
from models.vocabulary import ACTION_CODE, NO_SIGNAL, SIGNAL_OF_ACTION

ALL_ACTORS: Final = np.uint64(np.iinfo(np.uint64).max)
"""The bound where nobody is left out."""

TIMES: Final = np.dtype([("actor", np.uint64), ("times", np.uint32)])
"""The keyed hash of somebody, and how often that one has acted: so many buckets of videos."""

LOG_UNITS: Final = 1 << 20
"""Sums of logarithms are kept in millionths, about: single precision, and no sum of people on earth
leaves 63 bits."""

ACTED: Final = np.dtype([("bucket", np.int64), ("epoch", np.int64), ("actor", np.uint64)])
"""Somebody who acted on a video in a bucket, and in which epoch that was."""

VERSIONS_KEPT: Final = 4
"""On the topic of what was learned, and of a partition of `stages`, which needs the last two."""

_PREFIX: Final = b"actors:epoch:"

Hashes = npt.NDArray[np.uint64]
Records = npt.NDArray[np.void]
Looked = tuple[Hashes, npt.NDArray[np.uint32], np.uint64]
"""What compiled code needs: `actor`, rising, and `times` of a version, and its bound."""

Row = Any
"""One record of video_state.ROW, in place."""


class ActorsFormatError(ValueError):
    """A version that is damaged."""


@dataclass(frozen=True, slots=True)
class KnownActors:
    """What is known of people.

    Attributes:
        known: TIMES[n], by actor, rising.
        bound: Hashes from here on are not in the sample.
        action: Of the level that it was learned for.
    """

    known: Records = field(default_factory=lambda: np.zeros(0, TIMES))
    bound: np.uint64 = ALL_ACTORS
    action: str = ""

    @property
    def looked_up(self) -> Looked:
        """What compiled code needs."""
        # Copies are always contiguous and aligned: compiled code knows one kind of array.
        return self.known["actor"].copy(), self.known["times"].copy(), np.uint64(self.bound)

    def to_bytes(self) -> bytes:
        """Return the message on the topic of what was learned."""
        head = {"action": self.action, "bound": int(self.bound), "known": len(self.known)}
        return json.dumps(head).encode() + b"\n" + self.known.tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Take back what `to_bytes` returned.

        Raises:
            ActorsFormatError: It is damaged.
        """
        head, _, rest = data.partition(b"\n")
        try:
            told = json.loads(head)
            known = np.frombuffer(rest, TIMES, count=told["known"]).copy()
            read = cls(known, np.uint64(told["bound"]), str(told["action"]))
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise ActorsFormatError(f"what was learned of actors is damaged: {error!r}") from error
        if (read.known["actor"][1:] <= read.known["actor"][:-1]).any():
            raise ActorsFormatError("what was learned of actors is damaged: hashes out of order")
        return read


NOBODY: Final = KnownActors()


def signal_of(parameters: Parameters) -> int:
    """Return the signal by which people act towards the level, or NO_SIGNAL."""
    return int(SIGNAL_OF_ACTION[ACTION_CODE[parameters.level.action]])


def key_of(through_epoch: int) -> bytes:
    """Return the key of a version on the topic of what was learned."""
    return _PREFIX + str(through_epoch).encode()


def is_actors(key: bytes) -> bool:
    """Tell whether a key is that of a version."""
    return key.startswith(_PREFIX)


class ActorVersions:
    """The versions that hold in each epoch: what was learned through two epochs before it."""

    def __init__(self, parameters: Parameters) -> None:
        """Know of nobody."""
        self._action = parameters.level.action
        self._versions: dict[int, KnownActors] = {}

    def __len__(self) -> int:
        """Return how many versions are kept."""
        return len(self._versions)

    def learn(self, key: bytes, value: bytes) -> None:
        """Take a version; one that was learned for a level of another action is passed over.

        Raises:
            ActorsFormatError: It is damaged.
        """
        version = KnownActors.from_bytes(value)
        if version.action == self._action:
            self._versions[int(key[len(_PREFIX) :])] = version
        # A partition that has nothing to decide asks for none of them.
        for epoch in sorted(self._versions)[:-VERSIONS_KEPT]:
            del self._versions[epoch]

    def of(self, epoch: int) -> KnownActors:
        """Return what is known in an epoch, and forget what held before: epochs never go back."""
        holds = epoch - EPOCHS_TO_LEARN
        for old in [e for e in self._versions if e < holds]:
            del self._versions[old]
        return self._versions.get(holds, NOBODY)


def acted_through(
    undecided: Undecided, through_bucket: int, signal: int, epoch: int, bound: np.uint64
) -> Records:
    """Return who acts by a signal in the buckets up to one: ACTED[n], by bucket and actor.

    Args:
        undecided: What is about to be decided, all of it of one epoch.
        through_bucket: The last bucket.
        signal: By which they act.
        epoch: That of the buckets.
        bound: Hashes from here on are left out.
    """
    people = undecided.people[: undecided.person_count]
    chosen = (people["signal"] == signal) & (people["actor"] < bound)
    bucket = undecided.entries["bucket"][people["entry"][chosen]]
    decided = bucket <= through_bucket
    acted = np.zeros(int(decided.sum()), ACTED)
    acted["bucket"], acted["epoch"] = bucket[decided], epoch
    acted["actor"] = people["actor"][chosen][decided]
    return acted[np.lexsort((acted["actor"], acted["bucket"]))]


@compiled
def meet(
    row: Row,
    person: int,
    people: Records,
    signal: int,
    known: Looked,
) -> None:
    """Count the people of a bucket in the row of its video, and how often they acted before.

    Args:
        row: The video's, in place.
        person: The first of undecided.PERSON in `people`; below zero for none.
        people: Of Undecided.
        signal: By which they are to act.
        known: What is known of them.
    """
    actors, times, bound = known
    while person >= 0:
        one = people[person]
        if one.signal == signal and one.actor < bound:
            row.met += 1
            # Whole numbers: their sum is the same in whatever order people came.
            row.met_before += np.int64(LOG_UNITS * math.log1p(_times_of(actors, times, one.actor)))
        person = one.next


@compiled
def _times_of(actors: Hashes, times: npt.NDArray[np.uint32], actor: np.uint64) -> float:
    """Return how often somebody has acted."""
    low, high = 0, len(actors)
    while low < high:
        middle = (low + high) // 2
        if actors[middle] < actor:
            low = middle + 1
        else:
            high = middle
    return np.float64(times[low]) if low < len(actors) and actors[low] == actor else 0.0


__all__ = (
    "ACTED",
    "ALL_ACTORS",
    "NOBODY",
    "NO_SIGNAL",
    "TIMES",
    "VERSIONS_KEPT",
    "ActorVersions",
    "ActorsFormatError",
    "KnownActors",
    "acted_through",
    "is_actors",
    "key_of",
    "meet",
    "signal_of",
)
