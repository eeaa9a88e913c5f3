"""Which videos were made from others, by the works that they count for.

It follows from what the tracked videos say and is not saved: a restart finds it again.
"""

from typing import Final

MOST_DERIVATIVES: Final = 4_096
"""Of a work with more, the latest are looked at: what they are compared by costs their number, and
guidance is about what is being made now."""


class Derivatives:
    """The slots of derivatives by the id of a work."""

    def __init__(self) -> None:
        self._by_work: dict[str, set[int]] = {}
        self._changed: set[str] = set()

    def move(self, slot: int, before: tuple[str, ...], now: tuple[str, ...]) -> None:
        """Let a video that counted for some works as a derivative count for others.

        Args:
            slot: The video's.
            before: Ids of the works it counted for, as a derivative or otherwise.
            now: Ids of those it counts for as a derivative.
        """
        if not now and not self._by_work:
            return
        for work_id in before:
            made = self._by_work.get(work_id)
            if made is not None and work_id not in now and slot in made:
                made.remove(slot)
                self._changed.add(work_id)
                if not made:
                    del self._by_work[work_id]
        for work_id in now:
            made = self._by_work.setdefault(work_id, set())
            if slot not in made:
                made.add(slot)
                self._changed.add(work_id)

    def describe(self, works: tuple[str, ...]) -> None:
        """Note that something is said of a derivative that counts for some works."""
        self._changed.update(works)

    def of(self, work_id: str) -> set[int]:
        """Return the slots of a work's derivatives, in no order."""
        return self._by_work.get(work_id, set())

    def take_changed(self) -> set[str]:
        """Return the ids of works whose derivatives have changed since the last call."""
        changed, self._changed = self._changed, set()
        return changed
