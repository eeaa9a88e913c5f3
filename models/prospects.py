"""What is learned of what comes next, of videos or of works: the next juncture, and how far.

Each population learns from its own: a topic gains videos, so that it goes further and through its
junctures in other times than a video does.
"""

import json
from collections.abc import Sized
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from models.blocks import BLOCK_SHIFT, DirtyBlocks
from models.junctures import JunctureMemory
from models.parameters import Parameters
from models.reach import COVERAGE, MOMENT, ReachMemory
from models.vocabulary import Stage

Ints = npt.NDArray[np.int64]

_JUNCTURES: Final = b"junctures"
_OUTCOMES: Final = b"outcomes"
_WAITING: Final = b"waiting"


class Population(Protocol):
    """Videos or works by slot: records with `progress` and the fields of junctures.CLOCK."""

    dirty: DirtyBlocks

    @property
    def rows(self) -> npt.NDArray[np.void]:
        """All records; the array is replaced when it grows."""

    @property
    def by_slot(self) -> Sized:
        """What is in each slot."""


class Prospects:
    """What is known of what comes next in one population.

    Args:
        parameters: Level, horizon and the length of an epoch.
        population: Its records hold their clocks.
        prefix: Of its keys in the changelog.

    Attributes:
        junctures: How long stages take.
        reach: How far alerts have gone.
    """

    def __init__(self, parameters: Parameters, population: Population, prefix: bytes) -> None:
        self.junctures = JunctureMemory(parameters.epoch_ms)
        self.reach = ReachMemory(parameters.level.count, parameters.horizon_ms, parameters.epoch_ms)
        self._horizon_ms = parameters.horizon_ms
        self._epoch_ms = parameters.epoch_ms
        self._population = population
        self._prefix = prefix

    # -- what happens -------------------------------------------------------------------------

    def enter(self, slot: int, platform: str, stage: Stage, time_ms: int) -> None:
        """Take in that one of the population is in a stage."""
        self.junctures.enter(self._population.rows[slot], platform, stage, time_ms)
        self._population.dirty.flags[slot >> BLOCK_SHIFT] = True

    def end(self, slot: int, time_ms: int) -> None:
        """Take in that an episode has ended."""
        self.junctures.end(self._population.rows[slot], time_ms)
        self._population.dirty.flags[slot >> BLOCK_SHIFT] = True

    def pass_epoch(self, epoch: int) -> None:
        """Learn from an epoch that is over."""
        now_ms = (epoch + 1) * self._epoch_ms
        rows = self._population.rows[: len(self._population.by_slot)]
        counted = self.junctures.pass_epoch(rows, now_ms)
        self._population.dirty.flags[counted >> BLOCK_SHIFT] = True
        self.reach.pass_epoch(self._population.rows["progress"], now_ms)

    # -- what is said -------------------------------------------------------------------------

    def ahead(self, slot: int, now_ms: int, progress: int, per_hour: float) -> dict[str, Any]:
        """Return `next` and `reach` for an alert, each where it is known, JSON-ready.

        Args:
            slot: Of whom.
            now_ms: The time of the alert.
            progress: Of the episode, so far.
            per_hour: Activity per hour now.
        """
        said: dict[str, Any] = {}
        row = self._population.rows[slot]
        coming = self.junctures.next_of(row, now_ms, self._horizon_ms)
        if coming is not None:
            said["next"] = coming
        interval = self.reach.interval(progress, per_hour)
        if interval is not None:
            low, median, high = (round(at) for at in interval)
            said["reach"] = {"low": low, "median": median, "high": high, "coverage": COVERAGE}
        return said

    # -- the changelog ------------------------------------------------------------------------

    def rows(self) -> list[tuple[bytes, bytes]]:
        """Return keys and values of all that is known."""
        return [
            (self._prefix + _JUNCTURES, json.dumps(self.junctures.to_dict()).encode()),
            (self._prefix + _OUTCOMES, json.dumps(self.reach.to_dict()).encode()),
            (self._prefix + _WAITING, self.reach.waiting.tobytes()),
        ]

    def load(self, key: bytes, value: bytes) -> None:
        """Take back one of `rows`.

        Raises:
            ValueError: The key is of no kind that is known.
        """
        kind = key.removeprefix(self._prefix)
        if kind == _JUNCTURES:
            self.junctures.load_dict(json.loads(value))
        elif kind == _OUTCOMES:
            self.reach.load_dict(json.loads(value))
        elif kind == _WAITING:
            self.reach.waiting = np.frombuffer(value, MOMENT).copy()
        else:
            raise ValueError(f"unknown key {key!r}")
