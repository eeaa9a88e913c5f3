"""Who made the tracked videos, and how many followers they had won meanwhile.

Platforms tell a creator's followers with a video. What a work brings its creators shows in what
they tell later, with that video or with others [1].

It follows from what the tracked videos say and is not saved: a restart finds it again.

References:
    [1] seed 001, section 2: two bloggers whose drama became a phenomenon; seed 003, section 3.1:
        influential creators and their fans are what a platform builds on.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Protocol

MOST_COMPARED: Final = 256
"""Videos of a creator that are looked at, the latest: enough for a year of uploads every day."""


class Told(Protocol):
    """What is asked of a video."""

    @property
    def video(self) -> str:
        """Its key."""

    @property
    def published_ms(self) -> int:
        """When it was published."""

    @property
    def followers(self) -> tuple[int, ...]:
        """Its creator's, as first told with it and as told last."""


@dataclass(frozen=True, slots=True)
class FollowerGain:
    """How many followers a creator had and has.

    Attributes:
        before: As told first with the earliest video since a moment.
        now: As told last with the latest video.
    """

    before: int
    now: int

    def figures(self) -> dict[str, Any]:
        """Return it for an alert, JSON-ready."""
        return {"before": self.before, "now": self.now, "gain": self.now - self.before}


class Creators:
    """The slots of the videos of each creator of whom followers are told."""

    def __init__(self) -> None:
        self._by_creator: dict[str, set[int]] = {}

    def move(self, slot: int, before: str, now: str) -> None:
        """Let a video that was one creator's be another's; "" is nobody."""
        if before == now:
            return
        if before and (made := self._by_creator.get(before)) is not None:
            made.discard(slot)
            if not made:
                del self._by_creator[before]
        if now:
            self._by_creator.setdefault(now, set()).add(slot)

    def of(self, creator: str) -> set[int]:
        """Return the slots of a creator's videos, in no order."""
        return self._by_creator.get(creator, set())


def follower_gain(made: Iterable[Told], since_ms: int) -> FollowerGain | None:
    """Return what a creator has won in followers since a moment; None where it was told only once.

    Args:
        made: The creator's videos with followers, in any order.
        since_ms: Videos published before it tell nothing.
    """
    order = sorted((one.published_ms, one.video, one.followers) for one in made)[-MOST_COMPARED:]
    told = [followers for published_ms, _, followers in order if published_ms >= since_ms]
    if not told or (len(told) == 1 and told[0][0] == told[0][-1]):
        return None
    return FollowerGain(told[0][0], told[-1][-1])
