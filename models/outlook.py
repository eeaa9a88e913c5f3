"""What an alert says of what comes next: the next juncture, and how far the episode will go.

Both are learned in `hotspots` from its own videos and change with each epoch of event time.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.blocks import BLOCK_SHIFT
from models.identity import split_video_key
from models.junctures import NO_CLOCK, JunctureMemory
from models.parameters import Parameters
from models.reach import COVERAGE, MOMENT, ReachMemory
from models.tracked_videos import TrackedVideo, TrackedVideos
from models.vocabulary import Stage, State

_OVER: Final = (State.FADED, State.INTERRUPTED)
_STATES: Final = tuple(State)

_JUNCTURES: Final = b"o/junctures"
_OUTCOMES: Final = b"o/outcomes"
_WAITING: Final = b"o/waiting"
PREFIX: Final = b"o/"
"""Of its keys in the changelog."""


class Outlook:
    """What is known of what comes next.

    Args:
        parameters: Level, horizon and the length of an epoch.
        tracked: The videos, whose records hold their clocks.

    Attributes:
        junctures: How long stages take.
        reach: How far alerts have gone.
    """

    def __init__(self, parameters: Parameters, tracked: TrackedVideos) -> None:
        self._horizon_ms = parameters.horizon_ms
        self._epoch_ms = parameters.epoch_ms
        self._tracked = tracked
        self.junctures = JunctureMemory(parameters.epoch_ms)
        self.reach = ReachMemory(parameters.level.count, parameters.horizon_ms, parameters.epoch_ms)

    # -- what happens -------------------------------------------------------------------------

    def transition(self, tracked: TrackedVideo, transition: Mapping[str, Any]) -> None:
        """Take in a transition of a video (report_building's words)."""
        row, time_ms = self._tracked.rows[tracked.slot], int(transition["time_ms"])
        if transition["state"] in _OVER:
            self.junctures.end(row, time_ms)
        else:
            platform = split_video_key(tracked.video)[0]
            stage = Stage[transition["stage"].upper()]
            self.junctures.enter(row, platform, stage, time_ms)
        self._tracked.touch(tracked)

    def emerging(self, tracked: TrackedVideo, numbers: np.void) -> None:
        """Take in that a video is emerging; `numbers` is its row, of REPORT."""
        # An episode that came back by activity alone has entered nothing yet.
        came_back = _STATES[int(numbers["state"])] in _OVER
        if numbers["stage"] == Stage.PRESENTATION or came_back:
            row = self._tracked.rows[tracked.slot]
            platform = split_video_key(tracked.video)[0]
            self.junctures.enter(row, platform, Stage.PRESENTATION, int(numbers["last_ms"]))
            self._tracked.touch(tracked)

    def note(self, tracked: TrackedVideo, numbers: np.void) -> None:
        """Note that something was to be told of a video: its outcome will say how far that goes."""
        self.reach.note(
            tracked.slot,
            int(numbers["last_ms"]),
            int(numbers["episode_progress"]),
            int(numbers["total_progress"]),
            float(numbers["views_per_hour"]),
        )

    def pass_epoch(self, epoch: int) -> None:
        """Learn from an epoch that is over."""
        now_ms = (epoch + 1) * self._epoch_ms
        used = len(self._tracked.by_slot)
        counted = self.junctures.pass_epoch(self._tracked.rows[:used], now_ms)
        self._tracked.dirty.flags[counted >> BLOCK_SHIFT] = True
        self.reach.pass_epoch(self._tracked.rows["progress"], now_ms)

    def forget(self, slots: npt.NDArray[np.int64]) -> None:
        """Note videos (int64[n], slots) that are forgotten; their records are as they were."""
        self.reach.forget(slots, self._tracked.rows["progress"][slots])
        self._tracked.rows["clock"][slots] = NO_CLOCK
        self._tracked.dirty.flags[slots >> BLOCK_SHIFT] = True

    # -- what is said -------------------------------------------------------------------------

    def of(self, tracked: TrackedVideo, numbers: np.void, now_ms: int) -> dict[str, Any]:
        """Return `next` and `reach` for an alert, each where it is known, JSON-ready.

        Args:
            tracked: The video.
            numbers: Its row, of REPORT.
            now_ms: The time of the alert.
        """
        said: dict[str, Any] = {}
        row = self._tracked.rows[tracked.slot]
        coming = self.junctures.next_of(row, now_ms, self._horizon_ms)
        if coming is not None:
            said["next"] = coming
        progress = int(numbers["episode_progress"])
        interval = self.reach.interval(progress, float(numbers["views_per_hour"]))
        if interval is not None:
            low, median, high = (round(at) for at in interval)
            said["reach"] = {"low": low, "median": median, "high": high, "coverage": COVERAGE}
        return said

    # -- the changelog ------------------------------------------------------------------------

    def rows(self) -> list[tuple[bytes, bytes]]:
        """Return keys and values of all that is known."""
        return [
            (_JUNCTURES, json.dumps(self.junctures.to_dict()).encode()),
            (_OUTCOMES, json.dumps(self.reach.to_dict()).encode()),
            (_WAITING, self.reach.waiting.tobytes()),
        ]

    def load(self, key: bytes, value: bytes) -> None:
        """Take back one of `rows`.

        Raises:
            ValueError: The key is of no kind that is known.
        """
        if key == _JUNCTURES:
            self.junctures.load_dict(json.loads(value))
        elif key == _OUTCOMES:
            self.reach.load_dict(json.loads(value))
        elif key == _WAITING:
            self.reach.waiting = np.frombuffer(value, MOMENT).copy()
        else:
            raise ValueError(f"unknown key {key!r}")
