"""How far a route has come in the alerts: what is read, what waits for an attempt, the budget.

It is kept where a consumer group keeps its offset: the offset is that of the first alert that is
not done, and the metadata beside it tell which ones behind it are not, either. Who loses them (a
reset of the offset) delivers again; receivers drop what they have by its id.
"""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Final, Self

from pydantic import SecretStr

from models.parameters import DAY_MS

VERSION: Final = 1
MOST_WAITING: Final = 64
"""Alerts of a route that wait for another attempt, at most; the next ones wait in Kafka. With 40
bytes each they fit into the 4,096 bytes that brokers let metadata have
(`offset.metadata.max.bytes`)."""
_DIGEST_CHARACTERS: Final = 16


@dataclass(slots=True)
class Waiting:
    """An alert that is not delivered yet."""

    failures: int
    due_ms: int
    alert: dict[str, Any] | None = None
    """None until it was read again after a restart."""


@dataclass(slots=True)
class DailyBudget:
    """How many alerts of a UTC day, by the broker's time, have counted against a budget."""

    day: int = 0
    spent: int = 0

    def spend(self, appended_ms: int, per_day: int | None) -> bool:
        """Count an alert against the budget of its day; False when nothing is left of it.

        >>> budget = DailyBudget()
        >>> budget.spend(0, 1), budget.spend(1, 1), budget.spend(DAY_MS, 1)
        (True, False, True)
        """
        day = appended_ms // DAY_MS
        if day > self.day:
            self.day, self.spent = day, 0
        if per_day is not None and self.spent >= per_day:
            return False
        self.spent += 1
        return True


@dataclass(slots=True)
class HookPosition:
    """The position of one route.

    Attributes:
        next_offset: The first offset that was not looked at.
        waiting: By offset, what was looked at and is not done.
        budget: What is spent of the budget of the day.
        ended: Digest of the address that has answered 410, or empty.
    """

    next_offset: int
    waiting: dict[int, Waiting] = field(default_factory=dict)
    budget: DailyBudget = field(default_factory=DailyBudget)
    ended: str = ""

    @property
    def first_offset(self) -> int:
        """From there on the alerts are read after a restart."""
        return min(self.waiting, default=self.next_offset)

    @property
    def is_full(self) -> bool:
        """Whether no further alert may wait."""
        return len(self.waiting) >= MOST_WAITING

    def due(self, now_ms: int) -> int | None:
        """Return the offset of what is due, the longest due first; None when nothing is."""
        ready = [
            (one.due_ms, offset)
            for offset, one in self.waiting.items()
            if one.due_ms <= now_ms and one.alert is not None
        ]
        return min(ready)[1] if ready else None

    def next_due_ms(self) -> int | None:
        """Return when something is due next, of what was read; None when nothing will be."""
        return min(
            (one.due_ms for one in self.waiting.values() if one.alert is not None), default=None
        )

    def postpone(self, until_ms: int) -> None:
        """Let nothing be due before a time: the receiver wants a pause."""
        for one in self.waiting.values():
            one.due_ms = max(one.due_ms, until_ms)

    def metadata(self) -> str:
        """Return what is committed beside `first_offset`."""
        first = self.first_offset
        return json.dumps(
            {
                "v": VERSION,
                "next": self.next_offset,
                "waiting": [
                    [offset - first, one.failures, one.due_ms]
                    for offset, one in sorted(self.waiting.items())
                ],
                "budget": [self.budget.day, self.budget.spent],
                "ended": self.ended,
            },
            separators=(",", ":"),
        )

    @classmethod
    def of(cls, offset: int, metadata: str) -> Self:
        """Return a committed position; without metadata of ours, nothing but its offset is known.

        Raises:
            ValueError: The metadata are those of another version.
        """
        if not metadata:
            return cls(offset)
        said = json.loads(metadata)
        if said.get("v") != VERSION:
            raise ValueError(f"its position has version {said.get('v')} instead of {VERSION}")
        day, spent = said["budget"]
        return cls(
            next_offset=int(said["next"]),
            waiting={
                offset + int(behind): Waiting(int(failures), int(due_ms))
                for behind, failures, due_ms in said["waiting"]
            },
            budget=DailyBudget(int(day), int(spent)),
            ended=str(said["ended"]),
        )


def digest_of(url: SecretStr) -> str:
    """Return what an address is recognised by, without giving it away."""
    return hashlib.sha256(url.get_secret_value().encode()).hexdigest()[:_DIGEST_CHARACTERS]
