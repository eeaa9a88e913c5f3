"""How often people have acted, learned in one place from what all partitions of `stages` tell.

What is told of an epoch is summed, and the sums of an epoch that is complete go into the memory:
sums of whole counts, kept for the smallest hashes, are the same in whatever order and from however
many partitions they come. Whoever is among the smallest of all is among the smallest of every part,
so that nothing of a count is lost on the way.

What is kept is bounded: ACTORS_MAX people, and nobody who has not acted for FORGOTTEN_AFTER_MS.
"""

import json
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from models.known_actors import (
    ALL_ACTORS,
    NO_SIGNAL,
    TIMES,
    VERSIONS_KEPT,
    KnownActors,
    key_of,
    signal_of,
)
from models.parameters import DAY_MS, Parameters

ACTORS_MAX: Final = 1 << 16
"""People who are remembered: 1.3 MB, and versions of 0.8 MB. The cascades' development half has
21,788 of them in three and a half years."""

FORGOTTEN_AFTER_MS: Final = 365 * DAY_MS
"""Who has not acted for so long is a stranger again. Average precision of plain trees on the
cascades, by six random halves, in shares per hour's: 1.196 when nobody is forgotten, 1.186 after
365 days, 1.173 after 90 and 1.157 after 30."""

PREFIX: Final = b"a/"
"""Of the keys of what is saved here."""

_MEMORY: Final = PREFIX + b"memory"

_SUMMED_AT: Final = 4 * ACTORS_MAX
"""What was told of an epoch is summed when it is longer than this: 3 MB."""

_REMEMBERED: Final = np.dtype([*TIMES.descr, ("last_epoch", np.int64)])

Records = npt.NDArray[np.void]


class ActorMemory:
    """Everybody who is remembered, and what was told since the last complete epoch."""

    def __init__(self, parameters: Parameters) -> None:
        """Remember nobody."""
        self._action = parameters.level.action
        self._is_asked = signal_of(parameters) != NO_SIGNAL
        self._epochs_kept = -(-FORGOTTEN_AFTER_MS // parameters.epoch_ms)
        self._remembered = np.zeros(0, _REMEMBERED)
        self._bound = ALL_ACTORS
        self._through: int | None = None
        self._noted: dict[int, list[Records]] = {}
        self._published: list[int] = []
        self._is_dirty = False

    def __len__(self) -> int:
        """Return how many people are remembered."""
        return len(self._remembered)

    def note(self, acted: Records) -> None:
        """Take in ACTED[n]; those of epochs that were learned are known already."""
        for epoch in np.unique(acted["epoch"]).tolist():
            if self._through is None or epoch > self._through:
                told = acted["actor"][acted["epoch"] == epoch]
                once = np.zeros(len(told), TIMES)
                once["actor"], once["times"] = told, 1
                noted = self._noted.setdefault(epoch, [])
                noted.append(once)
                if sum(map(len, noted)) > _SUMMED_AT:
                    self._noted[epoch] = [_summed(noted)]

    def learn_through(self, epoch: int) -> list[tuple[bytes, bytes | None]]:
        """Learn from the epochs up to one, and return records for the topic of what was learned.

        Returns:
            The version of the epoch, unless it was told before, and removals of old ones.
        """
        if not self._is_asked or (self._published and epoch <= self._published[-1]):
            return []
        first = min(self._noted, default=epoch) if self._through is None else self._through + 1
        # One by one: how many epochs end at once plays no part.
        for passed in range(first, epoch + 1):
            if passed in self._noted:
                self._fold(passed, _summed(self._noted.pop(passed)))
            self._forget(passed)
        self._through = epoch
        self._published.append(epoch)
        old = self._published[:-VERSIONS_KEPT]
        self._published = self._published[-VERSIONS_KEPT:]
        self._is_dirty = True
        known = np.zeros(len(self), TIMES)
        known["actor"], known["times"] = self._remembered["actor"], self._remembered["times"]
        version = KnownActors(known, self._bound, self._action)
        return [(key_of(epoch), version.to_bytes()), *((key_of(e), None) for e in old)]

    def _fold(self, epoch: int, acted: Records) -> None:
        """Add what was told of one epoch: TIMES[n], each actor once."""
        new = np.zeros(len(acted), _REMEMBERED)
        new["actor"], new["times"] = acted["actor"], acted["times"]
        new["last_epoch"] = epoch
        # A stable order: of each one the last epoch comes last.
        both = np.concatenate([self._remembered, new])
        both = both[np.argsort(both["actor"], kind="stable")]
        begins = np.flatnonzero(np.diff(both["actor"], prepend=both["actor"][:1] + np.uint64(1)))
        ends = np.append(begins[1:], len(both)) - 1
        merged = both[ends].copy()
        merged["times"] = np.add.reduceat(both["times"], begins) if len(both) else 0
        self._remembered = merged

    def _forget(self, epoch: int) -> None:
        """Keep who acted of late, and of these the smallest hashes."""
        kept = self._remembered[self._remembered["last_epoch"] > epoch - self._epochs_kept]
        if len(kept) > ACTORS_MAX:
            self._bound = kept["actor"][ACTORS_MAX]
        elif len(kept) < ACTORS_MAX // 2:
            # By doubling: were everybody told of again at once, half a platform would be.
            self._bound = min(self._bound, ALL_ACTORS // np.uint64(2)) * np.uint64(2)
        self._remembered = kept[kept["actor"] < self._bound]

    # -- what is saved ------------------------------------------------------------------------

    def rows(self) -> list[tuple[bytes, bytes | None]]:
        """Return what has changed since the last call, for the changelog."""
        if not self._is_dirty:
            return []
        self._is_dirty = False
        head = {
            "action": self._action,
            "bound": int(self._bound),
            "through": self._through,
            "published": self._published,
        }
        return [(_MEMORY, json.dumps(head).encode() + b"\n" + self._remembered.tobytes())]

    def load(self, _key: bytes, value: bytes) -> None:
        """Take back the row; what was learned for a level of another action is forgotten."""
        head, _, rest = value.partition(b"\n")
        state = json.loads(head)
        self._published = state["published"]
        self._through = state["through"]
        if state["action"] == self._action:
            self._bound = np.uint64(state["bound"])
            self._remembered = np.frombuffer(rest, _REMEMBERED).copy()


def _summed(parts: Sequence[Records]) -> Records:
    """Return TIMES with each actor once, the ACTORS_MAX + 1 smallest hashes at the most.

    One more than is kept: it tells the bound.
    """
    told = np.concatenate(parts)
    actors, which = np.unique(told["actor"], return_inverse=True)
    summed = np.zeros(len(actors), TIMES)
    summed["actor"] = actors
    np.add.at(summed["times"], which, told["times"])
    return summed[: ACTORS_MAX + 1]
