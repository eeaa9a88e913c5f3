"""How many people used which phrases, in bounded memory and with an error for each.

Lossy counting of the space-saving kind [1]: when there are more phrases than room, the rarest are
given up, and what returns may have been used as often as the most frequent one that was ever given
up. So no count is too low, and none too high by more than its error.

References:
    [1] A. Metwally, D. Agrawal, A. El Abbadi, "Efficient computation of frequent and top-k elements
        in data streams", ICDT 2005, section 3.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from models.phrases import most_of


class PhraseCounts:
    """Counts of the most frequent phrases.

    Args:
        room: How many phrases are held.

    Attributes:
        people: How many people were listened to.
        missed: What a phrase that is not held has occurred at the most.
    """

    __slots__ = ("_counts", "_errors", "_room", "missed", "people")

    def __init__(self, room: int) -> None:
        self._room = room
        self._counts: dict[str, int] = {}
        self._errors: dict[str, int] = {}
        self.people = 0
        self.missed = 0

    def __len__(self) -> int:
        """Return how many phrases are held."""
        return len(self._counts)

    def __iter__(self) -> Iterator[str]:
        """Yield the phrases, in order."""
        return iter(sorted(self._counts))

    def __contains__(self, phrase: str) -> bool:
        """Tell whether a phrase is held."""
        return phrase in self._counts

    def held(self) -> Iterator[tuple[str, int, int]]:
        """Yield the phrases in order, each with its count and the error of that."""
        return ((phrase, self._counts[phrase], self._errors[phrase]) for phrase in self)

    def add(self, counts: Mapping[str, int], people: int) -> None:
        """Count phrases, each used by so many of `people`."""
        self.people += people
        for phrase in sorted(counts):
            self._put(phrase, counts[phrase], 0)
        self._make_room(0)

    def merge(self, other: "PhraseCounts") -> None:
        """Take in what was counted elsewhere, of other people."""
        self.people += other.people
        for phrase, count, error in other.held():
            self._put(phrase, count, error)
        for phrase in self._counts:
            if phrase not in other:
                self._counts[phrase] += other.missed
                self._errors[phrase] += other.missed
        self._make_room(other.missed)

    def _put(self, phrase: str, count: int, error: int) -> None:
        if phrase not in self._counts:
            self._counts[phrase] = self._errors[phrase] = self.missed
        self._counts[phrase] += count
        self._errors[phrase] += error

    def _make_room(self, missed: int) -> None:
        self.missed += missed
        if len(self._counts) > self._room:
            kept = most_of(self._counts, self._room)
            gone = max(count for phrase, count in self._counts.items() if phrase not in kept)
            self.missed = max(self.missed, gone)
            self._counts = kept
            self._errors = {phrase: self._errors[phrase] for phrase in kept}

    def at_most(self, phrase: str) -> int:
        """Return how many people used a phrase at the most."""
        return self._counts.get(phrase, self.missed)

    def at_least(self, phrase: str) -> int:
        """Return how many people used a phrase at the least."""
        return self._counts.get(phrase, 0) - self._errors.get(phrase, 0)

    def to_list(self) -> list[Any]:
        """Return what `of` takes, ready for JSON."""
        return [self.people, self.missed, [list(one) for one in self.held()]]

    @classmethod
    def of(cls, stored: list[Any], room: int) -> "PhraseCounts":
        """Return what `to_list` gave."""
        made = cls(room)
        made.people, made.missed, held = stored
        made._counts = {phrase: count for phrase, count, _ in held}
        made._errors = {phrase: error for phrase, _, error in held}
        return made
